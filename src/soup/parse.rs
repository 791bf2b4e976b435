//! The text of a recipe.
//!
//! ```text
//! recipe  = sum ( "|" pipe )*                 pipe   = with_query | with_query(λ) | match_norm | conv(recipe) | over(recipe)
//! sum     = ["-"] term ( ("+" | "-") term )*  term   = [ number "*" ] layered
//! layered = atom [ "@" ( a..b | "[" weights "]" ) ]
//! atom    = "(" recipe ")" | zero | h0 | query | auto | top(n) | name | function "(" item, …; key=value, … ")"
//! item    = [ number "*" ] layered
//! ```
//! Functions: `mean`, `sum`, `softmax(…; tau)`, `decay(…; gamma, z)` with z = `1`, `n` (items) or `w` (sum of weights), `picaso_s`, `picaso_r`, `arith`,
//! `slerp(a, b; t)`, `ties(…; density, lambda)`, `dare(…; p, seed)`, `posterior` (weights by evidence), `ensemble` (an answer: the mean of logits). Two take one
//! recipe: `primed(recipe)` (the query's examples read from it), `gated(recipe)` (it, if a skill in it explains the query's examples; else the query).
//!
//! A name is `task/set`, or a task. Where one state is wanted (`0.5*antonym + …`, `antonym` alone) a task is the mean of its skills; as an item of a function it
//! is all of them, and so is `top(n)`. `english-french/0` is one name: a hyphen between two letters belongs to it, so a minus there wants spaces. Any other name goes in
//! quotes: `"2nd letter/0"`.

use super::{Divisor, Layers, Recipe, Term};
use crate::error::{Error, Result, did_you_mean};
use std::str::FromStr;

/// Functions over lists, with the values they take and their defaults (of `z` and `seed`, which are no plain numbers, the names alone).
const FUNCTIONS: &[(&str, &[(&str, f64)])] = &[
    ("mean", &[]),
    ("sum", &[]),
    ("softmax", &[("tau", 0.1)]),
    ("decay", &[("gamma", 1.0), ("z", 0.0)]),
    ("picaso_s", &[]),
    ("picaso_r", &[]),
    ("arith", &[]),
    ("slerp", &[("t", 0.5)]),
    ("ties", &[("density", 0.2), ("lambda", 1.0)]),
    ("dare", &[("p", 0.5), ("seed", 0.0)]),
    ("posterior", &[]),
    ("ensemble", &[]),
    ("primed", &[]),
    ("gated", &[]),
];
/// The names of all functions.
pub fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// Brackets within brackets, and pipes in all, that are followed: beyond is no recipe but a way to exhaust the stack (of this parser, or of whatever walks
/// the recipe later: every pipe wraps all that stands before it).
const DEEPEST: usize = 64;

/// Whether a name reads back as itself without quotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name_len(name) == name.len() && !["zero", "h0", "query", "auto", "inf", "nan"].contains(&name)
}

/// How much of the text is a name: letters, digits, `_`, `/` and `.`, starting with a letter or `_`; and hyphens between letters.
fn name_len(text: &str) -> usize {
    let mut before = None;
    for (i, c) in text.char_indices() {
        let belongs = match before {
            None => c.is_alphabetic() || c == '_',
            Some(before) if c == '-' => char::is_alphabetic(before) && text[i + 1..].starts_with(char::is_alphabetic),
            Some(_) => is_name_char(c),
        };
        if !belongs {
            return i;
        }
        before = Some(c);
    }
    text.len()
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '/' | '.')
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0, depth: 0, pipes: 0 };
        let recipe = parser.recipe()?;
        parser.skip_space();
        if parser.at < text.len() { Err(parser.wrong("the recipe should end here")) } else { Ok(recipe) }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    pipes: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong(&self, why: &str) -> Error {
        self.wrong_at(self.at, why)
    }

    fn wrong_at(&self, at: usize, why: &str) -> Error {
        let column = self.text[..at].chars().count() + 1;
        let near: String = self.text[at..].chars().take(16).collect();
        let near = if near.is_empty() { "its end".into() } else { format!("`{near}`") };
        Error::Input(format!("recipe, column {column} (at {near}): {why}"))
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn need(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.wrong(&format!("`{token}` is expected"))) }
    }

    fn recipe(&mut self) -> Result<Recipe> {
        let mut recipe = self.sum()?;
        while self.eat("|") {
            self.skip_space();
            let at = self.at;
            self.pipes += 1;
            if self.pipes > DEEPEST {
                return Err(self.wrong_at(at, &format!("a recipe takes at most {DEEPEST} pipes")));
            }
            recipe = match (self.name(), recipe) {
                ("with_query", recipe) => {
                    let lambda = if self.eat("(") {
                        let lambda = if self.eat("lambda") { self.need("=").and_then(|()| self.finite())? } else { self.finite()? };
                        self.need(")")?;
                        Some(lambda)
                    } else {
                        None
                    };
                    Recipe::WithQuery { of: Box::new(recipe), lambda }
                }
                ("match_norm", recipe) => Recipe::MatchNorm { of: Box::new(recipe) },
                ("conv", recipe) => Recipe::Conv { of: Box::new(recipe), from: Box::new(self.bracketed()?) },
                ("over", Recipe::At { of, layers, over: None }) => Recipe::At { of, layers, over: Some(Box::new(self.bracketed()?)) },
                ("over", _) => return Err(self.wrong_at(at, "`over` says what the other layers are, so `… @ a..b` must stand before it")),
                _ => return Err(self.wrong_at(at, "`with_query`, `match_norm`, `conv(…)` or `over(…)` is expected after `|`")),
            };
        }
        Ok(recipe)
    }

    fn sum(&mut self) -> Result<Recipe> {
        let negative = self.eat("-");
        let (first, weighted) = self.term()?;
        let mut terms = vec![signed(first, negative)];
        loop {
            if self.eat("+") {
                terms.push(self.term()?.0);
            } else if self.eat("-") {
                terms.push(signed(self.term()?.0, true));
            } else {
                break;
            }
        }
        match terms.len() {
            1 if !weighted && !negative => Ok(terms.remove(0).recipe),
            _ => Ok(Recipe::Plus { terms }),
        }
    }

    /// A term, and whether a weight was written.
    fn term(&mut self) -> Result<(Term, bool)> {
        self.skip_space();
        let weighted = self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let weight = if weighted {
            let weight = self.finite()?;
            if !self.eat("*") {
                return Err(self.wrong("`*` is expected after a number (a name that begins with a digit goes in quotes)"));
            }
            weight
        } else {
            1.0
        };
        Ok((Term { weight, recipe: self.layered()? }, weighted))
    }

    fn layered(&mut self) -> Result<Recipe> {
        let of = self.atom()?;
        if !self.eat("@") {
            return Ok(of);
        }
        let layers = if self.eat("[") {
            let mut weights = vec![self.finite()?];
            while self.eat(",") {
                weights.push(self.finite()?);
            }
            self.need("]")?;
            Layers::Weights(weights)
        } else {
            self.skip_space();
            let at = self.at;
            let from = self.whole()?;
            let to = if self.eat("..") { self.whole()? } else { from + 1 };
            if from >= to {
                return Err(self.wrong_at(at, "the range of layers is empty: it goes up to, not including, its second number"));
            }
            Layers::Range(from, to)
        };
        Ok(Recipe::At { of: Box::new(of), layers, over: None })
    }

    /// Reads what stands in brackets; every recursion of the parser leads through here.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return Err(self.wrong("there are too many brackets within brackets"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn bracketed(&mut self) -> Result<Recipe> {
        self.need("(")?;
        let inner = self.within(Self::recipe)?;
        self.need(")")?;
        Ok(inner)
    }

    fn atom(&mut self) -> Result<Recipe> {
        self.skip_space();
        if self.rest().starts_with('(') {
            return self.bracketed();
        }
        if self.eat("\"") {
            return self.quoted();
        }
        let at = self.at;
        let name = self.name();
        if name.is_empty() {
            return Err(self.wrong_at(at, "a skill, a task or a function is expected"));
        }
        if !self.eat("(") {
            return Ok(match name {
                "zero" => Recipe::Zero,
                "h0" => Recipe::Neutral,
                "query" => Recipe::Query,
                "auto" => Recipe::Auto,
                _ => Recipe::skill(name),
            });
        }
        if name == "top" {
            let n = self.whole()?;
            self.need(")")?;
            return if n == 0 { Err(self.wrong_at(at, "`top(0)` is nothing")) } else { Ok(Recipe::Top { n }) };
        }
        if let "primed" | "gated" = name {
            let of = Box::new(self.within(Self::recipe)?);
            self.need(")")?;
            return Ok(if name == "primed" { Recipe::Primed { of } } else { Recipe::Gated { of } });
        }
        if let Some((_, values)) = FUNCTIONS.iter().find(|(f, _)| *f == name) {
            self.within(|parser| parser.call(at, name, values))
        } else {
            let hint = did_you_mean(name, FUNCTIONS.iter().map(|(f, _)| *f).chain(["top"]));
            Err(self.wrong_at(at, &format!("there is no function `{name}`{hint}")))
        }
    }

    fn call(&mut self, at: usize, name: &str, known: &[(&str, f64)]) -> Result<Recipe> {
        let mut items = Vec::new();
        loop {
            let negative = self.eat("-");
            items.push(signed(self.term()?.0, negative));
            if !self.eat(",") {
                break;
            }
        }
        let mut values: Vec<f64> = known.iter().map(|(_, default)| *default).collect();
        let (mut z, mut seed) = (Divisor::One, 0);
        let mut given = Vec::new();
        if self.eat(";") {
            loop {
                self.skip_space();
                let at = self.at;
                let key = self.name();
                let Some(i) = known.iter().position(|(k, _)| *k == key) else {
                    let keys: Vec<&str> = known.iter().map(|(k, _)| *k).collect();
                    let takes = if keys.is_empty() { "no values".into() } else { format!("`{}`", keys.join("`, `")) };
                    return Err(self.wrong_at(at, &format!("`{name}` takes {takes}")));
                };
                if given.contains(&i) {
                    return Err(self.wrong_at(at, &format!("`{key}` is given twice")));
                }
                given.push(i);
                self.need("=")?;
                match key {
                    "z" => z = self.divisor()?,
                    "seed" => seed = self.seed()?,
                    "gamma" => values[i] = self.number()?,
                    _ => values[i] = self.finite()?,
                }
                if !self.eat(",") {
                    break;
                }
            }
        }
        self.need(")")?;
        Ok(match name {
            "mean" => Recipe::Mean { items },
            "sum" => Recipe::Sum { items },
            "softmax" => Recipe::Softmax { items, tau: values[0] },
            "decay" => Recipe::Decay { items, gamma: values[0], z },
            "picaso_s" => Recipe::PicasoS { items },
            "picaso_r" => Recipe::PicasoR { items },
            "arith" => Recipe::Arith { items },
            "slerp" => Recipe::Slerp { items, t: values[0] },
            "ties" => Recipe::Ties { items, density: values[0], lambda: values[1] },
            "dare" => Recipe::Dare { items, p: values[0], seed },
            "posterior" => Recipe::Posterior { items },
            "ensemble" => Recipe::Ensemble { items },
            _ => return Err(self.wrong_at(at, &format!("there is no function `{name}`"))),
        })
    }

    fn quoted(&mut self) -> Result<Recipe> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(Recipe::skill(name));
                }
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                c => name.push(c),
            }
        }
        Err(self.wrong("the closing quote is missing"))
    }

    fn name(&mut self) -> &'a str {
        self.skip_space();
        let name = &self.rest()[..name_len(self.rest())];
        self.at += name.len();
        name
    }

    /// A number that is not infinite.
    fn finite(&mut self) -> Result<f64> {
        self.skip_space();
        let at = self.at;
        let value = self.number()?;
        if value.is_finite() { Ok(value) } else { Err(self.wrong_at(at, "a finite number is expected")) }
    }

    /// What `z=` takes.
    fn divisor(&mut self) -> Result<Divisor> {
        self.skip_space();
        for (text, z) in [("1", Divisor::One), ("n", Divisor::Count), ("w", Divisor::Weights)] {
            if self.eat(text) {
                return Ok(z);
            }
        }
        Err(self.wrong("`1`, `n` (the number of items) or `w` (the sum of their weights) is expected"))
    }

    fn seed(&mut self) -> Result<u64> {
        self.skip_space();
        let digits = &self.rest()[..self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len())];
        match digits.parse() {
            Ok(seed) => {
                self.at += digits.len();
                Ok(seed)
            }
            Err(_) => Err(self.wrong("the seed must be a whole number below 2^64")),
        }
    }

    fn number(&mut self) -> Result<f64> {
        self.skip_space();
        let rest = self.rest();
        let negative = rest.starts_with('-');
        let digits = &rest[usize::from(negative)..];
        let mut end = if digits.starts_with("inf") {
            3
        } else {
            // `4..8` is a range: a dot belongs to a number only if no other follows it.
            let bytes = digits.as_bytes();
            let is_part = |i: usize| match bytes[i] {
                b'0'..=b'9' => true,
                b'.' => bytes.get(i + 1) != Some(&b'.') && (i == 0 || bytes[i - 1] != b'.'),
                b'e' | b'E' => i > 0,
                b'-' | b'+' => i > 0 && matches!(bytes[i - 1], b'e' | b'E'),
                _ => false,
            };
            (0..bytes.len()).find(|i| !is_part(*i)).unwrap_or(bytes.len())
        };
        end += usize::from(negative);
        match rest[..end].parse::<f64>() {
            Ok(value) => {
                self.at += end;
                Ok(value)
            }
            Err(_) => Err(self.wrong("a number is expected")),
        }
    }

    fn whole(&mut self) -> Result<usize> {
        let at = self.at;
        let value = self.number()?;
        if value >= 0.0 && value.fract() == 0.0 && value < 1e6 {
            Ok(value as usize)
        } else {
            Err(self.wrong_at(at, "a whole number is expected"))
        }
    }
}

fn signed(mut term: Term, negative: bool) -> Term {
    if negative {
        term.weight = -term.weight;
    }
    term
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_whatever_nests() {
        for open in ["(", "mean(", "zero | over("] {
            let text = open.repeat(100_000);
            assert!(text.parse::<Recipe>().is_err(), "{open}");
        }
        assert!(format!("{}zero{}", "mean(".repeat(20), ")".repeat(20)).parse::<Recipe>().is_ok());
    }
}
