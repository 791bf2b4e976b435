//! The optimisation for one query: the weights that make its left-out answers likeliest.

use super::mixture::{Mixture, between, rounded, shares};
use super::{Candidate, Chosen};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Ask, Trials};
use crate::soup::nelder_mead::minimise;
use crate::soup::{Layers, Recipe, Term, mix};
use crate::state::State;
use crate::task::Pair;

/// Number of knots between which layer weights are linear. One free weight per layer would overfit
/// the few examples.
pub const KNOTS: usize = 4;
/// Most evaluations of the loss for the weights, and again for the layer weights.
pub const MOST: usize = 80;
/// Losses that differ by less count as equal, nats.
const TOLERANCE: f64 = 1e-3;
/// Most ingredients added to a greedy soup.
const ADDITIONS: usize = 8;
pub const NAMES: [&str; 6] = ["query", "best skill", "plain mean", "greedy soup", "weights", "weights and layers"];

/// The optimisation for one query.
pub struct Problem<'a> {
    trials: &'a Trials<'a>,
    control: Control<'a>,
    /// Ids of the best-ranked skills, and their states.
    skills: Vec<(String, State)>,
    /// The state after all examples.
    query: State,
    /// For each example: the state after all other examples, the unfinished line, the answer.
    left_out: Vec<(State, Vec<u32>, Vec<u32>)>,
    tried: usize,
}

impl<'a> Problem<'a> {
    pub fn new(trials: &'a Trials<'a>, examples: &[Pair], top: usize, control: Control<'a>) -> Result<Self> {
        if examples.len() < 2 {
            return Err(Error::Input(format!("the query has {} complete examples; leaving one out needs at least two", examples.len())));
        }
        let library = trials.lab.library();
        if library.is_empty() {
            return Err(Error::Library("there is no skill to mix; build the library first".into()));
        }
        let mut texts = vec![trials.prompt(examples)?];
        for i in 0..examples.len() {
            texts.push(trials.prompt(examples.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p))?);
        }
        let read: Vec<(Option<&State>, &[u32])> = texts.iter().map(|t| (None, &t[..])).collect();
        let mut states = trials.states(&read, control)?;
        let query = states.remove(0);
        let mut left_out = Vec::new();
        for (state, pair) in states.into_iter().zip(examples) {
            let (tail, answer) = trials.question(pair)?;
            left_out.push((state, tail, answer));
        }
        let ranking = library.rank(&query, &trials.lab.default_view(), None)?;
        let mut skills = Vec::new();
        for skill in ranking.ranking.iter().take(top.max(1)) {
            if let Some(i) = library.find(&skill.skill) {
                skills.push((skill.skill.clone(), library.state(i)?));
            }
        }
        Ok(Self { trials, control, skills, query, left_out, tried: 0 })
    }

    /// The soup of this mixture with the given state as its query.
    fn state(&self, query: &State, mixture: &Mixture) -> Result<State> {
        let mut sum = mix::WeightedSum::new(query.shape());
        let states = std::iter::once(query).chain(self.skills.iter().map(|(_, s)| s));
        for (state, weight) in states.zip(&mixture.weights) {
            sum.add(state, *weight)?;
        }
        mix::blend_layers(&sum.finish()?, query, &mixture.layers)
    }

    /// Mean −ln p of the left-out examples' answers, nats.
    fn loss(&mut self, mixture: &Mixture) -> Result<f64> {
        self.control.check()?;
        self.tried += 1;
        let mut asks = Vec::with_capacity(self.left_out.len());
        for (query, tail, answer) in &self.left_out {
            asks.push(Ask { states: vec![self.state(query, mixture)?], tail: tail.clone(), answer: answer.clone() });
        }
        let scores = self.trials.ask(&asks, self.control)?;
        Ok(scores.iter().map(|s| s.nll).sum::<f64>() / scores.len() as f64)
    }

    /// All candidates, with their states, in the order of [`NAMES`].
    pub fn solve(mut self) -> Result<(Chosen, Vec<State>)> {
        let n = self.skills.len() + 1;
        let layers = vec![1.0; self.query.shape().n_layer];
        let only = |i: usize| Mixture { weights: (0..n).map(|j| f64::from(u8::from(i == j))).collect(), layers: layers.clone() };
        let plain = Mixture { weights: vec![1.0 / n as f64; n], layers: layers.clone() };
        let greedy = self.greedy(&|counts| Mixture { weights: shares(counts), layers: layers.clone() })?;
        let weighted = self.weigh(&layers)?;
        let layered = self.weigh_layers(&weighted)?;
        let mut candidates = Vec::new();
        let mut states = Vec::new();
        for (name, mixture) in NAMES.iter().zip([only(0), only(1), plain, greedy, weighted, layered.clone()]) {
            states.push(self.state(&self.query, &mixture)?);
            let left_out = self.loss(&mixture)?;
            candidates.push(Candidate { name: (*name).into(), recipe: self.recipe(&mixture).to_string(), left_out });
        }
        let chosen = Chosen {
            examples: Vec::new(),
            candidates,
            ingredients: self.names(),
            weights: layered.weights,
            layer_weights: layered.layers,
            tried: self.tried,
        };
        Ok((chosen, states))
    }

    fn names(&self) -> Vec<String> {
        std::iter::once("query".to_string()).chain(self.skills.iter().map(|(id, _)| id.clone())).collect()
    }

    /// Greedy soup: starts from the best single ingredient and repeatedly adds the ingredient that
    /// lowers the loss most, until none does or [`ADDITIONS`] are reached.
    fn greedy(&mut self, mixture: &dyn Fn(&[usize]) -> Mixture) -> Result<Mixture> {
        let n = self.skills.len() + 1;
        let mut counts = vec![0; n];
        let mut best = f64::INFINITY;
        for _ in 0..ADDITIONS {
            let mut found = None;
            for i in 0..n {
                counts[i] += 1;
                let loss = self.loss(&mixture(&counts))?;
                counts[i] -= 1;
                if loss < best - TOLERANCE {
                    (best, found) = (loss, Some(i));
                }
            }
            let Some(i) = found else { break };
            counts[i] += 1;
        }
        Ok(mixture(&counts))
    }

    /// Weights by Nelder–Mead over softmax logits. The query's logit is fixed at 0, so that each
    /// set of weights has one representation.
    fn weigh(&mut self, layers: &[f64]) -> Result<Mixture> {
        let mixture = |logits: &[f64]| -> Result<Mixture> {
            let all: Vec<f64> = std::iter::once(0.0).chain(logits.iter().copied()).collect();
            Ok(Mixture { weights: rounded(&mix::softmax(&all, 1.0)?), layers: layers.to_vec() })
        };
        let start = vec![0.0; self.skills.len()];
        let minimum = minimise(&start, 1.5, TOLERANCE, MOST, &mut |x| self.loss(&mixture(x)?))?;
        mixture(&minimum.at)
    }

    /// Layer weights by Nelder–Mead, with the ingredients' weights fixed.
    fn weigh_layers(&mut self, weighted: &Mixture) -> Result<Mixture> {
        let n_layer = weighted.layers.len();
        let mixture = |knots: &[f64]| Mixture { layers: between(knots, n_layer), ..weighted.clone() };
        let start = vec![1.0; KNOTS.min(n_layer)];
        let minimum = minimise(&start, -0.5, TOLERANCE, MOST, &mut |x| self.loss(&mixture(x)))?;
        Ok(mixture(&minimum.at))
    }

    /// The mixture as a recipe that `ask --soup` takes.
    fn recipe(&self, mixture: &Mixture) -> Recipe {
        let ingredient = |name: String| if name == "query" { Recipe::Query } else { Recipe::skill(name) };
        let terms = self.names().into_iter().zip(&mixture.weights).filter(|(_, w)| **w != 0.0);
        let terms: Vec<Term> = terms.map(|(name, weight)| Term { weight: *weight, recipe: ingredient(name) }).collect();
        let sum = Recipe::Plus { terms };
        if mixture.layers.iter().all(|w| *w == 1.0) {
            return sum;
        }
        Recipe::At { of: Box::new(sum), layers: Layers::Weights(mixture.layers.clone()), over: Some(Box::new(Recipe::Query)) }
    }
}
