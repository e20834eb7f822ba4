//! What is left out of the source, by rules given before discovery.
//!
//! A rule is a line of a filter file, or an option. Two kinds of lines may stand beside each other:
//!
//! | line | leaves out |
//! |---|---|
//! | as in a `.gitignore` at the root of the source | what its pattern fits; `!` in front takes back what lines before it leave out |
//! | `where: CONDITION` | what meets the condition, in the words of `find`; `!where:` takes back |
//!
//! The last rule that fits a node decides. A folder that is left out is not listed, so nothing in it can be taken back. A
//! condition that tests a size or a time is never about folders: what is in an old folder may be new. What is not carried
//! over in any case (sockets, devices, FIFOs, mount points) is passed over.
//!
//! Listers of the source ask for every page that they find; without a filter there is nothing to be asked.

mod pattern;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use longhaul_ledger::{Condition, FilterRule, FilterSettings, ListedEntry};
use longhaul_model::{NodeKind, Page, PageEntry, decode_name};

/// What a line begins with that has a condition.
const CONDITION: &str = "where:";

/// A rule has to be short: every node that it leaves out has it as its reason.
const RULE_BYTES_MAX: usize = 1_000;

/// A rule that is not understood, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from}, at character {column}: {message}")]
pub struct FilterError {
    /// Where the rule was given: `FILE:LINE`, or an option.
    pub from: String,
    /// Which character of it, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl FilterError {
    /// `position` is the byte of `text` at which something is wrong.
    fn new(from: &str, text: &str, position: usize, message: impl Into<String>) -> Self {
        let column = text[..position].chars().count() + 1;
        FilterError { from: from.to_owned(), column, message: message.into() }
    }
}

/// The rules in a filter file called `name`: one for each line but empty ones and comments, which begin with `#`.
///
/// Fails at the first line that is not understood.
pub fn read_rules(name: &str, contents: &[u8]) -> Result<Vec<FilterRule>, FilterError> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let contents = contents.strip_prefix(BYTE_ORDER_MARK).unwrap_or(contents);
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(contents.split(|byte| *byte == b'\n')) {
        let from = format!("{name}:{number}");
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|error| {
            let valid = String::from_utf8_lossy(&line[..error.valid_up_to()]);
            let message =
                "this is not UTF-8: use ? or * for such bytes, or where: name = \"…\" with them as they are printed";
            FilterError::new(&from, &valid, valid.len(), message)
        })?;
        let text = pattern::without_trailing_spaces(text);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let rule = FilterRule { from, text: text.to_owned() };
        Rule::parse(&rule)?;
        rules.push(rule);
    }
    Ok(rules)
}

/// One rule, understood.
enum Rule {
    /// As the `ignore` crate takes it.
    Pattern(String),
    Condition {
        condition: Condition,
        takes_back: bool,
    },
}

impl Rule {
    fn parse(rule: &FilterRule) -> Result<Rule, FilterError> {
        let FilterRule { from, text } = rule;
        if text.len() > RULE_BYTES_MAX {
            let message = format!("a rule of more than {RULE_BYTES_MAX} bytes");
            return Err(FilterError::new(from, text, 0, message));
        }
        if text.is_empty() || text.starts_with('#') {
            return Err(FilterError::new(
                from,
                text,
                0,
                "an empty rule, or a comment; the character itself is written \\#",
            ));
        }
        if let Some((position, _)) = text.char_indices().find(|(_, c)| c.is_control() && *c != '\t') {
            return Err(FilterError::new(from, text, position, "a control character: write ? instead"));
        }
        let (takes_back, rest) = text.strip_prefix('!').map_or((false, text.as_str()), |rest| (true, rest));
        if let Some(condition) = rest.strip_prefix(CONDITION) {
            let begins = text.len() - condition.len();
            let condition = Condition::parse_for_listing(condition)
                .map_err(|error| FilterError::new(from, text, begins + error.position, error.message))?;
            return Ok(Rule::Condition { condition, takes_back });
        }
        if rest.trim_matches('/').is_empty() {
            return Err(FilterError::new(from, text, 0, "no name is empty, so this fits nothing"));
        }
        let pattern =
            pattern::for_globs(text).map_err(|(position, message)| FilterError::new(from, text, position, message))?;
        Ok(Rule::Pattern(pattern))
    }
}

/// Rules, ready to be asked.
#[derive(Debug)]
pub struct Filter {
    /// Each of its patterns has the number of its rule for the name of the file that it is from.
    patterns: Gitignore,
    /// In the order of rules.
    conditions: Vec<ConditionRule>,
    at_ns: i64,
}

#[derive(Debug)]
struct ConditionRule {
    rule: usize,
    condition: Condition,
    /// Whether folders can meet it as well.
    is_for_folders: bool,
    takes_back: bool,
}

impl Filter {
    /// Gets the rules of a migration ready; `None` where there are none.
    pub fn new(settings: &FilterSettings) -> Result<Option<Filter>, FilterError> {
        if settings.is_empty() {
            return Ok(None);
        }
        // Paths are given from the root of the source on, and there is nothing in front of it.
        let mut patterns = GitignoreBuilder::new("");
        patterns.allow_unclosed_class(false);
        let mut conditions = Vec::new();
        for (number, rule) in settings.rules.iter().enumerate() {
            match Rule::parse(rule)? {
                Rule::Pattern(pattern) => {
                    patterns
                        .add_line(Some(PathBuf::from(number.to_string())), &pattern)
                        .map_err(|error| FilterError::new(&rule.from, &rule.text, 0, error.to_string()))?;
                }
                Rule::Condition { condition, takes_back } => {
                    let is_for_folders = !condition.tests_size_or_time();
                    conditions.push(ConditionRule { rule: number, condition, is_for_folders, takes_back });
                }
            }
        }
        let patterns = patterns.build().map_err(|error| {
            let last = &settings.rules[settings.rules.len() - 1];
            FilterError::new(&last.from, &last.text, 0, format!("the patterns up to here: {error}"))
        })?;
        Ok(Some(Filter { patterns, conditions, at_ns: settings.at_ns }))
    }

    /// Marks what is left out of a page of the folder at this printable path and depth.
    pub fn apply(&self, folder: &str, depth: i32, page: &mut Page) {
        let path_of_folder = bytes_of(folder);
        let mut path = path_of_folder.strip_prefix(b"/").unwrap_or(&path_of_folder).to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        let folder_length = path.len();
        let mut left_out = Vec::new();
        for (index, entry) in page.iter().enumerate() {
            if entry.kind == NodeKind::Other {
                continue;
            }
            path.truncate(folder_length);
            path.extend_from_slice(&bytes_of(entry.name));
            if let Some(rule) = self.rule_for(Path::new(OsStr::from_bytes(&path)), folder, depth + 1, &entry) {
                left_out.push((index, rule));
            }
        }
        for (index, rule) in left_out {
            page.leave_out(index, rule);
        }
    }

    /// The number of the rule that leaves an entry out, if one does. `path` is from the root of the source on.
    fn rule_for(&self, path: &Path, folder: &str, depth: i32, entry: &PageEntry<'_>) -> Option<usize> {
        let is_folder = entry.kind == NodeKind::Folder;
        let (by_pattern, takes_back) = match self.patterns.matched(path, is_folder) {
            Match::None => (None, false),
            Match::Ignore(glob) => (Some(rule_of(glob)), false),
            Match::Whitelist(glob) => (Some(rule_of(glob)), true),
        };
        let listed = ListedEntry {
            folder,
            name: entry.name,
            kind: entry.kind,
            size: entry.size,
            modified_ns: entry.modified_ns,
            depth,
        };
        let by_condition = self
            .conditions
            .iter()
            .rev()
            .take_while(|rule| by_pattern.is_none_or(|by_pattern| rule.rule > by_pattern))
            .filter(|rule| !is_folder || rule.is_for_folders)
            .find(|rule| rule.condition.holds_for(&listed, self.at_ns));
        match by_condition {
            Some(rule) => (!rule.takes_back).then_some(rule.rule),
            None => by_pattern.filter(|_| !takes_back),
        }
    }
}

fn rule_of(glob: &ignore::gitignore::Glob) -> usize {
    let number = glob.from().and_then(Path::to_str).and_then(|number| number.parse().ok());
    number.expect("every pattern was given the number of its rule")
}

/// The bytes of a printable name or path.
fn bytes_of(printable: &str) -> Cow<'_, [u8]> {
    if printable.contains('\\') {
        Cow::Owned(decode_name(printable).expect("what has been listed is printable"))
    } else {
        Cow::Borrowed(printable.as_bytes())
    }
}

#[cfg(test)]
mod tests;
