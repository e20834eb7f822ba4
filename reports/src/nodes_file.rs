//! `nodes.parquet`: every node of the source, and those that only the destination has.

use std::fs::File;
use std::path::{Path, PathBuf};

use longhaul_ledger::reporting::{NodeRows, node_schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::{NODES, ReportError, Result, not_made, not_written};

/// Rows of a row group, which is put together in memory.
const ROW_GROUP_ROWS: usize = 131_072;

/// Columns in which hardly any value comes twice: a dictionary of them would only be given up again.
const WITHOUT_DICTIONARY: [&str; 4] = ["id", "path", "modified", "checksum"];

/// The file while it is written.
pub(crate) struct NodesFile {
    writer: ArrowWriter<File>,
    path: PathBuf,
}

impl NodesFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(not_written(path))?;
        // The lowest level: the file is written once and sent, and the checksums in it cannot be made smaller.
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("longhaul {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(|error| not_made(NODES, &error))?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        for column in WITHOUT_DICTIONARY {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let writer = ArrowWriter::try_new(file, node_schema(), Some(properties.build()))
            .map_err(|error| explain(path, error))?;
        Ok(NodesFile { writer, path: path.to_owned() })
    }

    /// Writes rows in the columns of [`node_schema`].
    pub(crate) fn write(&mut self, rows: &NodeRows) -> Result<()> {
        self.writer.write(rows).map_err(|error| explain(&self.path, error))
    }

    pub(crate) fn finish(self) -> Result<()> {
        let path = self.path;
        self.writer.close().map(|_| ()).map_err(|error| explain(&path, error))
    }
}

/// A full disk is told as what it is.
fn explain(path: &Path, error: ParquetError) -> ReportError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(source) => ReportError::NotWritten { path: path.to_owned(), error: *source },
            Err(cause) => not_made(NODES, &cause),
        },
        other => not_made(NODES, &other),
    }
}
