//! The whole engine with a filter: nobody asks either store for what is left out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use longhaul_ledger::{MigrationSpec, Reader, Resources, Settings};
use longhaul_model::{BySide, Comparison};
use longhaul_storage::{Capabilities, PageStream, Store};

use super::*;
use crate::config::Tuning;
use crate::ending::Ended;
use crate::engine::{Engine, Placement, Run, Task};
use crate::work::{Schedule, ScheduleLimits};

/// Every folder has the folders `a`, `b` and `cache` and two files, down to the third level, in pages of two entries.
#[derive(Debug, Default)]
struct Bushy {
    asked_for: Mutex<Vec<String>>,
}

impl Store for Bushy {
    fn location(&self) -> String {
        "bushy:".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { blocks_thread: false, listings_at_once: 2, ..Capabilities::default() }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let path = String::from_utf8(path.to_vec()).unwrap();
        let mut entries = vec![("f.txt", NodeKind::File), ("f.tmp", NodeKind::File)];
        if path.len() < 6 {
            entries.extend(["a", "b", "cache"].map(|name| (name, NodeKind::Folder)));
        }
        let pages = entries.chunks(2).map(|entries| {
            let mut page = Page::default();
            for (name, kind) in entries {
                page.push(name.as_bytes(), *kind, Some(1), Some(1));
            }
            Ok(page)
        });
        let pages: Vec<_> = pages.collect();
        self.asked_for.lock().unwrap().push(path);
        stream::iter(pages).boxed()
    }
}

#[actix::test]
async fn neither_store_is_asked_for_a_folder_that_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let filter = settings("cache/\n*.tmp\n/b/b\nwhere: depth > 2 and kind = folder");
    let settings = Settings { filter, ..Settings::new(Comparison::for_resolutions(1, 1)) };
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let filter = Filter::new(&spec.settings.filter).unwrap();
    let created = longhaul_ledger::create(&path, &spec, &Resources::default(), 0).unwrap();
    let (writer, to_list) = created.discover("test", || 0).unwrap();
    let limits = ScheduleLimits { lead_nodes_max: 1_000, frontier_folders_max: 1_000, in_flight_folders_max: 1_000 };
    let stores = BySide::from_fn(|_| Arc::new(Bushy::default()));
    let task = Task::Traverse { writer, schedule: Schedule::new(limits, to_list), filter };
    let run = Run { stores: BySide { src: stores.src.clone(), dst: stores.dst.clone() }, task };
    let engine = Engine::start(run, &Tuning::default(), Arc::default(), Placement::OneThread);
    let outcome = engine.join().await.unwrap();
    assert!(matches!(outcome.ended, Ended::Done), "{outcome:?}");
    for store in [&stores.src, &stores.dst] {
        let asked_for = store.asked_for.lock().unwrap().clone();
        assert_eq!(asked_for.len(), 6, "each once: {asked_for:?}");
        let expected = ["/", "/a", "/b", "/a/a", "/a/b", "/b/a"].map(str::to_owned);
        assert_eq!(asked_for.into_iter().collect::<BTreeSet<_>>(), expected.into());
    }
    let reader = Reader::open(&path).unwrap();
    let counters = reader.counters().unwrap();
    assert_eq!(counters, reader.recount().unwrap());
    let totals = counters.totals();
    assert_eq!((totals.src.folders_pending(), totals.dst.folders_pending()), (0, 0));
    assert_eq!(totals.dst.not_on_src, 0, "the source has all of it");
    assert_eq!(totals.src.nodes(), totals.dst.nodes());
}
