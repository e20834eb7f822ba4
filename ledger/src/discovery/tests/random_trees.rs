//! Random trees on both sides, recorded in random order, compared with a model that knows nothing of SQL or of ids.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use longhaul_model::encode_name;
use proptest::prelude::*;

use super::*;
use crate::counters::CountersToWrite;
use crate::filter::FilterRule;
use crate::fold::fold_events;
use crate::{DepthCounters, FilterSettings};

/// One side's entry of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: NodeKind,
    size: Option<i64>,
    modified_ns: Option<i64>,
    has_remark: bool,
    /// A folder whose listing fails after this many pages.
    fails_after: Option<usize>,
    /// On the source: the filter rule that leaves it out.
    left_out: Option<usize>,
}

/// Rules that leave things out; which, is up to the dice.
fn filter() -> FilterSettings {
    let rule = |number: usize| FilterRule { from: format!("it's {number}"), text: "*.\"%\"".to_owned() };
    FilterSettings { rules: vec![rule(0), rule(1)], at_ns: 0 }
}

/// A name in a folder, on one side or both.
#[derive(Clone, Debug)]
struct Node {
    parent: usize,
    name: Vec<u8>,
    path: String,
    depth: i32,
    entry: BySide<Option<Entry>>,
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        4 => Just(NodeKind::Folder),
        4 => Just(NodeKind::File),
        1 => Just(NodeKind::Symlink),
        1 => Just(NodeKind::Other)
    ];
    let size = prop::sample::select(vec![None, Some(0), Some(1), Some(5)]);
    let modified_ns = prop::sample::select(vec![None, Some(0), Some(7), Some(100)]);
    let fails_after = prop::option::weighted(0.1, 0_usize..3);
    let left_out = prop::option::weighted(0.15, 0_usize..2);
    (kind, size, modified_ns, prop::bool::weighted(0.1), fails_after, left_out).prop_map(
        |(kind, size, modified_ns, has_remark, fails_after, left_out)| match kind {
            NodeKind::Folder => Entry { kind, size: None, modified_ns, has_remark, fails_after, left_out },
            // It is not carried over in any case.
            NodeKind::Other => Entry { kind, size, modified_ns, has_remark, fails_after: None, left_out: None },
            _ => Entry { kind, size, modified_ns, has_remark, fails_after: None, left_out },
        },
    )
}

fn both_sides() -> impl Strategy<Value = BySide<Option<Entry>>> {
    let listable = |entry| Entry { fails_after: None, ..entry };
    prop_oneof![
        3 => entry().prop_map(move |entry| BySide { src: Some(entry), dst: Some(listable(entry)) }),
        2 => (entry(), entry()).prop_map(|(src, dst)| BySide { src: Some(src), dst: Some(dst) }),
        1 => entry().prop_map(|src| BySide { src: Some(src), dst: None }),
        1 => entry().prop_map(|dst| BySide { src: None, dst: Some(dst) }),
    ]
}

/// Different for each `number`, and often not what a reader would like.
fn name(style: u8, number: usize) -> Vec<u8> {
    match style {
        0 => [b"bad\xff\xfe", number.to_string().as_bytes()].concat(),
        1 => format!("new\nline 'and' \"quotes\" 100% {number}").into_bytes(),
        2 if number.is_multiple_of(2) => format!("case{}", number / 2).into_bytes(),
        2 => format!("Case{}", number / 2).into_bytes(),
        _ => format!("n{number}").into_bytes(),
    }
}

fn tree() -> impl Strategy<Value = Vec<Node>> {
    let spec = (any::<prop::sample::Index>(), both_sides(), 0_u8..8);
    prop::collection::vec(spec, 0..40).prop_map(|specs| {
        let root = Entry {
            kind: NodeKind::Folder,
            size: None,
            modified_ns: None,
            has_remark: false,
            fails_after: None,
            left_out: None,
        };
        let mut tree = vec![Node {
            parent: 0,
            name: vec![],
            path: "/".to_owned(),
            depth: 0,
            entry: BySide { src: Some(root), dst: Some(root) },
        }];
        let is_folder = |entry: Option<Entry>| entry.is_some_and(|entry| entry.kind == NodeKind::Folder);
        for (number, (parent, entries, style)) in specs.into_iter().enumerate() {
            let folders: Vec<usize> = (0..tree.len())
                .filter(|&node| is_folder(tree[node].entry.src) || is_folder(tree[node].entry.dst))
                .collect();
            let parent = folders[parent.index(folders.len())];
            let entry = BySide::from_fn(|side| entries[side].filter(|_| is_folder(tree[parent].entry[side])));
            let name = name(style, number);
            let path = child_path(&tree[parent].path, &encode_name(&name));
            tree.push(Node { parent, name, path, depth: tree[parent].depth + 1, entry });
        }
        tree
    })
}

/// What a view should say of a node. Each status has its own reason.
#[derive(Clone, Debug)]
struct Row {
    entry: Entry,
    depth: i32,
    traversal: &'static str,
    traversal_error: Option<String>,
    copy: &'static str,
    copy_error: Option<String>,
    remark: Option<String>,
    attempts: u32,
}

impl Row {
    /// As the queries below give it.
    fn columns(&self, side: Side, path: &str) -> Vec<Option<String>> {
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        let error = [&self.copy_error, &self.traversal_error, &self.remark].into_iter().flatten().next();
        let mut columns = vec![
            Some(path.to_owned()),
            Some(self.entry.kind.to_string()),
            number(self.entry.size),
            number(self.entry.modified_ns),
            Some(self.depth.to_string()),
            Some(self.traversal.to_owned()),
            Some(self.attempts.to_string()),
            error.cloned(),
        ];
        if side == Side::Source {
            columns.push(Some(self.copy.to_owned()));
        }
        columns
    }
}

const SOURCE_ROWS: &str = "
    SELECT path, kind::VARCHAR, size::VARCHAR, modified_ns::VARCHAR, depth::VARCHAR, traversal_status::VARCHAR,
      attempts::VARCHAR, error, copy_status::VARCHAR
    FROM src_status
    ORDER BY path";

const DESTINATION_ROWS: &str = "
    SELECT path, kind::VARCHAR, size::VARCHAR, modified_ns::VARCHAR, depth::VARCHAR, traversal_status::VARCHAR,
      attempts::VARCHAR, error
    FROM dst_status
    ORDER BY path";

/// By which way destination pages are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matching {
    InMemory,
    ByJoin,
    /// Now this way, now that, even for pages of one listing.
    Alternating,
}

/// Random choices, that go round and round.
#[derive(Debug)]
struct Choices<'a> {
    choices: &'a [u8],
    next: usize,
}

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        self.next += 1;
        (usize::from(self.choices[self.next % self.choices.len()]) + self.next / self.choices.len()) % count
    }
}

/// A listing that is being recorded.
#[derive(Debug)]
struct Listing {
    side: Side,
    folder: Folder,
    node: usize,
    pages: VecDeque<Vec<usize>>,
    fails: bool,
    attempts: u32,
}

struct Traversal<'a> {
    writer: DiscoverWriter,
    tree: &'a [Node],
    matching: Matching,
    choices: Choices<'a>,
    by_path: BTreeMap<&'a str, usize>,
    pending: BySide<Vec<Folder>>,
    open: Vec<Listing>,
    /// Listings that are recorded to their end and not answered.
    awaited: BTreeSet<(Side, NodeId)>,
    source_ids: BTreeMap<usize, NodeId>,
    model: BySide<BTreeMap<&'a str, Row>>,
    matches: BTreeMap<String, bool>,
    answered: BySide<BTreeSet<NodeId>>,
}

impl<'a> Traversal<'a> {
    fn new(tree: &'a [Node], choices: &'a [u8], matching: Matching) -> Self {
        let root_row = Row {
            entry: tree[0].entry.src.unwrap(),
            depth: 0,
            traversal: "pending",
            traversal_error: None,
            copy: "already_existed",
            copy_error: None,
            remark: None,
            attempts: 0,
        };
        Traversal {
            writer: DiscoverWriter::in_memory(&MigrationSpec {
                settings: Settings { filter: filter(), ..spec().settings },
                ..spec()
            }),
            tree,
            matching,
            choices: Choices { choices, next: 0 },
            by_path: tree.iter().enumerate().map(|(number, node)| (node.path.as_str(), number)).collect(),
            pending: BySide::from_fn(|_| vec![root()]),
            open: vec![],
            awaited: BTreeSet::new(),
            source_ids: BTreeMap::from([(0, FIRST_NODE_ID)]),
            model: BySide::from_fn(|_| BTreeMap::from([("/", root_row.clone())])),
            matches: BTreeMap::from([("/".to_owned(), true)]),
            answered: BySide::default(),
        }
    }

    fn run(&mut self) {
        loop {
            if self.matching == Matching::ByJoin {
                self.writer.forget_recent();
            }
            let startable: Vec<(Side, usize)> = Side::BOTH
                .into_iter()
                .flat_map(|side| (0..self.pending[side].len()).map(move |place| (side, place)))
                .filter(|&(side, place)| match side {
                    Side::Source => true,
                    Side::Destination => {
                        let path = self.pending.dst[place].path.as_str();
                        self.model.src[path].traversal != "pending"
                    }
                })
                .collect();
            let work = self.open.len() + startable.len();
            if work == 0 {
                if !self.writer.has_unmatched() {
                    break;
                }
                self.match_recorded();
                continue;
            }
            match self.choices.below(work + 3) {
                chosen if chosen < self.open.len() => self.record_page(chosen),
                chosen if chosen < work => {
                    let (side, place) = startable[chosen - self.open.len()];
                    let folder = self.pending[side].swap_remove(place);
                    self.start(side, folder);
                }
                chosen if chosen == work => self.match_recorded(),
                chosen if chosen == work + 1 => {
                    self.match_recorded();
                    self.writer.commit().unwrap();
                    assert_eq!(self.writer.writer.uncommitted_rows, 0);
                }
                _ if self.matching == Matching::Alternating => self.writer.forget_recent(),
                _ => {}
            }
        }
        assert!(self.awaited.is_empty(), "without an answer: {:?}", self.awaited);
    }

    fn match_recorded(&mut self) {
        let answers = self.writer.match_recorded().unwrap();
        self.answer(answers);
        assert!(!self.writer.has_unmatched());
    }

    fn start(&mut self, side: Side, folder: Folder) {
        let number = self.by_path[folder.path.as_str()];
        let node = &self.tree[number];
        assert_eq!(folder.depth, node.depth);
        assert_eq!(folder.source_id, self.source_ids[&number]);
        if side == Side::Destination && self.model.src[node.path.as_str()].traversal == "failed" {
            self.fail(side, &folder, number, ErrorClass::Blocked, 0);
            return;
        }
        let mut children: Vec<usize> = (1..self.tree.len())
            .filter(|&child| self.tree[child].parent == number && self.tree[child].entry[side].is_some())
            .collect();
        if side == Side::Destination {
            children.reverse();
        }
        let mut pages: VecDeque<_> = children.chunks(1 + self.choices.below(3)).map(<[usize]>::to_vec).collect();
        let fails_after = node.entry[side].unwrap().fails_after;
        pages.truncate(fails_after.unwrap_or(usize::MAX));
        if pages.is_empty() && fails_after.is_none() {
            pages.push_back(vec![]);
        }
        let attempts = 1 + u32::try_from(self.choices.below(3)).unwrap();
        self.open.push(Listing { side, folder, node: number, pages, fails: fails_after.is_some(), attempts });
    }

    fn record_page(&mut self, chosen: usize) {
        let Listing { side, node, attempts, .. } = self.open[chosen];
        let next = self.open[chosen].pages.pop_front();
        let is_last = self.open[chosen].pages.is_empty() && !self.open[chosen].fails;
        let folder = self.open[chosen].folder.clone();
        let Some(children) = next else {
            self.open.swap_remove(chosen);
            self.fail(side, &folder, node, ErrorClass::Denied, attempts);
            return;
        };
        if is_last {
            self.open.swap_remove(chosen);
            let row = self.model[side].get_mut(folder.path.as_str()).unwrap();
            (row.traversal, row.attempts) = ("successful", attempts);
            self.awaited.insert((side, folder.id));
        }
        let mut page = Page::default();
        for &child in &children {
            let Node { name, entry, .. } = &self.tree[child];
            let entry = entry[side].unwrap();
            page.push(name, entry.kind, entry.size, entry.modified_ns);
            if entry.has_remark {
                page.remark(remark(child));
            }
            if let Some(rule) = entry.left_out.filter(|_| side == Side::Source) {
                page.leave_out(page.len() - 1, rule);
            }
            self.model_entry(side, child, entry);
        }
        let answers = self.writer.record_page(side, ListedPage { folder, page, is_last, attempts }).unwrap();
        self.answer(answers);
    }

    fn fail(&mut self, side: Side, folder: &Folder, node: usize, class: ErrorClass, attempts: u32) {
        let message = format!("{class} {node}");
        let row = self.model[side].get_mut(folder.path.as_str()).unwrap();
        (row.traversal, row.attempts, row.traversal_error) = ("failed", attempts, Some(message.clone()));
        self.awaited.insert((side, folder.id));
        let answers = self.writer.record_failure(side, failure(folder, class, &message, attempts)).unwrap();
        self.answer(answers);
    }

    /// DESIGN.md, "Statuses".
    fn model_entry(&mut self, side: Side, node: usize, entry: Entry) {
        let Node { path, depth, .. } = &self.tree[node];
        let discovered = if entry.kind == NodeKind::Folder { "pending" } else { "successful" };
        let remark = entry.has_remark.then(|| remark(node));
        let mut row = Row {
            entry,
            depth: *depth,
            traversal: discovered,
            traversal_error: None,
            copy: "",
            copy_error: None,
            remark,
            attempts: 0,
        };
        match side {
            Side::Source => {
                row.copy = "pending";
                if entry.kind == NodeKind::Other {
                    row.copy = "skipped";
                    let no_remark = || "neither a file, a folder nor a symbolic link".to_owned();
                    row.copy_error = Some(row.remark.take().unwrap_or_else(no_remark));
                }
                if let Some(rule) = entry.left_out {
                    let is_folder = entry.kind == NodeKind::Folder;
                    let reason = Some(filter().rules[rule].reason(is_folder).to_string());
                    (row.copy, row.copy_error, row.traversal) = ("excluded_explicit", reason.clone(), "successful");
                    row.traversal_error = reason.filter(|_| is_folder);
                }
            }
            Side::Destination => match self.model.src.get_mut(path.as_str()) {
                Some(source) if source.entry.left_out.is_some() => {
                    if source.entry.kind == entry.kind {
                        self.matches.insert(path.clone(), false);
                        if entry.kind == NodeKind::Folder {
                            row.traversal = "successful";
                            row.traversal_error =
                                Some("not listed: a filter leaves out what the source has here".to_owned());
                        }
                    } else {
                        row.traversal = "not_on_src";
                    }
                }
                Some(source) if source.entry.kind == entry.kind => {
                    let same_time = match (source.entry.modified_ns, entry.modified_ns) {
                        (Some(a), Some(b)) => a.abs_diff(b) <= TOLERANCE_NS,
                        _ => false,
                    };
                    let same_file = source.entry.size == entry.size && entry.size.is_some() && same_time;
                    let same = entry.kind == NodeKind::Folder || (entry.kind != NodeKind::Other && same_file);
                    if same {
                        source.copy = "already_existed";
                    }
                    self.matches.insert(path.clone(), same);
                }
                Some(source) => {
                    row.traversal = "not_on_src";
                    if source.entry.kind != NodeKind::Other {
                        source.copy = "conflict";
                        let (theirs, ours) = (source.entry.kind, entry.kind);
                        source.copy_error =
                            Some(format!("the source has a {theirs} of this name, the destination a {ours}"));
                    }
                }
                None => row.traversal = "not_on_src",
            },
        }
        self.model[side].insert(path, row);
    }

    fn answer(&mut self, answers: Vec<RecordedListing>) {
        for RecordedListing { side, folder, is_complete, found } in answers {
            assert!(self.awaited.remove(&(side, folder)), "an answer that nobody waits for");
            assert!(self.answered[side].insert(folder));
            assert!(found.ids.windows(2).all(|pair| pair[0].end < pair[1].start), "{:?}", found.ids);
            let mut folders = found.named.unwrap();
            assert!(folders.iter().all(|folder| found.ids.iter().any(|ids| ids.contains(&folder.id.0))));
            if self.choices.below(8) == 0 {
                let pull = |ids| self.writer.pull_folders(side, ids).unwrap();
                let pulled: Vec<Folder> = found.ids.iter().flat_map(pull).collect();
                assert_eq!(pulled, folders);
                folders = pulled;
            }
            for found in &folders {
                let number = self.by_path[found.path.as_str()];
                let parent = &self.tree[self.tree[number].parent];
                let row = &self.model[side][found.path.as_str()];
                assert_eq!(
                    (row.entry.kind, self.model.src[found.path.as_str()].entry.left_out),
                    (NodeKind::Folder, None)
                );
                if side == Side::Source {
                    self.source_ids.insert(number, found.id);
                }
                let parent_row = &self.model[side][parent.path.as_str()];
                assert_eq!(parent_row.traversal == "successful", is_complete);
            }
            self.pending[side].extend(folders);
        }
    }

    /// The statuses, counters and matches that the model expects, against what the ledger has.
    fn check(&self) {
        self.check_statuses();
        let mut excluded = self.writer.query(
            "SELECT s.path, CASE WHEN e.origin = 'filter' THEN s.error END
             FROM exclusions e
             JOIN src_status s ON s.id = e.node_id",
        );
        excluded.sort();
        let left_out = self.model.src.iter().filter(|(_, row)| row.copy == "excluded_explicit");
        let left_out: Vec<_> =
            left_out.map(|(path, row)| vec![Some((*path).to_owned()), row.copy_error.clone()]).collect();
        assert_eq!(excluded, left_out);
        let matched = "
            SELECT s.path, m.same::VARCHAR
            FROM matches m
            JOIN src_status s ON s.id = m.src_id
            JOIN dst_status d ON d.id = m.dst_id AND d.path = s.path";
        let mut found = self.writer.query(matched);
        found.sort();
        let expected: Vec<_> =
            self.matches.iter().map(|(path, same)| vec![Some(path.clone()), Some(same.to_string())]).collect();
        assert_eq!(found, expected);

        let recount = DepthCounters::recount(self.writer.connection()).unwrap();
        assert_eq!(self.writer.counters(), &recount);
        assert_eq!(&recount, self.counters().get());
        assert_eq!(DepthCounters::read(self.writer.connection()).unwrap(), recount);
    }

    fn check_statuses(&self) {
        for (side, sql) in [(Side::Source, SOURCE_ROWS), (Side::Destination, DESTINATION_ROWS)] {
            let mut expected: Vec<_> = self.model[side].iter().map(|(path, row)| row.columns(side, path)).collect();
            expected.sort();
            let mut found = self.writer.query(sql);
            found.sort();
            assert_eq!(found, expected, "{side}");
        }
    }

    fn counters(&self) -> CountersToWrite {
        let mut counters = CountersToWrite::default();
        for side in Side::BOTH {
            for row in self.model[side].values() {
                let level = counters.change(side, row.depth);
                let bytes = if row.entry.kind == NodeKind::File { row.entry.size.unwrap_or(0) } else { 0 };
                let one_if = |is_so: bool| i64::from(is_so);
                let is_folder = row.entry.kind == NodeKind::Folder;
                level.folders += one_if(is_folder);
                level.files += one_if(row.entry.kind == NodeKind::File);
                level.symlinks += one_if(row.entry.kind == NodeKind::Symlink);
                level.others += one_if(row.entry.kind == NodeKind::Other);
                level.bytes += bytes;
                level.folders_listed += one_if(is_folder && row.traversal == "successful");
                level.folders_failed += one_if(row.traversal == "failed");
                match (side, row.copy) {
                    (Side::Source, "already_existed") => {
                        level.already_existed += 1;
                        level.already_existed_bytes += bytes;
                    }
                    (Side::Source, "conflict") => {
                        level.conflicts += 1;
                        level.conflict_bytes += bytes;
                    }
                    (Side::Source, "skipped") => level.skipped += 1,
                    (Side::Source, "excluded_explicit") => {
                        level.excluded += 1;
                        level.excluded_bytes += bytes;
                    }
                    (Side::Source, _) => {}
                    (Side::Destination, _) => {
                        let is_not_on_src = row.traversal == "not_on_src";
                        level.not_on_src += one_if(is_not_on_src);
                        level.not_on_src_bytes += bytes * one_if(is_not_on_src);
                        level.not_on_src_folders += one_if(is_folder && is_not_on_src);
                    }
                }
            }
        }
        counters
    }
}

fn remark(node: usize) -> String {
    format!("remark {node}")
}

proptest! {
    // Each of them takes a database of its own, three times. With PROPTEST_CASES there can be more.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..ProptestConfig::default() })]

    #[test]
    fn statuses_matches_and_counters_are_those_of_the_model_however_they_were_recorded(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        for matching in [Matching::InMemory, Matching::ByJoin, Matching::Alternating] {
            let mut traversal = Traversal::new(&tree, &choices, matching);
            traversal.run();
            let answers = traversal.writer.match_recorded().unwrap();
            prop_assert_eq!(answers, []);
            traversal.writer.commit().unwrap();
            traversal.check();
            fold_events(&traversal.writer.writer.connection).unwrap();
            traversal.check_statuses();
        }
    }
}
