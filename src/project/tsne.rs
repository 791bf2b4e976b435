//! t-SNE of principal component scores.
//!
//! Small libraries go to linfa-tsne's exact method: deterministic for a seed, one shot. It can neither report nor stop, so it runs on a thread
//! of its own while this one goes on answering. Large ones go to bhtsne's Barnes–Hut with the schedule of openTSNE (principal components as start;
//! exaggeration 12 at learning rate n/12, then none at 4n), in chunks of epochs with the affinities kept: a frame, and a chance to stop, between chunks.
//! Its threads add up in any order, so a large map repeats in what lies near what, not to the last bit (seen: the same rows embedded twice differ).

use super::Pca;
use crate::control::Control;
use crate::error::{Error, Result};
use bhtsne::tSNE;
use linfa::traits::Transformer;
use linfa_tsne::TSneParams;
use ndarray::Array2;
use rand08::SeedableRng;
use std::sync::mpsc;
use std::time::Duration;

/// Rows up to which the exact method is used: about two seconds.
const EXACT: usize = 400;
/// Fewest rows that make a map.
const FEWEST: usize = 10;
/// Epochs between frames.
const CHUNK: usize = 50;
/// Epochs with and without exaggeration.
const EPOCHS: [usize; 2] = [250, 750];
/// Barnes–Hut's accuracy.
const THETA: f32 = 0.5;

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneSettings {
    /// Perplexity wished for.
    pub perplexity: f64,
    /// Seed.
    pub seed: u64,
}

/// A finished map.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Coordinates.
    pub points: Vec<[f32; 2]>,
    /// Perplexity used.
    pub perplexity: f64,
}

/// Embeds the rows of a PCA; `frame` gets the points as they move, with the perplexity used.
///
/// # Errors
/// [`Error::Input`] for fewer than ten rows; [`Error::Cancelled`].
pub fn tsne(pca: &Pca, settings: &TsneSettings, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]], f64)) -> Result<Embedded> {
    if pca.n < FEWEST {
        return Err(Error::Input(format!("{} states are too few for t-SNE; at least {FEWEST} are needed (PCA takes fewer)", pca.n)));
    }
    // Each point looks at three times the perplexity of neighbours, and there must be so many.
    let perplexity = settings.perplexity.clamp(1.0, (pca.n as f64 - 1.0) / 3.0 - 0.01);
    let points = if pca.n <= EXACT { exact(pca, perplexity, settings.seed, control)? } else { chunked(pca, perplexity, control, frame)? };
    Ok(Embedded { points, perplexity })
}

fn exact(pca: &Pca, perplexity: f64, seed: u64, control: Control<'_>) -> Result<Vec<[f32; 2]>> {
    let data = Array2::from_shape_vec((pca.n, pca.dims), pca.scores.clone()).map_err(|e| Error::Input(e.to_string()))?;
    let (send, receive) = mpsc::channel();
    let work = move || {
        let params = TSneParams::embedding_size_with_rng(2, rand08::rngs::SmallRng::seed_from_u64(seed))
            .perplexity(perplexity as f32)
            .approx_threshold(0.0)
            .max_iter(1000);
        // Nobody listens any more after a cancel.
        let _ = send.send(params.transform(data).map_err(|e| e.to_string()));
    };
    std::thread::Builder::new().name("t-sne".into()).spawn(work).map_err(Error::io("t-SNE thread"))?;
    loop {
        match receive.recv_timeout(Duration::from_millis(10)) {
            Ok(Ok(map)) => return Ok(map.rows().into_iter().map(|r| [r[0], r[1]]).collect()),
            Ok(Err(why)) => return Err(Error::Input(format!("t-SNE refused: {why}"))),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                control.check()?;
                control.report(0, 0, "epochs");
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::Input("t-SNE gave up on these states".into())),
        }
    }
}

fn chunked(pca: &Pca, perplexity: f64, control: Control<'_>, frame: &mut dyn FnMut(&[[f32; 2]], f64)) -> Result<Vec<[f32; 2]>> {
    let n = pca.n;
    let rows: Vec<&[f32]> = pca.scores.chunks_exact(pca.dims).collect();
    let distance = |a: &&[f32], b: &&[f32]| a.iter().zip(*b).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt();
    let mut points = start(pca);
    let mut affinities = None;
    let total = EPOCHS.iter().sum::<usize>() as u64;
    let mut done = 0;
    for (phase, epochs) in EPOCHS.into_iter().enumerate() {
        for _ in 0..epochs / CHUNK {
            control.check()?;
            let mut fit: tSNE<'_, f32, &[f32]> = tSNE::new(&rows);
            if let Some(affinities) = affinities.take() {
                fit.with_affinities(affinities);
            } else {
                fit.perplexity(perplexity as f32);
            }
            let exaggerate = phase == 0;
            fit.epochs(CHUNK)
                .learning_rate(if exaggerate { n as f32 / 12.0 } else { 4.0 * n as f32 })
                .early_exaggeration(if exaggerate { 12.0 } else { 1.0 })
                .stop_lying_epoch(if exaggerate { CHUNK + 1 } else { 0 })
                .momentum(if exaggerate { 0.5 } else { 0.8 })
                .final_momentum(if exaggerate { 0.5 } else { 0.8 })
                .momentum_switch_epoch(CHUNK + 1)
                .initial_embedding(points.concat())
                .barnes_hut(THETA, distance);
            points = fit.embedding().as_chunks::<2>().0.to_vec();
            affinities = fit.affinities();
            done += CHUNK as u64;
            frame(&points, perplexity);
            control.report(done, total, "epochs");
        }
    }
    Ok(points)
}

/// The first two components, shrunk to a deviation of 1e-4.
fn start(pca: &Pca) -> Vec<[f32; 2]> {
    let plane = pca.plane();
    let variance = plane.iter().map(|p| f64::from(p[0]).powi(2)).sum::<f64>() / plane.len() as f64;
    let scale = if variance > 0.0 { (1e-4 / variance.sqrt()) as f32 } else { 0.0 };
    plane.iter().map(|p| [p[0] * scale, p[1] * scale]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{nearest, nearest_purity, trustworthiness};
    use super::*;
    use crate::control::quiet;

    /// Well-separated clusters of `each` points in 20 dimensions.
    fn clusters(k: usize, each: usize) -> (Vec<f32>, Vec<usize>) {
        let mut s = 1u32;
        let mut noise = || {
            s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (s >> 8) as f32 / 16_777_216.0 - 0.5
        };
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for c in 0..k {
            for _ in 0..each {
                rows.extend((0..20).map(|d| noise() + if d == c { 6.0 } else { 0.0 }));
                labels.push(c);
            }
        }
        (rows, labels)
    }

    fn check(k: usize, each: usize, repeats: bool) {
        let (rows, labels) = clusters(k, each);
        let n = k * each;
        let pca = Pca::fit(&rows, n, 20, 50).unwrap();
        let settings = TsneSettings { perplexity: 10.0, seed: 3 };
        let run = || quiet(|control| tsne(&pca, &settings, control, &mut |_, _| {})).unwrap();
        let map = run();
        if repeats {
            assert_eq!(map, run(), "the same seed must give the same map");
        }
        assert!(trustworthiness(&rows, 20, &map.points, 10).unwrap() > 0.9);
        // In the map, a point's nearest point is of its own cluster.
        let pure = (0..n)
            .filter(|&i| {
                let d = |j: usize| (0..2).map(|c| (map.points[i][c] - map.points[j][c]).powi(2)).sum::<f32>();
                let best = (0..n).filter(|j| *j != i).min_by(|a, b| d(*a).total_cmp(&d(*b))).unwrap();
                labels[best] == labels[i]
            })
            .count();
        assert!(pure as f64 > 0.97 * n as f64, "{pure} of {n}");
        assert!(nearest_purity(&nearest(&rows, n, 20, 1).unwrap(), &labels) > 0.97);
    }

    #[test]
    fn small_maps_keep_clusters_apart() {
        check(4, 20, true);
    }

    #[test]
    fn large_maps_keep_clusters_apart() {
        check(5, 90, false);
    }

    #[test]
    fn too_few_points_are_refused_and_cancelling_stops() {
        let (rows, _) = clusters(2, 4);
        let pca = Pca::fit(&rows, 8, 20, 50).unwrap();
        let settings = TsneSettings { perplexity: 30.0, seed: 0 };
        let message = quiet(|c| tsne(&pca, &settings, c, &mut |_, _| {})).unwrap_err().to_string();
        assert!(message.contains("at least 10"), "{message}");
        let (rows, _) = clusters(5, 90);
        let pca = Pca::fit(&rows, 450, 20, 50).unwrap();
        let cancel = crate::control::Cancel::new();
        cancel.cancel();
        assert!(matches!(tsne(&pca, &settings, Control::new(&cancel, &|_| {}), &mut |_, _| {}), Err(Error::Cancelled)));
    }
}
