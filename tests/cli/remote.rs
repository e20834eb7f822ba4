//! Locations behind a network, as far as they are understood without one.

use crate::program::Place;

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
