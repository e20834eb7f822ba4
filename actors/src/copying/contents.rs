//! Bytes: copied, hashed, compared.

use longhaul_model::Side;
use longhaul_storage::{Draft, Folder, Original};

use super::context::{Attempt, CopyContext, On, Trouble};
use super::transfer::size_of;

/// Copies a stretch of a file through `buffer`; what it has is hashed along the way.
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
        original.data_within(range.clone()).await.on(Side::Source)?
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
            let read = read.await.on(Side::Source)?;
            if read == 0 {
                return Err(Trouble::Changed("the file got shorter while it was read".to_owned()));
            }
            hash(&buffer[..read]);
            draft.write_at(position, &buffer[..read]).await.on(Side::Destination)?;
            position += read as u64;
        }
    }
    hash_zeros(&mut hash, range.end - position);
    Ok(())
}

/// A hole reads as zeros.
fn hash_zeros(hash: &mut impl FnMut(&[u8]), mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let length = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
        hash(&ZEROS[..length]);
        count -= length as u64;
    }
}

/// The checksum of both, if the file on the destination has the same contents as `original`.
pub(super) async fn same_contents(
    context: &CopyContext,
    destination: &dyn Folder,
    name: &[u8],
    original: &dyn Original,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    let other = destination.open(name).await.on(Side::Destination)?;
    let size = size_of(&original.facts_at_opening());
    let theirs = checksum_of(context, other.as_ref(), size, Side::Destination, buffer).await?;
    let ours = checksum_of(context, original, size, Side::Source, buffer).await?;
    Ok((ours == theirs).then_some(ours).flatten())
}

/// The checksum of a file of this length; `None` if it is shorter.
pub(super) async fn checksum_of(
    context: &CopyContext,
    file: &dyn Original,
    length: u64,
    on: Side,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    let mut hasher = blake3::Hasher::new();
    let mut position = 0;
    while position < length {
        context.check_stop()?;
        let read = context.read(buffer, length - position, async |buffer| file.read_at(position, buffer).await);
        let read = read.await.on(on)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(Some(*hasher.finalize().as_bytes()))
}
