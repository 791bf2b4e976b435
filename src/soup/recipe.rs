//! A recipe: a typed expression that yields a state. Its text (see `parse`) and its structure
//! (serde) say the same; its hash is its identity.

use super::{Needs, Rule, Value};
use crate::error::{Error, Result};
use crate::state::{Decay, Layout, State};
use serde::{Deserialize, Serialize};

/// What the names in a recipe stand for.
pub trait Resolver {
    /// Sizes of the model's states.
    fn shape(&self) -> Layout;
    /// The model's decay rates.
    fn decay(&self) -> &Decay;
    /// A skill's state.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is none of that id.
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
    /// The posterior of these skills and tasks given the query's examples, in their order; what is
    /// missing to 1 is that of none of them.
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
    /// The mean of a task's skills, where it is at hand; `None` where it has to be made.
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
    /// The recipe that `auto` stands for at this query: one that names neither `auto` nor `top(n)`.
    ///
    /// # Errors
    /// [`Input`](crate::error::Error::Input) if there is no query.
    fn auto(&self) -> Result<Recipe> {
        Err(no_evidence())
    }
    /// Σ w·(skill's state) in one piece, where that is quicker than skill by skill; `None` where it
    /// is not.
    ///
    /// # Errors
    /// As [`Self::skill`].
    fn weighted(&self, _parts: &[(&str, f64)]) -> Result<Option<State>> {
        Ok(None)
    }
}

fn no_evidence() -> Error {
    Error::Input("the recipe weighs skills by what they say of a query's examples, but there is no query here".into())
}

/// An item of a list, with its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Its weight; 1 if none is written.
    #[serde(default = "one")]
    pub weight: f64,
    /// What it is. In a list, a task stands for all of its skills and `top(n)` for n of them.
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
    /// From the first to before the second.
    Range(usize, usize),
    /// A weight for each layer.
    Weights(Vec<f64>),
}

/// What a sum of decayed chunks is divided by: Z of the γ family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divisor {
    /// Nothing: γ = 0 is the sum, γ = 1 is A-decay.
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
        /// How many.
        n: usize,
    },
    /// Σ w_i H_i, as written: `0.6*a + 0.4*b`.
    Plus {
        /// The terms.
        terms: Vec<Term>,
    },
    /// The state after the query's examples, read from this state instead of from nothing.
    Primed {
        /// What they are read from.
        of: Box<Recipe>,
    },
    /// The state if one of its skills or tasks explains the query's examples; else the query's.
    Gated {
        /// The state.
        of: Box<Recipe>,
    },
    /// What the evidence calls for at this query: a mix of task means and the query's own state.
    Auto,
    /// (1 − λ)·query + λ·of.
    WithQuery {
        /// What the query is mixed with.
        of: Box<Recipe>,
        /// λ; `None` is r/(r + 1) for r items, the plain average of all with the query.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lambda: Option<f64>,
    },
    /// Some layers of one state, the others of another.
    At {
        /// Acts on the layers.
        of: Box<Recipe>,
        /// Which.
        layers: Layers,
        /// The other layers' state; the empty one if none is written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Box<Recipe>>,
    },
    /// Each layer scaled to the mean norm of its items.
    MatchNorm {
        /// What is scaled.
        of: Box<Recipe>,
    },
    /// One state with the convolution windows of another.
    Conv {
        /// Gives everything else.
        of: Box<Recipe>,
        /// Gives the windows.
        from: Box<Recipe>,
    },
    /// A rule of the table over a list: `ties(a, b; density=0.2)`.
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

    /// BLAKE3 of its text, hexadecimal: its identity. Spacing, brackets that change nothing and the
    /// spelling of numbers do not matter to it.
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

    /// Whether what the query's examples say of skills changes it.
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

    /// The items of a list-like recipe.
    pub fn items(&self) -> Option<&[Term]> {
        match self {
            Self::Plus { terms: items } | Self::Mix { items, .. } => Some(items),
            _ => None,
        }
    }
}
