//! The command lines of those that Longhaul is compared with.

use std::ffi::OsString;
use std::path::Path;

use crate::measure::{Contender, Step, Tool};

pub(crate) fn find(root: &Path) -> Contender {
    peer(Tool::Find, [root.into(), "-printf".into(), "%s %T@ %p\\n".into()])
}

pub(crate) fn rclone_size(root: &Path) -> Contender {
    peer(Tool::Rclone, ["size".into(), root.into()])
}

pub(crate) fn rclone_dry_run(source: &Path, destination: &Path) -> Contender {
    peer(Tool::Rclone, ["copy".into(), "--dry-run".into(), source.into(), destination.into()])
}

/// With symbolic links and empty folders, as the others do by themselves.
pub(crate) fn rclone_copy(tool: Tool, source: &Path, destination: &Path) -> Contender {
    let transfers = if tool == Tool::Rclone16 { "16" } else { "4" };
    peer(
        tool,
        [
            "copy".into(),
            "--links".into(),
            "--create-empty-src-dirs".into(),
            "--transfers".into(),
            transfers.into(),
            source.into(),
            destination.into(),
        ],
    )
}

pub(crate) fn rsync_dry_run(source: &Path, destination: &Path) -> Contender {
    // With a slash behind: the contents, not the folder as a child.
    peer(Tool::Rsync, ["-an".into(), source.join("").into(), destination.join("").into()])
}

pub(crate) fn rsync_copy(source: &Path, destination: &Path) -> Contender {
    peer(Tool::Rsync, ["-a".into(), source.join("").into(), destination.join("").into()])
}

/// To a destination that is not there yet.
pub(crate) fn cp(source: &Path, destination: &Path) -> Contender {
    peer(Tool::Cp, ["-a".into(), source.into(), destination.into()])
}

/// The same, and then all that it wrote is brought to the disk.
pub(crate) fn flushed(mut contender: Contender, destination: &Path) -> Contender {
    contender.steps.push(Step::new("sync", ["-f".as_ref(), destination.as_os_str()]));
    contender
}

fn peer<const N: usize>(tool: Tool, arguments: [OsString; N]) -> Contender {
    Contender::single(tool, Step { program: tool.program().into(), arguments: arguments.into() })
}
