//! `copy-normal`: one world of the simulator is brought to another one that has a part of it, older files, and more.
//! Then the scenario reads both back by itself. With a server the worlds are what its configuration makes them, and what
//! was written into them before is forgotten.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};
use longhaul_ledger::{CopySettings, Reader};
use longhaul_model::{BySide, CopyStatus, VerifyLevel, encode_name};
use longhaul_spectra::{NodeInfo, NodeKind, Spectra};
use serde::{Deserialize, Serialize};

use crate::shared::copied::{Due, verify_copied, verify_second};
use crate::shared::copying::Moved;
use crate::shared::migration::{LEDGER, Run};
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::served::Served;
use crate::shared::simulated_world::{SimulatedWorld, nodes};
use crate::shared::simulator::{self, Place, Shipped};
use crate::shared::stage::Stage;
use crate::shared::tree::Tree;
use crate::shared::verification::verify_outcome;

const CONFIG: Shipped = Shipped { name: "spectra-copy.json", text: include_str!("../../configs/spectra-copy.json") };

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "s1" };

const SECOND_LEDGER: &str = "second.duckdb";

/// What is known before anything is copied.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    /// The server that has the worlds; `None` where this process has them.
    server: Option<String>,
    untouched: Untouched,
}

/// What of the destination nobody has a reason to touch.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Untouched {
    nodes: u64,
    /// Of their paths, kinds, sizes, times and bytes.
    fingerprint: String,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let found = match stage.is_set_up::<Found>()? {
        Some(found) => found,
        None => set_up(stage.spectra_url.as_deref(), &scratch)?,
    };
    stage.expect_spectra_url(found.server.as_deref())?;
    let place = place(found.server.as_deref(), &scratch)?;
    let which = found.server.as_ref().map_or_else(|| format!("of {}", CONFIG.name), |url| format!("at {url}"));
    stage.report.line(&format!("simulator {which}, from {} to {}", WORLDS.src, WORLDS.dst))?;

    stage.begin_run(&found)?;
    let ledger = scratch.join(LEDGER);
    let run = match Run::gone_on_with(&scratch, &stage.interrupt)? {
        Some(run) => run,
        None => Run::of_places(&scratch, place.locations(WORLDS)?, &stage.interrupt)?,
    };
    run.print(&mut stage.report)?;
    let moved = Moved::by_plan(&ledger, CopySettings::default(), VerifyLevel::Full, &stage.interrupt)?;
    moved.print(&mut stage.report, &ledger)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    verify_outcome(report, &run)?;
    moved.verify(report)?;
    // Of worlds into which nothing was ever written: what they were before.
    let before = place.pristine()?;
    let due = due(&before)?;
    verify_copied(report, &Reader::open(&ledger)?, &due, run.is_gone_on)?;
    read_back(report, &due, &simulator::boxed_worlds(&before, WORLDS)?, &place.worlds(WORLDS)?, &found)?;

    let second = scratch.join(SECOND_LEDGER);
    Run::of_places_into(&second, place.locations(WORLDS)?, &stage.interrupt)?;
    Moved::by_plan(&second, CopySettings::default(), VerifyLevel::Size, &stage.interrupt)?;
    verify_second(report, &Reader::open(&second)?, &due)?;
    let kept = match place {
        Place::Here { .. } => format!("{LEDGER}, {SECOND_LEDGER}, {}, spectra.redb", CONFIG.name),
        Place::There(_) => format!("{LEDGER}, {SECOND_LEDGER}"),
    };
    report.check_text("files left by the run", &kept, &names_in(&scratch)?.join(", "))
}

fn place(server: Option<&str>, scratch: &Path) -> Result<Place> {
    Ok(match server {
        None => Place::Here { config: CONFIG.file_in(scratch), scratch: scratch.to_owned() },
        Some(url) => Place::There(Served::at(url)?),
    })
}

fn set_up(server: Option<&str>, scratch: &Path) -> Result<Found> {
    let place = place(server, scratch)?;
    match &place {
        Place::Here { .. } => drop(CONFIG.write_into(scratch)?),
        Place::There(simulator) => simulator.reset()?,
    }
    let pristine = place.pristine()?;
    // What it keeps is made now: half of a database could not be gone on with.
    if let Place::Here { config, scratch } = &place {
        drop(simulator::open(config, scratch)?);
    }
    let now = &*place.worlds(WORLDS)?.dst;
    let untouched = untouched(&due(&pristine)?, &nodes(now)?, now)?;
    Ok(Found { server: server.map(str::to_owned), untouched })
}

/// What has to become of every node, given the worlds as they were before.
fn due(before: &Spectra) -> Result<Due> {
    let trees = simulator::boxed_worlds(before, WORLDS)?;
    let as_trees: BySide<&dyn Tree> = BySide { src: &*trees.src, dst: &*trees.dst };
    Due::of(&as_trees)
}

fn bytes(world: &dyn SimulatedWorld, path: &[u8], info: &NodeInfo) -> Result<Vec<u8>> {
    if info.kind == NodeKind::Folder {
        return Ok(Vec::new());
    }
    // A byte more than there should be.
    let length = usize::try_from(info.size)? + 1;
    world.bytes(path, length).with_context(|| format!("{} cannot be read", path.escape_ascii()))
}

fn is_copied(due: &Due, path: &[u8]) -> bool {
    due.status(&encode_name(path)) == Some(CopyStatus::Successful)
}

/// The nodes of a destination that are not copied to, and what they come to.
fn untouched<'a>(
    due: &Due,
    nodes: impl IntoIterator<Item = (&'a Vec<u8>, &'a NodeInfo)>,
    world: &dyn SimulatedWorld,
) -> Result<Untouched> {
    let (mut count, mut hasher) = (0, DefaultHasher::new());
    for (path, info) in nodes.into_iter().filter(|(path, _)| !is_copied(due, path)) {
        count += 1;
        (path, info.kind, info.size, info.modified_ns, bytes(world, path, info)?).hash(&mut hasher);
    }
    Ok(Untouched { nodes: count, fingerprint: format!("{:016x}", hasher.finish()) })
}

/// Compares what is in the destination now, node by node, with the source and with what was there before.
fn read_back(
    report: &mut Report<'_>,
    due: &Due,
    before: &BySide<Box<dyn SimulatedWorld>>,
    now: &BySide<Box<dyn SimulatedWorld>>,
    found: &Found,
) -> Result<()> {
    let [source, old, new] = [nodes(&*before.src)?, nodes(&*before.dst)?, nodes(&*now.dst)?];
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    let (mut files, mut read) = (0, 0);
    for (path, info) in &source {
        report.check_interrupt()?;
        let Some(there) = new.get(path) else {
            missing.push(encode_name(path).into_owned());
            continue;
        };
        let bytes = [bytes(&*before.src, path, info)?, bytes(&*now.dst, path, there)?];
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
    let changed = nodes(&*now.src)? != source;
    report.check_text("source", "as before", if changed { "changed" } else { "as before" })?;

    let replaced = old.keys().filter(|path| is_copied(due, path)).count() as u64;
    let only_there = old.len() as u64 - in_both;
    for (what, number) in [("older files of s1 replaced", replaced), ("nodes that only s1 has", only_there)] {
        match found.server {
            None => report.check(&format!("{what}, computed"), number > 0, "some", &grouped(number))?,
            // Its worlds may be without any.
            Some(_) => report.line(&format!("        {} {what}, computed", grouped(number)))?,
        }
    }
    let untouched = untouched(due, new.iter().filter(|(path, _)| old.contains_key(*path)), &*now.dst)?;
    report.check_count("other nodes that were in s1 before", found.untouched.nodes, untouched.nodes)?;
    let is_same = untouched.fingerprint == found.untouched.fingerprint;
    let what = "their paths, kinds, sizes, times and bytes";
    report.check_text(what, "as before", if is_same { "as before" } else { "changed" })
}
