//! The CUDA path: a model on one NVIDIA GPU.
//!
//! - [`gpu`]: the card: streams, copies, matrix products; [`kernels`]: the kernels of `kernels.cu`,
//!   compiled for one model; [`memory`]: the card's memory, and the host's that copies go to.
//! - [`weights`]: tensors streamed to the card; [`space`]: working memory and state slots there;
//!   [`forward`]: one chunk through all layers; [`tables`]: the tables that its kernels read.
//! - [`mixer`]: what is a recurrence's own, one module each.
//! - [`model`]: a model on the card; [`prefill`]: packed prefill, the states of one chunk copied
//!   back while the next runs; [`decode`]: a token at a time; [`graph`]: CUDA graphs, of a decoded
//!   token and of short chunks.
//!
//! `lab::shelf` ranks a library's rows on the card with these kernels; `lab::verify` compares all
//! of it with the CPU path on random inputs.
//!
//! Matrices and what goes into matrix products have the weights' precision (f32, bf16, f16); sums,
//! states, the residual stream and everything that is exponentiated are f32. One stream computes; a
//! second one copies states to the host. Each call enqueues its work under one lock, so that an
//! urgent request waits for at most the chunk that is running.

mod decode;
mod forward;
mod gpu;
mod graph;
mod kernels;
mod memory;
mod mixer;
mod model;
mod prefill;
mod space;
mod tables;
mod weights;

pub use decode::Decoder;
pub use gpu::Gpu;
pub(crate) use kernels::{Arg, Grid, Kernels};
pub use memory::Buf;
pub use model::Model;
pub(crate) use space::Pool;
