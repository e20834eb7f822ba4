//! Migrations to and from servers that answer badly: nothing is lost, and nothing is wrong.

use std::time::Duration;

use longhaul_servers::Kind;

use crate::migrations::{Trip, plant, snapshot};
use crate::proxy::{Behind, Fault, Seen};
use crate::wire::Wire;
use crate::{TURN, started};

/// A number that is drawn for a request, below 1 000.
fn drawn(seed: u64, number: u64) -> u64 {
    let mut mixed = (seed << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 32)) % 1_000
}

/// Of a thousand requests so many meet with each fault.
fn weather(seed: u64, number: u64, method: &str) -> Option<Fault> {
    match drawn(seed, number) {
        0..20 => Some(Fault::Refused(500)),
        20..40 => Some(Fault::Refused(503)),
        40..55 => Some(Fault::AskedForPatience(0)),
        55..60 => Some(Fault::AskedForPatience(1)),
        60..80 => Some(Fault::AnswerLost),
        80..100 => Some(Fault::CutInBody),
        // What is cut off a listing nobody could know of.
        100..120 if method == "GET" => Some(Fault::Delayed(Duration::from_millis(100))),
        120..200 => Some(Fault::Delayed(Duration::from_millis(20))),
        _ => None,
    }
}

/// Brings a tree there and back. However often it has to be tried, at the end everything is there, and nothing else.
///
/// One folder has so many files more: more than a server tells of at a time.
fn arrives(trip: &Trip, root: &str, crowd: usize) {
    let planted = trip.path("planted");
    plant(&planted);
    std::fs::create_dir(planted.join("crowd")).expect("a new folder");
    for number in 0..crowd {
        std::fs::write(planted.join(format!("crowd/{number}")), "one of many").expect("a file");
    }
    for number in 0..120 {
        let folder = planted.join(format!("many/{}", number % 6));
        std::fs::create_dir_all(&folder).expect("new folders");
        std::fs::write(folder.join(number.to_string()), number.to_string().repeat(number)).expect("a file");
    }
    let place = format!("{root}/weather");
    let back = trip.path("back");
    let ways = [(planted.display().to_string(), place.clone()), (place, back.display().to_string())];
    for (number, (from, to)) in ways.iter().enumerate() {
        let ledger = format!("{number}.duckdb");
        trip.migrate_stubbornly(from, to, &ledger);
        let other = "SELECT path, size, copy_status, attempts, error FROM src_status \
                     WHERE copy_status NOT IN ('successful', 'already_existed')";
        assert_eq!(trip.query(&ledger, other), "", "{from} to {to}");
        // What is there although the answer got lost is found to be ours.
        let copied: usize = trip.query(&ledger, "SELECT count(*) FROM copied").parse().expect("a number");
        let odd = trip.query(&ledger, "SELECT path FROM src_status WHERE name LIKE '%longhaul%'");
        assert_eq!(odd, "", "{from} to {to}: a draft is left");
        assert_eq!(copied, 127 + crowd, "{from} to {to}");
        let classes = "SELECT count(*) FROM errors WHERE class NOT IN ('transient', 'throttled')";
        assert_eq!(trip.query(&ledger, classes), "0", "{}", trip.query(&ledger, "SELECT class, message FROM errors"));
    }
    assert!(snapshot(&planted, false) == snapshot(&back, false), "{root}");
}

/// Brings a tree there and back through bad weather.
fn survives(kind: Kind, seed: u64) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(behind) = Behind::start(kind, move |number, method| weather(seed, number, method)) else { return };
    arrives(&behind.trip(), &behind.root(), 1);
    let struck = behind.proxy.seen().iter().filter(|seen| seen.fault.is_some()).count();
    assert!(struck > 50, "only {struck} requests met with anything");
}

#[test]
fn s3_in_bad_weather_loses_nothing() {
    survives(Kind::Moto, 1);
}

#[test]
fn another_s3_in_bad_weather_loses_nothing() {
    survives(Kind::Rclone, 2);
}

#[test]
fn webdav_in_bad_weather_loses_nothing() {
    survives(Kind::Wsgidav, 3);
}

/// Most connections break: some when they are hardly made, and some in the middle of a file.
fn bytes_of_connection(number: u64) -> u64 {
    match drawn(4, number) {
        0..200 => 12 << 10,
        200..500 => 48 << 10,
        500..800 => 1 << 20,
        _ => u64::MAX,
    }
}

#[test]
fn sftp_over_connections_that_break_loses_nothing() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(server) = started(Kind::Openssh) else { return };
    let wire = Wire::start(server.port(), bytes_of_connection);
    let behind = |text: &str| text.replace(&server.port().to_string(), &wire.port.to_string());
    let mut environment = server.environment.clone();
    let (_, known) = environment.iter_mut().find(|(name, _)| *name == "SFTP_KNOWN_HOSTS").expect("it has a key");
    let hosts = behind(&std::fs::read_to_string(&*known).expect("a file"));
    *known = format!("{known}-of-proxy");
    std::fs::write(&*known, hosts).expect("a new file");
    arrives(&Trip::new(environment), &behind(&server.root), 400);
    assert!(wire.broken() > 10, "only {} connections broke", wire.broken());
}

#[test]
fn a_body_that_is_shorter_than_it_should_be_is_not_taken_for_the_file() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cut = |_, method: &str| (method == "GET").then_some(Fault::Truncated);
    // WebDAV lists with a method of its own, so that files alone are cut.
    let Some(behind) = Behind::start(Kind::Wsgidav, cut) else { return };
    let trip = behind.trip();
    let planted = trip.path("planted");
    plant(&planted);
    let files = behind.server.files().expect("it keeps files").join("short");
    trip.migrate(&planted.display().to_string(), &files.display().to_string(), "put.duckdb", &[]);
    let place = format!("{}/short", behind.root());
    let back = trip.path("back");
    let to = back.display().to_string();
    let output = trip.run(&["migrate", &place, &to, "--yes", "--create-destination", "--ledger", "l.duckdb"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    // An empty one, and one of a byte of which nothing comes, cannot be told apart from the length alone.
    let whole = snapshot(&planted, false);
    for (name, bytes, _) in snapshot(&back, false) {
        assert!(whole.iter().any(|(due, all, _)| *due == name && *all == bytes), "{name} is short");
    }
    assert_eq!(trip.query("l.duckdb", "SELECT count(*) FROM src_status WHERE copy_status = 'failed'"), "6");
}

/// Discovers twenty folders behind a server that asks for patience once. Gives what was asked, and at which place of that it
/// asked.
fn asked_for_patience(
    calls_at_a_time: &str,
    choice: impl Fn(u64, &str) -> Option<Fault> + Send + Sync + 'static,
) -> Option<(Vec<Seen>, usize)> {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let behind = Behind::start(Kind::Wsgidav, choice)?;
    let files = behind.server.files().expect("it keeps files");
    for number in 0..20 {
        std::fs::create_dir_all(files.join(format!("patience/{number}"))).expect("new folders");
    }
    let trip = behind.trip();
    let to = trip.path("to");
    std::fs::create_dir(&to).expect("a new folder");
    let (place, to) = (format!("{}/patience", behind.root()), to.display().to_string());
    let arguments = ["discover", &place, &to, "--max-concurrency", calls_at_a_time, "--ledger", "l.duckdb"];
    let output = trip.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(trip.query("l.duckdb", "SELECT count(*) FROM src_status WHERE traversal_status = 'successful'"), "21");
    assert_eq!(trip.query("l.duckdb", "SELECT count(*) FROM errors"), "0");
    let seen = behind.proxy.seen();
    assert!(seen.iter().all(|seen| seen.method == "PROPFIND"));
    let asks = |seen: &Seen| matches!(seen.fault, Some(Fault::AskedForPatience(_) | Fault::AskedForPatienceUntil(_)));
    let struck = seen.iter().position(asks).expect("it asks for it once");
    Some((seen, struck))
}

const WISH_S: u64 = 3;

#[test]
fn a_server_that_asks_for_patience_is_left_alone_for_as_long_as_it_says() {
    // A date has no fractions of a second.
    let wishes = [
        (Fault::AskedForPatience(WISH_S), Duration::from_secs(WISH_S)),
        (Fault::AskedForPatienceUntil(WISH_S), Duration::from_secs(WISH_S - 1)),
    ];
    for (wish, least) in wishes {
        // One at a time: none is on its way when it is said.
        let Some((seen, struck)) = asked_for_patience("1", move |number, _| (number == 4).then_some(wish)) else {
            return;
        };
        let waited = seen[struck + 1].at - seen[struck].at;
        assert!(waited >= least, "{wish:?}: {waited:?}");
        assert!(waited < Duration::from_secs(WISH_S + 2), "{wish:?}: {waited:?}");
    }
}

/// How long each request takes after that: long enough for the others to come meanwhile, if they were let.
const ANSWER: Duration = Duration::from_millis(400);

#[test]
fn one_request_tries_whether_a_server_is_patient_again() {
    let choice = |number, _: &str| match number {
        0..4 => None,
        4 => Some(Fault::AskedForPatience(WISH_S)),
        _ => Some(Fault::Delayed(ANSWER)),
    };
    let Some((seen, struck)) = asked_for_patience("4", choice) else { return };
    let over = seen[struck].at + Duration::from_secs(WISH_S);
    let after: Vec<_> = seen.iter().map(|seen| seen.at).filter(|&at| at >= over).collect();
    assert!(
        seen.iter().all(|seen| seen.at + Duration::from_secs(1) < over || seen.at >= over),
        "somebody was impatient"
    );
    assert!(after[1] - after[0] >= ANSWER, "the second one came after {:?}", after[1] - after[0]);
}
