//! Matching: which source node has the name of a destination node, under matched parents.

use std::ops::Range;

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::{Connection, params};
use longhaul_model::{FileFacts, NodeId, NodeKind};

use crate::codes::node_kind;
use crate::error::Result;
use crate::renames::SOURCE_AS_CALLED;
use crate::temp::TempTable;
use crate::words::ExclusionOrigin;

/// A source node with the same name as a destination node, in the counterpart of its folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched {
    pub(crate) destination_id: NodeId,
    pub(crate) source_id: NodeId,
    /// Of the source node.
    pub(crate) kind: NodeKind,
    /// Of the source node.
    pub(crate) facts: FileFacts,
    /// Whether a filter leaves the source node out.
    pub(crate) is_left_out: bool,
}

/// Finds the source nodes for the destination nodes with ids within `ids`, ascending by destination id.
///
/// In a sweep, of which `not_there` has the source nodes that are gone, those are passed over, and names that were accepted for
/// the destination count.
///
/// `source_parents` are the bounds of the source folders that can be concerned: they let DuckDB skip all row groups of
/// `src_nodes` but the few that have their children. `is_filtered`: the source was listed by a filter.
pub(crate) fn match_nodes(
    connection: &Connection,
    ids: &Range<i64>,
    source_parents: &Range<i64>,
    is_filtered: bool,
    not_there: Option<&TempTable>,
) -> Result<Vec<Matched>> {
    let (is_left_out, exclusions) = if is_filtered {
        // People may have excluded more than the filter did.
        let origin = ExclusionOrigin::Filter.as_str();
        (
            "e.node_id IS NOT NULL",
            format!("LEFT JOIN (FROM exclusions WHERE origin = '{origin}') e ON e.node_id = s.id"),
        )
    } else {
        ("false", String::new())
    };
    let (nodes, is_there) = match not_there {
        Some(gone) => (format!("({SOURCE_AS_CALLED})"), format!("AND s.id NOT IN (SELECT id FROM {gone})")),
        None => ("src_nodes".to_owned(), String::new()),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT d.id, s.id, s.kind::VARCHAR, s.size, s.modified_ns, {is_left_out}
         FROM dst_nodes d
         JOIN dst_folders f ON f.id = d.parent_id
         JOIN {nodes} s ON s.parent_id = f.src_id AND s.name = d.name
         {exclusions}
         WHERE d.id >= ? AND d.id < ? AND s.parent_id >= ? AND s.parent_id < ? {is_there}
         ORDER BY d.id, s.id"
    ))?;
    let batches = statement.query_arrow(params![ids.start, ids.end, source_parents.start, source_parents.end])?;
    let mut matched = Vec::new();
    for batch in batches {
        let destination_ids = batch.column(0).as_primitive::<Int64Type>();
        let source_ids = batch.column(1).as_primitive::<Int64Type>();
        let kinds = batch.column(2).as_string::<i32>();
        let sizes = batch.column(3).as_primitive::<Int64Type>();
        let modified_ns = batch.column(4).as_primitive::<Int64Type>();
        let left_out = batch.column(5).as_boolean();
        for row in 0..batch.num_rows() {
            matched.push(Matched {
                destination_id: NodeId(destination_ids.value(row)),
                source_id: NodeId(source_ids.value(row)),
                kind: node_kind(kinds.value(row))?,
                facts: FileFacts {
                    size: sizes.is_valid(row).then(|| sizes.value(row)),
                    modified_ns: modified_ns.is_valid(row).then(|| modified_ns.value(row)),
                },
                is_left_out: left_out.value(row),
            });
        }
    }
    // A store may give a name twice, for example where it was renamed to while its folder was being read. One of the two
    // is matched, and the other one is to be copied as if there were nothing.
    matched.dedup_by_key(|m| m.destination_id);
    Ok(matched)
}
