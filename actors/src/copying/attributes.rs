//! The attributes that a copy gets: time, permissions, owner and extended attributes.

use std::borrow::Cow;

use longhaul_model::Side;
use longhaul_storage::{Attributes, Facts, Folder};

use super::context::{AtSide, Attempt, CopyContext};

impl CopyContext {
    /// Whether users and groups are preserved.
    pub(super) fn preserves_owner(&self) -> bool {
        self.copying.owner && self.keeps(Side::Destination).owner
    }

    /// The attributes that the copy of a source entry gets. `name` is empty for the folder itself.
    pub(super) async fn attributes(&self, folder: &dyn Folder, name: &[u8], facts: &Facts) -> Attempt<Attributes> {
        let extended = if self.copying.extended && self.keeps(Side::Source).extended {
            folder.extended_attributes(name).await.at_side(Side::Source)?
        } else {
            Vec::new()
        };
        // An owner that the new entry has anyway is set only if special bits depend on it.
        let new_owner = self.keeps(Side::Destination).new_owner.filter(|_| facts.mode.is_some_and(is_special));
        Ok(Attributes {
            modified_ns: facts.modified_ns,
            mode: facts.mode,
            owner: facts.owner.filter(|&owner| self.preserves_owner() || Some(owner) == new_owner),
            extended,
        })
    }
}

/// The bits with which a program runs as the user, or in the group, that it belongs to.
const SPECIAL_BITS: u32 = 0o6000;

fn is_special(mode: u32) -> bool {
    mode & SPECIAL_BITS != 0
}

/// The attributes that may be set on a file or folder, and whether special bits were dropped.
///
/// A set-user bit that was about one user would be about another one: copying somebody else's program as root would
/// give everybody the rights of root. So these bits go with the owner, or not at all. If both are set, a store sets the
/// owner first, and fails if it cannot.
pub(super) fn without_foreign_bits(attributes: &Attributes) -> (Cow<'_, Attributes>, bool) {
    match attributes.mode {
        Some(mode) if attributes.owner.is_none() && is_special(mode) => {
            (Cow::Owned(Attributes { mode: Some(mode & !SPECIAL_BITS), ..attributes.clone() }), true)
        }
        _ => (Cow::Borrowed(attributes), false),
    }
}
