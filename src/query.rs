//! `longhaul query SQL`.

use std::borrow::Cow;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use comfy_table::presets::NOTHING;
use longhaul_ledger::{Reader, Table, belongs_to};
use longhaul_model::harmless;
use longhaul_reports::guard_cell;
use serde::{Serialize, Serializer};

use crate::cli::{Format, QueryArguments};
use crate::{Exit, ledger_probe};

pub(crate) fn run(ledger: &Path, arguments: &QueryArguments) -> anyhow::Result<Exit> {
    if let Some(path) = &arguments.output {
        refuse_taken(ledger, path, arguments.force)?;
    }
    ledger_probe::require(ledger)?;
    let result = Reader::open(ledger)?.query(&arguments.sql)?;
    let Some(path) = &arguments.output else {
        print(&result, arguments.format, &mut io::stdout().lock())?;
        return Ok(Exit::Done);
    };
    let written = || -> anyhow::Result<()> {
        // Beside it first: a file that is there is replaced by all of the result, or not at all.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
        print(&result, arguments.format, file.as_file_mut())?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Exit::Done)
}

/// Refuses to write over what is there, unless that is wanted, and over a ledger in any case.
pub(crate) fn refuse_taken(ledger: &Path, path: &Path, force: bool) -> anyhow::Result<()> {
    if belongs_to(ledger, path) {
        bail!("{} belongs to the ledger: choose another file", path.display());
    }
    if !force && path.symlink_metadata().is_ok() {
        bail!("{} exists already: replace it with --force", path.display());
    }
    Ok(())
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
        table.add_row(row.iter().map(|value| harmless(value.as_deref().unwrap_or("NULL"))));
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
        writer.write_record(row.iter().map(|value| guarded(value.as_deref().unwrap_or_default()).into_owned()))?;
    }
    Ok(writer.flush()?)
}

/// A number is no formula, whatever its sign.
fn guarded(value: &str) -> Cow<'_, str> {
    if value.parse::<f64>().is_ok() { Cow::Borrowed(value) } else { guard_cell(value) }
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
