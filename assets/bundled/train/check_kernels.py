"""Do the GPU kernels compute what the plain PyTorch forms compute? Values and every gradient, on fresh random inputs.

    python check_kernels.py              # on a GPU; exits with 1 on a mismatch
    TRITON_INTERPRET=1 python check_kernels.py   # the same kernels interpreted on the CPU, tiny shapes
"""
import os
import sys

import torch

import kernels
import scan

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"


def distance(got, want):
    want = want.double()
    return ((got.double() - want).norm() / (want.norm() + 1e-30)).item()


def compare(name, fast, slow, inputs, limit):
    """fast(*inputs) against slow(*inputs in f64). The gradient is that of a random weighting of all outputs."""
    a = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in inputs]
    b = [t.detach().double().requires_grad_(True) if t.is_floating_point() else t for t in inputs]
    got, want = fast(*a), slow(*b)
    got, want = ([o] if torch.is_tensor(o) else list(o) for o in (got, want))
    worst = {f"out{i}": distance(g, w) for i, (g, w) in enumerate(zip(got, want)) if g.is_floating_point()}
    pairs = [(g, w) for g, w in zip(got, want) if g.requires_grad]
    weights = [torch.randn(g.shape, device=g.device, dtype=torch.float64) for g, _ in pairs]
    sum((g.double() * r).sum() for (g, _), r in zip(pairs, weights)).backward()
    sum((w.double() * r).sum() for (_, w), r in zip(pairs, weights)).backward()
    worst |= {f"grad{i}": distance(x.grad, y.grad) for i, (x, y) in enumerate(zip(a, b)) if x.is_floating_point() and x.grad is not None}
    ok = all(v == v and v < limit for v in worst.values())
    print(f"{'ok  ' if ok else 'FAIL'} {name} (limit {limit:g}): " + " ".join(f"{k}={v:.1e}" for k, v in worst.items()), flush=True)
    return ok


def scan_inputs(batch, length, channels, n, dtype):
    def r(*s):
        return torch.randn(*s, device=DEVICE)
    xz = r(batch, length, 2 * channels).to(dtype)
    bc = r(batch, length, 16 + 2 * n).to(dtype)
    A = -torch.exp(torch.rand(channels, n, device=DEVICE) * 2)
    return [r(batch, length, channels).to(dtype), (r(batch, length, channels)).to(dtype), A, bc[..., 16:16 + n], bc[..., 16 + n:],
            r(channels), xz[..., channels:], r(channels) - 2]


def check():
    torch.manual_seed(0)
    small = INTERPRETED
    types = [(torch.float32, 1e-4)] + ([] if small else [(torch.bfloat16, 2e-2)])
    ok = True
    for dtype, limit in types:
        shape = (2, 32, 64, 16) if small else (3, 272, 512, 16)
        args = scan_inputs(*shape, dtype)
        ok &= compare(f"scan {dtype}", scan.SelectiveScan.apply, lambda x, *rest: scan.scan_reference(x, *rest), args, limit)
        x = torch.randn(2, 64, 256 if small else 1024, device=DEVICE).to(dtype)[..., : 128 if small else 512]
        w, b = torch.randn(x.shape[2], 4, device=DEVICE), torch.randn(x.shape[2], device=DEVICE)
        ok &= compare(f"conv {dtype}", kernels.ConvSilu.apply, kernels.conv_silu_reference, [x, w, b], limit)
        width = 64 if small else 256
        branch, residual = torch.randn(2, 37, width, device=DEVICE).to(dtype), torch.randn(2, 37, width, device=DEVICE)
        ok &= compare(f"norm {dtype}", lambda *t: kernels.AddNorm.apply(*t, 1e-5), lambda *t: kernels.add_norm_reference(*t, 1e-5),
                      [branch, residual, torch.randn(width, device=DEVICE)], limit)
        rows, vocabulary = (24, 96) if small else (512, 8192)
        hidden, table = torch.randn(rows, width, device=DEVICE).to(dtype) / 16, torch.randn(vocabulary, width, device=DEVICE).to(dtype)
        target, scale = torch.randint(vocabulary, (rows,), device=DEVICE), torch.rand(rows, device=DEVICE)
        scale /= scale.sum()
        ok &= compare(f"loss {dtype}", lambda *t: kernels.VocabularyLoss.apply(*t)[:2], lambda *t: kernels.vocabulary_loss_reference(*t)[:2],
                      [hidden, table, target, scale.requires_grad_(False)], limit)
    return ok


def tune():
    """Times a few shapes of the scan's programs on the device and keeps the fastest."""
    import triton
    args = [t.requires_grad_(True) for t in scan_inputs(128, 512, 512, 16, torch.bfloat16)]
    out = {}
    for key, what in (("F", "forward"), ("B", "backward")):
        times = {}
        for bd, warps, regs in ((32, 1, None), (64, 2, None)) + (((32, 1, 128), (32, 1, 168), (64, 2, 168)) if key == "B" else ()):
            scan.TUNING.update({f"BD_{key}": bd, f"WARPS_{key}": warps, f"REGS_{key}": regs})
            if key == "F":
                run = lambda: scan.SelectiveScan.apply(*args)
            else:
                y = scan.SelectiveScan.apply(*args)
                g = torch.randn_like(y)
                run = lambda: torch.autograd.grad(y, args, g, retain_graph=True)
            try:
                times[bd, warps, regs] = triton.testing.do_bench(run, warmup=30, rep=120)
            except Exception as e:  # a shape that does not fit is simply not chosen
                print("skipped", bd, warps, regs, repr(e)[:100])
        bd, warps, regs = min(times, key=times.get)
        scan.TUNING.update({f"BD_{key}": bd, f"WARPS_{key}": warps, f"REGS_{key}": regs})
        out[what] = {"ms": {"x".join(map(str, k)): round(v, 3) for k, v in times.items()}, "best": [bd, warps, regs]}
        print(what, out[what], flush=True)
    return out


if __name__ == "__main__":
    if not check():
        sys.exit(1)
    if not INTERPRETED:
        import json
        tune()
        if len(sys.argv) > 1:
            json.dump(scan.TUNING, open(sys.argv[1], "w"))
