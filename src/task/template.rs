//! How an example becomes text.
//!
//! A template is three pieces of text around input and output: `prefix input middle output end`.
//! The model always reads the template's own spacing, because the skills were made with it. A tail
//! ends right before the space that belongs to the answer's first token.

use super::query::{Segment, parse_query};
use super::{Pair, Task};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// How an example becomes text. In files it is written in the form that `--template` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Template {
    /// `x -> y⏎`
    #[default]
    Arrow,
    /// `Q: x⏎A: y⏎⏎`, the form of the function-vectors experiments.
    Qa,
    /// The user's own text with `{input}` and `{output}`.
    Custom {
        /// Before the input.
        prefix: String,
        /// Between input and output.
        middle: String,
        /// After the output; ends an answer.
        end: String,
    },
}

impl Template {
    pub(super) fn pieces(&self) -> [&str; 3] {
        match self {
            Self::Arrow => ["", " -> ", "\n"],
            Self::Qa => ["Q: ", "\nA: ", "\n\n"],
            Self::Custom { prefix, middle, end } => [prefix, middle, end],
        }
    }

    /// The ranges of the marker between input and output in a text, with any spacing around it. If
    /// the template's marker begins a line, only markers at the beginning of a line count.
    pub(super) fn markers<'t>(&self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        let [_, middle, _] = self.pieces();
        let (marker, own_line) = (middle.trim().to_owned(), middle.starts_with('\n'));
        let begins_line = move |at: usize| text[..at].trim_end_matches([' ', '\t']).chars().next_back().is_none_or(|c| c == '\n');
        let mut from = 0;
        std::iter::from_fn(move || {
            let at = from + text[from..].find(&marker)?;
            from = at + marker.len();
            Some(at..from)
        })
        .filter(move |range| !own_line || begins_line(range.start))
    }

    /// A pair as a complete example.
    pub fn example(&self, pair: &Pair) -> String {
        let [prefix, middle, end] = self.pieces();
        format!("{prefix}{}{middle}{}{end}", pair.input, pair.output)
    }

    /// A pair as a segment with a complete example.
    pub fn segment(&self, pair: Pair) -> Segment {
        Segment { text: self.example(&pair), pair: Some(pair) }
    }

    /// Whether a pair stays the same when it is written as an example and parsed again. Otherwise
    /// the model would read another pair than the list has.
    pub fn keeps(&self, pair: &Pair) -> bool {
        let text = self.example(pair) + &self.example(pair) + &self.tail(&pair.input);
        let parsed = parse_query(&text, self);
        parsed.segments.len() == 2 && parsed.segments.iter().all(|s| s.pair.as_ref() == Some(pair)) && parsed.tail == self.tail(&pair.input)
    }

    /// An example without its answer: the text up to where the answer begins.
    pub fn tail(&self, input: &str) -> String {
        let [prefix, middle, _] = self.pieces();
        format!("{prefix}{input}{}", middle.trim_end())
    }

    /// The text that completes a tail: the space before the answer, the answer and its end.
    pub fn answer(&self, output: &str) -> String {
        let [_, middle, end] = self.pieces();
        format!("{}{output}{end}", &middle[middle.trim_end().len()..])
    }

    /// The text at which an answer ends.
    pub fn answer_end(&self) -> &str {
        let end = self.pieces()[2];
        // A model may write one line break where the template has two.
        if end.trim().is_empty() { "\n" } else { end.trim_end() }
    }

    /// The examples with these indices, in order.
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

impl TryFrom<String> for Template {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(input: &str, output: &str) -> Pair {
        Pair { input: input.into(), output: output.into() }
    }

    #[test]
    fn pairs_that_do_not_survive_are_known() {
        let custom: Template = "in {input} out {output};".parse().unwrap();
        for (template, input, output, keeps) in [
            (&Template::Arrow, "one -> two", "three", true),
            (&Template::Arrow, "a\nb", "c", true),
            (&Template::Arrow, "a", "b -> c", false),
            (&Template::Arrow, "a", "b\nc", false),
            (&Template::Arrow, "a -> b\nc", "d", false),
            (&Template::Arrow, "a ", "b", false),
            (&Template::Arrow, "a", "", false),
            (&Template::Qa, "one -> two", "three -> four", true),
            (&Template::Qa, "DNA: x", "A: y", true),
            (&Template::Qa, "x\nA: y", "z", false),
            (&Template::Qa, "x\nQ: y", "z", true),
            (&Template::Qa, "x", "y\nA: z", false),
            (&custom, "tin inn", "x", true),
            (&custom, "a", "b; c", false),
            (&custom, "a; b", "c", true),
        ] {
            assert_eq!(template.keeps(&pair(input, output)), keeps, "{template}: {input:?} {output:?}");
        }
    }

    #[test]
    fn every_bundled_pair_survives_both_templates() {
        for task in super::super::bundled() {
            for p in &task.pairs {
                assert!(Template::Arrow.keeps(p) && Template::Qa.keeps(p), "{}: {p:?}", task.name);
            }
        }
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
}
