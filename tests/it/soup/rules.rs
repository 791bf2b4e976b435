//! Sums, A-decay and PICASO.

use super::chunks::*;
use proptest::prelude::*;
use state_soup::soup::{decay, mix, picaso};
use state_soup::state::{Decay, State};

#[test]
fn a_mean_is_the_mean_of_every_part() {
    let s = states(1, 3, 2.0);
    let m = mix::mean(&s, &[1.0; 3]).unwrap();
    for part in [State::ssm, State::conv, State::dt_sum] {
        assert!(relative(part(&m), &mean(&s.iter().map(|s| wide(part(s))).collect::<Vec<_>>())) < 1e-6);
    }
    assert_eq!(m.tokens(), s.iter().map(State::tokens).sum::<u64>());
}

#[test]
fn a_weight_of_zero_leaves_a_state_out_entirely() {
    let s = states(2, 2, 2.0);
    assert_eq!(mix::weighted_sum(&s, &[1.0, 0.0]).unwrap(), s[0]);
    assert_eq!(mix::mean(&s, &[0.0, 3.0]).unwrap(), s[1]);
    // h0 + 1·(H − h0) is H.
    assert_eq!(mix::arithmetic(&s[0], &s[1..], &[1.0]).unwrap(), s[1]);
}

#[test]
fn mixing_leaves_its_ingredients_as_they_were() {
    let s = states(3, 4, 2.0);
    let before: Vec<(Vec<f32>, Vec<f32>, Vec<f32>, u64)> =
        s.iter().map(|s| (s.ssm().to_vec(), s.conv().to_vec(), s.dt_sum().to_vec(), s.tokens())).collect();
    let r = rates(3);
    let _ = mix::mean(&s, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    let _ = decay::compose(&s, &[1.0; 4], &r, 1.0, 1.0).unwrap();
    let _ = picaso::all_orders(&s, &r).unwrap();
    let _ = picaso::rotations(&s, &r).unwrap();
    let _ = mix::blend_layers(&s[0], &s[1], &[0.5, 0.1]).unwrap();
    let _ = mix::match_norm(&s[0], &s[1..]).unwrap();
    let _ = state_soup::soup::merge::ties(&s[0], &s[1..], 0.3, 1.0).unwrap();
    let _ = state_soup::soup::merge::dare(&s[0], &s[1..], 0.3, 1).unwrap();
    for (s, (ssm, conv, dt, tokens)) in s.iter().zip(before) {
        assert_eq!((s.ssm(), s.conv(), s.dt_sum(), s.tokens()), (&ssm[..], &conv[..], &dt[..], tokens));
    }
}

#[test]
fn weights_and_states_must_be_as_many() {
    let s = states(4, 3, 2.0);
    for message in [
        mix::weighted_sum(&s, &[1.0, 2.0]).unwrap_err().to_string(),
        decay::compose(&s, &[1.0], &rates(4), 1.0, 1.0).unwrap_err().to_string(),
    ] {
        assert!(message.contains("3 states"), "{message}");
    }
    assert!(mix::weighted_sum(&[], &[]).is_err());
    assert!(mix::weighted_sum(&s, &[1.0, f64::NAN, 1.0]).is_err());
    assert!(mix::mean(&s, &[1.0, -1.0, 0.0]).unwrap_err().to_string().contains("add up to 0"));
}

/// One linear layer, read in one piece, is what A-decay gives from its pieces (here the convolution
/// plays no part: B, Δ and x are given).
#[test]
fn decay_of_the_pieces_is_the_whole() {
    for (seed, lengths) in [(1u64, vec![9usize, 11]), (2, vec![1, 1, 1]), (3, vec![40, 3, 17, 60]), (4, vec![25])] {
        let mut g = rng(seed);
        let r = rates(seed);
        let whole = sequence(&mut g, lengths.iter().sum(), 0.2);
        let mut rest = &whole[..];
        let mut pieces = Vec::new();
        for n in &lengths {
            let (head, tail) = rest.split_at(*n);
            pieces.push(read(&r, head));
            rest = tail;
        }
        let one = read(&r, &whole);
        let got = decay::compose(&pieces, &vec![1.0; pieces.len()], &r, 1.0, 1.0).unwrap();
        assert!(relative(got.ssm(), &wide(one.ssm())) < 1e-6, "{lengths:?}");
        assert!(relative(got.dt_sum(), &wide(one.dt_sum())) < 1e-6);
        assert_eq!(got.tokens(), one.tokens());
        assert_eq!(got.conv(), pieces.last().unwrap().conv());
    }
}

#[test]
fn composing_is_associative() {
    let (s, r) = (states(5, 3, 0.5), rates(5));
    let compose = |s: &[State]| decay::compose(s, &vec![1.0; s.len()], &r, 1.0, 1.0).unwrap();
    let left = compose(&[compose(&s[..2]), s[2].clone()]);
    let right = compose(&[s[0].clone(), compose(&s[1..])]);
    let flat = compose(&s);
    for other in [left, right] {
        assert!(farthest(other.ssm(), flat.ssm()) < 1e-5 && farthest(other.dt_sum(), flat.dt_sum()) < 1e-5);
        assert_eq!(other.conv(), flat.conv());
    }
}

#[test]
fn the_gamma_family_has_its_limits() {
    let (s, r) = (states(6, 4, 0.5), rates(6));
    let ones = [1.0; 4];
    let mean = mix::mean(&s, &ones).unwrap();
    let sum = mix::weighted_sum(&s, &ones).unwrap();
    let family = |gamma: f64, z: f64| decay::compose(&s, &ones, &r, gamma, z).unwrap();
    assert!(farthest(family(0.0, 4.0).ssm(), mean.ssm()) < 1e-6);
    assert!(farthest(family(0.0, 1.0).ssm(), sum.ssm()) < 1e-6);
    assert!(relative(family(1.0, 1.0).ssm(), &compose(&r, &s, &[0, 1, 2, 3])) < 1e-6);
    assert_eq!(family(f64::INFINITY, 1.0).ssm(), s[3].ssm());
    assert!(farthest(family(1e4, 1.0).ssm(), s[3].ssm()) < 1e-6);
    // γ in between: exp(γ Σ_{j>i} log P_j).
    let mut want = vec![0.0; s[0].ssm().len()];
    for i in 0..4 {
        for (k, w) in want.iter_mut().enumerate() {
            let log: f64 = s[i + 1..].iter().map(|s| transitions(&r, s)[k].ln()).sum();
            *w += (0.3 * log).exp() * f64::from(s[i].ssm()[k]);
        }
    }
    assert!(relative(family(0.3, 1.0).ssm(), &want) < 1e-6);
    assert!(decay::compose(&s, &ones, &r, -0.1, 1.0).is_err() && decay::compose(&s, &ones, &r, f64::NAN, 1.0).is_err());
}

/// ΣΔ of 10⁴ makes every P 0 in f32 and f64 both: a division by prefix products would give NaN.
#[test]
fn total_forgetting_is_no_trouble() {
    let r = rates(7);
    let s: Vec<State> = states(7, 5, 1.0)
        .into_iter()
        .map(|s| State::new(SHAPE, s.ssm().to_vec(), s.conv().to_vec(), vec![1e4; s.dt_sum().len()], s.tokens()).unwrap())
        .collect();
    assert_eq!(decay::compose(&s, &[1.0; 5], &r, 1.0, 1.0).unwrap().ssm(), s[4].ssm());
    let mean = mix::mean(&s, &[1.0; 5]).unwrap();
    // Channels that forget all are averaged.
    assert!(farthest(picaso::all_orders(&s, &r).unwrap().ssm(), mean.ssm()) < 1e-6);
    assert!(farthest(picaso::rotations(&s, &r).unwrap().ssm(), mean.ssm()) < 1e-6);
}

/// ΣΔ of 0: nothing is forgotten, every order is the sum.
#[test]
fn perfect_memory_is_the_sum() {
    let r = rates(8);
    let s: Vec<State> = states(8, 5, 1.0)
        .into_iter()
        .map(|s| State::new(SHAPE, s.ssm().to_vec(), s.conv().to_vec(), vec![0.0; s.dt_sum().len()], s.tokens()).unwrap())
        .collect();
    let sum = mix::weighted_sum(&s, &[1.0; 5]).unwrap();
    assert!(farthest(picaso::all_orders(&s, &r).unwrap().ssm(), sum.ssm()) < 1e-5);
    assert!(farthest(picaso::rotations(&s, &r).unwrap().ssm(), sum.ssm()) < 1e-5);
    assert!(farthest(decay::compose(&s, &[1.0; 5], &r, f64::INFINITY, 1.0).unwrap().ssm(), sum.ssm()) < 1e-5);
}

proptest! {
    #![proptest_config(cases(24))]
    #[test]
    fn picaso_s_is_the_mean_over_all_orders(seed in 0u64..1000, n in 1usize..=6, dt in 0.01f32..1.0) {
        let (s, r) = (states(seed, n, dt), rates(seed));
        let want = mean(&permutations(n).iter().map(|order| compose(&r, &s, order)).collect::<Vec<_>>());
        let got = picaso::all_orders(&s, &r).unwrap();
        prop_assert!(relative(got.ssm(), &want) < 1e-6);
        let sum: Vec<f64> = (0..got.dt_sum().len()).map(|i| s.iter().map(|s| f64::from(s.dt_sum()[i])).sum()).collect();
        prop_assert!(relative(got.dt_sum(), &sum) < 1e-6);
    }

    #[test]
    fn picaso_r_is_the_mean_over_the_rotations(seed in 0u64..1000, n in 1usize..=9, dt in 0.01f32..1.0) {
        let (s, r) = (states(seed, n, dt), rates(seed));
        let turns: Vec<Vec<usize>> = (0..n).map(|by| (0..n).map(|i| (i + by) % n).collect()).collect();
        let want = mean(&turns.iter().map(|order| compose(&r, &s, order)).collect::<Vec<_>>());
        prop_assert!(relative(picaso::rotations(&s, &r).unwrap().ssm(), &want) < 1e-6);
    }

    #[test]
    fn decay_is_the_recurrence(seed in 0u64..1000, n in 1usize..=12, dt in 0.01f32..3.0) {
        let (s, r) = (states(seed, n, dt), rates(seed));
        let order: Vec<usize> = (0..n).collect();
        prop_assert!(relative(decay::compose(&s, &vec![1.0; n], &r, 1.0, 1.0).unwrap().ssm(), &compose(&r, &s, &order)) < 1e-6);
    }
}

/// The published sum over elementary symmetric polynomials, in f64, for as many chunks as PICASO
/// takes.
#[test]
fn sixty_four_chunks_agree_with_the_symmetric_polynomials() {
    let (n, seed) = (picaso::MOST, 9);
    let (s, r) = (states(seed, n, 0.3), rates(seed));
    let p: Vec<Vec<f64>> = s.iter().map(|s| transitions(&r, s)).collect();
    let mut want = vec![0.0; s[0].ssm().len()];
    for (i, want) in want.iter_mut().enumerate() {
        #[allow(clippy::needless_range_loop)] // the formula counts cyclically from k
        for k in 0..n {
            let mut e = vec![0.0; n];
            e[0] = 1.0;
            for (j, p) in p.iter().enumerate().filter(|(j, _)| *j != k) {
                for m in (1..=(j + 1).min(n - 1)).rev() {
                    e[m] += p[i] * e[m - 1];
                }
            }
            let (mut binomial, mut w) = (1.0, 0.0);
            for (m, e) in e.iter().enumerate() {
                w += e / binomial;
                binomial = binomial * (n - 1 - m) as f64 / (m + 1) as f64;
            }
            *want += w / n as f64 * f64::from(s[k].ssm()[i]);
        }
    }
    assert!(relative(picaso::all_orders(&s, &r).unwrap().ssm(), &want) < 2e-6);
    let too_many = states(seed, n + 1, 0.3);
    assert!(picaso::all_orders(&too_many, &r).unwrap_err().to_string().contains("at most 64"));
}

#[test]
fn order_matters_where_it_should() {
    let (s, r) = (states(10, 4, 0.2), rates(10));
    let shuffled: Vec<State> = [2, 0, 3, 1].iter().map(|&i: &usize| s[i].clone()).collect();
    let turned: Vec<State> = [1, 2, 3, 0].iter().map(|&i: &usize| s[i].clone()).collect();
    let off = |a: State, b: State| farthest(a.ssm(), b.ssm());
    assert!(off(picaso::all_orders(&s, &r).unwrap(), picaso::all_orders(&shuffled, &r).unwrap()) < 1e-5);
    assert!(off(picaso::rotations(&s, &r).unwrap(), picaso::rotations(&turned, &r).unwrap()) < 1e-5);
    assert!(off(picaso::rotations(&s, &r).unwrap(), picaso::rotations(&shuffled, &r).unwrap()) > 1e-3);
}

#[test]
fn another_models_rates_are_refused() {
    let shape = state_soup::state::Layout { n_layer: 1, ..SHAPE };
    let other = Decay::channel(shape, vec![-1.0; shape.memory.len()]).unwrap();
    let s = states(11, 2, 1.0);
    for e in [decay::compose(&s, &[1.0; 2], &other, 1.0, 1.0), picaso::all_orders(&s, &other), picaso::rotations(&s, &other)] {
        assert!(e.unwrap_err().to_string().contains("1 layers"));
    }
}

#[test]
fn layers_take_what_their_weight_says() {
    let s = states(12, 2, 1.0);
    let out = mix::blend_layers(&s[0], &s[1], &[1.0, 0.0]).unwrap();
    assert_eq!((out.ssm_layer(0), out.conv_layer(0), out.dt_sum_layer(0)), (s[0].ssm_layer(0), s[0].conv_layer(0), s[0].dt_sum_layer(0)));
    assert_eq!((out.ssm_layer(1), out.conv_layer(1), out.dt_sum_layer(1)), (s[1].ssm_layer(1), s[1].conv_layer(1), s[1].dt_sum_layer(1)));
    let half = mix::blend_layers(&s[0], &s[1], &[0.25, 1.0]).unwrap();
    let want: Vec<f64> =
        s[0].ssm_layer(0).iter().zip(s[1].ssm_layer(0)).map(|(a, b)| 0.25 * f64::from(*a) + 0.75 * f64::from(*b)).collect();
    assert!(relative(half.ssm_layer(0), &want) < 1e-6);
    assert!(mix::blend_layers(&s[0], &s[1], &[1.0]).unwrap_err().to_string().contains("2 layers"));
    assert!(mix::blend_layers(&s[0], &s[1], &[1.0, f64::NAN]).is_err());
}

#[test]
fn matched_norms_are_the_mean_of_the_parts() {
    let s = states(13, 3, 1.0);
    let out = mix::match_norm(&mix::mean(&s, &[1.0; 3]).unwrap(), &s).unwrap();
    for l in 0..SHAPE.n_layer {
        let want = s.iter().map(|s| s.ssm_norm(l)).sum::<f32>() / 3.0;
        assert!((out.ssm_norm(l) - want).abs() < 1e-4);
    }
    // Nothing to scale: the empty state stays empty.
    let zero = State::zeros(SHAPE);
    assert_eq!(mix::match_norm(&zero, &s).unwrap().ssm(), zero.ssm());
}

#[test]
fn softmax_favours_the_best_as_tau_falls() {
    let scores = [0.9, 0.8, 0.1];
    let w = mix::softmax(&scores, 0.1).unwrap();
    let want: Vec<f64> = scores.iter().map(|s: &f64| (s / 0.1).exp()).collect();
    let total: f64 = want.iter().sum();
    assert!(w.iter().zip(&want).all(|(w, v)| (w - v / total).abs() < 1e-12));
    assert_eq!(mix::softmax(&scores, 1e-300).unwrap(), [1.0, 0.0, 0.0]);
    let even = mix::softmax(&scores, f64::INFINITY).unwrap();
    assert!(even.iter().all(|w| (w - 1.0 / 3.0).abs() < 1e-12));
    assert!(mix::softmax(&scores, 0.0).is_err() && mix::softmax(&scores, f64::NAN).is_err());
}
