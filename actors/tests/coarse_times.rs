//! A migration to a store that keeps times in steps of two seconds, and does not know it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use longhaul_actors::{
    CopyConfig, Ended, MigrationConfig, Outcome, Resumed, Tuning, VerifyConfig, copy, discover, verify,
};
use longhaul_ledger::{Approving, CopyChoices, Log, Reader};
use longhaul_model::{BySide, ConflictPolicy, VerifyLevel};
use longhaul_storage::{
    Answer, Attributes, Capabilities, Draft, Durability, Facts, Folder, LocalStore, Location, OpenOptions, Original,
    PageStream, Placed, Store, Target,
};

const STEP_NS: i64 = 2_000_000_000;

fn cut_off(attributes: &Attributes) -> Attributes {
    let modified_ns = attributes.modified_ns.map(|ns| ns - ns.rem_euclid(STEP_NS));
    Attributes { modified_ns, ..attributes.clone() }
}

/// A folder of this machine that keeps times as FAT does, and says that it keeps nanoseconds.
#[derive(Debug)]
struct CoarseStore(Arc<LocalStore>);

impl Store for CoarseStore {
    fn location(&self) -> String {
        self.0.location()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { time_resolution_ns: 1, ..self.0.capabilities() }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        self.0.clone().list(path)
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        let path = path.to_vec();
        Box::pin(async move { Ok(Box::new(CoarseFolder(self.0.clone().folder(&path).await?)) as _) })
    }
}

#[derive(Debug)]
struct CoarseFolder(Box<dyn Folder>);

impl Folder for CoarseFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        self.0.facts()
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        self.0.look(name)
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        self.0.open(name)
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        self.0.read_link(name)
    }

    fn extended_attributes<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        self.0.extended_attributes(name)
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        self.0.create_folder(name, durability)
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(CoarseDraft(self.0.create(target).await?)) as _) })
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(CoarseDraft(self.0.open_draft(target).await?)) as _) })
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(CoarseDraft(self.0.reopen_draft(target).await?)) as _) })
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move { self.0.create_link(target, points_to, &cut_off(attributes), durability).await })
    }

    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, durability: Durability) -> Answer<'a, Placed> {
        self.0.hard_link(existing, target, durability)
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()> {
        Box::pin(async move { self.0.set_attributes(&cut_off(attributes), durability).await })
    }

    fn exchange<'a>(&'a self, one: &'a [u8], other: &'a [u8]) -> Answer<'a, bool> {
        self.0.exchange(one, other)
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        self.0.remove_draft(temporary)
    }
}

#[derive(Debug)]
struct CoarseDraft(Box<dyn Draft>);

impl Draft for CoarseDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        self.0.write_at(offset, bytes)
    }

    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: std::ops::Range<u64>) -> Answer<'a, bool> {
        self.0.copy_range(original, range)
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        self.0.read_at(offset, buffer)
    }

    fn try_time(&mut self, modified_ns: i64) -> Answer<'_, Option<i64>> {
        self.0.try_time(modified_ns - modified_ns.rem_euclid(STEP_NS))
    }

    fn finish<'a>(
        self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move { self.0.finish(target, size, &cut_off(attributes), durability).await })
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        for name in ["src", "dst", "src/folder"] {
            std::fs::create_dir(place.path(name)).unwrap();
        }
        for number in 0..30_u32 {
            let path = place.path(&format!("src/folder/{number}"));
            std::fs::write(&path, vec![7; number as usize]).unwrap();
            let time = UNIX_EPOCH + Duration::new(1_600_000_000 + u64::from(number), 1 + number * 33_000_000);
            std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn stores(&self) -> BySide<Arc<dyn Store>> {
        let open = |name| Arc::new(LocalStore::open(&self.path(name), false).unwrap());
        BySide { src: open("src"), dst: Arc::new(CoarseStore(open("dst"))) }
    }

    fn discover(&self, ledger: &Path) {
        let locations = BySide { src: "src", dst: "dst" };
        let locations = BySide::from_fn(|side| Location::Local(self.path(locations[side])));
        let config = MigrationConfig {
            locations,
            stores: Some(self.stores()),
            ledger: ledger.to_owned(),
            open: OpenOptions { create_destination: false, one_file_system: false },
            compare: None,
            on_conflict: Some(ConflictPolicy::Newer),
            adopt: false,
            copying: None,
            filter: Vec::new(),
            tuning: Tuning::default(),
        };
        done(discover(&config).unwrap());
    }

    fn copy(&self, ledger: &Path) {
        let config = CopyConfig {
            ledger: ledger.to_owned(),
            log: Log::Unknown,
            resume: false,
            choices: CopyChoices::default(),
            force: false,
            approving: Approving::Now,
            ignore_names: false,
            stores: Some(self.stores()),
            tuning: Tuning::default(),
        };
        done(copy(&config).unwrap());
    }

    fn verify(&self, ledger: &Path) {
        let config = VerifyConfig {
            ledger: ledger.to_owned(),
            log: Log::Unknown,
            resume: false,
            level: VerifyLevel::Full,
            stores: Some(self.stores()),
            tuning: Tuning::default(),
        };
        done(verify(&config).unwrap());
    }
}

fn done(resumed: Resumed) -> Outcome {
    let Resumed::Running(controller) = resumed else { panic!("there was something to do") };
    let outcome = controller.wait();
    assert!(matches!(outcome.ended, Ended::Done), "{outcome:?}");
    outcome
}

#[test]
fn a_step_that_the_store_does_not_know_of_is_measured_and_kept_to() {
    let place = Place::new();
    let (first, second) = (place.path("first.duckdb"), place.path("second.duckdb"));
    place.discover(&first);
    place.copy(&first);
    let left: Vec<_> = std::fs::read_dir(place.path("dst")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["folder"], "nothing stays of what it was measured with");
    place.verify(&first);
    let overview = Reader::open(&first).unwrap().overview().unwrap();
    assert_eq!((overview.verified.nodes, overview.verified.differences), (31, 0), "{:?}", overview.problems);
    assert_eq!(overview.migration.copy_settings.unwrap().time_step_ns, Some(2_000_000_000));
    // The listing has them differ: nothing was known of the steps then. Looked at anew, they do not.
    place.discover(&second);
    place.copy(&second);
    let totals = Reader::open(&second).unwrap().overview().unwrap().totals.src;
    assert_eq!((totals.copied, totals.already_existed), (0, 32));
    place.verify(&second);
    let verified = Reader::open(&second).unwrap().overview().unwrap().verified;
    assert_eq!((verified.nodes, verified.differences), (31, 0));
}
