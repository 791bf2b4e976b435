//! What the screen edits: ingredients with weights, a rule, a few knobs. It becomes a [`Recipe`]; the recipe does the mixing.

use super::{Layers, Recipe, Term};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How the ingredients become one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Weighted by hand, brought to a sum of 1.
    Weighted,
    /// The plain mean; weights do not count.
    Mean,
    /// Weighted by hand, as they are.
    Sum,
    /// Weights by softmax(similarity/τ).
    Softmax,
    /// A-decay in the order listed, scaled by γ.
    Decay,
    /// A-decay averaged over all orders.
    PicasoS,
    /// A-decay averaged over the rotations of the order.
    PicasoR,
    /// h0 + Σ w_i (H_i − h0).
    Arithmetic,
    /// TIES.
    Ties,
    /// DARE.
    Dare,
}

impl Rule {
    /// All, in the order they are offered.
    pub const ALL: [Self; 10] = [
        Self::Weighted,
        Self::Mean,
        Self::Sum,
        Self::Softmax,
        Self::Decay,
        Self::PicasoS,
        Self::PicasoR,
        Self::Arithmetic,
        Self::Ties,
        Self::Dare,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Mean => "mean",
            Self::Sum => "sum",
            Self::Softmax => "softmax",
            Self::Decay => "A-decay",
            Self::PicasoS => "PICASO-S",
            Self::PicasoR => "PICASO-R",
            Self::Arithmetic => "arithmetic",
            Self::Ties => "TIES",
            Self::Dare => "DARE",
        }
    }
}

/// One ingredient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ingredient {
    /// Skill id, or a task's name for all of its skills.
    pub skill: String,
    /// Weight.
    pub weight: f64,
    /// Left out for now.
    pub muted: bool,
    /// Keeps its weight when the others are normalised.
    pub locked: bool,
    /// If any ingredient is solo, only such ones count.
    pub solo: bool,
}

impl Ingredient {
    /// An ingredient of weight 1.
    pub fn new(skill: impl Into<String>) -> Self {
        Self { skill: skill.into(), weight: 1.0, muted: false, locked: false, solo: false }
    }
}

/// The soup on the screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Soup {
    /// In order (which A-decay and PICASO-R care about).
    pub ingredients: Vec<Ingredient>,
    /// How they become one state.
    pub rule: Rule,
    /// Scales the decay of A-decay.
    pub gamma: f64,
    /// Share of the soup when it is mixed with the query's state; 1 leaves the query out.
    pub lambda: f64,
    /// Temperature of softmax.
    pub tau: f64,
    /// Layers it acts on (the others are the query's); `None` is all.
    pub layers: Option<Range<usize>>,
    /// A weight for each layer, instead of the range.
    pub layer_weights: Option<Vec<f64>>,
}

impl Default for Soup {
    fn default() -> Self {
        Self { ingredients: Vec::new(), rule: Rule::Weighted, gamma: 1.0, lambda: 1.0, tau: 0.1, layers: None, layer_weights: None }
    }
}

impl Soup {
    /// The ingredients that count: the solo ones if there are any, without the muted ones.
    pub fn audible(&self) -> impl Iterator<Item = &Ingredient> {
        let solo = self.ingredients.iter().any(|i| i.solo);
        self.ingredients.iter().filter(move |i| !i.muted && (i.solo || !solo))
    }

    /// Brings the audible weights to a sum of 1: locked ones stay, the others share the rest in proportion (or equally, if they are all 0).
    /// Does nothing if the locked ones leave no room.
    pub fn normalise(&mut self) {
        let locked: f64 = self.audible().filter(|i| i.locked).map(|i| i.weight).sum();
        let free: f64 = self.audible().filter(|i| !i.locked).map(|i| i.weight).sum();
        let count = self.audible().filter(|i| !i.locked).count();
        let room = 1.0 - locked;
        if count == 0 || room < 0.0 || free < 0.0 {
            return;
        }
        let solo = self.ingredients.iter().any(|i| i.solo);
        for i in self.ingredients.iter_mut().filter(|i| !i.muted && (i.solo || !solo) && !i.locked) {
            i.weight = if free > 0.0 { i.weight * room / free } else { room / count as f64 };
        }
    }

    /// The recipe; `None` if nothing is audible (or all weights of a weighted soup are 0).
    pub fn to_recipe(&self) -> Option<Recipe> {
        let weighted = matches!(self.rule, Rule::Weighted | Rule::Sum | Rule::Arithmetic | Rule::Decay);
        let weight = |i: &Ingredient| if weighted { i.weight } else { 1.0 };
        let items: Vec<Term> = self.audible().map(|i| Term { weight: weight(i), recipe: Recipe::skill(&i.skill) }).collect();
        if items.is_empty() || (self.rule == Rule::Weighted && items.iter().map(|t| t.weight).sum::<f64>().abs() < 1e-12) {
            return None;
        }
        let mut recipe = match self.rule {
            Rule::Weighted | Rule::Mean => Recipe::Mean { items },
            Rule::Sum => Recipe::Sum { items },
            Rule::Softmax => Recipe::Softmax { items, tau: self.tau },
            Rule::Decay => Recipe::Decay { items, gamma: self.gamma, averaged: false },
            Rule::PicasoS => Recipe::PicasoS { items },
            Rule::PicasoR => Recipe::PicasoR { items },
            Rule::Arithmetic => Recipe::Arith { items },
            Rule::Ties => Recipe::Ties { items, density: 0.2, lambda: 1.0 },
            Rule::Dare => Recipe::Dare { items, p: 0.5, seed: 0 },
        };
        if self.lambda < 1.0 {
            recipe = Recipe::WithQuery { of: Box::new(recipe), lambda: Some(self.lambda) };
        }
        let layers = match (&self.layer_weights, &self.layers) {
            (Some(weights), _) => Layers::Weights(weights.clone()),
            (None, Some(range)) => Layers::Range(range.start, range.end),
            (None, None) => return Some(recipe),
        };
        Some(Recipe::At { of: Box::new(recipe), layers, over: Some(Box::new(Recipe::Query)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soup(weights: &[f64]) -> Soup {
        let ingredients = weights.iter().enumerate().map(|(i, w)| Ingredient { weight: *w, ..Ingredient::new(format!("t/{i}")) }).collect();
        Soup { ingredients, ..Soup::default() }
    }

    #[test]
    fn normalising_respects_locks_mutes_and_solos() {
        let mut s = soup(&[1.0, 3.0, 0.5, 9.0]);
        s.ingredients[2].locked = true;
        s.ingredients[3].muted = true;
        s.normalise();
        let weights: Vec<f64> = s.ingredients.iter().map(|i| i.weight).collect();
        assert_eq!(weights, [0.125, 0.375, 0.5, 9.0]);
        let mut s = soup(&[0.0, 0.0]);
        s.normalise();
        assert_eq!(s.ingredients[0].weight, 0.5);
    }

    #[test]
    fn the_recipe_is_what_is_audible() {
        assert_eq!(soup(&[]).to_recipe(), None);
        assert_eq!(soup(&[1.0, -1.0]).to_recipe(), None);
        let mut s = soup(&[0.6, 0.4, 1.0]);
        s.ingredients[2].muted = true;
        assert_eq!(s.to_recipe().unwrap().to_string(), "mean(0.6*t/0, 0.4*t/1)");
        s.ingredients[1].solo = true;
        s.rule = Rule::Decay;
        s.lambda = 0.5;
        s.layers = Some(2..4);
        assert_eq!(s.to_recipe().unwrap().to_string(), "(decay(0.4*t/1; gamma=1) | with_query(0.5)) @ 2..4 | over(query)");
    }
}
