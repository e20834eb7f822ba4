//! A report on two million nodes: how long it takes, and how much memory. Not run with the others: what is measured
//! depends on what else the machine does.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use longhaul_ledger::{
    Approving, CopiedFile, CopyOutcome, CopyResult, CopySettings, DiscoverWriter, Folder, IdleLedger, ListedPage, Log,
    MigrationSpec, Resources, Settings,
};
use longhaul_model::{Comparison, ErrorClass, FIRST_NODE_ID, NodeKind, Page, Phase, Side};

use crate::program::Place;

const FOLDERS: usize = 2_000;
const FILES: usize = 1_000;
const SECONDS_MAX: Duration = Duration::from_secs(20);
const MEMORY_KIB_MAX: u64 = 512 << 10;

/// How often it is looked how much memory it has taken so far.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);

/// For making the ledger, which is not what is measured.
const RESOURCES: Resources = Resources { memory_mib: 1_024, threads: 2 };

/// A clock that goes on a little each time that somebody looks.
fn now_ns() -> i64 {
    static NOW_NS: AtomicI64 = AtomicI64::new(1_700_000_000_000_000_000);
    NOW_NS.fetch_add(250_000, Ordering::Relaxed)
}

fn root() -> Folder {
    Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 }
}

fn list(writer: &mut DiscoverWriter, side: Side, folder: Folder, page: Page) -> Vec<Folder> {
    let mut answers = writer.record_page(side, ListedPage { folder, page, is_last: true, attempts: 1 }).unwrap();
    answers.extend(writer.match_recorded().unwrap());
    if writer.should_commit() {
        writer.commit().unwrap();
    }
    answers.into_iter().flat_map(|answer| answer.found.named.unwrap()).collect()
}

fn folder_page(files: std::ops::Range<usize>) -> Page {
    const TYPES: [&str; 6] = ["pdf", "docx", "xlsx", "jpg", "mp4", "dwg"];
    let mut page = Page::default();
    for file in files {
        let name = format!("a document with an ordinary name, number {file:05}.{}", TYPES[file % TYPES.len()]);
        let size = i64::try_from(file * file % 5_000_000).unwrap();
        page.push(name.as_bytes(), NodeKind::File, Some(size), Some(1_600_000_000_000_000_000 + size));
    }
    page
}

/// A quarter is there already, most of the rest is copied, some have failed, and some are still to be copied.
fn fill(place: &Place) {
    let spec = MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings::new(Comparison::for_resolutions(1, 1)),
    };
    let created = longhaul_ledger::create(&place.ledger(), &spec, &RESOURCES, now_ns()).unwrap();
    let (mut writer, _) = created.discover("discover", now_ns).unwrap();
    for side in [Side::Source, Side::Destination] {
        let mut folders = Page::default();
        let count = if side == Side::Source { FOLDERS } else { FOLDERS / 2 };
        (0..count).for_each(|folder| {
            folders.push(format!("department {folder:04}").as_bytes(), NodeKind::Folder, None, None);
        });
        for folder in list(&mut writer, side, root(), folders) {
            let files = if side == Side::Source { 0..FILES } else { FILES / 2..FILES + 100 };
            list(&mut writer, side, folder, folder_page(files));
        }
    }
    writer.end(Phase::Review, None, "complete").unwrap();

    let ledger = IdleLedger::open(&place.ledger(), Log::Unknown, &RESOURCES).unwrap();
    let approved = ledger.discovered().unwrap().approved(Approving::NowWithConflicts).unwrap();
    let (mut writer, begun) = approved.copy("copy", &CopySettings::default(), now_ns).unwrap();
    let remaining = begun.remaining;
    let mut start = remaining.ids.start;
    while start < remaining.ids.end {
        let batches = writer.pull_plan(&(start..start + 65_536)).unwrap();
        start += 65_536;
        for (batch, item) in batches.iter().flat_map(|batch| batch.items.iter().map(move |item| (batch, item))) {
            let checksum = *blake3::hash(&item.id.0.to_le_bytes()).as_bytes();
            let copied = CopiedFile { size: item.facts.size, checksum: Some(checksum), ..CopiedFile::default() };
            let outcome = match item.id.0 % 100 {
                _ if item.kind == NodeKind::Folder => CopyOutcome::Copied(CopiedFile::default()),
                0..=2 => CopyOutcome::Failed {
                    class: ErrorClass::Denied,
                    message: format!("permission denied for {}", item.id.0),
                },
                3..=12 => continue,
                _ => CopyOutcome::Copied(copied),
            };
            let (id, kind, size) = (item.id, item.kind, item.facts.size);
            writer.record_copies(&[CopyResult { id, depth: batch.depth, kind, size, outcome, attempts: 1 }]).unwrap();
        }
        writer.commit().unwrap();
    }
    writer.end(Phase::Suspended, Some("interrupted"), "interrupted").unwrap();
}

/// The most memory that a process has had so far. What the system says when it has ended counts its parent's as well.
fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "takes a minute, and what it measures depends on what else the machine does"]
fn two_million_nodes_take_less_than_20_seconds_and_half_a_gibibyte() {
    let place = Place::new();
    fill(&place);
    let started = Instant::now();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["report", "--out", "report", "--ledger", "ledger.duckdb"])
        .current_dir(place.path("."))
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut memory_kib = 0;
    let status = loop {
        match child.try_wait().expect("it is our child") {
            Some(status) => break status,
            None => memory_kib = memory_kib.max(peak_kib(child.id())),
        }
        std::thread::sleep(SAMPLE_INTERVAL);
    };
    let took = started.elapsed();
    assert!(status.success());
    for name in ["report.html", "summary.json", "problems.csv", "nodes.parquet"] {
        let bytes = place.path(&format!("report/{name}")).metadata().unwrap().len();
        eprintln!("{name}: {} MB", bytes / 1_000_000);
    }
    eprintln!(
        "{:.1} s, {} MiB at most, ledger {} MB",
        took.as_secs_f64(),
        memory_kib / 1024,
        place.ledger().metadata().unwrap().len() / 1_000_000
    );
    if let Some(keep) = std::env::var_os("LONGHAUL_KEEP_REPORT") {
        std::fs::create_dir(&keep).expect("a folder that is not there");
        for name in ["ledger.duckdb", "report"] {
            std::fs::rename(place.path(name), Path::new(&keep).join(name)).expect("on the same file system");
        }
    }
    assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB");
    assert!(took < SECONDS_MAX, "{took:?}");
}
