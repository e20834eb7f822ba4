//! Conditions on what has just been listed, and is in no ledger yet.

use longhaul_model::{NodeKind, child_path, is_at_or_below};

use super::moment::Moment;
use super::{Comparison, Condition, Expression, Pattern, Test};

/// What a listing says of a node.
#[derive(Clone, Copy, Debug)]
pub struct ListedEntry<'a> {
    /// The printable path of the folder that it is in.
    pub folder: &'a str,
    /// Its printable name.
    pub name: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes; `None` where the store does not say.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store does not say.
    pub modified_ns: Option<i64>,
    /// 1 for what is in the root.
    pub depth: i32,
}

impl Condition {
    /// Whether a node that has just been listed is chosen, as it would be out of the ledger. `now_ns` is what `30d ago`
    /// counts from, in nanoseconds since 1970.
    ///
    /// # Panics
    ///
    /// When it is not from [`Condition::parse_for_listing`], and tests what a listing does not say.
    pub fn holds_for(&self, entry: &ListedEntry<'_>, now_ns: i64) -> bool {
        holds(&self.tests, entry, now_ns)
    }

    /// Whether it tests a size or a time anywhere.
    pub fn tests_size_or_time(&self) -> bool {
        fn tests(expression: &Expression) -> bool {
            match expression {
                Expression::All(parts) | Expression::Any(parts) => parts.iter().any(tests),
                Expression::Not(part) => tests(part),
                Expression::Test(test) => matches!(test, Test::Size(..) | Test::Modified(..)),
            }
        }
        tests(&self.tests)
    }
}

fn holds(expression: &Expression, entry: &ListedEntry<'_>, now_ns: i64) -> bool {
    match expression {
        Expression::All(parts) => parts.iter().all(|part| holds(part, entry, now_ns)),
        Expression::Any(parts) => parts.iter().any(|part| holds(part, entry, now_ns)),
        Expression::Not(part) => !holds(part, entry, now_ns),
        Expression::Test(test) => passes(test, entry, now_ns),
    }
}

fn passes(test: &Test, entry: &ListedEntry<'_>, now_ns: i64) -> bool {
    match test {
        Test::Name(pattern) => pattern.fits(entry.name),
        Test::Path(pattern) => pattern.fits(&child_path(entry.folder, entry.name)),
        Test::Under(path) => is_at_or_below(&child_path(entry.folder, entry.name), path),
        Test::Kind(kind) => entry.kind == *kind,
        Test::Size(comparison, bytes) => entry.size.is_some_and(|size| comparison.holds(size, *bytes)),
        Test::Depth(comparison, depth) => comparison.holds(entry.depth.into(), *depth),
        Test::Modified(comparison, moment) => {
            entry.modified_ns.is_some_and(|modified_ns| is_at(modified_ns, *comparison, *moment, now_ns))
        }
        Test::Traversal(_) | Test::Copy(_) | Test::Action(_) | Test::Problem => {
            unreachable!("conditions for listings are refused if they test this")
        }
    }
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        match self {
            Pattern::Is(other) => text == other,
            Pattern::Like(glob) => glob.matches(text),
        }
    }
}

impl Comparison {
    fn holds(self, value: i64, with: i64) -> bool {
        match self {
            Comparison::Equal => value == with,
            Comparison::Less => value < with,
            Comparison::LessOrEqual => value <= with,
            Comparison::Greater => value > with,
            Comparison::GreaterOrEqual => value >= with,
        }
    }
}

/// As it is put to DuckDB: a moment is as wide as it was written.
fn is_at(modified_ns: i64, comparison: Comparison, moment: Moment, now_ns: i64) -> bool {
    let range = moment.range(now_ns);
    match comparison {
        Comparison::Equal => range.contains(&modified_ns),
        Comparison::Less => modified_ns < range.start,
        Comparison::LessOrEqual => modified_ns < range.end,
        Comparison::Greater => modified_ns >= range.end,
        Comparison::GreaterOrEqual => modified_ns >= range.start,
    }
}
