//! The write path of discovery: listings in, rows, ids and new folders out.
//!
//! A folder's children, the matches among them, and the event that says that it was listed become durable together.

mod relisting;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{
    BySide, CopyChange, CopyStatus, FIRST_NODE_ID, NodeId, NodeKind, Page, Phase, Reason, ReasonCode, Side,
    TraversalChange, TraversalStatus, child_path,
};

use self::relisting::Relisting;

use crate::carried_over::apply_carried_over;
use crate::error::Result;
use crate::exclusions::exclude_what_is_new;
use crate::fold::fold_events;
use crate::listing::{Ending, FailedListing, Folder, ListedPage, OpenListing, RecordedListing, UnmatchedPage};
use crate::matching::{Matched, match_nodes};
use crate::migration::{Migration, Run, set_phase};
use crate::overview::Overview;
use crate::plan::make_plan;
use crate::pull::pull_folders;
use crate::recent::RecentListings;
use crate::recovery::{Remaining, remaining};
use crate::rows::{BATCH_NAME_BYTES_MAX, ErrorRow, Rows};
use crate::sql::RANGE_IDS;
use crate::sweeping::{Sweep, end_sweep};
use crate::words::ExclusionOrigin;
use crate::writer::{Guarded, Writer};

/// Rows are handed to DuckDB at the latest when this many wait.
const FLUSH_ROWS_MAX: usize = 50_000;

/// Destination rows are matched at the latest when this many wait.
const MATCH_ROWS_MAX: usize = 20_000;

/// Writes a ledger whose trees are being listed, for the first time or again by a sweep.
#[derive(Debug)]
pub struct DiscoverWriter {
    pub(crate) writer: Writer,
    open_listings: BySide<HashMap<NodeId, OpenListing>>,
    recent: RecentListings,
    unmatched: Unmatched,
    /// The sweep that has not ended.
    pub(crate) relisting: Option<Relisting>,
}

/// Destination pages that are recorded and not matched yet.
#[derive(Debug, Default)]
struct Unmatched {
    pages: Vec<UnmatchedPage>,
    rows: usize,
    folders: HashSet<NodeId>,
}

/// What a discovery begins with.
#[derive(Debug)]
pub enum ToList {
    /// Nothing has been listed: both roots.
    Roots(BySide<Folder>),
    /// What an earlier run, or a sweep that has begun, has left to be listed.
    Remaining(Remaining),
}

impl Guarded for DiscoverWriter {
    fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl DiscoverWriter {
    /// Begins or resumes to list: commits the phase `traversing`. `sweep` is the one that has just begun, in the
    /// transaction that is open or was committed last; without it, the one that has not ended counts.
    pub(crate) fn begin(writer: Writer, sweep: Option<Sweep>) -> Result<(DiscoverWriter, ToList)> {
        let sweep = sweep.map_or_else(|| Sweep::read(&writer.connection), |sweep| Ok(Some(sweep)))?;
        let relisting = sweep.map(|sweep| Relisting::begin(&writer.connection, sweep)).transpose()?;
        let (open_listings, recent, unmatched) = Default::default();
        let mut this = DiscoverWriter { writer, open_listings, recent, unmatched, relisting };
        let to_list = match Migration::read(&this.writer.connection)?.phase {
            Phase::Created => ToList::Roots(this.begin_traversal()?),
            Phase::Traversing
            | Phase::Review
            | Phase::Copying
            | Phase::Verifying
            | Phase::Complete
            | Phase::Suspended => ToList::Remaining(this.go_on_traversal()?),
        };
        Ok((this, to_list))
    }

    /// Records the two roots, which are each other's counterparts, and commits them with the phase `traversing`.
    /// Returns them as the first folders to list.
    fn begin_traversal(&mut self) -> Result<BySide<Folder>> {
        self.guarded(|this| {
            this.writer.begin_transaction()?;
            for side in Side::BOTH {
                let id = this.writer.give_out_ids(side, 1);
                assert_eq!(id, FIRST_NODE_ID, "traversal begins in an empty ledger");
                this.writer.rows.nodes[side].push_root(id);
                this.writer.counters.change(side, 0).count_node(NodeKind::Folder, None);
            }
            this.writer.rows.source_folders.push(FIRST_NODE_ID, "/", 0);
            this.writer.rows.destination_folders.push(FIRST_NODE_ID, "/", 0, FIRST_NODE_ID);
            this.record_match(FIRST_NODE_ID, FIRST_NODE_ID, true, NodeKind::Folder, None, 0);
            this.writer.uncommitted_rows += 2;
            set_phase(&this.writer.connection, Phase::Traversing, None)
        })?;
        self.commit()?;
        let root = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
        Ok(BySide { src: root.clone(), dst: root })
    }

    /// Goes on with a traversal that was begun: commits the phase `traversing`, and returns what is still to be listed.
    fn go_on_traversal(&mut self) -> Result<Remaining> {
        self.guarded(|this| {
            this.writer.begin_transaction()?;
            set_phase(&this.writer.connection, Phase::Traversing, None)
        })?;
        self.commit()?;
        self.guarded(|this| remaining(&this.writer.connection))
    }

    /// Records a page. Whatever listings are now complete are in the answer; a destination's may have to wait for
    /// [`DiscoverWriter::match_recorded`].
    pub fn record_page(&mut self, side: Side, listed: ListedPage) -> Result<Vec<RecordedListing>> {
        self.guarded(|this| {
            if this.was_listed_before(side, &listed.folder) {
                return this.record_page_again(side, listed);
            }
            let ListedPage { folder, page, is_last, attempts } = listed;
            if is_last {
                let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
                let (was, change) = (TraversalStatus::Pending, TraversalChange::Listed);
                this.writer.events.change_traversal(side, folder.id, was, change, attempts, None)?;
                this.writer.counters.change(side, folder.depth).folders_listed += 1;
            }
            this.record_entries(side, folder, page, if is_last { Ending::Complete } else { Ending::No })
        })
    }

    /// Records that a folder could not be listed, or not to its end. The pages of it that had come stay; its answer is
    /// as for a page.
    pub fn record_failure(&mut self, side: Side, failed: FailedListing) -> Result<Vec<RecordedListing>> {
        self.guarded(|this| {
            if this.was_listed_before(side, &failed.folder) {
                return this.record_failure_again(side, failed);
            }
            let attempts = i32::try_from(failed.attempts).unwrap_or(i32::MAX);
            let (was, change) = (TraversalStatus::Pending, TraversalChange::OutOfAttempts);
            let reason = Reason::message(&failed.message);
            this.writer.events.change_traversal(side, failed.folder.id, was, change, attempts, Some(&reason))?;
            this.writer.rows.errors.push(&ErrorRow {
                side,
                node: failed.folder.id,
                phase: Phase::Traversing,
                class: failed.class,
                message: &failed.message,
                attempts,
                run: this.writer.run,
                at_ns: (this.writer.now_ns)(),
            });
            this.writer.counters.change(side, failed.folder.depth).folders_failed += 1;
            this.record_entries(side, failed.folder, Page::default(), Ending::Failed)
        })
    }

    fn record_entries(
        &mut self,
        side: Side,
        folder: Folder,
        page: Page,
        ending: Ending,
    ) -> Result<Vec<RecordedListing>> {
        if self.writer.rows.nodes[side].name_bytes() + page.names().len() > BATCH_NAME_BYTES_MAX {
            self.flush_rows()?;
        }
        let depth = folder.depth + 1;
        let first_id = self.writer.give_out_ids(side, page.len());
        self.writer.rows.nodes[side].push_page(first_id, folder.id, depth, &page);
        self.writer.uncommitted_rows += page.len() + 1;
        if !page.is_empty() {
            let counters = self.writer.counters.change(side, depth);
            page.iter().for_each(|entry| counters.count_node(entry.kind, entry.size));
        }
        self.record_remarks(side, first_id, depth, &page)?;
        self.record_left_out(first_id, depth, &page)?;
        let answers = match side {
            Side::Source => self.record_source_folders(&folder, first_id, page, ending),
            Side::Destination => self.match_or_wait(UnmatchedPage { folder, first_id, page, ending })?,
        };
        if self.writer.rows.nodes[side].len() >= FLUSH_ROWS_MAX {
            self.flush_rows()?;
        }
        Ok(answers)
    }

    /// Hands all rows that wait to DuckDB, inside the transaction that is open, or a new one.
    fn flush_rows(&mut self) -> Result<()> {
        self.writer.flush_rows()?;
        self.relisting.as_mut().map_or(Ok(()), |relisting| relisting.flush(&self.writer.connection))
    }

    fn record_source_folders(
        &mut self,
        folder: &Folder,
        first_id: NodeId,
        page: Page,
        ending: Ending,
    ) -> Vec<RecordedListing> {
        let depth = folder.depth + 1;
        let ids = first_id.0..first_id.plus(page.len()).0;
        let folders: Vec<Folder> = page
            .iter()
            .enumerate()
            .filter(|(index, entry)| entry.kind == NodeKind::Folder && !page.is_left_out(*index))
            .map(|(index, entry)| {
                let id = first_id.plus(index);
                Folder { id, source_id: id, path: child_path(&folder.path, entry.name), depth }
            })
            .collect();
        for found in &folders {
            self.writer.rows.source_folders.push(found.id, &found.path, depth);
        }
        let is_first = !self.open_listings.src.contains_key(&folder.id);
        match ending {
            // What is recorded of it is only what is new.
            _ if self.was_listed_before(Side::Source, folder) => {}
            // Its counterpart is not listed: there is nothing to match with.
            Ending::Failed => self.recent.forget(folder.id),
            // Half of all folders may be empty, and hardly any of their counterparts are not.
            Ending::Complete if is_first && page.is_empty() => {}
            Ending::No | Ending::Complete => {
                self.recent.remember(folder.id, first_id, page, ending == Ending::Complete, is_first);
            }
        }
        self.add_to_listing(Side::Source, folder.id, ids, folders, ending).into_iter().collect()
    }

    /// Matches a destination page at once if its counterpart is in memory; otherwise it waits for the next join.
    fn match_or_wait(&mut self, recorded: UnmatchedPage) -> Result<Vec<RecordedListing>> {
        // The pages of one listing are matched in order.
        let waits = self.unmatched.folders.contains(&recorded.folder.id);
        let source = recorded.folder.source_id;
        let matched = if waits {
            None
        } else if recorded.page.is_empty() {
            Some(Vec::new())
        } else {
            self.recent.match_page(source, recorded.first_id, &recorded.page)
        };
        if let Some(matched) = matched {
            if recorded.ending != Ending::No {
                self.recent.forget(source);
            }
            return Ok(self.record_matched_page(&recorded, &matched)?.into_iter().collect());
        }
        self.unmatched.rows += recorded.page.len();
        self.unmatched.folders.insert(recorded.folder.id);
        self.unmatched.pages.push(recorded);
        if self.unmatched.rows >= MATCH_ROWS_MAX { self.match_recorded_inner() } else { Ok(Vec::new()) }
    }

    /// Adds what a page found to its listing; gives the answer if the listing ends with it.
    fn add_to_listing(
        &mut self,
        side: Side,
        folder: NodeId,
        ids: Range<i64>,
        folders: Vec<Folder>,
        ending: Ending,
    ) -> Option<RecordedListing> {
        let mut listing = self.open_listings[side].remove(&folder).unwrap_or_default();
        listing.add(ids, folders);
        if ending == Ending::No {
            self.open_listings[side].insert(folder, listing);
            return None;
        }
        Some(RecordedListing { side, folder, is_complete: ending == Ending::Complete, found: listing.close() })
    }

    /// Whether there are pages that wait for [`DiscoverWriter::match_recorded`].
    pub fn has_unmatched(&self) -> bool {
        !self.unmatched.pages.is_empty() || self.relisting.as_ref().is_some_and(Relisting::has_ended_listings)
    }

    /// Compares the listings of folders that were listed before with what is known, and matches all destination pages
    /// recorded so far against the source, in one join; answers for the listings that are complete. The source's
    /// listing of each of these folders must have been recorded before.
    pub fn match_recorded(&mut self) -> Result<Vec<RecordedListing>> {
        self.guarded(|this| {
            let mut answers = this.compare_listed_again()?;
            answers.extend(this.match_recorded_inner()?);
            Ok(answers)
        })
    }

    fn match_recorded_inner(&mut self) -> Result<Vec<RecordedListing>> {
        if self.unmatched.pages.is_empty() {
            return Ok(Vec::new());
        }
        self.flush_rows()?;
        let Unmatched { pages, .. } = std::mem::take(&mut self.unmatched);
        // Pages between these that were matched in memory are matched once more by the join; their rows are passed over.
        let ids = pages[0].first_id.0..self.writer.next_id.dst.0;
        let sources = pages.iter().map(|page| page.folder.source_id.0);
        let source_parents = sources.clone().min().expect("not empty")..sources.max().expect("not empty") + 1;
        let not_there = self.relisting.as_ref().map(|relisting| &relisting.sweep.not_there);
        let is_filtered = !self.writer.settings.filter.is_empty();
        let matched = match_nodes(&self.writer.connection, &ids, &source_parents, is_filtered, not_there)?;

        let mut answers = Vec::new();
        let mut remaining = matched.as_slice();
        for page in pages {
            let end = page.first_id.plus(page.page.len());
            remaining = &remaining[remaining.partition_point(|m| m.destination_id < page.first_id)..];
            let (mine, rest) = remaining.split_at(remaining.partition_point(|m| m.destination_id < end));
            remaining = rest;
            if page.ending != Ending::No {
                self.recent.forget(page.folder.source_id);
            }
            answers.extend(self.record_matched_page(&page, mine)?);
        }
        Ok(answers)
    }

    fn record_matched_page(&mut self, page: &UnmatchedPage, matched: &[Matched]) -> Result<Option<RecordedListing>> {
        let ids = page.first_id.0..page.first_id.plus(page.page.len()).0;
        let folders = self.record_matches(page, matched)?;
        Ok(self.add_to_listing(Side::Destination, page.folder.id, ids, folders, page.ending))
    }

    /// Turns what the join found for one page, ascending by destination id, into matches, conflicts and counters.
    /// Returns the folders that both sides have.
    fn record_matches(&mut self, unmatched: &UnmatchedPage, matched: &[Matched]) -> Result<Vec<Folder>> {
        let depth = unmatched.folder.depth + 1;
        let mut matched = matched.iter().peekable();
        let mut folders = Vec::new();
        for (index, entry) in unmatched.page.iter().enumerate() {
            let id = unmatched.first_id.plus(index);
            let found = matched.next_if(|m| m.destination_id == id);
            match found {
                Some(source) if source.is_left_out => {
                    self.record_match_left_out(source, id, entry.kind, entry.size, depth)?;
                }
                Some(source) if source.kind == entry.kind => {
                    let comparison = &self.writer.settings.comparison;
                    let same = comparison.is_same_node(entry.kind, source.facts, entry.facts());
                    self.record_match(source.source_id, id, same, entry.kind, source.facts.size, depth);
                    if entry.kind == NodeKind::Folder {
                        let path = child_path(&unmatched.folder.path, entry.name);
                        self.writer.rows.destination_folders.push(id, &path, depth, source.source_id);
                        folders.push(Folder { id, source_id: source.source_id, path, depth });
                    }
                }
                other_kind => {
                    self.writer.counters.change(Side::Destination, depth).count_not_on_src(entry.kind, entry.size);
                    // An entry of a kind that is not carried over is skipped already, whatever is in its place. What
                    // a conflict means for one that was known before is found when the sweep ends.
                    let known_before =
                        self.relisting.as_ref().map_or(NodeId(0), |relisting| relisting.sweep.first_ids.src);
                    let is_new = |source: &&Matched| source.kind != NodeKind::Other && source.source_id >= known_before;
                    if let Some(source) = other_kind.filter(is_new) {
                        let reason = Reason::new(ReasonCode::KindsDiffer, [source.kind, entry.kind]);
                        let (id, change) = (source.source_id, CopyChange::Conflicting);
                        self.writer.settle_copy(id, change, source.kind, source.facts.size, depth, 0, Some(&reason))?;
                    }
                }
            }
        }
        Ok(folders)
    }

    fn record_match(
        &mut self,
        source: NodeId,
        destination: NodeId,
        same: bool,
        kind: NodeKind,
        size: Option<i64>,
        depth: i32,
    ) {
        self.writer.rows.matches.push(source, destination, same);
        self.writer.uncommitted_rows += 1;
        if same {
            // No event: it follows from the match.
            self.writer.counters.change(Side::Source, depth).count_copy_status(CopyStatus::AlreadyExisted, kind, size);
        }
    }

    /// The source node of this name is left out by a filter: it is not compared, and no conflict. A folder that both sides
    /// have is not descended into on either.
    fn record_match_left_out(
        &mut self,
        source: &Matched,
        destination: NodeId,
        kind: NodeKind,
        size: Option<i64>,
        depth: i32,
    ) -> Result<()> {
        if source.kind != kind {
            self.writer.counters.change(Side::Destination, depth).count_not_on_src(kind, size);
            return Ok(());
        }
        self.record_match(source.source_id, destination, false, kind, None, depth);
        if kind == NodeKind::Folder {
            let (was, change) = (TraversalStatus::Pending, TraversalChange::Listed);
            let reason = Reason::plain(ReasonCode::CounterpartFiltered);
            self.writer.events.change_traversal(Side::Destination, destination, was, change, 0, Some(&reason))?;
            self.writer.counters.change(Side::Destination, depth).folders_listed += 1;
        }
        Ok(())
    }

    /// What a store had to say about single entries; and everything of a kind that is not copied is skipped, which no
    /// filter has to say.
    fn record_remarks(&mut self, side: Side, first_id: NodeId, depth: i32, page: &Page) -> Result<()> {
        let mut remarks = page.remarks().peekable();
        if remarks.peek().is_none() && !page.kinds().contains(&NodeKind::Other) {
            return Ok(());
        }
        for (index, entry) in page.iter().enumerate() {
            let id = first_id.plus(index);
            let mut remark = None;
            while let Some((_, text)) = remarks.next_if(|(about, _)| *about == index) {
                remark = Some(text);
            }
            if side == Side::Source && entry.kind == NodeKind::Other {
                let reason = match remark {
                    Some(what) => Reason::new(ReasonCode::SpecialFile, [what]),
                    None => Reason::plain(ReasonCode::OtherKind),
                };
                self.writer.settle_copy(id, CopyChange::NotCarriedOver, entry.kind, None, depth, 0, Some(&reason))?;
            } else if let Some(text) = remark {
                self.writer.events.remark(side, id, &Reason::message(text))?;
            }
        }
        Ok(())
    }

    /// What a filter excludes from the source has an exclusion, like what a person excludes. A folder counts as listed with
    /// that, since nothing of it will ever be.
    fn record_left_out(&mut self, first_id: NodeId, depth: i32, page: &Page) -> Result<()> {
        for (index, rule) in page.left_out() {
            let (id, entry) = (first_id.plus(index), page.entry(index));
            let is_folder = entry.kind == NodeKind::Folder;
            let reason = self.writer.settings.filter.rules[rule].reason(is_folder);
            let status = self.writer.events.exclude_found(id, is_folder, &reason)?;
            let (run, at_ns) = (self.writer.run, (self.writer.now_ns)());
            self.writer.rows.exclusions.push(id, ExclusionOrigin::Filter, &reason.stored(), run, at_ns);
            let counters = self.writer.counters.change(Side::Source, depth);
            counters.count_copy_status(status, entry.kind, entry.size);
            counters.folders_listed += i64::from(is_folder);
        }
        Ok(())
    }

    /// The folders to be listed whose ids lie within `ids`, in id order.
    pub fn pull_folders(&mut self, side: Side, ids: &Range<i64>) -> Result<Vec<Folder>> {
        self.guarded(|this| {
            this.flush_rows()?;
            pull_folders(&this.writer.connection, side, ids, this.relisting.is_some())
        })
    }

    /// Whether a commit is due because of the number of rows.
    pub fn should_commit(&self) -> bool {
        self.writer.should_commit()
    }

    /// Makes everything recorded so far durable.
    ///
    /// # Panics
    ///
    /// When there are unmatched pages: they would be committed without their matches.
    pub fn commit(&mut self) -> Result<()> {
        assert!(!self.has_unmatched(), "pages are matched before they are committed");
        self.writer.commit()
    }

    /// Ends the run. Where everything is listed, that is with `review`, discovery ends with it: the sweep that it was is
    /// evaluated, and the plan is made. A sweep after a copy that has left nothing to do ends with `verifying`, or with
    /// `complete` where what was verified still holds.
    ///
    /// # Panics
    ///
    /// As [`DiscoverWriter::commit`].
    pub fn end(self, phase: Phase, reason: Option<&str>, outcome: &str) -> Result<Overview> {
        assert!(!self.has_unmatched(), "pages are matched before the run ends");
        let DiscoverWriter { writer, relisting, .. } = self;
        writer.end(reason, outcome, |writer| {
            if phase == Phase::Review {
                let sweep = relisting.map(|relisting| relisting.end(&writer.connection)).transpose()?;
                end_discovery(writer, sweep)
            } else {
                Ok(phase)
            }
        })
    }
}

/// Everything is listed, and the events are folded: evaluates the sweep that it was, and makes the plan. Returns the phase
/// that follows.
pub(crate) fn end_discovery(writer: &mut Writer, sweep: Option<Sweep>) -> Result<Phase> {
    if let Some(sweep) = sweep {
        end_sweep(writer, sweep)?;
    }
    make_plan(writer, RANGE_IDS)?;
    fold_events(&writer.connection)?;
    exclude_what_is_new(writer)?;
    apply_carried_over(writer)?;
    if writer.settings.comparison.adopts {
        tell_of_temporary_files(&writer.connection)?;
    }
    let source = writer.counters().totals().src;
    // There is something to review unless a plan was carried out and nothing is left of it.
    if source.copy_pending() + source.conflicts > 0 || !Run::has_carried_out_a_plan(&writer.connection)? {
        return Ok(Phase::Review);
    }
    let marks = writer.counters.marks;
    let is_verified = marks.verification_begun != 0 && marks.verified_below >= writer.next_id.src.0;
    Ok(if is_verified { Phase::Complete } else { Phase::Verifying })
}

/// What a migration whose ledger is lost had not finished has names that only its ledger knows.
fn tell_of_temporary_files(connection: &Connection) -> Result<()> {
    let files: i64 = connection.query_row(
        "SELECT count(*)
         FROM dst_nodes n
         ANTI JOIN matches m ON m.dst_id = n.id
         WHERE regexp_full_match(n.name, '\\.longhaul-[0-9a-fx]+-[0-9]+')",
        [],
        |row| row.get(0),
    )?;
    if files > 0 {
        tracing::warn!(
            files,
            "the destination has temporary files of another migration (.longhaul-…): remove them by hand"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
