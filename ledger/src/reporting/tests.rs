//! What a sweep gives out is what the views say, whatever phase the migration is in and however it was left.

use std::path::PathBuf;

use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::compute::cast;
use duckdb::arrow::datatypes::DataType;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use longhaul_model::{
    Comparison, ErrorClass, FIRST_NODE_ID, NodeId, NodeKind, Page, Phase, PlanAction, Side, VerifyLevel,
};

use super::*;
use crate::copying::{CopiedFile, CopyOutcome, CopyResult};
use crate::listing::{FailedListing, Folder, ListedPage};
use crate::migration::{MigrationSpec, Settings};
use crate::sql;
use crate::testing::{copy, discover, open, some_time_ns};
use crate::{DiscoverWriter, RunWriter};

/// Nodes of one range: fewer than there are, so that folders and what is in them fall apart.
const RANGE_IDS: i64 = 3;

/// A ledger in a folder of its own, and its writer, if it is being written.
struct Written {
    folder: tempfile::TempDir,
    writer: Option<RunWriter>,
}

/// A file or folder with its size, if it has one: a name that ends with `/` is a folder's, with `|` a FIFO's.
type Entry = (&'static str, i64);

fn page(entries: &[Entry]) -> Page {
    let mut page = Page::default();
    for (name, size) in entries {
        match name.strip_suffix('/') {
            Some(name) => page.push(name.as_bytes(), NodeKind::Folder, None, Some(5)),
            None if name.ends_with('|') => page.push(name.as_bytes(), NodeKind::Other, None, None),
            None => page.push(name.as_bytes(), NodeKind::File, Some(*size), Some(7)),
        }
    }
    page
}

impl Written {
    /// A migration of which nothing has been listed.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = MigrationSpec {
            source: "/from".to_owned(),
            destination: "/to".to_owned(),
            settings: Settings::new(Comparison::for_resolutions(1, 1)),
        };
        let path = folder.path().join("ledger.duckdb");
        let writer = discover(&path, &spec);
        Written { folder, writer: Some(writer.into()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.duckdb")
    }

    fn writer(&mut self) -> &mut DiscoverWriter {
        self.writer.as_mut().expect("it is being written").discovery().unwrap()
    }

    /// Lists a folder; returns those in it that are to be listed.
    fn list(&mut self, side: Side, folder: &Folder, entries: &[Entry]) -> Vec<Folder> {
        let listed = ListedPage { folder: folder.clone(), page: page(entries), is_last: true, attempts: 1 };
        let mut answers = self.writer().record_page(side, listed).unwrap();
        answers.extend(self.writer().match_recorded().unwrap());
        answers.into_iter().flat_map(|answer| answer.found.named.unwrap()).collect()
    }

    /// Two small trees, with a folder that cannot be listed and one that is not listed yet.
    fn discovering() -> Self {
        let mut written = Written::new();
        let root = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
        let entries =
            [("a/", 0), ("b/", 0), ("c/", 0), ("x.TXT", 10), ("pipe|", 0), ("taken", 4), ("same.pdf", 1 << 20)];
        let folders = written.list(Side::Source, &root, &entries);
        written.list(
            Side::Source,
            &folders[0],
            &[("1.txt", 1), ("2.txt", 2), ("3.gz", 0), (".profile", 5), ("no.", 6)],
        );
        let failed = FailedListing {
            folder: folders[1].clone(),
            class: ErrorClass::Denied,
            message: "permission denied".to_owned(),
            attempts: 2,
        };
        written.writer().record_failure(Side::Source, failed).unwrap();
        let there = [("a/", 0), ("taken/", 0), ("same.pdf", 1 << 20), ("alone", 3), ("alone too/", 0)];
        let folders_there = written.list(Side::Destination, &root, &there);
        written.list(Side::Destination, &folders_there[0], &[("1.txt", 1), ("2.txt", 1), ("alone.txt", 9)]);
        written.writer().commit().unwrap();
        written
    }

    /// The same, listed to its end, with a plan.
    fn planned() -> Self {
        let mut written = Written::discovering();
        let c = Folder { id: NodeId(4), source_id: NodeId(4), path: "/c".to_owned(), depth: 1 };
        written.list(Side::Source, &c, &[("below/", 0), ("file.txt", 8)]);
        let below = Folder { id: NodeId(14), source_id: NodeId(14), path: "/c/below".to_owned(), depth: 2 };
        written.list(Side::Source, &below, &[("deep.txt", 100)]);
        written.end(Phase::Review);
        written
    }

    fn end(&mut self, phase: Phase) {
        self.writer.take().expect("it is being written").end(phase, None, "complete").unwrap();
    }

    /// The same, in the middle of copying: events that are not folded, and a folder whose creation failed with all in it.
    fn copying() -> Self {
        let mut written = Written::planned();
        let (mut writer, _) = copy(open(&written.path()));
        let batches = writer.pull_plan(&(1..1_000)).unwrap();
        let mut results = Vec::new();
        for (batch, item) in batches.iter().flat_map(|batch| batch.items.iter().map(move |item| (batch, item))) {
            let copied = CopiedFile { size: item.facts.size, checksum: Some([0xab; 32]), ..CopiedFile::default() };
            let outcome = match item.name.as_str() {
                "c" => CopyOutcome::Failed { class: ErrorClass::BadName, message: "a bad name".to_owned() },
                ".profile" => CopyOutcome::Vanished(longhaul_model::Reason::message("no such file")),
                // Still to be done.
                "3.gz" => continue,
                _ if item.action == PlanAction::CreateFolder => CopyOutcome::Copied(CopiedFile::default()),
                _ => CopyOutcome::Copied(copied),
            };
            if batch.path.starts_with("/c") {
                continue;
            }
            let (id, kind, size) = (item.id, item.kind, item.facts.size);
            results.push(CopyResult { id, depth: batch.depth, kind, size, outcome, attempts: 1 });
        }
        writer.record_copies(&results).unwrap();
        writer.commit().unwrap();
        written.writer = Some(writer.into());
        written
    }

    /// The same, verified as far as it was copied, with a difference.
    fn verified() -> Self {
        let mut written = Written::copying();
        written.end(Phase::Verifying);
        let copied = open(&written.path()).discovered().unwrap().copied().unwrap();
        let (mut writer, ..) = copied.verify("verify", false, VerifyLevel::Checksum, some_time_ns).unwrap();
        writer.record_verified(3, 11, &[(NodeId(5), "it has 3 bytes".to_owned())]).unwrap();
        written.writer = Some(writer.into());
        written.end(Phase::Complete);
        written
    }

    /// What somebody would report on: the file as it is, with its log, as a crash would leave it.
    fn report<T>(&self, look: impl FnOnce(&Reporting) -> T) -> T {
        let copy = self.folder.path().join("copy.duckdb");
        std::fs::copy(self.path(), &copy).unwrap();
        let log = crate::log_of(&self.path());
        if log.exists() {
            std::fs::copy(log, crate::log_of(&copy)).unwrap();
        }
        look(&Reporting::open(&copy, &ReportingResources::default()).unwrap())
    }
}

fn all_phases() -> Vec<(&'static str, Written)> {
    vec![
        ("nothing listed", Written::new()),
        ("discovering", Written::discovering()),
        ("planned", Written::planned()),
        ("copying", Written::copying()),
        ("verified", Written::verified()),
    ]
}

type Rows = Vec<Vec<Option<String>>>;

fn texts(batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        // Times as numbers.
        let columns = batch.columns().iter().map(|column| match column.data_type() {
            DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
            _ => column.clone(),
        });
        let columns: Vec<_> = columns.collect();
        let options = FormatOptions::default();
        let text = |column: usize, row: usize| {
            let value = ArrayFormatter::try_new(columns[column].as_ref(), &options).unwrap().value(row).to_string();
            columns[column].is_valid(row).then_some(value)
        };
        rows.extend((0..batch.num_rows()).map(|row| (0..columns.len()).map(|column| text(column, row)).collect()));
    }
    rows
}

fn query(reporting: &Reporting, sql: &str) -> Rows {
    let batches: Vec<_> = reporting.connection.prepare(sql).unwrap().query_arrow([]).unwrap().collect();
    texts(&batches)
}

fn number(reporting: &Reporting, sql: &str) -> i64 {
    reporting.connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// All that a sweep gives out.
fn sweep(reporting: &Reporting) -> (Rows, Vec<NodeProblem>, Sums) {
    let mut sweep = Sweep::by_ranges_of(&reporting.connection, RANGE_IDS).unwrap();
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    while let Some(swept) = sweep.next().unwrap() {
        rows.extend(texts(&swept.nodes().unwrap()));
        problems.extend(swept.problems().unwrap());
    }
    (rows, problems, sweep.sums().unwrap())
}

#[test]
fn every_source_node_and_every_node_that_only_the_destination_has_is_given_out_as_the_views_have_it() {
    for (phase, written) in all_phases() {
        written.report(|reporting| {
            let is_discovered = sql::is_phase("coalesce(suspended_from, phase)", Phase::is_after_discovery);
            let reason = sql::sentence("p.reason");
            // What was planned; the view has only what is left of it.
            let expected = query(
                reporting,
                &format!("SELECT 'src', s.id, s.path, s.kind::VARCHAR, s.size, s.modified_ns, s.depth, s.traversal_status::VARCHAR,
                   s.copy_status::VARCHAR,
                   CASE
                     WHEN s.parent_id IS NULL OR NOT (SELECT {is_discovered} FROM migration) THEN NULL
                     WHEN p.src_id IS NOT NULL AND s.copy_status IN ('excluded_explicit', 'excluded_inherited') THEN 'exclude'
                     WHEN p.src_id IS NOT NULL THEN p.action::VARCHAR
                     WHEN s.id IN (SELECT src_id FROM matches WHERE same) THEN 'already_existed'
                   END,
                   coalesce(s.error, {reason}), lower(hex(c.checksum))
                 FROM src_status s
                 LEFT JOIN plan p ON p.src_id = s.id
                 LEFT JOIN copied c ON c.src_id = s.id
                 UNION ALL
                 SELECT 'dst', id, path, kind::VARCHAR, size, modified_ns, depth, traversal_status::VARCHAR, NULL, NULL,
                   error, NULL
                 FROM dst_status
                 WHERE id NOT IN (SELECT dst_id FROM matches)
                 ORDER BY ALL"),
            );
            let (mut rows, ..) = sweep(reporting);
            rows.sort();
            let mut expected = expected;
            expected.sort();
            assert_eq!(rows, expected, "{phase}");
        });
    }
}

#[test]
fn sums_are_those_of_a_recount() {
    for (phase, written) in all_phases() {
        written.report(|reporting| {
            let (_, problems, sums) = sweep(reporting);
            let count = |sql: &str| number(reporting, sql);
            for total in &sums.statuses {
                let of_status = format!("FROM src_status WHERE copy_status = '{}'", total.status);
                assert_eq!(total.amount().nodes, count(&format!("SELECT count(*) {of_status}")), "{phase}");
                let bytes = format!("SELECT coalesce(sum(size), 0)::BIGINT {of_status} AND kind = 'file'");
                assert_eq!(total.bytes, count(&bytes), "{phase}");
            }
            let nodes: i64 = sums.statuses.iter().map(|total| total.amount().nodes).sum();
            assert_eq!(nodes, reporting.totals().unwrap().src.nodes(), "{phase}");
            assert_eq!(
                sums.only_on_destination.nodes,
                count("SELECT count(*) FROM dst_status WHERE traversal_status = 'not_on_src'"),
                "{phase}"
            );

            let files = Amount {
                nodes: count("SELECT count(*) FROM src_status WHERE kind = 'file'"),
                bytes: count("SELECT coalesce(sum(size), 0)::BIGINT FROM src_status WHERE kind = 'file'"),
            };
            for parts in [&sums.folders, &sums.types] {
                let shown: Amount = parts.largest.iter().map(|part| part.outcomes.total()).sum();
                assert_eq!(shown, files, "{phase}");
            }
            assert_eq!(sums.sizes.iter().map(|class| class.outcomes.total()).sum::<Amount>(), files, "{phase}");

            let named = usize::try_from(sums.reasons.iter().map(|total| total.nodes).sum::<i64>()).unwrap();
            assert_eq!(named, problems.len(), "{phase}");
            let copied = sums.throughput.slices.iter().map(|slice| slice.nodes).sum::<i64>();
            assert_eq!(copied, count("SELECT count(*) FROM src_status WHERE copy_status = 'successful'"), "{phase}");
        });
    }
}

#[test]
fn what_was_not_copied_is_named_with_its_reason() {
    Written::verified().report(|reporting| {
        let (_, problems, sums) = sweep(reporting);
        let mut named: Vec<_> = problems
            .iter()
            .map(|problem| {
                let class = problem.class.as_deref().unwrap_or_default();
                (problem.status.as_str(), problem.path.as_str(), class, problem.reason.as_deref().unwrap_or_default())
            })
            .collect();
        named.sort_unstable();
        assert_eq!(
            named.iter().map(|(status, path, ..)| format!("{status} {path}")).collect::<Vec<_>>(),
            [
                "conflict /taken",
                "different /x.TXT",
                "failed /c",
                "failed /c/below",
                "failed /c/below/deep.txt",
                "failed /c/file.txt",
                "not_listed /b",
                "skipped /a/2.txt",
                "skipped /pipe|",
                "vanished /a/.profile",
            ]
        );
        assert!(named.iter().all(|(status, .., reason)| *status == "vanished" || !reason.is_empty()), "{named:?}");
        assert!(named.contains(&("failed", "/c", "bad_name", "a bad name")));
        assert!(named.contains(&("not_listed", "/b", "denied", "permission denied")));
        assert!(named.contains(&("different", "/x.TXT", "different", "it has 3 bytes")));
        assert!(sums.reasons.is_sorted_by_key(|total| total.status));
    });
}

#[test]
fn files_are_told_apart_by_folder_size_and_extension() {
    Written::planned().report(|reporting| {
        let (.., sums) = sweep(reporting);
        let names = |parts: &Parts| parts.largest.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&sums.folders), ["/", "/c", "/a"]);
        // `.profile` has none, nor has `no.`.
        assert_eq!(names(&sums.types), ["pdf", "txt", "", "gz"]);
        let sizes = sums.sizes.iter().map(|class| (class.from_bytes, class.outcomes.total().nodes)).collect::<Vec<_>>();
        assert_eq!(sizes, [(Some(0), 1), (Some(1), 8), (Some(1 << 20), 1)]);
        let there = sums.folders.largest[0].outcomes.there_already;
        assert_eq!(there, Amount { nodes: 1, bytes: 1 << 20 });
    });
}

#[test]
fn a_verification_is_told_with_its_level() {
    Written::planned().report(|reporting| assert_eq!(reporting.about().unwrap().verification, None));
    Written::verified().report(|reporting| {
        let about = reporting.about().unwrap();
        let verification = about.verification.unwrap();
        assert_eq!((verification.level, verification.verified.differences), (VerifyLevel::Checksum, 1));
        assert!(about.plan_hash.is_some(), "a copy carries out a plan that is approved");
        assert_eq!(about.plan_hash, about.approved_plan_hash);
        assert_eq!(about.runs.len(), 3);
    });
}
