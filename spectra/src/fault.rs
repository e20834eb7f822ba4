//! How an operation on a world can fail, and what every operation answers with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of failure it is, which is what a caller acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// May work if tried again.
    Transient,
    /// Too much was asked for; [`Fault::retry_after`] says when to ask again.
    Throttled,
    /// Not allowed.
    Denied,
    /// There is no such node (any more).
    Vanished,
    /// The name or path is not acceptable.
    BadName,
    /// Nothing more can be written.
    NoSpace,
    /// Nothing will work from now on.
    Fatal,
    /// What was to be created is there already. Never injected.
    #[serde(skip_deserializing)]
    AlreadyExists,
    /// The node is a file where a folder is needed, or the other way round. Never injected.
    #[serde(skip_deserializing)]
    WrongKind,
    /// The folder that was to be removed has something in it. Never injected.
    #[serde(skip_deserializing)]
    NotEmpty,
}

/// A failure: injected, or one that a real store would have too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind of failure.
    pub class: FaultClass,
    /// How long to wait before asking again, where the store says so.
    pub retry_after: Option<Duration>,
    /// For people: what failed, and on which path.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self { class, retry_after: None, message: message.into() }
    }
}

/// What an operation answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Reply<T> {
    /// How long the operation took in the simulated world. The simulator does not sleep; the caller may.
    pub latency: Duration,
    /// What came of it.
    pub result: Result<T, Fault>,
}

impl<T> Reply<T> {
    /// The same latency, another result.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { latency: self.latency, result: self.result.map(change) }
    }
}

/// What can be asked of a world, by the names that configurations use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// [`World::list`](crate::World::list): each page is one operation.
    ListChildren,
    /// [`World::create_folder`](crate::World::create_folder).
    CreateFolder,
    /// [`World::write_file`](crate::World::write_file) and [`World::begin_file`](crate::World::begin_file).
    UploadFile,
    /// [`World::read`](crate::World::read): each call is one operation.
    GetFileData,
    /// [`World::stat`](crate::World::stat).
    GetNode,
    /// [`World::rename`](crate::World::rename), by the path that is renamed.
    RenameNode,
    /// [`World::remove`](crate::World::remove) and [`World::remove_tree`](crate::World::remove_tree).
    RemoveNode,
    /// [`World::set_modified`](crate::World::set_modified).
    SetModified,
}

impl Operation {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::ListChildren,
        Self::CreateFolder,
        Self::UploadFile,
        Self::GetFileData,
        Self::GetNode,
        Self::RenameNode,
        Self::RemoveNode,
        Self::SetModified,
    ];

    /// The name that configurations use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListChildren => "list_children",
            Self::CreateFolder => "create_folder",
            Self::UploadFile => "upload_file",
            Self::GetFileData => "get_file_data",
            Self::GetNode => "get_node",
            Self::RenameNode => "rename_node",
            Self::RemoveNode => "remove_node",
            Self::SetModified => "set_modified",
        }
    }
}

/// Which operations a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OperationFilter {
    /// All of them: `any`.
    #[default]
    Any,
    /// Only this one.
    Only(Operation),
}

impl OperationFilter {
    /// Whether the rule is about this operation.
    pub fn matches(&self, operation: Operation) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => *only == operation,
        }
    }
}

impl TryFrom<String> for OperationFilter {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name == "any" {
            return Ok(Self::Any);
        }
        let found = Operation::ALL.into_iter().find(|operation| operation.name() == name);
        found.map(Self::Only).ok_or_else(|| {
            let known: Vec<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
            format!("unknown operation `{name}`, expected `any` or one of `{}`", known.join("`, `"))
        })
    }
}

impl From<OperationFilter> for String {
    fn from(filter: OperationFilter) -> Self {
        match filter {
            OperationFilter::Any => "any".to_owned(),
            OperationFilter::Only(operation) => operation.name().to_owned(),
        }
    }
}
