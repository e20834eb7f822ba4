//! Excluding nodes, and including them again.
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

use duckdb::{Connection, params};
use longhaul_model::{CopyChange, CopyStatus, NodeKind, Reason, ReasonCode};

use self::applying::apply_exclusions;

use super::selection::Selection;
use super::{Changed, Editor};
use crate::bits::Bits;
use crate::codes::sentence;
use crate::error::{LedgerError, Result};
use crate::fold::fold_events;
use crate::rows::ExclusionOrigin;
use crate::sql;
use crate::writer::Writer;

impl Editor {
    /// Excludes nodes and everything below them, as far as they are still to be copied.
    pub fn exclude(self, selection: &Selection, reason: &str) -> Result<Changed> {
        selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("exclude", |writer| {
            let connection = &writer.connection;
            connection.execute_batch("CREATE OR REPLACE TEMP TABLE excluding (id BIGINT)")?;
            excluding(connection)?.append(connection, "excluding")?;
            connection.execute(
                "INSERT INTO exclusions SELECT id, ?::exclusion_origin, ?, ?, ? FROM excluding",
                params![
                    ExclusionOrigin::Person.as_str(),
                    Reason::new(ReasonCode::ExcludedByHand, [reason]).stored(),
                    writer.run,
                    (writer.now_ns)()
                ],
            )?;
            let changed = apply_exclusions(writer)?;
            if changed.nodes + changed.reasons == 0 {
                return Err(LedgerError::NothingToChange("none of it is still to be copied".to_owned()));
            }
            Ok(changed)
        })
    }

    /// Includes nodes again that were excluded by themselves, and what was excluded with them.
    pub fn include(self, selection: &Selection) -> Result<Changed> {
        selection.select(self.connection(), (self.now_ns)())?;
        if let Selection::Paths(paths) = selection {
            refuse_not_excluded(&self, paths)?;
        }
        if let Some((path, reason)) = pass_over_not_listed(&self)? {
            let others: i64 = self.connection().query_row("SELECT count(*) FROM selected", [], |row| row.get(0))?;
            // Whoever names it means it; a condition may have met it by the way.
            if others == 0 || matches!(selection, Selection::Paths(_)) {
                return Err(LedgerError::NotListed { path, reason });
            }
        }
        self.in_run("include", |writer| {
            let taken_back =
                writer.connection.execute("DELETE FROM exclusions WHERE node_id IN (FROM selected)", [])?;
            if taken_back == 0 {
                return Err(LedgerError::NothingToChange("nobody has excluded any of it by itself".to_owned()));
            }
            apply_exclusions(writer)
        })
    }
}

/// Of the nodes in `selected`, those to be excluded that are not yet. Files that are not to be copied anyway would only be
/// in the way.
fn excluding(connection: &Connection) -> Result<Bits> {
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
    let selected = read("SELECT id FROM selected WHERE id >= ? AND id < ?")?;
    Ok(selected.and(&all).and(&all.clone().without(&settled).or(&folders)).without(&excluded).without(&root))
}

/// That all paths are excluded by themselves.
fn refuse_not_excluded(editor: &Editor, paths: &[String]) -> Result<()> {
    let wrong: Option<(i64, Option<String>)> = editor
        .connection()
        .prepare(&format!(
            "SELECT s.rowid, c.copy_error
             FROM selected s
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
fn pass_over_not_listed(editor: &Editor) -> Result<Option<(String, String)>> {
    let not_listed = format!(
        "FROM exclusions e
        SEMI JOIN selected s ON s.id = e.node_id
         JOIN src_nodes n ON n.id = e.node_id AND n.kind = '{folder}'
         ANTI JOIN src_folders own ON own.id = e.node_id",
        folder = NodeKind::Folder
    );
    let connection = editor.connection();
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
        connection.execute_batch(&format!("DELETE FROM selected WHERE id IN (SELECT e.node_id {not_listed})"))?;
    }
    Ok(first)
}

/// Fills the temporary table `covered`: each folder that is an exclusion or in one, with what there is to say of what is in
/// there. A folder that is an exclusion itself begins a way down of its own, so that none is met twice.
fn find_covered(connection: &Connection) -> Result<()> {
    // A folder that a filter excludes is not listed: all of these were excluded by people, in their own words.
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE excluded_folders AS
         SELECT e.node_id AS id, min(f.path) AS path, min(split_part(e.reason, chr(31), 2)) AS words
         FROM exclusions e
         JOIN src_folders f ON f.id = e.node_id
         GROUP BY e.node_id;

         CREATE OR REPLACE TEMP TABLE covered AS
         WITH RECURSIVE folders AS MATERIALIZED (
           SELECT id, parent_id
           FROM src_nodes
           WHERE kind = '{folder}'
         ),
         below AS (
           SELECT id, id AS by_id
           FROM excluded_folders
           UNION ALL
           SELECT f.id, below.by_id
           FROM below
           JOIN folders f ON f.parent_id = below.id
           ANTI JOIN excluded_folders e ON e.id = f.id
         )
         SELECT below.id, {inherited} AS inherited
         FROM below
         JOIN excluded_folders e ON e.id = below.by_id
         ORDER BY below.id;",
        folder = NodeKind::Folder,
        inherited = sql::reason(ReasonCode::AncestorExcluded, &["e.path", "e.words"])
    ))?)
}

/// Excludes what discovery found below something that was excluded before: in a folder that is listed, which those
/// that a filter leaves out are not. In a transaction of its own.
pub(crate) fn exclude_what_is_new(writer: &mut Writer) -> Result<()> {
    const FOLDERS: &str = "FROM exclusions e SEMI JOIN src_folders f ON f.id = e.node_id";
    let folders: i64 = writer.connection.query_row(&format!("SELECT count(*) {FOLDERS}"), [], |row| row.get(0))?;
    if folders > 0 {
        writer.begin_transaction()?;
        writer
            .connection
            .execute_batch(&format!("CREATE OR REPLACE TEMP TABLE selected AS SELECT e.node_id AS id {FOLDERS}"))?;
        apply_exclusions(writer)?;
        writer.commit_transaction()?;
        fold_events(&writer.connection)?;
    }
    Ok(())
}

/// Excludes what would become pending, in the temporary table `changing`, where it is in an exclusion: inside the
/// transaction that is open.
pub(crate) fn cover_changing(connection: &Connection) -> Result<()> {
    let exclusions: i64 = connection.query_row("SELECT count(*) FROM exclusions", [], |row| row.get(0))?;
    if exclusions == 0 {
        return Ok(());
    }
    find_covered(connection)?;
    Ok(connection.execute_batch(&format!(
        "UPDATE changing
         SET change = x.change, reason = x.reason
         FROM (
           SELECT
             n.id,
             CASE WHEN e.id IS NOT NULL THEN '{by_itself}' ELSE '{inherited}' END AS change,
             coalesce(e.reason, c.inherited) AS reason
           FROM src_nodes n
           LEFT JOIN (SELECT node_id AS id, min(reason) AS reason FROM exclusions GROUP BY node_id) e ON e.id = n.id
           LEFT JOIN covered c ON c.id = n.parent_id
           WHERE e.id IS NOT NULL OR c.id IS NOT NULL
         ) x
         WHERE x.id = changing.id AND changing.change IS NULL",
        by_itself = CopyChange::Excluded,
        inherited = CopyChange::AncestorExcluded,
    ))?)
}
