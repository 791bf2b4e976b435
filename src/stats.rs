//! Effects with their uncertainty, and the conclusions that they allow.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

/// A mean with a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    #[serde(deserialize_with = "number")]
    pub mean: f64,
    /// The 2.5th percentile of the resampled means.
    #[serde(deserialize_with = "number")]
    pub low: f64,
    /// The 97.5th percentile of the resampled means.
    #[serde(deserialize_with = "number")]
    pub high: f64,
    /// Number of values.
    pub n: usize,
}

/// Reads null as NaN: JSON has no NaN, so it is written as null.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let small = self.low.abs().max(self.high.abs()) < 0.01;
        if small {
            write!(f, "{:.2e} [{:.2e}, {:.2e}]", self.mean, self.low, self.high)
        } else {
            write!(f, "{:.3} [{:.3}, {:.3}]", self.mean, self.low, self.high)
        }
    }
}

/// The mean of `values`, (group, value), with its percentile bootstrap interval. Values of one
/// group (a task, a document) are resampled together, because they are alike. For a paired
/// comparison, pass the differences. Without values the result is NaN.
pub fn bootstrap(values: &[(usize, f64)], resamples: usize, seed: u64) -> Interval {
    let mut groups: std::collections::BTreeMap<usize, (f64, usize)> = std::collections::BTreeMap::new();
    for (group, value) in values {
        let sum = groups.entry(*group).or_default();
        sum.0 += value;
        sum.1 += 1;
    }
    let groups: Vec<(f64, usize)> = groups.into_values().collect();
    let mean = |sum: (f64, usize)| sum.0 / sum.1 as f64;
    let add = |a: (f64, usize), b: &(f64, usize)| (a.0 + b.0, a.1 + b.1);
    let whole = mean(groups.iter().fold((0.0, 0), add));
    if groups.is_empty() || resamples == 0 {
        return Interval { mean: whole, low: whole, high: whole, n: values.len() };
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| mean((0..groups.len()).map(|_| groups[rng.random_range(0..groups.len())]).fold((0.0, 0), |a, b| add(a, &b))))
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    Interval { mean: whole, low: at(0.025), high: at(0.975), n: values.len() }
}

/// What an interval says about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval lies on the claim's side of the threshold.
    Supported,
    /// The whole interval lies on the other side.
    Contradicted,
    /// The interval contains the threshold, or there are fewer than two values.
    NotDistinguishable,
}

impl Verdict {
    /// The verdict on the claim "the effect is above `threshold`". An interval over fewer than two
    /// values decides nothing.
    pub fn above(threshold: f64, effect: &Interval) -> Self {
        if effect.n < 2 || effect.mean.is_nan() {
            Self::NotDistinguishable
        } else if effect.low > threshold {
            Self::Supported
        } else if effect.high < threshold {
            Self::Contradicted
        } else {
            Self::NotDistinguishable
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::NotDistinguishable => "not distinguishable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(centre: f64, n: usize) -> Vec<(usize, f64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        (0..n).map(|i| (i / 4, centre + rng.random_range(-1.0..1.0))).collect()
    }

    #[test]
    fn every_verdict_can_come_out() {
        let verdict = |centre| Verdict::above(0.0, &bootstrap(&around(centre, 200), 1000, 0));
        assert_eq!(verdict(0.5), Verdict::Supported);
        assert_eq!(verdict(-0.5), Verdict::Contradicted);
        assert_eq!(verdict(0.0), Verdict::NotDistinguishable);
        assert_eq!(Verdict::above(0.0, &bootstrap(&[(0, 1.0)], 1000, 0)), Verdict::NotDistinguishable);
        assert_eq!(Verdict::above(0.0, &bootstrap(&[], 1000, 0)), Verdict::NotDistinguishable);
    }

    #[test]
    fn intervals_cover_the_truth_about_as_often_as_they_say() {
        let mut covered = 0;
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let values: Vec<_> = (0..120).map(|i| (i, rng.random_range(-1.0..1.0))).collect();
            let interval = bootstrap(&values, 400, seed);
            covered += usize::from(interval.low <= 0.0 && interval.high >= 0.0);
        }
        assert!((178..=200).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn values_of_one_group_are_one_witness() {
        // Four groups of many equal values: as uncertain as four values, not four hundred.
        let values: Vec<_> = (0..400).map(|i| (i % 4, (i % 4) as f64)).collect();
        let interval = bootstrap(&values, 1000, 0);
        assert!(interval.high - interval.low > 1.0, "{interval}");
    }
}
