//! Copies, hashes and compares the contents of files.

use longhaul_model::Side;
use longhaul_storage::{Draft, Folder, Original};

use super::context::{AtSide, Attempt, AttemptError, CopyContext};
use super::placement::{Checksum, Contents};
use super::transfer::size_of;

/// Copies a range of a file through `buffer`, and hashes it along the way.
pub(super) async fn copy_range(
    context: &CopyContext,
    original: &dyn Original,
    draft: &mut dyn Draft,
    range: std::ops::Range<u64>,
    mut hasher: Option<&mut blake3::Hasher>,
    buffer: &mut [u8],
) -> Attempt<()> {
    let mut hash = |bytes: &[u8]| {
        if let Some(hasher) = hasher.as_deref_mut() {
            hasher.update(bytes);
        }
    };
    let stretches = if context.copying.holes {
        original.data_within(range.clone()).await.at_side(Side::Source)?
    } else {
        vec![range.clone()]
    };
    let mut position = range.start;
    for stretch in stretches {
        hash_zeros(&mut hash, stretch.start - position);
        position = stretch.start;
        while position < stretch.end {
            context.check_stop()?;
            let wanted = stretch.end - position;
            let read = context.read(buffer, wanted, async |buffer| original.read_at(position, buffer).await);
            let read = read.await.at_side(Side::Source)?;
            if read == 0 {
                return Err(AttemptError::Changed("the file got shorter while it was read".to_owned()));
            }
            hash(&buffer[..read]);
            draft.write_at(position, &buffer[..read]).await.at_side(Side::Destination)?;
            position += read as u64;
        }
    }
    hash_zeros(&mut hash, range.end - position);
    Ok(())
}

/// Hashes a hole, which reads as zeros.
fn hash_zeros(hash: &mut impl FnMut(&[u8]), mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let length = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
        hash(&ZEROS[..length]);
        count -= length as u64;
    }
}

/// Reads the source and the file with this name on the destination, and compares them.
pub(super) async fn compare_contents(
    context: &CopyContext,
    destination: &dyn Folder,
    name: &[u8],
    source: &dyn Original,
    buffer: &mut [u8],
) -> Attempt<Contents> {
    let existing = destination.open(name).await.at_side(Side::Destination)?;
    let size = size_of(&source.facts_at_opening());
    let theirs = checksum_of(context, existing.as_ref(), size, Side::Destination, buffer).await?;
    let ours = checksum_of(context, source, size, Side::Source, buffer).await?;
    Ok(match ours {
        Some(checksum) if ours == theirs => Contents::Same(Some(checksum)),
        _ => Contents::Different,
    })
}

/// The checksum of a file's first `length` bytes; `None` if it is shorter.
pub(super) async fn checksum_of(
    context: &CopyContext,
    file: &dyn Original,
    length: u64,
    side: Side,
    buffer: &mut [u8],
) -> Attempt<Option<Checksum>> {
    let mut hasher = blake3::Hasher::new();
    let mut position = 0;
    while position < length {
        context.check_stop()?;
        let read = context.read(buffer, length - position, async |buffer| file.read_at(position, buffer).await);
        let read = read.await.at_side(side)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(Some(*hasher.finalize().as_bytes()))
}
