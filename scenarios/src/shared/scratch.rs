//! The folder that a run has to itself, and that the next one goes on in when it is cut short.
//!
//! It is called `longhaul-NAME-` and six random characters, in the temporary folder of this machine. In it are
//! `state.json`, what the run says of itself; `lock`, locked for as long as a process works in it; and `files`, the
//! folder that the scenario works in.

use std::fs::{self, DirEntry, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::notes::{Notes, Part};

const LOCK: &str = "lock";
const FILES: &str = "files";

/// A scratch folder, locked.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    /// The folder `files` in it. Free of links, as the locations in the ledger are.
    files: PathBuf,
    notes: Notes,
    _lock: File,
}

/// What looking for an unfinished run has found.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The newest one that nobody works in.
    Found(Scratch),
    /// None, but this one, which another process works in.
    InUse(PathBuf),
    /// None.
    No,
}

impl Scratch {
    /// Makes a folder for a run of the scenario in `parent`.
    pub(crate) fn new_in(parent: &Path, scenario: &str) -> Result<Scratch> {
        let cannot = || format!("no scratch folder can be made in {}", parent.display());
        let folder = tempfile::Builder::new().prefix(&prefix_of(scenario)).tempdir_in(parent).with_context(cannot)?;
        fs::create_dir(folder.path().join(FILES)).with_context(cannot)?;
        let lock = File::create_new(folder.path().join(LOCK)).with_context(cannot)?;
        lock.try_lock().with_context(cannot)?;
        let notes = Notes::new(scenario);
        // In this order: what has a state and no lock is an unfinished run.
        notes.write(folder.path())?;
        Scratch::of(folder.keep(), notes, lock)
    }

    /// The newest folder in `parent` that an unfinished run of the scenario left.
    pub(crate) fn find_unfinished(parent: &Path, scenario: &str) -> Result<Unfinished> {
        let cannot = || format!("cannot look for unfinished runs in {}", parent.display());
        let mut candidates = Vec::new();
        for entry in fs::read_dir(parent).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            if entry.file_name().to_string_lossy().starts_with(&prefix_of(scenario))
                && let Some(left) = left_by_this_user(&entry)
                && is_unfinished(&entry.path(), scenario)
            {
                candidates.push((left, entry.path()));
            }
        }
        candidates.sort_unstable();
        let mut in_use = None;
        for (_, folder) in candidates.into_iter().rev() {
            let Ok(lock) = File::options().write(true).open(folder.join(LOCK)) else { continue };
            if lock.try_lock().is_err() {
                in_use.get_or_insert(folder);
                continue;
            }
            // Whoever had the lock may have come to an end since, and removed the folder.
            if is_unfinished(&folder, scenario) {
                let notes = Notes::read(&folder)?;
                return Ok(Unfinished::Found(Scratch::of(folder, notes, lock)?));
            }
        }
        Ok(in_use.map_or(Unfinished::No, Unfinished::InUse))
    }

    fn of(folder: PathBuf, notes: Notes, lock: File) -> Result<Scratch> {
        let files = folder.canonicalize().context("the scratch folder has no canonical path")?.join(FILES);
        Ok(Scratch { folder, files, notes, _lock: lock })
    }

    /// The folder to work in.
    pub(crate) fn path(&self) -> &Path {
        &self.files
    }

    /// The whole, for people.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Writes down that a part has begun. One that comes later was begun before where a run is gone on with, and stays.
    pub(crate) fn note_part(&mut self, part: Part) -> Result<()> {
        if part > self.notes.part {
            self.notes.part = part;
            self.notes.write(&self.folder)?;
        }
        Ok(())
    }

    /// Writes down what the set-up has found out, when the next part begins.
    pub(crate) fn note_found(&mut self, found: serde_json::Value) {
        self.notes.found = found;
    }

    /// Makes the folder to work in empty, and begins with the set-up.
    pub(crate) fn start_over(&mut self) -> Result<()> {
        self.notes = Notes::new(&self.notes.scenario);
        self.notes.write(&self.folder)?;
        // Another folder, and not the same one emptied: a child that outlived its scenario may still work in that, by
        // relative paths, and must not meet what comes now.
        let abandoned = tempfile::Builder::new().prefix("abandoned-").tempdir_in(&self.folder)?.keep();
        match fs::rename(&self.files, &abandoned) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot rename {}", self.files.display()));
            }
            _ => {}
        }
        // What is left of it is removed with everything else.
        let _ = remove(&abandoned);
        fs::create_dir(&self.files).with_context(|| format!("cannot make {}", self.files.display()))
    }

    /// The run is over: removes the folder, or keeps it. Returns what became of it, for people.
    pub(crate) fn close(mut self, keep: bool) -> String {
        // Before anything is removed: half of a folder is nothing to go on with.
        let noted = self.note_part(Part::Over);
        if keep {
            return self.leave();
        }
        match noted.and_then(|()| Ok(remove(&self.folder)?)) {
            Ok(()) => "scratch folder removed".to_owned(),
            Err(error) => format!("{} cannot be removed: {error:#}", self.folder.display()),
        }
    }

    /// Leaves everything as it is. Returns where that is, for people.
    pub(crate) fn leave(self) -> String {
        format!("kept {}", self.folder.display())
    }
}

fn prefix_of(scenario: &str) -> String {
    format!("longhaul-{scenario}-")
}

/// When the state of an unfinished run was last written; `None` where something is not a folder of this user. Anybody
/// can make folders where these are.
fn left_by_this_user(entry: &DirEntry) -> Option<SystemTime> {
    // Of the entry itself: links are not followed.
    let found = entry.metadata().ok()?;
    let is_own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    is_own.then(|| Notes::written_at(&entry.path()).ok()).flatten()
}

fn is_unfinished(folder: &Path, scenario: &str) -> bool {
    Notes::read(folder).is_ok_and(|notes| notes.scenario == scenario && notes.part < Part::Over)
}

/// Removes a folder with all that is in it. A run that was killed may have left folders closed that it had made.
fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            open_folders_in(folder, CLOSED_DEPTH_MAX);
            fs::remove_dir_all(folder)
        }
        removed => removed,
    }
}

/// How far below a scratch folder a scenario closes folders.
const CLOSED_DEPTH_MAX: usize = 3;

/// Gives this user back the permissions that were taken away. What cannot be done shows when the folders are removed.
fn open_folders_in(folder: &Path, depth: usize) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
        if depth > 1 {
            open_folders_in(&entry.path(), depth - 1);
        }
    }
}

/// The names of what is directly in a folder, in order.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn found(parent: &Path, scenario: &str) -> Option<Scratch> {
        match Scratch::find_unfinished(parent, scenario).unwrap() {
            Unfinished::Found(scratch) => Some(scratch),
            Unfinished::InUse(_) | Unfinished::No => None,
        }
    }

    #[test]
    fn the_newest_unfinished_run_of_the_scenario_is_found_with_what_it_noted() {
        let parent = parent();
        let mut left = Vec::new();
        for scenario in ["one", "one", "one-more"] {
            let mut scratch = Scratch::new_in(parent.path(), scenario).unwrap();
            scratch.note_found(left.len().into());
            scratch.note_part(Part::Run).unwrap();
            left.push(scratch.folder().to_owned());
        }
        let newest = found(parent.path(), "one").unwrap();
        assert_eq!(newest.folder(), left[1]);
        assert_eq!((newest.notes().part, &newest.notes().found), (Part::Run, &1.into()));
        assert_eq!(newest.close(false), "scratch folder removed");
        assert_eq!(found(parent.path(), "one").unwrap().folder(), left[0]);
    }

    #[test]
    fn a_run_that_is_over_or_still_running_is_not_gone_on_with() {
        let parent = parent();
        Scratch::new_in(parent.path(), "one").unwrap().close(true);
        assert!(matches!(Scratch::find_unfinished(parent.path(), "one").unwrap(), Unfinished::No));
        let running = Scratch::new_in(parent.path(), "one").unwrap();
        assert!(matches!(Scratch::find_unfinished(parent.path(), "one").unwrap(), Unfinished::InUse(_)));
        running.leave();
        assert!(found(parent.path(), "one").is_some());
    }

    #[test]
    fn whatever_else_has_such_a_name_is_passed_over() {
        let parent = parent();
        let elsewhere = Scratch::new_in(parent.path(), "other").unwrap().folder().to_owned();
        std::os::unix::fs::symlink(&elsewhere, parent.path().join("longhaul-other-a link")).unwrap();
        fs::write(parent.path().join("longhaul-one-a file"), "").unwrap();
        fs::create_dir(parent.path().join("longhaul-one-a folder")).unwrap();
        let unreadable = parent.path().join("longhaul-one-unreadable");
        fs::create_dir(&unreadable).unwrap();
        fs::write(unreadable.join("state.json"), "{").unwrap();
        assert!(found(parent.path(), "one").is_none());
        assert_eq!(found(parent.path(), "other").unwrap().folder(), elsewhere);
    }

    #[test]
    fn starting_over_leaves_nothing_behind() {
        let parent = parent();
        let mut scratch = Scratch::new_in(parent.path(), "one").unwrap();
        fs::create_dir_all(scratch.path().join("source/closed/below")).unwrap();
        fs::write(scratch.path().join("ledger"), "").unwrap();
        scratch.note_part(Part::Run).unwrap();
        scratch.start_over().unwrap();
        assert_eq!(scratch.notes().part, Part::SetUp);
        assert_eq!(names_in(scratch.path()).unwrap(), Vec::<String>::new());
        assert_eq!(names_in(scratch.folder()).unwrap(), ["files", "lock", "state.json"]);
    }

    #[test]
    fn a_folder_with_closed_ones_in_it_can_be_removed() {
        use std::os::unix::fs::PermissionsExt;
        let parent = parent();
        let scratch = Scratch::new_in(parent.path(), "one").unwrap();
        let closed = scratch.path().join("source/closed");
        fs::create_dir_all(closed.join("below")).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(scratch.close(false), "scratch folder removed");
        assert_eq!(names_in(parent.path()).unwrap(), Vec::<String>::new());
    }
}
