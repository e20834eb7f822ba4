//! `traversal-normal`: two worlds of the simulator, the destination having most of the source and nothing else.

use anyhow::Result;

use crate::shared::simulator::Shipped;
use crate::shared::stage::Stage;
use crate::shared::worlds;

const CONFIG: Shipped = Shipped { name: "spectra.json", text: include_str!("../../configs/spectra.json") };

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let traversed = worlds::traverse(stage, &CONFIG)?;
    let not_on_src = worlds::not_on_src(&traversed);
    if stage.spectra_url.is_none() {
        // Of the worlds that come with the program.
        stage.report.check_count("destination nodes that the source lacks, computed", 0, not_on_src)?;
    }
    worlds::check_what_is_left(stage, &CONFIG, &["spectra.redb"])
}
