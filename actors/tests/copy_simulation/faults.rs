//! What goes wrong with the stores.

use std::time::Duration;

use longhaul_actors::Tuning;
use longhaul_ledger::CopySettings;
use longhaul_model::{BySide, ErrorClass, Side};

use super::dice::Dice;
use super::disk::{Disk, Entry};
use super::trees::folders;
use super::world::{Fault, Operation};

use Side::{Destination, Source};

/// What goes wrong while it is copied. No node has more than one fault of its own.
pub(crate) fn random_faults(
    dice: &mut Dice,
    disks: &BySide<Disk>,
    tuning: &Tuning,
    copying: &CopySettings,
) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let nodes: Vec<_> = disks.src.entries().collect();
    for _ in 0..dice.pick(&[0, 0, 1, 2, 5]) {
        if nodes.is_empty() {
            break;
        }
        let (path, entry) = nodes[dice.count(0, nodes.len() - 1)];
        if faults.iter().any(|fault| fault.path.as_deref() == Some(path)) {
            continue;
        }
        let may_last = tuning.give_up_after.is_none();
        let fault = if dice.chance(50) {
            passing(dice, tuning, path, &operations_on(entry))
        } else {
            let is_shared = copying.hard_links && disks.src.facts(path).is_some_and(|facts| facts.shared.is_some());
            Some(lasting(dice, path, entry, is_shared, may_last))
        };
        faults.extend(fault);
    }
    if dice.chance(25) {
        faults.push(suspending(dice, disks, tuning));
    }
    faults
}

/// What goes wrong while it is verified, and passes, or is repaired.
pub(crate) fn while_verifying(dice: &mut Dice, disks: &BySide<Disk>, tuning: &Tuning) -> Vec<Fault> {
    let mut faults = Vec::new();
    for side in Side::BOTH {
        for path in folders(disks, side) {
            if dice.chance(5) {
                faults.extend(passing(dice, tuning, &path, &[(side, Operation::List), (side, Operation::OpenFolder)]));
            }
        }
    }
    if dice.chance(15) {
        faults.push(suspending(dice, disks, tuning));
    }
    faults
}

/// What is done about a node of this kind on either side.
fn operations_on(entry: &Entry) -> Vec<(Side, Operation)> {
    match entry {
        Entry::Folder { .. } => vec![
            (Source, Operation::Look),
            (Source, Operation::OpenFolder),
            (Source, Operation::FactsOfFolder),
            (Destination, Operation::OpenFolder),
            (Destination, Operation::CreateFolder),
            (Destination, Operation::SetAttributes),
        ],
        Entry::File(_) => vec![
            (Source, Operation::Open),
            (Source, Operation::Read),
            (Source, Operation::Facts),
            (Destination, Operation::Look),
            (Destination, Operation::Create),
            (Destination, Operation::Finish),
            (Destination, Operation::HardLink),
        ],
        Entry::Symlink { .. } => vec![
            (Source, Operation::Look),
            (Source, Operation::ReadLink),
            (Destination, Operation::Look),
            (Destination, Operation::CreateLink),
        ],
        Entry::Other { .. } => vec![(Source, Operation::Look)],
    }
}

/// One that is over before all attempts are, even along with that of the folder.
fn passing(dice: &mut Dice, tuning: &Tuning, path: &[u8], operations: &[(Side, Operation)]) -> Option<Fault> {
    let (side, operation) = dice.pick(operations);
    let times = (tuning.attempts_max.min(8) / 2).checked_sub(1).filter(|&times| times > 0)?;
    Some(Fault {
        side,
        operation: Some(operation),
        path: Some(path.to_vec()),
        class: dice.pick(&[ErrorClass::Transient, ErrorClass::Throttled]),
        spared: 0,
        times: Some(u32::try_from(dice.between(1, times.into())).expect("it is small")),
        retry_after: dice.chance(30).then(|| Duration::from_millis(dice.pick(&[1, 40, 900]))),
        suspends: false,
    })
}

/// One that stays, at the first thing that is done about a node, so that it is told what becomes of it.
fn lasting(dice: &mut Dice, path: &[u8], entry: &Entry, is_shared: bool, may_be_retried: bool) -> Fault {
    let mut operations = match entry {
        Entry::Folder { .. } => vec![
            (Source, Operation::Look),
            (Source, Operation::OpenFolder),
            (Destination, Operation::CreateFolder),
            (Destination, Operation::OpenFolder),
        ],
        Entry::File(_) => vec![(Source, Operation::Open)],
        Entry::Symlink { .. } => vec![(Source, Operation::Look), (Destination, Operation::CreateLink)],
        Entry::Other { .. } => vec![(Source, Operation::Look)],
    };
    if matches!(entry, Entry::File(_)) && !is_shared {
        operations.push((Destination, Operation::Create));
    }
    let (side, operation) = dice.pick(&operations);
    let mut classes = vec![ErrorClass::Denied, ErrorClass::Denied, ErrorClass::BadName];
    if side == Source {
        classes.push(ErrorClass::Vanished);
    }
    if may_be_retried {
        classes.push(ErrorClass::Transient);
    }
    Fault {
        side,
        operation: Some(operation),
        path: Some(path.to_vec()),
        class: dice.pick(&classes),
        spared: 0,
        times: None,
        retry_after: None,
        suspends: false,
    }
}

/// One for which going on makes no sense.
fn suspending(dice: &mut Dice, disks: &BySide<Disk>, tuning: &Tuning) -> Fault {
    let anything = Fault {
        side: dice.pick(&Side::BOTH),
        operation: None,
        path: None,
        class: ErrorClass::Denied,
        spared: 0,
        times: None,
        retry_after: None,
        suspends: true,
    };
    let full = Fault { side: Destination, class: ErrorClass::NoSpace, ..anything.clone() };
    match dice.between(0, 5) {
        0 => {
            let operation = dice.pick(&[Operation::Write, Operation::Create, Operation::CreateFolder]);
            Fault { operation: Some(operation), spared: dice.pick(&[0, 3, 9]), ..full }
        }
        1 => Fault { operation: Some(Operation::Finish), ..full },
        2 => {
            let (class, spared) = (dice.pick(&[full.class, ErrorClass::Fatal]), dice.pick(&[0, 1, 2, 3]));
            Fault { operation: Some(Operation::Flush), class, spared, ..full }
        }
        3 if tuning.give_up_after.is_some() => Fault { class: ErrorClass::Transient, ..anything },
        4 => {
            let path = disks.src.entries().map(|(path, _)| path.clone()).last();
            Fault { path, class: ErrorClass::Fatal, ..anything }
        }
        _ => anything,
    }
}
