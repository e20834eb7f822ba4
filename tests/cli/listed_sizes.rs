//! What is read of an object is what was listed of it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::fake_server::{Answer, listing, object, run, server};
use crate::program::Place;

const WRITTEN: &str = "2020-01-01T00:00:00.000Z";
const MODIFIED: &str = "Mon, 06 Jan 2020 00:00:00 GMT";

/// Names, whether the answer says how long it is, and contents. All are listed with three bytes.
const OBJECTS: [(&str, bool, &str); 5] = [
    ("long", true, "abcde"),
    ("short", true, "a"),
    ("unsaid", false, "abc"),
    ("unsaid long", false, "abcde"),
    ("unsaid short", false, "a"),
];

#[test]
fn what_is_read_is_what_was_listed() {
    let port = server(move |request| {
        if request.contains("list-type=2") {
            let asked = OBJECTS.iter().filter(|(name, ..)| {
                !request.contains("prefix=") || request.contains(&format!("prefix={}&", name.replace(' ', "%20")))
            });
            return (200, listing(&asked.map(|(name, ..)| object(name, "3", WRITTEN)).collect::<String>())).into();
        }
        let path = request.split(' ').nth(1).unwrap_or_default().replace("%20", " ");
        let path = path.split('?').next().unwrap_or_default();
        let (_, is_said, body) = OBJECTS.iter().find(|(name, ..)| path == format!("/b/{name}")).expect("it is listed");
        let mut answer = Answer::from((200, (*body).to_owned()));
        if !is_said {
            answer.headers.clear();
        }
        answer.with("ETag", "\"x\"").with("Last-Modified", MODIFIED)
    });
    let place = Place::new();
    let source = format!("s3://b/?endpoint=http://127.0.0.1:{port}");
    let said = run(&place, &["migrate", &source, "dst", "--yes"]);
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    let unsaid = "HTTP response does not contain file content length";
    let due = [
        "/long|transient|on the source: the store lists 3 bytes of it, and sends 5 of the same version".to_owned(),
        "/short|transient|on the source: the store lists 3 bytes of it, and sends 1 of the same version".to_owned(),
        format!("/unsaid|transient|on the source: {unsaid}"),
        format!("/unsaid long|transient|on the source: {unsaid}"),
        format!("/unsaid short|transient|on the source: {unsaid}"),
    ];
    assert_eq!(place.query("SELECT path, class, message FROM problems ORDER BY path"), due);
    assert_eq!(std::fs::read_dir(place.path("dst")).unwrap().count(), 0);
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
