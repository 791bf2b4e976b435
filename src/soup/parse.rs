//! The text of a recipe.
//!
//! ```text
//! recipe  = sum ( "|" pipe )*                 pipe   = with_query | with_query(λ) | match_norm | conv(recipe) | over(recipe)
//! sum     = ["-"] term ( ("+" | "-") term )*  term   = [ number "*" ] layered
//! layered = atom [ "@" ( a | a..b | "[" weights "]" ) ]
//! atom    = "(" recipe ")" | zero | h0 | query | auto | top(n) | name | function "(" item, …; key=value, … ")"
//! item    = ["-"] [ number "*" ] layered
//! ```
//! The functions of lists, with their values, are the rows of [`rules`]: `slerp(a, b; t=0.3)`. A
//! value of kind divisor is `1`, `n` (the number of items) or `w` (the sum of their weights). Two
//! functions take one recipe: `primed(recipe)` (the query's examples read from it) and
//! `gated(recipe)` (the recipe, if a skill in it explains the query's examples; otherwise the
//! query).
//!
//! A name is `task/set`, or a task. Where one state is needed (`0.5*antonym + …`, `antonym` alone)
//! a task is the mean of its skills; as an item of a function it stands for all of them. The same
//! holds for `top(n)`. `english-french/0` is one name: a hyphen between two letters belongs to it,
//! so a minus between two letters needs spaces. Any other name goes in quotes: `"2nd letter/0"`.

use super::rules::{self, RULES};
use super::scan::Parser;
use super::{Layers, Parameter, Recipe, Rule, Term, Value};
use crate::error::{Error, Result, did_you_mean};
use std::str::FromStr;

/// The functions of one recipe, with their constructors.
const OF_ONE: [(&str, fn(Box<Recipe>) -> Recipe); 2] = [("primed", |of| Recipe::Primed { of }), ("gated", |of| Recipe::Gated { of })];

/// The names of all functions.
pub fn functions() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name).chain(OF_ONE.iter().map(|(name, _)| *name))
}

/// The maximum depth of nested brackets, and the maximum number of pipes. More could exhaust the
/// stack, of this parser or of code that walks the recipe later: every pipe wraps all that stands
/// before it.
const DEEPEST: usize = 64;

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser::new(text);
        let recipe = parser.recipe()?;
        parser.skip_space();
        if parser.at < text.len() { Err(parser.wrong("the recipe should end here")) } else { Ok(recipe) }
    }
}

impl Parser<'_> {
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

    /// Runs `read` on the content of brackets. Every recursion of the parser goes through this
    /// function.
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
        if let Some((_, make)) = OF_ONE.iter().find(|(function, _)| *function == name) {
            let of = Box::new(self.within(Self::recipe)?);
            self.need(")")?;
            return Ok(make(of));
        }
        if let Some(rule) = rules::named(name) {
            return self.within(|parser| parser.call(rule));
        }
        let hint = did_you_mean(name, functions().chain(["top"]));
        Err(self.wrong_at(at, &format!("there is no function `{name}`{hint}")))
    }

    /// A rule's items and values, up to the bracket that closes them.
    fn call(&mut self, rule: &'static Rule) -> Result<Recipe> {
        let mut items = Vec::new();
        loop {
            let negative = self.eat("-");
            items.push(signed(self.term()?.0, negative));
            if !self.eat(",") {
                break;
            }
        }
        let mut values: Vec<Option<Value>> = vec![None; rule.parameters.len()];
        if self.eat(";") {
            loop {
                self.skip_space();
                let at = self.at;
                let key = self.name();
                let known = rule.parameters.iter().zip(&mut values).find(|(parameter, _)| parameter.key == key);
                let Some((parameter, value)) = known else {
                    let keys: Vec<&str> = rule.parameters.iter().map(|p| p.key).collect();
                    let takes = if keys.is_empty() { "no values".into() } else { format!("`{}`", keys.join("`, `")) };
                    return Err(self.wrong_at(at, &format!("`{}` takes {takes}", rule.name)));
                };
                if value.is_some() {
                    return Err(self.wrong_at(at, &format!("`{key}` is given twice")));
                }
                self.need("=")?;
                *value = Some(self.value(parameter)?);
                if !self.eat(",") {
                    break;
                }
            }
        }
        self.need(")")?;
        let values = values.into_iter().zip(rule.parameters).map(|(value, parameter)| value.unwrap_or(parameter.default)).collect();
        Ok(Recipe::Mix { rule, items, values })
    }

    /// Reads the value after the `=` of a parameter.
    fn value(&mut self, parameter: &Parameter) -> Result<Value> {
        Ok(match parameter.default {
            Value::Number(_) if parameter.may_be_infinite() => self.number()?.into(),
            Value::Number(_) => self.finite()?.into(),
            Value::Whole(_) => self.seed()?.into(),
            Value::Divisor(_) => self.divisor()?.into(),
        })
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
