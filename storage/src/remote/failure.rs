//! What an error of a client means to the engine.

use longhaul_model::ErrorClass;
use opendal::{Error, ErrorKind};

use super::transport::Refusal;
use crate::error::StoreError;
use crate::secrets::{kept, without_secrets};

/// What servers of S3 say that have no room, with a status that says otherwise.
const FULL: [&str; 3] = ["QuotaExceeded", "StorageFull", "InsufficientStorage"];

/// What is said where there is no server to say that something is there already, or that a condition does not hold.
pub(super) const NOT_MET: &str = "the condition is not met";

/// The error of a call, with what the server answered, if it did.
pub(super) fn store_error(error: &Error, refusal: Option<Refusal>) -> StoreError {
    let class = class(error, refusal.map(|refusal| refusal.status));
    // Not what the client says of the request: there may be something in it that nobody should see.
    // Secrets go first: what is done with the text afterwards could leave a part of one.
    let said: String = without_secrets(error.message()).split_whitespace().collect::<Vec<_>>().join(" ");
    let said = said_by_server(&said);
    let message = match refusal {
        Some(Refusal { status, .. }) => format!("the server answers {status}: {said}"),
        None if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::ConditionNotMatch) => {
            format!("{NOT_MET}: {said}")
        }
        None => match std::error::Error::source(error) {
            Some(source) => format!("{said}: {}", innermost(source)),
            None => said,
        },
    };
    let retry_after = refusal.and_then(|refusal| refusal.retry_after).filter(|_| class == ErrorClass::Throttled);
    StoreError { class, message: kept(&message), retry_after }
}

fn class(error: &Error, status: Option<u16>) -> ErrorClass {
    match (error.kind(), status) {
        (ErrorKind::RateLimited, _) | (_, Some(429 | 503)) => ErrorClass::Throttled,
        _ if FULL.iter().any(|code| error.message().contains(code)) => ErrorClass::NoSpace,
        (_, Some(401 | 403)) | (ErrorKind::PermissionDenied, _) => ErrorClass::Denied,
        // 409 is what a WebDAV server says that has no folder for it (RFC 4918, 9.7.1).
        (ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory, _) | (_, Some(404 | 409 | 410)) => {
            ErrorClass::Vanished
        }
        (_, Some(507)) => ErrorClass::NoSpace,
        // Too large for this server, or for what is in front of it: that says nothing of other files.
        (_, Some(413)) => ErrorClass::Denied,
        (_, Some(414)) => ErrorClass::BadName,
        (_, Some(400)) if error.message().contains("KeyTooLong") => ErrorClass::BadName,
        (_, Some(408 | 425 | 500 | 502 | 504)) => ErrorClass::Transient,
        // Whatever is the matter with it will be so for every other call.
        (ErrorKind::ConfigInvalid, _) => ErrorClass::Fatal,
        _ if error.is_temporary() => ErrorClass::Transient,
        (ErrorKind::Unexpected, None) => ErrorClass::Transient,
        _ => ErrorClass::Denied,
    }
}

/// The message in an answer of S3 as the client shows it, `S3Error { code: "…", message: "…", …}`, or the text itself.
fn said_by_server(text: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}: \""))?;
        rest.split_once('"').map(|(value, _)| value).filter(|value| !value.is_empty())
    };
    match (field("code"), field("message")) {
        (Some(code), Some(message)) => format!("{code}, {message}"),
        (Some(code), None) => code.to_owned(),
        _ if text.is_empty() => "it does not say why".to_owned(),
        _ => text.to_owned(),
    }
}

/// What was the matter in the first place.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answered(status: u16, error: &Error) -> StoreError {
        store_error(error, Some(Refusal { status, retry_after: Some(Duration::from_secs(7)) }))
    }

    #[test]
    fn a_server_s_answer_decides_what_is_done() {
        let error = Error::new(ErrorKind::Unexpected, "S3Error { code: \"SlowDown\", message: \"Reduce it.\" }");
        let throttled = answered(503, &error);
        assert_eq!((throttled.class, throttled.retry_after), (ErrorClass::Throttled, Some(Duration::from_secs(7))));
        assert_eq!(throttled.message, "the server answers 503: SlowDown, Reduce it.");
        for (status, class) in [
            (401, ErrorClass::Denied),
            (403, ErrorClass::Denied),
            (404, ErrorClass::Vanished),
            (409, ErrorClass::Vanished),
            (429, ErrorClass::Throttled),
            (500, ErrorClass::Transient),
            (507, ErrorClass::NoSpace),
            (418, ErrorClass::Denied),
        ] {
            let error = Error::new(ErrorKind::Unexpected, "");
            assert_eq!(answered(status, &error).class, class, "{status}");
        }
    }

    #[test]
    fn a_connection_that_breaks_is_tried_again() {
        let error = Error::new(ErrorKind::Unexpected, "send http request").set_source(std::io::Error::other("reset"));
        let broken = store_error(&error, None);
        assert_eq!(broken.class, ErrorClass::Transient);
        assert_eq!(broken.message, "send http request: reset");
    }
}
