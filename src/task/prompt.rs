//! How an example becomes text, and what a typed query means.
//!
//! A template is three pieces of text around input and output: `prefix input middle output end`. Whatever spacing the user types around the
//! pieces, the model always reads the template's own, because that is what the skills were made from; and a tail ends right before the
//! space that belongs to the answer's first token.

use super::{Pair, Task};
use crate::error::{Error, Result};
use std::fmt;

/// How an example becomes text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Template {
    /// `x -> y⏎`
    Arrow,
    /// `Q: x⏎A: y⏎⏎`, the form of the function-vectors experiments.
    Qa,
    /// The user's own text with `{input}` and `{output}`.
    Custom {
        /// Before the input.
        prefix: String,
        /// Between input and output.
        middle: String,
        /// After the output; an answer ends here.
        end: String,
    },
}

impl Template {
    fn pieces(&self) -> [&str; 3] {
        match self {
            Self::Arrow => ["", " -> ", "\n"],
            Self::Qa => ["Q: ", "\nA: ", "\n\n"],
            Self::Custom { prefix, middle, end } => [prefix, middle, end],
        }
    }

    /// A whole example.
    pub fn example(&self, pair: &Pair) -> String {
        let [prefix, middle, end] = self.pieces();
        format!("{prefix}{}{middle}{}{end}", pair.input, pair.output)
    }

    /// The pair of an example in the template's form; `None` for any other text.
    pub fn pair(&self, example: &str) -> Option<Pair> {
        let [prefix, middle, end] = self.pieces();
        let (input, output) = example.strip_prefix(prefix)?.strip_suffix(end)?.split_once(middle)?;
        Some(Pair { input: input.into(), output: output.into() })
    }

    /// An example up to where its answer begins.
    pub fn tail(&self, input: &str) -> String {
        let [prefix, middle, _] = self.pieces();
        format!("{prefix}{input}{}", middle.trim_end())
    }

    /// What completes a tail: the answer with the space before it and its end.
    pub fn answer(&self, output: &str) -> String {
        let [_, middle, end] = self.pieces();
        format!("{}{output}{end}", &middle[middle.trim_end().len()..])
    }

    /// The text an answer ends at.
    pub fn answer_end(&self) -> &str {
        let end = self.pieces()[2];
        // A model may write one line break where the template has two.
        if end.trim().is_empty() { "\n" } else { end.trim_end() }
    }

    /// All examples of a set, in order.
    pub fn segments(&self, task: &Task, indices: &[usize]) -> Vec<String> {
        indices.iter().map(|&i| self.example(&task.pairs[i])).collect()
    }
}

impl std::str::FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "arrow" => return Ok(Self::Arrow),
            "qa" => return Ok(Self::Qa),
            _ => {}
        }
        let wrong = |why: &str| {
            Error::Input(format!("the template `{text}` {why}; it can be `arrow`, `qa`, or a text such as `{{input}} = {{output}}\\n`"))
        };
        let plain = text.replace("\\n", "\n");
        let (prefix, rest) = plain.split_once("{input}").ok_or_else(|| wrong("has no {input}"))?;
        let (middle, end) = rest.split_once("{output}").ok_or_else(|| wrong("has no {output} after {input}"))?;
        if middle.trim().is_empty() {
            return Err(wrong("has nothing between {input} and {output}"));
        }
        if [prefix, middle, end].iter().any(|t| t.contains("{input}") || t.contains("{output}")) {
            return Err(wrong("has {input} or {output} twice"));
        }
        let end = if end.is_empty() { "\n" } else { end };
        Ok(Self::Custom { prefix: prefix.into(), middle: middle.into(), end: end.into() })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrow => f.write_str("arrow"),
            Self::Qa => f.write_str("qa"),
            Self::Custom { prefix, middle, end } => f.write_str(&format!("{prefix}{{input}}{middle}{{output}}{end}").replace('\n', "\\n")),
        }
    }
}

/// What a query means under a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedQuery {
    /// What comes before the last line, example by example, in the template's form. A line that is no example stays as it is.
    pub segments: Vec<String>,
    /// Complete examples among the segments.
    pub shots: usize,
    /// The last example up to where its answer begins; empty if the query ends with a complete line.
    pub tail: String,
    /// The last example with the answer typed so far and its end, if there is an answer.
    pub closed_tail: Option<String>,
}

impl ParsedQuery {
    /// The text that a ranking reads where there is an example: all but an unfinished line that has no answer yet.
    pub fn read(&self) -> String {
        self.segments.iter().chain(&self.closed_tail).map(String::as_str).collect()
    }
}

/// Reads a query: complete examples, and perhaps one that still lacks its answer or its end.
pub fn parse_query(text: &str, template: &Template) -> ParsedQuery {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let [prefix, middle, end] = template.pieces();
    let (prefix, marker, end) = (prefix.trim(), middle.trim(), end.trim());
    let mut parsed = ParsedQuery::default();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(marker) {
        let (before, after) = (&rest[..at], &rest[at + marker.len()..]);
        let input = take_input(before, prefix, middle, &mut parsed.segments);
        let stop = if end.is_empty() { "\n" } else { end };
        let (output, next) = match after.split_once(stop) {
            Some((output, next)) => (output.trim(), Some(next)),
            None => (after.trim(), None),
        };
        let pair = Pair { input: input.into(), output: output.into() };
        match next {
            // A line with no answer that is not the last one is passed on as it is.
            Some(next) if output.is_empty() && !next.trim().is_empty() => {
                parsed.segments.push(format!("{}{}", template.tail(input), end_of(template)));
                rest = next;
            }
            Some(next) if !output.is_empty() => {
                parsed.segments.push(template.example(&pair));
                parsed.shots += 1;
                rest = next;
            }
            _ => {
                parsed.tail = template.tail(input);
                parsed.closed_tail = (!output.is_empty()).then(|| template.example(&pair));
                rest = "";
            }
        }
    }
    let left = rest.trim_matches(|c: char| c == '\n' || c == ' ' || c == '\t');
    if !left.is_empty() {
        let mut lines: Vec<&str> = left.lines().collect();
        let last = lines.pop().unwrap_or_default().trim();
        parsed.segments.extend(lines.iter().map(|l| format!("{}\n", l.trim_end())));
        let ended = rest.ends_with('\n');
        let input = last.strip_prefix(prefix).unwrap_or(last).trim();
        if ended {
            parsed.segments.push(format!("{last}\n"));
        } else if parsed.shots > 0 {
            parsed.tail = template.tail(input);
        } else {
            parsed.tail = last.to_string();
        }
    }
    parsed
}

/// The input of an example: what follows the prefix in the last piece before the marker. Lines before it are passed on as they are.
fn take_input<'a>(before: &'a str, prefix: &str, middle: &str, segments: &mut Vec<String>) -> &'a str {
    let before = before.trim_end();
    let from = if !prefix.is_empty() {
        before.rfind(prefix).map_or(0, |at| at + prefix.len())
    } else if middle.starts_with('\n') {
        0
    } else {
        before.rfind('\n').map_or(0, |at| at + 1)
    };
    let skipped = before[..from].strip_suffix(prefix).unwrap_or(&before[..from]);
    segments.extend(skipped.lines().filter(|l| !l.trim().is_empty()).map(|l| format!("{}\n", l.trim_end())));
    before[from..].trim()
}

fn end_of(template: &Template) -> &str {
    template.pieces()[2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> ParsedQuery {
        parse_query(text, &Template::Arrow)
    }

    #[test]
    fn arrow_queries_are_brought_into_the_template_form() {
        let q = parse("hot->cold\nbig -> ");
        assert_eq!(
            (q.segments.as_slice(), q.tail.as_str(), q.shots, q.closed_tail),
            (&["hot -> cold\n".to_string()][..], "big ->", 1, None)
        );
        let q = parse("hot -> cold\r\nbig  ->  small");
        assert_eq!((q.tail.as_str(), q.closed_tail.as_deref()), ("big ->", Some("big -> small\n")));
        let q = parse("hot -> cold\nbig");
        assert_eq!(q.tail, "big ->");
        let q = parse("hot -> cold\nbig -> small\n");
        assert_eq!((q.segments.len(), q.tail.as_str()), (2, ""));
        assert_eq!(parse("big").tail, "big");
        assert_eq!(parse(""), ParsedQuery::default());
        assert_eq!(parse("  \n "), ParsedQuery::default());
        let q = parse("a ->\nb -> c\n");
        assert_eq!((q.segments, q.shots), (vec!["a ->\n".to_string(), "b -> c\n".to_string()], 1));
        let q = parse("some words\nb -> c\nd ->");
        assert_eq!((q.segments, q.tail.as_str()), (vec!["some words\n".to_string(), "b -> c\n".to_string()], "d ->"));
        let q = parse("hot -> cold\nbig ->\n");
        assert_eq!((q.segments.len(), q.tail.as_str()), (1, "big ->"));
    }

    #[test]
    fn question_and_answer_queries_may_be_partly_typed() {
        let qa = |text: &str| parse_query(text, &Template::Qa);
        let q = qa("Q: hot\nA: cold\n\nQ: big\nA:");
        assert_eq!((q.segments, q.tail.as_str()), (vec!["Q: hot\nA: cold\n\n".to_string()], "Q: big\nA:"));
        let q = qa("Q: hot\nA: cold\n\nQ: big");
        assert_eq!(q.tail, "Q: big\nA:");
        let q = qa("Q: hot\nA: cold");
        assert_eq!(q.closed_tail.as_deref(), Some("Q: hot\nA: cold\n\n"));
    }

    #[test]
    fn templates_parse_print_and_complain() {
        for text in ["arrow", "qa", "{input} = {output}\\n", "in {input} out {output};"] {
            assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
        }
        let own: Template = "{input} = {output};".parse().unwrap();
        assert_eq!((own.tail("a"), own.answer("b"), own.answer_end()), ("a =".into(), " b;".into(), ";"));
        assert_eq!(parse_query("a = b; c =", &own).tail, "c =");
        for (text, part) in
            [("{output}", "no {input}"), ("{input}{output}", "nothing between"), ("x", "no {input}"), ("{output} {input}", "after {input}")]
        {
            assert!(text.parse::<Template>().unwrap_err().to_string().contains(part), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_and_examples_round_trip(text in "\\PC*|[a-z>\\- \nQA:]*", inputs in proptest::collection::vec("[a-z]{1,8}", 1..5)) {
            for template in [Template::Arrow, Template::Qa, Template::Custom { prefix: String::new(), middle: " => ".into(), end: " ;\n".into() }] {
                parse_query(&text, &template);
                let pairs: Vec<Pair> = inputs.iter().map(|i| Pair { input: i.clone(), output: format!("o{i}") }).collect();
                let examples: Vec<String> = pairs.iter().map(|p| template.example(p)).collect();
                prop_assert_eq!(examples.iter().filter_map(|e| template.pair(e)).collect::<Vec<_>>(), pairs);
                prop_assert_eq!(template.pair("no example"), None);
                let parsed = parse_query(&(examples.concat() + &template.tail("x")), &template);
                prop_assert_eq!(&parsed.segments, &examples);
                prop_assert_eq!(parsed.shots, examples.len());
                prop_assert_eq!(parsed.tail, template.tail("x"));
            }
        }
    }
}
