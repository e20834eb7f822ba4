//! Servers that answer anything: what is no listing is not an empty folder, and what they say is not believed, kept or
//! shown as it is.

use std::fs;

use crate::fake_server::{SECRETS, listing, run, server};
use crate::program::{Place, Said};

#[test]
fn what_is_no_listing_is_no_empty_folder() {
    for body in ["<html><body>Login</body></html>", "<Error><Code>InternalError</Code></Error>", "<a/>"] {
        let port = server(move |_| (200, body.to_owned()));
        for source in [format!("s3://b/?endpoint=http://127.0.0.1:{port}"), format!("webdav+http://127.0.0.1:{port}/")]
        {
            let place = Place::new();
            let said = run(&place, &["migrate", &source, "dst", "--yes", "--give-up-after", "2"]);
            assert_eq!(said.code, Some(1), "{source}: {}", said.out);
            assert!(said.err.contains("the answer is no listing"), "{source}: {}", said.err);
            assert!(!place.ledger().exists());
        }
    }
}

#[test]
fn a_listing_that_makes_no_progress_is_an_error_of_its_folder() {
    let port = server(|request| {
        let entries = if request.contains("prefix=sub") {
            "<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>"
        } else {
            "<IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>sub/</Prefix></CommonPrefixes>"
        };
        (200, listing(entries))
    });
    let place = Place::new();
    let source = format!("s3://b/?endpoint=http://127.0.0.1:{port}");
    let said = run(&place, &["discover", &source, "dst", "--give-up-after", "600"]);
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    let problems = place.query("SELECT path, class, message FROM problems WHERE side = 'src'");
    assert!(problems.len() == 1 && problems[0].starts_with("/sub|transient|"), "{problems:?}");
    assert!(problems[0].contains("makes no progress"), "{problems:?}");
}

#[test]
fn what_a_client_breaks_over_is_an_error_of_the_store() {
    let place = Place::new();
    let long = format!("/base/{}", "n".repeat(70_000));
    for href in ["/", "/x", "", &long] {
        let entry = |href: &str| {
            format!(
                "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype/>\
                 <D:getlastmodified>Mon, 06 Jan 2020 00:00:00 GMT</D:getlastmodified></D:prop>\
                 <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            )
        };
        let answer = format!("<D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>", entry(href));
        let port = server(move |_| (207, answer.clone()));
        let source = format!("webdav+http://127.0.0.1:{port}/base/");
        let said = run(&place, &["discover", &source, "dst", "--give-up-after", "2"]);
        assert!(said.code != Some(101) && !said.err.contains("panicked"), "{href:.9}: {:?} {}", said.code, said.err);
        assert!(said.code != Some(0) || place.query("SELECT count(*) FROM src_nodes WHERE depth > 0") == ["0"]);
        let _ = fs::remove_file(place.ledger());
    }
}

/// Lists a folder and a file, and repeats whatever else it is asked.
fn echoing() -> u16 {
    server(|request| {
        let repeated = format!("<Error><Code>AccessDenied</Code><Message>{request}</Message></Error>");
        let is_root = request.contains("list-type=2") && !request.contains("prefix=sub");
        if is_root {
            let file = "<Contents><Key>file</Key><Size>3</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified>\
                        <ETag>\"x\"</ETag></Contents>";
            (
                200,
                listing(&format!(
                    "<IsTruncated>false</IsTruncated>{file}<CommonPrefixes><Prefix>sub/</Prefix></CommonPrefixes>"
                )),
            )
        } else {
            (403, repeated)
        }
    })
}

#[test]
fn a_server_that_repeats_what_it_is_asked_gives_no_secret_away() {
    let place = Place::new();
    let s3 = format!("s3://b/?endpoint=http://127.0.0.1:{}", echoing());
    let webdav = format!("webdav+http://127.0.0.1:{}/", server(|request| (403, request.to_owned())));
    let mut said = String::new();
    let commands: [&[&str]; 12] = [
        &["discover", &webdav, "dst", "--give-up-after", "2"],
        &["discover", "src", &webdav, "--give-up-after", "2"],
        &["discover", &s3, "dst"],
        &["status"],
        &["copy", "--approve"],
        &["verify"],
        &["mark-retry", "--failed"],
        &["retry"],
        &["refresh"],
        &["report", "--out", "written"],
        &["query", "FROM errors"],
        &["query", "FROM problems"],
    ];
    for command in commands {
        let Said { out, err, .. } = run(&place, &[command, &["-vvvv"]].concat());
        said.push_str(&out);
        said.push_str(&err);
    }
    // It has come to where the server repeats something.
    assert!(place.query("SELECT count(*) FROM errors") != ["0"], "{said}");
    for path in place.everything().into_iter().filter(|path| path.is_file()) {
        said += &String::from_utf8_lossy(&fs::read(&path).expect("it can be read"));
    }
    for secret in SECRETS {
        let found = said
            .split_once(secret)
            .map(|(before, _)| &before[before.floor_char_boundary(before.len().saturating_sub(300))..]);
        assert_eq!(found, None, "{secret}");
    }
}
