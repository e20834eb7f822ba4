//! Names of one file, of which somebody changes one while the others are copied.

use super::*;

/// Names of one file.
fn two_names() -> Scene {
    let mut scene = Scene::new();
    scene.copying.hard_links = true;
    scene.file(Side::Source, "a", &bytes(900, 1)).twin(Side::Source, "b", "a");
    scene.plan(PlanAction::Copy, "a").plan(PlanAction::Copy, "b");
    scene
}

/// The calls before the second name's turn comes, at least.
async fn calls() -> usize {
    carry_out(&two_names(), How::default()).await.calls.len()
}

#[actix::test]
async fn a_name_is_not_made_one_of_a_copy_that_is_out_of_date() {
    tokio::time::pause();
    for number in 0..calls().await {
        let scene = two_names();
        let (path, old, new) = (scene.source("a"), bytes(900, 1), bytes(900, 2));
        let to_write = new.clone();
        let judge = before_call(number, move || write(&path, &to_write, 50));
        let run = carry_out(&scene, How { judge, ..How::default() }).await;
        let there = scene.tree(Side::Destination);
        for result in &run.results {
            let CopyOutcome::Copied(copied) = &result.outcome else { panic!("before call {number}: {result:?}") };
            let entry = &there[Path::new(if result.id == NodeId(10) { "a" } else { "b" })];
            let what = format!("before call {number}, {:?}: {result:?}", run.calls[number]);
            assert!(entry.bytes == old || entry.bytes == new, "{what}");
            assert_eq!(copied.modified_ns, Some(entry.modified_ns), "{what}: it is not what it is said to be");
            check_facts(&scene, copied, entry).unwrap_or_else(|problem| panic!("{what}: {problem}"));
        }
    }
}

#[actix::test]
async fn a_name_is_not_made_one_of_a_file_that_somebody_has_put_in_the_copy_s_place() {
    tokio::time::pause();
    for number in 0..calls().await {
        let scene = two_names();
        let (path, other) = (scene.destination("a"), scene.destination("other"));
        let judge: Judge = Box::new(move |call_number, call| {
            // The moment of linking itself is too late.
            if call_number == number && call.what != "hard_link" && path.exists() {
                write(&other, b"somebody else's", 60);
                std::fs::rename(&other, &path).unwrap();
            }
            Verdict::Go
        });
        let run = carry_out(&scene, How { judge, ..How::default() }).await;
        let what = format!("before call {number}, {:?}", run.calls[number]);
        assert!(run.outcomes().values().all(|&word| word == "copied"), "{what}: {run:#?}");
        assert_eq!(scene.tree(Side::Destination)[Path::new("b")].bytes, bytes(900, 1), "{what}");
    }
}

/// Three Copiers with a hundred names each: a message holds no more.
#[actix::test]
async fn names_of_one_file_that_several_copiers_take_are_names_of_one_file() {
    const FOLDERS: usize = 3;
    const NAMES: usize = 100;
    tokio::time::pause();
    let mut scene = Scene::new();
    scene.copying.hard_links = true;
    scene.file(Side::Source, "x", &bytes(900, 1));
    for folder in 0..FOLDERS {
        let folder = format!("d{folder}");
        scene.make_folder(Side::Source, &folder).make_folder(Side::Destination, &folder);
        for name in 0..NAMES {
            let path = format!("{folder}/{name}");
            scene.twin(Side::Source, &path, "x").plan(PlanAction::Copy, &path);
        }
    }
    let before = scene.tree(Side::Destination);
    let run = carry_out(&scene, How { copiers: FOLDERS, ..How::default() }).await;
    check(&scene, &before, &run).unwrap();
    assert_eq!(twins(&scene.tree(Side::Destination)).len(), FOLDERS * NAMES - 1);
}
