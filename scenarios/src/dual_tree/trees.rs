//! The two trees, node by node.

use std::time::Duration;

use anyhow::{Result, anyhow};
use longhaul_model::Side;
use longhaul_spectra::{Config, FaultRule, Operation, Spectra};

use crate::shared::contents::{Content, Contents};
use crate::shared::simulator;
use crate::shared::trace::world_of;
use crate::shared::trial::denied;

/// A simulator whose worlds have nothing but a root.
const CONFIG: &str = r#"{
    "mode": "persistent",
    "seed": { "max_depth": 0, "min_folders": 0, "max_folders": 0, "min_files": 0, "max_files": 0 },
    "secondary_tables": { "s1": 1.0 }
}"#;

/// What a node is: a folder with its time, or a file with its contents and its time. Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Folder(i64),
    File(&'static str, i64),
}

use Is::{File, Folder};

/// What each tree has, the source first. What is in a folder comes after it.
#[rustfmt::skip]
const TREES: [(&str, Option<Is>, Option<Is>); 19] = [
    ("/both",               Some(Folder(1_000)),              Some(Folder(2_000))),
    ("/both/same",          Some(File("the same", 1_001)),    Some(File("the same", 1_001))),
    ("/both/older",         Some(File("of the source", 1_002)), Some(File("old", 902))),
    ("/both/newer",         Some(File("of the source", 1_003)), Some(File("new", 2_003))),
    ("/both/deep",          Some(Folder(1_004)),              Some(Folder(2_004))),
    ("/both/deep/only a",   Some(File("deep in a", 1_005)),   None),
    ("/both/deep/only b",   None,                             Some(File("deep in b", 2_005))),
    ("/both/empty",         Some(Folder(1_006)),              Some(Folder(2_006))),
    ("/both/only b",        None,                             Some(Folder(2_007))),
    ("/both/only b/file",   None,                             Some(File("in b", 2_008))),
    ("/only a",             Some(Folder(1_009)),              None),
    ("/only a/inner",       Some(Folder(1_010)),              None),
    ("/only a/inner/file",  Some(File("in a", 1_011)),        None),
    ("/only a/empty",       Some(Folder(1_012)),              None),
    ("/only b",             None,                             Some(Folder(2_013))),
    ("/only b/empty",       None,                             Some(Folder(2_014))),
    ("/file of both",       Some(File("of both", 1_015)),     Some(File("of both", 1_015))),
    ("/file of a",          Some(File("of a", 1_016)),        None),
    ("/file of b",          None,                             Some(File("of b", 2_017))),
];

/// What is brought to the destination by the first copy.
const FIRST: [&str; 1] = ["/only a"];

/// What is brought to it by the last one.
const LAST: [&str; 6] =
    ["/both/older", "/both/deep/only a", "/only a/inner", "/only a/inner/file", "/only a/empty", "/file of a"];

pub(super) fn config() -> Result<Config> {
    Ok(Config::from_json(CONFIG)?)
}

fn of(side: Side) -> impl Iterator<Item = (&'static str, Is)> {
    TREES.iter().filter_map(move |(path, src, dst)| {
        let is = if side == Side::Source { src } else { dst };
        is.map(|is| (*path, is))
    })
}

/// How many nodes a tree has, without the root.
pub(super) fn count(side: Side) -> usize {
    of(side).count()
}

/// Writes both trees into worlds that are empty.
pub(super) fn write(simulator: &Spectra) -> Result<()> {
    let now = Duration::ZERO;
    for side in Side::BOTH {
        let world = simulator.world(world_of(side))?.undisturbed();
        for (path, is) in of(side) {
            let path = path.as_bytes();
            let written = match is {
                Folder(time) => {
                    world.create_folder(path, now).result.and_then(|()| world.set_modified(path, ns(time), now).result)
                }
                File(contents, time) => world.write_file(path, contents.as_bytes(), ns(time), false, now).result,
            };
            written.map_err(|fault| anyhow!("the trees cannot be written: {}", fault.message))?;
        }
    }
    Ok(())
}

fn ns(seconds: i64) -> i64 {
    seconds * 1_000_000_000
}

/// Nothing at the top of the source can be listed or read.
pub(super) fn faults() -> Vec<FaultRule> {
    let top = of(Side::Source).filter(|(path, _)| path.matches('/').count() == 1);
    let operation = |is| if matches!(is, Folder(_)) { Operation::ListChildren } else { Operation::GetFileData };
    top.map(|(path, is)| denied(Side::Source, operation(is), path)).collect()
}

/// All that is in a tree when it is written, with its root.
pub(super) fn contents_of(side: Side) -> Result<Contents> {
    let mut contents = Contents::of(&simulator::pristine_of(config()?)?)?[side].clone();
    for (path, is) in of(side) {
        let content = match is {
            Folder(time) => Content::folder(ns(time)),
            File(bytes, time) => Content::file(bytes.as_bytes(), ns(time)),
        };
        contents.0.insert(path.to_owned(), content);
    }
    Ok(contents)
}

/// What has to be at the destination after a stage.
pub(super) fn destination_after(stage: usize) -> Result<Contents> {
    let brought: &[&[&str]] = match stage {
        0 => &[],
        1 | 2 => &[&FIRST],
        _ => &[&FIRST, &LAST],
    };
    let is_brought = |path: &str| brought.iter().any(|paths| paths.contains(&path));
    Ok(contents_of(Side::Destination)?.with_brought(&contents_of(Side::Source)?, is_brought))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tree_has_thirteen_nodes_and_every_node_its_folder() {
        for side in Side::BOTH {
            assert_eq!(count(side), 13);
            for (path, _) in of(side) {
                let folder = path.rsplit_once('/').unwrap().0;
                assert!(folder.is_empty() || of(side).any(|(other, is)| other == folder && matches!(is, Folder(_))));
            }
        }
        assert_eq!(faults().len(), 4);
    }
}
