//! The median of states, entry by entry: an average that is robust to one outlier.

use super::mix::{common_shape, total_tokens};
use crate::error::Result;
use crate::state::State;

/// Each entry of the memory, of the windows and of ΣΔ is the median of the states' entries; for an
/// even number of states, the mean of the two in the middle. Token counts are added up.
///
/// # Errors
/// As [`common_shape`].
pub fn median(states: &[State]) -> Result<State> {
    let shape = common_shape(states)?;
    let mut column = Vec::with_capacity(states.len());
    let mut of = |part: fn(&State) -> &[f32]| -> Vec<f32> {
        let parts: Vec<&[f32]> = states.iter().map(part).collect();
        let entries = 0..part(&states[0]).len();
        entries
            .map(|entry| {
                column.clear();
                column.extend(parts.iter().map(|part| part[entry]));
                middle(&mut column)
            })
            .collect()
    };
    State::new(shape, of(State::ssm), of(State::conv), of(State::dt_sum), total_tokens(states))
}

/// The median of at least one number; reorders the numbers.
fn middle(numbers: &mut [f32]) -> f32 {
    let even = numbers.len().is_multiple_of(2);
    let (below, upper, _) = numbers.select_nth_unstable_by(numbers.len() / 2, f32::total_cmp);
    match below.iter().copied().max_by(f32::total_cmp) {
        Some(lower) if even => f32::midpoint(lower, *upper),
        _ => *upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Layout;

    /// The simplest code: sort, and take the middle.
    fn plain(column: &[f32]) -> f32 {
        let mut sorted = column.to_vec();
        sorted.sort_by(f32::total_cmp);
        let n = sorted.len();
        if n % 2 == 1 { sorted[n / 2] } else { f32::midpoint(sorted[n / 2 - 1], sorted[n / 2]) }
    }

    #[test]
    fn every_entry_is_the_middle_of_its_column() {
        let shape = Layout::mamba1(2, 3, 2, 3);
        // Numbers on both sides of 0, with equals among them.
        let number = |i: usize, k: usize| ((i * 7 + k * 13) % 11) as f32 - 5.0 + 0.25 * ((i + k) % 3) as f32;
        let part = |len: usize, k: usize| (0..len).map(|i| number(i, k)).collect::<Vec<f32>>();
        let state = |k: usize| {
            let dt = part(2 * shape.sidecar.len(), k).into_iter().map(f32::abs).collect();
            State::new(shape, part(2 * shape.memory.len(), k), part(2 * shape.window.len(), k + 1), dt, k as u64 + 1).unwrap()
        };
        for count in 1..=6 {
            let states: Vec<State> = (0..count).map(state).collect();
            let got = median(&states).unwrap();
            for part in [State::ssm, State::conv, State::dt_sum] {
                let want: Vec<f32> =
                    (0..part(&got).len()).map(|i| plain(&states.iter().map(|s| part(s)[i]).collect::<Vec<f32>>())).collect();
                assert_eq!(part(&got), want, "{count} states");
            }
            assert_eq!(got.tokens(), (1..=count as u64).sum::<u64>());
        }
        assert_eq!(median(&[state(3)]).unwrap(), state(3));
        assert!(median(&[]).is_err());
        let other = State::zeros(Layout { n_layer: 1, ..shape });
        assert!(median(&[state(0), other]).unwrap_err().to_string().contains("cannot be mixed"));
    }

    #[test]
    fn one_outlier_pulls_nothing() {
        let shape = Layout::mamba1(1, 1, 1, 2);
        let state = |v: f32| State::new(shape, vec![v], vec![v], vec![v.abs()], 1).unwrap();
        assert_eq!(median(&[state(1.0), state(1e30), state(1.5)]).unwrap().ssm(), [1.5]);
        assert_eq!(median(&[state(1.0), state(-1e30), state(1.5)]).unwrap().ssm(), [1.0]);
    }
}
