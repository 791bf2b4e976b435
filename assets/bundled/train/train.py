"""Trains the model for a fixed time, on any number of GPUs of one machine or, at a toy size, on the CPU.

    python train.py --prepared prepared --out runs/a --minutes 9
    torchrun --standalone --nproc_per_node 2 train.py --prepared prepared --out runs/a --minutes 22

The learning rate follows the clock: 200 warm-up steps, then a cosine to 1 % at the end of the time, so a run always ends fully annealed. Every
--save-minutes OUT/checkpoint.pt (weights, moments, step, tokens, seconds) is replaced; --resume continues one on the clock of the whole run
(--minutes means the same in every part), --weights starts from a safetensors file. --stop-seconds ends a part early with a checkpoint and
without OUT/done; where only weights are left of a part, --weights with --spent SECONDS goes on with the clock. OUT/log.jsonl gets a line every --log-steps. At the end OUT/final.pt is the checkpoint and OUT/done is written.
"""
import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist

import scan
from loader import Loader
from model import Config, Mamba


def arguments():
    a = argparse.ArgumentParser()
    a.add_argument("--prepared", default="prepared")
    a.add_argument("--out", type=Path, default=Path("runs/a"))
    a.add_argument("--minutes", type=float, default=9)
    a.add_argument("--steps", type=int, default=0, help="stop after this many steps (0: by the clock alone)")
    a.add_argument("--tokens-per-step", type=int, default=131072, help="per GPU")
    a.add_argument("--lr", type=float, default=3e-3)
    a.add_argument("--warmup", type=int, default=200)
    a.add_argument("--weight-decay", type=float, default=0.1)
    a.add_argument("--d-model", type=int, default=256)
    a.add_argument("--layers", type=int, default=12)
    a.add_argument("--workers", type=int, default=0, help="per GPU (0: all cores but two)")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--save-minutes", type=float, default=2)
    a.add_argument("--log-steps", type=int, default=50)
    a.add_argument("--resume", type=Path)
    a.add_argument("--weights", type=Path)
    a.add_argument("--stop-seconds", type=float, default=0, help="end this part after so many seconds of its training, with a checkpoint (0: never)")
    a.add_argument("--spent", type=float, default=0, help="seconds of the run that were trained before --weights was written")
    a.add_argument("--tuning", type=Path, help="kernel shapes found by check_kernels.py")
    return a.parse_args()


def learning_rate(args, step, progress):
    """progress: share of the time that is over."""
    warm = min(1.0, (step + 1) / args.warmup)
    return args.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


class FlatGradients:
    """All gradients in one buffer: one all-reduce, one norm, no list of small kernels."""

    def __init__(self, parameters):
        self.parameters = list(parameters)
        self.buffer = torch.zeros(sum(p.numel() for p in self.parameters), device=self.parameters[0].device)
        at = 0
        for p in self.parameters:
            p.grad = self.buffer[at: at + p.numel()].view_as(p)
            at += p.numel()

    def clip(self, limit):
        """Scales to at most `limit`; a step whose gradient is not finite becomes a step of zero gradient."""
        norm = self.buffer.norm()
        good = torch.isfinite(norm)
        self.buffer.nan_to_num_(0.0, 0.0, 0.0)
        self.buffer.mul_(torch.where(good, (limit / (norm + 1e-6)).clamp(max=1.0), torch.zeros_like(norm)))
        return norm


def save(path, model, optimizer, **facts):
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "config": model.c.asdict(), **facts}, part)
    os.replace(part, path)


def main():
    args = arguments()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    gpu = torch.cuda.device_count() > 0      # does not create a CUDA context: the workers are forked first
    cores = os.cpu_count()
    workers = args.workers or max(1, cores // world - 2)
    loader = Loader(args.prepared, args.tokens_per_step, workers, args.seed + 100 * rank + (int(time.time()) if args.resume else 0))
    device = torch.device("cuda", rank) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if world > 1:
        dist.init_process_group("nccl" if gpu else "gloo")
    if args.tuning and args.tuning.exists():
        scan.TUNING.update(json.loads(args.tuning.read_text()))
    if not gpu:
        torch.set_num_threads(1)             # small steps: more threads wait for each other
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    model = Mamba(Config(d_model=args.d_model, n_layer=args.layers, dt_rank=math.ceil(args.d_model / 16)), torch.bfloat16 if gpu else torch.float32).to(device)
    step, tokens, spent = 0, 0, args.spent
    if args.weights:
        from safetensors.torch import load_file
        model.load_state_dict({k: v.float() for k, v in load_file(args.weights).items()})
    optimizer = torch.optim.AdamW(model.parameter_groups(args.weight_decay), lr=args.lr, betas=(0.9, 0.95), fused=gpu)
    if args.resume:
        old = torch.load(args.resume, map_location=device, weights_only=True)
        model.load_state_dict(old["model"])
        optimizer.load_state_dict(old["optimizer"])
        step, tokens, spent = old["step"], old["tokens"], old["seconds"]
    gradients = FlatGradients(model.parameters())
    args.out.mkdir(parents=True, exist_ok=True)
    log = open(args.out / "log.jsonl", "a") if rank == 0 else None
    count = sum(p.numel() for p in model.parameters())

    def note(**line):
        if log:
            print(json.dumps(line), file=log, flush=True)
            print(json.dumps(line), flush=True)

    note(parameters=count, gpus=world, device=torch.cuda.get_device_name() if gpu else "cpu", workers=workers, tuning=scan.TUNING, args={k: str(v) for k, v in vars(args).items()})
    began = None
    progress, saved, first_step = spent / (args.minutes * 60), time.time(), step
    sums = torch.zeros(6, device=device)     # prose loss, prose tokens, answer loss, answer hits, answer tokens, gradient norm
    window = time.time()
    while progress < 1 and not (args.steps and step >= args.steps):
        batch, weight = loader.next()
        batch = torch.from_numpy(batch).to(device, non_blocking=True).long()
        weight = torch.from_numpy(weight).to(device, non_blocking=True)
        total = weight[:, 1:].sum()
        if world > 1:
            dist.all_reduce(total)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args, step - (first_step if args.weights else 0), progress)
        gradients.buffer.zero_()
        loss, nll, hit = model.loss(batch, weight, total)
        loss.backward()
        if world > 1:
            dist.all_reduce(gradients.buffer)
        norm = gradients.clip(1.0)
        optimizer.step()
        step += 1
        tokens += args.tokens_per_step * world
        with torch.no_grad():
            w = weight[:, 1:]
            prose, answer = (w == 0.5), (w == 1.0)
            sums += torch.stack([(nll * prose).sum(), prose.sum(), (nll * answer).sum(), (hit * answer).sum(), answer.sum(), norm])
        if began is None:                    # kernels are compiled in the first step: the clock starts after it
            if gpu:
                torch.cuda.synchronize()
            began = time.time()
        if step % (8 if gpu else 1) == 0:
            now = torch.tensor(spent + time.time() - began, device=device, dtype=torch.float64)
            if world > 1:
                dist.broadcast(now, 0)       # every process must agree on the rate and on when to stop
            progress = now.item() / (args.minutes * 60)
            if args.stop_seconds and now.item() - spent > args.stop_seconds:
                break
        if step % args.log_steps == 0:
            p, pn, a, ah, an, g = sums.tolist()
            sums.zero_()
            seconds = time.time() - window
            window = time.time()
            note(step=step, tokens=tokens, seconds=round(spent + time.time() - began, 1), prose=round(p / max(pn, 1), 4), answer=round(a / max(an, 1), 4),
                 answer_hit=round(ah / max(an, 1), 4), norm=round(g / args.log_steps, 3), lr=round(optimizer.param_groups[0]["lr"], 6),
                 tokens_per_second=round(args.log_steps * args.tokens_per_step * world / seconds), batches_again=loader.again)
        if rank == 0 and time.time() - saved > args.save_minutes * 60:
            saved = time.time()
            save(args.out / "checkpoint.pt", model, optimizer, step=step, tokens=tokens, seconds=spent + time.time() - began)
    if rank == 0:
        save(args.out / "checkpoint.pt", model, optimizer, step=step, tokens=tokens, seconds=spent + time.time() - (began or time.time()))
        done = progress >= 1 or bool(args.steps)
        if done:
            os.replace(args.out / "checkpoint.pt", args.out / "final.pt")
            (args.out / "done").write_text("done\n")
        note(done=done, step=step, tokens=tokens, progress=round(progress, 4))
    loader.close()
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
