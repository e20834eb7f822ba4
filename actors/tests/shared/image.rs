//! What is in a ledger, read row by row.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use duckdb::{Config, Connection, Row};
use longhaul_ledger::DepthCounters;
use longhaul_model::{BySide, Reason, Side, child_path};

/// Reads ledgers, one after the other. One instance of DuckDB for all of them: it takes long to come up.
#[derive(Debug)]
pub(crate) struct ImageReader(Connection);

/// A ledger's rows, without the times of day, so that two runs of the same seed have equal ones.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) sides: BySide<SideImage>,
    /// `src_id`, `dst_id`, `same`.
    pub(crate) matches: Vec<(i64, i64, bool)>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) phase: String,
    pub(crate) phase_reason: Option<String>,
    /// How each run ended; `None` where it did not say.
    pub(crate) outcomes: Vec<Option<String>>,
    pub(crate) counters: DepthCounters,
    /// What the ledger's own recount gives, where it was asked.
    pub(crate) recounted: Option<DepthCounters>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct SideImage {
    pub(crate) nodes: Vec<NodeRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) folders: Vec<FolderRow>,
    /// What the view for people says of each node, where it was asked.
    pub(crate) shown: Option<BTreeMap<i64, StatusRow>>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct NodeRow {
    pub(crate) id: i64,
    pub(crate) parent_id: Option<i64>,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) depth: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EventRow {
    pub(crate) seq: i64,
    pub(crate) node_id: i64,
    pub(crate) traversal: Option<String>,
    pub(crate) copy: Option<String>,
    pub(crate) attempt: i32,
    pub(crate) run: i32,
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct FolderRow {
    pub(crate) id: i64,
    pub(crate) path: String,
    pub(crate) depth: i32,
    pub(crate) src_id: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StatusRow {
    pub(crate) path: String,
    pub(crate) traversal: String,
    /// Source only.
    pub(crate) copy: Option<String>,
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct ErrorRow {
    pub(crate) side: String,
    pub(crate) node_id: i64,
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) attempts: i32,
    pub(crate) run: i32,
}

impl ImageReader {
    pub(crate) fn new() -> Self {
        let one_thread = Config::default().threads(1).expect("it can have one thread");
        ImageReader(Connection::open_in_memory_with_flags(one_thread).expect("DuckDB comes up"))
    }

    /// Reads a ledger that nobody has open, and changes nothing in it. The views say nothing that is not in the rows, and
    /// are slow: they are asked only `with_views`. What else is to be read of it is up to `read_more`.
    pub(crate) fn read<T>(
        &self,
        ledger: &Path,
        with_views: bool,
        read_more: impl FnOnce(&Self) -> duckdb::Result<T>,
    ) -> (Image, T) {
        let attach = format!("ATTACH '{}' AS ledger (READ_ONLY); USE ledger", ledger.display());
        self.0.execute_batch(&attach).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", ledger.display()));
        let image = self.read_attached(with_views).and_then(|image| Ok((image, read_more(self)?)));
        self.0.execute_batch("USE memory; DETACH ledger").expect("nothing is open in it");
        image.expect("a ledger has all the tables that it has")
    }

    fn read_attached(&self, with_views: bool) -> duckdb::Result<Image> {
        let (phase, phase_reason) = self.0.query_row(
            "SELECT phase::VARCHAR, phase_reason
             FROM migration",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let read_side = |side| self.read_side(side, with_views);
        Ok(Image {
            sides: BySide { src: read_side(Side::Source)?, dst: read_side(Side::Destination)? },
            matches: self.rows(
                "SELECT src_id, dst_id, same
                 FROM matches
                 ORDER BY ALL",
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?,
            errors: self.rows(
                "SELECT side::VARCHAR, node_id, class::VARCHAR, message, attempts, run
                 FROM errors
                 ORDER BY ALL",
                |row| {
                    Ok(ErrorRow {
                        side: row.get(0)?,
                        node_id: row.get(1)?,
                        class: row.get(2)?,
                        message: row.get(3)?,
                        attempts: row.get(4)?,
                        run: row.get(5)?,
                    })
                },
            )?,
            phase,
            phase_reason,
            outcomes: self.rows(
                "SELECT outcome
                 FROM runs
                 ORDER BY run",
                |row| row.get(0),
            )?,
            counters: DepthCounters::read(&self.0).expect("the counters can be read"),
            recounted: with_views.then(|| DepthCounters::recount(&self.0).expect("everything can be counted")),
        })
    }

    fn read_side(&self, side: Side, with_views: bool) -> duckdb::Result<SideImage> {
        let prefix = side.prefix();
        let src_id = match side {
            Side::Source => "id",
            Side::Destination => "src_id",
        };
        Ok(SideImage {
            nodes: self.rows(
                &format!(
                    "SELECT id, parent_id, name, kind::VARCHAR, size, modified_ns, depth
                     FROM {prefix}_nodes
                     ORDER BY id"
                ),
                |row| {
                    Ok(NodeRow {
                        id: row.get(0)?,
                        parent_id: row.get(1)?,
                        name: row.get(2)?,
                        kind: row.get(3)?,
                        size: row.get(4)?,
                        modified_ns: row.get(5)?,
                        depth: row.get(6)?,
                    })
                },
            )?,
            events: self.rows(
                &format!(
                    "SELECT seq, node_id, traversal_status::VARCHAR, copy_status::VARCHAR, attempt, run, reason
                     FROM {prefix}_status_events
                     ORDER BY seq"
                ),
                |row| {
                    Ok(EventRow {
                        seq: row.get(0)?,
                        node_id: row.get(1)?,
                        traversal: row.get(2)?,
                        copy: row.get(3)?,
                        attempt: row.get(4)?,
                        run: row.get(5)?,
                        error: row.get::<_, Option<String>>(6)?.as_deref().map(sentence),
                    })
                },
            )?,
            folders: self.rows(
                &format!(
                    "SELECT id, path, depth, {src_id}
                     FROM {prefix}_folders
                     ORDER BY id"
                ),
                |row| Ok(FolderRow { id: row.get(0)?, path: row.get(1)?, depth: row.get(2)?, src_id: row.get(3)? }),
            )?,
            shown: with_views.then(|| self.read_shown(side)).transpose()?,
        })
    }

    fn read_shown(&self, side: Side) -> duckdb::Result<BTreeMap<i64, StatusRow>> {
        let copy_status = match side {
            Side::Source => "copy_status::VARCHAR",
            Side::Destination => "NULL::VARCHAR",
        };
        let shown = self.rows(
            &format!(
                "SELECT id, path, traversal_status::VARCHAR, {copy_status}, error
                 FROM {}_status",
                side.prefix()
            ),
            |row| {
                let (path, traversal, copy, error) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, StatusRow { path, traversal, copy, error }))
            },
        )?;
        Ok(shown.into_iter().collect())
    }

    /// All rows that a statement gives.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        to_row: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> duckdb::Result<Vec<T>> {
        self.0.prepare(sql)?.query_map([], to_row)?.collect()
    }
}

impl Image {
    /// A number that is another one when anything is different.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for side in Side::BOTH {
            self.sides[side].hash(&mut hasher);
        }
        (&self.matches, &self.errors, &self.phase, &self.phase_reason, &self.outcomes).hash(&mut hasher);
        hasher.finish()
    }
}

impl Image {
    /// The status of every node whose parents are there, as it follows from nodes, matches and events.
    pub(crate) fn statuses(&self, side: Side) -> BTreeMap<i64, StatusRow> {
        let rows = &self.sides[side];
        let matched: BTreeMap<i64, bool> = match side {
            Side::Source => self.matches.iter().map(|(source, _, same)| (*source, *same)).collect(),
            Side::Destination => self.matches.iter().map(|(_, destination, same)| (*destination, *same)).collect(),
        };
        let mut statuses: BTreeMap<i64, StatusRow> = BTreeMap::new();
        for node in &rows.nodes {
            let path = match node.parent_id {
                None => "/".to_owned(),
                Some(parent) => match statuses.get(&parent) {
                    None => continue,
                    Some(parent) => child_path(&parent.path, &node.name),
                },
            };
            let found = matched.get(&node.id);
            let traversal = match side {
                Side::Destination if found.is_none() => "not_on_src",
                _ if node.kind == "folder" => "pending",
                _ => "successful",
            };
            let copy = if found == Some(&true) { "already_existed" } else { "pending" };
            let copy = (side == Side::Source).then(|| copy.to_owned());
            statuses.insert(node.id, StatusRow { path, traversal: traversal.to_owned(), copy, error: None });
        }
        let (mut copy_errors, mut remarks) = (BTreeMap::new(), BTreeMap::new());
        for event in &rows.events {
            let Some(status) = statuses.get_mut(&event.node_id) else { continue };
            if let Some(traversal) = &event.traversal {
                (status.traversal, status.error) = (traversal.clone(), event.error.clone());
            }
            if let Some(copy) = &event.copy {
                status.copy = Some(copy.clone());
                copy_errors.insert(event.node_id, event.error.clone());
            }
            if event.traversal.is_none() && event.copy.is_none() {
                remarks.insert(event.node_id, event.error.clone());
            }
        }
        for (id, status) in &mut statuses {
            let copy_error = copy_errors.remove(id).flatten();
            status.error = copy_error.or(status.error.take()).or_else(|| remarks.remove(id).flatten());
        }
        statuses
    }
}

/// What the views show of a reason as it is stored.
fn sentence(stored: &str) -> String {
    Reason::from_stored(stored).expect("the ledger stores reasons").to_string()
}
