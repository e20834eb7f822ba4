//! What the page says with a name and a value, or in a sentence: speed, verification, rules.

use longhaul_ledger::FilterRule;
use longhaul_ledger::reporting::Amount;
use longhaul_model::{CompareBy, ConflictPolicy, VerifyLevel};

use super::rows::whole_bytes;
use crate::figures::Figures;
use crate::words::{bytes, count, counted, duration};

/// Something with a name and a value.
pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// How fast it was on the whole.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "it is rounded for people")]
pub(super) fn copying(figures: &Figures) -> Option<String> {
    let throughput = &figures.throughput;
    let moved: Amount = throughput.slices.iter().map(|slice| Amount { nodes: slice.nodes, bytes: slice.bytes }).sum();
    let taken_ns: i64 = throughput.spans.iter().map(|span| span.last_ns - span.first_ns).sum();
    if moved.nodes == 0 {
        return None;
    }
    let what = format!("{} with {}", counted(moved.nodes, "item"), bytes(moved.bytes));
    if taken_ns < 1_000_000_000 {
        return Some(format!("{what} were copied in less than a second."));
    }
    let seconds = taken_ns as f64 / 1e9;
    let per_second = |number: i64| (number as f64 / seconds) as i64;
    Some(format!(
        "{what} were copied in {} of copying, pauses left out: {} and {} a second on average.",
        duration(taken_ns),
        counted(per_second(moved.nodes), "item"),
        bytes(per_second(moved.bytes))
    ))
}

/// What verification looks at, in a sentence.
pub(super) fn level(figures: &Figures) -> &'static str {
    match figures.verification.as_ref().map(|verification| verification.level) {
        None => "",
        Some(VerifyLevel::Size) => {
            "Everything that should be on the destination was looked for: whether it is there, and of the right kind, size and time."
        }
        Some(VerifyLevel::Checksum) => {
            "Everything that should be on the destination was looked for, and what was copied was read back and compared with the checksum that was taken of the source."
        }
        Some(VerifyLevel::Full) => {
            "Everything that should be on the destination was looked for, and both sides were read and compared, what was there before as well."
        }
    }
}

pub(super) fn verification(figures: &Figures) -> Vec<Facts> {
    let Some(verification) = &figures.verification else { return Vec::new() };
    vec![
        Facts { name: "Level", value: verification.level.to_string() },
        Facts { name: "Looked at", value: counted(verification.nodes, "item") },
        Facts { name: "Read back", value: bytes(verification.bytes_read) },
        Facts { name: "Differences", value: count(verification.differences) },
        Facts { name: "Finished", value: yes(verification.is_finished) },
    ]
}

pub(super) fn settings(figures: &Figures) -> Vec<Facts> {
    let settings = &figures.settings;
    let step_ns = figures.copy_settings.as_ref().and_then(|copy| copy.time_step_ns).unwrap_or(1);
    let tolerance_ns = settings.comparison.with_time_step(step_ns).time_tolerance_ns;
    let mut facts = vec![
        Facts {
            name: "A file is there already if it has the same",
            value: comparison_in_words(settings.comparison.by).to_owned(),
        },
        Facts {
            name: "Times may differ by",
            value: format!("{} ns", count(i64::try_from(tolerance_ns).unwrap_or(i64::MAX))),
        },
        Facts {
            name: "One that is there and not the same is",
            value: conflict_in_words(settings.on_conflict).to_owned(),
        },
        Facts { name: "Stays on one file system", value: yes(settings.one_file_system) },
        Facts { name: "Symbolic links are kept", value: yes(settings.symlinks_kept) },
    ];
    if !settings.filter.is_empty() {
        facts.push(Facts { name: "Left out from the beginning", value: rules_in_words(&settings.filter.rules) });
    }
    if let Some(copy) = &figures.copy_settings {
        let large_from = i64::try_from(copy.large_from).unwrap_or(i64::MAX);
        facts.extend([
            Facts { name: "Checksums (BLAKE3) while copying", value: yes(copy.checksum) },
            Facts { name: "User and group carried over", value: yes(copy.owner) },
            Facts { name: "Extended attributes carried over", value: yes(copy.extended) },
            Facts { name: "Hard links carried over", value: yes(copy.hard_links) },
            Facts { name: "Holes carried over", value: yes(copy.holes) },
            Facts { name: "Empty folders kept in any case", value: yes(copy.empty_folders) },
            Facts { name: "In parts from", value: whole_bytes(large_from) },
        ]);
    }
    facts
}

/// The first rules of a filter.
fn rules_in_words(rules: &[FilterRule]) -> String {
    const RULES_MAX: usize = 12;
    let mut words: Vec<_> = rules.iter().take(RULES_MAX).map(|rule| rule.text.clone()).collect();
    if rules.len() > RULES_MAX {
        words.push(format!("and {} more rules", rules.len() - RULES_MAX));
    }
    words.join(" · ")
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn comparison_in_words(by: CompareBy) -> &'static str {
    match by {
        CompareBy::SizeAndTime => "size and time",
        CompareBy::Size => "size",
        CompareBy::Time => "time",
        CompareBy::Checksum => "contents",
        CompareBy::Exists => "name",
    }
}

fn conflict_in_words(policy: ConflictPolicy) -> &'static str {
    match policy {
        ConflictPolicy::Newer => "overwritten if older, left otherwise",
        ConflictPolicy::Skip => "left as it is",
        ConflictPolicy::Overwrite => "overwritten",
        ConflictPolicy::KeepBoth => "kept, with the source's beside it",
        ConflictPolicy::Ask => "left for a person to decide",
    }
}
