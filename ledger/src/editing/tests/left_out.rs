//! Including what a filter left out, on ledgers in files.

use longhaul_model::CompareBy;

use super::*;
use crate::filter::{FilterRule, FilterSettings};

/// What the destination has of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    Same,
    Newer,
    Older,
}

const THERE: [There; 4] = [There::Nothing, There::Same, There::Newer, There::Older];

/// A source with a folder `/d`, and in it a file for each of [`THERE`] whose name is that, one more with `kept-` before its
/// name, and a folder `cache`. All but the kept ones are left out.
fn scene(by: CompareBy, on_conflict: ConflictPolicy) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let rule = FilterRule { from: "f:1".to_owned(), text: "it".to_owned() };
    let filter = FilterSettings { rules: vec![rule], at_ns: 0 };
    let comparison = Comparison { by, ..Comparison::for_resolutions(1, 1) };
    let settings = Settings { on_conflict, filter, ..Settings::new(comparison) };
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let mut writer = discover(&path, &spec);
    let root = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
    for side in Side::BOTH {
        let mut page = Page::default();
        page.push(b"d", NodeKind::Folder, None, None);
        let listed = ListedPage { folder: root.clone(), page, is_last: true, attempts: 1 };
        let mut answers = writer.record_page(side, listed).unwrap();
        answers.extend(writer.match_recorded().unwrap());
        let folder = answers[0].found.named.as_ref().unwrap()[0].clone();
        let mut page = Page::default();
        for there in THERE {
            for prefix in ["", "kept-"] {
                let modified_ns = match (side, there) {
                    (Side::Destination, There::Nothing) => continue,
                    (Side::Source, _) | (_, There::Same) => 100,
                    (_, There::Newer) => 200,
                    (_, There::Older) => 50,
                };
                page.push(format!("{prefix}{there:?}").as_bytes(), NodeKind::File, Some(7), Some(modified_ns));
                if side == Side::Source && prefix.is_empty() {
                    page.leave_out(page.len() - 1, 0);
                }
            }
        }
        page.push(b"cache", NodeKind::Folder, None, None);
        if side == Side::Source {
            page.leave_out(page.len() - 1, 0);
        }
        writer.record_page(side, ListedPage { folder, page, is_last: true, attempts: 1 }).unwrap();
        writer.match_recorded().unwrap();
    }
    writer.end(Phase::Review, None, "complete").unwrap();
    Scene { _folder: folder, path }
}

impl Scene {
    /// Action and reason of each node in the plan, by path.
    fn plan(&self) -> BTreeMap<String, (String, Option<String>)> {
        let rows = Reader::open(&self.path).unwrap().query("SELECT path, action::VARCHAR, reason FROM plan_view");
        let rows = rows.unwrap().rows.into_iter().map(|row| {
            let [path, action, reason] = row.try_into().unwrap();
            (path.unwrap(), (action.unwrap(), reason))
        });
        rows.collect()
    }
}

#[test]
fn what_is_included_becomes_what_it_would_have_been_without_the_filter() {
    for by in [CompareBy::SizeAndTime, CompareBy::Size, CompareBy::Time, CompareBy::Checksum, CompareBy::Exists] {
        for policy in [ConflictPolicy::Newer, ConflictPolicy::Ask] {
            let scene = scene(by, policy);
            let (statuses, plan) = (scene.statuses(), scene.plan());
            for there in THERE {
                let (mine, reason) = (format!("/d/{there:?}"), Some("filter f:1: it".to_owned()));
                assert_eq!(statuses[&mine], ("excluded_explicit".to_owned(), reason.clone()));
                assert_eq!(plan[&mine], ("exclude".to_owned(), reason));
            }
            let all = Selection::Paths(THERE.map(|there| format!("/d/{there:?}")).to_vec());
            let changed = scene.edit().include(&all).unwrap();
            assert_eq!((changed.nodes, changed.bytes), (4, 28));
            let (statuses, plan) = (scene.statuses(), scene.plan());
            for there in THERE {
                let (mine, kept) = (format!("/d/{there:?}"), format!("/d/kept-{there:?}"));
                assert_eq!(statuses[&mine].0, statuses[&kept].0, "{by:?}, {policy:?}, {there:?}");
                assert_eq!(plan[&mine], plan[&kept], "{by:?}, {policy:?}, {there:?}");
            }
        }
    }
}

#[test]
fn what_was_left_out_is_excluded_and_included_like_anything_else() {
    let scene = scene(CompareBy::SizeAndTime, ConflictPolicy::Newer);
    let before = scene.statuses();
    let error = scene.exclude("/d/Older").unwrap_err();
    assert!(matches!(error, LedgerError::NothingToChange(_)), "{error}");
    // Where all that is around it is excluded as well, it keeps its own reason.
    scene.exclude("/d").unwrap();
    assert_eq!(scene.statuses()["/d/kept-Nothing"].0, "excluded_inherited");
    assert_eq!(scene.statuses()["/d/Nothing"], before["/d/Nothing"]);
    scene.include("/d").unwrap();
    assert_eq!(scene.statuses(), before);
    scene.include("/d/Nothing").unwrap();
    assert_eq!(scene.statuses()["/d/Nothing"].0, "pending");
    scene.exclude("/d/Nothing").unwrap();
    assert_eq!(scene.statuses()["/d/Nothing"].1.as_deref(), Some("not /d/Nothing"));
}

#[test]
fn a_folder_that_was_left_out_is_never_included() {
    let scene = scene(CompareBy::SizeAndTime, ConflictPolicy::Newer);
    let before = scene.statuses();
    let error =
        scene.edit().include(&Selection::Paths(vec!["/d/Older".to_owned(), "/d/cache".to_owned()])).unwrap_err();
    assert!(error.to_string().contains("/d/cache") && error.to_string().contains("filter f:1: it"), "{error}");
    assert!(!error.to_string().contains('\n'));
    assert_eq!(scene.statuses(), before, "and nothing else with it");
    let mark = Selection::Paths(vec!["/d/cache".to_owned()]);
    assert!(matches!(scene.edit().mark_retry(&mark), Err(LedgerError::NothingToChange(_))));
    // Where it is one of many, the others are included.
    let everything = Selection::Where("copy = excluded_explicit".parse().unwrap());
    assert_eq!(scene.edit().include(&everything).unwrap().nodes, 4);
    let left: Vec<_> = scene.statuses().into_iter().filter(|(_, (status, _))| status == "excluded_explicit").collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, "/d/cache");
    assert!(matches!(scene.edit().include(&everything), Err(LedgerError::NotListed { .. })), "nothing else is left");
    // The plan is made again when a sweep ends, and comes to the same.
    let (statuses, plan) = (scene.statuses(), scene.plan());
    let mut writer = open(&scene.path).begin("test", some_time_ns).unwrap();
    writer.plan_in_ranges_of(3);
    drop(writer);
    assert_eq!((scene.statuses(), scene.plan()), (statuses, plan));
}
