//! Does a mix of two tasks' states help either task? Equal mixes of all pairs of some tasks, and
//! sweeps of the share α for some pairs. And do the library's skills of trained tasks help unseen
//! ones (`carried`)?
//!
//! "Best of many pairs" alone is not a finding, so pairs are chosen on one half of the questions
//! and measured on the other half.
//!
//! - `sides`: the tasks, their states and their questions.
//! - `halves`: equal mixes, and what they do. `pairs`: each pair of tasks, and the best ones.
//! - `sweeps`: mixes along the share α. `curve`: how wide a change along α is.
//! - `carried`: skills of trained tasks on unseen tasks.

mod carried;
mod curve;
mod halves;
mod pairs;
mod sides;
mod sweeps;

use super::compare::Rows;
use super::group::Group;
use super::{Live, Report, Settings};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::Trials;
use carried::Carried;
use halves::{NAMES, add_halves, halves};
use pairs::{BEST, Gain, add_pairs};
use sides::{Side, sides};
use std::collections::BTreeMap;
use sweeps::{NARROW, Sweep, add_sweeps, sweeps};

const SHOTS: usize = 32;

/// Measurements on the pairs within a group of tasks.
struct Measured {
    group: Group,
    names: Vec<String>,
    halves: Rows,
    gains: BTreeMap<(usize, usize), Vec<Gain>>,
    sweeps: Vec<Sweep>,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let mut all: Vec<Measured> = Vec::new();
    let mut carried = Carried::default();
    for group in Group::of(trials.lab) {
        let sides = sides(trials, settings, group, control)?;
        all.push(Measured::new(group, &sides));
        let place = all.len() - 1;
        for a in 0..sides.len() {
            control.check()?;
            control.report(a as u64, sides.len() as u64, "tasks");
            for seed in 0..sides[a].draws.len() {
                halves(trials, &sides, a, seed, &mut all[place], control)?;
            }
            live.show(|| report(&all, &carried, trials, settings));
        }
        let mut show = |all: &[Measured]| live.show(|| report(all, &carried, trials, settings));
        sweeps(trials, settings, &sides, &mut all, &mut show, control)?;
    }
    carried.measure(trials, settings, control, &mut |carried| live.show(|| report(&all, carried, trials, settings)))?;
    Ok(report(&all, &carried, trials, settings))
}

impl Measured {
    fn new(group: Group, sides: &[Side<'_>]) -> Self {
        let names = sides.iter().map(|s| s.task.name.clone()).collect();
        Self { group, names, halves: Rows::new(&NAMES), gains: BTreeMap::new(), sweeps: Vec::new() }
    }
}

fn report(all: &[Measured], carried: &Carried, trials: &Trials<'_>, settings: &Settings) -> Report {
    let counts: Vec<String> = all.iter().map(|m| m.names.len().to_string()).collect();
    let mut report = Report {
        setup: vec![
            format!(
                "skills of {SHOTS} examples; {} tasks, all ordered pairs{}; questions are in no skill's examples",
                counts.join(" and "),
                if all.len() > 1 { " within trained and within unseen tasks" } else { "" }
            ),
            "half: 0.5 of the task's own skill and 0.5 of the other state, windows included".into(),
            format!(
                "best pairs: the {BEST} that save most nats on the questions of even number, measured on those of odd number (numbers of the task's list)"
            ),
            format!(
                "width: the stretch of alpha between 25 % and 75 % of the change of p(answer); 0.5 on a straight line; phase-like below {NARROW} (ours); changes below {} are left out",
                curve::MOVED
            ),
            "half of the sweeps, those with the steepest changes, are measured at four more alphas where they are steepest".into(),
        ],
        ..Report::default()
    };
    for measured in all {
        add_halves(&mut report, measured, settings);
        add_pairs(&mut report, measured, settings);
        add_sweeps(&mut report, measured, settings);
    }
    carried.add_to(&mut report, trials, settings);
    report
}
