//! What similarity proposes and evidence decides: a posterior over candidates and "none of these",
//! and its calibration.
//!
//! A candidate is a state of the library (the mean of a task's skills, or one skill). Its
//! *evidence* is how probable the query's own examples are when they are read from it, in nats: ln
//! p of the tokens of their answers, and ln p of all their other tokens. The same examples read
//! from nothing are the evidence of "none of these". With cosine similarity a score follows
//! (natural logarithm, up to a constant):
//!
//! ```text
//! score(candidate) = answers · A + inputs · I + similarity · C
//! score(none)      = answers · A0 + inputs · I0 + none
//! ```
//!
//! and the posterior is the softmax of the scores. The four constants are a [`Calibration`].

use crate::error::Result;
use crate::soup::nelder_mead::minimise;
use serde::{Deserialize, Serialize};

/// Values that the search for constants may compute: each is a pass over some thousand numbers.
const MOST: usize = 2000;
/// How firmly the search holds on to the stated defaults: the weight of one query for each constant
/// that is off by a half.
const RIDGE: f64 = 4.0;

/// How probable a query's examples are, read from one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Σ ln p of the tokens of the answers, their ends included; nats.
    pub answers: f64,
    /// Σ ln p of the other tokens but the very first, which no state predicts; nats.
    pub inputs: f64,
}

impl Explained {
    /// Both sums, with another's added.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { answers: self.answers + other.answers, inputs: self.inputs + other.inputs }
    }
}

/// A candidate's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its evidence.
    pub explained: Explained,
    /// Its cosine similarity to the query, −1 to 1.
    pub similarity: f64,
}

/// The constants of the posterior, and where a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Weight of a nat of the answers.
    pub answers: f64,
    /// Weight of a nat of the other tokens.
    pub inputs: f64,
    /// Weight of the cosine.
    pub similarity: f64,
    /// Score of "none of these" where it explains as well as a candidate of similarity 0.
    pub none: f64,
    /// Posteriors of "none of these" above which it is said that none explains a query of one
    /// example, of two or three, of four or more.
    pub gates: [f64; 3],
    /// Queries that the constants were fitted to; 0 for the stated defaults.
    pub queries: usize,
}

impl Default for Calibration {
    /// What is taken for a library without a calibration of its own: fitted to 3000 queries on the
    /// bundled model's library, and rounded.
    fn default() -> Self {
        Self { answers: 0.37, inputs: 0.3, similarity: 11.0, none: 7.3, gates: [0.65, 0.33, 0.11], queries: 0 }
    }
}

/// Which of [`Calibration::gates`] is for so many examples.
fn place(shots: usize) -> usize {
    match shots {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 2,
    }
}

/// Probabilities of the candidates, in their order, and of "none of these". They add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// Of each candidate.
    pub of: Vec<f64>,
    /// Of none of them.
    pub none: f64,
}

impl Calibration {
    /// A candidate's score.
    pub fn score(&self, candidate: &Candidate) -> f64 {
        let Candidate { explained, similarity } = candidate;
        self.answers * explained.answers + self.inputs * explained.inputs + self.similarity * similarity
    }

    /// The score of "none of these".
    pub fn score_none(&self, explained: &Explained) -> f64 {
        self.answers * explained.answers + self.inputs * explained.inputs + self.none
    }

    /// The posterior over candidates and none. A score that is not a number counts as impossible.
    pub fn posterior(&self, candidates: &[Candidate], none: &Explained) -> Posterior {
        let finite = |s: f64| if s.is_nan() { f64::NEG_INFINITY } else { s };
        let scores: Vec<f64> = candidates.iter().map(|c| finite(self.score(c))).chain([finite(self.score_none(none))]).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if best == f64::NEG_INFINITY {
            return Posterior { of: vec![0.0; candidates.len()], none: 1.0 };
        }
        let weights: Vec<f64> = scores.iter().map(|s| (s - best).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut of: Vec<f64> = weights.into_iter().map(|w| w / sum).collect();
        let none = of.pop().unwrap_or(1.0);
        Posterior { of, none }
    }

    /// The posterior of "none of these" above which it is said that none explains a query of so
    /// many examples.
    pub fn gate(&self, shots: usize) -> f64 {
        self.gates[place(shots)]
    }

    /// The constants that make the right ones of these witnesses most probable (maximum likelihood,
    /// held to the defaults by a ridge), and the gates that so many of the queries with a right
    /// candidate pass (half-way, in log-odds, from the default gates: few witnesses tell little of
    /// a tail). Fewer than ten give the defaults.
    ///
    /// # Errors
    /// None of its own; whatever the search reports.
    pub fn fit(witnesses: &[Witness], alarms: f64) -> Result<Self> {
        let default = Self::default();
        if witnesses.len() < 10 {
            return Ok(default);
        }
        // As factors of the defaults, so that one step suits all; none by itself, in tenths of its
        // default.
        let made = |x: &[f64]| Self {
            answers: default.answers * x[0].exp(),
            inputs: default.inputs * x[1].exp(),
            similarity: default.similarity * x[2].exp(),
            none: default.none * (1.0 + 0.1 * x[3]),
            queries: witnesses.len(),
            ..default
        };
        let loss = |x: &[f64]| -> Result<f64> {
            let calibration = made(x);
            let nats: f64 = witnesses.iter().map(|w| -w.probability(&calibration).max(1e-12).ln()).sum();
            Ok(nats + RIDGE * x[..3].iter().map(|v| v * v).sum::<f64>())
        };
        let mut calibration = made(&minimise(&[0.0; 4], 0.3, 1e-6, MOST, &mut |x| loss(x))?.at);
        for (i, gate) in default.gates.iter().enumerate() {
            let of: Vec<&Witness> = witnesses.iter().filter(|w| w.right.is_some() && place(w.shots) == i).collect();
            if of.len() >= 10 {
                calibration.gates[i] = midway(*gate, calibration.gate_for(&of, alarms));
            }
        }
        Ok(calibration)
    }

    /// The posterior of none that all but a share of these queries stay below.
    fn gate_for(&self, known: &[&Witness], alarms: f64) -> f64 {
        let mut none: Vec<f64> = known.iter().map(|w| self.posterior(&w.candidates, &w.none).none).collect();
        none.sort_by(f64::total_cmp);
        none[(((1.0 - alarms) * none.len() as f64).ceil() as usize).min(none.len() - 1)]
    }
}

/// Half-way between two probabilities, in log-odds.
fn midway(a: f64, b: f64) -> f64 {
    let odds = |p: f64| {
        let p = p.clamp(0.01, 0.99);
        (p / (1.0 - p)).ln()
    };
    1.0 / (1.0 + (-(odds(a) + odds(b)) / 2.0).exp())
}

/// A query whose right candidate is known.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// The examples read from nothing.
    pub none: Explained,
    /// The right one's place; `None` if none of them is right.
    pub right: Option<usize>,
    /// Examples in the query.
    pub shots: usize,
}

impl Witness {
    fn probability(&self, calibration: &Calibration) -> f64 {
        let posterior = calibration.posterior(&self.candidates, &self.none);
        self.right.map_or(posterior.none, |i| posterior.of[i])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn candidate(answers: f64, inputs: f64, similarity: f64) -> Candidate {
        Candidate { explained: Explained { answers, inputs }, similarity }
    }

    #[test]
    fn the_posterior_is_the_softmax_of_the_scores() {
        let c = Calibration { answers: 1.0, inputs: 0.5, similarity: 10.0, none: 5.0, ..Calibration::default() };
        let none = Explained { answers: -4.0, inputs: -6.0 };
        let p = c.posterior(&[candidate(-1.0, -4.0, 0.6), candidate(-3.0, -4.0, 0.7)], &none);
        // By hand: −1 − 2 + 6 = 3, −3 − 2 + 7 = 2, −4 − 3 + 5 = −2.
        let z = 3f64.exp() + 2f64.exp() + (-2f64).exp();
        for (got, wanted) in [(p.of[0], 3f64.exp() / z), (p.of[1], 2f64.exp() / z), (p.none, (-2f64).exp() / z)] {
            assert!((got - wanted).abs() < 1e-12, "{got} {wanted}");
        }
        assert_eq!(c.posterior(&[], &none), Posterior { of: Vec::new(), none: 1.0 });
        let lost = c.posterior(&[candidate(f64::NAN, 0.0, 0.0)], &none);
        assert_eq!((lost.of[0], lost.none), (0.0, 1.0));
    }

    /// Witnesses drawn from known constants give these constants back, about.
    #[test]
    fn constants_are_found_again() {
        let truth = Calibration { answers: 0.5, inputs: 0.2, similarity: 40.0, none: 30.0, ..Calibration::default() };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut witnesses = Vec::new();
        for _ in 0..1500 {
            let candidates: Vec<Candidate> =
                (0..8).map(|_| candidate(rng.random_range(-8.0..0.0), rng.random_range(-20.0..-5.0), rng.random_range(0.6..0.9))).collect();
            let none = Explained { answers: rng.random_range(-8.0..-3.0), inputs: rng.random_range(-20.0..-5.0) };
            let posterior = truth.posterior(&candidates, &none);
            let mut at: f64 = rng.random_range(0.0..1.0);
            let right = posterior.of.iter().position(|p| {
                at -= p;
                at < 0.0
            });
            witnesses.push(Witness { candidates, none, right, shots: 1 });
        }
        let found = Calibration::fit(&witnesses, 0.1).unwrap();
        for (a, b) in [(found.answers, 0.5), (found.inputs, 0.2), (found.similarity, 40.0), (found.none, 30.0)] {
            assert!((a / b - 1.0).abs() < 0.15, "{found:?}");
        }
        assert_eq!(Calibration::fit(&witnesses[..5], 0.1).unwrap(), Calibration::default());
    }

    #[test]
    fn the_gate_lets_through_as_many_known_queries_as_asked() {
        let c = Calibration { answers: 1.0, inputs: 0.0, similarity: 0.0, none: 0.0, ..Calibration::default() };
        let witness = |i: u32| Witness {
            candidates: vec![candidate(0.0, 0.0, 0.0)],
            none: Explained { answers: f64::from(i) / 10.0 - 9.0, inputs: 0.0 },
            right: Some(0),
            shots: 1,
        };
        let witnesses: Vec<Witness> = (0..100).map(witness).collect();
        let gate = c.gate_for(&witnesses.iter().collect::<Vec<_>>(), 0.1);
        let alarms = witnesses.iter().filter(|w| c.posterior(&w.candidates, &w.none).none > gate).count();
        assert!((8..=10).contains(&alarms), "{alarms} at {gate}");
        assert!((midway(0.2, 0.8) - 0.5).abs() < 1e-12 && (midway(0.3, 0.3) - 0.3).abs() < 1e-12);
        let gates = Calibration { gates: [0.1, 0.2, 0.3], ..c };
        assert_eq!([0, 1, 2, 3, 4, 9].map(|k| gates.gate(k)), [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]);
    }
}
