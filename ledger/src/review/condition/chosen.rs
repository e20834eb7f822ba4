//! Which nodes a condition chooses, as a set of bits.
//!
//! What a node's own row says, and in which folder it is, DuckDB is asked for in one statement. Statuses and the like are
//! in other tables, and those are read as sets: to join them to the nodes takes ten times as long.

use std::fmt::Write as _;

use duckdb::Connection;
use duckdb::arrow::array::{AsArray, StringArray};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::types::Value;
use hashbrown::HashMap;
use longhaul_model::{CopyStatus, NodeKind, PlanAction, Side, TraversalStatus};

use super::glob::{Automaton, State};
use super::sql::{self, Sql};
use super::{Condition, Expression, Pattern, Test};
use crate::bits::Bits;
use crate::error::Result;
use crate::sql::{has_failed, is_status};

/// No more nodes than these are listed one by one in a statement. In tests few, because their trees are small.
const LISTED_MAX: u64 = if cfg!(test) { 4 } else { 1_000 };

/// The nodes that a condition chooses.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) ids: Bits,
    pub(crate) count: u64,
    is_all: bool,
}

impl Condition {
    /// The nodes of `side` that it chooses. `now_ns` is what `30d ago` counts from, in nanoseconds since 1970.
    pub(crate) fn choose(&self, connection: &Connection, side: Side, now_ns: i64) -> Result<Chosen> {
        let choosing = Choosing { connection, side, now_ns, all: Bits::of_all(connection, side.prefix())? };
        let ids = choosing.expression(&self.tests)?.and(&choosing.all);
        Ok(Chosen { count: ids.count(), is_all: ids == choosing.all, ids })
    }
}

impl Chosen {
    /// Whether a node `n` is one of them, as an SQL expression that is true or false until the next set is put to SQL.
    pub(crate) fn to_sql(&self, connection: &Connection) -> Result<String> {
        if self.is_all {
            return Ok("true".to_owned());
        }
        if self.count <= LISTED_MAX {
            // Never a list without anything in it: no node is 0.
            let mut list = String::new();
            for id in self.ids.ids() {
                write!(list, ", {id}").expect("a string takes all");
            }
            return Ok(format!("n.id IN (0{list})"));
        }
        // A variable is a constant to DuckDB. What comes out of a subquery it copies for every node that it lets through,
        // and what a parameter is cast to it makes anew for each two thousand.
        connection.execute("SET VARIABLE chosen = ?::BLOB::BIT", [self.ids.to_blob()])?;
        // No ledger has as many nodes as an INTEGER can count.
        Ok("get_bit(getvariable('chosen'), n.id::INTEGER) = 1".to_owned())
    }
}

struct Choosing<'a> {
    connection: &'a Connection,
    side: Side,
    now_ns: i64,
    /// The nodes that there are.
    all: Bits,
}

impl Choosing<'_> {
    fn expression(&self, expression: &Expression) -> Result<Bits> {
        match expression {
            Expression::All(parts) if parts.is_empty() => Ok(self.all.clone()),
            own if sql::is_of_row(own) => self.of_row(own),
            Expression::All(parts) => self.parts(parts, Expression::All, Bits::and),
            Expression::Any(parts) => self.parts(parts, Expression::Any, Bits::or),
            Expression::Not(part) => Ok(self.all.clone().without(&self.expression(part)?)),
            Expression::Test(test) => self.test(test),
        }
    }

    /// Puts the parts together that are not in a node's row, and with all that are.
    fn parts(
        &self,
        parts: &[Expression],
        of_row: fn(Vec<Expression>) -> Expression,
        together: fn(Bits, &Bits) -> Bits,
    ) -> Result<Bits> {
        let (own, others): (Vec<_>, Vec<_>) = parts.iter().cloned().partition(sql::is_of_row);
        let own = (!own.is_empty()).then(|| self.of_row(&of_row(own)));
        let mut found = own.into_iter().chain(others.iter().map(|part| self.expression(part)));
        let first = found.next().expect("the parts are not all in the row, so that there is one")?;
        found.try_fold(first, |so_far, part| Ok(together(so_far, &part?)))
    }

    /// Those that meet what can be said in SQL of a node's row.
    fn of_row(&self, expression: &Expression) -> Result<Bits> {
        let Sql { expression, parameters } = sql::of(expression, self.side, self.now_ns);
        self.read(&format!("{}_nodes n", self.side.prefix()), "n.id", &expression, &parameters)
    }

    /// The ids in the column `id` of those rows of `table` for which `condition` is true.
    fn ids(&self, table: &str, id: &str, condition: &str) -> Result<Bits> {
        self.read(table, id, condition, &[])
    }

    fn read(&self, table: &str, id: &str, condition: &str, parameters: &[Value]) -> Result<Bits> {
        let sql = format!("SELECT {id} FROM {table} WHERE {id} >= ? AND {id} < ? AND ({condition})");
        self.all.read_beside(self.connection, &sql, parameters)
    }

    /// Those of which the last events say something.
    fn said(&self, condition: &str) -> Result<Bits> {
        self.ids(&format!("{}_latest", self.side.prefix()), "id", condition)
    }

    /// A test of what is not in a node's row.
    fn test(&self, test: &Test) -> Result<Bits> {
        match test {
            Test::Traversal(status) => self.traversal(*status),
            // The destination has neither of the two.
            Test::Copy(_) | Test::Action(_) if self.side == Side::Destination => Ok(self.all.none_beside()),
            Test::Copy(status) => self.copy(*status),
            Test::Action(action) => self.action(*action),
            Test::Problem => self.problem(),
            Test::Path(Pattern::Like(glob)) => {
                self.path_like(&glob.automaton().expect("it is said of the row where there is none"))
            }
            Test::Path(Pattern::Is(_))
            | Test::Name(_)
            | Test::Under(_)
            | Test::Kind(_)
            | Test::Size(..)
            | Test::Depth(..)
            | Test::Modified(..) => unreachable!("this is of the row"),
        }
    }

    /// As the views `src_status` and `dst_status` have it: what the last event says, and otherwise what follows from how the
    /// node was found.
    fn traversal(&self, status: TraversalStatus) -> Result<Bits> {
        let said = self.said(&format!("traversal_status = '{status}'"))?;
        let nodes = format!("{}_nodes", self.side.prefix());
        let folder = NodeKind::Folder;
        let found = match (self.side, status) {
            (Side::Source, TraversalStatus::NotOnSrc) | (_, TraversalStatus::Failed) => return Ok(said),
            (Side::Destination, TraversalStatus::NotOnSrc) => self.all.clone(),
            (_, TraversalStatus::Pending) => self.ids(&nodes, "id", &format!("kind = '{folder}'"))?,
            (_, TraversalStatus::Successful) => self.ids(&nodes, "id", &format!("kind <> '{folder}'"))?,
        };
        let found = match (self.side, status) {
            (Side::Source, _) => found,
            (Side::Destination, TraversalStatus::NotOnSrc) => found.without(&self.ids("matches", "dst_id", "true")?),
            (Side::Destination, _) => found.and(&self.ids("matches", "dst_id", "true")?),
        };
        Ok(found.without(&self.said("traversal_status IS NOT NULL")?).or(&said))
    }

    /// As the view `src_status` has it.
    fn copy(&self, status: CopyStatus) -> Result<Bits> {
        let said = self.said(&format!("copy_status = '{status}'"))?;
        let found = match status {
            CopyStatus::AlreadyExisted => self.same()?,
            CopyStatus::Pending => self.all.clone().without(&self.same()?),
            CopyStatus::Successful
            | CopyStatus::Failed
            | CopyStatus::Skipped
            | CopyStatus::Conflict
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited
            | CopyStatus::Vanished => return Ok(said),
        };
        Ok(found.without(&self.said("copy_status IS NOT NULL")?).or(&said))
    }

    /// Source nodes that the destination has the same.
    fn same(&self) -> Result<Bits> {
        self.ids("matches", "src_id", "same")
    }

    /// What was planned for a node, also where it has been done.
    fn action(&self, action: PlanAction) -> Result<Bits> {
        let excluded = self.said(&is_status("copy_status", CopyStatus::is_excluded))?;
        if action == PlanAction::Exclude {
            return Ok(self.ids("plan", "src_id", "true")?.and(&excluded));
        }
        let planned = self.ids("plan", "src_id", &format!("action = '{action}'"))?.without(&excluded);
        if action == PlanAction::AlreadyExisted {
            let root = self.ids("src_nodes", "id", "parent_id IS NULL")?;
            return Ok(planned.or(&self.same()?.without(&root)));
        }
        Ok(planned)
    }

    /// As the view `problems` has it; a difference is one of what was copied, and of what it was copied to.
    fn problem(&self) -> Result<Bits> {
        let latest = format!("{}_latest", self.side.prefix());
        let failed = self.said(&has_failed(self.side, &latest))?;
        let different = match self.side {
            Side::Source => self.ids("differences", "src_id", "true")?,
            Side::Destination => self.ids("matches", "dst_id", "src_id IN (SELECT src_id FROM differences)")?,
        };
        Ok(failed.or(&different))
    }

    /// Those whose path is like a pattern. What a folder's path has of it is found out once for all that is in there.
    fn path_like(&self, automaton: &Automaton) -> Result<Bits> {
        let side = self.side.prefix();
        let mut folders: HashMap<i64, State> = HashMap::new();
        let mut statement = self.connection.prepare(&format!("SELECT id, path FROM {side}_folders"))?;
        for batch in statement.query_arrow([])? {
            let paths: &StringArray = batch.column(1).as_string();
            for (id, path) in batch.column(0).as_primitive::<Int64Type>().values().iter().zip(paths) {
                let path = path.expect("it is NOT NULL").trim_end_matches('/');
                folders.insert(*id, automaton.go_on(automaton.go_on(automaton.start(), path), "/"));
            }
        }
        let mut chosen = self.all.none_beside();
        let mut statement = self
            .connection
            .prepare(&format!("SELECT id, coalesce(parent_id, 0), name FROM {side}_nodes WHERE id >= ? AND id < ?"))?;
        // The root is in no folder, and has the path that comes before all names.
        folders.insert(0, automaton.go_on(automaton.start(), "/"));
        // Neighbours have the same parent, nearly always.
        let mut last = (-1, State::default());
        for ids in chosen.ranges() {
            for batch in statement.query_arrow([ids.start, ids.end])? {
                let [ids, parents] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>());
                let names: &StringArray = batch.column(2).as_string();
                for row in 0..batch.num_rows() {
                    if parents.value(row) != last.0 {
                        last = (parents.value(row), folders.get(&parents.value(row)).copied().unwrap_or_default());
                    }
                    if automaton.accepts(automaton.go_on(last.1, names.value(row))) {
                        chosen.set(ids.value(row));
                    }
                }
            }
        }
        Ok(chosen)
    }
}
