//! What the screen edits: ingredients with weights, a rule and a few parameters. It is converted to
//! a [`Recipe`], which does the mixing.

use super::{Choice, Divisor, Layers, Recipe, Shares, Term, Value, Values, rules};
use crate::error::{Error, Result};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::ops::Range;

/// One ingredient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ingredient {
    /// Skill id, or a task's name for all of its skills.
    pub skill: String,
    /// Weight.
    pub weight: f64,
    /// Whether it is left out for now.
    pub muted: bool,
    /// Whether it keeps its weight when the others are normalised.
    pub locked: bool,
    /// If any ingredient is solo, only the solo ones count.
    pub solo: bool,
    /// Whether a task is one ingredient, the mean of its skills, rather than all of its skills,
    /// each with this weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mean: bool,
}

impl Ingredient {
    /// The recipe of this ingredient.
    pub fn recipe(&self) -> Recipe {
        let skill = Recipe::skill(&self.skill);
        if self.mean { rules::MEAN.mix(vec![Term { weight: 1.0, recipe: skill }]) } else { skill }
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
    /// From the rule (see the table in [`crate::soup`]).
    #[default]
    Rule,
    /// The last ingredient that counts.
    Last,
    /// The unweighted mean of the ingredients that count.
    Mean,
    /// The query's state.
    Query,
}

/// The soup on the screen. In a file every field is optional.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Soup {
    /// The ingredients, in order. The order matters to A-decay and PICASO-R.
    pub ingredients: Vec<Ingredient>,
    /// The rule that combines them into one state.
    pub rule: Choice,
    /// The values of the rules' parameters: those of this rule, and the last ones of other rules.
    /// In a file each is a field of the soup.
    #[serde(flatten)]
    pub values: Values,
    /// Share of the soup when it is mixed with the query's state; 1 leaves the query out.
    pub lambda: f64,
    /// Layers it acts on (the others are the query's); `None` for all layers.
    pub layers: Option<Range<usize>>,
    /// A weight for each layer, instead of the range.
    pub layer_weights: Option<Vec<f64>>,
    /// Where the convolution windows come from.
    pub conv: Window,
    /// Whether each layer is scaled to the mean norm of the ingredients'.
    pub match_norm: bool,
}

impl Default for Soup {
    fn default() -> Self {
        Self {
            ingredients: Vec::new(),
            rule: Choice::default(),
            values: Values::default(),
            lambda: 1.0,
            layers: None,
            layer_weights: None,
            conv: Window::Rule,
            match_norm: false,
        }
    }
}

/// Not derived, so that in every format each value is a field like the others.
impl Serialize for Soup {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let Self { ingredients, rule, values, lambda, layers, layer_weights, conv, match_norm } = self;
        let mut soup = to.serialize_struct("Soup", 7 + values.iter().count())?;
        soup.serialize_field("ingredients", ingredients)?;
        soup.serialize_field("rule", rule)?;
        for (field, value) in values.iter() {
            soup.serialize_field(field, &value)?;
        }
        soup.serialize_field("lambda", lambda)?;
        soup.serialize_field("layers", layers)?;
        soup.serialize_field("layer_weights", layer_weights)?;
        soup.serialize_field("conv", conv)?;
        soup.serialize_field("match_norm", match_norm)?;
        soup.end()
    }
}

impl Soup {
    /// Indices of the ingredients that count: the solo ones if there are any, otherwise all, in
    /// both cases without the muted ones. Only this function decides which count.
    pub fn audible_places(&self) -> Vec<usize> {
        let solo = self.ingredients.iter().any(|i| i.solo);
        (0..self.ingredients.len()).filter(|&at| !self.ingredients[at].muted && (self.ingredients[at].solo || !solo)).collect()
    }

    /// The ingredients that count, in order.
    pub fn audible(&self) -> impl Iterator<Item = &Ingredient> {
        self.audible_places().into_iter().filter_map(|at| self.ingredients.get(at))
    }

    /// Whether the ingredient at this index counts.
    pub fn is_audible(&self, place: usize) -> bool {
        self.audible_places().contains(&place)
    }

    /// The ingredients that count and are unlocked, mutably.
    fn free_mut(&mut self) -> impl Iterator<Item = &mut Ingredient> {
        let places = self.audible_places();
        self.ingredients.iter_mut().enumerate().filter(move |(at, i)| places.contains(at) && !i.locked).map(|(_, i)| i)
    }

    /// Sets the unlocked weights of the ingredients that count ([`Soup::audible`]) to equal shares
    /// of 1 minus the locked weights, or to 1 each if the locked ones add up to 1 or more. The
    /// other ingredients keep their weights.
    pub fn level(&mut self) {
        let locked: f64 = self.audible().filter(|i| i.locked).map(|i| i.weight).sum();
        let free = self.audible().filter(|i| !i.locked).count();
        let share = if locked < 1.0 { (1.0 - locked) / free as f64 } else { 1.0 };
        self.free_mut().for_each(|i| i.weight = share);
    }

    /// Normalises the weights of the ingredients that count ([`Soup::audible`]) to a sum of 1.
    /// Locked weights stay; the others share the rest in proportion, or equally if they add up to
    /// 0. The other ingredients keep their weights.
    ///
    /// # Errors
    /// [`Error::Input`], and nothing changes, if the locked weights add up to 1 or more, no
    /// ingredient that counts is unlocked, or the unlocked weights add up to less than 0.
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
        self.free_mut().for_each(|i| i.weight = if free > 0.0 { i.weight * room / free } else { room / count as f64 });
        Ok(())
    }

    /// Sets an ingredient's weight. Returns false and changes nothing if there is no such
    /// ingredient, it is locked, or the weight is not finite.
    pub fn set_weight(&mut self, index: usize, weight: f64) -> bool {
        match self.ingredients.get_mut(index) {
            Some(i) if !i.locked && weight.is_finite() => {
                i.weight = weight;
                true
            }
            _ => false,
        }
    }

    /// The soup's recipe; `None` if no ingredient counts, or if the weights that count add up to 0
    /// and the rule divides by their sum.
    pub fn to_recipe(&self) -> Option<Recipe> {
        let mut recipe = self.mix()?;
        if self.match_norm {
            recipe = Recipe::MatchNorm { of: Box::new(recipe) };
        }
        if self.lambda < 1.0 {
            recipe = Recipe::WithQuery { of: Box::new(recipe), lambda: Some(self.lambda) };
        }
        if let Some(window) = self.window() {
            recipe = Recipe::Conv { of: Box::new(recipe), from: Box::new(window) };
        }
        let layers = match (&self.layer_weights, &self.layers) {
            (Some(weights), _) => Layers::Weights(weights.clone()),
            (None, Some(range)) => Layers::Range(range.start, range.end),
            (None, None) => return Some(recipe),
        };
        Some(Recipe::At { of: Box::new(recipe), layers, over: Some(Box::new(Recipe::Query)) })
    }

    /// The rule over the ingredients that count, without layers, windows, query and norms.
    fn mix(&self) -> Option<Recipe> {
        let Choice { rule, offer } = self.rule;
        let last = self.audible().last()?;
        let total: f64 = self.audible().map(|i| i.weight).sum();
        let mut values = self.rule.values(&self.values);
        let divides = matches!(offer.shares, Shares::Normalised | Shares::Along(_)) || values.contains(&Value::Divisor(Divisor::Weights));
        if divides && total.abs() < 1e-12 {
            return None;
        }
        if let Shares::Along(key) = offer.shares {
            let place = rule.parameters.iter().position(|p| p.key == key)?;
            *values.get_mut(place)? = Value::Number(last.weight / total);
        }
        let weighted = matches!(offer.shares, Shares::Plain | Shares::Normalised);
        let item = |i: &Ingredient| Term { weight: if weighted { i.weight } else { 1.0 }, recipe: i.recipe() };
        Some(Recipe::Mix { rule, items: self.audible().map(item).collect(), values })
    }

    /// The recipe that gives the convolution windows; `None` for the rule's own windows, or if it
    /// needs the last ingredient and none counts.
    fn window(&self) -> Option<Recipe> {
        match self.conv {
            Window::Rule => None,
            Window::Last => self.audible().last().map(Ingredient::recipe),
            Window::Mean => Some(self.plain_mean()),
            Window::Query => Some(Recipe::Query),
        }
    }

    /// The unweighted mean of the ingredients that count.
    pub(super) fn plain_mean(&self) -> Recipe {
        rules::MEAN.mix(self.audible().map(|i| Term { weight: 1.0, recipe: i.recipe() }).collect())
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
        // An ingredient that a solo silences counts as muted; a locked one that does not count
        // leaves its share to the others.
        s.ingredients[0].solo = true;
        s.normalise().unwrap();
        assert_eq!(weights(&s), [1.0, 0.375, 0.5, 9.0]);
        let mut s = soup(&[0.0, 0.0]);
        s.normalise().unwrap();
        assert_eq!(weights(&s), [0.5, 0.5]);
    }

    #[test]
    fn levelling_shares_out_what_takes_part() {
        let weights = |s: &Soup| s.ingredients.iter().map(|i| i.weight).collect::<Vec<f64>>();
        let mut s = soup(&[0.7, 1.0, 3.0]);
        s.ingredients[0].muted = true;
        s.level();
        assert_eq!(weights(&s), [0.7, 0.5, 0.5]);
        assert_eq!(s.to_recipe().unwrap().to_string(), "mean(0.5*t/1, 0.5*t/2)");
        // A locked ingredient keeps its share, but only if it counts.
        s.ingredients[1].weight = 0.25;
        s.ingredients[1].locked = true;
        s.level();
        assert_eq!(weights(&s), [0.7, 0.25, 0.75]);
        s.ingredients[0].muted = false;
        s.ingredients[1].muted = true;
        s.level();
        assert_eq!(weights(&s), [0.5, 0.25, 0.5]);
        // An ingredient that a solo silences keeps its weight.
        s.ingredients[2].solo = true;
        s.level();
        assert_eq!(weights(&s), [0.5, 0.25, 1.0]);
        assert_eq!((0..4).map(|at| s.is_audible(at)).collect::<Vec<bool>>(), [false, false, true, false]);
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
        s.rule = Choice::of("decay").unwrap();
        s.lambda = 0.5;
        s.layers = Some(2..4);
        assert_eq!(s.to_recipe().unwrap().to_string(), "(decay(0.4*t/1; gamma=1) | with_query(0.5)) @ 2..4 | over(query)");
        let mut s = soup(&[1.0, 3.0]);
        s.rule = Choice::of("slerp").unwrap();
        s.conv = Window::Last;
        s.match_norm = true;
        assert_eq!(s.to_recipe().unwrap().to_string(), "(slerp(t/0, t/1; t=0.75) | match_norm) | conv(t/1)");
        s.ingredients[0].weight = -3.0;
        assert_eq!(s.to_recipe(), None);
    }

    /// For every rule, the recipe of a soup reads back as itself.
    #[test]
    fn every_rule_has_a_text() {
        for rule in Choice::all() {
            let s = Soup {
                rule,
                values: Values::default().with("gamma", f64::INFINITY).with("seed", u64::MAX),
                conv: Window::Mean,
                layer_weights: Some(vec![0.5, 1.0]),
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
