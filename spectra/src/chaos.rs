//! What goes wrong: decides for each call whether it is let through, how it fails if not, and how long it takes.
//!
//! Every decision is a function of seed, world, path, operation and attempt, except for limits, which depend on what
//! was asked when. Attempts are counted per world, path and operation from when the chaos was set, and only where a
//! rule needs them; so a counter stays in memory for each path such a rule applies to, until chaos is set anew.

mod attempts;
mod rate_limit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::config::{ChaosConfig, FaultRule};
use crate::fault::{Fault, FaultClass, Operation};
use crate::mixing::{Chance, between, mix, mix_bytes};
use crate::path::NodePath;
use attempts::Attempts;
use rate_limit::{Bucket, round_up};

const CHAOS: u64 = 0xC4A0_0000_0000_000C;
const JITTER: u64 = 0x717E_0000_0000_000D;
const LOSS: u64 = 0x1055_0000_0000_000E;

/// Longest waiting time that backing off alone leads to.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// One call, as far as chaos is concerned with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) world: &'a str,
    pub(crate) path: NodePath<'a>,
    /// Whether it moves bytes, which bandwidth is charged for.
    pub(crate) moves_bytes: bool,
    /// Time since any fixed moment.
    pub(crate) now: Duration,
}

/// The chaos in force, which can be exchanged.
#[derive(Debug)]
pub(crate) struct Chaos {
    seed: u64,
    /// Whether there is anything to look at; without, a call costs one atomic load.
    active: AtomicBool,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    config: ChaosConfig,
    rules: Vec<Rule>,
    loss: Chance,
    global: Option<Bucket>,
    operations: [Option<Bucket>; Operation::ALL.len()],
    bandwidth: Option<Bucket>,
    attempts: Attempts,
    refusals: Attempts,
}

/// A rule, ready to be applied.
#[derive(Debug)]
struct Rule {
    config: FaultRule,
    chance: Chance,
    salt: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Anywhere,
    Exactly(Vec<u8>),
    Within(Vec<u8>),
}

impl Chaos {
    pub(crate) fn new(seed: u64, config: ChaosConfig) -> Self {
        let chaos = Self {
            seed: mix(seed, CHAOS),
            active: AtomicBool::new(false),
            state: RwLock::new(State::new(ChaosConfig::default())),
        };
        chaos.set(config);
        chaos
    }

    /// Puts another chaos in force, with full buckets and no attempts counted.
    pub(crate) fn set(&self, config: ChaosConfig) {
        let active = config.enabled && config != ChaosConfig::default();
        let mut state = self.state.write();
        *state = State::new(config);
        self.active.store(active, Ordering::Release);
    }

    /// Whether anything can go wrong or take time at all.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// The latency of a call, and its fault if it is not let through.
    pub(crate) fn admit(&self, call: Call<'_>) -> (Duration, Result<(), Fault>) {
        if !self.is_active() {
            return (Duration::ZERO, Ok(()));
        }
        let state = self.state.read();
        let path_key = mix_bytes(mix_bytes(self.seed, call.world.as_bytes()), call.path.as_prefix());
        let key = mix(path_key, call.operation as u64);
        let latency = state.latency(call.operation, key);
        let admitted = state.limit(call, key).and_then(|()| state.fault(call, key));
        (latency, admitted)
    }

    /// Charges bytes that were moved. Never refuses: the next call waits.
    pub(crate) fn charge_bytes(&self, bytes: u64, now: Duration) {
        if self.is_active()
            && let Some(bandwidth) = &self.state.read().bandwidth
        {
            bandwidth.charge(bytes, now);
        }
    }
}

impl State {
    fn new(config: ChaosConfig) -> Self {
        let limits = &config.rate_limits;
        Self {
            rules: config.faults.iter().enumerate().map(|(index, rule)| Rule::new(index, rule.clone())).collect(),
            loss: Chance::new(config.packet_loss.probability),
            global: limits.global.map(Bucket::for_calls),
            operations: limits.operations.in_order().map(|rate| rate.map(Bucket::for_calls)),
            bandwidth: limits.bandwidth.map(Bucket::for_bytes),
            attempts: Attempts::default(),
            refusals: Attempts::default(),
            config,
        }
    }

    fn latency(&self, operation: Operation, key: u64) -> Duration {
        let latency = &self.config.latency;
        let fixed_ms = match operation {
            Operation::ListChildren => latency.list_children_ms,
            Operation::CreateFolder => latency.create_folder_ms,
            Operation::UploadFile => latency.upload_file_ms,
            Operation::GetFileData => latency.get_file_data_ms,
            Operation::GetNode => latency.get_node_ms,
            Operation::RenameNode | Operation::RemoveNode | Operation::SetModified => 0,
        };
        let jittered = operation == Operation::ListChildren || fixed_ms > 0;
        let jitter_us = if jittered { between(mix(key, JITTER), 0, latency.jitter_ms.saturating_mul(1000)) } else { 0 };
        Duration::from_millis(fixed_ms) + Duration::from_micros(jitter_us)
    }

    /// Takes a call from the limits, all of them or none.
    fn limit(&self, call: Call<'_>, key: u64) -> Result<(), Fault> {
        let mut taken: [Option<&Bucket>; 2] = [None, None];
        let buckets = [self.global.as_ref(), self.operations[call.operation as usize].as_ref()];
        let mut wait = Duration::ZERO;
        if call.moves_bytes
            && let Some(bandwidth) = &self.bandwidth
        {
            wait = bandwidth.wait_until_positive(call.now);
        }
        if wait.is_zero() {
            for (bucket, slot) in buckets.into_iter().zip(&mut taken) {
                let Some(bucket) = bucket else { continue };
                match bucket.take(call.now) {
                    Ok(()) => *slot = Some(bucket),
                    Err(until_possible) => {
                        wait = until_possible;
                        break;
                    }
                }
            }
        }
        if wait.is_zero() {
            self.refusals.forget(key);
            return Ok(());
        }
        for bucket in taken.into_iter().flatten() {
            bucket.give_back();
        }
        let mut fault = fault_of(FaultClass::Throttled, call, "too much was asked for at once");
        fault.retry_after = Some(self.retry_after(wait, self.refusals.count(key)));
        Err(fault)
    }

    fn retry_after(&self, until_possible: Duration, earlier_refusals: u32) -> Duration {
        let backoff = &self.config.backoff;
        let mut wait = Duration::from_millis(backoff.base_retry_after_ms);
        for _ in 0..earlier_refusals {
            if wait.is_zero() || wait >= BACKOFF_MAX {
                break;
            }
            wait = wait.mul_f64(backoff.exponential_factor).min(BACKOFF_MAX);
        }
        round_up(until_possible.max(wait), Duration::from_millis(self.config.rate_limits.poll_interval_ms))
    }

    fn fault(&self, call: Call<'_>, key: u64) -> Result<(), Fault> {
        let applying = self.rules.iter().filter(|rule| rule.applies_to(call));
        let mut applying = applying.peekable();
        let loses = self.loss != Chance::Never;
        if applying.peek().is_none() && !loses {
            return Ok(());
        }
        let attempt = self.attempts.count(key);
        if let Some(rule) = applying.find(|rule| rule.strikes(key, attempt)) {
            let mut fault = fault_of(rule.config.error, call, "injected fault");
            fault.retry_after = rule.config.retry_after_ms.map(Duration::from_millis);
            return Err(fault);
        }
        if loses && self.loss.happens(mix(mix(key, LOSS), u64::from(attempt))) {
            let mut fault = fault_of(FaultClass::Transient, call, "the answer got lost");
            let wait_ms = self.config.packet_loss.retry_after_ms;
            fault.retry_after = (wait_ms > 0).then(|| Duration::from_millis(wait_ms));
            return Err(fault);
        }
        Ok(())
    }
}

impl Rule {
    fn new(index: usize, rule: FaultRule) -> Self {
        let place = match rule.path.as_deref() {
            None => Place::Anywhere,
            Some(path) => match path.strip_suffix("/**") {
                Some(folder) => Place::Within(folder.as_bytes().to_vec()),
                None => Place::Exactly(path.strip_suffix('/').unwrap_or(path).as_bytes().to_vec()),
            },
        };
        Self { chance: Chance::new(rule.probability), salt: mix(CHAOS, index as u64), place, config: rule }
    }

    fn applies_to(&self, call: Call<'_>) -> bool {
        let path = call.path.as_prefix();
        self.config.operation.matches(call.operation)
            && self.config.world.as_ref().is_none_or(|world| world == call.world)
            && match &self.place {
                Place::Anywhere => true,
                Place::Exactly(exactly) => path == exactly,
                Place::Within(folder) => path
                    .strip_prefix(folder.as_slice())
                    .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/')),
            }
    }

    /// Whether the attempt, counted from 0, fails.
    fn strikes(&self, key: u64, attempt: u32) -> bool {
        let drawn_once = self.config.first_attempts.is_some()
            || matches!(self.config.error, FaultClass::Denied | FaultClass::Vanished | FaultClass::BadName);
        let path_draw = mix(key, self.salt);
        let draw = if drawn_once { path_draw } else { mix(path_draw, u64::from(attempt)) };
        self.config.first_attempts.is_none_or(|attempts| attempt < attempts) && self.chance.happens(draw)
    }
}

fn fault_of(class: FaultClass, call: Call<'_>, what: &str) -> Fault {
    let (operation, world) = (call.operation.name(), call.world);
    Fault::new(class, format!("{operation} of `{}` in world {world}: {what}", call.path.display()))
}
