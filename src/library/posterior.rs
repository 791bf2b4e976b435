//! A posterior over candidates and "none of these", from similarity and evidence, and its
//! calibration.
//!
//! A candidate is a state of the library (the mean of a task's skills, or one skill). Its
//! *evidence* is the log-probability, in nats, of the query's own examples when they are read from
//! it: ln p of the tokens of their answers, and ln p of all their other tokens. The same examples
//! read from the neutral state h0 give the evidence of "none of these". Evidence and cosine
//! similarity give a score (natural logarithm, up to a constant):
//!
//! ```text
//! score(candidate) = answers · A + inputs · I + similarity · C
//! score(none)      = answers · A0 + inputs · I0 + none
//! ```
//!
//! The posterior is the softmax of the scores. The four constants are a [`Calibration`].

use crate::error::Result;
use crate::soup::nelder_mead::minimise;
use serde::{Deserialize, Serialize};

/// Evaluations that the search for constants may make; each is a pass over some thousand numbers.
const MOST: usize = 2000;
/// Strength of the ridge: nats per squared logarithm of a constant's ratio to its default. A
/// constant that is off by a factor of e^½ costs 1 nat. `none` has no ridge.
const RIDGE: f64 = 4.0;

/// The log-probability of a query's examples, read from one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Σ ln p of the tokens of the answers, their ends included; nats.
    pub answers: f64,
    /// Σ ln p of the other tokens, without the very first, which no state predicts; nats.
    pub inputs: f64,
}

impl Explained {
    /// Adds another's sums to both sums.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { answers: self.answers + other.answers, inputs: self.inputs + other.inputs }
    }
}

/// The evidence and the similarity of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its evidence.
    pub explained: Explained,
    /// Its cosine similarity to the query, −1 to 1.
    pub similarity: f64,
}

/// The constants of the posterior, and the gates of "none of these".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Weight per nat of the answers.
    pub answers: f64,
    /// Weight per nat of the other tokens.
    pub inputs: f64,
    /// Weight of the cosine.
    pub similarity: f64,
    /// Constant added to the score of "none of these"; a candidate gets `similarity` times its
    /// cosine in its place.
    pub none: f64,
    /// Posteriors of "none of these" above which no candidate is taken to explain the query: for
    /// one example, for two or three, for four or more.
    pub gates: [f64; 3],
    /// Queries that the constants were fitted to; 0 for the defaults.
    pub queries: usize,
}

impl Default for Calibration {
    /// The constants for a library without a calibration of its own: fitted to 3000 queries on the
    /// bundled model's library, and rounded.
    fn default() -> Self {
        Self { answers: 0.37, inputs: 0.3, similarity: 11.0, none: 7.3, gates: [0.65, 0.33, 0.11], queries: 0 }
    }
}

/// Index into [`Calibration::gates`] for a query of `shots` examples.
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
    /// The probability of each candidate.
    pub of: Vec<f64>,
    /// The probability of none of them.
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

    /// The posterior over the candidates and none of them. A score that is NaN gets the probability
    /// 0.
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

    /// The posterior of "none of these" above which no candidate is taken to explain a query of
    /// `shots` examples.
    pub fn gate(&self, shots: usize) -> f64 {
        self.gates[place(shots)]
    }

    /// Fits the constants to witnesses by maximum likelihood of the right candidates, with a ridge
    /// towards the defaults, and then the gates. `alarms` is the share of the queries with a right
    /// candidate whose posterior of none lies above the gate; the gate that has this share is moved
    /// half-way, in log-odds, to the default, because few witnesses say little about a tail. Fewer
    /// than ten witnesses give the defaults; a gate with fewer than ten witnesses keeps its
    /// default.
    ///
    /// # Errors
    /// Those of [`minimise`]; none in practice.
    pub fn fit(witnesses: &[Witness], alarms: f64) -> Result<Self> {
        let default = Self::default();
        if witnesses.len() < 10 {
            return Ok(default);
        }
        // The search varies logarithms of the ratios to the defaults, so that one step size suits
        // all, and `none` in tenths of its default.
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

    /// The posterior of none that all but the share `alarms` of these queries stay below.
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
    /// The evidence of "none of these".
    pub none: Explained,
    /// Index of the right candidate; `None` if none of them is right.
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
        // Computed: −1 − 2 + 6 = 3, −3 − 2 + 7 = 2, −4 − 3 + 5 = −2.
        let z = 3f64.exp() + 2f64.exp() + (-2f64).exp();
        for (got, wanted) in [(p.of[0], 3f64.exp() / z), (p.of[1], 2f64.exp() / z), (p.none, (-2f64).exp() / z)] {
            assert!((got - wanted).abs() < 1e-12, "{got} {wanted}");
        }
        assert_eq!(c.posterior(&[], &none), Posterior { of: Vec::new(), none: 1.0 });
        let lost = c.posterior(&[candidate(f64::NAN, 0.0, 0.0)], &none);
        assert_eq!((lost.of[0], lost.none), (0.0, 1.0));
    }

    /// A fit to witnesses drawn from known constants approximates these constants.
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
