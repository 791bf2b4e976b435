//! The downhill simplex of Nelder and Mead (1965), with the coefficients 1, 2, ½, ½: minimises a
//! function of a few numbers without its gradient. It serves for the weights of a soup, where one
//! evaluation costs a pass of the model and there are seldom more than eight weights.

use crate::error::{Error, Result};

/// Where the search ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The best point.
    pub at: Vec<f64>,
    /// The value at that point.
    pub value: f64,
    /// Evaluations of the function.
    pub evaluations: usize,
}

/// Minimises `of`, starting from a simplex of `start` and one point at a distance of `step` along
/// each axis. Stops when the values at the corners differ by less than `tolerance`, or at the first
/// step after `most` evaluations. NaN counts as infinite. The point returned is never worse than
/// `start`.
///
/// # Errors
/// [`Error::Input`] if there is nothing to vary; those of `of` (an error of `of` cancels the
/// search).
pub fn minimise(start: &[f64], step: f64, tolerance: f64, most: usize, of: &mut dyn FnMut(&[f64]) -> Result<f64>) -> Result<Minimum> {
    let n = start.len();
    if n == 0 {
        return Err(Error::Input("there is no weight to vary".into()));
    }
    let mut evaluations = 0;
    let mut value = |x: &[f64]| -> Result<f64> {
        evaluations += 1;
        of(x).map(|v| if v.is_nan() { f64::INFINITY } else { v })
    };
    let mut corners = vec![(value(start)?, start.to_vec())];
    for axis in 0..n {
        let mut x = start.to_vec();
        x[axis] += step;
        corners.push((value(&x)?, x));
    }
    let mut used = n + 1;
    loop {
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        if corners[n].0 - corners[0].0 < tolerance || used >= most {
            let (value, at) = corners.swap_remove(0);
            return Ok(Minimum { at, value, evaluations });
        }
        let centre: Vec<f64> = (0..n).map(|i| corners[..n].iter().map(|c| c.1[i]).sum::<f64>() / n as f64).collect();
        // A point on the line from the worst corner through the centre: t = 1 is the corner's
        // mirror image.
        let along = |t: f64| -> Vec<f64> { centre.iter().zip(&corners[n].1).map(|(c, w)| c + t * (c - w)).collect() };
        let mirrored = along(1.0);
        let reflected = value(&mirrored)?;
        used += 1;
        if reflected < corners[0].0 {
            let far = along(2.0);
            let expanded = value(&far)?;
            used += 1;
            corners[n] = if expanded < reflected { (expanded, far) } else { (reflected, mirrored) };
        } else if reflected < corners[n - 1].0 {
            corners[n] = (reflected, mirrored);
        } else {
            let near = along(if reflected < corners[n].0 { 0.5 } else { -0.5 });
            let contracted = value(&near)?;
            used += 1;
            if contracted < reflected.min(corners[n].0) {
                corners[n] = (contracted, near);
            } else {
                let best = corners[0].1.clone();
                for corner in &mut corners[1..] {
                    corner.1.iter_mut().zip(&best).for_each(|(x, b)| *x = f64::midpoint(*x, *b));
                    corner.0 = value(&corner.1)?;
                }
                used += n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(start: &[f64], most: usize, of: impl Fn(&[f64]) -> f64) -> Minimum {
        minimise(start, 0.5, 1e-12, most, &mut |x| Ok(of(x))).unwrap()
    }

    #[test]
    fn valleys_are_followed_to_their_end() {
        let banana = |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
        let minimum = find(&[-1.2, 1.0], 1000, banana);
        assert!((minimum.at[0] - 1.0).abs() < 1e-4 && (minimum.at[1] - 1.0).abs() < 1e-4, "{minimum:?}");
        let corner = find(&[3.0, -2.0, 4.0], 2000, |x| x.iter().map(|v| v.abs()).sum());
        assert!(corner.value < 1e-3, "{corner:?}");
    }

    #[test]
    fn holes_and_limits_are_survived() {
        // NaN beyond 1: the search stays where the function is defined.
        let minimum = find(&[0.0], 200, |x| if x[0] > 1.0 { f64::NAN } else { (x[0] - 3.0).powi(2) });
        assert!((minimum.at[0] - 1.0).abs() < 1e-3, "{minimum:?}");
        let mut calls = 0;
        let result = minimise(&[0.0, 0.0], 1.0, 0.0, 30, &mut |x| {
            calls += 1;
            Ok(x[0] * x[0] + x[1] * x[1])
        });
        assert!((30..36).contains(&calls) && result.unwrap().evaluations == calls);
        assert!(minimise(&[], 1.0, 0.0, 9, &mut |_| Ok(0.0)).unwrap_err().to_string().contains("no weight"));
        assert!(matches!(minimise(&[1.0], 1.0, 0.0, 9, &mut |_| Err(Error::Cancelled)), Err(Error::Cancelled)));
    }

    proptest! {
        #[test]
        fn bowls_are_solved_and_no_start_is_worsened(
            centre in proptest::collection::vec(-2.0..2.0f64, 1..5), start in proptest::collection::vec(-2.0..2.0f64, 5)
        ) {
            let start = &start[..centre.len()];
            let bowl = |x: &[f64]| x.iter().zip(&centre).enumerate().map(|(i, (x, c))| (1.0 + i as f64) * (x - c).powi(2)).sum::<f64>();
            let minimum = find(start, 3000, bowl);
            prop_assert!(minimum.value <= bowl(start) && minimum.value < 1e-4, "{:?}", minimum);
        }
    }
}
