//! The pairs of trees that are listed, or migrated, while the program is being killed, each from a seed and a number.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::What;
use super::local;
use super::planted::{Planted, Wanted, draw};
use super::random::Random;
use super::walk::{Care, walk};

/// The purpose of the random numbers here, for pairs that are listed.
const TREES: u64 = 1;

/// The same for pairs that are migrated.
const MIGRATIONS: u64 = 4;

/// What a local destination is called in the folder of its case.
const DESTINATION: &str = "destination";

/// What a world keeps its writes in, in the folder of its case.
const KEPT: &str = "spectra.redb";

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
    /// A folder of this machine is migrated to where nothing is.
    ToNothing,
    /// A folder of this machine is migrated to another one that has much of it, and other things in its place.
    ToConflicts,
    /// A simulated world is migrated to a folder of this machine.
    WorldToLocal,
    /// A simulated world is migrated to another one.
    WorldToWorld,
}

/// In turn, so that a few trees are of every kind. What takes long is not in every round of the small ones.
const FULL: [Kind; 6] = [Kind::Diverging, Kind::Local, Kind::Faults, Kind::Paged, Kind::LocalHuge, Kind::Diverging];
const SMALL: [Kind; 7] =
    [Kind::Diverging, Kind::Local, Kind::Faults, Kind::Diverging, Kind::Paged, Kind::Local, Kind::Faults];
/// Conflicts and odd names on this machine; folders that cannot be listed; more nodes.
const EDITED: [Kind; 3] = [Kind::Local, Kind::Faults, Kind::Diverging];
const MIGRATED: [Kind; 5] =
    [Kind::ToNothing, Kind::WorldToWorld, Kind::ToConflicts, Kind::WorldToLocal, Kind::ToConflicts];

/// A pair of trees that is there to be listed, or migrated.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) kind: Kind,
    /// As they are typed.
    locations: [String; 2],
    migration: Option<Migration>,
}

/// What else there is to know of a pair that is migrated.
#[derive(Debug)]
struct Migration {
    /// What is typed when it begins.
    at_first: Vec<String>,
    /// What is typed whenever it is gone on with, too.
    always: Vec<String>,
    destination: Destination,
    /// The source, where the destination has to become the same.
    becomes: Option<PathBuf>,
    several_names: bool,
}

/// Where a migration goes: a place of its own for each case.
#[derive(Debug)]
enum Destination {
    Folder { planted: Planted, is_made_by_the_program: bool },
    World,
}

impl Trees {
    /// Makes the pair with this number in `folder`.
    pub(super) fn make(folder: &Path, what: What, seed: u64, number: u64, is_small: bool) -> Result<Self> {
        let kinds: &[Kind] = match what {
            What::Migrate => &MIGRATED,
            What::Edit => &EDITED,
            What::Discover if is_small => &SMALL,
            What::Discover => &FULL,
        };
        let turn = usize::try_from(number).context("too many trees")? % kinds.len();
        let kind = kinds[turn];
        if what == What::Migrate {
            return Self::to_be_migrated(folder, kind, &mut Random::new(seed, MIGRATIONS, number), is_small);
        }
        let mut random = Random::new(seed, TREES, number);
        let locations = match kind {
            Kind::LocalHuge => local::make(folder, &mut random, 150_000)?,
            Kind::Faults => worlds(folder, &faults(&mut random))?,
            Kind::Paged => worlds(folder, &paged(&mut random, is_small))?,
            Kind::Diverging => worlds(folder, &diverging(&mut random, is_small))?,
            // Editing does not depend on pages.
            _ if what == What::Edit && is_small => local::make(folder, &mut random, 500)?,
            _ => local::make(folder, &mut random, 16_500)?,
        };
        Ok(Self { kind, locations, migration: None })
    }

    fn to_be_migrated(folder: &Path, kind: Kind, random: &mut Random, is_small: bool) -> Result<Self> {
        let compare = *random.pick(&["size+mtime", "size+mtime", "checksum"]);
        let policy = *random.pick(&["newer", "skip", "overwrite", "keep-both", "ask"]);
        let several_names = random.between(0, 2) == 0;
        let preserve = if several_names { "hard-links,sparse,owner" } else { "sparse" };
        let mut always = options(&[
            ("--large-from", "1"),
            ("--checksum", *random.pick(&["on", "on", "off"])),
            ("--durability", *random.pick(&["batch", "batch", "file", "none"])),
            ("--level", *random.pick(&["size", "checksum", "full"])),
            ("--preserve", preserve),
        ]);
        if random.between(0, 3) == 0 {
            always.extend(options(&[("--copiers", *random.pick(&["1", "7"]))]));
        }
        always.push("--yes".to_owned());
        let mut at_first = options(&[("--compare", compare), ("--on-conflict", policy)]);
        let is_one_sided = kind == Kind::ToNothing;
        let (locations, destination, becomes) = match kind {
            Kind::WorldToWorld | Kind::WorldToLocal => {
                let [primary, s1] = worlds(folder, &written(random, is_small))?;
                if kind == Kind::WorldToWorld {
                    ([primary, s1], Destination::World, None)
                } else {
                    let planted = Planted::default();
                    let destination = Destination::Folder { planted, is_made_by_the_program: false };
                    ([primary, DESTINATION.to_owned()], destination, None)
                }
            }
            _ => {
                let disguises = compare == "checksum";
                let bulk = if is_small { 2_000 } else { random.between(10_000, 40_000) };
                let large = random.between(1, if is_small { 3 } else { 8 });
                let [source, destination] = draw(random, Wanted { bulk, large, is_one_sided, disguises });
                let root = folder.join("src");
                fs::create_dir(&root).with_context(|| format!("cannot make {}", root.display()))?;
                source.make(&root)?;
                let is_made_by_the_program = is_one_sided && random.between(0, 1) == 0;
                let destination = Destination::Folder { planted: destination, is_made_by_the_program };
                let locations = [root.display().to_string(), DESTINATION.to_owned()];
                (locations, destination, is_one_sided.then_some(root))
            }
        };
        if matches!(destination, Destination::Folder { is_made_by_the_program: true, .. }) {
            at_first.push("--create-destination".to_owned());
        }
        let migration = Migration { at_first, always, destination, becomes, several_names };
        Ok(Self { kind, locations, migration: Some(migration) })
    }

    /// What is typed to begin, or to go on.
    pub(super) fn arguments(&self, is_begun: bool) -> Vec<&str> {
        let command = if self.migration.is_some() { "migrate" } else { "discover" };
        let mut typed = vec![command];
        let locations = self.locations.iter().map(String::as_str);
        match &self.migration {
            _ if is_begun => typed.push("--resume"),
            Some(migration) => typed.extend(locations.chain(migration.at_first.iter().map(String::as_str))),
            None => typed.extend(locations),
        }
        if let Some(migration) = &self.migration {
            typed.extend(migration.always.iter().map(String::as_str));
        }
        typed
    }

    /// Whether it is a whole migration.
    pub(super) fn is_migrated(&self) -> bool {
        self.migration.is_some()
    }

    /// For people: which kind, and what was typed beside the locations.
    pub(super) fn describe(&self) -> String {
        match &self.migration {
            None => format!("{:?}", self.kind),
            Some(Migration { at_first, always, .. }) => {
                format!("{:?} {} {}", self.kind, at_first.join(" "), always.join(" "))
            }
        }
    }

    /// Makes what the destination of a case is before anything has begun.
    pub(super) fn plant(&self, folder: &Path) -> Result<()> {
        match self.migration.as_ref().map(|migration| &migration.destination) {
            Some(Destination::Folder { planted, is_made_by_the_program: false }) => {
                let root = folder.join(DESTINATION);
                fs::create_dir(&root).with_context(|| format!("cannot make {}", root.display()))?;
                planted.make(&root)
            }
            _ => Ok(()),
        }
    }

    /// Whether it is for the migration that there is something with this name in the folder of a case.
    pub(super) fn is_part_of_it(&self, name: &std::ffi::OsStr) -> bool {
        match self.migration.as_ref().map(|migration| &migration.destination) {
            Some(Destination::Folder { .. }) => name == DESTINATION,
            Some(Destination::World) => name == KEPT,
            None => false,
        }
    }

    /// The locations as they are typed, if it takes another listing of the destination to see what is there.
    pub(super) fn worlds(&self) -> Option<&[String; 2]> {
        matches!(self.migration.as_ref()?.destination, Destination::World).then_some(&self.locations)
    }

    /// How many entries that are no folders came into a local destination where nothing was before.
    pub(super) fn brought(&self, folder: &Path) -> Result<Option<u64>> {
        let Some(Migration { destination: Destination::Folder { planted, .. }, .. }) = &self.migration else {
            return Ok(None);
        };
        let root = folder.join(DESTINATION);
        if planted.others() > 0 || !root.exists() {
            return Ok(None);
        }
        Ok(Some(walk(&root)?.others()))
    }

    /// What is wrong with the local destination of a case, compared with that of the run that nobody killed, and with
    /// the source where it has to become the same. A reference is compared with its source alone.
    pub(super) fn wrong_with(&self, folder: &Path, reference: Option<&Path>) -> Result<Vec<String>> {
        let Some(Migration { destination: Destination::Folder { planted, .. }, becomes, several_names, .. }) =
            &self.migration
        else {
            return Ok(Vec::new());
        };
        let mut folders_of_any_time: HashSet<&Path> = planted.folders().collect();
        folders_of_any_time.insert(Path::new(""));
        let care = Care { folders_of_any_time, several_names: *several_names };
        let found = walk(&folder.join(DESTINATION))?;
        let mut wrong = Vec::new();
        for (due, what) in [
            (reference.map(|reference| reference.join(DESTINATION)), "than after the run that nobody killed"),
            (becomes.clone(), "than on the source"),
        ] {
            let Some(due) = due else { continue };
            let differences = found.differences(&walk(&due)?, &care);
            wrong.extend(differences.into_iter().map(|difference| format!("otherwise {what}: {difference}")));
        }
        wrong.extend(found.temporary().map(|path| format!("a temporary file is left: {}", path.display())));
        Ok(wrong)
    }
}

fn options(typed: &[(&str, &str)]) -> Vec<String> {
    typed.iter().flat_map(|(option, value)| [(*option).to_owned(), (*value).to_owned()]).collect()
}

/// Writes a configuration; returns the locations of its two worlds.
fn worlds(folder: &Path, config: &serde_json::Value) -> Result<[String; 2]> {
    let file = folder.join("spectra.json");
    fs::write(&file, serde_json::to_vec_pretty(config)?).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(["primary", "s1"].map(|world| format!("spectra:{world}?config={}", file.display())))
}

/// Worlds that keep what is written into them. Files have contents, some of them of more than one read.
fn written(random: &mut Random, is_small: bool) -> serde_json::Value {
    // Not at the root: whoever cannot write there cannot even begin.
    let late = |number| {
        let path = format!("/folder_{number}/**");
        json!({ "operation": "upload_file", "path": path, "error": "transient", "probability": 0.1, "first_attempts": 2,
                "retry_after_ms": 5 })
    };
    let faults = json!([
        { "operation": "upload_file", "path": "/folder_1/**", "error": "denied", "probability": 0.05 },
        late(1),
        late(2),
        late(3),
        late(4),
        // Rather few: a folder is verified as a whole.
        { "operation": "get_file_data", "error": "transient", "probability": 0.005, "first_attempts": 1,
          "retry_after_ms": 2 },
    ]);
    json!({
        "mode": "persistent",
        "seed": {
            "max_depth": if is_small { 3 } else { 4 }, "min_folders": 2, "max_folders": 4,
            "min_files": 0, "max_files": if is_small { 10 } else { random.between(10, 40) },
            "seed": random.next() >> 32, "diverging_tree_mode": true, "stale_probability": random.fraction() / 3.0,
            "min_file_size": 1, "max_file_size": 400_000, "db_path": KEPT,
        },
        "secondary_tables": { "s1": 0.3 + random.fraction() / 2.0 },
        "chaos": {
            "latency": {
                "list_children_ms": 1, "upload_file_ms": random.pick(&[0, 2, 10]), "get_file_data_ms": random.pick(&[0, 1]),
                "create_folder_ms": random.pick(&[0, 5, 50]), "jitter_ms": 5,
            },
            "faults": faults,
        },
    })
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
