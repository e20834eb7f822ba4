//! Configurations of the simulator.
//!
//! - A configuration that is accepted is written as one that is accepted and the same, and makes a simulator.
//! - What that lists has names that can be names, each once, is the same when it is asked again, and is what it says of each
//!   single node; the next page goes on behind the one before.
//! - A configuration that is refused is refused in one line.

use std::collections::HashSet;
use std::time::Duration;

use longhaul_spectra::{Config, Mode, NodeKind, PRIMARY_WORLD, Spectra};

const LISTED_MAX: usize = 16;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut config = match Config::from_json(text) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = serde_json::to_string(&config).expect("it is plain data");
    let read = Config::from_json(&written).expect("it has been accepted");
    assert_eq!(read, config, "{written}");
    // In memory: the name of the database is the input's.
    config.mode = Mode::Ephemeral;
    // Folders with millions of entries are drawn as a whole.
    for most in [&mut config.seed.max_folders, &mut config.seed.max_files] {
        *most = (*most).min(1_000);
    }
    config.seed.min_folders = config.seed.min_folders.min(config.seed.max_folders);
    config.seed.min_files = config.seed.min_files.min(config.seed.max_files);
    let simulator = Spectra::open(config.clone()).expect("the configuration has been accepted");
    assert_eq!(simulator.worlds().len(), config.secondary_tables.len() + 1);
    for world in [PRIMARY_WORLD].into_iter().chain(config.secondary_tables.keys().map(String::as_str)).take(3) {
        let world = simulator.world(world).expect("it is there");
        // With its faults once, which it must survive.
        let _ = world.list(b"/", None, LISTED_MAX, Duration::ZERO);
        let world = world.undisturbed();
        let mut folder = b"/".to_vec();
        for _ in 0..3 {
            let page = world.list(&folder, None, LISTED_MAX, Duration::ZERO).result.expect("nothing is disturbed");
            let again = world.list(&folder, None, LISTED_MAX, Duration::ZERO).result.expect("nothing is disturbed");
            assert_eq!(page.entries, again.entries);
            assert!(page.entries.len() <= LISTED_MAX);
            let mut next = None;
            let rest = world.list(&folder, page.next.as_deref(), LISTED_MAX, Duration::ZERO).result.expect("as before");
            let mut names = HashSet::new();
            for entry in rest.entries.iter().filter(|_| page.next.is_some()) {
                assert!(names.insert(entry.name), "{:?} comes twice", entry.name);
            }
            for entry in page.entries.iter() {
                assert!(!entry.name.is_empty() && !entry.name.contains(&b'/') && !entry.name.contains(&0));
                assert!(names.insert(entry.name), "{:?} comes twice", entry.name);
                let mut path = folder.clone();
                if path != b"/" {
                    path.push(b'/');
                }
                path.extend_from_slice(entry.name);
                let found = world.stat(&path, Duration::ZERO).result.expect("it has been listed");
                assert_eq!(found, entry.info);
                match found.kind {
                    NodeKind::Folder => next = next.or(Some(path)),
                    NodeKind::File => {
                        let asked = found.size.saturating_sub(7);
                        let bytes = world.read(&path, asked, 64, Duration::ZERO).result.expect("it is there");
                        assert_eq!(bytes.len() as u64, found.size - asked);
                    }
                }
            }
            match next {
                Some(next) => folder = next,
                None => break,
            }
        }
    }
}
