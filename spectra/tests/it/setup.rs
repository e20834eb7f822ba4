//! Small trees to try things on.

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_spectra::{Config, Mode, NodeInfo, NodeKind, Spectra, World};

/// For tests in which time plays no part.
pub(crate) const NOW: Duration = Duration::ZERO;

/// A tree of some hundred nodes of many sizes, kept in memory, with a world `s1`.
pub(crate) fn small_config() -> Config {
    let mut config = Config { mode: Mode::Ephemeral, ..Config::default() };
    config.seed.max_depth = 3;
    config.seed.min_folders = 2;
    config.seed.max_folders = 5;
    config.seed.min_files = 3;
    config.seed.max_files = 9;
    config.seed.seed = 11;
    config.seed.min_file_size = 0;
    config.seed.max_file_size = 20_000;
    config.secondary_tables.insert("s1".to_owned(), 0.7);
    config
}

pub(crate) fn open(config: Config) -> Spectra {
    Spectra::open(config).expect("an acceptable configuration")
}

pub(crate) fn small() -> Spectra {
    open(small_config())
}

pub(crate) fn world(spectra: &Spectra, name: &str) -> World {
    spectra.world(name).expect("a world of that name")
}

/// Every node of a world.
pub(crate) fn nodes(world: &World) -> BTreeMap<Vec<u8>, NodeInfo> {
    let mut nodes = BTreeMap::new();
    world.walk(|path, info| assert_eq!(nodes.insert(path.to_vec(), *info), None, "visited twice")).unwrap();
    nodes
}

/// All names in a folder, by pages of `limit`.
pub(crate) fn names(world: &World, path: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = world.list(path, after.as_deref(), limit, NOW).result.unwrap();
        names.extend(page.entries.iter().map(|entry| entry.name.to_vec()));
        assert!(page.entries.len() <= limit.max(1));
        match page.next {
            None => return names,
            next => after = next,
        }
    }
}

/// The whole contents of a file.
pub(crate) fn contents(world: &World, path: &[u8]) -> Vec<u8> {
    world.read(path, 0, usize::MAX, NOW).result.unwrap()
}

/// The first path in the order of names that `wanted` wants.
pub(crate) fn first_path(world: &World, wanted: impl Fn(&[u8], &NodeInfo) -> bool) -> Vec<u8> {
    nodes(world).into_iter().find(|(path, info)| wanted(path, info)).expect("such a node").0
}

pub(crate) fn is_file(_: &[u8], info: &NodeInfo) -> bool {
    info.kind == NodeKind::File && info.size > 100
}

/// The folder that a path is in.
pub(crate) fn parent(path: &[u8]) -> Vec<u8> {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap();
    if slash == 0 { b"/".to_vec() } else { path[..slash].to_vec() }
}
