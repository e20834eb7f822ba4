//! Asking a run how far it has come, over the socket beside its ledger.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::interrupt::Interrupt;

/// How long an answer may take, and how long is waited for the one that must come.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// How far copying has come, by the run's own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) nodes: u64,
    pub(super) nodes_in_all: u64,
    pub(super) bytes: u64,
    pub(super) bytes_in_all: u64,
}

/// Asks until the answer is that it has come so far. Whoever asks sees to it that it will.
pub(super) fn wait_for(ledger: &Path, interrupt: &Interrupt, is_there: impl Fn(&Progress) -> bool) -> Result<Progress> {
    let deadline = Instant::now() + ANSWER_MAX;
    let mut last = None;
    loop {
        interrupt.check()?;
        // It answers a moment after it has begun, and says nothing of copying before it has looked at itself once.
        last = ask(ledger).ok().flatten().or(last);
        match last {
            Some(progress) if is_there(&progress) => return Ok(progress),
            _ => ensure!(Instant::now() < deadline, "the status does not come as far as the log: {last:?}"),
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// `None` while it has nothing to say of copying.
fn ask(ledger: &Path) -> Result<Option<Progress>> {
    // A socket's path has room for 107 bytes only: it is gone to by way of its open folder where there is such a way.
    let (parent, name) = (ledger.parent().context("a folder")?, ledger.file_name().context("a name")?);
    let socket = format!("{}.sock", name.to_string_lossy());
    let folder = std::fs::File::open(parent)?;
    let by_folder = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    let parent = if by_folder.exists() { by_folder.as_path() } else { parent };
    let mut stream = UnixStream::connect(parent.join(socket))?;
    stream.write_all(b"\"Status\"")?;
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    let copy = &answer["progress"]["copy"];
    let number = |what: &str| copy[what].as_u64();
    let (Some(nodes), Some(nodes_in_all)) = (number("nodes"), number("nodes_in_all")) else { return Ok(None) };
    let (bytes, bytes_in_all) = (number("bytes").context("no bytes")?, number("bytes_in_all").context("no bytes")?);
    Ok(Some(Progress { nodes, nodes_in_all, bytes, bytes_in_all }))
}
