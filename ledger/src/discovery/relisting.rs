//! The write path of a sweep: listings of folders that were listed before, compared with what is known of them.
//!
//! The entries of such a listing wait in a temporary table until it is complete; then one join for many listings tells what is
//! new, what has changed and what is gone. Only the new ones become nodes, in the ordinary way. What is found of nodes that were
//! known is noted in `sweep_findings`, and what follows from it for their statuses is worked out when the sweep ends.

use std::collections::{HashMap, HashSet};

use duckdb::arrow::array::{Array, AsArray, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::{Connection, OptionalExt, params};
use longhaul_model::{
    BySide, ErrorClass, FIRST_NODE_ID, FileFacts, NodeId, NodeKind, Page, Phase, Reason, Side, TraversalChange,
    TraversalStatus,
};

use super::{DiscoverWriter, FLUSH_ROWS_MAX};
use crate::codes::{node_kind, traversal_status};
use crate::error::Result;
use crate::listing::{Ending, FailedListing, Folder, FoundFolders, ListedPage, RecordedListing};
use crate::rows::{ErrorRow, FindingRow, IdRows, Rows, flush};
use crate::sweeping::Sweep;
use crate::words::Finding;

/// Entries of listings that are complete are compared at the latest when this many wait.
const COMPARED_ROWS_MAX: usize = 50_000;

/// Differences that are dealt with at a time.
const DIFFERENCES_MAX: i64 = 16_384;

/// Listings of a sweep that wait to be compared.
#[derive(Debug)]
pub(crate) struct Relisting {
    pub(crate) sweep: Sweep,
    /// Listings that are complete, with the attempts that they took.
    ended: BySide<Vec<(Folder, u32)>>,
    /// Folders of whose listings some pages have come.
    begun: BySide<HashSet<NodeId>>,
    waiting: usize,
}

impl Relisting {
    /// Begins to list what is left of a sweep.
    pub(super) fn begin(connection: &Connection, sweep: Sweep) -> Result<Relisting> {
        // Of this connection only, and never in the file or its log.
        for side in Side::BOTH {
            forget_entries(connection, side)?;
        }
        Ok(Relisting { sweep, ended: BySide::default(), begun: BySide::default(), waiting: 0 })
    }

    pub(super) fn has_ended_listings(&self) -> bool {
        Side::BOTH.into_iter().any(|side| !self.ended[side].is_empty())
    }
}

/// What is different about an entry of a folder.
struct Difference<'a> {
    folder: NodeId,
    /// Whether the listing has it.
    is_listed: bool,
    /// The node that was known by this name and kind.
    known: Option<NodeId>,
    /// It is to be a new node, whatever was known.
    is_new: bool,
    /// The known one was gone before.
    was_gone: bool,
    name: &'a str,
    kind: NodeKind,
    /// As listed.
    facts: FileFacts,
    /// As they were known.
    before: FileFacts,
    remark: Option<&'a str>,
    /// The number of the filter rule that leaves it out.
    left_out: Option<usize>,
}

impl DiscoverWriter {
    /// Whether a folder was known before the sweep that lists it.
    pub(super) fn was_listed_before(&self, side: Side, folder: &Folder) -> bool {
        self.relisting.as_ref().is_some_and(|relisting| folder.id < relisting.sweep.first_ids[side])
    }

    /// Takes a page of a folder that was listed before.
    pub(super) fn record_page_again(&mut self, side: Side, listed: ListedPage) -> Result<Vec<RecordedListing>> {
        let ListedPage { folder, page, is_last, attempts } = listed;
        let relisting = self.relisting.as_mut().expect("only a sweep lists a folder again");
        self.writer.rows.sweep.entries[side].push_page(folder.id, &page);
        relisting.waiting += page.len() + 1;
        self.writer.uncommitted_rows += 1;
        if is_last {
            relisting.begun[side].remove(&folder.id);
            relisting.ended[side].push((folder, attempts));
        } else {
            relisting.begun[side].insert(folder.id);
        }
        let is_long = self.writer.rows.sweep.entries[side].len() >= FLUSH_ROWS_MAX;
        if relisting.waiting >= COMPARED_ROWS_MAX && is_last {
            return self.compare_listed_again();
        }
        if is_long {
            self.writer.flush_rows()?;
        }
        Ok(Vec::new())
    }

    /// Notes that a folder could not be listed that was listed before. What is known of it stays; where it is not there
    /// any more, it is gone.
    pub(super) fn record_failure_again(&mut self, side: Side, failed: FailedListing) -> Result<Vec<RecordedListing>> {
        let FailedListing { folder, class, message, attempts } = failed;
        self.writer.flush_rows()?;
        let relisting = self.relisting.as_mut().expect("only a sweep lists a folder again");
        self.writer.rows.sweep.swept.push(side, folder.id);
        self.writer.uncommitted_rows += 1;
        if relisting.begun[side].remove(&folder.id) {
            let table = format!("relisted_{}", side.prefix());
            self.writer
                .connection
                .execute(&format!("DELETE FROM {table} WHERE folder_id = ?"), params![folder.id.0])?;
        }
        let is_gone = class == ErrorClass::Vanished && folder.id != FIRST_NODE_ID;
        let nothing = FoundFolders { ids: Vec::new(), named: Some(Vec::new()) };
        let answer = RecordedListing { side, folder: folder.id, is_complete: is_gone, found: nothing };
        if is_gone {
            self.note(side, folder.id, Finding::Gone, FileFacts { size: None, modified_ns: None });
            return Ok(vec![answer]);
        }
        let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
        let was = known_status(&self.writer.connection, side, folder.id)?;
        let change = TraversalChange::OutOfAttempts;
        self.writer.events.change_relisted(side, folder.id, was, change, attempts, Some(&Reason::message(&message)))?;
        self.writer.rows.errors.push(&ErrorRow {
            side,
            node: folder.id,
            phase: Phase::Traversing,
            class,
            message: &message,
            attempts,
            run: self.writer.run,
            at_ns: (self.writer.now_ns)(),
        });
        Ok(vec![answer])
    }

    fn note(&mut self, side: Side, node: NodeId, finding: Finding, before: FileFacts) {
        let (run, at_ns) = (self.writer.run, (self.writer.now_ns)());
        let FileFacts { size, modified_ns } = before;
        self.writer.rows.sweep.findings.push(&FindingRow { side, node, finding, size, modified_ns, run, at_ns });
        self.writer.uncommitted_rows += 1;
        if side == Side::Source && finding == Finding::Gone {
            self.writer.rows.sweep.gone.push(node, None, None);
        }
    }

    /// Compares the listings that are complete with what is known, and answers for those of them that nothing more has to
    /// be matched of. The source first: the destination's are matched with what it has now.
    pub(super) fn compare_listed_again(&mut self) -> Result<Vec<RecordedListing>> {
        let mut answers = Vec::new();
        for side in Side::BOTH {
            let Some(relisting) = &mut self.relisting else { break };
            let ended = std::mem::take(&mut relisting.ended[side]);
            if !ended.is_empty() {
                answers.extend(self.compare_side(side, ended)?);
            }
        }
        if let Some(relisting) = &mut self.relisting {
            relisting.waiting = 0;
        }
        Ok(answers)
    }

    fn compare_side(&mut self, side: Side, ended: Vec<(Folder, u32)>) -> Result<Vec<RecordedListing>> {
        self.writer.flush_rows()?;
        self.writer
            .connection
            .execute_batch("CREATE OR REPLACE TEMP TABLE ended (id BIGINT, size BIGINT, modified_ns BIGINT)")?;
        let mut ids = IdRows::default();
        for (folder, _) in &ended {
            ids.push(folder.id, None, None);
        }
        flush(&mut ids, "ended", &self.writer.connection)?;
        let statuses = statuses_of_ended(&self.writer.connection, side)?;
        let first_id = self.relisting.as_ref().expect("there is one").sweep.first_ids[side];
        let differences = find_differences(&self.writer.connection, side, first_id)?;

        let folders: HashMap<NodeId, &Folder> = ended.iter().map(|(folder, _)| (folder.id, folder)).collect();
        let mut answers = Vec::new();
        let mut changed = IdRows::default();
        let mut start = 1;
        while start <= differences {
            let batches = pull_differences(&self.writer.connection, start)?;
            start += DIFFERENCES_MAX;
            let mut new = NewEntries::default();
            for batch in &batches {
                for row in 0..batch.num_rows() {
                    let difference = read_difference(batch, row)?;
                    if let Some((folder, page)) = new.add(&difference) {
                        answers.extend(self.record_entries(side, folders[&folder].clone(), page, Ending::No)?);
                    }
                    self.note_difference(side, &difference, &mut changed);
                }
            }
            if let Some((folder, page)) = new.take() {
                answers.extend(self.record_entries(side, folders[&folder].clone(), page, Ending::No)?);
            }
        }
        self.update_facts(side, &mut changed)?;
        self.forget_compared(side)?;

        for (folder, attempts) in ended {
            self.writer.rows.sweep.swept.push(side, folder.id);
            let was = statuses.get(&folder.id).copied().unwrap_or(TraversalStatus::Pending);
            if was != TraversalStatus::Successful {
                let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
                self.writer.events.change_relisted(side, folder.id, was, TraversalChange::Listed, attempts, None)?;
            }
            self.writer.uncommitted_rows += 1;
            answers.extend(self.record_entries(side, folder, Page::default(), Ending::Complete)?);
        }
        Ok(answers)
    }

    fn note_difference(&mut self, side: Side, difference: &Difference<'_>, changed: &mut IdRows) {
        let Some(known) = difference.known else { return };
        if !difference.is_listed || difference.is_new {
            // One that was gone before, and one that is: neither is news of the known one.
            if !difference.was_gone {
                self.note(side, known, Finding::Gone, difference.before);
            }
            return;
        }
        if difference.was_gone {
            self.note(side, known, Finding::Back, difference.before);
        }
        if difference.facts != difference.before {
            changed.push(known, difference.facts.size, difference.facts.modified_ns);
            // A folder's time says only that something is different in it.
            if difference.kind != NodeKind::Folder {
                self.note(side, known, Finding::Changed, difference.before);
            }
        }
    }

    /// Brings sizes and times of known nodes up to date.
    fn update_facts(&mut self, side: Side, changed: &mut IdRows) -> Result<()> {
        self.writer
            .connection
            .execute_batch("CREATE OR REPLACE TEMP TABLE changed_now (id BIGINT, size BIGINT, modified_ns BIGINT)")?;
        let count = flush(changed, "changed_now", &self.writer.connection)?;
        if count > 0 {
            let nodes = format!("{}_nodes", side.prefix());
            self.writer.connection.execute_batch(&format!(
                "UPDATE {nodes}
                 SET size = c.size, modified_ns = c.modified_ns
                 FROM changed_now c
                 WHERE {nodes}.id = c.id"
            ))?;
            self.writer.uncommitted_rows += count;
        }
        Ok(())
    }

    /// Forgets the entries of the listings that have been compared.
    fn forget_compared(&mut self, side: Side) -> Result<()> {
        let relisting = self.relisting.as_ref().expect("there is one");
        if relisting.begun[side].is_empty() {
            return forget_entries(&self.writer.connection, side);
        }
        let table = format!("relisted_{}", side.prefix());
        self.writer
            .connection
            .execute(&format!("DELETE FROM {table} WHERE folder_id IN (SELECT id FROM ended)"), [])?;
        Ok(())
    }
}

/// Makes the table of entries anew: what is deleted from one keeps its place.
fn forget_entries(connection: &Connection, side: Side) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE relisted_{} (
           folder_id BIGINT, name VARCHAR, kind node_kind, size BIGINT, modified_ns BIGINT, remark VARCHAR,
           left_out BIGINT
         )",
        side.prefix()
    ))?)
}

/// The status that a folder had before the sweep, whose events were folded when it began.
fn known_status(connection: &Connection, side: Side, folder: NodeId) -> Result<TraversalStatus> {
    let sql = format!(
        "SELECT traversal_status::VARCHAR FROM {}_current WHERE id = ? AND traversal_status IS NOT NULL",
        side.prefix()
    );
    let known: Option<String> = connection.query_row(&sql, [folder.0], |row| row.get(0)).optional()?;
    known.map_or(Ok(TraversalStatus::Pending), |word| traversal_status(&word))
}

/// The statuses of the folders in `ended` that any is known of.
fn statuses_of_ended(connection: &Connection, side: Side) -> Result<HashMap<NodeId, TraversalStatus>> {
    let mut statement = connection.prepare(&format!(
        "SELECT c.id, c.traversal_status::VARCHAR
         FROM {}_current c
         SEMI JOIN ended e ON e.id = c.id
         WHERE c.traversal_status IS NOT NULL",
        side.prefix()
    ))?;
    let mut rows = statement.query([])?;
    let mut statuses = HashMap::new();
    while let Some(row) = rows.next()? {
        statuses.insert(NodeId(row.get(0)?), traversal_status(&row.get::<_, String>(1)?)?);
    }
    Ok(statuses)
}

/// Fills the temporary table `differing` with what is different in the folders in `ended`, numbered from 1 on, the entries of
/// each folder one after another. Returns how many there are.
fn find_differences(connection: &Connection, side: Side, first_id: NodeId) -> Result<i64> {
    let (first, last): (i64, i64) =
        connection.query_row("SELECT min(id), max(id) FROM ended", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (name, first_id) = (side.prefix(), first_id.0);
    let was_gone = match side {
        Side::Source => "n.id IN (SELECT id FROM not_there)",
        Side::Destination => "false",
    };
    // A source folder that was gone is not known any more, because what it had is not: if it is there again it is a new one.
    let known = format!(
        "SELECT n.id, n.parent_id, n.name, n.kind, n.size, n.modified_ns, {was_gone} AS was_gone
         FROM {name}_nodes n
         WHERE n.parent_id >= {first} AND n.parent_id <= {last} AND n.id < {first_id}
           AND n.parent_id IN (SELECT id FROM ended) AND NOT (n.kind = '{folder}' AND {was_gone})",
        folder = NodeKind::Folder
    );
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE to_be_new (id BIGINT)")?;
    if side == Side::Destination {
        find_counterparts_of_known(connection, &known)?;
    }
    connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE differing AS
         WITH listed AS (
           FROM relisted_{name}
           WHERE folder_id IN (SELECT id FROM ended)
         ),
         known AS ({known})
         SELECT
           row_number() OVER (ORDER BY coalesce(l.folder_id, k.parent_id)) AS number,
           coalesce(l.folder_id, k.parent_id) AS folder_id,
           l.folder_id IS NOT NULL AS is_listed,
           k.id AS known_id,
           l.folder_id IS NOT NULL AND (k.id IS NULL OR b.id IS NOT NULL) AS is_new,
           coalesce(k.was_gone, false) AS was_gone,
           coalesce(l.name, k.name) AS name,
           coalesce(l.kind, k.kind)::VARCHAR AS kind,
           l.size,
           l.modified_ns,
           k.size AS size_before,
           k.modified_ns AS modified_before_ns,
           l.remark,
           l.left_out
         FROM listed l
         FULL JOIN known k ON k.parent_id = l.folder_id AND k.name = l.name AND k.kind = l.kind
         LEFT JOIN to_be_new b ON b.id = k.id
         WHERE k.id IS NULL
           OR (l.folder_id IS NULL AND NOT k.was_gone)
           OR (l.folder_id IS NOT NULL AND (
             k.was_gone OR b.id IS NOT NULL
             OR l.size IS DISTINCT FROM k.size OR l.modified_ns IS DISTINCT FROM k.modified_ns
           ))"
    ))?;
    Ok(connection.query_row("SELECT count(*) FROM differing", [], |row| row.get(0))?)
}

/// Fills `to_be_new (id)` with those destination folders that the query `known` gives, that had no counterpart, so that they
/// were not descended into, and that have one now.
fn find_counterparts_of_known(connection: &Connection, known: &str) -> Result<()> {
    connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE known_folders AS
         SELECT id, parent_id, name
         FROM ({known})
         WHERE kind = '{folder}'",
        folder = NodeKind::Folder
    ))?;
    let bounds: (Option<i64>, Option<i64>) =
        connection.query_row("SELECT min(id), max(id) FROM known_folders", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = bounds else { return Ok(()) };
    let unmatched = connection.execute(
        "INSERT INTO to_be_new
         SELECT id
         FROM known_folders
         WHERE id NOT IN (SELECT dst_id FROM matches WHERE dst_id >= ? AND dst_id <= ?)",
        params![first, last],
    )?;
    if unmatched > 0 {
        connection.execute_batch(&format!(
            "DELETE FROM to_be_new
             WHERE id NOT IN (
               SELECT k.id
               FROM known_folders k
               SEMI JOIN to_be_new b ON b.id = k.id
               JOIN dst_folders f ON f.id = k.parent_id
               JOIN src_called s ON s.parent_id = f.src_id AND s.name = k.name AND s.kind = '{folder}'
               WHERE s.id NOT IN (SELECT id FROM not_there)
             )",
            folder = NodeKind::Folder
        ))?;
    }
    Ok(())
}

fn pull_differences(connection: &Connection, start: i64) -> Result<Vec<RecordBatch>> {
    let mut statement = connection.prepare(
        "SELECT folder_id, is_listed, known_id, is_new, was_gone, name, kind, size, modified_ns, size_before,
           modified_before_ns, remark, left_out
         FROM differing
         WHERE number >= ? AND number < ?
         ORDER BY number",
    )?;
    Ok(statement.query_arrow(params![start, start + DIFFERENCES_MAX])?.collect())
}

fn read_difference(batch: &RecordBatch, row: usize) -> Result<Difference<'_>> {
    let number = |column: usize| {
        let column = batch.column(column).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let flag = |column: usize| batch.column(column).as_boolean().value(row);
    let text = |column: usize| batch.column(column).as_string::<i32>();
    Ok(Difference {
        folder: NodeId(number(0).expect("coalesced from two of which one is there")),
        is_listed: flag(1),
        known: number(2).map(NodeId),
        is_new: flag(3),
        was_gone: flag(4),
        name: text(5).value(row),
        kind: node_kind(text(6).value(row))?,
        facts: FileFacts { size: number(7), modified_ns: number(8) },
        before: FileFacts { size: number(9), modified_ns: number(10) },
        remark: text(11).is_valid(row).then(|| text(11).value(row)),
        left_out: number(12).and_then(|rule| usize::try_from(rule).ok()),
    })
}

/// New entries, gathered into pages of one folder each.
#[derive(Default)]
struct NewEntries {
    page: Option<(NodeId, Page)>,
}

impl NewEntries {
    /// Adds an entry if it is a new one. Gives the page of the folder before, where it is of another one.
    fn add(&mut self, entry: &Difference<'_>) -> Option<(NodeId, Page)> {
        if !entry.is_new {
            return None;
        }
        let full =
            if self.page.as_ref().is_some_and(|(folder, _)| *folder != entry.folder) { self.take() } else { None };
        let (_, page) = self.page.get_or_insert_with(|| (entry.folder, Page::default()));
        page.push_printable(entry.name, entry.kind, entry.facts.size, entry.facts.modified_ns);
        if let Some(remark) = entry.remark {
            page.remark(remark);
        }
        if let Some(rule) = entry.left_out {
            page.leave_out(page.len() - 1, rule);
        }
        full
    }

    fn take(&mut self) -> Option<(NodeId, Page)> {
        self.page.take()
    }
}
