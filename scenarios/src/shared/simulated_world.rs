//! A world of a simulator, in this process or of a server, as a tree.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use longhaul_model::NodeKind;
use longhaul_spectra::{Entry, ListingPage, NodeInfo};

use super::tree::{Child, Listing, Tree};

/// Entries of a folder that are asked for at a time.
pub(crate) const PAGE_ENTRIES: usize = 4_096;

/// A world of a simulator, whoever has it, behind the engine's back.
pub(crate) trait SimulatedWorld: Tree {
    fn name(&self) -> &str;

    /// A page of a folder's entries.
    fn page(&self, path: &[u8], after: Option<&[u8]>) -> Result<ListingPage>;

    /// Up to `length` bytes from the beginning of a file on.
    fn bytes(&self, path: &[u8], length: usize) -> Result<Vec<u8>>;

    fn root(&self) -> Result<NodeInfo>;

    /// The nodes that the simulator itself counts.
    fn count(&self) -> Result<u64>;

    /// How many folders the simulator has listed.
    fn listings(&self) -> Result<u64>;
}

/// Goes through the entries of a folder, in pages.
fn for_each_entry(
    world: &(impl SimulatedWorld + ?Sized),
    path: &[u8],
    mut visit: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = world.page(path, after.as_deref());
        let page = page.with_context(|| format!("{} of {} cannot be listed", path.escape_ascii(), world.name()))?;
        page.entries.iter().try_for_each(&mut visit)?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// All that is in a world, by path.
pub(crate) fn nodes(world: &dyn SimulatedWorld) -> Result<BTreeMap<Vec<u8>, NodeInfo>> {
    let mut nodes = BTreeMap::from([(b"/".to_vec(), world.root()?)]);
    let mut folders = vec![b"/".to_vec()];
    while let Some(folder) = folders.pop() {
        for_each_entry(world, &folder, |entry| {
            let path = [folder.strip_suffix(b"/").unwrap_or(&folder), b"/", entry.name].concat();
            if entry.info.kind == longhaul_spectra::NodeKind::Folder {
                folders.push(path.clone());
            }
            nodes.insert(path, entry.info);
            Ok(())
        })?;
    }
    Ok(nodes)
}

impl<W: SimulatedWorld + ?Sized> Tree for W {
    fn list(&self, path: &[u8]) -> Result<Listing> {
        let mut children = Vec::new();
        for_each_entry(self, path, |entry| {
            let (kind, size) = match entry.info.kind {
                longhaul_spectra::NodeKind::Folder => (NodeKind::Folder, None),
                longhaul_spectra::NodeKind::File => (NodeKind::File, Some(i64::try_from(entry.info.size)?)),
            };
            let modified_ns = Some(entry.info.modified_ns);
            children.push(Child { name: entry.name.to_vec(), kind, size, modified_ns, remark: &[] });
            Ok(())
        })?;
        Ok(Listing::Children(children))
    }
}
