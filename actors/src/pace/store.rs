//! A store whose calls are made at its pace. Nobody else has to know.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use longhaul_model::{CallClass, ErrorClass, Side};
use longhaul_storage::{
    Answer, Attributes, Capabilities, Draft, Durability, Facts, Folder, Original, PageStream, Placed, RemoteFile,
    Store, StoreError, Target,
};
use tokio_util::sync::CancellationToken;

use super::{Limiter, PaceChange, PaceLimits};

/// Who is told of each change, with the side and the kind of calls that it is about.
pub(crate) type OnAnyChange = Arc<dyn Fn(Side, CallClass, &PaceChange) + Send + Sync>;

/// A store at its pace.
#[derive(Debug)]
pub(crate) struct PacedStore {
    inner: Arc<dyn Store>,
    limiters: [Limiter; CallClass::ALL.len()],
}

/// Makes a call when its turn comes, and again as long as the store asks for patience.
macro_rules! paced {
    ($store:expr, $class:ident, $call:expr) => {
        loop {
            let turn = match $store.limiters[CallClass::$class as usize].turn().await {
                Ok(turn) => turn,
                Err(stopped) => break Err(stopped),
            };
            let result = $call.await;
            if !turn.ends_with(&result) {
                break result;
            }
        }
    };
}

impl PacedStore {
    /// `on_change` is told of each change of pace. Nobody waits any longer once `stop` is set.
    pub(crate) fn new(
        inner: Arc<dyn Store>,
        side: Side,
        limits: PaceLimits,
        stop: &CancellationToken,
        patience: Option<Duration>,
        on_change: &OnAnyChange,
    ) -> Self {
        let limiters = CallClass::ALL.map(|class| {
            let on_change = on_change.clone();
            Limiter::new(limits, stop.clone(), patience, Box::new(move |change| on_change(side, class, change)))
        });
        PacedStore { inner, limiters }
    }
}

impl Store for PacedStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    /// The first page of a listing waits for its turn. Those behind it are fewer by far, and whether there is one that
    /// has to be asked for only shows when it comes.
    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let pages = self.inner.clone().list(path);
        stream::unfold((self, path.to_owned(), pages, false), |(store, path, mut pages, any_page)| async move {
            loop {
                if any_page {
                    let page = pages.next().await?;
                    if let Err(StoreError { class: ErrorClass::Throttled, retry_after, .. }) = &page {
                        store.limiters[CallClass::List as usize].throttled(*retry_after);
                    }
                    return Some((page, (store, path, pages, true)));
                }
                let turn = match store.limiters[CallClass::List as usize].turn().await {
                    Ok(turn) => turn,
                    Err(stopped) => return Some((Err(stopped), (store.clone(), path, pages, false))),
                };
                let page = pages.next().await;
                let is_again = match &page {
                    Some(page) => turn.ends_with(page),
                    None => turn.ends_with(&Ok(())),
                };
                if is_again {
                    pages = store.inner.clone().list(&path);
                    continue;
                }
                let any_page = matches!(page, Some(Ok(_)));
                return page.map(|page| (page, (store.clone(), path, pages, any_page)));
            }
        })
        .boxed()
    }

    fn measure<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move { paced!(self, Meta, self.inner.measure(temporary)) })
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        let path = path.to_owned();
        Box::pin(async move {
            let folder = if self.capabilities().begins_unasked {
                self.inner.clone().folder(&path).await?
            } else {
                paced!(self, Meta, self.inner.clone().folder(&path))?
            };
            Ok(Box::new(PacedFolder { store: self, inner: folder }) as _)
        })
    }

    fn answers(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(async move { paced!(self, Meta, self.inner.clone().answers()) })
    }

    fn flush(&self) -> Answer<'_, ()> {
        self.inner.flush()
    }

    fn free_bytes(&self) -> Answer<'_, Option<u64>> {
        self.inner.free_bytes()
    }
}

#[derive(Debug)]
struct PacedFolder {
    store: Arc<PacedStore>,
    inner: Box<dyn Folder>,
}

impl PacedFolder {
    fn draft(&self, inner: Box<dyn Draft>) -> Box<dyn Draft> {
        Box::new(PacedDraft { store: self.store.clone(), inner })
    }
}

impl Folder for PacedFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.facts()) })
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.look(name)) })
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        Box::pin(async move {
            let inner = paced!(self.store, Read, self.inner.open(name))?;
            Ok(Box::new(PacedOriginal { store: self.store.clone(), inner }) as _)
        })
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.read_link(name)) })
    }

    fn extended_attributes<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.extended_attributes(name)) })
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.create_folder(name, durability)) })
    }

    fn create_empty_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.create_empty_folder(name, durability)) })
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move {
            let draft = if self.store.capabilities().begins_unasked {
                // Not in a turn: it may wait for memory, which only others give back, in their turns.
                self.inner.create(target).await
            } else {
                paced!(self.store, Write, self.inner.create(target))
            };
            draft.map(|draft| self.draft(draft))
        })
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { paced!(self.store, Write, self.inner.open_draft(target)).map(|draft| self.draft(draft)) })
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(
            async move { paced!(self.store, Write, self.inner.reopen_draft(target)).map(|draft| self.draft(draft)) },
        )
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(
            async move { paced!(self.store, Write, self.inner.create_link(target, points_to, attributes, durability)) },
        )
    }

    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, durability: Durability) -> Answer<'a, Placed> {
        Box::pin(async move { paced!(self.store, Write, self.inner.hard_link(existing, target, durability)) })
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.set_attributes(attributes, durability)) })
    }

    fn exchange<'a>(&'a self, one: &'a [u8], other: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.exchange(one, other)) })
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.remove_draft(temporary)) })
    }
}

#[derive(Debug)]
struct PacedOriginal {
    store: Arc<PacedStore>,
    inner: Box<dyn Original>,
}

impl Original for PacedOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.inner.facts_at_opening()
    }

    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move {
            if self.inner.is_one_version() {
                return self.inner.facts().await;
            }
            paced!(self.store, Meta, self.inner.facts())
        })
    }

    fn confirm_size(&self) -> Answer<'_, ()> {
        Box::pin(async move { paced!(self.store, Meta, self.inner.confirm_size()) })
    }

    fn is_one_version(&self) -> bool {
        self.inner.is_one_version()
    }

    fn asks_to_read(&self) -> bool {
        self.inner.asks_to_read()
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(async move {
            if !self.inner.asks_to_read() {
                return self.inner.read_at(offset, buffer).await;
            }
            paced!(self.store, Read, self.inner.read_at(offset, buffer))
        })
    }

    fn data_within(&self, range: Range<u64>) -> Answer<'_, Vec<Range<u64>>> {
        self.inner.data_within(range)
    }

    #[cfg(unix)]
    fn as_local(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.inner.as_local()
    }

    fn as_remote(&self) -> Option<RemoteFile> {
        self.inner.as_remote()
    }
}

#[derive(Debug)]
struct PacedDraft {
    store: Arc<PacedStore>,
    inner: Box<dyn Draft>,
}

impl Draft for PacedDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move {
            if !self.inner.asks_to_take(bytes.len()) {
                return self.inner.write_at(offset, bytes).await;
            }
            once(&self.store, self.inner.write_at(offset, bytes)).await
        })
    }

    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: Range<u64>) -> Answer<'a, bool> {
        Box::pin(async move { once(&self.store, self.inner.copy_range(original, range)).await })
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(async move { paced!(self.store, Read, self.inner.read_at(offset, buffer)) })
    }

    fn try_time(&mut self, modified_ns: i64) -> Answer<'_, Option<i64>> {
        self.inner.try_time(modified_ns)
    }

    fn finish<'a>(
        self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move {
            let PacedDraft { store, inner } = *self;
            once(&store, inner.finish(target, size, attributes, durability)).await
        })
    }
}

/// Makes a part of a write when its turn comes. It cannot be made again by itself, for nobody knows what of it has arrived:
/// the file is begun again as a whole.
async fn once<T>(store: &PacedStore, call: Answer<'_, T>) -> Result<T, StoreError> {
    let turn = store.limiters[CallClass::Write as usize].turn().await?;
    let result = call.await;
    turn.ends_with(&result);
    // How long is left to the pace: whoever tries again waits for a turn.
    result.map_err(|error| {
        let retry_after = if error.class == ErrorClass::Throttled { Some(std::time::Duration::ZERO) } else { None };
        StoreError { retry_after, ..error }
    })
}
