//! Why a node has the status it has: a code with parameters. The sentence for people is made when it is shown, so that
//! sentences can be improved without changing what a ledger says.

use std::fmt;

/// Separates a code and its parameters in the stored form. No printable name or path contains it.
pub const REASON_SEPARATOR: char = '\u{1f}';

/// Defines the codes: the variant, the word in the ledger, and the sentence with `{1}`, `{2}`, … for the parameters.
macro_rules! reason_codes {
    ($($(#[$comment:meta])* $variant:ident = $word:literal, $template:literal;)*) => {
        /// What kind of reason it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ReasonCode {
            $($(#[$comment])* $variant,)*
        }

        impl ReasonCode {
            /// All codes.
            pub const ALL: &[ReasonCode] = &[$(ReasonCode::$variant,)*];

            /// The word used in the ledger.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(ReasonCode::$variant => $word,)*
                }
            }

            /// The sentence, with `{1}`, `{2}`, … where the parameters go.
            pub const fn template(self) -> &'static str {
                match self {
                    $(ReasonCode::$variant => $template,)*
                }
            }
        }
    };
}

reason_codes! {
    /// What a store said, in its own words.
    Message = "message", "{1}";
    /// Both sides have the name, for nodes of different kinds: the source's, the destination's.
    KindsDiffer = "kinds_differ", "the source has a {1} of this name, the destination a {2}";
    /// A kind that cannot be copied; the store says what it is.
    SpecialFile = "special_file", "{1}";
    /// A kind that cannot be copied.
    OtherKind = "other_kind", "neither a file, a folder nor a symbolic link";
    /// The destination cannot store symbolic links.
    NoSymlinks = "no_symlinks", "the destination has no symbolic links";
    /// Excluded by a filter rule: where the rule was given, the rule.
    Filter = "filter", "filter {1}: {2}";
    /// As `Filter`, for a folder.
    FilteredFolder = "filtered_folder", "filter {1}: {2} (not listed)";
    /// Destination folder: its counterpart is excluded by a filter rule.
    CounterpartFiltered = "counterpart_filtered", "not listed: a filter leaves out what the source has here";
    /// Excluded by a person, in their words.
    ExcludedByHand = "excluded_by_hand", "{1}";
    /// Below a folder that a person excluded: the folder, their words.
    AncestorExcluded = "ancestor_excluded", "it is in {1}, which is excluded: {2}";
    /// Copied by this migration before the plan was made.
    CopiedBefore = "copied_before", "it was copied before";
    /// The destination has the same.
    AlreadyThere = "already_there", "it is there already";
    /// The destination has it already, perhaps as a copy by a migration whose ledger is lost.
    Adopted = "adopted", "it is on the destination already: it counts as copied once its contents have been compared";
    /// A person decided the conflict: the decision.
    Decided = "decided", "decided: {1}";
    /// Below a folder that is in conflict: that folder.
    AncestorInConflict = "ancestor_in_conflict", "it is in {1}, which is in conflict";
    /// The destination has another node of this name, and nothing more is known.
    PlaceTaken = "place_taken", "what has its place on the destination is another one";
    /// The destination has another file, of unknown age: the conflict policy.
    DiffersUnknownAge = "differs_unknown_age", "the destination has another one, of unknown age (on conflict: {1})";
    /// As `DiffersUnknownAge`, and its size differs.
    DiffersUnknownAgeAndSize = "differs_unknown_age_and_size",
        "the destination has another one, of unknown age and of another size (on conflict: {1})";
    /// The destination has another file, of the same time: the conflict policy.
    DiffersSameTime = "differs_same_time", "the destination has another one, of the same time (on conflict: {1})";
    /// As `DiffersSameTime`, and its size differs.
    DiffersSameTimeAndSize = "differs_same_time_and_size",
        "the destination has another one, of the same time and of another size (on conflict: {1})";
    /// The destination has another file, which is older: the conflict policy.
    DiffersOlder = "differs_older", "the destination has another one, older (on conflict: {1})";
    /// As `DiffersOlder`, and its size differs.
    DiffersOlderAndSize = "differs_older_and_size",
        "the destination has another one, older and of another size (on conflict: {1})";
    /// The destination has another file, which is newer: the conflict policy.
    DiffersNewer = "differs_newer", "the destination has another one, newer (on conflict: {1})";
    /// As `DiffersNewer`, and its size differs.
    DiffersNewerAndSize = "differs_newer_and_size",
        "the destination has another one, newer and of another size (on conflict: {1})";
    /// Gone from the source.
    Gone = "gone", "it is gone from the source";
    /// On the source it is of another kind now: that kind.
    OtherKindNow = "other_kind_now", "it is a {1} now";
    /// Found while copying: the destination has a different entry of the same kind: the kind, the conflict policy.
    DifferentEntry = "different_entry", "the destination has a different {1} (on conflict: {2})";
    /// As `DifferentEntry`, and it is not older than the source's.
    DifferentEntryNotOlder = "different_entry_not_older",
        "the destination has a different {1} that is not older (on conflict: {2})";
    /// As `DifferentEntry`, and it was not there when the plan was made.
    NewEntry = "new_entry", "the destination has a different {1}, created since the plan was made (on conflict: {2})";
    /// As `NewEntry`, and it is not older than the source's.
    NewEntryNotOlder = "new_entry_not_older",
        "the destination has a different {1} that is not older, created since the plan was made (on conflict: {2})";
    /// Found while copying: an empty file, perhaps what a power failure left of an earlier copy: the conflict policy.
    PossibleRemnant = "possible_remnant",
        "the destination has an empty file, created since the plan was made, by an interrupted copy or by somebody else \
         (on conflict: {1})";
    /// The folder that it is in could not be created: that folder.
    ParentFailed = "parent_failed", "the folder {1} could not be made";
    /// The folder that it is in is gone from the source: that folder.
    ParentVanished = "parent_vanished", "the folder {1} is gone from the source";
    /// The folder that it is in is in conflict: that folder.
    ParentInConflict = "parent_in_conflict", "the folder {1} is in conflict";
    /// The folder that it is in is skipped: that folder.
    ParentSkipped = "parent_skipped", "the folder {1} is left out";
}

impl ReasonCode {
    /// How many parameters it has.
    pub fn parameters(self) -> usize {
        (1..=9).take_while(|number| self.template().contains(&format!("{{{number}}}"))).count()
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a node has the status it has. Displayed as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    code: ReasonCode,
    parameters: Vec<String>,
}

/// A text that is not the stored form of a reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a recorded reason")]
pub struct UnreadableReason(String);

impl Reason {
    /// The reason with this code and these parameters.
    ///
    /// # Panics
    ///
    /// When these are not as many parameters as the code has.
    pub fn new<P: fmt::Display>(code: ReasonCode, parameters: impl IntoIterator<Item = P>) -> Reason {
        // A message of a store may contain anything.
        let parameters: Vec<String> =
            parameters.into_iter().map(|one| one.to_string().replace(REASON_SEPARATOR, " ")).collect();
        assert_eq!(parameters.len(), code.parameters(), "the parameters of {code}");
        Reason { code, parameters }
    }

    /// A reason without parameters.
    ///
    /// # Panics
    ///
    /// When the code has parameters.
    pub fn plain(code: ReasonCode) -> Reason {
        Reason::new(code, std::iter::empty::<&str>())
    }

    /// What a store said.
    pub fn message(text: &str) -> Reason {
        Reason::new(ReasonCode::Message, [text])
    }

    /// What kind of reason it is.
    pub fn code(&self) -> ReasonCode {
        self.code
    }

    /// The form in which ledgers store it: the code and the parameters, separated by [`REASON_SEPARATOR`].
    pub fn stored(&self) -> String {
        let mut text = self.code.as_str().to_owned();
        for parameter in &self.parameters {
            text.push(REASON_SEPARATOR);
            text.push_str(parameter);
        }
        text
    }

    /// Reads the stored form.
    pub fn from_stored(text: &str) -> Result<Reason, UnreadableReason> {
        let mut parts = text.split(REASON_SEPARATOR);
        let word = parts.next().unwrap_or_default();
        let code = ReasonCode::ALL.iter().copied().find(|code| code.as_str() == word);
        let parameters: Vec<String> = parts.map(str::to_owned).collect();
        match code {
            Some(code) if code.parameters() == parameters.len() => Ok(Reason { code, parameters }),
            _ => Err(UnreadableReason(text.to_owned())),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.code.template();
        while let Some((before, after)) = rest.split_once('{') {
            f.write_str(before)?;
            let (number, behind) = after.split_once('}').expect("templates close their braces");
            let number: usize = number.parse().expect("templates number their parameters");
            f.write_str(&self.parameters[number - 1])?;
            rest = behind;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_can_be_stored_read_back_and_shown() {
        for &code in ReasonCode::ALL {
            let reason = Reason::new(code, (0..code.parameters()).map(|number| format!("p{number} {{1}} \u{1f}")));
            assert_eq!(Reason::from_stored(&reason.stored()), Ok(reason.clone()));
            let shown = reason.to_string();
            assert!((0..code.parameters()).all(|number| shown.contains(&format!("p{number} {{1}}"))), "{shown}");
            assert!(!shown.contains(REASON_SEPARATOR), "{shown}");
        }
    }

    #[test]
    fn words_are_unique() {
        let words: std::collections::HashSet<_> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ReasonCode::ALL.len());
    }

    #[test]
    fn other_texts_are_no_reasons() {
        for text in ["", "unknown", "message", "gone\u{1f}too much", "kinds_differ\u{1f}file"] {
            assert!(Reason::from_stored(text).is_err(), "{text:?}");
        }
    }
}
