//! Stores: what Longhaul lists, and later reads and writes, whatever is behind it.
//!
//! A [`Store`] is one tree in one place. The engine never asks which store it has, only what it can do
//! ([`Capabilities`]). Paths are bytes, begin with `/` and are relative to the store's root, whatever is above that.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// What a store is: what can be asked of it, and what it answers.
mod capabilities;
mod error;
mod folder;
mod store;

// Where a tree is, and opening the two of a migration.
mod location;
mod opening;

// What stores share.
mod name;
mod network;
mod secrets;

// The stores.
mod local;
mod remote;
#[cfg(feature = "sftp")]
mod sftp;
mod spectra;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

pub use capabilities::{Capabilities, Keeps};
pub use error::StoreError;
pub use folder::{
    Answer, Attributes, Draft, Durability, Facts, FileIdentity, Folder, Known, Original, Placed, RemoteFile, Replace,
    Target,
};
pub use local::LocalStore;
pub use location::{Location, LocationError, ServedWorld, without_credentials};
pub use opening::{OPENING_THREAD, OpenError, OpenOptions, open_pair, while_opening};
pub use spectra::SpectraStore;
pub use store::{PageStream, Store};
