//! The simulator as a whole.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::super::wire::{Stats, Table, TableCount};
use super::answer::{Answered, answer};
use super::{State, in_background};
use crate::config::{Config, PRIMARY_WORLD};
use crate::fault::{Fault, FaultClass};

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "success": true, "status": "healthy", "message": "Spectra is running" }))
}

pub(super) async fn reset(state: State) -> Answered<()> {
    in_background(move || state.0.simulator.reset()).await??;
    Ok(answer("All that was written is forgotten", ()))
}

pub(super) async fn flush(state: State) -> Answered<()> {
    in_background(move || state.0.simulator.flush()).await??;
    Ok(answer("All that was written is on the disk", ()))
}

pub(super) async fn config(state: State) -> Answered<Config> {
    Ok(answer("Configuration", state.0.simulator.config().clone()))
}

pub(super) async fn stats(state: State) -> Answered<Stats> {
    let simulator = state.0.simulator.clone();
    let counting = in_background(move || {
        let mut found = Stats {
            file_count: 0,
            folder_count: 0,
            total_file_size: 0,
            secondary_nodes: BTreeMap::new(),
            listings: BTreeMap::new(),
        };
        for name in simulator.worlds() {
            let world = simulator.world(&name).expect("a world that was listed");
            let counted = world.count()?.total;
            if name == PRIMARY_WORLD {
                (found.file_count, found.folder_count) = (counted.files, counted.folders);
                found.total_file_size = counted.bytes;
            } else {
                found.secondary_nodes.insert(name.clone(), counted.nodes());
            }
            found.listings.insert(name, world.listings());
        }
        Ok::<_, Fault>(found)
    });
    Ok(answer("Statistics", counting.await??))
}

pub(super) async fn tables(state: State) -> Answered<Vec<Table>> {
    let kind = |name: &str| if name == PRIMARY_WORLD { "primary" } else { "secondary" };
    let tables = state.0.simulator.worlds().into_iter();
    Ok(answer("Worlds", tables.map(|name| Table { table_type: kind(&name).to_owned(), name }).collect()))
}

pub(super) async fn count(state: State, Path(world): Path<String>) -> Answered<TableCount> {
    let found = state.0.simulator.world(&world);
    let found = found.map_err(|error| Fault::new(FaultClass::Vanished, error.to_string()))?;
    let counted = in_background(move || found.count()).await??;
    Ok(answer("Nodes", TableCount { table_name: world, count: counted.total.nodes() }))
}
