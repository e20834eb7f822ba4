//! Drafts that stay until they are finished, for files that are written in parts and over several runs.

use std::os::unix::fs::symlink;

use longhaul_model::ErrorClass;

use super::tree::{Tree, begin, class, new, now, replacing};
use crate::folder::{Attributes, Durability, Placed};

#[test]
fn a_kept_draft_is_there_again_when_it_is_opened_again() {
    let tree = Tree::new();
    let mut draft = now(tree.root().open_draft(new(b"a"))).unwrap();
    now(draft.write_at(3, b"later")).unwrap();
    drop(draft);
    assert_eq!(tree.names(), [b".draft"]);
    let mut draft = now(tree.root().open_draft(new(b"a"))).unwrap();
    let mut bytes = [1; 20];
    assert_eq!(now(draft.read_at(0, &mut bytes)), Ok(8));
    assert_eq!(&bytes[..8], b"\0\0\0later");
    now(draft.write_at(0, b"see")).unwrap();
    let placed = now(draft.finish(new(b"a"), 8, &Attributes::default(), Durability::EachFile));
    assert_eq!(placed, Ok(Placed::Done));
    assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"seelater");
    assert_eq!(tree.names(), [b"a"]);
}

#[test]
fn several_write_to_a_kept_draft_at_a_time() {
    let tree = Tree::new();
    let parts: Vec<_> = (0..4_u8).map(|part| vec![b'a' + part; 100_000]).collect();
    std::thread::scope(|scope| {
        for (number, part) in parts.iter().enumerate() {
            let tree = &tree;
            scope.spawn(move || {
                let mut draft = now(tree.root().open_draft(new(b"a"))).unwrap();
                now(draft.write_at(number as u64 * 100_000, part)).unwrap();
            });
        }
    });
    let draft = now(tree.root().open_draft(new(b"a"))).unwrap();
    let placed = now(draft.finish(new(b"a"), 400_000, &Attributes::default(), Durability::Later));
    assert_eq!(placed, Ok(Placed::Done));
    assert!(std::fs::read(tree.at("a")).unwrap() == parts.concat());
}

#[test]
fn a_kept_draft_gets_the_length_that_is_asked_for() {
    let tree = Tree::new();
    std::fs::write(tree.at("a"), b"earlier").unwrap();
    for (size, expected) in [(2, &b"12"[..]), (9, b"12345\0\0\0\0"), (5, b"12345")] {
        let mut draft = now(tree.root().open_draft(replacing(b"a"))).unwrap();
        now(draft.write_at(0, b"12345")).unwrap();
        let placed = now(draft.finish(replacing(b"a"), size, &Attributes::default(), Durability::Later));
        assert_eq!(placed, Ok(Placed::Done));
        assert_eq!(std::fs::read(tree.at("a")).unwrap(), expected);
    }
}

#[test]
fn a_kept_draft_is_removed_when_it_cannot_be_finished() {
    let tree = Tree::new();
    let draft = now(tree.root().open_draft(new(b"a"))).unwrap();
    std::fs::write(tree.at("a"), b"earlier").unwrap();
    let placed = now(draft.finish(new(b"a"), 0, &Attributes::default(), Durability::Later));
    assert_eq!(placed, Ok(Placed::Taken));
    assert_eq!(tree.names(), [b"a"]);
    let long = [b'n'; 256];
    let draft = now(tree.root().open_draft(new(&long))).unwrap();
    let finished = now(draft.finish(new(&long), 0, &Attributes::default(), Durability::Later));
    assert_eq!(finished.unwrap_err().class, ErrorClass::BadName);
    assert_eq!(tree.names(), [b"a"]);
}

#[test]
fn what_is_not_a_draft_of_ours_is_not_written_to() {
    let tree = Tree::new();
    let root = tree.root();
    let remove = || std::fs::remove_file(tree.at(".draft")).unwrap();
    symlink(tree.outside().join("secret"), tree.at(".draft")).unwrap();
    assert_eq!(class(root.open_draft(new(b"a"))), ErrorClass::Vanished);
    remove();
    symlink(tree.outside().join("new"), tree.at(".draft")).unwrap();
    assert_eq!(class(root.open_draft(new(b"a"))), ErrorClass::Vanished);
    remove();
    std::fs::hard_link(tree.outside().join("secret"), tree.at(".draft")).unwrap();
    assert_eq!(class(root.open_draft(new(b"a"))), ErrorClass::Denied);
    remove();
    tree.fifo(".draft");
    assert_eq!(class(root.open_draft(new(b"a"))), ErrorClass::Vanished);
    remove();
    std::fs::create_dir(tree.at(".draft")).unwrap();
    assert_eq!(class(root.open_draft(new(b"a"))), ErrorClass::Vanished);
    tree.assert_outside_is_untouched();
}

#[test]
fn what_a_killed_run_left_can_be_removed_and_a_folder_stays() {
    let tree = Tree::new();
    let root = tree.root();
    assert_eq!(now(root.remove_draft(b".draft")), Ok(()));
    drop(now(root.open_draft(new(b"a"))).unwrap());
    assert_eq!(now(root.remove_draft(b".draft")), Ok(()));
    symlink(tree.outside().join("secret"), tree.at(".draft")).unwrap();
    assert_eq!(now(root.remove_draft(b".draft")), Ok(()));
    assert!(tree.names().is_empty());
    std::fs::create_dir(tree.at(".draft")).unwrap();
    assert_eq!(now(root.remove_draft(b".draft")), Ok(()));
    assert!(tree.at(".draft").is_dir());
    tree.assert_outside_is_untouched();
}

#[test]
fn a_draft_begun_anew_takes_the_place_of_a_kept_one() {
    let tree = Tree::new();
    let root = tree.root();
    let mut kept = now(root.open_draft(new(b"a"))).unwrap();
    now(kept.write_at(0, b"a longer text")).unwrap();
    drop(kept);
    let draft = begin(&*root, new(b"a"), b"short");
    let placed = now(draft.finish(new(b"a"), 5, &Attributes::default(), Durability::Later));
    assert_eq!(placed, Ok(Placed::Done));
    assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"short");
}
