//! Maps through the public API: quality against linfa-tsne, determinism, degenerate libraries,
//! stopping, placing and aligning.

#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state_soup::control::{Cancel, Control, Progress, quiet};
use state_soup::error::Error;
use state_soup::project::{
    Alignment, Descent, EPOCHS, Embedded, Embedder, FrozenMap, Lengths, OneShot, PCA_DIMS, Pca, Space, Stepped, TsneSettings, agreement,
    divergence, fidelity, purity, silhouette, usable_perplexity,
};
use std::sync::Mutex;

/// Clusters of rows with random centres; `loose` is the spread within one, as a share of the
/// centres' spread.
struct Clusters {
    rows: Vec<f32>,
    labels: Vec<usize>,
    d: usize,
}

impl Clusters {
    fn draw(k: usize, each: usize, d: usize, loose: f32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let centres: Vec<f32> = (0..k * d).map(|_| rng.random_range(-1.0..1.0)).collect();
        let labels: Vec<usize> = (0..k * each).map(|i| i / each).collect();
        let rows = labels
            .iter()
            .flat_map(|l| centres[l * d..(l + 1) * d].to_vec())
            .map(|c| c + loose * rng.random_range(-1.0f32..1.0) + 0.3)
            .collect();
        Self { rows, labels, d }
    }

    fn n(&self) -> usize {
        self.labels.len()
    }

    fn project(&self) -> (Space, Pca) {
        project(&self.rows, self.n(), self.d)
    }
}

fn project(rows: &[f32], n: usize, d: usize) -> (Space, Pca) {
    quiet(|control| {
        let space = Space::of(rows, n, d, Lengths::AsGiven, control).unwrap();
        let pca = Pca::fit(&space, rows, PCA_DIMS, control).unwrap();
        (space, pca)
    })
}

fn run(method: &dyn Embedder, pca: &Pca, perplexity: f64, seed: u64) -> Embedded {
    quiet(|control| method.embed(pca, &TsneSettings { perplexity, seed }, control, &mut |_| {})).unwrap()
}

fn apart(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Share of points whose nearest point on the map has their label.
fn purity_on_map(points: &[[f32; 2]], labels: &[usize]) -> f64 {
    let nearest = |i: usize| {
        (0..points.len()).filter(|j| *j != i).min_by(|a, b| apart(points[i], points[*a]).total_cmp(&apart(points[i], points[*b]))).unwrap()
    };
    (0..points.len()).filter(|i| labels[nearest(*i)] == labels[*i]).count() as f64 / points.len() as f64
}

#[test]
fn the_stepped_map_is_as_good_as_linfas() {
    for (data, perplexity, k) in [(Clusters::draw(12, 10, 60, 0.8), 15.0, 9), (Clusters::draw(30, 5, 400, 1.0), 30.0, 4)] {
        let (space, pca) = data.project();
        let (ours, theirs) = (run(&Stepped, &pca, perplexity, 1), run(&OneShot, &pca, perplexity, 1));
        assert_eq!(ours.perplexity, theirs.perplexity);
        assert!(ours.divergence <= theirs.divergence * 1.1, "{} against linfa's {}", ours.divergence, theirs.divergence);
        // Both must be maps of the data, not equally bad.
        for map in [&ours, &theirs] {
            let judged = fidelity(&space, &map.points, k).unwrap();
            assert!(judged.trustworthiness > 0.85 && judged.continuity > 0.85, "{judged:?}");
            assert!(purity_on_map(&map.points, &data.labels) > 0.95);
        }
        assert!(agreement(&ours.points, &theirs.points, k).unwrap() > 0.5);
        let shuffled: Vec<[f32; 2]> = (0..data.n()).map(|i| ours.points[i * 7 % data.n()]).collect();
        assert!(agreement(&ours.points, &shuffled, k).unwrap() < 0.3);
        assert!(divergence(&pca, ours.perplexity, &shuffled) > 2.0 * ours.divergence);
    }
}

#[test]
fn the_same_seed_gives_the_same_map_and_another_start_another() {
    let (_, pca) = Clusters::draw(8, 6, 40, 0.5).project();
    for method in [&Stepped as &dyn Embedder, &OneShot] {
        let map = run(method, &pca, 10.0, 7);
        assert_eq!(map, run(method, &pca, 10.0, 7));
        assert_ne!(map.points, run(method, &pca, 10.0, 8).points);
    }
    // Enough rows for threads to share: their number must not show.
    let (_, pca) = Clusters::draw(40, 6, 30, 0.5).project();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let many = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(alone.install(|| run(&Stepped, &pca, 30.0, 1)), many.install(|| run(&Stepped, &pca, 30.0, 1)));
}

#[test]
fn frames_and_epochs_are_told_and_a_stop_comes_within_one_epoch() {
    let (_, pca) = Clusters::draw(10, 5, 20, 0.5).project();
    let settings = TsneSettings { perplexity: 8.0, seed: 0 };
    let told: Mutex<Vec<Progress>> = Mutex::default();
    let mut frames: Vec<Vec<[f32; 2]>> = Vec::new();
    let cancel = Cancel::new();
    let listen = |p: Progress| told.lock().unwrap().push(p);
    let map = Stepped.embed(&pca, &settings, Control::new(&cancel, &listen), &mut |points| frames.push(points.to_vec())).unwrap();
    let told = told.into_inner().unwrap();
    let total = (EPOCHS[0] + EPOCHS[1]) as u64;
    assert_eq!(told.last(), Some(&Progress { done: total, total, unit: "epochs" }));
    assert!(told.windows(2).all(|w| w[0].done < w[1].done) && told.len() >= 20);
    assert_eq!(frames.last(), Some(&map.points));
    assert!(frames.windows(2).all(|w| w[0] != w[1]));

    let mut seen = 0;
    let stopped = Stepped.embed(&pca, &settings, Control::new(&cancel, &|_| {}), &mut |_| {
        seen += 1;
        if seen == 3 {
            cancel.cancel();
        }
    });
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(seen, 3);
    assert!(matches!(OneShot.embed(&pca, &settings, Control::new(&cancel, &|_| {}), &mut |_| {}), Err(Error::Cancelled)));
}

#[test]
fn a_map_stepped_by_hand_is_the_same_map_and_gets_better() {
    let (_, pca) = Clusters::draw(10, 5, 20, 0.5).project();
    let settings = TsneSettings { perplexity: 8.0, seed: 0 };
    let (mut by_hand, perplexity) = Descent::begin(&pca, &settings).unwrap();
    assert_eq!(perplexity, 8.0);
    by_hand.step();
    let first = by_hand.divergence();
    while !by_hand.finished() {
        by_hand.step();
    }
    assert_eq!(by_hand.epoch(), EPOCHS[0] + EPOCHS[1]);
    assert_eq!(by_hand.points(), run(&Stepped, &pca, 8.0, 0).points);
    assert!(by_hand.divergence() < 0.5 * first, "{} after {first}", by_hand.divergence());
    assert!((by_hand.divergence() - divergence(&pca, perplexity, &by_hand.points())).abs() < 1e-3);
    let centre = by_hand.points().iter().fold([0.0f32; 2], |s, p| [s[0] + p[0], s[1] + p[1]]);
    assert!(centre.iter().all(|c| c.abs() < 0.1), "{centre:?}");
}

#[test]
fn too_few_points_and_meaningless_perplexities_are_refused_with_the_reason() {
    let (_, nine) = Clusters::draw(3, 3, 20, 0.5).project();
    let (_, ten) = Clusters::draw(5, 2, 20, 0.5).project();
    for method in [&Stepped as &dyn Embedder, &OneShot] {
        let refused = |pca: &Pca, perplexity: f64| {
            let settings = TsneSettings { perplexity, seed: 0 };
            quiet(|control| method.embed(pca, &settings, control, &mut |_| {})).unwrap_err().to_string()
        };
        assert!(refused(&nine, 30.0).contains("9 states are too few for t-SNE, which needs at least 10"));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refused(&ten, wrong).contains("makes no sense"), "{wrong}");
        }
        let map = run(method, &ten, 30.0, 0);
        assert!(map.perplexity < 3.0 && map.perplexity > 2.9);
        assert!(map.points.iter().flatten().all(|v| v.is_finite()));
    }
    assert_eq!(usable_perplexity(1000, 30.0).unwrap(), 30.0);
    assert_eq!(usable_perplexity(1000, 0.01).unwrap(), 1.0);
    let (_, many) = Clusters::draw(81, 10, 10, 0.5).project();
    let refused = quiet(|c| OneShot.embed(&many, &TsneSettings { perplexity: 30.0, seed: 0 }, c, &mut |_| {})).unwrap_err();
    assert!(refused.to_string().contains("810 states are too many"));
}

#[test]
fn degenerate_libraries_still_have_maps() {
    let base = Clusters::draw(4, 5, 30, 0.5);
    // Every state twice; all but one the same; one line; huge and tiny units.
    let twice: Vec<f32> = [base.rows.clone(), base.rows.clone()].concat();
    let one_off: Vec<f32> = (0..20 * 30).map(|i| if i < 30 { 1.0 } else { 2.0 }).collect();
    let line: Vec<f32> = (0..20 * 30).map(|i| (i / 30) as f32 * ((i % 30) as f32 - 10.0)).collect();
    let huge: Vec<f32> = base.rows.iter().map(|v| v * 1e15).collect();
    let tiny: Vec<f32> = base.rows.iter().map(|v| v * 1e-15).collect();
    for (name, rows) in [("twice", &twice), ("one off", &one_off), ("line", &line), ("huge", &huge), ("tiny", &tiny)] {
        let (space, pca) = project(rows, rows.len() / 30, 30);
        let map = run(&Stepped, &pca, 5.0, 0);
        assert!(map.points.iter().flatten().all(|v| v.is_finite()), "{name}");
        assert!(map.divergence.is_finite() && fidelity(&space, &map.points, 5).unwrap().trustworthiness.is_finite(), "{name}");
        let frozen = FrozenMap::new(&pca, &map.points).unwrap();
        assert!(frozen.place(&pca.project(&rows[..30]).unwrap()).unwrap().iter().all(|v| v.is_finite()), "{name}");
        if name == "twice" {
            // A state's copy is its nearest neighbour on the map.
            let spread = (0..20).map(|i| apart(map.points[i], map.points[i + 1])).fold(0.0, f32::max);
            assert!((0..20).all(|i| apart(map.points[i], map.points[i + 20]) < 0.1 * spread));
        }
    }
}

#[test]
fn trust_is_whole_for_the_plane_itself_and_low_for_a_shuffle() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let points: Vec<[f32; 2]> = (0..40).map(|_| [rng.random_range(-9.0..9.0), rng.random_range(-9.0..9.0)]).collect();
    let (space, _) = project(&points.concat(), 40, 2);
    let same = fidelity(&space, &points, 5).unwrap();
    assert!((same.trustworthiness - 1.0).abs() < 1e-12 && (same.continuity - 1.0).abs() < 1e-12, "{same:?}");
    let shuffled: Vec<[f32; 2]> = (0..40).map(|i| points[i * 27 % 40]).collect();
    let wrong = fidelity(&space, &shuffled, 5).unwrap();
    assert!(wrong.trustworthiness < 0.7 && wrong.continuity < 0.7, "{wrong:?}");
    assert_eq!(fidelity(&space, &points, 100).unwrap().k, 19);

    // Two far lines folded onto one: false neighbours appear, true ones stay.
    let lines: Vec<f32> =
        (0..40).flat_map(|i| [(i % 20) as f32 + if i < 20 { 0.0 } else { 0.25 }, if i < 20 { 0.0 } else { 1000.0 }]).collect();
    let folded: Vec<[f32; 2]> = lines.chunks_exact(2).map(|p| [p[0], 0.0]).collect();
    let judged = fidelity(&project(&lines, 40, 2).0, &folded, 4).unwrap();
    assert!(judged.trustworthiness < 0.8 && judged.continuity > judged.trustworthiness + 0.05, "{judged:?}");

    assert!(fidelity(&space, &points[..39], 5).unwrap_err().to_string().contains("39 points"));
    let (four, _) = project(&points[..4].concat(), 4, 2);
    assert!(fidelity(&four, &points[..4], 5).unwrap_err().to_string().contains("4 points are too few"));
}

#[test]
fn trustworthiness_of_one_swap_by_hand() {
    // Six points on a line; the map swaps the two ends. By hand, k = 1: nearest in the map (left of
    // equals first) are 5→1, 1→2, 2→1, 3→2, 4→3, 0→4.
    let line = [0.0f32, 1.0, 2.1, 3.3, 4.6, 6.0];
    let rows: Vec<f32> = line.iter().flat_map(|v| [*v, 0.0]).collect();
    let mut map: Vec<[f32; 2]> = line.iter().map(|v| [*v, 0.0]).collect();
    map.swap(0, 5);
    // Point 5, now at 0, has 1 as nearest: originally its 4th (distances 1.4, 2.7, 3.9, 5, 6): 3
    // too far. Point 0, now at 6, has 4: its 4th too: 3. Point 1 at 1 has 5 (at 0, distance 1) as
    // nearest: originally its 5th (1, 1.1, 2.3, 3.6, 5): 4. Others keep theirs: 2→1, 3→2, 4→3.
    let want = 1.0 - 2.0 / (6.0 * (12.0 - 3.0 - 1.0)) * 10.0;
    let judged = fidelity(&project(&rows, 6, 2).0, &map, 1).unwrap();
    assert!((judged.trustworthiness - want).abs() < 1e-12, "{} {want}", judged.trustworthiness);
}

#[test]
fn labels_are_judged_in_the_original_space() {
    let tight = Clusters::draw(6, 5, 50, 0.1);
    let (space, _) = tight.project();
    assert_eq!(purity(&space.nearest(1), &tight.labels), 1.0);
    assert!(silhouette(&space, &tight.labels).unwrap() > 0.7);
    let wrong: Vec<usize> = (0..30).map(|i| i % 5).collect();
    assert_eq!(purity(&space.nearest(1), &wrong), 0.0);
    assert!(silhouette(&space, &wrong).unwrap() < 0.0);
    assert_eq!(silhouette(&space, &[0; 30]), None);
    assert_eq!(silhouette(&space, &(0..30).collect::<Vec<_>>()), None);
    assert_eq!(silhouette(&space, &[]), None);
    // By hand: points 0, 1 against 4, alone: a = 1, b = 4 and 3; silhouettes 3/4, 2/3, 0.
    let (line, _) = project(&[0.0, 1.0, 4.0], 3, 1);
    assert!((silhouette(&line, &[0, 0, 1]).unwrap() - (0.75 + 2.0 / 3.0) / 3.0).abs() < 1e-6);
}

#[test]
fn a_query_lands_among_its_own_and_nothing_moves() {
    let data = Clusters::draw(12, 10, 60, 0.5);
    // One row of each cluster is kept back, and asked for later.
    let (kept, asked): (Vec<usize>, Vec<usize>) = (0..120).partition(|i| i % 10 != 3);
    let row = |i: &usize| data.rows[i * 60..(i + 1) * 60].to_vec();
    let rows: Vec<f32> = kept.iter().flat_map(row).collect();
    let (_, pca) = project(&rows, 108, 60);
    let map = run(&Stepped, &pca, 15.0, 0);
    let frozen = FrozenMap::new(&pca, &map.points).unwrap();
    let before = frozen.clone();
    for i in &asked {
        let at = frozen.place(&pca.project(&row(i)).unwrap()).unwrap();
        let nearest = (0..108).min_by(|a, b| apart(at, map.points[*a]).total_cmp(&apart(at, map.points[*b]))).unwrap();
        assert_eq!(data.labels[kept[nearest]], data.labels[*i]);
        assert_eq!(at, frozen.place(&pca.project(&row(i)).unwrap()).unwrap());
    }
    assert_eq!(frozen, before);
    // From far outside, placed somewhere on the map, not at infinity.
    let far: Vec<f32> = row(&0).iter().map(|v| v * 1e4).collect();
    let radius = map.points.iter().map(|p| p[0].hypot(p[1])).fold(0.0, f32::max);
    let at = frozen.place(&pca.project(&far).unwrap()).unwrap();
    assert!(at[0].hypot(at[1]) < 2.0 * radius, "{at:?} of {radius}");
    assert!(frozen.place(&[1.0]).unwrap_err().to_string().contains("1 scores do not fit"));
    assert!(FrozenMap::new(&pca, &map.points[1..]).unwrap_err().to_string().contains("107 points"));
}

/// Lays a map over an earlier one; what is left, if it could be.
fn align(points: &mut [[f32; 2]], shared: &[(usize, [f32; 2])]) -> Option<f64> {
    let alignment = Alignment::fit(points, shared)?;
    points.iter_mut().for_each(|p| *p = alignment.apply(*p));
    Some(alignment.left)
}

#[test]
fn a_turned_map_is_turned_back_and_never_stretched() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let old: Vec<[f32; 2]> = (0..30).map(|_| [rng.random_range(-9.0..9.0), rng.random_range(-3.0..3.0)]).collect();
    let shared: Vec<(usize, [f32; 2])> = old.iter().copied().enumerate().collect();
    for (angle, mirror) in [(0.3f32, 1.0f32), (2.9, 1.0), (-1.2, -1.0), (0.0, -1.0)] {
        let (sin, cos) = angle.sin_cos();
        let turned: Vec<[f32; 2]> = old.iter().map(|[x, y]| [cos * x - sin * y * mirror + 5.0, sin * x + cos * y * mirror - 2.0]).collect();
        let mut back = turned.clone();
        assert!(align(&mut back, &shared).unwrap() < 1e-5);
        assert!(back.iter().zip(&old).all(|(a, b)| apart(*a, *b) < 1e-4));
        // A third of the points is enough, and the others come along.
        let mut back = turned.clone();
        assert!(align(&mut back, &shared[..10]).unwrap() < 1e-5);
        assert!(back.iter().zip(&old).all(|(a, b)| apart(*a, *b) < 1e-3));
        let mut wide: Vec<[f32; 2]> = turned.iter().map(|p| p.map(|v| v * 2.0)).collect();
        let length = apart(wide[0], wide[1]);
        let left = align(&mut wide, &shared).unwrap();
        assert!((left - 1.0).abs() < 1e-4, "twice as wide is one radius off everywhere: {left}");
        assert!((apart(wide[0], wide[1]) - length).abs() < 1e-3);
    }
    let mut few = vec![[1.0, 2.0], [3.0, 4.0]];
    assert_eq!(align(&mut few, &[(0, [0.0, 0.0])]), None);
    assert_eq!(align(&mut few, &[(0, [0.0, 0.0]), (9, [0.0, 0.0])]), None);
    assert_eq!(few, [[1.0, 2.0], [3.0, 4.0]]);
}
