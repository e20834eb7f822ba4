//! Deciding conflicts: what a person says is done instead of nothing.

use duckdb::params;

use super::exclusion::cover_changing;
use super::selection::Selection;
use super::{Changed, Editor, change_statuses, revoke};
use crate::error::{LedgerError, Result};

/// What is done about a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The source's replaces the destination's.
    Overwrite,
    /// The source's gets another name beside it.
    KeepBoth,
    /// The destination's stays, and the source's is not copied.
    Skip,
}

impl Decision {
    /// The word used in reasons and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Decision::Overwrite => "overwrite",
            Decision::KeepBoth => "keep-both",
            Decision::Skip => "skip",
        }
    }

    /// The action of the plan, as the ledger calls it.
    const fn action(self) -> &'static str {
        match self {
            Decision::Overwrite => "overwrite",
            Decision::KeepBoth => "keep_both",
            Decision::Skip => "skip",
        }
    }
}

/// Puts what was decided into the plan, for those in the table that `{decided}` names.
fn change_plan(decided: &str) -> String {
    format!(
        "UPDATE plan
         SET
           action = CASE WHEN d.action = 'overwrite' AND d.kind = 'symlink' THEN 'make_link' ELSE d.action END,
           reason = 'decided: ' || replace(d.action::VARCHAR, '_', '-')
         FROM (
           SELECT s.src_id, s.action, n.kind
           FROM {decided} s
           JOIN src_nodes n ON n.id = s.src_id
         ) d
         WHERE d.src_id = plan.src_id"
    )
}

impl Editor {
    /// Decides the conflicts among the chosen nodes and below them. Where another kind of thing has a node's place, it can
    /// only be skipped.
    pub fn decide(self, selection: &Selection, decision: Decision) -> Result<Changed> {
        selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("decide", |recorder| {
            let connection = &recorder.connection;
            connection.execute_batch(
                "CREATE OR REPLACE TEMP TABLE deciding AS
                 WITH RECURSIVE below AS (
                   FROM selected
                   UNION
                   SELECT n.id
                   FROM below
                   JOIN src_nodes n ON n.parent_id = below.id
                 )
                 SELECT b.id, p.dst_id
                 FROM below b
                 JOIN src_current c ON c.id = b.id AND c.copy_status = 'conflict'
                 JOIN plan p ON p.src_id = b.id",
            )?;
            let (conflicts, of_other_kinds): (i64, i64) = connection.query_row(
                "SELECT count(*), count(*) FILTER (WHERE dst_id IS NULL) FROM deciding",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if conflicts == 0 {
                return Err(LedgerError::NothingToChange("there is no conflict to be decided".to_owned()));
            }
            if decision != Decision::Skip && of_other_kinds > 0 {
                return Err(LedgerError::NothingToChange(format!(
                    "of {conflicts} conflicts {of_other_kinds} are with another kind of thing, or are in a folder whose place is \
                     taken by one, which can only be skipped"
                )));
            }
            let (run, now_ns) = (recorder.run, (recorder.now_ns)());
            connection.execute("DELETE FROM decisions WHERE src_id IN (SELECT id FROM deciding)", [])?;
            connection.execute(
                "INSERT INTO decisions
                 SELECT id, ?::plan_action, ?, ?
                 FROM deciding",
                params![decision.action(), run, now_ns],
            )?;
            connection.execute_batch(&change_plan(
                "(SELECT src_id, action FROM decisions WHERE src_id IN (SELECT id FROM deciding))",
            ))?;
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE changing AS
                 SELECT id, 'conflict'::copy_status AS was, ?::copy_status AS becomes, ?::VARCHAR AS reason
                 FROM deciding",
                match decision {
                    Decision::Skip => params!["skipped", Some("decided: skip")],
                    Decision::Overwrite | Decision::KeepBoth => params!["pending", None::<&str>],
                },
            )?;
            cover_changing(connection)?;
            let mut changed = change_statuses(recorder)?;
            changed.revoked = revoke(recorder)?;
            Ok(changed)
        })
    }
}
