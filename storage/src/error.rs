//! What can go wrong with a call to a store.

use std::time::Duration;

use longhaul_model::ErrorClass;

use crate::network::Broken;
use crate::secrets::kept;

/// A call to a store that failed. The class says what is done about it, the message is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct StoreError {
    /// What kind of thing it is.
    pub class: ErrorClass,
    /// What happened, without the path: whoever asked knows it.
    pub message: String,
    /// Throttled: how long the store wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl StoreError {
    /// An error without advice on when to try again.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        StoreError { class, message: message.into(), retry_after: None }
    }
}

impl From<Broken> for StoreError {
    fn from(broken: Broken) -> Self {
        // What broke it may be what a server said, whatever its length.
        StoreError::new(ErrorClass::Denied, kept(&broken.to_string()))
    }
}

#[cfg(unix)]
impl From<rustix::io::Errno> for StoreError {
    fn from(errno: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        let class = match errno {
            Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorClass::Denied,
            // A folder that became something else, or a link, is as gone as one that was removed.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV => ErrorClass::Vanished,
            Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL => ErrorClass::BadName,
            Errno::NOSPC | Errno::DQUOT => ErrorClass::NoSpace,
            // Everything else (EIO, ESTALE, ETIMEDOUT, EMFILE, ENOMEM, EAGAIN, …) may be better the next time, and
            // trying a few times more does no harm.
            _ => ErrorClass::Transient,
        };
        StoreError::new(class, std::io::Error::from(errno).to_string())
    }
}
