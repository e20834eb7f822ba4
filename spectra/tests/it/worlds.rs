//! How worlds differ from each other.

use longhaul_spectra::{MODIFIED_BEFORE_NS, MODIFIED_FROM_NS, NodeKind, SpectraError};

use crate::setup::{contents, nodes, open, parent, small, small_config, world};

#[test]
fn a_secondary_world_has_a_part_of_primary_as_it_is_there() {
    let spectra = small();
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    let (all, part) = (nodes(&primary), nodes(&secondary));
    assert!(part.len() < all.len() && part.len() > all.len() / 5, "{} of {}", part.len(), all.len());
    for (path, info) in &part {
        assert_eq!(all[path], *info);
        assert!(path == b"/" || part.contains_key(&parent(path)));
        if info.kind == NodeKind::File {
            assert_eq!(contents(&primary, path), contents(&secondary, path));
        }
    }
}

#[test]
fn a_node_exists_with_its_probability_where_its_parent_does() {
    let mut config = small_config();
    config.seed.max_depth = 5;
    let spectra = open(config);
    let (all, part) = (nodes(&world(&spectra, "primary")), nodes(&world(&spectra, "s1")));
    let candidates = all.keys().filter(|path| *path != b"/" && part.contains_key(&parent(path))).count();
    let share = 100 * (part.len() - 1) / candidates;
    assert!((66..=74).contains(&share), "{share} %");
}

#[test]
fn diverging_worlds_have_nodes_that_primary_lacks() {
    let mut config = small_config();
    config.seed.diverging_tree_mode = true;
    let spectra = open(config.clone());
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    let (all, part) = (nodes(&primary), nodes(&secondary));
    assert!(part.keys().any(|path| !all.contains_key(path)));
    assert!(all.keys().any(|path| !part.contains_key(path)));
    let mut common = 0;
    for (path, info) in part.iter().filter(|(path, _)| all.contains_key(*path)) {
        assert_eq!(all[path], *info, "what exists on both sides is the same");
        if info.kind == NodeKind::File {
            assert_eq!(contents(&primary, path), contents(&secondary, path));
            common += 1;
        }
    }
    assert!(common > 20);
    config.seed.diverging_tree_mode = false;
    assert_eq!(all, nodes(&world(&open(config), "primary")), "primary is the same in both ways");
}

#[test]
fn two_secondary_worlds_with_the_same_probability_differ() {
    let mut config = small_config();
    config.secondary_tables.insert("s2".to_owned(), 0.7);
    let spectra = open(config);
    assert_ne!(nodes(&world(&spectra, "s1")), nodes(&world(&spectra, "s2")));
}

#[test]
fn the_probabilities_0_and_1_are_exact() {
    let mut config = small_config();
    config.secondary_tables.insert("all".to_owned(), 1.0);
    config.secondary_tables.insert("none".to_owned(), 0.0);
    let spectra = open(config);
    assert_eq!(nodes(&world(&spectra, "all")), nodes(&world(&spectra, "primary")));
    assert_eq!(nodes(&world(&spectra, "none")).len(), 1);
}

#[test]
fn a_stale_file_is_earlier_with_other_contents() {
    let mut config = small_config();
    config.seed.max_depth = 5;
    config.seed.stale_probability = 0.3;
    let spectra = open(config);
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    let all = nodes(&primary);
    let (mut stale, mut resized, mut files) = (0, 0, 0);
    for (path, info) in nodes(&secondary) {
        if info.kind == NodeKind::Folder {
            assert_eq!(info, all[&path]);
            continue;
        }
        files += 1;
        if info == all[&path] {
            assert_eq!(contents(&primary, &path), contents(&secondary, &path));
            continue;
        }
        stale += 1;
        resized += usize::from(info.size != all[&path].size);
        assert!(info.modified_ns < all[&path].modified_ns);
        if info.size > 8 && all[&path].size > 8 {
            assert_ne!(contents(&primary, &path), contents(&secondary, &path));
        }
    }
    assert!((25..=35).contains(&(100 * stale / files)), "{stale} of {files}");
    assert!((40..=60).contains(&(100 * resized / stale)), "{resized} of {stale}");
}

#[test]
fn times_lie_in_a_fixed_span_and_use_nanoseconds() {
    let spectra = small();
    let all = nodes(&world(&spectra, "primary"));
    assert!(all.values().all(|info| (MODIFIED_FROM_NS..MODIFIED_BEFORE_NS).contains(&info.modified_ns)));
    let odd = all.values().filter(|info| info.modified_ns % 1000 != 0).count();
    assert!(odd > all.len() * 9 / 10);
}

#[test]
fn an_unknown_world_is_refused_with_those_there_are() {
    let error = small().world("s2").unwrap_err();
    assert!(matches!(error, SpectraError::UnknownWorld { .. }));
    assert_eq!(
        error.to_string(),
        "there is no world `s2`: the configuration has primary, s1; add it to `secondary_tables`"
    );
}
