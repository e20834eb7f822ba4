//! What a migration comes to, in sentences that can be read without knowing how it works.

use longhaul_ledger::reporting::{Amount, ProblemKind};
use longhaul_model::{Phase, VerifyLevel};

use crate::figures::{Conclusion, Figures, Tone, VerificationFigures};
use crate::words::{bytes, count, counted, listed};

/// What the figures come to; `phase` is the one that the migration is in, or was suspended in.
pub(crate) fn conclude(figures: &Figures, phase: Phase) -> Conclusion {
    let is_suspended = figures.phase == Phase::Suspended;
    let needs_attention = figures.needs_attention;
    let tone = match phase {
        _ if needs_attention || is_suspended || figures.problems_of(ProblemKind::Conflict) > 0 => Tone::Attention,
        Phase::Complete => Tone::Good,
        Phase::Created | Phase::Traversing | Phase::Review | Phase::Copying | Phase::Verifying | Phase::Suspended => {
            Tone::Unfinished
        }
    };
    let mut sentences = Vec::new();
    if is_suspended {
        sentences.push(match &figures.phase_reason {
            Some(reason) => {
                format!("The migration is suspended ({}) and can be gone on with.", reason.trim_end_matches('.'))
            }
            None => "The migration is suspended and can be gone on with.".to_owned(),
        });
    }
    if phase.is_after_discovery() {
        sentences.push(files_sentence(figures, phase));
        sentences.extend(not_moved_sentence(figures, phase));
    } else {
        sentences.push(format!(
            "So far {} with {} were found on the source and {} on the destination; {} are still to be listed. Nothing has \
             been moved.",
            counted(figures.on_source.files, "file"),
            bytes(figures.on_source.bytes),
            counted(figures.on_destination.files, "file"),
            counted(figures.on_source.folders_pending + figures.on_destination.folders_pending, "folder"),
        ));
    }
    sentences.extend(not_listed_sentence(figures));
    if phase.is_copied() || figures.verification.is_some() {
        sentences.push(verification_sentence(figures.verification.as_ref()));
    }
    let only_there = figures.only_on_destination.nodes;
    if only_there > 0 {
        let verb = if only_there == 1 {
            "is on the destination only, and was"
        } else {
            "are on the destination only, and were"
        };
        sentences.push(format!("{} {verb} left alone.", counted(only_there, "item")));
    }
    Conclusion { tone, headline: headline(figures, phase, needs_attention), sentences }
}

fn headline(figures: &Figures, phase: Phase, needs_attention: bool) -> String {
    let headline = match phase {
        Phase::Created | Phase::Traversing => "The two sides are still being listed",
        Phase::Review if figures.outcomes.moved.nodes > 0 && figures.outcomes.waiting.nodes == 0 => {
            "There is nothing more to be moved"
        }
        Phase::Review if figures.outcomes.moved.nodes > 0 => "There is more to be moved",
        Phase::Review if figures.outcomes.waiting.nodes == 0 => "There is nothing to be moved",
        Phase::Review => "Nothing has been moved yet",
        Phase::Copying => "Moving is not finished",
        Phase::Verifying if needs_attention => "Moved, with exceptions, and not verified to the end",
        Phase::Verifying => "Moved, and not verified to the end",
        Phase::Complete if needs_attention => "Done, with exceptions",
        Phase::Complete if figures.outcomes.not_moved.nodes > 0 => "Done: all that was to be moved is there",
        Phase::Complete => "Done: everything is there",
        Phase::Suspended => "Suspended",
    };
    headline.to_owned()
}

/// What became of the source's files.
fn files_sentence(figures: &Figures, phase: Phase) -> String {
    let files = &figures.files;
    let total = files.total();
    let is_planned_only = phase == Phase::Review && files.moved.nodes == 0;
    let with_bytes = |amount: Amount| format!("{} ({})", count(amount.nodes), bytes(amount.bytes));
    let verb = |amount: Amount, one: &'static str, many: &'static str| if amount.nodes == 1 { one } else { many };
    let mut parts = Vec::new();
    if !is_planned_only {
        parts.push(format!("{} {} moved", with_bytes(files.moved), verb(files.moved, "was", "were")));
    }
    let there = verb(files.there_already, "was", "were");
    let there = if is_planned_only { verb(files.there_already, "is", "are") } else { there };
    parts.push(format!("{} {there} there already", with_bytes(files.there_already)));
    if files.waiting.nodes > 0 || is_planned_only {
        let still = if is_planned_only { "" } else { "still " };
        parts.push(format!("{} {} {still}to be moved", with_bytes(files.waiting), verb(files.waiting, "is", "are")));
    }
    let left = match (is_planned_only, files.not_moved.nodes) {
        (true, _) => "will not be moved as things stand",
        (false, 1) => "was not moved",
        (false, _) => "were not moved",
    };
    parts.push(match files.not_moved.nodes {
        0 if is_planned_only => "none is left out".to_owned(),
        0 => "none was left out".to_owned(),
        _ => format!("{} {left}", with_bytes(files.not_moved)),
    });
    format!("Of {} ({}) on the source, {}.", counted(total.nodes, "file"), bytes(total.bytes), listed(&parts))
}

/// Why some were not: in items, since folders and links are among them.
fn not_moved_sentence(figures: &Figures, phase: Phase) -> Option<String> {
    let is_planned_only = phase == Phase::Review;
    let kinds = [
        (ProblemKind::Failed, "could not be copied", "could not be copied"),
        (ProblemKind::Conflict, "needs a decision", "need a decision"),
        (ProblemKind::Vanished, "is gone from the source", "are gone from the source"),
        (ProblemKind::Skipped, "is left out by the rules agreed on", "are left out by the rules agreed on"),
        (ProblemKind::ExcludedExplicit, "was excluded", "were excluded"),
        (ProblemKind::ExcludedInherited, "is in an excluded folder", "are in an excluded folder"),
    ];
    let parts = kinds.into_iter().filter_map(|(kind, one, many)| match figures.problems_of(kind) {
        0 => None,
        1 => Some(format!("1 {one}")),
        nodes => Some(format!("{} {many}", count(nodes))),
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() {
        return None;
    }
    let nodes = figures.outcomes.not_moved.nodes;
    let verb = match (is_planned_only, nodes) {
        (true, _) => "will not be moved as things stand",
        (false, 1) => "was not moved",
        (false, _) => "were not moved",
    };
    let planned = match figures.left_undone {
        0 => String::new(),
        1 => " 1 of them had been planned to be moved.".to_owned(),
        planned => format!(" {} of them had been planned to be moved.", count(planned)),
    };
    Some(format!("Folders and links included, {} {verb}: {}.{planned}", counted(nodes, "item"), listed(&parts)))
}

fn not_listed_sentence(figures: &Figures) -> Option<String> {
    let failed = figures.on_source.folders_failed + figures.on_destination.folders_failed;
    let what = counted(failed, "folder");
    match failed {
        0 => None,
        1 => Some(format!("{what} could not be listed: what is in it is not known, and not part of these figures.")),
        _ => Some(format!("{what} could not be listed: what is in them is not known, and not part of these figures.")),
    }
}

fn verification_sentence(verification: Option<&VerificationFigures>) -> String {
    let Some(verification) = verification else { return "The destination has not been verified yet.".to_owned() };
    let how = match verification.level {
        VerifyLevel::Size => "by size and time",
        VerifyLevel::Checksum => "by reading back what was copied",
        VerifyLevel::Full => "by reading both sides",
    };
    let so_far = if verification.is_finished { "" } else { "so far " };
    let found = match verification.differences {
        0 => "no difference".to_owned(),
        differences => counted(differences, "difference"),
    };
    let looked_at = counted(verification.nodes, "item");
    format!("Verification {how} has looked at {looked_at} on the destination and {so_far}found {found}.")
}
