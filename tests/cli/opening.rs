//! Stores that do not answer while they are opened: a signal is heard, and they are given up in time.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;

use crate::program::Place;

/// Listens, and never answers: the system takes connections, and nobody looks at them.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it has one").port();
    (listener, format!("webdav+http://127.0.0.1:{port}/"))
}

fn migrate(place: &Place, source: &str, more: &[&str]) -> Child {
    Command::new(cargo_bin("longhaul"))
        .current_dir(place.path(""))
        .args(["migrate", source, "dst", "--yes", "--ledger", "ledger.duckdb"])
        .args(more)
        .env_remove("LONGHAUL_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

#[test]
fn the_first_signal_ends_what_is_only_being_opened() {
    let (_listener, source) = silent_server();
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let place = Place::new();
        // Whoever starts these tests may have it ignored.
        let mut child = migrate(&place, &source, &[]);
        let mut err = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut line = String::new();
        err.read_line(&mut line).expect("it says what it waits for");
        assert!(line.contains("waiting for the stores to answer"), "{line}");
        let killed = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
        assert!(killed.expect("kill starts").success());
        let status = child.wait().expect("it ends");
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{name}");
        assert!(!place.ledger().exists());
    }
}

#[test]
fn a_store_that_does_not_answer_is_given_up_in_time() {
    let (_listener, source) = silent_server();
    let place = Place::new();
    let output = migrate(&place, &source, &["--give-up-after", "1"]).wait_with_output().expect("it ends");
    let err = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("it has not answered for 1 s"), "{err}");
    assert!(!place.ledger().exists());
}
