//! What comes back from recording: ids, folders, and when.

#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]

use longhaul_model::{decode_name, encode_name};
use proptest::prelude::*;

use super::*;

fn folder_names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("f{number}/")).collect()
}

fn record_many(writer: &mut DiscoverWriter, side: Side, folder: &Folder, count: usize) -> FoundFolders {
    let names = folder_names(count);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut answers = writer.record_page(side, listed(folder, page(&names), true)).unwrap();
    answers.extend(writer.match_recorded().unwrap());
    answers.pop().unwrap().found
}

#[test]
fn more_folders_than_an_answer_can_name_are_pulled_by_their_ids() {
    let mut writer = in_memory();
    for side in Side::BOTH {
        let found = record_many(&mut writer, side, &root(), NAMED_FOLDERS_MAX + 1);
        let last = i64::try_from(NAMED_FOLDERS_MAX).unwrap() + 2;
        assert_eq!(found, FoundFolders { ids: vec![2..last + 1], named: None });
        let pulled = writer.pull_folders(side, &found.ids[0]).unwrap();
        assert_eq!(pulled.len(), NAMED_FOLDERS_MAX + 1);
        for (number, folder) in pulled.iter().enumerate() {
            let id = NodeId(2).plus(number);
            assert_eq!(folder, &Folder { id, source_id: id, path: format!("/f{number}"), depth: 1 });
        }
        let some = writer.pull_folders(side, &(5..9)).unwrap();
        assert_eq!(some, pulled[3..7]);
    }
}

#[test]
fn as_many_folders_as_an_answer_can_name_are_named() {
    let found = record_many(&mut in_memory(), Side::Source, &root(), NAMED_FOLDERS_MAX);
    assert_eq!(found.named.unwrap().len(), NAMED_FOLDERS_MAX);
}

#[test]
fn only_folders_that_the_source_has_are_to_be_listed_on_the_destination() {
    let mut writer = in_memory();
    record(&mut writer, Side::Source, &root(), &["a/", "b", "c/"]);
    let found = record(&mut writer, Side::Destination, &root(), &["x/", "c/", "b/", "a"]);
    let c = Folder { id: NodeId(3), source_id: NodeId(4), path: "/c".to_owned(), depth: 1 };
    assert_eq!(found, [c]);
}

#[test]
fn a_listing_is_answered_when_its_last_page_is_recorded_with_the_ids_of_all_its_pages() {
    let mut writer = in_memory();
    let folders = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    let (a, b) = (&folders[0], &folders[1]);
    let source = Side::Source;
    assert_eq!(writer.record_page(source, listed(a, page(&["1/", "2"]), false)).unwrap(), []);
    assert_eq!(writer.record_page(source, listed(b, page(&["3/"]), false)).unwrap(), []);
    assert_eq!(writer.record_page(source, listed(a, page(&["4"]), false)).unwrap(), []);
    assert_eq!(writer.record_page(source, listed(a, page(&["5/"]), false)).unwrap(), []);
    let answers = writer.record_page(source, listed(a, Page::default(), true)).unwrap();
    let named = |id: i64, path: &str| Folder { id: NodeId(id), source_id: NodeId(id), path: path.to_owned(), depth: 2 };
    let found = FoundFolders { ids: vec![4..6, 7..9], named: Some(vec![named(4, "/a/1"), named(8, "/a/5")]) };
    assert_eq!(answers, [RecordedListing { side: source, folder: a.id, is_complete: true, found }]);
    let answers = writer.record_failure(source, failure(b, ErrorClass::Denied, "no", 1)).unwrap();
    let found = FoundFolders { ids: vec![6..7], named: Some(vec![named(6, "/b/3")]) };
    assert_eq!(answers, [RecordedListing { side: source, folder: b.id, is_complete: false, found }]);
}

/// One page is matched in memory, the next by the join, which comes later: the answer has both, in order.
#[test]
fn a_destination_listing_whose_pages_are_matched_in_both_ways_is_answered_once_and_in_order() {
    let mut writer = in_memory();
    record(&mut writer, Side::Source, &root(), &["a/", "b/", "c/", "d/"]);
    let destination = Side::Destination;
    assert_eq!(writer.record_page(destination, listed(&root(), page(&["a/"]), false)).unwrap(), []);
    assert!(!writer.has_unmatched(), "matched in memory");
    writer.forget_recent();
    assert_eq!(writer.record_page(destination, listed(&root(), page(&["b/"]), false)).unwrap(), []);
    assert!(writer.has_unmatched(), "waits for the join");
    assert_eq!(writer.match_recorded().unwrap(), []);
    assert_eq!(writer.record_page(destination, listed(&root(), page(&["c/"]), false)).unwrap(), []);
    assert_eq!(writer.record_page(destination, listed(&root(), page(&["d/"]), true)).unwrap(), []);
    let answers = writer.match_recorded().unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].found.ids, vec![2..6]);
    let folders = answers[0].found.named.as_ref().unwrap();
    assert_eq!(folders.iter().map(|folder| folder.path.as_str()).collect::<Vec<_>>(), ["/a", "/b", "/c", "/d"]);
    assert!(folders.iter().all(|folder| folder.id == folder.source_id));
}

#[test]
fn the_most_destination_rows_that_may_wait_are_matched_without_being_asked_for() {
    let mut writer = in_memory();
    record(&mut writer, Side::Source, &root(), &["f7/"]);
    writer.forget_recent();
    let names = folder_names(MATCH_ROWS_MAX);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answers = writer.record_page(Side::Destination, listed(&root(), page(&names), true)).unwrap();
    assert_eq!(answers[0].found.named.as_ref().unwrap().len(), 1);
    assert!(!writer.has_unmatched());
}

#[test]
fn ids_are_given_out_in_the_order_in_which_nodes_are_recorded() {
    let mut writer = in_memory();
    let folders = record(&mut writer, Side::Source, &root(), &["b/", "x", "a/"]);
    record(&mut writer, Side::Source, &folders[1], &["2", "1"]);
    record(&mut writer, Side::Source, &folders[0], &["3"]);
    writer.commit().unwrap();
    let found = writer.query("SELECT id::VARCHAR, path, parent_id::VARCHAR FROM src_status ORDER BY id");
    let found: Vec<Vec<&str>> = found.iter().map(|row| row.iter().flatten().map(String::as_str).collect()).collect();
    let expected: [&[&str]; 7] = [
        &["1", "/"],
        &["2", "/b", "1"],
        &["3", "/x", "1"],
        &["4", "/a", "1"],
        &["5", "/a/2", "4"],
        &["6", "/a/1", "4"],
        &["7", "/b/3", "2"],
    ];
    assert_eq!(found, expected);
}

/// Any bytes that can be a name.
fn names() -> impl Strategy<Value = std::collections::BTreeSet<Vec<u8>>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\\\n\r\t'\"%_$;-\x00\x7f\xff\xc3\xa9ab".to_vec()),];
    let name = prop::collection::vec(byte.prop_filter("no slash", |&byte| byte != b'/'), 1..40);
    prop::collection::btree_set(name, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, ..ProptestConfig::default() })]

    #[test]
    fn names_of_any_bytes_come_back_as_they_were_and_are_matched(names in names(), by_join in any::<bool>()) {
        let mut writer = in_memory();
        let mut all = Page::default();
        for name in &names {
            all.push(name, NodeKind::Folder, None, None);
        }
        writer.record_page(Side::Source, listed(&root(), all.clone(), true)).unwrap();
        if by_join {
            writer.forget_recent();
        }
        let mut answers = writer.record_page(Side::Destination, listed(&root(), all, true)).unwrap();
        answers.extend(writer.match_recorded().unwrap());
        let found = answers.pop().unwrap().found;
        prop_assert_eq!(found.named.as_ref().unwrap().len(), names.len());
        writer.commit().unwrap();
        let stored = writer.query("SELECT name, path FROM dst_status WHERE id > 1 ORDER BY id");
        for (((name, row), folder), number) in names.iter().zip(&stored).zip(found.named.unwrap()).zip(2..) {
            let printable = row[0].as_deref().unwrap();
            prop_assert_eq!(printable, encode_name(name));
            prop_assert_eq!(&decode_name(printable).unwrap(), name);
            let path = [b"/".as_slice(), name].concat();
            prop_assert_eq!(&decode_name(row[1].as_deref().unwrap()).unwrap(), &path);
            prop_assert_eq!(&decode_name(&folder.path).unwrap(), &path);
            prop_assert_eq!((folder.id, folder.source_id), (NodeId(number), NodeId(number)));
        }
    }
}
