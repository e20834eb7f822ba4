use std::time::Duration;

use longhaul_spectra::{
    CREATED_FOLDER_MODIFIED_NS, ChaosConfig, Config, FaultRule, Mode, Operation, OperationFilter, PRIMARY_WORLD,
};

use super::*;
use crate::folder::{Attributes, Draft, Durability, Known, Placed, Replace, Target};

/// A world in memory with a few generated folders and files in it.
fn store() -> Arc<SpectraStore> {
    let mut config = Config { mode: Mode::Ephemeral, ..Config::default() };
    (config.seed.max_depth, config.seed.seed) = (2, 11);
    (config.seed.min_folders, config.seed.max_folders) = (2, 3);
    (config.seed.min_files, config.seed.max_files) = (2, 3);
    (config.seed.min_file_size, config.seed.max_file_size) = (100, 20_000);
    let simulator = Spectra::open(config).unwrap();
    let location = Location::parse("spectra:primary?config=none.json").unwrap();
    Arc::new(SpectraStore::open(&simulator, PRIMARY_WORLD, location).unwrap())
}

fn set_chaos(store: &SpectraStore, chaos: ChaosConfig) {
    let Access::Embedded(embedded) = &store.access else { panic!("a world of this process") };
    embedded.simulator.set_chaos(chaos).unwrap();
}

fn fail(store: &SpectraStore, operation: Operation, class: FaultClass) {
    let rule = FaultRule { operation: OperationFilter::Only(operation), ..FaultRule::new(class) };
    set_chaos(store, ChaosConfig { faults: vec![rule], ..ChaosConfig::default() });
}

async fn open(store: &Arc<SpectraStore>, path: &[u8]) -> Box<dyn Folder> {
    store.clone().folder(path).await.unwrap()
}

fn new(name: &[u8]) -> Target<'_> {
    Target { name, temporary: b".draft", replace: Replace::Nothing, known: Known::default() }
}

fn timed(modified_ns: i64) -> Attributes {
    Attributes { modified_ns: Some(modified_ns), mode: Some(0o644), ..Attributes::default() }
}

async fn begin(folder: &dyn Folder, target: Target<'_>, bytes: &[u8]) -> Box<dyn Draft> {
    let mut draft = folder.create(target).await.unwrap();
    draft.write_at(0, bytes).await.unwrap();
    draft
}

async fn write(folder: &dyn Folder, target: Target<'_>, bytes: &[u8]) -> Result<Placed, StoreError> {
    let draft = begin(folder, target, bytes).await;
    draft.finish(target, bytes.len() as u64, &timed(7), Durability::Later).await
}

async fn read(folder: &dyn Folder, name: &[u8]) -> Vec<u8> {
    let original = folder.open(name).await.unwrap();
    let mut bytes = vec![0; 30_000];
    let count = original.read_at(0, &mut bytes).await.unwrap();
    bytes.truncate(count);
    bytes
}

fn class<T>(result: Result<T, StoreError>) -> ErrorClass {
    match result {
        Ok(_) => panic!("the call succeeds"),
        Err(error) => error.class,
    }
}

#[tokio::test]
async fn entries_are_seen_as_what_they_are() {
    let store = store();
    let root = open(&store, b"/").await;
    assert_eq!(root.facts().await.unwrap().kind, NodeKind::Folder);
    assert_eq!(root.look(b"folder_1").await.unwrap().unwrap().kind, NodeKind::Folder);
    let file = root.look(b"file_1.txt").await.unwrap().unwrap();
    assert_eq!(file.kind, NodeKind::File);
    assert_eq!((file.mode, file.owner, file.shared), (None, None, None));
    assert_eq!(root.open(b"file_1.txt").await.unwrap().facts().await, Ok(file));
    assert_eq!(read(&*root, b"file_1.txt").await.len(), usize::try_from(file.size.unwrap()).unwrap());
    assert_eq!(root.look(b"none").await, Ok(None));
    let below = open(&store, b"/folder_1").await;
    assert_eq!(below.look(b"file_1.txt").await.unwrap().unwrap().kind, NodeKind::File);
    assert_eq!(class(root.open(b"none").await), ErrorClass::Vanished);
    assert_eq!(class(root.open(b"folder_1").await), ErrorClass::Vanished);
    assert_eq!(class(store.clone().folder(b"/none").await), ErrorClass::Vanished);
    assert_eq!(class(store.clone().folder(b"/file_1.txt").await), ErrorClass::Vanished);
}

#[tokio::test]
async fn an_entry_that_cannot_be_looked_at_is_not_one_that_is_not_there() {
    let store = store();
    let root = open(&store, b"/").await;
    for (fault, expected) in [(FaultClass::Denied, ErrorClass::Denied), (FaultClass::Transient, ErrorClass::Transient)]
    {
        fail(&store, Operation::GetNode, fault);
        assert_eq!(class(root.look(b"none").await), expected);
        assert_eq!(class(root.look(b"file_1.txt").await), expected);
    }
}

#[tokio::test]
async fn a_file_is_seen_under_its_name_only_when_it_is_whole() {
    let store = store();
    let root = open(&store, b"/").await;
    let mut draft = begin(&*root, new(b"caf\xe9"), b"01234").await;
    draft.write_at(5, b"56789").await.unwrap();
    assert_eq!(root.look(b"caf\xe9").await, Ok(None));
    assert_eq!(draft.finish(new(b"caf\xe9"), 10, &timed(-5), Durability::EachFile).await, Ok(Placed::Done));
    let facts = root.look(b"caf\xe9").await.unwrap().unwrap();
    assert_eq!((facts.size, facts.modified_ns), (Some(10), Some(-5)));
    assert_eq!(read(&*root, b"caf\xe9").await, b"0123456789");
    assert_eq!(root.look(b".draft").await, Ok(None));
    drop(begin(&*root, new(b"dropped"), b"bytes").await);
    assert_eq!(root.look(b"dropped").await, Ok(None));
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone_unless_a_file_may_be_replaced() {
    let store = store();
    let root = open(&store, b"/").await;
    let earlier = read(&*root, b"file_1.txt").await;
    assert_eq!(write(&*root, new(b"file_1.txt"), b"later").await, Ok(Placed::Taken));
    assert_eq!(write(&*root, new(b"folder_1"), b"later").await, Ok(Placed::Taken));
    assert_eq!(write(&*root, Target { replace: Replace::Any, ..new(b"folder_1") }, b"later").await, Ok(Placed::Taken));
    assert_eq!(read(&*root, b"file_1.txt").await, earlier);
    let replacing = Target { replace: Replace::Any, ..new(b"file_1.txt") };
    assert_eq!(write(&*root, replacing, b"later").await, Ok(Placed::Done));
    assert_eq!(read(&*root, b"file_1.txt").await, b"later");
    // It is taken while the draft is written.
    let draft = begin(&*root, new(b"new"), b"first").await;
    assert_eq!(write(&*root, new(b"new"), b"second").await, Ok(Placed::Done));
    assert_eq!(draft.finish(new(b"new"), 5, &timed(7), Durability::Later).await, Ok(Placed::Taken));
    assert_eq!(read(&*root, b"new").await, b"second");
}

#[tokio::test]
async fn parts_are_refused_and_a_length_that_is_not_what_was_written_is_an_error() {
    let store = store();
    let root = open(&store, b"/").await;
    assert!(!store.keeps().parts);
    let mut draft = begin(&*root, new(b"a"), b"01234").await;
    assert_eq!(class(draft.write_at(7, b"x").await), ErrorClass::Fatal);
    assert_eq!(class(draft.write_at(0, b"x").await), ErrorClass::Fatal);
    let error = draft.finish(new(b"a"), 9, &timed(7), Durability::Later).await.unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Transient, "wrote 5 of 9 bytes"));
    assert_eq!(root.look(b"a").await, Ok(None));
    let original = root.open(b"file_1.txt").await.unwrap();
    let range = 3..9;
    assert_eq!(original.data_within(range.clone()).await.unwrap(), std::slice::from_ref(&range));
    let mut draft = begin(&*root, new(b"a"), b"").await;
    assert_eq!(draft.copy_range(&*original, 0..5).await, Ok(false));
}

#[tokio::test]
async fn what_is_not_kept_says_so() {
    let store = store();
    let root = open(&store, b"/").await;
    assert_eq!(class(root.open_draft(new(b"a")).await), ErrorClass::Fatal);
    assert_eq!(class(root.create_link(new(b"a"), b"x", &timed(7), Durability::Later).await), ErrorClass::Fatal);
    assert_eq!(class(root.hard_link(b"/file_1.txt", new(b"a"), Durability::Later).await), ErrorClass::Fatal);
    assert_eq!(class(root.read_link(b"file_1.txt").await), ErrorClass::Fatal);
    assert_eq!(root.extended_attributes(b"file_1.txt").await, Ok(Vec::new()));
    assert_eq!(root.remove_draft(b".draft").await, Ok(()));
    assert_eq!(store.flush().await, Ok(()));
    assert_eq!(store.free_bytes().await, Ok(None));
}

#[tokio::test]
async fn folders_are_created_once_and_get_their_time() {
    let store = store();
    let root = open(&store, b"/").await;
    assert_eq!(root.create_folder(b"new", Durability::Later).await, Ok(Placed::Done));
    assert_eq!(root.create_folder(b"new", Durability::Later).await, Ok(Placed::Taken));
    assert_eq!(root.create_folder(b"file_1.txt", Durability::Later).await, Ok(Placed::Taken));
    let folder = open(&store, b"/new").await;
    assert_eq!(folder.facts().await.unwrap().modified_ns, Some(CREATED_FOLDER_MODIFIED_NS));
    assert_eq!(folder.set_attributes(&Attributes::default(), Durability::Later).await, Ok(()));
    assert_eq!(folder.set_attributes(&timed(-9), Durability::Later).await, Ok(()));
    assert_eq!(folder.facts().await.unwrap().modified_ns, Some(-9));
    assert_eq!(write(&*folder, new(b"a"), b"bytes").await, Ok(Placed::Done));
    assert_eq!(read(&*open(&store, b"/new").await, b"a").await, b"bytes");
    assert_eq!(root.set_attributes(&timed(7), Durability::Later).await, Ok(()), "the root is passed over");
}

#[tokio::test]
async fn a_name_that_is_a_path_is_refused() {
    let store = store();
    let root = open(&store, b"/").await;
    for name in [&b""[..], b".", b"..", b"folder_1/file_1.txt", b"/file_1.txt", b"a\0b", &[b'n'; 256]] {
        assert_eq!(class(root.look(name).await), ErrorClass::BadName);
        assert_eq!(class(root.open(name).await), ErrorClass::BadName);
        assert_eq!(class(root.create_folder(name, Durability::Later).await), ErrorClass::BadName);
        assert_eq!(class(root.create(new(name)).await), ErrorClass::BadName);
    }
}

#[tokio::test]
async fn faults_of_writing_and_reading_are_passed_on_and_leave_nothing() {
    let store = store();
    let root = open(&store, b"/").await;
    let original = root.open(b"file_1.txt").await.unwrap();
    fail(&store, Operation::UploadFile, FaultClass::NoSpace);
    assert_eq!(class(root.create(new(b"a")).await), ErrorClass::NoSpace);
    assert_eq!(root.look(b"a").await, Ok(None));
    fail(&store, Operation::GetFileData, FaultClass::Denied);
    assert_eq!(class(original.read_at(0, &mut [0; 9]).await), ErrorClass::Denied);
    fail(&store, Operation::CreateFolder, FaultClass::Throttled);
    assert_eq!(class(root.create_folder(b"a", Durability::Later).await), ErrorClass::Throttled);
    fail(&store, Operation::SetModified, FaultClass::Transient);
    let folder = open(&store, b"/folder_1").await;
    assert_eq!(class(folder.set_attributes(&timed(7), Durability::Later).await), ErrorClass::Transient);
}

#[tokio::test(start_paused = true)]
async fn every_call_takes_as_long_as_the_world_says() {
    let store = store();
    let latency = LatencyConfig {
        get_node_ms: 1_000,
        create_folder_ms: 20_000,
        upload_file_ms: 300_000,
        get_file_data_ms: 4_000_000,
        ..LatencyConfig::default()
    };
    set_chaos(&store, ChaosConfig { latency, ..ChaosConfig::default() });
    let begun = tokio::time::Instant::now();
    let root = open(&store, b"/").await;
    root.look(b"file_1.txt").await.unwrap();
    root.create_folder(b"new", Durability::Later).await.unwrap();
    write(&*root, new(b"a"), b"bytes").await.unwrap();
    read(&*root, b"a").await;
    assert_eq!(begun.elapsed(), Duration::from_secs(4_323));
}
