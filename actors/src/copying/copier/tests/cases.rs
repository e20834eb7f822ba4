//! What there is to be copied: one scene for each way that an item may go.

use longhaul_model::{CompareBy, ConflictPolicy, PlanAction, Side};

use super::scene::{LARGE_FROM, Scene, bytes};
use Side::{Destination, Source};

/// A scene, and what has to become of its items where nothing goes wrong.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) make: fn() -> Scene,
    pub(super) outcomes: &'static [&'static str],
}

const COPIED: &[&str] = &["copied"];

const LARGE: usize = LARGE_FROM + 700;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    Case { name: "small file", make: small_file, outcomes: COPIED },
    Case { name: "small file without checksum", make: without_checksum, outcomes: COPIED },
    Case { name: "empty file", make: empty_file, outcomes: COPIED },
    Case { name: "symlink", make: symlink, outcomes: COPIED },
    Case { name: "symlink in place of another", make: other_symlink, outcomes: COPIED },
    Case { name: "folder", make: folder, outcomes: &["copied", "copied", "copied"] },
    Case { name: "overwrite", make: overwrite, outcomes: COPIED },
    Case { name: "keep both", make: keep_both, outcomes: COPIED },
    Case { name: "compare, the same", make: compare_same, outcomes: &["already there"] },
    Case { name: "compare, different", make: compare_different, outcomes: COPIED },
    Case { name: "taken, to be skipped", make: || taken(ConflictPolicy::Skip, 900), outcomes: &["skipped"] },
    Case { name: "taken, to be kept", make: || taken(ConflictPolicy::KeepBoth, 900), outcomes: COPIED },
    Case { name: "large", make: large, outcomes: COPIED },
    Case { name: "large without checksum", make: large_without_checksum, outcomes: COPIED },
    Case { name: "large, overwrite", make: large_overwrite, outcomes: COPIED },
    Case { name: "large, keep both", make: large_keep_both, outcomes: COPIED },
    Case { name: "large, compare, the same", make: || large_compare(LARGE, 1), outcomes: &["already there"] },
    Case { name: "large, compare, different", make: || large_compare(LARGE, 2), outcomes: COPIED },
    Case { name: "large, taken, to be skipped", make: || taken(ConflictPolicy::Skip, LARGE), outcomes: &["skipped"] },
    Case { name: "large, taken, to be kept", make: || taken(ConflictPolicy::KeepBoth, LARGE), outcomes: COPIED },
    Case { name: "hard links", make: hard_links, outcomes: &["copied", "copied", "copied"] },
    Case { name: "holes", make: holes, outcomes: COPIED },
    Case { name: "large with holes", make: large_with_holes, outcomes: COPIED },
];

fn small_file() -> Scene {
    let mut scene = Scene::new();
    scene.copying.extended = true;
    scene.file(Source, "a", &bytes(900, 1)).plan(PlanAction::Copy, "a").file(Destination, "z", b"not concerned");
    scene
}

fn without_checksum() -> Scene {
    let mut scene = small_file();
    scene.copying.checksum = false;
    scene
}

fn empty_file() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a", b"").plan(PlanAction::Copy, "a");
    scene
}

fn symlink() -> Scene {
    let mut scene = Scene::new();
    scene.link(Source, "a", "../somewhere else").plan(PlanAction::MakeLink, "a");
    scene
}

fn other_symlink() -> Scene {
    let mut scene = Scene::new();
    scene.link(Source, "a", "new").link(Destination, "a", "old").plan(PlanAction::MakeLink, "a");
    scene
}

fn folder() -> Scene {
    let mut scene = Scene::new();
    scene.make_folder(Source, "a").make_folder(Source, "a/b").file(Source, "a/b/c", &bytes(500, 2));
    scene.plan(PlanAction::CreateFolder, "a");
    scene.plan(PlanAction::CreateFolder, "a/b").plan(PlanAction::Copy, "a/b/c");
    scene
}

fn overwrite() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a", &bytes(900, 1)).file(Destination, "a", &bytes(700, 9)).plan(PlanAction::Overwrite, "a");
    scene
}

fn keep_both() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a.txt", &bytes(900, 1)).file(Destination, "a.txt", &bytes(700, 9));
    scene.file(Destination, "a (source).txt", &bytes(900, 8)).plan(PlanAction::KeepBoth, "a.txt");
    scene
}

fn compare_same() -> Scene {
    let mut scene = Scene::new();
    scene.settings.comparison = scene.settings.comparison.by(CompareBy::Checksum);
    scene.file(Source, "a", &bytes(900, 1)).file(Destination, "a", &bytes(900, 1)).plan(PlanAction::Compare, "a");
    scene
}

fn compare_different() -> Scene {
    let mut scene = Scene::new();
    scene.settings.comparison = scene.settings.comparison.by(CompareBy::Checksum);
    scene.settings.on_conflict = ConflictPolicy::Overwrite;
    scene.file(Source, "a", &bytes(900, 1)).file(Destination, "a", &bytes(900, 2)).plan(PlanAction::Compare, "a");
    scene
}

/// Something has come to be at the destination since the plan was made.
fn taken(policy: ConflictPolicy, length: usize) -> Scene {
    let mut scene = Scene::new();
    scene.settings.on_conflict = policy;
    scene.file(Source, "a", &bytes(length, 1)).plan(PlanAction::Copy, "a").file(Destination, "a", &bytes(700, 9));
    scene
}

fn large() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a", &bytes(LARGE, 1)).plan(PlanAction::Copy, "a");
    scene
}

fn large_without_checksum() -> Scene {
    let mut scene = large();
    scene.copying.checksum = false;
    scene
}

fn large_overwrite() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a", &bytes(LARGE, 1)).file(Destination, "a", &bytes(LARGE + 1, 9));
    scene.plan(PlanAction::Overwrite, "a");
    scene
}

fn large_keep_both() -> Scene {
    let mut scene = Scene::new();
    scene.file(Source, "a.txt", &bytes(LARGE, 1)).file(Destination, "a.txt", &bytes(700, 9));
    scene.file(Destination, "a (source).txt", &bytes(LARGE, 8)).plan(PlanAction::KeepBoth, "a.txt");
    scene
}

fn large_compare(length: usize, seed: u8) -> Scene {
    let mut scene = Scene::new();
    scene.settings.comparison = scene.settings.comparison.by(CompareBy::Checksum);
    scene.settings.on_conflict = ConflictPolicy::Overwrite;
    scene.file(Source, "a", &bytes(LARGE, 1)).file(Destination, "a", &bytes(length, seed));
    scene.plan(PlanAction::Compare, "a");
    scene
}

fn hard_links() -> Scene {
    let mut scene = Scene::new();
    scene.copying.hard_links = true;
    scene.file(Source, "a", &bytes(900, 1)).twin(Source, "b", "a").twin(Source, "c", "a");
    for name in ["a", "b", "c"] {
        scene.plan(PlanAction::Copy, name);
    }
    scene
}

fn holes() -> Scene {
    let mut scene = Scene::new();
    scene.copying.holes = true;
    scene.copying.large_from = 1 << 20;
    scene.file_with_holes(Source, "a", 30_000).plan(PlanAction::Copy, "a");
    scene
}

fn large_with_holes() -> Scene {
    let mut scene = Scene::new();
    scene.copying.holes = true;
    scene.copying.large_from = 16_384;
    scene.file_with_holes(Source, "a", 30_000).plan(PlanAction::Copy, "a");
    scene
}
