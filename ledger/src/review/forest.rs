//! Small ledgers for tests: two trees of difficult names with all sorts of statuses, and the same in memory.

use duckdb::Connection;
use longhaul_model::{CopyStatus, NodeKind, PlanAction, Side, TraversalStatus, child_path};
use proptest::prelude::*;

/// A node as it should be seen.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) id: i64,
    pub(super) parent: Option<i64>,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) kind: NodeKind,
    pub(super) size: Option<i64>,
    pub(super) modified_ns: Option<i64>,
    pub(super) depth: i32,
    pub(super) traversal: TraversalStatus,
    pub(super) copy: Option<CopyStatus>,
    pub(super) action: Option<PlanAction>,
    pub(super) has_problem: bool,
    /// The node of the other side.
    pub(super) counterpart: Option<i64>,
}

/// A ledger in memory, and what is in it.
pub(super) struct Forest {
    pub(super) connection: Connection,
    pub(super) src: Vec<Tree>,
    pub(super) dst: Vec<Tree>,
}

/// Printable names.
pub(super) const NAMES: [&str; 18] = [
    "a",
    "a_b",
    "aXb",
    "a_bc",
    "ab",
    "a b",
    "A",
    "%",
    "_",
    "q\"uote",
    "it's",
    "new\\nline",
    "back\\\\slash",
    "é",
    "日本",
    "[x]",
    "*",
    "(1).tmp",
];

/// What a node is made from.
pub(super) type Dice = [u8; 8];

/// Dice for a forest.
pub(super) fn dice() -> impl Strategy<Value = Vec<Dice>> {
    prop::collection::vec(any::<Dice>(), 0..28)
}

pub(super) const DAY_NS: i64 = 86_400 * 1_000_000_000;

impl Forest {
    pub(super) fn nodes(&self, side: Side) -> &[Tree] {
        match side {
            Side::Source => &self.src,
            Side::Destination => &self.dst,
        }
    }

    pub(super) fn new(dice: &[Dice]) -> Forest {
        let connection = Connection::open_in_memory().expect("DuckDB starts");
        connection.execute_batch(&crate::sql::schema()).expect("the schema is sound");
        connection
            .execute_batch(
                "INSERT INTO migration (schema_version, longhaul_version, duckdb_version, source, destination, settings,
                   created_ns, phase, src_folded_seq, dst_folded_seq)
                 VALUES (1, '', '', '/src', '/dst', '{}', 0, 'review', 0, 0)",
            )
            .expect("a migration");
        let mut forest = Forest { connection, src: Vec::new(), dst: Vec::new() };
        forest.run("BEGIN");
        forest.grow_source(dice);
        forest.grow_destination(dice);
        for side in Side::BOTH {
            forest.write_nodes(side);
        }
        forest.run("COMMIT");
        forest
    }

    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn grow_source(&mut self, thrown: &[Dice]) {
        self.src.push(root());
        for die in thrown {
            let node = child(&self.src, *die);
            self.src.push(node);
        }
        let mut seq = 0;
        for place in 0..self.src.len() {
            let die = place.checked_sub(1).map_or([1; 8], |place| thrown[place]);
            let is_matched = place == 0 || (die[4] % 2 == 0 && self.parent_is_matched(place));
            let node = &mut self.src[place];
            node.counterpart = is_matched.then_some(node.id);
            let is_folder = node.kind == NodeKind::Folder;
            let is_same = is_matched && (is_folder || die[4] % 4 == 0);
            node.copy = Some(if is_same { CopyStatus::AlreadyExisted } else { CopyStatus::Pending });
            node.traversal = if is_folder { TraversalStatus::Pending } else { TraversalStatus::Successful };
            let mut events = Vec::new();
            if is_folder && die[5] % 3 > 0 {
                node.traversal = if die[5] % 3 == 1 { TraversalStatus::Successful } else { TraversalStatus::Failed };
                events.push(format!("'{}', NULL", node.traversal));
            }
            if place > 0 && !is_same && die[6] % 2 == 0 {
                // Also what was marked for retry, and is pending because somebody said so.
                let status = CopyStatus::ALL[usize::from(die[6] / 2) % CopyStatus::ALL.len()];
                node.copy = Some(status);
                events.push(format!("NULL, '{status}'"));
            }
            let (id, copy, traversal) = (node.id, node.copy, node.traversal);
            let is_different = die[7] % 16 == 0;
            let is_failed = traversal == TraversalStatus::Failed || copy == Some(CopyStatus::Failed);
            node.has_problem = is_failed || is_different;
            if place > 0 && is_same {
                node.action = Some(PlanAction::AlreadyExisted);
            } else if place > 0 {
                let planned = if is_folder { PlanAction::CreateFolder } else { PlanAction::Copy };
                let is_excluded = matches!(copy, Some(CopyStatus::ExcludedExplicit | CopyStatus::ExcludedInherited));
                node.action = Some(if is_excluded { PlanAction::Exclude } else { planned });
                self.run(&format!("INSERT INTO plan VALUES ({id}, '{planned}', NULL, NULL)"));
            }
            if is_matched {
                self.run(&format!("INSERT INTO matches VALUES ({id}, {id}, {is_same})"));
            }
            if is_different {
                self.run(&format!("INSERT INTO differences VALUES ({id}, 'it differs', 0)"));
            }
            for event in events {
                seq += 1;
                self.run(&format!("INSERT INTO src_status_events VALUES ({seq}, {id}, {event}, 1, 1, 0, 'gone')"));
            }
            // Half of them are folded, and the rest is not.
            if place == thrown.len() / 2 {
                self.run(&format!("UPDATE migration SET src_folded_seq = {seq}"));
                self.run(
                    "INSERT INTO src_current
                     SELECT node_id, any_value(traversal_status), any_value(copy_status), 1, 'gone', 'gone', NULL
                     FROM src_status_events
                     GROUP BY node_id",
                );
            }
        }
    }

    fn parent_is_matched(&self, place: usize) -> bool {
        let parent = self.src[place].parent;
        self.src.iter().any(|node| Some(node.id) == parent && node.counterpart.is_some())
    }

    /// The counterparts with the same ids, and others beside them.
    fn grow_destination(&mut self, dice: &[Dice]) {
        let last = self.src.len() as i64;
        let mut of_its_own = Vec::new();
        for node in self.src.iter().filter(|node| node.counterpart.is_some()) {
            let is_folder = node.kind == NodeKind::Folder;
            let traversal = if is_folder { TraversalStatus::Pending } else { TraversalStatus::Successful };
            let is_different =
                usize::try_from(node.id - 1).is_ok_and(|place| place > 0 && dice[place - 1][7] % 16 == 0);
            self.dst.push(Tree { traversal, copy: None, action: None, has_problem: is_different, ..node.clone() });
            if is_folder && node.id % 3 != 0 {
                of_its_own.push(node.clone());
            }
        }
        for (count, parent) in of_its_own.into_iter().enumerate() {
            let name = format!("a only {count}");
            self.dst.push(Tree {
                id: last + 1 + count as i64,
                parent: Some(parent.id),
                path: child_path(&parent.path, &name),
                name,
                kind: NodeKind::ALL[count % 4],
                size: (count % 4 != 0).then_some(7),
                modified_ns: None,
                depth: parent.depth + 1,
                traversal: TraversalStatus::NotOnSrc,
                copy: None,
                action: None,
                has_problem: false,
                counterpart: None,
            });
        }
    }

    fn write_nodes(&self, side: Side) {
        let name = side.prefix();
        let number = |value: Option<i64>| value.map_or("NULL".to_owned(), |value| value.to_string());
        for node in self.nodes(side) {
            let Tree { id, kind, depth, .. } = node;
            let (above, size, modified) = (number(node.parent), number(node.size), number(node.modified_ns));
            let escaped = node.name.replace('\'', "''");
            self.run(&format!(
                "INSERT INTO {name}_nodes VALUES ({id}, {above}, '{escaped}', '{kind}', {size}, {modified}, {depth})"
            ));
            if node.kind == NodeKind::Folder && (side == Side::Source || node.counterpart.is_some()) {
                let path = node.path.replace('\'', "''");
                let counterpart = if side == Side::Source { String::new() } else { format!(", {id}") };
                self.run(&format!("INSERT INTO {name}_folders VALUES ({id}, '{path}', {depth}{counterpart})"));
            }
        }
    }
}

fn root() -> Tree {
    Tree {
        id: 1,
        parent: None,
        name: String::new(),
        path: "/".to_owned(),
        kind: NodeKind::Folder,
        size: None,
        modified_ns: None,
        depth: 0,
        traversal: TraversalStatus::Pending,
        copy: None,
        action: None,
        has_problem: false,
        counterpart: Some(1),
    }
}

fn child(nodes: &[Tree], die: Dice) -> Tree {
    let folders: Vec<&Tree> = nodes.iter().filter(|node| node.kind == NodeKind::Folder).collect();
    let parent = folders[usize::from(die[0]) % folders.len()];
    let id = nodes.len() as i64 + 1;
    let mut name = NAMES[usize::from(die[1]) % NAMES.len()].to_owned();
    if nodes.iter().any(|node| node.parent == Some(parent.id) && node.name == name) {
        name += &id.to_string();
    }
    let kind = NodeKind::ALL[usize::from(die[2]) % 4];
    Tree {
        id,
        parent: Some(parent.id),
        path: child_path(&parent.path, &name),
        name,
        kind,
        size: (kind != NodeKind::Folder && die[3] % 8 > 0).then(|| i64::from(die[3] % 4) * 512),
        modified_ns: (die[3] % 5 > 0).then(|| i64::from(die[3]) * DAY_NS / 2),
        depth: parent.depth + 1,
        ..root()
    }
}
