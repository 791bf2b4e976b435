//! The kernels of one model: compiled, and enqueued with their arguments.

use super::gpu::{Act, Gpu, failed};
use super::mixer;
use crate::error::{Error, Result};
use crate::model::MambaConfig;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, sys};
use candle_core::cuda_backend::cudarc::nvrtc;
use std::collections::HashMap;

/// The source of all kernels.
const SOURCE: &str = include_str!("kernels.cu");
/// The kernels that every model needs, whatever its mixer.
const NAMES: [&str; 11] = [
    "embed",
    "rms_norm",
    "add_bias",
    "add_bias_x",
    "log_prob",
    "cast",
    "find_not_finite",
    "row_sums_f16",
    "row_sums_f32",
    "combine_f16",
    "combine_f32",
];
/// The head of a single token, where the sizes allow it.
const TOKEN_HEAD: &str = "token_head";

/// Threads of a block in the single token's kernels, and how many such blocks a multiprocessor
/// holds.
pub const THREADS: usize = 256;
const BLOCKS: usize = 4;

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub enum Arg {
    /// An address on the card.
    Ptr(u64),
    /// `int`.
    Int(usize),
    /// `long long`.
    Long(usize),
    /// `float`.
    Float(f32),
}

/// The kernels of one model.
pub struct Kernels {
    functions: HashMap<&'static str, CudaFunction>,
    /// Whether the kernels of a single token are among them.
    pub fast: bool,
}

/// How a kernel is laid over the card: blocks (x, y), threads of a block, bytes of dynamic shared
/// memory.
#[derive(Clone, Copy)]
pub struct Grid {
    pub x: usize,
    pub y: usize,
    pub threads: usize,
    pub shared: usize,
}

impl Grid {
    /// Blocks × threads.
    pub fn new(x: usize, y: usize, threads: usize) -> Self {
        Self { x, y, threads, shared: 0 }
    }

    /// The grid of a matrix times a vector: a warp a row, every warp as many rows as any other, as
    /// far as the card holds them at once.
    pub fn of_rows(rows: usize, processors: usize) -> Self {
        let warps = THREADS / 32;
        let most = processors * BLOCKS * warps;
        let each = rows.div_ceil(most);
        Self::new(rows.div_ceil(each).div_ceil(warps), 1, THREADS)
    }
}

impl Gpu {
    /// Compiles the kernels for a model's sizes.
    ///
    /// # Errors
    /// [`Error::Model`] with the compiler's message.
    pub fn compile(&self, config: &MambaConfig, act: Act) -> Result<Kernels> {
        let say = failed("its kernels were loaded");
        let (major, minor) = self.ctx.compute_capability().map_err(&say)?;
        let fast = fast(config, act);
        let sizes = [
            ("ACT", usize::from(act.code())),
            ("FAST", usize::from(fast)),
            ("D_MODEL", config.d_model),
            ("D_INNER", config.d_inner),
            ("D_STATE", config.d_state),
            ("D_CONV", config.d_conv),
            ("DT_RANK", config.dt_rank),
            ("VOCAB", config.vocab_size),
        ];
        let mut options: Vec<String> = sizes.iter().map(|(name, value)| format!("-D{name}={value}")).collect();
        options.extend([format!("--gpu-architecture=compute_{major}{minor}"), "--std=c++17".into()]);
        let ptx = nvrtc::compile_ptx_with_opts(SOURCE, nvrtc::CompileOptions { options, ..Default::default() })
            .map_err(|e| Error::Model(format!("the GPU's kernels cannot be compiled for compute capability {major}.{minor}: {e:?}")))?;
        let module = self.ctx.load_module(ptx).map_err(&say)?;
        let names = NAMES.into_iter().chain(mixer::kernels(config, fast)).chain([TOKEN_HEAD].into_iter().filter(|_| fast));
        let functions = names.map(|name| Ok((name, module.load_function(name).map_err(&say)?))).collect::<Result<_>>()?;
        Ok(Kernels { functions, fast })
    }

    /// Enqueues a kernel.
    ///
    /// # Errors
    /// [`Error::Model`] if it cannot be started.
    pub fn launch(&self, kernels: &Kernels, name: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        self.start(kernels, name, grid, args, false)
    }

    /// Enqueues a kernel that may start before the one ahead has ended, and that itself waits for
    /// it.
    ///
    /// # Errors
    /// [`Error::Model`] if it cannot be started.
    pub fn launch_early(&self, kernels: &Kernels, name: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        self.start(kernels, name, grid, args, true)
    }

    fn start(&self, kernels: &Kernels, name: &'static str, grid: Grid, args: &[Arg], early: bool) -> Result<()> {
        if grid.x == 0 || grid.y == 0 {
            return Ok(());
        }
        let Some(function) = kernels.functions.get(name) else {
            return Err(Error::Model(format!("the GPU has no kernel {name} for this model")));
        };
        self.bind()?;
        let mut values: Vec<Value> = args.iter().map(|&a| Value::from(a)).collect();
        let mut params: Vec<*mut std::ffi::c_void> = values.iter_mut().map(Value::place).collect();
        let mut overlap = sys::CUlaunchAttribute {
            id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: [0; 4],
            value: sys::CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
        };
        let config = sys::CUlaunchConfig {
            gridDimX: grid.x as u32,
            gridDimY: grid.y as u32,
            gridDimZ: 1,
            blockDimX: grid.threads as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: grid.shared as u32,
            hStream: self.now().cu_stream(),
            attrs: &raw mut overlap,
            numAttrs: u32::from(early),
        };
        // SAFETY: the callers pass what the kernel's signature asks for, with buffers sized by the
        // same formulas; `verify` and compute-sanitizer check them.
        unsafe { sys::cuLaunchKernelEx(&raw const config, function.cu_function(), params.as_mut_ptr(), std::ptr::null_mut()) }
            .result()
            .map_err(failed(name))
    }
}

/// Whether the kernels of a single token can run: rows of whole warps of 16-byte loads, and vectors
/// that fit into a block's shared memory.
fn fast(config: &MambaConfig, act: Act) -> bool {
    let (lanes, most) = (32 * 16 / act.size(), 48 * 1024 / 4);
    let fits = |n: usize| n.is_multiple_of(lanes) && n <= most;
    fits(config.d_model) && fits(config.d_inner) && !config.use_bias && config.mixer_norm_eps.is_none()
}

enum Value {
    Wide(u64),
    Int(i32),
    Float(f32),
}

impl Value {
    fn place(&mut self) -> *mut std::ffi::c_void {
        match self {
            Self::Wide(v) => (&raw mut *v).cast(),
            Self::Int(v) => (&raw mut *v).cast(),
            Self::Float(v) => (&raw mut *v).cast(),
        }
    }
}

impl From<Arg> for Value {
    fn from(arg: Arg) -> Self {
        match arg {
            Arg::Ptr(v) => Self::Wide(v),
            Arg::Long(v) => Self::Wide(v as u64),
            Arg::Int(v) => Self::Int(v as i32),
            Arg::Float(v) => Self::Float(v),
        }
    }
}
