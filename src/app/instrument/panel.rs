//! Keys of an open panel.

use super::{Panel, sides};
use crate::app::action::Motion;
use crate::app::bench;
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::line::Line;
use crate::app::overlay::Overlay;
use crate::app::soup_edit::SoupEdit;
use crate::app::state::State;
use crate::app::tab::moved;
use crate::soup::Soup;

/// Gives a key to the panel; the overlay is put back unless the panel closes.
pub fn input(state: &mut State, mut panel: Panel, key: Key) -> Vec<Effect> {
    let motion = motion(key);
    match &mut panel {
        Panel::Snapshots { selected, naming } => return snapshots(state, *selected, naming.take(), key, motion),
        Panel::Diff { scroll } => {
            if let Some(motion) = motion {
                *scroll = moved(*scroll, 200, motion);
            }
        }
        Panel::Ecg { cursor } => {
            let tokens = state.lab.instruments.ecg.as_ref().map_or(0, |v| v.tokens.len());
            if let Some(motion) = motion {
                *cursor = moved((*cursor).min(tokens.saturating_sub(1)), tokens, along(motion));
            }
        }
        Panel::Landscape { mix } => {
            if key.code == KeyCode::Enter {
                return set_weights(state, mix);
            }
            if key.code == KeyCode::Char('b') {
                likeliest(state, mix);
            } else if let Some(motion) = motion {
                step(mix, motion);
            }
        }
        Panel::Attribution => {}
        Panel::Autopsy { layer } => {
            let layers = state.layers();
            if let Some(motion) = motion {
                *layer = moved(*layer, layers, along(motion));
            }
        }
    }
    state.overlay = Some(Overlay::Instrument(panel));
    Vec::new()
}

/// Esc: abandons a name being typed, or closes the panel and cancels the job it waits for.
pub fn leave(state: &mut State, panel: &Panel) -> Vec<Effect> {
    if let Panel::Snapshots { selected, naming: Some(_) } = panel {
        state.overlay = Some(Overlay::Instrument(Panel::Snapshots { selected: *selected, naming: None }));
        return Vec::new();
    }
    panel.kind().and_then(|kind| state.jobs.cancel(kind)).into_iter().collect()
}

/// Pastes text into the panel; returns a sentence about what was left out.
pub fn paste(panel: &mut Panel, text: &str) -> Option<String> {
    if let Panel::Snapshots { naming: Some(line), .. } = panel { line.insert(text) } else { None }
}

fn motion(key: Key) -> Option<Motion> {
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => Motion::Up,
        KeyCode::Down | KeyCode::Char('j') => Motion::Down,
        KeyCode::Left | KeyCode::Char('h') => Motion::Left,
        KeyCode::Right | KeyCode::Char('l') => Motion::Right,
        KeyCode::PageUp => Motion::PageUp,
        KeyCode::PageDown => Motion::PageDown,
        KeyCode::Home => Motion::First,
        KeyCode::End => Motion::Last,
        _ => return None,
    })
}

/// A movement along a horizontal strip.
fn along(motion: Motion) -> Motion {
    match motion {
        Motion::Left => Motion::Up,
        Motion::Right => Motion::Down,
        other => other,
    }
}

fn snapshots(state: &mut State, mut selected: usize, naming: Option<Line>, key: Key, motion: Option<Motion>) -> Vec<Effect> {
    let stay = |selected, naming| Some(Overlay::Instrument(Panel::Snapshots { selected, naming }));
    if let Some(mut line) = naming {
        if key.code == KeyCode::Enter {
            match state.lab.instruments.sides.rename(selected, line.text()) {
                Ok(()) => state.overlay = stay(selected, None),
                Err(why) => {
                    state.say(why);
                    state.overlay = stay(selected, Some(line));
                }
            }
        } else {
            line.input(key);
            state.overlay = stay(selected, Some(line));
        }
        return Vec::new();
    }
    let sides = &mut state.lab.instruments.sides;
    let mut naming = None;
    match key.code {
        KeyCode::Enter => return sides::restore(state, selected),
        KeyCode::Char('b') => return sides::put_over(state, selected),
        KeyCode::Char('r') => naming = sides.snapshots.get(selected).map(|s| Line::new(&s.name)),
        KeyCode::Char('x') | KeyCode::Delete => sides.delete(selected),
        KeyCode::Char('u') if !sides.step_back() => state.say("The list has not changed."),
        KeyCode::Char('w') => drop(sides::keep(state)),
        _ => {}
    }
    let len = state.lab.instruments.sides.snapshots.len();
    selected = moved(selected, len, motion.unwrap_or(Motion::Left)).min(len.saturating_sub(1));
    state.overlay = stay(selected, naming);
    Vec::new()
}

/// Steps along a side of the landscape, for this many ingredients.
fn fine(parts: usize) -> usize {
    if parts == 2 { 32 } else { 16 }
}

/// The mix nearest to the soup's weights.
pub fn present_mix(soup: &Soup) -> Vec<usize> {
    let weights: Vec<f64> = soup.audible().map(|i| i.weight.max(0.0)).collect();
    let (sum, fine) = (weights.iter().sum::<f64>(), fine(weights.len()));
    let mut mix: Vec<usize> = weights.iter().map(|w| if sum > 0.0 { (w / sum * fine as f64).round() as usize } else { 0 }).collect();
    // Rounding may be off by one: the largest share absorbs the difference.
    let rest = fine as i64 - mix.iter().sum::<usize>() as i64;
    if let Some(most) = mix.iter_mut().max() {
        *most = (*most as i64 + rest).max(0) as usize;
    }
    mix
}

/// Moves one step on the landscape. With three ingredients, the first is at the top, the second at
/// the lower left, the third at the lower right. With two, the second is at the right.
fn step(mix: &mut [usize], motion: Motion) {
    let give = |mix: &mut [usize], from: usize, to: usize| {
        if mix[from] > 0 {
            mix[from] -= 1;
            mix[to] += 1;
        }
    };
    match (mix.len(), motion) {
        (2, Motion::Left) => give(mix, 1, 0),
        (2, Motion::Right) => give(mix, 0, 1),
        (3, Motion::Left) => give(mix, 2, 1),
        (3, Motion::Right) => give(mix, 1, 2),
        // Up takes from the larger of the two lower shares and down gives to the smaller one, so
        // that the cursor stays near the middle.
        (3, Motion::Up) => give(mix, if mix[1] >= mix[2] { 1 } else { 2 }, 0),
        (3, Motion::Down) => give(mix, 0, if mix[1] <= mix[2] { 1 } else { 2 }),
        _ => {}
    }
}

/// Moves the cursor to the mix with the greatest log-probability so far.
fn likeliest(state: &State, mix: &mut Vec<usize>) {
    let Some(view) = &state.lab.instruments.landscape else { return };
    if let Some(best) = view.points.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob)) {
        mix.clone_from(&best.mix);
    }
}

/// Gives the soup the weights of a mix and closes the panel.
fn set_weights(state: &mut State, mix: &[usize]) -> Vec<Effect> {
    let soup = &state.lab.bench.soup;
    let steps = mix.iter().sum::<usize>().max(1) as f64;
    let weights: Vec<(usize, f64)> = soup.audible_places().into_iter().zip(mix.iter().map(|&n| n as f64 / steps)).collect();
    state.say("The soup has the weights of this mix; u takes them back.");
    bench::edit(state, &SoupEdit::Weights(weights))
}
