//! One suite for all stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use longhaul_model::{BySide, ErrorClass, FileFacts, NodeKind, decode_name};
use longhaul_servers::Kind;
use longhaul_spectra::{Config, Mode, Spectra};
use longhaul_storage::{
    Attributes, Durability, Facts, Folder, Known, Location, OpenOptions, Placed, Replace, SpectraStore, Store,
    StoreError, Target, open_pair,
};

use crate::{TURN, enter, now, started};

/// A time with digits in every place that a store may keep.
const MODIFIED_NS: i64 = 1_600_000_001_123_456_789;

/// Names with everything that has a meaning somewhere on the way.
const ODD_NAMES: [&str; 14] = [
    "space in it",
    " space in front",
    "percent %41 %",
    "plus+plus",
    "question?mark",
    "hash#mark",
    "ampersand&semicolon;",
    "quote\"apostrophe'",
    "backslash\\",
    "<angle>",
    "ümläut",
    "名前",
    "colon:star*",
    ".hidden",
];

fn open(location: &str) -> Arc<dyn Store> {
    let elsewhere = tempfile::tempdir().expect("a scratch folder");
    let source = Location::Local(elsewhere.path().to_owned());
    let destination = Location::parse(location).expect("a location");
    let options = OpenOptions { create_destination: true, one_file_system: false };
    open_pair(&BySide { src: source, dst: destination }, options, None).expect("it can be opened").dst.1
}

fn target(name: &[u8]) -> Target<'_> {
    Target { name, temporary: b".longhaul-test-1", replace: Replace::Nothing, known: Known::default() }
}

async fn write(folder: &dyn Folder, target: Target<'_>, bytes: &[u8]) -> Result<Placed, StoreError> {
    let known = Known { mode: None, modified_ns: Some(MODIFIED_NS), size: Some(bytes.len() as u64) };
    let target = Target { known, ..target };
    let mut draft = folder.create(target).await?;
    let mut written = 0;
    for piece in bytes.chunks(1 << 20) {
        draft.write_at(written, piece).await?;
        written += piece.len() as u64;
    }
    let attributes = Attributes { modified_ns: Some(MODIFIED_NS), ..Attributes::default() };
    draft.finish(target, written, &attributes, Durability::EachFile).await
}

async fn read(folder: &dyn Folder, name: &[u8]) -> Result<Vec<u8>, StoreError> {
    let original = folder.open(name).await?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        match original.read_at(bytes.len() as u64, &mut buffer).await? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// What a folder has in it: by name, the kind, the size and the time.
async fn list(store: &Arc<dyn Store>, path: &[u8]) -> Result<BTreeMap<Vec<u8>, (NodeKind, FileFacts)>, StoreError> {
    let mut entries = BTreeMap::new();
    let mut pages = store.clone().list(path);
    while let Some(page) = pages.next().await {
        for entry in page?.iter() {
            let name = decode_name(entry.name).expect("a printable name");
            assert!(entries.insert(name, (entry.kind, entry.facts())).is_none(), "{} comes twice", entry.name);
        }
    }
    Ok(entries)
}

fn some_bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from((at * 7 + at / 251) % 256).expect("a remainder")).collect()
}

/// The time that a store keeps of [`MODIFIED_NS`].
fn kept(store: &dyn Store) -> i64 {
    let step = i64::try_from(store.capabilities().time_resolution_ns).expect("steps are short");
    MODIFIED_NS - MODIFIED_NS % step
}

async fn conforms(store: Arc<dyn Store>) {
    let can = store.capabilities();
    let root = store.clone().folder(b"/").await.expect("the root");
    store.measure(b".longhaul-test-0").await.expect("it can be written to");
    assert!(list(&store, b"/").await.expect("an empty root").is_empty(), "nothing is left of trying");

    // Folders.
    assert_eq!(root.create_folder(b"folder", Durability::EachFile).await, Ok(Placed::Done));
    if can.has_folders {
        assert_eq!(root.create_folder(b"folder", Durability::EachFile).await, Ok(Placed::Taken));
        assert_eq!(root.look(b"folder").await.expect("a look").expect("it is there").kind, NodeKind::Folder);
        assert!(list(&store, b"/folder").await.expect("a listing").is_empty());
        let missing = list(&store, b"/no such folder").await.expect_err("there is none");
        assert_eq!(missing.class, ErrorClass::Vanished, "{missing}");
    }
    let folder = store.clone().folder(b"/folder").await.expect("the folder");

    // Files of every length, from front to back and from the middle.
    for length in [0, 1, 1 << 20, (8 << 20) + 1, (17 << 20) + 5] {
        let (name, bytes) = (format!("file of {length}").into_bytes(), some_bytes(length));
        assert_eq!(write(&*folder, target(&name), &bytes).await, Ok(Placed::Done), "{length}");
        assert!(read(&*folder, &name).await.expect("it can be read") == bytes, "{length}");
        let facts = folder.look(&name).await.expect("a look").expect("it is there");
        assert_eq!((facts.kind, facts.size), (NodeKind::File, i64::try_from(length).ok()));
        if store.keeps().modified {
            assert_eq!(facts.modified_ns, Some(kept(&*store)));
        }
        let original = folder.open(&name).await.expect("it can be opened");
        assert_eq!(original.facts_at_opening().size, facts.size);
        assert_eq!(compared(&original.facts().await.expect("facts")), compared(&original.facts_at_opening()));
        let mut buffer = vec![0; 1_000];
        for offset in [length / 2, length.saturating_sub(10), length, length + 10] {
            let count = original.read_at(offset as u64, &mut buffer).await.expect("it can be read anywhere");
            let due = bytes.get(offset..).unwrap_or_default();
            assert!(due.starts_with(&buffer[..count]) && count == due.len().min(1_000), "{length} from {offset}");
        }
    }
    let listed = list(&store, b"/folder").await.expect("a listing");
    assert_eq!(listed.len(), 5);
    let (kind, facts) = listed[&b"file of 1048576"[..]];
    assert_eq!((kind, facts.size), (NodeKind::File, Some(1 << 20)));
    if store.keeps().modified && can.lists_times {
        assert_eq!(facts.modified_ns, Some(kept(&*store)));
    }
    assert_eq!(list(&store, b"/").await.expect("a listing")[&b"folder"[..]].0, NodeKind::Folder);

    // Whole or not at all.
    let mut draft = folder.create(target(b"draft")).await.expect("a draft");
    draft.write_at(0, &some_bytes(100)).await.expect("it can be written");
    assert_eq!(folder.look(b"draft").await, Ok(None));
    drop(draft);
    let mut draft = folder.create(target(b"draft")).await.expect("a draft");
    draft.write_at(0, &some_bytes(100)).await.expect("it can be written");
    let long = draft.finish(target(b"draft"), 5, &Attributes::default(), Durability::Later).await;
    assert!(long.is_err(), "it is longer than it should be");
    assert_eq!(folder.look(b"draft").await, Ok(None));

    // What is there is replaced where that is wanted only.
    assert_eq!(write(&*folder, target(b"taken"), b"earlier").await, Ok(Placed::Done));
    assert_eq!(write(&*folder, target(b"taken"), b"later").await, Ok(Placed::Taken));
    assert_eq!(read(&*folder, b"taken").await.expect("it is there"), b"earlier");
    let replacing = Target { replace: Replace::Any, ..target(b"taken") };
    assert_eq!(write(&*folder, replacing, b"later").await, Ok(Placed::Done));
    assert_eq!(read(&*folder, b"taken").await.expect("it is there"), b"later");
    folder.remove_draft(b".longhaul-test-1").await.expect("there is nothing to be removed");

    // What is not there.
    assert_eq!(folder.look(b"nothing").await, Ok(None));
    assert_eq!(folder.open(b"nothing").await.expect_err("there is none").class, ErrorClass::Vanished);
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
        assert_eq!(folder.look(name).await.expect_err("no name").class, ErrorClass::BadName, "{name:?}");
    }

    // Names.
    assert_eq!(root.create_folder(b"names", Durability::Later).await, Ok(Placed::Done));
    let names = store.clone().folder(b"/names").await.expect("the folder");
    for name in ODD_NAMES {
        assert_eq!(write(&*names, target(name.as_bytes()), name.as_bytes()).await, Ok(Placed::Done), "{name:?}");
    }
    let listed = list(&store, b"/names").await.expect("a listing");
    assert_eq!(listed.len(), ODD_NAMES.len(), "{:?}", listed.keys());
    for name in ODD_NAMES {
        assert!(listed.contains_key(name.as_bytes()), "{name:?} is not listed");
        assert_eq!(read(&*names, name.as_bytes()).await.expect("it is there"), name.as_bytes(), "{name:?}");
    }
    assert_eq!(names.create_folder("ordner ü % ?".as_bytes(), Durability::Later).await, Ok(Placed::Done));
    let below = store.clone().folder("/names/ordner ü % ?".as_bytes()).await.expect("the folder");
    assert_eq!(write(&*below, target(b"file"), b"x").await, Ok(Placed::Done));
    assert_eq!(list(&store, "/names/ordner ü % ?".as_bytes()).await.expect("a listing").len(), 1);

    // Links.
    if store.keeps().symlinks {
        let attributes = Attributes { modified_ns: Some(MODIFIED_NS), ..Attributes::default() };
        let placed = folder.create_link(target(b"link"), b"to nowhere", &attributes, Durability::Later).await;
        assert_eq!(placed, Ok(Placed::Done));
        assert_eq!(folder.read_link(b"link").await, Ok(b"to nowhere".to_vec()));
        assert_eq!(folder.look(b"link").await.expect("a look").expect("it is there").kind, NodeKind::Symlink);
        assert_eq!(folder.open(b"link").await.expect_err("links are not followed").class, ErrorClass::Vanished);
    }
    store.flush().await.expect("it can be flushed");
    store.free_bytes().await.expect("it says how much fits, or that it does not say");
}

fn compared(facts: &Facts) -> FileFacts {
    FileFacts { size: facts.size, modified_ns: facts.modified_ns }
}

/// More entries than any server gives at a time, each of which comes once.
async fn pages_are_whole(store: Arc<dyn Store>) {
    let root = store.clone().folder(b"/").await.expect("the root");
    assert_eq!(root.create_folder(b"many", Durability::Later).await, Ok(Placed::Done));
    let many = &*store.clone().folder(b"/many").await.expect("the folder");
    let all: Vec<String> = (0..1_203).map(|number| format!("{number:04}")).collect();
    let writes = all.iter().map(|name| async move {
        let own = format!(".longhaul-test-{name}");
        let target = Target { temporary: own.as_bytes(), ..target(name.as_bytes()) };
        let mut placed = write(many, target, b"x").await;
        let mut failures = 0;
        while placed.as_ref().is_err_and(|error| error.class == ErrorClass::Transient) && failures < 3 {
            failures += 1;
            placed = write(many, target, b"x").await;
        }
        // A server under load may fail a write that it has carried out.
        let placed_before = failures > 0 && placed == Ok(Placed::Taken);
        assert!(placed == Ok(Placed::Done) || placed_before, "{name}: {placed:?} after {failures} failures");
    });
    futures_util::stream::iter(writes).buffer_unordered(16).collect::<Vec<()>>().await;
    let listed = list(&store, b"/many").await.expect("a listing");
    assert!(listed.keys().map(Vec::as_slice).eq(all.iter().map(String::as_bytes)), "{} entries", listed.len());
}

fn try_server(kind: Kind) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(server) = started(kind) else { return };
    enter(&server);
    now(conforms(open(&format!("{}/a/root with spaces", server.root))));
    now(pages_are_whole(open(&format!("{}/pages", server.root))));
}

#[test]
fn a_local_folder_conforms() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    now(conforms(open(&format!("{}/one", folder.path().display()))));
    now(pages_are_whole(open(&format!("{}/other", folder.path().display()))));
}

/// A simulator whose destination world is empty.
fn empty_world() -> Spectra {
    let mut config = Config { mode: Mode::Ephemeral, ..Config::default() };
    config.secondary_tables.insert("empty".to_owned(), 0.0);
    Spectra::open(config).expect("a configuration")
}

async fn conforms_with_pages(store: Arc<dyn Store>) {
    conforms(store.clone()).await;
    pages_are_whole(store).await;
}

#[test]
fn a_simulated_world_conforms() {
    let location = Location::parse("spectra:empty?config=none.json").expect("a location");
    let store = SpectraStore::open(&empty_world(), "empty", location).expect("a world");
    now(conforms_with_pages(Arc::new(store)));
}

#[test]
fn a_simulated_world_over_http_conforms() {
    let server = longhaul_spectra::http::Server::start(empty_world(), "127.0.0.1", 0).expect("a server");
    now(conforms_with_pages(open(&format!("spectra+{}/empty", server.url()))));
}

#[test]
fn a_store_in_memory_conforms() {
    now(conforms_with_pages(open("memory://conformance")));
}

#[test]
fn s3_by_moto_conforms() {
    try_server(Kind::Moto);
}

#[test]
fn s3_by_rclone_conforms() {
    try_server(Kind::Rclone);
}

#[test]
fn webdav_by_wsgidav_conforms() {
    try_server(Kind::Wsgidav);
}

#[test]
fn webdav_by_apache_conforms() {
    try_server(Kind::Apache);
}

#[test]
fn sftp_by_openssh_conforms() {
    try_server(Kind::Openssh);
}
