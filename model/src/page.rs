//! A page of a listing: what a store found in a folder, in columns.

use crate::name::encode_name_into;
use crate::{FileFacts, NodeKind};

/// Some of the immediate children of one folder, one after another, in columns.
///
/// Columns, because a page travels from the thread that lists to the one that writes and on into DuckDB, which takes
/// columns: no entry has an allocation of its own.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Page {
    names: String,
    ends: Vec<u32>,
    kinds: Vec<NodeKind>,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
    remarks: Vec<(u32, String)>,
    left_out: Vec<(u32, u32)>,
}

/// One entry of a [`Page`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEntry<'a> {
    /// The printable form of its name.
    pub name: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes; `None` for folders, and where the store does not say.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store does not say.
    pub modified_ns: Option<i64>,
}

impl PageEntry<'_> {
    /// What comparing needs of it.
    pub fn facts(&self) -> FileFacts {
        FileFacts { size: self.size, modified_ns: self.modified_ns }
    }
}

impl Page {
    /// Makes an empty page with room for `entries`.
    pub fn with_capacity(entries: usize) -> Self {
        Page {
            names: String::with_capacity(entries * 16),
            ends: Vec::with_capacity(entries),
            kinds: Vec::with_capacity(entries),
            sizes: Vec::with_capacity(entries),
            modified_ns: Vec::with_capacity(entries),
            remarks: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Adds an entry. `name` is the name's bytes; it must not be empty and must not contain `/`.
    ///
    /// # Panics
    ///
    /// When the names of one page take 4 GiB.
    pub fn push(&mut self, name: &[u8], kind: NodeKind, size: Option<i64>, modified_ns: Option<i64>) {
        debug_assert!(!name.is_empty() && !name.contains(&b'/'), "not a name: {name:?}");
        encode_name_into(name, &mut self.names);
        self.push_facts(kind, size, modified_ns);
    }

    /// Adds an entry whose name is in its printable form already.
    ///
    /// # Panics
    ///
    /// When the names of one page take 4 GiB.
    pub fn push_printable(&mut self, name: &str, kind: NodeKind, size: Option<i64>, modified_ns: Option<i64>) {
        self.names.push_str(name);
        self.push_facts(kind, size, modified_ns);
    }

    fn push_facts(&mut self, kind: NodeKind, size: Option<i64>, modified_ns: Option<i64>) {
        self.ends.push(u32::try_from(self.names.len()).expect("the names of one page are below 4 GiB"));
        self.kinds.push(kind);
        self.sizes.push(size);
        self.modified_ns.push(modified_ns);
    }

    /// Notes, for the entry added last, why it is as it is: what an `other` is, or why its size is not known.
    pub fn remark(&mut self, text: impl Into<String>) {
        let last = self.ends.len().checked_sub(1).expect("a remark is about an entry");
        self.remarks.push((u32::try_from(last).expect("a page has fewer than 2^32 entries"), text.into()));
    }

    /// Notes that the entry at `index` is left out, by the filter rule with the number `rule`. In the order of entries.
    pub fn leave_out(&mut self, index: usize, rule: usize) {
        let narrow = |number| u32::try_from(number).expect("a page has fewer than 2^32 entries, and a filter rules");
        debug_assert!(index < self.len() && self.left_out.last().is_none_or(|(last, _)| narrow(index) > *last));
        self.left_out.push((narrow(index), narrow(rule)));
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The entry at `index`.
    pub fn entry(&self, index: usize) -> PageEntry<'_> {
        PageEntry {
            name: self.name(index),
            kind: self.kinds[index],
            size: self.sizes[index],
            modified_ns: self.modified_ns[index],
        }
    }

    /// The printable name of the entry at `index`.
    pub fn name(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.names[start..self.ends[index] as usize]
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = PageEntry<'_>> {
        (0..self.len()).map(|index| self.entry(index))
    }

    /// The printable names, one after another; [`Page::ends`] says where each ends.
    pub fn names(&self) -> &str {
        &self.names
    }

    /// Where the name of each entry ends in [`Page::names`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The kinds.
    pub fn kinds(&self) -> &[NodeKind] {
        &self.kinds
    }

    /// The sizes in bytes.
    pub fn sizes(&self) -> &[Option<i64>] {
        &self.sizes
    }

    /// The modification times, in nanoseconds since 1970.
    pub fn modified_ns(&self) -> &[Option<i64>] {
        &self.modified_ns
    }

    /// The remarks: index of the entry, and text.
    pub fn remarks(&self) -> impl Iterator<Item = (usize, &str)> {
        self.remarks.iter().map(|(index, text)| (*index as usize, text.as_str()))
    }

    /// What is left out, in the order of entries: index of the entry, and number of the filter rule.
    pub fn left_out(&self) -> impl Iterator<Item = (usize, usize)> {
        self.left_out.iter().map(|(index, rule)| (*index as usize, *rule as usize))
    }

    /// Whether the entry at `index` is left out.
    pub fn is_left_out(&self, index: usize) -> bool {
        !self.left_out.is_empty() && self.left_out.binary_search_by_key(&index, |(left, _)| *left as usize).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were_put_in() {
        let mut page = Page::with_capacity(2);
        page.push(b"a\nb", NodeKind::File, Some(3), Some(-1));
        page.push(b"fifo", NodeKind::Other, None, None);
        page.remark("FIFO");
        let entries: Vec<_> = page.iter().collect();
        assert_eq!(entries[0].name, r"a\nb");
        assert_eq!(entries[0].facts(), FileFacts { size: Some(3), modified_ns: Some(-1) });
        assert_eq!(entries[1], PageEntry { name: "fifo", kind: NodeKind::Other, size: None, modified_ns: None });
        assert_eq!(page.remarks().collect::<Vec<_>>(), [(1, "FIFO")]);
        page.leave_out(1, 7);
        assert_eq!(page.left_out().collect::<Vec<_>>(), [(1, 7)]);
        assert_eq!([0, 1].map(|index| page.is_left_out(index)), [false, true]);
    }
}
