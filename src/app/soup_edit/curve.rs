//! Shapes of the per-layer weights, and the form in which they are typed.

use super::apply::round;
use std::ops::Range;

/// A shape of the per-layer weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveShape {
    /// 1 in every layer.
    Flat,
    /// From 0 in the first layer to 1 in the last.
    Rising,
    /// From 1 in the first layer to 0 in the last.
    Falling,
    /// 1 in the layers compared in the ranking, falling off as a Gaussian on both sides.
    Bump,
}

impl CurveShape {
    /// All shapes, in the order they are cycled through.
    pub const ALL: [Self; 4] = [Self::Flat, Self::Rising, Self::Falling, Self::Bump];

    /// Its weights, one per layer; `ranked` are the layers compared in the ranking.
    pub fn weights(self, layers: usize, ranked: &Range<usize>) -> Vec<f64> {
        let depth = |l: usize| if layers > 1 { l as f64 / (layers - 1) as f64 } else { 1.0 };
        let width = (layers as f64 / 8.0).max(1.0);
        let weight = |l: usize| match self {
            Self::Flat => 1.0,
            Self::Rising => depth(l),
            Self::Falling => 1.0 - depth(l),
            Self::Bump => {
                let outside = ranked.start.saturating_sub(l).max((l + 1).saturating_sub(ranked.end)) as f64;
                (-0.5 * (outside / width).powi(2)).exp()
            }
        };
        (0..layers).map(|l| round(weight(l))).collect()
    }

    /// The shape after the one that these weights have; the first if they have none.
    pub fn after(weights: Option<&[f64]>, layers: usize, ranked: &Range<usize>) -> Self {
        let at = weights.and_then(|w| Self::ALL.iter().position(|s| s.weights(layers, ranked) == w));
        Self::ALL[at.map_or(0, |at| (at + 1) % Self::ALL.len())]
    }
}

/// Parses per-layer weights as typed: one number for the layer under the cursor, one number per
/// layer, or `range` for no per-layer weights.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse_weights(text: &str, now: Option<&[f64]>, layer: usize, layers: usize) -> Result<Option<Vec<f64>>, String> {
    if text.trim() == "range" {
        return Ok(None);
    }
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|w| !w.is_empty());
    let number = |w: &str| w.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| format!("`{w}` is not a number."));
    let typed: Vec<f64> = words.map(number).collect::<Result<_, _>>()?;
    match (typed.len(), now) {
        (n, _) if n == layers && n > 1 => Ok(Some(typed)),
        (1, Some(now)) if layer < now.len() => {
            let mut weights = now.to_vec();
            weights[layer] = typed[0];
            Ok(Some(weights))
        }
        (n, _) => Err(format!("Type one weight for layer {layer}, or all {layers}; these are {n}.")),
    }
}
