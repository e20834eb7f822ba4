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
use crate::bits::Ids;
use crate::codes::{node_kind, traversal_status};
use crate::error::Result;
use crate::listing::{Ending, FailedListing, Folder, FoundFolders, ListedPage, RecordedListing};
use crate::renames::SOURCE_AS_CALLED;
use crate::rows::{ErrorRow, FactRows, FindingRow, RelistedRows, Rows};
use crate::sweeping::Sweep;
use crate::temp::TempTable;
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
    /// The entries of all these listings.
    entries: BySide<TempTable>,
    rows: BySide<RelistedRows>,
    /// Source nodes that are gone, and not in `sweep.not_there` yet.
    gone: Ids,
}

impl Relisting {
    /// Begins to list what is left of a sweep.
    pub(super) fn begin(connection: &Connection, sweep: Sweep) -> Result<Relisting> {
        let entries =
            BySide { src: no_entries(connection, Side::Source)?, dst: no_entries(connection, Side::Destination)? };
        let (ended, begun, waiting, rows, gone) = Default::default();
        Ok(Relisting { sweep, ended, begun, waiting, entries, rows, gone })
    }

    /// Hands all rows that wait to DuckDB, inside the transaction that is open.
    pub(super) fn flush(&mut self, connection: &Connection) -> Result<()> {
        for side in Side::BOTH {
            self.entries[side].append(connection, &mut self.rows[side])?;
        }
        self.sweep.not_there.append(connection, &mut self.gone)?;
        Ok(())
    }

    /// Everything is listed. Returns the sweep.
    pub(crate) fn end(self, connection: &Connection) -> Result<Sweep> {
        let BySide { src, dst } = self.entries;
        src.drop(connection)?;
        dst.drop(connection)?;
        Ok(self.sweep)
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
        relisting.rows[side].push_page(folder.id, &page);
        relisting.waiting += page.len() + 1;
        self.writer.uncommitted_rows += 1;
        if is_last {
            relisting.begun[side].remove(&folder.id);
            relisting.ended[side].push((folder, attempts));
        } else {
            relisting.begun[side].insert(folder.id);
        }
        let is_long = relisting.rows[side].len() >= FLUSH_ROWS_MAX;
        if relisting.waiting >= COMPARED_ROWS_MAX && is_last {
            return self.compare_listed_again();
        }
        if is_long {
            self.flush_rows()?;
        }
        Ok(Vec::new())
    }

    /// Notes that a folder could not be listed that was listed before. What is known of it stays; where it is not there
    /// any more, it is gone.
    pub(super) fn record_failure_again(&mut self, side: Side, failed: FailedListing) -> Result<Vec<RecordedListing>> {
        let FailedListing { folder, class, message, attempts } = failed;
        self.flush_rows()?;
        let relisting = self.relisting.as_mut().expect("only a sweep lists a folder again");
        self.writer.rows.sweep.swept.push(side, folder.id);
        self.writer.uncommitted_rows += 1;
        if relisting.begun[side].remove(&folder.id) {
            let entries = &relisting.entries[side];
            self.writer
                .connection
                .execute(&format!("DELETE FROM {entries} WHERE folder_id = ?"), params![folder.id.0])?;
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
            self.relisting.as_mut().expect("only a sweep finds that").gone.id.push(node.0);
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
        self.flush_rows()?;
        let compared = Ids::table(&self.writer.connection, "ended")?;
        let mut ids = Ids { id: ended.iter().map(|(folder, _)| folder.id.0).collect() };
        compared.append(&self.writer.connection, &mut ids)?;
        let statuses = statuses_of(&self.writer.connection, side, &compared)?;
        let relisting = self.relisting.as_ref().expect("there is one");
        let differing = relisting.find_differences(&self.writer.connection, side, &compared)?;
        let differences = differing.count(&self.writer.connection)?;

        let folders: HashMap<NodeId, &Folder> = ended.iter().map(|(folder, _)| (folder.id, folder)).collect();
        let mut answers = Vec::new();
        let mut changed = FactRows::default();
        let mut start = 1;
        while start <= differences {
            let batches = pull_differences(&self.writer.connection, &differing, start)?;
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
        differing.drop(&self.writer.connection)?;
        self.update_facts(side, &mut changed)?;
        self.forget_compared(side, compared)?;

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

    fn note_difference(&mut self, side: Side, difference: &Difference<'_>, changed: &mut FactRows) {
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
            changed.push(known, difference.facts);
            // A folder's time says only that something is different in it.
            if difference.kind != NodeKind::Folder {
                self.note(side, known, Finding::Changed, difference.before);
            }
        }
    }

    /// Brings sizes and times of known nodes up to date.
    fn update_facts(&mut self, side: Side, changed: &mut FactRows) -> Result<()> {
        if changed.len() == 0 {
            return Ok(());
        }
        let connection = &self.writer.connection;
        let facts = TempTable::empty(connection, "changed_now", "id BIGINT, size BIGINT, modified_ns BIGINT")?;
        self.writer.uncommitted_rows += facts.append(connection, changed)?;
        connection.execute_batch(&format!(
            "UPDATE {side}_nodes
             SET size = c.size, modified_ns = c.modified_ns
             FROM {facts} c
             WHERE {side}_nodes.id = c.id",
            side = side.prefix()
        ))?;
        facts.drop(connection)
    }

    /// Forgets the entries of the folders whose listings have been compared.
    fn forget_compared(&mut self, side: Side, compared: TempTable) -> Result<()> {
        let (connection, relisting) = (&self.writer.connection, self.relisting.as_mut().expect("there is one"));
        if relisting.begun[side].is_empty() {
            // What is deleted from a table keeps its place.
            relisting.entries[side] = no_entries(connection, side)?;
        } else {
            let entries = &relisting.entries[side];
            connection.execute(&format!("DELETE FROM {entries} WHERE folder_id IN (SELECT id FROM {compared})"), [])?;
        }
        compared.drop(connection)
    }
}

/// The table of entries, without any.
fn no_entries(connection: &Connection, side: Side) -> Result<TempTable> {
    let name = match side {
        Side::Source => "relisted_src",
        Side::Destination => "relisted_dst",
    };
    let columns = "folder_id BIGINT, name VARCHAR, kind node_kind, size BIGINT, modified_ns BIGINT, remark VARCHAR,
                   left_out BIGINT";
    TempTable::empty(connection, name, columns)
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

/// The statuses of those of the folders that any is known of.
fn statuses_of(connection: &Connection, side: Side, folders: &TempTable) -> Result<HashMap<NodeId, TraversalStatus>> {
    let mut statement = connection.prepare(&format!(
        "SELECT c.id, c.traversal_status::VARCHAR
         FROM {}_current c
         SEMI JOIN {folders} e ON e.id = c.id
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

impl Relisting {
    /// Returns what is different in the folders whose listings are complete, numbered from 1 on, the entries of each folder one
    /// after another, as a temporary table.
    fn find_differences(&self, connection: &Connection, side: Side, ended: &TempTable) -> Result<TempTable> {
        let (first, last): (i64, i64) =
            connection.query_row(&format!("SELECT min(id), max(id) FROM {ended}"), [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let was_gone = match side {
            Side::Source => format!("n.id IN (SELECT id FROM {})", self.sweep.not_there),
            Side::Destination => "false".to_owned(),
        };
        // A source folder that was gone is not known any more, because what it had is not: if it is there again it is a new
        // one.
        let known = format!(
            "SELECT n.id, n.parent_id, n.name, n.kind, n.size, n.modified_ns, {was_gone} AS was_gone
             FROM {side}_nodes n
             WHERE n.parent_id >= {first} AND n.parent_id <= {last} AND n.id < {first_id}
               AND n.parent_id IN (SELECT id FROM {ended}) AND NOT (n.kind = '{folder}' AND {was_gone})",
            side = side.prefix(),
            first_id = self.sweep.first_ids[side],
            folder = NodeKind::Folder
        );
        let to_be_new = Ids::table(connection, "to_be_new")?;
        if side == Side::Destination {
            self.find_counterparts_of_known(connection, &known, &to_be_new)?;
        }
        let differing = TempTable::of(
            connection,
            "differing",
            &format!(
                "WITH listed AS (
                   FROM {entries}
                   WHERE folder_id IN (SELECT id FROM {ended})
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
                 LEFT JOIN {to_be_new} b ON b.id = k.id
                 WHERE k.id IS NULL
                   OR (l.folder_id IS NULL AND NOT k.was_gone)
                   OR (l.folder_id IS NOT NULL AND (
                     k.was_gone OR b.id IS NOT NULL
                     OR l.size IS DISTINCT FROM k.size OR l.modified_ns IS DISTINCT FROM k.modified_ns
                   ))",
                entries = self.entries[side]
            ),
        )?;
        to_be_new.drop(connection)?;
        Ok(differing)
    }

    /// Fills `to_be_new (id)` with those destination folders that the query `known` gives, that had no counterpart, so that
    /// they were not descended into, and that have one now.
    fn find_counterparts_of_known(&self, connection: &Connection, known: &str, to_be_new: &TempTable) -> Result<()> {
        let folders = TempTable::of(
            connection,
            "known_folders",
            &format!(
                "SELECT id, parent_id, name
                 FROM ({known})
                 WHERE kind = '{folder}'",
                folder = NodeKind::Folder
            ),
        )?;
        let (first, last): (i64, i64) = connection.query_row(
            &format!("SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM {folders}"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let unmatched = connection.execute(
            &format!(
                "INSERT INTO {to_be_new}
                 SELECT id
                 FROM {folders}
                 WHERE id NOT IN (SELECT dst_id FROM matches WHERE dst_id >= ? AND dst_id <= ?)"
            ),
            params![first, last],
        )?;
        if unmatched > 0 {
            connection.execute_batch(&format!(
                "DELETE FROM {to_be_new}
                 WHERE id NOT IN (
                   SELECT k.id
                   FROM {folders} k
                   SEMI JOIN {to_be_new} b ON b.id = k.id
                   JOIN dst_folders f ON f.id = k.parent_id
                   JOIN ({SOURCE_AS_CALLED}) s ON s.parent_id = f.src_id AND s.name = k.name AND s.kind = '{folder}'
                   WHERE s.id NOT IN (SELECT id FROM {not_there})
                 )",
                not_there = self.sweep.not_there,
                folder = NodeKind::Folder
            ))?;
        }
        folders.drop(connection)
    }
}

fn pull_differences(connection: &Connection, differing: &TempTable, start: i64) -> Result<Vec<RecordBatch>> {
    let mut statement = connection.prepare(&format!(
        "SELECT folder_id, is_listed, known_id, is_new, was_gone, name, kind, size, modified_ns, size_before,
           modified_before_ns, remark, left_out
         FROM {differing}
         WHERE number >= ? AND number < ?
         ORDER BY number"
    ))?;
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
