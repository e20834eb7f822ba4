//! `longhaul repair`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{anyhow, bail};
use longhaul_ledger::{LedgerError, PutBack, Reader, Rescued, is_damage, put_back_torn, take_its_place};
use longhaul_model::human::{self, counted};

use crate::ledger_probe::{self, Mended};
use crate::{Exit, backup};

/// Reading all of a ledger of this size takes a while, so that it is said.
const LARGE_BYTES: u64 = 256 << 20;

pub(crate) fn run(ledger: &Path) -> anyhow::Result<Exit> {
    match repair(ledger) {
        // What there is cannot be taken for a ledger: what else there may be is said as well.
        Err(error) if error.chain().any(is_no_ledger) => Err(anyhow!("{error:#}: {}", other_ways(ledger))),
        done => done,
    }
}

fn is_no_ledger(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(LedgerError::NotALedger { .. } | LedgerError::Missing(_)))
}

fn repair(ledger: &Path) -> anyhow::Result<Exit> {
    let shown = ledger.display();
    if let Some(PutBack { torn, .. }) = put_back_torn(ledger)? {
        writeln!(
            io::stdout(),
            "ledger {shown}: a crash in the middle of a checkpoint had torn {}; it is whole again, and nothing is lost",
            counted(torn as u64, "block")
        )?;
    }
    let is_sound = match ledger_probe::mend(ledger)? {
        Mended::Damaged(reason) if is_damage(&reason) => return rescue(ledger, &reason),
        // It may be sound: a disk or a lack of memory may be the reason.
        Mended::Damaged(reason) => {
            bail!("ledger {shown} cannot be opened ({reason}). If that stays so, {}", other_ways(ledger))
        }
        Mended::Log(repaired) => {
            repaired.tell(ledger);
            false
        }
        Mended::Sound => true,
    };
    // What else may be wrong with it says so itself.
    Reader::open(ledger)?;
    let bytes = ledger.metadata().map_or(0, |found| found.len());
    if bytes > LARGE_BYTES {
        tell!("longhaul: reading all of ledger {shown}, {}", human::bytes(bytes));
    }
    match ledger_probe::find_unreadable_tables(ledger)? {
        Some(tables) if tables.is_empty() => {}
        Some(tables) => return rescue(ledger, &format!("these tables cannot be read: {}", tables.join(", "))),
        None => bail!("ledger {shown}: DuckDB aborts while reading it. If that stays so, {}", other_ways(ledger)),
    }
    if is_sound {
        writeln!(io::stdout(), "ledger {shown}: nothing to repair")?;
    }
    Ok(Exit::Done)
}

/// Replaces a damaged ledger by a new one with its settings and review choices.
fn rescue(ledger: &Path, reason: &str) -> anyhow::Result<Exit> {
    let shown = ledger.display();
    let mut new = ledger.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = Path::new(&new);
    let Some(Rescued { exclusions, decisions, names, lost, tables_lost }) = ledger_probe::rescue_to(ledger, new)?
    else {
        bail!("ledger {shown} is damaged ({reason}), and nothing in it can be read: {}", other_ways(ledger));
    };
    let is_all = lost == 0 && tables_lost.is_empty();
    let aside = take_its_place(new, ledger)?;
    let mut out = io::stdout().lock();
    writeln!(out, "ledger {shown} is damaged ({reason}): it was moved to {}", aside.display())?;
    writeln!(
        out,
        "a new ledger replaces it, with the same settings, {}, {} and {}",
        counted(exclusions, "exclusion"),
        counted(decisions, "decision"),
        counted(names, "accepted name")
    )?;
    if lost > 0 {
        writeln!(out, "{} about exclusions, decisions or names cannot be read and may be lost", counted(lost, "row"))?;
    }
    for table in tables_lost {
        writeln!(out, "the table {table} cannot be read: its rows may be lost")?;
    }
    writeln!(
        out,
        "the listings, the approval, the history and the checksums are lost: both trees are listed again, and copied files \
         count as copied once their contents have been compared"
    )?;
    if let Some(backup) = tell_of_backup(ledger) {
        writeln!(out, "{backup}: use it instead if that loses less")?;
    }
    writeln!(out, "resume with: longhaul discover --resume --ledger {shown}")?;
    Ok(if is_all { Exit::Done } else { Exit::SomeFailed })
}

/// Says what to do without this ledger.
fn other_ways(ledger: &Path) -> String {
    let backup = tell_of_backup(ledger).map_or_else(String::new, |backup| format!("{backup}; or "));
    format!(
        "{backup}start over with another ledger: `longhaul discover SRC DST --adopt`, which counts files that were copied before as \
         copied once their contents have been compared"
    )
}

/// Names the backup that runs create with `--backup-every`, and its age, if there is one.
fn tell_of_backup(ledger: &Path) -> Option<String> {
    let backup = backup::regular_backup_of(ledger);
    let age = SystemTime::now().duration_since(backup.metadata().ok()?.modified().ok()?).unwrap_or_default();
    Some(format!("there is a backup, {}, from {} ago", backup.display(), human::duration(age)))
}
