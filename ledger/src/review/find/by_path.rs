//! A page by path, without the paths of all nodes.
//!
//! Paths are compared byte by byte. All that is in a folder has paths between the folder's own and the same with a `0`
//! behind it, which is the character after the slash.

use duckdb::types::Value;

use super::{Page, Position};
use crate::error::Result;

/// What comes behind all that is in a folder of `src_folders` or `dst_folders`.
const FOLDER_END: &str = "CASE WHEN id = 1 THEN '0' ELSE path || '0' END";

/// Joins to the nodes `n` of `side` their folders as `k`, of those folders that `which` chooses.
pub(super) fn join(side: &str, which: &str) -> String {
    format!("LEFT JOIN (SELECT id, path FROM {side}_folders {which}) k ON k.id = n.parent_id")
}

/// Folders that are looked into at first, beside one for each row. In tests none, because their trees are small.
const FOLDERS_MIN: u64 = if cfg!(test) { 0 } else { 512 };

/// More folders than this are not written into a statement.
const FOLDERS_MAX: u64 = 20_000;

impl Page<'_> {
    /// The page in the order of paths.
    ///
    /// Only the first folders are looked into, of those that can have something after `after`. What they have is a page,
    /// but perhaps not the first one: as long as its last row comes behind the last of these folders, another folder may
    /// have something before that. Then all folders before that row are looked into, which settles it.
    pub(super) fn by_path(&self, after: Option<&Position>) -> Result<Vec<Position>> {
        let folders = FOLDERS_MIN.saturating_add(self.limit).saturating_add(self.offset);
        if folders > FOLDERS_MAX {
            return self.all(after, None);
        }
        let (ids, bound) = self.folders(after, None, folders)?;
        // There are no others.
        let Some(bound) = bound else { return self.all(after, None) };
        let found = self.all(after, Some(&ids))?;
        match found.last() {
            Some(last) if found.len() as u64 == self.limit => {
                if !self.is_behind(&last.key, &bound) {
                    return Ok(found);
                }
                match self.folders(after, Some(&last.key), FOLDERS_MAX)? {
                    (ids, None) => self.all(after, Some(&ids)),
                    (_, Some(_)) => self.all(after, None),
                }
            }
            // They are few and far between, and so not many paths have to be compared.
            _ => self.all(after, None),
        }
    }

    /// The first `count` folders that can have something after `after`, and that begin no further than `end`; where there
    /// are so many, also where the last of them begins. What is in a folder begins with the folder's own path, and seen from
    /// behind with what comes after all that can be in it.
    fn folders(&self, after: Option<&Position>, end: Option<&Value>, count: u64) -> Result<(Vec<i64>, Option<Value>)> {
        let side = self.side;
        let (begins, ends, direction, beyond, within) =
            if self.reverse { (FOLDER_END, "path", "DESC", "<", ">=") } else { ("path", FOLDER_END, "ASC", ">", "<=") };
        let mut conditions = vec!["true".to_owned()];
        let mut parameters = Vec::new();
        if let Some(after) = after {
            conditions.push(format!("{ends} {beyond} ?"));
            parameters.push(after.key.clone());
        }
        if let Some(end) = end {
            conditions.push(format!("{begins} {within} ?"));
            parameters.push(end.clone());
        }
        let mut statement = self.connection.prepare(&format!(
            "SELECT id, {begins} AS key
             FROM {side}_folders
             WHERE {}
             ORDER BY key {direction}
             LIMIT {count}",
            conditions.join(" AND ")
        ))?;
        let folders: Vec<(i64, Value)> = statement
            .query_map(duckdb::params_from_iter(parameters), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<duckdb::Result<_>>()?;
        let bound = folders.last().filter(|_| folders.len() as u64 == count).map(|(_, key)| key.clone());
        Ok((folders.into_iter().map(|(id, _)| id).collect(), bound))
    }

    fn is_behind(&self, key: &Value, bound: &Value) -> bool {
        match (key, bound) {
            (Value::Text(key), Value::Text(bound)) if self.reverse => key < bound,
            (Value::Text(key), Value::Text(bound)) => key > bound,
            _ => true,
        }
    }
}
