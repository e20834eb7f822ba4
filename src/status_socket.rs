//! What another process asks of a run, over a local socket beside the ledger: how far it has come, and a backup.
//!
//! While a run has the ledger open nobody else can open it, not even for reading, so `status` asks the run. The socket
//! is the owner's only. Whoever holds the ledger is the only one who may have a socket there: one that a dead process
//! left is replaced.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use longhaul_actors::{Backups, Progress, ProgressReader};
use longhaul_ledger::{Existing, LedgerError, folder_of};
use longhaul_model::human;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a run says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Live {
    /// Its process.
    pub(crate) pid: u32,
    /// When it began, in nanoseconds since 1970.
    pub(crate) started_ns: i64,
    /// How far it has come.
    pub(crate) progress: Progress,
}

impl Live {
    /// For how long it has been running.
    pub(crate) fn running_for(&self) -> String {
        human::duration(Duration::try_from_secs_f64(self.progress.elapsed_s).unwrap_or_default())
    }
}

/// What a run can be asked.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// How far it has come: answered with [`Live`].
    Status,
    /// A backup of its ledger: answered with the bytes of it, or with what has gone wrong, when it is complete.
    BackUp {
        /// The file of it, from the root.
        to: PathBuf,
        /// Whether it may be there already.
        existing: Existing,
    },
}

/// Answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Answering {
    socket: PathBuf,
}

/// How long an answer may take. A process that is stopped accepts connections, and says nothing.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Bytes of a request; no path is longer.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Bytes of an answer: a few hundred for each worker.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 << 10;

/// Begins to answer for a run that has the ledger open.
pub(crate) fn answer(ledger: &Path, progress: ProgressReader, backups: Backups) -> io::Result<Answering> {
    let socket = socket_of(ledger);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = in_its_folder(&socket, UnixListener::bind)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
    let started_ns = longhaul_ledger::system_now_ns();
    std::thread::Builder::new().name("status".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // The other process may have gone, or say nothing that can be understood.
            let Ok(request) = read_request(&stream) else { continue };
            match request {
                Request::Status => {
                    let _ = tell(&stream, &Live { pid: std::process::id(), started_ns, progress: progress.read() });
                }
                Request::BackUp { to, existing } => {
                    let backups = backups.clone();
                    // Others are answered meanwhile. Without a thread there is no answer.
                    let _ = std::thread::Builder::new().name("backup".to_owned()).spawn(move || {
                        let _ = tell(&stream, &backups.make(to, existing));
                    });
                }
            }
        }
    })?;
    Ok(Answering { socket })
}

fn read_request(stream: &UnixStream) -> io::Result<Request> {
    Ok(serde_json::from_slice(&read_all(stream, Some(ANSWER_MAX), REQUEST_BYTES_MAX)?)?)
}

/// Reads to the end, for so long in all and so many bytes at most: who is at the other end may be anybody.
fn read_all(mut stream: &UnixStream, within: Option<Duration>, bytes_max: usize) -> io::Result<Vec<u8>> {
    let begun = Instant::now();
    let (mut all, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        if let Some(within) = within {
            let remaining = within.saturating_sub(begun.elapsed());
            // None at all would be taken for no limit.
            stream.set_read_timeout(Some(remaining.max(Duration::from_millis(1))))?;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(bytes) => all.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if all.len() > bytes_max || within.is_some_and(|within| begun.elapsed() > within) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn tell(mut stream: &UnixStream, answer: &impl Serialize) -> io::Result<()> {
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    stream.write_all(&serde_json::to_vec(answer)?)
}

impl Drop for Answering {
    fn drop(&mut self) {
        // The thread ends with the process.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Asks the run that has the ledger open. `None` where nobody answers.
pub(crate) fn ask(ledger: &Path) -> Option<Live> {
    request(ledger, &Request::Status, Some(ANSWER_MAX))
}

/// Asks the run that has the ledger open for a backup, and waits until it is complete. `None` where no run answers.
pub(crate) fn ask_for_backup(ledger: &Path, to: PathBuf, existing: Existing) -> Option<Result<u64, LedgerError>> {
    request(ledger, &Request::BackUp { to, existing }, None)
}

fn request<T: DeserializeOwned>(ledger: &Path, request: &Request, within: Option<Duration>) -> Option<T> {
    let stream = in_its_folder(&socket_of(ledger), UnixStream::connect).ok()?;
    tell(&stream, request).ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    serde_json::from_slice(&read_all(&stream, within, ANSWER_BYTES_MAX).ok()?).ok()
}

fn socket_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".sock");
    PathBuf::from(name)
}

/// A socket's path has room for 107 bytes only: a longer one is gone to by way of its open folder.
fn in_its_folder<T>(socket: &Path, action: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    if socket.as_os_str().len() < 100 {
        return action(socket.to_owned());
    }
    let folder = std::fs::File::open(folder_of(socket))?;
    let name = socket.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    action(PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&folder))).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes one byte after each pause until the reader closes the socket.
    fn dripping(pause: Duration) -> UnixStream {
        let (mut from, to) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            while from.write_all(b"x").is_ok() {
                std::thread::sleep(pause);
            }
        });
        to
    }

    #[test]
    fn who_drips_or_floods_is_not_read_for_ever() {
        let within = Some(Duration::from_millis(50));
        assert!(read_all(&dripping(Duration::from_millis(1)), within, usize::MAX).is_err());
        assert!(read_all(&dripping(Duration::ZERO), None, 1_000).is_err());
    }

    #[test]
    fn what_is_said_in_time_is_read_to_its_end() {
        let (mut from, to) = UnixStream::pair().unwrap();
        from.write_all(b"all of it").unwrap();
        drop(from);
        assert_eq!(read_all(&to, Some(ANSWER_MAX), 9).unwrap(), b"all of it");
    }
}
