//! A store of this machine that fails, dies, or is tampered with at a call of the test's choice.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use longhaul_model::{ErrorClass, Side};
use longhaul_storage::{
    Answer, Attributes, Capabilities, Draft, Durability, Facts, Folder, Keeps, LocalStore, Original, PageStream,
    Placed, Store, StoreError, Target,
};
use parking_lot::Mutex;

/// One call to one of the two stores.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) side: Side,
    /// The method.
    pub(super) what: &'static str,
    /// The entry that it is about, or the path of a folder.
    pub(super) name: Vec<u8>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {:?} on the {}", self.what, String::from_utf8_lossy(&self.name), self.side)
    }
}

impl Call {
    pub(super) fn is(&self, side: Side, what: &str) -> bool {
        self.side == side && self.what == what
    }
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is made.
    Go,
    /// It is not made, and fails.
    Fail(StoreError),
    /// The process is killed before it is made: nothing after it is.
    KilledBefore,
    /// The process is killed when it has been made.
    KilledAfter,
}

pub(super) type Judge = Box<dyn FnMut(usize, &Call) -> Verdict + Send>;

/// What becomes of the calls to both stores.
pub(super) struct Script {
    judge: Mutex<Judge>,
    calls: Mutex<Vec<Call>>,
    is_killed: AtomicBool,
    /// Whether everybody else comes first at each call.
    yields: bool,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Script {
    /// The judge is asked about each call, with its number.
    pub(super) fn new(judge: Judge, yields: bool) -> Arc<Self> {
        let (judge, calls) = (Mutex::new(judge), Mutex::default());
        Arc::new(Script { judge, calls, is_killed: AtomicBool::new(false), yields })
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Relaxed)
    }

    async fn call<T>(
        &self,
        side: Side,
        what: &'static str,
        name: &[u8],
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.yields {
            tokio::task::yield_now().await;
        }
        if self.is_killed() {
            return killed();
        }
        let call = Call { side, what, name: name.to_vec() };
        let number = {
            let mut calls = self.calls.lock();
            calls.push(call.clone());
            calls.len() - 1
        };
        let verdict = (self.judge.lock())(number, &call);
        match verdict {
            Verdict::Go => answer.await,
            Verdict::Fail(error) => Err(error),
            Verdict::KilledBefore => {
                self.is_killed.store(true, Relaxed);
                killed()
            }
            Verdict::KilledAfter => {
                let answer = answer.await;
                // First of all: nobody cleans up any more.
                self.is_killed.store(true, Relaxed);
                drop(answer);
                killed()
            }
        }
    }
}

fn killed<T>() -> Result<T, StoreError> {
    Err(StoreError::new(ErrorClass::Fatal, "killed"))
}

/// A folder of this machine, behind a script.
#[derive(Debug)]
pub(super) struct ScriptedStore {
    side: Side,
    script: Arc<Script>,
    inner: Arc<LocalStore>,
}

impl ScriptedStore {
    pub(super) fn new(side: Side, script: Arc<Script>, inner: LocalStore) -> Arc<Self> {
        Arc::new(ScriptedStore { side, script, inner: Arc::new(inner) })
    }
}

impl Store for ScriptedStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        self.inner.clone().list(path)
    }

    fn keeps(&self) -> Keeps {
        self.inner.keeps()
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        Box::pin(async move {
            let open = async {
                let inner = self.inner.clone().folder(path).await?;
                let path = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path));
                let path = Path::new(&self.location()).join(path);
                Ok(Box::new(ScriptedFolder { side: self.side, script: self.script.clone(), path, inner }) as _)
            };
            self.script.call(self.side, "folder", path, open).await
        })
    }
}

#[derive(Debug)]
struct ScriptedFolder {
    side: Side,
    script: Arc<Script>,
    path: PathBuf,
    inner: Box<dyn Folder>,
}

impl ScriptedFolder {
    fn draft(&self, inner: Box<dyn Draft>, target: Target<'_>) -> Box<dyn Draft> {
        let (script, name) = (self.script.clone(), target.name.to_vec());
        let path = self.path.join(OsStr::from_bytes(target.temporary));
        Box::new(ScriptedDraft { side: self.side, script, name, path, inner: Some(inner) })
    }
}

/// A call that is passed on to the folder behind.
macro_rules! pass_on {
    ($self:ident, $what:literal, $name:expr, $inner:expr) => {
        Box::pin(async move { $self.script.call($self.side, $what, $name, async { $inner.await }).await })
    };
}

impl Folder for ScriptedFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        pass_on!(self, "folder facts", b"", self.inner.facts())
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        pass_on!(self, "look", name, self.inner.look(name))
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        Box::pin(async move {
            let open = async {
                let inner = self.inner.open(name).await?;
                let (script, name) = (self.script.clone(), name.to_vec());
                Ok(Box::new(ScriptedOriginal { side: self.side, script, name, inner }) as _)
            };
            self.script.call(self.side, "open", name, open).await
        })
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        pass_on!(self, "read_link", name, self.inner.read_link(name))
    }

    fn extended_attributes<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        pass_on!(self, "extended_attributes", name, self.inner.extended_attributes(name))
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        pass_on!(self, "create_folder", name, self.inner.create_folder(name, durability))
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let create = async move { Ok(self.draft(self.inner.create(target).await?, target)) };
        pass_on!(self, "create", target.name, create)
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let open = async move { Ok(self.draft(self.inner.open_draft(target).await?, target)) };
        pass_on!(self, "open_draft", target.name, open)
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let open = async move { Ok(self.draft(self.inner.reopen_draft(target).await?, target)) };
        pass_on!(self, "reopen_draft", target.name, open)
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        // Made within the call: this store answers at once.
        pass_on!(self, "create_link", target.name, self.inner.create_link(target, points_to, attributes, durability))
    }

    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, durability: Durability) -> Answer<'a, Placed> {
        pass_on!(self, "hard_link", target.name, self.inner.hard_link(existing, target, durability))
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()> {
        pass_on!(self, "set_attributes", b"", self.inner.set_attributes(attributes, durability))
    }

    fn exchange<'a>(&'a self, one: &'a [u8], other: &'a [u8]) -> Answer<'a, bool> {
        pass_on!(self, "exchange", other, self.inner.exchange(one, other))
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        pass_on!(self, "remove_draft", temporary, self.inner.remove_draft(temporary))
    }
}

#[derive(Debug)]
struct ScriptedOriginal {
    side: Side,
    script: Arc<Script>,
    name: Vec<u8>,
    inner: Box<dyn Original>,
}

impl Original for ScriptedOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.inner.facts_at_opening()
    }

    fn facts(&self) -> Answer<'_, Facts> {
        pass_on!(self, "facts", &self.name, self.inner.facts())
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        pass_on!(self, "read_at", &self.name, self.inner.read_at(offset, buffer))
    }

    fn data_within(&self, range: Range<u64>) -> Answer<'_, Vec<Range<u64>>> {
        pass_on!(self, "data_within", &self.name, self.inner.data_within(range))
    }

    fn as_local(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_local()
    }
}

#[derive(Debug)]
struct ScriptedDraft {
    side: Side,
    script: Arc<Script>,
    name: Vec<u8>,
    /// Of the temporary file.
    path: PathBuf,
    /// `None` when it is finished.
    inner: Option<Box<dyn Draft>>,
}

impl Drop for ScriptedDraft {
    fn drop(&mut self) {
        if !self.script.is_killed() {
            return;
        }
        // Whoever is killed does not tidy up, but closes its files.
        let kept = self.path.with_extension("kept");
        let is_kept = std::fs::hard_link(&self.path, &kept).is_ok();
        drop(self.inner.take());
        if is_kept {
            std::fs::rename(&kept, &self.path).unwrap();
            // Where both are names of the same file, that has done nothing.
            let _ = std::fs::remove_file(&kept);
        }
    }
}

const UNFINISHED: &str = "a draft is not used any more once it is finished";

impl Draft for ScriptedDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        let inner = self.inner.as_mut().expect(UNFINISHED);
        let (script, side, name) = (&self.script, self.side, &self.name);
        Box::pin(
            async move { script.call(side, "write_at", name, async { inner.write_at(offset, bytes).await }).await },
        )
    }

    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: Range<u64>) -> Answer<'a, bool> {
        let inner = self.inner.as_mut().expect(UNFINISHED);
        let (script, side, name) = (&self.script, self.side, &self.name);
        let copy = async move { inner.copy_range(original, range).await };
        Box::pin(async move { script.call(side, "copy_range", name, copy).await })
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        let inner = self.inner.as_mut().expect(UNFINISHED);
        let (script, side, name) = (&self.script, self.side, &self.name);
        let read = async move { inner.read_at(offset, buffer).await };
        Box::pin(async move { script.call(side, "read back", name, read).await })
    }

    fn finish<'a>(
        mut self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        let (script, on) = (self.script.clone(), self.side);
        let finish = async move {
            let inner = self.inner.take().expect(UNFINISHED);
            inner.finish(target, size, attributes, durability).await
        };
        Box::pin(async move { script.call(on, "finish", target.name, finish).await })
    }
}
