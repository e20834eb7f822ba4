//! Listings of servers in which not everything is as it should be: each entry is for itself.

use crate::fake_server::{listing, multistatus, object, response, run, server};
use crate::program::Place;

const WRITTEN: &str = "2020-01-01T00:00:00.000Z";
const MODIFIED: &str = "Mon, 06 Jan 2020 00:00:00 GMT";

/// Discovers a source, and checks that it has these rows: path, kind, size, whether its time is known, and the reason.
fn assert_listed(place: &Place, source: &str, code: i32, rows: &[&str]) {
    let said = run(place, &["discover", source, "dst"]);
    assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
    let sql = "SELECT path, kind, size, modified_ns IS NOT NULL, coalesce(error, '') FROM src_status WHERE path <> '/' \
               ORDER BY path";
    assert_eq!(place.query(sql), rows);
}

#[test]
fn an_odd_object_is_one_problem() {
    let objects = [
        object("a&#0;b", "3", WRITTEN),
        object("a&#10;b", "3", WRITTEN),
        object("good", "3", WRITTEN),
        object("late", "3", "9999-12-31T23:59:59.999Z"),
        object("negative", "-5", WRITTEN),
        object("odd", "1e9", "yesterday"),
        object(" spaces ", "3", WRITTEN),
    ];
    let port = server(move |_| (200, listing(&objects.concat())));
    let place = Place::new();
    assert_listed(
        &place,
        &format!("s3://b/?endpoint=http://127.0.0.1:{port}"),
        0,
        &[
            r"/ spaces\u{20}|file|3|true|",
            r#"/a%b|other||false|"a\0b" cannot be a path"#,
            r"/a\nb|file|3|true|",
            "/good|file|3|true|",
            "/late|file|3|false|the listing has no valid modification time of it",
            "/negative|file||true|the listing has no valid size of it",
            "/odd|file||false|the listing has no valid size and no valid modification time of it",
        ],
    );
}

#[test]
fn an_odd_entry_of_a_server_is_one_problem() {
    let gone = "<D:response><D:href>/gone</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>";
    let entries = [
        response("/", None, MODIFIED),
        response("/empty", Some(""), MODIFIED),
        response("/good", Some("3"), MODIFIED),
        response("/iso", Some("3"), "2020-01-06T00:00:00Z"),
        response("/late", Some("3"), "Fri, 31 Dec 9999 23:59:59 GMT"),
        response("/negative", Some("-1"), "yesterday"),
        response("/%ff", Some("3"), MODIFIED),
        response("/sub/", None, ""),
        gone.to_owned(),
    ];
    let port = server(move |request| {
        if request.starts_with("PROPFIND /sub/ ") {
            return (207, multistatus(&[response("/sub/", None, "")]));
        }
        (207, multistatus(&entries))
    });
    let place = Place::new();
    assert_listed(
        &place,
        &format!("webdav+http://127.0.0.1:{port}/"),
        0,
        &[
            r#"/%|other||false|"\0" cannot be a path"#,
            "/empty|file||true|the listing has no valid size of it",
            "/gone|other||false|the server lists it with the status 404",
            "/good|file|3|true|",
            "/iso|file|3|true|",
            "/late|file|3|false|the listing has no valid modification time of it",
            "/negative|file||false|the listing has no valid size and no valid modification time of it",
            "/sub|folder||false|",
        ],
    );
}

#[test]
fn a_server_may_write_whole_addresses() {
    let port = server(move |request| {
        let body = if request.starts_with("GET ") {
            return (200, "abc".to_owned());
        } else if request.starts_with("PROPFIND /my%20dav/sub/ ") || request.starts_with("PROPFIND /my%20dav/sub ") {
            [
                response("http://internal:8080/my%20dav/sub/", None, MODIFIED),
                response("http://internal:8080/my%20dav/sub/%C3%BC", Some("3"), MODIFIED),
            ]
        } else if request.starts_with("PROPFIND /my%20dav/ ") {
            [response("https://HOST/my dav", None, MODIFIED), response("https://HOST/my dav/sub", None, MODIFIED)]
        } else {
            [response("http://HOST/my%20dav/sub/%c3%bc", Some("3"), MODIFIED), String::new()]
        };
        (207, multistatus(&body))
    });
    let place = Place::new();
    let source = format!("webdav+http://127.0.0.1:{port}/my%20dav");
    assert_listed(&place, &source, 0, &["/sub|folder||true|", "/sub/ü|file|3|true|"]);
    let said = run(&place, &["copy", "--approve"]);
    // Without a time in the answer the file's is that of its listing.
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(place.contents("dst/sub/ü"), "abc");
}

#[test]
fn an_address_outside_the_folder_is_an_error_of_the_folder() {
    let port = server(move |request| {
        let entries = if request.starts_with("PROPFIND /dav/sub/ ") {
            vec![
                response("/dav/sub/", None, MODIFIED),
                response("/dav/sub/good", Some("3"), MODIFIED),
                response("/other/dav/sub/bad", Some("3"), MODIFIED),
                response("/f", Some("3"), MODIFIED),
            ]
        } else {
            vec![response("/dav/", None, MODIFIED), response("/dav/sub/", None, MODIFIED)]
        };
        (207, multistatus(&entries))
    });
    let place = Place::new();
    let source = format!("webdav+http://127.0.0.1:{port}/dav");
    assert_listed(
        &place,
        &source,
        3,
        &[
            "/sub|folder||true|the server lists \"/other/dav/sub/bad\", which is not in the folder \"/dav/sub/\" (and 1 \
             more like it)",
            "/sub/good|file|3|true|",
        ],
    );
    let port = server(move |_| (207, multistatus(&[response("/other/dav/", None, MODIFIED)])));
    let said = run(&Place::new(), &["discover", &format!("webdav+http://127.0.0.1:{port}/dav"), "dst"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("the server lists \"/other/dav/\", which is not in the folder \"/dav/\""),
        "{}",
        said.err
    );
}
