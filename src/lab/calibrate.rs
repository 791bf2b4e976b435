//! How evidence is weighted in this library, measured on queries whose task is known.
//!
//! The queries are examples of the library's own tasks. If a task has enough pairs that no skill
//! has read, those are used. Otherwise the pairs of its last set are used, and the skill that read
//! them is left out of the task's mean. Each query counts twice: with its task among the
//! candidates, where that task is right, and without it, where none is right.

use super::Lab;
use super::evidence::Told;
use crate::control::Control;
use crate::error::Result;
use crate::library::{Calibration, Candidate, Witness};
use crate::task::{Task, draw, rng};
use std::collections::BTreeSet;

/// Maximum number of tasks queried, each once per number of examples.
const TASKS: usize = 24;
/// Number of candidates that similarity proposes per query. There are fewer than for a user's
/// query, because the right task is known to be in the library.
const CANDIDATES: usize = 12;
/// Numbers of examples in the queries.
const SHOTS: [usize; 3] = [1, 2, 4];
/// Share of the queries whose task is present for which "none fits" is tolerated.
const ALARMS: f64 = 0.09;

impl Lab {
    /// Fits the constants of the evidence to this library.
    ///
    /// # Errors
    /// The model's and the library's; [`crate::error::Error::Cancelled`].
    pub(super) fn calibrate(&self, control: Control<'_>) -> Result<Calibration> {
        let library = self.library();
        let tasks: Vec<usize> = (0..self.tasks.len()).filter(|&t| library.skills().iter().any(|s| s.task == self.tasks[t].name)).collect();
        let chosen = draw(&tasks, TASKS, &mut rng(self.build.seed, "calibration", 0));
        let mut witnesses = Vec::new();
        for (n, &t) in chosen.iter().enumerate() {
            control.report(n as u64, chosen.len() as u64, "queries");
            control.check()?;
            witnesses.extend(self.witnesses(&self.tasks[t], control.with_progress(&|_| {}))?);
            self.forget_tracks();
        }
        // The user's next query is read as if nothing had been read before.
        self.forget_reading();
        Calibration::fit(&witnesses, ALARMS)
    }

    /// Queries of one, two and four examples, each with its task present and absent. Empty for a
    /// task that has no examples to spare.
    fn witnesses(&self, task: &Task, control: Control<'_>) -> Result<Vec<Witness>> {
        let Ok(split) = self.split_spec().draw(task) else { return Ok(Vec::new()) };
        let library = self.library();
        let most = SHOTS[SHOTS.len() - 1];
        // The pairs, and the skill that has read them.
        let (pairs, reader) = match split.sets.last() {
            _ if split.spare.len() >= most => (&split.spare, None),
            Some(set) if library.skills().iter().filter(|s| s.task == task.name).count() > 1 => {
                (set, Some(format!("{}/{}", task.name, split.sets.len() - 1)))
            }
            _ => return Ok(Vec::new()),
        };
        let chosen = draw(pairs, most, &mut rng(self.build.seed, &task.name, 0));
        let view = self.default_view();
        // The similar tasks depend on the number of examples. All queries are read in one pass, up
        // to the last example.
        let mut proposed: Vec<Vec<(String, f32)>> = Vec::new();
        for shots in SHOTS {
            let text = self.build.template.segments(task, &chosen[..shots.min(chosen.len())]).concat();
            proposed.push(self.at(&text, &view, &[], control, |mixer| {
                let mut ranking = (*mixer.ranking()?).clone();
                if let Some(reader) = &reader {
                    // The skill that has read the query's examples would be found for it.
                    ranking.leave_out_skill(reader);
                }
                Ok(ranking.by_task.into_iter().take(CANDIDATES).map(|t| (t.task, t.score)).collect())
            })?);
        }
        let names: Vec<String> = proposed.iter().flatten().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let query = self.query(&self.build.template.segments(task, &chosen).concat())?;
        let (read, none) = self.explain(&names, reader.as_deref(), &query.examples, control)?;
        let mut witnesses = Vec::new();
        for (shots, proposed) in SHOTS.into_iter().zip(proposed).filter(|(shots, _)| *shots <= chosen.len()) {
            let candidate = |(name, score): &(String, f32)| {
                let at = names.iter().position(|n| n == name)?;
                Some(Candidate { explained: Told::of(&read[at][..shots]).all, similarity: f64::from(*score) })
            };
            let candidates: Vec<Candidate> = proposed.iter().filter_map(candidate).collect();
            let right = proposed.iter().position(|(name, _)| *name == task.name);
            let without = candidates.iter().enumerate().filter(|(i, _)| Some(*i) != right).map(|(_, c)| *c).collect();
            let none = Told::of(&none[..shots]).all;
            witnesses.push(Witness { candidates, none, right, shots });
            witnesses.push(Witness { candidates: without, none, right: None, shots });
        }
        Ok(witnesses)
    }
}
