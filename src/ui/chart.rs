//! Line charts in cells: curves in the look's glyphs with axes, a letter at every point, and a
//! legend with values.

use super::glyphs;
use super::paint::{Paint, fit, pad, put, signed};
use super::theme::Role;
use crate::app::GlyphSet;
use crate::app::experiments::Curve;
use crate::app::map::letter;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// The chart to draw.
#[derive(Clone, Copy)]
pub struct Chart<'a> {
    /// The names of the axes.
    pub axes: &'a [String; 2],
    /// The curves.
    pub curves: &'a [Curve],
    /// The curve drawn above the others.
    pub front: usize,
    /// The position along the axis at which the legend's values are read.
    pub at: Option<f64>,
}

/// A range with even steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    /// Round steps (1, 2 or 5 times a power of ten), about `count` of them, over the finite values;
    /// `None` if there are none. `whole` widens the range to whole steps.
    pub fn of(values: impl Iterator<Item = f64>, count: usize, whole: bool) -> Option<Self> {
        let (low, high) = values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return None;
        }
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let rough = (high - low) / count.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * power);
        if whole {
            Some(Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step })
        } else {
            Some(Self { low, high, step })
        }
    }

    /// The position of a value within the range, 0 to 1.
    pub fn share(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The steps within the range, each with its text.
    pub fn ticks(self) -> Vec<(f64, String)> {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let first = (self.low / self.step - 1e-6).ceil() as i64;
        let last = (self.high / self.step + 1e-6).floor() as i64;
        (first..=last).map(|i| i as f64 * self.step).map(|v| (v, signed(v, digits))).collect()
    }
}

impl Chart<'_> {
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.curves.iter().flat_map(|(_, p)| p.iter().copied()).filter(finite)
    }

    /// Draws axes and curves.
    pub fn draw(&self, paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
        let rows = usize::from(area.height.saturating_sub(3));
        let scales = (
            Scale::of(self.points().map(|p| p.0), (usize::from(area.width) / 12).min(8), false),
            Scale::of(self.points().map(|p| p.1), (rows / 3).min(10), true),
        );
        let (Some(across), Some(up)) = scales else {
            return paint.centred(buf, area, &[("No point yet.".into(), Role::Dim)]);
        };
        let margin = up.ticks().iter().map(|(_, t)| t.chars().count()).max().unwrap_or(0) as u16 + 2;
        if area.width <= margin + 4 || rows < 2 {
            return;
        }
        let names = format!("↑ {}  → {}", self.axes[1], self.axes[0]);
        put(buf, area, 0, 0, Line::from(paint.span(fit(&names, usize::from(area.width)), Role::Dim)));
        let plot = Rect::new(area.x + margin, area.y + 1, area.width - margin, rows as u16);
        self.axes_of(paint, area, plot, buf, across, up);
        let raster = Raster::of(self, paint.set, plot, across, up);
        raster.draw(paint, plot, buf, self.front);
        self.letters(paint, plot, buf, across, up);
    }

    fn axes_of(&self, paint: &Paint<'_>, area: Rect, plot: Rect, buf: &mut Buffer, across: Scale, up: Scale) {
        let margin = usize::from(plot.x - area.x);
        let bottom = plot.height + 1;
        for row in 0..plot.height {
            put(buf, area, margin as u16 - 1, 1 + row, Line::from(paint.span("│", Role::Border)));
        }
        for (value, text) in up.ticks() {
            let row = 1 + ((1.0 - up.share(value)) * f64::from(plot.height - 1)).round() as u16;
            let label = format!("{text:>width$}┤", width = margin - 1);
            put(buf, area, 0, row, Line::from(paint.span(label, Role::Dim)));
        }
        let rule = format!("╰{}", "─".repeat(usize::from(plot.width)));
        put(buf, area, margin as u16 - 1, bottom, Line::from(paint.span(rule, Role::Border)));
        let column = |x: f64| (across.share(x) * f64::from(plot.width - 1)).round() as u16;
        let mut free = 0;
        for (value, text) in across.ticks() {
            let x = column(value);
            put(buf, area, margin as u16 + x, bottom, Line::from(paint.span("┬", Role::Border)));
            let start = (margin as u16 + x).saturating_sub(text.chars().count() as u16 / 2);
            if start >= free && start + text.chars().count() as u16 <= area.width {
                free = start + text.chars().count() as u16 + 1;
                put(buf, area, start, bottom + 1, Line::from(paint.span(text, Role::Dim)));
            }
        }
        if let Some(at) = self.at {
            for row in 0..plot.height {
                put(buf, plot, column(at), row, Line::from(paint.span("│", Role::Border)));
            }
            put(buf, area, margin as u16 + column(at), bottom, Line::from(paint.span("▲", Role::Focus)));
        }
    }

    fn order(&self) -> impl Iterator<Item = usize> {
        let front = self.front;
        (0..self.curves.len()).filter(move |c| *c != front).chain((front < self.curves.len()).then_some(front))
    }

    /// A letter at every point, the front curve's last.
    fn letters(&self, paint: &Paint<'_>, plot: Rect, buf: &mut Buffer, across: Scale, up: Scale) {
        for c in self.order() {
            for (x, y) in self.curves[c].1.iter().copied().filter(finite) {
                let column = (across.share(x) * f64::from(plot.width - 1)).round() as u16;
                let row = ((1.0 - up.share(y)) * f64::from(plot.height - 1)).round() as u16;
                let mut style = paint.style(Role::Category(c));
                if c == self.front {
                    style = style.add_modifier(Modifier::BOLD | Modifier::REVERSED);
                }
                put(buf, plot, column, row, Line::from(Span::styled(letter(c).to_string(), style)));
            }
        }
    }

    /// The legend: letter, label, and the value at the chosen position (or at each curve's last
    /// point), in as many columns as fit.
    pub fn legend(&self, paint: &Paint<'_>, area: Rect, buf: &mut Buffer, focused: bool) {
        let columns = (usize::from(area.width) / 26).max(1).min(self.curves.len().max(1));
        let rows = self.curves.len().div_ceil(columns).max(1);
        let width = usize::from(area.width) / columns;
        let height = usize::from(area.height);
        let first = super::paint::scroll(self.front % rows, rows, height);
        for (c, (label, points)) in self.curves.iter().enumerate() {
            let (column, row) = (c / rows, c % rows);
            if row < first || row >= first + height {
                continue;
            }
            let value = match self.at {
                Some(at) => points.iter().find(|p| p.0 == at).map(|p| p.1),
                None => points.iter().rev().copied().find(finite).map(|p| p.1),
            };
            let value = value.map_or_else(|| "–".into(), |v| signed(v, 3));
            let room = width.saturating_sub(value.chars().count() + 5);
            let front = c == self.front;
            let line = Line::from(vec![
                paint.span(if front { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
                paint.span(format!("{} ", letter(c)), Role::Category(c)),
                paint.span(pad(label, room), if front { Role::Strong } else { Role::Dim }),
                paint.span(format!(" {value}"), Role::Text),
            ]);
            put(buf, area, (column * width) as u16, (row - first) as u16, line);
        }
    }
}

fn finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// The dots of all curves, and for each cell the curve that drew its last dot.
struct Raster {
    width: usize,
    cells: Vec<(u8, usize)>,
}

impl Raster {
    fn of(chart: &Chart<'_>, set: GlyphSet, plot: Rect, across: Scale, up: Scale) -> Self {
        let (dx, dy) = glyphs::resolution(set);
        let (width, height) = (usize::from(plot.width), usize::from(plot.height));
        let mut raster = Self { width, cells: vec![(0, 0); width * height] };
        let dot = |(x, y): (f64, f64)| {
            // The curves pass through the centres of the cells that hold the letters.
            let x = across.share(x) * (width - 1) as f64 * dx as f64 + (dx - 1) as f64 / 2.0;
            let y = (1.0 - up.share(y)) * (height - 1) as f64 * dy as f64 + (dy - 1) as f64 / 2.0;
            (x, y)
        };
        for c in chart.order() {
            let points: Vec<(f64, f64)> = chart.curves[c].1.iter().copied().filter(finite).map(dot).collect();
            for pair in points.windows(2) {
                let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
                let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
                for s in 0..=steps as usize {
                    let t = s as f64 / steps;
                    let (x, y) = ((x0 + (x1 - x0) * t).round() as usize, (y0 + (y1 - y0) * t).round() as usize);
                    if let Some(cell) = raster.cells.get_mut(y / dy * width + (x / dx).min(width - 1)) {
                        *cell = (cell.0 | 1 << (y % dy * dx + x % dx), c);
                    }
                }
            }
        }
        raster
    }

    fn draw(&self, paint: &Paint<'_>, plot: Rect, buf: &mut Buffer, front: usize) {
        for (i, (bits, curve)) in self.cells.iter().enumerate().filter(|(_, c)| c.0 != 0) {
            let glyph = match paint.set {
                GlyphSet::Dot | GlyphSet::Ascii => '·',
                set => glyphs::points(set, *bits),
            };
            let mut style = paint.style(Role::Category(*curve));
            if *curve == front {
                style = style.add_modifier(Modifier::BOLD);
            }
            put(buf, plot, (i % self.width) as u16, (i / self.width) as u16, Line::from(Span::styled(glyph.to_string(), style)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_hold_all_values() {
        let scale = Scale::of([0.013, 0.976, f64::NAN].into_iter(), 5, true).unwrap();
        assert_eq!((scale.low, scale.step), (0.0, 0.2));
        let ticks: Vec<String> = scale.ticks().into_iter().map(|t| t.1).collect();
        assert_eq!(ticks, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let exact = Scale::of([0.0, 11.0].into_iter(), 4, false).unwrap();
        assert_eq!(exact.ticks().into_iter().map(|t| t.1).collect::<Vec<_>>(), ["0", "5", "10"]);
        assert_eq!((exact.share(0.0), exact.share(11.0), exact.share(99.0)), (0.0, 1.0, 1.0));
        assert!(Scale::of([f64::NAN].into_iter(), 4, true).is_none());
        let flat = Scale::of([2.0].into_iter(), 4, true).unwrap();
        assert!(flat.low < 2.0 && flat.high > 2.0);
        let tiny = Scale::of([-1.2e-4, 3.1e-4].into_iter(), 4, true).unwrap();
        assert!(tiny.ticks().iter().any(|t| t.1 == "−0.0002"), "{tiny:?} {:?}", tiny.ticks());
    }
}
