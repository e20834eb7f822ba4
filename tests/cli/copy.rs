//! `copy`, where all goes well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::program::Place;

/// Somebody else.
const NOBODY: u32 = 65_534;

/// Names in the destination, with everything that could be left behind.
fn names(place: &Place) -> Vec<String> {
    let dst = place.path("dst");
    let all = place.everything();
    let below = all.iter().filter_map(|path| path.strip_prefix(&dst).ok()).map(|path| path.display().to_string());
    below.filter(|name| !name.is_empty()).collect()
}

#[test]
fn what_the_plan_says_is_copied_with_times_and_permissions() {
    let place = Place::new();
    place.file("src/a/b/file", "contents");
    place.file("src/a/empty", "");
    place.file_on_both("a/there", "already");
    fs::create_dir(place.path("src/nothing in it")).unwrap();
    symlink("b/file", place.path("src/a/link")).unwrap();
    place.set_modified("src/a/b/file", 1_000_000_000);
    fs::set_permissions(place.path("src/a/b/file"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(place.path("src/nothing in it"), fs::Permissions::from_mode(0o555)).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["copy", "--approve", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["phase"], "verifying");
    assert_eq!(report["src"]["copied"], serde_json::json!({ "nodes": 5, "bytes": 8 }));
    assert_eq!(report["src"]["copy_pending"], serde_json::json!({ "nodes": 0, "bytes": 0 }));

    assert_eq!(names(&place), ["a", "a/b", "a/b/file", "a/empty", "a/link", "a/there", "nothing in it"]);
    assert_eq!(place.contents("dst/a/b/file"), "contents");
    assert_eq!(fs::read_link(place.path("dst/a/link")).unwrap().to_str(), Some("b/file"));
    for name in ["a/b", "a/b/file", "a/empty", "nothing in it"] {
        let [src, dst] = ["src", "dst"].map(|side| place.path(side).join(name).metadata().unwrap());
        assert_eq!((src.mtime(), src.mtime_nsec()), (dst.mtime(), dst.mtime_nsec()), "{name}");
        assert_eq!(src.mode(), dst.mode(), "{name}");
    }
    let checksum = blake3::hash(b"contents").to_hex().to_string();
    assert_eq!(
        place.query("SELECT lower(hex(checksum)) FROM copied WHERE size = 8 AND checksum IS NOT NULL"),
        [checksum]
    );
}

#[test]
fn a_second_copy_has_nothing_to_do_and_a_second_migration_copies_nothing() {
    let place = Place::new();
    place.file("src/a", "1");
    place.file("src/b/c", "2");
    assert_eq!(place.run(&["migrate", "src", "dst", "--ledger", "ledger.duckdb"]).code, Some(0));
    let again = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(again.code, Some(0));
    assert!(again.err.contains("nothing to do"), "{}", again.err);
    let before = place.path("dst/a").metadata().unwrap().ctime_nsec();
    let said = place.run(&["migrate", "src", "dst", "--ledger", "second.duckdb", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["src"]["copied"]["nodes"], 0);
    assert_eq!(report["src"]["already_existed"]["nodes"], 4);
    assert_eq!(place.path("dst/a").metadata().unwrap().ctime_nsec(), before, "it was not touched");
}

#[test]
fn conflicts_end_as_the_policy_says() {
    for (policy, older, newer) in [
        ("newer", "src", "dst"),
        ("skip", "dst", "dst"),
        ("overwrite", "src", "src"),
        ("keep-both", "dst", "dst"),
        ("ask", "dst", "dst"),
    ] {
        let place = Place::new();
        for (name, times) in [("older.txt", [2_000, 1_000]), ("newer.txt", [1_000, 2_000])] {
            for (side, seconds) in ["src", "dst"].into_iter().zip(times) {
                place.file(&format!("{side}/{name}"), side);
                place.set_modified(&format!("{side}/{name}"), seconds);
            }
        }
        symlink("ours", place.path("src/link")).unwrap();
        symlink("theirs", place.path("dst/link")).unwrap();
        assert_eq!(place.discover(&["--on-conflict", policy]).code, Some(0));
        // What is left as a conflict was to be moved, and is not there.
        let code = if policy == "ask" { 3 } else { 0 };
        assert_eq!(place.on_ledger(&["copy", "--approve", "--leave-conflicts"]).code, Some(code), "{policy}");
        assert_eq!(place.contents("dst/older.txt"), older, "{policy}");
        assert_eq!(place.contents("dst/newer.txt"), newer, "{policy}");
        let beside = ["dst/older (source).txt", "dst/newer (source).txt"].map(|name| place.path(name).exists());
        assert_eq!(beside, [policy == "keep-both"; 2], "{policy}");
        let links = ["dst/link", "dst/link (source)"].map(|name| fs::read_link(place.path(name)).ok());
        let [link, link_beside] = links.map(|link| link.map(|link| link.display().to_string()));
        // The destination's was made a moment later.
        assert_eq!(link.as_deref(), Some(if policy == "overwrite" { "ours" } else { "theirs" }), "{policy}");
        assert_eq!(link_beside.as_deref(), (policy == "keep-both").then_some("ours"), "{policy}");
        assert_eq!(place.on_ledger(&["verify", "--level", "checksum"]).code, Some(code), "{policy}");
    }
}

#[test]
fn comparing_contents_copies_what_differs_and_nothing_else() {
    let place = Place::new();
    for (name, [ours, theirs]) in [("same", ["1", "1"]), ("differs", ["1", "2"])] {
        place.file(&format!("dst/{name}"), theirs);
        place.file(&format!("src/{name}"), ours);
        place.set_modified(&format!("dst/{name}"), 1_000);
    }
    assert_eq!(place.discover(&["--compare", "checksum"]).code, Some(0));
    assert_eq!(place.query("SELECT action FROM plan_view WHERE kind = 'file'"), ["compare", "compare"]);
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE kind = 'file' ORDER BY path"),
        ["/differs|successful", "/same|already_existed"]
    );
    assert_eq!(place.contents("dst/differs"), "1");
}

#[test]
fn what_appears_on_the_destination_after_the_plan_is_not_overwritten() {
    let place = Place::new();
    place.file("src/file", "ours");
    place.file("src/folder/below", "ours");
    place.set_modified("src/file", 1_000);
    assert_eq!(place.discover(&[]).code, Some(0));
    place.file("dst/file", "theirs");
    place.file("dst/folder", "not a folder");
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(3), "there are conflicts that nobody has seen");
    let says = |line: &str| line.split_whitespace().eq(["not", "in", "the", "plan", "2"]);
    assert!(said.out.lines().any(says), "{}", said.out);
    assert_eq!((place.contents("dst/file"), place.contents("dst/folder")), ("theirs".into(), "not a folder".into()));
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE depth > 0 ORDER BY path"),
        ["/file|skipped", "/folder|conflict", "/folder/below|conflict"]
    );
}

#[test]
fn conflicts_that_come_up_while_it_is_copied_end_with_3_whatever_comes_after() {
    let place = Place::new();
    place.file("src/file", "ours");
    place.file("src/seen", "ours");
    place.file("dst/seen", "there when the plan was made");
    assert_eq!(place.discover(&["--on-conflict", "ask"]).code, Some(0));
    place.file("dst/file", "appeared since");
    let said = place.on_ledger(&["copy", "--approve", "--leave-conflicts", "--json"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&report["src"]["conflicts"]["nodes"], &report["src"]["late_conflicts"]), (&2.into(), &1.into()));
    assert_eq!(place.on_ledger(&["verify"]).code, Some(3));
    assert_eq!(place.on_ledger(&["migrate", "--resume"]).code, Some(3));
}

#[test]
fn set_user_and_set_group_bits_go_with_the_owner_or_not_at_all() {
    // Nobody else may give files away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let make_theirs = |path: &Path, mode| {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, mode) in [("program", 0o4755), ("group", 0o2755), ("plain", 0o755), ("sticky", 0o1777)] {
        place.file(&format!("src/folder/{name}"), "1");
        make_theirs(&place.path("src/folder").join(name), mode);
    }
    make_theirs(&place.path("src/folder"), 0o2775);
    let modes = || {
        ["folder", "folder/program", "folder/group", "folder/plain", "folder/sticky"]
            .map(|name| place.path("dst").join(name).metadata().unwrap().mode() & 0o7777)
    };
    let said = place.run(&["migrate", "src", "dst", "--ledger", "first.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(modes(), [0o775, 0o755, 0o755, 0o755, 0o1777]);
    assert_eq!(said.err.matches("set-user and set-group bits are not kept").count(), 1, "{}", said.err);
    assert!(said.err.contains("nodes=3"), "{}", said.err);
    fs::remove_dir_all(place.path("dst/folder")).unwrap();
    let said = place.run(&["migrate", "src", "dst", "--ledger", "second.duckdb", "--preserve", "owner"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(modes(), [0o2775, 0o4755, 0o2755, 0o755, 0o1777]);
}

#[test]
fn large_files_go_in_parts_and_names_of_one_file_stay_together() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(3_500_000).collect();
    fs::write(place.path("src/large"), &bytes).unwrap();
    fs::hard_link(place.path("src/large"), place.path("src/other name")).unwrap();
    fs::File::create(place.path("src/holes")).unwrap().set_len(5_000_000).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["copy", "--approve", "--large-from", "1", "--preserve", "sparse,hard-links"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(fs::read(place.path("dst/large")).unwrap(), bytes);
    let [large, other, holes] =
        ["large", "other name", "holes"].map(|name| place.path("dst").join(name).metadata().unwrap());
    assert_eq!(large.ino(), other.ino());
    assert_eq!(holes.len(), 5_000_000);
    assert!(holes.blocks() * 512 < 1_000_000, "{} blocks", holes.blocks());
    assert!(place.query("FROM parts").is_empty(), "nobody needs them any more");
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(0));
}

#[test]
fn nothing_is_left_of_a_large_file_that_was_begun_and_is_not_wanted_any_more() {
    let place = Place::new();
    let bytes = vec![7; 40_000_000];
    for name in ["src/excluded", "src/gone"] {
        fs::write(place.path(name), &bytes).unwrap();
    }
    place.file("src/small", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
    child.current_dir(place.path(".")).args(["copy", "--approve", "--large-from", "1M", "--ledger", "ledger.duckdb"]);
    let mut child = child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let drafts = || {
        let names = fs::read_dir(place.path("dst")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".longhaul-")).count()
    };
    // It may be over before it is seen: then nothing of it is left either.
    while drafts() == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
    let _ = place.on_ledger(&["exclude", "/excluded", "--reason", "not wanted"]);
    fs::remove_file(place.path("src/gone")).unwrap();
    let said = place.on_ledger(&["refresh"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(drafts(), 0);
}

#[test]
fn no_more_is_read_a_second_than_is_allowed() {
    let place = Place::new();
    place.file("src/a", &"a".repeat(1 << 20));
    place.file("src/b", &"b".repeat(1 << 20));
    let began = std::time::Instant::now();
    let said = place.run(&["migrate", "src", "dst", "--yes", "--bandwidth", "1", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    // The last quarter of a second is not waited for.
    assert!(began.elapsed().as_millis() >= 1_700, "{:?}", began.elapsed());
    assert_eq!(place.contents("dst/b"), "b".repeat(1 << 20));
    for wrong in ["0", "-1", "fast"] {
        assert_eq!(place.run(&["migrate", "src", "dst", "--bandwidth", wrong]).code, Some(2));
    }
}
