//! Servers that send a request elsewhere: nothing that authenticates goes along.

use crate::fake_server::{Answer, SECRETS, listing, multistatus, object, recording, response, run, server};
use crate::program::Place;

const MODIFIED: &str = "Mon, 06 Jan 2020 00:00:00 GMT";

#[test]
fn no_s3_request_is_sent_anywhere_else() {
    for status in [301, 302, 307, 308] {
        let (elsewhere, asked) = recording(200, "abc");
        let port = server(move |request| {
            let is_listing = request.contains("list-type=2");
            if is_listing && !request.contains("prefix=sub") {
                let sub = "<CommonPrefixes><Prefix>sub/</Prefix></CommonPrefixes>";
                return (200, listing(&format!("{}{sub}", object("file", "3", "2020-01-01T00:00:00.000Z")))).into();
            }
            Answer::redirect(status, &format!("http://127.0.0.1:{elsewhere}/x?X-Amz-Signature=y"))
        });
        let place = Place::new();
        let said = run(&place, &["migrate", &format!("s3://b/?endpoint=http://127.0.0.1:{port}"), "dst", "--yes"]);
        assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
        let problems = place.query("SELECT path, message FROM problems ORDER BY path");
        let due = format!(
            "the server answers {status}: it redirects to http://127.0.0.1:{elsewhere}, which is not followed: use the \
             store's final address"
        );
        assert_eq!(problems, [format!("/file|on the source: {due}"), format!("/sub|{due}")]);
        assert_eq!(*asked.lock(), [""; 0]);
        assert!(!place.path("dst/file").exists());
    }
}

#[test]
fn a_store_that_is_elsewhere_is_named() {
    let (elsewhere, asked) = recording(207, &multistatus(&[response("/", None, MODIFIED)]));
    let port = server(move |_| Answer::redirect(307, &format!("http://127.0.0.1:{elsewhere}/")));
    for location in [format!("s3://b/?endpoint=http://127.0.0.1:{port}"), format!("webdav+http://127.0.0.1:{port}/")] {
        let place = Place::new();
        for sides in [[&location, "dst"], ["src", &location]] {
            let said = run(&place, &[&["discover"], &sides[..]].concat());
            assert_eq!(said.code, Some(1), "{}", said.err);
            assert!(said.err.contains(&format!("it redirects to http://127.0.0.1:{elsewhere}, ")), "{}", said.err);
        }
    }
    assert_eq!(*asked.lock(), [""; 0]);
}

#[test]
fn a_file_that_webdav_keeps_elsewhere_is_fetched_without_credentials() {
    let (elsewhere, asked) = recording(200, "abc");
    let port = server(move |request| {
        if request.starts_with("PROPFIND / ") {
            return (207, multistatus(&[response("/", None, MODIFIED), response("/file", Some("3"), MODIFIED)])).into();
        }
        if request.starts_with("PROPFIND") {
            return (207, multistatus(&[response("/file", Some("3"), MODIFIED)])).into();
        }
        Answer::redirect(302, &format!("http://127.0.0.1:{elsewhere}/kept"))
    });
    let place = Place::new();
    run(&place, &["migrate", &format!("webdav+http://127.0.0.1:{port}/"), "dst", "--yes"]);
    let asked = asked.lock().join("").to_ascii_lowercase();
    assert!(asked.contains("get /kept "), "{asked}");
    for word in ["authorization", "referer", "x-amz", "cookie", "hunter"].into_iter().chain(SECRETS) {
        assert!(!asked.contains(&word.to_ascii_lowercase()), "{word}: {asked}");
    }
}

#[test]
fn nothing_is_written_elsewhere() {
    let (elsewhere, asked) = recording(201, "");
    let port = server(move |request| {
        if request.starts_with("PROPFIND / ") {
            return (207, multistatus(&[response("/", None, MODIFIED)])).into();
        }
        if request.starts_with("PROPFIND") {
            return (404, String::new()).into();
        }
        Answer::redirect(307, &format!("http://127.0.0.1:{elsewhere}/"))
    });
    let place = Place::new();
    place.file("src/file", "abc");
    let said = run(&place, &["migrate", "src", &format!("webdav+http://127.0.0.1:{port}/"), "--yes"]);
    assert_ne!(said.code, Some(0), "{}", said.out);
    assert!(said.err.contains(&format!("it redirects to http://127.0.0.1:{elsewhere}, ")), "{}", said.err);
    assert_eq!(*asked.lock(), [""; 0]);
}
