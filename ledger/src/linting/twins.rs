//! Names that the destination takes for one another.

use duckdb::params;
use longhaul_naming::{Broken, Rule, RuleSet, is_same_normalised};

use super::names::{Names, TO_COME, bytes_of};
use crate::error::Result;
use crate::rows::rows;
use crate::temp::TempTable;

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

rows! {
    /// Those that have to go by another name: what kind of twin each is, and the printable name of the other.
    TwinRows {
        id: Vec<i64>,
        parent_id: Vec<i64>,
        rules: Vec<i32>,
        other: Vec<String>,
    }
}

/// Fills `twins` with what is found among names. What is there keeps its name, as does the first of what is to come where
/// nothing is there.
pub(super) fn find(names: &Names<'_>, twins: &TempTable) -> Result<()> {
    let Names { connection, rules, table: names } = names;
    let rules = *rules;
    // What has a match has the same name on both sides: such groups have only one name.
    let groups = TempTable::of(
        connection,
        "lint_groups",
        &format!(
            "SELECT n.parent_id, n.fold, n.id, n.state
             FROM {names} n
             SEMI JOIN (
               SELECT parent_id, fold
               FROM {names}
               GROUP BY parent_id, fold
               HAVING min(name) <> max(name) AND min(state) = 0
             ) g ON g.parent_id = n.parent_id AND g.fold = n.fold"
        ),
    )?;
    let rows = groups.count(connection)?;
    if rows == 0 {
        return groups.drop(connection);
    }
    let members = TempTable::of(
        connection,
        "lint_members",
        &format!(
            "SELECT row_number() OVER (ORDER BY g.parent_id, g.fold, g.state DESC, g.id) AS place,
               g.parent_id, g.fold, g.id, g.state, coalesce(r.name, s.name, d.name) AS name
             FROM {groups} g
             -- With the state as a condition of its own, each row would be compared with each other one.
             LEFT JOIN src_nodes s ON s.id = CASE WHEN g.state < 2 THEN g.id END
             LEFT JOIN renames r ON r.src_id = CASE WHEN g.state < 2 THEN g.id END
             LEFT JOIN dst_nodes d ON d.id = CASE WHEN g.state = 2 THEN g.id END
             ORDER BY place"
        ),
    )?;
    groups.drop(connection)?;
    // Read in steps, so that it does not matter how many there are.
    let mut group = Group::default();
    let mut found = TwinRows::default();
    for start in (1..=rows).step_by(usize::try_from(STEP).expect("it is small")) {
        {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT parent_id, fold, id, state, name
                 FROM {members}
                 WHERE place >= ? AND place < ?
                 ORDER BY place"
            ))?;
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
        twins.append(connection, &mut found)?;
    }
    group.settle(rules, &mut found);
    twins.append(connection, &mut found)?;
    members.drop(connection)
}

impl Group {
    fn settle(&self, rules: RuleSet, into: &mut TwinRows) {
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
                    into.id.push(member.id);
                    into.parent_id.push(self.of.0);
                    into.rules.push(Broken::from(rule).to_bits().into());
                    into.other.push(other.printable.clone());
                }
                // Two that are there already were told apart.
                _ => kept.push((member, fold)),
            }
        }
    }
}
