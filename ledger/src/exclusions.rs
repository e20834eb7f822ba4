//! What follows from exclusions.
//!
//! What somebody has said is one row in `exclusions` for each node that they named. What follows for a node that would
//! be copied is a function of these rows: it is excluded explicitly if it is among them, by inheritance if a folder above
//! it is, and the nearest one is the reason. So including one again restores just what it alone had taken, in whatever
//! order they were made.
//!
//! What a filter left out when it was found has such a row as well, and can be included again like any other file. It has
//! not been compared with the destination's then: what becomes of it is what the plan says. A folder that was left out
//! cannot be included: nobody knows what is in it.

mod applying;

use duckdb::Connection;
use longhaul_model::{CopyChange, NodeKind, ReasonCode};

use crate::error::Result;
use crate::fold::fold_events;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

pub(crate) use applying::apply_exclusions;

/// Returns each folder that is an exclusion or in one, with what there is to say of what is in there, as a temporary table
/// `(id, inherited)`. A folder that is an exclusion itself begins a way down of its own, so that none is met twice.
fn find_covered(connection: &Connection) -> Result<TempTable> {
    // A folder that a filter excludes is not listed: all of these were excluded by people, in their own words.
    let excluded = TempTable::of(
        connection,
        "excluded_folders",
        &format!(
            "SELECT e.node_id AS id, min(f.path) AS path, min({words}) AS words
             FROM exclusions e
             JOIN src_folders f ON f.id = e.node_id
             GROUP BY e.node_id",
            words = sql::reason_parameter("e.reason", 1)
        ),
    )?;
    let covered = TempTable::of(
        connection,
        "covered",
        &format!(
            "WITH RECURSIVE folders AS MATERIALIZED (
               SELECT id, parent_id
               FROM src_nodes
               WHERE kind = '{folder}'
             ),
             below AS (
               SELECT id, id AS by_id
               FROM {excluded}
               UNION ALL
               SELECT f.id, below.by_id
               FROM below
               JOIN folders f ON f.parent_id = below.id
               ANTI JOIN {excluded} e ON e.id = f.id
             )
             SELECT below.id, {inherited} AS inherited
             FROM below
             JOIN {excluded} e ON e.id = below.by_id
             ORDER BY below.id",
            folder = NodeKind::Folder,
            inherited = sql::reason(ReasonCode::AncestorExcluded, &["e.path", "e.words"])
        ),
    )?;
    excluded.drop(connection)?;
    Ok(covered)
}

/// Excludes what discovery found below something that was excluded before: in a folder that is listed, which those
/// that a filter leaves out are not. In a transaction of its own.
pub(crate) fn exclude_what_is_new(writer: &mut Writer) -> Result<()> {
    const FOLDERS: &str = "FROM exclusions e SEMI JOIN src_folders f ON f.id = e.node_id";
    let folders: i64 = writer.connection.query_row(&format!("SELECT count(*) {FOLDERS}"), [], |row| row.get(0))?;
    if folders > 0 {
        writer.begin_transaction()?;
        let selected = TempTable::of(&writer.connection, "selected", &format!("SELECT e.node_id AS id {FOLDERS}"))?;
        apply_exclusions(writer, &selected)?;
        selected.drop(&writer.connection)?;
        writer.commit_transaction()?;
        fold_events(&writer.connection)?;
    }
    Ok(())
}

/// Excludes what would become pending among the changes in `changing` (see [`CopyChanges`](crate::events::CopyChanges)),
/// where it is in an exclusion: inside the transaction that is open.
pub(crate) fn cover_changing(connection: &Connection, changing: &TempTable) -> Result<()> {
    let exclusions: i64 = connection.query_row("SELECT count(*) FROM exclusions", [], |row| row.get(0))?;
    if exclusions == 0 {
        return Ok(());
    }
    let covered = find_covered(connection)?;
    connection.execute_batch(&format!(
        "UPDATE {changing}
         SET change = x.change, reason = x.reason
         FROM (
           SELECT
             n.id,
             CASE WHEN e.id IS NOT NULL THEN '{by_itself}' ELSE '{inherited}' END AS change,
             coalesce(e.reason, c.inherited) AS reason
           FROM src_nodes n
           LEFT JOIN (SELECT node_id AS id, min(reason) AS reason FROM exclusions GROUP BY node_id) e ON e.id = n.id
           LEFT JOIN {covered} c ON c.id = n.parent_id
           WHERE e.id IS NOT NULL OR c.id IS NOT NULL
         ) x
         WHERE x.id = {changing}.id AND {changing}.change IS NULL",
        by_itself = CopyChange::Excluded,
        inherited = CopyChange::AncestorExcluded,
    ))?;
    covered.drop(connection)
}
