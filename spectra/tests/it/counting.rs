//! The independent count, and how often folders were listed.

use longhaul_spectra::{Config, DepthCounts, NodeKind};

use crate::setup::{NOW, nodes, open, small, world};

#[test]
fn the_count_is_that_of_all_nodes_visited() {
    let spectra = small();
    let world = world(&spectra, "s1");
    world.write_file(b"/written", b"12345", 0, false, NOW).result.unwrap();
    world.remove_tree(b"/folder_1", NOW).result.unwrap();
    let counts = world.count().unwrap();
    let all = nodes(&world);
    assert_eq!(counts.total.nodes(), all.len() as u64);
    assert_eq!(counts.total.bytes, all.values().map(|info| info.size).sum::<u64>());
    assert_eq!(counts.total.files, all.values().filter(|info| info.kind == NodeKind::File).count() as u64);
    assert_eq!(counts.by_depth[0], DepthCounts { folders: 1, files: 0, bytes: 0 });
    assert_eq!(counts.by_depth.iter().map(DepthCounts::nodes).sum::<u64>(), counts.total.nodes());
}

#[test]
fn a_folder_counts_as_listed_once_however_many_pages_it_has() {
    let spectra = small();
    let world = world(&spectra, "primary");
    crate::setup::names(&world, b"/", 2);
    assert_eq!((world.listings(), world.times_listed(b"/")), (1, 0));
    spectra.record_listings();
    crate::setup::names(&world, b"/", 2);
    crate::setup::names(&world, b"/folder_1", 100);
    crate::setup::names(&world, b"/folder_1", 100);
    let _ = world.list(b"/nowhere", None, 10, NOW);
    crate::setup::names(&world.undisturbed(), b"/folder_2", 100);
    world.count().unwrap();
    assert_eq!(world.listings(), 4);
    assert_eq!(world.recorded_listings(), [(b"/".to_vec(), 1), (b"/folder_1".to_vec(), 2)]);
    assert_eq!((world.times_listed(b"/folder_1"), world.times_listed(b"/folder_2")), (2, 0));
}

fn shipped(text: &str) -> Config {
    let mut config = Config::from_json(text).unwrap();
    // Only the generated tree is looked at here, and no database is to be left behind.
    config.mode = longhaul_spectra::Mode::Ephemeral;
    config
}

#[test]
fn the_shipped_configurations_give_the_trees_they_are_known_for() {
    let spectra = open(shipped(include_str!("../../../configs/spectra.json")));
    assert_eq!(world(&spectra, "primary").count().unwrap().total.nodes(), 4_675);
    assert_eq!(world(&spectra, "s1").count().unwrap().total.nodes(), 3_449);
    let spectra = open(shipped(include_str!("../../../configs/spectra-ephemeral.json")));
    assert_eq!(world(&spectra, "primary").count().unwrap().total.nodes(), 527_492);
    assert_eq!(world(&spectra, "s1").count().unwrap().total.nodes(), 285_144);
}
