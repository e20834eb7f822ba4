//! What an error of the client means to the engine.

use longhaul_model::ErrorClass;
use openssh_sftp_client::Error;
use openssh_sftp_client::error::SftpErrorKind;

use crate::error::StoreError;

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
    StoreError::new(class, message.chars().take(240).collect::<String>())
}

/// Whether it is the connection that is at fault, and not what was asked for.
pub(super) fn is_broken(error: &Error) -> bool {
    !matches!(error, Error::SftpError(..) | Error::UnsupportedExtension(_))
}
