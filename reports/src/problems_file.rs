//! `problems.csv`: everything that was not copied or is wrong, and why, for spreadsheets.
//!
//! A spreadsheet runs a cell that begins like a formula, and a name may be `=cmd|…`. So every text that begins with one
//! of [`RUN`] gets an apostrophe in front of it, which spreadsheets take for "this is text" and do not show (OWASP, "CSV
//! Injection"); all texts are in quotation marks, so that no name can begin another cell where the file is read as what it is,
//! with commas between cells.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use longhaul_ledger::reporting::NodeProblem;

use crate::{PROBLEMS, ReportError, Result, not_made, not_written};

/// What makes a spreadsheet run a cell that begins with it: the signs of a formula, in both widths, and what is passed over
/// before them.
const RUN: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Says that the file is UTF-8 to spreadsheets that would take it for something else.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const COLUMNS: [&str; 8] = ["side", "path", "kind", "size", "status", "class", "reason", "attempts"];

/// The file while it is written.
pub(crate) struct ProblemsFile {
    writer: csv::Writer<BufWriter<File>>,
    path: PathBuf,
}

impl ProblemsFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut file = BufWriter::new(File::create(path).map_err(not_written(path))?);
        file.write_all(BYTE_ORDER_MARK).map_err(not_written(path))?;
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::NonNumeric)
            .terminator(csv::Terminator::CRLF)
            .from_writer(file);
        writer.write_record(COLUMNS).map_err(|error| explain(path, error))?;
        Ok(ProblemsFile { writer, path: path.to_owned() })
    }

    pub(crate) fn write(&mut self, problem: &NodeProblem) -> Result<()> {
        let size = problem.size.map(|size| size.to_string()).unwrap_or_default();
        let record = [
            guard_cell(&problem.side),
            guard_cell(&problem.path),
            guard_cell(&problem.kind),
            Cow::Owned(size),
            guard_cell(problem.status.as_str()),
            guard_cell(problem.class.as_deref().unwrap_or_default()),
            guard_cell(problem.reason.as_deref().unwrap_or_default()),
            Cow::Owned(problem.attempts.to_string()),
        ];
        let written = self.writer.write_record(record.iter().map(|value| value.as_bytes()));
        written.map_err(|error| explain(&self.path, error))
    }

    pub(crate) fn finish(self) -> Result<()> {
        let path = self.path;
        let mut file = self.writer.into_inner().map_err(|error| not_made(PROBLEMS, &error.error()))?;
        file.flush().map_err(not_written(&path))
    }
}

/// `text` in a form that no spreadsheet runs as a formula.
pub fn guard_cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(RUN) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn explain(path: &Path, error: csv::Error) -> ReportError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ReportError::NotWritten { path: path.to_owned(), error },
        other => ReportError::NotMade { name: PROBLEMS, reason: format!("{other:?}") },
    }
}

#[cfg(test)]
mod tests {
    use longhaul_ledger::reporting::ProblemKind;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe() {
        for run in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"] {
            assert_eq!(guard_cell(run), format!("'{run}"));
        }
        for plain in ["", "/=1+1", "a=b", " =1", "'=1", "name"] {
            assert_eq!(guard_cell(plain), plain);
        }
    }

    #[test]
    fn what_was_written_can_be_read_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(PROBLEMS);
        let problem = NodeProblem {
            side: "src".to_owned(),
            path: "/a \"quoted\", name;\u{e4}".to_owned(),
            kind: "file".to_owned(),
            size: Some(12),
            status: ProblemKind::Failed,
            class: Some("denied".to_owned()),
            reason: Some("=HYPERLINK(\"x\")\nand more".to_owned()),
            attempts: 3,
        };
        let mut file = ProblemsFile::create(&path).unwrap();
        file.write(&problem).unwrap();
        file.write(&NodeProblem { size: None, class: None, reason: None, ..problem }).unwrap();
        file.finish().unwrap();
        let rows: Vec<Vec<String>> = csv::Reader::from_path(&path)
            .unwrap()
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let path = "/a \"quoted\", name;\u{e4}";
        assert_eq!(rows[0], ["src", path, "file", "12", "failed", "denied", "'=HYPERLINK(\"x\")\nand more", "3"]);
        assert_eq!(rows[1], ["src", path, "file", "", "failed", "", "", "3"]);
    }
}
