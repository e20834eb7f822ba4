//! Conditions as text that can be read back.

use std::fmt;

use super::{Condition, Expression, Pattern, Test, parser};

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(side) = self.side else { return self.tests.fmt(f) };
        write!(f, "side = {}", side.prefix())?;
        match &self.tests {
            Expression::All(parts) if parts.is_empty() => Ok(()),
            // They stand beside one another, as they were typed.
            Expression::All(parts) => parts.iter().try_for_each(|part| write!(f, " and {}", InBrackets(part))),
            single @ (Expression::Any(_) | Expression::Not(_) | Expression::Test(_)) => {
                write!(f, " and {}", InBrackets(single))
            }
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, between) = match self {
            // An empty text is the condition that chooses everything.
            Expression::All(parts) => (parts, " and "),
            Expression::Any(parts) => (parts, " or "),
            Expression::Not(part) => return write!(f, "not {}", InBrackets(part)),
            Expression::Test(test) => return test.fmt(f),
        };
        for (place, part) in parts.iter().enumerate() {
            write!(f, "{}{}", if place == 0 { "" } else { between }, InBrackets(part))?;
        }
        Ok(())
    }
}

/// An expression in round brackets, where it has several parts.
struct InBrackets<'a>(&'a Expression);

impl fmt::Display for InBrackets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expression::All(_) | Expression::Any(_) => write!(f, "({})", self.0),
            Expression::Not(_) | Expression::Test(_) => self.0.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Name(pattern) => write!(f, "name {pattern}"),
            Test::Path(pattern) => write!(f, "path {pattern}"),
            Test::Under(path) => write!(f, "under {}", Quoted(path)),
            Test::Kind(kind) => write!(f, "kind = {kind}"),
            Test::Traversal(status) => write!(f, "traversal = {status}"),
            Test::Copy(status) => write!(f, "copy = {status}"),
            Test::Action(action) => write!(f, "action = {action}"),
            Test::Problem => f.write_str("has problem"),
            Test::Size(comparison, bytes) => write!(f, "size {} {bytes}", comparison.as_str()),
            Test::Depth(comparison, depth) => write!(f, "depth {} {depth}", comparison.as_str()),
            Test::Modified(comparison, moment) => write!(f, "modified {} {moment}", comparison.as_str()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Is(text) => write!(f, "= {}", Quoted(text)),
            Pattern::Like(glob) => write!(f, "~ {}", Quoted(&glob.to_string())),
        }
    }
}

/// A value, in quotes where it needs them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(parser::is_bare) {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}
