//! The pace against a store in numbers: so many calls a second, so long each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// A store in numbers.
struct Numbers {
    /// How long a call takes.
    latency: Duration,
    /// Calls that it works on at a time; more wait.
    served_at_once: usize,
    /// Calls a second, above which it asks for patience; `None` for any number.
    rate: Option<f64>,
    /// For how long it asks.
    retry_after: Duration,
    /// One in so many calls is refused whatever their number; zero for none.
    refused: u64,
}

/// What came of running against a store for a while.
struct Ran {
    answered: u32,
    throttled: u32,
    highest: usize,
}

/// Drives a pace with as many calls as it allows, of a few hundred that want to be made.
fn run(pace: &mut Pace, store: &Numbers, start: Instant, length: Duration) -> Ran {
    const WAITING: usize = 64;
    let mut ran = Ran { answered: 0, throttled: 0, highest: 0 };
    // Ends of calls that are under way, with their beginnings and whether they are throttled.
    let mut ends: BinaryHeap<Reverse<(Instant, Instant, bool)>> = BinaryHeap::new();
    let (mut now, end) = (start, start + length);
    let mut tokens = store.rate.map_or(0.0, |rate| rate / 10.0);
    let mut refilled = start;
    let mut busy: BinaryHeap<Reverse<Instant>> = BinaryHeap::new();
    let mut drawn = 1_u64;
    while now < end {
        let mut next = end;
        while ends.len() < WAITING {
            match pace.begin(now, ends.len()) {
                Permission::Go => {
                    drawn = drawn.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    let mut is_throttled = store.refused > 0 && (drawn >> 33).is_multiple_of(store.refused);
                    if let Some(rate) = store.rate {
                        tokens = (tokens + (now - refilled).as_secs_f64() * rate).min(rate / 10.0);
                        refilled = now;
                        is_throttled = tokens < 1.0;
                        if !is_throttled {
                            tokens -= 1.0;
                        }
                    }
                    while busy.peek().is_some_and(|Reverse(at)| *at <= now) {
                        busy.pop();
                    }
                    let begins =
                        if busy.len() < store.served_at_once { now } else { busy.pop().expect("they are busy").0 };
                    let ended = if is_throttled { now + Duration::from_millis(1) } else { begins + store.latency };
                    if !is_throttled {
                        busy.push(Reverse(ended));
                    }
                    ends.push(Reverse((ended, now, is_throttled)));
                    ran.highest = ran.highest.max(ends.len());
                }
                Permission::NotBefore(at) => {
                    next = next.min(at);
                    break;
                }
                Permission::AfterAnother => break,
            }
        }
        if let Some(Reverse((ended, _, _))) = ends.peek() {
            next = next.min(*ended);
        }
        now = next.max(now + Duration::from_nanos(1));
        while ends.peek().is_some_and(|Reverse((ended, _, _))| *ended <= now) {
            let Reverse((ended, began, is_throttled)) = ends.pop().expect("it was seen");
            if is_throttled {
                ran.throttled += 1;
                pace.throttled(ended, began, Some(store.retry_after));
            } else {
                ran.answered += 1;
                pace.answered(ended, began, true);
            }
        }
    }
    ran
}

fn unlimited(now: Instant) -> Pace {
    Pace::new(PaceLimits { concurrency_max: 64, rate_max: None }, now)
}

#[test]
fn a_slow_store_is_asked_for_as_much_at_a_time_as_it_takes() {
    let store = Numbers {
        latency: Duration::from_millis(100),
        served_at_once: 1_000,
        rate: None,
        retry_after: Duration::ZERO,
        refused: 0,
    };
    let start = Instant::now();
    let mut pace = unlimited(start);
    run(&mut pace, &store, start, Duration::from_secs(30));
    let after = start + Duration::from_secs(30);
    let ran = run(&mut pace, &store, after, Duration::from_secs(10));
    // 64 at a time, a tenth of a second each.
    assert!(ran.answered >= 5_760, "{} of 6 400", ran.answered);
}

#[test]
fn a_store_that_works_on_few_at_a_time_is_not_asked_for_many() {
    let store = Numbers {
        latency: Duration::from_millis(20),
        served_at_once: 4,
        rate: None,
        retry_after: Duration::ZERO,
        refused: 0,
    };
    let start = Instant::now();
    let mut pace = unlimited(start);
    let ran = run(&mut pace, &store, start, Duration::from_secs(30));
    assert!(ran.answered >= 5_400, "{} of 6 000", ran.answered);
    assert!(pace.concurrency() <= 24, "{}", pace.concurrency());
}

#[test]
fn a_store_that_asks_for_patience_is_kept_at_what_it_allows_and_nothing_more_is_lost_to_that_than_a_tenth() {
    let allowed = 5_000.0;
    let store = Numbers {
        latency: Duration::from_millis(2),
        served_at_once: 1_000,
        rate: Some(allowed),
        retry_after: Duration::from_millis(50),
        refused: 0,
    };
    let start = Instant::now();
    let mut pace = unlimited(start);
    let first = run(&mut pace, &store, start, Duration::from_secs(5));
    assert!(first.throttled > 0, "it was never asked for too much");
    let ran = run(&mut pace, &store, start + Duration::from_secs(5), Duration::from_secs(20));
    assert!(f64::from(ran.answered) >= 0.9 * 20.0 * allowed, "{} of {}", ran.answered, 20.0 * allowed);
    // The limit is lifted: it climbs again.
    let lifted = Numbers { rate: None, ..store };
    let later = start + Duration::from_secs(25);
    run(&mut pace, &lifted, later, Duration::from_secs(20));
    let ran = run(&mut pace, &lifted, later + Duration::from_secs(20), Duration::from_secs(5));
    assert!(f64::from(ran.answered) >= 2.0 * 5.0 * allowed, "{} a second", ran.answered / 5);
}

#[test]
fn a_store_that_refuses_some_calls_for_no_reason_gets_most_of_what_is_begun_with() {
    let store = Numbers {
        latency: Duration::from_millis(20),
        served_at_once: 1_000,
        rate: None,
        retry_after: Duration::from_millis(100),
        refused: 30,
    };
    let start = Instant::now();
    let mut pace = unlimited(start);
    run(&mut pace, &store, start, Duration::from_mins(5));
    let ran = run(&mut pace, &store, start + Duration::from_mins(5), Duration::from_secs(10));
    // Two at a time would be 1 000, and about every 30 of them a pause.
    assert!(ran.answered >= 600, "{} were answered, and {} refused", ran.answered, ran.throttled);
}

#[test]
fn what_it_was_told_to_wait_it_waits_and_one_call_tries_first() {
    let start = Instant::now();
    let mut pace = unlimited(start);
    assert_eq!(pace.begin(start, 0), Permission::Go);
    assert_eq!(pace.begin(start, 1), Permission::Go);
    let told = Duration::from_secs(7);
    let change = pace.throttled(start, start, Some(told)).expect("it slows down");
    assert_eq!(change.cause, "the store asks for patience");
    assert!(change.concurrency < 4, "{change:?}");
    // The other one that was under way is told the same.
    assert_eq!(pace.throttled(start + Duration::from_millis(3), start, Some(told)), None);
    let until = start + Duration::from_millis(3) + told;
    assert_eq!(pace.begin(start + Duration::from_secs(1), 0), Permission::NotBefore(until));
    assert_eq!(pace.begin(until, 0), Permission::Go);
    assert_eq!(pace.begin(until, 1), Permission::AfterAnother);
    pace.answered(until + Duration::from_millis(10), until, true);
    assert_eq!(pace.begin(until + Duration::from_millis(10), 0), Permission::Go);
}

#[test]
fn a_call_that_tries_while_an_earlier_one_is_told_to_wait_longer_is_followed_by_another_one() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut pace = unlimited(start);
    assert_eq!(pace.begin(start, 0), Permission::Go);
    assert_eq!(pace.begin(start, 1), Permission::Go);
    pace.throttled(at(10), start, Some(Duration::from_millis(100)));
    assert_eq!(pace.begin(at(110), 1), Permission::Go);
    pace.throttled(at(120), start, Some(Duration::from_millis(100)));
    pace.answered(at(130), at(110), true);
    assert_eq!(pace.begin(at(130), 0), Permission::NotBefore(at(220)));
    assert_eq!(pace.begin(at(220), 0), Permission::Go);
}

#[test]
fn what_somebody_allows_at_most_is_kept_to() {
    let store = Numbers {
        latency: Duration::from_millis(10),
        served_at_once: 1_000,
        rate: None,
        retry_after: Duration::ZERO,
        refused: 0,
    };
    let start = Instant::now();
    let mut pace = Pace::new(PaceLimits { concurrency_max: 6, rate_max: Some(100.0) }, start);
    let ran = run(&mut pace, &store, start, Duration::from_secs(10));
    assert!(ran.highest <= 6 && (900..=1_001).contains(&ran.answered), "{} at most, {}", ran.highest, ran.answered);
}

/// Longer than any pause that the store does not ask for.
#[test]
fn an_answer_from_before_a_pause_that_is_over_makes_no_long_one() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut pace = Pace::new(PaceLimits { concurrency_max: 6, rate_max: None }, start);
    assert_eq!(pace.begin(start, 0), Permission::Go);
    assert_eq!(pace.begin(start, 1), Permission::Go);
    pace.throttled(at(10), start, None);
    assert_eq!(pace.begin(at(110), 1), Permission::Go);
    pace.answered(at(120), at(110), true);
    // All is well again when the other one of the first two gets its answer at last.
    assert_eq!(pace.throttled(at(5_000), start, None), None);
    let Permission::NotBefore(until) = pace.begin(at(5_000), 0) else { panic!("there is a pause") };
    assert!(until <= at(5_100), "{:?}", until - at(5_000));
}
