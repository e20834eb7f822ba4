//! The error of a text that is none of the words that it could be.

/// A text that names nothing of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {what} is called {word:?}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

/// One function for each enum whose words can be read back: what `strum` calls.
impl UnknownWord {
    fn new(what: &'static str, word: &str) -> Self {
        UnknownWord { what, word: word.to_owned() }
    }

    pub(crate) fn copy_change(word: &str) -> Self {
        Self::new("change of a copy status", word)
    }

    pub(crate) fn copy_status(word: &str) -> Self {
        Self::new("copy status", word)
    }

    pub(crate) fn error_class(word: &str) -> Self {
        Self::new("class of errors", word)
    }

    pub(crate) fn node_kind(word: &str) -> Self {
        Self::new("kind of node", word)
    }

    pub(crate) fn phase(word: &str) -> Self {
        Self::new("phase", word)
    }

    pub(crate) fn plan_action(word: &str) -> Self {
        Self::new("action", word)
    }

    pub(crate) fn traversal_status(word: &str) -> Self {
        Self::new("traversal status", word)
    }
}
