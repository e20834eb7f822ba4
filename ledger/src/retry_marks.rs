//! What is marked for retry.

use duckdb::Connection;
use longhaul_model::Phase;

use crate::error::Result;

/// What is marked for retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Marked {
    /// Folders of the source that are to be listed again.
    pub folders: i64,
    /// Source nodes that are to be copied again.
    pub copies: i64,
}

/// What is marked.
pub(crate) fn marked(connection: &Connection) -> Result<Marked> {
    Ok(connection.query_row(
        &format!(
            "SELECT count(*) FILTER (WHERE phase = '{traversing}'), count(*) FILTER (WHERE phase = '{copying}')
             FROM marks",
            traversing = Phase::Traversing,
            copying = Phase::Copying,
        ),
        [],
        |row| Ok(Marked { folders: row.get(0)?, copies: row.get(1)? }),
    )?)
}
