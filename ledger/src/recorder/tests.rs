//! The recorder alone, mostly on a database in memory.

mod answers;
mod copying;
mod durability;
mod left_out;
mod random_trees;
mod recovery;
mod statuses;

use std::path::{Path, PathBuf};

use duckdb::Config;

use longhaul_model::{CompareBy, Comparison, ErrorClass};

use super::*;
use crate::error::LedgerError;
use crate::listing::{FoundFolders, NAMED_FOLDERS_MAX};
use crate::migration::{Migration, MigrationSpec, Settings};
use crate::recent::RecentListings;
use crate::{Reader, Resources};

/// Times that differ by no more than this are the same.
const TOLERANCE_NS: u64 = 10;

fn spec() -> MigrationSpec {
    MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings::new(Comparison {
            by: CompareBy::default(),
            time_tolerance_ns: TOLERANCE_NS,
            by_looking: false,
        }),
    }
}

fn some_time_ns() -> i64 {
    1_700_000_000_000_000_000
}

/// A recorder whose traversal has begun, on a database in memory.
fn in_memory() -> Recorder {
    Recorder::in_memory(&spec())
}

/// A recorder whose traversal has begun, on a file in a folder of its own.
fn on_disk() -> (tempfile::TempDir, PathBuf, Recorder) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let mut recorder = crate::create(&path, &spec(), "test", &Resources::default(), some_time_ns).unwrap();
    recorder.begin_traversal().unwrap();
    (folder, path, recorder)
}

impl Recorder {
    /// One whose traversal has begun, on a database in memory.
    pub(crate) fn in_memory(spec: &MigrationSpec) -> Recorder {
        let connection = Connection::open_in_memory_with_flags(Config::default().threads(1).unwrap()).unwrap();
        connection.execute_batch(&crate::sql::schema()).unwrap();
        Migration::insert(&connection, spec, 0).unwrap();
        let mut recorder = Recorder::begin(connection, "test", spec.settings.clone(), some_time_ns).unwrap();
        recorder.begin_traversal().unwrap();
        recorder
    }

    /// Makes the plan as the end of discovery does it, so many ids at a time.
    pub(crate) fn plan_in_ranges_of(&mut self, ids: i64) {
        self.commit().unwrap();
        crate::fold::fold_events(&self.connection).unwrap();
        self.make_plan(ids).unwrap();
        crate::fold::fold_events(&self.connection).unwrap();
        if Migration::read(&self.connection).unwrap().phase == Phase::Traversing {
            set_phase(&self.connection, Phase::Review, None).unwrap();
        }
    }

    /// What a process that is killed now leaves behind, and another one opens.
    pub(crate) fn killed(self) -> Recorder {
        let settings = self.settings.clone();
        if self.in_transaction {
            self.connection.execute_batch("ROLLBACK").unwrap();
        }
        crate::recovery::recover(&self.connection, some_time_ns).unwrap();
        Recorder::begin(self.connection, "test", settings, some_time_ns).unwrap()
    }

    /// Counted again from the nodes, matches and events.
    pub(crate) fn recount(&self) -> DepthCounters {
        DepthCounters::recount(&self.connection).unwrap()
    }

    /// So that what comes next is matched by the join.
    fn forget_recent(&mut self) {
        self.recent = RecentListings::default();
    }

    /// The rows of a query whose columns are all texts.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        rows(&self.connection, sql)
    }
}

/// The rows of a query whose columns are all texts.
fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push((0..row.as_ref().column_count()).map(|column| row.get(column).unwrap()).collect());
    }
    all
}

fn root() -> Folder {
    Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 }
}

/// Files of size 1 and time 2, and folders where the name ends with `/`.
fn page(names: &[&str]) -> Page {
    let mut page = Page::default();
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => page.push(name.as_bytes(), NodeKind::Folder, None, None),
            None => page.push(name.as_bytes(), NodeKind::File, Some(1), Some(2)),
        }
    }
    page
}

fn listed(folder: &Folder, page: Page, is_last: bool) -> ListedPage {
    ListedPage { folder: folder.clone(), page, is_last, attempts: 1 }
}

fn failure(folder: &Folder, class: ErrorClass, message: &str, attempts: u32) -> FailedListing {
    FailedListing { folder: folder.clone(), class, message: message.to_owned(), attempts }
}

/// Records a whole listing, matches it, and returns the folders it found.
fn record(recorder: &mut Recorder, side: Side, folder: &Folder, names: &[&str]) -> Vec<Folder> {
    let mut answers = recorder.record_page(side, listed(folder, page(names), true)).unwrap();
    answers.extend(recorder.match_recorded().unwrap());
    assert_eq!(answers.len(), 1);
    let answer = answers.pop().unwrap();
    assert_eq!((answer.side, answer.folder, answer.is_complete), (side, folder.id, true));
    answer.found.named.unwrap()
}

/// What a crash at this moment would leave: the file and its log, as they are, elsewhere.
fn as_after_a_crash(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.duckdb");
    std::fs::copy(path, &copy).unwrap();
    let log = crate::opening::log_of(path);
    if log.exists() {
        std::fs::copy(log, crate::opening::log_of(&copy)).unwrap();
    }
    (folder, copy)
}
