//! Ledgers for tests, in memory and in files, and what there is to see of them.

use std::path::{Path, PathBuf};

use duckdb::{Config, Connection};
use longhaul_model::{CompareBy, Comparison, ErrorClass, FIRST_NODE_ID, NodeKind, Page, Phase, Side};

use crate::approval::Approving;
use crate::copying::{CopyRemaining, CopyWriter};
use crate::counters::DepthCounters;
use crate::discovery::{DiscoverWriter, ToList, end_discovery};
use crate::fold::fold_events;
use crate::idle::{IdleLedger, Stage, Undiscovered};
use crate::listing::{FailedListing, Folder, ListedPage};
use crate::migration::{CopySettings, Migration, MigrationSpec, Settings, set_phase};
use crate::opening::{Log, Resources};
use crate::plan::make_plan;
use crate::recovery::Remaining;
use crate::writer::Writer;

pub(crate) fn some_time_ns() -> i64 {
    1_700_000_000_000_000_000
}

/// Opens a ledger in a file.
pub(crate) fn open(path: &Path) -> IdleLedger {
    IdleLedger::open(path, Log::Unknown, &Resources::default()).unwrap()
}

/// A new ledger in a file, whose roots are to be listed.
pub(crate) fn discover(path: &Path, spec: &MigrationSpec) -> DiscoverWriter {
    let ledger = crate::create(path, spec, &Resources::default(), some_time_ns()).unwrap();
    ledger.discover("test", some_time_ns).unwrap().0
}

/// Begins or resumes a copy, approved or not.
pub(crate) fn copy(ledger: IdleLedger) -> (CopyWriter, CopyRemaining) {
    let approved = ledger.discovered().unwrap().approved(Approving::NowWithConflicts).unwrap();
    let (writer, begun) = approved.copy("copy", &CopySettings::default(), some_time_ns).unwrap();
    (writer, begun.remaining)
}

/// Times that differ by no more than this are the same.
pub(crate) const TOLERANCE_NS: u64 = 10;

pub(crate) fn spec() -> MigrationSpec {
    MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings::new(Comparison {
            by: CompareBy::default(),
            time_tolerance_ns: TOLERANCE_NS,
            by_looking: false,
            adopts: false,
        }),
    }
}

/// One whose traversal has begun, on a file in a folder of its own.
pub(crate) fn on_disk() -> (tempfile::TempDir, PathBuf, DiscoverWriter) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let writer = discover(&path, &spec());
    (folder, path, writer)
}

pub(crate) fn root() -> Folder {
    Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 }
}

/// Files of size 1 and time 2, and folders where the name ends with `/`.
pub(crate) fn page(names: &[&str]) -> Page {
    let mut page = Page::default();
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => page.push(name.as_bytes(), NodeKind::Folder, None, None),
            None => page.push(name.as_bytes(), NodeKind::File, Some(1), Some(2)),
        }
    }
    page
}

pub(crate) fn listed(folder: &Folder, page: Page, is_last: bool) -> ListedPage {
    ListedPage { folder: folder.clone(), page, is_last, attempts: 1 }
}

pub(crate) fn failure(folder: &Folder, class: ErrorClass, message: &str, attempts: u32) -> FailedListing {
    FailedListing { folder: folder.clone(), class, message: message.to_owned(), attempts }
}

/// Records a whole listing, matches it, and returns the folders it found.
pub(crate) fn record(writer: &mut DiscoverWriter, side: Side, folder: &Folder, names: &[&str]) -> Vec<Folder> {
    let mut answers = writer.record_page(side, listed(folder, page(names), true)).unwrap();
    answers.extend(writer.match_recorded().unwrap());
    assert_eq!(answers.len(), 1);
    let answer = answers.pop().unwrap();
    assert_eq!((answer.side, answer.folder, answer.is_complete), (side, folder.id, true));
    answer.found.named.unwrap()
}

/// What a crash at this moment would leave: the file and its log, as they are, elsewhere.
pub(crate) fn as_after_a_crash(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.duckdb");
    std::fs::copy(path, &copy).unwrap();
    let log = crate::beside::log_of(path);
    if log.exists() {
        std::fs::copy(log, crate::beside::log_of(&copy)).unwrap();
    }
    (folder, copy)
}

impl IdleLedger {
    /// A new one, on a database in memory.
    pub(crate) fn in_memory(spec: &MigrationSpec) -> IdleLedger {
        let connection = Connection::open_in_memory_with_flags(Config::default().threads(1).unwrap()).unwrap();
        connection.execute_batch(&crate::sql::schema()).unwrap();
        Migration::insert(&connection, spec, 0).unwrap();
        IdleLedger::of(connection.into()).unwrap()
    }

    pub(crate) fn undiscovered(self) -> Undiscovered {
        match self.stage() {
            Stage::Undiscovered(ledger) => ledger,
            Stage::Discovered(_) => panic!("there is something left to be listed"),
        }
    }

    /// Goes on with a discovery.
    pub(crate) fn go_on(self) -> (DiscoverWriter, Remaining) {
        match self.undiscovered().discover("test", some_time_ns).unwrap() {
            (writer, ToList::Remaining(remaining)) => (writer, remaining),
            (_, ToList::Roots(_)) => panic!("it has begun"),
        }
    }
}

impl DiscoverWriter {
    /// One whose traversal has begun, on a database in memory.
    pub(crate) fn in_memory(spec: &MigrationSpec) -> DiscoverWriter {
        IdleLedger::in_memory(spec).undiscovered().discover("test", some_time_ns).unwrap().0
    }

    /// Ends a discovery as [`DiscoverWriter::end`] does, and keeps the database.
    pub(crate) fn ended_in_memory(mut self) -> IdleLedger {
        self.commit().unwrap();
        fold_events(&self.writer.connection).unwrap();
        let sweep = self.relisting.take().map(|relisting| relisting.end(&self.writer.connection).unwrap());
        end_discovery(&mut self.writer, sweep).unwrap();
        set_phase(&self.writer.connection, Phase::Review, None).unwrap();
        self.killed()
    }

    /// As [`Writer::plan_in_ranges_of`].
    pub(crate) fn plan_in_ranges_of(&mut self, ids: i64) {
        self.commit().unwrap();
        self.writer.plan_in_ranges_of(ids);
    }
}

impl Writer {
    /// Makes the plan as the end of discovery does it, so many ids at a time.
    pub(crate) fn plan_in_ranges_of(&mut self, ids: i64) {
        self.commit().unwrap();
        fold_events(&self.connection).unwrap();
        make_plan(self, ids).unwrap();
        fold_events(&self.connection).unwrap();
        if Migration::read(&self.connection).unwrap().phase == Phase::Traversing {
            set_phase(&self.connection, Phase::Review, None).unwrap();
        }
    }
}

/// What there is to see of a ledger that is being written.
pub(crate) trait Seen: Sized {
    fn connection(&self) -> &Connection;

    /// What a process that is killed now leaves behind.
    fn killed(self) -> IdleLedger;

    /// Counted again from the nodes, matches and events.
    fn recount(&self) -> DepthCounters {
        DepthCounters::recount(self.connection()).unwrap()
    }

    /// The rows of a query whose columns are all texts.
    fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        rows(self.connection(), sql)
    }
}

impl Seen for IdleLedger {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn killed(self) -> IdleLedger {
        self
    }
}

impl Seen for Writer {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn killed(self) -> IdleLedger {
        // Where no transaction is open there is nothing to be lost.
        let _ = self.connection.execute_batch("ROLLBACK");
        IdleLedger::of(self.connection).unwrap()
    }
}

macro_rules! see_through_its_writer {
    ($($phase:ident),*) => {
        $(impl Seen for $phase {
            fn connection(&self) -> &Connection {
                &self.writer.connection
            }

            fn killed(self) -> IdleLedger {
                self.writer.killed()
            }
        }

        impl $phase {
            pub(crate) fn counters(&self) -> &DepthCounters {
                self.writer.counters()
            }
        })*
    };
}

see_through_its_writer!(DiscoverWriter, CopyWriter);

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
