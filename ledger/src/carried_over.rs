//! Applies the review choices of a damaged ledger to the new one that replaces it (see `rescue.rs`).
//!
//! The new ledger has different node ids, so the choices are stored by path until discovery ends. A choice about a path
//! that no longer exists, or about a conflict that no longer exists, is skipped.

use duckdb::{Connection, params};

use crate::editing::{Decision, decide_selected, exclude_selected};
use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// Applies the stored review choices. The plan must have been made, and the events folded.
///
/// Applying a choice twice changes nothing: after an interruption all of them are applied again.
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
            "exclusions, decisions or names were skipped: their paths are no longer on the source"
        );
    }
    found.drop(&writer.connection)
}

/// The reasons of what was excluded, each once.
fn reasons(connection: &Connection, found: &TempTable) -> Result<Vec<String>> {
    let sql = format!("SELECT DISTINCT excluded FROM {found} WHERE excluded IS NOT NULL ORDER BY ALL");
    Ok(connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?)
}
