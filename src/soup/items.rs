//! The arguments of a rule's function: its items, expanded into parts, and its values.
//!
//! States are fetched one at a time where the rule allows it (sums, means, A-decay), so that the
//! mean of a whole library of a large model needs the memory of two states. PICASO and the merges
//! need all of their states at once.

use super::mix::{self, WeightedSum};
use super::{Divisor, Recipe, Resolver, Rule, Term, Value};
use crate::error::{Error, Result};
use crate::state::State;

/// One state of a list after tasks and `top(n)` are expanded, with its weight.
pub(super) struct Part<'r> {
    pub weight: f64,
    pub what: What<'r>,
}

pub(super) enum What<'r> {
    Skill(String),
    /// The mean of a task's skills.
    Task(String),
    Other(&'r Recipe),
}

impl Part<'_> {
    pub fn state(&self, names: &dyn Resolver) -> Result<State> {
        match &self.what {
            What::Skill(id) => names.skill(id),
            What::Task(name) => match names.mean_of(name)? {
                Some(mean) => Ok(mean),
                None => mean(&skills(1.0, names.task(name)?), names),
            },
            What::Other(recipe) => recipe.evaluate(names),
        }
    }
}

/// The arguments of a rule's function: at least one part, and a value for each of its parameters.
pub(super) struct Items<'a> {
    pub rule: &'static Rule,
    pub parts: &'a [Part<'a>],
    pub values: &'a [Value],
    pub names: &'a dyn Resolver,
}

impl Items<'_> {
    /// The number of parts.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    pub fn weights(&self) -> Vec<f64> {
        weights(self.parts)
    }

    /// All states at once.
    pub fn states(&self) -> Result<Vec<State>> {
        states(self.parts, self.names)
    }

    /// Σ w_i H_i with these weights.
    pub fn weighted(&self, weights: &[f64]) -> Result<State> {
        weighted(self.parts, weights, self.names)
    }

    fn value(&self, key: &str) -> Result<Value> {
        let values = self.rule.parameters.iter().zip(self.values);
        values
            .filter(|(p, _)| p.key == key)
            .map(|(_, value)| *value)
            .next()
            .ok_or_else(|| Error::Input(format!("`{}` is given no `{key}`", self.rule.name)))
    }

    pub fn number(&self, key: &str) -> Result<f64> {
        match self.value(key)? {
            Value::Number(value) => Ok(value),
            other => Err(Error::Input(format!("`{key}` of `{}` is {other}; it must be a number", self.rule.name))),
        }
    }

    pub fn whole(&self, key: &str) -> Result<u64> {
        match self.value(key)? {
            Value::Whole(value) => Ok(value),
            other => Err(Error::Input(format!("`{key}` of `{}` is {other}; it must be a whole number", self.rule.name))),
        }
    }

    /// The number that the sum is divided by.
    pub fn divisor(&self, key: &str) -> Result<f64> {
        match self.value(key)? {
            Value::Divisor(Divisor::One) => Ok(1.0),
            Value::Divisor(Divisor::Count) => Ok(self.count() as f64),
            Value::Divisor(Divisor::Weights) => Ok(self.parts.iter().map(|p| p.weight).sum()),
            other => Err(Error::Input(format!("`{key}` of `{}` is {other}; it must be `1`, `n` or `w`", self.rule.name))),
        }
    }
}

/// The parts of a list in which a task stands for all of its skills and `top(n)` for n skills.
pub(super) fn listed<'r>(items: &'r [Term], names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
    let mut parts = Vec::with_capacity(items.len());
    for Term { weight, recipe } in items {
        parts.extend(spell_out(*weight, recipe, names)?);
    }
    Ok(parts)
}

/// The parts that an item of a list stands for, each with the item's weight: all skills of a task,
/// the n skills of `top(n)`, otherwise one part.
pub(super) fn spell_out<'r>(weight: f64, recipe: &'r Recipe, names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
    let ids = match recipe {
        Recipe::Top { n } => names.top(*n)?.into_iter().map(|(id, _)| id).collect(),
        Recipe::Skill { id } if id.contains('/') => vec![id.clone()],
        Recipe::Skill { id } => names.task(id)?,
        other => return Ok(vec![Part { weight, what: What::Other(other) }]),
    };
    Ok(skills(weight, ids))
}

/// Candidates with a posterior below this are left out of the mix.
const INAUDIBLE: f64 = 1e-3;

/// Skills and tasks, weighted by their posterior, which is renormalised without that of none of
/// them.
pub(super) fn by_evidence<'r>(items: &'r [Term], names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
    let mut candidates: Vec<String> = Vec::new();
    for Term { recipe, .. } in items {
        match recipe {
            Recipe::Top { n } => candidates.extend(names.top_tasks(*n)?),
            Recipe::Skill { id } => candidates.push(id.clone()),
            _ => {
                return Err(Error::Input(
                    "posterior weighs skills and tasks by what they say about the query's examples; its items must be skills, tasks or `top(n)`"
                        .into(),
                ));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    candidates.retain(|name| seen.insert(name.clone()));
    let weights = names.posterior(&candidates)?;
    // Equal weights if every posterior has underflowed, which happens where none of them explains
    // the query.
    let sum: f64 = weights.iter().sum();
    let share = |w: f64| if sum > 0.0 { w / sum } else { 1.0 / weights.len() as f64 };
    let what = |name: String| if name.contains('/') { What::Skill(name) } else { What::Task(name) };
    let parts = candidates.into_iter().zip(&weights).map(|(name, w)| Part { weight: share(*w), what: what(name) });
    // A weight below a thousandth has no noticeable effect, but costs as much to mix as the others.
    Ok(parts.filter(|p| p.weight >= INAUDIBLE).collect())
}

/// Fails unless every item has the weight 1.
pub(super) fn check_unweighted(rule: &Rule, items: &[Term]) -> Result<()> {
    if items.iter().all(|item| item.weight == 1.0) {
        Ok(())
    } else {
        Err(Error::Input(format!("{} takes no weights on its items", rule.name)))
    }
}

fn skills<'r>(weight: f64, ids: Vec<String>) -> Vec<Part<'r>> {
    ids.into_iter().map(|id| Part { weight, what: What::Skill(id) }).collect()
}

/// The parts of a written sum: one state per term, where a task is the mean of its skills.
pub(super) fn scalars(terms: &[Term]) -> Vec<Part<'_>> {
    terms.iter().map(|t| Part { weight: t.weight, what: What::Other(&t.recipe) }).collect()
}

fn weights(parts: &[Part<'_>]) -> Vec<f64> {
    parts.iter().map(|p| p.weight).collect()
}

pub(super) fn states(parts: &[Part<'_>], names: &dyn Resolver) -> Result<Vec<State>> {
    parts.iter().map(|p| p.state(names)).collect()
}

pub(super) fn sum(parts: &[Part<'_>], names: &dyn Resolver) -> Result<State> {
    weighted(parts, &weights(parts), names)
}

pub(super) fn mean(parts: &[Part<'_>], names: &dyn Resolver) -> Result<State> {
    weighted(parts, &mix::normalised(&weights(parts))?, names)
}

fn weighted(parts: &[Part<'_>], weights: &[f64], names: &dyn Resolver) -> Result<State> {
    if parts.is_empty() {
        return Err(Error::Input("there is nothing to mix".into()));
    }
    let skill = |(part, weight): (&Part<'_>, &f64)| match &part.what {
        What::Skill(id) => Some((id.clone(), *weight)),
        What::Other(Recipe::Skill { id }) if id.contains('/') => Some((id.clone(), *weight)),
        What::Task(_) | What::Other(_) => None,
    };
    if let Some(skills) = parts.iter().zip(weights).map(skill).collect::<Option<Vec<_>>>() {
        let skills: Vec<(&str, f64)> = skills.iter().map(|(id, weight)| (id.as_str(), *weight)).collect();
        if let Some(state) = names.weighted(&skills)? {
            return Ok(state);
        }
    }
    let mut sum = WeightedSum::new(names.shape());
    for (part, weight) in parts.iter().zip(weights) {
        sum.add(&part.state(names)?, *weight)?;
    }
    sum.finish()
}

/// The mean norm of each layer over the parts with a nonzero weight.
pub(super) fn mean_norms(parts: &[Part<'_>], names: &dyn Resolver) -> Result<Vec<f64>> {
    let mut norms = vec![0.0; names.shape().n_layer];
    let heard: Vec<&Part<'_>> = parts.iter().filter(|p| p.weight != 0.0).collect();
    for part in &heard {
        let state = part.state(names)?;
        norms.iter_mut().enumerate().for_each(|(l, norm)| *norm += f64::from(state.ssm_norm(l)) / heard.len() as f64);
    }
    Ok(norms)
}
