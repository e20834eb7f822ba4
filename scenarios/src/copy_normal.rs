//! `copy-normal`: one world of the simulator is brought to another one that has a part of it, older files, and more.
//! Then the scenario reads both back by itself.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::{Result, anyhow};
use longhaul_ledger::{CopySettings, Reader};
use longhaul_model::{BySide, CopyStatus, VerifyLevel, encode_name};
use longhaul_spectra::{NodeInfo, NodeKind, Spectra, World};
use longhaul_storage::Location;
use serde::{Deserialize, Serialize};

use crate::shared::copied::{Due, verify_copied, verify_second};
use crate::shared::copying::Moved;
use crate::shared::migration::{LEDGER, Run};
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::simulator::{self, Shipped, WorldTree};
use crate::shared::stage::Stage;
use crate::shared::tree::Tree;
use crate::shared::verification::verify_outcome;

const CONFIG: Shipped = Shipped { name: "spectra-copy.json", text: include_str!("../../configs/spectra-copy.json") };

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "s1" };

const SECOND_LEDGER: &str = "second.duckdb";

/// What is known before anything is copied.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    /// Nodes of the destination that nobody has a reason to touch.
    untouched: u64,
    /// Of their paths, kinds, sizes, times and bytes.
    fingerprint: String,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let config = CONFIG.file_in(&scratch);
    let found = if let Some(found) = stage.is_set_up::<Found>()? {
        found
    } else {
        CONFIG.write_into(&scratch)?;
        // What it keeps is made now: half of a database could not be gone on with.
        let simulator = simulator::open(&config, &scratch)?;
        let worlds = worlds(&simulator)?;
        untouched(&due(&simulator)?, &nodes(&worlds.dst)?, &worlds.dst)?
    };
    stage.report.line(&format!("simulator of {}, from {} to {}", CONFIG.name, WORLDS.src, WORLDS.dst))?;

    stage.begin_run(&found)?;
    let ledger = scratch.join(LEDGER);
    let location = |world: &str| Location::Spectra { world: world.to_owned(), config: config.clone() };
    let locations = || BySide { src: location(WORLDS.src), dst: location(WORLDS.dst) };
    let run = match Run::gone_on_with(&scratch, &stage.interrupt)? {
        Some(run) => run,
        None => Run::of_places(&scratch, locations(), &stage.interrupt)?,
    };
    run.print(&mut stage.report)?;
    let moved = Moved::by_plan(&ledger, CopySettings::default(), VerifyLevel::Full, &stage.interrupt)?;
    moved.print(&mut stage.report, &ledger)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    verify_outcome(report, &run)?;
    moved.verify(report)?;
    // Of worlds into which nothing was ever written: what they were before.
    let before = simulator::pristine(&config)?;
    let due = due(&before)?;
    verify_copied(report, &Reader::open(&ledger)?, &due, run.is_gone_on)?;
    read_back(report, &due, &worlds(&before)?, &simulator::open_after_engine(&config, &scratch)?, &found)?;

    let second = scratch.join(SECOND_LEDGER);
    Run::of_places_into(&second, locations(), &stage.interrupt)?;
    Moved::by_plan(&second, CopySettings::default(), VerifyLevel::Size, &stage.interrupt)?;
    verify_second(report, &Reader::open(&second)?, &due)?;
    report.check_text(
        "files left by the run",
        &format!("{LEDGER}, {SECOND_LEDGER}, {}, spectra.redb", CONFIG.name),
        &names_in(&scratch)?.join(", "),
    )
}

fn worlds(simulator: &Spectra) -> Result<BySide<World>> {
    let world = |name| Ok::<World, anyhow::Error>(simulator.world(name)?.undisturbed());
    Ok(BySide { src: world(WORLDS.src)?, dst: world(WORLDS.dst)? })
}

/// What has to become of every node, given the worlds as they were before.
fn due(before: &Spectra) -> Result<Due> {
    let trees = BySide { src: WorldTree::new(before, WORLDS.src)?, dst: WorldTree::new(before, WORLDS.dst)? };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    Due::of(&as_trees)
}

type Nodes = BTreeMap<Vec<u8>, NodeInfo>;

fn nodes(world: &World) -> Result<Nodes> {
    let mut nodes = Nodes::new();
    world
        .walk(|path, info| {
            nodes.insert(path.to_vec(), *info);
        })
        .map_err(|fault| anyhow!("{} cannot be walked: {}", world.name(), fault.message))?;
    Ok(nodes)
}

fn bytes(world: &World, path: &[u8], info: &NodeInfo) -> Result<Vec<u8>> {
    if info.kind == NodeKind::Folder {
        return Ok(Vec::new());
    }
    // A byte more than there should be.
    let length = usize::try_from(info.size)? + 1;
    let read = world.read(path, 0, length, Duration::ZERO).result;
    read.map_err(|fault| anyhow!("{} cannot be read: {}", path.escape_ascii(), fault.message))
}

fn is_copied(due: &Due, path: &[u8]) -> bool {
    due.status(&encode_name(path)) == Some(CopyStatus::Successful)
}

/// The nodes of a destination that are not copied to, and what they come to.
fn untouched<'a>(
    due: &Due,
    nodes: impl IntoIterator<Item = (&'a Vec<u8>, &'a NodeInfo)>,
    world: &World,
) -> Result<Found> {
    let (mut count, mut hasher) = (0, DefaultHasher::new());
    for (path, info) in nodes.into_iter().filter(|(path, _)| !is_copied(due, path)) {
        count += 1;
        (path, info.kind, info.size, info.modified_ns, bytes(world, path, info)?).hash(&mut hasher);
    }
    Ok(Found { untouched: count, fingerprint: format!("{:016x}", hasher.finish()) })
}

/// Compares what is in the destination now, node by node, with the source and with what was there before.
fn read_back(
    report: &mut Report<'_>,
    due: &Due,
    before: &BySide<World>,
    simulator: &Spectra,
    found: &Found,
) -> Result<()> {
    let now = worlds(simulator)?;
    let [source, old, new] = [nodes(&before.src)?, nodes(&before.dst)?, nodes(&now.dst)?];
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    let (mut files, mut read) = (0, 0);
    for (path, info) in &source {
        report.check_interrupt()?;
        let Some(there) = new.get(path) else {
            missing.push(encode_name(path).into_owned());
            continue;
        };
        let bytes = [bytes(&before.src, path, info)?, bytes(&now.dst, path, there)?];
        if (info.kind, info.size, info.modified_ns) != (there.kind, there.size, there.modified_ns) {
            different.push(format!("{}: {there:?} instead of {info:?}", encode_name(path)));
        } else if bytes[0] != bytes[1] {
            different.push(format!("{}: other bytes", encode_name(path)));
        }
        files += u64::from(info.kind == NodeKind::File);
        read += bytes[0].len() as u64;
    }
    let nodes_now = new.len() as u64;
    let in_both = old.keys().filter(|path| source.contains_key(*path)).count() as u64;
    report.check_list(&format!("of {} source nodes, those missing in s1", grouped(source.len() as u64)), &missing)?;
    report.check_list("source nodes with another kind, size, time or bytes in s1", &different)?;
    report.line(&format!("        {} bytes of {} files compared", grouped(read), grouped(files)))?;
    report.check_count("nodes of s1 now", source.len() as u64 + old.len() as u64 - in_both, nodes_now)?;
    let changed = nodes(&now.src)? != source;
    report.check_text("source", "as before", if changed { "changed" } else { "as before" })?;

    let replaced = old.keys().filter(|path| is_copied(due, path)).count() as u64;
    report.check("older files of s1 replaced, computed", replaced > 0, "some", &grouped(replaced))?;
    let only_there = old.len() as u64 - in_both;
    report.check("nodes that only s1 has, computed", only_there > 0, "some", &grouped(only_there))?;
    let untouched = untouched(due, new.iter().filter(|(path, _)| old.contains_key(*path)), &now.dst)?;
    report.check_count("other nodes that were in s1 before", found.untouched, untouched.untouched)?;
    let is_same = untouched.fingerprint == found.fingerprint;
    let what = "their paths, kinds, sizes, times and bytes";
    report.check_text(what, "as before", if is_same { "as before" } else { "changed" })
}
