//! The tree itself: which children a generated folder has, and what they are like.
//!
//! A node's key is mixed from its parent's key and its own kind and number, so a path gives a key and nothing else
//! does: not the order of asking, not the thread, not what was asked before.

use crate::config::Config;
use crate::content::ContentKey;
use crate::fan_out::FanOut;
use crate::listing::{NodeInfo, NodeKind};
use crate::mixing::{Chance, between, mix, mix_bytes};
use crate::names::Rank;

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// No generated node was modified before 2020-01-01T00:00:00Z, except for older versions of files (see
/// `stale_probability`), which may be up to a year earlier.
pub const MODIFIED_FROM_NS: i64 = 1_577_836_800_000_000_000;
/// All generated nodes were modified before 2025-01-01T00:00:00Z.
pub const MODIFIED_BEFORE_NS: i64 = 1_735_689_600_000_000_000;
/// The time of a created folder until it is set: the simulator has no clock.
pub const CREATED_FOLDER_MODIFIED_NS: i64 = MODIFIED_BEFORE_NS;

// Purposes of a key. Far from the numbers that children are mixed in with, which are below 2^33.
const FOLDER_COUNT: u64 = 0xF01D_0000_0000_0001;
const FILE_COUNT: u64 = 0xF11E_0000_0000_0002;
const SIZE: u64 = 0x512E_0000_0000_0003;
const MODIFIED: u64 = 0x71AE_0000_0000_0004;
const CONTENT: u64 = 0xC0DE_0000_0000_0005;
const PRESENCE: u64 = 0x9E5E_0000_0000_0006;
const STALE: u64 = 0x57A1_0000_0000_0007;
const WORLD: u64 = 0x3012_0000_0000_0008;
// The last digits are those with which the two configurations in `configs/` give trees of typical size in all worlds:
// the few children of a root decide on much, and half a million nodes are wanted of the larger one.
const ROOT: u64 = 0x1009_0000_0000_0271;
const AGE: u64 = 0xA6E0_0000_0000_000A;
const RESIZED: u64 = 0x5E51_0000_0000_000B;

/// A folder of the generated tree: what its children are computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Key of the folder.
    pub(crate) key: u64,
    /// Its depth, which for a renamed folder is that of its first place.
    pub(crate) depth: u32,
}

/// How many children a folder may have in a world. Where not every node exists, these are the highest numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fan {
    pub(crate) folders: u32,
    pub(crate) files: u32,
}

/// Everything about a file but its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileFacts {
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    pub(crate) content: ContentKey,
}

/// The tree of one world.
#[derive(Debug)]
pub(crate) struct Generator {
    root: Origin,
    folder_fan_outs: Vec<FanOut>,
    file_fan_outs: Vec<FanOut>,
    sizes: SizeRange,
    content_salt: u64,
    world: WorldRules,
}

/// What sets a world apart from `primary`.
#[derive(Debug)]
struct WorldRules {
    existence: Chance,
    staleness: Chance,
    existence_salt: u64,
    staleness_salt: u64,
    /// What numbers of children are mixed with: 0 unless the trees diverge.
    fan_out_salt: u64,
}

impl Generator {
    /// The tree of `primary`, or with a name and a probability, that of a secondary world.
    pub(crate) fn new(config: &Config, secondary: Option<(&str, f64)>) -> Self {
        let seed = &config.seed;
        let world = match secondary {
            None => WorldRules {
                existence: Chance::Always,
                staleness: Chance::Never,
                existence_salt: 0,
                staleness_salt: 0,
                fan_out_salt: 0,
            },
            Some((name, probability)) => {
                let salt = mix_bytes(WORLD, name.as_bytes());
                WorldRules {
                    existence: Chance::new(probability),
                    staleness: Chance::new(seed.stale_probability),
                    existence_salt: mix(salt, PRESENCE),
                    staleness_salt: mix(salt, STALE),
                    fan_out_salt: if seed.diverging_tree_mode { salt } else { 0 },
                }
            }
        };
        Self {
            root: Origin { key: mix(mix(seed.seed, ROOT), seed.seed), depth: 0 },
            folder_fan_outs: FanOut::by_depth(
                seed.min_folders,
                seed.max_folders,
                seed.folder_depth_decay_factor,
                seed.folder_backoff_factor,
                seed.max_depth,
            ),
            file_fan_outs: FanOut::by_depth(
                seed.min_files,
                seed.max_files,
                seed.file_depth_decay_factor,
                seed.file_backoff_factor,
                seed.max_depth,
            ),
            sizes: SizeRange::new(seed.min_file_size, seed.max_file_size),
            content_salt: mix(CONTENT, seed.file_binary_seed),
            world,
        }
    }

    /// The root, which exists in every world.
    pub(crate) const fn root(&self) -> Origin {
        self.root
    }

    /// How many children a folder may have.
    pub(crate) fn fan(&self, folder: Origin) -> Fan {
        Fan { folders: self.highest(folder, NodeKind::Folder), files: self.highest(folder, NodeKind::File) }
    }

    /// How many children of one kind a folder may have. Below the greatest depth there is nothing.
    fn highest(&self, folder: Origin, kind: NodeKind) -> u32 {
        let (fan_outs, purpose) = match kind {
            NodeKind::Folder => (&self.folder_fan_outs, FOLDER_COUNT),
            NodeKind::File => (&self.file_fan_outs, FILE_COUNT),
        };
        let key = folder.key ^ self.world.fan_out_salt;
        fan_outs.get(folder.depth as usize).map_or(0, |fan_out| fan_out.draw(mix(key, purpose)))
    }

    /// The key of a child, whether there is such a child or not.
    pub(crate) const fn child_key(folder: Origin, kind: NodeKind, number: u32) -> u64 {
        let class = match kind {
            NodeKind::Folder => 0,
            NodeKind::File => 1_u64 << 32,
        };
        mix(folder.key, class | number as u64)
    }

    /// Whether the child with this key exists in this world, given that its number is within the folder's fan.
    pub(crate) const fn exists(&self, child_key: u64) -> bool {
        match self.world.existence {
            Chance::Always => true,
            chance => chance.happens(mix(child_key, self.world.existence_salt)),
        }
    }

    /// The kind and key of the child with this name, where there is one.
    pub(crate) fn child(&self, folder: Origin, name: &[u8]) -> Option<(NodeKind, u64)> {
        let Rank::Numbered(kind, number) = Rank::of(name) else { return None };
        let key = Self::child_key(folder, kind, number);
        (number <= self.highest(folder, kind) && self.exists(key)).then_some((kind, key))
    }

    /// Time of a folder.
    pub(crate) fn folder_modified_ns(key: u64) -> i64 {
        modified_ns(key)
    }

    /// Size, time and contents of a file, and whether they are those of `primary`.
    pub(crate) fn file(&self, key: u64) -> FileFacts {
        let current = FileFacts {
            size: self.sizes.draw(mix(key, SIZE)),
            modified_ns: modified_ns(key),
            content: ContentKey(mix(key, self.content_salt)),
        };
        match self.world.staleness {
            Chance::Never => current,
            chance => self.older_version(key, chance, current),
        }
    }

    fn older_version(&self, key: u64, chance: Chance, current: FileFacts) -> FileFacts {
        let stale_key = mix(key, self.world.staleness_salt);
        if !chance.happens(stale_key) {
            return current;
        }
        let age_ns = between(mix(stale_key, AGE), 3600 * NS_PER_SECOND, 365 * SECONDS_PER_DAY * NS_PER_SECOND);
        let resized = mix(stale_key, RESIZED) & 1 == 1;
        FileFacts {
            size: if resized { self.sizes.draw(mix(stale_key, SIZE)) } else { current.size },
            modified_ns: current.modified_ns - i64::try_from(age_ns).expect("a year in nanoseconds fits"),
            content: ContentKey(mix(stale_key, self.content_salt)),
        }
    }

    /// What a listing says of the child with this key.
    pub(crate) fn info(&self, kind: NodeKind, key: u64) -> NodeInfo {
        match kind {
            NodeKind::Folder => NodeInfo { kind, size: 0, modified_ns: modified_ns(key) },
            NodeKind::File => {
                let facts = self.file(key);
                NodeInfo { kind, size: facts.size, modified_ns: facts.modified_ns }
            }
        }
    }
}

fn modified_ns(key: u64) -> i64 {
    let span = MODIFIED_BEFORE_NS.abs_diff(MODIFIED_FROM_NS);
    let after = between(mix(key, MODIFIED), 0, span - 1);
    MODIFIED_FROM_NS + i64::try_from(after).expect("the span is five years")
}

/// File sizes, spread evenly over orders of magnitude.
///
/// Positions are taken on a scale on which each doubling has the same length and is linear within: the logarithm with
/// straight lines between the powers of two. It needs whole numbers only, so it is exact everywhere.
#[derive(Clone, Copy, Debug)]
struct SizeRange {
    least: u64,
    most: u64,
    least_position: u64,
    most_position: u64,
}

/// Length of a doubling on the scale, in bits.
const DOUBLING_BITS: u32 = 52;

impl SizeRange {
    fn new(least: u64, most: u64) -> Self {
        Self { least, most, least_position: position_of(least), most_position: position_of(most + 1) - 1 }
    }

    fn draw(&self, draw: u64) -> u64 {
        if self.least == self.most {
            return self.least;
        }
        let position = between(draw, self.least_position, self.most_position);
        at_position(position).clamp(self.least, self.most)
    }
}

/// Sizes are shifted by one, so that 0 has a logarithm.
fn position_of(size: u64) -> u64 {
    let shifted = size + 1;
    let doublings = shifted.ilog2();
    let within = u128::from(shifted - (1 << doublings)) << DOUBLING_BITS >> doublings;
    (u64::from(doublings) << DOUBLING_BITS) + u64::try_from(within).expect("less than a doubling")
}

fn at_position(position: u64) -> u64 {
    let doublings = position >> DOUBLING_BITS;
    let within = u128::from(position & ((1 << DOUBLING_BITS) - 1));
    let above = u64::try_from((within << doublings) >> DOUBLING_BITS).expect("less than the size itself");
    (1 << doublings) + above - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_within_their_range_and_favour_no_order_of_magnitude() {
        let range = SizeRange::new(100, 100_000_000);
        let sizes: Vec<u64> = (0..60_000).map(|number| range.draw(mix(number, 3))).collect();
        assert!(sizes.iter().all(|size| (100..=100_000_000).contains(size)));
        for magnitude in [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000] {
            let share = sizes.iter().filter(|size| (magnitude..10 * magnitude).contains(*size)).count();
            assert!((9_000..11_000).contains(&share), "{magnitude}: {share}");
        }
    }

    #[test]
    fn the_scale_of_sizes_can_be_read_both_ways() {
        for size in [0, 1, 2, 3, 1023, 1024, 999_999, 1 << 40, 1 << 50] {
            assert_eq!(at_position(position_of(size)), size);
        }
        let range = SizeRange::new(0, 3);
        let drawn: std::collections::BTreeSet<u64> = (0..1000).map(|number| range.draw(mix(number, 3))).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn folders_at_the_greatest_depth_have_no_children() {
        let generator = Generator::new(&Config::default(), None);
        assert_eq!(generator.fan(Origin { key: 1, depth: 4 }), Fan { folders: 0, files: 0 });
        assert_ne!(generator.fan(Origin { key: 1, depth: 3 }).files, 0);
    }
}
