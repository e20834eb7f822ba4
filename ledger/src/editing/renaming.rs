//! Accepting other names for what the destination would refuse or fold, and taking them back.

use duckdb::params;
use longhaul_model::CopyStatus;
use longhaul_naming::{Broken, RuleSet};

use super::Editor;
use crate::approval::revoke;
use crate::error::{LedgerError, Result};
use crate::linting::{Linted, is_under, lint, require_path};
use crate::sql::{self, quoted};

/// What accepting names, or taking them back, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Renamed {
    /// Nodes whose name on the destination is another one than before.
    pub nodes: u64,
    /// Names that the rules have something against and for which there is no proposal.
    pub without_proposal: u64,
    /// Whether an approval was revoked by it.
    pub revoked: bool,
}

impl Editor {
    /// As [`Reader::lint`](crate::Reader::lint).
    pub fn lint(&self, rules: Option<RuleSet>, under: Option<&str>) -> Result<Linted<'_>> {
        lint(self.connection(), rules, under)
    }

    /// Accepts what is proposed in the place of names that the rules, or those of the destination, have something against,
    /// at a printable path and below it, or anywhere. Copying uses these names from then on.
    pub fn accept_names(self, rules: Option<RuleSet>, under: Option<&str>) -> Result<Renamed> {
        let found = self.lint(rules, under)?.into_table()?;
        let (accepted, without): (i64, i64) = self.connection().query_row(
            &format!(
                "SELECT count(*) FILTER (WHERE name IS NOT NULL), count(*) FILTER (WHERE name IS NULL) FROM {found}"
            ),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if accepted == 0 {
            return Ok(Renamed { nodes: 0, without_proposal: without.unsigned_abs(), revoked: false });
        }
        // Only the sets of rules that occur: there are few of them, and as many as there are rules could be 2^16.
        let sets: Vec<u16> = {
            let mut statement =
                self.connection().prepare(&format!("SELECT DISTINCT rules FROM {found} ORDER BY ALL"))?;
            statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?
        };
        let words = sets.into_iter().map(|bits| format!("({bits}, {})", quoted(&Broken::from_bits(bits).to_string())));
        let words = words.collect::<Vec<_>>().join(", ");
        self.in_run("lint --accept", |writer| {
            writer
                .connection
                .execute_batch(&format!("DELETE FROM renames WHERE src_id IN (SELECT id FROM {found})"))?;
            writer.connection.execute(
                &format!(
                    "INSERT INTO renames
                     SELECT n.id, n.parent_id, n.name, s.name, w.words, ?, ?
                     FROM {found} s
                     JOIN src_nodes n ON n.id = s.id
                     JOIN (VALUES {words}) w (bits, words) ON w.bits = s.rules
                     WHERE s.name IS NOT NULL
                     ORDER BY n.id"
                ),
                params![writer.run, (writer.now_ns)()],
            )?;
            found.drop(&writer.connection)?;
            let revoked = revoke(writer)?;
            Ok(Renamed { nodes: accepted.unsigned_abs(), without_proposal: without.unsigned_abs(), revoked })
        })
    }

    /// Takes accepted names back that copying has not used yet, at a printable path and below it, or anywhere.
    pub fn forget_names(self, under: Option<&str>) -> Result<Renamed> {
        let under = under.map(|path| require_path(self.connection(), path)).transpose()?;
        self.in_run("lint --reset", |writer| {
            let forgotten = writer.connection.execute(
                &format!(
                    "DELETE FROM renames
                     WHERE src_id IN (
                       SELECT id
                       FROM (
                         SELECT r.src_id AS id, {path} AS path
                         FROM renames r
                         JOIN src_folders f ON f.id = r.parent_id
                         LEFT JOIN src_current c ON c.id = r.src_id
                         WHERE NOT coalesce({is_there}, false)
                       )
                       WHERE {is_under}
                     )",
                    path = sql::child_path("r.parent_id", "f.path", "r.was"),
                    is_there = sql::is_status("c.copy_status", CopyStatus::is_on_destination),
                    is_under = is_under(),
                ),
                params![under],
            )?;
            if forgotten == 0 {
                return Err(LedgerError::NothingToChange("no accepted name there can be taken back".to_owned()));
            }
            let revoked = revoke(writer)?;
            Ok(Renamed { nodes: forgotten as u64, without_proposal: 0, revoked })
        })
    }
}
