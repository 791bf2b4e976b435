//! How a typed query is parsed under a template. The user may type any spacing around the pieces
//! of the template.

use super::{Pair, Template};

/// A segment of a query: an example, or other text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The text that the model reads: an example in the template's form, or the user's own words.
    pub text: String,
    /// The example's pair; `None` if the text is not an example.
    pub pair: Option<Pair>,
}

/// A query, parsed under a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedQuery {
    /// Everything before the tail, example by example.
    pub segments: Vec<Segment>,
    /// The last example up to where its answer begins, or the user's unfinished last line. Empty if
    /// the query ends with a complete line.
    pub tail: String,
    /// The last example with the answer typed so far and the template's end, if any of the answer
    /// was typed.
    pub closed_tail: Option<Segment>,
}

impl ParsedQuery {
    /// The text that a ranking reads if there is an example: everything except an unfinished line
    /// that has no answer yet.
    pub fn read(&self) -> String {
        self.pieces().map(|s| s.text.as_str()).collect()
    }

    /// All segments, and the last example with the template's end if its answer was begun.
    pub fn pieces(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().chain(&self.closed_tail)
    }

    /// The complete examples; the last one may lack its end.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pieces().filter_map(|s| s.pair.as_ref())
    }

    /// The number of complete examples.
    pub fn shots(&self) -> usize {
        self.pairs().count()
    }
}

/// Parses a query: complete examples, and perhaps a last one without its answer or its end.
///
/// An input may have several lines and contain the marker (`->`). It is the text between the end of
/// the previous example and the last marker before its own end. An output has one line and no
/// marker.
pub fn parse_query(text: &str, template: &Template) -> ParsedQuery {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let [prefix, _, end] = template.pieces();
    let stop = if end.trim().is_empty() { "\n" } else { end.trim() };
    let mut parsed = ParsedQuery::default();
    let mut rest = text.as_str();
    while let Some(first) = template.markers(rest).next() {
        let until = rest[first.end..].find(stop).map(|at| first.end + at);
        let written = &rest[..until.unwrap_or(rest.len())];
        let marker = template.markers(written).last().unwrap_or(first);
        let input = take_input(&written[..marker.start], prefix.trim(), &mut parsed.segments);
        let output = written[marker.end..].trim();
        let pair = Pair { input: input.into(), output: output.into() };
        let example = || template.segment(pair.clone());
        match until.map(|at| &rest[at + stop.len()..]) {
            // A line without an answer that is not the last one becomes a segment without a pair.
            Some(next) if output.is_empty() && !next.trim().is_empty() => {
                parsed.segments.push(Segment { text: format!("{}{end}", template.tail(input)), pair: None });
                rest = next;
            }
            Some(next) if !output.is_empty() => {
                parsed.segments.push(example());
                rest = next;
            }
            _ => {
                parsed.tail = template.tail(input);
                parsed.closed_tail = (!output.is_empty()).then(example);
                rest = "";
            }
        }
    }
    let left = rest.trim_matches(['\n', ' ', '\t']);
    if left.is_empty() {
        return parsed;
    }
    let ended = rest.ends_with('\n');
    if parsed.segments.iter().any(|s| s.pair.is_some()) && !ended {
        let input = take_input(left, prefix.trim(), &mut parsed.segments);
        parsed.tail = template.tail(input);
        return parsed;
    }
    let mut lines: Vec<&str> = left.lines().map(str::trim_end).collect();
    if !ended {
        parsed.tail = lines.pop().unwrap_or_default().trim().to_string();
    }
    parsed.segments.extend(lines.into_iter().map(own_words));
    parsed
}

/// A segment for a line that is not an example.
fn own_words(line: &str) -> Segment {
    Segment { text: format!("{line}\n"), pair: None }
}

/// The input of an example: the text between the prefix and the marker. Lines before the prefix are
/// added as segments without a pair.
fn take_input<'a>(before: &'a str, prefix: &str, segments: &mut Vec<Segment>) -> &'a str {
    let before = before.trim();
    if prefix.is_empty() {
        return before;
    }
    if let Some(input) = before.strip_prefix(prefix) {
        return input.trim();
    }
    let line = before.match_indices(prefix).filter(|(at, _)| before[..*at].ends_with('\n')).last();
    let Some((at, _)) = line.or_else(|| before.rmatch_indices(prefix).next()) else { return before };
    segments.extend(before[..at].lines().filter(|l| !l.trim().is_empty()).map(|l| own_words(l.trim_end())));
    before[at + prefix.len()..].trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> ParsedQuery {
        parse_query(text, &Template::Arrow)
    }

    /// The texts of the segments, the tail, and the text of the closed tail.
    fn told(q: &ParsedQuery) -> (Vec<&str>, &str, Option<&str>) {
        (q.segments.iter().map(|s| s.text.as_str()).collect(), &q.tail, q.closed_tail.as_ref().map(|s| s.text.as_str()))
    }

    fn pair(input: &str, output: &str) -> Pair {
        Pair { input: input.into(), output: output.into() }
    }

    #[test]
    fn arrow_queries_are_brought_into_the_template_form() {
        let q = parse("hot->cold\nbig -> ");
        assert_eq!(told(&q), (vec!["hot -> cold\n"], "big ->", None));
        assert_eq!(q.shots(), 1);
        let q = parse("hot -> cold\r\nbig  ->  small");
        assert_eq!(told(&q), (vec!["hot -> cold\n"], "big ->", Some("big -> small\n")));
        assert_eq!(q.pairs().cloned().collect::<Vec<_>>(), [pair("hot", "cold"), pair("big", "small")]);
        assert_eq!(parse("hot -> cold\nbig").tail, "big ->");
        assert_eq!(told(&parse("hot -> cold\nbig -> small\n")), (vec!["hot -> cold\n", "big -> small\n"], "", None));
        assert_eq!(parse("big").tail, "big");
        assert_eq!(parse(""), ParsedQuery::default());
        assert_eq!(parse("  \n "), ParsedQuery::default());
        let q = parse("a ->\nb -> c\n");
        assert_eq!((told(&q).0, q.shots()), (vec!["a ->\n", "b -> c\n"], 1));
        assert_eq!(told(&parse("hot -> cold\nbig ->\n")), (vec!["hot -> cold\n"], "big ->", None));
        // Words without a marker are the user's own until there is an example.
        assert_eq!(told(&parse("some words\nmore")), (vec!["some words\n"], "more", None));
        assert_eq!(told(&parse("hot -> cold\nbig\n")), (vec!["hot -> cold\n", "big\n"], "", None));
    }

    #[test]
    fn an_input_is_all_before_the_last_marker() {
        let q = parse("one -> two -> three\nseven -> eight ->");
        assert_eq!(q.pairs().cloned().collect::<Vec<_>>(), [pair("one -> two", "three")]);
        assert_eq!(told(&q), (vec!["one -> two -> three\n"], "seven -> eight ->", None));
        let q = parse("one -> two -> three\nseven -> eight -> nine");
        assert_eq!(q.closed_tail.and_then(|s| s.pair), Some(pair("seven -> eight", "nine")));
    }

    #[test]
    fn an_input_may_have_several_lines() {
        let q = parse("Which letter begins bread?\na: r\nb: b -> b\n\nWhich begins fish?\nb: f -> f\nWhich begins milk?\na: i ->");
        let bread = pair("Which letter begins bread?\na: r\nb: b", "b");
        assert_eq!(q.pairs().cloned().collect::<Vec<_>>(), [bread.clone(), pair("Which begins fish?\nb: f", "f")]);
        assert_eq!(q.tail, "Which begins milk?\na: i ->");
        assert_eq!(q.segments[0].text, Template::Arrow.example(&bread));
        assert_eq!(parse("hot -> cold\nWhich begins milk?\na: i").tail, "Which begins milk?\na: i ->");
        let qa = parse_query("Q: Which begins bread?\na: r\nA: b\n\nQ: Which DNA: A or B?\na: i\nA:", &Template::Qa);
        assert_eq!(qa.pairs().cloned().collect::<Vec<_>>(), [pair("Which begins bread?\na: r", "b")]);
        assert_eq!(qa.tail, "Q: Which DNA: A or B?\na: i\nA:");
    }

    #[test]
    fn question_and_answer_queries_may_be_partly_typed() {
        let qa = |text: &str| parse_query(text, &Template::Qa);
        let q = qa("Q: hot\nA: cold\n\nQ: big\nA:");
        assert_eq!(told(&q), (vec!["Q: hot\nA: cold\n\n"], "Q: big\nA:", None));
        assert_eq!(qa("Q: hot\nA: cold\n\nQ: big").tail, "Q: big\nA:");
        assert_eq!(told(&qa("Q: hot\nA: cold")).2, Some("Q: hot\nA: cold\n\n"));
        assert_eq!(told(&qa("some words\nQ: hot\nA: cold\n\n")).0, ["some words\n", "Q: hot\nA: cold\n\n"]);
    }

    proptest! {
        #[test]
        fn any_text_parses_and_examples_round_trip(text in "\\PC*|[a-z>\\- \nQA:]*", inputs in proptest::collection::vec("[a-z]{1,8}", 1..5)) {
            for template in [Template::Arrow, Template::Qa, Template::Custom { prefix: String::new(), middle: " => ".into(), end: " ;\n".into() }] {
                parse_query(&text, &template);
                let pairs: Vec<Pair> = inputs.iter().map(|i| Pair { input: i.clone(), output: format!("o{i}") }).collect();
                let examples: Vec<String> = pairs.iter().map(|p| template.example(p)).collect();
                let parsed = parse_query(&(examples.concat() + &template.tail("x")), &template);
                prop_assert_eq!(parsed.segments.iter().map(|s| s.text.clone()).collect::<Vec<_>>(), examples);
                prop_assert_eq!(parsed.pairs().cloned().collect::<Vec<_>>(), pairs);
                prop_assert_eq!(parsed.tail, template.tail("x"));
            }
        }
    }
}
