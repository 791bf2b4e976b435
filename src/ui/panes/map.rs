//! The map: a scatter of the library's states, and beside it the pick, its neighbours in the original space, and the legend.

use crate::app::map::{FEWEST, Group, MapColour, groups};
use crate::app::screen::Target;
use crate::app::{Focus, GlyphSet};
use crate::engine::{JobKind, MapMethod, MapView};
use crate::ui::glyphs;
use crate::ui::layout::{self, Size};
use crate::ui::paint::{Paint, fit, pad, put, scroll, signed, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

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
    draw_side(paint, side, buf, &groups, &members);
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
    let stale = state.map.run_at.is_some()
        || state.jobs.is_running(JobKind::Map)
        || state.map.map.as_ref().is_some_and(|m| m.request != state.map.request);
    let title = if stale { format!("{method} …") } else { method.to_owned() };
    let inner = paint.panel(buf, area, &title, vec![paint.span(about, Role::Dim)], focused);
    let Some(map) = &state.map.map else { return nothing_yet(paint, inner, buf) };
    if inner.is_empty() {
        return;
    }
    plot(paint, inner, buf, map, groups, members);
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

/// Places points in cells (both directions on one scale, so that distances are honest) and draws them.
fn plot(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, map: &MapView, groups: &[Group], members: &[usize]) {
    let (across, down) = if paint.state.map.letters { (1, 1) } else { glyphs::resolution(paint.set) };
    let cells = place(&map.points, area, across, down);
    let near: Vec<usize> =
        map.neighbours.get(paint.state.map.pick).map(|n| n.iter().take(5).map(|(i, _)| *i).collect()).unwrap_or_default();
    let width = usize::from(area.width);
    // Per cell: its dots, and the points in it.
    let mut bits = vec![0u8; width * usize::from(area.height)];
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); bits.len()];
    for (i, cell) in cells.iter().enumerate() {
        let Some((x, y, dot)) = *cell else { continue };
        let at = usize::from(y) * width + usize::from(x);
        bits[at] |= 1 << dot;
        inside[at].push(i);
    }
    for (at, points) in inside.iter().enumerate().filter(|(_, p)| !p.is_empty()) {
        // One colour a cell: the pick's, else a neighbour's, else the majority's.
        let picked = points.contains(&paint.state.map.pick);
        let neighbour = points.iter().find(|p| near.contains(p)).copied();
        let shown = if picked { paint.state.map.pick } else { neighbour.unwrap_or_else(|| majority(points, members)) };
        let group = members.get(shown).copied().unwrap_or(0);
        let glyph = if paint.state.map.letters || paint.set == GlyphSet::Ascii {
            point_letter(paint, map, shown, groups.get(group).map_or('?', |g| g.letter))
        } else {
            glyphs::points(paint.set, bits[at])
        };
        let mut style = paint.style(point_role(paint, map, shown, group));
        if neighbour.is_some() {
            style = style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
        }
        if picked {
            style = style.add_modifier(Modifier::REVERSED | Modifier::BOLD);
        }
        let (x, y) = ((at % width) as u16, (at / width) as u16);
        put(buf, area, x, y, Line::from(Span::styled(glyph.to_string(), style)));
        paint.hit(Rect::new(area.x + x, area.y + y, 1, 1), Target::Row(Focus::Map, shown));
    }
}

/// Cell and dot of every point; `None` for what is not finite.
fn place(points: &[[f32; 2]], area: Rect, across: usize, down: usize) -> Vec<Option<(u16, u16, usize)>> {
    let finite = || points.iter().filter(|p| p[0].is_finite() && p[1].is_finite());
    let low = |k: usize| finite().map(|p| p[k]).fold(f32::INFINITY, f32::min);
    let high = |k: usize| finite().map(|p| p[k]).fold(f32::NEG_INFINITY, f32::max);
    let (x0, x1, y0, y1) = (low(0), high(0), low(1), high(1));
    // A cell is about twice as tall as wide.
    let columns = (usize::from(area.width) * across).saturating_sub(1) as f32;
    let rows = (usize::from(area.height) * down).saturating_sub(1) as f32;
    let (unit_x, unit_y) = (1.0 / across as f32, 2.0 / down as f32);
    let span = |a: f32, b: f32| if b > a { b - a } else { 1.0 };
    let scale = (columns * unit_x / span(x0, x1)).min(rows * unit_y / span(y0, y1));
    let place_one = |p: &[f32; 2]| {
        if !(p[0].is_finite() && p[1].is_finite()) || area.is_empty() {
            return None;
        }
        let x = columns / 2.0 + (p[0] - f32::midpoint(x0, x1)) * scale / unit_x;
        let y = rows / 2.0 - (p[1] - f32::midpoint(y0, y1)) * scale / unit_y;
        let (x, y) = (x.round().clamp(0.0, columns) as usize, y.round().clamp(0.0, rows) as usize);
        Some(((x / across) as u16, (y / down) as u16, (y % down) * across + x % across))
    };
    points.iter().map(place_one).collect()
}

fn majority(points: &[usize], members: &[usize]) -> usize {
    let group = |p: usize| members.get(p).copied().unwrap_or(0);
    let count = |p: &usize| points.iter().filter(|q| group(**q) == group(*p)).count();
    points.iter().copied().rev().max_by_key(count).unwrap_or(0)
}

/// The place of a point's skill in the ranking: 0 is the best.
fn place_in_ranking(paint: &Paint<'_>, map: &MapView, point: usize) -> Option<(usize, usize)> {
    let ranking = paint.state.lab.ranking.as_ref()?;
    let skill = map.skills.get(point)?;
    let at = ranking.ranking.iter().position(|s| s.skill == *skill)?;
    Some((at, ranking.ranking.len()))
}

fn point_role(paint: &Paint<'_>, map: &MapView, point: usize, group: usize) -> Role {
    if paint.state.map.colour != MapColour::Rank {
        return Role::Category(group);
    }
    match place_in_ranking(paint, map, point) {
        Some((at, len)) => Role::Ramp(4usize.saturating_sub(at * 5 / len.max(1))),
        None => Role::Border,
    }
}

/// The letter of a point's group; coloured by rank, the tenth of the ranking it is in.
fn point_letter(paint: &Paint<'_>, map: &MapView, point: usize, letter: char) -> char {
    if paint.state.map.colour != MapColour::Rank {
        return letter;
    }
    let tenth = place_in_ranking(paint, map, point).map(|(at, len)| at * 10 / len.max(1));
    tenth.and_then(|t| char::from_digit(t as u32, 10)).unwrap_or('?')
}

fn draw_side(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, groups: &[Group], members: &[usize]) {
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
    let family = state.library.as_ref().and_then(|l| l.skills.iter().find(|s| s.id == id)).map_or("", |s| s.family.as_str());
    let place = place_in_ranking(paint, map, state.map.pick).map_or(String::new(), |(at, len)| format!(" · place {} of {len}", at + 1));
    put(buf, area, 2, 1, Line::from(paint.span(format!("{family}{place}"), Role::Dim)));
    let list = Rect::new(area.x, area.y + 3.min(area.height), area.width, area.height.saturating_sub(3));
    let near: &[(usize, f32)] = map.neighbours.get(state.map.pick).map_or(&[], Vec::as_slice);
    let first = scroll(state.map.neighbour, near.len(), usize::from(list.height));
    for (row, (i, (point, cosine))) in near.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let (sign, number) = letter(*point);
        let selected = focused && i == state.map.neighbour;
        let name_width = usize::from(list.width).saturating_sub(11);
        let line = Line::from(vec![
            paint.span(if selected { "▸" } else { " " }, Role::Focus),
            paint.span(format!("{sign} "), point_role(paint, map, *point, number)),
            paint.span(pad(map.skills.get(*point).map_or("?", String::as_str), name_width), Role::Text),
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
    let lines: Vec<String> = figures.iter().flat_map(|f| wrap(f, usize::from(area.width))).collect();
    let foot = lines.len() as u16;
    let list = Rect { height: area.height.saturating_sub(foot + 1), ..area };
    if paint.state.map.colour == MapColour::Rank {
        let rows = ["0 the best tenth of the ranking", "4 the middle", "9 the worst tenth"];
        for (i, text) in rows.into_iter().enumerate() {
            put(buf, list, 0, i as u16, Line::from(paint.span(text, Role::Ramp(4 - 2 * i))));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_the_area_on_one_scale() {
        let area = Rect::new(0, 0, 21, 11);
        let cells = place(&[[0.0, 0.0], [1.0, 1.0], [f32::NAN, 0.0], [0.5, 0.5]], area, 1, 1);
        // 21 cells across are as long as 10.5 rows down: the square takes all of both.
        assert_eq!(cells[0], Some((0, 10, 0)));
        assert_eq!(cells[1], Some((20, 0, 0)));
        assert_eq!(cells[2], None);
        assert_eq!(cells[3], Some((10, 5, 0)));
        assert!(place(&[[1.0, 1.0]], Rect::ZERO, 2, 4)[0].is_none());
    }

    #[test]
    fn a_cell_takes_the_colour_of_most_of_its_points() {
        assert_eq!(majority(&[0, 1, 2], &[7, 3, 3]), 1);
    }
}
