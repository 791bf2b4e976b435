//! A mixture of a query with skills: a weight for each ingredient, and one for each layer.

/// The variables: a weight for each ingredient, and one for each layer.
#[derive(Clone)]
pub struct Mixture {
    pub weights: Vec<f64>,
    pub layers: Vec<f64>,
}

pub fn shares(counts: &[usize]) -> Vec<f64> {
    let all = counts.iter().sum::<usize>() as f64;
    rounded(&counts.iter().map(|c| *c as f64 / all).collect::<Vec<_>>())
}

/// Weights rounded to three decimals, as printed. The largest takes the remainder, so that they sum
/// to 1.
pub fn rounded(weights: &[f64]) -> Vec<f64> {
    let mut thousandths: Vec<i64> = weights.iter().map(|w| (w * 1000.0).round() as i64).collect();
    let left = 1000 - thousandths.iter().sum::<i64>();
    if let Some(largest) = thousandths.iter_mut().max() {
        *largest += left;
    }
    thousandths.into_iter().map(|t| t as f64 / 1000.0).collect()
}

/// A weight for each layer: linear between the knots, clamped to 0 to 1, rounded to three decimals.
pub fn between(knots: &[f64], n_layer: usize) -> Vec<f64> {
    let at = |layer: usize| {
        let place = layer as f64 * (knots.len() - 1) as f64 / (n_layer - 1).max(1) as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        let value = knots[low] + share * (knots[(low + 1).min(knots.len() - 1)] - knots[low]);
        (value.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
    };
    (0..n_layer).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_what_is_printed() {
        assert_eq!(rounded(&[1.0 / 3.0; 3]), [0.333, 0.333, 0.334]);
        assert_eq!(rounded(&[0.99996, 0.00004]), [1.0, 0.0]);
        assert_eq!(shares(&[2, 0, 1]), [0.667, 0.0, 0.333]);
    }

    #[test]
    fn layer_weights_are_straight_between_knots_and_stay_within_bounds() {
        assert_eq!(between(&[0.0, 1.0], 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(between(&[-1.0, 2.0], 3), [0.0, 0.5, 1.0]);
        assert_eq!(between(&[0.4], 3), [0.4, 0.4, 0.4]);
        assert_eq!(between(&[1.0, 0.5, 0.25], 1), [1.0]);
    }
}
