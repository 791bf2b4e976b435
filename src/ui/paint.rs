//! Drawing tools for panes: the theme of the state's look, clipped text, panels, bars and fields.

use super::glyphs;
use super::hit::Hits;
use super::layout::Size;
use super::theme::{Role, Theme};
use crate::app::line::Line as Input;
use crate::app::screen::Target;
use crate::app::{GlyphSet, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The state, its look, and the size of the layout.
#[derive(Clone, Copy)]
pub struct Paint<'a> {
    /// The state to draw.
    pub state: &'a State,
    /// Colours.
    pub theme: Theme<'a>,
    /// Glyphs.
    pub set: GlyphSet,
    /// The layout.
    pub size: Size,
    /// The targets of clicks.
    pub hits: &'a Hits,
}

impl<'a> Paint<'a> {
    /// A span in a role.
    pub fn span<'s>(&self, text: impl Into<std::borrow::Cow<'s, str>>, role: Role) -> Span<'s> {
        Span::styled(text, self.theme.style(role))
    }

    /// A role's style.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Notes `target` as the target of clicks into `area`; targets noted later lie above.
    pub fn hit(&self, area: Rect, target: Target) {
        self.hits.add(area, target);
    }

    /// Notes the target of one row of an area.
    pub fn hit_row(&self, area: Rect, row: u16, target: Target) {
        self.hits.add(Rect::new(area.x, area.y + row, area.width, 1).intersection(area), target);
    }

    /// A bar with its track.
    pub fn bar(&self, share: f64, width: u16, role: Role) -> Vec<Span<'static>> {
        let filled = glyphs::bar(self.set, share, width);
        let rest = width.saturating_sub(filled.chars().count() as u16);
        vec![self.span(filled, role), self.span(glyphs::track(self.set, rest), Role::Track)]
    }

    /// Draws a panel (in large layouts a box, in small ones a rule above) and returns the area
    /// inside. Focus lights the title's rule and the sides. The rule below does not change, because
    /// a change of focus would send it twice over a slow line.
    pub fn panel(&self, buf: &mut Buffer, area: Rect, title: &str, right: Vec<Span<'a>>, focused: bool) -> Rect {
        if area.width < 2 || area.height == 0 {
            return Rect::ZERO;
        }
        let line = self.style(if focused { Role::Focus } else { Role::Border });
        let boxed = self.size.boxed();
        let rule = "─".repeat(usize::from(area.width));
        put(buf, area, 0, 0, Line::styled(rule.clone(), line));
        if boxed {
            let (right_edge, bottom) = (area.width - 1, area.height - 1);
            let below = self.style(Role::Border);
            put(buf, area, 0, bottom, Line::styled(rule, below));
            for row in 1..bottom {
                put(buf, area, 0, row, Line::styled("│", line));
                put(buf, area, right_edge, row, Line::styled("│", line));
            }
            let corners = [(0, 0, "╭", line), (right_edge, 0, "╮", line), (0, bottom, "╰", below), (right_edge, bottom, "╯", below)];
            for (col, row, corner, style) in corners {
                put(buf, area, col, row, Line::styled(corner, style));
            }
        }
        let mark = if focused { " ▸ " } else { " " };
        let title_style = self.style(if focused { Role::Focus } else { Role::Title });
        let title = Line::from(vec![Span::styled(mark, line), Span::styled(title.to_owned(), title_style), Span::raw(" ")]);
        let start = u16::from(boxed);
        let used = start + title.width() as u16;
        put(buf, area, start, 0, title);
        if !right.is_empty() {
            let end = area.width.saturating_sub(if boxed { 2 } else { 1 });
            let room = usize::from(end.saturating_sub(used + 3));
            let mut spans = vec![Span::raw(" ")];
            let full: usize = right.iter().map(Span::width).sum();
            if full <= room {
                spans.extend(right);
            } else if room >= 6 {
                let text: String = right.iter().map(|s| s.content.as_ref()).collect();
                spans.push(self.span(fit(&text, room), Role::Dim));
            }
            if spans.len() > 1 {
                spans.push(Span::raw(" "));
                let right = Line::from(spans);
                put(buf, area, end.saturating_sub(right.width() as u16) + 1, 0, right);
            }
        }
        if boxed {
            Rect::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height.saturating_sub(2))
        } else {
            Rect::new(area.x, area.y + 1, area.width, area.height - 1)
        }
    }

    /// A one-line input, with its cursor if it is in focus.
    pub fn field(&self, buf: &mut Buffer, area: Rect, col: u16, row: u16, input: &Input, focused: bool) {
        if area.height <= row || area.width <= col {
            return;
        }
        let room = usize::from(area.width - col);
        let (before, after) = input.split();
        if !focused {
            return put(buf, area, col, row, Line::from(fit(input.text(), room)));
        }
        // Show the end of the text before the cursor, and reserve a cell for the cursor.
        let mut start = before.len();
        let mut width = 1;
        for (i, c) in before.char_indices().rev() {
            width += c.width().unwrap_or(0);
            if width > room {
                break;
            }
            start = i;
        }
        let mut rest = after.chars();
        let under = rest.next().map_or_else(|| " ".to_owned(), |c| c.to_string());
        let line = Line::from(vec![Span::raw(&before[start..]), self.span(under, Role::Cursor), Span::raw(rest.as_str())]);
        self.hits.edited_at(area.x + col + (before[start..].width() as u16).min(area.width - col - 1), area.y + row);
        put(buf, area, col, row, line);
    }

    /// Text in the middle of an area, one line per entry.
    pub fn centred(&self, buf: &mut Buffer, area: Rect, lines: &[(String, Role)]) {
        let wrapped: Vec<(String, Role)> =
            lines.iter().flat_map(|(text, role)| wrap(text, usize::from(area.width)).into_iter().map(move |l| (l, *role))).collect();
        let top = area.height.saturating_sub(wrapped.len() as u16) / 2;
        for (i, (text, role)) in wrapped.into_iter().enumerate() {
            let col = area.width.saturating_sub(text.width() as u16) / 2;
            put(buf, area, col, top + i as u16, Line::from(self.span(text, role)));
        }
    }

    /// Applies the selection's style to a row.
    pub fn select(&self, buf: &mut Buffer, area: Rect, row: u16, focused: bool) {
        if row < area.height && focused {
            let rect = Rect::new(area.x, area.y + row, area.width, 1).intersection(buf.area);
            buf.set_style(rect, self.style(Role::Selected));
        }
    }
}

/// Draws a line inside `area`, at a column and row counted from its corner, clipped to it.
pub fn put(buf: &mut Buffer, area: Rect, col: u16, row: u16, line: Line<'_>) {
    let area = area.intersection(buf.area);
    if row < area.height && col < area.width {
        // Clear the cells first: styles without a colour of their own would keep the old one.
        let under = Rect::new(area.x + col, area.y + row, (line.width() as u16).min(area.width - col), 1);
        buf.set_style(under, Style::reset());
        buf.set_line(area.x + col, area.y + row, &line, area.width - col);
    }
}

/// Draws a line that ends at the right edge of `area`.
pub fn put_right(buf: &mut Buffer, area: Rect, row: u16, line: Line<'_>) {
    let width = (line.width() as u16).min(area.width);
    put(buf, area, area.width - width, row, line);
}

/// A text cut to `width` cells, with an ellipsis if it was cut. Control characters become visible.
pub fn fit(text: &str, width: usize) -> String {
    let text = visible(text);
    if text.width() <= width {
        return text;
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        cut.push(c);
        used += w;
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// A text padded with blanks, or cut, to exactly `width` cells.
pub fn pad(text: &str, width: usize) -> String {
    let mut text = fit(text, width);
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
    text
}

/// Line breaks and other control characters as signs.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\n' {
                '⏎'
            } else if c == '\t' {
                '→'
            } else if c.is_control() {
                '·'
            } else {
                c
            }
        })
        .collect()
}

/// A token as lists show it: a leading blank is made visible.
pub fn token(text: &str) -> String {
    let text = visible(text);
    match text.strip_prefix(' ') {
        Some(rest) => format!("␣{rest}"),
        None => text,
    }
}

/// Breaks a text into lines of at most `width` cells, between words where possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    if width == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if line.width() + word.trim_end().width() > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > width && c != ' ' {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    let last = line.trim_end();
    if !last.is_empty() {
        lines.push(last.to_owned());
    }
    lines
}

/// A number with a true minus sign.
pub fn signed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{:.digits$}", value.abs());
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !zero { format!("−{text}") } else { text }
}

/// A count with a unit prefix: 7.4 M, 2.8 B.
pub fn short_count(n: u64) -> String {
    let x = n as f64;
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{:.0} k", x / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", x / 1e6),
        _ => format!("{:.1} B", x / 1e9),
    }
}

/// Bytes in words.
pub fn bytes(n: u64) -> String {
    let x = n as f64;
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.0} kB", x / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", x / 1e6),
        _ => format!("{:.1} GB", x / 1e9),
    }
}

/// Seconds as `0:15`, `1:02:03`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    if s >= 3600 { format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) } else { format!("{}:{:02}", s / 60, s % 60) }
}

/// The first visible row of a list of `len` rows, so that `selected` is visible within `height`
/// rows, in the middle if possible.
pub fn scroll(selected: usize, len: usize, height: usize) -> usize {
    selected.saturating_sub(height / 2).min(len.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_cells() {
        assert_eq!(fit("antonym", 7), "antonym");
        assert_eq!(fit("antonyms", 7), "antony…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(pad("日本", 5), "日本 ");
        assert_eq!(fit("a\nb", 9), "a⏎b");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert!(wrap("x", 0).is_empty());
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(signed(-0.004, 2), "0.00");
        assert_eq!(signed(-1.5, 2), "−1.50");
        assert_eq!(duration(75.0), "1:15");
        assert_eq!(short_count(7_350_000), "7.3 M");
        assert_eq!(scroll(50, 100, 10), 45);
        assert_eq!(scroll(99, 100, 10), 90);
        assert_eq!(scroll(3, 5, 10), 0);
    }
}
