//! A model on a card: its weights, its kernels, and the work space that waits to be used again.

use super::decode::{self, Decoder};
use super::forward::{On, Timers};
use super::gpu::Gpu;
use super::kernels::Kernels;
use super::prefill;
use super::space::Pool;
use super::weights::Weights;
use crate::control::Control;
use crate::error::Result;
use crate::model::{MambaConfig, Prompt, TensorSource, WeightType};
use crate::state::{Layout, State};
use candle_core::cuda_backend::CudaDevice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens run together at most: enough for every matrix product and the scan to fill the card, and
/// about a fifth of a second with 2.8 billion parameters.
const CHUNK: usize = 16384;
/// States of a chunk at most, and the bytes they may take (twice: the next chunk has its own).
const STATES: usize = 1024;
const STATE_BYTES: usize = 5 << 30;
/// Below this a smaller chunk is no way out of too little memory.
pub(super) const LEAST: usize = 64;

/// A model on a card.
pub struct Model {
    pub(super) config: MambaConfig,
    pub(super) gpu: Arc<Gpu>,
    kernels: Arc<Kernels>,
    pub(super) weights: Weights,
    /// Most tokens and states of a chunk; smaller where memory has been found short.
    limits: Mutex<(usize, usize)>,
    /// Work space of runs that have ended, to be used again.
    pub(super) spare: Mutex<Vec<prefill::Space>>,
    pub(super) spare_decoders: Mutex<Vec<decode::Space>>,
    pub(super) pool: Arc<Pool>,
    /// Set while [`Model::stages`] runs.
    timers: Option<Timers>,
}

impl Model {
    /// Loads the weights; also gives `A` of all layers, `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] naming the tensor that is missing or has the wrong shape, or
    /// what the card lacks; [`crate::error::Error::Cancelled`].
    pub fn load(
        config: &MambaConfig,
        tensors: &dyn TensorSource,
        kind: WeightType,
        device: &CudaDevice,
        control: Control<'_>,
    ) -> Result<(Self, Vec<f32>)> {
        let gpu = Arc::new(Gpu::new(device)?);
        let act = Weights::precision(config, tensors, kind)?;
        let kernels = Arc::new(gpu.compile(config, act)?);
        let (weights, a) = Weights::load(&gpu, &kernels, act, config, tensors, control)?;
        let state = 4 * config.shape().total_len();
        let limits = Mutex::new((CHUNK, (STATE_BYTES / state).clamp(8, STATES)));
        let (spare, spare_decoders) = (Mutex::default(), Mutex::default());
        Ok((
            Self {
                config: config.clone(),
                gpu,
                kernels,
                weights,
                limits,
                spare,
                spare_decoders,
                pool: Pool::new(config.shape()),
                timers: None,
            },
            a,
        ))
    }

    /// The card.
    pub fn gpu(&self) -> Arc<Gpu> {
        self.gpu.clone()
    }

    /// The kernels compiled for this model.
    pub fn kernels(&self) -> Arc<Kernels> {
        self.kernels.clone()
    }

    /// Pinned memory for this model's states.
    pub fn pool(&self) -> Arc<Pool> {
        self.pool.clone()
    }

    /// Bytes of weights that one token reads.
    pub fn bytes_per_token(&self) -> usize {
        self.weights.bytes
    }

    /// Tokens that are best read together.
    pub fn chunk(&self) -> usize {
        self.limits().0
    }

    pub(super) fn shape(&self) -> Layout {
        self.config.shape()
    }

    pub(super) fn on(&self) -> On<'_> {
        On { gpu: &self.gpu, kernels: &self.kernels, config: &self.config, weights: &self.weights, timers: self.timers.as_ref() }
    }

    /// Whether a single token has kernels of its own.
    pub(super) fn fast(&self) -> bool {
        self.kernels.fast
    }

    /// Most tokens and states of a chunk.
    pub(super) fn limits(&self) -> (usize, usize) {
        *lock(&self.limits)
    }

    /// Lets a chunk have so many tokens and states at most.
    pub fn limit(&self, tokens: usize, states: usize) {
        let mut limits = lock(&self.limits);
        *limits = (limits.0.min(tokens.max(LEAST)), limits.1.min(states.max(8)));
    }

    /// Makes something that needs memory of the card: once more, if there is not enough, after what
    /// lies unused has been given back.
    pub(super) fn with_room<T>(&self, make: impl Fn() -> Result<T>) -> Result<T> {
        let made = make();
        let unused = || {
            let (spaces, decoders) = (std::mem::take(&mut *lock(&self.spare)), std::mem::take(&mut *lock(&self.spare_decoders)));
            spaces.len() + decoders.len()
        };
        if made.is_err() && unused() > 0 { make() } else { made }
    }

    /// How long each kind of kernel takes of reading these prompts: name, milliseconds, launches.
    /// The events between the launches slow the whole down a little.
    ///
    /// # Errors
    /// As [`Self::prefill`].
    pub fn stages(&mut self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<(&'static str, f64, usize)>> {
        self.prefill(prompts, control)?;
        self.timers = Some(Timers::default());
        let done = self.prefill(prompts, control);
        let timers = self.timers.take().unwrap_or_default();
        done?;
        timers.by_name()
    }

    /// A decoder that continues from these states, which have been checked.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the card fails or has too little memory.
    pub fn decoder(&self, states: &[&State]) -> Result<Decoder<'_>> {
        Decoder::new(self, states)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
