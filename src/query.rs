//! `longhaul query SQL`.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use longhaul_ledger::{Reader, Selected, belongs_to, folder_of, text_of};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::cli::{Format, QueryArguments};
use crate::rows::print_pages;
use crate::{Exit, ledger_probe};

pub(crate) fn run(ledger: &Path, arguments: &QueryArguments) -> anyhow::Result<Exit> {
    let text = arguments.format.as_text();
    if let Some(path) = &arguments.output {
        refuse_taken(ledger, path, arguments.force)?;
    }
    ledger_probe::require(ledger)?;
    let reader = Reader::open(ledger)?;
    let path = match (&arguments.output, text) {
        (Some(path), _) => path,
        (None, Some(format)) => {
            print(reader.select(&arguments.sql)?, format, &mut io::stdout().lock())?;
            return Ok(Exit::Done);
        }
        (None, None) => bail!("Parquet is a binary format: name a file with --output"),
    };
    let selected = reader.select(&arguments.sql)?;
    let written = || -> anyhow::Result<()> {
        // Beside it first: a file that is there is replaced by all of the result, or not at all.
        let mut file =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder_of(path))?;
        match text {
            Some(format) => print(selected, format, file.as_file_mut())?,
            None => write_parquet(selected, file.as_file_mut())?,
        }
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Exit::Done)
}

fn print(selected: Selected<'_>, format: Format, out: &mut impl io::Write) -> anyhow::Result<()> {
    let columns: Vec<_> = selected.schema().fields().iter().map(|field| field.name().clone()).collect();
    let pages = selected.map(|page| Ok(text_of(&page?)?));
    print_pages(&columns, pages, format, out)
}

fn write_parquet(selected: Selected<'_>, file: &mut File) -> anyhow::Result<()> {
    let properties = WriterProperties::builder()
        .set_created_by(format!("longhaul {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?));
    let mut writer = ArrowWriter::try_new(file, selected.schema().clone(), Some(properties.build()))?;
    for page in selected {
        writer.write(&page?)?;
    }
    writer.close()?;
    Ok(())
}

/// Refuses to write over what is there, unless that is wanted, and over a ledger in any case.
pub(crate) fn refuse_taken(ledger: &Path, path: &Path, force: bool) -> anyhow::Result<()> {
    if belongs_to(ledger, path) {
        bail!("{} belongs to the ledger: choose another file", path.display());
    }
    if let Ok(found) = path.symlink_metadata() {
        if !force {
            bail!("{} exists already: replace it with --force", path.display());
        }
        if !found.is_file() {
            bail!("{} is no file: only a file can be replaced", path.display());
        }
    }
    Ok(())
}
