//! What a sweep has listed, by the simulator's own word.

use std::collections::BTreeMap;

use anyhow::Result;
use longhaul_model::{BySide, Side};

use crate::shared::contents::Contents;
use crate::shared::report::{Report, grouped};
use crate::shared::trace::What;
use crate::shared::trial::{Swept, is_within};

/// Every folder in `swept_folders` that the destination can say something about was listed there, and every one in
/// `anew` on the source, each once; and no folder that is in none of the first.
pub(super) fn check_listed(
    report: &mut Report<'_>,
    swept: &Swept,
    worlds: &BySide<Contents>,
    swept_folders: &[String],
    anew: &[String],
) -> Result<()> {
    let is_in = |path: &str, folders: &[String]| folders.iter().any(|folder| is_within(path, folder));
    for side in Side::BOTH {
        let mut times: BTreeMap<&str, u64> = BTreeMap::new();
        for trace in swept.traces.iter().filter(|trace| trace.what == What::Listed && trace.side == side) {
            *times.entry(trace.path.as_str()).or_default() += 1;
        }
        let outside = times.keys().filter(|path| !is_in(path, swept_folders)).map(ToString::to_string);
        let outside: Vec<String> = outside.collect();
        report.check_list(&format!("{side} folders listed that nobody had asked for"), &outside)?;
        if swept.is_gone_on {
            report.line("        how often the others were is not known of a sweep that was gone on with")?;
            continue;
        }
        let due: Vec<&str> = match side {
            Side::Source => worlds.src.folders().filter(|path| is_in(path, anew)).collect(),
            Side::Destination => worlds.dst.folders().filter(|path| is_in(path, swept_folders)).collect(),
        };
        // What only the destination has is not descended into.
        let due = due.into_iter().filter(|path| worlds.src.0.contains_key(*path));
        let count = grouped(due.clone().count() as u64);
        let missing = due.filter(|path| !times.contains_key(path)).map(str::to_owned).collect::<Vec<_>>();
        report.check_list(&format!("of {count} {side} folders to be listed, those that were not"), &missing)?;
        let twice = times.iter().filter(|(_, times)| **times > 1).map(|(path, times)| format!("{path}: {times}"));
        report.check_list(&format!("{side} folders listed more than once"), &twice.collect::<Vec<_>>())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::contents::Content;
    use crate::shared::trace::Trace;

    fn worlds() -> BySide<Contents> {
        let of = |paths: &[&str]| Contents(paths.iter().map(|path| ((*path).to_owned(), Content::folder(0))).collect());
        BySide { src: of(&["/", "/a", "/a/b", "/c"]), dst: of(&["/", "/a", "/a/only there", "/c"]) }
    }

    /// The first check that does not hold when these were listed.
    fn failed(listed: &[(Side, &str)], is_gone_on: bool) -> Option<String> {
        let trace = |&(side, path): &(Side, &str)| Trace { what: What::Listed, side, path: path.to_owned() };
        let traces = listed.iter().map(trace).collect();
        let swept = Swept { ending: None, said: None, traces, is_gone_on };
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        let swept_folders = ["/a".to_owned()];
        check_listed(&mut report, &swept, &worlds(), &swept_folders, &swept_folders).unwrap();
        report.first_failed().map(str::to_owned)
    }

    #[test]
    fn each_folder_that_was_asked_for_is_to_be_listed_once_and_no_other_one() {
        use Side::{Destination, Source};
        let all = [(Source, "/a"), (Source, "/a/b"), (Destination, "/a")];
        let with = |more| failed(&[&all[..], &[more]].concat(), false).unwrap();
        assert_eq!(failed(&all, false), None);
        assert!(failed(&all[1..], false).unwrap().contains("of 2 source folders"));
        assert!(failed(&all[..2], false).unwrap().contains("of 1 destination folders"));
        assert!(with((Source, "/a/b")).starts_with("source folders listed more than once"));
        assert!(with((Destination, "/")).starts_with("destination folders listed that nobody"));
        assert!(with((Source, "/c")).starts_with("source folders listed that nobody"));
        assert_eq!(failed(&[all[0], all[0]], true), None);
        assert!(failed(&[(Source, "/c")], true).is_some());
    }
}
