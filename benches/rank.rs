//! The scan behind a ranking: 330 skills of the bundled model's sizes (12 layers, 512 × 16), f16,
//! against the speed at which this machine reads memory. Run with `cargo bench --bench rank`.
#![allow(missing_docs, clippy::unwrap_used)]

use divan::{Bencher, counter::BytesCount};
use rand::{Rng, SeedableRng};
use state_soup::library::{
    BuildSettings, Library, LibraryWriter, Metric, ModelIdentity, NewLibrary, Part, RankView, SkillMeta, SkillOrigin, StoredType, Wait,
};
use state_soup::state::{Layout, State};
use std::sync::OnceLock;

const SHAPE: Layout = Layout::mamba1(12, 512, 16, 4);
const SKILLS: usize = 330;

fn main() {
    divan::main();
}

fn state(seed: u64) -> State {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect::<Vec<_>>();
    let (ssm, conv) = (draw(SHAPE.n_layer * SHAPE.memory.len()), draw(SHAPE.n_layer * SHAPE.window.len()));
    State::new(SHAPE, ssm, conv, vec![1.0; SHAPE.n_layer * SHAPE.sidecar.len()], 300).unwrap()
}

fn library() -> &'static (tempfile::TempDir, Library) {
    static MADE: OnceLock<(tempfile::TempDir, Library)> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let model = ModelIdentity {
            name: "bench".into(),
            fingerprint: "f".into(),
            tokenizer_hash: "t".into(),
            bos: None,
            weights: None,
            layout: SHAPE,
        };
        let settings = BuildSettings { sets: 5, ..BuildSettings::default() };
        let new = NewLibrary { model: &model, settings: &settings, dtype: StoredType::F16 };
        let mut writer = LibraryWriter::open(dir.path(), &new, Wait::No).unwrap();
        let skill = |i: usize| {
            let origin = SkillOrigin::Text { text: String::new() };
            let (id, task) = (format!("task{}/{}", i / 5, i % 5), format!("task{}", i / 5));
            (SkillMeta { id, task, family: "f".into(), origin, tokens: 300, created: String::new(), tags: vec![] }, state(i as u64))
        };
        for from in (0..SKILLS).step_by(24) {
            writer.append(&(from..SKILLS.min(from + 24)).map(skill).collect::<Vec<_>>()).unwrap();
        }
        drop(writer);
        let library = Library::open(dir.path(), &model).unwrap().0;
        (dir, library)
    })
}

fn bytes(layers: usize) -> usize {
    SKILLS * SHAPE.memory.len() * 2 * layers
}

fn rank(bencher: Bencher<'_, '_>, metric: Metric, layers: std::ops::Range<usize>) {
    let (library, query) = (&library().1, state(9999));
    let view = RankView { metric, part: Part::Ssm, layers: layers.clone() };
    // Norms and means, once.
    library.rank(&query, &view, None).unwrap();
    bencher.counter(BytesCount::new(bytes(layers.len()))).bench_local(|| library.rank(&query, &view, None).unwrap());
}

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::ZCosine];

#[divan::bench(args = METRICS)]
fn one_layer(bencher: Bencher<'_, '_>, metric: Metric) {
    rank(bencher, metric, 6..7);
}

#[divan::bench(args = METRICS)]
fn all_layers(bencher: Bencher<'_, '_>, metric: Metric) {
    rank(bencher, metric, 0..SHAPE.n_layer);
}

/// What a ranking waits for after the library has changed: norms are kept by shard, means and
/// deviations are not.
#[divan::bench(args = [Metric::Cosine, Metric::ZCosine], sample_count = 20)]
fn first_of_a_layer(bencher: Bencher<'_, '_>, metric: Metric) {
    let (library, query) = (&library().1, state(9999));
    let view = RankView { metric, part: Part::Ssm, layers: 6..7 };
    let fresh = || Library::open(library.path(), library.model()).unwrap().0;
    bencher.with_inputs(fresh).bench_local_values(|l| l.rank(&query, &view, None).unwrap());
}

#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let library = &library().1;
    bencher.bench_local(|| Library::open(library.path(), library.model()).unwrap());
}

/// The yardstick: adding up as many bytes as all layers hold, from memory that is already there, on
/// all threads.
#[divan::bench]
fn read_bandwidth(bencher: Bencher<'_, '_>) {
    use rayon::prelude::*;
    let data = vec![1u64; bytes(SHAPE.n_layer) / 8];
    let sum = || data.par_chunks(1 << 15).map(|c| c.iter().fold(0u64, |a, b| a.wrapping_add(*b))).reduce(|| 0, u64::wrapping_add);
    bencher.counter(BytesCount::new(bytes(SHAPE.n_layer))).bench_local(sum);
}
