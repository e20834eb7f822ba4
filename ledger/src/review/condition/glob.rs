//! Patterns for names and paths.
//!
//! By hand: a pattern here is over printable names, in which a backslash is an ordinary character, and is laid beside paths
//! piece by piece, from folder to folder, which crates for patterns do not do.

mod automaton;

use std::fmt::{self, Write};
use std::iter::Peekable;
use std::str::{CharIndices, Chars};

pub(super) use self::automaton::{Automaton, State};

/// A pattern with `*`, `?` and `[…]`, for printable names. A backslash is an ordinary character, as it is in those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Character(char),
    /// `*`: anything, also nothing.
    Anything,
    /// `?`: any one character.
    One,
    /// `[…]`: one character within one of these ranges, or (`[!…]`) within none.
    Within {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    /// Whether it stands for this one character.
    fn fits(&self, character: char) -> bool {
        match self {
            Token::Character(own) => *own == character,
            Token::One => true,
            Token::Within { negated, ranges } => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&&character)) != *negated
            }
            Token::Anything => false,
        }
    }
}

/// How a pattern is put to DuckDB: each with what has to be given to the function or operator of that name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    /// `=`
    Equal(String),
    /// `starts_with`: three times as fast as `GLOB`, as are the next two.
    Prefix(String),
    /// `suffix`
    Suffix(String),
    /// `contains`
    Contains(String),
    /// `GLOB`
    Glob(String),
    /// `regexp_full_match`, which never takes longer than in proportion to what it reads.
    Regex(String),
}

/// With `*` more often than this, `GLOB` tries every way to cut a name into pieces, which for a path takes seconds.
const GLOB_STARS_MAX: usize = 1;

impl Glob {
    /// Reads a pattern. What is wrong with it comes with the byte at which it is.
    pub(super) fn parse(text: &str) -> Result<Glob, (usize, &'static str)> {
        let mut tokens = Vec::new();
        let mut rest = text.char_indices().peekable();
        while let Some((position, character)) = rest.next() {
            match character {
                '*' if tokens.last() == Some(&Token::Anything) => {}
                '*' => tokens.push(Token::Anything),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(parse_set(&mut rest).map_err(|message| (position, message))?),
                other => tokens.push(Token::Character(other)),
            }
        }
        Ok(Glob { text: text.to_owned(), tokens })
    }

    /// Whether all of `text` is like the pattern. Takes no longer than in proportion to the product of their lengths.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut tokens = self.tokens.as_slice();
        let mut rest = text.chars();
        // Where the last `*` was, and what it has not taken yet: it takes one character more when the rest does not fit.
        let mut last_star: Option<(&[Token], Chars<'_>)> = None;
        loop {
            if let Some((Token::Anything, more)) = tokens.split_first() {
                tokens = more;
                last_star = Some((tokens, rest.clone()));
                continue;
            }
            let mut ahead = rest.clone();
            let next = ahead.next();
            match (tokens.split_first(), next) {
                (None, None) => return true,
                (Some((token, more)), Some(character)) if token.fits(character) => {
                    (tokens, rest) = (more, ahead);
                    continue;
                }
                _ => {}
            }
            let Some((behind_star, untaken)) = &mut last_star else { return false };
            if untaken.next().is_none() {
                return false;
            }
            (tokens, rest) = (*behind_star, untaken.clone());
        }
    }

    #[cfg(test)]
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// `GLOB` takes bytes for characters, so that it is no good for `?` and `[…]` beyond ASCII.
    pub(super) fn matcher(&self) -> Matcher {
        let stars = self.tokens.iter().filter(|token| **token == Token::Anything).count();
        let is_star = |token: Option<&Token>| token == Some(&Token::Anything);
        let (at_start, at_end) = (is_star(self.tokens.first()), is_star(self.tokens.last()));
        if self.tokens.iter().any(|token| matches!(token, Token::One | Token::Within { .. })) {
            return Matcher::Regex(self.to_regex());
        }
        match (stars, at_start, at_end) {
            (0, ..) => Matcher::Equal(self.literal()),
            (1, true, _) => Matcher::Suffix(self.literal()),
            (1, _, true) => Matcher::Prefix(self.literal()),
            (2, true, true) => Matcher::Contains(self.literal()),
            (1..=GLOB_STARS_MAX, ..) => Matcher::Glob(self.to_glob()),
            _ => Matcher::Regex(self.to_regex()),
        }
    }

    /// The characters that stand for themselves.
    fn literal(&self) -> String {
        self.tokens.iter().filter_map(|token| if let Token::Character(c) = token { Some(*c) } else { None }).collect()
    }

    fn to_glob(&self) -> String {
        let mut glob = String::with_capacity(self.text.len() + 8);
        for token in &self.tokens {
            match token {
                Token::Character('\\') => glob.push_str("\\\\"),
                Token::Character(other) => glob.push(*other),
                Token::Anything => glob.push('*'),
                Token::One | Token::Within { .. } => unreachable!("the regular expression is taken for these"),
            }
        }
        glob
    }

    fn to_regex(&self) -> String {
        // A name with a character that RE2 would take for the end of a line is a name.
        let mut regex = String::from("(?s)");
        for token in &self.tokens {
            match token {
                Token::Character(character) => push_quoted(&mut regex, *character),
                Token::Anything => regex.push_str(".*"),
                Token::One => regex.push('.'),
                Token::Within { negated, ranges } => {
                    regex.push_str(if *negated { "[^" } else { "[" });
                    for (first, last) in ranges {
                        push_quoted(&mut regex, *first);
                        regex.push('-');
                        push_quoted(&mut regex, *last);
                    }
                    regex.push(']');
                }
            }
        }
        regex
    }
}

/// Every character by its number, so that there is none that means something.
fn push_quoted(regex: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        regex.push(character);
    } else {
        let _ = write!(regex, "\\x{{{:x}}}", u32::from(character));
    }
}

/// Reads what stands behind `[`, and its `]`. As the first one within, a `]` is one of the characters.
fn parse_set(rest: &mut Peekable<CharIndices<'_>>) -> Result<Token, &'static str> {
    const UNCLOSED: &str = "a [ without its ]; the character itself is written [[]";
    let negated = rest.next_if(|(_, character)| matches!(character, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let (_, first) = rest.next().ok_or(UNCLOSED)?;
        if first == ']' && !ranges.is_empty() {
            return Ok(Token::Within { negated, ranges });
        }
        let mut ahead = rest.clone();
        let is_range = ahead.next().is_some_and(|(_, character)| character == '-')
            && ahead.next().is_some_and(|(_, character)| character != ']');
        let last = if is_range {
            rest.next();
            rest.next().ok_or(UNCLOSED)?.1
        } else {
            first
        };
        if last < first {
            return Err("a range between [ and ] that ends before it begins");
        }
        ranges.push((first, last));
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
