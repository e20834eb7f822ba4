//! Filters.
//!
//! The input is a filter file, an empty line, and paths, one a line; a slash at the end makes a path that of a folder.
//!
//! - A file that is read makes a filter; one that is refused is refused at a character of one of its lines.
//! - Every entry that is left out is left out by a rule that there is, and never one that is not carried over in any case.
//! - As long as all rules are patterns in ASCII, an entry is left out exactly where git's own matching, written down here
//!   again, ignores it.

use longhaul_actors::fuzzing::Filter;
use longhaul_actors::read_rules;
use longhaul_ledger::FilterSettings;
use longhaul_model::{NodeKind, Page, encode_name};

const AT_NS: i64 = 1_700_000_000_000_000_000;

pub fn check(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (file, paths) = (&data[..end], data.get(end + 2..).unwrap_or_default());
    let rules = match read_rules("list", file) {
        Ok(rules) => rules,
        Err(error) => {
            let line: usize = error.from.strip_prefix("list:").and_then(|line| line.parse().ok()).expect("a line");
            let line = file.split(|byte| *byte == b'\n').nth(line - 1).expect("there is such a line");
            let line = String::from_utf8_lossy(line);
            assert!((1..=line.chars().count() + 1).contains(&error.column), "{error} of {line:?}");
            return;
        }
    };
    let texts: Vec<String> = rules.iter().map(|rule| rule.text.clone()).collect();
    let settings = FilterSettings { rules, at_ns: AT_NS };
    let Some(filter) = Filter::new(&settings).expect("its rules have been read") else { return };
    let is_plain =
        |text: &String| text.is_ascii() && !text.trim_start_matches('!').starts_with("where:") && !text.contains("//");
    let patterns: Option<Vec<Pattern>> =
        texts.iter().all(is_plain).then(|| texts.iter().map(|text| Pattern::of(text)).collect());
    for path in paths.split(|byte| *byte == b'\n').take(32) {
        let (path, kind) = path.strip_suffix(b"/").map_or((path, NodeKind::File), |path| (path, NodeKind::Folder));
        let path = path.strip_prefix(b"/").unwrap_or(path);
        if path.contains(&0) || path.split(|byte| *byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")) {
            continue;
        }
        let is_left_out = left_out(&filter, path, kind, texts.len());
        if let Some(patterns) = patterns.as_ref().filter(|_| path.is_ascii()) {
            let last = patterns.iter().rev().find(|pattern| pattern.fits(path, kind == NodeKind::Folder));
            let expected = last.is_some_and(|pattern| !pattern.takes_back);
            assert_eq!(is_left_out, expected, "{texts:?} and {:?}, a {kind}", encode_name(path));
        }
    }
}

fn left_out(filter: &Filter, path: &[u8], kind: NodeKind, rules: usize) -> bool {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    let (folder, name) = slash.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
    let depth = i32::try_from(folder.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count()).unwrap_or(0);
    let mut page = Page::default();
    page.push(name, NodeKind::Other, None, None);
    let size = (kind != NodeKind::Folder).then_some(100);
    page.push(name, kind, size, Some(AT_NS - 1));
    filter.apply(&format!("/{}", encode_name(folder)), depth, &mut page);
    let left_out: Vec<_> = page.left_out().collect();
    assert!(left_out.iter().all(|(index, rule)| *index == 1 && *rule < rules), "{left_out:?}");
    !left_out.is_empty()
}

/// A line of a `.gitignore`, as git's dir.c and wildmatch.c take it.
struct Pattern {
    takes_back: bool,
    only_folders: bool,
    is_anchored: bool,
    pattern: Vec<u8>,
}

impl Pattern {
    fn of(line: &str) -> Pattern {
        let (takes_back, line) = line.strip_prefix('!').map_or((false, line), |line| (true, line));
        let (only_folders, line) = line.strip_suffix('/').map_or((false, line), |line| (true, line));
        let is_anchored = line.contains('/');
        Pattern { takes_back, only_folders, is_anchored, pattern: line.strip_prefix('/').unwrap_or(line).into() }
    }

    fn fits(&self, path: &[u8], is_folder: bool) -> bool {
        let text = if self.is_anchored { path } else { path.rsplit(|byte| *byte == b'/').next().unwrap_or(path) };
        (is_folder || !self.only_folders) && wild(&self.pattern, 0, text)
    }
}

/// Whether all of `text` is like what `pattern` has from `at` on.
fn wild(pattern: &[u8], at: usize, text: &[u8]) -> bool {
    let Some(&first) = pattern.get(at) else { return text.is_empty() };
    let (next, rest) = match text.split_first() {
        Some((next, rest)) => (Some(*next), rest),
        None => (None, text),
    };
    match first {
        b'*' => {
            let end = at + pattern[at..].iter().take_while(|byte| **byte == b'*').count();
            let begins = at == 0 || pattern[at - 1] == b'/';
            let behind = pattern.get(end);
            let crosses = end - at >= 2 && begins && matches!(behind, None | Some(b'/'));
            if crosses && behind == Some(&b'/') && wild(pattern, end + 1, text) {
                return true;
            }
            (0..=text.len())
                .take_while(|taken| crosses || !text[..*taken].contains(&b'/'))
                .any(|taken| wild(pattern, end, &text[taken..]))
        }
        b'?' => next.is_some_and(|next| next != b'/') && wild(pattern, at + 1, rest),
        b'[' => {
            let (fits, end) = set(pattern, at, next);
            next.is_some_and(|next| next != b'/') && fits && wild(pattern, end, rest)
        }
        b'\\' => next.is_some() && pattern.get(at + 1).copied() == next && wild(pattern, at + 2, rest),
        other => next == Some(other) && wild(pattern, at + 1, rest),
    }
}

/// Whether a byte is in the set that begins at `at`, and where the set ends.
fn set(pattern: &[u8], at: usize, byte: Option<u8>) -> (bool, usize) {
    let byte = byte.unwrap_or(0);
    let mut place = at + 1;
    let negated = matches!(pattern[place], b'!' | b'^');
    place += usize::from(negated);
    let (begin, mut found) = (place, false);
    let one = |place: &mut usize| {
        *place += usize::from(pattern[*place] == b'\\');
        *place += 1;
        pattern[*place - 1]
    };
    while place == begin || pattern[place] != b']' {
        let first = one(&mut place);
        let mut last = first;
        if pattern[place] == b'-' && pattern[place + 1] != b']' {
            place += 1;
            last = one(&mut place);
        }
        found |= (first..=last).contains(&byte);
    }
    (found != negated, place + 1)
}
