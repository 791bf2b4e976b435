//! Beside the scatter: the pick with its neighbours in the original space, and the legend.

use super::plot::BEST;
use super::{place_in_ranking, point_role};
use crate::app::Focus;
use crate::app::map::{Group, MapColour, found};
use crate::app::screen::Target;
use crate::lab::MapView;
use crate::ui::paint::{Paint, fit, pad, put, scroll, signed, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws both.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, groups: &[Group], members: &[usize]) {
    let state = paint.state;
    let Some(map) = &state.map.map else { return };
    let focused = state.focus() == Focus::Neighbours && state.overlay.is_none();
    let near_rows = if area.height >= 34 { 12 } else { (area.height / 3).max(5) };
    let upper = Rect { height: (near_rows + 6).min(area.height), ..area };
    paint.hit(upper, Target::Pane(Focus::Neighbours));
    let inner = paint.panel(buf, upper, "Pick", vec![paint.span("nearest in the original space", Role::Dim)], focused);
    pick(paint, inner, buf, map, groups, members, focused);
    let lower = Rect::new(area.x, area.y + upper.height, area.width, area.height - upper.height);
    let by = vec![paint.span(format!("by {}", state.map.colour.name()), Role::Dim)];
    let inner = paint.panel(buf, lower, "Legend", by, false);
    legend(paint, inner, buf, map, groups, members);
}

fn pick(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, map: &MapView, groups: &[Group], members: &[usize], focused: bool) {
    let state = paint.state;
    let Some(id) = state.map.picked() else { return };
    let letter = |point: usize| members.get(point).and_then(|g| groups.get(*g)).map_or((' ', 0), |g| (g.letter, g.number));
    let (sign, number) = letter(state.map.pick);
    let role = point_role(paint, map, state.map.pick, number);
    let in_soup = state.lab.bench.soup.ingredients.iter().any(|i| i.skill == id);
    let mut head = vec![paint.span(format!("{sign} "), role), paint.span(fit(id, usize::from(area.width).saturating_sub(6)), Role::Strong)];
    if in_soup {
        head.push(paint.span(" ●", Role::Mark));
    }
    put(buf, area, 0, 0, Line::from(head));
    let known = state.library.as_ref().and_then(|l| Some((l, l.skills.iter().find(|s| s.id == id)?)));
    let family = known.map_or(String::new(), |(library, skill)| {
        if library.is_unseen(&skill.task) { format!("unseen · {}", skill.family) } else { skill.family.clone() }
    });
    let place = place_in_ranking(paint, map, state.map.pick).map_or(String::new(), |(at, len)| format!("#{} of {len} · ", at + 1));
    let trust = map.trust_of_each.get(state.map.pick).map_or(String::new(), |t| format!("trust {t:.2} · "));
    let about = fit(&format!("{place}{trust}{family}"), usize::from(area.width).saturating_sub(2));
    put(buf, area, 2, 1, Line::from(paint.span(about, Role::Dim)));
    let found = found(state);
    if !found.is_empty() {
        let nth = found.iter().position(|p| *p == state.map.pick).map_or(String::new(), |i| format!("{} of ", i + 1));
        let text = fit(&format!("/{}: {nth}{}", state.map.search, found.len()), usize::from(area.width).saturating_sub(2));
        put(buf, area, 2, 2, Line::from(paint.span(text, Role::Key)));
    }
    let list = Rect::new(area.x, area.y + 3.min(area.height), area.width, area.height.saturating_sub(3));
    let near: &[(usize, f32)] = map.neighbours.get(state.map.pick).map_or(&[], Vec::as_slice);
    let first = scroll(state.map.neighbour, near.len(), usize::from(list.height));
    for (row, (i, (point, cosine))) in near.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let (sign, number) = letter(*point);
        let selected = focused && i == state.map.neighbour;
        let name_width = usize::from(list.width).saturating_sub(16);
        let place = place_in_ranking(paint, map, *point).map_or(String::new(), |(at, _)| format!("#{}", at + 1));
        let line = Line::from(vec![
            paint.span(if selected { "▸" } else { " " }, Role::Focus),
            paint.span(format!("{sign} "), point_role(paint, map, *point, number)),
            paint.span(pad(map.skills.get(*point).map_or("?", String::as_str), name_width), Role::Text),
            paint.span(format!(" {place:>4}"), Role::Key),
            paint.span(format!(" {:>6}", signed(f64::from(*cosine), 3)), Role::Dim),
        ]);
        put(buf, list, 0, row as u16, line);
        paint.hit_row(list, row as u16, Target::Row(Focus::Neighbours, i));
        if selected {
            paint.select(buf, list, row as u16, focused);
        }
    }
}

fn legend(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, map: &MapView, groups: &[Group], members: &[usize]) {
    let mut figures = vec![format!("{} skills", map.points.len())];
    if let Some(purity) = map.purity {
        figures.push(format!("nearest is of the same task: {:.0} %", purity * 100.0));
    }
    if let Some(trust) = map.trust {
        figures.push(format!("trustworthiness: {trust:.2}"));
    }
    let roomy = area.height >= 14;
    if map.aligned > 0 {
        figures.push(if roomy {
            format!("turned to match the map before ({} skills)", map.aligned)
        } else {
            "turned like the last map".into()
        });
    }
    if let Some(placed) = &paint.state.map.placed {
        let way = if placed.trail.len() > 1 { ", 1 2 … after each example" } else { "" };
        figures.push(format!("≈ the query, approximate{way}"));
    }
    if paint.state.lab.ranking.is_some() && roomy {
        figures.push(format!("italic: the {BEST} best-ranked; underlined: nearest to the pick"));
    }
    // In tight space all figures share one line; the letters must have some room left.
    let figures = if roomy { figures } else { vec![figures.join(" · ")] };
    let lines: Vec<String> = figures.iter().flat_map(|f| wrap(f, usize::from(area.width))).collect();
    let foot = lines.len() as u16;
    let list = Rect { height: area.height.saturating_sub(foot + 1), ..area };
    let scale = match paint.state.map.colour {
        MapColour::Rank => Some(["0 the best tenth of the ranking", "4 the middle", "9 the worst tenth"]),
        MapColour::Trust => Some(["9 its neighbours are the true ones", "7 some come from afar", "5 or less: do not trust its place"]),
        MapColour::Task | MapColour::Family => None,
    };
    if let Some(rows) = scale {
        for (i, text) in rows.into_iter().enumerate() {
            put(buf, list, 0, i as u16, Line::from(paint.span(fit(text, usize::from(list.width)), Role::Ramp(4 - 2 * i))));
        }
    } else {
        let here = members.get(paint.state.map.pick).copied().unwrap_or(0);
        let columns = (usize::from(list.width) / 20).max(1);
        let width = usize::from(list.width) / columns;
        let height = usize::from(list.height).max(1);
        let rows = groups.len().div_ceil(columns).max(1);
        let first = scroll(here % rows, rows, height);
        for (i, group) in groups.iter().enumerate() {
            let (column, row) = (i / rows, i % rows);
            if row < first || row >= first + height {
                continue;
            }
            let name = fit(&group.name, width.saturating_sub(3));
            let line = Line::from(vec![
                paint.span(format!("{} ", group.letter), Role::Category(group.number)),
                paint.span(name, if i == here { Role::Strong } else { Role::Dim }),
            ]);
            put(buf, list, (column * width) as u16, (row - first) as u16, line);
        }
    }
    for (i, text) in lines.into_iter().enumerate() {
        put(buf, area, 0, area.height.saturating_sub(foot) + i as u16, Line::from(paint.span(text, Role::Dim)));
    }
}
