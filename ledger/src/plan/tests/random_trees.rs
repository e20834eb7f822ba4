//! Plans of random trees, compared with a model that knows nothing of SQL.

use proptest::prelude::*;

use super::*;

/// What the plan should be, from the trees and the policies alone.
fn model(settings: &Settings, source: &Tree, destination: &Tree) -> Plan {
    let mut plan = Plan::new();
    for (path, entry) in source {
        plan.insert(path.clone(), model_node(settings, source, destination, path, *entry));
    }
    plan
}

fn model_node(
    settings: &Settings,
    source: &Tree,
    destination: &Tree,
    path: &str,
    entry: Entry,
) -> (String, Option<String>) {
    let row = |action: PlanAction, reason: Option<String>| (action.to_string(), reason);
    let there = destination.get(path).copied();
    let ancestors = path.match_indices('/').skip(1).map(|(end, _)| &path[..end]);
    let in_the_way =
        ancestors.clone().find(|above| destination.get(*above).is_some_and(|e| e.kind != NodeKind::Folder));
    let is_listed = ancestors.clone().all(|above| destination.contains_key(above));
    assert!(ancestors.into_iter().all(|above| source[above].kind == NodeKind::Folder));
    if entry.kind == NodeKind::Other {
        return row(PlanAction::NotCopied, Some("neither a file, a folder nor a symbolic link".to_owned()));
    }
    if let Some(above) = in_the_way {
        return row(PlanAction::Conflict, Some(format!("it is in {above}, which is in conflict")));
    }
    let there = there.filter(|_| is_listed);
    let without_links = entry.kind == NodeKind::Symlink && !settings.symlinks_kept;
    match there {
        Some(there) if there.kind != entry.kind => {
            let reason = format!("the source has a {} of this name, the destination a {}", entry.kind, there.kind);
            row(PlanAction::Conflict, Some(reason))
        }
        Some(there) if entry.kind == NodeKind::Folder || settings.comparison.is_same(entry.facts(), there.facts()) => {
            row(PlanAction::AlreadyExisted, THERE.map(str::to_owned))
        }
        _ if without_links => row(PlanAction::NotCopied, Some("the destination has no symbolic links".to_owned())),
        None => match entry.kind {
            NodeKind::Folder => row(PlanAction::CreateFolder, None),
            NodeKind::Symlink => row(PlanAction::MakeLink, None),
            NodeKind::File | NodeKind::Other => row(PlanAction::Copy, None),
        },
        Some(there) => {
            let (mine, theirs) = (entry.facts(), there.facts());
            let replace = if entry.kind == NodeKind::Symlink { PlanAction::MakeLink } else { PlanAction::Overwrite };
            // What could not be looked at is, when its turn comes.
            let is_unknown = mine.size.is_none() && mine.modified_ns.is_none();
            let is_open = is_unknown || settings.comparison.needs_reading(mine, theirs);
            let action = match settings.on_conflict {
                _ if entry.kind == NodeKind::File && is_open => PlanAction::Compare,
                ConflictPolicy::Newer if settings.comparison.is_newer(mine, theirs) => replace,
                ConflictPolicy::Newer | ConflictPolicy::Skip => PlanAction::Skip,
                ConflictPolicy::Overwrite => replace,
                ConflictPolicy::KeepBoth => PlanAction::KeepBoth,
                ConflictPolicy::Ask => PlanAction::Conflict,
            };
            let age = if mine.modified_ns.is_none() || theirs.modified_ns.is_none() {
                "of unknown age"
            } else if settings.comparison.is_same_time(mine, theirs) {
                "of the same time"
            } else if settings.comparison.is_newer(mine, theirs) {
                "older"
            } else {
                "newer"
            };
            let size = if mine.size == theirs.size { "" } else { " and of another size" };
            let policy = settings.on_conflict.as_str();
            row(action, Some(format!("the destination has another one, {age}{size} (on conflict: {policy})")))
        }
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        4 => Just(NodeKind::Folder),
        4 => Just(NodeKind::File),
        2 => Just(NodeKind::Symlink),
        1 => Just(NodeKind::Other)
    ];
    let size = prop::sample::select(vec![None, Some(0), Some(5)]);
    let modified_ns = prop::sample::select(vec![None, Some(i64::MIN), Some(0), Some(7), Some(100), Some(i64::MAX)]);
    (kind, size, modified_ns).prop_map(|(kind, size, modified_ns)| match kind {
        NodeKind::Folder => of_kind(kind),
        _ => Entry { kind, size, modified_ns },
    })
}

/// Both trees, with most names on both sides.
fn trees() -> impl Strategy<Value = (Tree, Tree)> {
    let entries = prop_oneof![
        3 => entry().prop_map(|entry| (Some(entry), Some(entry))),
        3 => (entry(), entry()).prop_map(|(source, destination)| (Some(source), Some(destination))),
        1 => entry().prop_map(|source| (Some(source), None)),
        1 => entry().prop_map(|destination| (None, Some(destination))),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), entries), 0..40).prop_map(|specs| {
        let (mut source, mut destination) = (Tree::new(), Tree::new());
        let is_folder =
            |tree: &Tree, path: &str| path == "/" || tree.get(path).is_some_and(|entry| entry.kind == NodeKind::Folder);
        let mut folders = vec!["/".to_owned()];
        for (number, (parent, (mine, theirs))) in specs.into_iter().enumerate() {
            let parent = parent.get(&folders).clone();
            let path = child_path(&parent, &format!("n{number}"));
            for (tree, entry) in [(&mut source, mine), (&mut destination, theirs)] {
                if let Some(entry) = entry.filter(|_| is_folder(tree, &parent)) {
                    tree.insert(path.clone(), entry);
                }
            }
            if is_folder(&source, &path) || is_folder(&destination, &path) {
                folders.push(path);
            }
        }
        (source, destination)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_of_random_trees_is_that_of_the_model_and_making_it_again_changes_nothing(
        (source, destination) in trees(),
        by in prop::sample::select(COMPARISONS.to_vec()),
        policy in prop::sample::select(POLICIES.to_vec()),
        symlinks_kept in any::<bool>(),
        range_ids in 1_i64..20,
    ) {
        let settings = Settings { symlinks_kept, ..settings(by, policy) };
        let mut recorder = discover(&settings, &source, &destination);
        prop_assert_eq!(read(&recorder), Plan::new());
        recorder.plan_in_ranges_of(range_ids);
        check_consistency(&recorder);
        let first = read(&recorder);
        prop_assert_eq!(&first, &model(&settings, &source, &destination));

        let statuses = "SELECT COLUMNS(*)::VARCHAR FROM src_status ORDER BY id";
        let before = recorder.query(statuses);
        recorder.plan_in_ranges_of(RANGE_IDS);
        check_consistency(&recorder);
        prop_assert_eq!(read(&recorder), first);
        prop_assert_eq!(recorder.query(statuses), before);
    }
}
