//! Commands of the Map.

use super::Place::In;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::map::MapAction;
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};
use crate::engine::JobKind;

const MAP: &[Focus] = &[Focus::Map, Focus::Neighbours];
const SCATTER: &[Focus] = &[Focus::Map];

fn on_map(s: &State) -> bool {
    s.tab == Tab::Map
}
fn has_map(s: &State) -> bool {
    on_map(s) && s.map.map.is_some()
}
fn is_zoomed(s: &State) -> bool {
    has_map(s) && s.map.zoom > 1.0
}
/// Whether there is a map to pause or to resume.
fn moves(s: &State) -> bool {
    on_map(s) && (s.jobs.is_running(JobKind::Map) || stands(s))
}
fn stands(s: &State) -> bool {
    on_map(s) && s.map.is_paused(s.jobs.is_running(JobKind::Map))
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("map.method", &["m"], In(MAP), "PCA, t-SNE, one-shot", "Draw the two leading principal components, t-SNE from them, or t-SNE from a random start (linfa-tsne): what both show does not depend on the start.", |_| Action::Map(MapAction::NextMethod)).hint("PCA/t-SNE").when(on_map),
    command("map.colour", &["c"], In(MAP), "Colour the map by task, family, rank or trust", "What colours and letters stand for.", |_| Action::Map(MapAction::NextColour)).hint("colour").when(on_map),
    command("map.markers", &["v"], In(MAP), "Letters or dots", "Draw points as letters or as dots.", |_| Action::Map(MapAction::ToggleMarkers)).hint("letters/dots").when(on_map),
    command("map.next", &["n"], In(SCATTER), "Next point", "Pick the next point: of those searched for, or in the library's order.", |_| Action::Map(MapAction::NextPoint(1))).when(has_map),
    command("map.previous", &["N"], In(SCATTER), "Previous point", "Pick the previous point: of those searched for, or in the library's order.", |_| Action::Map(MapAction::NextPoint(-1))).when(has_map),
    command("map.search", &["/"], In(MAP), "Search the map", "Pick the next skill whose id or family has these words.", |_| Action::Prompt(PromptKind::MapSearch)).hint("search").when(has_map),
    command("map.zoom.in", &["z"], In(MAP), "Zoom in", "Draw the map larger, about the pick.", |_| Action::Map(MapAction::Zoom(1))).hint("zoom").when(has_map),
    command("map.zoom.out", &["Z"], In(MAP), "Zoom out", "Draw the map smaller.", |_| Action::Map(MapAction::Zoom(-1))).when(has_map),
    command("map.whole", &["0"], In(MAP), "The whole map", "Draw all of the map.", |_| Action::Map(MapAction::Whole)).when(has_map),
    command("map.pan.left", &["shift-left"], In(MAP), "Pan left", "Move what is seen by a quarter.", |_| Action::Map(MapAction::Pan(-1, 0))).when(is_zoomed),
    command("map.pan.right", &["shift-right"], In(MAP), "Pan right", "Move what is seen by a quarter.", |_| Action::Map(MapAction::Pan(1, 0))).when(is_zoomed),
    command("map.pan.up", &["shift-up"], In(MAP), "Pan up", "Move what is seen by a quarter.", |_| Action::Map(MapAction::Pan(0, 1))).when(is_zoomed),
    command("map.pan.down", &["shift-down"], In(MAP), "Pan down", "Move what is seen by a quarter.", |_| Action::Map(MapAction::Pan(0, -1))).when(is_zoomed),
    command("map.pause", &["space"], In(MAP), "Pause the map", "Stop the moving map at the iteration it has come to, or let it go on.", |_| Action::Map(MapAction::Pause)).hint("pause").when(moves),
    command("map.step", &["s"], In(MAP), "Step the map", "Let a stopped map go on by one iteration.", |_| Action::Map(MapAction::Step)).hint("step").when(stands),
    command("map.perplexity.up", &[">"], In(MAP), "More perplexity", "Scale the perplexity by 1.25.", |_| Action::Map(MapAction::ScalePerplexity(125))).when(on_map),
    command("map.perplexity.down", &["<"], In(MAP), "Less perplexity", "Scale the perplexity by 0.8.", |_| Action::Map(MapAction::ScalePerplexity(80))).when(on_map),
    command("map.perplexity", &["P"], In(MAP), "Type the perplexity", "Type the perplexity of t-SNE.", |_| Action::Prompt(PromptKind::Perplexity)).when(on_map),
    command("map.layer", &["L"], In(MAP), "Type the layer drawn", "Type the layer whose states are drawn.", |_| Action::Prompt(PromptKind::MapLayer)).when(|s| on_map(s) && has_model(s)),
    command("map.run", &["r"], In(MAP), "Draw the map again", "Compute the map again, with the library as it is now. Every new map is turned and mirrored, never stretched, to match the one before.", |_| Action::Map(MapAction::Run)).hint("again").when(on_map),
];
