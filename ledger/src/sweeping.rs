//! Sweeps: passes over folders that were listed before.
//!
//! A sweep begins with the folders that it lists again, all of them at once: those below the ones that somebody named. While it
//! lasts, what comes is compared, and noted where it is different (see `discovery/relisting.rs`). When everything is listed it ends: what is gone
//! goes with everything below it, what is there on both sides is matched, and whatever is not as it was is pending again,
//! for the plan to decide. Nodes that were found again keep their ids and their history, and their statuses where nothing about
//! them has changed.

use std::collections::HashMap;
use std::ops::Range;

use duckdb::{Connection, OptionalExt, params};
use longhaul_model::{
    BySide, CompareBy, CopyChange, CopyStatus, NodeId, NodeKind, Page, Phase, PlanAction, ReasonCode, Side,
    TraversalChange, TraversalStatus, child_path,
};

use crate::approval::revoke;
use crate::below::select_below;
use crate::bits::Ids;
use crate::codes::traversal_status;
use crate::counters::{CountersToWrite, DepthCounters};
use crate::error::Result;
use crate::events::{CopyChanges, forget};
use crate::exclusions::cover_changing;
use crate::fold::fold_events;
use crate::marks::Marks;
use crate::migration::{Migration, set_phase};
use crate::renames::SOURCE_AS_CALLED;
use crate::sql::{self, RANGE_IDS};
use crate::temp::TempTable;
use crate::words::{Finding, SweepKind};
use crate::writer::Writer;

/// A sweep that has not ended.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// The run in which it began.
    run: i32,
    /// Nodes with lower ids were known before.
    pub(crate) first_ids: BySide<NodeId>,
    /// Source nodes `(id)` that are gone, those that it has found to be so among them.
    pub(crate) not_there: TempTable,
}

impl Sweep {
    /// The one that has not ended, if there is one. The events must have been folded.
    pub(crate) fn read(connection: &Connection) -> Result<Option<Sweep>> {
        let found = connection
            .query_row("SELECT run, src_from, dst_from FROM sweeps WHERE ended_ns IS NULL", [], |row| {
                Ok((row.get(0)?, BySide { src: NodeId(row.get(1)?), dst: NodeId(row.get(2)?) }))
            })
            .optional()?;
        found.map(|(run, first_ids)| Sweep::begun(connection, run, first_ids)).transpose()
    }

    fn begun(connection: &Connection, run: i32, first_ids: BySide<NodeId>) -> Result<Sweep> {
        let not_there = TempTable::of(
            connection,
            "not_there",
            &format!(
                "SELECT id
                 FROM src_current
                 WHERE copy_status = '{vanished}'
                 UNION ALL
                 SELECT node_id
                 FROM sweep_findings
                 WHERE side = '{src}' AND finding = '{gone}' AND run >= {run}",
                vanished = CopyStatus::Vanished,
                src = Side::Source.prefix(),
                gone = Finding::Gone.as_str(),
            ),
        )?;
        Ok(Sweep { run, first_ids, not_there })
    }
}

/// A source folder that the migration has made on the destination.
struct MadeFolder {
    source: NodeId,
    source_parent: NodeId,
    /// On the destination.
    name: String,
    depth: i32,
    /// What it is in there, with its path, if that is known.
    parent: Option<(NodeId, String)>,
}

/// Begins a sweep over the source folders that the query `roots` gives the ids of, everything below them, and their
/// counterparts, inside the transaction that is open. The phase is `traversing` then, and an approval is revoked. The events
/// must have been folded. Returns how many folders are listed as well.
pub(crate) fn begin_sweep(writer: &mut Writer, kind: SweepKind, roots: &str) -> Result<(Sweep, i64)> {
    revoke(writer)?;
    let roots = TempTable::of(&writer.connection, "sweep_roots", roots)?;
    note_made_folders(writer, &roots)?;
    writer.flush_rows()?;
    let from_roots = format!("SELECT id FROM {roots}");
    let scope = select_below(&writer.connection, Side::Source, &from_roots, true, "sweep_scope")?;
    roots.drop(&writer.connection)?;
    writer.connection.execute_batch(&format!(
        "INSERT INTO swept
         SELECT '{src}'::side, s.id, false
         FROM {scope} s
         WHERE s.id IN (SELECT id FROM src_folders)
           AND s.id NOT IN (SELECT id FROM src_current WHERE copy_status = '{vanished}')
         UNION ALL
         SELECT '{dst}'::side, f.id, false
         FROM dst_folders f
         WHERE f.src_id IN (FROM {scope})
           AND f.src_id NOT IN (SELECT id FROM src_current WHERE copy_status = '{vanished}')
           AND f.id NOT IN (SELECT id FROM dst_current WHERE traversal_status = '{not_on_src}')",
        src = Side::Source.prefix(),
        dst = Side::Destination.prefix(),
        vanished = CopyStatus::Vanished,
        not_on_src = TraversalStatus::NotOnSrc,
    ))?;
    scope.drop(&writer.connection)?;
    let first_ids: BySide<NodeId> = writer.next_id;
    writer.connection.execute(
        "INSERT INTO sweeps
         VALUES (?, ?::sweep_kind, ?, ?, ?, NULL)",
        params![writer.run, kind.as_str(), first_ids.src.0, first_ids.dst.0, (writer.now_ns)()],
    )?;
    let sweep = Sweep::begun(&writer.connection, writer.run, first_ids)?;
    // From `complete`, or from `suspended`, the way there leads over `review`.
    if Migration::read(&writer.connection)?.phase != Phase::Review {
        set_phase(&writer.connection, Phase::Review, None)?;
    }
    set_phase(&writer.connection, Phase::Traversing, None)?;
    writer.uncommitted_rows += 1;
    let folders = writer.connection.query_row("SELECT count(*) FROM swept", [], |row| row.get(0))?;
    Ok((sweep, folders))
}

/// Notes the destination folders that this migration has made itself and never listed, as far as the way from the root to a
/// folder of `roots` leads through them. Otherwise what is in them would not be listed.
fn note_made_folders(writer: &mut Writer, roots: &TempTable) -> Result<()> {
    let on_the_way = Ids::table(&writer.connection, "on_the_way")?;
    let (mut from, mut id) = (roots, "id");
    while writer.connection.execute(
        &format!(
            "INSERT INTO {on_the_way}
             SELECT DISTINCT n.{id}
             FROM src_nodes n
             SEMI JOIN {from} r ON r.id = n.id
             WHERE n.{id} NOT IN (SELECT src_id FROM dst_folders) AND n.{id} NOT IN (FROM {on_the_way})"
        ),
        [],
    )? > 0
    {
        (from, id) = (&on_the_way, "parent_id");
    }
    let made = {
        let mut statement = writer.connection.prepare(&format!(
            "SELECT n.id, n.parent_id, coalesce(r.name, n.name), n.depth, d.id, d.path
             FROM src_nodes n
             SEMI JOIN {on_the_way} m ON m.id = n.id
             LEFT JOIN renames r ON r.src_id = n.id
             JOIN src_current c ON c.id = n.id AND {is_there}
             LEFT JOIN dst_folders d ON d.src_id = n.parent_id
             ORDER BY n.id",
            is_there = sql::is_status("c.copy_status", CopyStatus::is_on_destination)
        ))?;
        let rows = statement.query_map([], |row| {
            Ok(MadeFolder {
                source: NodeId(row.get(0)?),
                source_parent: NodeId(row.get(1)?),
                name: row.get(2)?,
                depth: row.get(3)?,
                parent: row.get::<_, Option<i64>>(4)?.map(NodeId).zip(row.get(5)?),
            })
        })?;
        rows.collect::<duckdb::Result<Vec<_>>>()?
    };
    on_the_way.drop(&writer.connection)?;
    let mut noted: HashMap<NodeId, (NodeId, String)> = HashMap::new();
    for MadeFolder { source, source_parent, name, depth, parent } in made {
        let Some((parent, folder)) = parent.or_else(|| noted.get(&source_parent).cloned()) else { continue };
        let path = child_path(&folder, &name);
        let id = note_destination_folder(writer, source, parent, &name, &path, depth);
        noted.insert(source, (id, path));
    }
    Ok(())
}

/// Evaluates a sweep: everything that it was to list is listed, and the events are folded.
pub(crate) fn end_sweep(writer: &mut Writer, sweep: Sweep) -> Result<()> {
    let Sweep { run, first_ids, not_there } = sweep;
    not_there.drop(&writer.connection)?;
    // No worker runs beside it.
    writer.connection.execute_batch("SET memory_limit = '512MiB'")?;
    writer.begin_transaction()?;
    let same_changed = remember_newly_same(&writer.connection, first_ids)?;
    forget_gone_on_destination(&writer.connection, run, &same_changed)?;
    let gone = leave_gone_on_source(writer, run, &same_changed)?;
    let namesakes = match_known(writer, &gone)?;
    compare_matched(writer, &same_changed)?;
    let evidence = find_evidence(writer, run, first_ids.dst, same_changed, gone, namesakes)?;
    let changed = derive_statuses(writer, &evidence)?;
    evidence.drop(&writer.connection)?;
    writer.connection.execute("UPDATE sweeps SET ended_ns = ? WHERE ended_ns IS NULL", params![(writer.now_ns)()])?;
    writer.connection.execute_batch("DELETE FROM swept")?;
    writer.flush_rows()?;
    let marks = marks_after(writer, run, first_ids, changed)?;
    DepthCounters::recount(&writer.connection)?.replace(&writer.connection)?;
    writer.counters = CountersToWrite::read(&writer.connection)?;
    writer.counters.marks = marks;
    writer.uncommitted_rows += 1;
    writer.commit_transaction()?;
    fold_events(&writer.connection)
}

/// What is verified after a sweep that began in `run`: nothing any more, where it has found anything to be different, or has
/// `changed` any statuses; what was known to be different, and still is, is not forgotten.
fn marks_after(writer: &Writer, run: i32, first_ids: BySide<NodeId>, changed: i64) -> Result<Marks> {
    let (marks, count) = (writer.counters.marks, |sql: &str| writer.connection.query_row(sql, [], |row| row.get(0)));
    let found: i64 = count(&format!("SELECT count(*) FROM sweep_findings WHERE run >= {run}"))?;
    // What is new on the destination alone says nothing of what has to be there.
    if changed == 0 && found == 0 && writer.next_id.src == first_ids.src {
        return Ok(marks);
    }
    let mut marks = marks.without_verification();
    marks.verified.differences = count("SELECT count(*) FROM differences")?;
    Ok(marks)
}

/// What statuses follow from when a sweep ends: temporary tables of source nodes.
struct Evidence {
    /// Those that have the same counterpart now and had not, or the other way round: `(id, same_before)`.
    same_changed: TempTable,
    /// Those that are gone: `(id)`.
    gone: TempTable,
    /// Folders of which it is not known what the destination has: `(id)`.
    unknown: TempTable,
    /// What has another size or time than it had, on either side, or has come back, or has a counterpart now: `(id)`.
    differs: TempTable,
    /// What is of another kind than what has its name on the destination: `(id, reason)`.
    taken: TempTable,
    /// Folders that are in conflict, and those below them: `(id)`.
    in_taken: TempTable,
}

impl Evidence {
    /// The nodes `(src_id)` that had the same counterpart before the sweep, as a query.
    fn same_before(&self) -> String {
        format!(
            "SELECT DISTINCT src_id
             FROM matches
             WHERE same AND src_id NOT IN (SELECT id FROM {same_changed})
             UNION
             SELECT id
             FROM {same_changed}
             WHERE same_before",
            same_changed = self.same_changed
        )
    }

    fn drop(self, connection: &Connection) -> Result<()> {
        let Evidence { same_changed, gone, unknown, differs, taken, in_taken } = self;
        [same_changed, gone, unknown, differs, taken, in_taken].into_iter().try_for_each(|table| table.drop(connection))
    }
}

/// Nodes of both sides with one name in one folder that had no counterpart. Two folders have found each other already.
struct Namesakes {
    /// All of them: `(src_id, src_kind, dst_id, dst_kind)`.
    all: TempTable,
    /// Those of one kind, which are counterparts now: `(src_id, dst_id, same)`.
    matched: TempTable,
}

/// Returns the known source nodes that were matched with something new that is the same, as a temporary table
/// `(id, same_before)`. Whatever changes `matches` when a sweep ends adds to it first: a status without an event follows from
/// `matches`, and its change would not be noticed otherwise.
fn remember_newly_same(connection: &Connection, first_ids: BySide<NodeId>) -> Result<TempTable> {
    let newly_same = format!(
        "SELECT DISTINCT src_id AS id, false AS same_before
         FROM matches
         WHERE same AND dst_id >= {} AND src_id < {}",
        first_ids.dst, first_ids.src
    );
    TempTable::of(connection, "same_changed", &newly_same)
}

/// What is gone from the source stays in the ledger and has no counterpart any more. Its status follows with the others.
/// Returns it as a temporary table `(id)`.
fn leave_gone_on_source(writer: &mut Writer, run: i32, same_changed: &TempTable) -> Result<TempTable> {
    let gone = find_gone(&writer.connection, Side::Source, run)?;
    let known = |sql: &str| -> Result<Vec<(NodeId, TraversalStatus)>> {
        let mut statement = writer.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut known = Vec::new();
        while let Some(row) = rows.next()? {
            known.push((NodeId(row.get(0)?), traversal_status(&row.get::<_, String>(1)?)?));
        }
        Ok(known)
    };
    // What was gone before this sweep is left over already.
    let left_over = known(&format!(
        "SELECT f.id, c.traversal_status::VARCHAR
         FROM dst_folders f
         SEMI JOIN {gone} g ON g.id = f.src_id
         JOIN dst_current c ON c.id = f.id AND c.traversal_status <> '{not_on_src}'",
        not_on_src = TraversalStatus::NotOnSrc
    ))?;
    let failed = known(&format!(
        "SELECT c.id, c.traversal_status::VARCHAR
         FROM src_current c
         SEMI JOIN {gone} g ON g.id = c.id
         WHERE c.traversal_status = '{failed}'",
        failed = TraversalStatus::Failed
    ))?;
    writer.connection.execute_batch(&format!(
        "INSERT INTO {same_changed}
         SELECT DISTINCT src_id, true
         FROM matches
         WHERE same AND src_id IN (FROM {gone});

         DELETE FROM matches WHERE src_id IN (FROM {gone});"
    ))?;
    for (id, was) in left_over {
        let change = TraversalChange::CounterpartGone;
        writer.events.change_traversal(Side::Destination, id, was, change, 0, None)?;
    }
    for (id, was) in failed {
        // There is nothing left to be listed.
        writer.events.change_relisted(Side::Source, id, was, TraversalChange::Listed, 0, None)?;
    }
    writer.flush_rows()?;
    Ok(gone)
}

/// Matches what was there on both sides, or on one of them, and had no counterpart. Folders have found theirs already.
fn match_known(writer: &Writer, gone: &TempTable) -> Result<Namesakes> {
    let connection = &writer.connection;
    let columns = "id BIGINT, parent_id BIGINT, name VARCHAR, kind node_kind, src_parent_id BIGINT";
    let unmatched = TempTable::empty(connection, "unmatched", columns)?;
    for ids in ranges(connection, Side::Destination)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(connection, "dst_nodes", "id", &ids, "parent_id")?;
        connection.execute_batch(&format!(
            "INSERT INTO {unmatched}
             SELECT d.id, d.parent_id, d.name, d.kind, f.src_id
             FROM (
               FROM dst_nodes
               WHERE id >= {start} AND id < {end}
                 AND id NOT IN (SELECT dst_id FROM matches WHERE dst_id >= {start} AND dst_id < {end})
             ) d
             JOIN (FROM dst_folders WHERE id >= {first} AND id <= {last}) f ON f.id = d.parent_id
             WHERE f.src_id IN (SELECT id FROM swept WHERE side = '{src}' AND NOT listed)",
            src = Side::Source.prefix()
        ))?;
    }
    // In steps of which each has something small to begin with.
    let all = TempTable::of(
        connection,
        "namesakes",
        &format!(
            "SELECT s.id AS src_id, s.kind AS src_kind, u.id AS dst_id, u.kind AS dst_kind
             FROM ({SOURCE_AS_CALLED}) s
             JOIN {unmatched} u ON s.parent_id = u.src_parent_id AND s.name = u.name
             WHERE s.kind <> '{folder}' OR u.kind <> '{folder}'",
            folder = NodeKind::Folder
        ),
    )?;
    unmatched.drop(connection)?;
    connection.execute_batch(&format!(
        "DELETE FROM {all}
         WHERE src_id IN (FROM {gone})
           OR src_id IN (SELECT m.src_id FROM matches m SEMI JOIN {all} n ON n.src_id = m.src_id)
           OR src_id IN (
             SELECT c.id
             FROM src_current c
             SEMI JOIN {all} n ON n.src_id = c.id
             WHERE c.copy_status = '{vanished}'
               AND c.id NOT IN (SELECT node_id FROM sweep_findings WHERE finding = '{back}')
           )",
        vanished = CopyStatus::Vanished,
        back = Finding::Back.as_str(),
    ))?;
    let matched = TempTable::of(
        connection,
        "newly_matched",
        &format!(
            "SELECT src_id, min(dst_id) AS dst_id, false AS same
             FROM {all}
             WHERE src_kind = dst_kind
             GROUP BY src_id"
        ),
    )?;
    connection.execute_batch(&format!("INSERT INTO matches FROM {matched}"))?;
    Ok(Namesakes { all, matched })
}

/// Brings up to date which of the matches in the listed folders are the same.
fn compare_matched(writer: &Writer, same_changed: &TempTable) -> Result<()> {
    let (connection, same) = (&writer.connection, sql::is_same_node(writer.settings.comparison, "s", "d"));
    for ids in ranges(connection, Side::Source)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(connection, "matches", "src_id", &ids, "dst_id")?;
        let (first_parent, last_parent) = bounds(connection, "src_nodes", "id", &ids, "parent_id")?;
        let compared = TempTable::of(
            connection,
            "compared",
            &format!(
                "SELECT m.src_id, m.dst_id, {same} AS same
                 FROM (FROM matches WHERE src_id >= {start} AND src_id < {end}) m
                 JOIN (FROM src_nodes WHERE id >= {start} AND id < {end}) s ON s.id = m.src_id
                 JOIN (FROM dst_nodes WHERE id >= {first} AND id <= {last}) d ON d.id = m.dst_id
                 -- What a filter leaves out is not compared.
                 WHERE m.same <> {same}
                   AND m.src_id NOT IN (SELECT node_id FROM exclusions WHERE node_id >= {start} AND node_id < {end})
                   AND s.parent_id IN (
                   SELECT id
                   FROM swept
                   WHERE side = '{src}' AND NOT listed AND id >= {first_parent} AND id <= {last_parent}
                 )",
                src = Side::Source.prefix()
            ),
        )?;
        connection.execute_batch(&format!(
            "INSERT INTO {same_changed}
             SELECT DISTINCT src_id, NOT same
             FROM {compared};

             UPDATE matches
             SET same = c.same
             FROM {compared} c
             WHERE c.src_id = matches.src_id AND c.dst_id = matches.dst_id
               AND matches.src_id >= {start} AND matches.src_id < {end}"
        ))?;
        compared.drop(connection)?;
    }
    Ok(())
}

/// Finds what else statuses follow from. Destination ids from `first_new` on were given out by the sweep that began in `run`.
fn find_evidence(
    writer: &Writer,
    run: i32,
    first_new: NodeId,
    same_changed: TempTable,
    gone: TempTable,
    namesakes: Namesakes,
) -> Result<Evidence> {
    let connection = &writer.connection;
    let Namesakes { all: namesakes, matched } = namesakes;
    // Their counterparts could not be listed, or something above those.
    let unlisted = format!(
        "SELECT f.src_id
         FROM dst_folders f
         JOIN dst_current c ON c.id = f.id AND c.traversal_status = '{failed}'",
        failed = TraversalStatus::Failed
    );
    let unknown = select_below(connection, Side::Source, &unlisted, true, "unknown")?;
    let differs = TempTable::of(
        connection,
        "differs",
        &format!(
            "SELECT node_id AS id
             FROM sweep_findings
             WHERE side = '{src}' AND run >= {run} AND {is_there}
             UNION
             SELECT m.src_id
             FROM matches m
             JOIN sweep_findings f ON m.dst_id = f.node_id
             WHERE f.side = '{dst}' AND f.run >= {run} AND f.finding = '{changed}'
             UNION
             SELECT src_id
             FROM matches
             WHERE NOT same AND (dst_id >= {first_new} OR dst_id IN (SELECT dst_id FROM {matched}))",
            src = Side::Source.prefix(),
            is_there = sql::is_finding("finding", Finding::is_there),
            dst = Side::Destination.prefix(),
            changed = Finding::Changed.as_str(),
        ),
    )?;
    let taken = TempTable::of(
        connection,
        "taken",
        &format!(
            "SELECT src_id AS id, any_value({kinds_differ}) AS reason
             FROM {namesakes}
             WHERE src_kind <> dst_kind AND src_kind <> '{other}' AND src_id NOT IN (SELECT src_id FROM {matched})
             GROUP BY src_id",
            kinds_differ = sql::reason(ReasonCode::KindsDiffer, &["src_kind", "dst_kind"]),
            other = NodeKind::Other,
        ),
    )?;
    namesakes.drop(connection)?;
    matched.drop(connection)?;
    let in_conflict = format!(
        "SELECT id
         FROM {taken}
         UNION
         SELECT n.id
         FROM src_nodes n
         SEMI JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
         WHERE n.kind = '{folder}' AND n.parent_id NOT IN (SELECT id FROM swept WHERE side = '{src}')",
        conflict = CopyStatus::Conflict,
        folder = NodeKind::Folder,
        src = Side::Source.prefix(),
    );
    let in_taken = select_below(connection, Side::Source, &in_conflict, true, "in_taken")?;
    Ok(Evidence { same_changed, gone, unknown, differs, taken, in_taken })
}

/// Gives every node in the listed folders the status that follows from what is there now. Returns how many get another one,
/// or another reason.
fn derive_statuses(writer: &mut Writer, evidence: &Evidence) -> Result<i64> {
    // Both were listed on the same side.
    let comparison = writer.settings.comparison.by(CompareBy::SizeAndTime).by_looking(false);
    let unchanged = sql::is_same_node(comparison, "s", "d");
    let Evidence { gone, unknown, differs, taken, in_taken, .. } = evidence;
    let same_before = evidence.same_before();
    let changing = TempTable::empty(&writer.connection, "changing", "id BIGINT, change VARCHAR, reason VARCHAR")?;
    for ids in ranges(&writer.connection, Side::Source)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(&writer.connection, "matches", "src_id", &ids, "dst_id")?;
        let (first_parent, last_parent) = bounds(&writer.connection, "src_nodes", "id", &ids, "parent_id")?;
        writer.connection.execute_batch(&format!(
            "INSERT INTO {changing}
             SELECT
               id,
               {found},
               reason
             FROM (
               SELECT
                 s.id,
                 x.id IS NOT NULL AS is_taken,
                 {was} AS was,
                 c.copy_error AS was_reason,
                 ({status})::copy_status AS becomes,
                 CASE
                   WHEN g.id IS NOT NULL THEN {is_gone}
                   WHEN s.kind = '{other}' THEN {other_kind}
                   WHEN x.id IS NOT NULL THEN x.reason
                 END AS reason
               FROM (FROM src_nodes WHERE id >= {start} AND id < {end}) s
               LEFT JOIN (FROM src_current WHERE id >= {start} AND id < {end}) c ON c.id = s.id
               -- A store may give a name twice.
               LEFT JOIN (
                 SELECT src_id, min(dst_id) AS dst_id, bool_or(same) AS same
                 FROM matches
                 WHERE src_id >= {start} AND src_id < {end}
                 GROUP BY src_id
               ) m ON m.src_id = s.id
               LEFT JOIN (FROM dst_nodes WHERE id >= {first} AND id <= {last}) d ON d.id = m.dst_id
               LEFT JOIN (FROM ({same_before}) WHERE src_id >= {start} AND src_id < {end}) b ON b.src_id = s.id
               LEFT JOIN (FROM copied WHERE src_id >= {start} AND src_id < {end}) k ON k.src_id = s.id
               -- Left alone because of what had its place.
               LEFT JOIN (
                 FROM plan
                 WHERE src_id >= {start} AND src_id < {end} AND action = '{skip}' AND dst_id IS NOT NULL
               ) p ON p.src_id = s.id
               LEFT JOIN renames r ON r.src_id = s.id
               LEFT JOIN (FROM decisions WHERE src_id >= {start} AND src_id < {end}) q ON q.src_id = s.id
               LEFT JOIN {gone} g ON g.id = s.id
               LEFT JOIN {differs} e ON e.id = s.id
               LEFT JOIN {taken} x ON x.id = s.id
               LEFT JOIN {in_taken} t ON t.id = s.parent_id
               LEFT JOIN {unknown} u ON u.id = s.parent_id
               WHERE g.id IS NOT NULL OR s.parent_id IN (
                 SELECT id
                 FROM swept
                 WHERE side = '{src}' AND NOT listed AND id >= {first_parent} AND id <= {last_parent}
               )
             )
             WHERE was <> becomes OR (becomes = '{conflict}' AND is_taken AND reason IS DISTINCT FROM was_reason)",
            found = what_was_found("becomes"),
            src = Side::Source.prefix(),
            was = sql::copy_status("c", "b.src_id IS NOT NULL"),
            status = status_now(&unchanged),
            skip = PlanAction::Skip,
            conflict = CopyStatus::Conflict,
            other = NodeKind::Other,
            is_gone = sql::reason(ReasonCode::Gone, &[]),
            other_kind = sql::reason(ReasonCode::OtherKind, &[]),
        ))?;
    }
    apply_statuses(writer, &changing, &same_before)?;
    let changed = changing.count(&writer.connection)?;
    changing.drop(&writer.connection)?;
    Ok(changed)
}

/// Changes the statuses of the nodes in `changing`, and forgets what was recorded of their copies.
fn apply_statuses(writer: &mut Writer, changing: &TempTable, same_before: &str) -> Result<()> {
    writer.connection.execute_batch(&format!(
        "DELETE FROM copied WHERE src_id IN (SELECT id FROM {changing} WHERE change IS DISTINCT FROM '{gone}');
         DELETE FROM parts WHERE src_id IN (SELECT id FROM {changing});
         -- What only became pending is still different, and may well stay so: the policy may be to leave it.
         DELETE FROM differences WHERE src_id IN (SELECT id FROM {changing} WHERE change IS NOT NULL);",
        gone = CopyChange::Gone
    ))?;
    cover_changing(&writer.connection, changing)?;
    let (nodes, reopened_by) = (format!("FROM {changing}"), Some(CopyChange::FoundDifferent));
    writer.change_copies(&CopyChanges { nodes: &nodes, reopened_by, same_before })?;
    Ok(())
}

/// Notes a destination folder that nothing is known of but that it is there, and that it is the counterpart of a source
/// folder. Returns its id.
fn note_destination_folder(
    writer: &mut Writer,
    source: NodeId,
    parent: NodeId,
    name: &str,
    path: &str,
    depth: i32,
) -> NodeId {
    let id = writer.give_out_ids(Side::Destination, 1);
    let mut page = Page::default();
    page.push_printable(name, NodeKind::Folder, None, None);
    writer.rows.nodes.dst.push_page(id, parent, depth, &page);
    writer.rows.matches.push(source, id, true);
    writer.rows.destination_folders.push(id, path, depth, source);
    writer.counters.change(Side::Destination, depth).count_node(NodeKind::Folder, None);
    writer.uncommitted_rows += 1;
    id
}

/// Returns what the sweep that began in `run` has found to be gone, and everything below, as a temporary table `(id)`.
fn find_gone(connection: &Connection, side: Side, run: i32) -> Result<TempTable> {
    let roots = format!(
        "SELECT node_id
         FROM sweep_findings
         WHERE side = '{name}' AND finding = '{gone}' AND run >= {run}",
        name = side.prefix(),
        gone = Finding::Gone.as_str(),
    );
    select_below(connection, side, &roots, false, "gone")
}

/// The range of `values` in the rows of a table whose `key` lies within `ids`; what nothing lies in, where there are none.
fn bounds(connection: &Connection, table: &str, key: &str, ids: &Range<i64>, value: &str) -> Result<(i64, i64)> {
    let sql = format!(
        "SELECT coalesce(min({value}), 0), coalesce(max({value}), -1)
         FROM {table}
         WHERE {key} >= {} AND {key} < {}",
        ids.start, ids.end
    );
    Ok(connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// All ids of a side, so many at a time.
fn ranges(connection: &Connection, side: Side) -> Result<impl Iterator<Item = Range<i64>>> {
    let sql = format!("SELECT coalesce(max(id), 0) FROM {}_nodes", side.prefix());
    let last: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    let step = usize::try_from(RANGE_IDS).expect("it is a small number");
    Ok((0..=last).step_by(step).map(|start| start..start + RANGE_IDS))
}

/// What is gone from the destination was never more than what there was, and is forgotten with everything below it.
fn forget_gone_on_destination(connection: &Connection, run: i32, same_changed: &TempTable) -> Result<()> {
    let gone = find_gone(connection, Side::Destination, run)?;
    connection.execute_batch(&format!(
        "INSERT INTO {same_changed}
         SELECT DISTINCT src_id, true
         FROM matches
         WHERE same AND dst_id IN (FROM {gone});

         DELETE FROM matches WHERE dst_id IN (FROM {gone});"
    ))?;
    forget(connection, Side::Destination, &format!("FROM {gone}"))?;
    connection.execute_batch(&format!(
        "DELETE FROM errors WHERE side = '{dst}' AND node_id IN (FROM {gone});
         DELETE FROM dst_folders WHERE id IN (FROM {gone});
         DELETE FROM dst_nodes WHERE id IN (FROM {gone});",
        dst = Side::Destination.prefix()
    ))?;
    gone.drop(connection)
}

/// The copy status that follows for a node from what a sweep has found: an expression over the tables that
/// `derive_statuses` joins. `unchanged` tells whether a node and its counterpart have the same size and time.
fn status_now(unchanged: &str) -> String {
    format!(
        "CASE
           WHEN g.id IS NOT NULL THEN '{vanished}'
           WHEN c.copy_status = '{vanished}' AND e.id IS NULL THEN '{vanished}'
           WHEN s.kind = '{other}' THEN '{skipped}'
           WHEN c.copy_status = '{successful}' AND m.same THEN '{successful}'
           WHEN m.same THEN '{already_existed}'
           WHEN {is_excluded} THEN c.copy_status
           -- A decision stays.
           WHEN c.copy_status = '{skipped}' AND q.action = '{skip}' THEN '{skipped}'
           WHEN x.id IS NOT NULL AND (q.action IS NULL OR q.action <> '{keep_both}') THEN '{conflict}'
           WHEN c.copy_status IS NULL THEN '{pending}'
           WHEN e.id IS NULL AND u.id IS NOT NULL THEN c.copy_status
           WHEN c.copy_status = '{successful}' THEN
             CASE
               WHEN k.src_id IS NOT NULL AND (
                 k.modified_ns IS DISTINCT FROM s.modified_ns
                 OR (s.kind = '{file}' AND k.size IS DISTINCT FROM s.size)
               ) THEN '{pending}'
               -- It was put beside another one.
               WHEN k.name IS NOT NULL AND r.src_id IS NULL THEN '{successful}'
               WHEN m.dst_id IS NOT NULL AND {unchanged} THEN '{successful}'
               ELSE '{pending}'
             END
           WHEN e.id IS NOT NULL THEN '{pending}'
           WHEN m.dst_id IS NOT NULL THEN c.copy_status
           WHEN c.copy_status = '{already_existed}' THEN '{pending}'
           WHEN c.copy_status = '{conflict}' AND t.id IS NULL THEN '{pending}'
           WHEN c.copy_status = '{skipped}' AND p.src_id IS NOT NULL THEN '{pending}'
           ELSE c.copy_status
         END",
        is_excluded = sql::is_status("c.copy_status", CopyStatus::is_excluded),
        // Statuses.
        pending = CopyStatus::Pending,
        successful = CopyStatus::Successful,
        already_existed = CopyStatus::AlreadyExisted,
        skipped = CopyStatus::Skipped,
        conflict = CopyStatus::Conflict,
        vanished = CopyStatus::Vanished,
        // Kinds and actions.
        file = NodeKind::File,
        other = NodeKind::Other,
        skip = PlanAction::Skip,
        keep_both = PlanAction::KeepBoth,
    )
}

/// What happens to a reopened node for it to get the copy status in a column.
fn what_was_found(becomes: &str) -> String {
    let changes =
        [CopyChange::Gone, CopyChange::NotCarriedOver, CopyChange::FoundOnDestination, CopyChange::Conflicting];
    let cases = changes.map(|change| {
        let status = CopyStatus::Pending.after(change).expect("each of these can happen to a pending node");
        format!("WHEN '{status}' THEN '{change}'")
    });
    // No other status is found by looking: nodes only keep it.
    format!(
        "CASE {becomes} WHEN '{}' THEN NULL {} ELSE error('a sweep found ' || {becomes}) END",
        CopyStatus::Pending,
        cases.join(" ")
    )
}

#[cfg(test)]
mod tests;
