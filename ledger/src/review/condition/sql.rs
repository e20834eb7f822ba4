//! Conditions as SQL over one node `n`.
//!
//! What is not in the node's own row is asked for with `IN (SELECT …)`: DuckDB makes a join of it which carries nothing
//! along, and only of what the condition names. What people typed becomes a parameter; only words of ours, which are
//! those of the ledger's enumerations, stand in the text.

use duckdb::types::Value;
use longhaul_model::{CopyStatus, PlanAction, Side, TraversalStatus};

use super::glob::Matcher;
use super::moment::Moment;
use super::{Comparison, Expression, Pattern, Test};
use crate::review::paths::folder_and_name;

/// The printable path of a node `x` in the folder `f`.
const PATH: &str = "CASE
    WHEN x.parent_id IS NULL THEN '/'
    WHEN f.id = 1 THEN '/' || x.name
    ELSE f.path || '/' || x.name
  END";

/// A piece of SQL with its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sql {
    /// The text, with a `?` for each parameter.
    pub(crate) expression: String,
    /// In the order of the `?`.
    pub(crate) parameters: Vec<Value>,
}

pub(super) fn of(expression: &Expression, side: Side, now_ns: i64) -> Sql {
    let mut writer = Writer { sql: Sql::default(), side: side.prefix(), is_source: side == Side::Source, now_ns };
    writer.expression(expression);
    writer.sql
}

struct Writer {
    sql: Sql,
    side: &'static str,
    is_source: bool,
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
                self.like(PATH, &glob.matcher());
                self.text(")");
            }
            Test::Under(path) => self.under(path),
            Test::Kind(kind) => self.text(&format!("n.kind = '{kind}'")),
            Test::Traversal(status) => self.traversal(*status),
            Test::Copy(status) => self.copy(*status),
            Test::Action(action) => self.action(*action),
            Test::Problem => self.problem(),
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
        self.with(&format!("coalesce(n.parent_id IN (SELECT id FROM {side}_folders WHERE path = ?"), path.to_owned());
        self.with(" OR starts_with(path, ?)), false) OR ", format!("{path}/"));
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

    /// As the views `src_status` and `dst_status` have it: what the last event says, and otherwise what follows from how the
    /// node was found.
    fn traversal(&mut self, status: TraversalStatus) {
        let side = self.side;
        let said = format!("n.id IN (SELECT id FROM {side}_latest WHERE traversal_status = '{status}')");
        let nothing_said = format!("n.id NOT IN (SELECT id FROM {side}_latest WHERE traversal_status IS NOT NULL)");
        let found = match status {
            TraversalStatus::Pending => "n.kind = 'folder'",
            TraversalStatus::Successful => "n.kind <> 'folder'",
            TraversalStatus::NotOnSrc | TraversalStatus::Failed => "true",
        };
        let matched = match (self.is_source, status) {
            (true, TraversalStatus::NotOnSrc) | (_, TraversalStatus::Failed) => return self.text(&said),
            (true, _) => "true",
            (false, TraversalStatus::NotOnSrc) => "n.id NOT IN (SELECT dst_id FROM matches)",
            (false, _) => "n.id IN (SELECT dst_id FROM matches)",
        };
        self.text(&format!("{said} OR ({found} AND {matched} AND {nothing_said})"));
    }

    fn copy(&mut self, status: CopyStatus) {
        // The destination has none.
        if !self.is_source {
            return self.text("false");
        }
        let said = format!("SELECT id FROM src_latest WHERE copy_status = '{status}'");
        let sql = match status {
            CopyStatus::AlreadyExisted => format!(
                "n.id IN (
                   {said}
                   UNION ALL
                   SELECT src_id
                   FROM matches
                   WHERE same AND src_id NOT IN (SELECT id FROM src_latest WHERE copy_status IS NOT NULL)
                 )"
            ),
            // Put the other way round there is one set to look into.
            CopyStatus::Pending => "n.id NOT IN (
                   SELECT id
                   FROM src_latest
                   WHERE copy_status <> 'pending'
                   UNION ALL
                   SELECT src_id
                   FROM matches
                   WHERE same AND src_id NOT IN (SELECT id FROM src_latest WHERE copy_status = 'pending')
                 )"
            .to_owned(),
            CopyStatus::Successful
            | CopyStatus::Failed
            | CopyStatus::Skipped
            | CopyStatus::Conflict
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited
            | CopyStatus::Vanished => format!("n.id IN ({said})"),
        };
        self.text(&sql);
    }

    /// As the view `plan_view` has it.
    fn action(&mut self, action: PlanAction) {
        const EXCLUDED: &str =
            "(SELECT id FROM src_latest WHERE copy_status IN ('excluded_explicit', 'excluded_inherited'))";
        if !self.is_source {
            return self.text("false");
        }
        if action == PlanAction::Exclude {
            return self.text(&format!("n.id IN (SELECT src_id FROM plan) AND n.id IN {EXCLUDED}"));
        }
        self.text(&format!("(n.id IN (SELECT src_id FROM plan WHERE action = '{action}') AND n.id NOT IN {EXCLUDED})"));
        if action == PlanAction::Skip {
            self.text(" OR (n.parent_id IS NOT NULL AND n.id IN (SELECT src_id FROM matches WHERE same))");
        }
    }

    /// As the view `problems` has it; a difference is one of what was copied, and of what it was copied to.
    fn problem(&mut self) {
        self.text(if self.is_source {
            "n.id IN (
               SELECT id
               FROM src_latest
               WHERE traversal_status = 'failed' OR copy_status = 'failed'
               UNION ALL
               SELECT src_id
               FROM differences
             )"
        } else {
            "n.id IN (
               SELECT id
               FROM dst_latest
               WHERE traversal_status = 'failed'
               UNION ALL
               SELECT dst_id
               FROM matches
               WHERE src_id IN (SELECT src_id FROM differences)
             )"
        });
    }
}
