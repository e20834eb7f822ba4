//! A pattern as an automaton, which reads a text in pieces: where many texts begin alike, that is read once.

use super::{Glob, Token};

/// Which beginnings of a pattern what was read so far is like: the lowest bit stands for the one without any token. With
/// none, nothing that begins like this is like the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::review::condition) struct State(u128);

/// Reads a text a character at a time, and follows all ways to lay the pattern beside it at once.
#[derive(Debug)]
pub(in crate::review::condition) struct Automaton<'a> {
    tokens: &'a [Token],
    /// The tokens that each ASCII character fits.
    fitting: Vec<u128>,
    /// The tokens that are `*`.
    stars: u128,
}

/// A bit for each beginning of the pattern has to fit into a state.
const TOKENS_MAX: usize = 127;

impl Glob {
    /// `None` for a pattern of more than 127 tokens.
    pub(in crate::review::condition) fn automaton(&self) -> Option<Automaton<'_>> {
        let tokens = self.tokens.as_slice();
        let bits = |is_one: &dyn Fn(&Token) -> bool| {
            tokens.iter().enumerate().fold(0, |bits, (place, token)| bits | u128::from(is_one(token)) << place)
        };
        (tokens.len() <= TOKENS_MAX).then(|| Automaton {
            tokens,
            fitting: (0..=127_u8).map(|byte| bits(&|token| token.fits(char::from(byte)))).collect(),
            stars: bits(&|token| *token == Token::Anything),
        })
    }
}

impl Automaton<'_> {
    /// Nothing has been read.
    pub(in crate::review::condition) fn start(&self) -> State {
        self.with_empty_stars(1)
    }

    /// A `*` may stand for nothing. No two of them are neighbours.
    fn with_empty_stars(&self, beginnings: u128) -> State {
        State(beginnings | (beginnings & self.stars) << 1)
    }

    /// Reads on.
    pub(in crate::review::condition) fn go_on(&self, state: State, text: &str) -> State {
        let whole = 1 << self.tokens.len();
        let ends_with_star = self.tokens.last() == Some(&Token::Anything);
        let mut state = state;
        for character in text.chars() {
            if state.0 == 0 || (ends_with_star && state.0 & whole != 0) {
                break;
            }
            let fitting = match self.fitting.get(character as usize) {
                Some(fitting) => *fitting,
                None => (0..self.tokens.len())
                    .filter(|place| self.tokens[*place].fits(character))
                    .fold(0, |bits, place| bits | 1 << place),
            };
            state = self.with_empty_stars(state.0 & self.stars | (state.0 & fitting) << 1);
        }
        state
    }

    /// Whether all that was read is like the pattern.
    pub(in crate::review::condition) fn accepts(&self, state: State) -> bool {
        state.0 & 1 << self.tokens.len() != 0
    }
}
