//! `longhaul query SQL`.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::presets::NOTHING;
use longhaul_ledger::{Reader, Table};
use serde::{Serialize, Serializer};

use crate::cli::{Format, QueryArguments};
use crate::{Exit, ledger_probe};

pub(crate) fn run(ledger: &Path, arguments: &QueryArguments) -> anyhow::Result<Exit> {
    ledger_probe::require(ledger)?;
    let result = Reader::open(ledger)?.query(&arguments.sql)?;
    print(&result, arguments.format, &mut io::stdout().lock())?;
    Ok(Exit::Done)
}

/// Prints the result of a query.
pub(crate) fn print(result: &Table, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Table => print_table(result, &mut out)?,
        Format::Csv => print_csv(result, &mut out)?,
        Format::Json => print_json(result, &mut out)?,
    }
    Ok(out.flush()?)
}

fn print_table(result: &Table, out: &mut impl Write) -> anyhow::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(NOTHING).set_header(&result.columns);
    for row in &result.rows {
        table.add_row(row.iter().map(|value| value.as_deref().unwrap_or("NULL")));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}

fn print_csv(result: &Table, out: &mut impl Write) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&result.columns)?;
    for row in &result.rows {
        writer.write_record(row.iter().map(|value| value.as_deref().unwrap_or_default()))?;
    }
    Ok(writer.flush()?)
}

/// An array of objects with their keys in the order of the columns; every value is a text or null.
fn print_json(result: &Table, out: &mut impl Write) -> anyhow::Result<()> {
    let rows: Vec<_> = result.rows.iter().map(|row| JsonRow { columns: &result.columns, row }).collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    Ok(writeln!(out)?)
}

struct JsonRow<'a> {
    columns: &'a [String],
    row: &'a [Option<String>],
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.row))
    }
}
