//! What somebody else does to the two trees while they are copied, between one call and the next.

mod destination;
mod links;
mod parts;
mod source;

use longhaul_model::{ConflictPolicy, PlanAction};

use super::scene::{LARGE_FROM, bytes, write};
use super::*;

/// A large file's bytes.
const LARGE: usize = LARGE_FROM + 700;

/// The judge that does something once, before the call with this number.
fn before_call(number: usize, mut what: impl FnMut() + Send + 'static) -> Judge {
    Box::new(move |call, _| {
        if call == number {
            what();
        }
        Verdict::Go
    })
}

/// The judge that does something before each call that is like this.
fn before_each(side: Side, method: &'static str, mut what: impl FnMut() + Send + 'static) -> Judge {
    Box::new(move |_, call| {
        if call.is(side, method) {
            what();
        }
        Verdict::Go
    })
}

/// One file of this length, which nothing at the destination has to do with.
fn one_file(length: usize) -> Scene {
    let mut scene = Scene::new();
    scene.file(Side::Source, "a", &bytes(length, 1)).plan(PlanAction::Copy, "a");
    scene
}

fn only_outcome(run: &Run) -> &CopyOutcome {
    assert_eq!(run.results.len(), 1, "{run:#?}");
    &run.results[0].outcome
}

/// That it failed, and left nothing behind.
fn assert_failed_without_a_trace(scene: &Scene, run: &Run) {
    let outcome = only_outcome(run);
    assert!(matches!(outcome, CopyOutcome::Failed { class: ErrorClass::Transient, .. }), "{outcome:?}");
    assert_eq!(run.results[0].attempts, RETRY.attempts_max);
    assert_eq!(scene.tree(Side::Destination), Tree::new());
}
