//! Queries of few examples, each with its own question, from pairs that are in no skill; and the
//! recipes of the soups with which several experiments answer them.

use super::Settings;
use crate::control::Control;
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::trials::{Candidate, Trials};
use crate::soup::{Recipe, Resolver};
use crate::task::{Pair, Split, Task, Template, draw, rng};
use rand_chacha::ChaCha8Rng;

/// Numbers of examples in a query.
pub const SHOTS: [usize; 4] = [1, 2, 4, 8];

/// A soup's recipe and its name in the reports.
pub struct Named {
    pub name: &'static str,
    pub recipe: &'static str,
}

pub const QUERY: Named = Named { name: "query", recipe: "query" };
pub const TOP: Named = Named { name: "query + top 3", recipe: "mean(top(3)) | with_query(0.75)" };
pub const POSTERIOR: Named = Named { name: "posterior soup", recipe: "posterior(top(24))" };
pub const PRIMED: Named = Named { name: "posterior soup, primed", recipe: "primed(posterior(top(24)))" };
pub const GATED: Named = Named { name: "gated posterior soup", recipe: "gated(posterior(top(24)))" };
pub const HALF: Named =
    Named { name: "half query, half posterior, the query's window", recipe: "posterior(top(24)) | with_query(0.5) | conv(query)" };
pub const ENSEMBLE: Named =
    Named { name: "logit ensemble of the query and the primed posterior soup", recipe: "ensemble(query, primed(posterior(top(24))))" };
pub const AUTO: Named = Named { name: "auto", recipe: "auto" };

impl Named {
    /// The candidate that this soup gives at a query.
    ///
    /// # Errors
    /// As [`Recipe::answering`].
    pub fn at(&self, names: &dyn Resolver) -> Result<Candidate> {
        Ok(Candidate { name: self.name, states: self.recipe.parse::<Recipe>()?.answering(names)? })
    }

    /// A line of a report's setup.
    pub fn told(&self) -> String {
        format!("{}: the recipe `{}`", self.name, self.recipe)
    }
}

/// A query with its question.
pub struct Posed<'a> {
    /// The task's index in the lab.
    pub t: usize,
    pub task: &'a Task,
    pub split: &'a Split,
    /// Index of its number of examples in [`SHOTS`].
    pub k: usize,
    /// Number of this draw among those with the same task and number of examples, from 0.
    pub round: usize,
    pub shown: Vec<Pair>,
    pub asked: Pair,
    /// A generator for anything else that is drawn at this query.
    pub random: ChaCha8Rng,
}

impl Posed<'_> {
    /// The query as a user would type it: its examples, then the unfinished line.
    pub fn text(&self, template: &Template) -> String {
        let examples: String = self.shown.iter().map(|pair| template.example(pair)).collect();
        examples + &template.tail(&self.asked.input)
    }
}

/// Number of draws per task and number of examples. Unseen tasks are few and are what soups are
/// for, so they always get many.
pub fn draws(lab: &Lab, settings: &Settings, task: &Task) -> usize {
    if lab.is_unseen(task) { 6 * settings.seeds } else { draws_of_trained(settings) }
}

/// Number of draws per trained task and number of examples.
pub fn draws_of_trained(settings: &Settings) -> usize {
    settings.seeds * if settings.is_quick() { 1 } else { 3 }
}

/// Makes `draws` queries per task and number of examples, and calls `ask` with each. Skips a task
/// without a skill in the library or with too few test pairs.
///
/// # Errors
/// Those of `ask`; [`Error::Cancelled`](crate::error::Error::Cancelled).
pub fn pose(
    trials: &Trials<'_>,
    settings: &Settings,
    draws: &dyn Fn(&Task) -> usize,
    control: Control<'_>,
    ask: &mut dyn FnMut(Posed<'_>) -> Result<()>,
) -> Result<()> {
    let spec = trials.lab.split_spec();
    let library = trials.lab.library();
    let tasks = trials.lab.tasks();
    for (t, task) in tasks.iter().enumerate() {
        let rounds = if library.skills().iter().any(|s| s.task == task.name) { draws(task) } else { 0 };
        let Some(split) = spec.draw(task).ok().filter(|_| rounds > 0) else { continue };
        control.report(t as u64, tasks.len() as u64, "tasks");
        for (k, shots) in SHOTS.into_iter().enumerate() {
            for round in 0..rounds {
                control.check()?;
                let mut random = rng(settings.seed, &task.name, round * 100 + shots);
                let chosen = draw(&split.test, shots + 1, &mut random);
                let Some((&asked, shown)) = chosen.split_last().filter(|(_, shown)| shown.len() == shots) else { continue };
                let shown = shown.iter().map(|&i| task.pairs[i].clone()).collect();
                ask(Posed { t, task, split: &split, k, round, shown, asked: task.pairs[asked].clone(), random })?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::CANDIDATES;

    #[test]
    fn every_soup_is_a_recipe_over_as_many_tasks_as_evidence_reads() {
        for soup in [QUERY, TOP, POSTERIOR, PRIMED, GATED, HALF, ENSEMBLE, AUTO] {
            soup.recipe.parse::<Recipe>().unwrap();
            let reads = soup.recipe.contains("posterior");
            assert!(!reads || soup.recipe.contains(&format!("posterior(top({CANDIDATES}))")), "{}", soup.recipe);
        }
    }

    #[test]
    fn unseen_tasks_are_drawn_as_often_at_any_time() {
        assert_eq!((draws_of_trained(&Settings::quick()), draws_of_trained(&Settings::thorough())), (3, 9));
    }
}
