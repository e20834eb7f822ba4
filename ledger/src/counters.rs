//! Counters by depth: kept in memory by the code that appends, written in the same transaction, and equal to what a
//! recount from the nodes, matches and events gives.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use duckdb::{Connection, params};
use longhaul_model::{BySide, CopyStatus, NodeKind, Side, TraversalStatus};

use crate::codes::{copy_status as copy_status_called, node_kind, traversal_status};
use crate::error::Result;
use crate::marks::Marks;

/// Defines the counters once: the fields, their names in the order of the columns of `src_stats`, and the way between them.
macro_rules! counters {
    ($($(#[$comment:meta])* $name:ident,)*) => {
        /// What there is on one level of one side, or on several of them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct Counters {
            $($(#[$comment])* pub $name: i64,)*
        }

        const FIELDS: usize = [$(stringify!($name)),*].len();

        impl Counters {
            /// The columns of `src_stats` and `dst_stats` behind `depth`.
            pub(crate) const NAMES: [&str; FIELDS] = [$(stringify!($name)),*];

            fn to_array(self) -> [i64; FIELDS] {
                [$(self.$name),*]
            }

            fn from_array(values: [i64; FIELDS]) -> Self {
                let [$($name),*] = values;
                Counters { $($name),* }
            }
        }
    };
}

counters! {
    /// Folders, the root among them.
    folders,
    /// Regular files.
    files,
    /// Symbolic links.
    symlinks,
    /// Sockets, devices, FIFOs, mount points.
    others,
    /// Bytes of the files.
    bytes,
    /// Folders that were listed to their end.
    folders_listed,
    /// Folders that could not be listed.
    folders_failed,
    /// Source: nodes that the destination has already.
    already_existed,
    /// Source: bytes of the files among them.
    already_existed_bytes,
    /// Source: nodes that need a decision.
    conflicts,
    /// Source: bytes of the files among them.
    conflict_bytes,
    /// Source: nodes that are never to be copied.
    skipped,
    /// Source: bytes of the files among them.
    skipped_bytes,
    /// Source: nodes that were copied.
    copied,
    /// Source: bytes of the files among them, as the listing said.
    copied_bytes,
    /// Source: nodes that could not be copied.
    copy_failed,
    /// Source: bytes of the files among them.
    copy_failed_bytes,
    /// Source: nodes that were gone when their turn came.
    vanished,
    /// Source: bytes of the files among them.
    vanished_bytes,
    /// Source: nodes that were excluded, or a folder above them.
    excluded,
    /// Source: bytes of the files among them.
    excluded_bytes,
    /// Destination: nodes that the source does not have.
    not_on_src,
    /// Destination: bytes of the files among them.
    not_on_src_bytes,
    /// Destination: folders among them.
    not_on_src_folders,
}

impl Counters {
    /// All nodes, the root among them.
    pub fn nodes(&self) -> i64 {
        self.folders + self.files + self.symlinks + self.others
    }

    /// Source: nodes that are still to be copied.
    pub fn copy_pending(&self) -> i64 {
        self.nodes() - self.settled().0
    }

    /// Source: bytes of the files among them.
    pub fn copy_pending_bytes(&self) -> i64 {
        self.bytes - self.settled().1
    }

    /// Nodes that are not pending, and bytes of the files among them.
    fn settled(mut self) -> (i64, i64) {
        let (mut nodes, mut bytes) = (0, 0);
        for status in CopyStatus::ALL {
            // Taken out, because two statuses may share a counter.
            if let Some((of_status, of_status_bytes)) = self.of_status(status) {
                nodes += std::mem::take(of_status);
                bytes += std::mem::take(of_status_bytes);
            }
        }
        (nodes, bytes)
    }

    /// Folders that are still to be listed.
    pub fn folders_pending(&self) -> i64 {
        self.folders - self.not_on_src_folders - self.folders_listed - self.folders_failed
    }

    /// Counts nodes of one kind with the same statuses.
    fn recount_nodes(
        &mut self,
        kind: NodeKind,
        traversal: TraversalStatus,
        copy: Option<CopyStatus>,
        nodes: i64,
        bytes: i64,
    ) {
        let is_folder = kind == NodeKind::Folder;
        match kind {
            NodeKind::Folder => self.folders += nodes,
            NodeKind::File => self.files += nodes,
            NodeKind::Symlink => self.symlinks += nodes,
            NodeKind::Other => self.others += nodes,
        }
        self.bytes += bytes;
        match traversal {
            TraversalStatus::Successful if is_folder => self.folders_listed += nodes,
            TraversalStatus::Failed if is_folder => self.folders_failed += nodes,
            TraversalStatus::NotOnSrc => {
                self.not_on_src += nodes;
                self.not_on_src_bytes += bytes;
                self.not_on_src_folders += if is_folder { nodes } else { 0 };
            }
            TraversalStatus::Pending | TraversalStatus::Successful | TraversalStatus::Failed => {}
        }
        if let Some(status) = copy {
            self.count_copy_statuses(status, nodes, bytes);
        }
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
        if let Some((counted, counted_bytes)) = self.of_status(status) {
            *counted += nodes;
            *counted_bytes += bytes;
        }
    }

    /// Where nodes with this copy status are counted, and the bytes of the files among them; those that are pending are what
    /// is left.
    fn of_status(&mut self, status: CopyStatus) -> Option<(&mut i64, &mut i64)> {
        Some(match status {
            CopyStatus::AlreadyExisted => (&mut self.already_existed, &mut self.already_existed_bytes),
            CopyStatus::Conflict => (&mut self.conflicts, &mut self.conflict_bytes),
            CopyStatus::Skipped => (&mut self.skipped, &mut self.skipped_bytes),
            CopyStatus::Successful => (&mut self.copied, &mut self.copied_bytes),
            CopyStatus::Failed => (&mut self.copy_failed, &mut self.copy_failed_bytes),
            CopyStatus::Vanished => (&mut self.vanished, &mut self.vanished_bytes),
            CopyStatus::ExcludedExplicit | CopyStatus::ExcludedInherited => {
                (&mut self.excluded, &mut self.excluded_bytes)
            }
            CopyStatus::Pending => return None,
        })
    }

    pub(crate) fn count_not_on_src(&mut self, kind: NodeKind, size: Option<i64>) {
        self.not_on_src += 1;
        match kind {
            NodeKind::Folder => self.not_on_src_folders += 1,
            NodeKind::File => self.not_on_src_bytes += size.unwrap_or(0),
            NodeKind::Symlink | NodeKind::Other => {}
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
        let mut counters = DepthCounters::default();
        for side in Side::BOTH {
            let mut statement = connection.prepare(&format!("SELECT * FROM {}_stats ORDER BY depth", side.prefix()))?;
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

    /// Counts again, from the nodes, matches and events.
    pub fn recount(connection: &Connection) -> Result<Self> {
        let mut counters = DepthCounters::default();
        for side in Side::BOTH {
            let copy_status = match side {
                Side::Source => "copy_status::VARCHAR",
                Side::Destination => "NULL",
            };
            let mut statement = connection.prepare(&format!(
                "SELECT depth, kind::VARCHAR, traversal_status::VARCHAR, {copy_status}, count(*),
                   coalesce(sum(size), 0)::BIGINT
                 FROM {}_status
                 GROUP BY ALL",
                side.prefix()
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let kind = node_kind(&row.get::<_, String>(1)?)?;
                let traversal = traversal_status(&row.get::<_, String>(2)?)?;
                let copy = row.get::<_, Option<String>>(3)?.map(|word| copy_status_called(&word)).transpose()?;
                let (nodes, bytes) = (row.get(4)?, row.get(5)?);
                let level = counters.by_depth[side].entry(row.get(0)?).or_default();
                level.recount_nodes(kind, traversal, copy, nodes, if kind == NodeKind::File { bytes } else { 0 });
            }
        }
        Ok(counters)
    }

    /// Writes all of them in the place of what was written, inside the transaction that is open.
    pub(crate) fn replace(self, connection: &Connection) -> Result<()> {
        for side in Side::BOTH {
            connection.execute(&format!("DELETE FROM {}_stats", side.prefix()), [])?;
        }
        let changed = BySide::from_fn(|side| self.by_depth[side].keys().copied().collect());
        CountersToWrite { counters: self, changed, marks: Marks::read(connection)? }.write(connection)
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
