//! Credentials on the command line are refused and shown nowhere.

use std::fs;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

use crate::program::{Place, Said};

const SECRET: &str = "hunter2";

/// Locations with a secret in them, however it is written.
const LOCATIONS: [&str; 30] = [
    "s3://AKIA:hunter2@bucket/",
    "s3://AKIA:hun%74er2@bucket/",
    "s3://AKIA:hunter2%40bucket/",
    "s3://AKIA%3Ahunter2@bucket/",
    "s3://bucket/?secret_access_key=hunter2",
    "s3://bucket/?hunter2",
    "s3://bucket/?password%3Dhunter2",
    "s3://bucket/#hunter2",
    "s3://b?endpoint=u:hunter2@host",
    "s3://b?endpoint=http:/u:hunter2@host",
    "s3://b?endpoint=http://u:hunter2@host",
    "s3://b?endpoint=http%3A%2F%2Fu%3Ahunter2%40host",
    "s3://b?endpoint=http%253A%252F%252Fu%253Ahunter2%2540host",
    "s3://b?endpoint=http://host/?token=hunter2",
    "s3://b?region=u:hunter2@host",
    "s3:/AKIA:hunter2@bucket/",
    "s3:AKIA:hunter2@bucket/",
    "webdav+https://me:hunter2@host/",
    "webdav+https://hunter2@host/",
    "webdav+https://host/?token=hunter2",
    "sftp://me:hunter2@host/",
    "sftp://me;password=hunter2@host/",
    "sftp://me%3Bpassword=hunter2@host/",
    "sftp://me:hunter2@-oProxyCommand=id/",
    "me:hunter2@host:/path",
    "me%3Ahunter2@host:/path",
    "https://me:hunter2@host/path",
    "https://host/path?X-Amz-Signature=hunter2",
    "spectra+http://me:hunter2@host:1/s1",
    "spectra:w?password=hunter2",
];

#[test]
fn no_command_keeps_or_shows_a_secret_that_is_typed_as_a_location() {
    for location in LOCATIONS {
        let value = format!("--ledger={location}");
        let commands: [&[&str]; 10] = [
            &["discover", location, "dst"],
            &["discover", "src", location, "--create-destination"],
            &["migrate", location, "dst", "--yes"],
            &["migrate", "src", location, "--yes"],
            &["copy", location],
            &["verify", location],
            &["discover", "src", "dst", location],
            &[location],
            &["discover", "src", "dst", "--on-conflict", location],
            &["discover", "src", "dst", "--no-such-option", location, &value],
        ];
        for command in commands {
            let place = Place::new();
            let said = place.run(&[command, &["-vvvv"]].concat());
            assert_eq!(said.code, Some(2), "{command:?}: {}{}", said.out, said.err);
            let shown = format!("{}{}", said.out, said.err).replace("%74", "t");
            assert!(!shown.contains(SECRET), "{command:?}: {shown}");
            for path in place.everything() {
                assert!(!path.to_string_lossy().contains(SECRET), "{command:?}: {path:?}");
                assert!(path.is_dir() || !String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(SECRET));
            }
        }
    }
}

#[test]
fn no_argument_of_any_kind_is_a_url_with_a_password() {
    let place = Place::new();
    let url = "ftp://me:hunter2@host/x";
    for command in [
        &["exclude", url, "--reason", "x"][..],
        &["find", url],
        &["status", "--ledger", url],
        &["report", "--out", url],
        &["exclude", "/a", "--reason=ftp://me:hunter2@host/x"],
    ] {
        let said = place.run(command);
        assert_eq!(said.code, Some(2), "{command:?}: {}", said.err);
        assert!(said.err.contains("ftp://…@host/x: credentials do not belong on the command line"), "{}", said.err);
        assert!(!said.err.contains(SECRET), "{}", said.err);
    }
}

#[test]
fn a_location_says_where_credentials_come_from() {
    let place = Place::new();
    for (location, due) in [
        ("s3://AKIA:hunter2@bucket/a", "s3://…@bucket/a: credentials do not belong in a location"),
        ("s3://AKIA:hunter2@bucket/a", "AWS_SECRET_ACCESS_KEY"),
        ("me:hunter2@host:/path", "…@host:/path: write sftp://USER@HOST/PATH"),
        ("sftp://-oProxyCommand=id/", "begins with a -"),
    ] {
        let said = place.run(&["discover", "src", location]);
        assert!(said.code == Some(2) && said.err.contains(due), "{due}: {}", said.err);
    }
    // A path that begins as one is a path.
    fs::create_dir(place.path("a:b@c")).unwrap();
    let said = place.run(&["discover", "./a:b@c", "dst", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[test]
fn an_endpoint_from_the_environment_has_no_credentials_either() {
    let place = Place::new();
    for endpoint in ["http://me:hunter2@127.0.0.1:1", "me:hunter2%40127.0.0.1"] {
        let mut command = Command::new(cargo_bin("longhaul"));
        command.current_dir(place.path("")).env("AWS_ENDPOINT_URL", endpoint);
        let said = Said::from(command.args(["discover", "s3://bucket", "dst"]).output().unwrap());
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("AWS_ENDPOINT_URL has credentials in it"), "{}", said.err);
        assert!(!said.err.contains(SECRET), "{}", said.err);
    }
}
