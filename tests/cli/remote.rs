//! Locations behind a network, as far as they are understood without one.

use crate::program::Place;

#[test]
fn credentials_in_a_location_are_refused_and_not_repeated() {
    let place = Place::new();
    for location in
        ["webdav+https://me:s3cr3t@host/", "s3://me:s3cr3t@bucket/", "s3://bucket/?secret_access_key=s3cr3t"]
    {
        let said = place.run(&["discover", "src", location, "--ledger", "ledger.duckdb"]);
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(!said.err.contains("s3cr3t") && said.err.starts_with("error: "), "{}", said.err);
        assert!(!place.ledger().exists());
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_reason() {
    let place = Place::new();
    // Nobody listens there.
    let said = place.run(&["discover", "src", "webdav+http://127.0.0.1:1/dav", "--ledger", "ledger.duckdb"]);
    let errors = said.err.lines().filter(|line| !line.contains("waiting for the stores")).count();
    assert_eq!((said.code, errors), (Some(1), 1), "{}", said.err);
    assert!(said.err.contains("the destination webdav+http://127.0.0.1:1/dav cannot be used: "), "{}", said.err);
    assert!(said.err.contains("Connection refused"), "{}", said.err);
    assert!(!place.ledger().exists());
}
