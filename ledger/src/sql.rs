//! Rules and enumerations as SQL, each printed from the Rust value that is the rule, so that none stands in two places.
//!
//! Everything here returns text. Expressions are about the aliases that they are given.

use std::ops::Range;

use longhaul_model::{
    CallClass, CompareBy, Comparison, ConflictPolicy, CopyStatus, ErrorClass, FIRST_NODE_ID, NodeKind, Phase,
    PlanAction, REASON_SEPARATOR, ReasonCode, SHOWN_END_CHARACTERS, SHOWN_PATH_CHARACTERS_MAX, Side, TraversalStatus,
};

use crate::counters::Counters;
use crate::words::{ExclusionOrigin, Finding, ProblemKind, SweepKind};

/// Ids of nodes that one statement covers, where it joins tables or inserts what it has joined. What it holds of so many
/// nodes fits into the memory that DuckDB has; and it inserts fewer rows than a row group has (122 880), which keeps clear
/// of the fault described at `fold_range`.
pub(crate) const RANGE_IDS: i64 = 98_304;

/// The tables and views of a new ledger.
pub(crate) fn schema() -> String {
    let mut text = include_str!("schema.sql").to_owned();
    let counters = Counters::NAMES.map(|name| format!("  {name} BIGINT NOT NULL")).join(",\n");
    let replacements = [
        ("{{types}}", types()),
        ("{{counters}}", counters),
        ("{{src_latest}}", latest(Side::Source, None)),
        ("{{dst_latest}}", latest(Side::Destination, None)),
        ("{{path}}", path("n", "f")),
        ("{{src_traversal_status}}", traversal_status(Side::Source, "l", "n", "m")),
        ("{{dst_traversal_status}}", traversal_status(Side::Destination, "l", "n", "m")),
        ("{{copy_status}}", copy_status("l", "m.same")),
        ("{{src_error}}", sentence("coalesce(l.copy_error, l.traversal_error, l.remark)")),
        ("{{dst_error}}", sentence("coalesce(l.traversal_error, l.remark)")),
        ("{{plan_reason}}", sentence("p.reason")),
        ("{{already_there}}", quoted(&longhaul_model::Reason::plain(ReasonCode::AlreadyThere).to_string())),
        ("{{src}}", Side::Source.prefix().to_owned()),
        ("{{dst}}", Side::Destination.prefix().to_owned()),
        ("{{exclude}}", PlanAction::Exclude.to_string()),
        ("{{is_done}}", format!("{} AND {}", is_work("action"), is_settled("copy_status"))),
        ("{{already_existed}}", PlanAction::AlreadyExisted.to_string()),
        ("{{verifying}}", Phase::Verifying.to_string()),
        ("{{different}}", ProblemKind::Different.as_str().to_owned()),
        ("{{is_discovered}}", is_phase("coalesce(suspended_from, phase)", Phase::is_after_discovery)),
        ("{{src_failed}}", has_failed(Side::Source, "s")),
        ("{{dst_failed}}", has_failed(Side::Destination, "d")),
        ("{{copying}}", Phase::Copying.to_string()),
        ("{{is_excluded}}", is_status("copy_status", CopyStatus::is_excluded)),
        ("{{was_listed}}", is_listed_status("traversal_status")),
    ];
    for (token, value) in replacements {
        assert!(text.contains(token), "{token} is used in the schema");
        text = text.replace(token, &value);
    }
    assert!(!text.contains("{{"), "every token of the schema is replaced");
    text
}

/// The enumerations, in the order of the Rust types' `ALL`: codes are places in it.
fn types() -> String {
    let kinds = NodeKind::ALL.map(NodeKind::as_str);
    let traversal = TraversalStatus::ALL.map(TraversalStatus::as_str);
    let copy = CopyStatus::ALL.map(CopyStatus::as_str);
    let classes = ErrorClass::ALL.map(ErrorClass::as_str);
    let phases = Phase::ALL.map(Phase::as_str);
    let actions = PlanAction::ALL.map(PlanAction::as_str);
    let sides = Side::BOTH.map(Side::prefix);
    let sweeps = SweepKind::ALL.map(SweepKind::as_str);
    let findings = Finding::ALL.map(Finding::as_str);
    let origins = ExclusionOrigin::ALL.map(ExclusionOrigin::as_str);
    let calls = CallClass::ALL.map(CallClass::as_str);
    let types: [(&str, &[&str]); 11] = [
        ("node_kind", &kinds),
        ("traversal_status", &traversal),
        ("copy_status", &copy),
        ("error_class", &classes),
        ("phase", &phases),
        ("plan_action", &actions),
        ("side", &sides),
        ("sweep_kind", &sweeps),
        ("finding", &findings),
        ("exclusion_origin", &origins),
        ("call_class", &calls),
    ];
    types.map(|(name, words)| format!("CREATE TYPE {name} AS ENUM {};", list(words.iter().copied()))).join("\n")
}

/// `('a', 'b')`
fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    format!("({})", words.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A text as SQL writes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a column has the word of one of the values for which `is` holds; NULL where it is NULL.
fn is_one<T: Copy>(
    column: &str,
    all: impl IntoIterator<Item = T>,
    word: impl Fn(T) -> &'static str,
    is: impl Fn(T) -> bool,
) -> String {
    format!("{column} IN {}", list(all.into_iter().filter(|&value| is(value)).map(word)))
}

/// Whether a column has one of the copy statuses for which `is` holds; NULL where it is NULL.
pub(crate) fn is_status(column: &str, is: impl Fn(CopyStatus) -> bool) -> String {
    is_one(column, CopyStatus::ALL, CopyStatus::as_str, is)
}

/// Whether a column has one of the traversal statuses for which `is` holds; NULL where it is NULL.
pub(crate) fn is_traversal(column: &str, is: impl Fn(TraversalStatus) -> bool) -> String {
    is_one(column, TraversalStatus::ALL, TraversalStatus::as_str, is)
}

/// Whether a column has one of the kinds of node for which `is` holds; NULL where it is NULL.
pub(crate) fn is_kind(column: &str, is: impl Fn(NodeKind) -> bool) -> String {
    is_one(column, NodeKind::ALL, NodeKind::as_str, is)
}

/// Whether a column has one of the phases for which `is` holds; NULL where it is NULL.
pub(crate) fn is_phase(column: &str, is: impl Fn(Phase) -> bool) -> String {
    is_one(column, Phase::ALL, Phase::as_str, is)
}

/// Whether a column has one of the findings of a sweep for which `is` holds; NULL where it is NULL.
pub(crate) fn is_finding(column: &str, is: impl Fn(Finding) -> bool) -> String {
    is_one(column, Finding::ALL, Finding::as_str, is)
}

/// Whether a folder with this traversal status need not be listed any more.
pub(crate) fn is_listed_status(column: &str) -> String {
    is_traversal(column, |status| !status.is_to_be_listed())
}

/// Whether there is anything to be done for an action of the plan.
pub(crate) fn is_work(column: &str) -> String {
    is_one(column, PlanAction::ALL, PlanAction::as_str, PlanAction::is_work)
}

/// Whether a source node whose last copy status is in this column, or NULL, has been dealt with: then the plan's action for it is
/// history.
pub(crate) fn is_settled(latest: &str) -> String {
    format!("coalesce({latest} <> '{}', false)", CopyStatus::Pending)
}

/// Whether a node of this side, with its statuses in `row`, could not be listed, or on the source not be copied.
pub(crate) fn has_failed(side: Side, row: &str) -> String {
    let not_listed = format!("{row}.traversal_status = '{}'", TraversalStatus::Failed);
    match side {
        Side::Source => format!("({not_listed} OR {row}.copy_status = '{}')", CopyStatus::Failed),
        Side::Destination => not_listed,
    }
}

/// The aggregate that adds up the sizes of the files among the nodes in `rows`; 0 where there are none.
pub(crate) fn bytes_of_files(rows: &str) -> String {
    format!("coalesce(sum({rows}.size) FILTER (WHERE {rows}.kind = '{}'), 0)", NodeKind::File)
}

/// The printable path of something called `name` in the folder with this id and path; the root has no folder.
pub(crate) fn child_path(folder_id: &str, folder_path: &str, name: &str) -> String {
    let root = FIRST_NODE_ID.0;
    format!(
        "CASE WHEN {folder_id} IS NULL THEN '/' WHEN {folder_id} = {root} THEN '/' || {name} \
         ELSE {folder_path} || '/' || {name} END"
    )
}

/// The printable path of the node `node`, whose folder in `src_folders` or `dst_folders` is `folder`.
pub(crate) fn path(node: &str, folder: &str) -> String {
    child_path(&format!("{node}.parent_id"), &format!("{folder}.path"), &format!("{node}.name"))
}

/// Whether a path is that of a folder, or below it: `folder` is an expression for what [`is_below_parameter`] makes of its
/// path.
pub(crate) fn is_below(path: &str, folder: &str) -> String {
    format!("starts_with({path} || '/', {folder} || '/')")
}

/// What [`is_below`] takes for a folder: its path without a slash at the end, nothing for the root.
pub(crate) fn is_below_parameter(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// What a sentence shows of a printable path: [`shown_path`](longhaul_model::shown_path).
pub(crate) fn shown_path(path: &str) -> String {
    format!(
        "CASE WHEN length({path}) > {SHOWN_PATH_CHARACTERS_MAX}
           THEN left({path}, {SHOWN_END_CHARACTERS}) || '…' || right({path}, {SHOWN_END_CHARACTERS})
           ELSE {path}
         END"
    )
}

/// The copy status of a source node: what the events say (`latest`), or what follows from its match (`same`).
pub(crate) fn copy_status(latest: &str, same: &str) -> String {
    let [found, pending] = [CopyStatus::AlreadyExisted, CopyStatus::Pending];
    format!("coalesce({latest}.copy_status, CASE WHEN {same} THEN '{found}' ELSE '{pending}' END::copy_status)")
}

/// The traversal status of a node: what the events say (`latest`), or what follows from what it is (`node`) and, on the
/// destination, from whether it has a counterpart (`matched.dst_id`).
pub(crate) fn traversal_status(side: Side, latest: &str, node: &str, matched: &str) -> String {
    let [pending, listed, alone] =
        [TraversalStatus::Pending, TraversalStatus::Successful, TraversalStatus::NotOnSrc].map(TraversalStatus::as_str);
    let alone = match side {
        Side::Source => String::new(),
        Side::Destination => format!("WHEN {matched}.dst_id IS NULL THEN '{alone}' "),
    };
    format!(
        "coalesce({latest}.traversal_status, \
         CASE {alone}WHEN {node}.kind = '{}' THEN '{pending}' ELSE '{listed}' END::traversal_status)",
        NodeKind::Folder
    )
}

/// What events say of a node, in columns: the aggregates over its events. A reason goes with the status that it is given
/// for, and goes with it: '' stands for "none any more". `arg_max` passes over NULLs, which is what "NULL: unchanged" means.
pub(crate) const LAST_OF_EVENTS: &str = "
    node_id AS id,
    arg_max(traversal_status, seq) AS traversal_status,
    arg_max(copy_status, seq) AS copy_status,
    arg_max(attempt, seq) FILTER (WHERE attempt > 0) AS attempts,
    arg_max(coalesce(reason, ''), seq) FILTER (WHERE traversal_status IS NOT NULL) AS traversal_error,
    arg_max(coalesce(reason, ''), seq) FILTER (WHERE copy_status IS NOT NULL) AS copy_error,
    arg_max(reason, seq) FILTER (WHERE traversal_status IS NULL AND copy_status IS NULL) AS remark";

/// The same laid over what was folded before (`c`).
pub(crate) const LAST_OVER_FOLDED: &str = "
    coalesce(f.traversal_status, c.traversal_status) AS traversal_status,
    coalesce(f.copy_status, c.copy_status) AS copy_status,
    coalesce(f.attempts, c.attempts, 0) AS attempts,
    nullif(coalesce(f.traversal_error, c.traversal_error), '') AS traversal_error,
    nullif(coalesce(f.copy_error, c.copy_error), '') AS copy_error,
    coalesce(f.remark, c.remark) AS remark";

/// The latest word on each node that has any: the folded events and those since. Of the nodes with ids within `ids`, or
/// of all; a condition on ids from outside would come behind the aggregates.
pub(crate) fn latest(side: Side, ids: Option<&Range<i64>>) -> String {
    let side = side.prefix();
    let within = |column: &str| {
        ids.map_or_else(|| "true".to_owned(), |ids| format!("{column} >= {} AND {column} < {}", ids.start, ids.end))
    };
    let (folded, fresh) = (within("id"), within("node_id"));
    format!(
        "WITH fresh AS (
           SELECT {LAST_OF_EVENTS}
           FROM {side}_status_events
           WHERE seq > (SELECT {side}_folded_seq FROM migration) AND {fresh}
           GROUP BY node_id
         )
         SELECT id, traversal_status, copy_status, attempts, traversal_error, copy_error, remark
         FROM {side}_current
         WHERE id NOT IN (SELECT id FROM fresh) AND {folded}
         UNION ALL
         SELECT f.id, {LAST_OVER_FOLDED}
         FROM fresh f
         LEFT JOIN (FROM {side}_current WHERE {folded}) c ON c.id = f.id"
    )
}

/// [`Comparison::is_same_as_listed`] of the files or links `source` and `destination`: true or false, never NULL.
pub(crate) fn is_same(comparison: Comparison, source: &str, destination: &str) -> String {
    let size = format!("coalesce({source}.size = {destination}.size, false)");
    let time = is_same_time(comparison, source, destination);
    if !comparison.is_told_by_listings() {
        return "false".to_owned();
    }
    match comparison.by {
        CompareBy::SizeAndTime => format!("({size} AND {time})"),
        CompareBy::Size => size,
        CompareBy::Time => time,
        CompareBy::Checksum => "false".to_owned(),
        CompareBy::Exists => "true".to_owned(),
    }
}

/// [`Comparison::is_same_node`] of a source node and a destination node of the same kind.
pub(crate) fn is_same_node(comparison: Comparison, source: &str, destination: &str) -> String {
    let same = is_same(comparison, source, destination);
    let cases = NodeKind::ALL.map(|kind| {
        let is_same = match kind {
            NodeKind::Folder if comparison.adopts => "false",
            NodeKind::Folder => "true",
            NodeKind::Other => "false",
            NodeKind::File | NodeKind::Symlink => same.as_str(),
        };
        format!("WHEN '{kind}' THEN {is_same}")
    });
    format!("CASE {source}.kind {} END", cases.join(" "))
}

/// [`Comparison::is_same_time`].
pub(crate) fn is_same_time(comparison: Comparison, source: &str, destination: &str) -> String {
    format!(
        "coalesce(abs({source}.modified_ns::HUGEINT - {destination}.modified_ns::HUGEINT) <= {}, false)",
        comparison.time_tolerance_ns
    )
}

/// [`Comparison::is_newer`].
pub(crate) fn is_newer(comparison: Comparison, source: &str, destination: &str) -> String {
    format!(
        "coalesce({source}.modified_ns::HUGEINT > {destination}.modified_ns::HUGEINT + {}, false)",
        comparison.time_tolerance_ns
    )
}

/// [`Comparison::is_left_open`].
pub(crate) fn is_left_open(comparison: Comparison, source: &str, destination: &str) -> String {
    let is_unknown = format!("({source}.size IS NULL AND {source}.modified_ns IS NULL)");
    let by_policy = match comparison.by {
        CompareBy::SizeAndTime | CompareBy::Time if comparison.by_looking => "true".to_owned(),
        CompareBy::SizeAndTime | CompareBy::Time | CompareBy::Size => is_unknown,
        CompareBy::Checksum => {
            format!("({source}.size IS NULL OR {source}.size IS NOT DISTINCT FROM {destination}.size)")
        }
        CompareBy::Exists => "false".to_owned(),
    };
    if comparison.adopts {
        let same_time = is_same_time(comparison, source, destination);
        format!("({by_policy} OR coalesce({source}.size = {destination}.size, false) OR {same_time})")
    } else {
        by_policy
    }
}

/// The action that follows from the conflict policy for the file or link `source`, whose name `destination` has.
pub(crate) fn policy_action(policy: ConflictPolicy, comparison: Comparison, source: &str, destination: &str) -> String {
    let action = |is_newer: bool| by_kind(source, |kind| policy.decide(is_newer).action(kind));
    let (newer, not_newer) = (action(true), action(false));
    if newer == not_newer {
        return newer;
    }
    let is_newer = is_newer(comparison, source, destination);
    format!("CASE WHEN {is_newer} THEN {newer} ELSE {not_newer} END")
}

/// The action that depends on what kind of node `source` is: a file, or a link.
pub(crate) fn by_kind(source: &str, action: impl Fn(NodeKind) -> PlanAction) -> String {
    let (file, link) = (action(NodeKind::File), action(NodeKind::Symlink));
    if file == link {
        return quoted(file.as_str());
    }
    format!("CASE WHEN {source}.kind = '{}' THEN '{link}' ELSE '{file}' END", NodeKind::Symlink)
}

/// A reason in its stored form, with expressions for its parameters. NULL where one of these is NULL.
///
/// # Panics
///
/// When these are not as many as the code has.
pub(crate) fn reason(code: ReasonCode, parameters: &[&str]) -> String {
    assert_eq!(parameters.len(), code.parameters(), "the parameters of {code}");
    let mut text = quoted(code.as_str());
    for parameter in parameters {
        text = format!("{text} || chr({}) || {parameter}", u32::from(REASON_SEPARATOR));
    }
    format!("({text})")
}

/// A parameter of a reason in its stored form; they are counted from 1.
pub(crate) fn reason_parameter(stored: &str, number: usize) -> String {
    reason_part(stored, number + 1)
}

/// A text of which a parameter can be made: what separates parameters is a space in it.
pub(crate) fn as_parameter(text: &str) -> String {
    format!("replace({text}, chr({}), ' ')", u32::from(REASON_SEPARATOR))
}

/// A piece of what the separator of reasons cuts into pieces; they are counted from 1.
fn reason_part(text: &str, number: usize) -> String {
    format!("split_part({text}, chr({}), {number})", u32::from(REASON_SEPARATOR))
}

/// The sentence of a reason in its stored form: [`Reason`](longhaul_model::Reason)'s `Display`. What has no code that is
/// known stays as it is, and does not disappear. The expression is repeated in it, and should be a short one.
///
/// The templates are in one map, cut into the pieces between their parameters: an expression for each of them takes DuckDB
/// twenty times as long to plan, wherever a view has it.
pub(crate) fn sentence(stored: &str) -> String {
    let separator = REASON_SEPARATOR.to_string();
    let templates = ReasonCode::ALL.iter().map(|code| {
        let pieces = quoted(&pieces(code.template()).join(&separator));
        format!("{}: {pieces}", quoted(code.as_str()))
    });
    let templates = templates.collect::<Vec<_>>().join(", ");
    let parameters = ReasonCode::ALL.iter().map(|code| code.parameters()).max().unwrap_or_default();
    let rest = (1..=parameters).flat_map(|number| [reason_part(stored, number + 1), reason_part("pieces", number + 1)]);
    let parts = std::iter::once(reason_part("pieces", 1)).chain(rest).collect::<Vec<_>>().join(", ");
    // Nearly all nodes have none.
    format!(
        "CASE WHEN {stored} IS NOT NULL THEN
           list_transform(
             [MAP {{{templates}}}[{code}]],
             lambda pieces: CASE WHEN pieces IS NULL THEN {stored} ELSE concat({parts}) END
           )[1]
         END",
        code = reason_part(stored, 1)
    )
}

/// What stands before, between and behind the parameters of a template, which come in their order.
fn pieces(template: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (number, behind) = after.split_once('}').expect("templates close their braces");
        pieces.push(before);
        assert_eq!(number.parse(), Ok(pieces.len()), "the parameters of {template:?} come in their order");
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
pub(crate) mod tests;
