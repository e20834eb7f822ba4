//! Looking at entries, and making those that are not regular files.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};

use longhaul_model::{ErrorClass, NodeKind};

use super::tree::{Tree, class, new, now, replacing, write_with};
use crate::folder::{Attributes, Durability, Folder, Placed};
use crate::store::Store;

#[test]
fn every_kind_of_entry_is_seen_as_what_it_is() {
    let tree = Tree::new();
    let root = tree.root();
    tree.make_others();
    std::fs::write(tree.at("file"), b"12345").unwrap();
    let look = |name: &str| now(root.look(name.as_bytes())).unwrap().expect("it is there");
    assert_eq!((look("file").kind, look("file").size), (NodeKind::File, Some(5)));
    assert_eq!((look("dangling").kind, look("dangling").size), (NodeKind::Symlink, Some(7)));
    assert_eq!((look("folder").kind, look("folder").size), (NodeKind::Folder, None));
    assert_eq!((look("fifo").kind, look("fifo").size), (NodeKind::Other, None));
    assert_eq!(now(root.look(b"none")), Ok(None));
    assert_eq!(class(root.look(&[b'n'; 256])), ErrorClass::BadName);
    assert_eq!(now(tree.open(b"/folder").unwrap().facts()).unwrap().kind, NodeKind::Folder);
    let opened = now(root.open(b"file")).unwrap();
    assert_eq!(now(opened.facts()).unwrap(), look("file"));
}

#[test]
fn a_name_that_is_a_path_is_refused_by_every_call() {
    let tree = Tree::new();
    std::fs::create_dir(tree.at("folder")).unwrap();
    let root = tree.root();
    let nothing = Attributes::default();
    for name in [&b""[..], b".", b"..", b"folder/a", b"/a", b"../outside/secret", b"a\0b"] {
        let mut classes = vec![
            class(root.look(name)),
            class(root.open(name)),
            class(root.read_link(name)),
            class(root.create_folder(name, Durability::Later)),
            class(root.create(new(name))),
            class(root.open_draft(new(name))),
            class(root.create_link(new(name), b"x", &nothing, Durability::Later)),
            class(root.hard_link(b"/folder", new(name), Durability::Later)),
            class(root.remove_draft(name)),
        ];
        if !name.is_empty() {
            classes.push(class(root.extended_attributes(name)));
        }
        let temporary = crate::folder::Target {
            name: b"a",
            temporary: name,
            replace: crate::folder::Replace::Nothing,
            known: crate::folder::Known::default(),
        };
        classes.extend([class(root.create(temporary)), class(root.open_draft(temporary))]);
        assert!(classes.iter().all(|&class| class == ErrorClass::BadName), "{}: {classes:?}", name.escape_ascii());
    }
    assert_eq!(tree.names(), [b"folder"]);
    tree.assert_outside_is_untouched();
}

#[test]
fn a_folder_is_ours_alone_until_its_attributes_are_set() {
    let tree = Tree::new();
    assert_eq!(now(tree.root().create_folder(b"new", Durability::Later)), Ok(Placed::Done));
    assert_eq!(tree.at("new").metadata().unwrap().mode() & 0o7777, 0o700);
    let folder = tree.open(b"/new").unwrap();
    for modified_ns in [-1_000_000_001, 1_700_000_000_000_000_007] {
        let attributes = Attributes { modified_ns: Some(modified_ns), mode: Some(0o1755), ..Attributes::default() };
        assert_eq!(now(folder.set_attributes(&attributes, Durability::Later)), Ok(()));
        let facts = now(folder.facts()).unwrap();
        assert_eq!((facts.modified_ns, facts.mode), (Some(modified_ns), Some(0o1755)));
    }
    // Where nothing is said of its permissions it has those of any new folder.
    std::fs::create_dir(tree.at("usual")).unwrap();
    assert_eq!(now(folder.set_attributes(&Attributes::default(), Durability::Later)), Ok(()));
    let facts = now(folder.facts()).unwrap();
    let usual = now(tree.open(b"/usual").unwrap().facts()).unwrap();
    assert_eq!((facts.modified_ns, facts.mode), (Some(1_700_000_000_000_000_007), usual.mode));
}

#[test]
fn a_folder_is_not_created_where_something_is() {
    let tree = Tree::new();
    for name in tree.make_others() {
        assert_eq!(now(tree.root().create_folder(name.as_bytes(), Durability::Later)), Ok(Placed::Taken), "{name}");
    }
    assert_eq!(class(tree.root().create_folder(&[b'n'; 256], Durability::Later)), ErrorClass::BadName);
    tree.assert_outside_is_untouched();
}

#[test]
fn a_link_is_made_whole_with_its_time_and_read_back() {
    let tree = Tree::new();
    let root = tree.root();
    let long = [b'l'; 4_000];
    let targets: [&[u8]; 4] = [b"../outside/secret", b"caf\xe9\n", b"/", &long];
    for (number, points_to) in targets.into_iter().enumerate() {
        let name = [b"link ", [b'0' + u8::try_from(number).unwrap()].as_slice()].concat();
        let attributes = Attributes { modified_ns: Some(-1_234_567_891), ..Attributes::default() };
        assert_eq!(now(root.create_link(new(&name), points_to, &attributes, Durability::Later)), Ok(Placed::Done));
        assert_eq!(now(root.read_link(&name)).unwrap(), points_to);
        assert_eq!(std::fs::read_link(tree.at(&name)).unwrap().as_os_str().as_bytes(), points_to);
        assert_eq!(now(root.look(&name)).unwrap().unwrap().modified_ns, attributes.modified_ns);
    }
    assert_eq!(tree.names().len(), 4);
    tree.assert_outside_is_untouched();
}

#[test]
fn a_link_takes_the_place_of_files_and_links_only_if_it_may() {
    let tree = Tree::new();
    let root = tree.root();
    let nothing = Attributes::default();
    tree.make_others();
    std::fs::write(tree.at("file"), b"12345").unwrap();
    let names = tree.names();
    for name in &names {
        assert_eq!(now(root.create_link(new(name), b"x", &nothing, Durability::Later)), Ok(Placed::Taken));
    }
    for name in [&b"file"[..], b"link", b"dangling"] {
        assert_eq!(now(root.create_link(replacing(name), b"x", &nothing, Durability::Later)), Ok(Placed::Done));
        assert_eq!(now(root.read_link(name)).unwrap(), b"x");
    }
    for name in [&b"folder"[..], b"fifo"] {
        assert_eq!(now(root.create_link(replacing(name), b"x", &nothing, Durability::Later)), Ok(Placed::Taken));
    }
    assert_eq!(tree.names(), names, "no draft is left");
    tree.assert_outside_is_untouched();
}

#[test]
fn a_link_that_cannot_be_made_leaves_nothing() {
    let tree = Tree::new();
    let root = tree.root();
    let nothing = Attributes::default();
    assert_eq!(class(root.create_link(new(b"a"), b"", &nothing, Durability::Later)), ErrorClass::BadName);
    assert_eq!(class(root.create_link(new(b"a"), &[b'l'; 5_000], &nothing, Durability::Later)), ErrorClass::BadName);
    assert_eq!(class(root.create_link(new(&[b'n'; 256]), b"x", &nothing, Durability::Later)), ErrorClass::BadName);
    if !rustix::process::geteuid().is_root() {
        let owned = Attributes { owner: Some((0, 0)), ..Attributes::default() };
        assert_eq!(class(root.create_link(new(b"a"), b"x", &owned, Durability::Later)), ErrorClass::Denied);
    }
    assert!(tree.names().is_empty());
}

#[test]
fn what_is_not_a_link_has_no_target() {
    let tree = Tree::new();
    std::fs::write(tree.at("file"), b"").unwrap();
    assert_eq!(class(tree.root().read_link(b"file")), ErrorClass::Vanished);
    assert_eq!(class(tree.root().read_link(b"none")), ErrorClass::Vanished);
}

#[test]
fn a_file_gets_another_name_and_both_are_known_to_be_the_same() {
    let tree = Tree::new();
    std::fs::create_dir_all(tree.at("a/b")).unwrap();
    std::fs::write(tree.at("a/b/file"), b"12345").unwrap();
    std::fs::write(tree.at("top"), b"12345").unwrap();
    let (root, below) = (tree.root(), tree.open(b"/a/b").unwrap());
    let look = |folder: &dyn Folder, name: &[u8]| now(folder.look(name)).unwrap().unwrap();
    assert_eq!(look(&*below, b"file").shared, None);
    assert_eq!(now(root.hard_link(b"/a/b/file", new(b"other"), Durability::Later)), Ok(Placed::Done));
    assert_eq!(now(below.hard_link(b"/top", new(b"other"), Durability::Later)), Ok(Placed::Done));
    assert!(look(&*root, b"other").shared.is_some());
    assert_eq!(look(&*root, b"other").shared, look(&*below, b"file").shared);
    assert_eq!(look(&*root, b"top").shared, look(&*below, b"other").shared);
    assert_ne!(look(&*root, b"top").shared, look(&*root, b"other").shared);
    assert_eq!(now(root.hard_link(b"/a/b/file", new(b"top"), Durability::Later)), Ok(Placed::Taken));
    assert_eq!(class(root.hard_link(b"/a/b/none", new(b"new"), Durability::Later)), ErrorClass::Vanished);
    assert_eq!(class(root.hard_link(b"/none/file", new(b"new"), Durability::Later)), ErrorClass::Vanished);
    assert_eq!(class(root.hard_link(b"/a/b", new(b"new"), Durability::Later)), ErrorClass::Vanished);
    assert_eq!(class(root.hard_link(b"/", new(b"new"), Durability::Later)), ErrorClass::BadName);
}

#[test]
fn a_name_of_another_file_becomes_one_of_this_file_only_where_it_may() {
    let tree = Tree::new();
    for (name, contents) in [("one", "1"), ("taken", "2"), (".draft", "left over")] {
        std::fs::write(tree.at(name), contents).unwrap();
    }
    std::fs::create_dir(tree.at("folder")).unwrap();
    let root = tree.root();
    for durability in [Durability::Later, Durability::EachFile] {
        // The second time it is a name of that file already.
        assert_eq!(now(root.hard_link(b"/one", replacing(b"taken"), durability)), Ok(Placed::Done));
        assert_eq!(std::fs::read(tree.at("taken")).unwrap(), b"1");
        assert_eq!(tree.at("one").metadata().unwrap().nlink(), 2);
        assert_eq!(tree.names(), [&b"folder"[..], b"one", b"taken"]);
    }
    assert_eq!(now(root.hard_link(b"/one", replacing(b"folder"), Durability::Later)), Ok(Placed::Taken));
    assert_eq!(now(root.hard_link(b"/one", replacing(b"new"), Durability::Later)), Ok(Placed::Done));
    assert_eq!(tree.names(), [&b"folder"[..], b"new", b"one", b"taken"]);
}

#[test]
fn a_second_name_is_never_given_to_something_outside() {
    let tree = Tree::new();
    symlink(tree.outside(), tree.at("out")).unwrap();
    symlink(tree.outside().join("secret"), tree.at("link")).unwrap();
    let root = tree.root();
    for existing in [&b"/out/secret"[..], b"/link", b"/../outside/secret", b"/out/../secret"] {
        assert!(now(root.hard_link(existing, new(b"new"), Durability::Later)).is_err(), "{}", existing.escape_ascii());
    }
    assert_eq!(tree.names(), [&b"link"[..], b"out"]);
    assert_eq!(tree.outside().join("secret").metadata().unwrap().nlink(), 1);
}

#[test]
fn extended_attributes_are_kept_where_the_store_says_so() {
    let tree = Tree::new();
    let root = tree.root();
    let mut extended = vec![
        (b"user.empty".to_vec(), Vec::new()),
        (b"user.long".to_vec(), vec![7; 2_000]),
        (b"user.na\xefve".to_vec(), b"\0\xff".to_vec()),
    ];
    extended.sort();
    let attributes = Attributes { extended: extended.clone(), mode: Some(0o400), ..Attributes::default() };
    assert_eq!(write_with(&*root, new(b"file"), b"x", &attributes), Ok(Placed::Done));
    std::fs::create_dir(tree.at("folder")).unwrap();
    let folder = tree.open(b"/folder").unwrap();
    assert_eq!(now(folder.set_attributes(&attributes, Durability::Later)), Ok(()));
    symlink("file", tree.at("link")).unwrap();
    tree.fifo("fifo");
    let expected = if tree.store.keeps().extended { extended } else { Vec::new() };
    let read = |folder: &dyn Folder, name: &[u8]| {
        let mut found = now(folder.extended_attributes(name)).unwrap();
        found.sort();
        found
    };
    assert_eq!(read(&*root, b"file"), expected);
    assert_eq!(read(&*root, b"folder"), expected);
    assert_eq!(read(&*folder, b""), expected);
    assert_eq!(read(&*root, b"link"), []);
    assert_eq!(read(&*root, b"fifo"), []);
    assert_eq!(class(root.extended_attributes(b"none")), ErrorClass::Vanished);
}

#[test]
fn what_was_written_can_be_made_durable_and_room_is_known() {
    let tree = Tree::new();
    std::fs::create_dir(tree.at("folder")).unwrap();
    let _folder = tree.open(b"/folder").unwrap();
    assert_eq!(now(tree.store.flush()), Ok(()));
    assert!(now(tree.store.free_bytes()).unwrap().is_some());
}

#[test]
fn a_folder_that_may_not_be_written_to_says_so() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let tree = Tree::new();
    std::fs::create_dir(tree.at("closed")).unwrap();
    let folder = tree.open(b"/closed").unwrap();
    assert_eq!(
        now(folder.set_attributes(&Attributes { mode: Some(0o500), ..Attributes::default() }, Durability::Later)),
        Ok(())
    );
    assert_eq!(class(folder.create(new(b"a"))), ErrorClass::Denied);
    assert_eq!(class(folder.open_draft(new(b"a"))), ErrorClass::Denied);
    assert_eq!(class(folder.create_folder(b"a", Durability::Later)), ErrorClass::Denied);
    assert_eq!(
        class(folder.create_link(new(b"a"), b"x", &Attributes::default(), Durability::Later)),
        ErrorClass::Denied
    );
    std::fs::write(tree.at("unreadable"), b"x").unwrap();
    rustix::fs::chmod(tree.at("unreadable"), rustix::fs::Mode::empty()).unwrap();
    assert_eq!(class(tree.root().open(b"unreadable")), ErrorClass::Denied);
}
