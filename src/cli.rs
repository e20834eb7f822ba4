//! What can be typed.

mod editing;
mod filtering;
mod finding;
mod running;
mod simulator;

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use longhaul_model::{PlanAction, VerifyLevel};
use longhaul_naming::RuleSet;
use longhaul_storage::{Location, LocationError};

pub(crate) use self::editing::{
    ApproveArguments, DecideAction, DecideArguments, ExcludeArguments, IncludeArguments, MarkArguments,
    SelectionArguments,
};
pub(crate) use self::filtering::FilterArguments;
pub(crate) use self::finding::{FindArguments, TreeArguments};
pub(crate) use self::running::{CopyOptions, LimitArguments, PolicyArguments};
pub(crate) use self::simulator::{SpectraCommand, SpectraServeArguments, SpectraTreeArguments};

/// Whether this build has scenarios. Their options are accepted in any build, so that one without can say what is missing,
/// and are shown only where they do something.
const HAS_SCENARIOS: bool = cfg!(feature = "scenarios");

/// Moves a file tree from one store to another, once, and can prove it.
///
/// A location is a path, or spectra:WORLD?config=FILE for a world of the embedded simulator.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all done; 1 could not do it; 2 wrong usage; 3 done, but not everything that was \
                  to be moved is there; 129 / 130 / 143 interrupted by SIGHUP / SIGINT / SIGTERM"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The ledger of the migration
    #[arg(long, global = true, value_name = "FILE", default_value = "longhaul.duckdb")]
    pub(crate) ledger: PathBuf,

    #[command(flatten)]
    pub(crate) scenario: Option<ScenarioArguments>,

    /// Keep a scenario's scratch folder, where it is removed otherwise
    #[arg(long, requires = "scenario", hide = !HAS_SCENARIOS)]
    pub(crate) keep: bool,

    /// Name the scenarios there are
    #[arg(long, hide = !HAS_SCENARIOS)]
    pub(crate) list_scenarios: bool,

    /// Log more to standard error: -v what an operator wants to read, -vv every retry
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Log errors only, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

impl Cli {
    /// How much is logged: -1 errors only, 0 warnings, 1 information, 2 everything.
    pub(crate) fn verbosity(&self) -> i8 {
        if self.quiet { -1 } else { i8::try_from(self.verbose).unwrap_or(2) }
    }
}

/// Which scenario, and from where.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArguments {
    /// Run a named scenario, which shows end to end that Longhaul works
    // Required of these arguments, which are optional as a whole: clap would require it of every command line.
    #[arg(long, value_name = "NAME", required = false, conflicts_with = "list_scenarios", hide = !HAS_SCENARIOS)]
    pub(crate) scenario: String,

    /// Go on with the newest run of the scenario that was interrupted or killed
    #[arg(long, requires = "scenario", conflicts_with = "list_scenarios", hide = !HAS_SCENARIOS)]
    pub(crate) resume: bool,

    /// Use the simulator of a server (see `longhaul spectra serve`); what was written into its worlds may be forgotten
    #[arg(long, value_name = "URL", requires = "scenario", conflicts_with = "list_scenarios", hide = !HAS_SCENARIOS)]
    pub(crate) spectra_url: Option<String>,

    /// Use this place in a store, where nothing is yet, instead of a server that is started
    #[arg(long, value_name = "URL", requires = "scenario", conflicts_with = "list_scenarios", hide = !HAS_SCENARIOS)]
    pub(crate) store_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a source and a destination tree into a new ledger, and match them
    Discover(DiscoverArguments),
    /// Show what the copy will do: totals, or single items. What it says is what runs
    Plan(PlanArguments),
    /// Find nodes that meet conditions
    Find(FindArguments),
    /// Show both sides as one tree, with what is below each folder in numbers
    Tree(TreeArguments),
    /// Look for names that the destination would refuse, or take for one another, and propose others
    Lint(LintArguments),
    /// Exclude nodes, and everything below them, from what is copied
    Exclude(ExcludeArguments),
    /// Include again what was excluded
    Include(IncludeArguments),
    /// Decide conflicts
    Decide(DecideArguments),
    /// Approve the plan: `copy` carries out nothing else
    Approve(ApproveArguments),
    /// Mark what failed, so that `retry` tries it again. A folder that is named is listed again in any case
    MarkRetry(MarkArguments),
    /// Take marks for retry away
    Unmark(MarkArguments),
    /// List again, or copy again, what is marked for retry, and nothing else
    Retry(RetryArguments),
    /// List both trees again to see what has changed: the plan is about the difference then
    Refresh(RefreshArguments),
    /// Copy what the plan says
    Copy(CopyArguments),
    /// Look whether the destination has what was copied. Nothing is taken for granted
    Verify(VerifyArguments),
    /// List, copy and verify in one go
    Migrate(MigrateArguments),
    /// Say where a migration stands
    Status(StatusArguments),
    /// Run an SQL statement over the ledger, for example over its views `src_status`, `dst_status` and `problems`
    Query(QueryArguments),
    /// Write a report that one can send: a page for people, tables of problems and of all nodes, and the figures as JSON
    Report(ReportArguments),
    /// Copy the ledger to a file that can be kept elsewhere, also while a run has it open
    Backup(BackupArguments),
    /// Repair a damaged ledger: keep the readable part of its log, or move its settings and review choices into a new ledger
    Repair,
    /// Open the ledger, and say nothing but whether that worked
    #[command(hide = true, name = crate::ledger_probe::PROBE_COMMAND)]
    ProbeLedger(ProbeArguments),
    /// The simulated store
    #[command(subcommand)]
    Spectra(SpectraCommand),
}

#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct DiscoverArguments {
    /// Where the files are
    #[arg(value_name = "SRC", value_parser = Location::parse, required_unless_present = "resume")]
    pub(crate) source: Option<Location>,

    /// Where they have to be
    #[arg(value_name = "DST", value_parser = Location::parse, required_unless_present = "resume")]
    pub(crate) destination: Option<Location>,

    /// Go on where an interrupted, suspended or killed run was. Locations and policies are in the ledger
    #[arg(long)]
    pub(crate) resume: bool,

    /// Make the destination folder if it does not exist
    #[arg(long, conflicts_with = "resume")]
    pub(crate) create_destination: bool,

    /// Adopt the copies of a migration whose ledger is lost: files on the destination with the source's size and time count
    /// as copied once their contents have been compared, and folders get their times and permissions
    #[arg(long, conflicts_with = "resume")]
    pub(crate) adopt: bool,

    /// Record mount points below a local root, and do not cross them
    #[arg(long)]
    pub(crate) one_file_system: bool,

    /// Folders listed at a time on each side [default: what the store likes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,

    #[command(flatten)]
    pub(crate) policies: PolicyArguments,

    #[command(flatten)]
    pub(crate) filter: FilterArguments,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads the command line. What may have credentials in it is refused whatever it is for, and is not repeated.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let typed: Vec<String> = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    // An option may have its value behind it.
    let values =
        || typed.iter().flat_map(|text| [Some(&**text), text.split_once('=').map(|(_, value)| value)]).flatten();
    let parsed = Cli::try_parse();
    let (kind, why) = match &parsed {
        Err(error) if !error.use_stderr() => return parsed,
        Err(error) => {
            let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<LocationError>());
            // Clap would repeat what was typed, wherever that is wrong.
            let may_be_repeated = |text: &str| !text.contains("://") && text.contains(char::is_whitespace);
            let others = values().filter(|text| !may_be_repeated(text)).filter_map(|text| Location::parse(text).err());
            let mut wrong = source.cloned().into_iter().chain(others).filter(|wrong| *wrong != LocationError::Empty);
            (error.kind(), wrong.next().map(|wrong| wrong.to_string()))
        }
        Ok(_) => {
            let shown = values().find_map(longhaul_storage::without_credentials);
            let why =
                |shown| format!("{shown}: credentials do not belong on the command line, where others can see them");
            (clap::error::ErrorKind::ValueValidation, shown.map(why))
        }
    };
    match why {
        Some(why) => Err(Cli::command().error(kind, why)),
        None => parsed,
    }
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    /// Read all of it, and print which tables cannot be read, as JSON
    #[arg(long, conflicts_with = "rescue_to")]
    pub(crate) tables: bool,

    /// Create a new ledger with the review choices of this one, and print how many there are, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) rescue_to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Show the items with this action instead of the totals
    #[arg(long, value_parser = one_of(&PlanAction::ALL), value_name = "ACTION")]
    pub(crate) action: Option<PlanAction>,

    /// Show the items below this path instead of the totals
    #[arg(long, value_name = "PATH")]
    pub(crate) under: Option<String>,

    /// Show no more than so many items, instead of the totals [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Reads one of the ledger's words.
fn one_of<T: Copy + Display + FromStr + Send + Sync>(
    words: &'static [T],
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let known = || words.iter().map(T::to_string).collect::<Vec<_>>().join(", ");
        text.parse().map_err(|_| format!("choose one of {}", known()))
    }
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct CopyArguments {
    /// Go on where an interrupted, suspended or killed copy was
    #[arg(long)]
    pub(crate) resume: bool,

    /// Approve the plan as it is, if nobody has approved it before
    #[arg(long)]
    pub(crate) approve: bool,

    /// With --approve: leave open conflicts as they are; what is in conflict is not copied
    #[arg(long, requires = "approve")]
    pub(crate) leave_conflicts: bool,

    #[command(flatten)]
    pub(crate) options: CopyOptions,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// By which rules [default: those of the destination]
    #[arg(long, value_name = "SET")]
    pub(crate) rules: Option<RuleSet>,

    /// Accept the names that are proposed: copying uses them
    #[arg(long)]
    pub(crate) accept: bool,

    /// Take accepted names back, as far as copying has not used them yet
    #[arg(long, conflicts_with_all = ["accept", "rules"])]
    pub(crate) reset: bool,

    /// At this path of the source and below it only
    #[arg(long, value_name = "PATH")]
    pub(crate) under: Option<String>,

    /// Show no more than so many names
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    #[command(flatten)]
    pub(crate) options: CopyOptions,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RefreshArguments {
    /// Only this folder of the source, what is below it, and what is there on the destination
    #[arg(long, value_name = "PATH")]
    pub(crate) under: Option<String>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// How closely it is looked
    #[arg(long, value_enum, default_value_t = VerifyLevel::Size)]
    pub(crate) level: VerifyLevel,

    /// Go on where an interrupted, suspended or killed verification was
    #[arg(long)]
    pub(crate) resume: bool,

    /// Workers that look at a time [default: what the stores like]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) copiers: Option<u16>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    /// What is listed, and how
    #[command(flatten)]
    pub(crate) discovery: DiscoverArguments,

    /// Ask nothing: copy although there are conflicts, which are left out, folders that could not be listed, or names that
    /// the destination would refuse
    #[arg(long, short)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) options: CopyOptions,

    /// How closely the destination is looked at in the end [default: size]
    #[arg(long, value_enum)]
    pub(crate) level: Option<VerifyLevel>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// While the migration runs, keep showing how far it has come
    #[arg(long)]
    pub(crate) watch: bool,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// One statement that selects. It reads the ledger, and no other file
    pub(crate) sql: String,

    /// Write the result into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace the file that is there
    #[arg(long, requires = "output")]
    pub(crate) force: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    pub(crate) format: QueryFormat,
}

/// How the result of a query is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// For people
    Table,
    /// With a header
    Csv,
    /// An array of objects
    Json,
    /// A Parquet file, with --output
    Parquet,
}

impl QueryFormat {
    /// The same among those that are text, if it is one.
    pub(crate) fn as_text(self) -> Option<Format> {
        match self {
            QueryFormat::Table => Some(Format::Table),
            QueryFormat::Csv => Some(Format::Csv),
            QueryFormat::Json => Some(Format::Json),
            QueryFormat::Parquet => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The file of the backup: a ledger like any other
    #[arg(value_name = "FILE")]
    pub(crate) to: PathBuf,

    /// Replace the file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The folder to write it into; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Replace the report that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
