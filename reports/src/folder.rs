//! Where a report appears, whole or not at all: its files are written in a hidden folder beside their places, and renamed
//! when all of them are there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::{NODES, PAGE, PROBLEMS, ReportError, Result, SUMMARY, not_written};

/// Its files, in the order in which they appear: the page last, so that where it is, the others are.
const FILES: [&str; 4] = [NODES, PROBLEMS, SUMMARY, PAGE];

/// What the name of a folder begins with in which a report is written, before the number of the process that writes it.
const UNFINISHED: &str = ".longhaul-report-";

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
        remove_unfinished(folder);
        let prefix = format!("{UNFINISHED}{}-", std::process::id());
        let unfinished = tempfile::Builder::new().prefix(&prefix).tempdir_in(folder).map_err(not_written(folder))?;
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

/// Removes what processes that were killed have left of reports in this folder. Where that fails, it is in nobody's way.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_left_over = entry.file_name().to_str().and_then(writer).is_some_and(has_ended);
        // Not what a link of this name leads to.
        if is_left_over && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that writes a report in a folder of this name, if that is what it is: `.longhaul-report-123-AbCdEf`.
fn writer(name: &str) -> Option<Pid> {
    let (number, random) = name.strip_prefix(UNFINISHED)?.split_once('-')?;
    let is_ours = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // `parse` would take a sign.
    if !is_ours || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Pid::from_raw(number.parse().ok()?)
}

/// Somebody else's process that may not be sent a signal is there as well.
fn has_ended(process: Pid) -> bool {
    test_kill_process(process) == Err(Errno::SRCH)
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
        assert!(error.contains("problems.csv") && error.contains("has a report already"), "{error}");
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

    #[test]
    fn what_a_killed_process_has_left_is_removed_by_the_next_report_and_nothing_else() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (ended, alive) = (child.id(), std::process::id());
        let place = tempfile::tempdir().unwrap();
        let left_over = format!("{UNFINISHED}{ended}-AbC123");
        let stays = [
            format!("{UNFINISHED}{alive}-AbC123"),
            format!("{UNFINISHED}{ended}"),
            format!("{UNFINISHED}{ended}-"),
            format!("{UNFINISHED}{ended}-my own"),
            format!("{UNFINISHED}+{ended}-AbC123"),
            format!("x{UNFINISHED}{ended}-AbC123"),
        ];
        for name in stays.iter().chain([&left_over]) {
            fs::create_dir(place.path().join(name)).unwrap();
            fs::write(place.path().join(name).join(PAGE), "half").unwrap();
        }
        let file = format!("{UNFINISHED}{ended}-File12");
        fs::write(place.path().join(&file), "a file").unwrap();
        whole(place.path(), false, "new").unwrap();
        let mut expected: Vec<String> = FILES.map(str::to_owned).into_iter().chain(stays).chain([file]).collect();
        expected.sort();
        assert_eq!(names(place.path()), expected);
    }
}
