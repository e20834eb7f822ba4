//! What listing and looking at nodes give: columns rather than a value for each entry, because a million entries are
//! listed in a second or two and must not be a million allocations.

/// File or folder; there is nothing else in a simulated tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A file.
    File,
}

/// What is known of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// File or folder.
    pub kind: NodeKind,
    /// Length in bytes; 0 for folders.
    pub size: u64,
    /// Time of the last modification, in nanoseconds since 1970-01-01T00:00:00Z.
    pub modified_ns: i64,
}

/// One entry of a [`Listing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Name within its folder.
    pub name: &'a [u8],
    /// Its kind, size and time.
    pub info: NodeInfo,
}

/// Entries of one folder, as columns. Can be cleared and filled again without giving its memory back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    names: Vec<u8>,
    name_ends: Vec<u32>,
    kinds: Vec<NodeKind>,
    sizes: Vec<u64>,
    modified_ns: Vec<i64>,
}

impl Listing {
    /// A listing without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Forgets all entries, keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.name_ends.clear();
        self.kinds.clear();
        self.sizes.clear();
        self.modified_ns.clear();
    }

    /// Name of entry `index`.
    ///
    /// # Panics
    /// When there is no such entry; so do the other accessors.
    pub fn name(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.name_ends[index - 1] as usize };
        &self.names[start..self.name_ends[index] as usize]
    }

    /// Kind of entry `index`.
    pub fn kind(&self, index: usize) -> NodeKind {
        self.kinds[index]
    }

    /// Kind, size and time of entry `index`.
    pub fn info(&self, index: usize) -> NodeInfo {
        NodeInfo { kind: self.kinds[index], size: self.sizes[index], modified_ns: self.modified_ns[index] }
    }

    /// Entry `index`.
    pub fn entry(&self, index: usize) -> Entry<'_> {
        Entry { name: self.name(index), info: self.info(index) }
    }

    /// All entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.len()).map(|index| self.entry(index))
    }

    /// All names, one behind the other; [`Listing::name_ends`] says where each ends.
    pub fn name_bytes(&self) -> &[u8] {
        &self.names
    }

    /// Where each name ends in [`Listing::name_bytes`].
    pub fn name_ends(&self) -> &[u32] {
        &self.name_ends
    }

    /// Kinds of all entries.
    pub fn kinds(&self) -> &[NodeKind] {
        &self.kinds
    }

    /// Sizes of all entries in bytes, 0 for folders.
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// Times of all entries, in nanoseconds since 1970.
    pub fn modified_ns(&self) -> &[i64] {
        &self.modified_ns
    }

    /// Adds an entry whose name is what `append_name` adds to the names.
    pub(crate) fn push(&mut self, info: NodeInfo, append_name: impl FnOnce(&mut Vec<u8>)) {
        append_name(&mut self.names);
        self.name_ends.push(u32::try_from(self.names.len()).expect("a page of names is smaller than 4 GiB"));
        self.kinds.push(info.kind);
        self.sizes.push(info.size);
        self.modified_ns.push(info.modified_ns);
    }

    pub(crate) fn reserve(&mut self, entries: usize) {
        self.names.reserve(entries * 12);
        self.name_ends.reserve(entries);
        self.kinds.reserve(entries);
        self.sizes.reserve(entries);
        self.modified_ns.reserve(entries);
    }
}

/// One page of a folder's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingPage {
    /// The entries of this page.
    pub entries: Listing,
    /// What to pass as `after` to get the next page; `None` when this was the last one.
    pub next: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were_put_in() {
        let mut listing = Listing::new();
        let folder = NodeInfo { kind: NodeKind::Folder, size: 0, modified_ns: -5 };
        let file = NodeInfo { kind: NodeKind::File, size: 9, modified_ns: 7 };
        listing.push(folder, |names| names.extend_from_slice(b"a"));
        listing.push(file, |names| names.extend_from_slice(b"bc"));
        assert_eq!(listing.len(), 2);
        let entries: Vec<_> = listing.iter().collect();
        assert_eq!(entries, [Entry { name: b"a", info: folder }, Entry { name: b"bc", info: file }]);
        listing.clear();
        assert!(listing.is_empty());
    }
}
