//! Credentials in a location: refused, and not repeated.

use percent_encoding::percent_decode_str;

/// What the names of credentials have in them, in lower case.
const NAMES: [&str; 8] = ["password", "passwd", "pwd", "secret", "token", "key", "sig", "credential"];

/// How a text can be shown that looks like a URL with credentials; `None` where it does not.
///
/// For whatever is typed, also where no location is due.
pub fn without_credentials(text: &str) -> Option<String> {
    let decoded = decoded(text);
    let (_, rest) = decoded.split_once("://").filter(|_| !text.contains(char::is_whitespace))?;
    has_credentials(rest).then(|| shown(text))
}

/// The same for a text where a location is due, which may also be written as `scp` would have it. One that begins like a
/// path is a path.
pub(super) fn without_credentials_at_host(text: &str) -> Option<String> {
    let decoded = decoded(text);
    if text.starts_with(['/', '.', '~']) {
        return None;
    }
    let (user, host) = decoded.rsplit_once('@')?;
    (user.contains([':', ';', '=']) || host.contains(':')).then(|| shown(text))
}

/// Whether there is a password before a host, or anything with the name of a secret, in what follows `://`.
fn has_credentials(rest: &str) -> bool {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let is_secret = |parameter: &str| {
        parameter.split_once('=').is_some_and(|(name, _)| NAMES.iter().any(|word| name.to_lowercase().contains(word)))
    };
    let (_, query) = rest.split_once('?').unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains([':', ';']))
        || query.contains('@')
        || query.split('&').any(is_secret)
        || authority.split(';').skip(1).any(is_secret)
}

/// Whether the value of an option may have a user, a password or parameters in it, however it is written: an endpoint is a
/// URL of its own, or a host, and what has none has neither an `@` nor anything behind its path.
pub(crate) fn may_have_credentials(value: &str) -> bool {
    decoded(value).contains(['@', '?', '#', ';'])
}

/// A location as it can be shown that may have credentials in it: without what precedes a host, and without parameters.
pub(super) fn shown(text: &str) -> String {
    let decoded = decoded(text);
    let (scheme, rest) = decoded.find("://").map_or(("", &*decoded), |at| decoded.split_at(at + "://".len()));
    let (before, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    // What precedes the last `@` may have begun the parameters.
    let (rest, after) = rest.find(['?', '#', ';', '&']).map_or((rest, ""), |at| (&rest[..at], "…"));
    format!("{scheme}{before}{rest}{after}")
}

/// A text with nothing encoded in it, however often it was.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return text;
        }
        text = decoded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_ends_before_credentials_and_begins_behind_them() {
        for (text, due) in [
            ("s3://AKIA:secret@bucket/a", "s3://…@bucket/a"),
            ("s3://AKIA:s@cr/?t@bucket", "s3://…@bucket"),
            ("s3://b/a?endpoint=u:secret%2540host", "s3://…@host"),
            ("https://h/?sig=secret#secret", "https://h/…"),
            ("sftp://me;password=secret@h/", "sftp://…@h/"),
            ("sftp://me;password=secret", "sftp://me…"),
            ("me:secret@host:/a", "…@host:/a"),
            ("s3://bucket/?region=me%40x&token=secret", "s3://…@x…"),
        ] {
            assert_eq!(shown(text), due);
        }
    }

    #[test]
    fn what_has_no_credentials_is_left_alone() {
        for text in [
            "/a",
            "s3://b/a@b",
            "sftp://me@host/",
            "http://h:80/a:b@c",
            "it is http://u:p@h",
            "a:b@c",
            "https://h/?x=1",
        ] {
            assert_eq!(without_credentials(text), None);
        }
        for text in ["/a:b@c", "./a:b@c", "a@b", "a:b", "~/a:b@c"] {
            assert_eq!(without_credentials_at_host(text), None);
        }
    }

    #[test]
    fn credentials_are_found_however_they_are_written() {
        for text in [
            "s3://AKIA:secret@b",
            "s3://AKIA%3Asecret%40b",
            "ftp://u:secret@h/x",
            "s3://b?endpoint=u:secret@host",
            "https://h/?AWSAccessKeyId=x&Signature=secret",
            "https://h/x%3Fpassword%3Dsecret",
            "sftp://u;password=secret@h/",
        ] {
            assert!(without_credentials(text).is_some_and(|shown| !shown.contains("secret")), "{text}");
        }
        for text in ["u:secret@host:/path", "u@host:/path", "s3:/u:secret@host", "u%3Asecret%40host"] {
            assert!(without_credentials_at_host(text).is_some_and(|shown| !shown.contains("secret")), "{text}");
        }
    }
}
