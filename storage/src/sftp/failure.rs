//! What an error of the client, or no answer at all, means to the engine.

use std::future::Future;
use std::time::Duration;

use longhaul_model::ErrorClass;
use openssh_sftp_client::Error;
use openssh_sftp_client::error::SftpErrorKind;

use crate::error::StoreError;
use crate::secrets::kept;

/// An answer that has not come after this time will not come any more: a server may hang without its connection breaking.
/// The longest call is to write a few hundred KiB.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_mins(2);

/// The same for bringing all of a file to stable storage.
pub(super) const SYNC_TIMEOUT: Duration = Duration::from_hours(1);

/// A call that came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// It is the connection that is at fault, and not what was asked for.
    pub(super) is_broken: bool,
}

/// Waits for the answer to a call, but not for ever.
pub(super) async fn answer<T>(limit: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let Ok(result) = tokio::time::timeout(limit, call).await else {
        let message = format!("the server has given no answer for {} s", limit.as_secs());
        return Err(Failure { error: StoreError::new(ErrorClass::Transient, message), is_broken: true });
    };
    result.map_err(|error| Failure { error: store_error(&error), is_broken: is_broken(&error) })
}

pub(super) fn store_error(error: &Error) -> StoreError {
    let class = match error {
        Error::SftpError(kind, _) => match kind {
            SftpErrorKind::NoSuchFile => ErrorClass::Vanished,
            SftpErrorKind::PermDenied | SftpErrorKind::OpUnsupported => ErrorClass::Denied,
            // A name too long is told so, among others.
            SftpErrorKind::BadMessage => ErrorClass::BadName,
            // Everything else that a file system can say has no number of its own.
            _ => ErrorClass::Transient,
        },
        // Of no name that was given, but of one in a listing: it will be the same the next time.
        Error::FormatError(_) | Error::UnsupportedSftpProtocol { .. } | Error::UnsupportedExtension(_) => {
            ErrorClass::Denied
        }
        _ => ErrorClass::Transient,
    };
    let message = match error {
        Error::SftpError(kind, message) => format!("the server answers {kind:?}: {message}"),
        error => error.to_string(),
    };
    StoreError::new(class, kept(&message))
}

fn is_broken(error: &Error) -> bool {
    !matches!(error, Error::SftpError(..) | Error::UnsupportedExtension(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let failure = answer::<()>(CALL_TIMEOUT, std::future::pending()).await.unwrap_err();
        assert_eq!(failure.error.class, ErrorClass::Transient);
        assert!(failure.is_broken);
    }
}
