//! A page of Markdown as lines of a given width.
//!
//! It supports as much of Markdown as the pages use: headings, paragraphs, lists (`-`, `1.`),
//! tables, fenced code, `**strong**`, `` `code` `` and links. Pictures and comments are left out.
//! Code keeps its marks and its line breaks.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a piece of text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Emphasised.
    Strong,
    /// Code: what is typed, a key, a name.
    Code,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text, without line breaks.
    pub text: String,
    /// How it is shown.
    pub face: Face,
}

type Faced = Vec<(char, Face)>;

/// Lays a page out in lines of at most `width` columns; only code may be wider.
pub fn lines(markdown: &str, width: usize) -> Vec<Vec<Piece>> {
    let mut page = Page { width: width.max(20), lines: Vec::new() };
    let mut source = markdown.lines().peekable();
    while let Some(line) = source.next() {
        let text = line.trim_start();
        if text.starts_with("```") {
            page.code(source.by_ref().take_while(|l| !l.trim_start().starts_with("```")));
        } else if text.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = source.next_if(|l| l.starts_with('|')) {
                rows.push(row);
            }
            page.table(&rows);
        } else if text.is_empty() {
            page.blank();
        } else if text.starts_with("![") || text.starts_with("<!--") {
            // It goes on until the next blank line.
            while source.next_if(|l| !l.trim().is_empty()).is_some() {}
        } else if let Some(heading) = text.strip_prefix('#') {
            page.paragraph("", "", heading.trim_start_matches('#').trim(), Face::Heading);
        } else {
            let (mark, first) = item(text);
            let indent = line.len() - text.len();
            let mut paragraph = first.to_owned();
            while let Some(more) = source.next_if(|l| goes_on(l)) {
                paragraph.push(' ');
                paragraph.push_str(more.trim());
            }
            let first = " ".repeat(indent) + mark;
            page.paragraph(&first, &" ".repeat(first.width()), &paragraph, Face::Plain);
        }
    }
    page.finish()
}

/// The mark of a list's item, and what follows it.
fn item(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if text.starts_with("- ") {
        text.split_at(2)
    } else if digits > 0 && text[digits..].starts_with(". ") {
        text.split_at(digits + 2)
    } else {
        ("", text)
    }
}

/// Whether a line belongs to the paragraph before it.
fn goes_on(line: &str) -> bool {
    let text = line.trim_start();
    let begins = ["```", "|", "#", "![", "<!--"].iter().any(|mark| text.starts_with(mark));
    !text.is_empty() && !begins && item(text).0.is_empty()
}

struct Page {
    width: usize,
    lines: Vec<Vec<Piece>>,
}

impl Page {
    fn blank(&mut self) {
        if self.lines.last().is_some_and(|last| !last.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    fn code<'a>(&mut self, code: impl Iterator<Item = &'a str>) {
        for line in code {
            self.lines.push(vec![Piece { text: format!("  {line}"), face: Face::Code }]);
        }
    }

    fn paragraph(&mut self, first: &str, more: &str, text: &str, face: Face) {
        let room = self.width.saturating_sub(first.width()).max(10);
        for (i, line) in wrap(&inline(text, face), room).into_iter().enumerate() {
            let mut pieces = runs(&line);
            let before = if i == 0 { first } else { more };
            if !before.is_empty() {
                pieces.insert(0, Piece { text: before.to_owned(), face: Face::Plain });
            }
            self.lines.push(pieces);
        }
    }

    /// Aligned columns, two blanks between them. Where they do not fit, the widest one is wrapped.
    fn table(&mut self, rows: &[&str]) {
        let is_rule = |row: &&str| row.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
        let headed = rows.get(1).is_some_and(is_rule);
        let cells: Vec<Vec<Faced>> = rows
            .iter()
            .filter(|row| !is_rule(row))
            .enumerate()
            .map(|(i, row)| cells(row).iter().map(|c| inline(c, if headed && i == 0 { Face::Strong } else { Face::Plain })).collect())
            .collect();
        let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
        let natural = |c: usize| cells.iter().filter_map(|row| row.get(c)).map(|cell| width(cell)).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns).map(natural).collect();
        let room = self.width.saturating_sub(2 * columns.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = widths.iter_mut().max().filter(|w| **w > 6) else { break };
            *widest -= 1;
        }
        for row in cells.iter().filter(|row| row.iter().any(|cell| !cell.is_empty())) {
            let wrapped: Vec<Vec<Faced>> = row.iter().zip(&widths).map(|(cell, w)| wrap(cell, *w)).collect();
            for line in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
                let mut whole: Faced = Vec::new();
                for (cell, w) in wrapped.iter().zip(&widths) {
                    let part: &[(char, Face)] = cell.get(line).map_or(&[], Vec::as_slice);
                    whole.extend(part);
                    whole.extend(std::iter::repeat_n((' ', Face::Plain), w.saturating_sub(width(part)) + 2));
                }
                while whole.last().is_some_and(|(c, _)| *c == ' ') {
                    whole.pop();
                }
                self.lines.push(runs(&whole));
            }
        }
    }

    fn finish(mut self) -> Vec<Vec<Piece>> {
        while self.lines.last().is_some_and(Vec::is_empty) {
            self.lines.pop();
        }
        self.lines
    }
}

/// The cells of a table's row; `\|` is a bar within one.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner.replace("\\|", "\u{0}").split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// Marks within a text: `**strong**`, code, links. A link to another page becomes its text; any
/// other link is followed by its target.
fn inline(text: &str, face: Face) -> Faced {
    let mut out = Vec::new();
    let mut rest = text;
    let mut now = face;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix('`').and_then(|r| r.split_once('`')) {
            out.extend(format!("`{}`", code.0).chars().map(|c| (c, if face == Face::Heading { face } else { Face::Code })));
            rest = code.1;
        } else if let Some(after) = rest.strip_prefix("**") {
            now = if now == Face::Strong { face } else { Face::Strong };
            rest = after;
        } else if let Some((label, target, after)) = link(rest) {
            out.extend(inline(label, now));
            let is_page = target.strip_suffix(".md").is_some_and(|name| !name.contains('/'));
            if !is_page {
                out.extend(format!(" ({})", target.trim_start_matches("../")).chars().map(|c| (c, now)));
            }
            rest = after;
        } else {
            out.push((c, now));
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// A link at the start of a text: its label, its target, the rest of the text.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = rest.split_once(')')?;
    (!label.contains(['[', ']'])).then_some((label, target, after))
}

fn width(text: &[(char, Face)]) -> usize {
    text.iter().map(|(c, _)| c.width().unwrap_or(0)).sum()
}

/// Lines of at most `room` columns, broken between words where they can be.
fn wrap(text: &[(char, Face)], room: usize) -> Vec<Faced> {
    let room = room.max(1);
    let mut lines: Vec<Faced> = vec![Vec::new()];
    // Columns of the last line.
    let mut used = 0;
    for word in text.split(|(c, _)| *c == ' ').filter(|word| !word.is_empty()) {
        if used > 0 && used + 1 + width(word) > room {
            lines.push(Vec::new());
            used = 0;
        }
        for (i, (c, face)) in word.iter().enumerate() {
            let Some(line) = lines.last_mut() else { break };
            if i == 0
                && let Some((_, before)) = line.last()
            {
                let blank = if before == face { *face } else { Face::Plain };
                line.push((' ', blank));
                used += 1;
            }
            let columns = c.width().unwrap_or(0);
            if used + columns > room && !line.is_empty() {
                lines.push(vec![(*c, *face)]);
                used = columns;
            } else {
                line.push((*c, *face));
                used += columns;
            }
        }
    }
    lines
}

/// Neighbouring characters of one face as one piece.
fn runs(line: &[(char, Face)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (c, face) in line {
        match pieces.last_mut().filter(|p| p.face == *face) {
            Some(piece) => piece.text.push(*c),
            None => pieces.push(Piece { text: c.to_string(), face: *face }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::TOPICS;

    fn text(markdown: &str, width: usize) -> Vec<String> {
        lines(markdown, width).iter().map(|line| line.iter().map(|p| p.text.as_str()).collect()).collect()
    }

    #[test]
    fn paragraphs_and_lists_wrap_with_their_indent() {
        let page = "# A title\n\n\nOne two three four\nfive six.\n\n- an item that is long\n- another\n\n12. twelve is a number\n";
        assert_eq!(
            text(page, 20),
            [
                "A title",
                "",
                "One two three four",
                "five six.",
                "",
                "- an item that is",
                "  long",
                "- another",
                "",
                "12. twelve is a",
                "    number"
            ]
        );
    }

    #[test]
    fn code_keeps_its_lines_and_marks() {
        assert_eq!(text("a\n\n```sh\nrun  this | that\n```\nb `c  d`", 20), ["a", "", "  run  this | that", "b `c d`"]);
        let marked = lines("Say **this `x`** and [that](lab.md).", 60).remove(0);
        let faces: Vec<(&str, Face)> = marked.iter().map(|p| (p.text.as_str(), p.face)).collect();
        assert_eq!(
            faces,
            [("Say ", Face::Plain), ("this", Face::Strong), (" ", Face::Plain), ("`x`", Face::Code), (" and that.", Face::Plain)]
        );
        assert_eq!(text("[figures](../results/gpu.md)", 60), ["figures (results/gpu.md)"]);
    }

    #[test]
    fn tables_are_columns_and_their_widest_one_wraps() {
        let table = "| a | what it is |\n|---|---|\n| `x\\|y` | one two three four |\n";
        assert_eq!(text(table, 40), ["a      what it is", "`x|y`  one two three four"]);
        assert_eq!(text(table, 20), ["a      what it is", "`x|y`  one two three", "       four"]);
    }

    #[test]
    fn pictures_and_comments_are_left_out() {
        assert_eq!(text("a\n\n![a picture\nof it](x.svg)\n\n<!-- generated -->\n\nb", 20), ["a", "", "b"]);
    }

    /// At 80 columns the lab shows 74, the terminal 80. Nothing of a page is wider, not even its
    /// code.
    #[test]
    fn every_page_fits_the_smallest_common_terminal() {
        for page in TOPICS {
            for line in text(page.text, 74) {
                assert!(line.width() <= 74, "{}: {line}", page.name);
            }
        }
    }
}
