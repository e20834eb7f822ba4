//! `longhaul tree`.

use std::io;
use std::path::Path;

use longhaul_ledger::{Reader, Table, TreeQuery, TreeRow};
use longhaul_model::{CopyStatus, TraversalStatus};

use crate::cli::{Format, TreeArguments};
use crate::{Exit, ledger_probe, rows};

pub(crate) fn run(ledger: &Path, arguments: &TreeArguments) -> anyhow::Result<Exit> {
    ledger_probe::require(ledger)?;
    let question = TreeQuery {
        path: arguments.path.clone(),
        depth: arguments.depth,
        limit: arguments.limit,
        offset: arguments.offset,
    };
    let page = Reader::open(ledger)?.tree(&question)?;
    let table = match arguments.format {
        Format::Table => for_people(&page.rows),
        Format::Csv | Format::Json => for_programs(&page.rows),
    };
    rows::print(table, arguments.format, &mut io::stdout().lock())?;
    if page.has_more {
        let next = arguments.offset.saturating_add(page.rows.len() as u64);
        tell!("{} rows, and there are more: --offset {next}", page.rows.len());
    }
    Ok(Exit::Done)
}

/// The column in which nodes are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Pending,
    Done,
    Failed,
    LeftOut,
}

impl Column {
    const fn of(status: CopyStatus) -> Self {
        match status {
            CopyStatus::Pending => Self::Pending,
            CopyStatus::Successful | CopyStatus::AlreadyExisted => Self::Done,
            CopyStatus::Failed => Self::Failed,
            CopyStatus::Skipped
            | CopyStatus::Conflict
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited
            | CopyStatus::Vanished => Self::LeftOut,
        }
    }
}

/// As much as fits beside a path.
fn for_people(rows: &[TreeRow]) -> Table {
    let columns =
        ["path", "kind", "on", "status", "nodes", "bytes", "pending", "done", "failed", "left out", "only dst"];
    let rows = rows.iter().map(|row| {
        let totals = &row.totals;
        let sum = |column| {
            let of_column = CopyStatus::ALL.into_iter().filter(|status| Column::of(*status) == column);
            of_column.map(|status| totals.with(status)).sum::<i64>()
        };
        let failed = sum(Column::Failed) + totals.unlistable;
        let (nodes, bytes) =
            if row.src.is_some() { (totals.nodes, totals.bytes) } else { (totals.dst_nodes, totals.dst_bytes) };
        vec![
            Some(row.path.clone()),
            Some(row.kind.to_string()),
            Some(row.presence().to_owned()),
            Some(status(row)),
            Some(nodes.to_string()),
            Some(bytes.to_string()),
            Some(sum(Column::Pending).to_string()),
            Some(sum(Column::Done).to_string()),
            Some(failed.to_string()),
            Some(sum(Column::LeftOut).to_string()),
            Some(totals.not_on_src.to_string()),
        ]
    });
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() }
}

/// The status that says most: of copying on the source, unless it could not even be listed.
fn status(row: &TreeRow) -> String {
    let Some(src) = &row.src else {
        return row.dst.as_ref().map_or_else(String::new, |dst| dst.traversal_status.clone());
    };
    if src.traversal_status == TraversalStatus::Failed.as_str() {
        return "not listed".to_owned();
    }
    src.copy_status.clone().unwrap_or_default()
}

/// Everything, a column each.
fn for_programs(rows: &[TreeRow]) -> Table {
    let mut columns: Vec<String> = [
        "path",
        "kind",
        "on",
        "src_size",
        "dst_size",
        "src_modified",
        "dst_modified",
        "src_traversal_status",
        "dst_traversal_status",
        "copy_status",
        "action",
        "error",
        "nodes",
        "bytes",
    ]
    .map(str::to_owned)
    .to_vec();
    for status in CopyStatus::ALL {
        columns.extend([status.to_string(), format!("{status}_bytes")]);
    }
    columns.extend(
        ["unlisted", "unlistable", "dst_nodes", "dst_bytes", "not_on_src", "not_on_src_bytes"].map(str::to_owned),
    );
    Table { columns, rows: rows.iter().map(everything).collect() }
}

fn everything(row: &TreeRow) -> Vec<Option<String>> {
    let (src, dst, totals) = (row.src.as_ref(), row.dst.as_ref(), &row.totals);
    let size = |size: Option<i64>| size.map(|bytes| bytes.to_string());
    let mut values = vec![
        Some(row.path.clone()),
        Some(row.kind.to_string()),
        Some(row.presence().to_owned()),
        size(src.and_then(|node| node.size)),
        size(dst.and_then(|node| node.size)),
        src.and_then(longhaul_ledger::NodeRow::modified_text),
        dst.and_then(longhaul_ledger::NodeRow::modified_text),
        src.map(|node| node.traversal_status.clone()),
        dst.map(|node| node.traversal_status.clone()),
        src.and_then(|node| node.copy_status.clone()),
        src.and_then(|node| node.action.clone()),
        src.and_then(|node| node.error.clone()).or_else(|| dst.and_then(|node| node.error.clone())),
        Some(totals.nodes.to_string()),
        Some(totals.bytes.to_string()),
    ];
    for status in CopyStatus::ALL {
        let bytes = totals.bytes_by_copy_status[status as usize];
        values.extend([Some(totals.with(status).to_string()), Some(bytes.to_string())]);
    }
    values.extend(
        [
            totals.unlisted,
            totals.unlistable,
            totals.dst_nodes,
            totals.dst_bytes,
            totals.not_on_src,
            totals.not_on_src_bytes,
        ]
        .map(|number| Some(number.to_string())),
    );
    values
}
