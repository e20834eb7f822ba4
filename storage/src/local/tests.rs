mod drafts;
mod entries;
mod holes;
mod kept_drafts;
mod swaps;
mod tree;
mod twins;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use longhaul_model::decode_name;

use super::*;

fn list_all(mut listing: impl Iterator<Item = Result<Page, StoreError>>) -> BTreeMap<Vec<u8>, (String, Option<i64>)> {
    let mut entries = BTreeMap::new();
    for page in &mut listing {
        for entry in page.expect("the listing succeeds").iter() {
            let earlier = entries.insert(decode_name(entry.name).unwrap(), (entry.kind.to_string(), entry.size));
            assert!(earlier.is_none(), "{} is listed twice", entry.name);
        }
    }
    assert!(listing.next().is_none(), "a listing that has ended stays so");
    entries
}

fn root_of(path: &Path) -> Arc<Root> {
    LocalStore::open(path, false).expect("the folder can be opened").root
}

/// Lists a folder in both ways and checks that they agree.
fn list_both(root: &Arc<Root>, path: &[u8]) -> BTreeMap<Vec<u8>, (String, Option<i64>)> {
    let portable = portable::open_folder(root.folder.as_fd(), path).unwrap();
    let portable = list_all(portable::Listing::new(portable, root.clone()).unwrap());
    #[cfg(target_os = "linux")]
    {
        let folder = linux::open_folder(root.folder.as_fd(), path).unwrap();
        assert_eq!(list_all(linux::Listing::new(folder, root.clone())), portable);
    }
    portable
}

#[test]
fn every_kind_of_entry_is_listed_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    std::fs::write(at(b"caf\xe9"), b"12345").unwrap();
    std::fs::create_dir(at(b"sub")).unwrap();
    std::os::unix::fs::symlink("nowhere", at(b"link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at(b"fifo"), Mode::RUSR).unwrap();
    let root = root_of(folder.path());
    let entries = list_both(&root, b"/");
    let expected = [
        (b"caf\xe9".to_vec(), ("file".to_owned(), Some(5))),
        (b"fifo".to_vec(), ("other".to_owned(), None)),
        (b"link".to_vec(), ("symlink".to_owned(), Some(7))),
        (b"sub".to_vec(), ("folder".to_owned(), None)),
    ];
    assert_eq!(entries, BTreeMap::from(expected));
    assert!(list_both(&root, b"/sub").is_empty());
}

#[test]
fn a_folder_of_many_entries_comes_in_pages_without_loss_or_repetition() {
    let folder = tempfile::tempdir().unwrap();
    let count = 2 * PAGE_ENTRIES_MAX + 17;
    for index in 0..count {
        std::fs::File::create(folder.path().join(format!("entry with a name of some length {index}"))).unwrap();
    }
    assert_eq!(list_both(&root_of(folder.path()), b"/").len(), count);
}

#[test]
fn no_link_on_the_way_or_at_the_end_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("root/real")).unwrap();
    std::fs::create_dir(folder.path().join("outside")).unwrap();
    std::os::unix::fs::symlink("../outside", folder.path().join("root/out")).unwrap();
    std::os::unix::fs::symlink("real", folder.path().join("root/in")).unwrap();
    let root = root_of(&folder.path().join("root"));
    for path in [&b"/out"[..], b"/in", b"/out/x", b"/../outside", b"/real/../../outside"] {
        assert!(portable::open_folder(root.folder.as_fd(), path).is_err(), "{path:?}");
        #[cfg(target_os = "linux")]
        assert!(linux::open_folder(root.folder.as_fd(), path).is_err(), "{path:?}");
    }
}

#[test]
fn a_path_longer_than_the_system_takes_is_opened_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = root_of(folder.path());
    let mut path = Vec::new();
    let mut below = open_below(root.folder.as_fd(), b".").unwrap();
    let name = [b'n'; 200];
    for _ in 0..60 {
        rustix::fs::mkdirat(&below, &name[..], Mode::RWXU).unwrap();
        below = open_below(below.as_fd(), &name).unwrap();
        path.push(b'/');
        path.extend_from_slice(&name);
    }
    assert!(list_both(&root, &path).is_empty());
    assert_eq!(list_both(&root, &path[..201]).len(), 1);
}

#[test]
fn what_is_gone_and_what_is_no_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let root = root_of(folder.path());
    let error = |path: &[u8]| match Listing::open(&root, path) {
        Ok(_) => panic!("{path:?} can be opened"),
        Err(error) => error,
    };
    assert_eq!(error(b"/none").class, ErrorClass::Vanished);
    assert_eq!(error(b"/file").message, "it is not a folder any more");
}
