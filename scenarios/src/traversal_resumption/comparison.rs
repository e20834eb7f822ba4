//! Two ledgers side by side: what their views say, by path. Identifiers are left out, because in what order folders of
//! the same depth are recorded is up to chance.

use anyhow::Result;
use longhaul_ledger::{Reader, Table};

use crate::shared::report::{Report, grouped};

/// What is compared, and what gives it in an order that does not depend on identifiers.
const COMPARED: [(&str, &str); 6] = [
    (
        "source nodes",
        "SELECT path, name, kind, size, modified_ns, depth, traversal_status, copy_status, attempts, error
         FROM src_status
         ORDER BY path",
    ),
    (
        "destination nodes",
        "SELECT path, name, kind, size, modified_ns, depth, traversal_status, attempts, error
         FROM dst_status
         ORDER BY path",
    ),
    (
        "matches",
        "SELECT s.path, d.path, m.same
         FROM matches m
         JOIN src_status s ON s.id = m.src_id
         JOIN dst_status d ON d.id = m.dst_id
         ORDER BY ALL",
    ),
    ("problems", "FROM problems ORDER BY ALL"),
    ("source counters", "FROM src_stats ORDER BY depth"),
    ("destination counters", "FROM dst_stats ORDER BY depth"),
];

/// Compares a ledger with that of an uninterrupted run, and prints each check.
pub(super) fn compare_ledgers(report: &mut Report<'_>, ledger: &Reader, uninterrupted: &Reader) -> Result<()> {
    for (what, sql) in COMPARED {
        let (found, due) = (ledger.query(sql)?, uninterrupted.query(sql)?);
        let all = format!("{} rows as without an interruption", grouped(due.rows.len() as u64));
        let found = difference(&due, &found).unwrap_or_else(|| all.clone());
        report.check_text(what, &all, &found)?;
    }
    Ok(())
}

/// The first row that only one of them has.
fn difference(due: &Table, found: &Table) -> Option<String> {
    let longer = due.rows.len().max(found.rows.len());
    let at = (0..longer).find(|&row| due.rows.get(row) != found.rows.get(row))?;
    let shown = |table: &Table| match table.rows.get(at) {
        None => "nothing".to_owned(),
        Some(row) => row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" "),
    };
    Some(format!("{} rows, the first other one: {} instead of {}", found.rows.len(), shown(found), shown(due)))
}
