//! `longhaul repair`.

use std::io::{self, Write};
use std::path::Path;

use longhaul_ledger::{PutBack, Reader, put_back_torn};
use longhaul_model::human::counted;

use crate::{Exit, ledger_probe};

pub(crate) fn run(ledger: &Path) -> anyhow::Result<Exit> {
    if let Some(PutBack { torn, .. }) = put_back_torn(ledger)? {
        writeln!(
            io::stdout(),
            "ledger {}: a crash in the middle of a checkpoint had torn {}; it is whole again, and nothing is lost",
            ledger.display(),
            counted(i64::try_from(torn).unwrap_or(i64::MAX), "block")
        )?;
    }
    if let Some(repaired) = ledger_probe::repair(ledger)? {
        repaired.tell(ledger);
    } else {
        // What else may be wrong with it says so itself.
        Reader::open(ledger)?;
        writeln!(io::stdout(), "ledger {}: nothing to repair", ledger.display())?;
    }
    Ok(Exit::Done)
}
