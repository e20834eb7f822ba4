//! What is below the folders of a page, in numbers.
//!
//! For which row a node counts, follows from its parent, and for each folder below the rows that is found out first: then
//! all processors can count, each a range of ids at a time. Statuses are laid beside the nodes by id, which takes a fifth of
//! the time of a join and memory for some ranges only, beside a few bytes for each folder below the rows.

use std::ops::Range;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::{Int64Type, UInt8Type};
use hashbrown::HashMap;
use longhaul_model::{CopyStatus, NodeKind, Side, TraversalStatus};

use super::TreeRow;
use crate::error::Result;
use crate::review::statuses::{Statuses, query};

/// What there is at a path and below it. Bytes are those of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SubtreeTotals {
    /// Nodes of the source.
    pub nodes: i64,
    /// Bytes of the source.
    pub bytes: i64,
    /// Nodes of the source by copy status, in the order of [`CopyStatus::ALL`].
    pub by_copy_status: [i64; CopyStatus::ALL.len()],
    /// Bytes of these.
    pub bytes_by_copy_status: [i64; CopyStatus::ALL.len()],
    /// Folders of the source that are still to be listed.
    pub unlisted: i64,
    /// Folders of the source that could not be listed.
    pub unlistable: i64,
    /// Nodes of the destination.
    pub dst_nodes: i64,
    /// Bytes of the destination.
    pub dst_bytes: i64,
    /// Nodes that only the destination has.
    pub not_on_src: i64,
    /// Bytes of these.
    pub not_on_src_bytes: i64,
}

impl SubtreeTotals {
    /// Nodes of the source with this copy status.
    pub fn with(&self, status: CopyStatus) -> i64 {
        self.by_copy_status[status as usize]
    }

    fn add(&mut self, other: &SubtreeTotals) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
        for status in 0..CopyStatus::ALL.len() {
            self.by_copy_status[status] += other.by_copy_status[status];
            self.bytes_by_copy_status[status] += other.bytes_by_copy_status[status];
        }
        self.unlisted += other.unlisted;
        self.unlistable += other.unlistable;
        self.dst_nodes += other.dst_nodes;
        self.dst_bytes += other.dst_bytes;
        self.not_on_src += other.not_on_src;
        self.not_on_src_bytes += other.not_on_src_bytes;
    }
}

/// Ids that one thread counts at a time: few enough for all threads to end at about the same time. In tests fewer, because
/// their trees are small.
const COUNTED_IDS: i64 = if cfg!(test) { 8 } else { 1 << 18 };

/// No more threads than these count.
const THREADS_MAX: usize = 8;

/// Fills in the totals of `rows`, which are in the order in which one walks through the tree.
pub(super) fn add(connection: &Connection, rows: &mut [TreeRow]) -> Result<()> {
    let mut to_count = Vec::new();
    for side in Side::BOTH {
        let shown = Shown::on(connection, side, rows)?;
        to_count.extend(shown.ranges().map(|ids| (shown.clone(), ids)));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, THREADS_MAX);
    let connections = (0..threads).map(|_| connection.try_clone()).collect::<duckdb::Result<Vec<_>>>()?;
    let (shares, length) = (&to_count, rows.len());
    let counted: Vec<Result<Vec<SubtreeTotals>>> = std::thread::scope(|scope| {
        let counting: Vec<_> = (connections.into_iter().enumerate())
            .map(|(thread, connection)| {
                scope.spawn(move || {
                    let mut totals = vec![SubtreeTotals::default(); length];
                    let mut own = shares.iter().skip(thread).step_by(threads);
                    own.try_for_each(|(shown, ids)| shown.count(&connection, ids, &mut totals))?;
                    Ok(totals)
                })
            })
            .collect();
        let pass_on = |panic| std::panic::resume_unwind(panic);
        counting.into_iter().map(|thread| thread.join().unwrap_or_else(pass_on)).collect()
    });
    for totals in counted {
        for (row, counted) in rows.iter_mut().zip(&totals?) {
            row.totals.add(counted);
        }
    }
    // From the last to the first: what is below a row is complete before it is added to the row above.
    let mut above: Vec<usize> = Vec::new();
    let mut parents = vec![None; rows.len()];
    for row in 0..rows.len() {
        while above.last().is_some_and(|last| !is_below(&rows[row].path, &rows[*last])) {
            above.pop();
        }
        parents[row] = above.last().copied();
        above.push(row);
    }
    for row in (0..rows.len()).rev() {
        if let Some(parent) = parents[row] {
            let below = rows[row].totals.clone();
            rows[parent].totals.add(&below);
        }
    }
    Ok(())
}

/// What the destination has below a folder is below that of the source.
fn is_below(path: &str, row: &TreeRow) -> bool {
    let is_listed = row.kind == NodeKind::Folder && row.src.is_some();
    is_listed && (row.path == "/" || path.strip_prefix(row.path.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

/// The rows of a page as one side has them.
#[derive(Clone)]
struct Shown {
    side: Side,
    /// The rows' nodes by id, each with the place of its row.
    rows: Arc<[(i64, u32)]>,
    /// The row that what is in a folder counts for, unless it is one itself: the nearest one above.
    row_of_folder: Arc<HashMap<i64, u32>>,
    /// The ids of all nodes that count.
    ids: Range<i64>,
}

const FILE: u8 = NodeKind::File as u8;

impl Shown {
    fn on(connection: &Connection, side: Side, page: &[TreeRow]) -> Result<Shown> {
        let mut rows = Vec::new();
        for (place, row) in page.iter().enumerate() {
            let node = match side {
                Side::Source => &row.src,
                Side::Destination => &row.dst,
            };
            if let Some(node) = node {
                rows.push((node.id.0, u32::try_from(place).expect("a page has fewer rows")));
            }
        }
        rows.sort_unstable();
        let (first, last) = rows.first().zip(rows.last()).map_or((0, -1), |(first, last)| (first.0, last.0));
        let mut shown =
            Shown { side, rows: rows.into(), row_of_folder: Arc::default(), ids: first..last.saturating_add(1) };
        // What is in a folder has a higher id; without folders there are only the rows.
        if !shown.rows.is_empty() && page.iter().any(|row| row.kind == NodeKind::Folder && row.src.is_some()) {
            let side = side.prefix();
            shown.ids.end =
                connection.query_row(&format!("SELECT max(id) + 1 FROM {side}_nodes"), [], |row| row.get(0))?;
            shown.row_of_folder = Arc::new(shown.rows_of_folders(connection)?);
        }
        Ok(shown)
    }

    fn rows_of_folders(&self, connection: &Connection) -> Result<HashMap<i64, u32>> {
        let mut row_of_folder = HashMap::new();
        // A folder comes before what is in it.
        let mut statement = connection.prepare(&format!(
            "SELECT id, coalesce(parent_id, 0)
             FROM {}_nodes
             WHERE id >= ? AND kind = 'folder'
             ORDER BY id",
            self.side.prefix()
        ))?;
        for batch in statement.query_arrow([self.ids.start])? {
            let [folders, parents] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>().values());
            for (folder, parent) in folders.iter().zip(parents) {
                if let Some(row) = self.own_row(*folder).or_else(|| row_of_folder.get(parent).copied()) {
                    row_of_folder.insert(*folder, row);
                }
            }
        }
        Ok(row_of_folder)
    }

    /// The row that the node `id` is, if it is one.
    fn own_row(&self, id: i64) -> Option<u32> {
        self.rows.binary_search_by_key(&id, |(row_id, _)| *row_id).ok().map(|place| self.rows[place].1)
    }

    fn ranges(&self) -> impl Iterator<Item = Range<i64>> + use<> {
        let Range { start, end } = self.ids;
        let step = usize::try_from(COUNTED_IDS).expect("it is a small number");
        (start..end).step_by(step).map(move |start| start..end.min(start + COUNTED_IDS))
    }

    /// Adds the nodes with ids within `ids`, each to the row that it is or else to the nearest row that it is below of.
    fn count(&self, connection: &Connection, ids: &Range<i64>, totals: &mut [SubtreeTotals]) -> Result<()> {
        let statuses = Statuses::read(connection, self.side, ids)?;
        let sql = format!(
            "SELECT id, coalesce(parent_id, 0), enum_code(kind)::UTINYINT, coalesce(size, 0)
             FROM {}_nodes
             WHERE id >= ? AND id < ?",
            self.side.prefix()
        );
        // Neighbours have the same parent, nearly always.
        let mut last_parent = (-1, None);
        for batch in query(connection, &sql, ids)? {
            let [nodes, parents, sizes] = [0, 1, 3].map(|column| batch.column(column).as_primitive::<Int64Type>());
            let kinds = batch.column(2).as_primitive::<UInt8Type>();
            for place in 0..batch.num_rows() {
                let (id, parent, kind) = (nodes.value(place), parents.value(place), kinds.value(place));
                if parent != last_parent.0 {
                    last_parent = (parent, self.row_of_folder.get(&parent).copied());
                }
                let Some(row) = self.own_row(id).or(last_parent.1) else { continue };
                let bytes = if kind == FILE { sizes.value(place) } else { 0 };
                let place = usize::try_from(id - ids.start).expect("it is within the range");
                count(&statuses, place, kind, bytes, &mut totals[row as usize]);
            }
        }
        Ok(())
    }
}

/// Counts the node at `place` of the range.
fn count(statuses: &Statuses, place: usize, kind: u8, bytes: i64, totals: &mut SubtreeTotals) {
    let traversal = statuses.traversal(place, kind);
    let Some(status) = statuses.copy(place) else {
        totals.dst_nodes += 1;
        totals.dst_bytes += bytes;
        let is_not_on_src = traversal == TraversalStatus::NotOnSrc as u8;
        totals.not_on_src += i64::from(is_not_on_src);
        totals.not_on_src_bytes += if is_not_on_src { bytes } else { 0 };
        return;
    };
    totals.nodes += 1;
    totals.bytes += bytes;
    totals.by_copy_status[usize::from(status)] += 1;
    totals.bytes_by_copy_status[usize::from(status)] += bytes;
    totals.unlisted += i64::from(traversal == TraversalStatus::Pending as u8);
    totals.unlistable += i64::from(traversal == TraversalStatus::Failed as u8);
}
