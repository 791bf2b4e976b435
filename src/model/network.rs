//! A network on any device: what it is asked, what it answers, and the checks that come before
//! either device.

use super::cpu::model as cpu;
#[cfg(feature = "cuda")]
use super::cuda;
use super::tensors::Wanted;
use super::{MambaConfig, TensorSource};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::{Decay, Layout, State};
use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
#[cfg(feature = "cuda")]
use std::sync::Arc;
use std::time::Duration;

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where it computes.
    pub device: Device,
    /// Precision of the matrices.
    pub weights: WeightType,
}

/// Precision of the weight matrices in memory. Sums and states are always f32; on a GPU the
/// activations between two matrix products have the weights' precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightType {
    /// As the file has them.
    #[serde(rename = "Stored")]
    AsStored,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    #[serde(rename = "Bf16")]
    BF16,
}

/// One text to read.
#[derive(Clone, Copy)]
pub struct Prompt<'a> {
    /// Token ids.
    pub tokens: &'a [u32],
    /// The state to start from; `None` is the empty one.
    pub initial: Option<&'a State>,
    /// Token counts, strictly ascending within 1..=len, after which the state is kept too.
    pub snapshots: &'a [usize],
    /// What is wanted besides the states.
    pub want: Want<'a>,
}

/// What is wanted of a prompt besides its final state.
#[derive(Clone, Copy)]
pub enum Want<'a> {
    /// Nothing.
    State,
    /// The logits after the last token.
    LastLogits,
    /// The logits after each of these tokens (indices, strictly ascending).
    LogitsAt(&'a [usize]),
    /// ln p(tokens\[i\] | tokens before) for i = 1.., without keeping any logits.
    LogProbs,
}

/// What reading a prompt gave.
#[derive(Clone, Debug)]
pub struct Prefilled {
    /// The state after the last token. Its ΣΔ and token count include the initial state's.
    pub state: State,
    /// The states asked for.
    pub snapshots: Vec<State>,
    /// The logits asked for, each `[vocab]`.
    pub logits: Vec<Vec<f32>>,
    /// The log-probabilities asked for, `tokens.len() - 1` of them.
    pub logprobs: Vec<f32>,
}

/// A model's network and the device it computes on.
pub struct Network {
    config: MambaConfig,
    rates: Decay,
    device: Device,
    backend: Backend,
    notes: Vec<String>,
    precision: String,
}

enum Backend {
    Cpu(cpu::Model),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Model),
}

/// See [`Network::precision`]; judged by one matrix of the first layer.
fn precision(tensors: &dyn TensorSource, asked: WeightType) -> Result<String> {
    let stored = tensors.get("backbone.layers.0.mixer.x_proj.weight")?.map_or(DType::F32, |t| t.dtype());
    let name = |dtype: DType| dtype.as_str().to_owned();
    let half = |dtype: DType| matches!(dtype, DType::F16 | DType::BF16);
    let asked = match asked {
        WeightType::F16 => DType::F16,
        WeightType::BF16 => DType::BF16,
        WeightType::AsStored | WeightType::F32 => return Ok(name(if half(stored) { stored } else { DType::F32 })),
    };
    Ok(if half(stored) && stored != asked { format!("{} as {}", name(stored), name(asked)) } else { name(asked) })
}

impl Network {
    /// Loads the weights.
    ///
    /// # Errors
    /// [`Error::Model`] naming the tensor that is missing, not read, of the wrong shape or not
    /// finite, or what the device lacks; [`Error::Cancelled`].
    pub fn load(config: MambaConfig, tensors: &dyn TensorSource, options: &LoadOptions, control: Control<'_>) -> Result<Self> {
        let (wanted, config, notes) = Wanted::new(tensors, &config, options.weights)?;
        let tensors: &dyn TensorSource = &wanted;
        let precision = precision(tensors, options.weights)?;
        let (backend, a) = match &options.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => {
                let (model, a) = cuda::Model::load(&config, tensors, options.weights, device, control)?;
                (Backend::Cuda(model), a)
            }
            Device::Cpu => {
                let (model, a) = cpu::Model::load(&config, tensors, options.weights, control)?;
                (Backend::Cpu(model), a)
            }
            other => return Err(Error::Model(format!("this build cannot compute on {other:?}"))),
        };
        let rates = Decay::channel(config.shape(), a)?;
        Ok(Self { config, rates, device: options.device.clone(), backend, notes, precision })
    }

    /// The configuration.
    pub fn config(&self) -> &MambaConfig {
        &self.config
    }

    /// The precision of its matrices, the lower one of what the file has and what was asked for:
    /// `f32`, `bf16`. Weights narrowed from the file's f32 give other states; widened ones do not.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// What was decided while loading, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Sizes of a state.
    pub fn shape(&self) -> Layout {
        self.config.shape()
    }

    /// `A` of all layers.
    pub fn decay(&self) -> &Decay {
        &self.rates
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Time spent in matrix products so far, by all callers; the benchmarks compare the total with
    /// it. Zero on a GPU, where nothing waits for a single product.
    pub fn time_in_products(&self) -> Duration {
        match &self.backend {
            Backend::Cpu(model) => model.time_in_products(),
            #[cfg(feature = "cuda")]
            Backend::Cuda(_) => Duration::ZERO,
        }
    }

    /// Bytes of weights that one token reads.
    pub fn bytes_per_token(&self) -> usize {
        match &self.backend {
            Backend::Cpu(model) => model.bytes_per_token(),
            #[cfg(feature = "cuda")]
            Backend::Cuda(model) => model.bytes_per_token(),
        }
    }

    /// How many tokens to read in one call: enough to keep the device busy, and few enough that an
    /// urgent request does not wait long.
    pub fn chunk(&self) -> usize {
        match &self.backend {
            Backend::Cpu(_) => cpu::CHUNK,
            #[cfg(feature = "cuda")]
            Backend::Cuda(model) => model.chunk(),
        }
    }

    /// The GPU, if it computes on one: for other work that is faster there.
    #[cfg(feature = "cuda")]
    pub fn gpu(&self) -> Option<Arc<cuda::Gpu>> {
        self.on_card().map(cuda::Model::gpu)
    }

    /// The model on the GPU, if it computes there: for checks, and for other data kept there.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_card(&self) -> Option<&cuda::Model> {
        match &self.backend {
            Backend::Cpu(_) => None,
            Backend::Cuda(model) => Some(model),
        }
    }

    /// How long each kind of kernel takes while these prompts are read: name, milliseconds,
    /// launches. Empty on a CPU; see [`Self::time_in_products`] there.
    ///
    /// # Errors
    /// As [`Self::prefill`].
    pub fn stages(&mut self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<(&'static str, f64, usize)>> {
        prompts.iter().try_for_each(|prompt| self.check(prompt))?;
        match &mut self.backend {
            Backend::Cpu(model) => model.prefill(prompts, control).map(|_| Vec::new()),
            #[cfg(feature = "cuda")]
            Backend::Cuda(model) => model.stages(prompts, control),
        }
    }

    /// Reads prompts. Progress is reported in tokens after every chunk; the listener may use this
    /// model itself.
    ///
    /// # Errors
    /// [`Error::Input`] for a token the model lacks, snapshots or positions out of order, or logits
    /// wanted of an empty prompt; [`Error::Mismatch`] for an initial state of another shape or
    /// numbers that are not finite; [`Error::Model`] if a device fails; [`Error::Cancelled`].
    pub fn prefill(&self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<Prefilled>> {
        for prompt in prompts {
            self.check(prompt)?;
        }
        match &self.backend {
            Backend::Cpu(model) => model.prefill(prompts, control),
            #[cfg(feature = "cuda")]
            Backend::Cuda(model) => model.prefill(prompts, control),
        }
    }

    /// The state after one text, read from `initial` or from the empty state.
    ///
    /// # Errors
    /// As [`Self::prefill`].
    pub fn state_after(&self, tokens: &[u32], initial: Option<&State>, control: Control<'_>) -> Result<State> {
        let mut read = self.prefill(&[Prompt { tokens, initial, snapshots: &[], want: Want::State }], control)?;
        read.pop().map(|r| r.state).ok_or_else(|| Error::Model("the model returned no state".into()))
    }

    fn check(&self, prompt: &Prompt<'_>) -> Result<()> {
        let n = prompt.tokens.len();
        self.check_tokens(prompt.tokens)?;
        let ascending = |at: &[usize], lowest: usize, highest: usize| {
            at.windows(2).all(|w| w[0] < w[1]) && at.first().is_none_or(|f| *f >= lowest) && at.last().is_none_or(|l| *l <= highest)
        };
        if !ascending(prompt.snapshots, 1, n) {
            return Err(Error::Input(format!("snapshots must ascend between 1 and {n} tokens, but are {:?}", prompt.snapshots)));
        }
        match prompt.want {
            Want::LastLogits if n == 0 => return Err(Error::Input("an empty prompt has no next token".into())),
            Want::LogitsAt(at) if n == 0 && !at.is_empty() || !at_ok(prompt.want, n) => {
                return Err(Error::Input(format!("logits are wanted at {at:?}, which do not ascend within {n} tokens")));
            }
            _ => {}
        }
        prompt.initial.map_or(Ok(()), |state| self.check_state(state))
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        let vocab = self.config.vocab_size;
        match tokens.iter().find(|t| **t as usize >= vocab) {
            Some(token) => Err(Error::Input(format!("token {token} is not in the model's vocabulary of {vocab}"))),
            None => Ok(()),
        }
    }

    fn check_state(&self, state: &State) -> Result<()> {
        if state.shape() == self.shape() {
            return Ok(());
        }
        Err(Error::Mismatch(format!("the state has {}, the model {}", state.shape(), self.shape())))
    }

    /// A decoder that continues from these states, one token each at a time.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a state of another shape; [`Error::Model`] if a device fails.
    pub fn decoder(&self, states: &[&State]) -> Result<Decoder<'_>> {
        states.iter().try_for_each(|state| self.check_state(state))?;
        let backend = match &self.backend {
            Backend::Cpu(model) => DecoderBackend::Cpu(Box::new(model.decoder(states))),
            #[cfg(feature = "cuda")]
            Backend::Cuda(model) => DecoderBackend::Cuda(Box::new(model.decoder(states)?)),
        };
        Ok(Decoder { model: self, batch: states.len(), backend })
    }
}

fn at_ok(want: Want<'_>, n: usize) -> bool {
    match want {
        Want::LogitsAt(at) => at.windows(2).all(|w| w[0] < w[1]) && at.last().is_none_or(|l| *l < n),
        _ => true,
    }
}

/// Continues from states, one token each at a time.
pub struct Decoder<'a> {
    model: &'a Network,
    batch: usize,
    backend: DecoderBackend<'a>,
}

enum DecoderBackend<'a> {
    Cpu(Box<cpu::Decoder<'a>>),
    #[cfg(feature = "cuda")]
    Cuda(Box<cuda::Decoder<'a>>),
}

impl Decoder<'_> {
    /// Sequences.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Reads one token in each sequence and returns the logits after it, `[batch, vocab]`.
    ///
    /// # Errors
    /// [`Error::Input`] if there are not as many tokens as sequences, or one is not in the
    /// vocabulary; [`Error::Model`] if a device fails.
    pub fn step(&mut self, tokens: &[u32]) -> Result<&[f32]> {
        if tokens.len() != self.batch {
            return Err(Error::Input(format!("{} tokens for {} sequences", tokens.len(), self.batch)));
        }
        self.model.check_tokens(tokens)?;
        match &mut self.backend {
            DecoderBackend::Cpu(decoder) => Ok(decoder.step(tokens)),
            #[cfg(feature = "cuda")]
            DecoderBackend::Cuda(decoder) => decoder.step(tokens),
        }
    }

    /// The state of one sequence.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if its numbers are not finite; [`Error::Model`] if a device fails.
    pub fn state(&self, i: usize) -> Result<State> {
        match &self.backend {
            DecoderBackend::Cpu(decoder) => decoder.state(i),
            #[cfg(feature = "cuda")]
            DecoderBackend::Cuda(decoder) => decoder.state(i),
        }
    }
}
