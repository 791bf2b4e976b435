//! Equal mixes of each task's own skill with other states: what half of another task's skill does.

use super::Measured;
use super::pairs::Gain;
use super::sides::{Side, share};
use crate::control::Control;
use crate::error::Result;
use crate::experiment::{Report, Settings};
use crate::lab::trials::{Score, Trials};
use crate::state::State;

pub const NAMES: [&str; 8] = [
    "own skill",
    "0-shot",
    "half another task",
    "half a second skill of its own",
    "half a random state of equal norm",
    "half its own examples with shuffled labels",
    "another task's skill",
    "logit ensemble with another task",
];

/// Scores one task's questions of one seed on its own skill, on the other states and on equal mixes
/// with them.
pub fn halves(trials: &Trials<'_>, sides: &[Side<'_>], a: usize, seed: usize, measured: &mut Measured, control: Control<'_>) -> Result<()> {
    let asked = &sides[a].draws[seed];
    let put = |states: &[State]| -> Result<Vec<Score>> {
        trials.ask(&asked.questions.iter().map(|q| q.put(states)).collect::<Vec<_>>(), control)
    };
    let own = put(std::slice::from_ref(&asked.own))?;
    let zero = put(std::slice::from_ref(&asked.zero))?;
    let second = put(&[half(&asked.own, &asked.second)?])?;
    let random = put(&[half(&asked.own, &asked.random)?])?;
    let shuffled = put(&[half(&asked.own, &asked.shuffled)?])?;
    for (b, other) in sides.iter().enumerate() {
        let of = if a == b { &asked.second } else { &other.draws[seed].own };
        let mixed = if a == b { second.clone() } else { put(&[half(&asked.own, of)?])? };
        if a != b {
            let (alone, both) = (put(std::slice::from_ref(of))?, put(&[asked.own.clone(), of.clone()])?);
            for q in 0..own.len() {
                measured.halves.push(sides[a].t, &[own[q], zero[q], mixed[q], second[q], random[q], shuffled[q], alone[q], both[q]]);
            }
        }
        let gains = measured.gains.entry((a, b)).or_default();
        gains.extend(own.iter().zip(&mixed).enumerate().map(|(q, (own, mixed))| Gain {
            pair: asked.questions[q].pair,
            nats: own.nll - mixed.nll,
            hits: f64::from(u8::from(mixed.hit)) - f64::from(u8::from(own.hit)),
        }));
    }
    Ok(())
}

fn half(a: &State, b: &State) -> Result<State> {
    share(a, b, 0.5)
}

/// Adds the effects of half of another task's skill.
pub fn add_halves(report: &mut Report, measured: &Measured, settings: &Settings) {
    let Measured { group, halves: rows, .. } = measured;
    report.tables.push(rows.table(&group.name("halves"), settings));
    let (own, other, random) = ("own skill", "half another task", "half a random state of equal norm");
    let saved = |claim: &str, better: &str, worse: &str, threshold| rows.saved(&group.claim(claim), better, worse, threshold, settings);
    report.findings.extend([
        saved("Half of another task's skill harms the answers", own, other, 0.0),
        rows.finding(&group.claim("Half of another task's skill costs exact answers"), own, other, 0.0, settings),
        saved("Half of another task's skill harms more than half of a random state", random, other, 0.0),
        saved("Half of a second skill of its own helps", "half a second skill of its own", own, 0.0),
        saved("The mix keeps what the logit ensemble keeps", other, "logit ensemble with another task", -0.1),
    ]);
}
