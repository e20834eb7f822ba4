//! Excluding nodes, and including them again: what follows from it is worked out in `exclusions.rs`.

use duckdb::{Connection, params};
use longhaul_model::{CopyStatus, NodeKind, Reason, ReasonCode};

use super::Editor;
use super::selection::Selection;
use crate::bits::Bits;
use crate::changing::Changed;
use crate::codes::sentence;
use crate::error::{LedgerError, Result};
use crate::exclusions::apply_exclusions;
use crate::sql;
use crate::temp::TempTable;
use crate::words::ExclusionOrigin;
use crate::writer::Writer;

impl Editor {
    /// Excludes nodes and everything below them, as far as they are still to be copied.
    pub fn exclude(self, selection: &Selection, reason: &str) -> Result<Changed> {
        let selected = selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("exclude", |writer| {
            let reason = Reason::new(ReasonCode::ExcludedByHand, [reason]).stored();
            let changed = exclude_selected(writer, &selected, &reason)?;
            if changed.nodes + changed.reasons == 0 {
                return Err(LedgerError::NothingToChange("none of it is still to be copied".to_owned()));
            }
            selected.drop(&writer.connection)?;
            Ok(changed)
        })
    }

    /// Includes nodes again that were excluded by themselves, and what was excluded with them.
    pub fn include(self, selection: &Selection) -> Result<Changed> {
        let selected = selection.select(self.connection(), (self.now_ns)())?;
        if let Selection::Paths(paths) = selection {
            refuse_not_excluded(self.connection(), &selected, paths)?;
        }
        if let Some((path, reason)) = pass_over_not_listed(self.connection(), &selected)? {
            // Whoever names it means it; a condition may have met it by the way.
            if selected.count(self.connection())? == 0 || matches!(selection, Selection::Paths(_)) {
                return Err(LedgerError::NotListed { path, reason });
            }
        }
        self.in_run("include", |writer| {
            let taken_back =
                writer.connection.execute(&format!("DELETE FROM exclusions WHERE node_id IN (FROM {selected})"), [])?;
            if taken_back == 0 {
                return Err(LedgerError::NothingToChange("nobody has excluded any of it by itself".to_owned()));
            }
            let changed = apply_exclusions(writer, &selected)?;
            selected.drop(&writer.connection)?;
            Ok(changed)
        })
    }
}

/// Excludes the nodes in `selected` and everything below them, as far as they are still to be copied, inside the transaction
/// that is open.
pub(crate) fn exclude_selected(writer: &mut Writer, selected: &TempTable, reason: &str) -> Result<Changed> {
    let connection = &writer.connection;
    let excluding = excluding(connection, selected)?.to_table(connection, "excluding")?;
    connection.execute(
        &format!("INSERT INTO exclusions SELECT id, ?::exclusion_origin, ?, ?, ? FROM {excluding}"),
        params![ExclusionOrigin::Person.as_str(), reason, writer.run, (writer.now_ns)()],
    )?;
    excluding.drop(connection)?;
    apply_exclusions(writer, selected)
}

/// Of the nodes in `selected`, those to be excluded that are not yet. Files that are not to be copied anyway would only be
/// in the way.
fn excluding(connection: &Connection, selected: &TempTable) -> Result<Bits> {
    let all = Bits::of_all(connection, "src")?;
    let read = |sql: &str| all.read_beside(connection, sql, &[]);
    let settled = read(
        "SELECT src_id
         FROM matches
         WHERE src_id >= ? AND src_id < ? AND same",
    )?
    .or(&read(&format!(
        "SELECT id
         FROM src_current
         WHERE id >= ? AND id < ? AND {}",
        sql::is_status("copy_status", |status| !status.may_be_excluded())
    ))?);
    let folders =
        read(&format!("SELECT id FROM src_nodes WHERE id >= ? AND id < ? AND kind = '{}'", NodeKind::Folder))?;
    let excluded = read("SELECT node_id FROM exclusions WHERE node_id >= ? AND node_id < ?")?;
    let root = read("SELECT id FROM src_nodes WHERE id >= ? AND id < ? AND parent_id IS NULL")?;
    let selected = read(&format!("SELECT id FROM {selected} WHERE id >= ? AND id < ?"))?;
    Ok(selected.and(&all).and(&all.clone().without(&settled).or(&folders)).without(&excluded).without(&root))
}

/// That all paths, of which `selected` has the nodes, are excluded by themselves.
fn refuse_not_excluded(connection: &Connection, selected: &TempTable, paths: &[String]) -> Result<()> {
    let wrong: Option<(i64, Option<String>)> = connection
        .prepare(&format!(
            "SELECT s.rowid, c.copy_error
             FROM {selected} s
             LEFT JOIN src_current c ON c.id = s.id AND c.copy_status = '{inherited}'
             WHERE s.id NOT IN (SELECT node_id FROM exclusions)
             ORDER BY s.rowid
             LIMIT 1",
            inherited = CopyStatus::ExcludedInherited
        ))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?;
    let Some((index, inherited)) = wrong else { return Ok(()) };
    let path = usize::try_from(index).ok().and_then(|index| paths.get(index)).cloned().unwrap_or_default();
    let reason = inherited.map_or_else(|| Ok("nobody has excluded it".to_owned()), |stored| sentence(&stored))?;
    Err(LedgerError::NotExcluded { path, reason })
}

/// Takes those folders out of `selected` that a filter left out. Returns the path of the first one, with the reason.
fn pass_over_not_listed(connection: &Connection, selected: &TempTable) -> Result<Option<(String, String)>> {
    let not_listed = format!(
        "FROM exclusions e
         SEMI JOIN {selected} s ON s.id = e.node_id
         JOIN src_nodes n ON n.id = e.node_id AND n.kind = '{folder}'
         ANTI JOIN src_folders own ON own.id = e.node_id",
        folder = NodeKind::Folder
    );
    let first = connection
        .prepare(&format!(
            "SELECT {path}, n.reason
             FROM (SELECT n.id, n.parent_id, n.name, e.reason {not_listed}) n
             JOIN src_folders f ON f.id = n.parent_id
             ORDER BY n.id
             LIMIT 1",
            path = sql::path("n", "f")
        ))?
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .next()
        .transpose()?
        .map(|(path, stored)| Ok::<_, LedgerError>((path, sentence(&stored)?)))
        .transpose()?;
    if first.is_some() {
        connection.execute_batch(&format!("DELETE FROM {selected} WHERE id IN (SELECT e.node_id {not_listed})"))?;
    }
    Ok(first)
}
