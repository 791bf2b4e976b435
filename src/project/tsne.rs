//! t-SNE of principal component scores, by two methods behind one trait.
//!
//! [`Stepped`] is the animated map. It is exact, starts from the principal components, gives a
//! frame every few epochs and stops within an epoch. [`OneShot`] is linfa-tsne's exact method: an
//! independent computation from a random start, without intermediate frames. They answer different
//! questions. The first gives the same picture each time the same library is opened. The second,
//! run with other seeds, shows which neighbourhoods of that picture do not depend on its start
//! ([`agreement`](super::agreement)). Tests compare the divergence of the first with that of the
//! second.

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

/// Most rows that [`OneShot`] accepts. Its time grows with their square and is about two seconds
/// for 400.
pub const ONE_SHOT_MOST: usize = 800;
/// Fewest rows for a map.
const FEWEST: usize = 10;
/// Epochs between frames.
pub const FRAME: usize = 10;
/// Standard deviation of the start along the first component, and the largest jitter as a share of
/// it. Jitter separates duplicates.
const START: f64 = 1e-4;
const JITTER: f32 = 1e-2;

/// Settings of a t-SNE map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneSettings {
    /// Requested perplexity: about the number of neighbours that affect each point.
    pub perplexity: f64,
    /// Seed of the start.
    pub seed: u64,
}

/// A finished map.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Coordinates of the points.
    pub points: Vec<[f32; 2]>,
    /// Perplexity used: the requested one, limited to what the number of points allows.
    pub perplexity: f64,
    /// Kullback–Leibler divergence of the map from the affinities, nats.
    pub divergence: f64,
}

/// A t-SNE method: makes a map from principal components.
pub trait Embedder {
    /// Embeds the rows of a PCA. `frame` is called with the current points, on the caller's thread.
    /// Reports epochs.
    ///
    /// # Errors
    /// [`Error::Input`] for too few (or, by method, too many) rows, or a perplexity that is not a
    /// number above 0; [`Error::Cancelled`].
    fn embed(&self, pca: &Pca, settings: &TsneSettings, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]])) -> Result<Embedded>;
}

/// The perplexity nearest to `wished` that `n` points allow. Each point needs three times as many
/// neighbours.
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
            "the perplexity {wished} makes no sense; it is about how many neighbours each point has, for example 30"
        )));
    }
    Ok(wished.clamp(1.0, (n as f64 - 1.0) / 3.0 - 1e-3))
}

impl Descent {
    /// Begins an animated map: computes the affinities and puts the points at their principal
    /// components (shrunk). Also returns the perplexity used.
    ///
    /// # Errors
    /// As [`usable_perplexity`].
    pub fn begin(pca: &Pca, settings: &TsneSettings) -> Result<(Self, f64)> {
        let perplexity = usable_perplexity(pca.n, settings.perplexity)?;
        let affinities = Affinities::of(&pca.scores, pca.n, pca.dims, perplexity);
        Ok((Self::new(affinities, &start(pca, settings.seed)), perplexity))
    }
}

/// Runs `epochs` further epochs, or fewer if the schedule ends. `frame` is called after every
/// [`FRAME`] epochs. Reports epochs. If it is cancelled, the map stays valid and can be resumed.
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
        // linfa-tsne panics unless the data are finite, row-major and not all equal. Scores are,
        // with at most 50 components.
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

/// Kullback–Leibler divergence of any map from a PCA's affinities, nats.
pub fn divergence(pca: &Pca, perplexity: f64, points: &[[f32; 2]]) -> f64 {
    Descent::new(Affinities::of(&pca.scores, pca.n, pca.dims, perplexity), points).divergence()
}

/// The first two components, shrunk to a standard deviation of 1e-4 along the first, plus jitter of
/// at most a hundredth of that.
fn start(pca: &Pca, seed: u64) -> Vec<[f32; 2]> {
    let plane = pca.plane();
    let variance = plane.iter().map(|p| f64::from(p[0]).powi(2)).sum::<f64>() / plane.len() as f64;
    let scale = if variance > 0.0 { (START / variance.sqrt()) as f32 } else { 0.0 };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut jitter = || rng.random_range(-1.0..1.0) * JITTER * START as f32;
    plane.iter().map(|p| [p[0] * scale + jitter(), p[1] * scale + jitter()]).collect()
}
