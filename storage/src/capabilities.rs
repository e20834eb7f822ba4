//! What a store can do and what it preserves: one value per store, made when the store is opened.
//!
//! The engine reads it for every file, so reading it must cost nothing: no system call, no allocation.

use std::sync::OnceLock;

use longhaul_naming::RuleSet;

/// What a store can do, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a store may have any of them without the others")]
pub struct Capabilities {
    /// Calls block the calling thread, so each worker needs a thread of its own; otherwise calls are futures, and many
    /// workers can share a thread.
    pub blocks_thread: bool,
    /// Resolution of modification times, in nanoseconds.
    pub time_resolution_ns: u64,
    /// Number of concurrent listings beyond which the store gets slower.
    pub listings_at_once: usize,
    /// Which names it rejects, or treats as equal.
    pub names: RuleSet,
    /// Listings report the modification times that were set on files; otherwise each file has to be looked at.
    pub lists_times: bool,
    /// Folders exist on their own, even when empty.
    pub has_folders: bool,
    /// The store may throttle us, and the best number of concurrent calls has to be found out.
    pub has_a_pace: bool,
    /// Opening a folder or beginning a draft sends no request, but may wait for memory. A missing folder is noticed
    /// only when something is done in it.
    pub begins_unasked: bool,
    /// What it preserves of an entry.
    pub keeps: Keeps,
}

impl Default for Capabilities {
    /// Those of an ordinary file system that only lists.
    fn default() -> Self {
        Capabilities {
            blocks_thread: true,
            time_resolution_ns: 1,
            listings_at_once: 1,
            names: RuleSet::Linux,
            lists_times: true,
            has_folders: true,
            has_a_pace: false,
            begins_unasked: false,
            keeps: Keeps::default(),
        }
    }
}

/// What a store preserves of an entry besides its name and contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a store may have any of them without the others")]
pub struct Keeps {
    /// Modification times of what is written.
    pub modified: bool,
    /// Permission bits.
    pub mode: bool,
    /// User and group.
    pub owner: bool,
    /// The user and group of new entries; `None` where the store has none.
    pub new_owner: Option<(u32, u32)>,
    /// Extended attributes.
    pub extended: bool,
    /// Symbolic links.
    pub symlinks: bool,
    /// Several names for one file.
    pub hard_links: bool,
    /// Holes in files.
    pub holes: bool,
    /// Drafts survive the end of the process, and can be written at any offset and by several writers at a time.
    pub parts: bool,
}

/// The capabilities of a store that can be measured: the expected ones until then, the measured ones from then on.
#[derive(Debug)]
pub(crate) struct Measurable {
    expected: Capabilities,
    measured: OnceLock<Capabilities>,
}

impl Measurable {
    pub(crate) fn new(expected: Capabilities) -> Self {
        Measurable { expected, measured: OnceLock::new() }
    }

    /// The measured capabilities, or the expected ones.
    pub(crate) fn get(&self) -> &Capabilities {
        self.measured.get().unwrap_or(&self.expected)
    }

    /// Records what the store was measured to preserve. An earlier measurement stands.
    pub(crate) fn set_keeps(&self, keeps: Keeps) {
        let _ = self.measured.set(Capabilities { keeps, ..self.expected });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_measurement_replaces_what_was_expected() {
        let capabilities = Measurable::new(Capabilities { listings_at_once: 7, ..Capabilities::default() });
        assert_eq!(capabilities.get().keeps, Keeps::default());
        capabilities.set_keeps(Keeps { mode: true, ..Keeps::default() });
        capabilities.set_keeps(Keeps::default());
        assert_eq!((capabilities.get().keeps.mode, capabilities.get().listings_at_once), (true, 7));
    }
}
