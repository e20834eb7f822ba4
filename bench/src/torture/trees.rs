//! The pairs of trees that are listed while the program is being killed, each from a seed and a number.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::local;
use super::random::Random;

/// The purpose of the random numbers here.
const TREES: u64 = 1;

/// What a pair of trees is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Folders of this machine: odd names, conflicts, links, a folder of several pages.
    Local,
    /// The same with a folder so large that it is committed in parts.
    LocalHuge,
    /// Simulated worlds that diverge, with stale files; a random latency.
    Diverging,
    /// Simulated worlds with listings that fail once, now and then, or for ever.
    Faults,
    /// Simulated worlds with few folders whose pages come so slowly that they are committed in parts.
    Paged,
}

/// In turn, so that a few trees are of every kind. What takes long is not in every round of the small ones.
const FULL: [Kind; 6] = [Kind::Diverging, Kind::Local, Kind::Faults, Kind::Paged, Kind::LocalHuge, Kind::Diverging];
const SMALL: [Kind; 7] =
    [Kind::Diverging, Kind::Local, Kind::Faults, Kind::Diverging, Kind::Paged, Kind::Local, Kind::Faults];

/// A pair of trees that is there to be listed.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) kind: Kind,
    /// As they are typed.
    pub(super) locations: [String; 2],
}

impl Trees {
    /// Makes the pair with this number in `folder`.
    pub(super) fn make(folder: &Path, seed: u64, number: u64, is_small: bool) -> Result<Self> {
        let kinds: &[Kind] = if is_small { &SMALL } else { &FULL };
        let turn = usize::try_from(number).context("too many trees")? % kinds.len();
        let kind = kinds[turn];
        let mut random = Random::new(seed, TREES, number);
        let locations = match kind {
            Kind::Local => local::make(folder, &mut random, 16_500)?,
            Kind::LocalHuge => local::make(folder, &mut random, 150_000)?,
            Kind::Diverging | Kind::Faults | Kind::Paged => {
                let config = match kind {
                    Kind::Faults => faults(&mut random),
                    Kind::Paged => paged(&mut random, is_small),
                    Kind::Diverging | Kind::Local | Kind::LocalHuge => diverging(&mut random, is_small),
                };
                let file = folder.join("spectra.json");
                std::fs::write(&file, serde_json::to_vec_pretty(&config)?)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                ["primary", "s1"].map(|world| format!("spectra:{world}?config={}", file.display()))
            }
        };
        Ok(Self { kind, locations })
    }
}

fn diverging(random: &mut Random, is_small: bool) -> serde_json::Value {
    let depth = if is_small { 4 } else { random.between(4, 5) };
    json!({
        "mode": "ephemeral",
        "seed": {
            "max_depth": depth, "min_folders": 1, "max_folders": random.between(4, 6),
            "min_files": 0, "max_files": random.between(5, 60),
            "seed": random.next() >> 32, "diverging_tree_mode": true, "stale_probability": random.fraction() / 2.0,
            "max_file_size": 100_000,
        },
        "secondary_tables": { "s1": 0.5 + random.fraction() / 2.0 },
        "chaos": { "latency": { "list_children_ms": random.pick(&[0, 1, 5, 20]), "jitter_ms": random.pick(&[0, 5, 30]) } },
    })
}

fn faults(random: &mut Random) -> serde_json::Value {
    // Whoever is denied the root cannot even begin.
    let denied = |number| {
        let path = format!("/folder_{number}/**");
        json!({ "operation": "list_children", "path": path, "error": "denied", "probability": 0.04 })
    };
    json!({
        "mode": "ephemeral",
        "seed": {
            "max_depth": 4, "min_folders": 2, "max_folders": 4, "min_files": 0, "max_files": 8,
            "seed": random.next() >> 32, "diverging_tree_mode": true,
        },
        "secondary_tables": { "s1": 0.8 },
        "chaos": {
            "latency": { "list_children_ms": 1, "jitter_ms": 3 },
            "faults": [
                denied(1),
                denied(2),
                denied(3),
                denied(4),
                { "operation": "list_children", "error": "transient", "probability": 0.2, "first_attempts": 2,
                  "retry_after_ms": 5 },
                // Some of them are out of attempts in the end.
                { "operation": "list_children", "error": "transient", "probability": 0.3, "retry_after_ms": 2 },
            ],
        },
    })
}

fn paged(random: &mut Random, is_small: bool) -> serde_json::Value {
    // A folder takes three pages or more, and each a time of the folder's own, so that the commits that come twice a
    // second hit folders of which some pages are still to come.
    let most = if is_small { 18_000 } else { 40_000 };
    json!({
        "mode": "ephemeral",
        "seed": {
            "max_depth": 2, "min_folders": 2, "max_folders": 3, "min_files": 16_500, "max_files": most,
            "seed": random.next() >> 32, "diverging_tree_mode": true, "stale_probability": 0.1,
        },
        "secondary_tables": { "s1": 0.9 },
        "chaos": {
            "latency": { "list_children_ms": 60, "jitter_ms": 240 },
            "faults": [
                { "operation": "list_children", "error": "transient", "probability": 0.2, "retry_after_ms": 20 },
            ],
        },
    })
}
