//! Commands of the Map.

use super::Place::In;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};

const MAP: &[Focus] = &[Focus::Map, Focus::Neighbours];
const SCATTER: &[Focus] = &[Focus::Map];

fn on_map(s: &State) -> bool {
    s.tab == Tab::Map
}
fn has_map(s: &State) -> bool {
    on_map(s) && s.map.map.is_some()
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("map.method", &["m"], In(MAP), "PCA, t-SNE, one-shot", "Draw the two leading principal components, t-SNE from them, or t-SNE from a random start (linfa-tsne): what both show does not hang on the start.", |_| Action::NextMapMethod).hint("PCA/t-SNE").when(on_map),
    command("map.colour", &["c"], In(MAP), "Colour the map by task, family or rank", "What colours and letters stand for.", |_| Action::NextMapColour).hint("colour").when(on_map),
    command("map.markers", &["v"], In(MAP), "Letters or dots", "Draw points as letters or as dots.", |_| Action::ToggleMapMarkers).hint("letters/dots").when(on_map),
    command("map.next", &["n"], In(SCATTER), "Next point", "Pick the next point in the library's order.", |_| Action::NextPoint(1)).when(has_map),
    command("map.previous", &["N"], In(SCATTER), "Previous point", "Pick the previous point in the library's order.", |_| Action::NextPoint(-1)).when(has_map),
    command("map.perplexity.up", &[">"], In(MAP), "More perplexity", "Scale the perplexity by 1.25.", |_| Action::ScalePerplexity(1.25)).when(on_map),
    command("map.perplexity.down", &["<"], In(MAP), "Less perplexity", "Scale the perplexity by 0.8.", |_| Action::ScalePerplexity(0.8)).when(on_map),
    command("map.perplexity", &["P"], In(MAP), "Type the perplexity", "Type the perplexity of t-SNE.", |_| Action::Prompt(PromptKind::Perplexity)).when(on_map),
    command("map.layer", &["L"], In(MAP), "Type the layer drawn", "Type the layer whose states are drawn.", |_| Action::Prompt(PromptKind::MapLayer)).when(|s| on_map(s) && has_model(s)),
    command("map.run", &["r"], In(MAP), "Draw the map again", "Compute the map again, with the library as it is now.", |_| Action::RunMap).hint("again").when(on_map),
];
