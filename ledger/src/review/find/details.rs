//! Everything there is to be shown of a few nodes.

use std::collections::HashMap;

use duckdb::Connection;
use longhaul_model::{CopyStatus, NodeId, NodeKind, PlanAction, Side, child_path};

use crate::codes::{node_kind, sentence};
use crate::error::{LedgerError, Result};
use crate::review::condition::time_text;
use crate::sql;

/// What is shown of a node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NodeRow {
    /// Its id within its side.
    pub id: NodeId,
    /// Its printable path from the root.
    pub path: String,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes; `None` for folders and where the store did not say.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store did not say.
    pub modified_ns: Option<i64>,
    /// 0 for the root.
    pub depth: i32,
    /// The word of the ledger.
    pub traversal_status: String,
    /// The word of the ledger; `None` on the destination.
    pub copy_status: Option<String>,
    /// What the plan does with it, as `plan_view` has it; `None` on the destination, and where there is no plan.
    pub action: Option<String>,
    /// Why it is what it is: an error, a rule, a reason.
    pub error: Option<String>,
}

impl NodeRow {
    /// When it was modified, as people read it: `2020-01-31T18:00:00Z`.
    pub fn modified_text(&self) -> Option<String> {
        self.modified_ns.map(time_text)
    }
}

/// The nodes with these ids, in the order of `ids`. As the views `src_status` and `dst_status` have them, but each table
/// is asked for these ids only: a join of the views would go through all paths and statuses.
pub(crate) fn details(connection: &Connection, side: Side, ids: &[i64]) -> Result<Vec<NodeRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let name = side.prefix();
    let traversal = sql::traversal_status(side, "l", "n", "m");
    let by_side = match side {
        Side::Source => Columns {
            copy: sql::copy_status("l", "m.same"),
            error: "coalesce(l.copy_error, l.traversal_error, l.remark)",
            action: format!(
                "CASE
                   WHEN p.action IS NOT NULL AND {is_excluded} THEN '{exclude}'
                   WHEN p.action IS NULL AND m.same AND n.parent_id IS NOT NULL THEN '{already_existed}'
                   ELSE p.action
                 END",
                is_excluded = sql::is_status("l.copy_status", CopyStatus::is_excluded),
                exclude = PlanAction::Exclude,
                already_existed = PlanAction::AlreadyExisted,
            ),
            plan: format!(
                "SELECT src_id AS id, any_value(action) AS action FROM plan WHERE src_id IN ({list}) GROUP BY 1"
            ),
        },
        Side::Destination => Columns {
            copy: "NULL".to_owned(),
            error: "coalesce(l.traversal_error, l.remark)",
            action: "NULL".to_owned(),
            plan: "SELECT 0::BIGINT AS id, NULL AS action WHERE false".to_owned(),
        },
    };
    let Columns { copy, error, action, plan } = by_side;
    let mut statement = connection.prepare(&format!(
        "WITH n AS MATERIALIZED (FROM {name}_nodes WHERE id IN ({list}))
         SELECT n.id, n.parent_id, f.path, n.name, n.kind::VARCHAR, n.size, n.modified_ns, n.depth,
           ({traversal})::VARCHAR, ({copy})::VARCHAR, ({action})::VARCHAR, {error}
         FROM n
         LEFT JOIN (
           SELECT id, path
           FROM {name}_folders
           WHERE id IN (SELECT parent_id FROM n)
         ) f ON f.id = n.parent_id
         LEFT JOIN (
           SELECT {name}_id, any_value(dst_id) AS dst_id, bool_or(same) AS same
           FROM matches
           WHERE {name}_id IN ({list})
           GROUP BY {name}_id
         ) m ON m.{name}_id = n.id
         LEFT JOIN (FROM {name}_latest WHERE id IN ({list})) l ON l.id = n.id
         LEFT JOIN ({plan}) p ON p.id = n.id"
    ))?;
    let mut rows = statement.query([])?;
    let mut found: HashMap<i64, NodeRow> = HashMap::with_capacity(ids.len());
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let folder: Option<String> = row.get(2)?;
        let name: String = row.get(3)?;
        found.insert(
            id,
            NodeRow {
                id: NodeId(id),
                path: folder.map_or_else(|| "/".to_owned(), |folder| child_path(&folder, &name)),
                kind: node_kind(&row.get::<_, String>(4)?)?,
                size: row.get(5)?,
                modified_ns: row.get(6)?,
                depth: row.get(7)?,
                traversal_status: row.get(8)?,
                copy_status: row.get(9)?,
                action: row.get(10)?,
                error: row.get::<_, Option<String>>(11)?.map(|stored| sentence(&stored)).transpose()?,
            },
        );
    }
    ids.iter()
        .map(|id| found.remove(id).ok_or_else(|| LedgerError::Inconsistent(format!("the node {id} is not there"))))
        .collect()
}

/// What differs between the sides, as SQL.
struct Columns {
    copy: String,
    error: &'static str,
    action: String,
    plan: String,
}
