//! Reading a ledger the way its users do: through the views, in pages that are bounded whatever its size.

use anyhow::{Context, Result, anyhow, ensure};
use longhaul_ledger::Reader;
use longhaul_model::{CopyStatus, Side, TraversalStatus};

use super::node::Node;

/// Nodes of one page.
const PAGE_NODES: i64 = 100_000;

/// A row of a status view.
#[derive(Debug)]
pub(crate) struct StatusRow {
    pub(crate) id: i64,
    pub(crate) parent_id: Option<i64>,
    pub(crate) name: String,
    pub(crate) node: Node,
    pub(crate) error: Option<String>,
}

/// Shows every row of a side's status view to `visit`, by id.
pub(crate) fn for_each(reader: &Reader, side: Side, mut visit: impl FnMut(StatusRow) -> Result<()>) -> Result<()> {
    let last = number(reader, &format!("SELECT coalesce(max(id), 0) FROM {}_nodes", side.prefix()))?;
    let copy_status = match side {
        Side::Source => "copy_status",
        Side::Destination => "NULL",
    };
    let mut next = number(reader, &format!("SELECT coalesce(min(id), 0) FROM {}_nodes", side.prefix()))?;
    while next <= last {
        let end = next + PAGE_NODES;
        let table = reader.query(&format!(
            "SELECT id, parent_id, path, name, kind, size, modified_ns, depth, traversal_status, {copy_status}, error
             FROM {}_status
             WHERE id >= {next} AND id < {end}
             ORDER BY id",
            side.prefix()
        ))?;
        for row in table.rows {
            visit(parse(row)?)?;
        }
        next = end;
    }
    Ok(())
}

fn parse(row: Vec<Option<String>>) -> Result<StatusRow> {
    let row: [Option<String>; 11] = row.try_into().map_err(|_| anyhow!("a row has another number of columns"))?;
    let [id, parent_id, path, name, kind, size, modified_ns, depth, traversal, copy, error] = row;
    let integer = |text: Option<String>| text.map(|text| text.parse::<i64>()).transpose();
    let known = |text: Option<String>, what: &'static str| text.with_context(|| format!("a node without {what}"));
    let traversal = known(traversal, "a traversal status")?;
    let copy = copy
        .map(|text| CopyStatus::ALL.into_iter().find(|status| status.as_str() == text).context("no copy status"))
        .transpose()?;
    let node = Node {
        path: known(path, "a path")?,
        kind: known(kind, "a kind")?.parse()?,
        size: integer(size)?,
        modified_ns: integer(modified_ns)?,
        depth: known(depth, "a depth")?.parse()?,
        traversal: TraversalStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == traversal)
            .context("no traversal status")?,
        copy,
    };
    Ok(StatusRow {
        id: known(id, "an id")?.parse()?,
        parent_id: integer(parent_id)?,
        name: known(name, "a name")?,
        node,
        error,
    })
}

/// The one number that a query gives.
pub(crate) fn number(reader: &Reader, sql: &str) -> Result<i64> {
    let table = reader.query(sql)?;
    ensure!(table.rows.len() == 1 && table.columns.len() == 1, "one number is expected of {sql}");
    table.rows[0][0].as_deref().with_context(|| format!("NULL is the result of {sql}"))?.parse().map_err(Into::into)
}
