//! Sweeps: passes over folders that were listed before.
//!
//! A sweep begins with the folders that it lists again, all of them at once: the ones that were named, and those below.
//! While it lasts, what comes is compared, and noted where it is different (see `discovery/relisting.rs`). When everything
//! is listed it ends (see `ending.rs`): what is gone goes with everything below it, what is there on both sides is matched,
//! and whatever is not as it was is pending again, for the plan to decide. Nodes that were found again keep their ids and
//! their history, and their statuses where nothing about them has changed.

mod ending;
mod ranges;
mod statuses;

use std::collections::HashMap;

use duckdb::{Connection, OptionalExt, params};
use longhaul_model::{BySide, CopyStatus, NodeId, NodeKind, Page, Phase, Side, TraversalStatus, child_path};

pub(crate) use self::ending::end_sweep;
use crate::approval::revoke;
use crate::below::select_below;
use crate::bits::Ids;
use crate::error::Result;
use crate::migration::{Migration, set_phase};
use crate::sql;
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

#[cfg(test)]
mod tests;
