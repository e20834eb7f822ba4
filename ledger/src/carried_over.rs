//! What somebody had said in a damaged ledger, said again in the one that stands in for it (see `rescue.rs`).
//!
//! Nodes have other ids there, so that it waits in a table, by path, until discovery ends. What is not there any more, or
//! is no conflict any more, is passed over.

use duckdb::{Connection, params};

use crate::editing::{Decision, decide_selected, exclude_selected};
use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// Applies what was carried over, where there is any. The plan has been made, and the events are folded.
///
/// What is said twice changes nothing: where this is broken off, all of it is applied once more.
pub(crate) fn apply_carried_over(writer: &mut Writer) -> Result<()> {
    let waiting: i64 = writer.connection.query_row("SELECT count(*) FROM carried_over", [], |row| row.get(0))?;
    if waiting == 0 {
        return Ok(());
    }
    let found = TempTable::of(
        &writer.connection,
        "carried",
        &format!(
            "SELECT n.id, n.parent_id, n.name AS was, c.excluded, c.action, c.name, c.rule
             FROM src_nodes n
             JOIN src_folders f ON f.id = n.parent_id
             JOIN carried_over c ON c.path = {}
             ORDER BY n.id",
            sql::path("n", "f")
        ),
    )?;
    for reason in reasons(&writer.connection, &found)? {
        let said = format!("SELECT id FROM {found} WHERE excluded = {}", sql::quoted(&reason));
        let selected = TempTable::of(&writer.connection, "selected", &said)?;
        writer.change_plan(|writer| exclude_selected(writer, &selected, &reason))?;
        selected.drop(&writer.connection)?;
    }
    for decision in Decision::ALL {
        let decided = format!("SELECT id FROM {found} WHERE action = '{}'", decision.action());
        let selected = TempTable::of(&writer.connection, "selected", &decided)?;
        writer.change_plan(|writer| decide_selected(writer, selected, decision))?;
    }
    writer.change_plan(|writer| {
        writer.connection.execute(
            &format!(
                "INSERT INTO renames
                 SELECT id, parent_id, was, name, rule, ?, ?
                 FROM {found}
                 WHERE name IS NOT NULL"
            ),
            params![writer.run, (writer.now_ns)()],
        )?;
        Ok(writer.connection.execute_batch("DELETE FROM carried_over")?)
    })?;
    let passed_over = waiting - found.count(&writer.connection)?;
    if passed_over > 0 {
        tracing::warn!(
            passed_over,
            "of what was excluded, decided or accepted before, some is not on the source any more"
        );
    }
    found.drop(&writer.connection)
}

/// The reasons of what was excluded, each once.
fn reasons(connection: &Connection, found: &TempTable) -> Result<Vec<String>> {
    let sql = format!("SELECT DISTINCT excluded FROM {found} WHERE excluded IS NOT NULL ORDER BY ALL");
    Ok(connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?)
}
