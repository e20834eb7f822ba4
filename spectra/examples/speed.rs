//! Counts the worlds of a configuration and says how long a node took: `cargo run --release -p longhaul-spectra
//! --example speed -- configs/spectra-ephemeral.json`.

use std::path::Path;
use std::time::Instant;

use longhaul_spectra::{Config, Mode, Spectra};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "configs/spectra-ephemeral.json".to_owned());
    let mut config = Config::load(Path::new(&file))?;
    // Only the generated tree is counted.
    config.mode = Mode::Ephemeral;
    let spectra = Spectra::open(config)?;
    for name in spectra.worlds() {
        let world = spectra.world(&name)?;
        let start = Instant::now();
        let counts = world.count()?;
        let took = start.elapsed();
        let ns_per_node = took.as_nanos() / u128::from(counts.total.nodes());
        println!("{name}: {} nodes, {:?}, {ns_per_node} ns a node", counts.total.nodes(), counts.total);
        for (depth, at_depth) in counts.by_depth.iter().enumerate() {
            println!("  depth {depth}: {at_depth:?}");
        }
    }
    Ok(())
}
