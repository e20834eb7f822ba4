//! What a ledger says, in a form that does not depend on identifiers, times or numbers of attempts, so that it is the
//! same whether a run was killed or not.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Rows of a difference that are shown.
const SHOWN_MAX: usize = 3;

/// All rows of a side's view, each as one number that is added to those of the others. `hash` is the same in every
/// process, and takes NULL for a value of its own. Of a file with several names it is left open which of them was copied
/// and has the checksum; and one that nobody asked for may have been taken to tell whose a file is.
const DIGEST: &str = "
    SELECT 'phase' AS what, phase::VARCHAR AS value FROM migration
    UNION ALL
    SELECT 'source nodes', count(*) || ' with a sum of ' || sum(hash(path, name, kind, size, modified_ns, depth,
      traversal_status, copy_status, error)::HUGEINT)
    FROM src_status
    UNION ALL
    SELECT 'destination nodes', count(*) || ' with a sum of ' || sum(hash(path, name, kind, size, modified_ns, depth,
      traversal_status, error)::HUGEINT)
    FROM dst_status
    UNION ALL
    SELECT 'matches', count(*) || ', the same ' || count(*) FILTER (WHERE same) || ', of ' || count(DISTINCT src_id)
      || ' and ' || count(DISTINCT dst_id)
    FROM matches
    UNION ALL
    SELECT 'source counters', count(*) || ' levels with a sum of ' || sum(hash(s)::HUGEINT) FROM src_stats s
    UNION ALL
    SELECT 'destination counters', count(*) || ' levels with a sum of ' || sum(hash(d)::HUGEINT) FROM dst_stats d
    UNION ALL
    SELECT 'problems', count(*) || ' with a sum of ' || coalesce(sum(hash(side, path, phase, class)::HUGEINT), 0)
    FROM problems
    UNION ALL
    SELECT 'folders with several events', count(*)::VARCHAR
    FROM (
      SELECT node_id FROM src_status_events WHERE traversal_status IN ('successful', 'failed')
      GROUP BY node_id HAVING count(*) > 1
      UNION ALL
      SELECT node_id FROM dst_status_events WHERE traversal_status IN ('successful', 'failed')
      GROUP BY node_id HAVING count(*) > 1
    )
    UNION ALL
    SELECT 'folders without an event', count(*)::VARCHAR
    FROM (
      SELECT id FROM src_folders
      WHERE id NOT IN (SELECT node_id FROM src_status_events WHERE traversal_status IN ('successful', 'failed'))
      UNION ALL
      SELECT id FROM dst_folders
      WHERE id NOT IN (SELECT node_id FROM dst_status_events WHERE traversal_status IN ('successful', 'failed'))
    )
    UNION ALL
    SELECT 'ids given out twice', ((SELECT count(*) - count(DISTINCT id) FROM src_nodes)
      + (SELECT count(*) - count(DISTINCT id) FROM dst_nodes))::VARCHAR
    UNION ALL
    SELECT 'plan', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, p.action, p.reason)::HUGEINT), 0)
    FROM plan p
    JOIN src_status s ON s.id = p.src_id
    UNION ALL
    SELECT 'copied', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, c.name, c.size, c.modified_ns,
      CASE WHEN c.inode IS NULL AND m.copy_settings LIKE '%\"checksum\":true%' THEN c.checksum END, c.device,
      c.inode)::HUGEINT), 0)
    FROM copied c
    JOIN src_status s ON s.id = c.src_id
    CROSS JOIN migration m
    UNION ALL
    SELECT 'copied more than once', (count(*) - count(DISTINCT src_id))::VARCHAR FROM copied
    UNION ALL
    SELECT 'verified', coalesce(max(value), 0)::VARCHAR FROM stats WHERE name = 'verified_nodes'
    UNION ALL
    SELECT 'differences', count(*)::VARCHAR FROM differences
    UNION ALL
    SELECT 'exclusions', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, e.origin, e.reason)::HUGEINT), 0)
    FROM exclusions e
    JOIN src_status s ON s.id = e.node_id
    UNION ALL
    SELECT 'decisions', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, d.action)::HUGEINT), 0)
    FROM decisions d
    JOIN src_status s ON s.id = d.src_id
    UNION ALL
    SELECT 'names', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, r.name, r.rule)::HUGEINT), 0)
    FROM renames r
    JOIN src_status s ON s.id = r.src_id
    UNION ALL
    SELECT 'marks', count(*) || ' with a sum of ' || coalesce(sum(hash(s.path, m.phase, m.reason)::HUGEINT), 0)
    FROM marks m
    JOIN src_status s ON s.id = m.node_id
    UNION ALL
    SELECT 'approvals', count(*) || ' of ' || coalesce(sum(nodes), 0) || ' nodes, ' || coalesce(sum(bytes), 0)
      || ' bytes, ' || coalesce(sum(conflicts), 0) || ' conflicts'
    FROM approvals
    WHERE revoked_ns IS NULL";

/// What editing changes, of a ledger that began as a copy of another one and has the same identifiers: quicker to read.
const DIGEST_OF_COPY: &str = "
    SELECT 'source nodes' AS what, count(*) || ' with a sum of ' || coalesce(sum(hash(l.id, l.traversal_status,
      l.copy_status, l.traversal_error, l.copy_error)::HUGEINT), 0) AS value
    FROM src_latest l
    UNION ALL
    SELECT 'source counters', count(*) || ' levels with a sum of ' || sum(hash(s)::HUGEINT) FROM src_stats s
    UNION ALL
    SELECT 'plan', count(*) || ' with a sum of ' || coalesce(sum(hash(p)::HUGEINT), 0) FROM plan p
    UNION ALL
    SELECT 'exclusions', count(*) || ' with a sum of ' || coalesce(sum(hash(node_id, origin, reason)::HUGEINT), 0)
    FROM exclusions
    UNION ALL
    SELECT 'decisions', count(*) || ' with a sum of ' || coalesce(sum(hash(src_id, action)::HUGEINT), 0)
    FROM decisions
    UNION ALL
    SELECT 'names', count(*) || ' with a sum of ' || coalesce(sum(hash(src_id, name, rule)::HUGEINT), 0)
    FROM renames
    UNION ALL
    SELECT 'marks', count(*) || ' with a sum of ' || coalesce(sum(hash(side, node_id, phase, reason)::HUGEINT), 0)
    FROM marks
    UNION ALL
    SELECT 'approvals', count(*) || ' with a sum of ' || coalesce(sum(hash(hash, nodes, bytes, conflicts)::HUGEINT), 0)
    FROM approvals
    WHERE revoked_ns IS NULL";

/// What is looked at where the digests differ, so that somebody sees what is wrong.
const ROWS: [(&str, &str); 13] = [
    (
        "source nodes",
        "SELECT path, kind, size, modified_ns, depth, traversal_status, copy_status, error FROM src_status ORDER BY ALL",
    ),
    (
        "destination nodes",
        "SELECT path, kind, size, modified_ns, depth, traversal_status, error FROM dst_status ORDER BY ALL",
    ),
    ("source counters", "FROM src_stats ORDER BY depth"),
    ("destination counters", "FROM dst_stats ORDER BY depth"),
    ("problems", "SELECT side, path, phase, class FROM problems ORDER BY ALL"),
    ("plan", "SELECT s.path, p.action, p.reason FROM plan p JOIN src_status s ON s.id = p.src_id ORDER BY ALL"),
    (
        "copied",
        "SELECT s.path, c.name, c.size, c.modified_ns, c.checksum, c.device, c.inode
         FROM copied c JOIN src_status s ON s.id = c.src_id ORDER BY ALL",
    ),
    ("differences", "SELECT s.path, d.message FROM differences d JOIN src_status s ON s.id = d.src_id ORDER BY ALL"),
    (
        "exclusions",
        "SELECT s.path, e.origin, e.reason FROM exclusions e JOIN src_status s ON s.id = e.node_id ORDER BY ALL",
    ),
    ("decisions", "SELECT s.path, d.action FROM decisions d JOIN src_status s ON s.id = d.src_id ORDER BY ALL"),
    ("names", "SELECT s.path, r.name, r.rule FROM renames r JOIN src_status s ON s.id = r.src_id ORDER BY ALL"),
    ("approvals", "SELECT hash, nodes, bytes, conflicts FROM approvals WHERE revoked_ns IS NULL"),
    ("marks", "SELECT s.path, m.phase, m.reason FROM marks m JOIN src_status s ON s.id = m.node_id ORDER BY ALL"),
];

/// What there is none of in any ledger.
const NEVER: [&str; 5] = [
    "folders with several events",
    "folders without an event",
    "ids given out twice",
    "copied more than once",
    "differences",
];

/// The digests of a complete ledger: what, and its value.
pub(super) type Digest = Vec<(String, String)>;

/// Where a migration stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) phase: String,
    /// The same, or the phase that it was suspended in.
    pub(super) within: String,
}

/// A ledger, as `longhaul query` shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ledger<'a> {
    pub(super) longhaul: &'a Path,
    pub(super) file: &'a Path,
}

impl Ledger<'_> {
    /// The phase, and the one that it was suspended in.
    pub(super) fn standing(self) -> Result<Standing> {
        let rows = self.query("SELECT phase, coalesce(suspended_from, phase) FROM migration")?;
        let row = rows.first().context("a ledger without a phase")?;
        let (phase, within) = row.split_once(',').context("a row of two columns")?;
        Ok(Standing { phase: phase.to_owned(), within: within.to_owned() })
    }

    /// How many nodes that are no folders are recorded as copied.
    pub(super) fn copied(self) -> Result<u64> {
        self.number("SELECT count(*) FROM src_status WHERE copy_status = 'successful' AND kind <> 'folder'")
    }

    /// How many runs began after this time, in nanoseconds since 1970.
    pub(super) fn runs_since(self, time_ns: u128) -> Result<u64> {
        self.number(&format!("SELECT count(*) FROM runs WHERE started_ns > {time_ns}"))
    }

    /// Whether the ledger records how the runs of this process ended.
    pub(super) fn has_ended(self, pid: u32) -> Result<bool> {
        Ok(self.number(&format!("SELECT count(*) FROM runs WHERE pid = {pid} AND ended_ns IS NULL"))? == 0)
    }

    /// The paths of source nodes that meet a condition in SQL, in order.
    pub(super) fn paths(self, condition: &str) -> Result<Vec<String>> {
        let rows = self.query(&format!("SELECT path FROM src_status WHERE {condition} ORDER BY path"))?;
        Ok(rows.iter().map(|row| unquoted(row)).collect())
    }

    fn number(self, sql: &str) -> Result<u64> {
        let rows = self.query(sql)?;
        rows.first().context("a query without a row")?.parse().context("not a number")
    }

    /// Everything in it, as a few numbers.
    pub(super) fn digest(self) -> Result<Digest> {
        self.digest_by(DIGEST)
    }

    /// What editing changes, for ledgers that began as copies of the same one.
    pub(super) fn digest_of_copy(self) -> Result<Digest> {
        self.digest_by(DIGEST_OF_COPY)
    }

    fn digest_by(self, sql: &str) -> Result<Digest> {
        let rows = self.query(sql)?;
        let split = |row: String| {
            let (what, value) = row.split_once(',').context("a row of two columns")?;
            Ok((what.to_owned(), unquoted(value)))
        };
        rows.into_iter().map(split).collect()
    }

    /// What is as it may be in no ledger, whatever was listed, with some of the rows. Other ledgers are compared with one
    /// that has nothing of it.
    pub(super) fn wrong_in_itself(self, digest: &Digest) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (what, value) in digest.iter().filter(|(what, value)| NEVER.contains(&what.as_str()) && value != "0") {
            wrong.push(format!("{what}: {value}"));
            if let Some((_, sql)) = ROWS.into_iter().find(|(name, _)| name == what) {
                wrong.extend(self.query(sql)?.iter().take(SHOWN_MAX).map(|row| format!("  {row}")));
            }
        }
        Ok(wrong)
    }

    /// What is different from another ledger, whose digest this is, with some of the rows.
    pub(super) fn differences(self, digest: &Digest, reference: Ledger<'_>, due: &Digest) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        for ((what, found), (_, due)) in digest.iter().zip(due) {
            if found == due {
                continue;
            }
            differences.push(format!("{what}: {found} instead of {due}"));
            let Some((_, sql)) = ROWS.into_iter().find(|(name, _)| name == what) else { continue };
            let (found, due) = (self.query(sql)?, reference.query(sql)?);
            differences.extend(only_in(&found, &due).map(|row| format!("  too much: {row}")));
            differences.extend(only_in(&due, &found).map(|row| format!("  missing: {row}")));
        }
        Ok(differences)
    }

    /// The rows of a query as lines: nothing that is shown has a line break in it.
    fn query(self, sql: &str) -> Result<Vec<String>> {
        let output = Command::new(self.longhaul)
            .args(["query", sql, "--format", "csv", "--ledger"])
            .arg(self.file)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.longhaul.display()))?;
        if !output.status.success() {
            bail!("longhaul query: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
        }
        let text = String::from_utf8(output.stdout).context("what longhaul query prints is not UTF-8")?;
        Ok(text.lines().skip(1).map(str::to_owned).collect())
    }
}

/// The value of a field of CSV.
fn unquoted(field: &str) -> String {
    let quoted = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.map_or_else(|| field.to_owned(), |value| value.replace("\"\"", "\""))
}

/// The first rows of one that the other lacks, both in order.
fn only_in<'a>(these: &'a [String], others: &[String]) -> impl Iterator<Item = &'a String> {
    let others: std::collections::BTreeSet<&String> = others.iter().collect();
    these.iter().filter(move |row| !others.contains(row)).take(SHOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_field_is_read_as_its_value() {
        assert_eq!([r"/a b", r#""/a,b""#, r#""/a ""b"" c""#].map(unquoted), ["/a b", "/a,b", r#"/a "b" c"#]);
    }

    #[test]
    fn rows_that_only_one_has_are_shown_up_to_a_limit() {
        let rows = |numbers: std::ops::Range<u32>| numbers.map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(only_in(&rows(0..9), &rows(1..9)).count(), 1);
        assert_eq!(only_in(&rows(0..9), &rows(9..12)).count(), SHOWN_MAX);
    }
}
