//! What Linux does in one call and other systems in several comes to the same.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use rustix::io::Errno;

use super::super::{open_below, portable, system};
use super::tree::Tree;
use crate::folder::Placed;

#[test]
fn a_name_is_given_without_replacing_anything_in_every_way() {
    for rename in [system::rename_new, portable::rename_new, portable::rename_unseen] {
        let tree = Tree::new();
        tree.make_others();
        let folder = open_below(tree.store.root.folder.as_fd(), b".").unwrap();
        let before = tree.names();
        for name in &before {
            std::fs::write(tree.at(".draft"), b"later").unwrap();
            assert_eq!(rename(folder.as_fd(), b".draft", name), Ok(Placed::Taken));
            std::fs::remove_file(tree.at(".draft")).unwrap();
            assert_eq!(tree.names(), before);
        }
        std::fs::write(tree.at(".draft"), b"later").unwrap();
        assert_eq!(rename(folder.as_fd(), b".draft", b"a new file"), Ok(Placed::Done));
        assert_eq!(std::fs::read(tree.at("a new file")).unwrap(), b"later");
        symlink(tree.outside().join("secret"), tree.at(".draft")).unwrap();
        assert_eq!(rename(folder.as_fd(), b".draft", b"a new link"), Ok(Placed::Done));
        assert_eq!(std::fs::read_link(tree.at("a new link")).unwrap(), tree.outside().join("secret"));
        assert_eq!(rename(folder.as_fd(), b".draft", b"nothing"), Err(Errno::NOENT));
        assert_eq!(tree.names().len(), before.len() + 2);
        tree.assert_outside_is_untouched();
    }
}
