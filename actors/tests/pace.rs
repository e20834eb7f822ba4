//! The whole engine against stores with limits and latencies, on one thread and in simulated time: it finds the pace that
//! they allow by itself, and nothing fails for it.

use std::sync::Arc;
use std::time::Duration;

use longhaul_actors::{Ended, Engine, Outcome, Placement, Schedule, Tuning};
use longhaul_ledger::{MigrationSpec, Reader, Settings};
use longhaul_model::{BySide, Comparison, Side};
use longhaul_spectra::{Config, Spectra};
use longhaul_storage::{Location, SpectraStore, Store};
use tokio::time::Instant;

/// A tree with a few thousand folders, and these faults.
fn config(max_depth: u32, chaos: &str) -> Config {
    let text = format!(
        "{{\"mode\": \"ephemeral\", \"seed\": {{\"max_depth\": {max_depth}, \"min_folders\": 8, \"max_folders\": 8, \"min_files\": 1,
           \"max_files\": 1, \"seed\": 7, \"folder_backoff_factor\": 1.0, \"folder_depth_decay_factor\": 1.0,
           \"file_backoff_factor\": 1.0, \"file_depth_decay_factor\": 1.0}},
           \"secondary_tables\": {{\"s1\": 0.0}}, \"chaos\": {chaos}}}"
    );
    Config::from_json(&text).expect("a configuration")
}

struct Ran {
    outcome: Outcome,
    /// Simulated time.
    took: Duration,
    folders: u64,
    /// Of the source's listings: how many at a time, after each change, and why.
    pace: Vec<(i32, String)>,
}

/// Discovers the tree, with so many listers.
async fn discover(
    config: Config,
    workers: usize,
    max_concurrency: Option<usize>,
    meanwhile: impl AsyncFnOnce(Spectra),
) -> Ran {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let ledger = scratch.path().join("ledger.duckdb");
    let simulator = Spectra::open(config).expect("a simulator");
    let world = |side: Side| match side {
        Side::Source => "primary",
        Side::Destination => "s1",
    };
    let stores: BySide<Arc<dyn Store>> = BySide::from_fn(|side| {
        let location = Location::Spectra { world: world(side).to_owned(), config: "simulated.json".into() };
        Arc::new(SpectraStore::open(&simulator, world(side), location).expect("a world")) as _
    });
    let tuning = Tuning { workers: Some(workers), max_concurrency, ..Tuning::default() };
    let spec = MigrationSpec {
        source: "simulated:primary".to_owned(),
        destination: "simulated:s1".to_owned(),
        settings: Settings::new(Comparison::for_resolutions(1, 1)),
    };
    let mut recorder =
        longhaul_ledger::create(&ledger, &spec, "discover", &tuning.resources, || 0).expect("a new ledger");
    let limits = longhaul_actors::ScheduleLimits {
        lead_nodes_max: 1 << 40,
        frontier_folders_max: 1 << 16,
        in_flight_folders_max: 4_096,
    };
    let schedule = Schedule::new(limits, recorder.begin_traversal().expect("a traversal can begin"));
    let began = Instant::now();
    let latest = Arc::default();
    let engine = Engine::start(&stores, recorder, schedule, &tuning, latest, Placement::OneThread);
    let (outcome, ()) = tokio::join!(engine.join(), meanwhile(simulator.clone()));
    let outcome = outcome.expect("it ends");
    let took = began.elapsed();
    let reader = Reader::open(&ledger).expect("a ledger");
    let rows = reader
        .query("SELECT concurrency::VARCHAR, cause FROM pace WHERE side = 'src' AND class = 'list' ORDER BY rowid")
        .expect("a table");
    let pace = rows.rows.into_iter().map(|row| {
        let mut row = row.into_iter().map(|cell| cell.expect("it is never missing"));
        let concurrency = row.next().expect("two columns").parse().expect("a number");
        (concurrency, row.next().expect("two columns"))
    });
    let folders = simulator.world("primary").expect("the world").undisturbed().count().expect("a count").total.folders;
    Ran { pace: pace.collect(), outcome, took, folders }
}

async fn nothing(_: Spectra) {}

fn assert_all_is_listed(ran: &Ran) {
    assert!(matches!(ran.outcome.ended, Ended::Done), "{:?}", ran.outcome.ended);
    let overview = ran.outcome.closed.overview.as_ref().expect("it came to its end");
    assert_eq!((overview.problem_count, overview.totals.src.folders_failed), (0, 0));
    assert_eq!(overview.totals.src.folders, i64::try_from(ran.folders).expect("a few thousand"));
}

#[actix::test]
async fn a_store_with_a_rate_limit_is_listed_at_its_rate_and_nothing_fails() {
    tokio::time::pause();
    let limit = 5_000.0;
    let chaos = format!(
        "{{\"enabled\": true, \"rate_limits\": {{\"operations\": {{\"list_children\": {{\"calls_per_second\": {limit}, \"burst\": 100}}}}}},
           \"latency\": {{\"list_children_ms\": 1}}, \"backoff\": {{\"base_retry_after_ms\": 20}}}}"
    );
    let ran = discover(config(5, &chaos), 20, None, nothing).await;
    assert_all_is_listed(&ran);
    let asked = ran.pace.iter().filter(|(_, cause)| cause == "the store asks for patience").count();
    assert!(asked > 0, "it was never asked for patience: {:?}", ran.pace);
    let falls = ran.pace.windows(2).any(|pair| pair[1].0 < pair[0].0);
    assert!(falls, "{:?}", ran.pace);
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = ran.folders as f64 / ran.took.as_secs_f64();
    assert!(rate >= 0.9 * limit, "{rate:.0} listings a second of {} in {:?}: {:?}", ran.folders, ran.took, ran.pace);
}

#[actix::test]
async fn a_limit_that_is_lifted_is_found_to_be_gone() {
    tokio::time::pause();
    let chaos = "{\"enabled\": true, \"rate_limits\": {\"operations\": {\"list_children\": {\"calls_per_second\": 500, \"burst\": 50}}},
                  \"latency\": {\"list_children_ms\": 5}}";
    let lifted_after = Duration::from_secs(10);
    let ran = discover(config(5, chaos), 20, None, async move |simulator: Spectra| {
        tokio::time::sleep(lifted_after).await;
        let unlimited = config(5, "{\"enabled\": true, \"latency\": {\"list_children_ms\": 5}}").chaos;
        simulator.set_chaos(unlimited).expect("it can be changed");
    })
    .await;
    assert_all_is_listed(&ran);
    // What is left would take a minute more at the old rate.
    let at_old_rate = Duration::from_secs(ran.folders / 500);
    assert!(ran.took < at_old_rate / 2, "{:?} instead of {at_old_rate:?}: {:?}", ran.took, ran.pace);
}

#[actix::test]
async fn a_slow_store_is_asked_for_as_much_at_a_time_as_is_worth_it() {
    tokio::time::pause();
    let chaos = "{\"enabled\": true, \"latency\": {\"list_children_ms\": 100}}";
    let found = discover(config(5, chaos), 64, None, nothing).await;
    assert_all_is_listed(&found);
    // The best that a fixed number could do: all listers at all times.
    let best = Duration::from_millis(100) * u32::try_from(found.folders / 64).expect("a few thousand");
    assert!(found.took < best + Duration::from_secs(8), "{:?}, at best {best:?}: {:?}", found.took, found.pace);
    let capped = discover(config(3, chaos), 64, Some(2), nothing).await;
    assert!(capped.pace.iter().all(|(concurrency, _)| *concurrency <= 2), "{:?}", capped.pace);
}
