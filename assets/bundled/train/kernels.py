"""Small fused kernels beside the scan: causal convolution + SiLU, residual + RMSNorm, and the loss over the vocabulary.

Each has a plain PyTorch form (CPU, and the reference of check_kernels.py) and a Triton form (GPU).
"""
import torch
import torch.nn.functional as F

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

ROWS = 16   # rows a program of the norm handles
STEPS = 32  # time steps a program of the convolution handles


def conv_silu_reference(x, weight, bias):
    """x [batch, length, channel], weight [channel, 4], bias [channel]: causal depthwise convolution, then SiLU."""
    k = weight.shape[1]
    y = F.conv1d(x.transpose(1, 2), weight.unsqueeze(1).to(x.dtype), bias.to(x.dtype), padding=k - 1, groups=x.shape[2])
    return F.silu(y[..., : x.shape[1]]).transpose(1, 2)


def add_norm_reference(branch, residual, weight, eps):
    """residual' = residual + branch (f32); returns RMSNorm(residual') in branch's type, and residual'."""
    residual = residual + branch.to(residual.dtype)
    y = residual * torch.rsqrt(residual.pow(2).mean(-1, keepdim=True) + eps) * weight
    return y.to(branch.dtype), residual


if triton is not None:

    @triton.jit
    def _conv_fwd(x_p, w_p, b_p, out_p, L, CH, sx_b, sx_t, T: tl.constexpr, BD: tl.constexpr):
        b = tl.program_id(0).to(tl.int64)
        t = tl.program_id(1) * T + tl.arange(0, T)
        d = tl.program_id(2) * BD + tl.arange(0, BD)
        pre = tl.zeros((T, BD), dtype=tl.float32) + tl.load(b_p + d)[None, :]
        for k in tl.static_range(4):
            at = t + (k - 3)
            x = tl.load(x_p + b * sx_b + at[:, None] * sx_t + d[None, :], mask=(at >= 0)[:, None], other=0.0).to(tl.float32)
            pre += x * tl.load(w_p + d * 4 + k)[None, :]
        y = pre * tl.sigmoid(pre)
        tl.store(out_p + b * L * CH + t[:, None] * CH + d[None, :], y.to(out_p.dtype.element_ty))

    @triton.jit
    def _conv_bwd(x_p, w_p, b_p, do_p, dx_p, dw_p, db_p, L, CH, sx_b, sx_t, T: tl.constexpr, BD: tl.constexpr):
        b = tl.program_id(0).to(tl.int64)
        block = tl.program_id(1)
        t = block * T + tl.arange(0, T)
        d = tl.program_id(2) * BD + tl.arange(0, BD)
        bias = tl.load(b_p + d)[None, :]
        dx = tl.zeros((T, BD), dtype=tl.float32)
        part = (b * tl.num_programs(1) + block) * CH
        for j in tl.static_range(4):
            # g: gradient of the pre-activation at step t + j, recomputed; it reaches x_t through weight 3 - j.
            pre = tl.zeros((T, BD), dtype=tl.float32) + bias
            for k in tl.static_range(4):
                at = t + (j + k - 3)
                x = tl.load(x_p + b * sx_b + at[:, None] * sx_t + d[None, :],
                            mask=((at >= 0) & (at < L))[:, None], other=0.0).to(tl.float32)
                pre += x * tl.load(w_p + d * 4 + k)[None, :]
            sig = tl.sigmoid(pre)
            do = tl.load(do_p + b * L * CH + (t + j)[:, None] * CH + d[None, :], mask=(t + j < L)[:, None], other=0.0).to(tl.float32)
            g = do * sig * (1.0 + pre * (1.0 - sig))
            dx += g * tl.load(w_p + d * 4 + (3 - j))[None, :]
            if j == 0:
                tl.store(db_p + part + d, tl.sum(g, axis=0))
                for k in tl.static_range(4):
                    at = t + (k - 3)
                    x = tl.load(x_p + b * sx_b + at[:, None] * sx_t + d[None, :], mask=(at >= 0)[:, None], other=0.0).to(tl.float32)
                    tl.store(dw_p + (part + d) * 4 + k, tl.sum(g * x, axis=0))
        tl.store(dx_p + b * L * CH + t[:, None] * CH + d[None, :], dx.to(dx_p.dtype.element_ty))

    @triton.jit
    def _norm_fwd(br_p, res_p, w_p, y_p, new_p, rstd_p, M, eps, E: tl.constexpr, R: tl.constexpr):
        r = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
        e = tl.arange(0, E)
        at = r[:, None] * E + e[None, :]
        ok = (r < M)[:, None]
        v = tl.load(res_p + at, mask=ok, other=0.0) + tl.load(br_p + at, mask=ok, other=0.0).to(tl.float32)
        rstd = 1.0 / tl.sqrt(tl.sum(v * v, axis=1) / E + eps)
        y = v * rstd[:, None] * tl.load(w_p + e)[None, :]
        tl.store(new_p + at, v, mask=ok)
        tl.store(y_p + at, y.to(y_p.dtype.element_ty), mask=ok)
        tl.store(rstd_p + r, rstd, mask=r < M)

    @triton.jit
    def _norm_bwd(v_p, w_p, rstd_p, dy_p, dnew_p, dv_p, dbr_p, dw_p, M, E: tl.constexpr, R: tl.constexpr):
        r = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
        e = tl.arange(0, E)
        at = r[:, None] * E + e[None, :]
        ok = (r < M)[:, None]
        v = tl.load(v_p + at, mask=ok, other=0.0)
        dy = tl.load(dy_p + at, mask=ok, other=0.0).to(tl.float32)
        rstd = tl.load(rstd_p + r, mask=r < M, other=0.0)
        vhat = v * rstd[:, None]
        g = dy * tl.load(w_p + e)[None, :]
        dv = (g - vhat * (tl.sum(g * vhat, axis=1) / E)[:, None]) * rstd[:, None]
        dv += tl.load(dnew_p + at, mask=ok, other=0.0)
        tl.store(dv_p + at, dv, mask=ok)
        tl.store(dbr_p + at, dv.to(dbr_p.dtype.element_ty), mask=ok)
        tl.store(dw_p + tl.program_id(0) * E + e, tl.sum(dy * vhat, axis=0))

    @triton.jit
    def _loss_rows(logit_p, target_p, scale_p, nll_p, hit_p, V, BV: tl.constexpr):
        """Cross-entropy of one row; the row of logits is replaced by its gradient times the row's scale."""
        row = tl.program_id(0).to(tl.int64)
        v = tl.arange(0, BV)
        ok = v < V
        at = logit_p + row * V + v
        logit = tl.load(at, mask=ok, other=-float("inf")).to(tl.float32)
        target = tl.load(target_p + row)
        top = tl.max(logit, axis=0)
        e = tl.exp(logit - top)
        total = tl.sum(e, axis=0)
        mine = tl.sum(tl.where(v == target, logit, 0.0), axis=0)
        tl.store(nll_p + row, tl.log(total) + top - mine)
        tl.store(hit_p + row, (mine >= top).to(tl.int8))
        grad = (e / total - tl.where(v == target, 1.0, 0.0)) * tl.load(scale_p + row)
        tl.store(at, grad.to(logit_p.dtype.element_ty), mask=ok)


class ConvSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        batch, length, channels = x.shape
        assert length % STEPS == 0 and x.stride(2) == 1 and weight.shape[1] == 4
        weight, bias = weight.contiguous(), bias.contiguous()
        bd = min(64, channels)
        out = torch.empty(batch, length, channels, device=x.device, dtype=x.dtype)
        _conv_fwd[(batch, length // STEPS, channels // bd)](x, weight, bias, out, length, channels, x.stride(0), x.stride(1), T=STEPS, BD=bd)
        ctx.save_for_backward(x, weight, bias)
        return out

    @staticmethod
    def backward(ctx, dout):
        x, weight, bias = ctx.saved_tensors
        batch, length, channels = x.shape
        dout = dout.contiguous()
        blocks = length // STEPS
        bd = min(64, channels)
        dx = torch.empty(batch, length, channels, device=x.device, dtype=x.dtype)
        dw = torch.empty(batch * blocks, channels, 4, device=x.device, dtype=torch.float32)
        db = torch.empty(batch * blocks, channels, device=x.device, dtype=torch.float32)
        _conv_bwd[(batch, blocks, channels // bd)](x, weight, bias, dout, dx, dw, db, length, channels, x.stride(0), x.stride(1), T=STEPS, BD=bd)
        return dx, dw.sum(0), db.sum(0)


class AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, branch, residual, weight, eps):
        shape = branch.shape
        e = shape[-1]
        branch, residual = branch.contiguous().view(-1, e), residual.contiguous().view(-1, e)
        m = branch.shape[0]
        y, new = torch.empty_like(branch), torch.empty_like(residual)
        rstd = torch.empty(m, device=branch.device, dtype=torch.float32)
        _norm_fwd[(triton.cdiv(m, ROWS),)](branch, residual, weight, y, new, rstd, m, eps, E=e, R=ROWS)
        ctx.save_for_backward(new, weight, rstd)
        ctx.branch_type = branch.dtype
        return y.view(shape), new.view(shape)

    @staticmethod
    def backward(ctx, dy, dnew):
        new, weight, rstd = ctx.saved_tensors
        shape = dy.shape
        m, e = new.shape
        programs = triton.cdiv(m, ROWS)
        dv = torch.empty_like(new)
        dbranch = torch.empty(m, e, device=new.device, dtype=ctx.branch_type)
        dw = torch.empty(programs, e, device=new.device, dtype=torch.float32)
        _norm_bwd[(programs,)](new, weight, rstd, dy.contiguous(), dnew.contiguous(), dv, dbranch, dw, m, E=e, R=ROWS)
        return dbranch.view(shape), dv.view(shape), dw.sum(0), None


class VocabularyLoss(torch.autograd.Function):
    """Weighted cross-entropy of a tied output layer, in slices of rows so that the logits are never kept.

    hidden [rows, width], embedding [vocabulary, width] (same type), target [rows], scale [rows] f32 (weight over total weight).
    Returns the scalar loss, the loss of every row (no gradient) and whether the target was the best guess.
    """
    SLICE = 16384

    @staticmethod
    def forward(ctx, hidden, embedding, target, scale):
        rows, vocabulary = hidden.shape[0], embedding.shape[0]
        nll = torch.empty(rows, device=hidden.device, dtype=torch.float32)
        hit = torch.empty(rows, device=hidden.device, dtype=torch.int8)
        dhidden = torch.empty_like(hidden)
        dembedding = torch.zeros(embedding.shape, device=hidden.device, dtype=torch.float32)
        for at in range(0, rows, VocabularyLoss.SLICE):
            part = slice(at, min(at + VocabularyLoss.SLICE, rows))
            h = hidden[part]
            logits = h @ embedding.t()
            _loss_rows[(h.shape[0],)](logits, target[part], scale[part], nll[part], hit[part], vocabulary,
                                      BV=triton.next_power_of_2(vocabulary), num_warps=8)
            dhidden[part] = logits @ embedding
            dembedding += (logits.t() @ h).float()
        ctx.save_for_backward(dhidden, dembedding)
        ctx.mark_non_differentiable(nll, hit)
        return (nll * scale).sum(), nll, hit

    @staticmethod
    def backward(ctx, dloss, *_):
        dhidden, dembedding = ctx.saved_tensors
        return dhidden * dloss, dembedding * dloss, None, None


def vocabulary_loss_reference(hidden, embedding, target, scale):
    logits = (hidden @ embedding.t()).float()
    nll = F.cross_entropy(logits, target, reduction="none")
    return (nll * scale).sum(), nll.detach(), (logits.argmax(-1) == target).to(torch.int8)


def conv_silu(x, weight, bias):
    return ConvSilu.apply(x, weight, bias) if x.is_cuda else conv_silu_reference(x, weight, bias)


def add_norm(branch, residual, weight, eps):
    return AddNorm.apply(branch, residual, weight, eps) if branch.is_cuda else add_norm_reference(branch, residual, weight, eps)


def vocabulary_loss(hidden, embedding, target, scale):
    if hidden.is_cuda:
        return VocabularyLoss.apply(hidden, embedding, target, scale)
    return vocabulary_loss_reference(hidden, embedding, target, scale)
