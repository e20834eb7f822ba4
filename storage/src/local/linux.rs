//! What only Linux has: `openat2`, `getdents64` into a buffer of our own, and `statx` relative to the open folder; for
//! single files, what is in `files`.

mod files;
mod times;

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use longhaul_model::{NodeKind, Page};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, StatxFlags};
use rustix::io::Errno;

use super::portable::{describe, kind_of, patiently, push_unreadable};
use super::{MOUNT_POINT, PAGE_ENTRIES_MAX, Root, components};
use crate::error::StoreError;
pub(super) use files::{
    copy_range, create_unnamed, data_within, exchange, extended_attributes, flush, keeps_extended, name_rules,
    name_unnamed, rename_new, set_extended_attribute,
};

pub(super) use times::{has_no_birth, time_step_of_type};

/// A folder's entries are read in blocks of this many bytes: some 800 names a call.
const BUFFER_BYTES: usize = 32 << 10;

/// The kernel takes no path longer than 4 096 bytes, its end included: longer ones are opened in steps.
const PATH_BYTES_MAX: usize = 4_000;

/// Opens the folder at `path` below `root`, following no symbolic link and never leaving the root.
pub(super) fn open_folder(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut opened: Option<OwnedFd> = None;
    let mut step = Vec::with_capacity(path.len().min(PATH_BYTES_MAX) + 1);
    let mut open_step = |step: &mut Vec<u8>| {
        let from = opened.as_ref().map_or(root, OwnedFd::as_fd);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let next = rustix::fs::openat2(from, step.as_slice(), flags, Mode::empty(), resolve)?;
        opened = Some(next);
        step.clear();
        Ok::<_, Errno>(())
    };
    for component in components(path) {
        if !step.is_empty() && step.len() + 1 + component.len() > PATH_BYTES_MAX {
            open_step(&mut step)?;
        }
        if !step.is_empty() {
            step.push(b'/');
        }
        step.extend_from_slice(component);
    }
    if step.is_empty() {
        step.push(b'.');
    }
    open_step(&mut step)?;
    Ok(opened.expect("at least one step was taken"))
}

/// A listing that is under way.
pub(super) struct Listing {
    folder: OwnedFd,
    root: Arc<Root>,
    buffer: Vec<u8>,
    /// What was read before an error: the entries must not be lost, since the folder gives each of them once.
    page: Page,
    at_end: bool,
}

impl Listing {
    pub(super) fn new(folder: OwnedFd, root: Arc<Root>) -> Self {
        Listing { folder, root, buffer: Vec::with_capacity(BUFFER_BYTES), page: Page::default(), at_end: false }
    }

    fn next_page(&mut self) -> Result<Page, Errno> {
        if self.page.is_empty() {
            self.page = Page::with_capacity(32);
        }
        // The position in the folder belongs to the descriptor, so each page goes on where the last one ended. What
        // was read into the buffer must be used up, though: a page may be longer than its nominal size by one block.
        while self.page.len() < PAGE_ENTRIES_MAX {
            let mut block = RawDir::new(&self.folder, self.buffer.spare_capacity_mut());
            let mut is_empty = true;
            loop {
                match block.next() {
                    None => break,
                    Some(entry) => {
                        let entry = entry?;
                        is_empty = false;
                        let name = entry.file_name();
                        if name != c"." && name != c".." {
                            push_entry(&mut self.page, &self.root, self.folder.as_fd(), name, entry.file_type());
                        }
                    }
                }
                if block.is_buffer_empty() {
                    break;
                }
            }
            if is_empty {
                self.at_end = true;
                break;
            }
        }
        Ok(std::mem::take(&mut self.page))
    }
}

impl Iterator for Listing {
    type Item = Result<Page, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at_end {
            return None;
        }
        match self.next_page() {
            Ok(page) if page.is_empty() => None,
            Ok(page) => Some(Ok(page)),
            Err(errno) => Some(Err(errno.into())),
        }
    }
}

fn push_entry(page: &mut Page, root: &Root, folder: BorrowedFd<'_>, name: &CStr, listed_as: FileType) {
    let wanted = StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME;
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let found = match patiently(|| rustix::fs::statx(folder, name, flags, wanted)) {
        Ok(found) => found,
        // It went away between the two calls: then it is not here.
        Err(Errno::NOENT) => return,
        Err(errno) => return push_unreadable(page, name.to_bytes(), listed_as, errno),
    };
    let file_type = FileType::from_raw_mode(found.stx_mode.into());
    let modified_ns =
        found.stx_mtime.tv_sec.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(found.stx_mtime.tv_nsec.into()));
    let device = (found.stx_dev_major, found.stx_dev_minor);
    if file_type == FileType::Directory && root.stops_at(device) {
        page.push(name.to_bytes(), NodeKind::Other, None, modified_ns);
        page.remark(MOUNT_POINT);
        return;
    }
    let kind = kind_of(file_type);
    let size = match kind {
        NodeKind::File | NodeKind::Symlink => i64::try_from(found.stx_size).ok(),
        NodeKind::Folder | NodeKind::Other => None,
    };
    page.push(name.to_bytes(), kind, size, modified_ns);
    if kind == NodeKind::Other {
        page.remark(describe(file_type));
    }
}
