//! Finding a name for everything that needs another one.
//!
//! All of them try their first choice at once. Those that meet something, or one another, try the next one, and so on: a
//! few statements in all, however many names there are and however large the folders.

use duckdb::Connection;
use longhaul_model::{NodeKind, encode_name};
use longhaul_naming::{ATTEMPTS_MAX, RuleSet};

use super::names::{for_each_name, hash_of_fold, ranges};
use crate::error::Result;
use crate::rows::{flush_temporary, rows};

rows! {
    /// Rows of `lint_candidates`.
    CandidateRows {
        id: Vec<i64>,
        parent_id: Vec<i64>,
        fold: Vec<i64>,
        name: Vec<String>,
    }
}

/// Fills `lint_proposals` for what is in `lint_findings`, so that no proposal meets a name in `lint_names`, or another one.
pub(super) fn make(connection: &Connection, rules: RuleSet) -> Result<()> {
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE lint_open AS
         SELECT id, parent_id, room
         FROM lint_findings",
    )?;
    for attempt in 0..ATTEMPTS_MAX {
        connection.execute_batch(
            "CREATE OR REPLACE TEMP TABLE lint_candidates (id BIGINT, parent_id BIGINT, fold BIGINT, name VARCHAR)",
        )?;
        if propose(connection, rules, attempt)? == 0 {
            return Ok(());
        }
        connection.execute_batch(
            "CREATE OR REPLACE TEMP TABLE lint_accepted AS
             SELECT c.id, c.parent_id, c.fold, c.name
             FROM (
               SELECT *, row_number() OVER (PARTITION BY parent_id, fold ORDER BY id) AS place
               FROM lint_candidates
             ) c
             ANTI JOIN lint_names n ON n.parent_id = c.parent_id AND n.fold = c.fold
             WHERE c.place = 1",
        )?;
        connection.execute_batch(
            "INSERT INTO lint_names
             SELECT parent_id, fold, fold, id, 0
             FROM lint_accepted",
        )?;
        connection.execute_batch("INSERT INTO lint_proposals SELECT id, name FROM lint_accepted")?;
        // What has no candidate now has none later.
        connection.execute_batch(
            "CREATE OR REPLACE TEMP TABLE lint_open AS
             SELECT o.id, o.parent_id, o.room
             FROM lint_open o
             SEMI JOIN lint_candidates c ON c.id = o.id
             ANTI JOIN lint_accepted a ON a.id = o.id
             ORDER BY o.id",
        )?;
    }
    Ok(())
}

/// Fills `lint_candidates` with the names that everything in `lint_open` tries now; returns how many that are.
fn propose(connection: &Connection, rules: RuleSet, attempt: u32) -> Result<usize> {
    let mut rows = CandidateRows::default();
    let mut count = 0;
    let sql = format!(
        "SELECT o.id, o.parent_id, coalesce(r.name, n.name), n.depth, n.kind = '{folder}', coalesce(o.room, -1)::INTEGER
         FROM (FROM lint_open WHERE id >= ?1 AND id < ?2) o
         JOIN (FROM src_nodes WHERE id >= ?1 AND id < ?2) n ON n.id = o.id
         LEFT JOIN (FROM renames WHERE src_id >= ?1 AND src_id < ?2) r ON r.src_id = o.id",
        folder = NodeKind::Folder
    );
    for ids in ranges(connection, "lint_open")? {
        for_each_name(connection, &sql, &ids, |node, name| {
            let room = usize::try_from(node.state).ok();
            if let Some(candidate) = rules.candidate(name, node.place(), room, attempt) {
                rows.id.push(node.id);
                rows.parent_id.push(node.parent);
                rows.fold.push(hash_of_fold(rules, &candidate));
                rows.name.push(encode_name(&candidate).into_owned());
            }
            Ok(())
        })?;
        count += flush_temporary(&mut rows, "lint_candidates", connection)?;
    }
    Ok(count)
}
