//! When a file on the destination counts as the same as the one on the source.

use strum::IntoStaticStr;

use crate::NodeKind;

/// What a listing says of a file, as far as comparing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileFacts {
    /// Bytes; `None` where the store does not say.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store does not say.
    pub modified_ns: Option<i64>,
}

/// What is compared of two files that have the same name under matched folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum CompareBy {
    /// Same size and same modification time.
    #[default]
    #[strum(serialize = "size+mtime")]
    #[cfg_attr(feature = "cli", value(name = "size+mtime"))]
    SizeAndTime,
    /// Same size.
    Size,
    /// Same modification time.
    #[strum(serialize = "mtime")]
    #[cfg_attr(feature = "cli", value(name = "mtime"))]
    Time,
    /// Same contents: both files are read when their turn comes to be copied.
    Checksum,
    /// A file of that name exists.
    Exists,
}

impl CompareBy {
    /// All of them.
    pub const ALL: [CompareBy; 5] =
        [CompareBy::SizeAndTime, CompareBy::Size, CompareBy::Time, CompareBy::Checksum, CompareBy::Exists];

    /// The word used on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// The comparison policy. What is not known on either side never counts as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Comparison {
    /// What is compared.
    #[serde(default)]
    pub by: CompareBy,
    /// The largest difference of modification times, in nanoseconds, that still counts as the same time. Follows from
    /// the coarser of the two stores' time resolutions.
    pub time_tolerance_ns: u64,
    /// Of one of the stores listings do not tell the times that files were given: only looking at a file does, and that is
    /// done when its turn comes to be copied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_looking: bool,
    /// The destination may have copies by a migration whose ledger is lost. Nothing counts as the same before its contents have
    /// been compared, and folders get their attributes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopts: bool,
}

impl Comparison {
    /// Size and time, for two stores with these time resolutions, in nanoseconds. Times of the finer store are cut off,
    /// or rounded, to the coarser one's steps, so that they may differ by less than one such step; two stores that both
    /// keep nanoseconds must agree exactly.
    pub fn for_resolutions(source_ns: u64, destination_ns: u64) -> Self {
        let time_tolerance_ns = source_ns.max(destination_ns).saturating_sub(1);
        Comparison { by: CompareBy::default(), time_tolerance_ns, by_looking: false, adopts: false }
    }

    /// The same stores, compared by something else.
    #[must_use]
    pub fn by(self, by: CompareBy) -> Self {
        Comparison { by, ..self }
    }

    /// The same for two stores of which one does not tell times in its listings.
    #[must_use]
    pub fn by_looking(self, by_looking: bool) -> Self {
        Comparison { by_looking, ..self }
    }

    /// The same, where what the destination has is adopted.
    #[must_use]
    pub fn adopting(self, adopts: bool) -> Self {
        Comparison { adopts, ..self }
    }

    /// Whether listings tell what is compared; otherwise it is compared when its turn comes to be copied.
    pub fn is_told_by_listings(&self) -> bool {
        let can_tell = match self.by {
            CompareBy::SizeAndTime | CompareBy::Time => !self.by_looking,
            CompareBy::Checksum => false,
            CompareBy::Size | CompareBy::Exists => true,
        };
        can_tell && !self.adopts
    }

    /// Whether the destination has the file already, as far as listings tell.
    pub fn is_same_as_listed(&self, source: FileFacts, destination: FileFacts) -> bool {
        self.is_told_by_listings() && self.is_same(source, destination)
    }

    /// Whether the destination has a node already, as far as listings tell; both are of this kind. Folders are the same by
    /// their names, unless they may have to be finished, and what is of a kind that is not carried over is never.
    pub fn is_same_node(&self, kind: NodeKind, source: FileFacts, destination: FileFacts) -> bool {
        match kind {
            NodeKind::Folder => !self.adopts,
            NodeKind::Other => false,
            NodeKind::File | NodeKind::Symlink => self.is_same_as_listed(source, destination),
        }
    }

    /// The same for a destination of which it was measured that it keeps times in steps of `step_ns`, which may be more
    /// than its store knew of.
    #[must_use]
    pub fn with_time_step(self, step_ns: u64) -> Self {
        Comparison { time_tolerance_ns: self.time_tolerance_ns.max(step_ns.saturating_sub(1)), ..self }
    }

    /// Whether the destination's time is what it keeps of the source's, which is cut off or rounded to its steps. Of two
    /// files that are not the same this says more than that their times agree.
    pub fn is_time_kept(&self, source: FileFacts, destination: FileFacts) -> bool {
        let step_ns = i64::try_from(self.time_tolerance_ns).unwrap_or(i64::MAX).saturating_add(1);
        source.modified_ns == destination.modified_ns && source.modified_ns.is_some()
            || self.is_same_time(source, destination) && destination.modified_ns.is_some_and(|ns| ns % step_ns == 0)
    }

    /// Whether the destination has the file already, as far as that can be told without reading it.
    pub fn is_same(&self, source: FileFacts, destination: FileFacts) -> bool {
        let same_size = source.size.is_some() && source.size == destination.size;
        match self.by {
            CompareBy::SizeAndTime => same_size && self.is_same_time(source, destination),
            CompareBy::Size => same_size,
            CompareBy::Time => self.is_same_time(source, destination),
            CompareBy::Checksum => false,
            CompareBy::Exists => true,
        }
    }

    /// Whether only looking at the two, or reading them, when their turn comes to be copied decides what is done: the plan
    /// leaves it open.
    pub fn is_left_open(&self, source: FileFacts, destination: FileFacts) -> bool {
        if self.adopts && self.may_be_adopted(source, destination) {
            return true;
        }
        // It could not be looked at when it was listed.
        let is_unknown = source.size.is_none() && source.modified_ns.is_none();
        match self.by {
            // Where times are not listed it is not known either which of them is newer.
            CompareBy::SizeAndTime | CompareBy::Time => self.by_looking || is_unknown,
            CompareBy::Checksum => self.needs_reading(source, destination),
            CompareBy::Size => is_unknown,
            CompareBy::Exists => false,
        }
    }

    /// Whether the destination's may be a copy of the source's, or what is left of one: its size or its time is the same.
    fn may_be_adopted(&self, source: FileFacts, destination: FileFacts) -> bool {
        source.size.is_some() && source.size == destination.size || self.is_same_time(source, destination)
    }

    /// Whether the two have to be read before it can be told.
    pub fn needs_reading(&self, source: FileFacts, destination: FileFacts) -> bool {
        self.by == CompareBy::Checksum && (source.size == destination.size || source.size.is_none())
    }

    /// Whether the times are known and agree.
    pub fn is_same_time(&self, source: FileFacts, destination: FileFacts) -> bool {
        match (source.modified_ns, destination.modified_ns) {
            (Some(source), Some(destination)) => source.abs_diff(destination) <= self.time_tolerance_ns,
            _ => false,
        }
    }

    /// Whether the source's time is known to be later.
    pub fn is_newer(&self, source: FileFacts, destination: FileFacts) -> bool {
        match (source.modified_ns, destination.modified_ns) {
            (Some(source_ns), Some(destination_ns)) => {
                source_ns > destination_ns && !self.is_same_time(source, destination)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: i64, modified_ns: i64) -> FileFacts {
        FileFacts { size: Some(size), modified_ns: Some(modified_ns) }
    }

    #[test]
    fn times_may_differ_by_less_than_one_step_of_the_coarser_store() {
        let seconds = Comparison::for_resolutions(1, 1_000_000_000);
        assert!(seconds.is_same(facts(5, 7_999_999_999), facts(5, 7_000_000_000)));
        assert!(!seconds.is_same(facts(5, 8_000_000_000), facts(5, 7_000_000_000)));
        assert!(!seconds.is_newer(facts(5, 7_999_999_999), facts(5, 7_000_000_000)));
        assert!(seconds.is_newer(facts(5, 8_000_000_000), facts(5, 7_000_000_000)));
        let exact = Comparison::for_resolutions(1, 1);
        assert!(exact.is_same(facts(5, 7), facts(5, 7)));
        assert!(!exact.is_same(facts(5, 7), facts(5, 8)));
        assert!(!exact.is_same(facts(5, 7), facts(6, 7)));
    }

    #[test]
    fn a_measured_step_makes_the_tolerance_wider_and_never_narrower() {
        let seconds = Comparison::for_resolutions(1, 1_000_000_000);
        assert_eq!(seconds.with_time_step(1), seconds);
        let two = seconds.with_time_step(2_000_000_000);
        assert!(two.is_same(facts(5, 7_999_999_999), facts(5, 6_000_000_000)));
        assert!(!two.is_same(facts(5, 8_000_000_000), facts(5, 6_000_000_000)));
    }

    #[test]
    fn a_time_that_is_kept_is_the_same_or_cut_off_to_a_step() {
        let two = Comparison::for_resolutions(1, 2_000_000_000);
        let is_kept = |source, destination| two.is_time_kept(facts(1, source), facts(2, destination));
        assert!(is_kept(7_999_999_999, 6_000_000_000) && is_kept(6_000_000_001, 6_000_000_001));
        assert!(!is_kept(7_999_999_999, 7_000_000_000) && !is_kept(8_000_000_000, 6_000_000_000));
        let exact = Comparison::for_resolutions(1, 1);
        assert!(exact.is_time_kept(facts(1, 7), facts(2, 7)) && !exact.is_time_kept(facts(1, 7), facts(2, 6)));
    }

    #[test]
    fn each_policy_looks_at_what_it_says() {
        let exact = Comparison::for_resolutions(1, 1);
        let same = |by, source, destination| exact.by(by).is_same(source, destination);
        assert!(same(CompareBy::Size, facts(5, 7), facts(5, 8)) && !same(CompareBy::Size, facts(5, 7), facts(6, 7)));
        assert!(same(CompareBy::Time, facts(5, 7), facts(6, 7)) && !same(CompareBy::Time, facts(5, 7), facts(5, 8)));
        assert!(same(CompareBy::Exists, facts(5, 7), facts(6, 8)));
        let checksum = exact.by(CompareBy::Checksum);
        assert!(!checksum.is_same(facts(5, 7), facts(5, 7)));
        assert!(checksum.needs_reading(facts(5, 7), facts(5, 8)) && !checksum.needs_reading(facts(5, 7), facts(6, 7)));
    }

    #[test]
    fn times_that_listings_do_not_tell_are_compared_later() {
        let exact = Comparison::for_resolutions(1, 1).by_looking(true);
        assert!(exact.is_same(facts(5, 7), facts(5, 7)) && !exact.is_same_as_listed(facts(5, 7), facts(5, 7)));
        assert!(exact.by(CompareBy::Size).is_same_as_listed(facts(5, 7), facts(5, 8)));
    }

    #[test]
    fn what_is_not_known_is_not_the_same() {
        let unknown = FileFacts { size: Some(5), modified_ns: None };
        assert!(!Comparison::for_resolutions(1, 1).is_same(unknown, unknown));
        assert!(!Comparison::for_resolutions(1, 1).is_newer(facts(5, 7), unknown));
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        assert!(!Comparison::for_resolutions(1, 1).is_same(facts(1, i64::MIN), facts(1, i64::MAX)));
    }
}
