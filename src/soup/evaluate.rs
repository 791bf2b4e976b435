//! Evaluates recipes. How a rule is evaluated stands in its row ([`rules`](super::rules)).

use super::items::{Items, Part, What, check_unweighted, mean, mean_norms, scalars, spell_out, states, sum};
use super::rule::Yields;
use super::{Layers, Recipe, Resolver, mix};
use crate::error::{Error, Result};
use crate::state::State;

static QUERY: Recipe = Recipe::Query;

impl Recipe {
    /// The state that the recipe yields.
    ///
    /// # Errors
    /// [`Error::Input`] for an unknown name or a value out of range; the errors of the resolver.
    pub fn evaluate(&self, names: &dyn Resolver) -> Result<State> {
        match self {
            Self::Zero => Ok(State::zeros(names.shape())),
            Self::Neutral => names.neutral(),
            Self::Query => names.query(),
            Self::Skill { id } if id.contains('/') => names.skill(id),
            Self::Skill { .. } | Self::Top { .. } => mean(&spell_out(1.0, self, names)?, names),
            Self::Plus { terms } => sum(&scalars(terms), names),
            Self::WithQuery { of, lambda } => {
                let lambda = match lambda {
                    Some(lambda) => *lambda,
                    None => of.parts(names)?.len() as f64 / (of.parts(names)?.len() as f64 + 1.0),
                };
                mix::weighted_sum(&[names.query()?, of.evaluate(names)?], &[1.0 - lambda, lambda])
            }
            Self::At { of, layers, over } => {
                let base = over.as_ref().map_or_else(|| Ok(State::zeros(names.shape())), |over| over.evaluate(names))?;
                mix::blend_layers(&of.evaluate(names)?, &base, &layers.weights(names.shape().n_layer)?)
            }
            Self::MatchNorm { of } => mix::scale_to_norms(&of.evaluate(names)?, &mean_norms(&of.parts(names)?, names)?),
            Self::Primed { of } => names.primed(of.evaluate(names)?),
            Self::Gated { of } => {
                if of.is_explained(names)? {
                    of.evaluate(names)
                } else {
                    names.query()
                }
            }
            Self::Auto => names.auto()?.evaluate(names),
            Self::Conv { of, from } => mix::with_window(&of.evaluate(names)?, &from.evaluate(names)?),
            Self::Mix { rule, values, .. } => match rule.yields {
                Yields::Answer => Err(Error::Input(format!(
                    "`{}` averages the logits of several states: it is an answer, not a state, and stands alone or in `gated(…)`",
                    rule.name
                ))),
                Yields::State(evaluate) => {
                    let parts = self.parts(names)?;
                    if parts.is_empty() {
                        return Err(Error::Input("there is nothing to mix".into()));
                    }
                    evaluate(&Items { rule, parts: &parts, values, names })
                }
            },
        }
    }

    /// The states whose mean logits answer: the states of an ensemble, otherwise the one state that
    /// the recipe yields.
    ///
    /// # Errors
    /// As [`Recipe::evaluate`].
    pub fn answering(&self, names: &dyn Resolver) -> Result<Vec<State>> {
        match self {
            _ if self.is_answer() => states(&self.parts(names)?, names),
            Self::Gated { of } if of.is_answer() => {
                if of.is_explained(names)? {
                    of.answering(names)
                } else {
                    Ok(vec![names.query()?])
                }
            }
            one => Ok(vec![one.evaluate(names)?]),
        }
    }

    /// Whether it is an ensemble: states that answer together, not one state.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Mix { rule, .. } if matches!(rule.yields, Yields::Answer))
    }

    /// Whether one of the skills and tasks in it explains the query's examples.
    fn is_explained(&self, names: &dyn Resolver) -> Result<bool> {
        let candidates = self.candidates(names)?;
        if candidates.is_empty() {
            return Err(Error::Input("`gated` looks at the skills and tasks in its recipe, and there are none".into()));
        }
        names.explains(&candidates)
    }

    /// The skills and tasks in it, each once; `top(n)` stands for the n best tasks.
    fn candidates(&self, names: &dyn Resolver) -> Result<Vec<String>> {
        let mut found: Vec<String> = Vec::new();
        let (mut tops, mut auto) = (Vec::new(), false);
        self.visit(&mut |recipe| match recipe {
            Self::Skill { id } => found.push(id.clone()),
            Self::Top { n } => tops.push(*n),
            Self::Auto => auto = true,
            _ => {}
        });
        if let Some(n) = tops.into_iter().max() {
            found.extend(names.top_tasks(n)?);
        }
        if auto {
            found.extend(names.auto()?.ingredients());
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|name| seen.insert(name.clone()));
        Ok(found)
    }

    /// The parts of the outermost mixture. The default of λ counts them, and norms are matched to
    /// theirs.
    fn parts<'r>(&'r self, names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
        match self {
            Self::WithQuery { of, .. } => {
                let mut parts = of.parts(names)?;
                parts.push(Part { weight: 1.0, what: What::Other(&QUERY) });
                Ok(parts)
            }
            Self::At { of, .. } | Self::MatchNorm { of } | Self::Conv { of, .. } | Self::Primed { of } | Self::Gated { of } => {
                of.parts(names)
            }
            Self::Plus { terms } => Ok(scalars(terms)),
            Self::Mix { rule, items, .. } => {
                if !rule.takes_weights {
                    check_unweighted(rule, items)?;
                }
                (rule.parts)(items, names)
            }
            _ => spell_out(1.0, self, names),
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
