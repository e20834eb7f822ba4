//! `traversal-ephemeral`: two large worlds of the simulator, each with nodes that the other lacks, and nothing of them
//! on any disk.

use anyhow::Result;

use crate::shared::report::grouped;
use crate::shared::simulator::Shipped;
use crate::shared::stage::Stage;
use crate::shared::worlds;

const CONFIG: Shipped =
    Shipped { name: "spectra-ephemeral.json", text: include_str!("../../configs/spectra-ephemeral.json") };

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let traversed = worlds::traverse(stage, &CONFIG)?;
    let not_on_src = worlds::not_on_src(&traversed);
    let what = "destination nodes that the source lacks, computed";
    stage.report.check(what, not_on_src > 0, "some", &grouped(not_on_src))?;
    worlds::check_what_is_left(stage, &CONFIG, &[])
}
