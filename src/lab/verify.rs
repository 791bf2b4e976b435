//! Compares the GPU with the CPU, on random weights and texts. `state-soup doctor --verify` runs
//! this on the user's own machine.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{BuildSettings, Library, LibraryWriter, Metric, NewLibrary, Part, RankView, SkillPlan, StoredType, Wait};
use crate::model::{LoadOptions, MambaConfig, Network, Prefilled, Prompt, RandomWeights, TensorSource, Want, WeightType};
use crate::soup::mix::WeightedSum;
use crate::state::{ModelIdentity, State};
use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// One comparison. Errors are ‖GPU − CPU‖ / ‖CPU‖ over all numbers of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Sizes and precision of the model.
    pub model: String,
    /// The computation.
    pub what: String,
    /// SSM states, windows, ΣΔ, logits or log-probabilities.
    pub of: &'static str,
    /// The relative error.
    pub error: f64,
    /// The largest error allowed.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within its limit. NaN is not.
    pub fn passed(&self) -> bool {
        self.error <= self.limit
    }
}

/// Sizes that reach every branch of the kernels: full and partial warps, aligned and unaligned
/// rows, biases, norms in the mixer, wide and narrow states.
const MODELS: [(&str, &str); 5] = [
    (
        "tied, 512 × 16",
        r#"{"hidden_size": 256, "intermediate_size": 512, "state_size": 16, "conv_kernel": 4, "time_step_rank": 16, "num_hidden_layers": 3, "vocab_size": 515}"#,
    ),
    (
        "biases, untied, 84 × 5",
        r#"{"hidden_size": 36, "intermediate_size": 84, "state_size": 5, "conv_kernel": 3, "time_step_rank": 7, "num_hidden_layers": 2, "vocab_size": 97, "use_bias": true, "tie_word_embeddings": false}"#,
    ),
    (
        "norms in the mixer, 256 × 64",
        r#"{"model_type": "falcon_mamba", "hidden_size": 128, "intermediate_size": 256, "state_size": 64, "conv_kernel": 2, "time_step_rank": 8, "num_hidden_layers": 2, "vocab_size": 200, "use_conv_bias": false}"#,
    ),
    (
        "wide states, 48 × 200",
        r#"{"hidden_size": 24, "intermediate_size": 48, "state_size": 200, "conv_kernel": 6, "time_step_rank": 3, "num_hidden_layers": 2, "vocab_size": 50}"#,
    ),
    (
        LARGE,
        r#"{"hidden_size": 32, "intermediate_size": 512, "state_size": 128, "conv_kernel": 4, "time_step_rank": 8, "num_hidden_layers": 20, "vocab_size": 60}"#,
    ),
];

/// A model whose states are so large that they stay in the memory they are copied to.
const LARGE: &str = "large states, 512 × 128";

/// Precisions, each with the error that rounding to it explains: every factor of a product is
/// rounded, sums are not.
const PRECISIONS: [(WeightType, DType, f64); 3] =
    [(WeightType::F32, DType::F32, 2e-5), (WeightType::BF16, DType::BF16, 3e-2), (WeightType::F16, DType::F16, 4e-3)];

/// Runs every comparison.
///
/// # Errors
/// [`crate::error::Error::Model`] if the GPU fails; [`crate::error::Error::Cancelled`].
pub fn verify(device: &Device, control: Control<'_>) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let (mut done, total) = (0, (MODELS.len() * PRECISIONS.len()) as u64);
    for (name, json) in MODELS {
        let config = MambaConfig::from_json(json, name)?;
        for (kind, dtype, limit) in PRECISIONS {
            control.check()?;
            let silent = control.with_progress(&|_| {});
            let weights = RandomWeights::exact_in(config.clone(), dtype);
            let load = |weights: &dyn TensorSource, device: &Device, kind| {
                Network::load(config.clone(), weights, &LoadOptions { device: device.clone(), weights: kind }, silent)
            };
            let (card, host) = (load(&weights, device, kind)?, load(&weights, &Device::Cpu, WeightType::F32)?);
            // Rounding errors add up over the twenty layers of this model.
            let (longest, limit) = if name == LARGE { (40, 2.0 * limit) } else { (3000, limit) };
            let mut pair = Pair { card, host, model: format!("{name}, {kind:?}"), limit, checks: Vec::new() };
            pair.run(longest, silent)?;
            if kind == WeightType::F32 {
                pair.shelf(silent)?;
            }
            pair.broken(&load(&Broken(weights.clone(), dtype), device, kind)?, silent);
            checks.append(&mut pair.checks);
            done += 1;
            control.report(done, total, "models");
        }
    }
    Ok(checks)
}

/// Weights that overflow: finite ones are loaded, so the states must be found out. Two channels of
/// the second layer have the largest number of the type in every entry, with opposite signs: for
/// every token the input of one of them is positive and passes the SiLU.
struct Broken(RandomWeights, DType);

impl TensorSource for Broken {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        match self.0.get(name)? {
            Some(matrix) if name == "backbone.layers.1.mixer.in_proj.weight" => {
                let (rows, columns) = matrix.dims2()?;
                let most = match self.1 {
                    DType::F16 => half::f16::MAX.to_f32(),
                    DType::BF16 => half::bf16::MAX.to_f32(),
                    _ => f32::MAX,
                };
                let mut numbers = matrix.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                numbers[2 * columns..3 * columns].fill(-most);
                numbers[3 * columns..4 * columns].fill(most);
                Ok(Some(Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)?.to_dtype(self.1)?))
            }
            other => Ok(other),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }
}

struct Pair {
    card: Network,
    host: Network,
    model: String,
    limit: f64,
    checks: Vec<Check>,
}

impl Pair {
    /// Compares everything that reads tokens. `longest`: maximum number of tokens of a text.
    fn run(&mut self, longest: usize, control: Control<'_>) -> Result<()> {
        let vocab = self.host.config().vocab_size as u32;
        let lengths = [1, 2, 3, 5, 33, 64, 200, 700, 1, 90].map(|n: usize| n.min(longest));
        let texts: Vec<Vec<u32>> = lengths.iter().enumerate().map(|(i, &n)| text(vocab, n, i as u32)).collect();
        let read = |network: &Network, prompts: &[Prompt<'_>]| network.prefill(prompts, control);
        // An initial state that is not one of the tests' results.
        let seed = text(vocab, 40, 77);
        let begin = read(&self.host, &[Prompt { tokens: &seed, initial: None, snapshots: &[], want: Want::State }])?;
        let begin = &begin[0].state;

        let cuts: [&[usize]; 3] = [&[], &[1], &[1, 2, 30, 31, 32, 33]];
        let at = [0, 2, 4];
        let prompts: Vec<Prompt<'_>> = texts
            .iter()
            .enumerate()
            .map(|(i, tokens)| Prompt {
                tokens,
                initial: (i % 3 != 0).then_some(begin),
                snapshots: if tokens.len() >= 33 { cuts[2] } else { cuts[i % 2] },
                want: match i % 4 {
                    0 => Want::LastLogits,
                    1 => Want::LogProbs,
                    2 if tokens.len() > 4 => Want::LogitsAt(&at),
                    _ => Want::State,
                },
            })
            .collect();
        let host = read(&self.host, &prompts)?;
        self.compare("packed prompts", &read(&self.card, &prompts)?, &host);

        if longest > 40 {
            let long = text(vocab, longest, 5);
            let cuts = [100, 1024, 1025, 2999];
            let prompts = [Prompt { tokens: &long, initial: Some(begin), snapshots: &cuts, want: Want::LogProbs }];
            self.compare("a long prompt", &read(&self.card, &prompts)?, &read(&self.host, &prompts)?);
        }

        self.repeated(begin, control)?;

        if let Some(model) = self.card.on_card() {
            model.limit(64, 8);
        }
        self.compare("in chunks of 64 tokens and 8 states", &read(&self.card, &prompts)?, &host);

        self.token_by_token(begin)
    }

    /// Compares short prompts that follow each other. New tokens and states in each round, but the
    /// same shapes: the work is recorded when it repeats.
    fn repeated(&mut self, begin: &State, control: Control<'_>) -> Result<()> {
        let vocab = self.host.config().vocab_size as u32;
        let (mut card, mut host_typed) = (Vec::new(), Vec::new());
        for round in 0..4u32 {
            let (one, two) = (text(vocab, 5, 200 + round), text(vocab, 9, 300 + round));
            let from = card.last().map_or(begin, |p: &Prefilled| &p.state).clone();
            let prompts = [(&one, None), (&two, Some(&from))].map(|(tokens, initial)| Prompt {
                tokens,
                initial,
                snapshots: &[2, 3],
                want: Want::LastLogits,
            });
            for prompts in [&prompts[..], &prompts[1..]] {
                card.extend(self.card.prefill(prompts, control)?);
                host_typed.extend(self.host.prefill(prompts, control)?);
            }
        }
        self.compare("short prompts, again and again", &card, &host_typed);
        Ok(())
    }

    /// Compares decoders of one sequence and of several.
    fn token_by_token(&mut self, begin: &State) -> Result<()> {
        let vocab = self.host.config().vocab_size as u32;
        for batch in [1, 3] {
            let states = vec![begin; batch];
            let steps = |network: &Network| -> Result<Vec<Prefilled>> {
                let mut decoder = network.decoder(&states)?;
                let mut logits = vec![Vec::new(); batch];
                for step in 0..6u32 {
                    let tokens: Vec<u32> = (0..batch as u32).map(|b| (step * 13 + b * 5) % vocab).collect();
                    let out = decoder.step(&tokens)?;
                    for (all, row) in logits.iter_mut().zip(out.chunks_exact(vocab as usize)) {
                        all.push(row.to_vec());
                    }
                }
                let whole = |(i, logits)| Ok(Prefilled { state: decoder.state(i)?, snapshots: Vec::new(), logits, logprobs: Vec::new() });
                logits.into_iter().enumerate().map(whole).collect()
            };
            let (card, host) = (steps(&self.card)?, steps(&self.host)?);
            self.compare(if batch == 1 { "one token at a time" } else { "a batch, token by token" }, &card, &host);
        }
        Ok(())
    }

    /// A model whose states are not finite is detected, and none of its results are returned.
    fn broken(&mut self, card: &Network, control: Control<'_>) {
        let prompts = [Prompt { tokens: &[1, 2, 3], initial: None, snapshots: &[], want: Want::State }];
        let refused = matches!(card.prefill(&prompts, control), Err(Error::Mismatch(_)));
        let error = if refused { 0.0 } else { f64::NAN };
        self.checks.push(Check { model: self.model.clone(), what: "weights that overflow".into(), of: "refusal", error, limit: 0.0 });
    }

    /// Ranks and mixes a small library on the GPU and on the CPU.
    fn shelf(&mut self, control: Control<'_>) -> Result<()> {
        let vocab = self.host.config().vocab_size as u32;
        let texts: Vec<Vec<u32>> = (0..20).map(|i| (0..30u32).map(|t| (t * 7919 + t * i * 31 + i) % vocab).collect()).collect();
        let prompts: Vec<Prompt<'_>> =
            texts.iter().map(|t| Prompt { tokens: t, initial: None, snapshots: &[], want: Want::State }).collect();
        let states: Vec<State> = self.host.prefill(&prompts, control)?.into_iter().map(|p| p.state).collect();
        let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let identity = ModelIdentity::random(self.host.shape());
        let settings = BuildSettings::default();
        for dtype in [StoredType::F16, StoredType::F32] {
            let dir = folder.path().join(format!("{dtype:?}"));
            let mut writer = LibraryWriter::open(&dir, &NewLibrary { model: &identity, settings: &settings, dtype }, Wait::No)?;
            let skill = |(i, state): (usize, &State)| {
                let plan = SkillPlan::examples(&format!("task_{i}"), "random", 0, Vec::new(), &settings);
                (plan.meta(state, Vec::new()), state.clone())
            };
            writer.append(&states[1..].iter().enumerate().map(skill).collect::<Vec<_>>())?;
            drop(writer);
            let (there, here) = (Library::open(&dir, &identity)?.0, Library::open(&dir, &identity)?.0);
            if let Some(copy) = super::shelver(&self.card) {
                there.attach(copy(&there)?);
            }
            for metric in [Metric::Cosine, Metric::L2, Metric::ZCosine] {
                let view = RankView { metric, layers: 0..self.host.shape().n_layer, part: Part::Ssm };
                let scores = (there.scores(&states[0], &view)?, here.scores(&states[0], &view)?);
                let error = relative(scores.0.iter().zip(&scores.1));
                self.checks.push(Check {
                    model: self.model.clone(),
                    what: format!("ranking, {metric:?}, {dtype:?}"),
                    of: "scores",
                    error,
                    limit: self.limit,
                });
            }
            let picks = [(3, 0.5), (0, -1.25), (7, 0.0), (18, 2.0)];
            let mut sum = WeightedSum::new(self.host.shape());
            picks.iter().try_for_each(|&(i, w)| sum.add(&here.state(i)?, w))?;
            let (card, host) = (there.weighted(&picks)?, sum.finish()?);
            let parts: [(&str, fn(&State) -> &[f32]); 3] =
                [("ssm states", State::ssm), ("windows", State::conv), ("sums of Δ", State::dt_sum)];
            for (of, part) in parts {
                let error = card.as_ref().map_or(f64::NAN, |card| relative(part(card).iter().zip(part(&host))));
                self.checks.push(Check { model: self.model.clone(), what: format!("mix, {dtype:?}"), of, error, limit: self.limit });
            }
        }
        Ok(())
    }

    fn compare(&mut self, what: &str, card: &[Prefilled], host: &[Prefilled]) {
        let states = |all: &[Prefilled]| -> Vec<State> { all.iter().flat_map(|p| p.snapshots.iter().chain([&p.state]).cloned()).collect() };
        let (ours, theirs) = (states(card), states(host));
        let same = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| a.tokens() == b.tokens());
        let of = |part: fn(&State) -> &[f32]| {
            let pairs = ours.iter().zip(&theirs).flat_map(|(a, b)| part(a).iter().zip(part(b)));
            if same { relative(pairs) } else { f64::NAN }
        };
        let logits = relative(card.iter().zip(host).flat_map(|(a, b)| a.logits.iter().flatten().zip(b.logits.iter().flatten())));
        let logprobs = relative(card.iter().zip(host).flat_map(|(a, b)| a.logprobs.iter().zip(&b.logprobs)));
        let there = |get: fn(&Prefilled) -> usize| (card.iter().map(get).sum::<usize>(), host.iter().map(get).sum::<usize>());
        let counts = [there(|p| p.logits.iter().map(Vec::len).sum()), there(|p| p.logprobs.len())];
        let found = [
            ("ssm states", of(State::ssm), 1),
            ("windows", of(State::conv), 1),
            ("sums of Δ", of(State::dt_sum), 1),
            ("logits", if counts[0].0 == counts[0].1 { logits } else { f64::NAN }, counts[0].1),
            ("log-probabilities", if counts[1].0 == counts[1].1 { logprobs } else { f64::NAN }, counts[1].1),
        ];
        for (of, error, count) in found {
            if count > 0 {
                self.checks.push(Check { model: self.model.clone(), what: what.into(), of, error, limit: self.limit });
            }
        }
    }
}

/// A text of `n` tokens, another for each seed.
fn text(vocab: u32, n: usize, seed: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 7919 + i * i * 31 + seed * 101) % vocab).collect()
}

/// ‖a − b‖ / ‖b‖.
fn relative<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> f64 {
    let (off, all) = pairs.fold((0.0, 0.0), |(off, all), (&a, &b)| {
        let (a, b) = (f64::from(a), f64::from(b));
        (off + (a - b) * (a - b), all + b * b)
    });
    if all > 0.0 { (off / all).sqrt() } else { off.sqrt() }
}
