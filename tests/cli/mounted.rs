//! A file system of its own under a scratch folder, for what an ordinary one cannot be made to do.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system. Must be dropped before the scratch folder that it is in.
pub(crate) struct Mounted {
    at: PathBuf,
}

impl Mounted {
    /// A file system in memory; `None` where that is not to be had, which is said.
    pub(crate) fn tmpfs(at: &Path, options: &str) -> Option<Mounted> {
        Mounted::new(&["-t", "tmpfs", "-o", options, "tmpfs"], at)
    }

    /// A file system of this type, made by `make` in the file `image`; `None` where that is not to be had.
    pub(crate) fn image(image: &Path, make: &[&str], filesystem: &str, at: &Path) -> Option<Mounted> {
        std::fs::File::create(image).unwrap().set_len(8 << 20).unwrap();
        run(Command::new(make[0]).args(&make[1..]).arg(image))?;
        Mounted::new(&["-t", filesystem, "-o", "loop", image.to_str().unwrap()], at)
    }

    fn new(arguments: &[&str], at: &Path) -> Option<Mounted> {
        run(Command::new("mount").args(arguments).arg(at))?;
        Some(Mounted { at: at.to_owned() })
    }

    /// Gives it other options.
    pub(crate) fn remount(&self, options: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.at)).expect("it was mounted");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

/// `None` where it did not work, which is said.
fn run(command: &mut Command) -> Option<()> {
    let why = match command.output() {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("skipped: {command:?}: {why}");
    None
}
