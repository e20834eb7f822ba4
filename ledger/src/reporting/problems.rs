//! What is wrong with single nodes, and what was not copied and why.

use duckdb::Connection;
use longhaul_model::{CopyStatus, ReasonCode, Side, TraversalStatus};

use crate::codes::sentence;
use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;
use crate::words::ProblemKind;

/// A problem of one node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NodeProblem {
    /// `src` or `dst`: where it was noticed.
    pub side: String,
    /// Printable, from the root of that side.
    pub path: String,
    /// `folder`, `file`, `symlink`, `other`.
    pub kind: String,
    /// Bytes; `None` for folders and where the store did not say.
    pub size: Option<i64>,
    /// What kind of problem it is.
    pub status: ProblemKind,
    /// The class of the error, where there was one.
    pub class: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// How many attempts were made; 0 where nothing was tried.
    pub attempts: i64,
}

/// The problems of a range, as a query. One node may have several.
pub(super) fn problems(swept: &TempTable) -> String {
    let is_problem = sql::is_status("copy_status", |status| ProblemKind::of(status).is_some());
    format!(
        "SELECT side, id, path, kind, size, '{not_listed}' AS status, traversal_class::VARCHAR AS class, traversal_error AS reason,
           attempts
         FROM {swept}
         WHERE traversal_status = '{failed_listing}'
         UNION ALL
         SELECT side, id, path, kind, size, copy_status::VARCHAR,
           CASE WHEN copy_status = '{failed_copy}' THEN copy_class::VARCHAR END, copy_reason, attempts
         FROM {swept}
         WHERE {is_problem}
         UNION ALL
         SELECT '{dst}'::side, s.id, s.path, s.kind, s.size, '{different}', '{different}', {message}, 1
         FROM {swept} s
         JOIN (
           FROM differences
           WHERE src_id >= (SELECT min(id) FROM {swept}) AND src_id <= (SELECT max(id) FROM {swept})
         ) d ON d.src_id = s.id
         WHERE s.side = '{src}'",
        not_listed = ProblemKind::NotListed.as_str(),
        failed_listing = TraversalStatus::Failed,
        failed_copy = CopyStatus::Failed,
        dst = Side::Destination.prefix(),
        different = ProblemKind::Different.as_str(),
        message = sql::reason(ReasonCode::Message, &[&sql::as_parameter("d.message")]),
        src = Side::Source.prefix(),
    )
}

/// The problems of a range.
pub(super) fn read_problems(connection: &Connection, swept: &TempTable) -> Result<Vec<NodeProblem>> {
    let mut statement = connection.prepare(&format!(
        "SELECT side::VARCHAR, path, kind::VARCHAR, size, status, class::VARCHAR, reason, attempts
         FROM ({}) found
         ORDER BY id, status",
        problems(swept)
    ))?;
    let mut rows = statement.query([])?;
    let mut problems = Vec::new();
    while let Some(row) = rows.next()? {
        problems.push(NodeProblem {
            side: row.get(0)?,
            path: row.get(1)?,
            kind: row.get(2)?,
            size: row.get(3)?,
            status: ProblemKind::called(&row.get::<_, String>(4)?)?,
            class: row.get(5)?,
            reason: row.get::<_, Option<String>>(6)?.map(|stored| sentence(&stored)).transpose()?,
            attempts: row.get(7)?,
        });
    }
    Ok(problems)
}
