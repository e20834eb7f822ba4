//! The tree does not depend on who asks, when, and in which order.

use std::thread;

use longhaul_spectra::NodeKind;
use proptest::prelude::*;

use crate::setup::{NOW, contents, names, nodes, open, parent, small, small_config, world};

#[test]
fn the_tree_is_the_same_from_any_number_of_threads_in_any_order() {
    let expected = nodes(&world(&small(), "s1"));
    let spectra = small();
    thread::scope(|scope| {
        for turn in 0..4_usize {
            let world = world(&spectra, "s1");
            let expected = &expected;
            scope.spawn(move || {
                let mut paths: Vec<_> = expected.keys().collect();
                let middle = paths.len() * turn / 4;
                paths.rotate_left(middle);
                if turn % 2 == 1 {
                    paths.reverse();
                }
                for path in paths {
                    assert_eq!(world.stat(path, NOW).result.unwrap(), expected[path]);
                    if expected[path].kind == NodeKind::Folder {
                        let listed = world.list(path, None, usize::MAX, NOW).result.unwrap();
                        for entry in listed.entries.iter() {
                            let child = [if path == b"/" { b"" } else { &path[..] }, b"/", entry.name].concat();
                            assert_eq!(entry.info, expected[&child]);
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn contents_are_the_same_in_every_instance_and_differ_from_file_to_file() {
    let (one, other) = (small(), small());
    let (one, other) = (world(&one, "primary"), world(&other, "primary"));
    let mut seen = std::collections::HashMap::new();
    for (path, info) in nodes(&one).into_iter().rev() {
        if info.kind == NodeKind::File {
            let bytes = contents(&one, &path);
            assert_eq!(bytes.len() as u64, info.size);
            assert_eq!(bytes, contents(&other, &path));
            if bytes.len() >= 8 {
                assert_eq!(seen.insert(bytes[..8].to_vec(), path), None);
            }
        }
    }
    assert!(seen.len() > 50);
}

#[test]
fn another_binary_seed_changes_the_contents_and_nothing_else() {
    let mut config = small_config();
    config.seed.file_binary_seed = 1;
    let (one, other) = (small(), open(config));
    let (one, other) = (world(&one, "primary"), world(&other, "primary"));
    assert_eq!(nodes(&one), nodes(&other));
    let path = crate::setup::first_path(&one, crate::setup::is_file);
    assert_ne!(contents(&one, &path), contents(&other, &path));
}

#[test]
fn another_seed_gives_another_tree() {
    let mut config = small_config();
    config.seed.seed = 12;
    assert_ne!(nodes(&world(&small(), "primary")), nodes(&world(&open(config), "primary")));
}

#[test]
fn every_node_is_in_a_folder_that_lists_it() {
    let spectra = small();
    let world = world(&spectra, "s1");
    let all = nodes(&world);
    for path in all.keys().filter(|path| *path != b"/") {
        assert_eq!(all[&parent(path)].kind, NodeKind::Folder);
        let name = &path[path.iter().rposition(|byte| *byte == b'/').unwrap() + 1..];
        assert!(names(&world, &parent(path), 100).iter().any(|listed| listed == name));
    }
}

#[test]
fn numbers_of_children_and_depth_stay_within_the_configuration() {
    let spectra = small();
    let world = world(&spectra, "primary");
    for (path, info) in nodes(&world) {
        let depth = if path == b"/" { 0 } else { path.split(|byte| *byte == b'/').count() - 1 };
        assert!(depth <= 3);
        if info.kind == NodeKind::Folder {
            let listed = world.list(&path, None, usize::MAX, NOW).result.unwrap().entries;
            let folders = listed.kinds().iter().filter(|kind| **kind == NodeKind::Folder).count();
            let files = listed.len() - folders;
            if depth == 3 {
                assert_eq!((folders, files), (0, 0));
            } else {
                assert!((2..=5).contains(&folders) && (3..=9).contains(&files), "{folders}, {files}");
            }
        }
    }
}

#[test]
fn what_is_not_listed_is_not_there() {
    let spectra = small();
    let world = world(&spectra, "primary");
    for path in ["/folder_6", "/folder_0", "/folder_01", "/file_10.txt", "/file_1", "/x", "/file_1.txt/folder_1"] {
        let fault = world.stat(path.as_bytes(), NOW).result.unwrap_err();
        assert_eq!(fault.class, longhaul_spectra::FaultClass::Vanished, "{path}");
    }
}

#[test]
fn a_million_files_in_one_folder_are_listed_by_pages() {
    let mut config = small_config();
    config.seed.min_files = 1_000_000;
    config.seed.max_files = 1_000_000;
    config.seed.max_depth = 1;
    let spectra = open(config);
    let world = world(&spectra, "primary");
    let last = world.list(b"/", Some(b"file_999990.txt"), 1000, NOW).result.unwrap();
    assert_eq!((last.entries.len(), last.next), (10, None));
    assert_eq!(world.count().unwrap().total.files, 1_000_000);
}

proptest! {
    #[test]
    fn pages_cover_a_folder_exactly(limit in 0_usize..20, name in prop_oneof![Just("primary"), Just("s1")]) {
        let spectra = small();
        let world = world(&spectra, name);
        let whole = names(&world, b"/", usize::MAX);
        prop_assert_eq!(names(&world, b"/", limit), whole);
    }

    #[test]
    fn a_read_at_any_offset_is_that_slice_of_the_whole(offset in 0_usize..25_000, length in 0_usize..25_000) {
        let spectra = small();
        let world = world(&spectra, "primary");
        let path = crate::setup::first_path(&world, |_, info| info.size > 5000);
        let whole = contents(&world, &path);
        let start = offset.min(whole.len());
        let end = (offset + length).min(whole.len()).max(start);
        let part = world.read(&path, offset as u64, length, NOW).result.unwrap();
        prop_assert_eq!(part, &whole[start..end]);
    }
}
