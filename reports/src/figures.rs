//! What a report says, in numbers: `summary.json`, and what the page is made of.

use std::path::Path;

use longhaul_ledger::reporting::{
    About, Amount, NodeProblem, Outcomes, Parts, ProblemKind, ReasonTotal, SizeClass, StatusTotal, Sums, Throughput,
};
use longhaul_ledger::{CopySettings, Counters, Run, Settings};
use longhaul_model::{BySide, CopyStatus, Phase, VerifyLevel};
use serde::Serialize;

use crate::words::time_for_programs;

/// Problems that the page names.
const NAMED_MAX: usize = 500;

/// Problems of a kind that the page names at least, if there are so many, before another kind takes all the room.
const NAMED_OF_KIND_MIN: usize = 20;

/// The figures of a report. Its JSON form is a promise; amounts are in nodes and bytes, times in UTC.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// When the report was made.
    pub made_at: String,
    /// As `made_at`, in nanoseconds since 1970.
    pub made_ns: i64,
    /// The ledger's file.
    pub ledger: String,
    /// Where the files are.
    pub source: String,
    /// Where they have to be.
    pub destination: String,
    /// What made it.
    pub versions: Versions,
    /// When the migration began.
    pub created_at: String,
    /// Where it stands.
    pub phase: Phase,
    /// Why it is suspended.
    pub phase_reason: Option<String>,
    /// The phase that it was suspended in.
    pub suspended_from: Option<Phase>,
    /// What it comes to, in sentences.
    pub conclusion: Conclusion,
    /// What became of the source's nodes, the root among them.
    pub outcomes: Outcomes,
    /// What became of the files among them.
    pub files: Outcomes,
    /// The source's nodes by copy status.
    pub statuses: Vec<StatusTotal>,
    /// What was found on the source.
    pub on_source: Found,
    /// What was found on the destination.
    pub on_destination: Found,
    /// Nodes that only the destination has.
    pub only_on_destination: Amount,
    /// How many rows `problems.csv` has.
    pub problem_count: i64,
    /// The same, by kind, class and reason.
    pub problems: Vec<ReasonTotal>,
    /// Of the source's nodes, those that the plan was to bring over and that are not there, failures aside.
    pub left_undone: i64,
    /// Whether something is not as it should be: where a run ends like this its exit code is not 0.
    pub needs_attention: bool,
    /// The source's files, by folder at the top.
    pub folders: Parts,
    /// The source's files, by size.
    pub sizes: Vec<SizeClass>,
    /// The source's files, by extension.
    pub types: Parts,
    /// What the last verification came to; `None` if there was none.
    pub verification: Option<VerificationFigures>,
    /// All runs, the first one first.
    pub runs: Vec<Run>,
    /// What was copied when.
    pub throughput: Throughput,
    /// The hash of the plan that was carried out last; `None` where none was.
    pub plan_hash: Option<String>,
    /// The hash of the plan that is approved now; `None` where nobody has approved it as it is.
    pub approved_plan_hash: Option<String>,
    /// The policies of the migration.
    pub settings: Settings,
    /// How files are copied; `None` until that was chosen.
    pub copy_settings: Option<CopySettings>,
}

/// What a report and its ledger were made with.
#[derive(Clone, Debug, Serialize)]
pub struct Versions {
    /// The program that made the report.
    pub longhaul: String,
    /// The program that made the ledger.
    pub ledger_made_by: String,
    /// The ledger's tables.
    pub schema: i64,
    /// The library that made the ledger.
    pub duckdb: String,
}

/// What a migration comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// How it is to be taken.
    pub tone: Tone,
    /// In a few words.
    pub headline: String,
    /// In full, sentence by sentence.
    pub sentences: Vec<String>,
}

/// How a conclusion is to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// There is more to be done, and nothing is wrong with that.
    #[default]
    Unfinished,
    /// All done, and nothing is wrong.
    Good,
    /// Somebody should look at it.
    Attention,
}

/// What was found on one side. Its JSON form is a promise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Found {
    /// The root among them.
    pub folders: i64,
    /// Regular files.
    pub files: i64,
    /// Symbolic links.
    pub symlinks: i64,
    /// Sockets, devices, FIFOs, mount points.
    pub others: i64,
    /// Bytes of the files.
    pub bytes: i64,
    /// Folders that were listed to their end.
    pub folders_listed: i64,
    /// Folders that are still to be listed.
    pub folders_pending: i64,
    /// Folders that could not be listed.
    pub folders_failed: i64,
}

/// What the last verification came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct VerificationFigures {
    /// How thoroughly it looked.
    pub level: VerifyLevel,
    /// Nodes that were looked at.
    pub nodes: i64,
    /// Bytes that were read back.
    pub bytes_read: i64,
    /// Those that are not what they should be.
    pub differences: i64,
    /// Whether it came to its end.
    pub is_finished: bool,
}

impl Figures {
    /// What the ledger says of itself, and what its nodes come to; without the conclusion, which follows from that.
    pub(crate) fn new(ledger: &Path, about: About, totals: &BySide<Counters>, sums: Sums, now_ns: i64) -> Figures {
        let migration = about.migration;
        let current = migration.current_phase();
        let outcomes = outcomes(&sums.statuses, StatusTotal::amount);
        let files = outcomes_of_files(&sums.statuses);
        let verification = about.verification.map(|verification| VerificationFigures {
            level: verification.level,
            nodes: verification.verified.nodes,
            bytes_read: verification.verified.bytes_read,
            differences: verification.verified.differences,
            is_finished: current == Phase::Complete,
        });
        Figures {
            made_at: time_for_programs(now_ns),
            made_ns: now_ns,
            ledger: ledger.display().to_string(),
            copy_settings: migration.chosen_copy_settings(),
            source: migration.spec.source,
            destination: migration.spec.destination,
            versions: Versions {
                longhaul: env!("CARGO_PKG_VERSION").to_owned(),
                ledger_made_by: migration.longhaul_version,
                schema: about.schema_version,
                duckdb: about.duckdb_version,
            },
            created_at: time_for_programs(migration.created_ns),
            phase: migration.phase,
            phase_reason: migration.phase_reason,
            suspended_from: migration.suspended_from,
            conclusion: Conclusion::default(),
            outcomes,
            files,
            statuses: sums.statuses,
            on_source: Found::from(&totals.src),
            on_destination: Found::from(&totals.dst),
            only_on_destination: sums.only_on_destination,
            problem_count: sums.reasons.iter().map(|total| total.nodes).sum(),
            left_undone: about.left_undone,
            needs_attention: about.needs_attention,
            problems: sums.reasons,
            folders: sums.folders,
            sizes: sums.sizes,
            types: sums.types,
            verification,
            runs: about.runs,
            throughput: sums.throughput,
            plan_hash: about.plan_hash,
            approved_plan_hash: about.approved_plan_hash,
            settings: migration.spec.settings,
        }
    }

    /// How many problems there are of a kind.
    pub(crate) fn problems_of(&self, kind: ProblemKind) -> i64 {
        self.problems.iter().filter(|total| total.status == kind).map(|total| total.nodes).sum()
    }
}

impl From<&Counters> for Found {
    fn from(counters: &Counters) -> Self {
        Found {
            folders: counters.folders,
            files: counters.files,
            symlinks: counters.symlinks,
            others: counters.others,
            bytes: counters.bytes,
            folders_listed: counters.folders_listed,
            folders_pending: counters.folders_pending(),
            folders_failed: counters.folders_failed,
        }
    }
}

/// What became of what `amount` says of each status.
fn outcomes(statuses: &[StatusTotal], amount: impl Fn(&StatusTotal) -> Amount) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for total in statuses {
        *match total.status {
            CopyStatus::Successful => &mut outcomes.moved,
            CopyStatus::AlreadyExisted => &mut outcomes.there_already,
            CopyStatus::Pending => &mut outcomes.waiting,
            CopyStatus::Failed
            | CopyStatus::Skipped
            | CopyStatus::Conflict
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited
            | CopyStatus::Vanished => &mut outcomes.not_moved,
        } += amount(total);
    }
    outcomes
}

fn outcomes_of_files(statuses: &[StatusTotal]) -> Outcomes {
    outcomes(statuses, |total| Amount { nodes: total.files, bytes: total.bytes })
}

/// The problems that the page names: some of each kind, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Noticed {
    by_kind: [Vec<NodeProblem>; ProblemKind::ALL.len()],
}

impl Noticed {
    pub(crate) fn take(&mut self, problem: NodeProblem) {
        let of_kind = &mut self.by_kind[place_of(problem.status)];
        if of_kind.len() < NAMED_MAX {
            of_kind.push(problem);
        }
    }

    /// The first of what verification found to be different.
    pub(crate) fn differences(&self) -> &[NodeProblem] {
        &self.by_kind[place_of(ProblemKind::Different)]
    }

    /// The others, the worst first, by path; every kind gets some room.
    pub(crate) fn named(&self) -> Vec<&NodeProblem> {
        let mut named = Vec::new();
        let by_kind: Vec<_> = ProblemKind::ALL
            .into_iter()
            .filter(|kind| *kind != ProblemKind::Different)
            .map(|kind| &self.by_kind[place_of(kind)])
            .collect();
        for (place, of_kind) in by_kind.iter().enumerate() {
            let later = by_kind[place + 1..].iter().map(|later| later.len().min(NAMED_OF_KIND_MIN));
            let room = NAMED_MAX - named.len() - later.sum::<usize>();
            let mut of_kind: Vec<_> = of_kind.iter().take(room).collect();
            of_kind.sort_by(|a, b| a.path.cmp(&b.path));
            named.extend(of_kind);
        }
        named
    }
}

fn place_of(kind: ProblemKind) -> usize {
    ProblemKind::ALL.iter().position(|other| *other == kind).expect("all of them are there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: ProblemKind, number: usize) -> NodeProblem {
        NodeProblem {
            side: "src".to_owned(),
            path: format!("/{number:06}"),
            kind: "file".to_owned(),
            size: None,
            status,
            class: None,
            reason: None,
            attempts: 0,
        }
    }

    #[test]
    fn no_kind_of_problem_takes_all_the_room() {
        let mut noticed = Noticed::default();
        for number in (0..10_000).rev() {
            noticed.take(problem(ProblemKind::Skipped, number));
            noticed.take(problem(ProblemKind::Failed, number));
        }
        noticed.take(problem(ProblemKind::Conflict, 7));
        let named = noticed.named();
        let of_kind = |kind| named.iter().filter(|problem| problem.status == kind).count();
        assert_eq!(named.len(), NAMED_MAX);
        assert_eq!(of_kind(ProblemKind::Failed), NAMED_MAX - 21);
        assert_eq!((of_kind(ProblemKind::Conflict), of_kind(ProblemKind::Skipped)), (1, 20));
        assert!(named.is_sorted_by_key(|problem| (problem.status, &problem.path)));
    }

    #[test]
    fn a_few_problems_are_all_named() {
        let mut noticed = Noticed::default();
        (0..3).for_each(|number| noticed.take(problem(ProblemKind::Vanished, number)));
        assert_eq!(noticed.named().len(), 3);
    }
}
