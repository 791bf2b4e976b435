//! A recipe: a typed expression that yields a state. Its text (see `parse`) and its structure (serde) say the same; its hash is its identity.

use super::{decay, merge, mix, picaso};
use crate::error::{Error, Result};
use crate::state::{DecayRates, State, StateShape};
use serde::{Deserialize, Serialize};

/// What the names in a recipe stand for.
pub trait Resolver {
    /// Sizes of the model's states.
    fn shape(&self) -> StateShape;
    /// The model's decay rates.
    fn rates(&self) -> &DecayRates;
    /// A skill's state.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none of that id.
    fn skill(&self, id: &str) -> Result<State>;
    /// The ids of a task's skills.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such task.
    fn task(&self, name: &str) -> Result<Vec<String>>;
    /// The state after the query's examples.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no query.
    fn query(&self) -> Result<State>;
    /// The best-ranked skills with their similarities, best first.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no query.
    fn top(&self, n: usize) -> Result<Vec<(String, f32)>>;
    /// A skill's similarity to the query.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no query or no such skill.
    fn similarity(&self, id: &str) -> Result<f32>;
    /// h0: the state that arithmetic starts from.
    ///
    /// # Errors
    /// The model's.
    fn neutral(&self) -> Result<State>;
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

/// An expression that yields a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
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
    /// The mean, weighted where weights are written.
    Mean {
        /// The items.
        items: Vec<Term>,
    },
    /// The sum.
    Sum {
        /// The items.
        items: Vec<Term>,
    },
    /// Weights by softmax(similarity/τ).
    Softmax {
        /// The items; skills only.
        items: Vec<Term>,
        /// Temperature.
        tau: f64,
    },
    /// A-decay, items in order.
    Decay {
        /// The items, first chunk first.
        items: Vec<Term>,
        /// Scales the decay: 0 none, 1 the model's, inf the last chunk alone.
        #[serde(with = "maybe_infinite")]
        gamma: f64,
        /// Divide by the number of items.
        averaged: bool,
    },
    /// A-decay averaged over all orders.
    PicasoS {
        /// The items.
        items: Vec<Term>,
    },
    /// A-decay averaged over the rotations of the order.
    PicasoR {
        /// The items.
        items: Vec<Term>,
    },
    /// h0 + Σ λ_i (H_i − h0).
    Arith {
        /// The items, weighted by λ_i.
        items: Vec<Term>,
    },
    /// From the first item (t = 0) to the second (t = 1) along the sphere.
    Slerp {
        /// Two items.
        items: Vec<Term>,
        /// How far.
        t: f64,
    },
    /// Trim, elect sign, merge.
    Ties {
        /// The items.
        items: Vec<Term>,
        /// Share of entries kept.
        density: f64,
        /// Scales the result.
        lambda: f64,
    },
    /// Drop and rescale.
    Dare {
        /// The items.
        items: Vec<Term>,
        /// Share of entries dropped.
        p: f64,
        /// Seed of the draw.
        seed: u64,
    },
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
}

/// JSON has no infinity: it is written as the text `inf`.
mod maybe_infinite {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if value.is_infinite() { to.serialize_str("inf") } else { to.serialize_f64(*value) }
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        match Either::deserialize(from)? {
            Either::Number(n) => Ok(n),
            Either::Text(t) if t == "inf" => Ok(f64::INFINITY),
            Either::Text(t) => Err(D::Error::custom(format!("`{t}` is no number"))),
        }
    }
}

/// One item of a list after tasks and `top(n)` were spelled out.
struct Part {
    weight: f64,
    state: State,
    id: Option<String>,
}

impl Recipe {
    /// A skill or task.
    pub fn skill(id: impl Into<String>) -> Self {
        Self::Skill { id: id.into() }
    }

    /// BLAKE3 of its text, hexadecimal: its identity.
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
        self.visit(&mut |r| needs |= matches!(r, Self::Query | Self::Top { .. } | Self::Softmax { .. } | Self::WithQuery { .. }));
        needs
    }

    fn visit(&self, each: &mut dyn FnMut(&Self)) {
        each(self);
        if let Some(items) = self.items() {
            items.iter().for_each(|term| term.recipe.visit(each));
        }
        match self {
            Self::WithQuery { of, .. } | Self::MatchNorm { of } => of.visit(each),
            Self::At { of, over, .. } => {
                of.visit(each);
                if let Some(over) = over {
                    over.visit(each);
                }
            }
            _ => {}
        }
    }

    /// The items of a list-like recipe.
    pub fn items(&self) -> Option<&[Term]> {
        match self {
            Self::Plus { terms: items }
            | Self::Mean { items }
            | Self::Sum { items }
            | Self::Softmax { items, .. }
            | Self::Decay { items, .. }
            | Self::PicasoS { items }
            | Self::PicasoR { items }
            | Self::Arith { items }
            | Self::Slerp { items, .. }
            | Self::Ties { items, .. }
            | Self::Dare { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The state.
    ///
    /// # Errors
    /// [`Error::Input`] for a name that stands for nothing or a value out of range; what the resolver reports.
    pub fn evaluate(&self, names: &dyn Resolver) -> Result<State> {
        match self {
            Self::Zero => Ok(State::zeros(names.shape())),
            Self::Neutral => names.neutral(),
            Self::Query => names.query(),
            Self::Skill { id } if id.contains('/') => names.skill(id),
            Self::Skill { .. } | Self::Top { .. } => mean_of(&expand(&[Term { weight: 1.0, recipe: self.clone() }], names)?),
            Self::Plus { terms } => {
                let states = terms.iter().map(|t| t.recipe.evaluate(names)).collect::<Result<Vec<_>>>()?;
                mix::weighted_sum(&states, &terms.iter().map(|t| t.weight).collect::<Vec<_>>())
            }
            Self::WithQuery { of, lambda } => {
                let query = names.query()?;
                let r = of.count(names)? as f64;
                let lambda = lambda.unwrap_or(r / (r + 1.0));
                mix::weighted_sum(&[query, of.evaluate(names)?], &[1.0 - lambda, lambda])
            }
            Self::At { of, layers, over } => {
                let base = over.as_ref().map_or_else(|| Ok(State::zeros(names.shape())), |over| over.evaluate(names))?;
                mix::blend_layers(&of.evaluate(names)?, &base, &layers.weights(names.shape().n_layer)?)
            }
            Self::MatchNorm { of } => {
                let parts = of.norm_parts(names)?;
                mix::match_norm(&of.evaluate(names)?, &parts)
            }
            list => list.evaluate_list(&expand(list.items().unwrap_or_default(), names)?, names),
        }
    }

    fn evaluate_list(&self, parts: &[Part], names: &dyn Resolver) -> Result<State> {
        let states: Vec<State> = parts.iter().map(|p| p.state.clone()).collect();
        let weights: Vec<f64> = parts.iter().map(|p| p.weight).collect();
        let unweighted = |what: &str| {
            if weights.iter().all(|w| *w == 1.0) { Ok(()) } else { Err(Error::Input(format!("{what} takes no weights on its items"))) }
        };
        match self {
            Self::Sum { .. } => mix::weighted_sum(&states, &weights),
            Self::Softmax { tau, .. } => {
                unweighted("softmax")?;
                let similarity = |p: &Part| match &p.id {
                    Some(id) => names.similarity(id).map(f64::from),
                    None => Err(Error::Input("softmax weighs skills by their similarity to the query; its items must be skills".into())),
                };
                let scores = parts.iter().map(similarity).collect::<Result<Vec<_>>>()?;
                mix::weighted_sum(&states, &mix::softmax(&scores, *tau)?)
            }
            Self::Decay { gamma, averaged, .. } => {
                let z = if *averaged { states.len() as f64 } else { 1.0 };
                decay::compose(&states, &weights, names.rates(), *gamma, z)
            }
            Self::PicasoS { .. } => unweighted("picaso_s").and_then(|()| picaso::all_orders(&states, names.rates())),
            Self::PicasoR { .. } => unweighted("picaso_r").and_then(|()| picaso::rotations(&states, names.rates())),
            Self::Arith { .. } => mix::arithmetic(&names.neutral()?, &states, &weights),
            Self::Slerp { t, .. } => {
                unweighted("slerp")?;
                match &states[..] {
                    [a, b] => merge::slerp(&names.neutral()?, a, b, *t),
                    _ => Err(Error::Input(format!("slerp takes two items, not {}", states.len()))),
                }
            }
            Self::Ties { density, lambda, .. } => {
                unweighted("ties").and_then(|()| merge::ties(&names.neutral()?, &states, *density, *lambda))
            }
            Self::Dare { p, seed, .. } => unweighted("dare").and_then(|()| merge::dare(&names.neutral()?, &states, *p, *seed)),
            _ => mean_of(parts),
        }
    }

    /// How many states its list has; 1 for anything that is no list.
    fn count(&self, names: &dyn Resolver) -> Result<usize> {
        match (self, self.items()) {
            (Self::Top { n }, _) => Ok(names.top(*n)?.len()),
            (Self::Skill { id }, _) if !id.contains('/') => Ok(names.task(id)?.len()),
            (_, Some(items)) => items
                .iter()
                .map(|t| if matches!(t.recipe, Self::Top { .. } | Self::Skill { .. }) { t.recipe.count(names) } else { Ok(1) })
                .sum(),
            _ => Ok(1),
        }
    }

    fn norm_parts(&self, names: &dyn Resolver) -> Result<Vec<State>> {
        match self {
            Self::WithQuery { of, .. } => {
                let mut parts = of.norm_parts(names)?;
                parts.push(names.query()?);
                Ok(parts)
            }
            Self::At { of, .. } | Self::MatchNorm { of } => of.norm_parts(names),
            _ => match self.items() {
                Some(items) => Ok(expand(items, names)?.into_iter().map(|p| p.state).collect()),
                None => Ok(expand(&[Term { weight: 1.0, recipe: self.clone() }], names)?.into_iter().map(|p| p.state).collect()),
            },
        }
    }
}

impl Layers {
    fn weights(&self, n_layer: usize) -> Result<Vec<f64>> {
        match self {
            Self::Range(from, to) if from < to && *to <= n_layer => {
                Ok((0..n_layer).map(|l| f64::from(u8::from(l >= *from && l < *to))).collect())
            }
            Self::Range(from, to) => Err(Error::Input(format!("the layers {from}..{to} are not a range of the model's 0..{n_layer}"))),
            Self::Weights(weights) => Ok(weights.clone()),
        }
    }
}

fn mean_of(parts: &[Part]) -> Result<State> {
    let states: Vec<State> = parts.iter().map(|p| p.state.clone()).collect();
    mix::mean(&states, &parts.iter().map(|p| p.weight).collect::<Vec<_>>())
}

/// The states of a list: tasks and `top(n)` spelled out, each skill with the item's weight.
fn expand(items: &[Term], names: &dyn Resolver) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for Term { weight, recipe } in items {
        let ids = match recipe {
            Recipe::Top { n } => names.top(*n)?.into_iter().map(|(id, _)| id).collect(),
            Recipe::Skill { id } if id.contains('/') => vec![id.clone()],
            Recipe::Skill { id } => names.task(id)?,
            other => {
                parts.push(Part { weight: *weight, state: other.evaluate(names)?, id: None });
                continue;
            }
        };
        for id in ids {
            parts.push(Part { weight: *weight, state: names.skill(&id)?, id: Some(id) });
        }
    }
    if parts.is_empty() { Err(Error::Input("there is nothing to mix".into())) } else { Ok(parts) }
}
