//! All actors together: nothing gets lost between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use longhaul_model::{NodeKind, Page};
use longhaul_storage::{Capabilities, PageStream, Store};
use tokio::sync::Notify;

use super::death::{traversal, writer};
use super::*;
use crate::config::Tuning;
use crate::engine::{Engine, Placement};

/// Every folder has two folders, down to the sixth level.
#[derive(Debug, Default)]
struct Binary {
    listings: AtomicUsize,
    /// Told at the listing with this number.
    moment: usize,
    reached: Notify,
}

impl Store for Binary {
    fn location(&self) -> String {
        "binary:".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listings_at_once: 2, ..Capabilities::default() }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        if self.listings.fetch_add(1, Ordering::Relaxed) == self.moment {
            self.reached.notify_one();
        }
        let mut page = Page::default();
        if path.len() < 12 {
            page.push(b"a", NodeKind::Folder, None, Some(1));
            page.push(b"b", NodeKind::Folder, None, Some(1));
        }
        stream::once(async move {
            tokio::task::yield_now().await;
            Ok(page)
        })
        .boxed()
    }
}

#[actix::test]
async fn wherever_it_is_interrupted_every_actor_answers_all_that_it_received() {
    for moment in [0, 1, 5, 40, 100, 1_000] {
        let folder = tempfile::tempdir().unwrap();
        let source = Arc::new(Binary { moment, ..Binary::default() });
        let destination = Arc::new(Binary { moment: usize::MAX, ..Binary::default() });
        let stores = BySide { src: source.clone() as Arc<dyn Store>, dst: destination };
        let engine =
            Engine::start(traversal(stores, writer(&folder)), &Tuning::default(), Arc::default(), Placement::Threads);
        let coordinator = engine.coordinator.clone();
        let mut ended = std::pin::pin!(engine.join());
        let outcome = tokio::select! {
            outcome = &mut ended => outcome.unwrap(),
            () = source.reached.notified() => {
                coordinator.do_send(Interrupt);
                ended.await.unwrap()
            }
        };
        for (actor, traffic) in outcome.traffic.by_actor() {
            assert!(traffic.adds_up() && traffic.dropped == 0, "{actor}, interrupted at {moment}: {traffic:?}");
        }
        let RunTraffic { coordinator, listers, ledger } = outcome.traffic;
        assert_eq!(coordinator.received, listers.src.received + listers.dst.received);
        assert_eq!(coordinator.received, ledger.received + outcome.given_back as u64);
        assert_eq!(matches!(outcome.ended, Ended::Done), moment == 1_000);
    }
}

#[actix::test]
async fn what_a_lister_had_that_is_left_behind_is_dropped() {
    tokio::time::pause();
    let (scene, _) = Scene::with_source_folders(2, 2).await;
    scene.coordinator.do_send(Interrupt);
    scene.may_finish.send(()).unwrap();
    let traffic = scene.outcome.await.unwrap().traffic;
    // The two folders, and the destination's root.
    assert_eq!(traffic.coordinator, Traffic { received: 4, answered: 1, dropped: 3 });
    assert!(traffic.by_actor().iter().all(|(_, traffic)| traffic.adds_up()), "{traffic:?}");
}
