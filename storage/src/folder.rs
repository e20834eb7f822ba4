//! Single entries of a folder: looking at them, reading them, and making new ones.
//!
//! Everything is relative to a folder that was opened first, so that no path is resolved for each entry, and no link
//! that is swapped in on the way leads elsewhere. Names are bytes and have no `/` in them.

use futures_util::future::BoxFuture;
use longhaul_model::{ErrorClass, FileFacts, NodeKind};

#[cfg(doc)]
use crate::capabilities::Keeps;
use crate::error::StoreError;

/// What a call to a store comes to.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What is known of one entry when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: NodeKind,
    /// Bytes of a file, or of a link's target; `None` for anything else.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store does not say.
    pub modified_ns: Option<i64>,
    /// Permission bits, the special ones included; `None` where the store has none.
    pub mode: Option<u32>,
    /// User and group, as numbers; `None` where the store has none.
    pub owner: Option<(u32, u32)>,
    /// What all names of the same file have in common, where it has more than one.
    pub shared: Option<FileIdentity>,
}

/// Tells a file from all others of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// Of the device.
    pub device: u64,
    /// Of the file on the device.
    pub inode: u64,
}

/// What is set on an entry when it is made. What the store cannot keep is passed over: see [`Keeps`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Nanoseconds since 1970.
    pub modified_ns: Option<i64>,
    /// Permission bits, the special ones included; `None` for those of anything new.
    pub mode: Option<u32>,
    /// User and group, as numbers.
    pub owner: Option<(u32, u32)>,
    /// Extended attributes, names and values.
    pub extended: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What came of giving something a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It has the name now.
    Done,
    /// Something else has it, and was not replaced.
    Taken,
}

/// Where a new file goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The name that it gets when it is whole.
    pub name: &'a [u8],
    /// The name that it has until then, where the store has such a thing.
    pub temporary: &'a [u8],
    /// What may be replaced that has the name already.
    pub replace: Replace,
    /// What is known of it when it is begun. What it gets is what [`Attributes`] say.
    pub known: Known,
}

/// What may be replaced by something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Nothing at all.
    Nothing,
    /// A file or link, whichever.
    Any,
    /// A file that has these facts: one that has changed, at whatever moment, is left. A store that cannot look and
    /// replace in one step replaces what it finds: whoever asks looks a moment before.
    Only(FileFacts),
}

impl Replace {
    /// Whether there is anything that may be.
    pub fn is_allowed(self) -> bool {
        self != Replace::Nothing
    }
}

/// What is known of a file before the first byte of it is written. It can save setting it later, and there are stores
/// that have to be told then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The permission bits that it gets when it is whole.
    pub mode: Option<u32>,
    /// The modification time that it gets, in nanoseconds since 1970.
    pub modified_ns: Option<i64>,
    /// Its bytes.
    pub size: Option<u64>,
}

impl Known {
    /// Of a copy of a file with these facts.
    pub fn of(facts: &Facts) -> Known {
        let Facts { mode, modified_ns, size, .. } = *facts;
        Known { mode, modified_ns, size: size.and_then(|size| u64::try_from(size).ok()) }
    }
}

/// How much care is taken that what was made survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is made durable before it gets its name, and so is its name.
    EachFile,
    /// Somebody calls [`Store::flush`](crate::Store::flush) later, or does not care.
    Later,
}

/// The answer to what nobody asks who has looked at what the store [`Keeps`].
fn not_kept<'a, T: Send + 'a>(what: &str) -> Answer<'a, T> {
    let error = StoreError::new(ErrorClass::Fatal, format!("{what} are not kept by this store"));
    Box::pin(std::future::ready(Err(error)))
}

/// An open folder of a store. What a store does not keep it need not answer.
pub trait Folder: Send + Sync + std::fmt::Debug {
    /// What is known of the folder itself: nothing where the store [has no folders](crate::Capabilities::has_folders).
    fn facts(&self) -> Answer<'_, Facts>;

    /// What is known of the entry with this name, without following links; `None` if there is none.
    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>>;

    /// Opens a regular file for reading. Anything else, a symbolic link among it, is an error: it has vanished.
    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>>;

    /// The target of a symbolic link. Anything else is an error: it has vanished.
    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        let _ = name;
        not_kept("symbolic links")
    }

    /// The extended attributes that a user can see and set, of an entry or, with an empty name, of the folder itself.
    fn extended_attributes<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        let _ = name;
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Creates an empty folder that we can write into. [`Folder::set_attributes`] finishes it. An error leaves nothing
    /// behind.
    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed>;

    /// Creates a folder that is there with nothing in it, also where folders come with what is in them.
    fn create_empty_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        self.create_folder(name, durability)
    }

    /// Begins a new file. Nothing is seen of it under its own name until [`Draft::finish`]. It may have the temporary
    /// name until then, or none at all; something that has the temporary name and is in the way is replaced: it is ours.
    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>>;

    /// Opens the draft with this temporary name, or begins it, without removing what was written before; only where
    /// the store [keeps](Keeps::parts) such drafts. It is left where it is when it is dropped.
    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let _ = target;
        not_kept("parts")
    }

    /// As [`Folder::open_draft`], where it must have been begun before: one that is not there has vanished.
    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let _ = target;
        not_kept("parts")
    }

    /// Creates a symbolic link with its time and owner, whole or not at all. Where `target.replace` says so a file or link that
    /// has the name is replaced.
    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        let _ = (target, points_to, attributes, durability);
        not_kept("symbolic links")
    }

    /// Gives the file at `existing`, a path from the store's root, another name in this folder. Where `target.replace` says so a
    /// file or link that has the name is replaced, unless it is that file already.
    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, durability: Durability) -> Answer<'a, Placed> {
        let _ = (existing, target, durability);
        not_kept("several names for one file")
    }

    /// Sets attributes of the folder itself.
    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()>;

    /// Lets two entries of the folder change their names in one step, as a file is replaced where the store can do that. Says
    /// whether it can.
    fn exchange<'a>(&'a self, _one: &'a [u8], _other: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Removes a draft that a killed run has left. That there is none is fine.
    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()>;
}

/// A file of a store behind a network, as whoever has the store would call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// The store, without the root of any tree in it.
    pub store: String,
    /// Its key there.
    pub key: String,
    /// Tells the version of it that was opened from others, where the store has such a thing.
    pub version: Option<String>,
}

/// A file that is open for reading.
pub trait Original: Send + Sync + std::fmt::Debug {
    /// What was known of it when it was opened.
    fn facts_at_opening(&self) -> Facts;

    /// What is known of it at this moment.
    fn facts(&self) -> Answer<'_, Facts>;

    /// Makes sure that a file whose size is not the listed one has changed since it was listed. It is an error where the
    /// store still lists another size of the version that was opened: one of its answers is wrong.
    fn confirm_size(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether what is read is one version of it from beginning to end, whatever becomes of its name: then its facts stay
    /// what they were, and nobody is asked for them.
    fn is_one_version(&self) -> bool {
        false
    }

    /// Whether the store is asked for anything when it is read. Otherwise all of it came when it was opened.
    fn asks_to_read(&self) -> bool {
        true
    }

    /// Fills `buffer` from `offset` on, as far as there are bytes; returns how many. Fewer than the buffer holds means
    /// that the file ends there.
    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize>;

    /// The stretches of `range` that have bytes in them: the rest is holes, and reads as zeros. A store that does not
    /// know of holes gives the range.
    fn data_within(&self, range: std::ops::Range<u64>) -> Answer<'_, Vec<std::ops::Range<u64>>> {
        let stretches = if range.is_empty() { Vec::new() } else { vec![range] };
        Box::pin(std::future::ready(Ok(stretches)))
    }

    /// The open file of this machine that it is, for copying without the bytes passing through the process.
    #[cfg(unix)]
    fn as_local(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }

    /// The file behind a network that it is, where a copy of it within its store is the same in all that is kept: for
    /// having it copied without the bytes coming by here.
    fn as_remote(&self) -> Option<RemoteFile> {
        None
    }
}

/// A file that is being written, and cannot be seen under its own name yet. Dropping one that was begun by
/// [`Folder::create`] removes it.
pub trait Draft: Send + std::fmt::Debug {
    /// Whether the store is asked for anything when so many bytes more are written. Otherwise they are only kept.
    fn asks_to_take(&self, bytes: usize) -> bool {
        let _ = bytes;
        true
    }

    /// Writes all bytes at this place. A store that does not [keep parts](Keeps::parts) takes them in order only.
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()>;

    /// Copies a stretch of `original` to the same place without the bytes passing through the process, by sharing
    /// them, in the kernel, or within the store that has both. `false` where that is not possible: nothing was done.
    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: std::ops::Range<u64>) -> Answer<'a, bool> {
        let _ = (original, range);
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Reads back what was written, as [`Original::read_at`].
    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        let _ = (offset, buffer);
        not_kept("parts")
    }

    /// Sets this modification time, in nanoseconds since 1970, and says what the store has kept of it: how coarse its
    /// times are, without anything being seen. `None` where it cannot be told before it has its name.
    fn try_time(&mut self, modified_ns: i64) -> Answer<'_, Option<i64>> {
        let _ = modified_ns;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Gives it this length, its attributes and its name, in one step for whoever looks at the name. An error, or
    /// [`Placed::Taken`], leaves nothing behind.
    fn finish<'a>(
        self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed>;
}
