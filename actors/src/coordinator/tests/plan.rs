//! The Coordinator of a copy, with Copiers and a ledger actor that are a few lines each.

use std::cell::RefCell;
use std::rc::Rc;

use longhaul_ledger::{CopyRemaining, MadeFolder, PlanBatch, PlanItem};
use longhaul_model::{FileFacts, NodeKind, PlanAction};
use longhaul_storage::StoreError;

use super::*;
use crate::copying::{CopyReport, CopyWork, LargeFile};
use crate::work::{CopySchedule, Plan};

const COPIERS: usize = 2;

/// What goes on around the Coordinator.
#[derive(Default)]
struct Around {
    /// Work that was given out, with the Copier's number.
    work: RefCell<Vec<(usize, CopyWork)>>,
    finishes: RefCell<Vec<Finish>>,
    /// What the neighbours did so far, and when somebody interrupts it.
    steps: RefCell<usize>,
    interrupt_at: Option<usize>,
    coordinator: RefCell<Option<Addr<Coordinator<Plan>>>>,
}

impl Around {
    /// Before each answer to the Coordinator.
    fn step(&self) -> Addr<Coordinator<Plan>> {
        let coordinator = self.coordinator.borrow().clone().unwrap();
        if self.interrupt_at == Some(*self.steps.borrow()) {
            coordinator.do_send(Interrupt);
        }
        *self.steps.borrow_mut() += 1;
        coordinator
    }
}

/// A Copier that does nothing by itself.
struct SilentCopier {
    number: usize,
    around: Rc<Around>,
}

impl Actor for SilentCopier {
    type Context = Context<Self>;
}

impl Handler<CopyWork> for SilentCopier {
    type Result = ();

    fn handle(&mut self, work: CopyWork, _: &mut Self::Context) {
        self.around.work.borrow_mut().push((self.number, work));
    }
}

/// A ledger actor without a ledger.
struct PlanLedger(Rc<Around>);

impl Actor for PlanLedger {
    type Context = Context<Self>;
}

/// A folder, files in it, and a large one.
fn plan() -> Vec<PlanBatch> {
    let item = |id, kind, action, size| PlanItem {
        id: NodeId(id),
        name: id.to_string(),
        new_name: None,
        kind,
        facts: FileFacts { size, modified_ns: None },
        action,
        in_its_place: None,
        parts: Vec::new(),
    };
    let file = |id, size| item(id, NodeKind::File, PlanAction::Copy, Some(size));
    let folder = item(2, NodeKind::Folder, PlanAction::CreateFolder, None);
    let batch = |folder, path: &str, items| PlanBatch {
        folder: NodeId(folder),
        path: path.to_owned(),
        destination_path: None,
        depth: 1,
        items,
    };
    vec![
        batch(1, "/", vec![folder, file(3, 1), file(4, 5_000)]),
        batch(2, "/2", vec![file(5, 1), file(6, 5_000), file(7, 1)]),
    ]
}

impl Handler<Permitted<LedgerRequest>> for PlanLedger {
    type Result = ();

    fn handle(&mut self, request: Permitted<LedgerRequest>, _: &mut Self::Context) {
        let reply = match request.message {
            LedgerRequest::PullPlan(ids) => LedgerReply::PlanPulled { ids, batches: plan() },
            LedgerRequest::BeginMadeFolders => LedgerReply::MadeFolders(2..3),
            LedgerRequest::PullMadeFolders(_) => LedgerReply::MadeFoldersPulled(vec![MadeFolder {
                id: NodeId(2),
                path: "/2".to_owned(),
                destination_path: None,
            }]),
            LedgerRequest::Finish(finish) => {
                self.0.finishes.borrow_mut().push(finish);
                let coordinator = self.0.coordinator.borrow().clone().unwrap();
                coordinator.do_send(LedgerReply::Closed(Ok(Closed::default())));
                return;
            }
            request => panic!("a plan does not ask for this: {request:?}"),
        };
        self.0.step().do_send(reply);
    }
}

struct Scene {
    around: Rc<Around>,
    coordinator: Addr<Coordinator<Plan>>,
    stop: CancellationToken,
    outcome: oneshot::Receiver<Outcome>,
}

impl Scene {
    /// On a paused clock. With an interrupt before the neighbours' answer with this number.
    fn begin(interrupt_at: Option<usize>) -> Self {
        let around = Rc::new(Around { interrupt_at, ..Around::default() });
        let ledger = PlanLedger(around.clone()).start();
        let (sender, outcome) = oneshot::channel();
        let stop = CancellationToken::new();
        let copier = |number| SilentCopier { number, around: around.clone() }.start().recipient();
        let team = (0..COPIERS).map(|number| (ActorName::Copier(number), copier(number))).collect();
        let links = CoordinatorLinks { teams: vec![team], ledger: ledger.recipient(), board: Board::default() };
        let schedule = CopySchedule::new(&CopyRemaining { ids: 2..8, ..CopyRemaining::default() }, Some(4_096));
        let ending = Ending::new(stop.clone(), GRACE, sender);
        let coordinator = Coordinator::new(Plan::new(schedule, COPIERS), ending, links).start();
        *around.coordinator.borrow_mut() = Some(coordinator.clone());
        Scene { around, coordinator, stop, outcome }
    }

    /// Does what was given out first, as a Copier would. Returns whether there was anything.
    fn work(&self) -> bool {
        let mut all = self.around.work.borrow_mut();
        if all.is_empty() {
            return false;
        }
        let (copier, work) = all.remove(0);
        drop(all);
        let coordinator = self.around.step();
        let report = if self.stop.is_cancelled() { give_back(&work) } else { do_it(work) };
        coordinator.do_send(WorkDone { worker: ActorName::Copier(copier), report });
        true
    }

    /// Goes on until there is nothing more to be done.
    async fn go_on(&self) {
        settle().await;
        while self.work() {
            settle().await;
        }
    }
}

fn do_it(work: CopyWork) -> CopyReport {
    match work {
        CopyWork::Items(batches) => {
            let items = batches.iter().flat_map(|batch| &batch.items);
            let made = items.filter(|item| item.kind == NodeKind::Folder).map(|item| item.id).collect();
            CopyReport::Items { made, lost: Vec::new(), given_back: 0 }
        }
        CopyWork::Prepare(large) => CopyReport::Prepared(LargeFile::of_parts(large, 1_024, 5)),
        CopyWork::Part { file, part } => CopyReport::Part { id: file.large.item.id, part, value: Some([1; 32]) },
        CopyWork::Place { file, .. } => CopyReport::Large(file.large.item.id),
        CopyWork::FinishFolders(_) => CopyReport::Folders,
        work @ (CopyWork::Fail { .. } | CopyWork::Verify(_)) => panic!("{work:?}"),
    }
}

fn give_back(work: &CopyWork) -> CopyReport {
    match work {
        CopyWork::Items(batches) => {
            let given_back = batches.iter().map(|batch| batch.items.len()).sum();
            CopyReport::Items { made: Vec::new(), lost: Vec::new(), given_back }
        }
        CopyWork::Prepare(large) => CopyReport::LargeGivenBack(large.item.id),
        CopyWork::Part { file, .. } | CopyWork::Place { file, .. } => CopyReport::LargeGivenBack(file.large.item.id),
        CopyWork::FinishFolders(_) => CopyReport::Folders,
        work @ (CopyWork::Fail { .. } | CopyWork::Verify(_)) => panic!("{work:?}"),
    }
}

#[actix::test]
async fn everything_is_given_out_and_then_the_attributes_of_folders_and_that_is_the_end() {
    tokio::time::pause();
    let scene = Scene::begin(None);
    scene.go_on().await;
    let outcome = scene.outcome.await.unwrap();
    assert!(matches!(outcome.ended, Ended::Done), "{outcome:?}");
    assert_eq!((outcome.given_back, outcome.still_running, outcome.traffic.dropped()), (0, 0, 0));
    assert!(outcome.traffic.coordinator.adds_up());
    // Items twice, two files with five parts each, and the folders.
    assert_eq!(outcome.traffic.coordinator.received, 2 + 2 * 7 + 1, "{outcome:?}");
    assert_eq!(scene.around.finishes.borrow()[0].phase, Phase::Verifying);
}

#[actix::test]
async fn an_interrupt_at_any_moment_ends_it_and_nothing_is_dropped() {
    tokio::time::pause();
    let steps = {
        let scene = Scene::begin(None);
        scene.go_on().await;
        *scene.around.steps.borrow()
    };
    assert!(steps > 15, "{steps}");
    for step in 0..steps {
        let scene = Scene::begin(Some(step));
        scene.go_on().await;
        let outcome = scene.outcome.await.unwrap();
        assert!(matches!(outcome.ended, Ended::Interrupted), "before {step}: {outcome:?}");
        assert_eq!((outcome.still_running, outcome.traffic.dropped()), (0, 0), "before {step}: {outcome:?}");
        assert!(outcome.traffic.coordinator.adds_up(), "before {step}: {outcome:?}");
        assert!(scene.stop.is_cancelled());
        let finishes = scene.around.finishes.borrow();
        assert_eq!(finishes.len(), 1, "before {step}");
        assert_eq!(
            (finishes[0].phase, finishes[0].outcome.as_str()),
            (Phase::Suspended, "interrupted"),
            "before {step}"
        );
    }
}

#[actix::test]
async fn a_copier_that_dies_at_any_moment_ends_it_as_broken() {
    tokio::time::pause();
    for before in 0..12 {
        let scene = Scene::begin(None);
        settle().await;
        for _ in 0..before {
            scene.work();
            settle().await;
        }
        let mut lost = 0;
        scene.around.work.borrow_mut().retain(|(copier, _)| {
            lost += u64::from(*copier == 0);
            *copier != 0
        });
        scene.coordinator.do_send(ActorDied(ActorName::Copier(0)));
        scene.go_on().await;
        let outcome = scene.outcome.await.unwrap();
        assert!(matches!(&outcome.ended, Ended::Broken(what) if what.contains("Copier 0")), "{before}: {outcome:?}");
        assert_eq!((outcome.still_running, outcome.traffic.dropped()), (0, lost), "{before}: {outcome:?}");
        assert!(outcome.traffic.coordinator.adds_up());
        assert_eq!(scene.around.finishes.borrow()[0].outcome, "broken");
    }
}

#[actix::test]
async fn a_copier_that_hangs_is_left_behind_when_the_grace_period_is_over() {
    tokio::time::pause();
    let scene = Scene::begin(None);
    settle().await;
    scene.coordinator.do_send(Interrupt);
    settle().await;
    let held: Vec<_> = scene.around.work.borrow_mut().extract_if(.., |(copier, _)| *copier == 1).collect();
    assert!(!held.is_empty(), "both have something to do");
    scene.go_on().await;
    assert!(scene.around.finishes.borrow().is_empty(), "a Copier is at work");
    tokio::time::advance(GRACE + Duration::from_millis(1)).await;
    let outcome = scene.outcome.await.unwrap();
    assert!(matches!(outcome.ended, Ended::Interrupted), "{outcome:?}");
    assert_eq!((outcome.still_running, outcome.traffic.dropped()), (1, held.len() as u64));
}

#[actix::test]
async fn a_store_that_gives_up_suspends_it_with_its_reason() {
    tokio::time::pause();
    let scene = Scene::begin(None);
    settle().await;
    for message in ["no room", "something else"] {
        let error = StoreError::new(ErrorClass::NoSpace, message);
        scene.coordinator.do_send(StoreGaveUp { side: Side::Destination, path: "/a".to_owned(), error });
    }
    scene.go_on().await;
    let outcome = scene.outcome.await.unwrap();
    let Ended::StoreGaveUp { side: Side::Destination, reason } = outcome.ended else { panic!("{outcome:?}") };
    assert_eq!(reason, "destination /a: no room");
    assert!(outcome.given_back > 0);
    assert_eq!(outcome.traffic.dropped(), 0);
}
