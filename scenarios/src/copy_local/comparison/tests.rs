//! A destination as it must be passes, and whatever is changed on it is noticed.

use longhaul_model::Side;

use super::*;
use crate::shared::snapshot::Identity;
use crate::shared::tree::Tree;

fn entry(kind: &str, inode: u64) -> Entry {
    let size = if kind == "file" { 10 << 20 } else { 0 };
    let facts = EntryFacts { kind: kind.to_owned(), size, modified_ns: 5, mode: 0o644, contents: "some".to_owned() };
    Entry { facts, identity: Identity { inode, changed_ns: 7, allocated: 0 } }
}

fn snapshot(entries: &[(&str, &str, u64)]) -> Snapshot {
    let entries = entries.iter().map(|(path, kind, inode)| (path.as_bytes().to_vec(), entry(kind, *inode)));
    Snapshot { entries: entries.collect() }
}

fn before() -> BySide<Snapshot> {
    BySide {
        src: snapshot(&[
            ("/", "folder", 1),
            ("/both", "folder", 2),
            ("/holes", "folder", 3),
            ("/holes/one", "file", 4),
            ("/holes/two", "file", 4),
            ("/single", "file", 5),
        ]),
        dst: snapshot(&[("/", "folder", 11), ("/both", "folder", 12), ("/both/only there", "file", 13)]),
    }
}

/// The destination once everything is copied, and the checks that fail when it is changed by this.
fn failed_after(change: impl FnOnce(&mut BTreeMap<Vec<u8>, Entry>)) -> Vec<String> {
    let before = before();
    let trees: BySide<&dyn Tree> = BySide { src: &before.src, dst: &before.dst };
    let due = Due::of(&trees).unwrap();
    let mut after = before.clone();
    for (path, entry) in &before[Side::Source].entries {
        after.dst.entries.entry(path.clone()).or_insert_with(|| {
            let mut copied = entry.clone();
            copied.identity.inode += 100;
            copied
        });
    }
    change(&mut after.dst.entries);
    let mut out = Vec::new();
    Destination::due(&before, &due).check(&mut Report::new(&mut out), &before, &after).unwrap();
    let out = String::from_utf8(out).unwrap();
    println!("{out}");
    out.lines().filter_map(|line| line.strip_prefix("  FAILED  ")).map(str::to_owned).collect()
}

#[test]
fn what_must_be_there_passes() {
    assert_eq!(failed_after(|_| {}), Vec::<String>::new());
    // Something was made in it.
    assert_eq!(failed_after(|after| after.get_mut(&b"/"[..]).unwrap().facts.modified_ns = 6), Vec::<String>::new());
}

#[test]
fn every_change_is_noticed() {
    type Change = fn(&mut BTreeMap<Vec<u8>, Entry>);
    fn of<'a>(after: &'a mut BTreeMap<Vec<u8>, Entry>, path: &str) -> &'a mut Entry {
        after.get_mut(path.as_bytes()).unwrap()
    }
    let different = "entries with another";
    let changes: [(&str, Change); 13] = [
        ("entries that are missing", |after| drop(after.remove(&b"/single"[..]))),
        ("entries that nobody put there", |after| drop(after.insert(b"/other".to_vec(), entry("file", 99)))),
        ("temporary files", |after| drop(after.insert(b"/both/.longhaul-1".to_vec(), entry("file", 99)))),
        (different, |after| of(after, "/single").facts.size += 1),
        (different, |after| of(after, "/single").facts.modified_ns += 1),
        (different, |after| of(after, "/single").facts.mode = 0o4644),
        (different, |after| of(after, "/single").facts.contents.push('x')),
        (different, |after| of(after, "/holes").facts.modified_ns += 1),
        (different, |after| of(after, "/both").facts.modified_ns += 1),
        (different, |after| of(after, "/both/only there").facts.contents.push('x')),
        ("of 2 entries to be left alone", |after| of(after, "/both/only there").identity.changed_ns += 1),
        ("of 1 files with several names", |after| of(after, "/holes/two").identity.inode += 1),
        ("of 2 files with holes", |after| of(after, "/holes/one").identity.allocated = 10 << 20),
    ];
    for (check, change) in changes {
        let failed = failed_after(change);
        assert!(failed.iter().any(|failed| failed.starts_with(check)), "{check}: {failed:?}");
    }
    assert!(failed_after(|after| of(after, "/single").identity.inode = 104)[0].starts_with("files copied, each"));
}
