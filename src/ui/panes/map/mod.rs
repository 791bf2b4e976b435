//! The map: a scatter of the library's states; beside it the pick, its neighbours in the original
//! space, and the legend.

mod plot;
mod side;

use crate::app::Focus;
use crate::app::map::{FEWEST, Group, MapColour, groups};
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::lab::{MapMethod, MapView};
use crate::project::EPOCHS;
use crate::ui::layout::{self, Size};
use crate::ui::paint::{Paint, put};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let side = match paint.size {
        Size::Wide => 46,
        Size::Medium => 38,
        Size::Small => 30,
        _ => 24,
    };
    let gap = u16::from(!paint.size.boxed());
    let (scatter, side) = layout::left(body, body.width.saturating_sub(side + gap), gap);
    let (groups, members) = groups(paint.state);
    draw_scatter(paint, scatter, buf, &groups, &members);
    side::draw(paint, side, buf, &groups, &members);
}

fn draw_scatter(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, groups: &[Group], members: &[usize]) {
    paint.hit(area, Target::Pane(Focus::Map));
    let state = paint.state;
    let request = state.map.map.as_ref().map_or(&state.map.request, |m| &m.request);
    let focused = state.focus() == Focus::Map && state.overlay.is_none();
    let method = match request.method {
        MapMethod::Pca => "PCA",
        MapMethod::Tsne => "t-SNE",
        MapMethod::OneShot => "t-SNE, random start",
    };
    let mut about = format!("layer {} · {}", request.layer, crate::app::lab::part_name(request.part));
    if let (MapMethod::Tsne | MapMethod::OneShot, Some(map)) = (request.method, &state.map.map) {
        about = format!("{about} · perplexity {:.0} · seed {}", map.perplexity, request.seed);
    }
    if state.map.zoom > 1.0 {
        about = format!("×{:.1} · {about}", state.map.zoom);
    }
    let stale = state.map.run_at.is_some()
        || state.jobs.is_running(JobKind::Map)
        || state.map.map.as_ref().is_some_and(|m| m.request != state.map.request);
    let epoch = state.map.map.as_ref().filter(|m| !m.finished && m.epoch > 0).map(|m| format!(" {}/{}", m.epoch, EPOCHS[0] + EPOCHS[1]));
    let paused = if state.map.is_paused(state.jobs.is_running(JobKind::Map)) { " paused" } else { "" };
    let title = format!("{method}{}{paused}{}", epoch.unwrap_or_default(), if stale { " …" } else { "" });
    let inner = paint.panel(buf, area, &title, vec![paint.span(about, Role::Dim)], focused);
    let Some(map) = &state.map.map else { return nothing_yet(paint, inner, buf) };
    if inner.is_empty() {
        return;
    }
    plot::draw(paint, inner, buf, map, groups, members);
    if state.map.outdated {
        put(buf, inner, 0, inner.height - 1, Line::from(paint.span("The library has changed since; r draws it again.", Role::Stale)));
    }
}

fn nothing_yet(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let text = if state.model.is_none() || state.library.is_none() {
        "Loading the model and the library …".to_owned()
    } else if state.skill_count() < FEWEST {
        format!("A map needs at least {FEWEST} skills; the library has {}.", state.skill_count())
    } else if state.jobs.is_running(JobKind::Map) {
        "Drawing the map …".to_owned()
    } else {
        "No map yet; r draws it.".to_owned()
    };
    paint.centred(buf, area, &[(text, Role::Dim)]);
}

/// The index of a point's skill in the ranking (0 is the best), and the length of the ranking.
fn place_in_ranking(paint: &Paint<'_>, map: &MapView, point: usize) -> Option<(usize, usize)> {
    let ranking = paint.state.lab.ranking.as_ref()?;
    let skill = map.skills.get(point)?;
    let at = ranking.ranking.iter().position(|s| s.skill == *skill)?;
    Some((at, ranking.ranking.len()))
}

fn point_role(paint: &Paint<'_>, map: &MapView, point: usize, group: usize) -> Role {
    match paint.state.map.colour {
        MapColour::Task | MapColour::Family => Role::Category(group),
        MapColour::Rank => {
            place_in_ranking(paint, map, point).map_or(Role::Border, |(at, len)| Role::Ramp(4usize.saturating_sub(at * 5 / len.max(1))))
        }
        // The ramp starts at 0.5: below that the point's neighbours are not to be trusted anyway.
        MapColour::Trust => map.trust_of_each.get(point).map_or(Role::Border, |t| Role::Ramp(((t - 0.5).max(0.0) * 10.0) as usize)),
    }
}

/// The letter of a point's group; coloured by rank or trust, the digit of its tenth in the ranking
/// or of its trust.
fn point_letter(paint: &Paint<'_>, map: &MapView, point: usize, letter: char) -> char {
    let tenth = match paint.state.map.colour {
        MapColour::Task | MapColour::Family => return letter,
        MapColour::Rank => place_in_ranking(paint, map, point).map(|(at, len)| at * 10 / len.max(1)),
        MapColour::Trust => map.trust_of_each.get(point).map(|t| ((t.max(0.0) * 10.0) as usize).min(9)),
    };
    tenth.and_then(|t| char::from_digit(t as u32, 10)).unwrap_or('?')
}
