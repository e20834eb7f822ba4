//! Which names the destination would refuse, or take for one another, before anything is copied; and names that it takes.
//!
//! Looked at are nodes that are still to be brought there, under the names that they would get. What is there already
//! counts where names are taken for one another. All that grows with the tree is in temporary tables, which go to disk
//! where memory does not suffice.

mod names;
mod proposals;
mod twins;

use duckdb::{Connection, params};
use longhaul_model::{NodeId, NodeKind, Side, decode_name};
use longhaul_naming::{Broken, Rule, RuleSet};

use crate::error::{LedgerError, Result};
use crate::migration::Migration;
use crate::review::paths;
use crate::sql;
use crate::temp::TempTable;

use names::Names;

/// What looking at names takes of memory at the most, in MiB, where no run has set a limit.
pub(crate) const MEMORY_MIB: u32 = 512;

/// A name that a set of rules has something against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFinding {
    /// The source node.
    pub id: NodeId,
    /// Its printable path on the source.
    pub path: String,
    /// What it is.
    pub kind: NodeKind,
    /// The printable name that it would have on the destination.
    pub name: String,
    /// What that is at odds with.
    pub broken: Broken,
    /// The same for people.
    pub reason: String,
    /// The printable name that it could have instead; `None` where there is none that says anything.
    pub proposal: Option<String>,
}

/// The result of looking at all names. It is good until they are looked at again with the same connection.
#[derive(Debug)]
pub struct Linted<'a> {
    connection: &'a Connection,
    rules: RuleSet,
    /// What names are at odds with: `(id, parent_id, rules, room, other)`.
    findings: TempTable,
    /// What is proposed instead: `(id, name)`.
    proposals: TempTable,
    /// Without a slash at the end.
    under: Option<String>,
}

/// Condition on the path `path` that it is the first parameter, which has no slash at its end and may be NULL, or below it.
pub(crate) fn is_under() -> String {
    format!("coalesce({}, true)", sql::is_below("path", "?"))
}

/// Looks at all names that are still to be brought to the destination, by its own rules or by others. What comes of it is
/// what is found at the printable path `under` and below it, or anywhere. Discovery must be complete.
pub(crate) fn lint<'a>(connection: &'a Connection, rules: Option<RuleSet>, under: Option<&str>) -> Result<Linted<'a>> {
    let migration = Migration::read(connection)?;
    if !migration.is_discovered() {
        return Err(LedgerError::NotDiscovered);
    }
    let under = under.map(|path| require_path(connection, path)).transpose()?;
    let rules = rules.unwrap_or(migration.spec.settings.names);
    let names = Names::none(connection, rules)?;
    // What each name is at odds with by itself.
    let broken =
        TempTable::empty(connection, "lint_broken", "id BIGINT, parent_id BIGINT, rules INTEGER, room BIGINT")?;
    if names::may_be_broken(connection, rules)? {
        names.look_at_source(&broken)?;
    }
    // What differs from the name of something else in its folder in a way that the destination does not see.
    let twins =
        TempTable::empty(connection, "lint_twins", "id BIGINT, parent_id BIGINT, rules INTEGER, other VARCHAR")?;
    if rules.folds() {
        names.look_at_destination(None)?;
        twins::find(&names, &twins)?;
    }
    let findings = TempTable::of(
        connection,
        "lint_findings",
        &format!(
            "SELECT id, min(parent_id) AS parent_id, bit_or(rules) AS rules, min(room) AS room, min(other) AS other
             FROM (
               SELECT id, parent_id, rules, room, NULL AS other
               FROM {broken}
               UNION ALL
               SELECT id, parent_id, rules, NULL, other
               FROM {twins}
             )
             GROUP BY id
             ORDER BY id"
        ),
    )?;
    broken.drop(connection)?;
    twins.drop(connection)?;
    let proposals = TempTable::empty(connection, "lint_proposals", "id BIGINT, name VARCHAR")?;
    if findings.count(connection)? > 0 {
        if !rules.folds() {
            // Whatever is proposed must not be there already.
            names.look_at_siblings(&findings)?;
            names.look_at_destination(Some(&findings))?;
        }
        proposals::make(&names, &findings, &proposals)?;
    }
    names.table.drop(connection)?;
    Ok(Linted { connection, rules, findings, proposals, under })
}

/// What is below a path that was typed, for [`is_under`].
pub(crate) fn require_path(connection: &Connection, path: &str) -> Result<String> {
    let (path, _) = paths::require(connection, Side::Source, path)?;
    Ok(sql::is_below_parameter(&path).to_owned())
}

impl Linted<'_> {
    /// The rules that were kept to.
    pub fn rules(&self) -> RuleSet {
        self.rules
    }

    /// How many names there are that the rules have something against.
    pub fn count(&self) -> Result<u64> {
        let count: i64 = self.connection.query_row(
            &format!("SELECT count(*) FROM ({}) WHERE {}", self.all(), is_under()),
            params![self.under],
            |row| row.get(0),
        )?;
        Ok(count.unsigned_abs())
    }

    /// Returns all of them and what is proposed instead as a temporary table `(id, name, rules)`, and nothing else is left.
    pub(crate) fn into_table(self) -> Result<TempTable> {
        // A statement that makes a table takes no parameters.
        let table = TempTable::empty(self.connection, "lint_selected", "id BIGINT, name VARCHAR, rules INTEGER")?;
        self.connection.execute(
            &format!("INSERT INTO {table} SELECT id, proposal, rules FROM ({}) WHERE {}", self.all(), is_under()),
            params![self.under],
        )?;
        self.findings.drop(self.connection)?;
        self.proposals.drop(self.connection)?;
        Ok(table)
    }

    /// Some of them, in id order, which is from the top of the tree to its leaves.
    /// `after` is the last one of the page before, `limit` how many there are at the most.
    pub fn page(&self, after: Option<NodeId>, limit: u32) -> Result<Vec<NameFinding>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, path, kind::VARCHAR, name, rules, other, proposal
             FROM ({})
             WHERE {} AND id > ?
             ORDER BY id
             LIMIT ?",
            self.all(),
            is_under()
        ))?;
        let mut rows = statement.query(params![self.under, after.map_or(0, |id| id.0), limit])?;
        let mut findings = Vec::new();
        while let Some(row) = rows.next()? {
            let kind: String = row.get(2)?;
            let name: String = row.get(3)?;
            let broken = Broken::from_bits(row.get(4)?);
            let other: Option<String> = row.get(5)?;
            findings.push(NameFinding {
                id: NodeId(row.get(0)?),
                path: row.get(1)?,
                kind: kind.parse().map_err(|error| LedgerError::Inconsistent(format!("{error}")))?,
                reason: explain(self.rules, &name, broken, other.as_deref()),
                name,
                broken,
                proposal: row.get(6)?,
            });
        }
        Ok(findings)
    }

    /// All that was found anywhere, with the paths on the source, as a query.
    fn all(&self) -> String {
        format!(
            "SELECT b.id, {path} AS path, n.kind, coalesce(r.name, n.name) AS name, b.rules, b.other, p.name AS proposal
             FROM {findings} b
             JOIN src_nodes n ON n.id = b.id
             JOIN src_folders f ON f.id = n.parent_id
             LEFT JOIN {proposals} p ON p.id = b.id
             LEFT JOIN renames r ON r.src_id = b.id",
            path = sql::path("n", "f"),
            findings = self.findings,
            proposals = self.proposals,
        )
    }
}

/// What a name is at odds with, for people.
fn explain(rules: RuleSet, name: &str, broken: Broken, other: Option<&str>) -> String {
    let bytes = decode_name(name).unwrap_or_else(|_| name.as_bytes().to_vec());
    let other = other.unwrap_or("another name");
    let reasons = broken.iter().map(|rule| match rule {
        Rule::Encoding => "it is not valid UTF-8".to_owned(),
        Rule::Character => {
            let mut found: Vec<String> = Vec::new();
            for character in String::from_utf8_lossy(&bytes).chars().filter(|&character| rules.forbids(character)) {
                let shown = longhaul_model::encode_name(character.to_string().as_bytes()).into_owned();
                if !found.contains(&shown) && found.len() < 5 {
                    found.push(shown);
                }
            }
            format!("it has {}", found.join(" "))
        }
        Rule::Beginning => "it begins with what no name may begin with".to_owned(),
        Rule::End => "it ends with a dot or a space".to_owned(),
        Rule::Reserved => "the name is reserved".to_owned(),
        Rule::NameLength => "the name is too long".to_owned(),
        Rule::PathLength => "its path is too long".to_owned(),
        Rule::CaseTwin => format!("it would be the same as {other}"),
        Rule::NormalisationTwin => format!("it is the same text as {other} in another Unicode form"),
    });
    reasons.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
