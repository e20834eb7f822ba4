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
use crate::codes::traversal_status;
use crate::counters::{CountersToWrite, DepthCounters};
use crate::error::Result;
use crate::events::{CopyChanges, forget};
use crate::exclusions::cover_changing;
use crate::fold::fold_events;
use crate::marks::Marks;
use crate::migration::{Migration, set_phase};
use crate::sql::{self, RANGE_IDS};
use crate::words::{Finding, SweepKind};
use crate::writer::Writer;

/// A sweep that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// The run in which it began.
    run: i32,
    /// Nodes with lower ids were known before.
    pub(crate) first_ids: BySide<NodeId>,
}

impl Sweep {
    /// The one that has not ended, if there is one. The events must have been folded.
    pub(crate) fn read(connection: &Connection) -> Result<Option<Sweep>> {
        let found = connection
            .query_row("SELECT run, src_from, dst_from FROM sweeps WHERE ended_ns IS NULL", [], |row| {
                let first_ids = BySide { src: NodeId(row.get(1)?), dst: NodeId(row.get(2)?) };
                Ok(Sweep { run: row.get(0)?, first_ids })
            })
            .optional()?;
        found.map(|sweep| sweep.begun(connection)).transpose()
    }

    /// Makes the temporary tables that last as long as it does.
    fn begun(self, connection: &Connection) -> Result<Sweep> {
        connection.execute_batch(&format!(
            "-- The source's nodes under the names that the destination has for them.
             CREATE OR REPLACE TEMP VIEW src_called AS
             SELECT n.id, n.parent_id, coalesce(r.name, n.name) AS name, n.kind, n.size, n.modified_ns
             FROM src_nodes n
             LEFT JOIN renames r ON r.src_id = n.id;

             CREATE OR REPLACE TEMP TABLE not_there AS
             SELECT id, NULL::BIGINT AS size, NULL::BIGINT AS modified_ns
             FROM src_current
             WHERE copy_status = '{vanished}'
             UNION ALL
             SELECT node_id, NULL, NULL
             FROM sweep_findings
             WHERE side = '{src}' AND finding = '{gone}' AND run >= {run}",
            vanished = CopyStatus::Vanished,
            src = Side::Source.prefix(),
            gone = Finding::Gone.as_str(),
            run = self.run,
        ))?;
        Ok(self)
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
    writer.connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE sweep_roots AS {roots}"))?;
    note_made_folders(writer)?;
    writer.flush_rows()?;
    select_below(&writer.connection, Side::Source, "SELECT id FROM sweep_roots", true, "sweep_scope")?;
    writer.connection.execute_batch(&format!(
        "INSERT INTO swept
         SELECT '{src}'::side, s.id, false
         FROM sweep_scope s
         WHERE s.id IN (SELECT id FROM src_folders)
           AND s.id NOT IN (SELECT id FROM src_current WHERE copy_status = '{vanished}')
         UNION ALL
         SELECT '{dst}'::side, f.id, false
         FROM dst_folders f
         WHERE f.src_id IN (FROM sweep_scope)
           AND f.src_id NOT IN (SELECT id FROM src_current WHERE copy_status = '{vanished}')
           AND f.id NOT IN (SELECT id FROM dst_current WHERE traversal_status = '{not_on_src}')",
        src = Side::Source.prefix(),
        dst = Side::Destination.prefix(),
        vanished = CopyStatus::Vanished,
        not_on_src = TraversalStatus::NotOnSrc,
    ))?;
    let first_ids: BySide<NodeId> = writer.next_id;
    writer.connection.execute(
        "INSERT INTO sweeps
         VALUES (?, ?::sweep_kind, ?, ?, ?, NULL)",
        params![writer.run, kind.as_str(), first_ids.src.0, first_ids.dst.0, (writer.now_ns)()],
    )?;
    let sweep = Sweep { run: writer.run, first_ids }.begun(&writer.connection)?;
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
/// folder of `sweep_roots` leads through them. Otherwise what is in them would not be listed.
fn note_made_folders(writer: &mut Writer) -> Result<()> {
    writer.connection.execute_batch("CREATE OR REPLACE TEMP TABLE made AS SELECT id FROM sweep_roots LIMIT 0")?;
    let mut from = "sweep_roots";
    while writer.connection.execute(
        &format!(
            "INSERT INTO made
             SELECT DISTINCT n.{id}
             FROM src_nodes n
             SEMI JOIN {from} r ON r.id = n.id
             WHERE n.{id} NOT IN (SELECT src_id FROM dst_folders) AND n.{id} NOT IN (FROM made)",
            id = if from == "made" { "parent_id" } else { "id" }
        ),
        [],
    )? > 0
    {
        from = "made";
    }
    let made = {
        let mut statement = writer.connection.prepare(&format!(
            "SELECT n.id, n.parent_id, coalesce(r.name, n.name), n.depth, d.id, d.path
             FROM src_nodes n
             SEMI JOIN made m ON m.id = n.id
             LEFT JOIN renames r ON r.src_id = n.id
             JOIN src_current c ON c.id = n.id AND {}
             LEFT JOIN dst_folders d ON d.src_id = n.parent_id
             ORDER BY n.id",
            sql::is_status("c.copy_status", CopyStatus::is_on_destination)
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
pub(crate) fn end_sweep(writer: &mut Writer, sweep: &Sweep) -> Result<()> {
    let Sweep { run, first_ids } = *sweep;
    // No worker runs beside it.
    writer.connection.execute_batch("SET memory_limit = '512MiB'")?;
    writer.begin_transaction()?;
    remember_newly_same(&writer.connection, first_ids)?;
    forget_gone_on_destination(&writer.connection, run)?;
    leave_gone_on_source(writer, run)?;
    match_known(writer)?;
    compare_matched(writer)?;
    find_evidence(writer, run, first_ids.dst)?;
    derive_statuses(writer)?;
    writer.connection.execute("UPDATE sweeps SET ended_ns = ? WHERE ended_ns IS NULL", params![(writer.now_ns)()])?;
    writer.connection.execute_batch("DELETE FROM swept")?;
    writer.flush_rows()?;
    let marks = marks_after(writer, &Sweep { run, first_ids })?;
    DepthCounters::recount(&writer.connection)?.replace(&writer.connection)?;
    writer.counters = CountersToWrite::read(&writer.connection)?;
    writer.counters.marks = marks;
    writer.uncommitted_rows += 1;
    writer.commit_transaction()?;
    fold_events(&writer.connection)
}

/// What is verified after a sweep: nothing any more, where it has found anything to be different; what was known to be
/// different, and still is, is not forgotten.
fn marks_after(writer: &Writer, sweep: &Sweep) -> Result<Marks> {
    let (marks, count) = (writer.counters.marks, |sql: &str| writer.connection.query_row(sql, [], |row| row.get(0)));
    let found: i64 = count(&format!(
        "SELECT (SELECT count(*) FROM changing) + (SELECT count(*) FROM sweep_findings WHERE run >= {})",
        sweep.run
    ))?;
    // What is new on the destination alone says nothing of what has to be there.
    if found == 0 && writer.next_id.src == sweep.first_ids.src {
        return Ok(marks);
    }
    let mut marks = marks.without_verification();
    marks.verified.differences = count("SELECT count(*) FROM differences")?;
    Ok(marks)
}

/// Which known source nodes had the same counterpart before the sweep, where that is changed by it.
const SAME_BEFORE: &str = "
    SELECT DISTINCT src_id
    FROM matches
    WHERE same AND src_id NOT IN (SELECT id FROM same_changed)
    UNION
    SELECT id
    FROM same_changed
    WHERE same_before";

/// Makes `same_changed (id, same_before)`, with the known source nodes that were matched with something new that is the
/// same. Whatever changes `matches` when a sweep ends adds to it first: a status without an event follows from `matches`,
/// and its change would not be noticed otherwise.
fn remember_newly_same(connection: &Connection, first_ids: BySide<NodeId>) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE same_changed AS
         SELECT DISTINCT src_id AS id, false AS same_before
         FROM matches
         WHERE same AND dst_id >= {} AND src_id < {}",
        first_ids.dst, first_ids.src
    ))?)
}

/// What is gone from the source stays in the ledger and has no counterpart any more. Its status follows with the others.
fn leave_gone_on_source(writer: &mut Writer, run: i32) -> Result<()> {
    find_gone(&writer.connection, Side::Source, run)?;
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
         SEMI JOIN gone_src g ON g.id = f.src_id
         JOIN dst_current c ON c.id = f.id AND c.traversal_status <> '{not_on_src}'",
        not_on_src = TraversalStatus::NotOnSrc
    ))?;
    let failed = known(&format!(
        "SELECT c.id, c.traversal_status::VARCHAR
         FROM src_current c
         SEMI JOIN gone_src g ON g.id = c.id
         WHERE c.traversal_status = '{failed}'",
        failed = TraversalStatus::Failed
    ))?;
    writer.connection.execute_batch(
        "INSERT INTO same_changed
         SELECT DISTINCT src_id, true
         FROM matches
         WHERE same AND src_id IN (FROM gone_src);

         DELETE FROM matches WHERE src_id IN (FROM gone_src);",
    )?;
    for (id, was) in left_over {
        let change = TraversalChange::CounterpartGone;
        writer.events.change_traversal(Side::Destination, id, was, change, 0, None)?;
    }
    for (id, was) in failed {
        // There is nothing left to be listed.
        writer.events.change_relisted(Side::Source, id, was, TraversalChange::Listed, 0, None)?;
    }
    writer.flush_rows()
}

/// Matches what was there on both sides, or on one of them, and had no counterpart. Folders have found theirs already.
fn match_known(writer: &Writer) -> Result<()> {
    writer.connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE unmatched (
           id BIGINT, parent_id BIGINT, name VARCHAR, kind node_kind, src_parent_id BIGINT
         )",
    )?;
    for ids in ranges(&writer.connection, Side::Destination)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(&writer.connection, "dst_nodes", "id", &ids, "parent_id")?;
        writer.connection.execute_batch(&format!(
            "INSERT INTO unmatched
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
    Ok(writer.connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE namesakes AS
         SELECT s.id AS src_id, s.kind AS src_kind, u.id AS dst_id, u.kind AS dst_kind
         FROM src_called s
         JOIN unmatched u ON s.parent_id = u.src_parent_id AND s.name = u.name
         WHERE s.kind <> '{folder}' OR u.kind <> '{folder}';

         DELETE FROM namesakes
         WHERE src_id IN (FROM gone_src)
           OR src_id IN (SELECT m.src_id FROM matches m SEMI JOIN namesakes n ON n.src_id = m.src_id)
           OR src_id IN (
             SELECT c.id
             FROM src_current c
             SEMI JOIN namesakes n ON n.src_id = c.id
             WHERE c.copy_status = '{vanished}'
               AND c.id NOT IN (SELECT node_id FROM sweep_findings WHERE finding = '{back}')
           );

         CREATE OR REPLACE TEMP TABLE newly_matched AS
         SELECT src_id, min(dst_id) AS dst_id, false AS same
         FROM namesakes
         WHERE src_kind = dst_kind
         GROUP BY src_id;

         INSERT INTO matches
         FROM newly_matched;",
        folder = NodeKind::Folder,
        vanished = CopyStatus::Vanished,
        back = Finding::Back.as_str(),
    ))?)
}

/// Brings up to date which of the matches in the listed folders are the same.
fn compare_matched(writer: &Writer) -> Result<()> {
    let same = sql::is_same_node(writer.settings.comparison, "s", "d");
    for ids in ranges(&writer.connection, Side::Source)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(&writer.connection, "matches", "src_id", &ids, "dst_id")?;
        let (first_parent, last_parent) = bounds(&writer.connection, "src_nodes", "id", &ids, "parent_id")?;
        writer.connection.execute_batch(&format!(
            "CREATE OR REPLACE TEMP TABLE compared AS
             SELECT m.src_id, m.dst_id, {same} AS same
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
             );

             INSERT INTO same_changed
             SELECT DISTINCT src_id, NOT same
             FROM compared;

             UPDATE matches
             SET same = c.same
             FROM compared c
             WHERE c.src_id = matches.src_id AND c.dst_id = matches.dst_id
               AND matches.src_id >= {start} AND matches.src_id < {end}",
            src = Side::Source.prefix()
        ))?;
    }
    Ok(())
}

/// Fills temporary tables of ids with what statuses follow from: `unknown`, `differs`, `taken` (with the reason), and
/// `in_taken`. Destination ids from `first_new` on were given out by the sweep that began in `run`.
fn find_evidence(writer: &Writer, run: i32, first_new: NodeId) -> Result<()> {
    let first_new = first_new.0;
    // Folders of which it is not known what the destination has: it could not be listed, or something above it.
    let unlisted = format!(
        "SELECT f.src_id
         FROM dst_folders f
         JOIN dst_current c ON c.id = f.id AND c.traversal_status = '{failed}'",
        failed = TraversalStatus::Failed
    );
    select_below(&writer.connection, Side::Source, &unlisted, true, "unknown")?;
    writer.connection.execute_batch(&format!(
        "-- What has another size or time than it had, on either side, or has come back, or has a counterpart now.
         CREATE OR REPLACE TEMP TABLE differs AS
         SELECT node_id AS id
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
         WHERE NOT same AND (dst_id >= {first_new} OR dst_id IN (SELECT dst_id FROM newly_matched));

         -- Of another kind than what has its name on the destination.
         CREATE OR REPLACE TEMP TABLE taken AS
         SELECT src_id AS id,
           any_value({kinds_differ}) AS reason
         FROM namesakes
         WHERE src_kind <> dst_kind AND src_kind <> '{other}' AND src_id NOT IN (SELECT src_id FROM newly_matched)
         GROUP BY src_id",
        src = Side::Source.prefix(),
        is_there = sql::is_finding("finding", Finding::is_there),
        dst = Side::Destination.prefix(),
        changed = Finding::Changed.as_str(),
        other = NodeKind::Other,
        kinds_differ = sql::reason(ReasonCode::KindsDiffer, &["src_kind", "dst_kind"])
    ))?;
    // What is below something that is in conflict.
    let in_conflict = format!(
        "SELECT id
         FROM taken
         UNION
         SELECT n.id
         FROM src_nodes n
         SEMI JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
         WHERE n.kind = '{folder}' AND n.parent_id NOT IN (SELECT id FROM swept WHERE side = '{src}')",
        conflict = CopyStatus::Conflict,
        folder = NodeKind::Folder,
        src = Side::Source.prefix(),
    );
    select_below(&writer.connection, Side::Source, &in_conflict, true, "in_taken")
}

/// Gives every node in the listed folders the status that follows from what is there now.
fn derive_statuses(writer: &mut Writer) -> Result<()> {
    // Both were listed on the same side.
    let comparison = writer.settings.comparison.by(CompareBy::SizeAndTime).by_looking(false);
    let unchanged = sql::is_same_node(comparison, "s", "d");
    writer
        .connection
        .execute_batch("CREATE OR REPLACE TEMP TABLE changing (id BIGINT, change VARCHAR, reason VARCHAR)")?;
    for ids in ranges(&writer.connection, Side::Source)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(&writer.connection, "matches", "src_id", &ids, "dst_id")?;
        let (first_parent, last_parent) = bounds(&writer.connection, "src_nodes", "id", &ids, "parent_id")?;
        writer.connection.execute_batch(&format!(
            "INSERT INTO changing
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
               LEFT JOIN (FROM ({SAME_BEFORE}) WHERE src_id >= {start} AND src_id < {end}) b ON b.src_id = s.id
               LEFT JOIN (FROM copied WHERE src_id >= {start} AND src_id < {end}) k ON k.src_id = s.id
               -- Left alone because of what had its place.
               LEFT JOIN (
                 FROM plan
                 WHERE src_id >= {start} AND src_id < {end} AND action = '{skip}' AND dst_id IS NOT NULL
               ) p ON p.src_id = s.id
               LEFT JOIN renames r ON r.src_id = s.id
               LEFT JOIN (FROM decisions WHERE src_id >= {start} AND src_id < {end}) q ON q.src_id = s.id
               LEFT JOIN gone_src g ON g.id = s.id
               LEFT JOIN differs e ON e.id = s.id
               LEFT JOIN taken x ON x.id = s.id
               LEFT JOIN in_taken t ON t.id = s.parent_id
               LEFT JOIN unknown u ON u.id = s.parent_id
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
    apply_statuses(writer)
}

/// Changes the statuses of the nodes in `changing`, and forgets what was recorded of their copies.
fn apply_statuses(writer: &mut Writer) -> Result<()> {
    writer.connection.execute_batch(&format!(
        "DELETE FROM copied WHERE src_id IN (SELECT id FROM changing WHERE change IS DISTINCT FROM '{}');
         DELETE FROM parts WHERE src_id IN (SELECT id FROM changing);
         -- What only became pending is still different, and may well stay so: the policy may be to leave it.
         DELETE FROM differences WHERE src_id IN (SELECT id FROM changing WHERE change IS NOT NULL);",
        CopyChange::Gone
    ))?;
    cover_changing(&writer.connection)?;
    let reopened_by = Some(CopyChange::FoundDifferent);
    writer.change_copies(&CopyChanges { nodes: "changing", reopened_by, same_before: SAME_BEFORE })?;
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

/// Fills `gone_src (id)` or `gone_dst (id)` with what the sweep that began in `run` has found to be gone, and everything below.
fn find_gone(connection: &Connection, side: Side, run: i32) -> Result<()> {
    let roots = format!(
        "SELECT node_id
         FROM sweep_findings
         WHERE side = '{name}' AND finding = '{gone}' AND run >= {run}",
        name = side.prefix(),
        gone = Finding::Gone.as_str(),
    );
    select_below(connection, side, &roots, false, &format!("gone_{}", side.prefix()))
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
fn forget_gone_on_destination(connection: &Connection, run: i32) -> Result<()> {
    find_gone(connection, Side::Destination, run)?;
    connection.execute_batch(
        "INSERT INTO same_changed
         SELECT DISTINCT src_id, true
         FROM matches
         WHERE same AND dst_id IN (FROM gone_dst);

         DELETE FROM matches WHERE dst_id IN (FROM gone_dst);",
    )?;
    forget(connection, Side::Destination, "FROM gone_dst")?;
    Ok(connection.execute_batch(&format!(
        "DELETE FROM errors WHERE side = '{dst}' AND node_id IN (FROM gone_dst);
         DELETE FROM dst_folders WHERE id IN (FROM gone_dst);
         DELETE FROM dst_nodes WHERE id IN (FROM gone_dst);",
        dst = Side::Destination.prefix()
    ))?)
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
