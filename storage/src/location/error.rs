//! Why a text is no location.

/// A text that is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// A URL with credentials in it.
    #[error(
        "{shown}: credentials do not belong in a location, where others can see them; they come from {source_of_them}"
    )]
    Credentials {
        /// What was written, without them.
        shown: String,
        /// Where they are read from.
        source_of_them: &'static str,
    },
    /// Something with a user in it that is no URL.
    #[error(
        "{0}: write sftp://USER@HOST/PATH for a server, without a password, and ./… for a local path with an @ in it"
    )]
    UserAtHost(String),
    /// Something behind the `?` of a URL that means nothing to its store.
    #[error("unknown option {option:?} for this store (available: {known})")]
    UnknownOption {
        /// Its name, without its value.
        option: String,
        /// What can be.
        known: String,
    },
    /// A URL of a store without what begins a URL.
    #[error("{scheme}: is followed by // (for a local path that begins so write ./{scheme}:…)")]
    NoSlashes {
        /// What the URL begins with.
        scheme: &'static str,
    },
    /// A text that no location prints as.
    #[error("{0:?} is not how any location is recorded")]
    NotRecorded(String),
    /// A `spectra:` location that is not complete.
    #[error("{0:?}: write spectra:WORLD or spectra:WORLD?config=FILE, with a world such as `primary`")]
    BadSpectra(String),
}
