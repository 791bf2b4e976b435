"""The selective scan of Mamba-1, with softplus(dt + bias), the skip D and the SiLU(z) gate fused in.

    delta = softplus(dt + dt_bias)
    h_t   = exp(delta_t * A) * h_{t-1} + delta_t * x_t * B_t          (h_0 = 0)
    out_t = (sum_n C_t[n] h_t[n] + D x_t) * silu(z_t)

Shapes: x, dt, z, out [batch, length, channel]; B, C [batch, length, N]; A [channel, N]; dt_bias, D [channel].
The recurrence runs in f32 whatever the type of its inputs.

GPU: one Triton program follows BD channels through the whole sequence. Forward saves the state that enters each segment of 16
steps; backward walks the segments from the end, recomputes inside each one (four steps at a time stay in registers) and
never needs the whole trajectory. CPU: a plain PyTorch loop, differentiated by autograd, which is also the reference of the test.
"""
import torch
import torch.nn.functional as F

try:
    import triton
    import triton.language as tl
except ImportError:  # a CPU-only machine
    triton = None

SEGMENT = 16
LOG2_E = 1.4426950408889634
# What the check on the device may tune: channels a program follows, warps a program has, registers a thread may use. With 32
# channels a warp each lane owns one channel and its 16 states, so sums over the states stay inside a lane.
TUNING = {"BD_F": 32, "WARPS_F": 1, "REGS_F": None, "BD_B": 32, "WARPS_B": 1, "REGS_B": None}


def scan_reference(x, dt, A, B, C, D, z, dt_bias):
    """The definition, step by step, in the widest type of its inputs (f32 at least)."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    kept = x.dtype
    x, dt, A, B, C, D, z, dt_bias = (t.to(wide) for t in (x, dt, A, B, C, D, z, dt_bias))
    delta = F.softplus(dt + dt_bias)
    decay = torch.exp(delta.unsqueeze(-1) * A)                      # [b, l, d, n]
    drive = (delta * x).unsqueeze(-1) * B.unsqueeze(2)              # [b, l, d, n]
    h = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    ys = []
    for t in range(x.shape[1]):
        h = decay[:, t] * h + drive[:, t]
        ys.append((h * C[:, t, None, :]).sum(-1))
    y = torch.stack(ys, 1) + D * x
    return (y * F.silu(z)).to(kept)


if triton is not None:

    LN2 = tl.constexpr(0.6931471805599453)

    @triton.jit
    def _softplus(v):
        return tl.where(v > 20.0, v, tl.log(1.0 + tl.exp(tl.minimum(v, 20.0))))

    @triton.jit
    def _forward(x_p, dt_p, z_p, b_p, c_p, a_p, d_p, bias_p, out_p, ck_p,
                 L, CH, sx_b, sx_t, sdt_b, sdt_t, sz_b, sz_t, sb_b, sb_t, sc_b, sc_t,
                 N: tl.constexpr, BD: tl.constexpr, SEG: tl.constexpr):
        b = tl.program_id(0).to(tl.int64)
        d = tl.program_id(1) * BD + tl.arange(0, BD)
        n = tl.arange(0, N)
        a = tl.load(a_p + n[:, None] * CH + d[None, :])
        skip = tl.load(d_p + d)
        bias = tl.load(bias_p + d)
        x_p += b * sx_b
        dt_p += b * sdt_b
        z_p += b * sz_b
        bn = b_p + b * sb_b + n
        cn = c_p + b * sc_b + n
        out_p += b * L * CH
        ck_p += b * (L // SEG) * N * CH
        ck = n[:, None] * CH + d[None, :]
        h = tl.zeros((N, BD), dtype=tl.float32)
        for s in range(0, L // SEG):
            tl.store(ck_p + s * N * CH + ck, h)
            for i in range(0, SEG):
                t = s * SEG + i
                x = tl.load(x_p + t * sx_t + d).to(tl.float32)
                delta = _softplus(tl.load(dt_p + t * sdt_t + d).to(tl.float32) + bias)
                z = tl.load(z_p + t * sz_t + d).to(tl.float32)
                bt = tl.load(bn + t * sb_t).to(tl.float32)[:, None]
                ct = tl.load(cn + t * sc_t).to(tl.float32)[:, None]
                h = tl.exp2(delta[None, :] * a) * h + (delta * x)[None, :] * bt
                y = tl.sum(h * ct, axis=0) + skip * x
                y = y * z * tl.sigmoid(z)
                tl.store(out_p + t * CH + d, y.to(out_p.dtype.element_ty))

    @triton.jit
    def _advance(h, t, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d):
        x = tl.load(x_p + t * sx_t + d).to(tl.float32)
        delta = _softplus(tl.load(dt_p + t * sdt_t + d).to(tl.float32) + bias)
        bt = tl.load(bn + t * sb_t).to(tl.float32)[:, None]
        return tl.exp2(delta[None, :] * a) * h + (delta * x)[None, :] * bt

    @triton.jit
    def _retreat(before, after, dh, da, dskip, dbias, t, x_p, dt_p, z_p, do_p, bn, cn,
                 sx_t, sdt_t, sz_t, sb_t, sc_t, a, skip, bias, d, n,
                 dx_p, ddt_p, dz_p, sdz_t, db_p, dc_p, CH, PARTS, part, N: tl.constexpr):
        """One step of the backward pass. dh: gradient of the state after t that comes from later steps."""
        x = tl.load(x_p + t * sx_t + d).to(tl.float32)
        raw = tl.load(dt_p + t * sdt_t + d).to(tl.float32) + bias
        delta = _softplus(raw)
        z = tl.load(z_p + t * sz_t + d).to(tl.float32)
        do = tl.load(do_p + t * CH + d).to(tl.float32)
        bt = tl.load(bn + t * sb_t).to(tl.float32)[:, None]
        ct = tl.load(cn + t * sc_t).to(tl.float32)[:, None]
        sig = tl.sigmoid(z)
        y = tl.sum(after * ct, axis=0) + skip * x
        tl.store(dz_p + t * sdz_t + d, (do * y * sig * (1.0 + z * (1.0 - sig))).to(dz_p.dtype.element_ty))
        dy = do * z * sig
        dskip += dy * x
        dc = tl.sum(after * dy[None, :], axis=1)
        tl.store(dc_p + (t * PARTS + part) * N + n, dc)
        dh = dh + dy[None, :] * ct
        db = tl.sum(dh * (delta * x)[None, :], axis=1)
        tl.store(db_p + (t * PARTS + part) * N + n, db)
        u = tl.sum(dh * bt, axis=0)                       # gradient of delta * x
        decay = tl.exp2(delta[None, :] * a)
        w = dh * before * decay                           # gradient of delta * a
        tl.store(dx_p + t * CH + d, (u * delta + dy * skip).to(dx_p.dtype.element_ty))
        ddelta = u * x + LN2 * tl.sum(w * a, axis=0)
        draw = ddelta * tl.sigmoid(raw)
        dbias += draw
        tl.store(ddt_p + t * CH + d, draw.to(ddt_p.dtype.element_ty))
        da += w * delta[None, :]
        return dh * decay, da, dskip, dbias

    @triton.jit
    def _backward(x_p, dt_p, z_p, b_p, c_p, a_p, d_p, bias_p, do_p, ck_p,
                  dx_p, ddt_p, dz_p, db_p, dc_p, da_p, dd_p, dbias_p,
                  L, CH, PARTS, sx_b, sx_t, sdt_b, sdt_t, sz_b, sz_t, sb_b, sb_t, sc_b, sc_t, sdz_b, sdz_t,
                  N: tl.constexpr, BD: tl.constexpr, SEG: tl.constexpr):
        b = tl.program_id(0).to(tl.int64)
        part = tl.program_id(1)
        d = part * BD + tl.arange(0, BD)
        n = tl.arange(0, N)
        a = tl.load(a_p + n[:, None] * CH + d[None, :])
        skip = tl.load(d_p + d)
        bias = tl.load(bias_p + d)
        x_p += b * sx_b
        dt_p += b * sdt_b
        z_p += b * sz_b
        bn = b_p + b * sb_b + n
        cn = c_p + b * sc_b + n
        do_p += b * L * CH
        dx_p += b * L * CH
        ddt_p += b * L * CH
        dz_p += b * sdz_b
        db_p += b * L * PARTS * N
        dc_p += b * L * PARTS * N
        ck_p += b * (L // SEG) * N * CH
        ck = n[:, None] * CH + d[None, :]
        dh = tl.zeros((N, BD), dtype=tl.float32)
        da = tl.zeros((N, BD), dtype=tl.float32)
        dskip = tl.zeros((BD,), dtype=tl.float32)
        dbias = tl.zeros((BD,), dtype=tl.float32)
        for k in range(0, L // SEG):
            s = L // SEG - 1 - k
            start = tl.load(ck_p + s * N * CH + ck)
            for r in range(0, SEG // 4):
                q = SEG // 4 - 1 - r
                t = s * SEG
                h0 = start
                for i in range(0, q * 4):
                    h0 = _advance(h0, t + i, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d)
                t += q * 4
                h1 = _advance(h0, t, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d)
                h2 = _advance(h1, t + 1, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d)
                h3 = _advance(h2, t + 2, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d)
                h4 = _advance(h3, t + 3, x_p, dt_p, bn, sx_t, sdt_t, sb_t, a, bias, d)
                dh, da, dskip, dbias = _retreat(h3, h4, dh, da, dskip, dbias, t + 3, x_p, dt_p, z_p, do_p, bn, cn,
                                                sx_t, sdt_t, sz_t, sb_t, sc_t, a, skip, bias, d, n,
                                                dx_p, ddt_p, dz_p, sdz_t, db_p, dc_p, CH, PARTS, part, N)
                dh, da, dskip, dbias = _retreat(h2, h3, dh, da, dskip, dbias, t + 2, x_p, dt_p, z_p, do_p, bn, cn,
                                                sx_t, sdt_t, sz_t, sb_t, sc_t, a, skip, bias, d, n,
                                                dx_p, ddt_p, dz_p, sdz_t, db_p, dc_p, CH, PARTS, part, N)
                dh, da, dskip, dbias = _retreat(h1, h2, dh, da, dskip, dbias, t + 1, x_p, dt_p, z_p, do_p, bn, cn,
                                                sx_t, sdt_t, sz_t, sb_t, sc_t, a, skip, bias, d, n,
                                                dx_p, ddt_p, dz_p, sdz_t, db_p, dc_p, CH, PARTS, part, N)
                dh, da, dskip, dbias = _retreat(h0, h1, dh, da, dskip, dbias, t, x_p, dt_p, z_p, do_p, bn, cn,
                                                sx_t, sdt_t, sz_t, sb_t, sc_t, a, skip, bias, d, n,
                                                dx_p, ddt_p, dz_p, sdz_t, db_p, dc_p, CH, PARTS, part, N)
        tl.store(da_p + b * CH * N + ck, da)
        tl.store(dd_p + b * CH + d, dskip)
        tl.store(dbias_p + b * CH + d, dbias)


class SelectiveScan(torch.autograd.Function):
    """z may be a strided view (half of in_proj's output); its gradient comes back packed."""

    @staticmethod
    def forward(ctx, x, dt, A, B, C, D, z, dt_bias):
        batch, length, channels = x.shape
        n = A.shape[1]
        assert length % SEGMENT == 0 and x.stride(2) == dt.stride(2) == z.stride(2) == B.stride(2) == C.stride(2) == 1
        # The kernels read A as [N, channel] and use powers of two.
        A, D, dt_bias = (A.t() * LOG2_E).contiguous(), D.contiguous(), dt_bias.contiguous()
        out = torch.empty(batch, length, channels, device=x.device, dtype=x.dtype)
        ck = torch.empty(batch, length // SEGMENT, n, channels, device=x.device, dtype=torch.float32)
        bd = TUNING["BD_F"]
        assert channels % bd == 0
        _forward[(batch, channels // bd)](
            x, dt, z, B, C, A, D, dt_bias, out, ck, length, channels,
            x.stride(0), x.stride(1), dt.stride(0), dt.stride(1), z.stride(0), z.stride(1),
            B.stride(0), B.stride(1), C.stride(0), C.stride(1), N=n, BD=bd, SEG=SEGMENT, num_warps=TUNING["WARPS_F"],
            maxnreg=TUNING["REGS_F"])
        ctx.save_for_backward(x, dt, A, B, C, D, z, dt_bias, ck)
        return out

    @staticmethod
    def backward(ctx, dout):
        x, dt, A, B, C, D, z, dt_bias, ck = ctx.saved_tensors
        batch, length, channels = x.shape
        n = A.shape[0]
        bd = TUNING["BD_B"]
        parts = channels // bd
        dout = dout.contiguous()
        f32 = dict(device=x.device, dtype=torch.float32)
        dx, ddt, dz = (torch.empty(batch, length, channels, device=x.device, dtype=x.dtype) for _ in range(3))
        db, dc = (torch.empty(batch, length, parts, n, **f32) for _ in range(2))
        da = torch.empty(batch, n, channels, **f32)
        dd, dbias = (torch.empty(batch, channels, **f32) for _ in range(2))
        _backward[(batch, parts)](
            x, dt, z, B, C, A, D, dt_bias, dout, ck, dx, ddt, dz, db, dc, da, dd, dbias, length, channels, parts,
            x.stride(0), x.stride(1), dt.stride(0), dt.stride(1), z.stride(0), z.stride(1),
            B.stride(0), B.stride(1), C.stride(0), C.stride(1), dz.stride(0), dz.stride(1),
            N=n, BD=bd, SEG=SEGMENT, num_warps=TUNING["WARPS_B"], maxnreg=TUNING["REGS_B"])
        return (dx, ddt, da.sum(0).t(), db.sum(2).to(B.dtype), dc.sum(2).to(C.dtype), dd.sum(0), dz, dbias.sum(0))


def scan_in_place(x, dt, A, B, C, D, z, dt_bias):
    """The definition for evaluation on a CPU: one state, updated in place, so that nothing of size length × channel × N is made."""
    delta = F.softplus(dt + dt_bias)
    drive = delta * x
    h = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    decay, y = torch.empty_like(h), torch.empty_like(x)
    for t in range(x.shape[1]):
        torch.mul(delta[:, t, :, None], A, out=decay)
        h.mul_(decay.exp_()).addcmul_(drive[:, t, :, None], B[:, t, None, :])
        y[:, t] = torch.matmul(h, C[:, t, :, None]).squeeze(-1)
    return (y + D * x) * F.silu(z)


def selective_scan(x, dt, A, B, C, D, z, dt_bias):
    """Chooses the kernel on a GPU, and elsewhere the reference where gradients are wanted."""
    if x.is_cuda:
        return SelectiveScan.apply(x, dt, A, B, C, D, z, dt_bias)
    if not torch.is_grad_enabled() and x.dtype == torch.float32:
        return scan_in_place(x, dt, A, B, C, D, z, dt_bias)
    return scan_reference(x, dt, A, B, C, D, z, dt_bias)
