//! Listings of SFTP, from the packets of a server to the entries that are recorded.
//!
//! - Whatever is replied, what is listed are names, or an error that can be shown.
//! - An input that begins with an even byte is entries, which are put into sound packets: each that can be a name is listed once,
//!   with the kind, the size and the time that were said of it. The client refuses a packet with a name that is not UTF-8; what
//!   must not happen is that the folder then looks complete.
//! - One that begins with an odd byte is a packet itself.

use std::collections::HashSet;

use longhaul_model::NodeKind;
use longhaul_storage::fuzzing::{SftpReply, list_over_sftp};

use crate::listings::{check_listed, entries, let_clients_panic};
use crate::pieces::Pieces;

const STATUS: u8 = 101;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRIBUTES: u8 = 105;
const EXTENDED: u8 = 201;

const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_MORE: u32 = 1 << 31;

pub fn check(data: &[u8]) {
    let_clients_panic();
    let Some((first, data)) = data.split_first() else { return };
    if first % 2 == 0 {
        return check_entries(data, usize::from(*first / 2) + 1);
    }
    let mut pieces = Pieces::of(data);
    let kind = pieces.byte();
    if matches!(kind, DATA | EXTENDED) {
        // The client waits for all the bytes that such a packet announces: two minutes, and then it is a failure.
        return;
    }
    let mut body = pieces.rest().to_vec();
    limit_lengths(kind, &mut body);
    check_listed(&list_over_sftp(vec![SftpReply { kind, body }]));
}

/// The client makes room for as many names, and as many bytes of each, as a packet says. To run out of memory with that finds
/// nothing new.
fn limit_lengths(kind: u8, body: &mut [u8]) {
    let length = body.len();
    let mut limited = |place: &mut usize, most: usize| -> Option<usize> {
        let number = body.get_mut(*place..)?.first_chunk_mut::<4>()?;
        *place += 4;
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(u32::from_be_bytes(*number));
        *number = most.to_be_bytes();
        usize::try_from(most).ok()
    };
    let mut walk = || -> Option<()> {
        let mut place = 0;
        let (entries, texts) = match kind {
            NAME => (limited(&mut place, length)?, 2),
            ATTRIBUTES => (1, 0),
            STATUS => {
                place += 4;
                return (0..2).try_for_each(|_| limited(&mut place, length).map(|bytes| place += bytes));
            }
            _ => return limited(&mut place, length).map(drop),
        };
        for _ in 0..entries {
            for _ in 0..texts {
                place += limited(&mut place, length)?;
            }
            let flags = limited(&mut place, usize::MAX)?;
            let has = |flag: u32| usize::from(flags & flag as usize != 0);
            place += 8 * (has(HAS_SIZE) + has(HAS_OWNER) + has(HAS_TIMES)) + 4 * has(HAS_MODE);
            if has(HAS_MORE) != 0 {
                for _ in 0..2 * limited(&mut place, length)? {
                    place += limited(&mut place, length)?;
                }
            }
        }
        Some(())
    };
    // Where the packet ends too early there is nothing more to be limited.
    let _ = walk();
}

fn check_entries(data: &[u8], entries_per_packet: usize) {
    let mut pieces = Pieces::of(data);
    let (mut packets, mut expected, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let (mut packet, mut count, mut is_text) = (Vec::new(), 0_usize, true);
    while !pieces.is_empty() {
        let [length, flags] = pieces.number();
        let flags = u32::from(flags) & 0xf;
        let name = pieces.bytes(usize::from(length)).to_vec();
        is_text &= std::str::from_utf8(&name).is_ok();
        let size = u64::from_be_bytes(pieces.number());
        // Which types there are: what has none of them is refused by the client, and with it the whole packet.
        let [mode, permissions] = pieces.number();
        let types = [0, 0o1, 0o2, 0o4, 0o6, 0o10, 0o12, 0o14];
        let mode = types[usize::from(mode) % types.len()] << 12 | u32::from(permissions);
        let modified = u32::from_be_bytes(pieces.number());
        packet.extend(text(&name));
        packet.extend(text(b"-rw-r--r--"));
        packet.extend(flags.to_be_bytes());
        if flags & HAS_SIZE != 0 {
            packet.extend(size.to_be_bytes());
        }
        if flags & HAS_OWNER != 0 {
            packet.extend([0, 0, 3, 232, 0, 0, 3, 232]);
        }
        if flags & HAS_MODE != 0 {
            packet.extend(mode.to_be_bytes());
        }
        if flags & HAS_TIMES != 0 {
            packet.extend([0; 4]);
            packet.extend(modified.to_be_bytes());
        }
        let kind = match (flags & HAS_MODE != 0, mode >> 12) {
            (true, 0o4) => NodeKind::Folder,
            (true, 0o10) => NodeKind::File,
            (true, 0o12) => NodeKind::Symlink,
            _ => NodeKind::Other,
        };
        let has_size = flags & HAS_SIZE != 0 && matches!(kind, NodeKind::File | NodeKind::Symlink);
        let is_name = !matches!(&name[..], b"" | b"." | b"..") && !name.contains(&b'/');
        if is_name && seen.insert(name.clone()) {
            let size = has_size.then(|| i64::try_from(size).ok()).flatten();
            let modified_ns = (flags & HAS_TIMES != 0).then(|| i64::from(modified) * 1_000_000_000);
            expected.push((name, kind, size, modified_ns));
        }
        count += 1;
        if count == entries_per_packet || pieces.is_empty() {
            let body = [&u32::try_from(count).expect("it is a byte").to_be_bytes()[..], &packet].concat();
            packets.push(SftpReply { kind: NAME, body });
            (packet, count) = (Vec::new(), 0);
        }
    }
    let listed = list_over_sftp(packets);
    check_listed(&listed);
    if !is_text {
        assert!(listed.iter().any(Result::is_err), "a name was lost: {listed:?}");
        return;
    }
    let times: Vec<_> = listed.iter().flatten().flat_map(|page| page.modified_ns().to_vec()).collect();
    assert_eq!(times, expected.iter().map(|entry| entry.3).collect::<Vec<_>>());
    let mut expected: Vec<_> = expected.into_iter().map(|(name, kind, size, _)| (name, kind, size)).collect();
    expected.sort_by(|one, other| (&one.0, one.1.as_str()).cmp(&(&other.0, other.1.as_str())));
    let found = entries(&listed).unwrap_or_else(|| panic!("a sound packet is refused: {listed:?}"));
    assert_eq!(found, expected);
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("a name is short").to_be_bytes(), bytes].concat()
}
