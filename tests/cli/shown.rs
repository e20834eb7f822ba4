//! What is shown in a terminal or a spreadsheet does no harm there, and is taken for nothing else.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::program::Place;

#[test]
fn names_and_texts_are_shown_for_what_they_are() {
    let place = Place::new();
    for name in ["t", "t ", "a\u{3164}", "=cmd", "b\u{a0}"] {
        place.file(&format!("src/{name}"), "x");
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["find", "kind = file"]);
    for shown in [r"/t\u{20}", r"/a\u{3164}", r"/b\u{a0}"] {
        assert!(said.out.contains(shown), "{shown} in {}", said.out);
    }
    // What has been shown can be typed.
    let exclude = ["exclude", r"/t\u{20}", "--reason", "a\u{1b}[31mb\n\u{202e}c"];
    assert_eq!(place.on_ledger(&exclude).code, Some(0));
    for command in [&["find", "copy = excluded_explicit"][..], &["plan", "--under", "/"], &["query", "FROM src_status"]]
    {
        let said = place.on_ledger(command);
        assert!(said.out.contains(r"a\u{1b}[31mb \u{202e}c"), "{}", said.out);
        assert!(!said.out.contains('\u{1b}'), "{}", said.out);
    }
    assert_eq!(place.on_ledger(&["exclude", "/t", "--reason", " "]).code, Some(2));
    let said = place.on_ledger(&["query", "SELECT chr(27) || '[2J' AS x"]);
    assert!(said.out.contains(r"\u{1b}[2J"), "{}", said.out);
    let said = place.on_ledger(&["exclude", "/\u{1b}[2J", "--reason", "x"]);
    assert!(said.err.contains(r"/\u{1b}[2J is not on the source"), "{}", said.err);
    let said = place.on_ledger(&["query", "SELECT name FROM src_status WHERE name = '=cmd'", "--format", "csv"]);
    assert_eq!(said.out, "name\n'=cmd\n");
    let said = place.on_ledger(&["query", "SELECT -1 AS number", "--format", "csv"]);
    assert_eq!(said.out, "number\n-1\n");
}

#[test]
fn an_error_that_nobody_can_read_ends_the_program_as_any_other() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
    command.args(["status", "--ledger", "/no/such/ledger"]).stdout(Stdio::null()).stderr(full);
    assert_eq!(command.status().unwrap().code(), Some(1));
}
