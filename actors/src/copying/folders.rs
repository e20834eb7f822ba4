//! The two folders of a batch, opened when they are needed.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{BySide, Side, decode_name};
use longhaul_storage::Folder;

use super::context::{AtSide, Attempt, CopyContext};
use super::transfer::Folders;
use super::work::LargeItem;

/// The two folders of a batch: opened when they are first needed, and again after trouble.
pub(super) struct OpenFolders {
    pub(super) paths: BySide<Vec<u8>>,
    folders: Option<BySide<Box<dyn Folder>>>,
    /// They cannot be opened: this is the result of everything in them.
    pub(super) failed: Option<CopyOutcome>,
}

impl OpenFolders {
    pub(super) fn new(on_source: &str, on_destination: &str) -> Self {
        let paths = BySide { src: on_source, dst: on_destination };
        let paths = BySide::from_fn(|side| decode_name(paths[side]).expect("the ledger gives out printable paths"));
        OpenFolders { paths, folders: None, failed: None }
    }

    pub(super) fn of_large(large: &LargeItem) -> Self {
        OpenFolders::new(&large.folder, large.folder_on_destination())
    }

    /// Has them opened again: those of a file server that was restarted are of no use any more.
    pub(super) fn close(&mut self) {
        self.folders = None;
    }

    /// Whether they are open.
    pub(super) fn are_open(&self) -> bool {
        self.folders.is_some()
    }

    /// Opens them, unless they are open.
    pub(super) async fn open(&mut self, context: &CopyContext) -> Attempt<Folders<'_>> {
        if self.folders.is_none() {
            let src = context.stores.src.clone().folder(&self.paths.src).await.at_side(Side::Source)?;
            let dst = context.stores.dst.clone().folder(&self.paths.dst).await.at_side(Side::Destination)?;
            self.folders = Some(BySide { src, dst });
        }
        let folders = self.folders.as_ref().expect("opened above");
        let (source, destination) = (folders.src.as_ref(), folders.dst.as_ref());
        Ok(Folders { source, destination, path: &self.paths.dst, source_path: &self.paths.src })
    }
}
