//! `longhaul plan`.

use std::io;
use std::path::Path;

use longhaul_ledger::{LedgerError, PlanFilter, Reader, Table};
use longhaul_model::Side;

use crate::cli::PlanArguments;
use crate::{Exit, ledger_probe, rows};

/// Items that are shown where nobody says how many.
const LIMIT: u64 = 1_000;

pub(crate) fn run(ledger: &Path, arguments: &PlanArguments) -> anyhow::Result<Exit> {
    ledger_probe::require(ledger)?;
    let reader = Reader::open(ledger)?;
    if !reader.migration()?.is_discovered() {
        return Err(anyhow::Error::from(LedgerError::NotDiscovered).context("there is no plan yet"));
    }
    let mut out = io::stdout().lock();
    if arguments.action.is_none() && arguments.under.is_none() && arguments.limit.is_none() {
        let rows = reader
            .plan_totals()?
            .into_iter()
            .map(|total| vec![Some(total.action), Some(total.nodes.to_string()), Some(total.bytes.to_string())]);
        let columns = ["action", "nodes", "bytes"].map(str::to_owned).to_vec();
        rows::print(Table { columns, rows: rows.collect() }, arguments.format, &mut out)?;
        return Ok(Exit::Done);
    }
    let under = arguments.under.as_deref().map(|path| reader.require_path(Side::Source, path)).transpose()?;
    let filter = PlanFilter { action: arguments.action, under, limit: arguments.limit.unwrap_or(LIMIT) };
    rows::print(reader.plan_items(&filter)?, arguments.format, &mut out)?;
    Ok(Exit::Done)
}
