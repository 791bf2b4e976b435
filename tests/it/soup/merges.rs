//! SLERP, TIES, DARE and arithmetic against plain code.

use super::chunks::*;
use state_soup::soup::{merge, mix};
use state_soup::state::State;

/// H − h0 of one layer.
fn tau(h0: &State, h: &State, layer: usize) -> Vec<f64> {
    h.ssm_layer(layer).iter().zip(h0.ssm_layer(layer)).map(|(h, z)| f64::from(*h) - f64::from(*z)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn slerp_turns_the_layers_about_h0() {
    let s = states(1, 3, 1.0);
    for t in [0.0, 0.3, 0.5, 1.0] {
        let got = merge::slerp(&s[0], &s[1], &s[2], t).unwrap();
        for l in 0..SHAPE.n_layer {
            let (a, b) = (tau(&s[0], &s[1], l), tau(&s[0], &s[2], l));
            let angle = (dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()).acos();
            let (wa, wb) = (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin());
            let want: Vec<f64> = a.iter().zip(&b).zip(s[0].ssm_layer(l)).map(|((a, b), z)| wa * a + wb * b + f64::from(*z)).collect();
            assert!(relative(got.ssm_layer(l), &want) < 1e-6);
        }
    }
    assert_eq!(merge::slerp(&s[0], &s[1], &s[2], 0.0).unwrap().ssm(), s[1].ssm());
    assert_eq!(merge::slerp(&s[0], &s[1], &s[2], 1.0).unwrap().ssm(), s[2].ssm());
}

/// Almost parallel and almost opposite: no division by a vanishing sine.
#[test]
fn slerp_goes_straight_where_there_is_no_angle() {
    let s = states(2, 1, 1.0);
    let zero = State::zeros(SHAPE);
    for scale in [2.0, -1.5] {
        let other = mix::weighted_sum(&s, &[scale]).unwrap();
        let got = merge::slerp(&zero, &s[0], &other, 0.25).unwrap();
        let want: Vec<f64> = s[0].ssm().iter().map(|v| f64::from(*v) * (0.75 + 0.25 * scale)).collect();
        assert!(relative(got.ssm(), &want) < 1e-5);
    }
    // One of them has no direction at all.
    let got = merge::slerp(&zero, &s[0], &zero, 0.25).unwrap();
    let want: Vec<f64> = s[0].ssm().iter().map(|v| f64::from(*v) * 0.75).collect();
    assert!(relative(got.ssm(), &want) < 1e-6);
    assert!(merge::slerp(&zero, &s[0], &s[0], f64::NAN).is_err());
}

#[test]
fn ties_trims_elects_and_merges() {
    let s = states(3, 4, 1.0);
    let (h0, parts) = (&s[0], &s[1..]);
    for (density, lambda) in [(0.2, 1.0), (0.5, 0.7), (1.0, 1.0), (0.0, 1.0)] {
        let got = merge::ties(h0, parts, density, lambda).unwrap();
        for l in 0..SHAPE.n_layer {
            let n = SHAPE.memory.len();
            let keep = (density * n as f64).round() as usize;
            let trimmed: Vec<Vec<f64>> = parts
                .iter()
                .map(|p| {
                    let t = tau(h0, p, l);
                    let mut size: Vec<f64> = t.iter().map(|v| v.abs()).collect();
                    size.sort_by(|a, b| b.total_cmp(a));
                    t.iter().map(|v| if keep > 0 && v.abs() >= size[keep - 1] { *v } else { 0.0 }).collect()
                })
                .collect();
            let want: Vec<f64> = (0..n)
                .map(|i| {
                    let column: Vec<f64> = trimmed.iter().map(|t| t[i]).collect();
                    let up = column.iter().sum::<f64>() >= 0.0;
                    let agreeing: Vec<f64> = column.into_iter().filter(|v| *v != 0.0 && (*v > 0.0) == up).collect();
                    let merged = if agreeing.is_empty() { 0.0 } else { agreeing.iter().sum::<f64>() / agreeing.len() as f64 };
                    f64::from(h0.ssm_layer(l)[i]) + lambda * merged
                })
                .collect();
            assert!(relative(got.ssm_layer(l), &want) < 1e-6, "density {density}, layer {l}");
        }
    }
    assert!(merge::ties(h0, parts, 1.5, 1.0).unwrap_err().to_string().contains("between 0 and 1"));
    assert!(merge::ties(h0, parts, f64::NAN, 1.0).is_err() && merge::ties(h0, parts, 0.5, f64::INFINITY).is_err());
}

/// Equal magnitudes: as many are kept as the density says, the first ones.
#[test]
fn ties_keeps_its_share_among_equals() {
    let ones = State::new(SHAPE, vec![1.0; 30], vec![0.0; 30], vec![0.0; 10], 1).unwrap();
    let got = merge::ties(&State::zeros(SHAPE), &[ones], 0.2, 1.0).unwrap();
    assert_eq!(got.ssm_layer(1), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn dare_drops_and_rescales() {
    let s = states(4, 2, 1.0);
    let (h0, part) = (&s[0], &s[1..]);
    assert!(farthest(merge::dare(h0, part, 0.0, 1).unwrap().ssm(), part[0].ssm()) < 1e-6);
    let once = merge::dare(h0, part, 0.4, 1).unwrap();
    assert_eq!(once, merge::dare(h0, part, 0.4, 1).unwrap());
    assert_ne!(once.ssm(), merge::dare(h0, part, 0.4, 2).unwrap().ssm());
    for ((got, h), z) in once.ssm().iter().zip(part[0].ssm()).zip(h0.ssm()) {
        let rescaled = z + (h - z) / 0.6;
        assert!(got == z || (got - rescaled).abs() < 1e-5, "{got} is neither {z} nor {rescaled}");
    }
    // Over many seeds: the share kept, and the mean, are what they should be.
    let seeds = 3000;
    let (mut kept, mut sum) = (0usize, vec![0.0f64; 30]);
    for seed in 0..seeds {
        let got = merge::dare(h0, part, 0.4, seed).unwrap();
        kept += got.ssm().iter().zip(h0.ssm()).filter(|(g, z)| g != z).count();
        sum.iter_mut().zip(got.ssm()).for_each(|(s, g)| *s += f64::from(*g) / seeds as f64);
    }
    let share = kept as f64 / (seeds * 30) as f64;
    assert!((share - 0.6).abs() < 0.01, "{share}");
    assert!(relative(part[0].ssm(), &sum) < 0.03);
    assert!(merge::dare(h0, part, 1.0, 1).is_err() && merge::dare(h0, part, -0.1, 1).is_err());
}

#[test]
fn arithmetic_adds_negates_and_draws_analogies() {
    let s = states(5, 4, 1.0);
    let lambdas = [1.0, -1.0, 0.5];
    let got = mix::arithmetic(&s[0], &s[1..], &lambdas).unwrap();
    for part in [State::ssm, State::conv] {
        let want: Vec<f64> = (0..part(&s[0]).len())
            .map(|i| {
                let h0 = f64::from(part(&s[0])[i]);
                h0 + s[1..].iter().zip(lambdas).map(|(h, l)| l * (f64::from(part(h)[i]) - h0)).sum::<f64>()
            })
            .collect();
        assert!(relative(part(&got), &want) < 1e-6);
    }
    assert!(got.dt_sum().iter().all(|v| *v >= 0.0), "a sidecar stays a sum of durations");
}
