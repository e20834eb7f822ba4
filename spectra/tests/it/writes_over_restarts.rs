//! Persistent mode: what was written is there the next time.

use std::path::Path;

use longhaul_spectra::{Config, Mode, Spectra, SpectraError};

use crate::setup::{NOW, contents, first_path, is_file, names, nodes, open, small_config, world};

fn persistent(folder: &Path) -> Config {
    let mut config = Config { mode: Mode::Persistent, ..small_config() };
    config.seed.db_path = folder.join("spectra.redb");
    config
}

#[test]
fn writes_and_removals_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let stored: Vec<u8> = (0..1_500_000_u32).map(|number| (number % 253) as u8).collect();
    let (removed, expected) = {
        let spectra = open(persistent(folder.path()));
        let s1 = world(&spectra, "s1");
        let removed = first_path(&s1, is_file);
        s1.remove(&removed, NOW).result.unwrap();
        s1.create_folder(b"/new", NOW).result.unwrap();
        s1.write_file(b"/new/stored", &stored, 77, false, NOW).result.unwrap();
        let generated = contents(&world(&spectra, "primary"), &removed);
        s1.write_file(b"/new/copy", &generated, 78, false, NOW).result.unwrap();
        spectra.flush().unwrap();
        (removed, nodes(&s1))
    };
    let spectra = open(persistent(folder.path()));
    let s1 = world(&spectra, "s1");
    assert_eq!(nodes(&s1), expected);
    assert!(!nodes(&s1).contains_key(&removed));
    assert!(contents(&s1, b"/new/stored") == stored);
    assert_eq!(contents(&s1, b"/new/copy"), contents(&world(&spectra, "primary"), &removed));
    s1.write_file(b"/new/more", &stored[1..], 77, false, NOW).result.unwrap();
    assert!(contents(&s1, b"/new/stored") == stored, "numbers of contents are not given out twice");
}

#[test]
fn a_copied_generated_file_takes_no_space() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = persistent(folder.path());
    config.seed.min_file_size = 5_000_000;
    config.seed.max_file_size = 5_000_000;
    let database = config.seed.db_path.clone();
    let spectra = open(config);
    let (primary, s1) = (world(&spectra, "primary"), world(&spectra, "s1"));
    let bytes = contents(&primary, b"/file_1.txt");
    let before = database.metadata().unwrap().len();
    for number in 0..20 {
        s1.write_file(format!("/temporary-{number}").as_bytes(), &bytes, 0, false, NOW).result.unwrap();
    }
    assert!(database.metadata().unwrap().len() < before + 5_000_000);
    assert!(contents(&s1, b"/temporary-7") == bytes);
}

#[test]
fn a_database_of_another_tree_is_refused_with_the_field_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(persistent(folder.path())));
    let mut other = persistent(folder.path());
    other.seed.seed = 12;
    let error = Spectra::open(other).unwrap_err();
    assert!(matches!(&error, SpectraError::OtherTree { field, .. } if field == "seed.seed"));
    assert!(error.to_string().contains("was made with seed.seed 11, the configuration says 12"), "{error}");
    let mut other = persistent(folder.path());
    other.secondary_tables.insert("s2".to_owned(), 0.5);
    let error = Spectra::open(other).unwrap_err().to_string();
    assert!(error.contains("secondary_tables.s2 null, the configuration says 0.5"), "{error}");
    let mut moved = persistent(folder.path());
    moved.seed.db_path = folder.path().join("moved.redb");
    std::fs::rename(folder.path().join("spectra.redb"), &moved.seed.db_path).unwrap();
    drop(open(moved));
}

#[test]
fn a_database_in_use_or_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(persistent(folder.path()));
    assert!(matches!(Spectra::open(persistent(folder.path())), Err(SpectraError::InUse { .. })));
    drop(first);
    let mut nonsense = persistent(folder.path());
    nonsense.seed.db_path = folder.path().join("nonsense");
    std::fs::write(&nonsense.seed.db_path, "this is no database, whatever it is, and never was one".repeat(300))
        .unwrap();
    assert!(matches!(Spectra::open(nonsense), Err(SpectraError::Database { .. })));
    let mut nowhere = persistent(folder.path());
    nowhere.seed.db_path = folder.path().join("missing/spectra.redb");
    let error = Spectra::open(nowhere).unwrap_err().to_string();
    assert!(error.contains("check `seed.db_path`"), "{error}");
}

#[test]
fn a_copy_of_the_file_at_any_moment_has_what_was_written_until_then() {
    // What a killed process leaves behind is the file as it was.
    let folder = tempfile::tempdir().unwrap();
    let config = persistent(folder.path());
    let spectra = open(config.clone());
    let s1 = world(&spectra, "s1");
    let mut unfinished = s1.begin_file(b"/unfinished", false, NOW).result.unwrap();
    unfinished.append(&vec![9; 3_000_000]).unwrap();
    for number in 0..5 {
        s1.write_file(format!("/kept-{number}").as_bytes(), &vec![number; 70_000], 0, false, NOW).result.unwrap();
        let mut left = config.clone();
        left.seed.db_path = folder.path().join(format!("left-{number}.redb"));
        std::fs::copy(&config.seed.db_path, &left.seed.db_path).unwrap();
        let reopened = open(left);
        let s1 = world(&reopened, "s1");
        for earlier in 0..=number {
            assert!(contents(&s1, format!("/kept-{earlier}").as_bytes()) == vec![earlier; 70_000]);
        }
        assert!(s1.stat(b"/unfinished", NOW).result.is_err());
    }
    unfinished.finish(1, NOW).unwrap();
    assert!(contents(&s1, b"/unfinished") == vec![9; 3_000_000]);
}

#[test]
fn a_folder_with_many_written_entries_is_listed_whole_in_both_modes() {
    let folder = tempfile::tempdir().unwrap();
    for config in [persistent(folder.path()), small_config()] {
        let spectra = open(config);
        let s1 = world(&spectra, "s1");
        let mut expected = names(&s1, b"/", 1000);
        // More than are fetched at a time, on both sides of the generated names and among them.
        for number in 100..800 {
            for name in [format!("folder_{number}"), format!("other_{number}")] {
                s1.create_folder(format!("/{name}").as_bytes(), NOW).result.unwrap();
                expected.push(name.into_bytes());
            }
        }
        for number in (100..800).step_by(2) {
            let name = format!("other_{number}").into_bytes();
            s1.remove(&[b"/", &name[..]].concat(), NOW).result.unwrap();
            expected.retain(|expected| *expected != name);
        }
        expected.sort();
        for limit in [1, 100, 256, 257, 5000] {
            let mut listed = names(&s1, b"/", limit);
            listed.sort();
            assert_eq!(listed, expected, "pages of {limit}");
        }
    }
}
