//! The schedule, driven by a ledger and Listers that are a few lines each.

#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]

mod random;

use super::*;
use crate::work::made_up::{folder, found, root};

const ROOMY: ScheduleLimits =
    ScheduleLimits { lead_nodes_max: 1_000, frontier_folders_max: 1_000, in_flight_folders_max: 1_000 };

const NOTHING: [i64; 0] = [];

fn schedule(limits: ScheduleLimits) -> Schedule {
    Schedule::new(limits, ToList::Roots(BySide { src: root(), dst: root() }))
}

fn failed(side: Side, listed: i64) -> RecordedListing {
    RecordedListing { is_complete: false, ..found(side, listed, vec![]) }
}

/// Source folders with these ids.
fn sources(ids: Range<i64>) -> Vec<Folder> {
    ids.map(|id| folder(id, id)).collect()
}

fn ids(folders: &[Folder]) -> Vec<i64> {
    folders.iter().map(|folder| folder.id.0).collect()
}

fn give_out(schedule: &mut Schedule, side: Side) -> Vec<i64> {
    ids(&schedule.give_out(side, usize::MAX))
}

#[test]
fn two_empty_trees_are_over_when_both_roots_are_recorded() {
    let mut schedule = schedule(ROOMY);
    assert_eq!(give_out(&mut schedule, Side::Destination), NOTHING, "the source's root is not recorded");
    assert_eq!(give_out(&mut schedule, Side::Source), [1]);
    assert_eq!(give_out(&mut schedule, Side::Source), NOTHING, "nothing is given out twice");
    schedule.recorded(found(Side::Source, 1, vec![]));
    assert!(!schedule.is_over());
    assert_eq!(give_out(&mut schedule, Side::Destination), [1]);
    assert!(!schedule.is_over());
    schedule.recorded(found(Side::Destination, 1, vec![]));
    assert!(schedule.is_over());
}

#[test]
fn a_source_root_that_failed_blocks_the_destination_root_and_ends_it() {
    let mut schedule = schedule(ROOMY);
    assert_eq!(give_out(&mut schedule, Side::Source), [1]);
    assert_eq!(schedule.take_blocked(), None, "it is not known to have failed");
    schedule.recorded(failed(Side::Source, 1));
    assert_eq!(give_out(&mut schedule, Side::Destination), NOTHING, "there is nothing to match it with");
    assert_eq!(schedule.take_blocked(), Some(root()));
    assert_eq!(schedule.take_blocked(), None);
    assert_eq!(schedule.in_flight(Side::Destination), 1);
    assert!(!schedule.is_over());
    schedule.recorded(failed(Side::Destination, 1));
    assert!(schedule.is_over());
}

#[test]
fn where_every_folder_but_the_root_fails_every_counterpart_is_blocked() {
    let mut schedule = schedule(ROOMY);
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..5)));
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(found(Side::Destination, 1, vec![folder(2, 4), folder(3, 3), folder(4, 2)]));
    assert_eq!(give_out(&mut schedule, Side::Source), [2, 3, 4]);
    (2..5).for_each(|id| schedule.recorded(failed(Side::Source, id)));
    assert_eq!(give_out(&mut schedule, Side::Destination), NOTHING);
    let blocked: Vec<Folder> = std::iter::from_fn(|| schedule.take_blocked()).collect();
    assert_eq!(ids(&blocked), [2, 3, 4]);
    assert!(!schedule.is_over());
    (2..5).for_each(|id| schedule.recorded(failed(Side::Destination, id)));
    assert!(schedule.is_over());
}

#[test]
fn no_more_than_the_cap_is_in_flight() {
    let mut schedule = schedule(ScheduleLimits { in_flight_folders_max: 2, ..ROOMY });
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..7)));
    assert_eq!(ids(&schedule.give_out(Side::Source, 1)), [2]);
    assert_eq!(give_out(&mut schedule, Side::Source), [3]);
    assert_eq!(give_out(&mut schedule, Side::Source), NOTHING);
    schedule.recorded(found(Side::Source, 3, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Source), [4]);
    assert_eq!(schedule.in_flight(Side::Source), 2);
}

#[test]
fn a_destination_folder_waits_for_its_counterpart_and_for_all_source_folders_before_it() {
    let mut schedule = schedule(ROOMY);
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..5)));
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(found(Side::Destination, 1, vec![folder(7, 3), folder(8, 4)]));
    assert_eq!(give_out(&mut schedule, Side::Source), [2, 3, 4]);
    schedule.recorded(found(Side::Source, 3, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Destination), NOTHING, "2 is not recorded");
    schedule.recorded(found(Side::Source, 2, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Destination), [7], "4 is not recorded");
    schedule.recorded(found(Side::Source, 4, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Destination), [8]);
}

#[test]
fn the_source_runs_ahead_of_the_destination_by_no_more_than_the_lead() {
    let mut schedule = schedule(ScheduleLimits { lead_nodes_max: 3, ..ROOMY });
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..12)));
    assert_eq!(give_out(&mut schedule, Side::Source), [2, 3, 4], "the destination's root waits: 1 and three more");
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(found(Side::Destination, 1, vec![folder(2, 4), folder(3, 11)]));
    assert_eq!(give_out(&mut schedule, Side::Source), [5, 6, 7], "4 and three more");
    (2..8).for_each(|id| schedule.recorded(found(Side::Source, id, vec![])));
    assert_eq!(give_out(&mut schedule, Side::Destination), [2]);
    schedule.recorded(found(Side::Destination, 2, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Source), [8, 9, 10, 11], "only 11 is left to be matched");
}

/// Two large folders are listed at a time, so that the pages of one lie between those of the other, and the one whose
/// first page came last is complete first.
#[test]
fn folders_are_given_out_in_id_order_though_a_later_listing_was_complete_first() {
    let mut schedule = schedule(ROOMY);
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..4)));
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 3, sources(6..8)));
    schedule.recorded(RecordedListing {
        side: Side::Source,
        folder: NodeId(2),
        is_complete: true,
        found: FoundFolders { ids: vec![4..6, 8..9], named: Some(vec![folder(4, 4), folder(5, 5), folder(8, 8)]) },
    });
    assert_eq!(give_out(&mut schedule, Side::Source), [4, 5, 6, 7, 8]);
}

/// The same with a destination: as long as 4 and 5 wait, nothing that needs them may go ahead.
#[test]
fn a_destination_folder_waits_for_its_counterpart_though_a_later_source_listing_was_complete_first() {
    let mut schedule = schedule(ROOMY);
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..4)));
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 3, sources(6..8)));
    schedule.recorded(found(Side::Source, 2, sources(4..6)));
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(found(Side::Destination, 1, vec![folder(2, 2)]));
    assert_eq!(give_out(&mut schedule, Side::Destination), [2]);
    schedule.recorded(found(Side::Destination, 2, vec![folder(3, 5)]));
    assert_eq!(give_out(&mut schedule, Side::Destination), NOTHING, "source folder 5 has not even been given out");
}

#[test]
fn the_lead_holds_while_the_destination_s_next_folders_are_being_pulled() {
    let mut schedule =
        schedule(ScheduleLimits { lead_nodes_max: 2, frontier_folders_max: 2, in_flight_folders_max: 9 });
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..4)));
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 2, vec![]));
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(RecordedListing {
        side: Side::Destination,
        folder: NodeId(1),
        is_complete: true,
        found: FoundFolders { ids: vec![2..4], named: None },
    });
    assert_eq!(schedule.next_pull(Side::Destination), Some(2..4));
    schedule.recorded(found(Side::Source, 3, sources(50..52)));
    assert_eq!(give_out(&mut schedule, Side::Source), NOTHING, "the destination has folders 2 and 3 before it");
}

/// The first source folders are left in the ledger, those behind them are in memory, as many as there is room for, and
/// out of the lead's reach until the first ones are matched.
#[test]
fn the_first_folders_are_pulled_though_there_is_no_room_for_them() {
    let mut schedule =
        schedule(ScheduleLimits { lead_nodes_max: 1, frontier_folders_max: 2, in_flight_folders_max: 9 });
    give_out(&mut schedule, Side::Source);
    schedule.recorded(found(Side::Source, 1, sources(2..4)));
    give_out(&mut schedule, Side::Destination);
    schedule.recorded(found(Side::Destination, 1, vec![folder(2, 2), folder(3, 3)]));
    assert_eq!(give_out(&mut schedule, Side::Source), [2, 3]);
    schedule.recorded(found(Side::Source, 3, sources(7..9)));
    schedule.recorded(found(Side::Source, 2, sources(4..7)));
    assert_eq!(give_out(&mut schedule, Side::Destination), [2, 3]);
    schedule.recorded(found(Side::Destination, 2, vec![folder(4, 4)]));
    schedule.recorded(found(Side::Destination, 3, vec![]));
    assert_eq!(give_out(&mut schedule, Side::Source), NOTHING, "4 is next on the destination");
    assert_eq!(schedule.next_pull(Side::Source), Some(4..7));
    schedule.pulled(Side::Source, &(4..7), sources(4..7));
    assert_eq!(give_out(&mut schedule, Side::Source), [4, 5]);
}

#[test]
#[should_panic(expected = "was not given out")]
fn what_was_not_given_out_cannot_be_recorded() {
    schedule(ROOMY).recorded(found(Side::Source, 1, vec![]));
}
