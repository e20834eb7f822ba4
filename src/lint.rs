//! `longhaul lint`.

use std::io::{self, Write};
use std::path::Path;

use longhaul_ledger::{Editor, Log, NameFinding, Reader, Renamed, Table, system_now_ns};

use crate::cli::{Format, LintArguments};
use crate::{Exit, ledger_probe, rows};

pub(crate) fn run(ledger: &Path, arguments: &LintArguments) -> anyhow::Result<Exit> {
    ledger_probe::require(ledger)?;
    let under = arguments.under.as_deref();
    if arguments.accept || arguments.reset {
        let editor = Editor::open(ledger, Log::Unknown, system_now_ns)?;
        let renamed =
            if arguments.reset { editor.forget_names(under)? } else { editor.accept_names(arguments.rules, under)? };
        return tell(renamed, arguments);
    }
    let reader = Reader::open(ledger)?;
    let linted = reader.lint(arguments.rules, under)?;
    let count = linted.count()?;
    let findings = linted.page(None, arguments.limit)?;
    if count > 0 || arguments.format != Format::Table {
        rows::print(table(&findings), arguments.format, &mut io::stdout().lock())?;
    }
    let (shown, rules) = (findings.len() as u64, linted.rules());
    if count == 0 {
        tell!("no name is refused or folded ({rules} rules)");
        return Ok(Exit::Done);
    }
    let of = if shown < count { format!("{shown} of ") } else { String::new() };
    tell!("{of}{count} names that would be refused or folded ({rules} rules); have the proposed ones with --accept");
    Ok(Exit::SomeFailed)
}

fn table(findings: &[NameFinding]) -> Table {
    let columns = ["path", "kind", "rule", "reason", "proposal"].map(str::to_owned).to_vec();
    let rows = findings.iter().map(|found| {
        vec![
            Some(found.path.clone()),
            Some(found.kind.to_string()),
            Some(found.broken.to_string()),
            Some(found.reason.clone()),
            found.proposal.clone(),
        ]
    });
    Table { columns, rows: rows.collect() }
}

fn tell(renamed: Renamed, arguments: &LintArguments) -> anyhow::Result<Exit> {
    let exit = if renamed.without_proposal > 0 { Exit::SomeFailed } else { Exit::Done };
    let mut out = io::stdout().lock();
    if arguments.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&renamed)?)?;
        return Ok(exit);
    }
    let done = if arguments.reset { "taken back" } else { "accepted" };
    writeln!(out, "{done}: {} names", renamed.nodes)?;
    if renamed.without_proposal > 0 {
        writeln!(out, "left: {} names for which there is no proposal", renamed.without_proposal)?;
    }
    if renamed.revoked {
        writeln!(out, "the plan was approved before this: it has to be approved again")?;
    }
    Ok(exit)
}
