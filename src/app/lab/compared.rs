//! What the ranking compares: the similarity, the part of the state, the range of layers.

use super::query_changed;
use crate::app::effect::Effect;
use crate::app::soup_edit::parse_layers;
use crate::app::state::State;
use crate::library::{Metric, Part};

/// The name of a similarity.
pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "cosine",
        Metric::L2 => "L2",
        Metric::ZCosine => "z-cosine",
    }
}

/// The next similarity.
pub fn next_metric(metric: Metric) -> Metric {
    match metric {
        Metric::Cosine => Metric::ZCosine,
        Metric::ZCosine => Metric::L2,
        Metric::L2 => Metric::Cosine,
    }
}

/// The name of a part of the state.
pub fn part_name(part: Part) -> &'static str {
    match part {
        Part::Ssm => "ssm",
        Part::Conv => "conv",
    }
}

/// The other part.
pub fn other_part(part: Part) -> Part {
    match part {
        Part::Ssm => Part::Conv,
        Part::Conv => Part::Ssm,
    }
}

/// The comparison of skills changed.
pub fn view_changed(state: &mut State) -> Vec<Effect> {
    query_changed(state)
}

/// Shifts the compared range by `shift` layers, and widens its end by `grow` layers.
pub fn move_layers(state: &mut State, shift: i32, grow: i32) -> Vec<Effect> {
    let layers = state.layers();
    let range = &state.lab.view.layers;
    let start = range.start.saturating_add_signed(shift as isize);
    let end = range.end.saturating_add_signed((shift + grow) as isize);
    // A shift below layer 0 would also shorten the range.
    let fell = shift < 0 && range.start == 0;
    if fell || start >= end || end > layers {
        return Vec::new();
    }
    state.lab.view.layers = start..end;
    view_changed(state)
}

/// Sets the compared layers from text.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn set_layers(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    let layers = state.layers();
    state.lab.view.layers = parse_layers(text, layers)?.unwrap_or(0..layers);
    Ok(view_changed(state))
}
