//! `longhaul find`.

use std::io;
use std::path::Path;

use anyhow::{anyhow, bail};
use longhaul_ledger::{Condition, ConditionError, FindQuery, NodeRow, Reader, Table, system_now_ns};
use longhaul_model::{NodeId, Side};

use crate::cli::FindArguments;
use crate::{Exit, ledger_probe, rows};

pub(crate) fn run(ledger: &Path, arguments: &FindArguments) -> anyhow::Result<Exit> {
    // What was typed is looked at first: it can be wrong without a ledger.
    let condition = condition(arguments)?;
    ledger_probe::require(ledger)?;
    let reader = Reader::open(ledger)?;
    let side = condition.side().or(arguments.side).unwrap_or(Side::Source);
    if let Some(path) = &arguments.under {
        reader.require_path(side, path)?;
    }
    let question = FindQuery {
        side,
        sort: arguments.sort,
        reverse: arguments.reverse,
        limit: arguments.limit,
        offset: arguments.offset,
        after: arguments.after.map(NodeId),
        ..FindQuery::new(condition, system_now_ns())
    };
    let page = reader.find(&question)?;
    rows::print(table(side, &page.rows), arguments.format, &mut io::stdout().lock())?;
    let shown = page.rows.len();
    match page.next {
        Some(id) => tell!("{shown} of {} nodes; the next ones with --after {id}", page.all),
        // The last page: what came before it is known only where nothing did.
        None if arguments.offset == 0 && arguments.after.is_none() => tell!("found: {shown}"),
        None => tell!("found: {shown} more, and these are the last"),
    }
    Ok(Exit::Done)
}

/// What was typed, and what the flags say beside it.
fn condition(arguments: &FindArguments) -> anyhow::Result<Condition> {
    let side = arguments.side;
    let typed = arguments.conditions.join(" ");
    let mut condition = match side {
        _ if arguments.conditions.is_empty() => Condition::everything(),
        Some(side) => Condition::parse_for(&typed, side).map_err(|error| explain(&error))?,
        None => Condition::parse(&typed).map_err(|error| explain(&error))?,
    };
    let flags = [
        arguments.name.as_deref().map(Condition::named).transpose().map_err(|error| explain(&error))?,
        arguments.under.as_deref().map(Condition::under).transpose().map_err(|error| explain(&error))?,
        arguments.kind.map(Condition::of_kind),
        arguments.copy.map(Condition::with_copy_status),
        arguments.traversal.map(Condition::with_traversal_status),
        arguments.problem.then(Condition::with_problem),
    ];
    for flag in flags.into_iter().flatten() {
        condition = condition.and(flag).expect("flags say nothing of sides");
    }
    if condition.side().or(side) == Some(Side::Destination) && condition.needs_source() {
        bail!("only nodes of the source have a copy status or an action, and these are the destination's");
    }
    Ok(condition)
}

/// What is wrong with a condition, and a caret under where.
pub(crate) fn explain(error: &ConditionError) -> anyhow::Error {
    anyhow!("{error}\n  {}", error.marked().replace('\n', "\n  "))
}

fn table(side: Side, rows: &[NodeRow]) -> Table {
    let mut columns = vec!["path", "kind", "size", "modified", "traversal_status"];
    if side == Side::Source {
        columns.extend(["copy_status", "action"]);
    }
    columns.push("error");
    let rows = rows.iter().map(|node| {
        let mut row = vec![
            Some(node.path.clone()),
            Some(node.kind.to_string()),
            node.size.map(|size| size.to_string()),
            node.modified_text(),
            Some(node.traversal_status.clone()),
        ];
        if side == Side::Source {
            row.extend([node.copy_status.clone(), node.action.clone()]);
        }
        row.push(node.error.clone());
        row
    });
    Table { columns: columns.into_iter().map(str::to_owned).collect(), rows: rows.collect() }
}
