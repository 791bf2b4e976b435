//! The soup against its baselines on questions that are not among any skill's examples.

use super::Lab;
use super::mixer::Mixer;
use super::query::Query;
use super::{Against, VerdictRequest, VerdictView};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Ask, Score, Trials};
use crate::soup::{Recipe, Resolver};
use crate::state::State;
use crate::stats::bootstrap;
use crate::task::Pair;

/// Maximum number of questions.
const QUESTIONS: usize = 200;
/// Questions asked in one batch, between two progress reports.
const TOGETHER: usize = 20;
/// Bootstrap resamples.
const RESAMPLES: usize = 2000;

impl Lab {
    /// Asks held-out questions from the soup, the best skill and the query alone. The questions are
    /// of the soup's task if all its skills are of one task, otherwise of the query's best task.
    ///
    /// # Errors
    /// [`Error::Input`] if the query is empty, or the task's pairs are not available; the model's;
    /// [`Error::Cancelled`].
    pub fn verdict(&self, request: &VerdictRequest, control: Control<'_>) -> Result<VerdictView> {
        let query = self.whole_query(&request.query)?;
        let quiet = control.with_progress(&|_| {});
        let mixer = Mixer::new(self, Some(&query), &request.view, quiet).by_evidence();
        let (best, best_task) = mixer.best()?;
        let task = self.task_of(&request.soup).unwrap_or(best_task);
        let (task, questions) = self.held_out(&task, &query)?;
        let states = [request.soup.evaluate(&mixer)?, mixer.skill(&best)?, Recipe::Query.evaluate(&mixer)?];
        let trials = Trials::new(self);
        let mut scores: [Vec<Score>; 3] = [const { Vec::new() }; 3];
        for batch in questions.chunks(TOGETHER) {
            for (state, scores) in states.iter().zip(&mut scores) {
                let ask = |pair: &Pair| {
                    let (tail, answer) = trials.question(pair)?;
                    Ok(Ask { states: vec![State::clone(state)], tail, answer })
                };
                scores.extend(trials.ask(&batch.iter().map(ask).collect::<Result<Vec<_>>>()?, control)?);
            }
            control.report(scores[0].len() as u64, questions.len() as u64, "questions");
        }
        let [soup, rest @ ..] = &scores;
        let against = |(name, other): (&str, &Vec<Score>)| {
            // Paired: each question is an independent sample.
            let of = |value: fn(&Score) -> f64| {
                let differences: Vec<(usize, f64)> = soup.iter().zip(other).map(|(a, b)| value(a) - value(b)).enumerate().collect();
                bootstrap(&differences, RESAMPLES, 0)
            };
            Against { name: name.into(), accuracy: of(|s| f64::from(u8::from(s.hit))), logprob: of(|s| -s.nll) }
        };
        Ok(VerdictView {
            request: request.clone(),
            task,
            accuracy: soup.iter().filter(|s| s.hit).count() as f64 / soup.len() as f64,
            against: [best.as_str(), "query only"].into_iter().zip(rest).map(against).collect(),
        })
    }

    /// The common task of all skills in a recipe, if there is one.
    fn task_of(&self, recipe: &Recipe) -> Option<String> {
        let library = self.library();
        let names = recipe.ingredients();
        let task = |name: &String| library.find(name).map_or_else(|| name.clone(), |i| library.skills()[i].task.clone());
        let first = task(names.first()?);
        names.iter().all(|n| task(n) == first).then_some(first)
    }

    /// Pairs of a task that are in no skill and not in the query.
    fn held_out(&self, task: &str, query: &Query) -> Result<(String, Vec<Pair>)> {
        let found = self.tasks.iter().find(|t| t.name == task);
        let task =
            found.ok_or_else(|| Error::Input(format!("`{task}` has no held-out questions: it was made from a text, not from a task")))?;
        let split = self.split_spec().draw(task)?;
        let tail = &query.parsed.tail;
        let shown = |pair: &Pair| query.parsed.pairs().any(|p| p.input == pair.input) || *tail == self.build.template.tail(&pair.input);
        let pairs: Vec<Pair> = split.test.iter().map(|&i| task.pairs[i].clone()).filter(|p| !shown(p)).take(QUESTIONS).collect();
        if pairs.is_empty() {
            return Err(Error::Input(format!("`{}` has no held-out question that is not in the query", task.name)));
        }
        Ok((task.name.clone(), pairs))
    }
}
