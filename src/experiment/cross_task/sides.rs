//! The tasks that are mixed, their states and their questions.

use super::SHOTS;
use crate::control::Control;
use crate::error::Result;
use crate::experiment::Settings;
use crate::experiment::group::Group;
use crate::lab::trials::{Ask, Trials, random_like, shuffled_labels};
use crate::soup::mix;
use crate::state::State;
use crate::task::{Pair, Task, draw, rng};

/// A task with its draws.
pub struct Side<'a> {
    /// Its index in the lab.
    pub t: usize,
    pub task: &'a Task,
    pub draws: Vec<Draw>,
}

/// The states of one seed, and the questions they are asked.
pub struct Draw {
    pub zero: State,
    pub own: State,
    pub second: State,
    pub random: State,
    pub shuffled: State,
    pub questions: Vec<Question>,
}

/// A test pair: its index in the task, its unfinished line, its answer.
pub struct Question {
    pub pair: usize,
    pub tail: Vec<u32>,
    pub answer: Vec<u32>,
}

impl Question {
    pub fn put(&self, states: &[State]) -> Ask {
        Ask { states: states.to_vec(), tail: self.tail.clone(), answer: self.answer.clone() }
    }
}

/// Draws tasks of a group that have two disjoint example sets, and reads their states.
pub fn sides<'a>(trials: &Trials<'a>, settings: &Settings, group: Group, control: Control<'_>) -> Result<Vec<Side<'a>>> {
    let count = if settings.is_quick() { 12 } else { 30 };
    let mut sides: Vec<Side<'a>> = Vec::new();
    for seed in settings.seed..settings.seed + settings.seeds as u64 {
        let mut splits = trials.splits(2, SHOTS, seed)?;
        splits.retain(|(t, ..)| group.holds(trials.lab, *t));
        let mut chosen = draw(&(0..splits.len()).collect::<Vec<_>>(), count, &mut rng(settings.seed, "tasks", 0));
        chosen.sort_unstable();
        for (place, &n) in chosen.iter().enumerate() {
            control.check()?;
            let (t, task, split) = &splits[n];
            let set = |s: usize| split.sets[s].iter().map(|&i| task.pairs[i].clone()).collect::<Vec<Pair>>();
            let texts = [trials.prompt([])?, trials.prompt(&set(0))?, trials.prompt(&set(1))?, trials.prompt(&shuffled_labels(&set(0)))?];
            let states = trials.states(&texts.each_ref().map(|t| (None, &t[..])), control)?;
            let [zero, own, second, shuffled] = &states[..] else { continue };
            // Pairs with even and with odd index are the two halves for choosing pairs, in all
            // draws.
            let mut questions = Vec::new();
            for odd in 0..2 {
                let half: Vec<usize> = split.test.iter().copied().filter(|i| i % 2 == odd).collect();
                for pair in draw(&half, 2 * settings.per_task, &mut rng(seed, &task.name, odd)) {
                    let (tail, answer) = trials.question(&task.pairs[pair])?;
                    questions.push(Question { pair, tail, answer });
                }
            }
            let random = random_like(own, &mut rng(seed, "noise", *t))?;
            if sides.len() == place {
                sides.push(Side { t: *t, task, draws: Vec::new() });
            }
            sides[place].draws.push(Draw {
                zero: zero.clone(),
                own: own.clone(),
                second: second.clone(),
                random,
                shuffled: shuffled.clone(),
                questions,
            });
        }
    }
    Ok(sides)
}

/// α·a + (1 − α)·b.
pub fn share(a: &State, b: &State, alpha: f64) -> Result<State> {
    mix::weighted_sum(&[a.clone(), b.clone()], &[alpha, 1.0 - alpha])
}
