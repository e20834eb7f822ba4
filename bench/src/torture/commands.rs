//! The commands that edit a ledger, drawn from what is in it.

use anyhow::Result;

use super::ledger::Ledger;
use super::random::Random;

/// The name of the backup in the folder of a case.
pub(super) const BACKUP: &str = "backup.duckdb";

/// Paths that one command names at most.
const PATHS_MAX: u64 = 3;

/// A command without its ledger.
#[derive(Clone, Debug)]
pub(super) struct Edit(Vec<String>);

impl Edit {
    /// Draws a command. The program may refuse it: there may be nothing to change. Returns `None` if no path meets its
    /// condition.
    pub(super) fn draw(random: &mut Random, ledger: Ledger<'_>) -> Result<Option<Self>> {
        let digit = random.between(0, 9).to_string();
        let name = format!("name ~ \"*{digit}\"");
        let action = *random.pick(&["overwrite", "keep-both", "skip", "undecide"]);
        // Words, and the condition in SQL for the paths that follow them.
        let (words, condition): (&[&str], _) = match random.between(0, 10) {
            0 => (&["exclude", "--where", &name, "--reason", &digit], None),
            1 | 2 => (&["exclude", "--reason", &digit], Some("depth > 0")),
            3 => (&["include", "--where", &name], None),
            4 => (&["include"], Some("id IN (SELECT node_id FROM exclusions)")),
            5 | 6 => {
                let decidable = "copy_status = 'conflict' OR id IN (SELECT src_id FROM decisions)";
                (&["decide", "--action", action], Some(decidable))
            }
            7 => (&["decide", "--action", "skip", "--where", &name], None),
            8 => match random.between(0, 2) {
                0 => (&["lint", "--reset"], None),
                _ => (&["lint", "--accept", "--rules", "windows"], None),
            },
            9 => match random.between(0, 4) {
                0 => (&["mark-retry", "--all"], None),
                1 => (&["mark-retry"], Some("kind = 'folder' AND depth > 0")),
                // Nothing can be approved while anything is marked.
                _ => (&["unmark", "--all"], None),
            },
            _ => match random.between(0, 2) {
                0 => (&["backup", BACKUP, "--force"], None),
                _ => (&["approve", "--leave-conflicts"], None),
            },
        };
        let mut typed: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        if let Some(condition) = condition {
            let paths = ledger.paths(condition)?;
            if paths.is_empty() {
                return Ok(None);
            }
            let count = random.between(1, PATHS_MAX);
            typed.extend((0..count).map(|_| random.pick(&paths).clone()));
        }
        Ok(Some(Self(typed)))
    }

    /// Returns the words to type.
    pub(super) fn arguments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// Whether it writes [`BACKUP`].
    pub(super) fn is_backup(&self) -> bool {
        self.0.first().is_some_and(|command| command == "backup")
    }
}
