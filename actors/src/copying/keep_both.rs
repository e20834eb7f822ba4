//! Copies that get another name because the destination keeps the file that has theirs: which name, and what an earlier
//! run has put there.

use longhaul_ledger::CopyOutcome;
use longhaul_model::NodeKind;
use longhaul_storage::{Attributes, Draft, Original, Placed, Replace, Target};

use super::contents::compare_contents;
use super::context::{Attempt, AttemptError};
use super::placement::{Contents, Entry, Rules};
use super::transfer::{Transfer, compared};

/// The name that a copy gets instead of its own.
#[derive(Debug)]
pub(super) struct OtherName {
    pub(super) name: Vec<u8>,
    /// The remnant of an earlier copy may be replaced.
    pub(super) replace: Replace,
}

/// What an earlier run or attempt has left under another name, without its having been recorded.
#[derive(Debug)]
pub(super) enum EarlierCopy {
    /// A whole copy.
    Whole(CopyOutcome),
    /// An empty file: a power cut left the name and the time of a copy, and not its contents.
    Remnant(OtherName),
}

/// What an entry with one of the other names looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LooksLike {
    /// A whole copy, if it has the same contents.
    WholeCopy,
    Remnant,
    /// Not ours.
    OtherFile,
}

impl Transfer<'_> {
    /// Looks for an earlier copy under one of the other names; `None` if no earlier run or attempt may have begun with
    /// the file.
    pub(super) async fn find_earlier_copy(
        &self,
        source: &dyn Original,
        buffer: &mut [u8],
    ) -> Attempt<Option<EarlierCopy>> {
        if !self.may_be_begun() {
            return Ok(None);
        }
        let Transfer { context, folders, .. } = *self;
        let facts = source.facts_at_opening();
        for name in other_names(self.names.dst) {
            let Some(found) = self.look(&name).await? else { break };
            let existing = Entry { kind: found.kind, facts: compared(&found) };
            let source_entry = Entry { kind: NodeKind::File, facts: compared(&facts) };
            match looks_like(source_entry, existing, self.rules()) {
                LooksLike::WholeCopy => {
                    let contents = compare_contents(context, folders.destination, &name, source, buffer).await?;
                    if let Contents::Same(checksum) = contents {
                        return Ok(Some(EarlierCopy::Whole(self.copied(&facts, checksum, Some(&name)))));
                    }
                }
                LooksLike::Remnant => {
                    let replace = Replace::Only(existing.facts);
                    return Ok(Some(EarlierCopy::Remnant(OtherName { name, replace })));
                }
                LooksLike::OtherFile => {}
            }
        }
        Ok(None)
    }

    /// The name of the remnant, or the first other name that is free. It has to be known before the temporary file is
    /// created: some stores write to the final name from the beginning.
    pub(super) async fn other_name(&self, remnant: Option<OtherName>) -> Attempt<OtherName> {
        if let Some(remnant) = remnant {
            return Ok(remnant);
        }
        for name in other_names(self.names.dst) {
            if self.look(&name).await?.is_none() {
                return Ok(OtherName { name, replace: Replace::Nothing });
            }
        }
        Err(no_name_left())
    }

    pub(super) fn target_of<'a>(&'a self, other: &'a OtherName) -> Target<'a> {
        Target { name: &other.name, ..self.target(other.replace) }
    }

    /// Gives a temporary file its attributes and its other name. If the name was taken meanwhile, the attempt fails.
    pub(super) async fn finish_under_other_name(
        &self,
        draft: Box<dyn Draft>,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
    ) -> Attempt<()> {
        if self.is_still(target.name, target.replace).await?
            && self.finish(draft, target, size, attributes).await? == Placed::Done
        {
            return Ok(());
        }
        Err(AttemptError::Changed("the other name for the copy was taken a moment before".to_owned()))
    }
}

/// Judges an entry that has one of the other names. Only an empty file counts as a remnant: a file that an earlier
/// migration copied there has contents.
fn looks_like(source: Entry, existing: Entry, rules: Rules) -> LooksLike {
    let has_our_time = rules.comparison.is_time_kept(source.facts, existing.facts);
    if existing.kind != NodeKind::File || !has_our_time {
        LooksLike::OtherFile
    } else if existing.facts.size == source.facts.size {
        LooksLike::WholeCopy
    } else if existing.facts.size == Some(0) && rules.preserves_times {
        LooksLike::Remnant
    } else {
        LooksLike::OtherFile
    }
}

/// The names that a copy may get instead of `name`, in the order in which they are tried.
pub(super) fn other_names(name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (1..=u32::MAX).map(|number| other_name(name, number))
}

pub(super) fn no_name_left() -> AttemptError {
    AttemptError::Changed("all other names for the copy are taken".to_owned())
}

/// `report.txt` becomes `report (source).txt`, `report (source 2).txt`, …, shortened where that would be too long.
fn other_name(name: &[u8], number: u32) -> Vec<u8> {
    const NAME_BYTES_MAX: usize = 255;
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0 && name.len() - dot <= 16);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let mark = if number == 1 { " (source)".to_owned() } else { format!(" (source {number})") };
    let mut end = stem.len().min(NAME_BYTES_MAX - mark.len() - extension.len());
    // Not in the middle of a character.
    while end < stem.len() && end > 0 && stem[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    [&stem[..end], mark.as_bytes(), extension].concat()
}

#[cfg(test)]
mod tests {
    use longhaul_model::{Comparison, ConflictPolicy, FileFacts};

    use super::*;

    #[test]
    fn other_names_keep_the_extension_and_are_not_too_long() {
        assert_eq!(other_name(b"report.txt", 1), b"report (source).txt");
        assert_eq!(other_name(b"report.txt", 2), b"report (source 2).txt");
        assert_eq!(other_name(b".profile", 1), b".profile (source)");
        let long = "ü".repeat(127);
        let name = other_name(long.as_bytes(), 1);
        assert!(name.len() <= 255 && std::str::from_utf8(&name).is_ok());
    }

    #[test]
    fn only_a_file_with_the_source_s_time_is_an_earlier_copy_or_its_remnant() {
        let file = |size, modified_ns| Entry {
            kind: NodeKind::File,
            facts: FileFacts { size: Some(size), modified_ns: Some(modified_ns) },
        };
        let comparison = Comparison::for_resolutions(1, 1);
        let rules = |preserves_times| Rules { comparison, on_conflict: ConflictPolicy::KeepBoth, preserves_times };
        for (what, existing, preserves_times, expected) in [
            ("the same size and time", file(900, 7), true, LooksLike::WholeCopy),
            ("another time", file(900, 8), true, LooksLike::OtherFile),
            ("another size", file(901, 7), true, LooksLike::OtherFile),
            ("empty, with the time", file(0, 7), true, LooksLike::Remnant),
            ("empty, with another time", file(0, 8), true, LooksLike::OtherFile),
            ("empty, where times mean nothing", file(0, 7), false, LooksLike::OtherFile),
            ("a folder", Entry { kind: NodeKind::Folder, ..file(900, 7) }, true, LooksLike::OtherFile),
        ] {
            assert_eq!(looks_like(file(900, 7), existing, rules(preserves_times)), expected, "{what}");
        }
        assert_eq!(looks_like(file(0, 7), file(0, 7), rules(true)), LooksLike::WholeCopy, "both empty");
    }
}
