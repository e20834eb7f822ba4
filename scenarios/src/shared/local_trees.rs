//! Two folders with everything in them that makes real trees difficult, theme by theme. What has to come of it is not
//! written here but worked out from the folders themselves.

use std::path::PathBuf;

use anyhow::Result;
use longhaul_model::{BySide, Side};
use serde::{Deserialize, Serialize};

use super::maker::{Maker, Special, Time};
use crate::interrupt::Interrupt;

/// Some time, with nanoseconds.
pub(crate) const TIME: Time = Time(1_600_000_000, 123_456_789);
/// The next nanosecond.
pub(crate) const NEXT_TIME: Time = Time(1_600_000_000, 123_456_790);

const LEVELS: usize = 200;

/// How much there is of some things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Entries of the largest folder.
    pub(crate) many: usize,
    /// Bytes of files that take no room.
    pub(crate) sparse_bytes: u64,
}

/// What was made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) entries: BySide<u64>,
    /// Source entries that are where nobody can see them.
    pub(crate) hidden_on_source: u64,
    /// What could not be made, and why.
    pub(crate) remarks: Vec<String>,
}

/// Some folders cannot be read as long as this lives.
#[derive(Debug)]
pub(crate) struct Closed {
    _folders: BySide<Maker>,
}

/// Makes all that anybody may look at, in two folders that are empty. What could not be made is in the remarks.
pub(crate) fn make_open(
    both: &mut BySide<Maker>,
    amounts: Amounts,
    interrupt: &Interrupt,
    remarks: &mut Vec<String>,
) -> Result<()> {
    names(both)?;
    links(both)?;
    specials(both, remarks)?;
    sizes_and_times(both, amounts.sparse_bytes)?;
    interrupt.check()?;
    many_entries(both, amounts.many)?;
    interrupt.check()?;
    depth(both)?;
    conflicts(both, amounts.many / 2)?;
    interrupt.check()?;
    extras(both)
}

/// Makes both folders, and some in them that may not be looked at.
pub(crate) fn make(folders: &BySide<PathBuf>, amounts: Amounts, interrupt: &Interrupt) -> Result<(Made, Closed)> {
    let mut remarks = Vec::new();
    let mut both = BySide { src: Maker::new(&folders.src)?, dst: Maker::new(&folders.dst)? };
    make_open(&mut both, amounts, interrupt, &mut remarks)?;
    let hidden_on_source = if may_everything() {
        remarks
            .push("skipped: folders that may not be read or searched, because this user (root) may everything".into());
        0
    } else {
        make_closed_folders(&mut both)?
    };
    let entries = BySide { src: both.src.entries, dst: both.dst.entries };
    Ok((Made { entries, hidden_on_source, remarks }, Closed { _folders: both }))
}

/// Closes the folders again that are closed in what [`make`] has made.
pub(crate) fn close_again(folders: &BySide<PathBuf>) -> Result<Closed> {
    let mut both = BySide { src: Maker::of_made(&folders.src), dst: Maker::of_made(&folders.dst) };
    if !may_everything() {
        close_folders(&mut both)?;
    }
    Ok(Closed { _folders: both })
}

pub(crate) fn may_everything() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a folder on both sides.
fn folder(both: &mut BySide<Maker>, path: &[u8]) -> Result<()> {
    both.src.folder(path)?;
    both.dst.folder(path)
}

/// Makes the same file on both sides.
fn file(both: &mut BySide<Maker>, path: &[u8], size: usize, time: Time) -> Result<()> {
    both.src.file(path, size, time)?;
    both.dst.file(path, size, time)
}

fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"not UTF-8 \xff\xfe"[..],
        b"caf\xe9 in Latin-1",
        b"cut off in a character \xe6\x96",
        b"new\nline",
        br"new\nline",
        b"carriage\rreturn\ttab",
        b"it's a quote",
        b"a \"double\" quote",
        b"';DROP TABLE src_nodes;--",
        b"100% %41 %2F",
        br"back\slash",
        br"\x41",
        br"\",
        b"A",
        b" leading and trailing ",
        b"   ",
        b".hidden",
        b"...",
        b"-rf",
        b"*?[a]{b}$HOME`~;&|<>",
        b"\x01\x7f\x1b[2J",
        b"Twin",
        b"twin",
        b"TWIN",
        b"NULL",
        b"con.txt",
        b"trailing dot.",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    for text in
        ["Übung composed", "U\u{308}bung decomposed", "文件 🎉", "exe\u{202e}txt.", "zero\u{200b}width", "\u{feff}mark"]
    {
        names.push(text.as_bytes().to_vec());
    }
    names.push(vec![b'n'; 255]);
    names.push(vec![0xfe; 255]);
    names
}

/// Names of all sorts, as files and as folders; every second one is on the destination as well.
fn names(both: &mut BySide<Maker>) -> Result<()> {
    for top in [&b"names"[..], b"names as folders"] {
        folder(both, top)?;
    }
    for (number, name) in odd_names().into_iter().enumerate() {
        let as_file = [b"names/", name.as_slice()].concat();
        let as_folder = [b"names as folders/", name.as_slice()].concat();
        let inside = [as_folder.as_slice(), b"/", &name].concat();
        both.src.file(&as_file, number, TIME)?;
        both.src.folder(&as_folder)?;
        both.src.file(&inside, number, TIME)?;
        if number % 2 == 0 {
            both.dst.file(&as_file, number, TIME)?;
            both.dst.folder(&as_folder)?;
            both.dst.file(&inside, number, TIME)?;
        }
    }
    // Differs from its neighbours in case alone, and is only here.
    both.dst.file(b"names/tWIN", 1, TIME)
}

fn links(both: &mut BySide<Maker>) -> Result<()> {
    folder(both, b"links")?;
    folder(both, b"links/folder")?;
    file(both, b"links/folder/file", 100, TIME)?;
    let long = [b'l'; 4_000];
    let targets: [(&[u8], &[u8]); 10] = [
        (b"to a file", b"folder/file"),
        (b"to a folder", b"folder"),
        (b"dangling", b"nowhere/at/all"),
        (b"to itself", b"to itself"),
        (b"loop 1", b"loop 2"),
        (b"loop 2", b"loop 1"),
        (b"up", b".."),
        (b"to the root", b"/"),
        (b"to bytes", b"\xff\n"),
        (b"long", &long),
    ];
    for (number, (name, target)) in targets.into_iter().enumerate() {
        let path = [b"links/", name].concat();
        both.src.symlink(&path, target, TIME)?;
        if number % 2 == 0 {
            both.dst.symlink(&path, target, TIME)?;
        }
    }
    both.src.symlink(b"links/folder/up", b"..", TIME)?;
    both.src.symlink(b"links/other target", b"folder", TIME)?;
    both.dst.symlink(b"links/other target", b"folder/file", TIME)?;
    both.src.symlink(b"links/other time", b"folder", TIME)?;
    both.dst.symlink(b"links/other time", b"folder", NEXT_TIME)?;
    both.src.hard_link(b"links/hard", b"links/folder/file")?;
    both.dst.hard_link(b"links/hard", b"links/folder/file")
}

fn specials(both: &mut BySide<Maker>, remarks: &mut Vec<String>) -> Result<()> {
    folder(both, b"special")?;
    for (special, name) in
        [(Special::Fifo, "FIFO"), (Special::Socket, "socket"), (Special::CharacterDevice, "character device")]
    {
        let on = |suffix: &str| format!("special/{name}{suffix}").into_bytes();
        if !both.src.special(&on(""), special)? {
            remarks.push(format!("skipped: a {name}, which this user cannot make here"));
            continue;
        }
        both.src.special(&on(", on both sides"), special)?;
        both.dst.special(&on(", on both sides"), special)?;
        // Not carried over, so not in conflict with anything.
        both.src.special(&on(", a file there"), special)?;
        both.dst.file(&on(", a file there"), 10, TIME)?;
        both.src.file(&on(", a file here"), 10, TIME)?;
        both.dst.special(&on(", a file here"), special)?;
        both.dst.special(&on(", not here"), special)?;
    }
    Ok(())
}

fn sizes_and_times(both: &mut BySide<Maker>, sparse_bytes: u64) -> Result<()> {
    folder(both, b"empty folder on both sides")?;
    both.src.folder(b"empty folder")?;
    folder(both, b"sizes")?;
    for (size, name) in [(0, "empty"), (1, "one byte"), (4_095, "less than a block"), (100_000, "more")] {
        file(both, format!("sizes/{name}").as_bytes(), size, TIME)?;
        both.src.file(format!("sizes/{name}, not there").as_bytes(), size, TIME)?;
    }
    both.src.sparse_file(b"sizes/sparse", sparse_bytes, TIME)?;
    both.dst.sparse_file(b"sizes/sparse", sparse_bytes, TIME)?;
    both.src.sparse_file(b"sizes/sparse, another size", sparse_bytes, TIME)?;
    // With 5 GiB the same in 32 bits.
    both.dst.sparse_file(b"sizes/sparse, another size", sparse_bytes / 5, TIME)?;

    folder(both, b"times")?;
    let times = [
        Time(0, 0),
        Time(0, 1),
        Time(-1, 999_999_999),
        Time(-2_000_000_000, 500_000_000),
        Time(i64::from(i32::MAX), 999_999_999),
        Time(i64::from(i32::MAX) + 1, 0),
        Time(9_000_000_000, 7),
    ];
    for (number, time) in times.into_iter().enumerate() {
        file(both, format!("times/{number}").as_bytes(), 10, time)?;
        let other = format!("times/{number}, another nanosecond").into_bytes();
        both.src.file(&other, 10, time)?;
        both.dst.file(&other, 10, Time(time.0, if time.1 == 0 { 1 } else { time.1 - 1 }))?;
        let other = format!("times/{number}, another second").into_bytes();
        both.src.file(&other, 10, time)?;
        both.dst.file(&other, 10, Time(time.0 - 1, time.1))?;
    }

    folder(both, b"differing")?;
    for (name, source, destination) in [
        ("in size", (10, TIME), (11, TIME)),
        ("in size, empty there", (10, TIME), (0, TIME)),
        ("in time", (10, TIME), (10, NEXT_TIME)),
        ("in both", (10, NEXT_TIME), (9, TIME)),
    ] {
        let path = format!("differing/{name}").into_bytes();
        both.src.file(&path, source.0, source.1)?;
        both.dst.file(&path, destination.0, destination.1)?;
    }
    Ok(())
}

/// A folder that may take several pages, most of it on both sides.
fn many_entries(both: &mut BySide<Maker>, many: usize) -> Result<()> {
    folder(both, b"many")?;
    for number in 0..many {
        let path = format!("many/{number:05}").into_bytes();
        if number % 100 == 0 {
            both.src.folder(&path)?;
            both.src.file(&[&path[..], b"/file"].concat(), 1, TIME)?;
            if number % 300 == 0 {
                both.dst.folder(&path)?;
            }
            continue;
        }
        both.src.file(&path, number % 50, TIME)?;
        match number % 4 {
            0 => {}
            1 => both.dst.file(&path, number % 50, NEXT_TIME)?,
            _ => both.dst.file(&path, number % 50, TIME)?,
        }
        if number % 10 == 0 {
            both.dst.file(&[&path[..], b" only there"].concat(), 3, TIME)?;
        }
    }
    Ok(())
}

/// Folders in folders, deeper than most, and with paths longer than the system takes at once.
fn depth(both: &mut BySide<Maker>) -> Result<()> {
    both.src.chain(b"deep", b"d", LEVELS)?;
    both.dst.chain(b"deep", b"d", LEVELS * 3 / 4)?;
    both.src.chain(b"deep and long", &[b'l'; 60], LEVELS)?;
    both.dst.chain(b"deep and long", &[b'l'; 60], LEVELS * 3 / 4)
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    Folder,
    Symlink,
}

/// Every kind of node where the other side has another kind, at the root and further down.
fn conflicts(both: &mut BySide<Maker>, in_large: usize) -> Result<()> {
    let mut top = Vec::new();
    for _ in 0..3 {
        top.extend_from_slice(b"conflicts");
        folder(both, &top)?;
        top.push(b'/');
        for (here, there) in [
            (Kind::File, Kind::Folder),
            (Kind::File, Kind::Symlink),
            (Kind::Folder, Kind::File),
            (Kind::Folder, Kind::Symlink),
            (Kind::Symlink, Kind::File),
            (Kind::Symlink, Kind::Folder),
        ] {
            let path = [&top[..], format!("{here:?} here, {there:?} there").as_bytes()].concat();
            one_of(&mut both.src, &path, here)?;
            one_of(&mut both.dst, &path, there)?;
        }
    }
    // Takes so long to list that the conflict is known before the listing is complete. Hard links are made quickly.
    let large = b"large folder here, file there";
    both.src.folder(large)?;
    let first = [&large[..], b"/file"].concat();
    both.src.file(&first, 5, TIME)?;
    for number in 1..in_large {
        both.src.hard_link(&[&large[..], format!("/{number}").as_bytes()].concat(), &first)?;
    }
    both.dst.file(large, 20, TIME)
}

fn one_of(maker: &mut Maker, path: &[u8], kind: Kind) -> Result<()> {
    match kind {
        Kind::File => maker.file(path, 20, TIME),
        Kind::Symlink => maker.symlink(path, b".", TIME),
        Kind::Folder => {
            maker.folder(path)?;
            for inside in [&b"/file"[..], b"/another file"] {
                maker.file(&[path, inside].concat(), 20, TIME)?;
            }
            let below = [path, b"/folder"].concat();
            maker.folder(&below)?;
            maker.file(&[&below[..], b"/file"].concat(), 20, TIME)
        }
    }
}

/// What only the destination has. What is below is nobody's business.
fn extras(both: &mut BySide<Maker>) -> Result<()> {
    folder(both, b"common")?;
    for top in [&b""[..], b"common/"] {
        let at = |name: &[u8]| [top, name].concat();
        one_of(&mut both.dst, &at(b"extra folder"), Kind::Folder)?;
        one_of(&mut both.dst, &at(b"extra file"), Kind::File)?;
        one_of(&mut both.dst, &at(b"extra link"), Kind::Symlink)?;
        one_of(&mut both.src, &at(b"missing folder"), Kind::Folder)?;
        one_of(&mut both.src, &at(b"missing file"), Kind::File)?;
    }
    Ok(())
}

/// Folders without the permission to list them, or to look at what is in them: what they are called, and their mode.
const CLOSED: [(&str, u32); 3] = [("unreadable", 0o000), ("not searchable", 0o444), ("not listable", 0o311)];

/// Where there is one of each, and on which side it is closed.
const CLOSED_PLACES: [(&str, Side); 3] = [
    ("on the source alone", Side::Source),
    ("on both sides", Side::Source),
    ("on both sides, closed there", Side::Destination),
];

/// Makes folders and closes them. Returns how many source entries nobody can see.
fn make_closed_folders(both: &mut BySide<Maker>) -> Result<u64> {
    for (name, _) in CLOSED {
        for (place, _) in CLOSED_PLACES {
            let path = format!("{name} {place}").into_bytes();
            one_of(&mut both.src, &path, Kind::Folder)?;
            if place != "on the source alone" {
                one_of(&mut both.dst, &path, Kind::Folder)?;
            }
        }
    }
    close_folders(both)?;
    // All four entries of two folders that cannot be listed, of each sort; and the one in the folder of each of the two
    // whose names can be.
    Ok(2 * 4 + 2 * 4 + 2)
}

fn close_folders(both: &mut BySide<Maker>) -> Result<()> {
    for (name, mode) in CLOSED {
        for (place, side) in CLOSED_PLACES {
            both[side].close(format!("{name} {place}").as_bytes(), mode)?;
        }
    }
    Ok(())
}
