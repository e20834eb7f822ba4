//! The decision as a table, and what holds of it whatever the situation.

use longhaul_model::CompareBy;
use proptest::prelude::*;

use super::*;
use ConflictPolicy::{Ask, KeepBoth, Newer, Overwrite, Skip};

const POLICIES: [ConflictPolicy; 5] = [Newer, Skip, Overwrite, KeepBoth, Ask];

/// The source's file or link in the table.
const SOURCE: FileFacts = facts(900, 100);
const OLDER: FileFacts = facts(700, 50);
const YOUNGER: FileFacts = facts(700, 150);

const SUM: Option<Checksum> = Some([7; 32]);

const fn facts(size: i64, modified_ns: i64) -> FileFacts {
    FileFacts { size: Some(size), modified_ns: Some(modified_ns) }
}

/// A file with this action, compared by size and time. The plan saw nothing, nothing is found, no earlier run has
/// begun, and the policy is to skip.
fn file(action: PlanAction) -> Situation {
    Situation {
        planned: Planned { action, existing: None, may_be_begun: false },
        rules: Rules { comparison: Comparison::for_resolutions(1, 1), on_conflict: Skip, preserves_times: true },
        source: Entry { kind: NodeKind::File, facts: SOURCE },
        existing: None,
        contents: Contents::NotCompared,
    }
}

fn link(action: PlanAction) -> Situation {
    Situation { source: Entry { kind: NodeKind::Symlink, facts: SOURCE }, ..file(action) }
}

impl Situation {
    fn planned_for(mut self, existing: FileFacts) -> Self {
        self.planned.existing = Some(existing);
        self
    }

    fn begun(mut self) -> Self {
        self.planned.may_be_begun = true;
        self
    }

    /// The destination has an entry of the same kind.
    fn finds(self, facts: FileFacts) -> Self {
        Situation { existing: Some(Entry { kind: self.source.kind, facts }), ..self }
    }

    fn finds_a(self, kind: NodeKind) -> Self {
        Situation { existing: Some(Entry { kind, facts: OLDER }), ..self }
    }

    fn policy(mut self, policy: ConflictPolicy) -> Self {
        self.rules.on_conflict = policy;
        self
    }

    fn by(mut self, by: CompareBy) -> Self {
        self.rules.comparison = self.rules.comparison.by(by);
        self
    }

    fn without_times(mut self) -> Self {
        self.rules.preserves_times = false;
        self
    }

    fn with_steps_of(mut self, step_ns: u64) -> Self {
        self.rules.comparison = self.rules.comparison.with_time_step(step_ns);
        self
    }

    fn from(mut self, source: FileFacts) -> Self {
        self.source.facts = source;
        self
    }

    fn same(self, checksum: Option<Checksum>) -> Self {
        Situation { contents: Contents::Same(checksum), ..self }
    }

    fn different(self) -> Self {
        Situation { contents: Contents::Different, ..self }
    }
}

const fn differs(kind: NodeKind, is_new: bool, policy: ConflictPolicy) -> Refusal {
    Refusal::Differs { kind, is_new, policy }
}

/// In each row contents are compared if, and only if, they have to be.
#[allow(clippy::too_many_lines, reason = "a row for each case")]
fn table() -> Vec<(&'static str, Situation, Placement)> {
    use NodeKind::{File, Folder, Symlink};
    use Placement as P;
    use PlanAction::{Compare, Copy, KeepBoth as KeepBothAction, MakeLink, Overwrite as OverwriteAction};
    let other_kind = |source, destination| P::Conflict(Refusal::OtherKind { source, destination });
    let unknown_time = FileFacts { size: Some(700), modified_ns: None };
    let remnant = |policy| P::Conflict(Refusal::PossibleRemnant { policy });
    let (empty_ours, empty_younger) = (facts(0, 100), facts(0, 150));
    let new = |policy| P::Skip(differs(File, true, policy));
    let seen = |policy| P::Skip(differs(File, false, policy));
    vec![
        ("nothing has the name", file(Copy), P::Free),
        ("nothing has it, and an earlier run has begun", file(Copy).begun(), P::Free),
        ("the file to replace is gone", file(OverwriteAction).planned_for(OLDER), P::Free),
        ("the file to keep is gone", file(KeepBothAction).planned_for(OLDER), P::Free),
        ("nothing has the link's name", link(MakeLink), P::Free),
        // Other kinds.
        ("a folder has the name", file(Copy).finds_a(Folder), other_kind(File, Folder)),
        ("a link, whatever the policy", file(Copy).finds_a(Symlink).policy(Overwrite), other_kind(File, Symlink)),
        ("a folder, and a person keeps both", file(KeepBothAction).finds_a(Folder), P::KeepBoth),
        (
            "a folder instead of the file to keep",
            file(KeepBothAction).planned_for(OLDER).finds_a(Folder),
            other_kind(File, Folder),
        ),
        ("a file has the link's name", link(MakeLink).finds_a(File), other_kind(Symlink, File)),
        ("a file, and a person keeps both", link(KeepBothAction).finds_a(File), P::KeepBoth),
        // What the plan saw.
        ("the file to replace", file(OverwriteAction).planned_for(OLDER).finds(OLDER), P::Replace(OLDER)),
        ("still, after a kill", file(OverwriteAction).planned_for(OLDER).finds(OLDER).begun(), P::Replace(OLDER)),
        ("the file to keep", file(KeepBothAction).planned_for(OLDER).finds(OLDER), P::KeepBoth),
        ("a file, and a person keeps whatever exists", file(KeepBothAction).finds(OLDER), P::KeepBoth),
        ("another file than the one to replace", file(OverwriteAction).planned_for(OLDER).finds(YOUNGER), seen(Skip)),
        (
            "another one, and the policy replaces",
            file(OverwriteAction).planned_for(OLDER).finds(YOUNGER).policy(Overwrite),
            P::Replace(YOUNGER),
        ),
        ("another file than the one to keep", file(KeepBothAction).planned_for(OLDER).finds(YOUNGER), seen(Skip)),
        // The same file.
        ("the same size and time", file(Copy).finds(SOURCE), P::AlreadyThere),
        ("the same size, where that counts", file(Copy).finds(facts(900, 150)).by(CompareBy::Size), P::AlreadyThere),
        ("the same time, where that counts", file(Copy).finds(facts(1, 100)).by(CompareBy::Time), P::AlreadyThere),
        ("any file, where that counts", file(Copy).finds(OLDER).by(CompareBy::Exists), P::AlreadyThere),
        (
            "the same contents, where they count",
            file(Compare).planned_for(SOURCE).finds(SOURCE).by(CompareBy::Checksum).same(SUM),
            P::AlreadyThere,
        ),
        (
            "the same contents as the file to replace",
            file(OverwriteAction).planned_for(facts(900, 50)).finds(facts(900, 50)).by(CompareBy::Checksum).same(SUM),
            P::AlreadyThere,
        ),
        // Different files that the policy decides about.
        ("new and older", file(Copy).finds(OLDER).policy(Newer), P::Replace(OLDER)),
        ("new and younger", file(Copy).finds(YOUNGER).policy(Newer), new(Newer)),
        ("new and of the same time", file(Copy).finds(facts(700, 100)).policy(Newer), new(Newer)),
        ("new and of unknown age", file(Copy).finds(unknown_time).policy(Newer), new(Newer)),
        ("new, skip", file(Copy).finds(OLDER), new(Skip)),
        ("new, overwrite", file(Copy).finds(YOUNGER).policy(Overwrite), P::Replace(YOUNGER)),
        ("new, keep both", file(Copy).finds(OLDER).policy(KeepBoth), P::KeepBoth),
        ("new, ask", file(Copy).finds(OLDER).policy(Ask), P::Conflict(differs(File, true, Ask))),
        (
            "other contents, overwrite",
            file(Compare).planned_for(SOURCE).finds(SOURCE).by(CompareBy::Checksum).policy(Overwrite).different(),
            P::Replace(SOURCE),
        ),
        (
            "other contents, ask",
            file(Compare).planned_for(SOURCE).finds(SOURCE).by(CompareBy::Checksum).policy(Ask).different(),
            P::Conflict(differs(File, false, Ask)),
        ),
        ("another size is not read", file(Compare).planned_for(OLDER).finds(OLDER).by(CompareBy::Checksum), seen(Skip)),
        // Our own copy, which an earlier run did not record.
        ("our copy", file(Copy).begun().finds(SOURCE).same(SUM), P::CopiedEarlier(SUM)),
        (
            "our copy in place of the file to replace",
            file(OverwriteAction).planned_for(OLDER).begun().finds(SOURCE).same(SUM),
            P::CopiedEarlier(SUM),
        ),
        (
            "our copy, where times are not preserved",
            file(Copy).begun().without_times().finds(facts(900, 777)).same(SUM),
            P::CopiedEarlier(SUM),
        ),
        (
            "not our copy: the plan saw it",
            file(Compare).planned_for(SOURCE).begun().finds(SOURCE).by(CompareBy::Checksum).same(SUM),
            P::AlreadyThere,
        ),
        ("our time and size, other contents", file(Copy).begun().finds(SOURCE).different(), P::Replace(SOURCE)),
        (
            "other contents, where times are not preserved",
            file(Copy).begun().without_times().finds(facts(900, 777)).different(),
            new(Skip),
        ),
        (
            "a time that agrees and is not the one that we set",
            file(Copy).begun().with_steps_of(2).finds(facts(900, 101)).different(),
            new(Skip),
        ),
        // What a power cut left of our copy, with its time.
        ("empty, with our time", file(Copy).begun().finds(empty_ours), P::Replace(empty_ours)),
        ("half of it, with our time", file(Copy).begun().finds(facts(300, 100)), P::Replace(facts(300, 100))),
        (
            "with our time, cut off to a step",
            file(Copy).from(facts(900, 101)).begun().with_steps_of(2).finds(empty_ours),
            P::Replace(empty_ours),
        ),
        (
            "no remnant where any file counts as the same",
            file(Copy).finds(empty_ours).by(CompareBy::Exists),
            P::AlreadyThere,
        ),
        ("but ours does not", file(Copy).begun().finds(empty_ours).by(CompareBy::Exists), P::Replace(empty_ours)),
        ("empty, and no earlier run has begun", file(Copy).finds(empty_ours), new(Skip)),
        (
            "in place of the file to replace",
            file(OverwriteAction).planned_for(OLDER).begun().finds(empty_ours),
            P::Replace(empty_ours),
        ),
        (
            "in place of a file that had our time before",
            file(OverwriteAction).planned_for(facts(700, 100)).begun().finds(empty_ours),
            seen(Skip),
        ),
        (
            "in place of a file that the policy replaces",
            file(Compare).planned_for(OLDER).begun().finds(empty_ours).by(CompareBy::Checksum).policy(Newer),
            P::Replace(empty_ours),
        ),
        (
            "in place of a file that the policy keeps",
            file(Compare).planned_for(OLDER).begun().finds(empty_ours).by(CompareBy::Checksum),
            seen(Skip),
        ),
        (
            "in place of a file to keep, where we did not write",
            file(KeepBothAction).planned_for(OLDER).begun().finds(empty_ours).policy(Ask),
            P::Conflict(differs(File, false, Ask)),
        ),
        // What a power cut may have left of our copy, without its time.
        ("empty, overwrite", file(Copy).begun().finds(empty_younger).policy(Overwrite), P::Replace(empty_younger)),
        ("empty, newer, and older", file(Copy).begun().finds(facts(0, 50)).policy(Newer), P::Replace(facts(0, 50))),
        ("empty, newer", file(Copy).begun().finds(empty_younger).policy(Newer), remnant(Newer)),
        ("empty, keep both", file(Copy).begun().finds(empty_younger).policy(KeepBoth), P::KeepBoth),
        ("empty, skip", file(Copy).begun().finds(empty_younger), remnant(Skip)),
        ("empty, ask", file(Copy).begun().finds(empty_younger).policy(Ask), remnant(Ask)),
        (
            "empty, with our time, where times are not preserved",
            file(Copy).begun().without_times().finds(empty_ours),
            remnant(Skip),
        ),
        (
            "empty, where any file counts as the same",
            file(Copy).begun().finds(empty_younger).by(CompareBy::Exists),
            remnant(Skip),
        ),
        ("empty, and no earlier run has begun", file(Copy).finds(empty_younger), new(Skip)),
        ("empty, as the source is", file(Copy).from(facts(0, 100)).begun().finds(empty_younger), new(Skip)),
        (
            "empty, where the plan saw a file",
            file(OverwriteAction).planned_for(OLDER).begun().finds(empty_younger),
            seen(Skip),
        ),
        // Links.
        (
            "the link to replace, for its time alone perhaps",
            link(MakeLink).planned_for(OLDER).finds(OLDER),
            P::Replace(OLDER),
        ),
        ("a link to the same target", link(MakeLink).finds(YOUNGER).same(None), P::AlreadyThere),
        ("our link", link(MakeLink).begun().finds(YOUNGER).same(None), P::CopiedEarlier(None)),
        (
            "our link in place of the one to replace",
            link(MakeLink).planned_for(OLDER).begun().finds(SOURCE).same(None),
            P::CopiedEarlier(None),
        ),
        (
            "not our link: the plan saw it",
            link(KeepBothAction).planned_for(OLDER).begun().finds(OLDER).same(None),
            P::AlreadyThere,
        ),
        ("the link to keep", link(KeepBothAction).planned_for(OLDER).finds(OLDER).different(), P::KeepBoth),
        ("another link, overwrite", link(MakeLink).finds(OLDER).policy(Overwrite).different(), P::Replace(OLDER)),
        ("another link, newer", link(MakeLink).finds(OLDER).policy(Newer).different(), P::Replace(OLDER)),
        (
            "another link that is younger",
            link(MakeLink).finds(YOUNGER).policy(Newer).different(),
            P::Skip(differs(Symlink, true, Newer)),
        ),
        ("another link, keep both", link(MakeLink).finds(OLDER).policy(KeepBoth).different(), P::KeepBoth),
        (
            "another link than the one to replace, ask",
            link(MakeLink).planned_for(OLDER).finds(YOUNGER).policy(Ask).different(),
            P::Conflict(differs(Symlink, false, Ask)),
        ),
        (
            "a power cut leaves no half of a link",
            link(MakeLink).begun().finds(SOURCE).different(),
            P::Skip(differs(Symlink, true, Skip)),
        ),
    ]
}

#[test]
fn each_situation_has_its_placement() {
    for (name, situation, expected) in table() {
        let is_compared = situation.contents != Contents::NotCompared;
        assert_eq!(situation.needs_contents(), is_compared, "{name}: {situation:#?}");
        assert_eq!(decide_placement(&situation), expected, "{name}: {situation:#?}");
    }
}

/// Few values, so that they often agree.
fn any_facts() -> impl Strategy<Value = FileFacts> {
    let size = prop::sample::select(vec![None, Some(0), Some(5), Some(9)]);
    let time = prop::sample::select(vec![None, Some(10), Some(11), Some(12), Some(20)]);
    (size, time).prop_map(|(size, modified_ns)| FileFacts { size, modified_ns })
}

fn any_situation() -> impl Strategy<Value = Situation> {
    const BY: [CompareBy; 5] =
        [CompareBy::SizeAndTime, CompareBy::Size, CompareBy::Time, CompareBy::Checksum, CompareBy::Exists];
    let planned = (prop::sample::select(PlanAction::ALL.to_vec()), prop::option::of(any_facts()), any::<bool>())
        .prop_map(|(action, existing, may_be_begun)| Planned { action, existing, may_be_begun });
    let rules = (
        prop::sample::select(BY.to_vec()),
        prop::sample::select(vec![1, 2]),
        prop::sample::select(POLICIES.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(by, step_ns, on_conflict, preserves_times)| Rules {
            comparison: Comparison::for_resolutions(1, step_ns).by(by),
            on_conflict,
            preserves_times,
        });
    let source = (prop::sample::select(vec![NodeKind::File, NodeKind::Symlink]), any_facts())
        .prop_map(|(kind, facts)| Entry { kind, facts });
    let kinds = vec![NodeKind::File, NodeKind::File, NodeKind::Symlink, NodeKind::Folder, NodeKind::Other];
    let existing = prop::option::weighted(
        0.9,
        (prop::sample::select(kinds), any_facts()).prop_map(|(kind, facts)| Entry { kind, facts }),
    );
    (planned, rules, source, existing, any::<bool>()).prop_map(|(planned, rules, source, existing, is_same)| {
        let mut situation = Situation { planned, rules, source, existing, contents: Contents::NotCompared };
        if situation.needs_contents() {
            situation.contents = if is_same { Contents::Same(SUM) } else { Contents::Different };
        }
        situation
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn only_what_the_plan_the_policy_or_an_earlier_run_may_replace_is_replaced(situation in any_situation()) {
        if let Placement::Replace(facts) = decide_placement(&situation) {
            let Situation { planned, rules, source, existing, contents } = situation;
            let existing = existing.expect("an entry is replaced");
            prop_assert_eq!((existing.kind, existing.facts), (source.kind, facts));
            prop_assert!(!matches!(contents, Contents::Same(_)));
            let by_plan = matches!(planned.action, PlanAction::Overwrite | PlanAction::MakeLink)
                && planned.existing == Some(facts);
            let is_newer = rules.comparison.is_newer(source.facts, facts);
            let by_policy = rules.on_conflict.decide(is_newer) == PolicyVerdict::Replace;
            let as_our_own = planned.may_be_begun
                && rules.preserves_times
                && source.kind == NodeKind::File
                && planned.existing != Some(facts)
                && rules.comparison.is_time_kept(source.facts, facts);
            prop_assert!(by_plan || by_policy || as_our_own);
        }
    }

    #[test]
    fn nothing_is_ours_that_no_earlier_run_or_attempt_has_begun(situation in any_situation()) {
        if let Placement::CopiedEarlier(_) = decide_placement(&situation) {
            prop_assert!(situation.planned.may_be_begun);
            prop_assert!(matches!(situation.contents, Contents::Same(_)));
            prop_assert_ne!(situation.planned.existing, situation.existing.map(|existing| existing.facts));
        }
    }

    #[test]
    fn the_name_is_free_if_and_only_if_nothing_has_it(situation in any_situation()) {
        prop_assert_eq!(decide_placement(&situation) == Placement::Free, situation.existing.is_none());
    }

    #[test]
    fn contents_that_were_compared_decide_whether_the_item_is_there(situation in any_situation()) {
        let is_there =
            matches!(decide_placement(&situation), Placement::AlreadyThere | Placement::CopiedEarlier(_));
        match situation.contents {
            Contents::Same(_) => prop_assert!(is_there),
            Contents::Different => prop_assert!(!is_there),
            Contents::NotCompared => {}
        }
    }

    #[test]
    fn an_empty_file_that_may_be_a_remnant_of_ours_is_never_taken_for_the_source_s(situation in any_situation()) {
        let Situation { planned, source, existing, contents, .. } = situation;
        let is_empty = existing.is_some_and(|existing| existing.facts.size == Some(0));
        let is_file = source.kind == NodeKind::File;
        if is_file && planned.may_be_begun && planned.existing.is_none() && is_empty && source.facts.size != Some(0) {
            let placement = decide_placement(&situation);
            prop_assert!(!matches!(placement, Placement::Skip(_)), "{:?}", placement);
            // Sizes that the source does not tell are told by contents.
            let is_same = matches!(contents, Contents::Same(_));
            prop_assert!(placement != Placement::AlreadyThere || is_same, "{:?}", placement);
        }
    }
}
