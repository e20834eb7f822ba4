//! Single nodes: looking, setting a time, removing.

use std::time::Duration;

use axum::extract::Path;
use axum::http::HeaderMap;

use super::super::wire::{Change, ShownNode, parse_id};
use super::State;
use super::answer::{Answered, Request, answer};
use crate::fault::FaultClass;

pub(super) async fn look(state: State, headers: HeaderMap, Path(id): Path<String>) -> Answered<ShownNode> {
    let (world, path) = parse_id(&id)?;
    let asked = state.0.clone().asked(&world, &headers)?;
    let looked_at = path.clone();
    let info = asked.call(move |world, now| world.stat(&looked_at, now)).await?;
    let mut shown = ShownNode::new(&world, &path, &info);
    let simulator = state.0.simulator.clone();
    let existence = super::in_background(move || {
        let mut existence = std::collections::BTreeMap::new();
        for name in simulator.worlds() {
            let world = simulator.world(&name).expect("a world that was listed").undisturbed();
            let is_there = match world.stat(&path, Duration::ZERO).result {
                Ok(_) => true,
                Err(fault) if fault.class == FaultClass::Vanished => false,
                Err(fault) => return Err(fault),
            };
            existence.insert(name, is_there);
        }
        Ok(existence)
    });
    shown.existence_map = Some(existence.await??);
    Ok(answer("Node found", shown))
}

pub(super) async fn change(
    state: State,
    headers: HeaderMap,
    Path(id): Path<String>,
    request: Request<Change>,
) -> Answered<()> {
    let (world, path) = parse_id(&id)?;
    let modified_ns = request.0.modified_ns;
    let asked = state.0.asked(&world, &headers)?;
    asked.call(move |world, now| world.set_modified(&path, modified_ns, now)).await?;
    Ok(answer("Time set", ()))
}

pub(super) async fn remove(state: State, headers: HeaderMap, Path(id): Path<String>) -> Answered<()> {
    let (world, path) = parse_id(&id)?;
    let asked = state.0.asked(&world, &headers)?;
    asked.call(move |world, now| world.remove_tree(&path, now)).await?;
    Ok(answer("Node removed", ()))
}
