//! Copying without the bytes passing through the process, and stretches without bytes.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};

use longhaul_model::ErrorClass;

use super::super::portable;
use super::tree::{Tree, begin, new, now, write};
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Original, Placed};

const MIB: u64 = 1 << 20;

/// A file of any other store.
#[derive(Debug)]
struct Elsewhere;

impl Original for Elsewhere {
    fn facts_at_opening(&self) -> Facts {
        unreachable!("nobody asks for its facts")
    }

    fn facts(&self) -> Answer<'_, Facts> {
        unreachable!("nobody asks")
    }

    fn read_at<'a>(&'a self, _offset: u64, _buffer: &'a mut [u8]) -> Answer<'a, usize> {
        unreachable!("nobody asks")
    }

    fn data_within(&self, _range: Range<u64>) -> Answer<'_, Vec<Range<u64>>> {
        unreachable!("nobody asks")
    }
}

fn finish(draft: Box<dyn Draft>, name: &[u8], size: u64) {
    let placed = now(draft.finish(new(name), size, &Attributes::default(), Durability::Later));
    assert_eq!(placed, Ok(Placed::Done));
}

/// Bytes in which every place can be told from all others near it.
fn bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

#[test]
fn a_range_is_copied_to_the_same_place() {
    let tree = Tree::new();
    let root = tree.root();
    let expected = bytes(3_000_000);
    std::fs::write(tree.at("from"), &expected).unwrap();
    let original = now(root.open(b"from")).unwrap();
    for (name, ranges) in [(b"whole", [0..3_000_000, 0..0]), (b"parts", [1_000_001..3_000_000, 0..1_000_001])] {
        let mut draft = now(root.create(new(name))).unwrap();
        for range in ranges {
            if !now(draft.copy_range(&*original, range.clone())).unwrap() {
                let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                now(draft.write_at(range.start, &expected[place])).unwrap();
            }
        }
        finish(draft, name, 3_000_000);
        assert!(std::fs::read(tree.at(name)).unwrap() == expected);
    }
}

#[test]
fn a_file_that_got_shorter_is_not_taken_for_whole() {
    let tree = Tree::new();
    let root = tree.root();
    std::fs::write(tree.at("from"), bytes(100_000)).unwrap();
    let original = now(root.open(b"from")).unwrap();
    File::options().write(true).open(tree.at("from")).unwrap().set_len(60_000).unwrap();
    let mut draft = now(root.create(new(b"to"))).unwrap();
    for range in [0..100_000, 70_000..100_000] {
        match now(draft.copy_range(&*original, range)) {
            Ok(copied) => assert!(!copied, "only a part was copied"),
            Err(error) => assert_eq!(error.class, ErrorClass::Transient),
        }
    }
    drop(draft);
    assert_eq!(tree.names(), [b"from"]);
}

#[test]
fn a_file_that_got_longer_is_copied_as_far_as_was_asked() {
    let tree = Tree::new();
    let root = tree.root();
    std::fs::write(tree.at("from"), bytes(100_000)).unwrap();
    let original = now(root.open(b"from")).unwrap();
    let mut draft = now(root.create(new(b"to"))).unwrap();
    if now(draft.copy_range(&*original, 0..60_000)).unwrap() {
        finish(draft, b"to", 60_000);
        assert!(std::fs::read(tree.at("to")).unwrap() == bytes(60_000));
    }
}

#[test]
fn what_is_not_a_file_of_this_machine_cannot_be_copied_within_it() {
    let tree = Tree::new();
    let root = tree.root();
    let mut draft = begin(&*root, new(b"a"), b"12345");
    assert_eq!(now(draft.copy_range(&Elsewhere, 0..5)), Ok(false));
    finish(draft, b"a", 5);
    assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"12345");
}

#[test]
fn another_file_system_is_copied_to_or_refused_before_anything_is_done() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    let tree = Tree::new();
    std::fs::write(other.path().join("from"), bytes(100_000)).unwrap();
    let store = std::sync::Arc::new(crate::LocalStore::open(other.path(), false).unwrap());
    let from = now(crate::Store::folder(store, b"/")).unwrap();
    let original = now(from.open(b"from")).unwrap();
    let mut draft = now(tree.root().create(new(b"to"))).unwrap();
    let expected = if now(draft.copy_range(&*original, 0..100_000)).unwrap() { bytes(100_000) } else { Vec::new() };
    finish(draft, b"to", expected.len() as u64);
    assert!(std::fs::read(tree.at("to")).unwrap() == expected);
}

#[test]
fn holes_are_found_and_can_be_made_again() {
    let tree = Tree::new();
    let root = tree.root();
    let size = 8 * MIB;
    let file = File::create(tree.at("from")).unwrap();
    file.write_all_at(&[1; 4096], MIB).unwrap();
    file.write_all_at(&[2; 4096], 5 * MIB).unwrap();
    file.set_len(size).unwrap();
    let original = now(root.open(b"from")).unwrap();
    let stretches = now(original.data_within(0..size)).unwrap();
    assert!(stretches.is_sorted_by(|one, next| one.end <= next.start));
    let mut draft = now(root.create(new(b"to"))).unwrap();
    for stretch in &stretches {
        assert!(stretch.start < stretch.end && stretch.end <= size);
        let mut bytes = vec![0; usize::try_from(stretch.end - stretch.start).unwrap()];
        assert_eq!(now(original.read_at(stretch.start, &mut bytes)), Ok(bytes.len()));
        now(draft.write_at(stretch.start, &bytes)).unwrap();
    }
    finish(draft, b"to", size);
    assert!(std::fs::read(tree.at("to")).unwrap() == std::fs::read(tree.at("from")).unwrap());
    let blocks = |name: &str| tree.at(name).metadata().unwrap().blocks();
    if blocks("from") * 512 < size && stretches != portable::data_within(file.as_fd(), 0..size).unwrap() {
        assert!(blocks("to") * 512 < size, "the holes were filled");
    }
}

#[test]
fn stretches_stay_within_what_was_asked_for() {
    let tree = Tree::new();
    let root = tree.root();
    let file = File::create(tree.at("from")).unwrap();
    file.write_all_at(&vec![1; 65_536], MIB).unwrap();
    file.set_len(4 * MIB).unwrap();
    let original = now(root.open(b"from")).unwrap();
    let within = |range: Range<u64>| now(original.data_within(range)).unwrap();
    let in_data = MIB + 10..MIB + 20;
    assert_eq!(within(in_data.clone()), std::slice::from_ref(&in_data));
    assert_eq!(within(5..5), []);
    for range in [0..4 * MIB, MIB + 100..2 * MIB, 2 * MIB..3 * MIB, 3 * MIB..9 * MIB] {
        let everywhere = portable::data_within(file.as_fd(), range.clone()).unwrap();
        assert_eq!(everywhere, std::slice::from_ref(&range));
        assert!(within(range.clone()).iter().all(|found| range.start <= found.start && found.end <= range.end));
    }
}

#[test]
fn a_hole_at_the_end_is_a_matter_of_length() {
    let tree = Tree::new();
    finish(begin(&*tree.root(), new(b"a"), b"12345"), b"a", MIB);
    let found = std::fs::read(tree.at("a")).unwrap();
    assert_eq!(found.len() as u64, MIB);
    assert!(found.starts_with(b"12345") && found[5..].iter().all(|&byte| byte == 0));
    finish(now(tree.root().create(new(b"b"))).unwrap(), b"b", 0);
    assert_eq!(tree.at("b").metadata().unwrap().len(), 0);
    assert_eq!(write(&*tree.root(), new(b"c"), b""), Ok(Placed::Done));
}
