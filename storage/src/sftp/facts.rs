//! What the protocol says of an entry and is told of one, in our terms.

use longhaul_model::{ErrorClass, NodeKind};
use openssh_sftp_client::UnixTimeStamp;
use openssh_sftp_client::metadata::{MetaData, MetaDataBuilder, Permissions};

use crate::error::StoreError;
use crate::folder::{Attributes, Facts};

pub(super) fn facts_of(found: &MetaData) -> Facts {
    let kind = match found.file_type() {
        Some(kind) if kind.is_file() => NodeKind::File,
        Some(kind) if kind.is_dir() => NodeKind::Folder,
        Some(kind) if kind.is_symlink() => NodeKind::Symlink,
        _ => NodeKind::Other,
    };
    let has_size = kind.is_file_or_link();
    Facts {
        kind,
        size: found.len().filter(|_| has_size).and_then(|size| i64::try_from(size).ok()),
        modified_ns: found.modified().map(|at| i64::from(at.into_raw()) * 1_000_000_000),
        mode: found.permissions().map(|permissions| permissions.as_raw().bits() & 0o7777),
        owner: found.uid().zip(found.gid()),
        shared: None,
    }
}

/// The owner as the protocol has it. Set before everything else: some bits of the mode do not survive another owner, and
/// of what is set at once the server sets the owner last.
pub(super) fn owner_of(attributes: &Attributes) -> Option<MetaData> {
    attributes.owner.map(|owner| MetaDataBuilder::new().id(owner).create())
}

/// All attributes but the owner, as the protocol has them.
pub(super) fn metadata_of(attributes: &Attributes) -> Result<MetaData, StoreError> {
    let mut metadata = MetaDataBuilder::new();
    if let Some(mode) = attributes.mode {
        metadata.permissions(Permissions::from(u16::try_from(mode & 0o7777).expect("twelve bits fit")));
    }
    if let Some(modified_ns) = attributes.modified_ns {
        let seconds = u32::try_from(modified_ns.div_euclid(1_000_000_000)).ok();
        let time = seconds.and_then(UnixTimeStamp::from_raw).ok_or_else(|| {
            StoreError::new(ErrorClass::Denied, "the time cannot be set: SFTP has those from 1970 to 2106 only")
        })?;
        metadata.time(time, time);
    }
    Ok(metadata.create())
}
