//! Conditions, read and printed, and applied to nodes.

mod random;

use super::*;

fn wrong(text: &str) -> (usize, String) {
    let error = Condition::parse(text).expect_err(text);
    (error.position, error.message)
}

/// What is printed of what was read.
fn printed(text: &str) -> String {
    Condition::parse(text).unwrap_or_else(|error| panic!("{error}")).to_string()
}

#[test]
fn not_binds_closer_than_and_and_that_closer_than_or() {
    assert_eq!(
        printed("not kind=file AND size>10k or has problem"),
        "(not kind = file and size > 10240) or has problem"
    );
    assert_eq!(printed("not (kind = file or kind = folder)"), "not (kind = file or kind = folder)");
    assert_eq!(printed("name!~'*.tmp'"), "not name ~ *.tmp");
    assert_eq!(printed("  under \"/a b//c/\"  "), "under \"/a b/c\"");
    assert_eq!(printed("name = \"a \"\"quoted\"\" name\""), "name = \"a \"\"quoted\"\" name\"");
    assert_eq!(printed("name = new\\nline"), "name = new\\nline");
}

#[test]
fn sizes_have_units_of_1024_or_1000() {
    for (typed, bytes) in [
        ("0", 0),
        ("1500", 1500),
        ("10k", 10 << 10),
        ("10K", 10 << 10),
        ("10KiB", 10 << 10),
        ("10kB", 10_000),
        ("1.5M", 3 << 19),
        ("2G", 2_i64 << 30),
        ("3T", 3_i64 << 40),
        ("0.5TB", 500_000_000_000),
        ("7B", 7),
    ] {
        assert_eq!(printed(&format!("size = {typed}")), format!("size = {bytes}"), "{typed}");
    }
    for typed in ["10X", "M", "1.", "1.2.3", "-1", "9999999T", "10iB", "1e3", "99999999999999999999"] {
        assert_eq!(wrong(&format!("size > {typed}")).0, 7, "{typed}");
    }
}

#[test]
fn a_time_is_as_wide_as_it_was_written() {
    const SECOND: i64 = 1_000_000_000;
    for (typed, range) in [
        ("1970-01-02", 86_400 * SECOND..2 * 86_400 * SECOND),
        ("1970-01-01T00:01", 60 * SECOND..120 * SECOND),
        ("1970-01-01T00:00:05Z", 5 * SECOND..6 * SECOND),
        ("1970-01-01 00:00:05.25", 5 * SECOND + SECOND / 4..5 * SECOND + SECOND / 4 + 1),
        ("1d", -86_400 * SECOND..1 - 86_400 * SECOND),
        ("2w ago", -14 * 86_400 * SECOND..1 - 14 * 86_400 * SECOND),
    ] {
        assert_eq!(Moment::parse(typed).map(|moment| moment.range(0)), Some(range), "{typed}");
    }
    for typed in ["", "d", "1", "1970-02-30", "1500-01-01", "yesterday", "1970-01-01T25:00", "1x", "+1d", "é", "ago"] {
        assert_eq!(Moment::parse(typed), None, "{typed}");
    }
    assert_eq!(time_text(5 * SECOND), "1970-01-01T00:00:05Z");
    assert_eq!(time_text(-1), "1969-12-31T23:59:59.999999999Z");
}

#[test]
fn what_is_wrong_is_said_with_where() {
    for (text, position, part) in [
        ("", 0, "a test is missing"),
        ("kind = file and", 15, "a test is missing"),
        ("kind = file and sise > 10M", 16, "no field `sise`"),
        ("kind ~ file", 5, "does not go with this field"),
        ("kind = fil", 7, "choose one of folder, file, symlink, other"),
        ("kind = ", 7, "expected"),
        ("kind file", 5, "here one of = != is expected"),
        ("(kind = file", 0, "a ( without its )"),
        ("kind = file)", 11, "a ) without its ("),
        ("kind = file size > 1", 12, "`and`, `or` or the end"),
        ("name = \"a", 7, "without the one that closes it"),
        ("name ~ \"[a\"", 7, "a [ without its ]"),
        ("under a/b", 6, "a path begins with /"),
        ("has it", 4, "problem"),
        ("modified < soon", 11, "`soon` is not a day"),
        ("depth < -1", 8, "is not a depth"),
        ("side = dst or kind = file", 0, "only be said beside"),
        ("not side = dst", 4, "only be said beside"),
        ("kind = file and (side = dst)", 17, "only be said beside"),
        ("side = dst and side = src", 22, "nodes of the destination"),
        ("side = dst and copy = failed", 15, "only nodes of the source"),
        ("side = both", 7, "choose `src` or `dst`"),
        ("ü = 1", 0, "no field"),
        ("name = ü and = 1", 14, "a test is expected"),
    ] {
        let (at, message) = wrong(text);
        assert_eq!(at, position, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
    let deep = format!("{}kind = file{}", "(".repeat(51), ")".repeat(51));
    assert!(wrong(&deep).1.contains("within one another"));
    assert!(wrong(&"not ".repeat(100_000)).1.contains("more than 65536 bytes"));
    assert!(wrong(&"not ".repeat(10_000)).1.contains("within one another"));
}

#[test]
fn the_caret_stands_under_the_place_whatever_was_typed() {
    let error = Condition::parse("name = é\nand sise > 1").expect_err("no such field");
    assert_eq!(error.marked(), "name = é and sise > 1\n             ^");
    assert!(error.to_string().starts_with("condition, at character 14: there is no field `sise`"), "{error}");
}

#[test]
fn a_condition_for_one_side_is_not_one_for_the_other() {
    assert!(Condition::parse_for("side = dst", Side::Source).is_err());
    assert!(Condition::parse_for("copy = failed", Side::Destination).is_err());
    let condition = Condition::parse_for("kind = file", Side::Destination).expect("it goes for both");
    assert_eq!(condition.side(), Some(Side::Destination));
    assert_eq!(condition.to_string(), "side = dst and kind = file");
    let other = Condition::parse("side = src").expect("it is complete");
    assert_eq!(condition.clone().and(other), None);
    let both = condition.and(Condition::with_problem()).expect("it says nothing of sides");
    assert_eq!(both.to_string(), "side = dst and kind = file and has problem");
}
