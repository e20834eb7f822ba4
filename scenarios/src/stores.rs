//! `traversal-s3`, `copy-s3`, `copy-sftp` and `copy-webdav`: the program moves a folder of this machine to a store of
//! other people's and back, and lists what is there. The store is a server that is started, or the place of a URL; in
//! either case it is the scenario's own walk of folders of this machine that says what has to be there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use longhaul_ledger::Reader;
use longhaul_model::encode_name;
use longhaul_servers::{Kind, Server};

use crate::shared::ledger_rows;
use crate::shared::maker::{Maker, Time};
use crate::shared::program::{Heard, Program};
use crate::shared::report::grouped;
use crate::shared::snapshot::Snapshot;
use crate::shared::stage::Stage;

const SOURCE: &str = "source";
const BACK: &str = "back";

/// Small files of one folder: more than a server lists at a time.
const MANY: usize = 1_203;
/// A file that goes in several parts.
const LARGE_BYTES: usize = (9 << 20) + 17;

/// Keys that no path can be, with what is listed in their place.
const NO_PATHS: [(&str, &str); 4] =
    [("odd//below", "/odd/%2F"), ("/leading", "/%2F"), ("odd/./below", "/odd/."), ("odd/../below", "/odd/..")];
/// The key of an object that marks a folder.
const MARKER: &str = "odd/marked/";

/// A key that others continue.
const CONTINUED: [&str; 2] = ["odd/both", "odd/both/below"];

/// Which part of what is kept of a file a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Kept,
    Lost,
}

/// The store that it is about.
#[derive(Debug)]
struct Store {
    /// For as long as it is to run.
    server: Option<Server>,
    /// The place, without a slash at its end.
    url: String,
}

impl Store {
    /// The place that somebody has given, or else a server of some kind.
    fn new(stage: &mut Stage<'_>, kind: Kind) -> Result<Store> {
        if let Some(url) = stage.store_url.clone() {
            stage.report.line(&format!("store {url}"))?;
            return Ok(Store { server: None, url });
        }
        let server = kind
            .start()
            .map_err(|why| anyhow!("{kind:?} cannot be started, which is needed without --store-url: {why}"))?;
        stage.report.line(&format!("store {}, by {kind:?}", server.root))?;
        let url = format!("{}/place", server.root);
        Ok(Store { server: Some(server), url })
    }

    /// The folder of this machine where the server keeps what is in the place.
    fn files(&self) -> Option<PathBuf> {
        Some(self.server.as_ref()?.files()?.join("place"))
    }
}

/// The program in the scratch folder.
struct Runner {
    program: Program,
}

impl Runner {
    fn new(stage: &Stage<'_>, store: &Store) -> Result<Runner> {
        let environment = store.server.as_ref().map(|server| server.environment.as_slice()).unwrap_or_default();
        let program = Program::this(stage.scratch.path(), "warn", &stage.interrupt)?.with_environment(environment);
        Ok(Runner { program })
    }

    /// Runs the program, which has to come to its end.
    fn run(&self, stage: &mut Stage<'_>, what: &str, arguments: &[&str]) -> Result<()> {
        let ended = self.program.run(arguments, |_| Ok(Heard::ForPeople))?;
        stage.report.check_text(what, "exit code 0", &ended.ending())?;
        if ended.shell_code() != 0 {
            stage.report.line(&format!("        {}", ended.said()))?;
        }
        Ok(())
    }

    fn migrate(&self, stage: &mut Stage<'_>, from: &str, to: &str, ledger: &str) -> Result<()> {
        let arguments =
            ["migrate", from, to, "--yes", "--create-destination", "--level", "checksum", "--ledger", ledger];
        self.run(stage, &format!("from {from} to {to}"), &arguments)
    }
}

/// A folder with what is awkward on the way to other stores. Of what is not kept there is nothing in it.
fn make_source(stage: &mut Stage<'_>) -> Result<PathBuf> {
    let root = stage.scratch.path().join(SOURCE);
    let mut maker = Maker::new(&root)?;
    let time = |seconds: i64| Time(1_500_000_000 + seconds, 0);
    for folder in ["many", "names", "names/folder with spaces", "names/folder with spaces/below"] {
        maker.folder(folder.as_bytes())?;
    }
    for number in 0..MANY {
        maker.file(format!("many/{number:04}").as_bytes(), number % 50, time(i64::try_from(number)?))?;
    }
    let names = [
        "percent %41 %",
        "plus+plus",
        "question?mark",
        "hash#mark",
        "&;=",
        "quote\"'",
        "ümläut",
        "名前",
        " front",
        ".hidden",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let below = format!("names/folder with spaces/below/{name}");
        maker.file(format!("names/{name}").as_bytes(), 100 * number, time(7))?;
        maker.file(below.as_bytes(), number, time(8))?;
    }
    maker.file(b"empty", 0, time(1))?;
    maker.file(b"large", LARGE_BYTES, time(2))?;
    maker.file(b"page.html", 2_000, time(3))?;
    stage.report.line(&format!("source made: {} entries", grouped(maker.entries)))?;
    Ok(root)
}

pub(crate) fn copy_s3(stage: &mut Stage<'_>) -> Result<()> {
    copy(stage, Kind::Moto, Times::Kept)
}

pub(crate) fn copy_sftp(stage: &mut Stage<'_>) -> Result<()> {
    copy(stage, Kind::Openssh, Times::Kept)
}

pub(crate) fn copy_webdav(stage: &mut Stage<'_>) -> Result<()> {
    copy(stage, Kind::Wsgidav, Times::Lost)
}

fn copy(stage: &mut Stage<'_>, kind: Kind, times: Times) -> Result<()> {
    stage.start_over()?;
    let store = Store::new(stage, kind)?;
    let source = make_source(stage)?;
    let back = stage.scratch.path().join(BACK);
    let runner = Runner::new(stage, &store)?;

    stage.begin_run(&())?;
    let [from, to] = [&source, &back].map(|path| path.display().to_string());
    runner.migrate(stage, &from, &store.url, "there.duckdb")?;
    runner.migrate(stage, &from, &store.url, "there again.duckdb")?;
    runner.migrate(stage, &store.url, &to, "back.duckdb")?;
    runner.migrate(stage, &store.url, &to, "back again.duckdb")?;

    stage.begin_verification()?;
    let due = Snapshot::of(&source, &stage.interrupt)?;
    if let Some(files) = store.files() {
        // Only SFTP has times of its own on the disk of the server.
        let times = if kind == Kind::Openssh { times } else { Times::Lost };
        compare(stage, "on the server's disk", &due, &Snapshot::of(&files, &stage.interrupt)?, times)?;
    }
    compare(stage, "brought back", &due, &Snapshot::of(&back, &stage.interrupt)?, times)?;
    let files = files(&due, Times::Lost).len() as u64;
    for (ledger, copied) in [("there", files), ("there again", 0), ("back", files), ("back again", 0)] {
        let reader = Reader::open(&stage.scratch.path().join(format!("{ledger}.duckdb")))?;
        let count = |sql: &str| Ok::<u64, anyhow::Error>(ledger_rows::number(&reader, sql)?.unsigned_abs());
        stage.report.check_count(&format!("{ledger}: files copied"), copied, count("SELECT count(*) FROM copied")?)?;
        let others = "SELECT count(*) FROM src_status WHERE copy_status NOT IN ('successful', 'already_existed')";
        stage.report.check_count(&format!("{ledger}: nodes neither copied nor there"), 0, count(others)?)?;
        stage.report.check_count(&format!("{ledger}: problems"), 0, count("SELECT count(*) FROM problems")?)?;
    }
    Ok(())
}

/// What has to be the same in any store: paths, sizes and bytes of files, and where they are kept, times.
fn files(snapshot: &Snapshot, times: Times) -> BTreeSet<String> {
    let files = snapshot.entries.iter().filter(|(_, entry)| entry.facts.kind == "file");
    let shown = files.map(|(path, entry)| {
        let facts = &entry.facts;
        let time = if times == Times::Kept { facts.modified_ns } else { 0 };
        format!("{}: {} bytes, {}, of {time}", encode_name(path), facts.size, facts.contents)
    });
    shown.collect()
}

fn compare(stage: &mut Stage<'_>, what: &str, due: &Snapshot, found: &Snapshot, times: Times) -> Result<()> {
    let (due, found) = (files(due, times), files(found, times));
    let count = grouped(due.len() as u64);
    let missing: Vec<String> = due.difference(&found).cloned().collect();
    stage.report.check_list(&format!("{what}: of {count} files, those that are missing or different"), &missing)?;
    let more: Vec<String> = found.difference(&due).cloned().collect();
    stage.report.check_list(&format!("{what}: files that should not be there"), &more)
}

pub(crate) fn traversal_s3(stage: &mut Stage<'_>) -> Result<()> {
    stage.start_over()?;
    let store = Store::new(stage, Kind::Moto)?;
    let source = make_source(stage)?;
    let empty = stage.scratch.path().join("empty");
    std::fs::create_dir(&empty)?;
    let runner = Runner::new(stage, &store)?;
    runner.migrate(stage, &source.display().to_string(), &store.url, "put.duckdb")?;
    let odd = match &store.server {
        Some(server) => put_odd_keys(server)?,
        None => Vec::new(),
    };
    stage.report.line(&format!("keys that are odd, put by hand: {}", odd.len()))?;

    stage.begin_run(&())?;
    let arguments = ["discover", &store.url, &empty.display().to_string(), "--ledger", "ledger.duckdb"];
    runner.run(stage, "listing", &arguments)?;

    stage.begin_verification()?;
    let reader = Reader::open(&stage.scratch.path().join("ledger.duckdb"))?;
    let due = expected(&Snapshot::of(&source, &stage.interrupt)?, &odd);
    let sql = "SELECT path || ' ' || kind::VARCHAR || ' ' || coalesce(size::VARCHAR, '-') FROM src_status";
    let found: BTreeSet<String> = reader.query(sql)?.rows.into_iter().flatten().flatten().collect();
    let count = grouped(due.len() as u64);
    let missing: Vec<String> = due.difference(&found).cloned().collect();
    stage.report.check_list(&format!("of {count} nodes, those that are missing or different"), &missing)?;
    let more: Vec<String> = found.difference(&due).cloned().collect();
    stage.report.check_list("nodes that should not be there", &more)?;
    let count = |sql: &str| Ok::<u64, anyhow::Error>(ledger_rows::number(&reader, sql)?.unsigned_abs());
    let all = count("SELECT count(*) FROM src_status")?;
    stage.report.check_count("nodes, each of which is there once", due.len() as u64, all)?;
    let unlisted = "SELECT count(*) FROM src_status WHERE traversal_status <> 'successful'";
    stage.report.check_count("nodes that were not listed", 0, count(unlisted)?)?;
    let unsaid = "SELECT count(*) FROM src_status WHERE kind = 'other' AND coalesce(error, '') = ''";
    stage.report.check_count("keys that cannot be paths, without a reason", 0, count(unsaid)?)
}

/// Puts keys that no path can be, and one that others continue. Gives what is to be listed of them.
fn put_odd_keys(server: &Server) -> Result<Vec<String>> {
    let mut listed = vec!["/odd folder -".to_owned(), "/odd/both folder -".to_owned()];
    let put = |key: &str| server.put_object(&format!("place/{key}"), key.as_bytes()).map_err(|why| anyhow!(why));
    for (key, shown) in NO_PATHS {
        put(key)?;
        listed.push(format!("{shown} other -"));
    }
    // It marks a folder, and has contents.
    put(MARKER)?;
    listed.extend(["/odd/marked folder -".to_owned(), "/odd/marked/%2F (contents) other -".to_owned()]);
    for key in CONTINUED {
        put(key)?;
        listed.push(format!("/{key} file {}", key.len()));
    }
    Ok(listed)
}

/// Every node as the ledger has to have it: path, kind and size.
fn expected(source: &Snapshot, odd: &[String]) -> BTreeSet<String> {
    let nodes = source.entries.iter().map(|(path, entry)| {
        let (path, facts) = (encode_name(path), &entry.facts);
        if facts.kind == "folder" {
            format!("{path} folder -")
        } else {
            format!("{path} {} {}", facts.kind, facts.size)
        }
    });
    nodes.chain(odd.iter().cloned()).collect()
}
