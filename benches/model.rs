//! The model core on the shape of mamba-130m (random weights), beside candle-transformers' Mamba in
//! the same run.
//!
//!     cargo bench --bench model                 all timings, then the summary
//!     cargo bench --bench model -- --summary    the summary only: ratios against the targets
//!
//! The summary's candle prefill is timed over 64 tokens and scaled to 256: it runs token by token,
//! so its time grows in proportion.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::case_sensitive_file_extension_comparisons)]

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::mamba as candle_mamba;
use divan::Bencher;
use divan::counter::ItemsCount;
use memmap2::MmapMut;
use rayon::prelude::*;
use state_soup::control::quiet;
use state_soup::model::{LoadOptions, ModelSource, Network, Prompt, RandomWeights, TensorSource, Want, WeightType};
use state_soup::state::State;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

const D_MODEL: usize = 768;
const N_LAYER: usize = 24;
const VOCAB: usize = 50280;

fn main() {
    if !std::env::args().any(|a| a == "--summary") {
        divan::main();
    }
    // `cargo test --benches` runs every benchmark once, for which the summary is too long.
    if std::env::args().any(|a| a == "--bench" || a == "--summary") {
        summary();
    }
}

#[divan::bench(args = [64, 256, 1024], sample_count = 5, sample_size = 1)]
fn prefill_f32(bencher: Bencher, tokens: usize) {
    let model = model(WeightType::F32);
    bencher.counter(ItemsCount::new(tokens)).bench_local(|| prefill(model, &[tokens]));
}

#[divan::bench(args = [64, 256], sample_count = 5, sample_size = 1)]
fn prefill_f16(bencher: Bencher, tokens: usize) {
    let model = model(WeightType::F16);
    bencher.counter(ItemsCount::new(tokens)).bench_local(|| prefill(model, &[tokens]));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn prefill_batch_8_of_256(bencher: Bencher) {
    let model = model(WeightType::F32);
    bencher.counter(ItemsCount::new(8 * 256usize)).bench_local(|| prefill(model, &[256; 8]));
}

#[divan::bench(args = [WeightType::F32, WeightType::F16, WeightType::BF16], sample_count = 3, sample_size = 1)]
fn decode_32(bencher: Bencher, weights: WeightType) {
    let model = model(weights);
    bencher.counter(ItemsCount::new(32usize)).bench_local(|| decode(model, 32));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn candle_prefill_64(bencher: Bencher) {
    bencher.counter(ItemsCount::new(64usize)).bench_local(|| candle_run(64));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn candle_decode_32(bencher: Bencher) {
    bencher.counter(ItemsCount::new(32usize)).bench_local(|| candle_run(32));
}

/// Reads prompts of these lengths; the logits after the last token of each are computed, as in use.
fn prefill(model: &Network, lengths: &[usize]) {
    let tokens: Vec<u32> = (0..lengths.iter().copied().max().unwrap_or(0) as u32).map(|i| (i * 7919) % VOCAB as u32).collect();
    let prompts: Vec<Prompt> =
        lengths.iter().map(|&n| Prompt { tokens: &tokens[..n], initial: None, snapshots: &[], want: Want::LastLogits }).collect();
    black_box(quiet(|control| model.prefill(&prompts, control)).unwrap());
}

fn decode(model: &Network, tokens: u32) {
    let start = State::zeros(model.shape());
    let mut decoder = model.decoder(&[&start]).unwrap();
    for t in 0..tokens {
        black_box(decoder.step(&[t * 31 % VOCAB as u32]).unwrap());
    }
}

/// candle's Mamba takes one token at a time and gives its logits: prefill and decode are the same
/// to it.
fn candle_run(tokens: u32) {
    let (model, config) = candle_model();
    let mut state = candle_mamba::State::new(1, config, DType::F32, &Device::Cpu).unwrap();
    for t in 0..tokens {
        black_box(model.forward(&Tensor::new(&[t * 31 % VOCAB as u32], &Device::Cpu).unwrap(), &mut state).unwrap());
    }
}

fn random() -> RandomWeights {
    RandomWeights::new(RandomWeights::published("130m").unwrap())
}

fn load(weights: WeightType) -> Network {
    let options = LoadOptions { device: Device::Cpu, weights };
    quiet(|control| Network::load(random().config().clone(), &random(), &options, control)).unwrap()
}

/// The model in each precision, loaded once.
fn model(weights: WeightType) -> &'static Network {
    static F32: OnceLock<Network> = OnceLock::new();
    static F16: OnceLock<Network> = OnceLock::new();
    static BF16: OnceLock<Network> = OnceLock::new();
    let cell = match weights {
        WeightType::F16 => &F16,
        WeightType::BF16 => &BF16,
        _ => &F32,
    };
    cell.get_or_init(|| load(weights))
}

fn candle_model() -> &'static (candle_mamba::Model, candle_mamba::Config) {
    static MODEL: OnceLock<(candle_mamba::Model, candle_mamba::Config)> = OnceLock::new();
    MODEL.get_or_init(|| {
        let config = candle_mamba::Config { d_model: D_MODEL, n_layer: N_LAYER, vocab_size: VOCAB, pad_vocab_size_multiple: 8 };
        let tensors: HashMap<String, Tensor> = {
            let random = random();
            random.names().into_iter().map(|n| (n.clone(), random.get(&n).unwrap().unwrap())).collect()
        };
        let weights = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        (candle_mamba::Model::new(&config, weights.pp("backbone")).unwrap(), config)
    })
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of each run, after one to warm up; the median.
fn median(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    middle((0..runs).map(|_| seconds(&mut work)).collect())
}

/// As many bytes as a token of the f32 model reads, nearly, to measure what the machine's memory
/// gives.
struct Stream(MmapMut);

impl Stream {
    /// Memory in large pages, as the weights have them, or in small ones.
    fn new(large: bool) -> Self {
        let mut map = MmapMut::map_anon(512 << 20).unwrap();
        #[cfg(target_os = "linux")]
        if large {
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        map.fill(1);
        Self(map)
    }

    /// Reads everything once, each thread its part, in four streams, to which memory gives more
    /// than to one; bytes a second.
    fn read(&self) -> f64 {
        let (lines, _) = self.0.as_chunks::<64>();
        let part = lines.len() / rayon::current_num_threads();
        let fold = |part: &[[u8; 64]]| {
            let streams: Vec<&[[u8; 64]]> = part.chunks_exact((part.len() / 4).max(1)).collect();
            let mut sums = [[0; 8]; 4];
            for i in 0..streams[0].len() {
                for (sums, stream) in sums.iter_mut().zip(&streams) {
                    let (line, _) = stream[i].as_chunks::<8>();
                    sums.iter_mut().zip(line).for_each(|(sum, v)| *sum ^= u64::from_le_bytes(*v));
                }
            }
            sums.iter().flatten().fold(0, |sum, v| sum ^ v)
        };
        let start = Instant::now();
        black_box(lines.par_chunks(part).map(fold).sum::<u64>());
        self.0.len() as f64 / start.elapsed().as_secs_f64()
    }
}

/// Decodes and reads in turn, a token and as many bytes; the medians of both, in bytes a second.
/// The memory of a shared machine gives twice as much in one second as in the next, so the two can
/// only be compared side by side.
fn decode_beside_reading(model: &Network, stream: &Stream) -> (f64, f64) {
    let start = State::zeros(model.shape());
    let mut decoder = model.decoder(&[&start]).unwrap();
    let (decoded, read): (Vec<f64>, Vec<f64>) = (0..128)
        .map(|t| {
            let seconds = seconds(|| {
                black_box(decoder.step(&[t * 31 % VOCAB as u32]).unwrap());
            });
            (model.bytes_per_token() as f64 / seconds, stream.read())
        })
        .unzip();
    (middle(decoded), middle(read))
}

/// Peak resident memory in KiB since the last reset, or `None` where the system does not tell.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// Bytes of this process in pages of 2 MiB, or `None` where the system does not tell.
fn large_pages() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let kib: u64 = rollup.lines().find_map(|l| l.strip_prefix("AnonHugePages:"))?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// Does work that leaves memory behind, and says what part of so many bytes it left in large pages.
fn in_large_pages<T>(what: &str, work: impl FnOnce() -> T, bytes: impl FnOnce(&T) -> usize) -> T {
    let before = large_pages();
    let made = work();
    if let (Some(before), Some(after)) = (before, large_pages()) {
        line(&format!("  {what} in large pages"), 100.0 * after.saturating_sub(before) as f64 / bytes(&made) as f64, "%", "");
    }
    made
}

fn line(what: &str, value: f64, unit: &str, target: &str) {
    println!("{what:<58} {value:>9.2} {unit:<9} {target}");
}

fn summary() {
    println!("\nmamba-130m shape, random weights, {} threads", rayon::current_num_threads());
    let small = Stream::new(false);
    line("read bandwidth, pages of 4 KiB, the best of eight", (0..8).map(|_| small.read()).fold(0.0, f64::max) / 1e9, "GB/s", "");
    drop(small);
    let f32 = in_large_pages("weights", || model(WeightType::F32), |m| m.bytes_per_token());
    for tokens in [64, 256, 1024] {
        let before = f32.time_in_products();
        let start = Instant::now();
        let median = median(5, || prefill(f32, &[tokens]));
        let share = f32.time_in_products().saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64();
        line(&format!("prefill {tokens}, f32"), tokens as f64 / median, "tokens/s", "");
        line("  share of the time in matrix products", 100.0 * share, "%", "target ≥ 75");
    }
    line("prefill of 8 × 256, f32", 2048.0 / median(2, || prefill(f32, &[256; 8])), "tokens/s", "");
    candle_run(1);
    // In turn, as the machine may be twice as fast in one minute as in the next.
    let (candle, ratio): (Vec<f64>, Vec<f64>) = (0..5)
        .map(|_| {
            let candle = seconds(|| candle_run(64));
            (64.0 / candle, 4.0 * candle / median(2, || prefill(f32, &[256])))
        })
        .unzip();
    line("candle-transformers, token by token", middle(candle), "tokens/s", "");
    line("prefill 256 over candle (64 tokens × 4), in turn", middle(ratio), "×", "target ≥ 30");

    let per_token = |weights| median(5, || decode(model(weights), 32)) / 32.0;
    let wide = per_token(WeightType::F32);
    line("decode, f32", 1.0 / wide, "tokens/s", "");
    let stream = in_large_pages("the buffer read", || Stream::new(true), |s| s.0.len());
    let (decoded, read) = decode_beside_reading(f32, &stream);
    drop(stream);
    line("  weights read, in turn with plain reading", decoded / 1e9, "GB/s", "");
    line("  plain reading, large pages", read / 1e9, "GB/s", "");
    line("  share of the read bandwidth", 100.0 * decoded / read, "%", "target ≥ 85");
    for weights in [WeightType::F16, WeightType::BF16] {
        let half = per_token(weights);
        line(&format!("decode, {weights:?}"), 1.0 / half, "tokens/s", "");
        line("  over f32", wide / half, "×", "target ≥ 1.4");
        line(&format!("prefill 256, {weights:?}"), 256.0 / median(3, || prefill(model(weights), &[256])), "tokens/s", "");
    }

    let mut peaks = Vec::new();
    for tokens in [1024, 16 * 1024] {
        // 5 sets the peak back to what is resident now (proc(5)).
        if std::fs::write("/proc/self/clear_refs", "5").is_err() {
            println!("peak memory: this system cannot set the peak back");
            break;
        }
        prefill(f32, &[tokens]);
        peaks.extend(peak_memory());
    }
    if let [short, long] = peaks[..] {
        line("peak memory, prompt of 1024 tokens", short as f64 / 1024.0, "MiB", "");
        line("peak memory, prompt of 16384 tokens", long as f64 / 1024.0, "MiB", "target: no higher");
    }
    bundled();
}

/// The bundled model at the sizes of a keystroke: from a kept state, a few tokens and the next
/// token's distribution.
fn bundled() {
    let options = LoadOptions { device: Device::Cpu, weights: WeightType::AsStored };
    let model = quiet(|control| state_soup::model::Model::open(&ModelSource::Bundled, &options, control)).unwrap().network;
    println!("\nbundled model, weights as stored");
    let tokens: Vec<u32> = (1..=1024).collect();
    let state = State::zeros(model.shape());
    for n in [1, 4, 10, 64, 1024] {
        let prompt = [Prompt { tokens: &tokens[..n], initial: Some(&state), snapshots: &[], want: Want::LastLogits }];
        let seconds = median(51, || {
            black_box(quiet(|control| model.prefill(&prompt, control)).unwrap());
        });
        line(&format!("{n} tokens from a state, with logits"), seconds * 1e3, "ms", if n == 10 { "target < 5" } else { "" });
    }
}
