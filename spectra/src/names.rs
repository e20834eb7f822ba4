//! Names: what generated nodes are called, and the order in which a folder's entries are listed.
//!
//! A listing goes through `folder_1`, `folder_2`, …, then `file_1.txt`, `file_2.txt`, …, then all other names by
//! their bytes. The order is of names alone, whether generated or written, file or folder; so the last name of a page
//! says where the next one begins, whatever was written in between.

use std::cmp::Ordering;

use crate::listing::NodeKind;

const FOLDER_PREFIX: &[u8] = b"folder_";
const FILE_PREFIX: &[u8] = b"file_";
const FILE_SUFFIX: &[u8] = b".txt";

/// A place in the order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank<'a> {
    /// A name of the form of generated ones: of which kind, and with which number from 1.
    Numbered(NodeKind, u32),
    /// Any other name.
    Other(&'a [u8]),
}

impl<'a> Rank<'a> {
    /// The place of a name. Numbers as generated names have them only: without leading zeros, from 1.
    pub(crate) fn of(name: &'a [u8]) -> Self {
        let numbered = if let Some(digits) = name.strip_prefix(FOLDER_PREFIX) {
            number(digits).map(|number| Self::Numbered(NodeKind::Folder, number))
        } else if let Some(rest) = name.strip_prefix(FILE_PREFIX) {
            rest.strip_suffix(FILE_SUFFIX).and_then(number).map(|number| Self::Numbered(NodeKind::File, number))
        } else {
            None
        };
        numbered.unwrap_or(Self::Other(name))
    }

    /// A form whose bytes sort as the ranks do.
    pub(crate) fn append_sortable(self, out: &mut Vec<u8>) {
        match self {
            Self::Numbered(kind, number) => {
                out.push(class_of(kind));
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Other(name) => {
                out.push(2);
                out.extend_from_slice(name);
            }
        }
    }

    /// The inverse of [`Rank::append_sortable`]; `None` for what that cannot have made.
    pub(crate) fn from_sortable(bytes: &'a [u8]) -> Option<Self> {
        let (class, rest) = bytes.split_first()?;
        match class {
            0 => Some(Self::Numbered(NodeKind::Folder, u32::from_be_bytes(rest.try_into().ok()?))),
            1 => Some(Self::Numbered(NodeKind::File, u32::from_be_bytes(rest.try_into().ok()?))),
            2 => Some(Self::Other(rest)),
            _ => None,
        }
    }

    /// Appends the name itself.
    pub(crate) fn append_name(self, out: &mut Vec<u8>) {
        match self {
            Self::Numbered(kind, number) => append_numbered(out, kind, number),
            Self::Other(name) => out.extend_from_slice(name),
        }
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Numbered(kind, number), Self::Numbered(other_kind, other_number)) => {
                (class_of(*kind), number).cmp(&(class_of(*other_kind), other_number))
            }
            (Self::Numbered(..), Self::Other(_)) => Ordering::Less,
            (Self::Other(_), Self::Numbered(..)) => Ordering::Greater,
            (Self::Other(name), Self::Other(other_name)) => name.cmp(other_name),
        }
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

const fn class_of(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Folder => 0,
        NodeKind::File => 1,
    }
}

/// Appends `folder_N` or `file_N.txt`. On the path of every listed node: no formatting machinery.
pub(crate) fn append_numbered(out: &mut Vec<u8>, kind: NodeKind, number: u32) {
    let mut digits = [0_u8; 10];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).expect("a decimal digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    match kind {
        NodeKind::Folder => {
            out.extend_from_slice(FOLDER_PREFIX);
            out.extend_from_slice(&digits[start..]);
        }
        NodeKind::File => {
            out.extend_from_slice(FILE_PREFIX);
            out.extend_from_slice(&digits[start..]);
            out.extend_from_slice(FILE_SUFFIX);
        }
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits[0] == b'0' || digits.len() > 10 {
        return None;
    }
    let mut number = 0_u32;
    for digit in digits {
        let value = digit.checked_sub(b'0').filter(|value| *value <= 9)?;
        number = number.checked_mul(10)?.checked_add(u32::from(value))?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_very_form_of_generated_names_counts_as_numbered() {
        assert_eq!(Rank::of(b"folder_1"), Rank::Numbered(NodeKind::Folder, 1));
        assert_eq!(Rank::of(b"file_4294967295.txt"), Rank::Numbered(NodeKind::File, u32::MAX));
        for other in [
            "folder_0",
            "folder_01",
            "folder_",
            "folder_+1",
            "folder_1 ",
            "file_1",
            "file_.txt",
            "file_1.txt.txt",
            "folder_4294967296",
            "folder_99999999999",
            "Folder_1",
            "file_1.TXT",
            "",
        ] {
            assert_eq!(Rank::of(other.as_bytes()), Rank::Other(other.as_bytes()), "{other}");
        }
    }

    fn a_name() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            (1_u32..2000).prop_map(|number| format!("folder_{number}").into_bytes()),
            (1_u32..2000).prop_map(|number| format!("file_{number}.txt").into_bytes()),
            proptest::collection::vec(1_u8.., 1..12),
        ]
    }

    proptest! {
        #[test]
        fn a_name_survives_being_ranked_and_stored(name in a_name()) {
            let mut sortable = Vec::new();
            Rank::of(&name).append_sortable(&mut sortable);
            let mut restored = Vec::new();
            Rank::from_sortable(&sortable).unwrap().append_name(&mut restored);
            prop_assert_eq!(restored, name);
        }

        #[test]
        fn stored_ranks_sort_as_ranks_do(left in a_name(), right in a_name()) {
            let (mut stored_left, mut stored_right) = (Vec::new(), Vec::new());
            Rank::of(&left).append_sortable(&mut stored_left);
            Rank::of(&right).append_sortable(&mut stored_right);
            prop_assert_eq!(Rank::of(&left).cmp(&Rank::of(&right)), stored_left.cmp(&stored_right));
        }
    }
}
