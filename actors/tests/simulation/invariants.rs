//! What must hold of a ledger, as functions of its rows and of what is expected in the end. Each returns what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_actors::Outcome;
use longhaul_ledger::Counters;
use longhaul_model::{NodeKind, Side, child_path};

use super::expected::{Expected, ExpectedNode};
use super::image::{Image, NodeRow, SideImage};

type Wrong = Vec<String>;

/// What holds at any instant, whatever happened before.
pub(crate) fn always(image: &Image, expected: &Expected) -> Wrong {
    let mut wrong = Wrong::new();
    for side in Side::BOTH {
        let rows = &image.sides[side];
        let found = [
            ids_are_in_order(rows),
            names_are_given_once(rows),
            folders_have_paths(side, image),
            events_are_in_order(rows),
            views_say_what_events_say(side, image),
            counters_are_what_there_is(side, image),
            listings_are_whole(rows, &expected[side]),
            nodes_are_those_of_the_tree(side, image, &expected[side]),
        ];
        wrong.extend(found.into_iter().flatten().map(|what| format!("{side}: {what}")));
    }
    wrong.extend(sequence_numbers_are_given_once(image));
    wrong.extend(matches_are_consistent(image));
    wrong.extend(failures_are_explained(image, expected));
    if let Some(recounted) = image.recounted.as_ref().filter(|recounted| **recounted != image.counters) {
        wrong.push(format!("counters {:?} are recounted as {recounted:?}", image.counters));
    }
    wrong
}

/// What holds when a run has begun.
pub(crate) fn after_recovery(image: &Image) -> Wrong {
    let mut wrong = Wrong::new();
    for side in Side::BOTH {
        let rows = &image.sides[side];
        let settled = settled(rows);
        for node in &rows.nodes {
            if node.parent_id.is_some_and(|parent| !settled.contains_key(&parent)) {
                wrong.push(format!("{side}: {node:?} was found in a folder that is not listed"));
            }
        }
        let ids: BTreeSet<i64> = rows.nodes.iter().map(|node| node.id).collect();
        for event in rows.events.iter().filter(|event| !ids.contains(&event.node_id)) {
            wrong.push(format!("{side}: {event:?} is about no node"));
        }
    }
    wrong
}

/// What was committed when a run began is what it ends with, and nothing of it was listed again.
pub(crate) fn committed_stays(before: &Image, after: &Image, asked_for: &[(Side, String)]) -> Wrong {
    let mut wrong = Wrong::new();
    for side in Side::BOTH {
        let (before, after) = (&before.sides[side], &after.sides[side]);
        let (was_settled, is_settled) = (settled(before), settled(after));
        for (node, status) in &was_settled {
            if is_settled.get(node) != Some(status) {
                wrong.push(format!("{side}: {node} was {status}, and is {:?}", is_settled.get(node)));
            }
        }
        // The root is asked for again and again, to see whether the store answers at all.
        let listed = before.folders.iter().filter(|folder| was_settled.contains_key(&folder.id) && folder.path != "/");
        for folder in listed {
            if asked_for.iter().any(|(asked, path)| *asked == side && *path == folder.path) {
                wrong.push(format!("{side}: {} was listed again", folder.path));
            }
        }
    }
    wrong
}

/// What holds when a traversal has come to its end.
pub(crate) fn when_complete(image: &Image, expected: &Expected) -> Wrong {
    let mut wrong = Wrong::new();
    for side in Side::BOTH {
        let statuses = image.statuses(side);
        let found: BTreeSet<&str> = statuses.values().map(|status| status.path.as_str()).collect();
        for (path, node) in &expected[side] {
            if !found.contains(path.as_str()) {
                wrong.push(format!("{side}: {path} is missing: {node:?}"));
            }
        }
        for status in statuses.values() {
            let Some(node) = expected[side].get(&status.path) else { continue };
            if status.traversal != node.traversal || status.copy.as_deref() != node.copy {
                wrong.push(format!("{side}: {status:?} should be {} and {:?}", node.traversal, node.copy));
            }
        }
        let failed = expected[side].values().filter(|node| node.failure.is_some()).count();
        let errors = image.errors.iter().filter(|error| error.side == side.prefix()).count();
        if failed != errors {
            wrong.push(format!("{side}: {failed} folders fail, and there are {errors} errors"));
        }
    }
    let matched = expected.dst.values().filter(|node| node.matched).count();
    if matched != image.matches.len() {
        wrong.push(format!("{} matches, not {matched}", image.matches.len()));
    }
    wrong
}

/// What was given to an actor was answered by it, unless it was left behind. What is found is always recorded.
pub(crate) fn nothing_is_lost_between_actors(outcome: &Outcome) -> Wrong {
    let mut wrong = Wrong::new();
    for (actor, traffic) in outcome.traffic.by_actor() {
        let may_drop = actor != "ledger actor" && outcome.still_running > 0;
        if !traffic.adds_up() || (traffic.dropped > 0 && !may_drop) {
            wrong.push(format!("{actor}: {traffic:?}, with {} Listers left behind", outcome.still_running));
        }
    }
    wrong
}

fn ids_are_in_order(rows: &SideImage) -> Wrong {
    let mut wrong = Wrong::new();
    let nodes = by_id(rows);
    if nodes.len() != rows.nodes.len() {
        wrong.push("an id is given twice".to_owned());
    }
    for node in &rows.nodes {
        let is_right = match node.parent_id {
            None => (node.id, node.depth, node.name.as_str(), node.kind.as_str()) == (1, 0, "", "folder"),
            Some(parent) => nodes
                .get(&parent)
                .is_some_and(|parent| parent.id < node.id && parent.depth + 1 == node.depth && parent.kind == "folder"),
        };
        if !is_right {
            wrong.push(format!("{node:?} is not where its parent is"));
        }
    }
    wrong
}

fn names_are_given_once(rows: &SideImage) -> Wrong {
    let mut seen = BTreeSet::new();
    let twice = rows.nodes.iter().filter(|node| !seen.insert((node.parent_id, &node.name)));
    twice.map(|node| format!("{node:?} is there twice")).collect()
}

/// All folders of the source are to be listed, and those of the destination that have a match.
fn folders_have_paths(side: Side, image: &Image) -> Wrong {
    let rows = &image.sides[side];
    let paths = paths(rows);
    let nodes = rows.nodes.iter().filter(|node| node.kind == "folder");
    let expected: BTreeSet<(i64, i64, &str, i32)> = nodes
        .filter_map(|node| {
            let source = match side {
                Side::Source => node.id,
                Side::Destination => image.matches.iter().find(|(_, id, _)| *id == node.id)?.0,
            };
            Some((node.id, source, paths.get(&node.id)?.as_str(), node.depth))
        })
        .collect();
    let found: Vec<_> =
        rows.folders.iter().map(|folder| (folder.id, folder.src_id, folder.path.as_str(), folder.depth)).collect();
    if found.len() == expected.len() && found.iter().all(|folder| expected.contains(folder)) {
        return Wrong::new();
    }
    vec![format!("the folders to list are {found:?}, and should be {expected:?}")]
}

/// Whether a folder was listed is said once; anything else is said in an order of its own.
fn events_are_in_order(rows: &SideImage) -> Wrong {
    let mut wrong = Wrong::new();
    let mut settled = BTreeSet::new();
    let nodes = by_id(rows);
    for event in &rows.events {
        if event.traversal.is_some() && !settled.insert(event.node_id) {
            wrong.push(format!("{event:?} is the second one about whether it was listed"));
        }
        match event.traversal.as_deref() {
            None => {}
            Some("successful" | "failed") if nodes.get(&event.node_id).is_some_and(|node| node.kind == "folder") => {}
            Some(_) => wrong.push(format!("{event:?} cannot be said of {:?}", nodes.get(&event.node_id))),
        }
    }
    wrong
}

fn sequence_numbers_are_given_once(image: &Image) -> Wrong {
    let mut seen = BTreeSet::new();
    let events = image.sides.src.events.iter().chain(&image.sides.dst.events);
    events.filter(|event| !seen.insert(event.seq)).map(|event| format!("{event:?} has a number twice")).collect()
}

/// The views, which add what is not folded yet to what is, say the same as the events themselves.
fn views_say_what_events_say(side: Side, image: &Image) -> Wrong {
    let Some(shown) = &image.sides[side].shown else { return Wrong::new() };
    let statuses = image.statuses(side);
    let different = statuses.iter().filter(|(id, status)| shown.get(id) != Some(status));
    let mut wrong: Wrong =
        different.map(|(id, status)| format!("{id} is {status:?}, and shown as {:?}", shown.get(id))).collect();
    if shown.len() != image.sides[side].nodes.len() {
        wrong.push(format!("{} nodes are shown of {}", shown.len(), image.sides[side].nodes.len()));
    }
    wrong
}

/// The counters of the last commit are what is counted one by one.
fn counters_are_what_there_is(side: Side, image: &Image) -> Wrong {
    let statuses = image.statuses(side);
    let mut levels: BTreeMap<i32, Counters> = BTreeMap::new();
    for node in &image.sides[side].nodes {
        let Some(status) = statuses.get(&node.id) else { continue };
        let (level, bytes) = (levels.entry(node.depth).or_default(), node.size.unwrap_or(0));
        let (is_folder, is_file) = (node.kind == "folder", node.kind == "file");
        let bytes = if is_file { bytes } else { 0 };
        level.folders += i64::from(is_folder);
        level.files += i64::from(is_file);
        level.symlinks += i64::from(node.kind == "symlink");
        level.others += i64::from(node.kind == "other");
        level.bytes += bytes;
        match status.traversal.as_str() {
            "successful" => level.folders_listed += i64::from(is_folder),
            "failed" => level.folders_failed += i64::from(is_folder),
            "not_on_src" => {
                level.not_on_src += 1;
                level.not_on_src_bytes += bytes;
                level.not_on_src_folders += i64::from(is_folder);
            }
            _ => {}
        }
        match status.copy.as_deref() {
            Some("already_existed") => {
                level.already_existed += 1;
                level.already_existed_bytes += bytes;
            }
            Some("conflict") => {
                level.conflicts += 1;
                level.conflict_bytes += bytes;
            }
            Some("skipped") => level.skipped += 1,
            _ => {}
        }
    }
    let written: BTreeMap<i32, Counters> = image.counters.levels(side).collect();
    if written == levels {
        return Wrong::new();
    }
    vec![format!("the counters are {written:?}, and there is {levels:?}")]
}

/// A folder that was listed has the children that the store has, and one that failed those that came before.
fn listings_are_whole(rows: &SideImage, expected: &BTreeMap<String, ExpectedNode>) -> Wrong {
    let mut wrong = Wrong::new();
    let settled = settled(rows);
    let mut children: BTreeMap<i64, usize> = BTreeMap::new();
    for node in &rows.nodes {
        if let Some(parent) = node.parent_id {
            *children.entry(parent).or_default() += 1;
        }
    }
    for folder in &rows.folders {
        let Some(node) = expected.get(&folder.path) else { continue };
        let count = children.remove(&folder.id).unwrap_or(0);
        match settled.get(&folder.id) {
            None if count <= node.children => {}
            Some(status) if *status == node.traversal && count == node.children => {}
            status => wrong.push(format!("{} is {status:?} with {count} children, not {node:?}", folder.path)),
        }
    }
    for (folder, count) in children {
        wrong.push(format!("{folder} is not to be listed, and has {count} children"));
    }
    wrong
}

/// Every node is one that the tree has, and whatever has been decided about it is what will be true in the end.
fn nodes_are_those_of_the_tree(side: Side, image: &Image, expected: &BTreeMap<String, ExpectedNode>) -> Wrong {
    let mut wrong = Wrong::new();
    let statuses = image.statuses(side);
    for row in &image.sides[side].nodes {
        let path = statuses.get(&row.id).map_or("", |status| status.path.as_str());
        let Some(node) = expected.get(path) else {
            wrong.push(format!("{row:?} at {path:?} is not in the tree"));
            continue;
        };
        let facts = (node.kind.as_str(), node.size, node.modified_ns, node.depth);
        if (row.kind.as_str(), row.size, row.modified_ns, row.depth) != facts {
            wrong.push(format!("{row:?} should be {node:?}"));
        }
        let Some(status) = statuses.get(&row.id) else { continue };
        let may_be_open = node.kind == NodeKind::Folder && node.traversal != "not_on_src";
        let traversal_is_right = status.traversal == node.traversal || (may_be_open && status.traversal == "pending");
        let copy_is_right = status.copy.as_deref() == node.copy || status.copy.as_deref() == Some("pending");
        if !traversal_is_right || !copy_is_right {
            wrong.push(format!("{path} is {status:?}, and should be {node:?}"));
        }
        let needs_reason =
            matches!(status.copy.as_deref(), Some("conflict" | "skipped")) || status.traversal == "failed";
        if needs_reason && status.error.is_none() {
            wrong.push(format!("{path} is {status:?} without a reason"));
        }
    }
    wrong
}

/// Matches have the same name and kind under matched parents, and every node has at most one.
fn matches_are_consistent(image: &Image) -> Wrong {
    let mut wrong = Wrong::new();
    let (sources, destinations) = (by_id(&image.sides.src), by_id(&image.sides.dst));
    let pairs: BTreeSet<(i64, i64)> =
        image.matches.iter().map(|(source, destination, _)| (*source, *destination)).collect();
    let (mut seen_sources, mut seen_destinations) = (BTreeSet::new(), BTreeSet::new());
    for row @ (source, destination, _) in &image.matches {
        if !seen_sources.insert(source) || !seen_destinations.insert(destination) {
            wrong.push(format!("match {row:?} has a node that is matched already"));
        }
        let (Some(source), Some(destination)) = (sources.get(source), destinations.get(destination)) else {
            wrong.push(format!("match {row:?} has no nodes"));
            continue;
        };
        let parents_match = match (source.parent_id, destination.parent_id) {
            (None, None) => true,
            (Some(source), Some(destination)) => pairs.contains(&(source, destination)),
            _ => false,
        };
        if (&source.name, &source.kind) != (&destination.name, &destination.kind) || !parents_match {
            wrong.push(format!("{source:?} and {destination:?} do not match"));
        }
    }
    wrong
}

/// Each folder that failed has one error, of the class that its fault has.
fn failures_are_explained(image: &Image, expected: &Expected) -> Wrong {
    let mut wrong = Wrong::new();
    for side in Side::BOTH {
        let rows = &image.sides[side];
        let paths = paths(rows);
        let mut failed: BTreeSet<i64> =
            settled(rows).into_iter().filter(|(_, status)| *status == "failed").map(|(id, _)| id).collect();
        for error in image.errors.iter().filter(|error| error.side == side.prefix()) {
            let path = paths.get(&error.node_id).map_or("", String::as_str);
            let class = expected[side].get(path).and_then(|node| node.failure).map_or("", |class| class.as_str());
            if !failed.remove(&error.node_id) || error.class != class {
                wrong.push(format!("{side}: {error:?} of {path} should be {class:?}"));
            }
            if (error.attempts == 0) != (error.class == "blocked") {
                wrong.push(format!("{side}: {error:?} has the wrong number of attempts"));
            }
        }
        wrong.extend(failed.into_iter().map(|id| format!("{side}: {id} failed without an error")));
    }
    wrong
}

/// The terminal traversal statuses that events gave.
fn settled(rows: &SideImage) -> BTreeMap<i64, &str> {
    rows.events.iter().filter_map(|event| Some((event.node_id, event.traversal.as_deref()?))).collect()
}

fn by_id(rows: &SideImage) -> BTreeMap<i64, &NodeRow> {
    rows.nodes.iter().map(|node| (node.id, node)).collect()
}

/// The path of every node whose parents are there.
fn paths(rows: &SideImage) -> BTreeMap<i64, String> {
    let mut paths: BTreeMap<i64, String> = BTreeMap::new();
    for node in &rows.nodes {
        match node.parent_id {
            None => drop(paths.insert(node.id, "/".to_owned())),
            Some(parent) => {
                if let Some(parent) = paths.get(&parent) {
                    let path = child_path(parent, &node.name);
                    paths.insert(node.id, path);
                }
            }
        }
    }
    paths
}
