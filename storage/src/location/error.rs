//! Why a text is no location.

/// A text that is no location.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing at all.
    #[error("an empty location: give a path or a URL")]
    Empty,
    /// A kind of store that this program does not know.
    #[error("{0:?}: no store is known for {1}:// (for a local path that looks like a URL write ./{0})")]
    UnknownScheme(String, String),
    /// A URL that is not complete, or not one.
    #[error("the URL cannot be understood: {0}")]
    BadUrl(String),
    /// A URL with a user or password in it.
    #[error("credentials do not belong into a URL, where others can see them: they come from {0}")]
    Credentials(&'static str),
    /// Something behind the `?` of a URL that means nothing to its store.
    #[error("{option:?} is no option of this store (there are: {known})")]
    UnknownOption {
        /// What was written, without its value.
        option: String,
        /// What can be.
        known: String,
    },
    /// A text that no location prints as.
    #[error("{0:?} is not how any location is recorded")]
    NotRecorded(String),
    /// A `spectra:` location that is not complete.
    #[error("{0:?}: write spectra:WORLD or spectra:WORLD?config=FILE, with a world such as `primary`")]
    BadSpectra(String),
}
