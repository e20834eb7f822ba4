//! The commands that change the plan: `longhaul exclude`, `include`, `decide`, `approve`, `mark-retry`, `unmark`.

use std::io::{self, Write};
use std::path::Path;

use longhaul_ledger::{Changed, Condition, Editor, Log, Marked, Selection, system_now_ns};
use longhaul_model::Side;
use longhaul_model::human::counted;

use crate::cli::{
    ApproveArguments, DecideAction, DecideArguments, ExcludeArguments, IncludeArguments, MarkArguments,
    SelectionArguments,
};
use crate::find::explain;
use crate::{Exit, ledger_probe};

pub(crate) fn exclude(ledger: &Path, arguments: &ExcludeArguments) -> anyhow::Result<Exit> {
    let selection = selection(&arguments.selection)?;
    let changed = open(ledger)?.exclude(&selection, &arguments.reason)?;
    tell(&changed, arguments.json)
}

pub(crate) fn include(ledger: &Path, arguments: &IncludeArguments) -> anyhow::Result<Exit> {
    let selection = selection(&arguments.selection)?;
    let changed = open(ledger)?.include(&selection)?;
    tell(&changed, arguments.json)
}

pub(crate) fn decide(ledger: &Path, arguments: &DecideArguments) -> anyhow::Result<Exit> {
    let selection = selection(&arguments.selection)?;
    let editor = open(ledger)?;
    let changed = match arguments.action {
        DecideAction::Decide(decision) => editor.decide(&selection, decision)?,
        DecideAction::Undecide => editor.undecide(&selection)?,
    };
    tell(&changed, arguments.json)
}

pub(crate) fn approve(ledger: &Path, arguments: &ApproveArguments) -> anyhow::Result<Exit> {
    let approval = open(ledger)?.approve(arguments.leave_conflicts)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&approval)?)?;
    } else {
        writeln!(out, "approved: {}, {} to copy", counted(approval.nodes, "node"), counted(approval.bytes, "byte"))?;
        if approval.conflicts > 0 {
            writeln!(out, "left open: {}", counted(approval.conflicts, "conflict"))?;
        }
        writeln!(out, "plan {}", approval.hash)?;
    }
    Ok(Exit::Done)
}

pub(crate) fn mark_retry(ledger: &Path, arguments: &MarkArguments) -> anyhow::Result<Exit> {
    let editor = open(ledger)?;
    if arguments.all {
        return tell_marked(editor.mark_failed(arguments.under.as_deref())?, arguments.json);
    }
    let marking = editor.mark_retry(&Selection::Paths(arguments.paths.clone()))?;
    if arguments.json {
        writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&marking)?)?;
        return Ok(Exit::Done);
    }
    for folder in &marking.folders_of_conflicts {
        let mut out = io::stdout().lock();
        writeln!(out, "{folder} is listed again, with all that is below it, because of what is in conflict in it")?;
    }
    tell_marked(marking.marked, false)
}

pub(crate) fn unmark(ledger: &Path, arguments: &MarkArguments) -> anyhow::Result<Exit> {
    // What is marked in a folder, and the mark of the folder itself, are at its path and below it.
    let paths: Vec<String> = arguments.paths.iter().chain(&arguments.under).cloned().collect();
    let chosen = (!paths.is_empty()).then_some(Selection::Paths(paths));
    let marked = open(ledger)?.unmark(chosen.as_ref())?;
    tell_marked(marked, arguments.json)
}

fn open(ledger: &Path) -> anyhow::Result<Editor> {
    ledger_probe::require(ledger)?;
    Ok(Editor::open(ledger, Log::Unknown, system_now_ns)?)
}

fn selection(arguments: &SelectionArguments) -> anyhow::Result<Selection> {
    let Some(text) = &arguments.condition else { return Ok(Selection::Paths(arguments.paths.clone())) };
    // What is only on the destination cannot be excluded or decided.
    let condition = Condition::parse_for(text, Side::Source).map_err(|error| explain(&error))?;
    Ok(Selection::Where(condition))
}

fn tell(changed: &Changed, json: bool) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(changed)?)?;
        return Ok(Exit::Done);
    }
    for part in &changed.by_status {
        writeln!(
            out,
            "{}, {}: {}, now {}",
            counted(part.nodes, "node"),
            counted(part.bytes, "byte"),
            part.was,
            part.is
        )?;
    }
    if changed.reasons > 0 {
        writeln!(out, "{}: status as before, for another reason", counted(changed.reasons, "node"))?;
    } else if changed.nodes == 0 {
        writeln!(out, "no status has changed")?;
    }
    if changed.revoked {
        writeln!(out, "the plan was approved before this: it has to be approved again")?;
    }
    Ok(Exit::Done)
}

fn tell_marked(marked: Marked, json: bool) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&marked)?)?;
    } else {
        writeln!(
            out,
            "marked: {} to list again, {} to copy again",
            counted(marked.folders, "folder"),
            counted(marked.copies, "node")
        )?;
    }
    Ok(Exit::Done)
}
