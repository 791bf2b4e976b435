// The kernels of the CUDA path: everything between the matrix products of a prefill, and a whole
// token of a single sequence.
//
// Compiled at run time (NVRTC) for one model: D_MODEL, D_INNER, D_STATE, D_CONV, DT_RANK and VOCAB
// are its sizes, ACT is the type of matrices and activations (0: f32, 1: bf16, 2: f16). Sums,
// states, the residual stream and what is exponentiated are f32. No header is included, so the
// machine needs only the driver and NVRTC. `nvcc --ptx` compiles it too: see `benches/gpu.sh
// --compile`.
//
// Layouts, row-major: residual x [tokens][D_MODEL] f32; xz [tokens][2 D_INNER] (x half, z half); u,
// dt, y [tokens][D_INNER]; dbc [tokens][DT_RANK + 2 D_STATE]; a state slot: h
// [layer][D_INNER][D_STATE], window [layer][D_INNER][D_CONV - 1] (oldest first), dt_sum
// [layer][D_INNER], all f32. Kernels get a slot's arrays with the layer's offset already added, and
// the stride from slot to slot.

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
__device__ __forceinline__ float reciprocal(float v) {
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}
/// v / (1 + e^-v). For activations of two bytes with tanh, whose error of 2^-11 is below their
/// rounding.
__device__ __forceinline__ float silu(float v) {
#if ACT == 0
    return v * reciprocal(1.0f + exp2_fast(-LOG2E * v));
#else
    float half = 0.5f * v, tanh;
    asm("tanh.approx.f32 %0, %1;" : "=f"(tanh) : "f"(half));
    return half * tanh + half;
#endif
}
/// ln(1 + e^v). Small values keep their relative precision (Δ of a slow channel is about e^v): for
/// them the series of ln, whose next term is below 2^-22 of the sum.
__device__ __forceinline__ float softplus(float v) {
    float e = exp2_fast(LOG2E * v), log2;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(log2) : "f"(1.0f + e));
    float series = e * (1.0f - e * (0.5f - e * (0.33333333f - e * 0.25f)));
    return v > 20.0f ? v : e < 0.03125f ? series : log2 * 0.69314718f;
}

/// Eight neighbours, 16 or 32 bytes.
union Eight {
    uint4 quads[sizeof(T) / 2];
    T v[8];
    __device__ Eight() {}
};

/// Loads `count` (at most 8) entries; the rest is zero. Rows are aligned where their length is a
/// multiple of 8.
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

/// The sum over a block of at most 1024 threads; every thread gets it.
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

/// RMS norm of one row of D_MODEL by a block of 256 threads; calls `put(i, value)` for each entry.
/// The row is kept in registers, so it is read once.
template <class Put>
__device__ __forceinline__ void norm_row(const float* from, const float* weight, float eps, Put put) {
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
        if (i < D_MODEL) put(i, v[j] * scale * weight[i]);
    }
}

/// RMS norm of rows; `rows` chooses them, or is null for all in order. Grid: rows out.
extern "C" __global__ void rms_norm(const float* x, const int* rows, const float* weight, float eps, T* out) {
    const float* from = x + (i64)(rows ? rows[blockIdx.x] : (int)blockIdx.x) * D_MODEL;
    T* to = out + (i64)blockIdx.x * D_MODEL;
    norm_row(from, weight, eps, [&](int i, float v) { to[i] = down(v); });
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

/// Neighbouring channels of a thread: four bytes of activations.
constexpr int PAIR = sizeof(T) == 2 && D_INNER % 2 == 0 ? 2 : 1;
/// As they are loaded. They are widened only where they are used, which leaves registers for more
/// threads.
union Pair {
    u32 word;
    T v[4 / sizeof(T)];
    __device__ Pair() {}
};

__device__ __forceinline__ Pair load_pair(const T* from) {
    Pair r;
    if (PAIR == 2) r.word = *(const u32*)from;
    else r.v[0] = from[0];
    return r;
}

/// Causal convolution, bias and SiLU over packed sequences, TOKENS of them a thread. marks[t] =
/// {slot the sequence starts from or -1, tokens of it before t in this chunk, slot to leave the
/// window in after t or -1, another such slot or -1}.
template <int TOKENS>
__device__ __forceinline__ void convolve(const T* __restrict__ xz, T* __restrict__ u, const float* __restrict__ taps, const float* __restrict__ bias,
    const int4* __restrict__ marks, float* windows, i64 stride, int tokens) {
    int c = (blockIdx.x * blockDim.x + threadIdx.x) * PAIR;
    if (c >= D_INNER) return;
    int first = blockIdx.y * TOKENS;
    // All inputs are asked for before the first is used.
    Pair x[WINDOW + TOKENS];
#pragma unroll
    for (int i = 0; i < WINDOW + TOKENS; i++) {
        int t = first + i - WINDOW;
        if (t >= 0 && t < tokens) x[i] = load_pair(xz + (i64)t * 2 * D_INNER + c);
    }
    float tap[PAIR][D_CONV], b[PAIR];
#pragma unroll
    for (int p = 0; p < PAIR; p++) {
        b[p] = bias[c + p];
#pragma unroll
        for (int j = 0; j < D_CONV; j++) tap[p][j] = taps[(c + p) * D_CONV + j];
    }
#pragma unroll
    for (int k = 0; k < TOKENS; k++) {
        int t = first + k;
        if (t >= tokens) break;
        int4 mark = marks[t];
        // The inputs up to this token, oldest first; those from before the chunk are in the window
        // the sequence starts from.
        float in[PAIR][D_CONV];
        bool within = mark.y >= WINDOW;
#pragma unroll
        for (int p = 0; p < PAIR; p++)
#pragma unroll
            for (int j = 0; j < D_CONV; j++) in[p][j] = up(x[k + j].v[p]);
        if (!within) {
#pragma unroll
            for (int p = 0; p < PAIR; p++)
#pragma unroll
                for (int j = 0; j < WINDOW; j++)
                    if (WINDOW - j > mark.y) in[p][j] = mark.x < 0 ? 0.0f : windows[mark.x * stride + (i64)(c + p) * WINDOW + mark.y + j];
        }
        T out[PAIR];
#pragma unroll
        for (int p = 0; p < PAIR; p++) {
            float sum = b[p];
#pragma unroll
            for (int j = 0; j < D_CONV; j++) sum += tap[p][j] * in[p][j];
            out[p] = down(silu(sum));
        }
        T* to = u + (i64)t * D_INNER + c;
        if (PAIR == 2) *(u32*)to = *(const u32*)out;
        else to[0] = out[0];
#pragma unroll
        for (int w = 0; w < 2; w++) {
            int slot = w == 0 ? mark.z : mark.w;
            if (slot >= 0) {
#pragma unroll
                for (int p = 0; p < PAIR; p++)
#pragma unroll
                    for (int j = 0; j < WINDOW; j++) windows[slot * stride + (i64)(c + p) * WINDOW + j] = in[p][j + 1];
            }
        }
    }
}

#define CONV(name, TOKENS) \
    extern "C" __global__ void __launch_bounds__(128, 11) name(const T* xz, T* u, const float* taps, const float* bias, const int4* marks, float* windows, i64 stride, int tokens) { \
        convolve<TOKENS>(xz, u, taps, bias, marks, windows, stride, tokens); \
    }
/// Grid: (channels / (128 PAIR), tokens / 8), for sequences of some length.
CONV(conv, 8)
/// Grid: (channels / (128 PAIR), tokens), for sequences of a token or two.
CONV(conv_short, 1)

// ---------------------------------------------------------------- selective scan

__host__ __device__ constexpr int padded_states(int n) {
    int p = 4;
    while (p < n) p *= 2;
    return p;
}
/// State entries, padded.
constexpr int NP = padded_states(D_STATE);
constexpr bool ALIGNED_ROWS = D_INNER % 8 == 0;

/// A shape of the scan. Its bound is reading B and C from shared memory: a thread with several
/// channels reads them once for all. With few channels a thread, fewer channels in all fill the
/// card.
template <int WANTED, int CHANNELS>
struct Shape {
    /// State entries of a thread, and for how many channels; threads of such a group; channels and
    /// threads of a block; tokens staged together; a padded line of them.
    static constexpr int PER = WANTED > NP ? NP : NP / WANTED > 16 ? NP / 16 : WANTED;
    static constexpr int M = CHANNELS;
    static constexpr int Q = NP / PER;
    static constexpr int CH = 32;
    static constexpr int THREADS = CH * Q / M;
    static constexpr int TILE = NP > 128 ? 16 : 32;
    static constexpr int LINE = CH + 8 * M;
    static constexpr int ITEMS = TILE * CH / 8;
    static constexpr int EACH_ITEM = (ITEMS + THREADS - 1) / THREADS;
    /// B and C, eight entries at once where rows are aligned, else one by one.
    static constexpr bool WIDE = ROW % 8 == 0 && DT_RANK % 8 == 0 && D_STATE % 8 == 0 && D_STATE == NP;
    static constexpr int EACH_BC = (TILE * 2 * D_STATE / (WIDE ? 8 : 1) + THREADS - 1) / THREADS;
};

/// Q values of each of Q neighbouring threads; thread q gets the sum of everybody's value q.
template <int Q>
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

/// The entries of one thread, from or to a row of D_STATE.
template <int PER>
__device__ __forceinline__ void load_entries(float (&to)[PER], const float* row, int q) {
#pragma unroll
    for (int j = 0; j < PER; j += 4) {
        int n = q * PER + j;
        if (D_STATE % 4 == 0) {
            float4 v = n < D_STATE ? *(const float4*)(row + n) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            to[j] = v.x, to[j + 1] = v.y, to[j + 2] = v.z, to[j + 3] = v.w;
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) to[j + i] = n + i < D_STATE ? row[n + i] : 0.0f;
        }
    }
}

template <int PER>
__device__ __forceinline__ void store_entries(const float (&from)[PER], float* row, int q) {
#pragma unroll
    for (int j = 0; j < PER; j += 4) {
        int n = q * PER + j;
        if (D_STATE % 4 == 0) {
            if (n < D_STATE) *(float4*)(row + n) = make_float4(from[j], from[j + 1], from[j + 2], from[j + 3]);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (n + i < D_STATE) row[n + i] = from[j + i];
        }
    }
}

template <int M>
__device__ __forceinline__ void load_line(float (&to)[M], const float* from) {
    if (M == 2) {
        float2 v = *(const float2*)from;
        to[0] = v.x, to[1 % M] = v.y;
    } else {
        to[0] = from[0];
    }
}

template <int M>
__device__ __forceinline__ void store_line(float* to, const float (&from)[M]) {
    if (M == 2) *(float2*)to = make_float2(from[0], from[1 % M]);
    else to[0] = from[0];
}

/// softplus, scan, skip, gate, ΣΔ and snapshots over packed sequences.
///
/// units[blockIdx.y] = {first span, end span, slot to start from or -1, slot to end in or -1};
/// spans = {from, to, slot for a snapshot after it or -1, -}. mode 0: all of a sequence. mode 1: a
/// segment from nothing, leaving only its end in seg_h, seg_dt (by unit). mode 2: a segment from
/// the start in seg_h, seg_dt0. `a` is A·log2(e). Grid: (channels / CH, units).
template <class S>
__device__ __forceinline__ void selective_scan(const T* __restrict__ xz, const T* __restrict__ u, const T* __restrict__ dt, const T* __restrict__ dbc,
    T* __restrict__ y, const float* __restrict__ a, const float* __restrict__ d, const float* __restrict__ dt_bias, const int4* __restrict__ units,
    const int4* __restrict__ spans, float* hs, i64 h_stride, float* sums, i64 sum_stride, float* seg_h, float* seg_dt, const float* seg_dt0, int mode) {
    constexpr int PER = S::PER, Q = S::Q, CH = S::CH, TILE = S::TILE, M = S::M;
    __shared__ __align__(16) float s_dt[TILE][S::LINE], s_du[TILE][S::LINE], s_bc[TILE][2 * NP], s_bias[CH], s_skip[CH];
    int tid = threadIdx.x, q = tid % Q, c = tid / Q * M, first = blockIdx.x * CH, channel = first + c;
    int4 unit = units[blockIdx.y];
    auto there = [&](int m) { return channel + m < D_INNER; };

    float rate[M][PER], h[M][PER], dt_sum[M];
    const float* start = mode == 2 ? seg_h + (i64)blockIdx.y * D_INNER * D_STATE : unit.z >= 0 && mode == 0 ? hs + unit.z * h_stride : nullptr;
#pragma unroll
    for (int m = 0; m < M; m++) {
        dt_sum[m] = 0.0f;
#pragma unroll
        for (int j = 0; j < PER; j++) rate[m][j] = h[m][j] = 0.0f;
        if (!there(m)) continue;
        load_entries<PER>(rate[m], a + (channel + m) * D_STATE, q);
        if (start) load_entries<PER>(h[m], start + (i64)(channel + m) * D_STATE, q);
        if (mode == 0 && unit.z >= 0) dt_sum[m] = sums[unit.z * sum_stride + channel + m];
        if (mode == 2) dt_sum[m] = seg_dt0[(i64)blockIdx.y * D_INNER + channel + m];
    }
    // Entries of padding stay zero.
    if (NP > D_STATE)
        for (int i = tid; i < TILE * 2 * NP; i += S::THREADS) (&s_bc[0][0])[i] = 0.0f;
    for (int i = tid; i < CH; i += S::THREADS) {
        s_bias[i] = first + i < D_INNER ? dt_bias[first + i] : 0.0f;
        s_skip[i] = first + i < D_INNER ? d[first + i] : 0.0f;
    }

    // What this thread stages of a tile: eight channels of one token an item.
    Eight in_u[S::EACH_ITEM], in_dt[S::EACH_ITEM];
    Eight in_bc8[S::WIDE ? S::EACH_BC : 1];
    T in_bc[S::WIDE ? 1 : S::EACH_BC];
    auto wide = [&](int k, int count) {
        int item = tid + k * S::THREADS, t = item / (CH / 8);
        return item < S::ITEMS && t < count ? D_INNER - first - item % (CH / 8) * 8 : 0;
    };
    auto place = [&](int k, int at, int row) {
        int item = tid + k * S::THREADS;
        return (i64)(at + item / (CH / 8)) * row + first + item % (CH / 8) * 8;
    };
    auto fetch = [&](int at, int count) {
#pragma unroll
        for (int k = 0; k < S::EACH_ITEM; k++) {
            in_u[k] = load8<ALIGNED_ROWS>(u + place(k, at, D_INNER), wide(k, count));
            in_dt[k] = load8<ALIGNED_ROWS>(dt + place(k, at, D_INNER), wide(k, count));
        }
#pragma unroll
        for (int k = 0; k < S::EACH_BC; k++) {
            if (S::WIDE) {
                int i = (tid + k * S::THREADS) * 8, t = i / (2 * D_STATE);
                in_bc8[k] = load8<true>(dbc + (i64)(at + t) * ROW + DT_RANK + i % (2 * D_STATE), t < count ? 8 : 0);
                continue;
            }
            int i = tid + k * S::THREADS, t = i / (2 * D_STATE);
            in_bc[k] = t < count ? dbc[(i64)(at + t) * ROW + DT_RANK + i % (2 * D_STATE)] : down(0.0f);
        }
    };

    int span = unit.x;
    int4 piece = spans[span];
    int at = piece.x, count = min(TILE, piece.y - at);
    fetch(at, count);
    while (true) {
        __syncthreads();
        Eight now_u[S::EACH_ITEM], now_z[S::EACH_ITEM];
#pragma unroll
        for (int k = 0; k < S::EACH_ITEM; k++) {
            int item = tid + k * S::THREADS, t = item / (CH / 8), ch = item % (CH / 8) * 8;
            now_u[k] = in_u[k];
            if (mode != 1) now_z[k] = load8<ALIGNED_ROWS>(xz + D_INNER + place(k, at, 2 * D_INNER), wide(k, count));
            if (item < S::ITEMS) {
                float step[8], input[8];
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    // A token that is not there leaves the state as it is: Δ = 0.
                    step[i] = t < count ? softplus(up(in_dt[k].v[i]) + s_bias[ch + i]) : 0.0f;
                    input[i] = step[i] * up(in_u[k].v[i]);
                }
#pragma unroll
                for (int i = 0; i < 8; i += 4) {
                    *(float4*)&s_dt[t][ch + i] = make_float4(step[i], step[i + 1], step[i + 2], step[i + 3]);
                    *(float4*)&s_du[t][ch + i] = make_float4(input[i], input[i + 1], input[i + 2], input[i + 3]);
                }
            }
        }
#pragma unroll
        for (int k = 0; k < S::EACH_BC; k++) {
            if (S::WIDE) {
                int i = (tid + k * S::THREADS) * 8, t = i / (2 * D_STATE);
                float* to = &s_bc[0][0] + i;
#pragma unroll
                for (int j = 0; j < 8; j += 4)
                    if (t < TILE) *(float4*)(to + j) = make_float4(up(in_bc8[k].v[j]), up(in_bc8[k].v[j + 1]), up(in_bc8[k].v[j + 2]), up(in_bc8[k].v[j + 3]));
                continue;
            }
            int i = tid + k * S::THREADS, t = i / (2 * D_STATE), n = i % (2 * D_STATE);
            if (t < TILE) s_bc[t][n < D_STATE ? n : n - D_STATE + NP] = up(in_bc[k]);
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
            float out[M][Q];
#pragma unroll
            for (int k = 0; k < Q; k++) {
                float step[M], input[M];
                load_line<M>(step, &s_dt[t + k][c]);
                load_line<M>(input, &s_du[t + k][c]);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    dt_sum[m] += step[m];
                    out[m][k] = 0.0f;
                }
#pragma unroll
                for (int j = 0; j < PER; j += 4) {
                    float4 b = *(const float4*)&s_bc[t + k][q * PER + j], cc = *(const float4*)&s_bc[t + k][NP + q * PER + j];
#pragma unroll
                    for (int m = 0; m < M; m++) {
                        float* e = &h[m][j];
                        const float* r = &rate[m][j];
                        e[0] = exp2_fast(step[m] * r[0]) * e[0] + input[m] * b.x;
                        e[1] = exp2_fast(step[m] * r[1]) * e[1] + input[m] * b.y;
                        e[2] = exp2_fast(step[m] * r[2]) * e[2] + input[m] * b.z;
                        e[3] = exp2_fast(step[m] * r[3]) * e[3] + input[m] * b.w;
                        out[m][k] += e[0] * cc.x;
                        out[m][k] += e[1] * cc.y;
                        out[m][k] += e[2] * cc.z;
                        out[m][k] += e[3] * cc.w;
                    }
                }
            }
            // Only this channel's threads, in this warp, have read Δ of these tokens: the output
            // takes its place.
            if (mode != 1) {
                float sum[M];
#pragma unroll
                for (int m = 0; m < M; m++) sum[m] = gather<Q>(out[m], q);
                if (Q > 1) __syncwarp();
                store_line<M>(&s_dt[t + q][c], sum);
            }
        }
        if (keep >= 0 && mode != 1) {
#pragma unroll
            for (int m = 0; m < M; m++) {
                if (!there(m)) continue;
                store_entries<PER>(h[m], hs + keep * h_stride + (i64)(channel + m) * D_STATE, q);
                if (q == 0) sums[keep * sum_stride + channel + m] = dt_sum[m];
            }
        }
        if (mode != 1) {
            __syncthreads();
#pragma unroll
            for (int k = 0; k < S::EACH_ITEM; k++) {
                int item = tid + k * S::THREADS, t = item / (CH / 8), ch = item % (CH / 8) * 8;
                if (item < S::ITEMS && t < tokens) {
                    Eight gated;
#pragma unroll
                    for (int i = 0; i < 8; i++) {
                        gated.v[i] = down((s_dt[t][ch + i] + s_skip[ch + i] * up(now_u[k].v[i])) * silu(up(now_z[k].v[i])));
                    }
                    store8<ALIGNED_ROWS>(y + place(k, here, D_INNER), gated, D_INNER - first - ch);
                }
            }
        }
        if (!more) break;
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
        if (!there(m)) continue;
        if (mode == 1) {
            store_entries<PER>(h[m], seg_h + ((i64)blockIdx.y * D_INNER + channel + m) * D_STATE, q);
            if (q == 0) seg_dt[(i64)blockIdx.y * D_INNER + channel + m] = dt_sum[m];
        } else if (unit.w >= 0) {
            store_entries<PER>(h[m], hs + unit.w * h_stride + (i64)(channel + m) * D_STATE, q);
            if (q == 0) sums[unit.w * sum_stride + channel + m] = dt_sum[m];
        }
    }
}

#define SCAN(name, PER, CHANNELS, BLOCKS) \
    extern "C" __global__ void __launch_bounds__(Shape<PER, CHANNELS>::THREADS, NP == 16 ? BLOCKS : 1) name(const T* xz, const T* u, const T* dt, const T* dbc, T* y, \
        const float* a, const float* d, const float* dt_bias, const int4* units, const int4* spans, float* hs, i64 h_stride, float* sums, i64 sum_stride, \
        float* seg_h, float* seg_dt, const float* seg_dt0, int mode) { \
        selective_scan<Shape<PER, CHANNELS>>(xz, u, dt, dbc, y, a, d, dt_bias, units, spans, hs, h_stride, sums, sum_stride, seg_h, seg_dt, seg_dt0, mode); \
    }
// Blocks that a multiprocessor is to hold at once: registers for the usual 16 entries are cut to that.
SCAN(scan_1, 4, 1, 6)
SCAN(scan_2, 4, 2, 10)

#define STEP_SCAN (D_STATE % 4 == 0 && D_STATE <= 128 && (D_STATE & (D_STATE - 1)) == 0)
#if STEP_SCAN
/// The same for sequences of one token each, four entries a thread; marks as for the convolution.
/// Grid: (channels × entries / 1024, tokens).
extern "C" __global__ void __launch_bounds__(256) scan_step(const T* __restrict__ xz, const T* __restrict__ u, const T* __restrict__ dt, const T* __restrict__ dbc,
    T* __restrict__ y, const float* __restrict__ a, const float* __restrict__ d, const float* __restrict__ dt_bias, const int4* __restrict__ marks, float* hs,
    i64 h_stride, float* sums, i64 sum_stride) {
    constexpr int LANES = D_STATE / 4;
    int at = blockIdx.x * 256 + threadIdx.x, channel = at / LANES, n = at % LANES * 4;
    i64 t = blockIdx.y;
    bool there = channel < D_INNER;
    int4 mark = marks[t];
    float out = 0.0f, step = 0.0f, input = 0.0f;
    if (there) {
        float4 h = make_float4(0.0f, 0.0f, 0.0f, 0.0f), rate = *(const float4*)(a + channel * D_STATE + n);
        i64 place = (i64)channel * D_STATE + n;
        if (mark.x >= 0) h = *(const float4*)(hs + mark.x * h_stride + place);
        step = softplus(up(dt[t * D_INNER + channel]) + dt_bias[channel]);
        input = up(u[t * D_INNER + channel]);
        const T *b = dbc + t * ROW + DT_RANK + n, *c = b + D_STATE;
        float gain = step * input;
        h.x = exp2_fast(step * rate.x) * h.x + gain * up(b[0]);
        h.y = exp2_fast(step * rate.y) * h.y + gain * up(b[1]);
        h.z = exp2_fast(step * rate.z) * h.z + gain * up(b[2]);
        h.w = exp2_fast(step * rate.w) * h.w + gain * up(b[3]);
        out = h.x * up(c[0]) + h.y * up(c[1]) + h.z * up(c[2]) + h.w * up(c[3]);
        if (mark.z >= 0) *(float4*)(hs + mark.z * h_stride + place) = h;
        if (mark.w >= 0) *(float4*)(hs + mark.w * h_stride + place) = h;
    }
#pragma unroll
    for (int w = LANES / 2; w >= 1; w /= 2) out += __shfl_xor_sync(~0u, out, w);
    if (!there || n != 0) return;
    float before = mark.x >= 0 ? sums[mark.x * sum_stride + channel] : 0.0f;
    if (mark.z >= 0) sums[mark.z * sum_stride + channel] = before + step;
    if (mark.w >= 0) sums[mark.w * sum_stride + channel] = before + step;
    y[t * D_INNER + channel] = down((out + d[channel] * input) * silu(up(xz[t * 2 * D_INNER + D_INNER + channel])));
}
#endif

/// Sets flags[i] where an entry of the state in slot slots[i] is not a finite number. Grid: (any,
/// slots).
extern "C" __global__ void find_not_finite(const int* slots, const float* hs, i64 h_stride, const float* windows, i64 window_stride, const float* sums, i64 sum_stride, int* flags) {
    i64 slot = slots[blockIdx.y];
    bool bad = false;
    auto look = [&](const float* from, i64 count) {
        for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) bad |= !isfinite(from[i]);
    };
    look(hs + slot * h_stride, h_stride);
    look(windows + slot * window_stride, window_stride);
    look(sums + slot * sum_stride, sum_stride);
    if (bad) atomicOr(flags + blockIdx.y, 1);
}

/// From the ends of segments (each from nothing) to their starts: h ← exp(A ΣΔ) h + end, along each
/// sequence; the same rule that composes states of chunks. chains[blockIdx.y] = {first unit, end
/// unit, slot to start from or -1, -}. Grid: (channels × states / 256, sequences).
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

// These kernels are started before the one ahead of them has ended. Each lets the next start as
// soon as there is room, and, once its first weights are on their way, waits for what it depends
// on.
__device__ __forceinline__ void let_next_start() { asm volatile("griddepcontrol.launch_dependents;"); }
__device__ __forceinline__ void wait_for_last() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

// Matrix times vector at the speed of memory: a warp takes a row, each lane 16 bytes of every 512;
// the first loads are issued before whatever the vector waits for. The vector lies in shared memory
// as f32, in planes of four entries, so that a warp's reads do not collide.

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

/// Rows `warp, warp + warps, …` of a matrix [rows][K] times a vector that `vector` leaves in shared
/// memory; `done(row, sum)` is called by whole warps. `early(row)` is called before a row's sum is
/// known: what it asks for is there when `done` needs it.
template <int K, class Vector, class Early, class Done>
__device__ __forceinline__ void matvec(const T* __restrict__ w, int rows, float4* x, Vector vector, Early early, Done done) {
    constexpr int LOADS = K / (32 * VEC), GROUP = group_of(LOADS), GROUPS = LOADS / GROUP, PLANE = K / VEC;
    int lane = threadIdx.x % 32, warps = gridDim.x * FAST_WARPS, row = blockIdx.x * FAST_WARPS + threadIdx.x / 32;
    uint4 now[GROUP], next[GROUP];
    if (row < rows) {
#pragma unroll
        for (int i = 0; i < GROUP; i++) now[i] = stream(w + (i64)row * K + (i * 32 + lane) * VEC);
    }
    let_next_start();
    wait_for_last();
    vector();
    __syncthreads();
    for (; row < rows; row += warps) {
        float sum = 0.0f;
        early(row);
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
    norm_row(x, weight, eps, [&](int i, float v) { place<D_MODEL>(to, i, v); });
}

#if FAST
/// Norm, in_proj, convolution and SiLU; z is left as it comes.
extern "C" __global__ void __launch_bounds__(256, 4) token_in(const float* __restrict__ x, const float* __restrict__ weight, float eps, const T* __restrict__ w,
    const float* __restrict__ taps, const float* __restrict__ bias, float* window, float* u, float* z) {
    __shared__ float4 vector[D_MODEL / 4];
    // Lane j has tap j and the input it belongs to.
    int lane = threadIdx.x % 32;
    float tap = 0.0f, past = 0.0f, b = 0.0f;
    matvec<D_MODEL>(w, 2 * D_INNER, vector, [&] { normed(x, weight, eps, vector); }, [&](int row) {
        if (row >= D_INNER) return;
        tap = lane < D_CONV ? taps[row * D_CONV + lane] : 0.0f;
        past = lane < WINDOW ? window[row * WINDOW + lane] : 0.0f;
        b = bias[row];
    }, [&](int row, float sum) {
        if (row >= D_INNER) {
            if (lane == 0) z[row - D_INNER] = sum;
            return;
        }
        float input = lane == WINDOW ? sum : past, next = __shfl_down_sync(~0u, input, 1);
        float v = warp_sum(tap * input) + b;
        if (lane < WINDOW) window[row * WINDOW + lane] = next;
        if (lane == 0) u[row] = silu(v);
    });
}

/// x_proj: two rows a block, four warps a row. Grid: ROW / 2.
extern "C" __global__ void __launch_bounds__(256) token_x(const float* __restrict__ u, const T* __restrict__ w, float* dbc) {
    __shared__ float parts[8];
    constexpr int LOADS = D_INNER / (32 * VEC);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = blockIdx.x * 2 + warp / 4;
    float sum = 0.0f;
    uint4 ahead[(LOADS + 3) / 4];
#pragma unroll
    for (int j = 0; j < (LOADS + 3) / 4; j++)
        if (row < ROW && j * 4 + warp % 4 < LOADS) ahead[j] = stream(w + (i64)row * D_INNER + ((j * 4 + warp % 4) * 32 + lane) * VEC);
    let_next_start();
    wait_for_last();
    if (row < ROW) {
#pragma unroll
        for (int j = 0; j < (LOADS + 3) / 4; j++) {
            int i = j * 4 + warp % 4;
            if (i >= LOADS) break;
            union {
                uint4 quad;
                T v[VEC];
            } weights;
            weights.quad = ahead[j];
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
    // D_INNER is a multiple of 16 wherever these kernels are used.
    int lane = threadIdx.x % 16, channel = blockIdx.x * 16 + threadIdx.x / 16;
    u32 mask = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
    constexpr int LOADS = (DT_RANK + 15) / 16;
    T ahead[LOADS];
#pragma unroll
    for (int k = 0; k < LOADS; k++)
        if (k * 16 + lane < DT_RANK) ahead[k] = w[(i64)channel * DT_RANK + k * 16 + lane];
    float bias = dt_bias[channel], skip = d[channel];
    let_next_start();
    wait_for_last();
    float step = 0.0f;
#pragma unroll
    for (int k = 0; k < LOADS; k++)
        if (k * 16 + lane < DT_RANK) step += up(ahead[k]) * dbc[k * 16 + lane];
#pragma unroll
    for (int i = 8; i >= 1; i /= 2) step += __shfl_xor_sync(mask, step, i);
    step = softplus(step + bias);
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
        y[channel] = (sum + skip * input) * silu(z[channel]);
    }
}

/// out_proj, added to the residual.
extern "C" __global__ void __launch_bounds__(256, 4) token_out(const float* __restrict__ y, const T* __restrict__ w, float* x) {
    extern __shared__ float4 wide[];
    float before = 0.0f;
    matvec<D_INNER>(w, D_MODEL, wide, [&] {
        for (int i = threadIdx.x; i < D_INNER; i += 256) place<D_INNER>(wide, i, y[i]);
    }, [&](int row) { before = x[row]; }, [&](int row, float sum) {
        if (threadIdx.x % 32 == 0) x[row] = before + sum;
    });
}

/// The last norm and the output head.
extern "C" __global__ void __launch_bounds__(256, 4) token_head(const float* __restrict__ x, const float* __restrict__ weight, float eps, const T* __restrict__ w, float* logits) {
    __shared__ float4 vector[D_MODEL / 4];
    matvec<D_MODEL>(w, VOCAB, vector, [&] { normed(x, weight, eps, vector); }, [](int) {}, [&](int row, float sum) {
        if (threadIdx.x % 32 == 0) logits[row] = sum;
    });
}
#endif

// ---------------------------------------------------------------- libraries

/// Rows of stored states against queries. stored [layer][skill][length], f16 or f32; for job j
/// (blockIdx.y): layer jobs[j], query a[j][length], centre c[j][length]. op 0: Σ a x, 1: Σ a (x −
/// c), 2: Σ (x − a)². out [job][skill]. Grid: (skills, jobs).
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

/// A weighted sum of stored states: out[layer][i] = Σ_k weights[k] · stored[layer][picks[k]][i],
/// f32. Grid: (length / 256, layers).
template <class S, class Up>
__device__ __forceinline__ void combine(const S* stored, Up value, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= length) return;
    float sum = 0.0f;
    for (int k = 0; k < count; k++)
        sum += weights[k] * value(stored[((i64)blockIdx.y * skills + picks[k]) * length + i]);
    out[(i64)blockIdx.y * length + i] = sum;
}

extern "C" __global__ void combine_f16(const u16* stored, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    combine(stored, [](u16 v) { return half_up(v); }, picks, weights, count, skills, length, out);
}

extern "C" __global__ void combine_f32(const float* stored, const int* picks, const float* weights, int count, int skills, int length, float* out) {
    combine(stored, [](float v) { return v; }, picks, weights, count, skills, length, out);
}
