//! A traversal from beginning to end.

#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]

use std::collections::BTreeMap;

use actix::WrapFuture;

use super::*;
use crate::work::BATCH_FOLDERS_MAX;

/// Both trees, and whoever lists and records them: every folder down to `depth_max` has `width` folders in it.
struct Trees {
    depth_max: i32,
    width: i64,
    next_id: BySide<i64>,
    source_ids: BTreeMap<String, i64>,
    in_flight: BySide<usize>,
    in_flight_max: BySide<usize>,
    given_out: BySide<Vec<i64>>,
    coordinator: Option<Addr<Coordinator<Traversal>>>,
}

impl Trees {
    fn new(depth_max: i32, width: i64) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Trees {
            depth_max,
            width,
            next_id: BySide { src: 2, dst: 2 },
            source_ids: BTreeMap::from([("/".to_owned(), 1)]),
            in_flight: BySide::default(),
            in_flight_max: BySide::default(),
            given_out: BySide::default(),
            coordinator: None,
        }))
    }

    fn list(&mut self, side: Side, folder: &Folder) -> RecordedListing {
        let count = if folder.depth < self.depth_max { self.width } else { 0 };
        let first = self.next_id[side];
        self.next_id[side] += count;
        let children = (first..first + count).zip(0..).map(|(id, number)| {
            let path = longhaul_model::child_path(&folder.path, &number.to_string());
            let source_id = match side {
                Side::Source => *self.source_ids.entry(path.clone()).or_insert(id),
                Side::Destination => self.source_ids[&path],
            };
            Folder { id: NodeId(id), source_id: NodeId(source_id), path, depth: folder.depth + 1 }
        });
        found(side, folder.id.0, children.collect())
    }
}

/// Lists and records at once, a folder at a time, in between everything else that happens.
struct QuickLister {
    side: Side,
    number: usize,
    trees: Rc<RefCell<Trees>>,
}

impl Actor for QuickLister {
    type Context = Context<Self>;
}

impl Handler<ListFolders> for QuickLister {
    type Result = ();

    fn handle(&mut self, ListFolders(folders): ListFolders, ctx: &mut Self::Context) {
        assert!((1..=BATCH_FOLDERS_MAX).contains(&folders.len()), "{} folders in one message", folders.len());
        let (side, lister) = (self.side, self.number);
        let mut trees = self.trees.borrow_mut();
        trees.in_flight[side] += folders.len();
        trees.in_flight_max[side] = trees.in_flight_max[side].max(trees.in_flight[side]);
        trees.given_out[side].extend(folders.iter().map(|folder| folder.id.0));
        drop(trees);
        let trees = self.trees.clone();
        let count = folders.len() as u64;
        let work = async move {
            let coordinator = trees.borrow().coordinator.clone().unwrap();
            for folder in folders {
                tokio::task::yield_now().await;
                let listing = trees.borrow_mut().list(side, &folder);
                trees.borrow_mut().in_flight[side] -= 1;
                coordinator.do_send(LedgerReply::ListingsRecorded(vec![listing]));
            }
            let traffic = Traffic { received: count, answered: count, dropped: 0 };
            let report = ListingReport { given_back: 0, traffic };
            coordinator.do_send(WorkDone { worker: ActorName::Lister(side, lister), report });
        };
        ctx.wait(work.into_actor(self));
    }
}

/// Runs a traversal of two equal trees to its end.
async fn traverse(trees: &Rc<RefCell<Trees>>, listers: usize, limits: ScheduleLimits) -> (Outcome, Vec<Told>) {
    let log = Log::default();
    let (outcome_sender, outcome) = oneshot::channel();
    let context = Context::new();
    let address: Addr<Coordinator<Traversal>> = context.address();
    let ledger = SilentLedger { log: log.clone(), coordinator: address.clone().recipient(), may_finish: None }.start();
    trees.borrow_mut().coordinator = Some(address);
    let lister =
        |side| (0..listers).map(move |number| QuickLister { side, number, trees: trees.clone() }.start().recipient());
    let listers = BySide::from_fn(|side| lister(side).collect());
    start(context, limits, listers, ledger.recipient(), CancellationToken::new(), outcome_sender);
    let outcome = outcome.await.unwrap();
    settle().await;
    let told = std::mem::take(&mut *log.borrow_mut());
    (outcome, told)
}

#[actix::test]
async fn folders_are_given_out_in_id_order_and_the_last_message_is_finish_for_review() {
    let trees = Trees::new(3, 5);
    let (outcome, told) = traverse(&trees, 1, ROOMY).await;
    assert!(matches!(outcome.ended, Ended::Done), "{outcome:?}");
    assert_eq!((outcome.given_back, outcome.still_running, outcome.closed.traffic.answered), (0, 0, 7));
    assert_eq!(told, [finish(Phase::Review, None, "complete")]);
    let trees = trees.borrow();
    for side in Side::BOTH {
        assert_eq!(trees.given_out[side], (1..=1 + 5 + 25 + 125).collect::<Vec<_>>(), "{side}");
    }
}

#[actix::test]
async fn never_more_than_the_cap_is_in_flight_and_every_folder_is_given_out_once() {
    for (listers, in_flight_folders_max) in [(1, 1), (3, 1), (3, 4), (8, 20), (2, 7)] {
        let trees = Trees::new(2, 9);
        let limits = ScheduleLimits { lead_nodes_max: 12, in_flight_folders_max, ..ROOMY };
        let (outcome, told) = traverse(&trees, listers, limits).await;
        assert!(matches!(outcome.ended, Ended::Done), "{outcome:?}");
        assert_eq!(told, [finish(Phase::Review, None, "complete")]);
        let mut trees = trees.borrow_mut();
        for side in Side::BOTH {
            assert!(trees.in_flight_max[side] <= in_flight_folders_max, "{side}: {}", trees.in_flight_max[side]);
            trees.given_out[side].sort_unstable();
            assert_eq!(trees.given_out[side], (1..=1 + 9 + 81).collect::<Vec<_>>(), "{side}");
        }
    }
}

#[actix::test]
async fn a_destination_folder_is_given_out_only_when_its_counterpart_is_recorded() {
    let (scene, told) = Scene::with_source_folders(1, 1).await;
    assert_eq!(told, [list(Side::Source, 0, [2]), list(Side::Destination, 0, [1])]);
    scene.done(Side::Destination, 0, 0);
    scene.recorded(found(Side::Destination, 1, vec![folder(2, 2)]));
    assert_eq!(scene.told().await, [], "2 is not recorded on the source");
    scene.recorded(found(Side::Source, 2, vec![]));
    assert_eq!(scene.told().await, [list(Side::Destination, 0, [2])]);
}

#[actix::test]
async fn it_is_not_over_before_the_last_batch_is_done() {
    let (scene, _) = Scene::with_source_folders(1, 0).await;
    scene.recorded(found(Side::Destination, 1, vec![]));
    assert_eq!(scene.told().await, [], "the Lister has not said that it is done");
    scene.done(Side::Destination, 0, 0);
    assert_eq!(scene.told().await, [finish(Phase::Review, None, "complete")]);
    scene.may_finish.send(()).unwrap();
    assert!(matches!(scene.outcome.await.unwrap().ended, Ended::Done));
    assert!(!scene.stop.is_cancelled());
}

#[actix::test]
async fn a_lister_has_two_messages_at_the_most_and_the_others_get_their_share() {
    let (scene, told) = Scene::with_source_folders(2, 1_000).await;
    let mut to_source: Vec<(usize, usize)> = told
        .iter()
        .filter_map(|told| match told {
            Told::List { side: Side::Source, lister, ids } => Some((*lister, ids.len())),
            _ => None,
        })
        .collect();
    to_source.sort_unstable();
    assert_eq!(to_source, [(0, 64), (0, 64), (1, 64), (1, 64)]);
    scene.done(Side::Source, 1, 0);
    let told = scene.told().await;
    assert!(matches!(&told[..], [Told::List { lister: 1, ids, .. }] if ids.len() == 64), "{told:?}");
}

#[actix::test]
async fn the_counterpart_of_a_failed_source_folder_is_recorded_as_blocked() {
    let scene = Scene::begin(1, ROOMY);
    scene.told().await;
    scene.recorded(RecordedListing { is_complete: false, ..found(Side::Source, 1, vec![]) });
    scene.done(Side::Source, 0, 0);
    let blocked = Told::Record { side: Side::Destination, ids: vec![1], class: ErrorClass::Blocked, attempts: 0 };
    assert_eq!(scene.told().await, [blocked]);
    scene.recorded(RecordedListing { is_complete: false, ..found(Side::Destination, 1, vec![]) });
    assert_eq!(scene.told().await, [finish(Phase::Review, None, "complete")]);
}

#[actix::test]
async fn folders_that_were_not_named_are_pulled_and_given_out() {
    let scene = Scene::begin(1, ROOMY);
    scene.told().await;
    let unnamed = FoundFolders { ids: vec![2..40_000], named: None };
    scene.recorded(RecordedListing { found: unnamed, ..found(Side::Source, 1, vec![]) });
    scene.done(Side::Source, 0, 0);
    let told = scene.told().await;
    let Some(Told::Pull { side: Side::Source, ids }) = told.first() else { panic!("{told:?}") };
    assert_eq!(ids.start, 2);
    let pulled = LedgerReply::FoldersPulled { side: Side::Source, ids: ids.clone(), folders: vec![folder(9, 9)] };
    scene.coordinator.do_send(pulled);
    let told = scene.told().await;
    assert!(told.contains(&list(Side::Source, 0, [9])), "{told:?}");
    assert!(matches!(&told[..], [Told::Pull { ids: next, .. }, ..] if next.start == ids.end), "{told:?}");
}
