//! Files that nobody else knows of while they are written: whole or not at all, under their name.

use std::os::unix::fs::{MetadataExt, symlink};

use longhaul_model::{ErrorClass, FileFacts};
use rustix::io::Errno;

use super::super::draft::explain_writing;
use super::tree::{Tree, begin, class, new, now, replacing, write, write_with};
use crate::folder::{Attributes, Durability, Known, Placed, Replace, Target};
use crate::store::Store;

#[test]
fn a_file_is_seen_under_its_name_only_when_it_is_whole() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        for (name, durability) in [(b"a", Durability::Later), (b"b", Durability::EachFile)] {
            let mut draft = begin(&*root, new(name), b"01234");
            now(draft.write_at(5, b"56789")).unwrap();
            assert_eq!(now(root.look(name)), Ok(None));
            let mut read_back = [0; 20];
            assert_eq!(now(draft.read_at(2, &mut read_back)), Ok(8));
            assert_eq!(&read_back[..8], b"23456789");
            let placed = now(draft.finish(new(name), 10, &Attributes::default(), durability));
            assert_eq!(placed, Ok(Placed::Done));
            assert_eq!(std::fs::read(tree.at(name)).unwrap(), b"0123456789");
        }
        assert_eq!(tree.names(), [b"a", b"b"]);
    }
}

#[test]
fn a_draft_can_be_read_by_nobody_else_until_it_has_its_mode() {
    let tree = Tree::where_all_have_names();
    let _draft = begin(&*tree.root(), new(b"a"), b"secret");
    assert_eq!(tree.at(".draft").metadata().unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    for tree in Tree::of_both_kinds() {
        let draft = begin(&*tree.root(), new(b"a"), b"bytes");
        drop(draft);
        assert!(tree.names().is_empty());
    }
}

#[test]
fn a_name_that_is_taken_by_anything_is_left_alone_and_the_draft_is_removed() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        let before = [&tree.make_others()[..], &["file"]].concat();
        std::fs::write(tree.at("file"), b"earlier").unwrap();
        let names = tree.names();
        for name in before {
            for durability in [Durability::Later, Durability::EachFile] {
                let draft = begin(&*root, new(name.as_bytes()), b"later");
                let placed = now(draft.finish(new(name.as_bytes()), 5, &Attributes::default(), durability));
                assert_eq!(placed, Ok(Placed::Taken), "{name}");
                assert_eq!(tree.names(), names);
            }
        }
        assert_eq!(std::fs::read(tree.at("file")).unwrap(), b"earlier");
        tree.assert_outside_is_untouched();
    }
}

#[test]
fn a_name_that_is_taken_while_the_draft_is_written_is_left_alone() {
    for tree in Tree::of_both_kinds() {
        let draft = begin(&*tree.root(), new(b"a"), b"later");
        std::fs::write(tree.at("a"), b"earlier").unwrap();
        let placed = now(draft.finish(new(b"a"), 5, &Attributes::default(), Durability::Later));
        assert_eq!(placed, Ok(Placed::Taken));
        assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"earlier");
        assert_eq!(tree.names(), [b"a"]);
    }
}

#[test]
fn files_and_links_can_be_replaced_and_nothing_else_can() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        tree.make_others();
        std::fs::write(tree.at("file"), b"earlier").unwrap();
        for name in ["file", "link", "dangling", "absent"] {
            assert_eq!(write(&*root, replacing(name.as_bytes()), b"later"), Ok(Placed::Done), "{name}");
            assert!(tree.at(name).symlink_metadata().unwrap().is_file());
            assert_eq!(std::fs::read(tree.at(name)).unwrap(), b"later");
        }
        for name in ["folder", "fifo"] {
            assert_eq!(write(&*root, replacing(name.as_bytes()), b"later"), Ok(Placed::Taken), "{name}");
        }
        let expected: [&[u8]; 6] = [b"absent", b"dangling", b"fifo", b"file", b"folder", b"link"];
        assert_eq!(tree.names(), expected);
        assert!(tree.at("folder").is_dir());
        tree.assert_outside_is_untouched();
    }
}

#[test]
fn what_an_earlier_run_left_under_the_temporary_name_is_replaced() {
    let tree = Tree::where_all_have_names();
    let root = tree.root();
    std::fs::write(tree.at(".draft"), b"a longer text that a killed run has left").unwrap();
    assert_eq!(write(&*root, new(b"a"), b"later"), Ok(Placed::Done));
    symlink(tree.outside().join("secret"), tree.at(".draft")).unwrap();
    assert_eq!(write(&*root, new(b"b"), b"later"), Ok(Placed::Done));
    assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"later");
    assert_eq!(std::fs::read(tree.at("b")).unwrap(), b"later");
    assert_eq!(tree.names(), [b"a", b"b"]);
    tree.assert_outside_is_untouched();
    std::fs::create_dir(tree.at(".draft")).unwrap();
    assert_eq!(class(root.create(new(b"c"))), ErrorClass::Denied);
    assert_eq!(class(root.create_link(new(b"c"), b"x", &Attributes::default(), Durability::Later)), ErrorClass::Denied);
}

#[test]
fn a_finish_that_fails_leaves_nothing() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        let nonsense = Attributes { extended: vec![(b"nonsense".to_vec(), b"x".to_vec())], ..Attributes::default() };
        let long = [b'n'; 256];
        let cases: [(&[u8], u64, Attributes, ErrorClass); 3] = [
            (b"a", 3, Attributes::default(), ErrorClass::Transient),
            (&long, 5, Attributes::default(), ErrorClass::BadName),
            (b"a", 5, nonsense, ErrorClass::Denied),
        ];
        let can_fail_so = |attributes: &Attributes| attributes.extended.is_empty() || tree.store.keeps().extended;
        for (name, size, attributes, expected) in cases.iter().filter(|case| can_fail_so(&case.2)) {
            for replace in [Replace::Nothing, Replace::Any] {
                let target = Target { replace, ..new(name) };
                let draft = begin(&*root, target, b"12345");
                let finished = now(draft.finish(target, *size, attributes, Durability::Later));
                assert_eq!(finished.map_err(|error| error.class), Err(*expected));
                assert!(tree.names().is_empty());
            }
        }
        let draft = begin(&*root, new(b"a"), b"12345");
        let finished = now(draft.finish(new(b"a"), 3, &Attributes::default(), Durability::Later));
        assert_eq!(finished.unwrap_err().message, "wrote 5 of 3 bytes");
    }
}

#[test]
fn an_owner_that_may_not_be_given_is_an_error_and_leaves_nothing() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let tree = Tree::new();
    let owned = Attributes { owner: Some((0, 0)), ..Attributes::default() };
    let written = write_with(&*tree.root(), new(b"a"), b"bytes", &owned);
    assert_eq!(written.map_err(|error| error.class), Err(ErrorClass::Denied));
    assert!(tree.names().is_empty());
}

#[test]
fn any_name_that_the_system_takes_is_kept_as_it_is() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        let long = [b'\xff'; 255];
        let names: [&[u8]; 6] = [b"caf\xe9", b" ", b"a\nb", b"-rf", b"\\", &long];
        for name in names {
            assert_eq!(write(&*root, new(name), name), Ok(Placed::Done));
            assert_eq!(std::fs::read(tree.at(name)).unwrap(), name);
            let original = now(root.open(name)).unwrap();
            let mut bytes = [0; 300];
            assert_eq!(now(original.read_at(0, &mut bytes)), Ok(name.len()));
        }
        let mut expected = names.map(<[u8]>::to_vec);
        expected.sort();
        assert_eq!(tree.names(), expected);
    }
}

#[test]
fn attributes_are_those_that_were_asked_for() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = if rustix::process::geteuid().is_root() { (12_345, 54_321) } else { own };
        let times = [1_700_000_000_123_456_789, 0, -1, -1_500_000_000_123_456_789];
        for (number, mode) in [0o644, 0o000, 0o4755, 0o6711].into_iter().enumerate() {
            let attributes = Attributes {
                modified_ns: Some(times[number]),
                mode: Some(mode),
                owner: Some(owner),
                extended: Vec::new(),
            };
            let name = format!("file {number}").into_bytes();
            assert_eq!(
                write_with(
                    &*root,
                    Target { known: Known { mode: Some(mode), ..Known::default() }, ..new(&name) },
                    b"x",
                    &attributes
                ),
                Ok(Placed::Done)
            );
            let facts = now(root.look(&name)).unwrap().unwrap();
            assert_eq!(facts.modified_ns, attributes.modified_ns);
            assert_eq!(facts.owner, attributes.owner);
            assert_eq!(facts.mode, attributes.mode);
            let found = tree.at(&name).metadata().unwrap();
            assert_eq!(found.mtime() * 1_000_000_000 + found.mtime_nsec(), times[number]);
            assert_eq!(found.mode() & 0o7777, mode);
        }
    }
}

#[test]
fn why_nothing_could_be_written_is_told_apart() {
    for (errno, class) in [
        (Errno::NOSPC, ErrorClass::NoSpace),
        (Errno::DQUOT, ErrorClass::NoSpace),
        (Errno::FBIG, ErrorClass::Denied),
        (Errno::INVAL, ErrorClass::Denied),
        (Errno::IO, ErrorClass::Transient),
        (Errno::ROFS, ErrorClass::Denied),
    ] {
        assert_eq!(explain_writing(errno).class, class, "{errno:?}");
    }
}

#[test]
fn a_file_that_changes_at_the_last_moment_is_not_replaced() {
    for tree in Tree::of_both_kinds() {
        let root = tree.root();
        std::fs::write(tree.at("a"), b"earlier").unwrap();
        let found = now(root.look(b"a")).unwrap().unwrap();
        let expected = FileFacts { size: found.size, modified_ns: found.modified_ns };
        let target = Target { replace: Replace::Only(expected), ..new(b"a") };
        let draft = begin(&*root, target, b"later");
        std::fs::write(tree.at("a"), b"somebody else's").unwrap();
        let placed = now(draft.finish(target, 5, &Attributes::default(), Durability::Later));
        assert_eq!(placed, Ok(Placed::Taken));
        assert_eq!(std::fs::read(tree.at("a")).unwrap(), b"somebody else's");
        assert_eq!(tree.names(), [b"a"]);

        let found = now(root.look(b"a")).unwrap().unwrap();
        let expected = FileFacts { size: found.size, modified_ns: found.modified_ns };
        let target = Target { replace: Replace::Only(expected), ..new(b"a") };
        let draft = begin(&*root, target, b"later");
        let placed = now(draft.finish(target, 5, &Attributes::default(), Durability::EachFile));
        assert_eq!(placed, Ok(Placed::Done));
        assert_eq!((std::fs::read(tree.at("a")).unwrap().as_slice(), tree.names().len()), (&b"later"[..], 1));

        let draft = begin(&*root, target, b"again");
        std::fs::remove_file(tree.at("a")).unwrap();
        let placed = now(draft.finish(target, 5, &Attributes::default(), Durability::Later));
        assert_eq!((placed, tree.names().len()), (Ok(Placed::Done), 1));
    }
}

#[test]
fn an_ordinary_file_system_keeps_everything_and_nothing_is_left_of_trying() {
    let tree = Tree::new();
    let expected = tree.store.keeps();
    now(tree.store.measure(b".tried")).unwrap();
    assert_eq!(tree.store.keeps(), expected);
    assert!(expected.mode && expected.symlinks && tree.names().is_empty());
}
