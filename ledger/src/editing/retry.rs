//! Marks for retry, and what a sweep begins with.
//!
//! A mark changes nothing but itself, so that it can be taken away again. The sweep turns marks into work: a folder that
//! is marked is listed again, with everything below it, on both sides; an item whose copy failed is pending again.

use duckdb::{Connection, params};
use longhaul_model::{CopyChange, CopyStatus, Phase, PlanAction, Side, TraversalStatus};

use super::Editor;
use super::selection::{BELOW, Selection};
use crate::approval::{Approval, is_approved, note_plan, revoke};
use crate::changing::change_statuses;
use crate::copying::{CopyWriter, settle_copying};
use crate::discovery::{DiscoverWriter, ToList};
use crate::error::{LedgerError, Result};
use crate::exclusions::cover_changing;
use crate::idle::{BegunCopy, Discovered};
use crate::migration::{CopySettings, Migration, set_phase};
use crate::retry_marks::{Marked, marked};
use crate::sql;
use crate::sweeping::{Sweep, begin_sweep};
use crate::words::SweepKind;
use crate::writer::Writer;

/// What somebody has marked.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Marking {
    /// What is marked now, all in all.
    #[serde(flatten)]
    pub marked: Marked,
    /// The printable paths of the folders that were marked because something chosen in them is in conflict.
    pub folders_of_conflicts: Vec<String>,
}

/// No folder is marked because of a conflict in it.
const NO_CONFLICTS: &str = "CREATE OR REPLACE TEMP TABLE of_conflicts (id BIGINT)";

/// The folders that are marked to be listed again.
fn marked_folders() -> String {
    format!("SELECT DISTINCT node_id AS id FROM marks WHERE phase = '{}'", Phase::Traversing)
}

impl Editor {
    /// Marks the chosen folders, each of which is listed again in any case with all that is below it; and what could not be
    /// copied, among the chosen nodes and below them. Where a chosen node is in conflict, it is the folder that it is in that
    /// has to be listed again, and is marked.
    pub fn mark_retry(self, selection: &Selection) -> Result<Marking> {
        selection.select(self.connection(), (self.now_ns)())?;
        self.mark(|connection| {
            find_failed(connection)?;
            // With a chosen folder everything below it is listed again.
            connection.execute_batch(&format!(
                "DELETE FROM failed
                 WHERE phase = '{traversing}' AND id NOT IN (FROM selected);

                 INSERT INTO failed
                 SELECT s.id, '{traversing}', NULL
                 FROM (SELECT DISTINCT id FROM selected) s
                 SEMI JOIN src_folders f ON f.id = s.id
                 WHERE s.id NOT IN (SELECT id FROM failed WHERE phase = '{traversing}')",
                traversing = Phase::Traversing
            ))?;
            mark_folders_of_conflicts(connection)?;
            refuse_without_failure(connection, selection)
        })
    }

    /// Marks what failed, and nothing else: folders that could not be listed, and what could not be copied. Everywhere, or
    /// at the printable path `under` of the source and below it.
    pub fn mark_failed(self, under: Option<&str>) -> Result<Marked> {
        select_below_path(&self, under)?;
        self.mark(|connection| {
            find_failed(connection)?;
            Ok(connection.execute_batch(NO_CONFLICTS)?)
        })
        .map(|marking| marking.marked)
    }

    /// Marks what `find` puts into the temporary table `failed (id, phase, reason)`; which of it are folders that conflicts are
    /// in, it puts into `of_conflicts (id)`.
    fn mark(self, find: impl FnOnce(&Connection) -> Result<()>) -> Result<Marking> {
        self.in_run("mark-retry", |writer| {
            let connection = &writer.connection;
            find(connection)?;
            let found: i64 = connection.query_row("SELECT count(*) FROM failed", [], |row| row.get(0))?;
            if found == 0 {
                return Err(LedgerError::NothingToChange("nothing has failed there".to_owned()));
            }
            connection.execute(
                &format!(
                    "INSERT INTO marks
                     SELECT '{src}', f.id, f.phase, f.reason, ?, ?
                     FROM failed f
                     ANTI JOIN marks m ON m.node_id = f.id AND m.phase = f.phase",
                    src = Side::Source.prefix()
                ),
                params![writer.run, (writer.now_ns)()],
            )?;
            let mut statement = connection.prepare(
                "SELECT path
                 FROM src_folders
                 SEMI JOIN of_conflicts USING (id)
                 ORDER BY path",
            )?;
            let folders = statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?;
            Ok(Marking { marked: marked(connection)?, folders_of_conflicts: folders })
        })
    }

    /// Takes away the marks of the chosen nodes and those below them, or all of them. Returns what is still marked.
    pub fn unmark(self, selection: Option<&Selection>) -> Result<Marked> {
        let connection = self.connection();
        match selection {
            Some(selection) => selection.select(connection, (self.now_ns)())?,
            None => connection.execute_batch("CREATE OR REPLACE TEMP TABLE selected AS SELECT 1::BIGINT AS id")?,
        }
        self.in_run("unmark", |writer| {
            let removed =
                writer.connection.execute(&format!("DELETE FROM marks WHERE node_id IN ({BELOW} FROM below)"), [])?;
            if removed == 0 {
                return Err(LedgerError::NothingToChange("nothing is marked there".to_owned()));
            }
            marked(&writer.connection)
        })
    }
}

/// Fills the temporary table `selected (id)` with what there is at a printable path of the source, or with the root.
fn select_below_path(editor: &Editor, path: Option<&str>) -> Result<()> {
    // The root may be named here: everything is below it.
    if let Some(path) = path.filter(|path| !path.trim_matches('/').is_empty()) {
        return Selection::Paths(vec![path.to_owned()]).select(editor.connection(), (editor.now_ns)());
    }
    Ok(editor.connection().execute_batch("CREATE OR REPLACE TEMP TABLE selected AS SELECT 1::BIGINT AS id")?)
}

/// Fills the temporary table `failed (id, phase, reason)` with what failed among the nodes in `selected` and below them.
fn find_failed(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE failed AS
         {BELOW}
         SELECT b.id, '{traversing}'::phase AS phase, c.traversal_error AS reason
         FROM below b
         JOIN src_current c ON c.id = b.id AND c.traversal_status = '{not_listed}'
         UNION ALL
         -- Its counterpart on the source was listed, and could not be told from one that failed.
         SELECT f.src_id, '{traversing}', c.traversal_error
         FROM below b
         JOIN dst_folders f ON f.src_id = b.id
         JOIN dst_current c ON c.id = f.id AND c.traversal_status = '{not_listed}'
         WHERE b.id NOT IN (SELECT id FROM src_current WHERE traversal_status = '{not_listed}')
         UNION ALL
         SELECT b.id, '{copying}', c.copy_error
         FROM below b
         JOIN src_current c ON c.id = b.id AND c.copy_status = '{not_copied}'
         UNION ALL
         -- What has come up since the plan was made: the destination is asked again when it is copied again.
         SELECT b.id, '{copying}', c.copy_error
         FROM below b
         JOIN src_current c ON c.id = b.id AND c.copy_status = '{conflict}'
         JOIN plan p ON p.src_id = b.id AND p.action <> '{no_action}'",
        traversing = Phase::Traversing,
        copying = Phase::Copying,
        not_listed = TraversalStatus::Failed,
        not_copied = CopyStatus::Failed,
        conflict = CopyStatus::Conflict,
        no_action = PlanAction::Conflict,
    ))?)
}

/// Adds to `failed` the folders that those of the chosen nodes are in that were in conflict when the plan was made: whether
/// they still are is seen where their folder is listed. One that is in a folder in conflict is so because of that one.
fn mark_folders_of_conflicts(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE conflicts_above AS
         WITH RECURSIVE up AS (
           SELECT n.id, n.parent_id, c.copy_error
           FROM (SELECT DISTINCT id FROM selected) s
           JOIN src_nodes n ON n.id = s.id
           JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
           SEMI JOIN (FROM plan WHERE action = '{no_action}') p ON p.src_id = n.id
           UNION
           SELECT n.id, n.parent_id, c.copy_error
           FROM up
           JOIN src_nodes n ON n.id = up.parent_id
           JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
         )
         FROM up;

         {NO_CONFLICTS};

         INSERT INTO of_conflicts
         SELECT DISTINCT parent_id
         FROM conflicts_above
         WHERE parent_id NOT IN (SELECT id FROM conflicts_above);

         -- With its folder it is listed again itself.
         DELETE FROM failed
         WHERE phase = '{traversing}'
           AND (id IN (SELECT id FROM conflicts_above) OR id IN (FROM of_conflicts));

         INSERT INTO failed
         SELECT o.id, '{traversing}', min(c.copy_error)
         FROM of_conflicts o
         JOIN conflicts_above c ON c.parent_id = o.id
         GROUP BY o.id",
        conflict = CopyStatus::Conflict,
        no_action = PlanAction::Conflict,
        traversing = Phase::Traversing,
    ))?)
}

/// That there is something to be tried again of each node that somebody has named.
fn refuse_without_failure(connection: &Connection, selection: &Selection) -> Result<()> {
    let Selection::Paths(paths) = selection else { return Ok(()) };
    let wrong: Option<i64> = connection.query_row(
        "SELECT min(rowid)
         FROM selected
         WHERE id NOT IN (SELECT id FROM failed) AND id NOT IN (SELECT id FROM conflicts_above)",
        [],
        |row| row.get(0),
    )?;
    let Some(index) = wrong else { return Ok(()) };
    let path = usize::try_from(index).ok().and_then(|index| paths.get(index)).cloned().unwrap_or_default();
    Err(LedgerError::NothingToChange(format!("nothing has failed at {path}")))
}

/// What a retry has begun with.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Retry {
    /// Folders are to be listed again; the phase is `traversing`.
    Listing(DiscoverWriter, ToList),
    /// What was marked is to be copied, and the plan is approved; the phase is `copying`.
    Copying(CopyWriter, BegunCopy),
    /// What was marked is pending again, and somebody has to approve the plan: there is other work in it than was marked, or
    /// there are open conflicts, and that is not approved. The phase is `review`, and the run has ended.
    ToApprove(Marked),
}

/// As [`Retry`], when it is committed.
pub(super) enum Begun {
    Listing(Sweep),
    Copying(Approval, CopySettings),
    ToApprove(Marked),
}

impl Discovered {
    /// Refuses a ledger in which nothing is marked for retry.
    pub fn require_marks(&self) -> Result<Marked> {
        marked_at_all(&self.connection)
    }

    /// Begins a run that turns the marks into work. `chosen` is how files are copied, as for
    /// [`Approved::copy`](crate::Approved::copy).
    pub fn retry(self, chosen: &CopySettings, now_ns: fn() -> i64) -> Result<Retry> {
        let mut writer = self.begin("retry", now_ns)?;
        Ok(match begin_retry(&mut writer, chosen)? {
            Begun::Listing(sweep) => {
                let (writer, to_list) = DiscoverWriter::begin(writer, Some(sweep))?;
                Retry::Listing(writer, to_list)
            }
            Begun::Copying(approval, settings) => {
                let (writer, remaining) = CopyWriter::begin(writer, &settings)?;
                Retry::Copying(writer, BegunCopy { approval, settings, remaining })
            }
            Begun::ToApprove(marked) => {
                writer.end_change(true)?;
                Retry::ToApprove(marked)
            }
        })
    }
}

/// Turns the marks into work, and commits that together with all that begins with it: so a crash leaves either the marks,
/// or a listing or a copy that can be gone on with. The events must have been folded.
pub(super) fn begin_retry(writer: &mut Writer, chosen: &CopySettings) -> Result<Begun> {
    writer.change_plan(|writer| {
        let marked = marked_at_all(&writer.connection)?;
        let was_approved = is_approved(&writer.connection)?;
        revoke(writer)?;
        let again = if marked.copies > 0 { copy_again(writer)? } else { 0 };
        let sweep = if marked.folders > 0 {
            // Those that are below another one are listed again with it.
            let (sweep, _) = begin_sweep(writer, SweepKind::Retry, &marked_folders())?;
            Some(sweep)
        } else {
            if Migration::read(&writer.connection)?.phase != Phase::Review {
                // From `complete`, or from `suspended`, the way to the copy leads over it.
                set_phase(&writer.connection, Phase::Review, None)?;
            }
            None
        };
        writer.connection.execute_batch("DELETE FROM marks")?;
        if let Some(sweep) = sweep {
            return Ok(Begun::Listing(sweep));
        }
        let totals = writer.counters().totals()[Side::Source];
        assert!(again <= totals.copy_pending(), "what is to be tried again is pending");
        let is_all_that_was_marked = again == totals.copy_pending() && totals.conflicts == 0;
        if !was_approved && !is_all_that_was_marked {
            return Ok(Begun::ToApprove(marked));
        }
        Ok(Begun::Copying(note_plan(writer)?, settle_copying(writer, chosen)?))
    })
}

/// What is marked; nothing is an error.
fn marked_at_all(connection: &Connection) -> Result<Marked> {
    match marked(connection)? {
        none if none == Marked::default() => {
            Err(LedgerError::NothingToChange("nothing is marked for retry".to_owned()))
        }
        marked => Ok(marked),
    }
}

/// Makes what is marked to be copied again pending. Returns how many nodes that are.
fn copy_again(writer: &mut Writer) -> Result<i64> {
    writer.connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE changing AS
             SELECT DISTINCT m.node_id AS id, NULL::VARCHAR AS change, NULL::VARCHAR AS reason
             FROM marks m
             JOIN src_current c ON c.id = m.node_id AND {may_be_retried}
             WHERE m.phase = '{copying}'
             ORDER BY id",
        may_be_retried = sql::is_status("c.copy_status", CopyStatus::may_be_retried),
        copying = Phase::Copying,
    ))?;
    cover_changing(&writer.connection)?;
    let changed = change_statuses(writer, CopyChange::MarkedForRetry)?;
    let pending = changed.by_status.iter().filter(|change| change.is == CopyStatus::Pending);
    Ok(pending.map(|change| change.nodes).sum())
}
