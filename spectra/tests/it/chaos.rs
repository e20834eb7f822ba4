//! Faults, limits and latency.

use std::time::Duration;

use longhaul_spectra::{
    BackoffConfig, BandwidthConfig, ChaosConfig, Fault, FaultClass, FaultRule, LatencyConfig, NodeKind, Operation,
    OperationFilter, PacketLossConfig, RateConfig, Spectra, SpectraError, World,
};

use crate::setup::{NOW, nodes, small, world};

fn with_rules(rules: Vec<FaultRule>) -> ChaosConfig {
    ChaosConfig { faults: rules, ..ChaosConfig::default() }
}

fn listing(world: &World, path: &[u8]) -> Result<usize, Fault> {
    world.list(path, None, 1000, NOW).result.map(|page| page.entries.len())
}

fn folders(world: &World) -> Vec<Vec<u8>> {
    nodes(world).into_iter().filter(|(_, info)| info.kind == NodeKind::Folder).map(|(path, _)| path).collect()
}

fn failing(spectra: &Spectra, attempts: usize) -> Vec<Vec<bool>> {
    let world = world(spectra, "primary");
    folders(&world).iter().map(|path| (0..attempts).map(|_| listing(&world, path).is_err()).collect()).collect()
}

#[test]
fn only_the_first_attempts_fail_on_each_path() {
    let spectra = small();
    let rule = FaultRule {
        operation: OperationFilter::Only(Operation::ListChildren),
        first_attempts: Some(2),
        ..FaultRule::new(FaultClass::Transient)
    };
    spectra.set_chaos(with_rules(vec![rule])).unwrap();
    for path in failing(&spectra, 4) {
        assert_eq!(path, [true, true, false, false]);
    }
    let world = world(&spectra, "primary");
    world.stat(b"/folder_1", NOW).result.unwrap();
}

#[test]
fn probability_is_drawn_from_the_seed_for_each_attempt() {
    let chaos = with_rules(vec![FaultRule { probability: 0.4, ..FaultRule::new(FaultClass::Transient) }]);
    let (one, other) = (small(), small());
    one.set_chaos(chaos.clone()).unwrap();
    other.set_chaos(chaos).unwrap();
    let drawn = failing(&one, 20);
    assert_eq!(drawn, failing(&other, 20));
    let all: Vec<bool> = drawn.concat();
    let share = 100 * all.iter().filter(|failed| **failed).count() / all.len();
    assert!((30..=50).contains(&share), "{share} %");
    assert!(drawn.iter().any(|path| path.contains(&true) && path.contains(&false)));
}

#[test]
fn a_node_that_is_denied_stays_so() {
    let spectra = small();
    let rule = FaultRule { probability: 0.4, ..FaultRule::new(FaultClass::Denied) };
    spectra.set_chaos(with_rules(vec![rule])).unwrap();
    let drawn = failing(&spectra, 5);
    assert!(drawn.iter().all(|path| path.iter().all(|failed| *failed == path[0])));
    assert!(drawn.iter().any(|path| path[0]) && drawn.iter().any(|path| !path[0]));
}

#[test]
fn a_rule_applies_to_its_world_path_and_operation_only() {
    let spectra = small();
    let rule = |path: &str, world: &str| FaultRule {
        world: Some(world.to_owned()),
        path: Some(path.to_owned()),
        ..FaultRule::new(FaultClass::Vanished)
    };
    spectra.set_chaos(with_rules(vec![rule("/folder_1/**", "primary"), rule("/folder_2", "s1")])).unwrap();
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    assert_eq!(listing(&primary, b"/folder_1").unwrap_err().class, FaultClass::Vanished);
    assert_eq!(primary.stat(b"/folder_1/file_1.txt", NOW).result.unwrap_err().class, FaultClass::Vanished);
    listing(&primary, b"/").unwrap();
    listing(&primary, b"/folder_2").unwrap();
    assert_eq!(
        listing(&secondary, b"/folder_2").unwrap_err().message,
        "list_children of `/folder_2` in world s1: injected fault"
    );
    spectra.set_chaos(with_rules(vec![rule("/", "primary")])).unwrap();
    assert!(listing(&primary, b"/").is_err());
    listing(&primary, b"/folder_1").unwrap();
    spectra.set_chaos(with_rules(vec![rule("/**", "primary")])).unwrap();
    assert!(listing(&primary, b"/").is_err());
    assert!(listing(&primary, b"/folder_1").is_err());
}

#[test]
fn the_first_rule_that_strikes_decides_and_says_when_to_retry() {
    let spectra = small();
    let throttled =
        FaultRule { first_attempts: Some(1), retry_after_ms: Some(250), ..FaultRule::new(FaultClass::Throttled) };
    spectra.set_chaos(with_rules(vec![throttled, FaultRule::new(FaultClass::NoSpace)])).unwrap();
    let world = world(&spectra, "s1");
    let create = || world.create_folder(b"/new", NOW).result.unwrap_err();
    let first = create();
    assert_eq!((first.class, first.retry_after), (FaultClass::Throttled, Some(Duration::from_millis(250))));
    assert_eq!((create().class, create().class), (FaultClass::NoSpace, FaultClass::NoSpace));
    assert!(world.undisturbed().stat(b"/new", NOW).result.is_err(), "what failed left nothing behind");
    spectra.set_chaos(ChaosConfig::default()).unwrap();
    world.create_folder(b"/new", NOW).result.unwrap();
}

#[test]
fn a_failed_upload_leaves_nothing_and_walking_sees_no_faults() {
    let spectra = small();
    let world = world(&spectra, "s1");
    let before = nodes(&world);
    spectra.set_chaos(with_rules(vec![FaultRule::new(FaultClass::Fatal)])).unwrap();
    assert_eq!(world.write_file(b"/x", b"x", 0, false, NOW).result.unwrap_err().class, FaultClass::Fatal);
    assert_eq!(nodes(&world), before);
}

#[test]
fn what_is_switched_off_does_nothing() {
    let spectra = small();
    let chaos = ChaosConfig { enabled: false, ..with_rules(vec![FaultRule::new(FaultClass::Fatal)]) };
    spectra.set_chaos(chaos).unwrap();
    listing(&world(&spectra, "primary"), b"/").unwrap();
}

#[test]
fn lost_answers_are_transient() {
    let spectra = small();
    let packet_loss = PacketLossConfig { probability: 0.5, retry_after_ms: 30 };
    spectra.set_chaos(ChaosConfig { packet_loss, ..ChaosConfig::default() }).unwrap();
    let world = world(&spectra, "primary");
    let lost: Vec<Fault> = (0..100).filter_map(|_| listing(&world, b"/").err()).collect();
    assert!((30..70).contains(&lost.len()), "{}", lost.len());
    assert!(lost.iter().all(|fault| fault.class == FaultClass::Transient));
    assert_eq!(lost[0].retry_after, Some(Duration::from_millis(30)));
}

#[test]
fn who_waits_as_told_gets_through_the_limit() {
    let spectra = small();
    let mut chaos = ChaosConfig::default();
    chaos.rate_limits.operations.list_children = Some(RateConfig { calls_per_second: 4.0, burst: 2 });
    spectra.set_chaos(chaos).unwrap();
    let world = world(&spectra, "primary");
    let mut now = Duration::from_secs(5);
    let list = |now| world.list(b"/", None, 10, now).result;
    list(now).unwrap();
    list(now).unwrap();
    for _ in 0..5 {
        let fault = list(now).unwrap_err();
        assert_eq!(fault.class, FaultClass::Throttled);
        now += fault.retry_after.unwrap();
        list(now).unwrap();
    }
    assert_eq!(now, Duration::from_millis(6250));
    world.stat(b"/", now).result.unwrap();
    spectra.set_chaos(ChaosConfig::default()).unwrap();
    list(now).unwrap();
    list(now).unwrap();
}

#[test]
fn the_global_limit_is_for_all_operations_and_worlds() {
    let spectra = small();
    let mut chaos = ChaosConfig::default();
    chaos.rate_limits.global = Some(RateConfig { calls_per_second: 1.0, burst: 2 });
    chaos.rate_limits.operations.get_node = Some(RateConfig { calls_per_second: 0.001, burst: 1 });
    spectra.set_chaos(chaos).unwrap();
    let (primary, secondary) = (world(&spectra, "primary"), world(&spectra, "s1"));
    primary.stat(b"/", NOW).result.unwrap();
    assert!(primary.stat(b"/", NOW).result.is_err(), "its own limit refuses, and takes nothing from the global one");
    listing(&secondary, b"/").unwrap();
    let fault = listing(&primary, b"/").unwrap_err();
    assert_eq!(fault.retry_after, Some(Duration::from_secs(1)));
}

#[test]
fn bandwidth_counts_what_was_read_and_written() {
    let spectra = small();
    let mut chaos = ChaosConfig::default();
    chaos.rate_limits.bandwidth = Some(BandwidthConfig { bytes_per_second: 1000, burst_bytes: 1000 });
    spectra.set_chaos(chaos).unwrap();
    let world = world(&spectra, "primary");
    world.write_file(b"/large", &[1; 5000], 0, false, NOW).result.unwrap();
    let fault = world.read(b"/large", 0, 10, NOW).result.unwrap_err();
    let wait = fault.retry_after.unwrap();
    assert_eq!((fault.class, wait), (FaultClass::Throttled, Duration::from_millis(4001)));
    world.stat(b"/large", NOW).result.unwrap();
    assert_eq!(world.read(b"/large", 0, 10, wait).result.unwrap().len(), 10);
}

#[test]
fn waiting_times_grow_with_each_refusal_and_start_again_after_success() {
    let spectra = small();
    let mut chaos = ChaosConfig {
        backoff: BackoffConfig { base_retry_after_ms: 100, exponential_factor: 3.0 },
        ..ChaosConfig::default()
    };
    chaos.rate_limits.global = Some(RateConfig { calls_per_second: 1000.0, burst: 1 });
    chaos.rate_limits.poll_interval_ms = 50;
    spectra.set_chaos(chaos).unwrap();
    let world = world(&spectra, "primary");
    let refused_ms = |now| listing_at(&world, now).unwrap_err().retry_after.unwrap().as_millis();
    listing_at(&world, NOW).unwrap();
    assert_eq!([refused_ms(NOW), refused_ms(NOW), refused_ms(NOW)], [100, 300, 900]);
    let later = Duration::from_secs(2);
    listing_at(&world, later).unwrap();
    assert_eq!(refused_ms(later), 100);
}

fn listing_at(world: &World, now: Duration) -> Result<(), Fault> {
    world.list(b"/", None, 10, now).result.map(|_| ())
}

#[test]
fn latency_is_told_and_the_same_each_time() {
    let spectra = small();
    let latency = LatencyConfig { list_children_ms: 20, jitter_ms: 10, ..LatencyConfig::default() };
    spectra.set_chaos(ChaosConfig { latency, ..ChaosConfig::default() }).unwrap();
    let world = world(&spectra, "primary");
    let latency_of = |path: &[u8]| world.list(path, None, 10, NOW).latency;
    let mut seen = std::collections::BTreeSet::new();
    for path in folders(&world) {
        let latency = latency_of(&path);
        assert!((Duration::from_millis(20)..=Duration::from_millis(30)).contains(&latency));
        assert_eq!(latency_of(&path), latency);
        seen.insert(latency);
    }
    assert!(seen.len() > 5);
    assert_eq!(world.stat(b"/", NOW).latency, Duration::ZERO);
}

#[test]
fn chaos_that_is_not_acceptable_is_refused_and_changes_nothing() {
    let spectra = small();
    let rule = FaultRule { world: Some("s9".to_owned()), ..FaultRule::new(FaultClass::Fatal) };
    assert!(matches!(spectra.set_chaos(with_rules(vec![rule])), Err(SpectraError::Config(_))));
    listing(&world(&spectra, "primary"), b"/").unwrap();
}
