//! Patterns of a `.gitignore`, put so that the `ignore` crate takes them for what git does.
//!
//! Its globs know more than git's: `{a,b}` is a choice of two. And they know less: in `[…]` there are no escapes, and
//! `[!a]` stands for a slash as well. What cannot be put otherwise is refused, and not taken for something else.

/// A line without the spaces at its end that nobody escaped.
pub(super) fn without_trailing_spaces(line: &str) -> &str {
    let mut end = line.len();
    while line[..end].ends_with(' ') {
        let before = line[..end - 1].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if before % 2 == 1 {
            break;
        }
        end -= 1;
    }
    &line[..end]
}

/// What is wrong with a pattern, and at which byte.
type Wrong = (usize, &'static str);

/// The same pattern for the `ignore` crate.
pub(super) fn for_globs(pattern: &str) -> Result<String, Wrong> {
    const UNESCAPED: &str = "a \\ without the character that it makes an ordinary one";
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.char_indices();
    while let Some((position, character)) = rest.next() {
        match character {
            '\\' => {
                let (_, escaped) = rest.next().ok_or((position, UNESCAPED))?;
                out.push('\\');
                out.push(escaped);
            }
            '*' => {
                // Three stars and more are what two are, where two mean something, and otherwise what one is.
                let end = position + pattern[position..].len() - pattern[position..].trim_start_matches('*').len();
                rest = pattern.char_indices();
                rest.by_ref().take_while(|(at, _)| *at + 1 < end).for_each(drop);
                let is_first = matches!(&pattern[..position], "" | "!") || pattern[..position].ends_with('/');
                let is_last = end == pattern.len() || pattern[end..].starts_with('/');
                out.push_str(if end - position >= 2 && is_first && is_last { "**" } else { "*" });
            }
            '{' | '}' => {
                out.push('\\');
                out.push(character);
            }
            '[' => {
                let set = Set::parse(pattern, position)?;
                rest = pattern.char_indices();
                // The iterator goes on behind the set.
                rest.by_ref().take_while(|(at, _)| *at + 1 < set.end).for_each(drop);
                set.write(&mut out).map_err(|message| (position, message))?;
            }
            other => out.push(other),
        }
    }
    // Whitespace at the end would be trimmed, but for the space that is escaped.
    if let Some(last) = out.chars().next_back().filter(|last| last.is_whitespace() && *last != ' ') {
        out.truncate(out.len() - last.len_utf8());
        out.push('[');
        out.push(last);
        out.push(']');
    }
    // A slash makes a pattern begin at the root; one that a set has got here does not.
    let has_slash = |pattern: &str| pattern.trim_end_matches('/').contains('/');
    if has_slash(&out) && !has_slash(pattern) {
        let begin = usize::from(out.starts_with('!'));
        out.insert_str(begin, "**/");
    }
    Ok(out)
}

/// `[…]`: one character within one of these ranges, or within none.
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
    /// The byte behind its `]`.
    end: usize,
}

impl Set {
    /// Reads the set whose `[` is at byte `begin`.
    fn parse(pattern: &str, begin: usize) -> Result<Set, Wrong> {
        const UNCLOSED: &str = "a [ without its ]; the character itself is written \\[";
        let unclosed = (begin, UNCLOSED);
        let mut rest = pattern[begin + 1..].char_indices().map(|(at, c)| (begin + 1 + at, c)).peekable();
        let negated = rest.next_if(|(_, character)| matches!(character, '!' | '^')).is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let (position, mut first) = rest.next().ok_or(unclosed)?;
            match first {
                ']' if !ranges.is_empty() => return Ok(Set { negated, ranges, end: position + 1 }),
                '[' if rest.peek().is_some_and(|(_, next)| matches!(next, ':' | '.' | '=')) => {
                    return Err((position, "classes such as [:digit:] are not known here: write 0-9"));
                }
                '\\' => first = rest.next().ok_or(unclosed)?.1,
                _ => {}
            }
            let mut ahead = rest.clone();
            let is_range = ahead.next().is_some_and(|(_, character)| character == '-')
                && ahead.next().is_some_and(|(_, character)| character != ']');
            let mut last = first;
            if is_range {
                rest.next();
                last = rest.next().ok_or(unclosed)?.1;
                if last == '\\' {
                    last = rest.next().ok_or(unclosed)?.1;
                }
            }
            if !first.is_ascii() || !last.is_ascii() {
                return Err((position, "beyond ASCII these would be single bytes: use where: name ~ \"…\" instead"));
            }
            if last < first {
                return Err((position, "a range between [ and ] that ends before it begins"));
            }
            ranges.push((first, last));
        }
    }

    /// Writes it so that it never stands for a slash, and with the characters that mean something in it outside of it.
    fn write(self, out: &mut String) -> Result<(), &'static str> {
        let mut ranges: Vec<(char, char)> = Vec::new();
        for (first, last) in self.ranges {
            if (first..=last).contains(&'/') {
                if first < '/' {
                    ranges.push((first, '.'));
                }
                if last > '/' {
                    ranges.push(('0', last));
                }
            } else {
                ranges.push((first, last));
            }
        }
        if self.negated {
            ranges.push(('/', '/'));
        }
        if ranges.is_empty() {
            return Err("no name has a slash, so this fits nothing");
        }
        out.push('[');
        out.push_str(if self.negated { "!" } else { "" });
        let first_of_all = out.len();
        // A `]` counts as itself in the first place only, a `-` in the last, and `!` and `^` anywhere but in the first.
        let (mut has_bracket, mut has_dash) = (false, false);
        let (mut has_mark, mut others) = (Vec::new(), String::new());
        for (first, last) in ranges {
            for (first, last) in without(first, last) {
                match first {
                    ']' => has_bracket = true,
                    '-' => has_dash = true,
                    '!' | '^' => has_mark.push(first),
                    _ => {
                        others.push(first);
                        if last != first {
                            others.push('-');
                            others.push(last);
                        }
                    }
                }
            }
        }
        if has_bracket {
            out.push(']');
        }
        out.push_str(&others);
        if out.len() == first_of_all && !self.negated && !has_mark.is_empty() {
            // With nothing that could stand in front of them.
            let before = out.pop();
            debug_assert_eq!(before, Some('['));
            out.push('{');
            for mark in has_mark.iter().chain(has_dash.then_some(&'-')) {
                out.push('\\');
                out.push(*mark);
                out.push(',');
            }
            out.pop();
            out.push('}');
            return Ok(());
        }
        out.extend(has_mark);
        if has_dash {
            out.push('-');
        }
        out.push(']');
        Ok(())
    }
}

/// A range without the characters that mean something in a set; they come by themselves.
fn without(first: char, last: char) -> Vec<(char, char)> {
    const SPECIAL: [char; 4] = ['!', '-', ']', '^'];
    let mut pieces = Vec::new();
    let mut start = Some(first);
    for special in SPECIAL {
        let Some(from) = start.filter(|from| (*from..=last).contains(&special)) else { continue };
        if from < special {
            pieces.push((from, char::from(special as u8 - 1)));
        }
        pieces.push((special, special));
        start = Some(char::from(special as u8 + 1)).filter(|next| *next <= last);
    }
    if let Some(from) = start {
        pieces.push((from, last));
    }
    pieces
}
