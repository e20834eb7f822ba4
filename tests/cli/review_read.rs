//! `find` and `tree`.

use crate::program::{Place, Said};

/// A source with a folder that is on both sides, one that is not, and files of several sizes.
fn discovered() -> Place {
    let place = Place::new();
    place.file_on_both("both/there", "1");
    place.file("src/both/new.tmp", "22");
    place.file("src/a_b/big", &"x".repeat(2048));
    place.file("src/aXb/new.tmp", "333");
    place.file("src/a_bc", "4444");
    place.file("dst/both/only", "5");
    assert_eq!(place.discover(&[]).code, Some(0));
    place
}

fn rows(said: &Said) -> Vec<String> {
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn nodes_are_found_by_what_they_are_and_where() {
    let place = discovered();
    let paths = |arguments: &[&str]| {
        let said = place.on_ledger(&[&["find", "--format", "csv"], arguments].concat());
        rows(&said).iter().map(|row| row.split(',').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        paths(&[]),
        ["/", "/aXb", "/aXb/new.tmp", "/a_b", "/a_b/big", "/a_bc", "/both", "/both/new.tmp", "/both/there"]
    );
    assert_eq!(paths(&["kind = file and size > 1k"]), ["/a_b/big"]);
    assert_eq!(paths(&["under /a_b"]), ["/a_b", "/a_b/big"]);
    assert_eq!(paths(&["--name", "*.tmp", "--under", "/both"]), ["/both/new.tmp"]);
    assert_eq!(paths(&["--copy", "already_existed", "--kind", "file"]), ["/both/there"]);
    assert_eq!(paths(&["--kind", "file", "--sort", "size", "--reverse", "--limit", "2"]), ["/a_b/big", "/a_bc"]);
    assert_eq!(paths(&["side = dst and traversal = not_on_src"]), ["/both/only"]);
    assert_eq!(paths(&["--side", "dst", "--kind", "file"]), ["/both/only", "/both/there"]);
    assert_eq!(paths(&["modified > 30d ago and modified < 1h"]), Vec::<String>::new());
}

#[test]
fn what_is_found_comes_as_a_table_csv_or_json() {
    let place = discovered();
    let find = |format| place.on_ledger(&["find", "path = /both/there", "--format", format]);
    let modified = "2020-09-13T12:26:40.123456789Z";
    assert_eq!(
        find("csv").out,
        format!(
            "path,kind,size,modified,traversal_status,copy_status,action,error\n\
             /both/there,file,1,{modified},successful,already_existed,already_existed,\n"
        )
    );
    assert!(find("json").out.contains("\"copy_status\": \"already_existed\""));
    assert!(find("table").out.contains("already_existed"));
    assert_eq!(find("csv").err, "found: 1\n");
}

#[test]
fn a_page_says_how_to_come_to_the_next() {
    let place = discovered();
    let mut after = Vec::new();
    let mut found = Vec::new();
    loop {
        let arguments: Vec<&str> = after.iter().map(String::as_str).collect();
        let said =
            place.on_ledger(&[&["find", "--sort", "name", "--limit", "4", "--format", "csv"][..], &arguments].concat());
        found.extend(rows(&said));
        match said.err.split_once("--after ") {
            Some((of, id)) => {
                assert_eq!(of, "4 of 9 nodes; the next ones with ");
                after = vec!["--after".to_owned(), id.trim().to_owned()];
            }
            None => break,
        }
    }
    assert_eq!(found.len(), 9);
    let mut names: Vec<String> =
        found.into_iter().map(|row| row.split(',').next().unwrap_or_default().to_owned()).collect();
    let in_order: Vec<&str> = names.iter().map(|path| path.rsplit('/').next().unwrap_or_default()).collect();
    assert!(in_order.is_sorted(), "{in_order:?}");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 9);
}

#[test]
fn a_condition_that_is_none_is_shown_with_a_caret_under_the_place() {
    let place = discovered();
    let said = place.on_ledger(&["find", "kind = file and sise > 10M"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("longhaul: condition, at character 17: there is no field `sise`"), "{}", said.err);
    assert!(said.err.ends_with("\n  kind = file and sise > 10M\n                  ^\n"), "{}", said.err);
    assert_eq!(said.out, "");
    let said = place.on_ledger(&["find", "--side", "dst", "--copy", "failed"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("only nodes of the source"), "{}", said.err);
    let said = place.on_ledger(&["find", "--under", "both"]);
    assert!(said.err.contains("a path begins with /"), "{}", said.err);
    assert_eq!(place.on_ledger(&["find", "--kind", "door"]).code, Some(2));
}

#[test]
fn both_sides_are_one_tree_with_what_is_below_in_numbers() {
    let place = discovered();
    let said = place.on_ledger(&["tree", "--format", "csv"]);
    let mut table = csv::Reader::from_reader(said.out.as_bytes());
    let columns: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let shown = |row: usize| {
        ["path", "on", "nodes", "bytes", "pending", "already_existed", "dst_nodes", "not_on_src"]
            .map(|column| rows[row][columns.iter().position(|name| name == column).unwrap()].to_owned())
            .join(" ")
    };
    assert_eq!(rows.len(), 5);
    assert_eq!(shown(0), "/ both 9 2058 6 3 4 1");
    assert_eq!(shown(1), "/aXb src 2 3 2 0 0 0");
    assert_eq!(shown(2), "/a_b src 2 2048 2 0 0 0");
    assert_eq!(shown(3), "/a_bc src 1 4 1 0 0 0");
    assert_eq!(shown(4), "/both both 3 3 1 2 3 1");
    let said = place.on_ledger(&["tree", "/both", "--depth", "2"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<Vec<&str>> = said.out.lines().map(|line| line.split_whitespace().take(4).collect()).collect();
    assert_eq!(lines[1], ["/both", "folder", "both", "already_existed"]);
    assert_eq!(lines[2], ["/both/new.tmp", "file", "src", "pending"]);
    assert_eq!(lines[3], ["/both/only", "file", "dst", "not_on_src"]);
    assert_eq!(lines[4], ["/both/there", "file", "both", "already_existed"]);
    let said = place.on_ledger(&["tree", "--limit", "2"]);
    assert_eq!(said.err, "2 rows, and there are more: --offset 2\n");
}

#[test]
fn a_path_that_does_not_exist_is_answered_with_the_nearest_that_does() {
    let place = discovered();
    for (path, nearest) in [("/a_b/no/such", "/a_b"), ("/a_bc/x", "/a_bc"), ("/A_B", "/")] {
        let said = place.on_ledger(&["tree", path]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.trim_end().ends_with(nearest), "{path}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1);
    }
    let said = place.run(&["tree", "--ledger", "none.duckdb"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("does not exist"), "{}", said.err);
}
