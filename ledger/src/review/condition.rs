//! Conditions that choose nodes: what `find` shows and `exclude --where` excludes.
//!
//! ```text
//! kind = file and size > 10M and name ~ "*.tmp" and not (copy = failed or traversal = failed)
//! under "/a/b" and modified < 2020-01-01 and depth <= 3 and has problem
//! side = dst and traversal = not_on_src
//! ```
//!
//! | test | |
//! |---|---|
//! | `name ~ GLOB`, `path ~ GLOB` | the printable form; `*`, `?`, `[a-z]`, `[!a-z]`; case matters; in a path `*` crosses `/` |
//! | `name = TEXT`, `path = PATH` | the same, as it is |
//! | `under PATH` | what has that path, and all below it; whole components are compared |
//! | `kind`, `traversal`, `copy`, `action` `= WORD` | the words of the ledger; the last two have the source only |
//! | `size > 10M` | `=`, `!=`, `<`, `<=`, `>`, `>=`; `K` = `KiB` = 1024, `KB` = 1000; and so on up to `P` |
//! | `modified < 2020-01-01` | the same operators; a day, or a time to the minute, second or closer, in UTC |
//! | `modified < 30d ago` | as long before now: `s`, `m`, `h`, `d`, `w`, `y` (365 days); `ago` may be left out |
//! | `depth <= 3` | the same operators; the root has 0 |
//! | `has problem` | could not be listed or copied, or verification found it different |
//! | `side = src`, `side = dst` | of which side nodes are chosen; only beside everything else |
//!
//! `!=` and `!~` are what `not` makes of `=` and `~`. `not` binds closest, `or` loosest. A value with spaces, brackets or
//! operators in it is put into `"…"` or `'…'`, where the quote itself is doubled and a backslash is just that. A size or
//! time that the store did not say passes no test, and so passes every `not`.

mod chosen;
mod glob;
mod listed;
mod moment;
mod parser;
mod print;
mod sql;

use std::fmt;

use longhaul_model::{CopyStatus, NodeKind, PlanAction, Side, TraversalStatus};

pub use self::listed::ListedEntry;
pub(crate) use self::moment::time_text;

use self::glob::Glob;
use self::moment::Moment;
use super::paths::normal_path;

/// Chooses nodes of one side. What it means is said at the top of this file, and in README.md for people.
///
/// Its `Display` form is a text that parses to an equal condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Of which side; `None` where nothing is said of that.
    side: Option<Side>,
    tests: Expression,
}

/// Tests put together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    /// All hold; with none, every node passes.
    All(Vec<Expression>),
    /// One at least holds; never empty.
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// What a single node passes or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Its printable name.
    Name(Pattern),
    /// Its printable path.
    Path(Pattern),
    /// At this printable path, which is normal (see `paths`), or below it.
    Under(String),
    Kind(NodeKind),
    Traversal(TraversalStatus),
    Copy(CopyStatus),
    Action(PlanAction),
    Problem,
    /// Bytes.
    Size(Comparison, i64),
    Depth(Comparison, i64),
    Modified(Comparison, Moment),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Is(String),
    Like(Glob),
}

/// How a number or a time is compared with another one. "Is not" is the negation of `Equal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    const fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// A text that is no condition, and where it ceases to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// What was typed.
    pub text: String,
    /// The byte of `text` at which something is wrong, counted from 0; its length where something is missing there.
    pub position: usize,
    /// What is wrong there, and what would be right.
    pub message: String,
}

impl ConditionError {
    /// Two lines: what was typed, and a caret under the place.
    pub fn marked(&self) -> String {
        // Nothing in it may break the line, or the caret would stand anywhere.
        let shown: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = self.text[..self.position].chars().count();
        format!("{shown}\n{:before$}^", "")
    }
}

/// One line, with the position as people count: in characters, from 1.
impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.text[..self.position].chars().count() + 1;
        write!(f, "condition, at character {column}: {}", self.message)
    }
}

impl std::error::Error for ConditionError {}

impl Condition {
    /// Reads a condition. Without `side = …` in it, it is about the source unless somebody says otherwise.
    pub fn parse(text: &str) -> Result<Condition, ConditionError> {
        parser::parse(text, None, false)
    }

    /// Reads a condition that can only be about `side`: one that says or needs something else is refused.
    pub fn parse_for(text: &str, side: Side) -> Result<Condition, ConditionError> {
        parser::parse(text, Some(side), false)
    }

    /// Reads a condition that only tests what a listing says: see [`Condition::holds_for`]. One that needs more is refused.
    pub fn parse_for_listing(text: &str) -> Result<Condition, ConditionError> {
        parser::parse(text, Some(Side::Source), true)
    }

    /// Chooses every node.
    pub fn everything() -> Condition {
        Condition { side: None, tests: Expression::All(Vec::new()) }
    }

    /// Chooses nodes whose printable name is like `glob`.
    pub fn named(glob: &str) -> Result<Condition, ConditionError> {
        let glob = Glob::parse(glob).map_err(|(position, message)| ConditionError {
            text: glob.to_owned(),
            position,
            message: message.to_owned(),
        })?;
        Ok(Test::Name(Pattern::Like(glob)).into())
    }

    /// Chooses what has the printable path `path`, and what is below it.
    pub fn under(path: &str) -> Result<Condition, ConditionError> {
        match normal_path(path) {
            Ok(path) => Ok(Test::Under(path).into()),
            Err(message) => Err(ConditionError { text: path.to_owned(), position: 0, message: message.to_owned() }),
        }
    }

    /// Chooses nodes of this kind.
    pub fn of_kind(kind: NodeKind) -> Condition {
        Test::Kind(kind).into()
    }

    /// Chooses nodes with this traversal status.
    pub fn with_traversal_status(status: TraversalStatus) -> Condition {
        Test::Traversal(status).into()
    }

    /// Chooses source nodes with this copy status.
    pub fn with_copy_status(status: CopyStatus) -> Condition {
        Test::Copy(status).into()
    }

    /// Chooses nodes that have a problem.
    pub fn with_problem() -> Condition {
        Test::Problem.into()
    }

    /// Chooses what both choose. Where both say of which side, it must be the same one: otherwise there is `None`.
    #[must_use]
    pub fn and(self, other: Condition) -> Option<Condition> {
        let side = match (self.side, other.side) {
            (Some(one), Some(another)) if one != another => return None,
            (one, another) => one.or(another),
        };
        let mut tests: Vec<Expression> = Vec::new();
        for expression in [self.tests, other.tests] {
            match expression {
                Expression::All(expressions) => tests.extend(expressions),
                single @ (Expression::Any(_) | Expression::Not(_) | Expression::Test(_)) => tests.push(single),
            }
        }
        let tests = if tests.len() == 1 { tests.remove(0) } else { Expression::All(tests) };
        Some(Condition { side, tests })
    }

    /// Of which side it chooses nodes, if it says so.
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// Whether it tests what only source nodes have: a copy status, an action of the plan.
    pub fn needs_source(&self) -> bool {
        fn needs(expression: &Expression) -> bool {
            match expression {
                Expression::All(parts) | Expression::Any(parts) => parts.iter().any(needs),
                Expression::Not(part) => needs(part),
                Expression::Test(test) => matches!(test, Test::Copy(_) | Test::Action(_)),
            }
        }
        needs(&self.tests)
    }
}

impl From<Test> for Condition {
    fn from(test: Test) -> Self {
        Condition { side: None, tests: Expression::Test(test) }
    }
}

impl std::str::FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Condition::parse(text)
    }
}

#[cfg(test)]
mod tests;
