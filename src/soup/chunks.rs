//! One state for a document, from the states of its chunks, which are read independently. Here are
//! the rules that are compared, and the error of each relative to the state after one pass over all
//! chunks.

use super::{decay, mix, picaso};
use crate::error::{Error, Result};
use crate::state::{Decay, State};

/// The states of a document's chunks, and the state of one pass over it. There is at least one
/// chunk, and `halo` is as long as `chunks`.
#[derive(Clone, Debug)]
pub struct ChunkStates {
    /// The state after one pass over all chunks, which the rules approximate.
    pub full: State,
    /// Each chunk read from the empty state.
    pub chunks: Vec<State>,
    /// Each chunk read from an empty memory whose convolution windows hold the last tokens of the
    /// chunk before it (the halo).
    pub halo: Vec<State>,
}

/// A way to make one state from chunks in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ChunkRule {
    /// All chunks read in one pass: not a rule, but the reference for every rule.
    FullPass,
    /// Σ_i exp(γ Σ_{j>i} log P_j) ⊙ H_i.
    Decay {
        /// γ, 0 or more: 0 is the sum, 1 is A-decay.
        gamma: f64,
        /// Whether the chunks were read with the halo.
        halo: bool,
    },
    /// Σ_i H_i / n.
    Mean {
        /// Whether the chunks were read with the halo.
        halo: bool,
    },
    /// Σ_i H_i.
    Sum,
    /// A-decay averaged over all orders.
    PicasoS,
    /// A-decay averaged over the rotations.
    PicasoR,
    /// The last chunk alone.
    Last,
    /// The first chunk alone.
    First,
    /// Nothing read.
    Empty,
}

impl ChunkRule {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullPass => "full pass",
            Self::Decay { halo: true, .. } => "A-decay with halo",
            Self::Decay { halo: false, .. } => "A-decay",
            Self::Mean { halo: true } => "mean with halo",
            Self::Mean { halo: false } => "mean",
            Self::Sum => "sum",
            Self::PicasoS => "PICASO-S",
            Self::PicasoR => "PICASO-R",
            Self::Last => "last only",
            Self::First => "first only",
            Self::Empty => "empty",
        }
    }
}

impl ChunkStates {
    /// The state that a rule makes. The next token always follows the end of the last chunk, so
    /// sums, means and PICASO take its window.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no chunk, for γ < 0, or for more chunks than PICASO takes;
    /// [`Error::Mismatch`] for another model's rates.
    pub fn compose(&self, rule: ChunkRule, rates: &Decay) -> Result<State> {
        let (Some(first), Some(last)) = (self.chunks.first(), self.chunks.last()) else {
            return Err(Error::Input("there is no chunk to compose".into()));
        };
        let ones = vec![1.0; self.chunks.len()];
        let of = |halo| if halo { &self.halo } else { &self.chunks };
        let with_last = |state: State| mix::with_window(&state, last);
        match rule {
            ChunkRule::FullPass => Ok(self.full.clone()),
            ChunkRule::Decay { gamma, halo } => decay::compose(of(halo), &ones, rates, gamma, 1.0),
            ChunkRule::Mean { halo } => with_last(mix::mean(of(halo), &ones)?),
            ChunkRule::Sum => with_last(mix::weighted_sum(&self.chunks, &ones)?),
            ChunkRule::PicasoS => with_last(picaso::all_orders(&self.chunks, rates)?),
            ChunkRule::PicasoR => with_last(picaso::rotations(&self.chunks, rates)?),
            ChunkRule::Last => Ok(last.clone()),
            ChunkRule::First => Ok(first.clone()),
            ChunkRule::Empty => Ok(State::zeros(self.full.shape())),
        }
    }
}

/// Relative error ‖composed − full‖ / ‖full‖ of the SSM state, layer by layer; 0 where both are 0.
pub fn relative_errors(composed: &State, full: &State) -> Vec<f64> {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    (0..full.shape().n_layer)
        .map(|l| {
            let (a, b) = (composed.ssm_layer(l), full.ssm_layer(l));
            let far = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
            if far == 0.0 { 0.0 } else { far / norm(&mut b.iter().map(|b| f64::from(*b))) }
        })
        .collect()
}
