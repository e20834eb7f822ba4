//! Where a report appears, whole or not at all: its files are written in a hidden folder beside their places, and renamed
//! when all of them are there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{NODES, PAGE, PROBLEMS, ReportError, Result, SUMMARY, not_written};

/// Its files, in the order in which they appear: the page last, so that where it is, the others are.
const FILES: [&str; 4] = [NODES, PROBLEMS, SUMMARY, PAGE];

/// A folder that a report is being written for.
#[derive(Debug)]
pub(crate) struct ReportFolder {
    folder: PathBuf,
    /// `None` only while it is dropped.
    unfinished: Option<TempDir>,
    was_made: bool,
    force: bool,
}

impl ReportFolder {
    /// Makes the folder if need be. With `force` a report may be there, and stays until the new one is whole.
    pub(crate) fn begin(folder: &Path, force: bool) -> Result<ReportFolder> {
        if !force {
            refuse_existing(folder)?;
        }
        let was_made = !folder.exists();
        fs::create_dir_all(folder).map_err(not_written(folder))?;
        let unfinished =
            tempfile::Builder::new().prefix(".longhaul-report-").tempdir_in(folder).map_err(not_written(folder))?;
        Ok(ReportFolder { folder: folder.to_owned(), unfinished: Some(unfinished), was_made, force })
    }

    /// A folder for whatever is needed on the way, removed in the end.
    pub(crate) fn scratch(&self) -> &Path {
        self.unfinished.as_ref().expect("it is there until this is dropped").path()
    }

    /// Where a file is until all of them are whole.
    pub(crate) fn unfinished(&self, name: &str) -> PathBuf {
        self.scratch().join(name)
    }

    /// Writes one whole file.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> Result<()> {
        let path = self.unfinished(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(contents));
        written.map_err(not_written(&path))
    }

    /// Gives all files their names, and returns their paths, the page first. What they replace comes back when one of
    /// them fails.
    pub(crate) fn publish(mut self) -> Result<Vec<PathBuf>> {
        for name in FILES {
            let path = self.unfinished(name);
            File::open(&path).and_then(|file| file.sync_all()).map_err(not_written(&path))?;
        }
        if !self.force {
            refuse_existing(&self.folder)?;
        }
        for (done, name) in FILES.into_iter().enumerate() {
            if let Err(error) = self.replace(name) {
                FILES[..=done].iter().rev().for_each(|name| self.take_back(name));
                return Err(error);
            }
        }
        // That they have these names is in the folder.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(not_written(&self.folder))?;
        self.was_made = false;
        Ok(FILES.iter().rev().map(|name| self.folder.join(name)).collect())
    }

    fn replaced(&self, name: &str) -> PathBuf {
        self.scratch().join(format!("replaced-{name}"))
    }

    fn replace(&self, name: &str) -> Result<()> {
        let place = self.folder.join(name);
        match fs::rename(&place, self.replaced(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(not_written(&place)(error)),
            _ => {}
        }
        fs::rename(self.unfinished(name), &place).map_err(not_written(&place))
    }

    /// As far as possible: there is nothing better to be done about what fails here.
    fn take_back(&self, name: &str) {
        let place = self.folder.join(name);
        if !self.unfinished(name).exists() {
            let _ = fs::rename(&place, self.unfinished(name));
        }
        if self.replaced(name).symlink_metadata().is_ok() {
            let _ = fs::rename(self.replaced(name), &place);
        }
    }
}

impl Drop for ReportFolder {
    fn drop(&mut self) {
        drop(self.unfinished.take());
        if self.was_made {
            // Only if nobody has put anything into it.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn refuse_existing(folder: &Path) -> Result<()> {
    let there = FILES.iter().rev().filter(|name| folder.join(name).symlink_metadata().is_ok());
    let names: Vec<&str> = there.copied().collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(ReportError::Exists { folder: folder.to_owned(), names: names.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(folder: &Path, force: bool, contents: &str) -> Result<Vec<PathBuf>> {
        let report = ReportFolder::begin(folder, force)?;
        FILES.iter().try_for_each(|name| report.write(name, contents.as_bytes()))?;
        report.publish()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_appear_and_nothing_beside_them() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("some/where");
        assert_eq!(whole(&folder, false, "new").unwrap()[0], folder.join(PAGE));
        assert_eq!(names(&folder), [NODES, PROBLEMS, PAGE, SUMMARY]);
    }

    #[test]
    fn a_report_is_replaced_by_force_only() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(PROBLEMS), "old").unwrap();
        let error = whole(place.path(), false, "new").unwrap_err().to_string();
        assert!(error.contains("problems.csv") && error.contains("--force"), "{error}");
        assert_eq!(names(place.path()), [PROBLEMS]);
        whole(place.path(), true, "new").unwrap();
        assert_eq!(fs::read_to_string(place.path().join(PROBLEMS)).unwrap(), "new");
        assert_eq!(names(place.path()).len(), FILES.len());
    }

    #[test]
    fn a_report_that_is_given_up_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("report");
        let report = ReportFolder::begin(&folder, false).unwrap();
        report.write(PAGE, b"half").unwrap();
        drop(report);
        assert!(!folder.exists());
    }

    #[test]
    fn what_was_there_comes_back_when_one_file_cannot_be_replaced() {
        let place = tempfile::tempdir().unwrap();
        whole(place.path(), false, "old").unwrap();
        let report = ReportFolder::begin(place.path(), true).unwrap();
        for name in FILES {
            report.write(name, b"new").unwrap();
        }
        // The page comes last; there is nothing to take its place.
        fs::create_dir(report.replaced(PAGE)).unwrap();
        fs::write(report.replaced(PAGE).join("in the way"), "").unwrap();
        report.publish().unwrap_err();
        for name in FILES {
            assert_eq!(fs::read_to_string(place.path().join(name)).ok().as_deref(), Some("old"), "{name}");
        }
    }
}
