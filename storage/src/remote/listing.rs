//! Listing a folder, page by page.
//!
//! Where a store has keys instead of folders, what they have in common up to the next `/` is a folder. Not every key can
//! be a path: one that cannot is recorded as an entry that is not carried over, and says why.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use longhaul_model::{ErrorClass, NodeKind, Page, shown_path};
use opendal::raw::oio;
use opendal::raw::{OpList, OpStat};
use opendal::{EntryMode, Metadata};

use super::listed::Odd;
use super::original::has_contents;
use super::transport::Additions;
use super::{RemoteStore, folder_key, times};
use crate::error::StoreError;
use crate::network::on_network;
use crate::store::PageStream;

/// Entries of one page.
const PAGE_ENTRIES_MAX: usize = 4_096;

/// What stands in for a name that is empty, as in the key `a//b`.
const EMPTY_NAME: &[u8] = b"%2F";

/// What stands in for the contents of the object that marks a folder.
const MARKER_NAME: &[u8] = b"%2F (contents)";

/// The `ETag` of an object without contents: their MD5.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// A listing that is under way.
struct Listing {
    store: Arc<RemoteStore>,
    /// The key of the folder, which those of its entries begin with.
    folder: String,
    lister: Option<oio::Lister>,
    /// Came behind entries that were to be handed out first.
    failed: Option<StoreError>,
    /// Entries that the client was not told of, and why.
    odd: VecDeque<(String, String)>,
    /// Something in the listing has no name in this folder: what it is, and how often that happened. What has one is handed
    /// out first.
    nameless: Option<(String, u64)>,
    /// Whether anything has been found, the folder itself included.
    is_found: bool,
    is_over: bool,
    /// Names of the last entries, to see whether one comes twice.
    recent: HashSet<String>,
}

pub(super) fn list(store: Arc<RemoteStore>, path: &[u8]) -> PageStream {
    let folder = match folder_key(path) {
        Ok(folder) => folder,
        Err(error) => return stream::iter([Err(error)]).boxed(),
    };
    let listing = Listing {
        store,
        folder,
        lister: None,
        failed: None,
        odd: VecDeque::new(),
        nameless: None,
        is_found: false,
        is_over: false,
        recent: HashSet::new(),
    };
    stream::unfold(Ok(listing), |listing: Result<Listing, StoreError>| async move {
        let mut listing = match listing {
            Ok(listing) => listing,
            // It is lost, with where it was: whoever asks again must not take that for its end.
            Err(error) => return Some((Err(error.clone()), Err(error))),
        };
        if listing.is_over {
            let error = listing.error_at_end()?;
            return Some((Err(error.clone()), Err(error)));
        }
        if let Some(error) = listing.failed.take() {
            return Some((Err(error), Ok(listing)));
        }
        match on_network(async move { Ok::<_, StoreError>(listing.next_page().await) }).await {
            Ok((page, listing)) => Some((page, Ok(listing))),
            Err(error) => Some((Err(error.clone()), Err(error))),
        }
    })
    .boxed()
}

impl Listing {
    /// Whatever is asked again, such a folder is not listed as a whole.
    fn error_at_end(&self) -> Option<StoreError> {
        let (why, times) = self.nameless.as_ref()?;
        let more = if *times > 1 { format!(" (and {} more like it)", times - 1) } else { String::new() };
        Some(StoreError::new(ErrorClass::BadName, format!("{why}{more}")))
    }

    async fn next_page(mut self) -> (Result<Page, StoreError>, Self) {
        let mut page = Page::with_capacity(256);
        while page.len() < PAGE_ENTRIES_MAX {
            let next = self.next_entry().await;
            while let Some((name, why)) = self.odd.pop_front() {
                add_other(&mut page, name.trim_end_matches('/'), why);
            }
            match next {
                Ok(Some(entry)) => {
                    if self.may_have_contents(&entry) {
                        self.look_at_marker(&mut page).await;
                    }
                    match self.add(&mut page, entry) {
                        Ok(()) => {}
                        Err(error) if page.is_empty() => return (Err(error), self),
                        Err(error) => {
                            self.failed = Some(error);
                            break;
                        }
                    }
                }
                Ok(None) => {
                    self.is_over = true;
                    break;
                }
                Err(error) if page.is_empty() => return (Err(error), self),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        if self.is_over
            && !self.is_found
            // What it lists instead is said at the end.
            && self.nameless.is_none()
            && self.store.traits.lists_itself
            && let Err(error) = self.look_for_folder().await
        {
            self.is_over = false;
            self.lister = None;
            return (Err(error), self);
        }
        (Ok(page), self)
    }

    async fn next_entry(&mut self) -> Result<Option<oio::Entry>, StoreError> {
        let mut lister = if let Some(lister) = self.lister.take() {
            lister
        } else {
            let (service, context) = self.store.raw();
            let lister = service.list_dyn(context, &self.folder, OpList::default());
            lister.map_err(|error| super::failure::store_error(&error, None))?
        };
        let (entry, odd) = self.store.next_listed(&mut lister).await;
        for Odd { name, why } in odd {
            match name {
                Some(name) => self.odd.push_back((name, why)),
                None => self.nameless.get_or_insert((why, 0)).1 += 1,
            }
        }
        // It goes on where it was after an error as well.
        self.lister = Some(lister);
        entry
    }

    /// Some servers' clients take a folder that is not there for an empty one.
    async fn look_for_folder(&self) -> Result<(), StoreError> {
        if self.folder == "/" {
            return Err(StoreError::new(ErrorClass::Vanished, "the folder is not there"));
        }
        let (service, context) = self.store.raw();
        let call = service.stat_dyn(context, &self.folder, OpStat::default());
        self.store.call(Additions::default(), call).await.map(drop)
    }

    /// Whether an entry marks the folder itself, and is not known to be empty.
    fn may_have_contents(&self, entry: &oio::Entry) -> bool {
        let is_marker = !self.store.traits.has_folders && self.folder != "/" && entry.path() == self.folder;
        is_marker && entry.metadata().etag().is_some_and(|etag| etag.trim_matches('"') != ETAG_OF_NOTHING)
    }

    /// What marks a folder is passed over; contents that it has are not.
    async fn look_at_marker(&self, page: &mut Page) {
        let remark = match has_contents(&self.store, &self.folder).await {
            Ok(false) => return,
            Ok(true) => format!("the object {:?} has contents, which a folder cannot have", self.folder),
            Err(error) if error.class == ErrorClass::Vanished => return,
            Err(error) => format!("whether the object {:?} has contents cannot be told: {error}", self.folder),
        };
        page.push(MARKER_NAME, NodeKind::Other, None, None);
        page.remark(remark);
    }

    /// Fails where a server lists what is not in the folder: one that spells names in another way than it was asked, say, whose
    /// folders would all look empty.
    fn add(&mut self, page: &mut Page, entry: oio::Entry) -> Result<(), StoreError> {
        self.is_found = true;
        let (key, metadata) = entry.into_parts();
        let prefix = if self.folder == "/" { "" } else { &self.folder };
        let Some(rest) = key.strip_prefix(prefix) else {
            if metadata.mode() == EntryMode::FILE && Some(key.as_str()) == prefix.strip_suffix('/') {
                return Err(StoreError::new(ErrorClass::Vanished, "it is a file, and no folder"));
            }
            let message = format!("the server lists {:?}, which is not in the folder", shown_path(&key));
            return Err(StoreError::new(ErrorClass::Denied, message));
        };
        let itself = key == "/" && !self.is_nameless(&metadata);
        if rest.is_empty() || itself {
            // The folder itself, or what marks it.
            return Ok(());
        }
        let name = rest.strip_suffix('/').unwrap_or(rest);
        match name {
            "" => {
                let why = format!("keys beginning with {key:?} have a part without a name, which no path can have");
                add_other(page, name, why);
            }
            "." | ".." => add_other(page, name, format!("keys beginning with {key:?} would lead elsewhere as a path")),
            _ if name.contains(['/', '\0']) => add_other(page, name, format!("{key:?} cannot be a path")),
            _ => self.add_named(page, name, &metadata),
        }
        Ok(())
    }

    /// Whether what is called `/` in the root is not the root: keys begin with a `/` there. What marks a root is an
    /// object, and has been written at some time.
    fn is_nameless(&self, metadata: &Metadata) -> bool {
        !self.store.traits.has_folders && metadata.last_modified().is_none() && metadata.etag().is_none()
    }

    fn add_named(&mut self, page: &mut Page, name: &str, metadata: &Metadata) {
        let modified_ns = times::from_metadata(metadata).or_else(|| times::written_ns(metadata));
        match metadata.mode() {
            EntryMode::FILE => {
                let size = i64::try_from(metadata.content_length()).ok();
                page.push(name.as_bytes(), NodeKind::File, size, modified_ns);
                let has_no_time = metadata.last_modified().is_some() && modified_ns.is_none();
                match (size, has_no_time) {
                    (Some(_), false) => {}
                    (None, false) => page.remark("the listing has no valid size of it"),
                    (Some(_), true) => page.remark("the listing has no valid modification time of it"),
                    (None, true) => page.remark("the listing has no valid size and no valid modification time of it"),
                }
            }
            EntryMode::DIR => page.push(name.as_bytes(), NodeKind::Folder, None, modified_ns),
            EntryMode::Unknown => {
                page.push(name.as_bytes(), NodeKind::Other, None, modified_ns);
                page.remark("it is neither a file nor a folder");
            }
        }
        if self.recent.len() >= 2 * PAGE_ENTRIES_MAX {
            self.recent.clear();
        }
        if !self.recent.insert(name.to_owned()) {
            page.remark("something else in the folder has the same name: a key that others continue with a /");
        }
    }
}

/// Records what is not carried over. A name that no path can have is shown as near to it as one can be.
fn add_other(page: &mut Page, name: &str, why: String) {
    match name {
        "" => page.push(EMPTY_NAME, NodeKind::Other, None, None),
        _ => page.push(name.replace(['/', '\0'], "%").as_bytes(), NodeKind::Other, None, None),
    }
    page.remark(why);
}

#[cfg(all(test, feature = "webdav"))]
mod tests {
    use super::super::scripted::{HttpAnswer, list_over_http};
    use super::*;

    fn listed(hrefs: &[(&str, &str)]) -> Vec<Result<Page, StoreError>> {
        let response = |(href, kind): &(&str, &str)| {
            format!(
                "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>\
                 <D:getcontentlength>1</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
                 </D:response>"
            )
        };
        let responses = hrefs.iter().map(response).collect::<Vec<_>>().concat();
        let body = format!("<D:multistatus xmlns:D=\"DAV:\">{responses}</D:multistatus>").into_bytes();
        let answer = HttpAnswer { status: 207, headers: Vec::new(), body };
        list_over_http("webdav+http://dav.invalid/dav", "/é".as_bytes(), "", vec![answer])
    }

    #[test]
    fn a_server_that_spells_a_folder_in_another_way_does_not_make_it_look_empty() {
        let composed = listed(&[("/dav/%C3%A9/", "<D:collection/>"), ("/dav/%C3%A9/a", "")]);
        assert_eq!(composed[0].as_ref().unwrap().iter().map(|entry| entry.name).collect::<Vec<_>>(), ["a"]);
        let decomposed = listed(&[("/dav/e%CC%81/", "<D:collection/>"), ("/dav/e%CC%81/a", "")]);
        let error = decomposed.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.class, ErrorClass::BadName);
        assert!(error.message.contains("not in the folder"), "{error}");
    }

    #[test]
    fn a_file_in_place_of_a_folder_is_no_empty_folder() {
        let error = listed(&[("/dav/%C3%A9", "")]).remove(0).unwrap_err();
        assert_eq!(error.class, ErrorClass::Vanished, "{error}");
    }
}
