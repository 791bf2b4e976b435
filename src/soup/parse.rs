//! The text of a recipe.
//!
//! ```text
//! recipe  = sum ( "|" pipe )*                 pipe   = with_query | with_query(λ) | match_norm | over(recipe)
//! sum     = ["-"] term ( ("+" | "-") term )*  term   = [ number "*" ] layered
//! layered = atom [ "@" ( a..b | "[" weights "]" ) ]
//! atom    = "(" recipe ")" | zero | h0 | query | top(n) | name | function "(" item, …; key=value, … ")"
//! item    = [ number "*" ] layered
//! ```
//! Functions: `mean`, `sum`, `softmax(…; tau)`, `decay(…; gamma, averaged)`, `picaso_s`, `picaso_r`, `arith`, `slerp(a, b; t)`, `ties(…; density, lambda)`,
//! `dare(…; p, seed)`. A name is `task/set`, or a task: its mean, or all of its skills where it is an item of a function. Other names go in quotes.

use super::{Layers, Recipe, Term};
use crate::error::{Error, Result};
use std::str::FromStr;

/// Functions over lists, with the values they take and their defaults.
const FUNCTIONS: &[(&str, &[(&str, f64)])] = &[
    ("mean", &[]),
    ("sum", &[]),
    ("softmax", &[("tau", 0.1)]),
    ("decay", &[("gamma", 1.0), ("averaged", 0.0)]),
    ("picaso_s", &[]),
    ("picaso_r", &[]),
    ("arith", &[]),
    ("slerp", &[("t", 0.5)]),
    ("ties", &[("density", 0.2), ("lambda", 1.0)]),
    ("dare", &[("p", 0.5), ("seed", 0.0)]),
];
/// Brackets within brackets that are followed: beyond it is no recipe but an attempt to exhaust the stack.
const DEEPEST: usize = 64;

/// Whether a name reads back as itself without quotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    let reserved = ["zero", "h0", "query", "inf", "nan"];
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_name_char) && !reserved.contains(&name)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '/' | '.')
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let recipe = parser.recipe()?;
        parser.skip_space();
        if parser.at < text.len() { Err(parser.wrong("the recipe should end here")) } else { Ok(recipe) }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
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
            recipe = match (self.name(), recipe) {
                ("with_query", recipe) => {
                    let lambda = if self.eat("(") {
                        let lambda = if self.eat("lambda") { self.need("=").and_then(|()| self.number())? } else { self.number()? };
                        self.need(")")?;
                        Some(lambda)
                    } else {
                        None
                    };
                    Recipe::WithQuery { of: Box::new(recipe), lambda }
                }
                ("match_norm", recipe) => Recipe::MatchNorm { of: Box::new(recipe) },
                ("over", Recipe::At { of, layers, over: None }) => {
                    self.need("(")?;
                    let over = Some(Box::new(self.recipe()?));
                    self.need(")")?;
                    Recipe::At { of, layers, over }
                }
                ("over", _) => return Err(self.wrong_at(at, "`over` says what the other layers are, so `… @ a..b` must stand before it")),
                _ => return Err(self.wrong_at(at, "`with_query`, `match_norm` or `over(…)` is expected after `|`")),
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
            let weight = self.number()?;
            self.need("*")?;
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
            let mut weights = vec![self.number()?];
            while self.eat(",") {
                weights.push(self.number()?);
            }
            self.need("]")?;
            Layers::Weights(weights)
        } else {
            let from = self.whole()?;
            if self.eat("..") { Layers::Range(from, self.whole()?) } else { Layers::Range(from, from + 1) }
        };
        Ok(Recipe::At { of: Box::new(of), layers, over: None })
    }

    /// Everything nested passes through here, so this is where the depth is bounded.
    fn atom(&mut self) -> Result<Recipe> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("there are too many brackets within brackets"));
        }
        let recipe = self.plain_atom();
        self.depth -= 1;
        recipe
    }

    fn plain_atom(&mut self) -> Result<Recipe> {
        if self.eat("(") {
            let inner = self.recipe()?;
            self.need(")")?;
            return Ok(inner);
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
                _ => Recipe::skill(name),
            });
        }
        if name == "top" {
            let n = self.whole()?;
            self.need(")")?;
            return if n == 0 { Err(self.wrong_at(at, "`top(0)` is nothing")) } else { Ok(Recipe::Top { n }) };
        }
        if let Some((_, values)) = FUNCTIONS.iter().find(|(f, _)| *f == name) {
            self.call(at, name, values)
        } else {
            let near = FUNCTIONS.iter().map(|(f, _)| *f).chain(["top"]).max_by_key(|f| likeness(f, name));
            let hint = near.filter(|f| likeness(f, name) * 2 >= name.len()).map_or_else(String::new, |f| format!("; did you mean `{f}`?"));
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
                self.need("=")?;
                values[i] = self.number()?;
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
            "decay" => Recipe::Decay { items, gamma: values[0], averaged: values[1] != 0.0 },
            "picaso_s" => Recipe::PicasoS { items },
            "picaso_r" => Recipe::PicasoR { items },
            "arith" => Recipe::Arith { items },
            "slerp" => Recipe::Slerp { items, t: values[0] },
            "ties" => Recipe::Ties { items, density: values[0], lambda: values[1] },
            "dare" => {
                if values[1] < 0.0 || values[1].fract() != 0.0 || values[1] > 2f64.powi(53) {
                    return Err(self.wrong_at(at, &format!("the seed is {}; it must be a whole number", values[1])));
                }
                Recipe::Dare { items, p: values[0], seed: values[1] as u64 }
            }
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
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return "";
        }
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
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

/// Letters two names share at the same distance from their start or in common order; enough for typing slips.
fn likeness(a: &str, b: &str) -> usize {
    let mut rest = b;
    a.chars()
        .filter(|c| match rest.find(*c) {
            Some(i) => {
                rest = &rest[i + c.len_utf8()..];
                true
            }
            None => false,
        })
        .count()
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
