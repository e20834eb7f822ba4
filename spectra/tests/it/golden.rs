//! Pins what is generated. If this fails, trees that people know are about to change: do not adapt the test, undo
//! what changed the generator.

use longhaul_spectra::NodeKind;

use crate::setup::{contents, nodes, open, small_config, world};

/// Some nodes spelled out, so that a difference can be understood, and a digest of all of them with their contents.
fn described(name: &str) -> Vec<String> {
    let mut config = small_config();
    config.seed.diverging_tree_mode = true;
    config.seed.stale_probability = 0.5;
    config.seed.folder_backoff_factor = 0.9;
    config.seed.max_folders = 30;
    config.seed.folder_depth_decay_factor = 0.6;
    config.seed.file_binary_seed = 5;
    let spectra = open(config);
    let world = world(&spectra, name);
    let all = nodes(&world);
    let mut digest = Fnv::default();
    let mut lines = Vec::new();
    for (index, (path, info)) in all.iter().enumerate() {
        let bytes = if info.kind == NodeKind::File { contents(&world, path) } else { Vec::new() };
        digest.add(path);
        digest.add(&info.size.to_le_bytes());
        digest.add(&info.modified_ns.to_le_bytes());
        digest.add(&bytes);
        if index % (all.len() / 5) == 1 {
            let first = &bytes[..bytes.len().min(4)];
            lines.push(format!("{} {} {} {first:02x?}", path.escape_ascii(), info.size, info.modified_ns));
        }
    }
    lines.push(format!("{} nodes, digest {:016x}", all.len(), digest.0));
    lines
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

#[test]
fn primary_is_as_it_always_was() {
    let expected = [
        "/file_1.txt 14 1725237780286770475 [e0, 51, 76, 9d]",
        "/folder_16/folder_3/folder_3 0 1722872842109933842 []",
        "/folder_20/folder_8/folder_8 0 1606661195940918531 []",
        "/folder_24/folder_9/folder_9 0 1653437945140546769 []",
        "/folder_4/folder_5/folder_9 0 1625728017293915456 []",
        "/folder_9/folder_4/folder_8 0 1660219955368121883 []",
        "4198 nodes, digest c9982e3c479088b5",
    ];
    assert_eq!(described("primary"), expected);
}

#[test]
fn a_secondary_world_is_as_it_always_was() {
    let expected = [
        "/file_3.txt 201 1694820701863236159 [1e, ff, 5b, 28]",
        "/folder_3/folder_11/folder_4 0 1637454396088977277 []",
        "/folder_4/folder_11/file_5.txt 1 1659718415827594953 [90]",
        "/folder_5/folder_6/file_4.txt 3 1632331463361747015 [56, 31, 98]",
        "/folder_7/folder_7 0 1615062491641956330 []",
        "/folder_8/folder_8/folder_4 0 1656061457420659349 []",
        "659 nodes, digest eccae345328b39ab",
    ];
    assert_eq!(described("s1"), expected);
}
