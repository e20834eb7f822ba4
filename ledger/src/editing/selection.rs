//! Which source nodes somebody means.

use duckdb::{Connection, params};
use longhaul_model::{FIRST_NODE_ID, Side};

use crate::bits::Ids;
use crate::error::{LedgerError, Result};
use crate::review::condition::Condition;
use crate::review::paths;
use crate::temp::TempTable;

/// Which source nodes somebody means.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those at these printable paths from the root.
    Paths(Vec<String>),
    /// Those that meet a condition.
    Where(Condition),
}

/// The table of what is selected, of which there is one at a time.
const SELECTED: &str = "selected";

/// Everything at the nodes in `selected` and below them, as the recursive query `below (id)`.
pub(super) fn below(selected: &TempTable) -> String {
    format!(
        "WITH RECURSIVE below AS (
           FROM {selected}
           UNION
           SELECT n.id
           FROM below
           JOIN src_nodes n ON n.parent_id = below.id
         )"
    )
}

impl Selection {
    /// Returns them as a temporary table `(id)`, paths in the order in which they were given. A path that does not exist,
    /// and the root, are errors.
    pub(super) fn select(&self, connection: &Connection, now_ns: i64) -> Result<TempTable> {
        match self {
            Selection::Paths(paths) => {
                let selected = Ids::table(connection, SELECTED)?;
                for path in paths {
                    let (path, found) = paths::require(connection, Side::Source, path)?;
                    if path == "/" {
                        return Err(LedgerError::IsRoot);
                    }
                    connection.execute(&format!("INSERT INTO {selected} VALUES (?)"), params![found.id.0])?;
                }
                Ok(selected)
            }
            Selection::Where(condition) => {
                condition.choose(connection, Side::Source, now_ns)?.ids.to_table(connection, SELECTED)
            }
        }
    }
}

/// Returns the root as what is selected: everything is below it.
pub(super) fn select_root(connection: &Connection) -> Result<TempTable> {
    TempTable::of(connection, SELECTED, &format!("SELECT {FIRST_NODE_ID}::BIGINT AS id"))
}
