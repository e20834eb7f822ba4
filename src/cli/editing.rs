//! What changes a plan that is being reviewed.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use longhaul_ledger::Decision;
use longhaul_model::harmless;

/// Which nodes of the source are meant.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SelectionArguments {
    /// Paths from the root of the source, as they are shown
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,

    /// Those that meet conditions, for example: 'name ~ "*.tmp" and size > 10M'
    #[arg(long = "where", value_name = "CONDITIONS")]
    pub(crate) condition: Option<String>,
}

/// A reason is shown in tables and terminals: one line, in which nothing is hidden.
fn reason(text: &str) -> Result<String, &'static str> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { Err("give a reason") } else { Ok(harmless(&line).into_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct ExcludeArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,

    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,

    /// Print what changed as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IncludeArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,

    /// Print what changed as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,

    /// What is done about conflicts there and below, those that were decided before among them, until it is done
    #[arg(long, value_parser = decide_actions())]
    pub(crate) action: DecideAction,

    /// Print what changed as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done about a conflict: a decision, or one is taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DecideAction {
    Decide(Decision),
    Undecide,
}

fn decide_actions() -> impl TypedValueParser<Value = DecideAction> {
    let undecide = PossibleValue::new("undecide").help("What was decided is taken back: it is a conflict again");
    let words = Decision::value_variants().iter().filter_map(ValueEnum::to_possible_value).chain([undecide]);
    PossibleValuesParser::new(words)
        .map(|word| Decision::from_str(&word, false).map_or(DecideAction::Undecide, DecideAction::Decide))
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArguments {
    /// Leave open conflicts as they are: what is in conflict is not copied
    #[arg(long)]
    pub(crate) leave_conflicts: bool,

    /// Print the approval as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MarkArguments {
    /// Paths from the root of the source: they and what is below them; of what is in conflict, the folder that it is in
    #[arg(value_name = "PATH", required_unless_present = "all")]
    pub(crate) paths: Vec<String>,

    /// Everything, wherever it is
    #[arg(long = "all", visible_alias = "failed", conflicts_with = "paths")]
    pub(crate) all: bool,

    /// With --failed: in this folder only
    #[arg(long, value_name = "PATH", requires = "all")]
    pub(crate) under: Option<String>,

    /// Print what is marked as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
