//! Printing rows, a page of them at a time: for people as a table, for programs as CSV or JSON.

use std::borrow::Cow;
use std::io::{self, Write};
use std::iter;

use comfy_table::presets::NOTHING;
use longhaul_ledger::Table;
use longhaul_model::harmless;
use longhaul_reports::guard_cell;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::cli::Format;

/// One row; `None` where the value is NULL.
pub(crate) type Row = Vec<Option<String>>;

/// Rows of a table whose columns are as wide as they have to be for these.
const TABLE_ROWS: usize = 10_000;

/// Prints rows that are there.
pub(crate) fn print(table: Table, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    print_pages(&table.columns, iter::once(Ok(table.rows)), format, out)
}

/// Prints rows as they come.
pub(crate) fn print_pages(
    columns: &[String],
    pages: impl Iterator<Item = anyhow::Result<Vec<Row>>>,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Table => print_table(columns, pages, &mut out)?,
        Format::Csv => print_csv(columns, pages, &mut out)?,
        Format::Json => print_json(columns, pages, &mut out)?,
    }
    Ok(out.flush()?)
}

fn print_table(
    columns: &[String],
    pages: impl Iterator<Item = anyhow::Result<Vec<Row>>>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let begin = || {
        let mut table = comfy_table::Table::new();
        table.load_preset(NOTHING);
        table
    };
    let mut print = |table: &comfy_table::Table| table.lines().try_for_each(|line| writeln!(out, "{}", line.trim()));
    let mut table = begin();
    table.set_header(columns);
    for page in pages {
        for row in page? {
            table.add_row(row.iter().map(|value| harmless(value.as_deref().unwrap_or("NULL"))));
            if table.row_count() == TABLE_ROWS {
                print(&table)?;
                table = begin();
            }
        }
    }
    // Of what goes on there is nothing left where the last rows have just been printed.
    if table.header().is_some() || !table.is_empty() {
        print(&table)?;
    }
    Ok(())
}

fn print_csv(
    columns: &[String],
    pages: impl Iterator<Item = anyhow::Result<Vec<Row>>>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns)?;
    for page in pages {
        for row in page? {
            writer.write_record(row.iter().map(|value| guarded(value.as_deref().unwrap_or_default()).into_owned()))?;
        }
    }
    Ok(writer.flush()?)
}

/// A number is no formula, whatever its sign.
fn guarded(value: &str) -> Cow<'_, str> {
    if value.parse::<f64>().is_ok() { Cow::Borrowed(value) } else { guard_cell(value) }
}

/// An array of objects with their keys in the order of the columns; every value is a text or null.
fn print_json(
    columns: &[String],
    pages: impl Iterator<Item = anyhow::Result<Vec<Row>>>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut serializer = serde_json::Serializer::pretty(&mut *out);
    let mut rows = serializer.serialize_seq(None)?;
    for page in pages {
        for row in &page? {
            rows.serialize_element(&JsonRow { columns, row })?;
        }
    }
    rows.end()?;
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
