//! `copy-local`: a folder of this machine with everything in it that makes real trees difficult is brought to another
//! one that has a part of it, and more. Then both are walked by the scenario itself, and compared byte for byte.

mod comparison;
mod trees;

use std::path::{Path, PathBuf};

use anyhow::Result;
use longhaul_ledger::{CopyDurability, CopySettings, Reader};
use longhaul_model::{BySide, CopyStatus, Side, VerifyLevel, encode_name};
use longhaul_storage::Location;
use serde::{Deserialize, Serialize};

use crate::interrupt::Interrupt;
use crate::shared::copied::{Due, verify_copied, verify_second};
use crate::shared::copying::Moved;
use crate::shared::local_trees::{self, Amounts};
use crate::shared::maker::Maker;
use crate::shared::migration::{LEDGER, Run};
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::snapshot::Snapshot;
use crate::shared::stage::Stage;
use crate::shared::tree::Tree;
use crate::shared::verification::verify_outcome;
use comparison::Destination;

const AMOUNTS: Amounts = Amounts { many: 2_000, sparse_bytes: 40 << 20 };

const SECOND_LEDGER: &str = "second.duckdb";

/// Where what was there before is written down.
const BEFORE: BySide<&str> = BySide { src: "source.json", dst: "destination.json" };

const SETTINGS: CopySettings = CopySettings {
    checksum: true,
    owner: true,
    extended: false,
    hard_links: true,
    holes: true,
    large_from: 16 << 20,
    durability: CopyDurability::Batch,
    verify_level: None,
    time_step_ns: None,
    empty_folders: false,
};

/// What is known when the folders are made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    entries: BySide<u64>,
    /// What could not be made, and why.
    remarks: Vec<String>,
    /// Whether there is something that is denied to this user.
    denies: bool,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let folders = BySide { src: scratch.join("source"), dst: scratch.join("destination") };
    let (found, _denied) = match stage.is_set_up::<Found>()? {
        Some(found) => {
            let denied = deny_again(&folders, found.denies)?;
            (found, denied)
        }
        None => set_up(&scratch, &folders, &stage.interrupt)?,
    };
    for side in Side::BOTH {
        stage.report.line(&format!("{side} made: {} entries", grouped(found.entries[side])))?;
    }
    for remark in &found.remarks {
        stage.report.line(remark)?;
    }

    stage.begin_run(&found)?;
    let ledger = scratch.join(LEDGER);
    let places = || BySide { src: Location::Local(folders.src.clone()), dst: Location::Local(folders.dst.clone()) };
    let run = match Run::gone_on_with(&scratch, &stage.interrupt)? {
        Some(run) => run,
        None => Run::of_places(&scratch, places(), &stage.interrupt)?,
    };
    run.print(&mut stage.report)?;
    let moved = Moved::by_plan(&ledger, SETTINGS, VerifyLevel::Full, &stage.interrupt)?;
    moved.print(&mut stage.report, &ledger)?;

    stage.begin_verification()?;
    let (report, interrupt) = (&mut stage.report, &stage.interrupt);
    verify_outcome(report, &run)?;
    moved.verify(report)?;
    let before =
        BySide { src: Snapshot::read(&scratch.join(BEFORE.src))?, dst: Snapshot::read(&scratch.join(BEFORE.dst))? };
    let due = due(&before, found.denies)?;
    check_nasty_entries(report, &due)?;
    verify_copied(report, &Reader::open(&ledger)?, &due, run.is_gone_on)?;

    let after = BySide { src: Snapshot::of(&folders.src, interrupt)?, dst: Snapshot::of(&folders.dst, interrupt)? };
    comparison::check_source(report, &before.src, &after.src)?;
    Destination::due(&before, &due).check(report, &before, &after)?;
    comparison::check_bytes(report, &folders, &before, &due, interrupt)?;

    let second = scratch.join(SECOND_LEDGER);
    Run::of_places_into(&second, places(), interrupt)?;
    Moved::by_plan(&second, SETTINGS, VerifyLevel::Size, interrupt)?;
    verify_second(report, &Reader::open(&second)?, &due)?;
    comparison::check_unchanged(report, &after.dst, &Snapshot::of(&folders.dst, interrupt)?)?;
    let mut left = [BEFORE.src, BEFORE.dst, LEDGER, SECOND_LEDGER, "source", "destination"];
    left.sort_unstable();
    report.check_text("files left by the run", &left.join(", "), &names_in(&scratch)?.join(", "))
}

fn set_up(scratch: &Path, folders: &BySide<PathBuf>, interrupt: &Interrupt) -> Result<(Found, BySide<Maker>)> {
    let mut remarks = Vec::new();
    let mut both = BySide { src: Maker::new(&folders.src)?, dst: Maker::new(&folders.dst)? };
    local_trees::make_open(&mut both, AMOUNTS, interrupt, &mut remarks)?;
    trees::make(&mut both)?;
    let denies = trees::make_denied(&mut both)?;
    if !denies {
        remarks.push("skipped: what may not be read or written, because this user (root) may everything".to_owned());
    }
    for side in Side::BOTH {
        Snapshot::of(&folders[side], interrupt)?.write(&scratch.join(BEFORE[side]))?;
    }
    Ok((Found { entries: BySide { src: both.src.entries, dst: both.dst.entries }, remarks, denies }, both))
}

/// What is denied is so only as long as somebody lives who can give the permission back.
fn deny_again(folders: &BySide<PathBuf>, denies: bool) -> Result<BySide<Maker>> {
    let mut both = BySide { src: Maker::of_made(&folders.src), dst: Maker::of_made(&folders.dst) };
    if denies {
        trees::deny(&mut both)?;
    }
    Ok(both)
}

fn due(before: &BySide<Snapshot>, denies: bool) -> Result<Due> {
    let as_trees: BySide<&dyn Tree> = BySide { src: &before.src, dst: &before.dst };
    let mut due = Due::of(&as_trees)?;
    if denies {
        for path in trees::DENIED {
            due.expect_denied(path);
        }
    }
    due.linked = comparison::linked(&before.src, &due);
    Ok(due)
}

/// What has to become of the nastiest entries, written out: it must not depend on how it is worked out for all.
fn check_nasty_entries(report: &mut Report<'_>, due: &Due) -> Result<()> {
    use CopyStatus::{AlreadyExisted, Conflict, Skipped, Successful};
    let long = |byte: u8| [b"/names/", &[byte; 255][..]].concat();
    let deep = [&b"/deep and long"[..], &[b"/", &[b'l'; 60][..]].concat().repeat(200)].concat();
    let table: Vec<(&[u8], CopyStatus)> = vec![
        (b"/", AlreadyExisted),
        (b"/names/not UTF-8 \xff\xfe", AlreadyExisted),
        (b"/names/caf\xe9 in Latin-1", Successful),
        (b"/names/new\nline", Successful),
        (b"/names/Twin", Successful),
        (b"/names/twin", AlreadyExisted),
        (b"/names/TWIN", Successful),
        (b"/names as folders/new\nline", Successful),
        (b"/names as folders/new\nline/new\nline", Successful),
        (b"/links/dangling", AlreadyExisted),
        (b"/links/to itself", Successful),
        (b"/links/to the root", Successful),
        (b"/links/to a folder", Successful),
        (b"/links/other target", Skipped),
        (b"/links/other time", Skipped),
        (b"/special/FIFO", Skipped),
        (b"/special/FIFO, a file here", Conflict),
        (b"/empty folder", Successful),
        (b"/sizes/empty, not there", Successful),
        (b"/sizes/sparse", AlreadyExisted),
        (b"/sizes/sparse, another size", Skipped),
        (b"/times/3, another nanosecond", Successful),
        (b"/times/3", AlreadyExisted),
        (b"/conflicts/File here, Folder there", Conflict),
        (b"/conflicts/Folder here, File there", Conflict),
        (b"/conflicts/Folder here, File there/folder/file", Conflict),
        (b"/conflicts/Symlink here, File there", Conflict),
        (b"/missing folder/folder/file", Successful),
        (b"/modes/file 0444", Successful),
        (b"/modes/file 4755", Successful),
        (b"/modes/file 0444, older there", Successful),
        (b"/folder 0555", Successful),
        (b"/folder 0555/folder/file", Successful),
        (b"/hard links/folder/three", Successful),
        (b"/holes/large", Successful),
        (b"/large", Successful),
        (b"/large, older there", Successful),
        (b"/existing/the same", AlreadyExisted),
        (b"/existing/older", Successful),
        (b"/existing/a nanosecond older", Successful),
        (b"/existing/newer", Skipped),
        (b"/existing/a nanosecond newer", Skipped),
        (b"/existing/larger", Skipped),
        (b"/existing/older and larger", Successful),
        (b"/existing/older link", Successful),
        (b"/existing/older link, the same target", Successful),
        (b"/times of folders/long ago", Successful),
    ];
    let made = [(long(b'n'), Successful), (long(0xfe), AlreadyExisted), (deep.clone(), Successful)];
    let deepest = [(&deep[..], b"/file")].map(|(folder, file)| ([folder, &file[..]].concat(), Successful));
    let all = table.into_iter().map(|(path, status)| (path.to_vec(), status)).chain(made).chain(deepest);
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, expected) in all {
        let path = encode_name(&path);
        // Devices and the like cannot be made by everybody.
        let found = due.status(&path);
        if found.is_none() && path.starts_with("/special/") {
            continue;
        }
        count += 1;
        if found != Some(expected) {
            let found = found.map_or("nothing", CopyStatus::as_str);
            wrong.push(format!("{path}: expected {expected}, computed {found}"));
        }
    }
    report.check_list(&format!("of {count} nasty entries, those for which something else is computed"), &wrong)
}
