//! The spread of a library's states around their mean, layer by layer.

use super::store::Library;
use super::types::Part;
use crate::state::State;
use rayon::prelude::*;

/// How far a layer's states lie from their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Root mean square of the skills' Euclidean distances; 0 for fewer than two different skills.
    pub rms: f64,
    /// The greatest of these distances.
    pub farthest: f64,
}

impl Library {
    /// The spread of a layer's SSM states over all undamaged skills, computed on first use.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn spread(&self, layer: usize) -> Spread {
        *self.spreads[layer].get_or_init(|| {
            let mean = &self.z_stats(Part::Ssm, layer).mean;
            let distances: Vec<f64> =
                (0..self.len()).into_par_iter().map(|i| distance(&self.row(i, Part::Ssm, layer).to_vec(), mean)).collect();
            let finite = || distances.iter().copied().filter(|d| d.is_finite());
            let rms = (finite().map(|d| d * d).sum::<f64>() / finite().count().max(1) as f64).sqrt();
            Spread { rms, farthest: finite().fold(0.0, f64::max) }
        })
    }

    /// Distance of a state's layer from the library's mean, in units of the layer's rms spread; NaN
    /// if the spread is 0.
    ///
    /// # Panics
    /// If there is no such layer, or the state is of another shape.
    pub fn drift(&self, state: &State, layer: usize) -> f64 {
        let rms = self.spread(layer).rms;
        let away = distance(state.ssm_layer(layer), &self.z_stats(Part::Ssm, layer).mean);
        if rms > 0.0 { away / rms } else { f64::NAN }
    }
}

fn distance(x: &[f32], mean: &[f64]) -> f64 {
    assert_eq!(x.len(), mean.len(), "a layer of the library's shape");
    x.iter().zip(mean).map(|(&x, m)| (f64::from(x) - m).powi(2)).sum::<f64>().sqrt()
}
