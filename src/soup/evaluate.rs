//! What a recipe yields.
//!
//! States are fetched one at a time where the rule allows it (sums, means, A-decay), so that the mean of a whole library of a large model needs the memory
//! of two states. PICASO and the merges need all of theirs at once.

use super::mix::WeightedSum;
use super::{Divisor, Layers, Recipe, Resolver, Term, decay, merge, mix, picaso};
use crate::error::{Error, Result};
use crate::state::State;

static QUERY: Recipe = Recipe::Query;

/// One item of a list after tasks and `top(n)` were spelled out.
struct Part<'r> {
    weight: f64,
    what: What<'r>,
}

enum What<'r> {
    Skill(String),
    /// The mean of a task's skills.
    Task(String),
    Other(&'r Recipe),
}

impl Part<'_> {
    fn state(&self, names: &dyn Resolver) -> Result<State> {
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

impl Recipe {
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
            Self::Ensemble { .. } => Err(Error::Input(
                "`ensemble` averages the logits of several states: it is an answer, not a state, and stands alone or in `gated(…)`".into(),
            )),
            Self::Conv { of, from } => mix::with_window(&of.evaluate(names)?, &from.evaluate(names)?),
            list => list.evaluate_list(&list.parts(names)?, names),
        }
    }

    /// The states whose mean logits answer: those of an ensemble, else the one that the recipe yields.
    ///
    /// # Errors
    /// As [`Recipe::evaluate`].
    pub fn answering(&self, names: &dyn Resolver) -> Result<Vec<State>> {
        match self {
            Self::Ensemble { .. } => {
                let parts = self.parts(names)?;
                unweighted("ensemble", &parts)?;
                states(&parts, names)
            }
            Self::Gated { of } if matches!(**of, Self::Ensemble { .. }) => {
                if of.is_explained(names)? {
                    of.answering(names)
                } else {
                    Ok(vec![names.query()?])
                }
            }
            one => Ok(vec![one.evaluate(names)?]),
        }
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

    fn evaluate_list(&self, parts: &[Part<'_>], names: &dyn Resolver) -> Result<State> {
        if parts.is_empty() {
            return Err(Error::Input("there is nothing to mix".into()));
        }
        let count = parts.len();
        let unweighted = |what: &str| unweighted(what, parts);
        match self {
            Self::Sum { .. } => sum(parts, names),
            Self::Softmax { tau, .. } => {
                unweighted("softmax")?;
                let similarity = |p: &Part<'_>| match &p.what {
                    What::Skill(id) => names.similarity(id).map(f64::from),
                    What::Task(_) | What::Other(_) => {
                        Err(Error::Input("softmax weighs skills by their similarity to the query; its items must be skills".into()))
                    }
                };
                let scores = parts.iter().map(similarity).collect::<Result<Vec<_>>>()?;
                weighted(parts, &mix::softmax(&scores, *tau)?, names)
            }
            Self::Decay { gamma, z, .. } => {
                let z = match z {
                    Divisor::One => 1.0,
                    Divisor::Count => count as f64,
                    Divisor::Weights => parts.iter().map(|p| p.weight).sum(),
                };
                let mut composition = decay::Composition::new(names.rates(), *gamma, z)?;
                for part in parts.iter().rev() {
                    composition.prepend(&part.state(names)?, part.weight)?;
                }
                composition.finish()
            }
            Self::PicasoS { .. } => {
                unweighted("picaso_s").and_then(|()| picaso::check_count(count))?;
                picaso::all_orders(&states(parts, names)?, names.rates())
            }
            Self::PicasoR { .. } => {
                unweighted("picaso_r").and_then(|()| picaso::check_count(count))?;
                picaso::rotations(&states(parts, names)?, names.rates())
            }
            Self::Arith { .. } => {
                let mut sum = WeightedSum::new(names.shape());
                sum.add(&names.neutral()?, 1.0 - parts.iter().map(|p| p.weight).sum::<f64>())?;
                for part in parts {
                    sum.add(&part.state(names)?, part.weight)?;
                }
                sum.finish()
            }
            Self::Slerp { t, .. } => {
                unweighted("slerp")?;
                match parts {
                    [a, b] => merge::slerp(&names.neutral()?, &a.state(names)?, &b.state(names)?, *t),
                    _ => Err(Error::Input(format!("slerp takes two items, not {count}"))),
                }
            }
            Self::Ties { density, lambda, .. } => {
                unweighted("ties")?;
                merge::ties(&names.neutral()?, &states(parts, names)?, *density, *lambda)
            }
            Self::Dare { p, seed, .. } => {
                unweighted("dare")?;
                merge::dare(&names.neutral()?, &states(parts, names)?, *p, *seed)
            }
            _ => mean(parts, names),
        }
    }

    /// The states that went in at the outermost mixture: what λ's default counts and what norms are matched to.
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
            Self::Posterior { items } => by_evidence(items, names),
            Self::Plus { terms } => Ok(scalars(terms)),
            _ => match self.items() {
                Some(items) => {
                    let mut parts = Vec::with_capacity(items.len());
                    for Term { weight, recipe } in items {
                        parts.extend(spell_out(*weight, recipe, names)?);
                    }
                    Ok(parts)
                }
                None => spell_out(1.0, self, names),
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

/// The states an item of a list stands for, each with the item's weight: all of a task's, the n of `top(n)`, else one.
fn spell_out<'r>(weight: f64, recipe: &'r Recipe, names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
    let ids = match recipe {
        Recipe::Top { n } => names.top(*n)?.into_iter().map(|(id, _)| id).collect(),
        Recipe::Skill { id } if id.contains('/') => vec![id.clone()],
        Recipe::Skill { id } => names.task(id)?,
        other => return Ok(vec![Part { weight, what: What::Other(other) }]),
    };
    Ok(skills(weight, ids))
}

/// A posterior below this is left out of the mix.
const INAUDIBLE: f64 = 1e-3;

/// Skills and tasks with their posterior among themselves as weights.
fn by_evidence<'r>(items: &[Term], names: &dyn Resolver) -> Result<Vec<Part<'r>>> {
    let mut candidates: Vec<String> = Vec::new();
    for Term { weight, recipe } in items {
        if *weight != 1.0 {
            return Err(Error::Input("posterior takes no weights on its items".into()));
        }
        match recipe {
            Recipe::Top { n } => candidates.extend(names.top_tasks(*n)?),
            Recipe::Skill { id } => candidates.push(id.clone()),
            _ => {
                return Err(Error::Input(
                    "posterior weighs skills and tasks by what they say of the query's examples; its items must be skills, tasks or `top(n)`"
                        .into(),
                ));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    candidates.retain(|name| seen.insert(name.clone()));
    let weights = names.posterior(&candidates)?;
    // Where nothing explains the query they are all but equal; so they are equal where every one has underflowed.
    let sum: f64 = weights.iter().sum();
    let share = |w: f64| if sum > 0.0 { w / sum } else { 1.0 / weights.len() as f64 };
    let what = |name: String| if name.contains('/') { What::Skill(name) } else { What::Task(name) };
    let parts = candidates.into_iter().zip(&weights).map(|(name, w)| Part { weight: share(*w), what: what(name) });
    // Less than a thousandth is not heard, and costs as much to mix as the rest.
    Ok(parts.filter(|p| p.weight >= INAUDIBLE).collect())
}

fn unweighted(what: &str, parts: &[Part<'_>]) -> Result<()> {
    if parts.iter().all(|p| p.weight == 1.0) { Ok(()) } else { Err(Error::Input(format!("{what} takes no weights on its items"))) }
}

fn skills<'r>(weight: f64, ids: Vec<String>) -> Vec<Part<'r>> {
    ids.into_iter().map(|id| Part { weight, what: What::Skill(id) }).collect()
}

/// Terms of a written sum: each is one state, a task the mean of its skills.
fn scalars(terms: &[Term]) -> Vec<Part<'_>> {
    terms.iter().map(|t| Part { weight: t.weight, what: What::Other(&t.recipe) }).collect()
}

fn states(parts: &[Part<'_>], names: &dyn Resolver) -> Result<Vec<State>> {
    parts.iter().map(|p| p.state(names)).collect()
}

fn sum(parts: &[Part<'_>], names: &dyn Resolver) -> Result<State> {
    weighted(parts, &parts.iter().map(|p| p.weight).collect::<Vec<_>>(), names)
}

fn mean(parts: &[Part<'_>], names: &dyn Resolver) -> Result<State> {
    weighted(parts, &mix::normalised(&parts.iter().map(|p| p.weight).collect::<Vec<_>>())?, names)
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

/// The mean norm of each layer over the parts that carry weight.
fn mean_norms(parts: &[Part<'_>], names: &dyn Resolver) -> Result<Vec<f64>> {
    let mut norms = vec![0.0; names.shape().n_layer];
    let heard: Vec<&Part<'_>> = parts.iter().filter(|p| p.weight != 0.0).collect();
    for part in &heard {
        let state = part.state(names)?;
        norms.iter_mut().enumerate().for_each(|(l, norm)| *norm += f64::from(state.ssm_norm(l)) / heard.len() as f64);
    }
    Ok(norms)
}
