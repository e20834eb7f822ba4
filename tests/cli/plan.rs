//! `plan`.

use crate::program::Place;

#[test]
fn it_says_what_runs_in_totals_and_in_items() {
    let place = Place::new();
    place.file_on_both("there", "1");
    place.file("src/a_b/new", "22");
    place.file("src/aXb/new", "333");
    place.file("src/a_bc", "4444");
    assert_eq!(place.discover(&[]).code, Some(0));
    let plan = |arguments: &[&str]| {
        let said = place.on_ledger(&[&["plan", "--format", "csv"], arguments].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(plan(&[]), ["create_folder,2,0", "copy,3,9", "already_existed,1,1"]);
    assert_eq!(plan(&["--under", "/a_b"]), ["create_folder,folder,,/a_b,", "copy,file,2,/a_b/new,"]);
    assert_eq!(plan(&["--action", "already_existed"]), ["already_existed,file,1,/there,it is there already"]);
    assert_eq!(plan(&["--action", "copy", "--limit", "1"]), ["copy,file,3,/aXb/new,"]);
    assert_eq!(plan(&["--under", "/"]).len(), 6);
}

#[test]
fn there_is_none_without_a_ledger_and_no_action_of_any_name() {
    let place = Place::new();
    let said = place.on_ledger(&["plan"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("does not exist"), "{}", said.err);
    let said = place.on_ledger(&["plan", "--action", "delete"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("choose one of create_folder, copy"), "{}", said.err);
}
