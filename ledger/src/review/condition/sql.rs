//! What conditions say of a node's own row and of the folder that it is in, as SQL over one node `n`.
//!
//! What people typed becomes a parameter; only words of ours, which are those of the ledger's enumerations, stand in the
//! text.

use duckdb::types::Value;
use longhaul_model::Side;

use super::glob::Matcher;
use super::moment::Moment;
use super::{Comparison, Expression, Pattern, Test};
use crate::review::paths::folder_and_name;
use crate::sql;

/// A piece of SQL with its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sql {
    /// The text, with a `?` for each parameter.
    pub(crate) expression: String,
    /// In the order of the `?`.
    pub(crate) parameters: Vec<Value>,
}

/// Whether an expression only tests what is asked for here.
pub(super) fn is_of_row(expression: &Expression) -> bool {
    match expression {
        Expression::All(parts) | Expression::Any(parts) => parts.iter().all(is_of_row),
        Expression::Not(part) => is_of_row(part),
        Expression::Test(Test::Path(Pattern::Like(glob))) => glob.automaton().is_none(),
        Expression::Test(test) => match test {
            Test::Traversal(_) | Test::Copy(_) | Test::Action(_) | Test::Problem => false,
            Test::Name(_)
            | Test::Path(Pattern::Is(_) | Pattern::Like(_))
            | Test::Under(_)
            | Test::Kind(_)
            | Test::Size(..)
            | Test::Depth(..)
            | Test::Modified(..) => true,
        },
    }
}

/// An SQL expression that is true or false, never NULL. What it tests must be of the row.
pub(super) fn of(expression: &Expression, side: Side, now_ns: i64) -> Sql {
    let mut writer = Writer { sql: Sql::default(), side: side.prefix(), now_ns };
    writer.expression(expression);
    writer.sql
}

struct Writer {
    sql: Sql,
    side: &'static str,
    now_ns: i64,
}

impl Writer {
    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::All(parts) if parts.is_empty() => self.text("true"),
            Expression::All(parts) => self.joined(parts, " AND "),
            Expression::Any(parts) => self.joined(parts, " OR "),
            Expression::Not(part) => {
                self.text("NOT ");
                self.expression(part);
            }
            Expression::Test(test) => {
                self.text("(");
                self.test(test);
                self.text(")");
            }
        }
    }

    fn joined(&mut self, parts: &[Expression], between: &str) {
        for (place, part) in parts.iter().enumerate() {
            self.text(if place == 0 { "(" } else { between });
            self.expression(part);
        }
        self.text(")");
    }

    fn text(&mut self, text: &str) {
        self.sql.expression.push_str(text);
    }

    /// Text with one parameter in it.
    fn with(&mut self, text: &str, parameter: impl Into<Value>) {
        self.text(text);
        self.sql.parameters.push(parameter.into());
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Name(Pattern::Is(name)) => self.with("n.name = ?", name.clone()),
            Test::Name(Pattern::Like(glob)) => self.like("n.name", &glob.matcher()),
            Test::Path(Pattern::Is(path)) => self.at(path),
            Test::Path(Pattern::Like(glob)) => {
                let side = self.side;
                // Not of `n` itself: DuckDB would look for duplicates among all pairs of folder and name first.
                self.text(&format!(
                    "n.id IN (
                       SELECT x.id
                       FROM {side}_nodes x
                       LEFT JOIN {side}_folders f ON f.id = x.parent_id
                       WHERE "
                ));
                self.like(&crate::sql::path("x", "f"), &glob.matcher());
                self.text(")");
            }
            Test::Under(path) => self.under(path),
            Test::Kind(kind) => self.text(&format!("n.kind = '{kind}'")),
            Test::Traversal(_) | Test::Copy(_) | Test::Action(_) | Test::Problem => {
                unreachable!("it is not of the row")
            }
            Test::Size(comparison, bytes) => {
                self.with(&format!("coalesce(n.size {} ?, false)", comparison.as_str()), *bytes);
            }
            Test::Depth(comparison, depth) => self.with(&format!("n.depth {} ?", comparison.as_str()), *depth),
            Test::Modified(comparison, moment) => self.modified(*comparison, *moment),
        }
    }

    fn like(&mut self, what: &str, matcher: &Matcher) {
        let (sql, parameter) = match matcher {
            Matcher::Equal(text) => (format!("{what} = ?"), text),
            Matcher::Prefix(text) => (format!("starts_with({what}, ?)"), text),
            Matcher::Suffix(text) => (format!("suffix({what}, ?)"), text),
            Matcher::Contains(text) => (format!("contains({what}, ?)"), text),
            Matcher::Glob(glob) => (format!("{what} GLOB ?"), glob),
            Matcher::Regex(regex) => (format!("regexp_full_match({what}, ?)"), regex),
        };
        self.with(&sql, parameter.clone());
    }

    /// Is what has this normal path.
    fn at(&mut self, path: &str) {
        let Some((folder, name)) = folder_and_name(path) else { return self.text("n.parent_id IS NULL") };
        let side = self.side;
        // Never asked for the root, which has no parent.
        self.with("n.name = ?", name.to_owned());
        self.with(
            &format!(" AND coalesce(n.parent_id IN (SELECT id FROM {side}_folders WHERE path = ?), false)"),
            folder.to_owned(),
        );
    }

    fn under(&mut self, path: &str) {
        if path == "/" {
            return self.text("true");
        }
        let side = self.side;
        let is_below = sql::is_below("path", "?");
        self.with(
            &format!("coalesce(n.parent_id IN (SELECT id FROM {side}_folders WHERE {is_below}), false) OR "),
            sql::is_below_parameter(path).to_owned(),
        );
        self.at(path);
    }

    fn modified(&mut self, comparison: Comparison, moment: Moment) {
        let range = moment.range(self.now_ns);
        let (operator, bound) = match comparison {
            Comparison::Equal => {
                self.with("coalesce(n.modified_ns >= ?", range.start);
                return self.with(" AND n.modified_ns < ?, false)", range.end);
            }
            Comparison::Less => ("<", range.start),
            Comparison::LessOrEqual => ("<", range.end),
            Comparison::Greater => (">=", range.end),
            Comparison::GreaterOrEqual => (">=", range.start),
        };
        self.with(&format!("coalesce(n.modified_ns {operator} ?, false)"), bound);
    }
}
