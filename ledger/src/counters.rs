//! Counters by depth: kept in memory by the code that appends, written in the same transaction, and equal to what a
//! recount from the nodes, matches and events gives.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use duckdb::{Connection, params};
use longhaul_model::{BySide, CopyStatus, NodeKind, Side};

use crate::error::Result;
use crate::marks::Marks;

/// What there is on one level of one side, or on several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Folders, the root among them.
    pub folders: i64,
    /// Regular files.
    pub files: i64,
    /// Symbolic links.
    pub symlinks: i64,
    /// Sockets, devices, FIFOs, mount points.
    pub others: i64,
    /// Bytes of the files.
    pub bytes: i64,
    /// Folders that were listed to their end.
    pub folders_listed: i64,
    /// Folders that could not be listed.
    pub folders_failed: i64,
    /// Source: nodes that the destination has already.
    pub already_existed: i64,
    /// Source: bytes of the files among them.
    pub already_existed_bytes: i64,
    /// Source: nodes that need a decision.
    pub conflicts: i64,
    /// Source: bytes of the files among them.
    pub conflict_bytes: i64,
    /// Source: nodes that are never to be copied.
    pub skipped: i64,
    /// Source: bytes of the files among them.
    pub skipped_bytes: i64,
    /// Source: nodes that were brought to the destination.
    pub copied: i64,
    /// Source: bytes of the files among them, as the listing said.
    pub copied_bytes: i64,
    /// Source: nodes that could not be brought to the destination.
    pub copy_failed: i64,
    /// Source: bytes of the files among them.
    pub copy_failed_bytes: i64,
    /// Source: nodes that were gone when their turn came.
    pub vanished: i64,
    /// Source: bytes of the files among them.
    pub vanished_bytes: i64,
    /// Source: nodes that somebody has excluded, or a folder above them.
    pub excluded: i64,
    /// Source: bytes of the files among them.
    pub excluded_bytes: i64,
    /// Destination: nodes that the source does not have.
    pub not_on_src: i64,
    /// Destination: bytes of the files among them.
    pub not_on_src_bytes: i64,
    /// Destination: folders among them.
    pub not_on_src_folders: i64,
}

const FIELDS: usize = 24;

impl Counters {
    /// All nodes, the root among them.
    pub fn nodes(&self) -> i64 {
        self.folders + self.files + self.symlinks + self.others
    }

    /// Source: nodes that have to be brought to the destination.
    pub fn copy_pending(&self) -> i64 {
        self.nodes()
            - self.already_existed
            - self.conflicts
            - self.skipped
            - self.copied
            - self.copy_failed
            - self.vanished
            - self.excluded
    }

    /// Source: bytes of the files among them.
    pub fn copy_pending_bytes(&self) -> i64 {
        self.bytes
            - self.already_existed_bytes
            - self.conflict_bytes
            - self.skipped_bytes
            - self.copied_bytes
            - self.copy_failed_bytes
            - self.vanished_bytes
            - self.excluded_bytes
    }

    /// Folders that are still to be listed.
    pub fn folders_pending(&self) -> i64 {
        self.folders - self.not_on_src_folders - self.folders_listed - self.folders_failed
    }

    pub(crate) fn count_node(&mut self, kind: NodeKind, size: Option<i64>) {
        match kind {
            NodeKind::Folder => self.folders += 1,
            NodeKind::File => {
                self.files += 1;
                self.bytes += size.unwrap_or(0);
            }
            NodeKind::Symlink => self.symlinks += 1,
            NodeKind::Other => self.others += 1,
        }
    }

    /// Counts a source node whose copy status is not `pending` any more.
    pub(crate) fn count_copy_status(&mut self, status: CopyStatus, kind: NodeKind, size: Option<i64>) {
        let bytes = if kind == NodeKind::File { size.unwrap_or(0) } else { 0 };
        self.count_copy_statuses(status, 1, bytes);
    }

    /// Counts so many of them, with so many bytes of files among them.
    pub(crate) fn count_copy_statuses(&mut self, status: CopyStatus, nodes: i64, bytes: i64) {
        let (counted, counted_bytes) = match status {
            CopyStatus::AlreadyExisted => (&mut self.already_existed, &mut self.already_existed_bytes),
            CopyStatus::Conflict => (&mut self.conflicts, &mut self.conflict_bytes),
            CopyStatus::Skipped => (&mut self.skipped, &mut self.skipped_bytes),
            CopyStatus::Successful => (&mut self.copied, &mut self.copied_bytes),
            CopyStatus::Failed => (&mut self.copy_failed, &mut self.copy_failed_bytes),
            CopyStatus::Vanished => (&mut self.vanished, &mut self.vanished_bytes),
            CopyStatus::ExcludedExplicit | CopyStatus::ExcludedInherited => {
                (&mut self.excluded, &mut self.excluded_bytes)
            }
            CopyStatus::Pending => return,
        };
        *counted += nodes;
        *counted_bytes += bytes;
    }

    pub(crate) fn count_not_on_src(&mut self, kind: NodeKind, size: Option<i64>) {
        self.not_on_src += 1;
        match kind {
            NodeKind::Folder => self.not_on_src_folders += 1,
            NodeKind::File => self.not_on_src_bytes += size.unwrap_or(0),
            NodeKind::Symlink | NodeKind::Other => {}
        }
    }

    /// In the order of the columns of `src_stats`.
    fn to_array(self) -> [i64; FIELDS] {
        [
            self.folders,
            self.files,
            self.symlinks,
            self.others,
            self.bytes,
            self.folders_listed,
            self.folders_failed,
            self.already_existed,
            self.already_existed_bytes,
            self.conflicts,
            self.conflict_bytes,
            self.skipped,
            self.skipped_bytes,
            self.copied,
            self.copied_bytes,
            self.copy_failed,
            self.copy_failed_bytes,
            self.vanished,
            self.vanished_bytes,
            self.excluded,
            self.excluded_bytes,
            self.not_on_src,
            self.not_on_src_bytes,
            self.not_on_src_folders,
        ]
    }

    fn from_array(values: [i64; FIELDS]) -> Self {
        let [
            folders,
            files,
            symlinks,
            others,
            bytes,
            folders_listed,
            folders_failed,
            already_existed,
            already_existed_bytes,
            conflicts,
            conflict_bytes,
            skipped,
            skipped_bytes,
            copied,
            copied_bytes,
            copy_failed,
            copy_failed_bytes,
            vanished,
            vanished_bytes,
            excluded,
            excluded_bytes,
            not_on_src,
            not_on_src_bytes,
            not_on_src_folders,
        ] = values;
        Counters {
            folders,
            files,
            symlinks,
            others,
            bytes,
            folders_listed,
            folders_failed,
            already_existed,
            already_existed_bytes,
            conflicts,
            conflict_bytes,
            skipped,
            skipped_bytes,
            copied,
            copied_bytes,
            copy_failed,
            copy_failed_bytes,
            vanished,
            vanished_bytes,
            excluded,
            excluded_bytes,
            not_on_src,
            not_on_src_bytes,
            not_on_src_folders,
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        let mut sum = self.to_array();
        for (mine, theirs) in sum.iter_mut().zip(other.to_array()) {
            *mine += theirs;
        }
        *self = Counters::from_array(sum);
    }
}

/// The counters of both sides, by depth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepthCounters {
    by_depth: BySide<BTreeMap<i32, Counters>>,
}

impl DepthCounters {
    /// One level of one side.
    pub fn at(&self, side: Side, depth: i32) -> Counters {
        self.by_depth[side].get(&depth).copied().unwrap_or_default()
    }

    /// Every level of one side that has nodes, the root's first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (i32, Counters)> {
        self.by_depth[side].iter().map(|(&depth, &counters)| (depth, counters))
    }

    /// The whole of each side.
    pub fn totals(&self) -> BySide<Counters> {
        BySide::from_fn(|side| {
            let mut total = Counters::default();
            self.by_depth[side].values().for_each(|&level| total += level);
            total
        })
    }

    /// Reads what was written with the last commit.
    pub fn read(connection: &Connection) -> Result<Self> {
        Self::select(connection, |side| format!("SELECT * FROM {}_stats ORDER BY depth", side.prefix()))
    }

    /// Counts again, from the nodes, matches and events.
    pub fn recount(connection: &Connection) -> Result<Self> {
        Self::select(connection, |side| match side {
            Side::Source => "SELECT
                  depth,
                  count(*) FILTER (WHERE kind = 'folder'),
                  count(*) FILTER (WHERE kind = 'file'),
                  count(*) FILTER (WHERE kind = 'symlink'),
                  count(*) FILTER (WHERE kind = 'other'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file'), 0)::BIGINT,
                  count(*) FILTER (WHERE kind = 'folder' AND traversal_status = 'successful'),
                  count(*) FILTER (WHERE kind = 'folder' AND traversal_status = 'failed'),
                  count(*) FILTER (WHERE copy_status = 'already_existed'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'already_existed'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status = 'conflict'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'conflict'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status = 'skipped'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'skipped'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status = 'successful'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'successful'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status = 'failed'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'failed'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status = 'vanished'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND copy_status = 'vanished'), 0)::BIGINT,
                  count(*) FILTER (WHERE copy_status IN ('excluded_explicit', 'excluded_inherited')),
                  coalesce(sum(size) FILTER (
                    WHERE kind = 'file' AND copy_status IN ('excluded_explicit', 'excluded_inherited')
                  ), 0)::BIGINT,
                  0::BIGINT,
                  0::BIGINT,
                  0::BIGINT
                FROM src_status
                GROUP BY depth
                ORDER BY depth"
                .to_owned(),
            Side::Destination => "SELECT
                  depth,
                  count(*) FILTER (WHERE kind = 'folder'),
                  count(*) FILTER (WHERE kind = 'file'),
                  count(*) FILTER (WHERE kind = 'symlink'),
                  count(*) FILTER (WHERE kind = 'other'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file'), 0)::BIGINT,
                  count(*) FILTER (WHERE kind = 'folder' AND traversal_status = 'successful'),
                  count(*) FILTER (WHERE kind = 'folder' AND traversal_status = 'failed'),
                  0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT,
                  0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT, 0::BIGINT,
                  count(*) FILTER (WHERE traversal_status = 'not_on_src'),
                  coalesce(sum(size) FILTER (WHERE kind = 'file' AND traversal_status = 'not_on_src'), 0)::BIGINT,
                  count(*) FILTER (WHERE kind = 'folder' AND traversal_status = 'not_on_src')
                FROM dst_status
                GROUP BY depth
                ORDER BY depth"
                .to_owned(),
        })
    }

    /// Writes all of them in the place of what was written, inside the transaction that is open.
    pub(crate) fn replace(self, connection: &Connection) -> Result<()> {
        for side in Side::BOTH {
            connection.execute(&format!("DELETE FROM {}_stats", side.prefix()), [])?;
        }
        let changed = BySide::from_fn(|side| self.by_depth[side].keys().copied().collect());
        CountersToWrite { counters: self, changed, marks: Marks::read(connection)? }.write(connection)
    }

    fn select(connection: &Connection, sql: impl Fn(Side) -> String) -> Result<Self> {
        let mut counters = DepthCounters::default();
        for side in Side::BOTH {
            let mut statement = connection.prepare(&sql(side))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut values = [0; FIELDS];
                for (index, value) in values.iter_mut().enumerate() {
                    *value = row.get(index + 1)?;
                }
                counters.by_depth[side].insert(row.get(0)?, Counters::from_array(values));
            }
        }
        Ok(counters)
    }
}

/// Counters that remember which of them have to be written.
#[derive(Debug, Default)]
pub(crate) struct CountersToWrite {
    counters: DepthCounters,
    changed: BySide<BTreeSet<i32>>,
    pub(crate) marks: Marks,
}

impl CountersToWrite {
    /// Goes on with what was written with the last commit.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let counters = DepthCounters::read(connection)?;
        Ok(CountersToWrite { counters, changed: BySide::default(), marks: Marks::read(connection)? })
    }

    pub(crate) fn get(&self) -> &DepthCounters {
        &self.counters
    }

    pub(crate) fn change(&mut self, side: Side, depth: i32) -> &mut Counters {
        self.changed[side].insert(depth);
        self.counters.by_depth[side].entry(depth).or_default()
    }

    /// Writes the levels that changed, and whose they are, inside the transaction that is open.
    pub(crate) fn write(&mut self, connection: &Connection) -> Result<()> {
        self.marks.write(connection)?;
        for side in Side::BOTH {
            let changed = std::mem::take(&mut self.changed[side]);
            let (Some(&first), Some(&last)) = (changed.first(), changed.last()) else { continue };
            // The levels that change together are neighbours, so a range is few more than needed.
            connection.execute(
                &format!("DELETE FROM {}_stats WHERE depth BETWEEN ? AND ?", side.prefix()),
                params![first, last],
            )?;
            let mut appender = connection.appender(&format!("{}_stats", side.prefix()))?;
            for (&depth, counters) in self.counters.by_depth[side].range(first..=last) {
                let row: Vec<i64> = std::iter::once(i64::from(depth)).chain(counters.to_array()).collect();
                appender.append_row(duckdb::appender_params_from_iter(row))?;
            }
            appender.flush()?;
        }
        Ok(())
    }
}
