//! Marks for retry, and what a sweep begins with.
//!
//! A mark changes nothing but itself, so that it can be taken away again. The sweep turns marks into work: a folder that
//! is marked is listed again, with everything below it, on both sides; an item whose copy failed is pending again.

use duckdb::{Connection, params};
use longhaul_model::{CopyChange, CopyStatus, Phase, PlanAction, Side, TraversalStatus};

use super::Editor;
use super::selection::{Selection, below, select_root};
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
use crate::temp::TempTable;
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

/// What there is to be marked.
struct ToMark {
    /// Nodes `(id, phase, reason)`.
    nodes: TempTable,
    /// The folders `(id)` among them that are there because something in them is in conflict.
    of_conflicts: Option<TempTable>,
}

/// The folders that are marked to be listed again.
fn marked_folders() -> String {
    format!("SELECT DISTINCT node_id AS id FROM marks WHERE phase = '{}'", Phase::Traversing)
}

impl Editor {
    /// Marks the chosen folders, each of which is listed again in any case with all that is below it; and what could not be
    /// copied, among the chosen nodes and below them. Where a chosen node is in conflict, it is the folder that it is in that
    /// has to be listed again, and is marked.
    pub fn mark_retry(self, selection: &Selection) -> Result<Marking> {
        let selected = selection.select(self.connection(), (self.now_ns)())?;
        self.mark(|connection| {
            let failed = find_failed(connection, &selected)?;
            // With a chosen folder everything below it is listed again.
            connection.execute_batch(&format!(
                "DELETE FROM {failed}
                 WHERE phase = '{traversing}' AND id NOT IN (FROM {selected});

                 INSERT INTO {failed}
                 SELECT s.id, '{traversing}', NULL
                 FROM (SELECT DISTINCT id FROM {selected}) s
                 SEMI JOIN src_folders f ON f.id = s.id
                 WHERE s.id NOT IN (SELECT id FROM {failed} WHERE phase = '{traversing}')",
                traversing = Phase::Traversing
            ))?;
            let above = find_conflicts_above(connection, &selected)?;
            let of_conflicts = add_folders_of_conflicts(connection, &above, &failed)?;
            if let Selection::Paths(paths) = selection {
                refuse_without_failure(connection, paths, &selected, &failed, &above)?;
            }
            above.drop(connection)?;
            selected.drop(connection)?;
            Ok(ToMark { nodes: failed, of_conflicts: Some(of_conflicts) })
        })
    }

    /// Marks what failed, and nothing else: folders that could not be listed, and what could not be copied. Everywhere, or
    /// at the printable path `under` of the source and below it.
    pub fn mark_failed(self, under: Option<&str>) -> Result<Marked> {
        // The root may be named here: everything is below it.
        let selected = match under.filter(|path| !path.trim_matches('/').is_empty()) {
            Some(path) => Selection::Paths(vec![path.to_owned()]).select(self.connection(), (self.now_ns)())?,
            None => select_root(self.connection())?,
        };
        self.mark(|connection| {
            let failed = find_failed(connection, &selected)?;
            selected.drop(connection)?;
            Ok(ToMark { nodes: failed, of_conflicts: None })
        })
        .map(|marking| marking.marked)
    }

    /// Marks what `find` finds.
    fn mark(self, find: impl FnOnce(&Connection) -> Result<ToMark>) -> Result<Marking> {
        self.in_run("mark-retry", |writer| {
            let connection = &writer.connection;
            let ToMark { nodes, of_conflicts } = find(connection)?;
            if nodes.count(connection)? == 0 {
                return Err(LedgerError::NothingToChange("nothing has failed there".to_owned()));
            }
            connection.execute(
                &format!(
                    "INSERT INTO marks
                     SELECT '{src}', f.id, f.phase, f.reason, ?, ?
                     FROM {nodes} f
                     ANTI JOIN marks m ON m.node_id = f.id AND m.phase = f.phase",
                    src = Side::Source.prefix()
                ),
                params![writer.run, (writer.now_ns)()],
            )?;
            nodes.drop(connection)?;
            let folders_of_conflicts = match of_conflicts {
                Some(of_conflicts) => paths_of(connection, of_conflicts)?,
                None => Vec::new(),
            };
            Ok(Marking { marked: marked(connection)?, folders_of_conflicts })
        })
    }

    /// Takes away the marks of the chosen nodes and those below them, or all of them. Returns what is still marked.
    pub fn unmark(self, selection: Option<&Selection>) -> Result<Marked> {
        let connection = self.connection();
        let selected = match selection {
            Some(selection) => selection.select(connection, (self.now_ns)())?,
            None => select_root(connection)?,
        };
        self.in_run("unmark", |writer| {
            let removed = writer
                .connection
                .execute(&format!("DELETE FROM marks WHERE node_id IN ({} FROM below)", below(&selected)), [])?;
            if removed == 0 {
                return Err(LedgerError::NothingToChange("nothing is marked there".to_owned()));
            }
            selected.drop(&writer.connection)?;
            marked(&writer.connection)
        })
    }
}

/// The printable paths of source folders.
fn paths_of(connection: &Connection, folders: TempTable) -> Result<Vec<String>> {
    let mut statement = connection.prepare(&format!(
        "SELECT path
         FROM src_folders
         SEMI JOIN {folders} USING (id)
         ORDER BY path"
    ))?;
    let paths = statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?;
    folders.drop(connection)?;
    Ok(paths)
}

/// Returns what failed among the nodes in `selected` and below them, as a temporary table `(id, phase, reason)`.
fn find_failed(connection: &Connection, selected: &TempTable) -> Result<TempTable> {
    let failed = format!(
        "{below}
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
        below = below(selected),
        traversing = Phase::Traversing,
        copying = Phase::Copying,
        not_listed = TraversalStatus::Failed,
        not_copied = CopyStatus::Failed,
        conflict = CopyStatus::Conflict,
        no_action = PlanAction::Conflict,
    );
    TempTable::of(connection, "failed", &failed)
}

/// Returns those of the selected nodes that were in conflict when the plan was made, and the folders above them that are, as
/// a temporary table `(id, parent_id, copy_error)`. One that is in a folder in conflict is so because of that one.
fn find_conflicts_above(connection: &Connection, selected: &TempTable) -> Result<TempTable> {
    let above = format!(
        "WITH RECURSIVE up AS (
           SELECT n.id, n.parent_id, c.copy_error
           FROM (SELECT DISTINCT id FROM {selected}) s
           JOIN src_nodes n ON n.id = s.id
           JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
           SEMI JOIN (FROM plan WHERE action = '{no_action}') p ON p.src_id = n.id
           UNION
           SELECT n.id, n.parent_id, c.copy_error
           FROM up
           JOIN src_nodes n ON n.id = up.parent_id
           JOIN src_current c ON c.id = n.id AND c.copy_status = '{conflict}'
         )
         FROM up",
        conflict = CopyStatus::Conflict,
        no_action = PlanAction::Conflict,
    );
    TempTable::of(connection, "conflicts_above", &above)
}

/// Adds the folders to `failed` that the topmost of these conflicts are in: whether they still are conflicts is seen where
/// their folder is listed. Returns these folders as a temporary table `(id)`.
fn add_folders_of_conflicts(connection: &Connection, above: &TempTable, failed: &TempTable) -> Result<TempTable> {
    let folders = TempTable::of(
        connection,
        "of_conflicts",
        &format!(
            "SELECT DISTINCT parent_id AS id
             FROM {above}
             WHERE parent_id NOT IN (SELECT id FROM {above})"
        ),
    )?;
    connection.execute_batch(&format!(
        "-- With its folder it is listed again itself.
         DELETE FROM {failed}
         WHERE phase = '{traversing}'
           AND (id IN (SELECT id FROM {above}) OR id IN (FROM {folders}));

         INSERT INTO {failed}
         SELECT o.id, '{traversing}', min(c.copy_error)
         FROM {folders} o
         JOIN {above} c ON c.parent_id = o.id
         GROUP BY o.id",
        traversing = Phase::Traversing,
    ))?;
    Ok(folders)
}

/// That something is found of each of these paths, of which `selected` has the nodes.
fn refuse_without_failure(
    connection: &Connection,
    paths: &[String],
    selected: &TempTable,
    failed: &TempTable,
    above: &TempTable,
) -> Result<()> {
    let wrong: Option<i64> = connection.query_row(
        &format!(
            "SELECT min(rowid)
             FROM {selected}
             WHERE id NOT IN (SELECT id FROM {failed}) AND id NOT IN (SELECT id FROM {above})"
        ),
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
    let changing = TempTable::of(
        &writer.connection,
        "changing",
        &format!(
            "SELECT DISTINCT m.node_id AS id, NULL::VARCHAR AS change, NULL::VARCHAR AS reason
             FROM marks m
             JOIN src_current c ON c.id = m.node_id AND {may_be_retried}
             WHERE m.phase = '{copying}'
             ORDER BY id",
            may_be_retried = sql::is_status("c.copy_status", CopyStatus::may_be_retried),
            copying = Phase::Copying,
        ),
    )?;
    cover_changing(&writer.connection, &changing)?;
    let changed = change_statuses(writer, &changing, CopyChange::MarkedForRetry)?;
    changing.drop(&writer.connection)?;
    let pending = changed.by_status.iter().filter(|change| change.is == CopyStatus::Pending);
    Ok(pending.map(|change| change.nodes).sum())
}
