//! Which source nodes somebody means.

use duckdb::{Connection, params};
use longhaul_model::Side;

use crate::error::{LedgerError, Result};
use crate::review::condition::Condition;
use crate::review::paths::{nearest_existing, resolve};

/// Which source nodes somebody means.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those at these printable paths from the root.
    Paths(Vec<String>),
    /// Those that meet a condition.
    Where(Condition),
}

/// Everything at the nodes in `selected` and below them, as the recursive query `below (id)`.
pub(super) const BELOW: &str = "
    WITH RECURSIVE below AS (
      FROM selected
      UNION
      SELECT n.id
      FROM below
      JOIN src_nodes n ON n.parent_id = below.id
    )";

impl Selection {
    /// Fills the temporary table `selected (id)`. A path that does not exist, and the root, are errors.
    pub(super) fn select(&self, connection: &Connection, now_ns: i64) -> Result<()> {
        // Of this connection only, and never in the file or its log.
        connection.execute_batch("CREATE OR REPLACE TEMP TABLE selected (id BIGINT)")?;
        match self {
            Selection::Paths(paths) => {
                for path in paths {
                    let id = find(connection, path)?;
                    connection.execute("INSERT INTO selected VALUES (?)", params![id])?;
                }
            }
            Selection::Where(condition) => {
                let chosen = condition.choose(connection, Side::Source, now_ns)?;
                chosen.ids.append(connection, "selected")?;
            }
        }
        Ok(())
    }
}

/// The source node at a path that somebody has typed.
fn find(connection: &Connection, path: &str) -> Result<i64> {
    let path = format!("/{}", path.trim_matches('/'));
    if path == "/" {
        return Err(LedgerError::IsRoot);
    }
    if let Some(found) = resolve(connection, Side::Source, &path)? {
        return Ok(found.id.0);
    }
    let nearest = nearest_existing(connection, Side::Source, &path)?;
    Err(LedgerError::NoSuchPath { side: Side::Source, path, nearest })
}
