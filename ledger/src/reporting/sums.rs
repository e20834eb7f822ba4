//! What nodes come to: by status, by folder at the top, by size, by type, by reason, and over time.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{CopyStatus, NodeKind, Side};

use super::problems::problems;
use crate::codes::sentence;
use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;
use crate::words::ProblemKind;

mod over_time;
mod totals;

pub(super) use over_time::Clock;
pub use over_time::{CopiedSlice, CopySpan, Throughput};
use totals::Outcome;
pub use totals::{Amount, Outcomes, Part, Parts, ReasonTotal, SizeClass, StatusTotal, Sums};

/// Reasons of one kind of problem that are told apart; those with the most nodes.
const REASONS_MAX: usize = 20;

/// Reasons that are told apart within one range: there may be as many as there are nodes.
const RANGE_REASONS_MAX: usize = 1_000;

/// Folders at the top that are told apart; those with the most bytes.
const FOLDERS_MAX: usize = 25;

/// Types that are told apart; those with the most bytes.
const TYPES_MAX: usize = 20;

/// Where each class of sizes begins, in bytes; the last one has no end.
const SIZE_CLASSES: [i64; 8] = [0, 1, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, 4 << 30];

/// What the source's files are divided by: the column `cut` of [`RangeSums::parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The folder at the top.
    Folder,
    /// The class of sizes.
    Size,
    /// The extension.
    Type,
}

impl Cut {
    const fn as_str(self) -> &'static str {
        match self {
            Cut::Folder => "by_folder",
            Cut::Size => "by_size",
            Cut::Type => "by_type",
        }
    }
}

/// The sums of the ranges, which wait to be added up.
#[derive(Debug)]
pub(super) struct RangeSums {
    /// Of the source.
    statuses: TempTable,
    /// What only the destination has.
    alone: TempTable,
    /// Of the source's files.
    parts: TempTable,
    /// Of the problems of both sides.
    reasons: TempTable,
    /// What was copied when.
    copied: TempTable,
    clock: Clock,
}

impl RangeSums {
    pub(super) fn begin(connection: &Connection) -> Result<RangeSums> {
        let table =
            |name, columns: &str| TempTable::empty(connection, name, &format!("{columns}, nodes BIGINT, bytes BIGINT"));
        Ok(RangeSums {
            statuses: table("status_sums", "status copy_status, kind node_kind")?,
            alone: TempTable::empty(connection, "alone_sums", "nodes BIGINT, bytes BIGINT")?,
            parts: table("part_sums", "cut VARCHAR, name VARCHAR, status copy_status")?,
            reasons: table("reason_sums", "status VARCHAR, class VARCHAR, reason VARCHAR")?,
            copied: table("copied_sums", "run INTEGER, slice BIGINT")?,
            clock: Clock::read(connection)?,
        })
    }

    /// Adds up the range in `swept`, which has nodes of `side` with ids within `ids`.
    pub(super) fn add(&self, connection: &Connection, swept: &TempTable, side: Side, ids: &Range<i64>) -> Result<()> {
        connection.execute_batch(&format!(
            "INSERT INTO {reasons}
             SELECT status, class, CASE WHEN place <= {RANGE_REASONS_MAX} THEN reason END, sum(nodes), sum(bytes)
             FROM (
               SELECT *, row_number() OVER (ORDER BY nodes DESC, reason) AS place
               FROM (
                 SELECT status, class, coalesce(reason, '') AS reason, count(*) AS nodes,
                   {bytes} AS bytes
                 FROM ({problems}) found
                 GROUP BY ALL
               ) by_reason
             ) placed
             GROUP BY ALL",
            bytes = sql::bytes_of_files("found"),
            problems = problems(swept),
            reasons = self.reasons,
        ))?;
        match side {
            Side::Source => {
                add_statuses(connection, &self.statuses, swept)?;
                add_parts(connection, &self.parts, swept)?;
                self.clock.add_up(connection, &self.copied, swept, ids)
            }
            Side::Destination => Ok(connection.execute_batch(&format!(
                "INSERT INTO {alone}
                 SELECT count(*), {bytes}
                 FROM {swept} s
                 WHERE is_reported",
                alone = self.alone,
                bytes = sql::bytes_of_files("s")
            ))?),
        }
    }

    /// What all ranges come to.
    pub(super) fn read(self, connection: &Connection) -> Result<Sums> {
        let RangeSums { statuses, alone, parts, reasons, copied, clock } = self;
        let only_on_destination = connection.query_row(
            &format!("SELECT coalesce(sum(nodes), 0)::BIGINT, coalesce(sum(bytes), 0)::BIGINT FROM {alone}"),
            [],
            |row| Ok(Amount { nodes: row.get(0)?, bytes: row.get(1)? }),
        )?;
        let sums = Sums {
            statuses: read_statuses(connection, &statuses)?,
            only_on_destination,
            folders: read_parts(connection, &parts, Cut::Folder, FOLDERS_MAX)?,
            sizes: read_sizes(connection, &parts)?,
            types: read_parts(connection, &parts, Cut::Type, TYPES_MAX)?,
            reasons: read_reasons(connection, &reasons)?,
            throughput: clock.throughput(connection, &copied)?,
        };
        [statuses, alone, parts, reasons, copied].into_iter().try_for_each(|table| table.drop(connection))?;
        Ok(sums)
    }
}

fn add_statuses(connection: &Connection, sums: &TempTable, swept: &TempTable) -> Result<()> {
    Ok(connection.execute_batch(&format!(
        "INSERT INTO {sums}
         SELECT copy_status, kind, count(*), {bytes}
         FROM {swept} s
         GROUP BY ALL",
        bytes = sql::bytes_of_files("s")
    ))?)
}

/// An extension is what is behind the last dot of a name that does not begin with it, if that is short and plain.
fn add_parts(connection: &Connection, sums: &TempTable, swept: &TempTable) -> Result<()> {
    let classes: Vec<String> = SIZE_CLASSES
        .iter()
        .enumerate()
        .rev()
        .map(|(place, from)| format!("WHEN size >= {from} THEN '{place}'"))
        .collect();
    connection.execute_batch(&format!(
        "INSERT INTO {sums}
         SELECT
           CASE WHEN grouping(top) = 0 THEN '{folder}' WHEN grouping(class) = 0 THEN '{size}' ELSE '{extension}' END,
           coalesce(top, class, extension),
           copy_status,
           count(*),
           coalesce(sum(size), 0)
         FROM (
           SELECT
             CASE WHEN depth = 1 THEN '/' ELSE '/' || split_part(path, '/', 2) END AS top,
             CASE {classes} ELSE 'unknown' END AS class,
             lower(regexp_extract(name, '[^.]\\.([0-9A-Za-z]{{1,10}})$', 1)) AS extension,
             copy_status,
             size
           FROM {swept}
           WHERE kind = '{file}'
         ) files
         GROUP BY GROUPING SETS ((top, copy_status), (class, copy_status), (extension, copy_status))",
        folder = Cut::Folder.as_str(),
        size = Cut::Size.as_str(),
        extension = Cut::Type.as_str(),
        classes = classes.join(" "),
        file = NodeKind::File,
    ))?;
    Ok(())
}

fn read_statuses(connection: &Connection, sums: &TempTable) -> Result<Vec<StatusTotal>> {
    let of_kinds = NodeKind::ALL.map(|kind| format!("coalesce(sum(nodes) FILTER (WHERE kind = '{kind}'), 0)::BIGINT"));
    let mut statement = connection.prepare(&format!(
        "SELECT status::VARCHAR, sum(bytes)::BIGINT, {}
         FROM {sums}
         GROUP BY status
         ORDER BY status",
        of_kinds.join(", ")
    ))?;
    let mut rows = statement.query([])?;
    let mut totals = Vec::new();
    while let Some(row) = rows.next()? {
        let status: String = row.get(0)?;
        let of_kind = |kind: NodeKind| row.get(2 + kind as usize);
        totals.push(StatusTotal {
            status: status.parse::<CopyStatus>()?,
            folders: of_kind(NodeKind::Folder)?,
            files: of_kind(NodeKind::File)?,
            symlinks: of_kind(NodeKind::Symlink)?,
            others: of_kind(NodeKind::Other)?,
            bytes: row.get(1)?,
        });
    }
    Ok(totals)
}

/// The columns of [`Outcomes`], from `status`, `nodes` and `bytes`.
fn outcome_columns() -> String {
    let columns = Outcome::ALL.map(|outcome| {
        let condition = sql::is_status("status", |status| Outcome::of(status) == outcome);
        format!(
            "coalesce(sum(nodes) FILTER (WHERE {condition}), 0)::BIGINT,
             coalesce(sum(bytes) FILTER (WHERE {condition}), 0)::BIGINT"
        )
    });
    columns.join(", ")
}

/// [`Outcomes`] in the columns from `first` on.
fn read_outcomes(row: &duckdb::Row<'_>, first: usize) -> duckdb::Result<Outcomes> {
    let amount = |place: usize| -> duckdb::Result<Amount> {
        Ok(Amount { nodes: row.get(first + 2 * place)?, bytes: row.get(first + 2 * place + 1)? })
    };
    Ok(Outcomes { moved: amount(0)?, there_already: amount(1)?, waiting: amount(2)?, not_moved: amount(3)? })
}

fn read_parts(connection: &Connection, sums: &TempTable, cut: Cut, parts_max: usize) -> Result<Parts> {
    let cut = cut.as_str();
    let outcomes = outcome_columns();
    // Those that are too many to be named become one, without a name.
    let mut statement = connection.prepare(&format!(
        "WITH placed AS (
           SELECT name, row_number() OVER (ORDER BY sum(bytes) DESC, sum(nodes) DESC, name) AS place
           FROM {sums}
           WHERE cut = '{cut}'
           GROUP BY name
         )
         SELECT CASE WHEN place <= {parts_max} THEN p.name END AS shown, count(DISTINCT p.name), {outcomes}
         FROM {sums} s
         JOIN placed p ON p.name = s.name
         WHERE s.cut = '{cut}'
         GROUP BY shown
         ORDER BY min(place)"
    ))?;
    let mut rows = statement.query([])?;
    let mut parts = Parts::default();
    while let Some(row) = rows.next()? {
        let outcomes = read_outcomes(row, 2)?;
        if let Some(name) = row.get::<_, Option<String>>(0)? {
            parts.largest.push(Part { name, outcomes });
        } else {
            (parts.others, parts.others_outcomes) = (row.get(1)?, outcomes);
        }
    }
    Ok(parts)
}

fn read_sizes(connection: &Connection, sums: &TempTable) -> Result<Vec<SizeClass>> {
    let mut statement = connection.prepare(&format!(
        "SELECT TRY_CAST(name AS BIGINT) AS class, {outcomes}
         FROM {sums}
         WHERE cut = '{size}'
         GROUP BY name
         ORDER BY class NULLS LAST",
        outcomes = outcome_columns(),
        size = Cut::Size.as_str(),
    ))?;
    let classes = statement.query_map([], |row| {
        let class = row.get::<_, Option<i64>>(0)?.and_then(|class| usize::try_from(class).ok());
        Ok(SizeClass {
            from_bytes: class.map(|class| SIZE_CLASSES[class]),
            below_bytes: class.and_then(|class| SIZE_CLASSES.get(class + 1).copied()),
            outcomes: read_outcomes(row, 1)?,
        })
    })?;
    Ok(classes.collect::<duckdb::Result<_>>()?)
}

fn read_reasons(connection: &Connection, sums: &TempTable) -> Result<Vec<ReasonTotal>> {
    let mut statement = connection.prepare(&format!(
        "SELECT status, class, shown_reason, sum(nodes)::BIGINT AS shown_nodes, sum(bytes)::BIGINT
         FROM (
           SELECT
             *,
             -- Reasons that name the node that they are about come once each, and say nothing of the whole.
             reason IS NOT NULL AND place <= {REASONS_MAX} AND (nodes > 1 OR reasons <= {REASONS_MAX}) AS is_named,
             CASE WHEN is_named THEN reason END AS shown_reason
           FROM (
             SELECT status, class::VARCHAR AS class, reason, sum(nodes) AS nodes, sum(bytes) AS bytes,
               count(*) OVER (PARTITION BY status) AS reasons,
               row_number() OVER (PARTITION BY status ORDER BY sum(nodes) DESC, class, reason) AS place
             FROM {sums}
             GROUP BY status, class, reason
           ) placed
         ) named
         GROUP BY status, class, shown_reason
         ORDER BY shown_reason IS NULL, shown_nodes DESC, class, shown_reason"
    ))?;
    let mut rows = statement.query([])?;
    let mut reasons = Vec::new();
    while let Some(row) = rows.next()? {
        reasons.push(ReasonTotal {
            status: ProblemKind::called(&row.get::<_, String>(0)?)?,
            class: row.get(1)?,
            reason: match row.get::<_, Option<String>>(2)? {
                Some(stored) if !stored.is_empty() => Some(sentence(&stored)?),
                none => none,
            },
            nodes: row.get(3)?,
            bytes: row.get(4)?,
        });
    }
    reasons.sort_by_key(|total: &ReasonTotal| total.status);
    Ok(reasons)
}
