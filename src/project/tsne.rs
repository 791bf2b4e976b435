//! t-SNE of principal component scores, by two methods behind one trait.
//!
//! [`Stepped`] is the animated map: exact, from the principal components, a frame after every few
//! epochs, stopped within one. [`OneShot`] is linfa-tsne's exact method: an independent computation
//! from a random start, without frames. They answer different questions: the first gives the same
//! picture every time the same library is opened; the second, run with other seeds, tells which
//! neighbourhoods of that picture do not depend on its start ([`agreement`](super::agreement)).
//! Tests hold the first to the second's divergence.

use super::Pca;
use super::affinity::Affinities;
use super::descent::{Descent, EPOCHS};
use crate::control::Control;
use crate::error::{Error, Result};
use linfa::traits::Transformer;
use linfa_tsne::TSneParams;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows that [`OneShot`] takes at most: its time grows with their square, about two seconds for
/// 400.
pub const ONE_SHOT_MOST: usize = 800;
/// Fewest rows that make a map.
const FEWEST: usize = 10;
/// Epochs between frames.
pub const FRAME: usize = 10;
/// Deviation of the start, and of the jitter that tells duplicates apart, as a share of it.
const START: f64 = 1e-4;
const JITTER: f32 = 1e-2;

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneSettings {
    /// Perplexity wished for: about how many neighbours each point heeds.
    pub perplexity: f64,
    /// Seed.
    pub seed: u64,
}

/// A finished map.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Coordinates.
    pub points: Vec<[f32; 2]>,
    /// Perplexity used: the one wished for, or the most that so few points allow.
    pub perplexity: f64,
    /// Kullback–Leibler divergence of the map from the affinities, nats.
    pub divergence: f64,
}

/// A way from principal components to a map.
pub trait Embedder {
    /// Embeds the rows of a PCA; `frame` gets the points as they move. Reports epochs and runs on
    /// the caller's thread.
    ///
    /// # Errors
    /// [`Error::Input`] for too few (or, by method, too many) rows or a perplexity that is no
    /// number; [`Error::Cancelled`].
    fn embed(&self, pca: &Pca, settings: &TsneSettings, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]])) -> Result<Embedded>;
}

/// The perplexity that `n` points allow: each looks at three times as many neighbours, which must
/// exist.
///
/// # Errors
/// [`Error::Input`] for fewer than ten points, or a perplexity that is not a number above 0.
pub fn usable_perplexity(n: usize, wished: f64) -> Result<f64> {
    if n < FEWEST {
        return Err(Error::Input(format!(
            "{n} states are too few for t-SNE, which needs at least {FEWEST}; the principal components can be drawn"
        )));
    }
    if !(wished > 0.0 && wished.is_finite()) {
        return Err(Error::Input(format!(
            "a perplexity of {wished} means nothing; it is about how many neighbours each point heeds, for example 30"
        )));
    }
    Ok(wished.clamp(1.0, (n as f64 - 1.0) / 3.0 - 1e-3))
}

impl Descent {
    /// The beginning of an animated map: affinities computed, points at their principal components
    /// (shrunk). Returns the perplexity used too.
    ///
    /// # Errors
    /// As [`usable_perplexity`].
    pub fn begin(pca: &Pca, settings: &TsneSettings) -> Result<(Self, f64)> {
        let perplexity = usable_perplexity(pca.n, settings.perplexity)?;
        let affinities = Affinities::of(&pca.scores, pca.n, pca.dims, perplexity);
        Ok((Self::new(affinities, &start(pca, settings.seed)), perplexity))
    }
}

/// Goes on for so many epochs, or to the end; `frame` sees the map after every [`FRAME`] of them.
/// Reports epochs. Called off, the map stays where it is and may go on later.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn descend(descent: &mut Descent, epochs: usize, control: Control<'_>, frame: &mut dyn FnMut(&Descent)) -> Result<()> {
    let last = descent.epoch().saturating_add(epochs);
    while !descent.finished() && descent.epoch() < last {
        control.check()?;
        descent.step();
        if descent.epoch().is_multiple_of(FRAME) {
            frame(descent);
            control.report(descent.epoch() as u64, (EPOCHS[0] + EPOCHS[1]) as u64, "epochs");
        }
    }
    Ok(())
}

/// The animated method.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stepped;

impl Embedder for Stepped {
    fn embed(&self, pca: &Pca, settings: &TsneSettings, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]])) -> Result<Embedded> {
        let (mut descent, perplexity) = Descent::begin(pca, settings)?;
        descend(&mut descent, usize::MAX, control, &mut |descent| frame(&descent.points()))?;
        Ok(Embedded { points: descent.points(), perplexity, divergence: descent.divergence() })
    }
}

/// linfa-tsne's exact method (θ = 0), from a random start.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneShot;

impl Embedder for OneShot {
    fn embed(&self, pca: &Pca, settings: &TsneSettings, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]])) -> Result<Embedded> {
        let perplexity = usable_perplexity(pca.n, settings.perplexity)?;
        if pca.n > ONE_SHOT_MOST {
            return Err(Error::Input(format!("{} states are too many for the one-shot t-SNE, which takes at most {ONE_SHOT_MOST}", pca.n)));
        }
        control.check()?;
        // Scores of at most 50 components, finite, row-major, not all equal: what linfa-tsne needs
        // not to panic.
        let data = Array2::from_shape_vec((pca.n, pca.dims), pca.scores.clone()).map_err(|e| Error::Input(e.to_string()))?;
        let seed = settings.seed;
        let total = (EPOCHS[0] + EPOCHS[1]) as u64;
        let map = control.aside(total, "epochs", move || {
            TSneParams::embedding_size_with_rng(2, <rand08::rngs::SmallRng as rand08::SeedableRng>::seed_from_u64(seed))
                .perplexity(perplexity as f32)
                .approx_threshold(0.0)
                .max_iter(EPOCHS[0] + EPOCHS[1])
                .preliminary_iter(EPOCHS[0])
                .transform(data)
        })?;
        let map = map.map_err(|e| Error::Input(format!("t-SNE refused these states: {e}")))?;
        let points: Vec<[f32; 2]> = map.rows().into_iter().map(|r| [r[0], r[1]]).collect();
        if points.iter().flatten().any(|v| !v.is_finite()) {
            return Err(Error::Input("t-SNE found no finite map of these states".into()));
        }
        let divergence = divergence(pca, perplexity, &points);
        control.report(total, total, "epochs");
        frame(&points);
        Ok(Embedded { points, perplexity, divergence })
    }
}

/// Kullback–Leibler divergence (nats) of any map from a PCA's affinities.
pub fn divergence(pca: &Pca, perplexity: f64, points: &[[f32; 2]]) -> f64 {
    Descent::new(Affinities::of(&pca.scores, pca.n, pca.dims, perplexity), points).divergence()
}

/// The first two components, shrunk to a deviation of 1e-4 along the first, with a hundredth of
/// that of jitter.
fn start(pca: &Pca, seed: u64) -> Vec<[f32; 2]> {
    let plane = pca.plane();
    let variance = plane.iter().map(|p| f64::from(p[0]).powi(2)).sum::<f64>() / plane.len() as f64;
    let scale = if variance > 0.0 { (START / variance.sqrt()) as f32 } else { 0.0 };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut jitter = || rng.random_range(-1.0..1.0) * JITTER * START as f32;
    plane.iter().map(|p| [p[0] * scale + jitter(), p[1] * scale + jitter()]).collect()
}
