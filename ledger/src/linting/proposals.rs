//! Finding a name for everything that needs another one.
//!
//! All of them try their first choice at once. Those that meet something, or one another, try the next one, and so on: a
//! few statements in all, however many names there are and however large the folders.

use longhaul_model::{NodeKind, encode_name};
use longhaul_naming::ATTEMPTS_MAX;

use super::names::{Names, for_each_name, hash_of_fold, ranges};
use crate::error::Result;
use crate::rows::rows;
use crate::temp::TempTable;

rows! {
    /// Names that are tried.
    CandidateRows {
        id: Vec<i64>,
        parent_id: Vec<i64>,
        fold: Vec<i64>,
        name: Vec<String>,
    }
}

/// Fills `proposals (id, name)` for what is in `findings`, so that no proposal meets a name that is noted, or another one.
/// With that it is noted itself.
pub(super) fn make(names: &Names<'_>, findings: &TempTable, proposals: &TempTable) -> Result<()> {
    let connection = names.connection;
    let mut open = TempTable::of(connection, "lint_open", &format!("SELECT id, parent_id, room FROM {findings}"))?;
    for attempt in 0..ATTEMPTS_MAX {
        let columns = "id BIGINT, parent_id BIGINT, fold BIGINT, name VARCHAR";
        let candidates = TempTable::empty(connection, "lint_candidates", columns)?;
        if propose(names, &open, attempt, &candidates)? == 0 {
            candidates.drop(connection)?;
            break;
        }
        let accepted = TempTable::of(
            connection,
            "lint_accepted",
            &format!(
                "SELECT c.id, c.parent_id, c.fold, c.name
                 FROM (
                   SELECT *, row_number() OVER (PARTITION BY parent_id, fold ORDER BY id) AS place
                   FROM {candidates}
                 ) c
                 ANTI JOIN {noted} n ON n.parent_id = c.parent_id AND n.fold = c.fold
                 WHERE c.place = 1",
                noted = names.table
            ),
        )?;
        connection.execute_batch(&format!(
            "INSERT INTO {noted}
             SELECT parent_id, fold, fold, id, 0
             FROM {accepted};

             INSERT INTO {proposals}
             SELECT id, name
             FROM {accepted}",
            noted = names.table
        ))?;
        // What has no candidate now has none later.
        let still_open = format!(
            "SELECT o.id, o.parent_id, o.room
             FROM {open} o
             SEMI JOIN {candidates} c ON c.id = o.id
             ANTI JOIN {accepted} a ON a.id = o.id
             ORDER BY o.id"
        );
        open = TempTable::of(connection, "lint_open", &still_open)?;
        candidates.drop(connection)?;
        accepted.drop(connection)?;
    }
    open.drop(connection)
}

/// Fills `candidates` with the names that everything in `open` tries now; returns how many that are.
fn propose(names: &Names<'_>, open: &TempTable, attempt: u32, candidates: &TempTable) -> Result<usize> {
    let Names { connection, rules, .. } = *names;
    let mut rows = CandidateRows::default();
    let mut count = 0;
    let sql = format!(
        "SELECT o.id, o.parent_id, coalesce(r.name, n.name), n.depth, n.kind = '{folder}', coalesce(o.room, -1)::INTEGER
         FROM (FROM {open} WHERE id >= ?1 AND id < ?2) o
         JOIN (FROM src_nodes WHERE id >= ?1 AND id < ?2) n ON n.id = o.id
         LEFT JOIN (FROM renames WHERE src_id >= ?1 AND src_id < ?2) r ON r.src_id = o.id",
        folder = NodeKind::Folder
    );
    for ids in ranges(connection, &open.to_string())? {
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
        count += candidates.append(connection, &mut rows)?;
    }
    Ok(count)
}
