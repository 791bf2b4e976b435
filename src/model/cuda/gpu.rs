//! The card: streams, copies, matrix products.

use super::graph::Graph;
use super::memory::alloc;
use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, result as blas, sys as blas_sys};
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaEvent, CudaSlice, CudaStream, DevicePtr, DriverError, result, sys};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of cuBLAS's workspace. Its calls can be captured in a graph only if it is given one.
const BLAS_BYTES: usize = 32 << 20;

/// The precision of matrices and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    F32,
    BF16,
    F16,
}

impl Act {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::F32 => 0,
            Self::BF16 => 1,
            Self::F16 => 2,
        }
    }

    fn blas(self) -> blas_sys::cudaDataType {
        match self {
            Self::F32 => blas_sys::cudaDataType::CUDA_R_32F,
            Self::BF16 => blas_sys::cudaDataType::CUDA_R_16BF,
            Self::F16 => blas_sys::cudaDataType::CUDA_R_16F,
        }
    }
}

/// What cuBLAS or the driver said, as a sentence.
pub fn failed(what: &str) -> impl Fn(DriverError) -> Error + '_ {
    move |error| Error::Model(format!("the GPU failed while {what}: {error:?}"))
}

/// A matrix product out\[rows, n_out\] = in\[rows, n_in\] · wᵀ, w `[n_out, n_in]`.
#[derive(Clone, Copy)]
pub struct Product {
    pub w: u64,
    pub n_out: usize,
    pub n_in: usize,
    pub rows: usize,
    /// First row of the input and the distance of its rows, in numbers.
    pub input: u64,
    pub stride: usize,
    pub out: u64,
}

/// One card.
pub struct Gpu {
    pub(super) ctx: Arc<CudaContext>,
    /// Where everything computes.
    pub stream: Arc<CudaStream>,
    /// Where states are copied to the host.
    pub copies: Arc<CudaStream>,
    /// The stream that work is enqueued on while it is recorded: memory is allocated and freed on
    /// the others meanwhile.
    recorder: Arc<CudaStream>,
    recording: AtomicBool,
    blas: Arc<CudaBlas>,
    blas_space: Arc<CudaSlice<u8>>,
    gate: Mutex<()>,
    /// Multiprocessors.
    pub processors: usize,
}

impl Gpu {
    /// A card that candle has opened, with a stream of its own.
    ///
    /// # Errors
    /// [`Error::Model`] if the card cannot be used.
    pub fn new(device: &CudaDevice) -> Result<Self> {
        let say = failed("it was made ready");
        let stream = device.cuda_stream();
        let ctx = stream.context().clone();
        // SAFETY: what one stream needs of another is ordered by events of our own. The library's
        // would cost a call to the driver for each argument, and cannot be recorded while a graph
        // is captured.
        unsafe { ctx.disable_event_tracking() };
        let (copies, recorder) = (ctx.new_stream().map_err(&say)?, ctx.new_stream().map_err(&say)?);
        let blas = device.cublas_handle();
        let processors = ctx.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).map_err(&say)? as usize;
        let blas_space = alloc(&ctx, &stream, BLAS_BYTES, "matrix products")?;
        let (recording, gate) = (AtomicBool::new(false), Mutex::default());
        let gpu = Self { ctx, stream, copies, recorder, recording, blas, blas_space, gate, processors };
        gpu.turn_to(false)?;
        Ok(gpu)
    }

    /// The stream that work is enqueued on now.
    pub(super) fn now(&self) -> &Arc<CudaStream> {
        if self.recording.load(Ordering::Relaxed) { &self.recorder } else { &self.stream }
    }

    /// Directs all work to the recorder, or back to the compute stream.
    fn turn_to(&self, recording: bool) -> Result<()> {
        self.recording.store(recording, Ordering::Relaxed);
        let (handle, space) = (*self.blas.handle(), self.blas_space.device_ptr(&self.stream).0 as *mut _);
        // SAFETY: the memory is freed after the handle's last use: both end with this value, after
        // the streams have been waited for. A new stream makes cuBLAS forget the memory.
        unsafe {
            blas::set_stream(handle, self.now().cu_stream().cast())
                .and_then(|()| blas_sys::cublasSetWorkspace_v2(handle, space, BLAS_BYTES).result())
        }
        .map_err(|e| Error::Model(format!("the GPU's matrix library cannot be made ready: {e:?}")))
    }

    /// Records what `work` enqueues, instead of running it. The caller has the right to enqueue,
    /// and cuBLAS has run these products before.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Model`] if the driver cannot record it.
    pub fn record(&self, work: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let say = failed("work was recorded");
        self.turn_to(true)?;
        let begun = self.recorder.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED).map_err(&say);
        let enqueued = begun.and_then(|()| work());
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = self.recorder.end_capture(flags).map_err(&say);
        self.turn_to(false)?;
        enqueued?;
        graph?.map(Graph::new).ok_or_else(|| Error::Model("the GPU recorded nothing".into()))
    }

    /// Enqueues recorded work on the compute stream.
    pub(super) fn start_graph(&self, graph: sys::CUgraphExec) -> std::result::Result<(), DriverError> {
        self.ctx.bind_to_thread()?;
        // SAFETY: the graph lives as long as its `Graph`, and the driver holds what runs.
        unsafe { result::graph::launch(graph, self.stream.cu_stream()) }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.ctx.name().unwrap_or_else(|_| "a GPU without a name".into())
    }

    /// Free bytes and total bytes.
    pub fn memory(&self) -> (usize, usize) {
        self.ctx.mem_get_info().unwrap_or((0, 0))
    }

    /// Takes the right to enqueue, until the guard is dropped.
    pub fn enqueue(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies numbers to the card, in the compute stream's order; what is not pinned has been read
    /// when this returns.
    ///
    /// # Errors
    /// [`Error::Model`] if the copy fails.
    pub fn write<N: Copy>(&self, to: u64, numbers: &[N]) -> Result<()> {
        self.bind()?;
        // SAFETY: `to` is an address of ours with room for them (callers size their buffers by the
        // same formulas).
        unsafe { result::memcpy_htod_async(to, numbers, self.now().cu_stream()) }.map_err(failed("numbers were copied to it"))
    }

    /// Copies from the card into pinned memory, in the compute stream's order; the copy is
    /// complete when the stream gets there.
    ///
    /// # Errors
    /// [`Error::Model`] if the copy fails.
    pub fn read(&self, from: u64, to: &mut [f32]) -> Result<()> {
        self.read_on(self.now(), from, to)
    }

    /// As [`Self::read`], but on the stream for copies, beside the computation.
    ///
    /// # Errors
    /// [`Error::Model`] if the copy fails.
    pub fn read_beside(&self, from: u64, to: &mut [f32]) -> Result<()> {
        self.read_on(&self.copies, from, to)
    }

    fn read_on(&self, stream: &CudaStream, from: u64, to: &mut [f32]) -> Result<()> {
        self.bind()?;
        // SAFETY: as in `write`.
        unsafe { result::memcpy_dtoh_async(to, from, stream.cu_stream()) }.map_err(failed("numbers were copied from it"))
    }

    /// Sets bytes on the card to zero, in the compute stream's order.
    ///
    /// # Errors
    /// [`Error::Model`] if the card fails.
    pub fn zero(&self, to: u64, bytes: usize) -> Result<()> {
        self.bind()?;
        // SAFETY: as in `write`.
        unsafe { result::memset_d8_async(to, 0, bytes, self.now().cu_stream()) }.map_err(failed("memory was cleared"))
    }

    /// Waits until the copies on the stream for copies are complete.
    ///
    /// # Errors
    /// [`Error::Model`] if one failed.
    pub fn copied(&self) -> Result<()> {
        self.copies.synchronize().map_err(failed("states were copied from it"))
    }

    /// Waits until all that was enqueued is done.
    ///
    /// # Errors
    /// [`Error::Model`] if any of it failed.
    pub fn wait(&self) -> Result<()> {
        self.stream.synchronize().map_err(failed("it computed"))
    }

    /// An event to order streams by.
    ///
    /// # Errors
    /// [`Error::Model`] if the driver has none.
    pub fn event(&self) -> Result<CudaEvent> {
        self.ctx.new_event(Some(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)).map_err(failed("an event was made"))
    }

    /// An event that records the time.
    ///
    /// # Errors
    /// [`Error::Model`] if the driver has none.
    pub fn timer(&self) -> Result<CudaEvent> {
        self.ctx.new_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT)).map_err(failed("an event was made"))
    }

    pub(super) fn bind(&self) -> Result<()> {
        self.ctx.bind_to_thread().map_err(failed("a thread was bound to it"))
    }

    /// Enqueues a matrix product of matrices of this precision, into activations or (`f32`) into
    /// f32, where it may be added to what is there.
    ///
    /// # Errors
    /// [`Error::Model`] if cuBLAS refuses.
    pub fn product(&self, act: Act, p: Product, f32: bool, accumulate: bool) -> Result<()> {
        if p.rows == 0 {
            return Ok(());
        }
        let (one, rest) = (1.0f32, if accumulate { 1.0f32 } else { 0.0 });
        let out = if f32 { Act::F32 } else { act };
        // cuBLAS counts by columns: our row-major out[rows][n_out] is its [n_out × rows].
        // SAFETY: as in `launch`.
        unsafe {
            blas::gemm_ex(
                *self.blas.handle(),
                blas_sys::cublasOperation_t::CUBLAS_OP_T,
                blas_sys::cublasOperation_t::CUBLAS_OP_N,
                p.n_out as i32,
                p.rows as i32,
                p.n_in as i32,
                (&raw const one).cast(),
                p.w as *const _,
                act.blas(),
                p.n_in as i32,
                p.input as *const _,
                act.blas(),
                p.stride as i32,
                (&raw const rest).cast(),
                p.out as *mut _,
                out.blas(),
                p.n_out as i32,
                blas_sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                blas_sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|e| Error::Model(format!("the GPU refused a matrix product of {} × {} × {}: {e:?}", p.rows, p.n_in, p.n_out)))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Nothing may still run on memory that is freed next; an error has been reported to
        // whoever waited for the work.
        let _ = self.copies.synchronize();
        let _ = self.stream.synchronize();
    }
}
