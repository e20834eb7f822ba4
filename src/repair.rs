//! `longhaul repair`.

use std::io::{self, Write};
use std::path::Path;

use longhaul_ledger::Reader;

use crate::{Exit, ledger_probe};

pub(crate) fn run(ledger: &Path) -> anyhow::Result<Exit> {
    if let Some(repaired) = ledger_probe::repair(ledger)? {
        repaired.tell(ledger);
    } else {
        // What else may be wrong with it says so itself.
        Reader::open(ledger)?;
        writeln!(io::stdout(), "ledger {}: nothing to repair", ledger.display())?;
    }
    Ok(Exit::Done)
}
