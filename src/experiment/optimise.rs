//! Chooses the weights of a soup by the query's own examples. A soup whose query part did not read
//! an example is asked that example (leave one out). First the weights and then the layer weights
//! are optimised until the answers are likeliest. The gain is measured on pairs that had no part in
//! the choice.

use super::compare::Rows;
use super::group::Group;
use super::{Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::trials::{Ask, Trials};
use crate::soup::nelder_mead::minimise;
use crate::soup::{Layers, Recipe, Term, mix};
use crate::state::State;
use crate::task::{Pair, draw, rng};
use serde::Serialize;

/// Number of knots between which layer weights are linear. One free weight per layer would overfit
/// the few examples.
const KNOTS: usize = 4;
/// Most evaluations of the loss for the weights, and again for the layer weights.
const MOST: usize = 80;
/// Losses that differ by less count as equal, nats.
const TOLERANCE: f64 = 1e-3;
/// Most ingredients added to a greedy soup.
const ADDITIONS: usize = 8;
const NAMES: [&str; 6] = ["query", "best skill", "plain mean", "greedy soup", "weights", "weights and layers"];

/// A soup and its loss on the query's left-out examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// `query`, `best skill`, `plain mean`, `greedy soup`, `weights`, `weights and layers`.
    pub name: String,
    /// The soup's recipe.
    pub recipe: String,
    /// −ln p of an example's answer when the soup's query part did not read that example, mean over
    /// the examples, nats.
    pub left_out: f64,
}

/// The result of the optimisation for one query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// The query's examples, in the template's form.
    pub examples: Vec<String>,
    /// All soups that were compared; the last one has optimised weights and layer weights.
    pub candidates: Vec<Candidate>,
    /// `query` and the skills, in the order of the weights.
    pub ingredients: Vec<String>,
    /// The weights of the ingredients; they sum to 1.
    pub weights: Vec<f64>,
    /// For each layer the share of the soup, 0 to 1; the rest is the query's state.
    pub layer_weights: Vec<f64>,
    /// Number of soups evaluated.
    pub tried: usize,
}

/// The variables: a weight for each ingredient, and one for each layer.
#[derive(Clone)]
struct Mixture {
    weights: Vec<f64>,
    layers: Vec<f64>,
}

/// The optimisation for one query.
struct Problem<'a> {
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

/// Results for the queries of one group of tasks.
struct Part {
    group: Group,
    rows: Rows,
    chosen: Vec<Chosen>,
}

impl Part {
    fn new(group: Group) -> Self {
        Self { group, rows: Rows::new(&NAMES), chosen: Vec::new() }
    }
}

/// Chooses weights for the `top` best-ranked skills and the query, by the query's examples.
///
/// # Errors
/// [`Error::Input`] for fewer than two examples, [`Error::Library`] for an empty library; the
/// model's; [`Error::Cancelled`].
pub fn choose(lab: &Lab, examples: &[Pair], top: usize, control: Control<'_>) -> Result<Chosen> {
    let trials = Trials::new(lab);
    let (chosen, _) = Problem::new(&trials, examples, top, control)?.solve()?;
    let texts = examples.iter().map(|p| lab.template().example(p)).collect();
    Ok(Chosen { examples: texts, ..chosen })
}

/// A query's examples, with questions that are not among them.
pub struct Query {
    /// The examples by which the soup is chosen.
    pub examples: Vec<Pair>,
    /// The questions on which the soup is measured.
    pub questions: Vec<Pair>,
}

/// Runs [`choose`] for each query, and asks every soup the query's questions. Intervals resample
/// whole queries, or single questions if there is only one query.
///
/// # Errors
/// As [`choose`]; [`Error::Input`] if there is no question.
pub fn measure(lab: &Lab, queries: &[Query], top: usize, settings: &Settings, control: Control<'_>) -> Result<(Vec<Chosen>, Report)> {
    let trials = Trials::new(lab);
    let mut part = Part::new(Group::All);
    for (i, query) in queries.iter().enumerate() {
        control.report(i as u64, queries.len() as u64, "queries");
        let quiet = |_| {};
        let (chosen, states) = Problem::new(&trials, &query.examples, top, control.with_progress(&quiet))?.solve()?;
        let group = |question: usize| if queries.len() == 1 { question } else { i };
        ask(&trials, &mut part.rows, &group, &states, &query.questions, control)?;
        part.chosen.push(Chosen { examples: query.examples.iter().map(|p| lab.template().example(p)).collect(), ..chosen });
    }
    if queries.iter().all(|q| q.questions.is_empty()) {
        return Err(Error::Input("there is no pair left to ask that is in no skill and not in the query".into()));
    }
    let report = report(std::slice::from_ref(&part), top, settings);
    Ok((part.chosen, report))
}

/// Asks every state the questions. `group` maps a question's index to its resampling group.
fn ask(
    trials: &Trials<'_>,
    rows: &mut Rows,
    group: &dyn Fn(usize) -> usize,
    states: &[State],
    questions: &[Pair],
    control: Control<'_>,
) -> Result<()> {
    for (q, pair) in questions.iter().enumerate() {
        let (tail, answer) = trials.question(pair)?;
        let asks: Vec<Ask> = states.iter().map(|s| Ask { states: vec![s.clone()], tail: tail.clone(), answer: answer.clone() }).collect();
        rows.push(group(q), &trials.ask(&asks, control)?);
    }
    Ok(())
}

impl<'a> Problem<'a> {
    fn new(trials: &'a Trials<'a>, examples: &[Pair], top: usize, control: Control<'a>) -> Result<Self> {
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
    fn solve(mut self) -> Result<(Chosen, Vec<State>)> {
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

fn shares(counts: &[usize]) -> Vec<f64> {
    let all = counts.iter().sum::<usize>() as f64;
    rounded(&counts.iter().map(|c| *c as f64 / all).collect::<Vec<_>>())
}

/// Weights rounded to three decimals, as printed. The largest takes the remainder, so that they sum
/// to 1.
fn rounded(weights: &[f64]) -> Vec<f64> {
    let mut thousandths: Vec<i64> = weights.iter().map(|w| (w * 1000.0).round() as i64).collect();
    let left = 1000 - thousandths.iter().sum::<i64>();
    if let Some(largest) = thousandths.iter_mut().max() {
        *largest += left;
    }
    thousandths.into_iter().map(|t| t as f64 / 1000.0).collect()
}

/// A weight for each layer: linear between the knots, clamped to 0 to 1, rounded to three decimals.
fn between(knots: &[f64], n_layer: usize) -> Vec<f64> {
    let at = |layer: usize| {
        let place = layer as f64 * (knots.len() - 1) as f64 / (n_layer - 1).max(1) as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        let value = knots[low] + share * (knots[(low + 1).min(knots.len() - 1)] - knots[low]);
        (value.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
    };
    (0..n_layer).map(at).collect()
}

fn report(parts: &[Part], top: usize, settings: &Settings) -> Report {
    let mut report = Report {
        setup: vec![
            format!(
                "ingredients: the query and the {top} best-ranked skills; the ranking saw all examples, the weights are chosen by examples left out"
            ),
            format!(
                "Nelder-Mead, at most {MOST} soups for the weights and as many for the weights of {KNOTS} knots over the layers; weights are not negative and add up to 1"
            ),
            "held-out questions had no part in any choice, and are in no skill and no query of the run".into(),
        ],
        ..Report::default()
    };
    for part in parts {
        part.add_to(&mut report, settings);
    }
    report
}

impl Part {
    fn add_to(&self, report: &mut Report, settings: &Settings) {
        let Self { group, rows, chosen } = self;
        report.tables.push(rows.table(&group.name("held-out"), settings));
        let columns = ["state", "nats an answer on the examples left out, mean over queries", "queries"];
        let mut left_out = Table::new(&group.name("left-out"), &columns);
        for (i, name) in NAMES.iter().enumerate() {
            let mean = chosen.iter().map(|c| c.candidates[i].left_out).sum::<f64>() / chosen.len() as f64;
            left_out.rows.push(vec![(*name).into(), format!("{mean:.4}"), chosen.len().to_string()]);
        }
        report.tables.push(left_out);
        for (told, other) in
            [("query alone", "query"), ("best skill", "best skill"), ("plain mean", "plain mean"), ("greedy soup", "greedy soup")]
        {
            let claim = group.claim(&format!("On held-out questions optimised weights beat the {told}"));
            report.findings.push(rows.saved(&claim, "weights", other, 0.0, settings));
        }
        let claim = group.claim("Optimised weights give more exact answers than the query alone");
        report.findings.push(rows.finding(&claim, "weights", "query", 0.0, settings));
        report.findings.push(rows.saved(&group.claim("Layer weights add to that"), "weights and layers", "weights", 0.0, settings));
    }
}

/// In the experiment: examples in a query, and skills mixed with it.
const SHOTS: usize = 4;
const TOP: usize = 3;

pub(super) fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let lab = trials.lab;
    let mut parts: Vec<Part> = Group::of(lab).into_iter().map(Part::new).collect();
    // (part, task) in the order of asking, with up to the same number of tasks from each group.
    let mut tasks: Vec<(usize, usize)> = Vec::new();
    for (p, part) in parts.iter().enumerate() {
        let of_group: Vec<usize> = (0..lab.tasks().len()).filter(|&t| part.group.holds(lab, t)).collect();
        let drawn = draw(&of_group, 4 * settings.per_task, &mut rng(settings.seed, "optimise", 0));
        tasks.extend(drawn.into_iter().map(|t| (p, t)));
    }
    let total = tasks.len() * settings.seeds;
    for (n, &(p, t)) in tasks.iter().cycle().take(total).enumerate() {
        control.report(n as u64, total as u64, "queries");
        let query = query_of(lab, t, SHOTS, 4 * settings.per_task, settings.seed + (n / tasks.len()) as u64)?;
        let quiet = |_| {};
        let (of, states) = Problem::new(trials, &query.examples, TOP, control.with_progress(&quiet))?.solve()?;
        ask(trials, &mut parts[p].rows, &|_| t, &states, &query.questions, control)?;
        parts[p].chosen.push(of);
        live.show(|| report(&parts, TOP, settings));
    }
    Ok(report(&parts, TOP, settings))
}

/// Draws a query of a task and its questions, both from the task's test pairs.
///
/// # Errors
/// [`Error::Input`] if the task is too small.
pub fn query_of(lab: &Lab, task: usize, shots: usize, questions: usize, seed: u64) -> Result<Query> {
    let of = &lab.tasks()[task];
    let split = lab.split_spec().draw(of)?;
    let order = draw(&split.test, shots + questions, &mut rng(seed, &of.name, shots));
    let pairs: Vec<Pair> = order.into_iter().map(|i| of.pairs[i].clone()).collect();
    let (examples, questions) = pairs.split_at(shots.min(pairs.len()));
    Ok(Query { examples: examples.to_vec(), questions: questions.to_vec() })
}

/// Questions for a query that a user typed: test pairs of the task that is ranked first, without
/// those whose input is in the query. Empty if the lab does not have that task.
///
/// # Errors
/// As [`Lab::rank`]; [`Error::Input`] if the task is too small to split.
pub fn questions_for(lab: &Lab, examples: &[Pair], query: &str, count: usize, control: Control<'_>) -> Result<Vec<Pair>> {
    let ranking = lab.rank(query, &lab.default_view(), control)?;
    let best = ranking.by_task.first().and_then(|best| lab.tasks().iter().find(|t| t.name == best.task));
    let Some(task) = best else { return Ok(Vec::new()) };
    let split = lab.split_spec().draw(task)?;
    let order = draw(&split.test, split.test.len(), &mut rng(0, &task.name, 0));
    let new = order.into_iter().map(|i| task.pairs[i].clone()).filter(|p| examples.iter().all(|e| e.input != p.input));
    Ok(new.take(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_what_is_printed() {
        assert_eq!(rounded(&[1.0 / 3.0; 3]), [0.333, 0.333, 0.334]);
        assert_eq!(rounded(&[0.99996, 0.00004]), [1.0, 0.0]);
        assert_eq!(shares(&[2, 0, 1]), [0.667, 0.0, 0.333]);
    }

    #[test]
    fn layer_weights_are_straight_between_knots_and_stay_within_bounds() {
        assert_eq!(between(&[0.0, 1.0], 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(between(&[-1.0, 2.0], 3), [0.0, 0.5, 1.0]);
        assert_eq!(between(&[0.4], 3), [0.4, 0.4, 0.4]);
        assert_eq!(between(&[1.0, 0.5, 0.25], 1), [1.0]);
    }
}
