//! What a client reports about an entry, in our terms.

use longhaul_model::NodeKind;
use opendal::{EntryMode, Metadata};

use super::times;
use crate::folder::Facts;

pub(super) fn facts_of(metadata: &Metadata) -> Facts {
    let (kind, size) = match metadata.mode() {
        EntryMode::FILE => (NodeKind::File, i64::try_from(metadata.content_length()).ok()),
        EntryMode::DIR => (NodeKind::Folder, None),
        EntryMode::Unknown => (NodeKind::Other, None),
    };
    let modified_ns = times::from_metadata(metadata).or_else(|| times::written_ns(metadata));
    Facts { kind, size, modified_ns, mode: None, owner: None, shared: None }
}
