//! What the screen edits: ingredients with weights, a rule, a few knobs. It becomes a [`Recipe`]; the recipe does the mixing.

use super::recipe::maybe_infinite;
use super::{Divisor, Layers, Recipe, Term};
use crate::error::{Error, Result};
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
    /// On the arc between two ingredients, as far as their weights say.
    Slerp,
    /// TIES.
    Ties,
    /// DARE.
    Dare,
}

impl Rule {
    /// All, in the order they are offered.
    pub const ALL: [Self; 11] = [
        Self::Weighted,
        Self::Mean,
        Self::Sum,
        Self::Softmax,
        Self::Decay,
        Self::PicasoS,
        Self::PicasoR,
        Self::Arithmetic,
        Self::Slerp,
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
            Self::Slerp => "SLERP",
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
    /// The mean of a task's skills as one ingredient, rather than each of its skills with this weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mean: bool,
}

impl Ingredient {
    /// What it stands for in a recipe.
    pub fn recipe(&self) -> Recipe {
        let skill = Recipe::skill(&self.skill);
        if self.mean { Recipe::Mean { items: vec![Term { weight: 1.0, recipe: skill }] } } else { skill }
    }

    /// An ingredient of weight 1.
    pub fn new(skill: impl Into<String>) -> Self {
        Self { skill: skill.into(), weight: 1.0, muted: false, locked: false, solo: false, mean: false }
    }
}

/// Where the convolution windows come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// As the rule has it (see [`crate::soup`]).
    #[default]
    Rule,
    /// The last audible ingredient's.
    Last,
    /// The plain mean of the audible ingredients'.
    Mean,
    /// The query's.
    Query,
}

/// The soup on the screen. In a file every field may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Soup {
    /// In order (which A-decay and PICASO-R care about).
    pub ingredients: Vec<Ingredient>,
    /// How they become one state.
    pub rule: Rule,
    /// Scales the decay of A-decay; may be infinite.
    #[serde(with = "maybe_infinite")]
    pub gamma: f64,
    /// What A-decay's sum is divided by.
    pub z: Divisor,
    /// Share of the soup when it is mixed with the query's state; 1 leaves the query out.
    pub lambda: f64,
    /// Temperature of softmax.
    pub tau: f64,
    /// Layers it acts on (the others are the query's); `None` is all.
    pub layers: Option<Range<usize>>,
    /// A weight for each layer, instead of the range.
    pub layer_weights: Option<Vec<f64>>,
    /// Where the convolution windows come from.
    pub conv: Window,
    /// Whether each layer is scaled to the mean norm of the ingredients'.
    pub match_norm: bool,
    /// Share of entries TIES keeps.
    pub density: f64,
    /// Share of entries DARE drops.
    pub drop: f64,
    /// Seed of DARE's draw.
    pub seed: u64,
}

impl Default for Soup {
    fn default() -> Self {
        Self {
            ingredients: Vec::new(),
            rule: Rule::Weighted,
            gamma: 1.0,
            z: Divisor::One,
            lambda: 1.0,
            tau: 0.1,
            layers: None,
            layer_weights: None,
            conv: Window::Rule,
            match_norm: false,
            density: 0.2,
            drop: 0.5,
            seed: 0,
        }
    }
}

impl Soup {
    /// The ingredients that count: the solo ones if there are any, without the muted ones.
    pub fn audible(&self) -> impl Iterator<Item = &Ingredient> {
        let solo = self.ingredients.iter().any(|i| i.solo);
        self.ingredients.iter().filter(move |i| !i.muted && (i.solo || !solo))
    }

    /// Brings the weights of what takes part ([`Soup::audible`]) to a sum of 1: locked ones stay, the others share the rest in proportion (or
    /// equally, if they are all 0). What is muted, or silenced by a solo, keeps its weight.
    ///
    /// # Errors
    /// [`Error::Input`], and nothing changes, if the locked ones leave no room, all are locked, or the others add up to less than 0.
    pub fn normalise(&mut self) -> Result<()> {
        let locked: f64 = self.audible().filter(|i| i.locked).map(|i| i.weight).sum();
        let free: f64 = self.audible().filter(|i| !i.locked).map(|i| i.weight).sum();
        let count = self.audible().filter(|i| !i.locked).count();
        let room = 1.0 - locked;
        let why = match () {
            () if count == 0 => "no ingredient that takes part is unlocked",
            () if room <= 0.0 => "the locked ones add up to 1 or more",
            () if free < 0.0 => "the unlocked ones add up to less than 0",
            () => "",
        };
        if !why.is_empty() {
            return Err(Error::Input(format!("The weights cannot be normalised: {why}.")));
        }
        let solo = self.ingredients.iter().any(|i| i.solo);
        for i in self.ingredients.iter_mut().filter(|i| !i.muted && (i.solo || !solo) && !i.locked) {
            i.weight = if free > 0.0 { i.weight * room / free } else { room / count as f64 };
        }
        Ok(())
    }

    /// Sets an ingredient's weight; false, and nothing changes, if there is no such ingredient, it is locked, or the weight is not finite.
    pub fn set_weight(&mut self, index: usize, weight: f64) -> bool {
        match self.ingredients.get_mut(index) {
            Some(i) if !i.locked && weight.is_finite() => {
                i.weight = weight;
                true
            }
            _ => false,
        }
    }

    /// The recipe; `None` if nothing is audible (or the audible weights add up to 0 where they are to be brought to 1).
    pub fn to_recipe(&self) -> Option<Recipe> {
        let weighted = matches!(self.rule, Rule::Weighted | Rule::Sum | Rule::Arithmetic | Rule::Decay);
        let item = |i: &Ingredient| Term { weight: if weighted { i.weight } else { 1.0 }, recipe: i.recipe() };
        let items: Vec<Term> = self.audible().map(item).collect();
        let last = items.last()?.recipe.clone();
        let total: f64 = self.audible().map(|i| i.weight).sum();
        let shares = matches!(self.rule, Rule::Weighted | Rule::Slerp) || (self.rule == Rule::Decay && self.z == Divisor::Weights);
        if shares && total.abs() < 1e-12 {
            return None;
        }
        let plain = || self.audible().map(|i| Term { weight: 1.0, recipe: i.recipe() }).collect();
        let window = match self.conv {
            Window::Rule => None,
            Window::Last => Some(last),
            Window::Mean => Some(Recipe::Mean { items: plain() }),
            Window::Query => Some(Recipe::Query),
        };
        let mut recipe = match self.rule {
            Rule::Weighted | Rule::Mean => Recipe::Mean { items },
            Rule::Sum => Recipe::Sum { items },
            Rule::Softmax => Recipe::Softmax { items, tau: self.tau },
            Rule::Decay => Recipe::Decay { items, gamma: self.gamma, z: self.z },
            Rule::PicasoS => Recipe::PicasoS { items },
            Rule::PicasoR => Recipe::PicasoR { items },
            Rule::Arithmetic => Recipe::Arith { items },
            Rule::Slerp => Recipe::Slerp { items, t: self.audible().last().map_or(0.0, |i| i.weight / total) },
            Rule::Ties => Recipe::Ties { items, density: self.density, lambda: 1.0 },
            Rule::Dare => Recipe::Dare { items, p: self.drop, seed: self.seed },
        };
        if self.match_norm {
            recipe = Recipe::MatchNorm { of: Box::new(recipe) };
        }
        if self.lambda < 1.0 {
            recipe = Recipe::WithQuery { of: Box::new(recipe), lambda: Some(self.lambda) };
        }
        if let Some(window) = window {
            recipe = Recipe::Conv { of: Box::new(recipe), from: Box::new(window) };
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
        s.normalise().unwrap();
        let weights = |s: &Soup| s.ingredients.iter().map(|i| i.weight).collect::<Vec<f64>>();
        assert_eq!(weights(&s), [0.125, 0.375, 0.5, 9.0]);
        // What a solo silences is as good as muted; a lock that takes no part leaves its share to the others.
        s.ingredients[0].solo = true;
        s.normalise().unwrap();
        assert_eq!(weights(&s), [1.0, 0.375, 0.5, 9.0]);
        let mut s = soup(&[0.0, 0.0]);
        s.normalise().unwrap();
        assert_eq!(weights(&s), [0.5, 0.5]);
    }

    #[test]
    fn what_cannot_be_normalised_stays_as_it_is_and_says_why() {
        let refused = |mut s: Soup, why: &str| {
            let before = s.clone();
            let error = s.normalise().unwrap_err().to_string();
            assert!(error.contains(why) && s == before, "{error}");
        };
        let mut full = soup(&[1.0, 2.0]);
        full.ingredients[0].locked = true;
        refused(full.clone(), "the locked ones add up to 1 or more");
        full.ingredients[1].muted = true;
        refused(full, "no ingredient that takes part is unlocked");
        refused(soup(&[]), "no ingredient that takes part");
        refused(soup(&[1.0, -2.0]), "less than 0");
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
        let mut s = soup(&[1.0, 3.0]);
        s.rule = Rule::Slerp;
        s.conv = Window::Last;
        s.match_norm = true;
        assert_eq!(s.to_recipe().unwrap().to_string(), "(slerp(t/0, t/1; t=0.75) | match_norm) | conv(t/1)");
        s.ingredients[0].weight = -3.0;
        assert_eq!(s.to_recipe(), None);
    }

    /// What every rule makes of a soup is a recipe that reads back as itself.
    #[test]
    fn every_rule_has_a_text() {
        for rule in Rule::ALL {
            let s = Soup {
                rule,
                gamma: f64::INFINITY,
                conv: Window::Mean,
                layer_weights: Some(vec![0.5, 1.0]),
                seed: u64::MAX,
                ..soup(&[0.25, 0.5])
            };
            let recipe = s.to_recipe().unwrap();
            assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
            assert_eq!(serde_json::from_str::<Soup>(&serde_json::to_string(&s).unwrap()).unwrap(), s);
        }
        assert_eq!(toml::from_str::<Soup>("").unwrap(), Soup::default());
    }

    #[test]
    fn locked_weights_stay() {
        let mut s = soup(&[1.0, 2.0]);
        s.ingredients[0].locked = true;
        assert!(!s.set_weight(0, 0.5) && !s.set_weight(7, 0.5) && !s.set_weight(1, f64::NAN));
        assert!(s.set_weight(1, 0.5));
        assert_eq!((s.ingredients[0].weight, s.ingredients[1].weight), (1.0, 0.5));
    }
}
