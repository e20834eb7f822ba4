//! The scenarios about other places: a simulator that is served, other people's stores, and stores that are slow or ask
//! for patience.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::{Place, SMALL};

/// `longhaul spectra serve`, on any port that is free.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(place: &Place, config: &str) -> Served {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
        command.args(["spectra", "serve", "--port", "0", "--config", config]).current_dir(place.folder());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        assert_eq!(lines.next().unwrap().unwrap(), format!("  spectra+{url}/primary"));
        Served { child, url }
    }

    fn interrupt(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_simulator_that_is_served_is_traversed_and_copied_to() {
    let place = Place::with_config("spectra-copy.json", &SMALL.replace("CHAOS", "{}"));
    let served = Served::start(&place, "configs/spectra-copy.json");
    for (scenario, times) in [("traversal-normal", 1), ("copy-normal", 2)] {
        for _ in 0..times {
            let said = place.run(scenario, &["--spectra-url", &served.url]);
            said.assert_passed();
            assert!(said.out.contains(&format!("simulator at {}", served.url)), "{}", said.out);
        }
    }
    let said = place.run("copy-local", &["--spectra-url", &served.url]);
    assert!(said.err.contains("traversal-normal, copy-normal have"), "{}", said.err);
    let url = served.url.clone();
    assert_eq!(served.interrupt(), Some(0));
    let said = place.run("traversal-normal", &["--spectra-url", &url]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("refused") && said.out.contains(&url), "{}", said.out);
}

/// As in `longhaul spectra serve ... | head -1 &`.
#[test]
fn a_simulator_is_served_though_nobody_reads_what_it_says() {
    let place = Place::with_config("spectra-copy.json", &SMALL.replace("CHAOS", "{}"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
    command.args(["spectra", "serve", "--port", &port.to_string(), "--config", "configs/spectra-copy.json"]);
    let mut child = command.current_dir(place.folder()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let served = Served { child, url: format!("http://127.0.0.1:{port}") };
    let is_up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let began = Instant::now();
    while !is_up() && began.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(10));
    }
    place.run("traversal-normal", &["--spectra-url", &served.url]).assert_passed();
    assert_eq!(served.interrupt(), Some(0));
}

#[test]
fn autoscaler_throttle_passes() {
    Place::new().run("autoscaler-throttle", &[]).assert_passed();
}

#[test]
fn slow_store_passes() {
    Place::new().run("slow-store", &[]).assert_passed();
}

/// Where the server is not installed, which is said, that is no failure but in CI.
fn passes_with_its_server(scenario: &str) {
    let said = Place::new().run(scenario, &[]);
    if said.out.contains("cannot be started") && std::env::var("CI").is_err() {
        eprintln!("skipped: {}", said.out);
        return;
    }
    said.assert_passed();
}

#[test]
fn traversal_s3_passes() {
    passes_with_its_server("traversal-s3");
}

#[test]
fn copy_s3_passes() {
    passes_with_its_server("copy-s3");
}

#[test]
fn copy_sftp_passes() {
    passes_with_its_server("copy-sftp");
}

#[test]
fn copy_webdav_passes() {
    passes_with_its_server("copy-webdav");
}

#[test]
fn a_place_that_is_given_is_used_instead_of_a_server() {
    let place = Place::new();
    let there = place.folder().join("there").display().to_string();
    let said = place.run("copy-sftp", &["--store-url", &there]);
    said.assert_passed();
    assert!(said.out.contains(&format!("store {there}")), "{}", said.out);
}
