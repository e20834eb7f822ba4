//! Signals that end the program before its time.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;

use super::random::Random;
use crate::interrupt::Interrupt;

/// How often it is looked whether the program has ended by itself.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The longest time between two signals of one kill.
const SECOND_AFTER_MAX: Duration = Duration::from_millis(60);

/// How the program is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Means {
    Kill,
    Interrupt,
    Terminate,
    InterruptTwice,
}

impl Means {
    pub(super) const ALL: [Self; 4] = [Self::Kill, Self::Interrupt, Self::Terminate, Self::InterruptTwice];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::InterruptTwice => "SIGINT twice",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Interrupt | Self::InterruptTwice => Signal::INT,
            Self::Terminate => Signal::TERM,
        }
    }

    /// Whether a program that was hit may end like this: by the signal itself, or as one that has noticed it.
    pub(super) fn may_lead_to(self, status: ExitStatus) -> bool {
        match (status.code(), status.signal()) {
            (None, signal) => signal == Some(self.signal().as_raw()),
            (Some(130), _) => matches!(self, Self::Interrupt | Self::InterruptTwice),
            (Some(143), _) => self == Self::Terminate,
            (Some(_), _) => false,
        }
    }

    /// Whether a program that is hit once, and has the time, is to stop.
    pub(super) fn is_a_request(self) -> bool {
        matches!(self, Self::Interrupt | Self::Terminate)
    }

    /// Whether a program that ended like this has had the time to come to a safe point.
    pub(super) fn must_be_suspended(self, status: ExitStatus) -> bool {
        self != Self::InterruptTwice && matches!(status.code(), Some(130 | 143))
    }
}

/// A kill: by what, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    pub(super) means: Means,
    after: Duration,
    second_after: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) pid: u32,
    pub(super) status: ExitStatus,
    /// Signals that were sent while the program was there.
    pub(super) signals: u32,
    /// When the first of them was.
    pub(super) at: SystemTime,
}

impl Kill {
    /// A kill at any moment of a run that takes so long.
    pub(super) fn draw(random: &mut Random, run: Duration) -> Self {
        Self {
            means: *random.pick(&Means::ALL),
            after: run.mul_f64(random.fraction()),
            // Rather soon than late: stopping does not take long.
            second_after: SECOND_AFTER_MAX.mul_f64(random.fraction().powi(2)),
        }
    }

    /// A SIGKILL at any moment of a run that takes so long. Every second one comes in its last half, where checkpoints are,
    /// or somewhat later: a ledger that was killed takes longer to open.
    pub(super) fn draw_sigkill(random: &mut Random, run: Duration) -> Self {
        let (earliest, latest) = *random.pick(&[(0.0, 1.0), (0.5, 1.5)]);
        let after = run.mul_f64(earliest + (latest - earliest) * random.fraction());
        Self { means: Means::Kill, after, second_after: Duration::ZERO }
    }

    /// Lets the program run until the moment has come, and sends it the signal.
    pub(super) fn deliver(self, child: &mut Child, limit: Duration, interrupt: &Interrupt) -> Result<Killed> {
        let pid = child.id();
        if let Some(status) = wait_for(child, self.after, interrupt)? {
            return Ok(Killed { pid, status, signals: 0, at: SystemTime::now() });
        }
        let at = SystemTime::now();
        send(child, self.means.signal())?;
        let mut signals = 1;
        if self.means == Means::InterruptTwice {
            if let Some(status) = wait_for(child, self.second_after, interrupt)? {
                return Ok(Killed { pid, status, signals, at });
            }
            send(child, self.means.signal())?;
            signals += 1;
        }
        Ok(Killed { pid, status: wait_until_it_ends(child, limit, interrupt)?, signals, at })
    }
}

/// Sends a signal to a program that leads a process group of its own.
fn send(child: &Child, signal: Signal) -> Result<()> {
    // It has not been waited for, so the number is still its own.
    let pid = Pid::from_child(child);
    if signal == Signal::INT {
        // As Ctrl-C does: whatever the program has started itself is hit, too.
        return Ok(kill_process_group(pid, signal)?);
    }
    Ok(kill_process(pid, signal)?)
}

/// Waits for a time, or until the program has ended if that comes first.
fn wait_for(child: &mut Child, time: Duration, interrupt: &Interrupt) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if let Err(interrupted) = interrupt.check() {
            end(child)?;
            return Err(interrupted);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(left.min(LOOK_INTERVAL));
    }
}

/// Waits for the end of a program; one that takes too long is killed, and has failed.
pub(super) fn wait_until_it_ends(child: &mut Child, limit: Duration, interrupt: &Interrupt) -> Result<ExitStatus> {
    if let Some(status) = wait_for(child, limit, interrupt)? {
        return Ok(status);
    }
    end(child)?;
    bail!("did not end within {} s", limit.as_secs())
}

fn end(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    fn kill(means: Means, after_ms: u64) -> Kill {
        Kill { means, after: Duration::from_millis(after_ms), second_after: Duration::from_millis(1) }
    }

    fn deliver(kill: Kill, script: &str) -> Killed {
        let mut child = Command::new("sh").args(["-c", script]).process_group(0).spawn().unwrap();
        kill.deliver(&mut child, Duration::from_mins(1), &Interrupt::default()).unwrap()
    }

    #[test]
    fn who_runs_is_hit_and_who_has_ended_is_not() {
        for means in Means::ALL {
            // On a busy machine it takes a while until it is not this program any more, which may take the signal for itself.
            let killed = deliver(kill(means, 500), "exec sleep 600");
            assert!(means.may_lead_to(killed.status), "{means:?}: {}", killed.status);
            assert!(killed.signals >= 1 && !means.must_be_suspended(killed.status));
            let killed = deliver(kill(means, 60_000), "exit 3");
            assert_eq!((killed.signals, killed.status.code()), (0, Some(3)));
        }
    }

    #[test]
    fn who_does_not_end_is_killed() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let waited = wait_until_it_ends(&mut child, Duration::from_millis(10), &Interrupt::default());
        assert_eq!(waited.unwrap_err().to_string(), "did not end within 0 s");
    }
}
