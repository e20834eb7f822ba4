//! Files that are kept beside what has their name: the first name like theirs that is free, and what an earlier run has
//! placed under one.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{FileFacts, NodeKind, Side};
use longhaul_storage::{Attributes, Draft, Original, Placed, Replace, Target};

use super::contents::same_contents;
use super::context::{Attempt, Trouble};
use super::transfer::{Transfer, compared};

/// A name beside another one, and what has it already of which an earlier run has left it.
#[derive(Debug)]
pub(super) struct PlaceBeside {
    pub(super) name: Vec<u8>,
    pub(super) replace: Replace,
}

/// What an earlier run placed beside a file, without its being recorded.
#[derive(Debug)]
pub(super) enum Beside {
    /// It is whole.
    Copied(CopyOutcome),
    /// A power cut has left no more of it than its name and its time.
    Left(LeftBeside),
}

/// An empty file beside another one, with the time of the source.
#[derive(Debug)]
pub(super) struct LeftBeside {
    name: Vec<u8>,
    facts: FileFacts,
}

impl Transfer<'_> {
    /// The first name beside its own that is free, or that of what is `left` of it. A draft has to be begun for this name:
    /// there are stores that write to it from the beginning.
    pub(super) async fn find_place_beside(&self, left: Option<LeftBeside>) -> Attempt<PlaceBeside> {
        if let Some(LeftBeside { name, facts }) = left {
            return Ok(PlaceBeside { name, replace: Replace::Only(facts) });
        }
        for name in names_beside(self.names.dst) {
            if self.look(&name).await?.is_none() {
                return Ok(PlaceBeside { name, replace: Replace::Nothing });
            }
        }
        Err(no_name_left())
    }

    /// Gives a draft its name beside another. Somebody who takes it at this very moment makes it another attempt.
    pub(super) async fn finish_beside(
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
        Err(Trouble::Changed("what has the name beside it changed a moment before".to_owned()))
    }

    /// Looks for what an earlier run has placed. What is not whole is only taken for ours where it is empty: a file that an
    /// earlier migration placed there has contents.
    pub(super) async fn find_ours_beside(&self, original: &dyn Original, buffer: &mut [u8]) -> Attempt<Option<Beside>> {
        let Transfer { context, folders, .. } = *self;
        let facts = original.facts_at_opening();
        for name in names_beside(self.names.dst) {
            let Some(found) = self.look(&name).await? else { break };
            let has_our_time = context.settings.comparison.is_time_kept(compared(&facts), compared(&found));
            if found.kind == NodeKind::File && found.size == facts.size && has_our_time {
                let checksum = same_contents(context, folders.destination, &name, original, buffer).await?;
                if checksum.is_some() {
                    return Ok(Some(Beside::Copied(self.copied(&facts, checksum, Some(&name)))));
                }
            }
            let is_left = found.kind == NodeKind::File
                && found.size == Some(0)
                && facts.size != Some(0)
                && context.keeps(Side::Destination).modified
                && has_our_time;
            if is_left {
                return Ok(Some(Beside::Left(LeftBeside { name, facts: compared(&found) })));
            }
        }
        Ok(None)
    }
}

/// The names beside another one, in the order in which they are tried.
pub(super) fn names_beside(name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (1..=u32::MAX).map(|number| beside(name, number))
}

/// They are all taken.
pub(super) fn no_name_left() -> Trouble {
    Trouble::Changed("there is no name left beside it".to_owned())
}

/// `report.txt` becomes `report (source).txt`, `report (source 2).txt`, …, cut short where that would be too long.
fn beside(name: &[u8], number: u32) -> Vec<u8> {
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
    use super::*;

    #[test]
    fn names_beside_others_keep_their_extension_and_their_length() {
        assert_eq!(beside(b"report.txt", 1), b"report (source).txt");
        assert_eq!(beside(b"report.txt", 2), b"report (source 2).txt");
        assert_eq!(beside(b".profile", 1), b".profile (source)");
        let long = "ü".repeat(127);
        let name = beside(long.as_bytes(), 1);
        assert!(name.len() <= 255 && std::str::from_utf8(&name).is_ok());
    }
}
