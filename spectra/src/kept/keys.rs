//! Keys of records: world, folder, NUL, and the name in the form that sorts as listings do. No name has a NUL in it,
//! so a folder's entries are neighbours, in the order in which they are listed.

use crate::mixing::{mix, mix_bytes};
use crate::names::Rank;
use crate::path::NodePath;

/// Key of the entry `rank` in `folder`.
pub(super) fn record_key(world: u8, folder: NodePath<'_>, rank: Rank<'_>) -> Vec<u8> {
    let mut key = folder_key(world, folder);
    rank.append_sortable(&mut key);
    key
}

/// What the keys of all entries of `folder` begin with.
pub(super) fn folder_key(world: u8, folder: NodePath<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(folder.as_prefix().len() + 24);
    key.push(world);
    key.extend_from_slice(folder.as_prefix());
    key.push(0);
    key
}

/// What the keys of all entries further below `folder` begin with.
pub(super) fn descendants_key(world: u8, folder: NodePath<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(folder.as_prefix().len() + 24);
    key.push(world);
    key.extend_from_slice(folder.as_prefix());
    key.push(b'/');
    key
}

/// The first key behind all that begin with `prefix`. Prefixes end in NUL or a slash, so there is always one.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    *end.last_mut().expect("a prefix has an end") += 1;
    end
}

/// The world and the folder of a record's key.
pub(super) fn folder_of(key: &[u8]) -> Option<(u8, &[u8])> {
    let (&world, rest) = key.split_first()?;
    let nul = rest.iter().position(|byte| *byte == 0)?;
    Some((world, &rest[..nul]))
}

/// The name in a record's key, given the length of the folder's part.
pub(super) fn rank_in(key: &[u8], folder_key_length: usize) -> Option<Rank<'_>> {
    Rank::from_sortable(key.get(folder_key_length..)?)
}

/// A short stand-in for a folder, for the set of folders that have records. Two folders with the same one cost a
/// needless look into the database, nothing else.
pub(super) fn folder_mark(world: u8, folder: &[u8]) -> u64 {
    mix_bytes(mix(0, u64::from(world)), folder)
}
