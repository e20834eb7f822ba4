//! How often servers are asked: what is not asked takes no time, and is not paid for.

use std::fs;

use longhaul_servers::Kind;

use crate::TURN;
use crate::proxy::{Behind, Seen};

const FOLDERS: usize = 4;
const FILES: usize = 40;

/// Requests that have nothing to do with how many files and folders there are, for each command.
const BESIDE: usize = 8;

/// How many requests with this method were about a file, and how many about anything else.
fn counts(seen: &[Seen], method: &str) -> (usize, usize) {
    let with_method = || seen.iter().filter(|seen| seen.method == method);
    let about_files = with_method().filter(|seen| seen.target.contains("/file-")).count();
    (about_files, with_method().count() - about_files)
}

/// Brings a tree there and back. On the way there each file takes one `PUT` and so many `HEAD`, on the way back one `GET`.
fn asks_no_more_than_it_has_to(kind: Kind, looks: usize) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(behind) = Behind::start(kind, |_, _| None) else { return };
    let trip = behind.trip();
    let planted = trip.path("planted");
    for number in 0..FILES {
        let folder = planted.join(format!("folder-{}", number % FOLDERS));
        fs::create_dir_all(&folder).expect("a new folder");
        fs::write(folder.join(format!("file-{number}")), "a few bytes").expect("a new file");
    }
    let (planted, place) = (planted.display().to_string(), format!("{}/requests", behind.root()));
    trip.discover_and_copy(&planted, &place, "there.duckdb");
    let there = behind.proxy.seen();
    assert_eq!(counts(&there, "PUT").0, FILES);
    assert_eq!(counts(&there, "HEAD").0, FILES * looks);
    let beside = there.len() - FILES * (1 + looks);
    assert!(beside <= 2 * BESIDE, "{beside}: {there:#?}");

    trip.discover_and_copy(&place, &trip.path("back").display().to_string(), "back.duckdb");
    let back = &behind.proxy.seen()[there.len()..];
    assert_eq!(counts(back, "GET").0, FILES);
    assert_eq!(counts(back, "HEAD").0, 0);
    let beside = back.len() - FILES;
    assert!(beside <= FOLDERS + 2 * BESIDE, "{beside}: {back:#?}");
}

#[test]
fn s3_is_asked_once_for_each_file_where_it_heeds_conditions() {
    asks_no_more_than_it_has_to(Kind::Moto, 0);
}

#[test]
fn s3_is_asked_whether_something_is_there_where_it_does_not() {
    asks_no_more_than_it_has_to(Kind::Rclone, 1);
}
