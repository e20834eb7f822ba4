//! `longhaul migrate SRC DST`: one phase after the other, on one ledger.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;
use longhaul_actors::{CopyConfig, Resumed, settle_copy_settings};
use longhaul_ledger::{Approving, CopyChoices, CopySettings, Reader};
use longhaul_model::Phase;

use crate::cli::{Cli, DiscoverArguments, MigrateArguments};
use crate::foreground::{Attended, attend, begin};
use crate::report::Report;
use crate::{Exit, copy, discover, hints, ledger_probe, signals, verify};

pub(crate) fn run(cli: &Cli, arguments: &MigrateArguments) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let MigrateArguments { discovery, options, level, .. } = arguments;
    let choices = CopyChoices { verify_level: *level, ..options.choices.clone() };
    let mut copying = choices.on_top_of(CopySettings::default());
    let mut phase = Phase::Created;
    if discovery.resume {
        ledger_probe::mend_log(&cli.ledger)?;
        let migration = Reader::open(&cli.ledger)?.migration()?;
        phase = migration.current_phase();
        // What was chosen when it began is kept to in every phase, and not only in the one that was cut short.
        copying = settle_copy_settings(&migration, &choices)?;
        if phase.is_after_discovery() {
            // Nothing is left to be listed. It refuses what was typed if that is another migration.
            begin(cli, &signals, || discover::begin_run(&cli.ledger, discovery, None))?;
        }
    }
    // What was begun is gone on with; the phases after it begin as usual.
    let mut is_begun = discovery.resume;
    let mut report = None;
    while phase != Phase::Complete {
        if phase == Phase::Review {
            signals.rest();
            let found = report.map_or_else(|| Report::read(&cli.ledger), Ok)?;
            // With `--yes` it does not matter how many there are.
            let names = if arguments.yes { 0 } else { Reader::open(&cli.ledger)?.lint(None, None)?.count()? };
            ask(&found, names, arguments, cli)?;
        }
        let begun = begin(cli, &signals, || match phase {
            Phase::Created | Phase::Traversing => {
                let arguments = DiscoverArguments { resume: is_begun, ..discovery.clone() };
                discover::begin_run(&cli.ledger, &arguments, Some(copying))
            }
            Phase::Verifying => {
                let level = copying.verify_level.unwrap_or_default();
                verify::begin_run(cli, is_begun, level, options.copiers, discovery.limits)
            }
            // Whoever had to be asked has been asked.
            Phase::Review | Phase::Copying | Phase::Suspended | Phase::Complete => {
                let approving = Approving::NowWithConflicts;
                let config = copy::config(cli.ledger.clone(), options, discovery.limits);
                copy::begin_run(
                    is_begun,
                    CopyConfig { choices: choices.clone(), approving, ignore_names: true, ..config },
                )
            }
        })?;
        let Resumed::Running(controller) = begun else { bail!("the ledger changed while it was worked on") };
        let Attended { report: reached, interrupted, came_late } =
            attend(cli, "migrate", &signals, controller, discovery.limits.backup_every)?;
        phase = reached.phase();
        // Where everything is done there is nothing to be interrupted.
        if let Some(signal) = interrupted.or_else(|| came_late.filter(|_| phase != Phase::Complete)) {
            reached.print_as(discovery.json, &mut io::stdout().lock())?;
            tell!("longhaul: interrupted, {}; {}", reached.stage(), hints::resume("migrate", &cli.ledger));
            return Ok(Exit::Interrupted(signal));
        }
        report = Some(reached);
        is_begun = false;
    }
    let report = if let Some(report) = report {
        report
    } else {
        tell!("longhaul: nothing to do: the migration is complete");
        Report::read(&cli.ledger)?
    };
    report.print_as(discovery.json, &mut io::stdout().lock())?;
    Ok(report.exit())
}

/// What somebody should know before anything is copied is not passed over: they are asked, or have to say so.
fn ask(report: &Report, names: u64, arguments: &MigrateArguments, cli: &Cli) -> anyhow::Result<()> {
    let Some(doubts) = report.doubts(names).filter(|_| !arguments.yes) else { return Ok(()) };
    let how = hints::without_asking(&cli.ledger);
    if !io::stdin().is_terminal() {
        report.print_as(arguments.discovery.json, &mut io::stdout().lock())?;
        bail!("{doubts}: look at them, and {how}");
    }
    eprint!("{doubts}. Copy the rest? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was copied; {how}");
    }
    Ok(())
}
