//! `find`: the nodes that meet a condition, sorted, a page at a time.
//!
//! A page is made in three steps: first the ids of all nodes that meet the condition, as a set; then those of the page,
//! for which only those columns are read that the order needs; then everything else of these few. Pages follow one another by the last node of the one before: what
//! is sorted after it is found by comparing, without going through what came before.

mod by_path;
mod by_status;
mod details;

use duckdb::types::Value;
use duckdb::{Connection, params_from_iter};
use longhaul_model::{NodeId, Side};

pub use self::details::NodeRow;
pub(crate) use self::details::details;

use super::condition::Condition;
use crate::error::{LedgerError, Result};

/// Rows of a page at most: what is asked of each of them is written into statements.
pub const PAGE_ROWS_MAX: u64 = 100_000;

/// The order of found nodes. Ties are in the order of their ids, so that every order is total, and stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum FindSort {
    /// By printable path, byte by byte.
    #[default]
    Path,
    /// By printable name, byte by byte.
    Name,
    /// By bytes; what has no size first.
    Size,
    /// By time of modification; what has none first.
    Modified,
    /// By depth.
    Depth,
    /// By id, which is the order in which they were found.
    Id,
    /// By copy status (source only), then by traversal status, each in the order of the ledger's enumeration.
    Status,
}

/// Which nodes somebody wants to see, and how.
#[derive(Clone, Debug)]
pub struct FindQuery {
    /// Those that it chooses.
    pub condition: Condition,
    /// Of which side, where the condition does not say so.
    pub side: Side,
    /// In which order.
    pub sort: FindSort,
    /// The other way round, ids included.
    pub reverse: bool,
    /// So many at most; no more than [`PAGE_ROWS_MAX`].
    pub limit: u64,
    /// Without the first so many. Takes the longer, the more it is; `after` does not.
    pub offset: u64,
    /// Only those that come after this node in the order, which need not meet the condition itself.
    pub after: Option<NodeId>,
    /// What `30d ago` counts from, in nanoseconds since 1970.
    pub now_ns: i64,
}

/// A page of found nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindPage {
    /// The nodes, in order.
    pub rows: Vec<NodeRow>,
    /// What to give as `after` for the next page; `None` where this one was the last.
    pub next: Option<NodeId>,
    /// How many nodes meet the condition, on all pages together.
    pub all: u64,
}

impl FindQuery {
    /// All nodes that `condition` chooses: the first 100 by path.
    pub fn new(condition: Condition, now_ns: i64) -> FindQuery {
        FindQuery {
            side: condition.side().unwrap_or(Side::Source),
            condition,
            sort: FindSort::default(),
            reverse: false,
            limit: 100,
            offset: 0,
            after: None,
            now_ns,
        }
    }

    fn side(&self) -> Side {
        self.condition.side().unwrap_or(self.side)
    }
}

/// The page that is asked for.
pub(crate) fn find(connection: &Connection, query: &FindQuery) -> Result<FindPage> {
    let side = query.side();
    let chosen = query.condition.choose(connection, side, query.now_ns)?;
    let page = Page {
        connection,
        side: side.prefix(),
        condition: chosen.to_sql(connection)?,
        order: Order::of(query.sort, side),
        reverse: query.reverse,
        // One more says whether there is another page.
        limit: query.limit.min(PAGE_ROWS_MAX) + 1,
        offset: query.offset,
    };
    let after = query.after.map(|id| page.position_of(id)).transpose()?;
    let mut found = match query.sort {
        FindSort::Path => page.by_path(after.as_ref())?,
        FindSort::Status => page.by_status(side, query.after)?,
        FindSort::Name | FindSort::Size | FindSort::Modified | FindSort::Depth | FindSort::Id => {
            page.all(after.as_ref(), None)?
        }
    };
    let has_more = found.len() as u64 == page.limit;
    if has_more {
        found.pop();
    }
    let ids: Vec<i64> = found.into_iter().map(|position| position.id).collect();
    let next = ids.last().filter(|_| has_more).map(|id| NodeId(*id));
    Ok(FindPage { rows: details(connection, side, &ids)?, next, all: chosen.count })
}

/// What a page is made with.
struct Page<'a> {
    connection: &'a Connection,
    /// Prefix of the tables.
    side: &'static str,
    /// An SQL expression over a node `n`.
    condition: String,
    order: Order,
    reverse: bool,
    limit: u64,
    offset: u64,
}

/// Where a node is in the order.
#[derive(Clone, Debug, PartialEq)]
struct Position {
    key: Value,
    id: i64,
}

/// By what is sorted.
struct Order {
    /// An expression over `n` and what is joined to it, never NULL.
    key: String,
    /// What has to be joined to `n`.
    joins: String,
}

impl Order {
    fn of(sort: FindSort, side: Side) -> Order {
        let name = side.prefix();
        let (key, joins) = match sort {
            // What has the same status is in this order.
            FindSort::Id | FindSort::Status => ("n.id", String::new()),
            FindSort::Name => ("n.name", String::new()),
            FindSort::Size => ("coalesce(n.size, -1)", String::new()),
            FindSort::Modified => ("coalesce(n.modified_ns, -9223372036854775807)", String::new()),
            FindSort::Depth => ("n.depth", String::new()),
            FindSort::Path => return Order { key: crate::sql::path("n", "k"), joins: by_path::join(name, "") },
        };
        Order { key: key.to_owned(), joins }
    }
}

impl Page<'_> {
    /// Where the node `id` is in the order.
    fn position_of(&self, id: NodeId) -> Result<Position> {
        let side = self.side;
        let Order { key, joins } = &self.order;
        let sql = format!("SELECT {key} FROM {side}_nodes n {joins} WHERE n.id = ?");
        let key = self.connection.prepare(&sql)?.query_row([id.0], |row| row.get(0)).map_err(|error| match error {
            duckdb::Error::QueryReturnedNoRows => {
                LedgerError::Query(format!("there is no node {id} after which to go on"))
            }
            other => other.into(),
        })?;
        Ok(Position { key, id: id.0 })
    }

    /// The nodes of the page, of those after `after`; where `folders` are given, of those in them and the root, by path.
    fn all(&self, after: Option<&Position>, folders: Option<&[i64]>) -> Result<Vec<Position>> {
        let Order { key, joins } = &self.order;
        let side = self.side;
        let (direction, beyond) = if self.reverse { ("DESC", "<") } else { ("ASC", ">") };
        let (nodes, joins) = match folders {
            None => (format!("{side}_nodes"), joins.clone()),
            Some(folders) => {
                let list = folders.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
                let nodes = format!("(FROM {side}_nodes WHERE id = 1 OR parent_id IN ({list}))");
                (nodes, by_path::join(side, &format!("WHERE id IN ({list})")))
            }
        };
        let mut parameters = Vec::new();
        let from_there = match after {
            None => "true".to_owned(),
            Some(Position { key: after, id }) => {
                parameters.extend([after.clone(), after.clone(), Value::BigInt(*id)]);
                format!("{key} {beyond}= ? AND ({key} {beyond} ? OR n.id {beyond} ?)")
            }
        };
        let sql = format!(
            "SELECT {key} AS key, n.id
             FROM {nodes} n
             {joins}
             WHERE {} AND {from_there}
             ORDER BY 1 {direction}, 2 {direction}
             LIMIT {}
             OFFSET {}",
            self.condition, self.limit, self.offset
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement
            .query_map(params_from_iter(parameters), |row| Ok(Position { key: row.get(0)?, id: row.get(1)? }))?;
        Ok(rows.collect::<duckdb::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests;
