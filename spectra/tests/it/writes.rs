//! What is written reads back, and overrides what is generated.

use longhaul_spectra::{CREATED_FOLDER_MODIFIED_NS, FaultClass, NodeInfo, NodeKind, World};
use proptest::prelude::*;

use crate::setup::{NOW, contents, first_path, is_file, names, nodes, small, world};

fn class<T: std::fmt::Debug>(reply: longhaul_spectra::Reply<T>) -> FaultClass {
    reply.result.unwrap_err().class
}

fn primary() -> World {
    world(&small(), "primary")
}

#[test]
fn a_created_folder_is_empty_and_takes_files() {
    let world = primary();
    world.create_folder(b"/new", NOW).result.unwrap();
    assert_eq!(names(&world, b"/new", 10), Vec::<Vec<u8>>::new());
    let info = world.stat(b"/new", NOW).result.unwrap();
    assert_eq!(info, NodeInfo { kind: NodeKind::Folder, size: 0, modified_ns: CREATED_FOLDER_MODIFIED_NS });
    world.write_file(b"/new/a", b"hello", 5, false, NOW).result.unwrap();
    assert_eq!(contents(&world, b"/new/a"), b"hello");
    assert_eq!(names(&world, b"/new", 10), [b"a"]);
    assert!(names(&world, b"/", 10).contains(&b"new".to_vec()));
}

#[test]
fn what_is_there_already_is_told_apart_from_what_cannot_be_made() {
    let world = primary();
    assert_eq!(class(world.create_folder(b"/folder_1", NOW)), FaultClass::AlreadyExists);
    assert_eq!(class(world.create_folder(b"/file_1.txt", NOW)), FaultClass::AlreadyExists);
    assert_eq!(class(world.create_folder(b"/", NOW)), FaultClass::AlreadyExists);
    assert_eq!(class(world.create_folder(b"/nowhere/x", NOW)), FaultClass::Vanished);
    assert_eq!(class(world.create_folder(b"/file_1.txt/x", NOW)), FaultClass::WrongKind);
    assert_eq!(class(world.write_file(b"/file_1.txt", b"", 0, false, NOW)), FaultClass::AlreadyExists);
    assert_eq!(class(world.write_file(b"/folder_1", b"", 0, true, NOW)), FaultClass::AlreadyExists);
    assert_eq!(class(world.write_file(b"/nowhere/x", b"", 0, true, NOW)), FaultClass::Vanished);
    assert_eq!(class(world.list(b"/file_1.txt", None, 10, NOW)), FaultClass::WrongKind);
    assert_eq!(class(world.read(b"/folder_1", 0, 10, NOW)), FaultClass::WrongKind);
    assert_eq!(class(world.read(b"no-slash", 0, 10, NOW)), FaultClass::BadName);
}

#[test]
fn a_generated_file_can_be_replaced_and_removed_and_made_again() {
    let world = primary();
    let path = first_path(&world, is_file);
    let before = names(&world, b"/", 100).len();
    world.write_file(&path, b"other", 9, true, NOW).result.unwrap();
    assert_eq!(contents(&world, &path), b"other");
    let info = world.stat(&path, NOW).result.unwrap();
    assert_eq!(info, NodeInfo { kind: NodeKind::File, size: 5, modified_ns: 9 });
    world.remove(&path, NOW).result.unwrap();
    assert_eq!(class(world.stat(&path, NOW)), FaultClass::Vanished);
    assert_eq!(class(world.remove(&path, NOW)), FaultClass::Vanished);
    assert!(!nodes(&world).contains_key(&path));
    world.write_file(&path, b"again", 9, false, NOW).result.unwrap();
    assert_eq!(contents(&world, &path), b"again");
    assert_eq!(names(&world, b"/", 100).len(), before);
}

#[test]
fn other_worlds_do_not_see_what_is_written() {
    let spectra = small();
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    let before = nodes(&secondary);
    primary.create_folder(b"/new", NOW).result.unwrap();
    primary.remove_tree(b"/folder_1", NOW).result.unwrap();
    assert_eq!(nodes(&secondary), before);
}

#[test]
fn a_removed_folder_takes_everything_in_it_along_even_when_it_comes_back() {
    let world = primary();
    world.write_file(b"/folder_1/x", b"x", 0, false, NOW).result.unwrap();
    assert_eq!(class(world.remove(b"/folder_1", NOW)), FaultClass::NotEmpty);
    world.remove_tree(b"/folder_1", NOW).result.unwrap();
    assert!(nodes(&world).keys().all(|path| !path.starts_with(b"/folder_1/") && path != b"/folder_1"));
    assert_eq!(class(world.list(b"/folder_1", None, 10, NOW)), FaultClass::Vanished);
    world.create_folder(b"/folder_1", NOW).result.unwrap();
    assert!(names(&world, b"/folder_1", 10).is_empty());
    world.remove(b"/folder_1", NOW).result.unwrap();
}

#[test]
fn the_root_can_neither_be_removed_nor_renamed() {
    let world = primary();
    assert_eq!(class(world.remove_tree(b"/", NOW)), FaultClass::Denied);
    assert_eq!(class(world.rename(b"/", b"/x", false, NOW)), FaultClass::Denied);
    assert_eq!(class(world.set_modified(b"/", 1, NOW)), FaultClass::Denied);
}

#[test]
fn a_renamed_file_keeps_its_contents_and_time() {
    let world = primary();
    let path = first_path(&world, is_file);
    let (bytes, info) = (contents(&world, &path), world.stat(&path, NOW).result.unwrap());
    world.rename(&path, b"/elsewhere", false, NOW).result.unwrap();
    assert_eq!(contents(&world, b"/elsewhere"), bytes);
    assert_eq!(world.stat(b"/elsewhere", NOW).result.unwrap(), info);
    assert_eq!(class(world.stat(&path, NOW)), FaultClass::Vanished);

    let random: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    world.write_file(b"/stored", &random, 3, false, NOW).result.unwrap();
    assert_eq!(class(world.rename(b"/stored", b"/elsewhere", false, NOW)), FaultClass::AlreadyExists);
    world.rename(b"/stored", b"/elsewhere", true, NOW).result.unwrap();
    assert_eq!(contents(&world, b"/elsewhere"), random);
    assert_eq!(class(world.rename(b"/elsewhere", b"/folder_1", true, NOW)), FaultClass::AlreadyExists);
    world.rename(b"/elsewhere", b"/elsewhere", false, NOW).result.unwrap();
    assert_eq!(contents(&world, b"/elsewhere"), random);
}

#[test]
fn a_renamed_folder_keeps_what_is_generated_and_what_was_written_in_it() {
    let world = primary();
    world.write_file(b"/folder_1/folder_1/x", b"x", 0, false, NOW).result.unwrap();
    world.remove(b"/folder_1/file_1.txt", NOW).result.unwrap();
    let below = |prefix: &[u8]| -> Vec<(Vec<u8>, NodeInfo)> {
        let within = |(path, info): (Vec<u8>, NodeInfo)| Some((path.strip_prefix(prefix)?.to_vec(), info));
        nodes(&world).into_iter().filter_map(within).collect()
    };
    let before = below(b"/folder_1/");
    assert!(before.len() > 10);
    assert_eq!(class(world.rename(b"/folder_1", b"/folder_1/in", false, NOW)), FaultClass::BadName);
    world.rename(b"/folder_1", b"/folder_2/moved", false, NOW).result.unwrap();
    assert_eq!(below(b"/folder_2/moved/"), before);
    assert!(below(b"/folder_1/").is_empty());
    assert_eq!(contents(&world, b"/folder_2/moved/folder_1/x"), b"x");
}

#[test]
fn a_time_that_is_set_changes_nothing_else() {
    let world = primary();
    let path = first_path(&world, is_file);
    let bytes = contents(&world, &path);
    let below = names(&world, b"/folder_1", 100);
    world.set_modified(&path, -3, NOW).result.unwrap();
    world.set_modified(b"/folder_1", 4, NOW).result.unwrap();
    assert_eq!(world.stat(&path, NOW).result.unwrap().modified_ns, -3);
    assert_eq!(contents(&world, &path), bytes);
    assert_eq!(world.stat(b"/folder_1", NOW).result.unwrap().modified_ns, 4);
    assert_eq!(names(&world, b"/folder_1", 100), below);
    let root = world.list(b"/", None, 100, NOW).result.unwrap().entries;
    let listed = root.iter().find(|entry| entry.name == b"folder_1").unwrap();
    assert_eq!(listed.info.modified_ns, 4);
}

#[test]
fn nothing_is_seen_of_a_file_before_it_is_finished_or_when_it_never_is() {
    let world = primary();
    let mut writer = world.begin_file(b"/slow", false, NOW).result.unwrap();
    for _ in 0..40 {
        writer.append(&vec![7; 100_000]).unwrap();
    }
    assert_eq!(class(world.stat(b"/slow", NOW)), FaultClass::Vanished);
    drop(writer);
    assert_eq!(class(world.stat(b"/slow", NOW)), FaultClass::Vanished);
    let mut writer = world.begin_file(b"/slow", false, NOW).result.unwrap();
    writer.append(b"whole").unwrap();
    world.write_file(b"/slow", b"faster", 0, false, NOW).result.unwrap();
    assert_eq!(writer.finish(0, NOW).unwrap_err().class, FaultClass::AlreadyExists);
    assert_eq!(contents(&world, b"/slow"), b"faster");
}

#[test]
fn names_of_any_bytes_go_through_in_a_fixed_order() {
    let world = primary();
    world.create_folder(b"/odd", NOW).result.unwrap();
    let odd: [&[u8]; 8] =
        [b"folder_2", b"folder_10", b"file_3.txt", b"\n", b"A", b"a", b"folder_02", b"\xff\xfe not utf-8 '\"%"];
    for name in odd.iter().rev() {
        let path = [b"/odd/", *name].concat();
        world.write_file(&path, name, 0, false, NOW).result.unwrap();
        assert_eq!(contents(&world, &path), *name);
    }
    for limit in 1..10 {
        assert_eq!(names(&world, b"/odd", limit), odd);
    }
}

#[test]
fn two_threads_that_create_the_same_folder_cannot_both_succeed() {
    let world = primary();
    for round in 0..50 {
        let path = format!("/race_{round}").into_bytes();
        let created: usize = std::thread::scope(|scope| {
            let attempts: Vec<_> =
                (0..2).map(|_| scope.spawn(|| usize::from(world.create_folder(&path, NOW).result.is_ok()))).collect();
            attempts.into_iter().map(|attempt| attempt.join().unwrap()).sum()
        });
        assert_eq!(created, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The file is a generated stream up to some byte and anything from there on, in pieces of any size: what is
    /// recognized, and when that is given up, must not show.
    #[test]
    fn a_file_reads_back_byte_for_byte_however_it_was_written(
        generated in 0_usize..150_000,
        other in proptest::collection::vec(any::<u8>(), 0..3000),
        repeat in 1_usize..60,
        piece in 1_usize..70_000,
        offset in 0_usize..200_000,
    ) {
        let mut config = crate::setup::small_config();
        config.seed.min_file_size = 150_000;
        config.seed.max_file_size = 150_000;
        let spectra = crate::setup::open(config);
        let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
        let mut bytes = primary.read(b"/file_1.txt", 0, generated, NOW).result.unwrap();
        bytes.extend(other.repeat(repeat));
        let mut writer = secondary.begin_file(b"/copy", false, NOW).result.unwrap();
        for piece in bytes.chunks(piece) {
            writer.append(piece).unwrap();
        }
        writer.finish(1, NOW).unwrap();
        prop_assert!(contents(&secondary, b"/copy") == bytes);
        let start = offset.min(bytes.len());
        let part = secondary.read(b"/copy", start as u64, 1000, NOW).result.unwrap();
        prop_assert!(part == bytes[start..bytes.len().min(start + 1000)]);
    }

    /// Writes and removals at random, against a plain map, with listings by pages of any size.
    #[test]
    fn a_folder_lists_what_a_map_would(
        steps in proptest::collection::vec((0_u8..3, 0_u32..14, any::<bool>()), 0..40),
        limit in 1_usize..9,
    ) {
        let world = primary();
        let mut expected = nodes(&world);
        for (action, number, numbered) in steps {
            let name = if numbered { format!("file_{number}.txt") } else { format!("other_{number}") };
            let path = [b"/folder_1/", name.as_bytes()].concat();
            if action == 0 {
                prop_assert_eq!(world.remove(&path, NOW).result.is_ok(), expected.remove(&path).is_some());
            } else {
                world.write_file(&path, name.as_bytes(), i64::from(number), true, NOW).result.unwrap();
                let info = NodeInfo { kind: NodeKind::File, size: name.len() as u64, modified_ns: i64::from(number) };
                expected.insert(path, info);
            }
        }
        prop_assert_eq!(&nodes(&world), &expected);
        let mut listed = names(&world, b"/folder_1", limit);
        prop_assert_eq!(&listed, &names(&world, b"/folder_1", usize::MAX));
        listed.sort();
        let children = |path: &Vec<u8>| {
            path.strip_prefix(b"/folder_1/").filter(|rest| !rest.contains(&b'/')).map(<[u8]>::to_vec)
        };
        prop_assert_eq!(listed, expected.keys().filter_map(children).collect::<Vec<_>>());
    }
}
