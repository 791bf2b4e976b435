//! A row of the table of rules. The rows are in [`rules`](super::rules).

use super::items::{Items, Part};
use super::{Page, Parameter, Recipe, Resolver, Term, Value};
use crate::error::Result;
use crate::state::State;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A rule of mixing: a function over a list of items that yields a state.
pub struct Rule {
    /// Its name in a recipe's text, `op` in a recipe's file, and the name of its page of help.
    pub name: &'static str,
    /// Its result, in one line.
    pub meaning: &'static str,
    /// An example that parses.
    pub example: &'static str,
    /// The formula, with notes.
    pub text: &'static str,
    /// Its parameters, in the order in which their values are written.
    pub parameters: &'static [Parameter],
    /// Whether its items take weights.
    pub takes_weights: bool,
    /// What it needs from a query.
    pub needs: Needs,
    /// How a soup on the screen offers it: not at all, once, or twice, with and without weights.
    pub offers: &'static [&'static Offer],
    /// The parts that its items stand for, with their weights.
    pub(super) parts: for<'r> fn(&'r [Term], &dyn Resolver) -> Result<Vec<Part<'r>>>,
    /// The result it computes from them.
    pub(super) yields: Yields,
}

/// What a rule needs from a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The similarity of its items to the query.
    Query,
    /// The evidence of the query's examples for its items.
    Evidence,
}

/// The kind of result of a rule.
pub(super) enum Yields {
    /// A state, computed by this function from at least one item.
    State(fn(&Items<'_>) -> Result<State>),
    /// No state: the states of its items answer together, by the mean of their logits.
    Answer,
}

/// A rule as a soup offers it.
pub struct Offer {
    /// Its name in files.
    pub id: &'static str,
    /// Its name on the screen.
    pub name: &'static str,
    /// How the ingredients' weights are used.
    pub shares: Shares,
}

/// How the weights of a soup's ingredients are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shares {
    /// They are ignored.
    Ignored,
    /// They are the items' weights.
    Plain,
    /// They are the items' weights, which the rule normalises to a sum of 1. They must not add up
    /// to 0.
    Normalised,
    /// The last weight's share of their sum, which must not be 0, is the value of this parameter.
    Along(&'static str),
}

impl Rule {
    /// The recipe of these items with every parameter at its default.
    pub fn mix(&'static self, items: Vec<Term>) -> Recipe {
        Recipe::Mix { rule: self, items, values: self.parameters.iter().map(|p| p.default).collect() }
    }

    /// Its page of help.
    pub fn page(&self) -> Page {
        Page { name: self.name, example: self.example, summary: self.meaning, text: self.text }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One of the rules that a soup offers.
#[derive(Clone, Copy)]
pub struct Choice {
    /// The rule.
    pub rule: &'static Rule,
    /// How the soup offers it.
    pub offer: &'static Offer,
}

impl Choice {
    /// All choices, in the order they are offered.
    pub fn all() -> impl Iterator<Item = Self> {
        super::rules::RULES.iter().flat_map(|rule| rule.offers.iter().map(move |offer| Self { rule, offer }))
    }

    /// The choice with this name in files.
    pub fn of(id: &str) -> Option<Self> {
        Self::all().find(|choice| choice.offer.id == id)
    }

    /// The first offer of a rule; `None` if it has none.
    pub fn by(rule: &'static Rule) -> Option<Self> {
        rule.offers.first().map(|offer| Self { rule, offer })
    }

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        self.offer.name
    }

    /// The value of each parameter of the rule in a soup with these values.
    pub(super) fn values(self, values: &super::Values) -> Vec<Value> {
        self.rule.parameters.iter().map(|p| p.field.and_then(|field| values.get(field)).unwrap_or(p.default)).collect()
    }
}

/// The mean with the user's weights, normalised to a sum of 1.
impl Default for Choice {
    fn default() -> Self {
        Self { rule: &super::rules::MEAN, offer: &super::rules::WEIGHTED }
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        self.offer.id == other.offer.id
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.offer.id)
    }
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.offer.id)
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = String::deserialize(from)?;
        Self::of(&id).ok_or_else(|| {
            let known: Vec<&str> = Self::all().map(|choice| choice.offer.id).collect();
            serde::de::Error::custom(format!("`{id}` is not a rule; there are `{}`", known.join("`, `")))
        })
    }
}
