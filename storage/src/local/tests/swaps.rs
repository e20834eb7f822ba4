//! Entries that became something else while nobody looked: nothing outside the root is read or written, and nothing
//! waits.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use longhaul_model::ErrorClass;

use super::tree::{Tree, begin, class, new, now, write};
use crate::folder::{Attributes, Durability, Placed};

#[test]
fn what_is_not_a_regular_file_any_more_is_not_opened() {
    let tree = Tree::new();
    tree.make_others();
    let _listener = UnixListener::bind(tree.at("socket")).unwrap();
    let root = tree.root();
    for (name, message) in [
        ("link", "it is a symbolic link now"),
        ("dangling", "it is a symbolic link now"),
        ("folder", "it is not a regular file any more"),
        ("fifo", "it is not a regular file any more"),
        ("socket", "it is not a regular file any more"),
    ] {
        let error = now(root.open(name.as_bytes())).expect_err(name);
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Vanished, message), "{name}");
    }
    assert_eq!(class(root.open(b"none")), ErrorClass::Vanished);
}

#[test]
fn a_folder_that_became_a_link_is_not_entered() {
    let tree = Tree::new();
    std::fs::create_dir_all(tree.at("a/b")).unwrap();
    symlink(tree.outside(), tree.at("out")).unwrap();
    symlink("a", tree.at("in")).unwrap();
    std::fs::write(tree.at("file"), b"").unwrap();
    for path in [&b"/out"[..], b"/out/x", b"/in", b"/in/b"] {
        assert_eq!(tree.open(path).unwrap_err().class, ErrorClass::Vanished, "{}", path.escape_ascii());
    }
    #[cfg(target_os = "linux")]
    {
        let message = tree.open(b"/in/b").unwrap_err().message;
        assert_eq!(message, "a folder on the way has been replaced by a symbolic link");
    }
    assert_eq!(tree.open(b"/file").unwrap_err().message, "it is not a folder any more");
    assert_eq!(tree.open(b"/none").unwrap_err().class, ErrorClass::Vanished);
    assert!(tree.open(b"/../outside").is_err());
}

#[test]
fn a_destination_folder_that_is_swapped_for_a_link_leads_nowhere_else() {
    let tree = Tree::new();
    std::fs::create_dir(tree.at("folder")).unwrap();
    let folder = tree.open(b"/folder").unwrap();
    let draft = begin(&*folder, new(b"a"), b"bytes");
    std::fs::rename(tree.at("folder"), tree.at("moved")).unwrap();
    symlink(tree.outside(), tree.at("folder")).unwrap();
    let placed = now(draft.finish(new(b"a"), 5, &Attributes::default(), Durability::EachFile));
    assert_eq!(placed, Ok(Placed::Done));
    assert_eq!(write(&*folder, new(b"b"), b"bytes"), Ok(Placed::Done));
    assert_eq!(now(folder.create_folder(b"c", Durability::Later)), Ok(Placed::Done));
    assert_eq!(now(folder.create_link(new(b"d"), b"x", &Attributes::default(), Durability::Later)), Ok(Placed::Done));
    for name in ["a", "b", "c", "d"] {
        assert!(tree.at("moved").join(name).symlink_metadata().is_ok(), "{name}");
    }
    assert_eq!(tree.open(b"/folder").unwrap_err().class, ErrorClass::Vanished);
    tree.assert_outside_is_untouched();
}

#[test]
fn a_destination_folder_that_is_removed_is_gone_for_every_call() {
    let tree = Tree::where_all_have_names();
    std::fs::create_dir(tree.at("folder")).unwrap();
    let folder = tree.open(b"/folder").unwrap();
    std::fs::remove_dir(tree.at("folder")).unwrap();
    assert_eq!(class(folder.create(new(b"a"))), ErrorClass::Vanished);
    assert_eq!(class(folder.open_draft(new(b"a"))), ErrorClass::Vanished);
    assert_eq!(class(folder.create_folder(b"a", Durability::Later)), ErrorClass::Vanished);
    assert_eq!(
        class(folder.create_link(new(b"a"), b"x", &Attributes::default(), Durability::Later)),
        ErrorClass::Vanished
    );
}

#[test]
fn a_draft_without_a_name_gets_none_in_a_folder_that_is_removed() {
    let tree = Tree::new();
    std::fs::create_dir(tree.at("folder")).unwrap();
    let draft = begin(&*tree.open(b"/folder").unwrap(), new(b"a"), b"bytes");
    assert!(std::fs::read_dir(tree.at("folder")).unwrap().next().is_none(), "there is no name to be seen");
    std::fs::remove_dir(tree.at("folder")).unwrap();
    let finished = now(draft.finish(new(b"a"), 5, &Attributes::default(), Durability::Later));
    assert_eq!(finished.unwrap_err().class, ErrorClass::Vanished);
}

#[test]
fn a_draft_that_somebody_removed_is_not_taken_for_finished() {
    let tree = Tree::where_all_have_names();
    let draft = begin(&*tree.root(), new(b"a"), b"bytes");
    std::fs::remove_file(tree.at(".draft")).unwrap();
    let finished = now(draft.finish(new(b"a"), 5, &Attributes::default(), Durability::Later));
    assert_eq!(finished.unwrap_err().class, ErrorClass::Vanished);
    assert!(tree.names().is_empty());
}

#[test]
fn what_is_put_in_the_place_of_a_draft_can_lead_nowhere_else() {
    let tree = Tree::where_all_have_names();
    let root = tree.root();
    let mut draft = begin(&*root, new(b"a"), b"bytes");
    std::fs::remove_file(tree.at(".draft")).unwrap();
    symlink(tree.outside().join("secret"), tree.at(".draft")).unwrap();
    now(draft.write_at(5, b"more")).unwrap();
    let attributes = Attributes { mode: Some(0o777), modified_ns: Some(0), ..Attributes::default() };
    let _ = now(draft.finish(new(b"a"), 9, &attributes, Durability::Later));
    tree.assert_outside_is_untouched();
}
