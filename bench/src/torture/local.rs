//! A pair of folders of this machine with much in it that is difficult.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::random::Random;
use crate::odd_names::ODD_NAMES;

/// Some file systems allow for 65 000 names of one file.
const HARD_LINKS_MAX: u64 = 30_000;

/// What an entry is on one of the sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Nothing,
    File,
    OtherFile,
    Link,
    Folder,
}

/// What the two sides have under a name, and how often.
const PAIRS: [(Entry, Entry); 12] = [
    (Entry::File, Entry::File),
    (Entry::File, Entry::File),
    (Entry::File, Entry::OtherFile),
    (Entry::File, Entry::Nothing),
    (Entry::Nothing, Entry::File),
    (Entry::Link, Entry::Link),
    (Entry::Link, Entry::File),
    (Entry::File, Entry::Folder),
    (Entry::Folder, Entry::File),
    (Entry::Folder, Entry::Folder),
    (Entry::Folder, Entry::Folder),
    (Entry::Folder, Entry::Nothing),
];

/// Makes a `src` and a `dst` with one folder of at least `wide` entries. Returns the locations.
pub(super) fn make(folder: &Path, random: &mut Random, wide: u64) -> Result<[String; 2]> {
    let roots = ["src", "dst"].map(|side| folder.join(side));
    for root in &roots {
        fs::create_dir(root).with_context(|| format!("cannot make {}", root.display()))?;
    }
    let samples = folder.join("samples");
    fs::create_dir(&samples)?;
    let mut maker = Maker { samples, made: 0 };
    let folders_max = random.between(100, 300);
    let mut folders = vec![roots.clone()];
    for number in 0..folders_max {
        let parent = random.pick(&folders).clone();
        for entry in 0..random.between(0, 10) {
            let mut name = random.pick(&ODD_NAMES).to_vec();
            name.extend_from_slice(format!("{number}.{entry}").as_bytes());
            let pair = *random.pick(&PAIRS);
            maker.entries(&parent, &name, pair)?;
            if pair == (Entry::Folder, Entry::Folder) {
                folders.push(parent.each_ref().map(|side| side.join(OsStr::from_bytes(&name))));
            }
        }
    }
    // Folders among them, too: they are still to be listed when the folder that they are in is forgotten again.
    let wide_folder = roots.each_ref().map(|root| root.join("wide"));
    maker.entries(&roots, b"wide", (Entry::Folder, Entry::Folder))?;
    for number in 0..wide + random.between(0, 2_000) {
        let pair = if number % 50 == 0 { *random.pick(&PAIRS) } else { (Entry::File, Entry::File) };
        maker.entries(&wide_folder, format!("{number:06}").as_bytes(), pair)?;
    }
    Ok(roots.map(|root| root.display().to_string()))
}

/// Makes entries. Files are names of a few samples, which takes a tenth of the time.
struct Maker {
    samples: PathBuf,
    made: u64,
}

impl Maker {
    fn entries(&mut self, folders: &[PathBuf; 2], name: &[u8], (source, destination): (Entry, Entry)) -> Result<()> {
        for (folder, entry) in folders.iter().zip([source, destination]) {
            let path = folder.join(OsStr::from_bytes(name));
            self.entry(&path, entry).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, entry: Entry) -> Result<()> {
        match entry {
            Entry::Nothing => {}
            Entry::File | Entry::OtherFile => fs::hard_link(self.sample(entry == Entry::File)?, path)?,
            Entry::Link => std::os::unix::fs::symlink("nowhere", path)?,
            Entry::Folder => {
                fs::create_dir(path)?;
                fs::hard_link(self.sample(true)?, path.join("inside"))?;
            }
        }
        Ok(())
    }

    /// A file with this size and time; the same one for so many names.
    fn sample(&mut self, is_usual: bool) -> Result<PathBuf> {
        self.made += 1;
        let path = self.samples.join(format!("{is_usual}-{}", self.made / HARD_LINKS_MAX));
        if !path.exists() {
            let file = File::create_new(&path)?;
            file.set_len(if is_usual { 1_000 } else { 2_000 })?;
            file.set_modified(UNIX_EPOCH + Duration::from_nanos(1_600_000_000_123_456_789))?;
        }
        Ok(path)
    }
}
