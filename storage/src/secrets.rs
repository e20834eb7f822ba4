//! What authenticates us, kept out of what is shown and recorded: servers and proxies may repeat what they were sent.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of what is not shown.
const HIDDEN: &str = "…";

/// Of a text that is kept.
const CHARACTERS_MAX: usize = 240;

/// Shorter ones are words that may stand anywhere.
const SECRET_BYTES_MIN: usize = 6;

/// Shorter words after a scheme of authentication are what is said of it: `Bearer authentication failed`.
const TOKEN_BYTES_MIN: usize = 20;

/// What credentials follow in headers and requests that are repeated; in lower case.
const MARKS: [&str; 17] = [
    "authorization:",
    "authorization\"",
    "authorization'",
    "authorization=",
    "authorization<",
    "security-token",
    "signature=",
    "signature\"",
    "credential=",
    "credential\"",
    "cookie:",
    "cookie\"",
    "x-amz-credential",
    "aws4-hmac-sha256",
    "password=",
    "token=",
    "&sig=",
];

/// What is written differently in URLs.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is followed by credentials where that is a long word; in lower case.
const SCHEMES: [&str; 2] = ["basic ", "bearer "];

static KNOWN: Mutex<Vec<SecretString>> = Mutex::new(Vec::new());

/// From now on a value is not shown, nor how it is written in a URL, or between quotes, as clients show what a server has
/// said.
pub(crate) fn know(secret: &SecretString) {
    let secret = secret.expose_secret();
    if secret.len() < SECRET_BYTES_MIN {
        return;
    }
    let mut known = KNOWN.lock();
    let forms =
        [secret.to_owned(), utf8_percent_encode(secret, ENCODED).to_string(), secret.escape_debug().to_string()];
    for form in forms {
        if !known.iter().any(|other| other.expose_secret() == form) {
            known.push(form.into());
        }
    }
}

/// From now on neither a password is shown nor what HTTP makes of it and of its user.
pub(crate) fn know_password(user: Option<&SecretString>, password: Option<&SecretString>) {
    let Some(password) = password else { return };
    know(password);
    let user = user.map_or("", |user| user.expose_secret());
    know(&STANDARD.encode(format!("{user}:{}", password.expose_secret())).into());
}

/// A text of a server's or a client's as it may be kept and shown: not long, without known secrets, cut off before what
/// looks like the credentials of a request, and without control characters.
pub(crate) fn kept(text: &str) -> String {
    without_secrets(text).chars().take(CHARACTERS_MAX).collect()
}

/// The same, of any length.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in KNOWN.lock().iter().map(ExposeSecret::expose_secret) {
        if text.contains(secret) {
            text = Cow::Owned(text.replace(secret, HIDDEN));
        }
    }
    let lower = text.to_ascii_lowercase();
    let after_schemes = SCHEMES.iter().flat_map(|scheme| lower.match_indices(scheme)).filter_map(|(at, scheme)| {
        let word = lower[at + scheme.len()..].bytes().take_while(|byte| !byte.is_ascii_whitespace()).count();
        (word >= TOKEN_BYTES_MIN).then_some(at)
    });
    if let Some(place) = MARKS.iter().filter_map(|mark| lower.find(mark)).chain(after_schemes).min() {
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
        know(&"hunter2-and/more".into());
        know(&"quoted\"and\\more".into());
        know_password(Some(&"somebody".into()), Some(&"correct horse".into()));
        for text in [
            "denied: hunter2-and/more is wrong",
            "S3Error { message: \"you sent quoted\\\"and\\\\more\" }",
            "denied: ?x=hunter2-and%2Fmore",
            "you sent correct horse",
            "you sent c29tZWJvZHk6Y29ycmVjdCBob3JzZQ==",
            "GET / Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=abc",
            "{\"authorization\": \"Bearer abc\"}",
            "x-amz-security-token: abc",
            "https://host/?X-Amz-Credential=AKIA&X-Amz-Signature=abc",
            "<td>Authorization</td><td>Bearer abcdefghijklmnopqrstuvwxyz</td>",
            "you sent BASIC abcdefghijklmnopqrstuvwxyz==",
        ] {
            let shown = without_secrets(text);
            for secret in ["hunter2", "quoted", "correct horse", "c29tZ", "AKIA", "abc"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains(HIDDEN), "{shown}");
        }
        for text in [
            "The request signature does not match",
            "Basic authentication is required",
            "AuthorizationHeaderMalformed, The authorization header is malformed; the region 'us-east-1' is wrong",
        ] {
            assert_eq!(without_secrets(text), text);
        }
        assert_eq!(without_secrets("a\u{1b}[31mb"), "a [31mb");
    }

    #[test]
    fn a_long_text_is_cut_after_secrets_are_taken_out_of_it() {
        know(&"swordfish-and-trombones".into());
        let shown = kept(&format!("{}swordfish-and-trombones{}", "a".repeat(230), "b".repeat(70_000)));
        assert_eq!((shown.chars().count(), shown.contains("sword")), (CHARACTERS_MAX, false));
    }

    #[test]
    fn short_words_may_stand_anywhere() {
        know(&"no".into());
        assert_eq!(without_secrets("no such file"), "no such file");
    }
}
