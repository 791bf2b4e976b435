//! A recipe: a typed expression that yields a state. Its text (see `parse`) and its structure
//! (serde) are equivalent; its hash is its identity.

use super::{Needs, Rule, Value};
use crate::error::{Error, Result};
use crate::state::{Decay, Layout, State};
use serde::{Deserialize, Serialize};

/// Resolves the names in a recipe to states.
pub trait Resolver {
    /// The layout of the model's states.
    fn shape(&self) -> Layout;
    /// The model's decay rates.
    fn decay(&self) -> &Decay;
    /// A skill's state.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no skill of that id.
    fn skill(&self, id: &str) -> Result<State>;
    /// The ids of a task's skills.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no such task.
    fn task(&self, name: &str) -> Result<Vec<String>>;
    /// The state after the query's examples.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn query(&self) -> Result<State>;
    /// The best-ranked skills with their similarities, best first.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn top(&self, n: usize) -> Result<Vec<(String, f32)>>;
    /// A skill's similarity to the query.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query or no such skill.
    fn similarity(&self, id: &str) -> Result<f32>;
    /// h0: the state that arithmetic starts from.
    ///
    /// # Errors
    /// The model's.
    fn neutral(&self) -> Result<State>;
    /// The names of the best-ranked tasks, best first.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn top_tasks(&self, _n: usize) -> Result<Vec<String>> {
        Err(no_evidence())
    }
    /// The posterior of these skills and tasks given the query's examples, in their order; the rest
    /// of 1 is the posterior of none of them.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query or no such skill or task.
    fn posterior(&self, _candidates: &[String]) -> Result<Vec<f64>> {
        Err(no_evidence())
    }
    /// Whether one of these skills and tasks explains the query's examples.
    ///
    /// # Errors
    /// As [`Self::posterior`].
    fn explains(&self, _candidates: &[String]) -> Result<bool> {
        Err(no_evidence())
    }
    /// The mean of a task's skills if it is cached; `None` if it has to be computed.
    ///
    /// # Errors
    /// As [`Self::task`].
    fn mean_of(&self, _task: &str) -> Result<Option<State>> {
        Ok(None)
    }
    /// The state after the query's examples when they are read from this state.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn primed(&self, _state: State) -> Result<State> {
        Err(no_evidence())
    }
    /// The recipe that `auto` stands for with this query. It contains neither `auto` nor `top(n)`.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn auto(&self) -> Result<Recipe> {
        Err(no_evidence())
    }
    /// Σ w·(skill's state), computed at once where that is faster than skill by skill; otherwise
    /// `None`.
    ///
    /// # Errors
    /// As [`Self::skill`].
    fn weighted(&self, _parts: &[(&str, f64)]) -> Result<Option<State>> {
        Ok(None)
    }
}

fn no_evidence() -> Error {
    Error::Input("the recipe weighs skills by what they say about a query's examples, but there is no query here".into())
}

/// An item of a list, with its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Its weight; 1 if none is written.
    #[serde(default = "one")]
    pub weight: f64,
    /// The item. In a list, a task stands for all of its skills and `top(n)` for n skills.
    #[serde(flatten)]
    pub recipe: Recipe,
}

fn one() -> f64 {
    1.0
}

/// Layers a recipe acts on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layers {
    /// From the first, up to but not including the second.
    Range(usize, usize),
    /// A weight for each layer.
    Weights(Vec<f64>),
}

/// What a sum of decayed chunks is divided by: Z of the γ family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divisor {
    /// 1: γ = 0 is the sum, γ = 1 is A-decay.
    #[default]
    One,
    /// The number of items: γ = 0 is the mean.
    Count,
    /// The sum of the weights: γ = 0 is the weighted mean.
    Weights,
}

/// An expression that yields a state.
///
/// ```
/// use state_soup::soup::Recipe;
///
/// let recipe: Recipe = "0.6*antonym/0 + 0.4*antonym/1".parse()?;
/// assert_eq!(recipe.ingredients(), ["antonym/0", "antonym/1"]);
/// assert_eq!(recipe.to_string().parse::<Recipe>()?, recipe);
///
/// let wrong = "0.6 antonym/0".parse::<Recipe>().unwrap_err();
/// assert!(wrong.to_string().starts_with("recipe, column 5"));
/// # Ok::<(), state_soup::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op", try_from = "super::file::Fields")]
pub enum Recipe {
    /// The empty state.
    Zero,
    /// h0: the state after the beginning-of-text token.
    Neutral,
    /// The state after the query's examples.
    Query,
    /// A skill (`antonym/0`) or a task (`antonym`, the mean of its skills; in a list, all of them).
    Skill {
        /// Its id or name.
        id: String,
    },
    /// The n best-ranked skills: their mean; in a list, all of them, best first.
    Top {
        /// The number of skills.
        n: usize,
    },
    /// Σ w_i H_i, as written: `0.6*a + 0.4*b`.
    Plus {
        /// The terms.
        terms: Vec<Term>,
    },
    /// The state after the query's examples, read from this state instead of from h0.
    Primed {
        /// The state they are read from.
        of: Box<Recipe>,
    },
    /// The state if one of its skills or tasks explains the query's examples; otherwise the query's
    /// state.
    Gated {
        /// The state.
        of: Box<Recipe>,
    },
    /// The mix of task means and the query's own state that the evidence selects for this query.
    Auto,
    /// (1 − λ)·query + λ·of.
    WithQuery {
        /// The state that the query's is mixed with.
        of: Box<Recipe>,
        /// λ; `None` is r/(r + 1) for r items, so that the query weighs as much as each item of a
        /// mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lambda: Option<f64>,
    },
    /// Some layers of one state, the others of another.
    At {
        /// The state that gives these layers.
        of: Box<Recipe>,
        /// The layers.
        layers: Layers,
        /// The state that gives the other layers; the empty state by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Box<Recipe>>,
    },
    /// Each layer scaled to the mean norm of that layer in the items.
    MatchNorm {
        /// The state that is scaled.
        of: Box<Recipe>,
    },
    /// One state with the convolution windows of another.
    Conv {
        /// The state that gives everything else.
        of: Box<Recipe>,
        /// The state that gives the windows.
        from: Box<Recipe>,
    },
    /// A rule of [`rules`](super::rules) over a list: `ties(a, b; density=0.2)`.
    #[serde(untagged, serialize_with = "super::file::write_mix")]
    Mix {
        /// The rule.
        rule: &'static Rule,
        /// Its items.
        items: Vec<Term>,
        /// A value for each of the rule's parameters, in their order.
        values: Vec<Value>,
    },
}

impl Recipe {
    /// A skill or task.
    pub fn skill(id: impl Into<String>) -> Self {
        Self::Skill { id: id.into() }
    }

    /// BLAKE3 of its text, hexadecimal: its identity. It does not depend on spacing, redundant
    /// brackets or the spelling of numbers.
    pub fn hash(&self) -> String {
        blake3::hash(self.to_string().as_bytes()).to_hex().to_string()
    }

    /// Skills and tasks it names, in order, each once.
    pub fn ingredients(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.visit(&mut |recipe| {
            if let Self::Skill { id } = recipe
                && !names.contains(id)
            {
                names.push(id.clone());
            }
        });
        names
    }

    /// Whether it can only be evaluated with a query.
    pub fn needs_query(&self) -> bool {
        let mut needs = false;
        self.visit(&mut |r| {
            needs |= match r {
                Self::Query | Self::Top { .. } | Self::WithQuery { .. } | Self::Primed { .. } | Self::Gated { .. } | Self::Auto => true,
                Self::Mix { rule, .. } => rule.needs != Needs::Nothing,
                _ => false,
            };
        });
        needs
    }

    pub(super) fn visit(&self, each: &mut dyn FnMut(&Self)) {
        each(self);
        if let Some(items) = self.items() {
            items.iter().for_each(|term| term.recipe.visit(each));
        }
        match self {
            Self::WithQuery { of, .. } | Self::MatchNorm { of } | Self::Primed { of } | Self::Gated { of } => of.visit(each),
            Self::Conv { of, from } => {
                of.visit(each);
                from.visit(each);
            }
            Self::At { of, over, .. } => {
                of.visit(each);
                if let Some(over) = over {
                    over.visit(each);
                }
            }
            _ => {}
        }
    }

    /// Whether it depends on the evidence of the query's examples for skills.
    pub fn reads_evidence(&self) -> bool {
        let mut reads = false;
        self.visit(&mut |r| {
            reads |= match r {
                Self::Gated { .. } | Self::Auto => true,
                Self::Mix { rule, .. } => rule.needs == Needs::Evidence,
                _ => false,
            };
        });
        reads
    }

    /// Whether the query's own state is part of it.
    pub fn reads_query(&self) -> bool {
        let mut reads = false;
        self.visit(&mut |r| {
            reads |= matches!(r, Self::Query | Self::WithQuery { .. } | Self::Primed { .. } | Self::Gated { .. } | Self::Auto);
        });
        reads
    }

    /// The items of a sum or a rule; `None` for any other recipe.
    pub fn items(&self) -> Option<&[Term]> {
        match self {
            Self::Plus { terms: items } | Self::Mix { items, .. } => Some(items),
            _ => None,
        }
    }
}
