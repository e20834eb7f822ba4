//! The end of a sweep: what is gone goes, what is there on both sides is matched, and statuses follow.

use std::ops::Range;

use duckdb::{Connection, params};
use longhaul_model::{BySide, CopyStatus, NodeId, NodeKind, ReasonCode, Side, TraversalChange, TraversalStatus};

use super::Sweep;
use super::ranges::{bounds, ranges};
use super::statuses::{Evidence, derive_statuses};
use crate::below::select_below;
use crate::codes::traversal_status;
use crate::counters::{CountersToWrite, DepthCounters};
use crate::error::Result;
use crate::events::forget;
use crate::fold::fold_events;
use crate::marks::Marks;
use crate::renames::SOURCE_AS_CALLED;
use crate::sql;
use crate::temp::TempTable;
use crate::words::Finding;
use crate::writer::Writer;

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

/// Deletes the matches of the nodes in `gone`, which are those in this column of `matches`, and remembers which were the same.
fn unmatch(connection: &Connection, column: &str, gone: &TempTable, same_changed: &TempTable) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "INSERT INTO {same_changed}
         SELECT DISTINCT src_id, true
         FROM matches
         WHERE same AND {column} IN (FROM {gone});

         DELETE FROM matches WHERE {column} IN (FROM {gone});"
    ))?)
}

/// What is gone from the destination was never more than what there was, and is forgotten with everything below it.
fn forget_gone_on_destination(connection: &Connection, run: i32, same_changed: &TempTable) -> Result<()> {
    let gone = find_gone(connection, Side::Destination, run)?;
    unmatch(connection, "dst_id", &gone, same_changed)?;
    forget(connection, Side::Destination, &format!("FROM {gone}"))?;
    connection.execute_batch(&format!(
        "DELETE FROM errors WHERE side = '{dst}' AND node_id IN (FROM {gone});
         DELETE FROM dst_folders WHERE id IN (FROM {gone});
         DELETE FROM dst_nodes WHERE id IN (FROM {gone});",
        dst = Side::Destination.prefix()
    ))?;
    gone.drop(connection)
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
    unmatch(&writer.connection, "src_id", &gone, same_changed)?;
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

/// Nodes of both sides with one name in one folder that had no counterpart. Two folders have found each other already.
struct Namesakes {
    /// All of them: `(src_id, src_kind, dst_id, dst_kind)`.
    all: TempTable,
    /// Those of one kind, which are counterparts now: `(src_id, dst_id, same)`.
    matched: TempTable,
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
