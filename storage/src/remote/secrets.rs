//! What authenticates us, kept out of what is shown and recorded: servers and proxies may repeat what they were sent.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;

/// What stands in the place of what is not shown.
const HIDDEN: &str = "…";

/// Shorter ones are words that may stand anywhere.
const SECRET_BYTES_MIN: usize = 6;

/// What credentials follow in headers and requests that are repeated; in lower case.
const MARKS: [&str; 9] = [
    "authorization:",
    "authorization\"",
    "authorization=",
    "security-token",
    "signature=",
    "credential=",
    "cookie:",
    "cookie\"",
    "x-amz-credential",
];

static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on a value is not shown.
pub(super) fn know(secret: &str) {
    let mut known = KNOWN.lock();
    if secret.len() >= SECRET_BYTES_MIN && !known.iter().any(|other| other == secret) {
        known.push(secret.to_owned());
    }
}

/// From now on neither a password is shown nor what HTTP makes of it and of its user.
pub(super) fn know_password(user: &str, password: &str) {
    know(password);
    know(&STANDARD.encode(format!("{user}:{password}")));
}

/// A text of a server's or a client's as it may be shown: without known secrets, cut off before what looks like the
/// credentials of a request, and without control characters.
pub(super) fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in KNOWN.lock().iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), HIDDEN));
        }
    }
    let lower = text.to_ascii_lowercase();
    if let Some(place) = MARKS.iter().filter_map(|mark| lower.find(mark)).min() {
        text = Cow::Owned(format!("{}{HIDDEN}", &text[..place]));
    }
    if text.contains(char::is_control) {
        text = Cow::Owned(text.replace(char::is_control, " "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_of_a_request_is_not_shown() {
        know("hunter2-and-more");
        know_password("somebody", "correct horse");
        for text in [
            "denied: hunter2-and-more is wrong",
            "you sent correct horse",
            "you sent c29tZWJvZHk6Y29ycmVjdCBob3JzZQ==",
            "GET / Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=abc",
            "{\"authorization\": \"Bearer abc\"}",
            "x-amz-security-token: abc",
            "https://host/?X-Amz-Credential=AKIA&X-Amz-Signature=abc",
        ] {
            let shown = without_secrets(text);
            for secret in ["hunter2", "correct horse", "c29tZ", "AKIA", "abc"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains(HIDDEN), "{shown}");
        }
        assert_eq!(without_secrets("The request signature does not match"), "The request signature does not match");
        assert_eq!(without_secrets("a\u{1b}[31mb"), "a [31mb");
    }

    #[test]
    fn short_words_may_stand_anywhere() {
        know("no");
        assert_eq!(without_secrets("no such file"), "no such file");
    }
}
