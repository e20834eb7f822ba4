//! Which folders and files the scenario is about: picked at random, the same for the same seed.

use anyhow::{Context, Result};
use longhaul_model::BySide;
use serde::{Deserialize, Serialize};

use crate::shared::contents::Contents;
use crate::shared::random::Random;
use crate::shared::report::Report;
use crate::shared::trial::is_within;

const SALT: u64 = 0x5345_0001;

/// What was picked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Picks {
    /// At the top, on both sides: marked for retry although nothing failed in it.
    pub(super) marked: String,
    /// Another one, which is marked and unmarked again.
    pub(super) unmarked: String,
    /// A file below the marked folder that the destination lacks: it is gone when the folder is listed again.
    pub(super) removed: String,
    /// A folder below the marked one, on both sides, that has something new in it when it is listed again.
    pub(super) grown: String,
    /// Folders, none of them in another one, that cannot be listed at first.
    pub(super) denied: BySide<Vec<String>>,
}

impl Picks {
    pub(super) fn of(worlds: &BySide<Contents>, seed: u64) -> Result<Picks> {
        let random = &mut Random(seed ^ SALT);
        let on_both = |path: &str| worlds.dst.0.contains_key(path);
        let tops: Vec<&str> = worlds.src.folders().filter(|path| depth(path) == 1 && on_both(path)).collect();
        let below = |top: &str| -> Vec<&str> {
            worlds.src.folders().filter(|path| depth(path) == 2 && is_within(path, top) && on_both(path)).collect()
        };
        let none = "the worlds have too few folders that both sides have: take another seed";

        let mut left = tops.clone();
        let marked = random.take(&mut left).context(none)?;
        let unmarked = random.take(&mut left).context(none)?;
        let files = worlds.src.0.iter().filter(|(path, content)| is_within(path, marked) && !content.is_folder());
        let mut lacking: Vec<&str> = files.map(|(path, _)| path.as_str()).filter(|path| !on_both(path)).collect();
        let removed = random.take(&mut lacking).context("the destination has every file of a folder")?;
        let grown = random.take(&mut below(marked)).context(none)?;

        let mut left = tops;
        let whole = random.take(&mut left).context(none)?;
        let mut inner = || -> Result<String> {
            let top = random.take(&mut left).context(none)?;
            Ok(random.take(&mut below(top)).context(none)?.to_owned())
        };
        let denied = BySide { src: vec![whole.to_owned(), inner()?], dst: vec![inner()?] };
        let [marked, unmarked, removed, grown] = [marked, unmarked, removed, grown].map(str::to_owned);
        Ok(Picks { marked, unmarked, removed, grown, denied })
    }

    pub(super) fn print(&self, report: &mut Report<'_>) -> Result<()> {
        let BySide { src, dst } = &self.denied;
        report.line(&format!("listed again: {}; gone by then: {}", self.marked, self.removed))?;
        report.line(&format!("cannot be listed at first: src {}, dst {}", src.join(", "), dst.join(", ")))
    }

    /// All folders that cannot be listed at first, on whichever side.
    pub(super) fn denied_anywhere(&self) -> Vec<String> {
        [&self.denied.src[..], &self.denied.dst].concat()
    }
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::simulator;
    use crate::traversal_retry_sweep::CONFIG;

    #[test]
    fn the_same_seed_picks_the_same_and_nothing_that_is_denied_is_in_something_else_that_is() {
        let worlds = Contents::of(&simulator::pristine_of(CONFIG.load().unwrap()).unwrap()).unwrap();
        let shown = |seed| format!("{:?}", Picks::of(&worlds, seed).unwrap());
        assert_eq!(shown(3), shown(3));
        assert!((4..20).any(|seed| shown(seed) != shown(3)));
        for seed in 0..20 {
            let picks = Picks::of(&worlds, seed).unwrap();
            let denied = picks.denied_anywhere();
            for (index, path) in denied.iter().enumerate() {
                assert!(denied[..index].iter().all(|other| !is_within(other, path) && !is_within(path, other)));
            }
            assert!(is_within(&picks.removed, &picks.marked) && is_within(&picks.grown, &picks.marked));
            assert!(picks.unmarked != picks.marked && !worlds.dst.0.contains_key(&picks.removed));
        }
    }
}
