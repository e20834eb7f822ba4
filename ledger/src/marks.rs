//! How far copying and verification have come, kept in `stats` and written with every commit.

use duckdb::{Connection, params};

use crate::error::Result;

/// What a verification has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verified {
    /// Nodes that were looked at.
    pub nodes: i64,
    /// Bytes that were read back.
    pub bytes_read: i64,
    /// Those that are not what they should be.
    pub differences: i64,
}

/// How far copying and verification have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Items of the plan with lower source ids may have been begun by somebody.
    pub(crate) copy_given_out: i64,
    /// Whether a verification of what was copied has begun: 1, or 0.
    pub(crate) verification_begun: i64,
    /// Source nodes with lower ids have been verified.
    pub(crate) verified_below: i64,
    /// How closely it is looked, as a place in [`VerifyLevel::ALL`](longhaul_model::VerifyLevel::ALL).
    pub(crate) verify_level: i64,
    /// What the verification has come to.
    pub(crate) verified: Verified,
}

impl Marks {
    fn by_name(&mut self) -> [(&'static str, &mut i64); 7] {
        [
            ("copy_given_out", &mut self.copy_given_out),
            ("verification_begun", &mut self.verification_begun),
            ("verified_below", &mut self.verified_below),
            ("verify_level", &mut self.verify_level),
            ("verified_nodes", &mut self.verified.nodes),
            ("verified_bytes_read", &mut self.verified.bytes_read),
            ("verified_differences", &mut self.verified.differences),
        ]
    }

    /// As they are before a verification: nothing has been looked at.
    pub(crate) fn without_verification(self) -> Marks {
        Marks { copy_given_out: self.copy_given_out, ..Marks::default() }
    }

    /// Those of the last commit.
    pub(crate) fn read(connection: &Connection) -> Result<Marks> {
        let mut marks = Marks::default();
        for (name, mark) in marks.by_name() {
            *mark = connection
                .prepare_cached("SELECT coalesce(max(value), 0) FROM stats WHERE name = ?")?
                .query_row(params![name], |row| row.get(0))?;
        }
        Ok(marks)
    }

    /// Writes them, and whose they are, inside the transaction that is open.
    pub(crate) fn write(mut self, connection: &Connection) -> Result<()> {
        let rows = self.by_name().map(|(name, mark)| format!("('{name}', {mark})")).join(", ");
        Ok(connection.execute_batch(&format!(
            "DELETE FROM stats;
             INSERT INTO stats
             SELECT 'created_ns', created_ns
             FROM migration
             UNION ALL
             VALUES {rows}"
        ))?)
    }
}
