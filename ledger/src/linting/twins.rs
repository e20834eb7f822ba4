//! Names that the destination takes for one another.

use duckdb::{Connection, params};
use longhaul_naming::{Broken, Rule, RuleSet, is_same_normalised};

use super::names::{TO_COME, bytes_of};
use crate::error::Result;

/// Names that are read at a time.
const STEP: i64 = 65_536;

/// Names of one folder that have the same fold, as far as hashes tell.
#[derive(Debug, Default)]
struct Group {
    of: (i64, i64),
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    id: i64,
    state: i32,
    printable: String,
    name: Vec<u8>,
}

/// Fills `lint_twins` from `lint_names`. What is there keeps its name, as does the first of what is to come where nothing
/// is there.
pub(super) fn find(connection: &Connection, rules: RuleSet) -> Result<()> {
    // What has a match has the same name on both sides: such groups have only one name.
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE lint_groups AS
         SELECT n.parent_id, n.fold, n.id, n.state
         FROM lint_names n
         SEMI JOIN (
           SELECT parent_id, fold
           FROM lint_names
           GROUP BY parent_id, fold
           HAVING min(name) <> max(name) AND min(state) = 0
         ) g ON g.parent_id = n.parent_id AND g.fold = n.fold",
    )?;
    let rows: i64 = connection.query_row("SELECT count(*) FROM lint_groups", [], |row| row.get(0))?;
    if rows == 0 {
        return Ok(());
    }
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE lint_members AS
         SELECT row_number() OVER (ORDER BY g.parent_id, g.fold, g.state DESC, g.id) AS place,
           g.parent_id, g.fold, g.id, g.state, coalesce(r.name, s.name, d.name) AS name
         FROM lint_groups g
         -- With the state as a condition of its own, each row would be compared with each other one.
         LEFT JOIN src_nodes s ON s.id = CASE WHEN g.state < 2 THEN g.id END
         LEFT JOIN renames r ON r.src_id = CASE WHEN g.state < 2 THEN g.id END
         LEFT JOIN dst_nodes d ON d.id = CASE WHEN g.state = 2 THEN g.id END
         ORDER BY place",
    )?;
    // Read in steps, so that it does not matter how many there are.
    let mut group = Group::default();
    for start in (1..=rows).step_by(usize::try_from(STEP).expect("it is small")) {
        let mut found = Vec::new();
        {
            let mut statement = connection.prepare_cached(
                "SELECT parent_id, fold, id, state, name
                 FROM lint_members
                 WHERE place >= ? AND place < ?
                 ORDER BY place",
            )?;
            let mut rows = statement.query(params![start, start + STEP])?;
            while let Some(row) = rows.next()? {
                let of = (row.get(0)?, row.get(1)?);
                if of != group.of {
                    group.settle(rules, &mut found);
                    group = Group { of, members: Vec::new() };
                }
                let printable: String = row.get(4)?;
                let name = bytes_of(&printable);
                group.members.push(Member { id: row.get(2)?, state: row.get(3)?, printable, name });
            }
        }
        append(connection, &found)?;
    }
    let mut found = Vec::new();
    group.settle(rules, &mut found);
    append(connection, &found)
}

/// One that has to go by another name: its id, its folder, what kind of twin it is, and the printable name of the other.
type Twin = (i64, i64, Rule, String);

fn append(connection: &Connection, twins: &[Twin]) -> Result<()> {
    let mut appender = connection.appender_to_catalog_and_db("lint_twins", "temp", "main")?;
    for (id, parent, rule, other) in twins {
        appender.append_row(params![id, parent, Broken::from(*rule).to_bits(), other])?;
    }
    // Dropping it flushes as well, but swallows the error.
    Ok(appender.flush()?)
}

impl Group {
    fn settle(&self, rules: RuleSet, into: &mut Vec<Twin>) {
        // What has the same hash by chance is not the same.
        let mut kept: Vec<(&Member, Vec<u8>)> = Vec::new();
        for member in &self.members {
            let fold = rules.fold(&member.name);
            if kept.iter().any(|(other, _)| other.name == member.name) {
                continue;
            }
            match kept.iter().find(|(_, other)| *other == fold) {
                Some((other, _)) if member.state == TO_COME => {
                    let is_same = is_same_normalised(&member.name, &other.name);
                    let rule = if is_same { Rule::NormalisationTwin } else { Rule::CaseTwin };
                    into.push((member.id, self.of.0, rule, other.printable.clone()));
                }
                // Two that are there already were told apart.
                _ => kept.push((member, fold)),
            }
        }
    }
}
