//! What people are told about a configuration that is not acceptable.

use std::path::Path;

use longhaul_spectra::{Config, FaultClass, Mode};

fn problem(text: &str) -> String {
    Config::from_json(text).unwrap_err().to_string()
}

#[test]
fn an_empty_configuration_is_acceptable() {
    let config = Config::from_json("{}").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!((config.mode, config.api.host.as_str(), config.api.port), (Mode::Persistent, "127.0.0.1", 8086));
    assert_eq!((config.seed.min_file_size, config.seed.max_file_size), (1024, 1024));
}

#[test]
fn a_chaos_section_of_the_original_is_understood() {
    let config = Config::from_json(
        r#"{"chaos": {
            "enabled": true,
            "rate_limits": {
                "poll_interval_ms": 50,
                "global": {"calls_per_second": 100, "burst": 20},
                "operations": {
                    "list_children": {"calls_per_second": 10, "burst": 5},
                    "create_folder": {"calls_per_second": 10, "burst": 5},
                    "upload_file": {"calls_per_second": 10.5, "burst": 5},
                    "get_file_data": {"calls_per_second": 10, "burst": 5},
                    "get_node": {"calls_per_second": 10, "burst": 5}
                },
                "bandwidth": {"bytes_per_second": 1000000, "burst_bytes": 2000000}
            },
            "backoff": {"base_retry_after_ms": 100, "exponential_factor": 2},
            "latency": {"list_children_ms": 20, "jitter_ms": 5},
            "packet_loss": {"probability": 0.01, "retry_after_ms": 100},
            "faults": [{"operation": "any", "error": "bad_name", "path": "/folder_1/**"},
                       {"operation": "get_node", "error": "no_space"}]
        }}"#,
    )
    .unwrap();
    assert_eq!(config.chaos.faults[0].error, FaultClass::BadName);
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(Config::from_json(&again).unwrap(), config, "what is written can be read");
}

#[test]
fn each_problem_names_its_field_and_the_remedy() {
    let cases = [
        (r#"{"seed": {"max_depth": 256}}"#, "seed.max_depth is 256: give a number from 0 to 255"),
        (
            r#"{"seed": {"min_folders": -1}}"#,
            "seed.min_folders: invalid value: integer `-1`, expected u32: give a number from 0 to 10000000 (line 1, column 27)",
        ),
        (
            r#"{"seed": {"seed": 1.5}}"#,
            "seed.seed: invalid type: floating point `1.5`, expected u64: give a number from 0 to 18446744073709551615 (line 1, column 21)",
        ),
        (
            r#"{"api": {"port": 70000}}"#,
            "api.port: invalid value: integer `70000`, expected u16: give a number from 0 to 65535 (line 1, column 22)",
        ),
        (
            r#"{"seed": {"min_files": 9, "max_files": 8}}"#,
            "seed.min_files is 9, above seed.max_files, which is 8: lower the one or raise the other",
        ),
        (
            r#"{"seed": {"min_file_size": 2000}}"#,
            "seed.min_file_size is 2000, above seed.max_file_size, which is 1024: lower the one or raise the other",
        ),
        (
            r#"{"seed": {"folder_depth_decay_factor": 1.5}}"#,
            "seed.folder_depth_decay_factor is 1.5: give a number from 0 to 1",
        ),
        (r#"{"seed": {"file_backoff_factor": 0}}"#, "seed.file_backoff_factor is 0: give a number from 0.01 to 100"),
        (r#"{"seed": {"stale_probability": -0.1}}"#, "seed.stale_probability is -0.1: give a number from 0 to 1"),
        (r#"{"seed": {"db_path": ""}}"#, "seed.db_path is empty: give it a value, or leave it out for the default"),
        (r#"{"secondary_tables": {"s1": 1.1}}"#, "secondary_tables.s1 is 1.1: give a number from 0 to 1"),
        (
            r#"{"secondary_tables": {"primary": 1}}"#,
            "secondary_tables.primary: `primary` is always there and has everything; give the world another name",
        ),
        (
            r#"{"secondary_tables": {"a/b": 1}}"#,
            "secondary_tables has a world named `a/b`: use letters, digits, `_` and `-` only, at least one of them",
        ),
        (
            r#"{"chaos": {"rate_limits": {"operations": {"get_node": {"calls_per_second": 0, "burst": 1}}}}}"#,
            "chaos.rate_limits.operations.get_node.calls_per_second is 0: give a number from 0.001 to 1000000000",
        ),
        (
            r#"{"chaos": {"faults": [{"error": "fatal"}, {"error": "fatal", "probability": 2}]}}"#,
            "chaos.faults.1.probability is 2: give a number from 0 to 1",
        ),
        (
            r#"{"chaos": {"faults": [{"error": "fatal", "path": "/a/*"}]}}"#,
            "chaos.faults.0.path is `/a/*`: give a path such as `/folder_1/file_2.txt`, or `/folder_1/**` for a folder and all below",
        ),
        (
            r#"{"chaos": {"faults": [{"error": "fatal", "world": "s1"}]}}"#,
            "chaos.faults.0.world is `s1`, which is neither `primary` nor in secondary_tables",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problem(text), expected);
    }
}

#[test]
fn a_field_that_there_is_not_is_refused_with_those_there_are() {
    let text = problem("{\n  \"mode\": \"ephemeral\",\n  \"seed\": { \"max_depth\": 3, \"maxfolders\": 4 }\n}");
    assert!(text.starts_with("seed: unknown field `maxfolders`, expected one of `max_depth`, "), "{text}");
    assert!(text.ends_with("(line 3, column 40)"), "{text}");
    let text = problem(r#"{"sed": {}}"#);
    assert!(text.starts_with("unknown field `sed`, expected one of `mode`, `seed`"), "{text}");
    let text = problem(r#"{"chaos": {"faults": [{"operation": "list", "error": "fatal"}]}}"#);
    assert!(text.starts_with("chaos.faults.0.operation: unknown operation `list`, expected `any` or one of"), "{text}");
    let text = problem(r#"{"chaos": {"faults": [{"error": "already_exists"}]}}"#);
    assert!(text.starts_with("chaos.faults.0.error: unknown variant `already_exists`"), "{text}");
    let text = problem(r#"{"mode": "forever"}"#);
    assert!(text.starts_with("mode: unknown variant `forever`, expected `persistent` or `ephemeral`"), "{text}");
}

#[test]
fn what_is_no_json_is_refused_with_line_and_column() {
    assert_eq!(problem("{\n  \"seed\": {,\n}"), "not JSON at line 2, column 12: key must be a string");
    assert_eq!(problem(""), "not JSON at line 1, column 0: EOF while parsing a value");
}

#[test]
fn every_problem_of_a_file_names_the_file_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spectra.json");
    let shown = file.display();
    let error = Config::load(&file).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("configuration {shown} does not exist: check the path, or write one (see configs/spectra.json)")
    );
    for (text, expected) in [
        ("{", "not JSON at line 1, column 1: EOF while parsing an object"),
        (r#"{"seed": {"max_depth": 999}}"#, "seed.max_depth is 999: give a number from 0 to 255"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = Config::load(&file).unwrap_err().to_string();
        assert_eq!(error, format!("configuration {shown}: {expected}"));
        assert!(!error.contains('\n'));
    }
    assert!(Config::load(folder.path()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn the_shipped_configurations_are_acceptable() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    assert_eq!(Config::load(&configs.join("spectra.json")).unwrap().mode, Mode::Persistent);
    assert_eq!(Config::load(&configs.join("spectra-ephemeral.json")).unwrap().mode, Mode::Ephemeral);
}
