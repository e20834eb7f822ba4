//! The source listings that were recorded last, kept in memory until their counterparts come.
//!
//! The destination follows the source closely, so nearly always the counterpart of a destination listing was recorded
//! a moment ago. Matching in memory then costs some 50 ns an entry and waits for nobody, where a join costs a
//! microsecond an entry and at least a millisecond a time, which a deep and narrow tree would pay on every level. What
//! has been forgotten is matched by the join, with the same result.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use longhaul_model::{NodeId, Page};

use crate::matching::Matched;

/// Entries kept at the most: some 20 MB with names of ordinary length.
const ENTRIES_MAX: usize = 250_000;

/// What a page costs beside its entries, in entries, so that a great many empty folders are not taken for nothing.
const PAGE_COST: usize = 10;

/// Source listings, the oldest of which are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct RecentListings {
    listings: HashMap<NodeId, RecentListing>,
    oldest_first: VecDeque<NodeId>,
    entries: usize,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Default)]
struct RecentListing {
    pages: Vec<(NodeId, Page)>,
    /// With what its pages cost beside them.
    entries: usize,
    is_complete: bool,
    by_name: Option<HashTable<Place>>,
}

/// Where an entry is: number of the page, index in the page.
#[derive(Clone, Copy, Debug)]
struct Place(u32, u32);

impl RecentListings {
    /// Keeps a page of the listing of the source folder `folder`.
    pub(crate) fn remember(&mut self, folder: NodeId, first_id: NodeId, page: Page, is_last: bool, is_first: bool) {
        if is_first {
            self.listings.insert(folder, RecentListing::default());
            self.oldest_first.push_back(folder);
        }
        // Where a page was not remembered, the rest of the listing is of no use.
        let Some(listing) = self.listings.get_mut(&folder) else { return };
        let cost = page.len() + PAGE_COST;
        self.entries += cost;
        listing.entries += cost;
        listing.is_complete = is_last;
        listing.pages.push((first_id, page));
        while self.entries > ENTRIES_MAX {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.forget(oldest);
        }
    }

    /// Forgets the listing of a source folder: its counterpart has been matched.
    pub(crate) fn forget(&mut self, folder: NodeId) {
        if let Some(listing) = self.listings.remove(&folder) {
            self.entries -= listing.entries;
        }
        // Ids of listings that are gone already may stay in the queue, but not without bound.
        if self.oldest_first.len() > 2 * self.listings.len() + 1024 {
            self.oldest_first.retain(|id| self.listings.contains_key(id));
        }
    }

    /// The source entries with the names of the entries of a destination page, ascending by destination id; `None`
    /// where the listing of the source folder is not remembered.
    pub(crate) fn match_page(&mut self, source: NodeId, first_id: NodeId, page: &Page) -> Option<Vec<Matched>> {
        let hasher = &self.hasher;
        let listing = self.listings.get_mut(&source).filter(|listing| listing.is_complete)?;
        let pages = &listing.pages;
        let by_name = listing.by_name.get_or_insert_with(|| index(pages, listing.entries, hasher));
        let name_at = |place: &Place| pages[place.0 as usize].1.name(place.1 as usize);
        let mut matched = Vec::with_capacity(page.len());
        for (position, entry) in page.iter().enumerate() {
            let found = by_name.find(hasher.hash_one(entry.name), |place| name_at(place) == entry.name);
            if let Some(&Place(number, index)) = found {
                let (first_source_id, source_page) = &pages[number as usize];
                let source = source_page.entry(index as usize);
                matched.push(Matched {
                    destination_id: first_id.plus(position),
                    source_id: first_source_id.plus(index as usize),
                    kind: source.kind,
                    facts: source.facts(),
                    is_left_out: source_page.is_left_out(index as usize),
                });
            }
        }
        Some(matched)
    }
}

fn index(pages: &[(NodeId, Page)], entries: usize, hasher: &DefaultHashBuilder) -> HashTable<Place> {
    let mut table = HashTable::with_capacity(entries);
    for (number, (_, page)) in (0_u32..).zip(pages) {
        for (index, entry) in (0_u32..).zip(page.iter()) {
            table.insert_unique(hasher.hash_one(entry.name), Place(number, index), |place| {
                hasher.hash_one(pages[place.0 as usize].1.name(place.1 as usize))
            });
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use longhaul_model::NodeKind;

    use super::*;

    fn page(names: &[&str]) -> Page {
        let mut page = Page::default();
        for name in names {
            page.push(name.as_bytes(), NodeKind::File, Some(1), Some(2));
        }
        page
    }

    fn pairs(recent: &mut RecentListings, source: i64, names: &[&str]) -> Option<Vec<(i64, i64)>> {
        let matched = recent.match_page(NodeId(source), NodeId(100), &page(names))?;
        Some(matched.iter().map(|m| (m.destination_id.0, m.source_id.0)).collect())
    }

    #[test]
    fn a_listing_of_several_pages_is_matched_once_it_is_complete() {
        let mut recent = RecentListings::default();
        recent.remember(NodeId(1), NodeId(2), page(&["a", "b"]), false, true);
        assert_eq!(pairs(&mut recent, 1, &["a"]), None);
        recent.remember(NodeId(1), NodeId(7), page(&["c"]), true, false);
        assert_eq!(pairs(&mut recent, 1, &["c", "x", "a"]), Some(vec![(100, 7), (102, 2)]));
        recent.forget(NodeId(1));
        assert_eq!(pairs(&mut recent, 1, &["a"]), None);
    }

    #[test]
    fn what_takes_too_much_is_forgotten_whole_and_oldest_first() {
        let mut recent = RecentListings::default();
        recent.remember(NodeId(1), NodeId(2), page(&["a"]), true, true);
        recent.remember(NodeId(9), NodeId(10), page(&["b"]), true, true);
        let names: Vec<String> = (0..ENTRIES_MAX - 2 * PAGE_COST - 1).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        recent.remember(NodeId(20), NodeId(30), page(&names), false, true);
        assert_eq!(pairs(&mut recent, 1, &["a"]), None);
        assert_eq!(pairs(&mut recent, 9, &["b"]), Some(vec![(100, 10)]));
        recent.remember(NodeId(20), NodeId(1_000_000), page(&["x", "y"]), true, false);
        assert_eq!(pairs(&mut recent, 9, &["b"]), None);
        assert_eq!(pairs(&mut recent, 20, &["x"]), None, "a listing that is larger than all there is room for");
    }

    /// A tree of nothing but folders with hardly anything in them, and an empty destination: no counterpart ever comes.
    #[test]
    fn small_listings_whose_counterparts_never_come_are_forgotten_as_well() {
        let mut recent = RecentListings::default();
        let count = 2 * i64::try_from(ENTRIES_MAX).unwrap();
        for folder in 0..count {
            recent.remember(NodeId(folder), NodeId(folder), Page::default(), true, true);
        }
        assert!(recent.listings.len() <= ENTRIES_MAX, "{} listings are remembered", recent.listings.len());
        assert!(recent.oldest_first.len() <= 2 * ENTRIES_MAX + 1024);
    }
}
