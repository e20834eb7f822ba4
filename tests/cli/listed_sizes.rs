//! What is read of an object is what was listed of it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::fake_server::{Answer, listing, object, run, server};
use crate::program::Place;

const WRITTEN: &str = "2020-01-01T00:00:00.000Z";
const MODIFIED: &str = "Mon, 06 Jan 2020 00:00:00 GMT";

#[test]
fn what_is_read_is_what_was_listed() {
    for (headers, body) in
        [("Content-Length: 1\r\n", "a"), ("Content-Length: 5\r\n", "abcde"), ("", "abc"), ("", "a"), ("", "abcde")]
    {
        let port = server(move |request| {
            if request.contains("list-type=2") {
                return (200, listing(&object("file", "3", WRITTEN))).into();
            }
            let mut answer = Answer::from((200, body.to_owned()));
            answer.headers = format!("{headers}ETag: \"x\"\r\nLast-Modified: {MODIFIED}\r\n");
            answer
        });
        let place = Place::new();
        let source = format!("s3://b/?endpoint=http://127.0.0.1:{port}");
        let said = run(&place, &["migrate", &source, "dst", "--yes"]);
        assert_eq!(said.code, Some(3), "{body}: {}{}", said.out, said.err);
        let problems = place.query("SELECT path, class, message FROM problems");
        assert!(problems.len() == 1 && problems[0].starts_with("/file|transient|on the source: "), "{problems:?}");
        if !headers.is_empty() {
            let due = format!("the store lists 3 bytes of it, and sends {} of the same version", body.len());
            assert!(problems[0].ends_with(&due), "{problems:?}");
        }
        assert!(!place.path("dst/file").exists());
    }
}

#[test]
fn a_file_that_has_changed_since_it_was_listed_is_copied() {
    let first = AtomicBool::new(true);
    let port = server(move |request| {
        let is_first = first.load(Relaxed);
        if request.contains("list-type=2") {
            let size = if is_first { "3" } else { "5" };
            return (200, listing(&object("file", size, WRITTEN))).into();
        }
        first.store(false, Relaxed);
        Answer::from((200, "abcde".to_owned())).with("ETag", "\"x\"").with("Last-Modified", MODIFIED)
    });
    let place = Place::new();
    let source = format!("s3://b/?endpoint=http://127.0.0.1:{port}");
    let said = run(&place, &["migrate", &source, "dst", "--yes"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(place.contents("dst/file"), "abcde");
}
