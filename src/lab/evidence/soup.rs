//! The soup that evidence suggests.

use crate::lab::{Evidence, TaskEvidence};
use crate::soup::{Ingredient, Soup, Window};

/// The smallest share of the soup. Tasks with less are left out.
const SMALLEST: f64 = 0.02;
/// Maximum number of tasks in the soup.
const MOST: usize = 6;
/// Nats of `foretold` above which the soup follows the answers: for one example, for several.
const FORETOLD: [f64; 2] = [3.0, 5.0];
/// Nats per answer token below which the soup does not follow the answers: over a hundred examples,
/// five nats are negligible.
const FORETOLD_A_TOKEN: f64 = 0.1;
/// The soup's share when it follows the answers: for one or two examples, for more. With more
/// examples, the query itself carries more of the task.
const FOLLOWED: [f64; 2] = [1.0, 0.75];
/// Posterior of "none of these" below which a single example's task counts as certain.
const CERTAIN: f64 = 0.1;
/// Maximum share of the soup for one example whose task is in doubt.
const DOUBTFUL: f64 = 0.25;
/// Maximum share of the soup for several examples on which the query alone does not fail.
const KNOWN: f64 = 0.5;

impl Evidence {
    /// Whether the tasks together predict the answers so much better than the query alone that the
    /// soup follows the answers. This happens where the model has to learn the task from examples,
    /// and where skills of related tasks transfer.
    pub fn follows_answers(&self) -> bool {
        let least = FORETOLD[usize::from(self.shots > 1)].max(FORETOLD_A_TOKEN * self.answer_tokens as f64);
        self.shots > 0 && self.foretold > least
    }

    /// The tasks and the posterior of each given the answers alone, the most probable first.
    pub(super) fn by_answers(&self) -> Vec<(&TaskEvidence, f64)> {
        let most = self.tasks.iter().map(|t| t.explained.answers).fold(f64::NEG_INFINITY, f64::max);
        let mut of: Vec<(&TaskEvidence, f64)> = self.tasks.iter().map(|t| (t, (t.explained.answers - most).exp())).collect();
        let sum: f64 = of.iter().map(|(_, weight)| weight).sum();
        of.iter_mut().for_each(|(_, weight)| *weight /= sum);
        of.sort_by(|a, b| b.1.total_cmp(&a.1));
        of
    }

    /// The soup that the evidence suggests, with the query's window.
    ///
    /// - If the tasks predict the answers ([`Evidence::follows_answers`]): the tasks weighted by
    ///   the answers alone, with a share of 1 or 0.75.
    /// - Otherwise: the tasks weighted by their posterior, with the query's own state for "none of
    ///   these". Their share is smaller where the query may suffice: the task is in doubt, or there
    ///   are several examples.
    /// - The query alone if nothing explains it. From the second example on, also if the tasks have
    ///   not predicted the later examples better than the query (a test without hindsight).
    ///
    /// These rules were chosen on 4700 queries of examples that are in no skill and no test split,
    /// before any test question was looked at.
    pub(super) fn auto_soup(&self) -> Soup {
        let none = self.none_posterior;
        let (weighed, lambda) = if self.follows_answers() {
            (self.by_answers(), FOLLOWED[usize::from(self.shots > 2)])
        } else {
            let most = match self.shots {
                1 if none < CERTAIN => 1.0,
                1 => DOUBTFUL,
                _ => KNOWN,
            };
            let helps = self.fits && self.ahead.is_none_or(|nats| nats > 0.0);
            let of = self.tasks.iter().map(|t| (t, t.posterior / (1.0 - none))).collect();
            (of, if helps { most.min(1.0 - none) } else { 0.0 })
        };
        let heard: Vec<(&TaskEvidence, f64)> = weighed.into_iter().take(MOST).filter(|(_, share)| *share >= SMALLEST).collect();
        let sum: f64 = heard.iter().map(|(_, share)| share).sum();
        // Shares are rounded to four decimals, so that the shares shown are the shares mixed.
        let round = |v: f64| (v * 1e4).round() / 1e4;
        let ingredient =
            |(task, share): (&TaskEvidence, f64)| Ingredient { weight: round(share / sum), mean: true, ..Ingredient::new(&task.task) };
        Soup { ingredients: heard.into_iter().map(ingredient).collect(), lambda: round(lambda), conv: Window::Query, ..Soup::default() }
    }
}
