//! Each rule as SQL says what the same rule in Rust says.

use std::collections::BTreeSet;
use std::path::Path;

use duckdb::{Connection, params};
use longhaul_model::{CopyChange, FileFacts, Reason, child_path as model_child_path, is_at_or_below};
use proptest::prelude::*;

use super::*;

/// The names and texts of the Rust and SQL sources in a folder and below it, those of tests not among them.
pub(crate) fn product_sources(folder: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests" && name != "target") {
                sources.extend(product_sources(&path));
            }
            continue;
        }
        let is_source = path.extension().is_some_and(|extension| extension == "rs" || extension == "sql");
        if is_source && !name.ends_with("tests.rs") && !name.ends_with("testing.rs") && !name.ends_with("forest.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push((name, text));
        }
    }
    sources
}

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&schema()).unwrap();
    connection
}

fn facts() -> impl Strategy<Value = FileFacts> {
    let size = prop_oneof![Just(None), (0..4_i64).prop_map(Some)];
    let time = prop_oneof![
        Just(None),
        (-25..25_i64).prop_map(Some),
        Just(Some(i64::MAX)),
        Just(Some(i64::MIN)),
        Just(Some(i64::MAX - 5)),
    ];
    (size, time).prop_map(|(size, modified_ns)| FileFacts { size, modified_ns })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let tolerance = prop_oneof![Just(0_u64), 1..30_u64, Just(u64::from(u32::MAX))];
    (prop::sample::select(&CompareBy::ALL[..]), tolerance, any::<bool>(), any::<bool>()).prop_map(
        |(by, time_tolerance_ns, by_looking, adopts)| Comparison { by, time_tolerance_ns, by_looking, adopts },
    )
}

/// Evaluates an expression over a source node `s` and a destination node `d`.
fn evaluate(
    connection: &Connection,
    expression: &str,
    source: (FileFacts, NodeKind),
    destination: FileFacts,
) -> String {
    let sql = format!(
        "SELECT ({expression})::VARCHAR
         FROM (SELECT ?::BIGINT AS size, ?::BIGINT AS modified_ns, ?::node_kind AS kind) s,
           (SELECT ?::BIGINT AS size, ?::BIGINT AS modified_ns) d"
    );
    let (facts, kind) = source;
    let parameters = params![facts.size, facts.modified_ns, kind.as_str(), destination.size, destination.modified_ns];
    connection.query_row(&sql, parameters, |row| row.get(0)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_the_same_newer_or_left_open_is_so_in_sql_and_in_rust(
        comparison in comparison(),
        pairs in prop::collection::vec((facts(), facts()), 1..12),
    ) {
        let connection = connection();
        for (source, destination) in pairs {
            let is = |expression: String| evaluate(&connection, &expression, (source, NodeKind::File), destination);
            let text = |value: bool| value.to_string();
            prop_assert_eq!(
                is(is_same(comparison, "s", "d")),
                text(comparison.is_same_as_listed(source, destination)),
                "{:?} {:?} {:?}", comparison, source, destination
            );
            for kind in NodeKind::ALL {
                let same = evaluate(&connection, &is_same_node(comparison, "s", "d"), (source, kind), destination);
                prop_assert_eq!(same, text(comparison.is_same_node(kind, source, destination)));
            }
            prop_assert_eq!(
                is(is_newer(comparison, "s", "d")), text(comparison.is_newer(source, destination)),
                "{:?} {:?} {:?}", comparison, source, destination
            );
            prop_assert_eq!(
                is(is_same_time(comparison, "s", "d")), text(comparison.is_same_time(source, destination)),
                "{:?} {:?} {:?}", comparison, source, destination
            );
            prop_assert_eq!(
                is(is_left_open(comparison, "s", "d")), text(comparison.is_left_open(source, destination)),
                "{:?} {:?} {:?}", comparison, source, destination
            );
            for policy in ConflictPolicy::ALL {
                for kind in [NodeKind::File, NodeKind::Symlink] {
                    let expression = policy_action(policy, comparison, "s", "d");
                    let found = evaluate(&connection, &expression, (source, kind), destination);
                    let expected = policy.decide(comparison.is_newer(source, destination)).action(kind);
                    prop_assert_eq!(found, expected.to_string(), "{:?} {:?}", policy, kind);
                }
            }
        }
    }

    #[test]
    fn sentences_are_the_same_in_sql_and_in_rust(
        parameters in prop::collection::vec("[^\u{1f}]{0,12}", 3),
    ) {
        let connection = connection();
        for &code in ReasonCode::ALL {
            let parameters = &parameters[..code.parameters()];
            let reason = Reason::new(code, parameters);
            let places = vec!["?"; parameters.len()];
            let sql = format!("SELECT {}", super::reason(code, &places));
            let stored: String =
                connection.query_row(&sql, duckdb::params_from_iter(parameters), |row| row.get(0)).unwrap();
            prop_assert_eq!(&stored, &reason.stored());
            let sql = format!("SELECT {} FROM (SELECT ?::VARCHAR AS r)", sentence("r"));
            let shown: String = connection.query_row(&sql, [&stored], |row| row.get(0)).unwrap();
            prop_assert_eq!(shown, reason.to_string());
        }
    }

    #[test]
    fn paths_are_the_same_in_sql_and_in_rust(folder in "(/[a-c%_]{1,2}){0,3}", name in "[a-c%_']{1,3}", other in "(/[a-c%_]{1,2}){0,3}") {
        let connection = connection();
        let folder = if folder.is_empty() { "/".to_owned() } else { folder };
        let id = if folder == "/" { FIRST_NODE_ID.0 } else { 7 };
        let sql = format!("SELECT {} FROM (SELECT ?::BIGINT AS id, ? AS path, ? AS name) x", child_path("id", "path", "name"));
        let path: String = connection.query_row(&sql, params![id, folder, name], |row| row.get(0)).unwrap();
        prop_assert_eq!(&path, &model_child_path(&folder, &name));
        let sql = format!("SELECT {}", is_below("?", "?"));
        let found: bool = connection.query_row(&sql, params![path, other], |row| row.get(0)).unwrap();
        let expected = is_at_or_below(&path, if other.is_empty() { "/" } else { &other });
        prop_assert_eq!(found, expected, "{} below {}", path, other);
    }
}

/// Every word that an enumeration has in SQL.
fn words_of_enumerations() -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    words.extend(NodeKind::ALL.map(NodeKind::as_str));
    words.extend(TraversalStatus::ALL.map(TraversalStatus::as_str));
    words.extend(CopyStatus::ALL.map(CopyStatus::as_str));
    words.extend(CopyChange::ALL.map(CopyChange::as_str));
    words.extend(ErrorClass::ALL.map(ErrorClass::as_str));
    words.extend(Phase::ALL.map(Phase::as_str));
    words.extend(PlanAction::ALL.map(PlanAction::as_str));
    words.extend(Side::BOTH.map(Side::prefix));
    words.extend(SweepKind::ALL.map(SweepKind::as_str));
    words.extend(Finding::ALL.map(Finding::as_str));
    words.extend(ExclusionOrigin::ALL.map(ExclusionOrigin::as_str));
    words.extend(CallClass::ALL.map(CallClass::as_str));
    words.extend(ProblemKind::ALL.map(ProblemKind::as_str));
    words.extend(ReasonCode::ALL.iter().map(|code| code.as_str()));
    words
}

/// The texts between single quotes in a line, without the comment at its end.
fn quoted_in(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split_once("--").map_or(line, |(code, _)| code);
    let code = if code.trim_start().starts_with("//") { "" } else { code };
    // A lifetime or a letter's quote may shift the pairs: whatever is between two neighbouring quotes counts.
    code.split('\'').skip(1)
}

#[test]
fn no_statement_names_a_value_of_an_enumeration_itself() {
    let words = words_of_enumerations();
    let sources = product_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.iter().any(|(name, _)| name.ends_with("schema.sql")), "the schema is among them");
    let mut found = Vec::new();
    for (name, text) in &sources {
        for (number, line) in text.lines().enumerate() {
            for word in quoted_in(line).filter(|text| words.contains(text)) {
                found.push(format!("{name}:{}: '{word}' has to come from its type", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn quoted_words_are_found_between_any_two_quotes_and_not_in_comments() {
    let words = |line| quoted_in(line).collect::<Vec<_>>();
    assert!(words("WHERE status = 'failed' AND kind = 'file'").contains(&"file"));
    assert!(words("fn columns<'a>() -> &'a str { \"kind = 'file'\" }").contains(&"file"));
    assert!(words("    -- 'failed' before").is_empty());
    assert!(words("    /// 'failed' before").is_empty());
}

#[test]
fn a_reason_that_is_not_there_has_no_sentence() {
    let sql = format!("SELECT {} FROM (SELECT NULL::VARCHAR AS r)", sentence("r"));
    let shown: Option<String> = connection().query_row(&sql, [], |row| row.get(0)).unwrap();
    assert_eq!(shown, None);
}

#[test]
fn statuses_and_actions_are_told_apart_as_in_rust() {
    let connection = connection();
    for status in CopyStatus::ALL {
        let sql = format!("SELECT {}", is_status(&format!("'{status}'::copy_status"), CopyStatus::is_excluded));
        let found: bool = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, status.is_excluded(), "{status}");
    }
    for action in PlanAction::ALL {
        let sql = format!("SELECT {}", is_work(&format!("'{action}'::plan_action")));
        let found: bool = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, action.is_work(), "{action}");
    }
}

#[test]
fn a_reason_with_an_unknown_code_is_shown_as_it_is() {
    let connection = connection();
    let sql = format!("SELECT {} FROM (SELECT 'not a code'::VARCHAR AS r)", sentence("r"));
    assert_eq!(connection.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap(), "not a code");
}
