//! What goes over the wire: ids, requests and answers.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultClass};
use crate::listing::{NodeInfo, NodeKind};

/// The header of calls that meet no faults, limits or latencies.
pub(super) const UNDISTURBED: &str = "x-spectra-undisturbed";

/// Bytes that one message may have, in either direction.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What identifies a node: its world and its path.
pub(super) fn node_id(world: &str, path: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([world.as_bytes(), path].concat())
}

/// The world and the path of an id.
pub(super) fn parse_id(id: &str) -> Result<(String, Vec<u8>), Fault> {
    let no_id = || Fault::new(FaultClass::Vanished, format!("`{}` is the id of nothing", id.escape_debug()));
    let decoded = URL_SAFE_NO_PAD.decode(id).map_err(|_| no_id())?;
    let slash = decoded.iter().position(|byte| *byte == b'/').ok_or_else(no_id)?;
    let world = std::str::from_utf8(&decoded[..slash]).map_err(|_| no_id())?;
    Ok((world.to_owned(), decoded[slash..].to_vec()))
}

/// The path of what is called `name` in a folder.
pub(super) fn child_path(folder: &[u8], name: &[u8]) -> Vec<u8> {
    [folder.strip_suffix(b"/").unwrap_or(folder), b"/", name].concat()
}

/// Names and other bytes in JSON.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes that [`to_base64`] made a text of.
pub(super) fn from_base64(what: &str, text: &str) -> Result<Vec<u8>, Fault> {
    let wrong = |error| Fault::new(FaultClass::BadName, format!("`{what}` is not base64: {error}"));
    STANDARD.decode(text).map_err(wrong)
}

/// A name as text, and its bytes where they are no text.
pub(super) fn to_name(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(name) => (name.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Some(to_base64(bytes))),
    }
}

/// The bytes of a name.
pub(super) fn from_name(name: &str, name_base64: Option<&str>) -> Result<Vec<u8>, Fault> {
    name_base64.map_or_else(|| Ok(name.as_bytes().to_vec()), |bytes| from_base64("name_base64", bytes))
}

/// A folder, by its id or by its path and world.
#[allow(clippy::struct_field_names, reason = "as they go over the wire")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Parent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table_name: Option<String>,
}

impl Parent {
    pub(super) fn new(world: &str, path: &[u8]) -> Self {
        Parent { parent_id: Some(node_id(world, path)), ..Parent::default() }
    }

    /// Its world and its path.
    pub(super) fn resolve(self) -> Result<(String, Vec<u8>), Fault> {
        match (self.parent_id, self.parent_path, self.table_name) {
            (Some(id), _, _) => parse_id(&id),
            (None, Some(path), Some(world)) => Ok((world, path.into_bytes())),
            _ => Err(Fault::new(FaultClass::BadName, "either parent_id or parent_path with table_name is required")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ListRequest {
    #[serde(flatten)]
    pub(super) parent: Parent,
    /// What the page before gave as `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    /// Entries of a page; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NewNode {
    #[serde(flatten)]
    pub(super) parent: Parent,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name_base64: Option<String>,
    /// Whether a file that has the name is replaced; nothing to folders.
    #[serde(default)]
    pub(super) replace: bool,
}

impl NewNode {
    pub(super) fn new(world: &str, folder: &[u8], name: &[u8], replace: bool) -> Self {
        let (name, name_base64) = to_name(name);
        NewNode { parent: Parent::new(world, folder), name, name_base64, replace }
    }

    /// The world and the path of what is to be made.
    pub(super) fn resolve(self) -> Result<(String, Vec<u8>), Fault> {
        let (world, folder) = self.parent.resolve()?;
        let name = from_name(&self.name, self.name_base64.as_deref())?;
        if name.is_empty() || name.contains(&b'/') {
            return Err(Fault::new(FaultClass::BadName, "a name is required, without a `/` in it"));
        }
        Ok((world, child_path(&folder, &name)))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NewFile {
    #[serde(flatten)]
    pub(super) node: NewNode,
    /// Its contents, in base64.
    #[serde(default)]
    pub(super) data: String,
    /// Its time, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) modified_ns: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Change {
    /// Its new time, in nanoseconds since 1970.
    pub(super) modified_ns: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UploadBegun {
    pub(super) upload_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FinishUpload {
    /// Bytes that there have to be.
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) modified_ns: Option<i64>,
}

/// A node as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShownNode {
    pub(super) id: String,
    pub(super) parent_id: String,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name_base64: Option<String>,
    pub(super) path: String,
    pub(super) parent_path: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) depth_level: usize,
    pub(super) size: u64,
    /// The time for people; `modified_ns` is the same one.
    pub(super) last_updated: String,
    pub(super) modified_ns: i64,
    /// In which worlds it is; not in listings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) existence_map: Option<std::collections::BTreeMap<String, bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Folder,
    File,
}

impl ShownNode {
    pub(super) fn new(world: &str, path: &[u8], info: &NodeInfo) -> Self {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (is_root, folder) = (path == b"/", if slash == 0 { &b"/"[..] } else { &path[..slash] });
        let (name, name_base64) = to_name(&path[slash + 1..]);
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let shown_time = Timestamp::from_nanosecond(i128::from(info.modified_ns));
        ShownNode {
            id: node_id(world, path),
            parent_id: if is_root { String::new() } else { node_id(world, folder) },
            name,
            name_base64,
            path: text(path),
            parent_path: if is_root { String::new() } else { text(folder) },
            kind: match info.kind {
                NodeKind::Folder => Kind::Folder,
                NodeKind::File => Kind::File,
            },
            depth_level: if is_root { 0 } else { path.split(|byte| *byte == b'/').count() - 1 },
            size: info.size,
            last_updated: shown_time.map_or_else(|_| String::new(), |time| time.to_string()),
            modified_ns: info.modified_ns,
            existence_map: None,
        }
    }

    pub(super) fn info(&self) -> NodeInfo {
        let kind = match self.kind {
            Kind::Folder => NodeKind::Folder,
            Kind::File => NodeKind::File,
        };
        NodeInfo { kind, size: self.size, modified_ns: self.modified_ns }
    }

    pub(super) fn name_bytes(&self) -> Result<Vec<u8>, Fault> {
        from_name(&self.name, self.name_base64.as_deref())
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) success: bool,
    pub(super) folders: Vec<ShownNode>,
    pub(super) files: Vec<ShownNode>,
    /// What to send as `after` for the next page; left out after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A file in one message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileData {
    /// Its bytes, in base64.
    pub(super) data: String,
    /// Their SHA-256, in hexadecimal digits.
    pub(super) checksum: String,
    pub(super) size: usize,
}

/// What is in the worlds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stats {
    pub(super) file_count: u64,
    pub(super) folder_count: u64,
    pub(super) total_file_size: u64,
    /// Nodes of each world beside `primary`.
    pub(super) secondary_nodes: std::collections::BTreeMap<String, u64>,
    /// How many folders were listed in each world since the server began.
    pub(super) listings: std::collections::BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    /// `primary` or `secondary`.
    pub(super) table_type: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableCount {
    pub(super) table_name: String,
    pub(super) count: u64,
}

/// An answer to anything but a listing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) success: bool,
    pub(super) message: String,
    pub(super) data: T,
}

/// An answer to what could not be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) success: bool,
    pub(super) message: String,
    /// The name of a [`FaultClass`].
    #[serde(default)]
    pub(super) class: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_ms: Option<u64>,
}

/// Every class with its name and the status that a failure of it has.
const CLASSES: [(FaultClass, &str, u16); 10] = [
    (FaultClass::Transient, "transient", 503),
    (FaultClass::Throttled, "throttled", 429),
    (FaultClass::Denied, "denied", 403),
    (FaultClass::Vanished, "vanished", 404),
    (FaultClass::BadName, "bad_name", 400),
    (FaultClass::NoSpace, "no_space", 507),
    (FaultClass::Fatal, "fatal", 500),
    (FaultClass::AlreadyExists, "already_exists", 409),
    (FaultClass::WrongKind, "wrong_kind", 409),
    (FaultClass::NotEmpty, "not_empty", 409),
];

/// The name of a class, and the status of its failures.
pub(super) fn named(class: FaultClass) -> (&'static str, u16) {
    let (_, name, status) = CLASSES.into_iter().find(|(known, ..)| *known == class).expect("all are in the table");
    (name, status)
}

/// The class of a name; where there is none, what a status means by itself.
pub(super) fn class_of(name: &str, status: u16) -> FaultClass {
    let by_name = CLASSES.into_iter().find(|(_, known, _)| *known == name);
    by_name.map_or_else(|| class_of_status(status), |(class, ..)| class)
}

fn class_of_status(status: u16) -> FaultClass {
    match status {
        429 => FaultClass::Throttled,
        404 | 410 => FaultClass::Vanished,
        507 => FaultClass::NoSpace,
        408 | 500..=599 => FaultClass::Transient,
        _ => FaultClass::Denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_world_and_a_path_whatever_bytes_it_has() {
        for path in [&b"/"[..], b"/a/b c", b"/caf\xe9\n", b"/a%2Fb"] {
            let id = node_id("s1", path);
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
            assert_eq!(parse_id(&id).unwrap(), ("s1".to_owned(), path.to_vec()));
        }
        for wrong in ["", "!", "czE", "root"] {
            assert_eq!(parse_id(wrong).unwrap_err().class, FaultClass::Vanished, "{wrong}");
        }
    }

    #[test]
    fn a_folder_is_named_by_its_id_or_by_path_and_world() {
        let parsed = |json: &str| serde_json::from_str::<ListRequest>(json).unwrap().parent.resolve();
        assert_eq!(parsed(r#"{"parent_path": "/a", "table_name": "s1"}"#), Ok(("s1".to_owned(), b"/a".to_vec())));
        let by_id = format!(r#"{{"parent_id": "{}", "limit": 3}}"#, node_id("primary", b"/"));
        assert_eq!(parsed(&by_id), Ok(("primary".to_owned(), b"/".to_vec())));
        for wrong in ["{}", r#"{"parent_path": "/a"}"#, r#"{"table_name": "s1"}"#] {
            assert_eq!(parsed(wrong).unwrap_err().class, FaultClass::BadName);
        }
    }

    #[test]
    fn a_class_is_read_back_from_its_name_or_else_from_the_status() {
        for (class, name, status) in CLASSES {
            assert_eq!(class_of(name, 200), class);
            assert_eq!(named(class), (name, status));
        }
        assert_eq!(class_of("", 429), FaultClass::Throttled);
        assert_eq!(class_of("unheard of", 502), FaultClass::Transient);
        assert_eq!(class_of("", 401), FaultClass::Denied);
    }

    #[test]
    fn a_node_is_shown_with_its_folder_and_its_time() {
        let info = NodeInfo { kind: NodeKind::File, size: 7, modified_ns: 1_577_836_800_000_000_001 };
        let shown = ShownNode::new("s1", b"/a/b\xff", &info);
        assert_eq!((shown.parent_path.as_str(), shown.depth_level), ("/a", 2));
        assert_eq!(shown.last_updated, "2020-01-01T00:00:00.000000001Z");
        assert_eq!((shown.name_bytes().unwrap(), shown.info()), (b"b\xff".to_vec(), info));
        assert_eq!(parse_id(&shown.parent_id).unwrap().1, b"/a");
        let root = ShownNode::new("s1", b"/", &NodeInfo { kind: NodeKind::Folder, size: 0, modified_ns: 0 });
        assert_eq!((root.depth_level, root.parent_id.as_str(), root.name.as_str()), (0, "", ""));
    }
}
