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

use duckdb::{Connection, params};

use super::selection::Selection;
use super::{Changed, Editor, change_statuses, revoke};
use crate::error::{LedgerError, Result};
use crate::plan::THERE_ALREADY;
use crate::recorder::Recorder;

impl Editor {
    /// Excludes nodes and everything below them, as far as they are still to be copied.
    pub fn exclude(self, selection: &Selection, reason: &str) -> Result<Changed> {
        selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("exclude", |recorder| {
            // Files that are not to be copied anyway would only be in the way.
            recorder.connection.execute(
                "INSERT INTO exclusions
                 SELECT s.id, ?, ?, ?
                 FROM (SELECT DISTINCT id FROM selected) s
                 JOIN src_nodes n ON n.id = s.id
                 ANTI JOIN exclusions e ON e.node_id = s.id
                 WHERE n.parent_id IS NOT NULL
                   AND (n.kind = 'folder' OR s.id IN (SELECT id FROM src_open))",
                params![reason, recorder.run, (recorder.now_ns)()],
            )?;
            let changed = apply_exclusions(recorder)?;
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
        self.in_run("include", |recorder| {
            let taken_back =
                recorder.connection.execute("DELETE FROM exclusions WHERE node_id IN (FROM selected)", [])?;
            if taken_back == 0 {
                return Err(LedgerError::NothingToChange("nobody has excluded any of it by itself".to_owned()));
            }
            apply_exclusions(recorder)
        })
    }
}

/// That all paths are excluded by themselves.
fn refuse_not_excluded(editor: &Editor, paths: &[String]) -> Result<()> {
    let wrong: Option<(i64, Option<String>)> = editor
        .connection()
        .prepare(
            "SELECT s.rowid, c.copy_error
             FROM selected s
             LEFT JOIN src_current c ON c.id = s.id AND c.copy_status = 'excluded_inherited'
             WHERE s.id NOT IN (SELECT node_id FROM exclusions)
             ORDER BY s.rowid
             LIMIT 1",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?;
    let Some((index, inherited)) = wrong else { return Ok(()) };
    let path = usize::try_from(index).ok().and_then(|index| paths.get(index)).cloned().unwrap_or_default();
    Err(LedgerError::NotExcluded { path, reason: inherited.unwrap_or_else(|| "nobody has excluded it".to_owned()) })
}

/// Takes those folders out of `selected` that a filter left out. Returns the path of the first one, with the reason.
fn pass_over_not_listed(editor: &Editor) -> Result<Option<(String, String)>> {
    const NOT_LISTED: &str = "
        FROM exclusions e
        SEMI JOIN selected s ON s.id = e.node_id
        JOIN src_nodes n ON n.id = e.node_id AND n.kind = 'folder'
        ANTI JOIN src_folders own ON own.id = e.node_id";
    let connection = editor.connection();
    let first = connection
        .prepare(&format!(
            "SELECT CASE WHEN f.id = 1 THEN '/' ELSE f.path || '/' END || not_listed.name, not_listed.reason
             FROM (SELECT n.id, n.parent_id, n.name, e.reason {NOT_LISTED}) not_listed
             JOIN src_folders f ON f.id = not_listed.parent_id
             ORDER BY not_listed.id
             LIMIT 1"
        ))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?;
    if first.is_some() {
        connection.execute_batch(&format!("DELETE FROM selected WHERE id IN (SELECT e.node_id {NOT_LISTED})"))?;
    }
    Ok(first)
}

/// Gives the nodes that `selected` names, and all below them, the status that follows from `exclusions`, inside the
/// transaction that is open.
pub(crate) fn apply_exclusions(recorder: &mut Recorder) -> Result<Changed> {
    find_covered(&recorder.connection)?;
    recorder.connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE scope AS
         WITH RECURSIVE below AS (
           SELECT id
           FROM folders
           WHERE id IN (FROM selected)
           UNION
           SELECT f.id
           FROM below
           JOIN folders f ON f.parent_id = below.id
         )
         FROM below;

         CREATE OR REPLACE TEMP TABLE changing AS
         SELECT id, was, becomes, reason
         FROM (
           SELECT
             n.id,
             o.copy_status AS was,
             CASE
               WHEN e.id IS NOT NULL THEN 'excluded_explicit'
               WHEN i.id IS NOT NULL THEN 'excluded_inherited'
               -- Only what a filter had left out before the plan was made has anything but work in the plan.
               WHEN p.action = 'skip' AND p.reason = '{THERE_ALREADY}' THEN 'already_existed'
               WHEN p.action IN ('skip', 'not_copied') THEN 'skipped'
               WHEN p.action = 'conflict' THEN 'conflict'
               ELSE 'pending'
             END::copy_status AS becomes,
             coalesce(e.reason, i.inherited, p.reason) AS reason,
             o.reason AS was_reason
           FROM src_nodes n
           JOIN src_open o ON o.id = n.id
           LEFT JOIN exclusion_reasons e ON e.id = n.id
           LEFT JOIN covered c ON c.id = n.parent_id
           LEFT JOIN exclusion_reasons i ON i.id = c.by_id
           LEFT JOIN (FROM plan WHERE action IN ('skip', 'not_copied', 'conflict')) p ON p.src_id = n.id
           WHERE n.parent_id IN (FROM scope) OR n.id IN (FROM selected)
         )
         WHERE was <> becomes OR (becomes <> 'pending' AND reason IS DISTINCT FROM was_reason);"
    ))?;
    let mut changed = change_statuses(recorder)?;
    if changed.nodes > 0 {
        changed.revoked = revoke(recorder)?;
    }
    Ok(changed)
}

/// Fills temporary tables: all `folders`; for each that is `covered` the nearest exclusion at it or above it; and what
/// there is to say of each exclusion. A folder that is an exclusion itself begins a way down of its own, so that none is met
/// twice.
fn find_covered(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE folders AS
         SELECT id, parent_id
         FROM src_nodes
         WHERE kind = 'folder';

         CREATE OR REPLACE TEMP TABLE covered AS
         WITH RECURSIVE below AS (
           SELECT f.id, f.id AS by_id
           FROM folders f
           SEMI JOIN exclusions e ON e.node_id = f.id
           UNION ALL
           SELECT f.id, below.by_id
           FROM below
           JOIN folders f ON f.parent_id = below.id
           ANTI JOIN exclusions e ON e.node_id = f.id
         )
         FROM below;

         CREATE OR REPLACE TEMP TABLE exclusion_reasons AS
         SELECT e.node_id AS id, min(e.reason) AS reason,
           'it is in ' || min(f.path) || ', which is excluded: ' || min(e.reason) AS inherited
         FROM exclusions e
         LEFT JOIN src_folders f ON f.id = e.node_id
         GROUP BY e.node_id;",
    )?)
}

/// Lets what would become pending, in the temporary table `changing`, be excluded where it is in an exclusion: inside the
/// transaction that is open.
pub(crate) fn cover_changing(connection: &Connection) -> Result<()> {
    let exclusions: i64 = connection.query_row("SELECT count(*) FROM exclusions", [], |row| row.get(0))?;
    if exclusions == 0 {
        return Ok(());
    }
    find_covered(connection)?;
    Ok(connection.execute_batch(
        "UPDATE changing
         SET becomes = x.becomes, reason = x.reason
         FROM (
           SELECT
             n.id,
             CASE WHEN e.id IS NOT NULL THEN 'excluded_explicit' ELSE 'excluded_inherited' END::copy_status AS becomes,
             coalesce(e.reason, i.inherited) AS reason
           FROM src_nodes n
           LEFT JOIN exclusion_reasons e ON e.id = n.id
           LEFT JOIN covered c ON c.id = n.parent_id
           LEFT JOIN exclusion_reasons i ON i.id = c.by_id
           WHERE e.id IS NOT NULL OR i.id IS NOT NULL
         ) x
         WHERE x.id = changing.id AND changing.becomes = 'pending'",
    )?)
}
