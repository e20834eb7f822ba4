//! Stores: what Longhaul lists, and later reads and writes, whatever is behind it.
//!
//! A [`Store`] is one tree in one place. The engine never asks which store it has, only what it can do
//! ([`Capabilities`]). Paths are bytes, begin with `/` and are relative to the store's root, whatever is above that.

mod error;
mod folder;
mod location;
mod name;
mod network;
mod opening;
mod store;

mod local;
mod remote;
#[cfg(feature = "sftp")]
mod sftp;
mod spectra;

pub use error::StoreError;
pub use folder::{
    Answer, Attributes, Draft, Durability, Facts, FileIdentity, Folder, Keeps, Known, Original, Placed, RemoteFile,
    Replace, Target,
};
pub use local::LocalStore;
pub use location::{Location, LocationError, Overlap};
pub use opening::{OpenError, OpenOptions, open_pair};
pub use remote::{Protocol, RemoteStore, RemoteUrl};
#[cfg(feature = "sftp")]
pub use sftp::SftpStore;
pub use spectra::{ServedWorld, SpectraStore};
pub use store::{Capabilities, PageStream, Store};
