//! What has to become of each node when folders are excluded, and when the rest is copied: worked out from the rows as
//! they were, and not by any query.

use longhaul_model::CopyStatus;

use crate::shared::ledger_snapshot::Row;
use crate::shared::trial::is_within;

pub(super) fn is_pending(row: &Row) -> bool {
    row.node.copy == Some(CopyStatus::Pending)
}

pub(super) fn is_excluded(row: &Row) -> bool {
    matches!(row.node.copy, Some(CopyStatus::ExcludedExplicit | CopyStatus::ExcludedInherited))
}

/// Why somebody excludes a folder.
pub(super) fn reason_for(folder: &str) -> String {
    format!("nobody needs {folder}")
}

/// The rows when these folders are excluded, given those with nothing excluded.
pub(super) fn excluded(rows: &[Row], folders: &[&str]) -> Vec<Row> {
    let excluded = |row: &Row| {
        let mut row = row.clone();
        let covering = folders.iter().filter(|folder| is_within(&row.node.path, folder));
        let Some(nearest) = covering.max_by_key(|folder| folder.len()).filter(|_| is_pending(&row)) else { return row };
        let reason = reason_for(nearest);
        if row.node.path == **nearest {
            row.node.copy = Some(CopyStatus::ExcludedExplicit);
            row.error = Some(reason);
        } else {
            row.node.copy = Some(CopyStatus::ExcludedInherited);
            row.error = Some(format!("it is in {nearest}, which is excluded: {reason}"));
        }
        row
    };
    rows.iter().map(excluded).collect()
}

/// The rows when all that is to be copied was.
pub(super) fn carried_out(rows: &[Row]) -> Vec<Row> {
    let copied = |row: &Row| {
        let mut row = row.clone();
        if is_pending(&row) {
            row.node.copy = Some(CopyStatus::Successful);
        }
        row
    };
    rows.iter().map(copied).collect()
}

#[cfg(test)]
mod tests {
    use longhaul_model::{NodeKind, TraversalStatus};

    use super::*;
    use crate::shared::node::Node;

    fn row(path: &str, copy: CopyStatus) -> Row {
        let node = Node {
            path: path.to_owned(),
            kind: NodeKind::Folder,
            size: None,
            modified_ns: None,
            depth: 1,
            traversal: TraversalStatus::Successful,
            copy: Some(copy),
        };
        Row { id: 1, node, error: None }
    }

    #[test]
    fn the_nearest_folder_decides_and_only_what_is_to_be_copied_is_excluded() {
        use CopyStatus::{AlreadyExisted, ExcludedExplicit, ExcludedInherited, Pending, Successful};
        let rows =
            [("/a", AlreadyExisted), ("/a/b", Pending), ("/a/b/c", Pending), ("/a/d", Pending), ("/ab", Pending)]
                .map(|(path, copy)| row(path, copy));
        let found = excluded(&rows, &["/a", "/a/b"]);
        let statuses: Vec<_> = found.iter().filter_map(|row| row.node.copy).collect();
        assert_eq!(statuses, [AlreadyExisted, ExcludedExplicit, ExcludedInherited, ExcludedInherited, Pending]);
        let reasons: Vec<_> = found.iter().filter_map(|row| row.error.as_deref()).collect();
        assert_eq!(
            reasons,
            [
                "nobody needs /a/b",
                "it is in /a/b, which is excluded: nobody needs /a/b",
                "it is in /a, which is excluded: nobody needs /a",
            ]
        );
        assert_eq!(carried_out(&found)[4].node.copy, Some(Successful));
        assert_eq!(carried_out(&found)[..4], found[..4]);
    }
}
