//! The node table: what a report gives out of every node, for programs.

use std::sync::{Arc, LazyLock};

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::compute::cast;
use duckdb::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;

/// Rows of the node table, in the columns of [`node_schema`].
pub type NodeRows = RecordBatch;

/// The columns of the node table.
///
/// | column | |
/// |---|---|
/// | `side` | `src` or `dst` |
/// | `id` | of that side; parents have lower ones than what is in them |
/// | `path` | printable, from the root of that side |
/// | `kind` | `folder`, `file`, `symlink`, `other` |
/// | `size` | bytes; NULL for folders and where the store did not say |
/// | `modified` | nanoseconds, UTC; NULL where the store did not say |
/// | `depth` | 0 for the root |
/// | `traversal_status`, `copy_status` | as in the views `src_status` and `dst_status`; the latter is NULL for `dst` |
/// | `action` | of the plan; NULL where there is none yet, for the root, and for `dst` |
/// | `reason` | why it is as it is: an error, a rule, a remark; NULL where there is nothing to say |
/// | `checksum` | BLAKE3 of what was copied, in hexadecimal digits; NULL where none was taken |
pub fn node_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let always = |name: &str, kind: DataType| Field::new(name, kind, false);
        let maybe = |name: &str, kind: DataType| Field::new(name, kind, true);
        Arc::new(Schema::new(vec![
            always("side", DataType::Utf8),
            always("id", DataType::Int64),
            always("path", DataType::Utf8),
            always("kind", DataType::Utf8),
            maybe("size", DataType::Int64),
            maybe("modified", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
            always("depth", DataType::Int32),
            always("traversal_status", DataType::Utf8),
            maybe("copy_status", DataType::Utf8),
            maybe("action", DataType::Utf8),
            maybe("reason", DataType::Utf8),
            maybe("checksum", DataType::Utf8),
        ]))
    });
    SCHEMA.clone()
}

/// The rows of a range.
pub(super) fn read_nodes(connection: &Connection, swept: &TempTable) -> Result<Vec<NodeRows>> {
    let mut statement = connection.prepare(&format!(
        "SELECT side::VARCHAR, id, path, kind::VARCHAR, size, modified_ns, depth, traversal_status::VARCHAR,
           copy_status::VARCHAR, action, {reason}, lower(hex(checksum))
         FROM {swept}
         WHERE is_reported
         ORDER BY id",
        reason = sql::sentence("reason")
    ))?;
    let schema = node_schema();
    statement
        .query_arrow([])?
        .map(|batch| {
            // A number of nanoseconds becomes the time that it is; everything else is what it has to be already.
            let columns =
                batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
            let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        })
        .collect()
}
