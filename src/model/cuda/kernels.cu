// The kernels of the CUDA path: everything between the matrix products of a prefill, and a whole token of a single sequence.
//
// Compiled at run time (NVRTC) for one model: D_MODEL, D_INNER, D_STATE, D_CONV, DT_RANK, VOCAB are its sizes, ACT is the type of matrices and
// activations (0: f32, 1: bf16, 2: f16). Sums, states, the residual stream and what is exponentiated are f32. No header is included, so nothing but
// the driver and NVRTC has to be on the machine. `nvcc --ptx` compiles it too: see the README.
//
// Layouts, row-major: residual x [tokens][D_MODEL] f32; xz [tokens][2 D_INNER] (x half, z half); u, dt, y [tokens][D_INNER]; dbc [tokens][DT_RANK + 2 D_STATE];
// a state slot: h [layer][D_INNER][D_STATE], window [layer][D_INNER][D_CONV - 1] (oldest first), dt_sum [layer][D_INNER], all f32. Kernels get a
// slot's arrays with the layer's offset already added, and the stride from slot to slot.

typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;

#if ACT == 0
typedef float T;
__device__ __forceinline__ float up(T v) { return v; }
__device__ __forceinline__ T down(float v) { return v; }
#elif ACT == 1
struct T { u16 bits; };
__device__ __forceinline__ float up(T v) { return __uint_as_float((u32)v.bits << 16); }
__device__ __forceinline__ T down(float v) {
    T r;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(v));
    return r;
}
#else
struct T { u16 bits; };
__device__ __forceinline__ float up(T v) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v.bits));
    return r;
}
__device__ __forceinline__ T down(float v) {
    T r;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r.bits) : "f"(v));
    return r;
}
#endif

__device__ __forceinline__ float half_up(u16 bits) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(bits));
    return r;
}

constexpr int ROW = DT_RANK + 2 * D_STATE;
constexpr int WINDOW = D_CONV - 1;

/// 2^v, relative error 2^-22.
__device__ __forceinline__ float exp2_fast(float v) {
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}
constexpr float LOG2E = 1.4426950408889634f;
__device__ __forceinline__ float silu(float v) { return v / (1.0f + exp2_fast(-LOG2E * v)); }
/// ln(1 + e^v); small values keep their relative precision: Δ of a slow channel is about e^v.
__device__ __forceinline__ float softplus(float v) { return v > 20.0f ? v : log1pf(exp2_fast(LOG2E * v)); }

/// Eight neighbours, 16 or 32 bytes.
union Eight {
    uint4 quads[sizeof(T) / 2];
    T v[8];
    __device__ Eight() {}
};

/// Loads `count` (at most 8) entries; the rest is zero. Rows are aligned where their length is a multiple of 8.
template <bool ALIGNED>
__device__ __forceinline__ Eight load8(const T* from, int count) {
    Eight r;
    if (ALIGNED && count >= 8) {
#pragma unroll
        for (int i = 0; i < (int)(sizeof(T) / 2); i++) r.quads[i] = ((const uint4*)from)[i];
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++) r.v[i] = i < count ? from[i] : down(0.0f);
    }
    return r;
}

template <bool ALIGNED>
__device__ __forceinline__ void store8(T* to, const Eight& r, int count) {
    if (ALIGNED && count >= 8) {
#pragma unroll
        for (int i = 0; i < (int)(sizeof(T) / 2); i++) ((uint4*)to)[i] = r.quads[i];
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (i < count) to[i] = r.v[i];
    }
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int w = 16; w >= 1; w /= 2) v += __shfl_xor_sync(~0u, v, w);
    return v;
}

/// The sum over a block of at most 1024 threads, known to all of them.
__device__ float block_sum(float v) {
    __shared__ float parts[32];
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    float total = 0.0f;
    for (int w = 0; w < (int)blockDim.x / 32; w++) total += parts[w];
    return total;
}

// ---------------------------------------------------------------- rows

/// The embeddings of tokens as the first residuals. Grid: tokens.
extern "C" __global__ void embed(const u32* tokens, const T* table, float* x) {
    const T* row = table + (i64)tokens[blockIdx.x] * D_MODEL;
    for (int i = threadIdx.x; i < D_MODEL; i += blockDim.x) x[(i64)blockIdx.x * D_MODEL + i] = up(row[i]);
}

/// RMS norm of rows; `rows` chooses them, or is null for all in order. Grid: rows out.
extern "C" __global__ void rms_norm(const float* x, const int* rows, const float* weight, float eps, T* out) {
    const float* from = x + (i64)(rows ? rows[blockIdx.x] : (int)blockIdx.x) * D_MODEL;
    T* to = out + (i64)blockIdx.x * D_MODEL;
    // The row is kept in registers: it is read once.
    constexpr int EACH = (D_MODEL + 255) / 256;
    float v[EACH], square = 0.0f;
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        int i = j * 256 + threadIdx.x;
        v[j] = i < D_MODEL ? from[i] : 0.0f;
        square += v[j] * v[j];
    }
    float scale = rsqrtf(block_sum(square) / D_MODEL + eps);
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        int i = j * 256 + threadIdx.x;
        if (i < D_MODEL) to[i] = down(v[j] * scale * weight[i]);
    }
}

/// Adds a bias to rows of activations. Grid: (columns / 256, rows).
extern "C" __global__ void add_bias(T* rows, const float* bias, int columns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= columns) return;
    T* at = rows + (i64)blockIdx.y * columns + i;
    *at = down(up(*at) + bias[i]);
}

/// The same for the residual stream.
extern "C" __global__ void add_bias_x(float* rows, const float* bias, int columns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < columns) rows[(i64)blockIdx.y * columns + i] += bias[i];
}

/// Falcon-Mamba's weightless norms of Δ's input, B and C, in place. Grid: tokens, one warp each.
extern "C" __global__ void mixer_norms(T* dbc, float eps) {
    T* row = dbc + (i64)blockIdx.x * ROW;
    int from = 0;
    for (int part = 0; part < 3; part++) {
        int length = part == 0 ? DT_RANK : D_STATE;
        float square = 0.0f;
        for (int i = threadIdx.x; i < length; i += 32) square += up(row[from + i]) * up(row[from + i]);
        float scale = rsqrtf(warp_sum(square) / length + eps);
        for (int i = threadIdx.x; i < length; i += 32) row[from + i] = down(up(row[from + i]) * scale);
        from += length;
    }
}

/// ln softmax of each row of logits at one token, by block. Grid: rows.
extern "C" __global__ void log_prob(const float* logits, const u32* targets, float* out) {
    __shared__ float most[32];
    const float* row = logits + (i64)blockIdx.x * VOCAB;
    float top = -__int_as_float(0x7f800000);
    for (int i = threadIdx.x; i < VOCAB; i += blockDim.x) top = fmaxf(top, row[i]);
#pragma unroll
    for (int w = 16; w >= 1; w /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, w));
    if (threadIdx.x % 32 == 0) most[threadIdx.x / 32] = top;
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++) top = fmaxf(top, most[w]);
    float sum = 0.0f;
    for (int i = threadIdx.x; i < VOCAB; i += blockDim.x) sum += exp2_fast(LOG2E * (row[i] - top));
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = row[targets[blockIdx.x]] - top - logf(sum);
}

/// f32 to the type of matrices.
extern "C" __global__ void cast(const float* from, T* to, i64 count) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) to[i] = down(from[i]);
}

// ---------------------------------------------------------------- convolution

constexpr int CONV_TOKENS = 16;

/// Causal convolution, bias and SiLU over packed sequences. marks[t] = {slot the sequence starts from or -1, tokens of it before t in this chunk,
/// slot to leave the window in after t or -1, another or -1}. Grid: (channels / 256, tokens / CONV_TOKENS).
extern "C" __global__ void __launch_bounds__(256) conv(const T* __restrict__ xz, T* __restrict__ u, const float* __restrict__ taps,
    const float* __restrict__ bias, const int4* __restrict__ marks, float* windows, i64 stride, int tokens) {
    int c = blockIdx.x * 256 + threadIdx.x;
    if (c >= D_INNER) return;
    float tap[D_CONV], past[WINDOW];
#pragma unroll
    for (int j = 0; j < D_CONV; j++) tap[j] = taps[c * D_CONV + j];
    float b = bias[c];
    int first = blockIdx.y * CONV_TOKENS, end = min(first + CONV_TOKENS, tokens);
#pragma unroll 4
    for (int t = first; t < end; t++) {
        int4 mark = marks[t];
        if (t == first || mark.y == 0) {
#pragma unroll
            for (int j = 0; j < WINDOW; j++) {
                int back = WINDOW - j;
                if (mark.y >= back) past[j] = up(xz[(i64)(t - back) * 2 * D_INNER + c]);
                else past[j] = mark.x < 0 ? 0.0f : windows[mark.x * stride + (i64)c * WINDOW + mark.y + j];
            }
        }
        float x = up(xz[(i64)t * 2 * D_INNER + c]), sum = b;
#pragma unroll
        for (int j = 0; j < WINDOW; j++) sum += tap[j] * past[j];
        u[(i64)t * D_INNER + c] = down(silu(sum + tap[WINDOW] * x));
#pragma unroll
        for (int j = 0; j + 1 < WINDOW; j++) past[j] = past[j + 1];
        past[WINDOW - 1] = x;
#pragma unroll
        for (int k = 0; k < 2; k++) {
            int slot = k == 0 ? mark.z : mark.w;
            if (slot >= 0) {
#pragma unroll
                for (int j = 0; j < WINDOW; j++) windows[slot * stride + (i64)c * WINDOW + j] = past[j];
            }
        }
    }
}

// ---------------------------------------------------------------- selective scan

__host__ __device__ constexpr int padded_states(int n) {
    int p = 4;
    while (p < n) p *= 2;
    return p;
}
/// State entries, padded; entries of one thread; threads of one channel; channels and threads of a block; tokens staged together.
constexpr int NP = padded_states(D_STATE);
constexpr int PER = NP / SCAN_PER >= 1 && NP / SCAN_PER <= 32 ? SCAN_PER : NP / 32 > 4 ? NP / 32 : 4;
constexpr int Q = NP / PER;
constexpr int CH = 256 / Q < 64 ? 256 / Q : 64;
constexpr int SCAN_THREADS = CH * Q;
constexpr int TILE = 32;
constexpr int LINE = CH + 8;
constexpr int ITEMS = TILE * CH / 8;
constexpr int EACH_ITEM = (ITEMS + SCAN_THREADS - 1) / SCAN_THREADS;
constexpr int EACH_BC = (TILE * 2 * D_STATE + SCAN_THREADS - 1) / SCAN_THREADS;
constexpr bool ALIGNED_ROWS = D_INNER % 8 == 0;

/// Q values of each of Q neighbouring threads; thread q gets the sum of everybody's value q.
__device__ __forceinline__ float gather(float (&v)[Q], int q) {
#pragma unroll
    for (int w = Q / 2; w >= 1; w /= 2) {
        bool high = q & w;
#pragma unroll
        for (int i = 0; i < w; i++) {
            float send = high ? v[i] : v[i + w], keep = high ? v[i + w] : v[i];
            v[i] = keep + __shfl_xor_sync(~0u, send, w);
        }
    }
    return v[0];
}

/// softplus, scan, skip, gate, ΣΔ and snapshots over packed sequences.
///
/// units[blockIdx.y] = {first span, end span, slot to start from or -1, slot to end in or -1}; spans = {from, to, slot for a snapshot after it or -1, -}.
/// mode 0: all of a sequence. mode 1: a segment from nothing, leaving only its end in seg_h, seg_dt (by unit). mode 2: a segment from the start
/// in seg_h, seg_dt0. `a` is A·log2(e). Grid: (channels / CH, units).
extern "C" __global__ void __launch_bounds__(SCAN_THREADS) scan(const T* __restrict__ xz, const T* __restrict__ u, const T* __restrict__ dt,
    const T* __restrict__ dbc, T* __restrict__ y, const float* __restrict__ a, const float* __restrict__ d, const float* __restrict__ dt_bias,
    const int4* __restrict__ units, const int4* __restrict__ spans, float* hs, i64 h_stride, float* sums, i64 sum_stride,
    float* seg_h, float* seg_dt, const float* seg_dt0, int mode) {
    __shared__ __align__(16) float s_dt[TILE][LINE], s_du[TILE][LINE], s_b[TILE][NP], s_c[TILE][NP];
    int tid = threadIdx.x, q = tid % Q, c = tid / Q, first = blockIdx.x * CH, channel = first + c;
    int4 unit = units[blockIdx.y];
    bool there = channel < D_INNER;

    float rate[PER], h[PER], dt_sum = 0.0f;
    const float* start = mode == 2 ? seg_h + (i64)blockIdx.y * D_INNER * D_STATE : unit.z >= 0 && mode == 0 ? hs + unit.z * h_stride : nullptr;
#pragma unroll
    for (int j = 0; j < PER; j++) {
        int n = q * PER + j;
        bool real = there && n < D_STATE;
        rate[j] = real ? a[channel * D_STATE + n] : 0.0f;
        h[j] = real && start ? start[(i64)channel * D_STATE + n] : 0.0f;
    }
    if (there && mode == 0 && unit.z >= 0) dt_sum = sums[unit.z * sum_stride + channel];
    if (there && mode == 2) dt_sum = seg_dt0[(i64)blockIdx.y * D_INNER + channel];
    // Entries of padding stay zero.
    for (int i = tid; i < TILE * NP; i += SCAN_THREADS) (&s_b[0][0])[i] = (&s_c[0][0])[i] = 0.0f;

    // What this thread stages of a tile: eight channels of one token an item.
    Eight in_u[EACH_ITEM], in_dt[EACH_ITEM], in_z[EACH_ITEM];
    T in_bc[EACH_BC];
    auto fetch = [&](int at, int count) {
#pragma unroll
        for (int k = 0; k < EACH_ITEM; k++) {
            int item = tid + k * SCAN_THREADS, t = item / (CH / 8), ch = first + item % (CH / 8) * 8;
            int wide = item < ITEMS && t < count ? D_INNER - ch : 0;
            in_u[k] = load8<ALIGNED_ROWS>(u + (i64)(at + t) * D_INNER + ch, wide);
            in_dt[k] = load8<ALIGNED_ROWS>(dt + (i64)(at + t) * D_INNER + ch, wide);
            if (mode != 1) in_z[k] = load8<ALIGNED_ROWS>(xz + (i64)(at + t) * 2 * D_INNER + D_INNER + ch, wide);
        }
#pragma unroll
        for (int k = 0; k < EACH_BC; k++) {
            int i = tid + k * SCAN_THREADS, t = i / (2 * D_STATE);
            in_bc[k] = t < count ? dbc[(i64)(at + t) * ROW + DT_RANK + i % (2 * D_STATE)] : down(0.0f);
        }
    };

    int span = unit.x, at = 0;
    int4 piece = spans[span];
    at = piece.x;
    int count = min(TILE, piece.y - at);
    fetch(at, count);
    while (true) {
        __syncthreads();
        Eight now_u[EACH_ITEM], now_z[EACH_ITEM];
#pragma unroll
        for (int k = 0; k < EACH_ITEM; k++) {
            int item = tid + k * SCAN_THREADS, t = item / (CH / 8), ch = item % (CH / 8) * 8;
            now_u[k] = in_u[k];
            now_z[k] = in_z[k];
            if (item < ITEMS) {
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    // A token that is not there leaves the state as it is: Δ = 0.
                    float step = t < count && first + ch + i < D_INNER ? softplus(up(in_dt[k].v[i]) + dt_bias[first + ch + i]) : 0.0f;
                    s_dt[t][ch + i] = step;
                    s_du[t][ch + i] = step * up(in_u[k].v[i]);
                }
            }
        }
#pragma unroll
        for (int k = 0; k < EACH_BC; k++) {
            int i = tid + k * SCAN_THREADS, t = i / (2 * D_STATE), n = i % (2 * D_STATE);
            if (t < TILE) {
                if (n < D_STATE) s_b[t][n] = up(in_bc[k]);
                else s_c[t][n - D_STATE] = up(in_bc[k]);
            }
        }
        __syncthreads();
        int here = at, tokens = count, keep = at + count == piece.y ? piece.z : -1;
        // The next tile is on its way while this one is worked on.
        at += count;
        bool more = true;
        if (at == piece.y) {
            span++;
            more = span < unit.y;
            if (more) {
                piece = spans[span];
                at = piece.x;
            }
        }
        if (more) {
            count = min(TILE, piece.y - at);
            fetch(at, count);
        }

        for (int t = 0; t < tokens; t += Q) {
            float out[Q];
#pragma unroll
            for (int k = 0; k < Q; k++) {
                float step = s_dt[t + k][c], input = s_du[t + k][c];
                dt_sum += step;
                out[k] = 0.0f;
#pragma unroll
                for (int j = 0; j < PER; j += 4) {
                    float4 b = *(const float4*)&s_b[t + k][q * PER + j], cc = *(const float4*)&s_c[t + k][q * PER + j];
                    h[j] = exp2_fast(step * rate[j]) * h[j] + input * b.x;
                    h[j + 1] = exp2_fast(step * rate[j + 1]) * h[j + 1] + input * b.y;
                    h[j + 2] = exp2_fast(step * rate[j + 2]) * h[j + 2] + input * b.z;
                    h[j + 3] = exp2_fast(step * rate[j + 3]) * h[j + 3] + input * b.w;
                    out[k] += h[j] * cc.x + h[j + 1] * cc.y + h[j + 2] * cc.z + h[j + 3] * cc.w;
                }
            }
            // Δ of these tokens has been read by this channel's threads only, in this warp: its place takes the output.
            if (mode != 1) {
                float sum = gather(out, q);
                __syncwarp();
                s_dt[t + q][c] = sum;
            }
        }
        if (keep >= 0 && there && mode != 1) {
#pragma unroll
            for (int j = 0; j < PER; j++)
                if (q * PER + j < D_STATE) hs[keep * h_stride + (i64)channel * D_STATE + q * PER + j] = h[j];
            if (q == 0) sums[keep * sum_stride + channel] = dt_sum;
        }
        if (mode != 1) {
            __syncthreads();
#pragma unroll
            for (int k = 0; k < EACH_ITEM; k++) {
                int item = tid + k * SCAN_THREADS, t = item / (CH / 8), ch = item % (CH / 8) * 8;
                if (item < ITEMS && t < tokens) {
                    Eight gated;
#pragma unroll
                    for (int i = 0; i < 8; i++) {
                        float skip = first + ch + i < D_INNER ? d[first + ch + i] : 0.0f;
                        gated.v[i] = down((s_dt[t][ch + i] + skip * up(now_u[k].v[i])) * silu(up(now_z[k].v[i])));
                    }
                    store8<ALIGNED_ROWS>(y + (i64)(here + t) * D_INNER + first + ch, gated, D_INNER - first - ch);
                }
            }
        }
        if (!more) break;
    }
    if (!there) return;
    if (mode == 1) {
#pragma unroll
        for (int j = 0; j < PER; j++)
            if (q * PER + j < D_STATE) seg_h[(i64)blockIdx.y * D_INNER * D_STATE + (i64)channel * D_STATE + q * PER + j] = h[j];
        if (q == 0) seg_dt[(i64)blockIdx.y * D_INNER + channel] = dt_sum;
    } else if (unit.w >= 0) {
#pragma unroll
        for (int j = 0; j < PER; j++)
            if (q * PER + j < D_STATE) hs[unit.w * h_stride + (i64)channel * D_STATE + q * PER + j] = h[j];
        if (q == 0) sums[unit.w * sum_stride + channel] = dt_sum;
    }
}

/// From the ends of segments (each from nothing) to their starts: h ← exp(A ΣΔ) h + end, along each sequence; the same rule that composes states
/// of chunks. chains[blockIdx.y] = {first unit, end unit, slot to start from or -1, -}. Grid: (channels × states / 256, sequences).
extern "C" __global__ void join_segments(const float* __restrict__ a, const int4* __restrict__ chains, const float* hs, i64 h_stride,
    const float* sums, i64 sum_stride, float* seg_h, const float* seg_dt, float* seg_dt0) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= D_INNER * D_STATE) return;
    int4 chain = chains[blockIdx.y];
    int channel = i / D_STATE;
    float rate = a[i];
    float h = chain.z >= 0 ? hs[chain.z * h_stride + i] : 0.0f;
    float dt_sum = chain.z >= 0 ? sums[chain.z * sum_stride + channel] : 0.0f;
    for (int unit = chain.x; unit < chain.y; unit++) {
        i64 at = (i64)unit * D_INNER * D_STATE + i, sum_at = (i64)unit * D_INNER + channel;
        float end = seg_h[at], step = seg_dt[sum_at];
        seg_h[at] = h;
        if (i % D_STATE == 0) seg_dt0[sum_at] = dt_sum;
        h = exp2_fast(step * rate) * h + end;
        dt_sum += step;
    }
}

// ---------------------------------------------------------------- one token of one sequence

// Matrix times vector at the speed of memory: a warp takes a row, each lane 16 bytes of every 512; the first loads are issued before whatever the
// vector waits for. The vector lies in shared memory as f32, in planes of four entries, so that a warp's reads do not collide.

constexpr int VEC = 16 / sizeof(T);
constexpr int FAST_WARPS = 8;

__device__ __forceinline__ uint4 stream(const T* from) {
    uint4 v;
    asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from));
    return v;
}

/// 16 bytes of weights times their part of the vector.
template <int PLANE>
__device__ __forceinline__ float dot16(uint4 w, const float4* x, int at) {
    union {
        uint4 quad;
        T v[VEC];
    } weights;
    weights.quad = w;
    float sum = 0.0f;
#pragma unroll
    for (int p = 0; p < VEC / 4; p++) {
        float4 part = x[p * PLANE + at];
        sum += up(weights.v[4 * p]) * part.x + up(weights.v[4 * p + 1]) * part.y + up(weights.v[4 * p + 2]) * part.z + up(weights.v[4 * p + 3]) * part.w;
    }
    return sum;
}

__host__ __device__ constexpr int group_of(int loads) {
    return loads % 5 == 0 ? 5 : loads % 4 == 0 ? 4 : loads % 3 == 0 ? 3 : loads % 2 == 0 ? 2 : 1;
}

/// Rows `warp, warp + warps, …` of a matrix [rows][K] times a vector that `vector` leaves in shared memory; `done(row, sum)` is called by whole warps.
template <int K, class Vector, class Done>
__device__ __forceinline__ void matvec(const T* __restrict__ w, int rows, float4* x, Vector vector, Done done) {
    constexpr int LOADS = K / (32 * VEC), GROUP = group_of(LOADS), GROUPS = LOADS / GROUP, PLANE = K / VEC;
    int lane = threadIdx.x % 32, warps = gridDim.x * FAST_WARPS, row = blockIdx.x * FAST_WARPS + threadIdx.x / 32;
    uint4 now[GROUP], next[GROUP];
    if (row < rows) {
#pragma unroll
        for (int i = 0; i < GROUP; i++) now[i] = stream(w + (i64)row * K + (i * 32 + lane) * VEC);
    }
    vector();
    __syncthreads();
    for (; row < rows; row += warps) {
        float sum = 0.0f;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            const T* ahead = g + 1 < GROUPS ? w + (i64)row * K + (g + 1) * GROUP * 32 * VEC : w + (i64)(row + warps) * K;
            if (g + 1 < GROUPS || row + warps < rows) {
#pragma unroll
                for (int i = 0; i < GROUP; i++) next[i] = stream(ahead + (i * 32 + lane) * VEC);
            }
#pragma unroll
            for (int i = 0; i < GROUP; i++) sum += dot16<PLANE>(now[i], x, (g * GROUP + i) * 32 + lane);
#pragma unroll
            for (int i = 0; i < GROUP; i++) now[i] = next[i];
        }
        done(row, warp_sum(sum));
    }
}

/// A vector's place in the planes of [`matvec`].
template <int K>
__device__ __forceinline__ void place(float4* x, int i, float v) {
    ((float*)x)[(i % VEC / 4 * (K / VEC) + i / VEC) * 4 + i % 4] = v;
}

/// The norm of the residual, as the vector of a [`matvec`] over D_MODEL.
__device__ __forceinline__ void normed(const float* x, const float* weight, float eps, float4* to) {
    constexpr int EACH = (D_MODEL + 255) / 256;
    float v[EACH], square = 0.0f;
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        int i = j * 256 + threadIdx.x;
        v[j] = i < D_MODEL ? x[i] : 0.0f;
        square += v[j] * v[j];
    }
    float scale = rsqrtf(block_sum(square) / D_MODEL + eps);
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        int i = j * 256 + threadIdx.x;
        if (i < D_MODEL) place<D_MODEL>(to, i, v[j] * scale * weight[i]);
    }
}

#if FAST
/// Norm, in_proj, convolution and SiLU; z is left as it comes.
extern "C" __global__ void __launch_bounds__(256, 4) token_in(const float* __restrict__ x, const float* __restrict__ weight, float eps, const T* __restrict__ w,
    const float* __restrict__ taps, const float* __restrict__ bias, float* window, float* u, float* z) {
    __shared__ float4 vector[D_MODEL / 4];
    matvec<D_MODEL>(w, 2 * D_INNER, vector, [&] { normed(x, weight, eps, vector); }, [&](int row, float sum) {
        if (threadIdx.x % 32) return;
        if (row >= D_INNER) {
            z[row - D_INNER] = sum;
            return;
        }
        float past[WINDOW], v = bias[row] + taps[row * D_CONV + WINDOW] * sum;
#pragma unroll
        for (int j = 0; j < WINDOW; j++) {
            past[j] = window[row * WINDOW + j];
            v += taps[row * D_CONV + j] * past[j];
        }
#pragma unroll
        for (int j = 0; j + 1 < WINDOW; j++) window[row * WINDOW + j] = past[j + 1];
        window[row * WINDOW + WINDOW - 1] = sum;
        u[row] = silu(v);
    });
}

/// x_proj: two rows a block, four warps a row. Grid: ROW / 2.
extern "C" __global__ void __launch_bounds__(256) token_x(const float* __restrict__ u, const T* __restrict__ w, float* dbc) {
    __shared__ float parts[8];
    constexpr int LOADS = D_INNER / (32 * VEC);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = blockIdx.x * 2 + warp / 4;
    float sum = 0.0f;
    if (row < ROW) {
#pragma unroll
        for (int j = 0; j < (LOADS + 3) / 4; j++) {
            int i = j * 4 + warp % 4;
            if (i >= LOADS) break;
            union {
                uint4 quad;
                T v[VEC];
            } weights;
            weights.quad = stream(w + (i64)row * D_INNER + (i * 32 + lane) * VEC);
            const float4* part = (const float4*)(u + (i * 32 + lane) * VEC);
#pragma unroll
            for (int p = 0; p < VEC / 4; p++) {
                float4 v = part[p];
                sum += up(weights.v[4 * p]) * v.x + up(weights.v[4 * p + 1]) * v.y + up(weights.v[4 * p + 2]) * v.z + up(weights.v[4 * p + 3]) * v.w;
            }
        }
    }
    sum = warp_sum(sum);
    if (lane == 0) parts[warp] = sum;
    __syncthreads();
    if (threadIdx.x < 2 && blockIdx.x * 2 + threadIdx.x < ROW) {
        const float* p = parts + threadIdx.x * 4;
        dbc[blockIdx.x * 2 + threadIdx.x] = p[0] + p[1] + p[2] + p[3];
    }
}

/// dt_proj, softplus, one step of the scan, skip and gate: half a warp a channel. Grid: D_INNER / 16.
extern "C" __global__ void __launch_bounds__(256) token_scan(const float* __restrict__ dbc, const T* __restrict__ w, const float* __restrict__ dt_bias,
    const float* __restrict__ a, const float* __restrict__ d, const float* __restrict__ u, const float* __restrict__ z, float* h, float* sums, float* y) {
    int lane = threadIdx.x % 16, channel = blockIdx.x * 16 + threadIdx.x / 16;
    if (channel >= D_INNER) return;
    u32 mask = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
    float step = 0.0f;
#pragma unroll 5
    for (int k = lane; k < DT_RANK; k += 16) step += up(w[(i64)channel * DT_RANK + k]) * dbc[k];
#pragma unroll
    for (int i = 8; i >= 1; i /= 2) step += __shfl_xor_sync(mask, step, i);
    step = softplus(step + dt_bias[channel]);
    float input = u[channel], sum = 0.0f;
    for (int n = lane; n < D_STATE; n += 16) {
        i64 at = (i64)channel * D_STATE + n;
        float v = exp2_fast(step * a[at]) * h[at] + step * input * dbc[DT_RANK + n];
        h[at] = v;
        sum += v * dbc[DT_RANK + D_STATE + n];
    }
#pragma unroll
    for (int i = 8; i >= 1; i /= 2) sum += __shfl_xor_sync(mask, sum, i);
    if (lane == 0) {
        sums[channel] += step;
        y[channel] = (sum + d[channel] * input) * silu(z[channel]);
    }
}

/// out_proj, added to the residual.
extern "C" __global__ void __launch_bounds__(256, 4) token_out(const float* __restrict__ y, const T* __restrict__ w, float* x) {
    extern __shared__ float4 wide[];
    matvec<D_INNER>(w, D_MODEL, wide, [&] {
        for (int i = threadIdx.x; i < D_INNER; i += 256) place<D_INNER>(wide, i, y[i]);
    }, [&](int row, float sum) {
        if (threadIdx.x % 32 == 0) x[row] += sum;
    });
}

/// The last norm and the output head.
extern "C" __global__ void __launch_bounds__(256, 4) token_head(const float* __restrict__ x, const float* __restrict__ weight, float eps, const T* __restrict__ w, float* logits) {
    __shared__ float4 vector[D_MODEL / 4];
    matvec<D_MODEL>(w, VOCAB, vector, [&] { normed(x, weight, eps, vector); }, [&](int row, float sum) {
        if (threadIdx.x % 32 == 0) logits[row] = sum;
    });
}
#endif

// ---------------------------------------------------------------- libraries

/// Rows of stored states against queries. stored [layer][skill][length], f16 or f32; for job j (blockIdx.y): layer jobs[j], query a[j][length], centre
/// c[j][length]. op 0: Σ a x, 1: Σ a (x − c), 2: Σ (x − a)². out [job][skill]. Grid: (skills, jobs).
template <class S, class Up>
__device__ __forceinline__ void row_sums(const S* stored, Up value, const int* jobs, const float* a, const float* c, int op, int length, float* out) {
    const S* row = stored + ((i64)jobs[blockIdx.y] * gridDim.x + blockIdx.x) * length;
    a += (i64)blockIdx.y * length;
    c += (i64)blockIdx.y * length;
    float sum = 0.0f;
#pragma unroll 4
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
        float x = value(row[i]);
        sum += op == 0 ? a[i] * x : op == 1 ? a[i] * (x - c[i]) : (x - a[i]) * (x - a[i]);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[(i64)blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

extern "C" __global__ void row_sums_f16(const u16* stored, const int* jobs, const float* a, const float* c, int op, int length, float* out) {
    row_sums(stored, [](u16 v) { return half_up(v); }, jobs, a, c, op, length, out);
}

extern "C" __global__ void row_sums_f32(const float* stored, const int* jobs, const float* a, const float* c, int op, int length, float* out) {
    row_sums(stored, [](float v) { return v; }, jobs, a, c, op, length, out);
}

/// A weighted sum of stored states: out[layer][i] = Σ_k weights[layer][k] · stored[layer][picks[k]][i], f32. Grid: (length / 256, layers).
template <class S, class Up>
__device__ __forceinline__ void combine(const S* stored, Up value, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= length) return;
    float sum = 0.0f;
    for (int k = 0; k < count; k++)
        sum += weights[blockIdx.y * count + k] * value(stored[((i64)blockIdx.y * skills + picks[k]) * length + i]);
    out[(i64)blockIdx.y * length + i] = sum;
}

extern "C" __global__ void combine_f16(const u16* stored, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    combine(stored, [](u16 v) { return half_up(v); }, picks, weights, count, skills, length, out);
}

extern "C" __global__ void combine_f32(const float* stored, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    combine(stored, [](float v) { return v; }, picks, weights, count, skills, length, out);
}
