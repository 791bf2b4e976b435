//! Stand-in of the screen-editable soup until branch `soup` is merged.
use super::Recipe;
use std::ops::Range;

/// How ingredients become one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Mean.
    Mean,
    /// Weighted.
    Weighted,
    /// Decay.
    Decay,
}

impl Rule {
    /// All.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Weighted, Self::Decay];
    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Weighted => "weighted",
            Self::Decay => "decay",
        }
    }
}

/// One ingredient.
#[derive(Clone, Debug, PartialEq)]
pub struct Ingredient {
    /// Skill id.
    pub skill: String,
    /// Weight.
    pub weight: f64,
    /// Muted.
    pub muted: bool,
    /// Locked.
    pub locked: bool,
    /// Solo.
    pub solo: bool,
}

/// The soup.
#[derive(Clone, Debug, PartialEq)]
pub struct Soup {
    /// Ingredients.
    pub ingredients: Vec<Ingredient>,
    /// Rule.
    pub rule: Rule,
    /// γ.
    pub gamma: f64,
    /// λ.
    pub lambda: f64,
    /// τ.
    pub tau: f64,
    /// Layers.
    pub layers: Option<Range<usize>>,
    /// Weights.
    pub layer_weights: Option<Vec<f64>>,
}
impl Default for Soup {
    fn default() -> Self {
        Self { ingredients: Vec::new(), rule: Rule::Weighted, gamma: 1.0, lambda: 1.0, tau: 0.0, layers: None, layer_weights: None }
    }
}
impl Soup {
    /// Recipe.
    pub fn to_recipe(&self) -> Option<Recipe> {
        (!self.ingredients.is_empty()).then_some(Recipe::Zero)
    }
}
