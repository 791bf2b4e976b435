"""The whole pipeline at a toy size on the CPU, in a few minutes: prepare, a few steps, resume, evaluate, export, load in transformers.

    python smoke.py --data DATA [--prose UNPACKED]
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# The warm-up is long, so that the rate of the second part shows whether it began again.
TOY = ["--tokens-per-step", "2048", "--d-model", "64", "--layers", "2", "--workers", "1", "--log-steps", "1", "--minutes", "30", "--warmup", "2000"]


def call(*args):
    print("$", *args, flush=True)
    subprocess.run([sys.executable, *map(str, args)], cwd=HERE, check=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, required=True)
    a.add_argument("--prose", type=Path)
    args = a.parse_args()
    out = HERE / "smoke"
    prepared = out / "prepared"
    call("rules.py", args.data)
    call("prepare.py", "--data", args.data, "--out", prepared, "--small", *(["--prose", args.prose] if args.prose else []))
    call("unseen.py", "--check", "--prepared", prepared, "--episodes", 20000)
    call("loader.py", prepared)
    for f in ("run/log.jsonl", "run/done", "run/checkpoint.pt"):
        (out / f).unlink(missing_ok=True)
    # A run in two parts: the first stops by the clock and leaves a checkpoint, the second carries clock and rate on.
    call("train.py", "--prepared", prepared, "--out", out / "run", "--stop-seconds", 2, *TOY)
    assert not (out / "run/done").exists()
    first = [json.loads(l) for l in open(out / "run/log.jsonl")]
    call("train.py", "--prepared", prepared, "--out", out / "run", "--steps", first[-1]["step"] + 4, "--resume", out / "run/checkpoint.pt", *TOY)
    both = [l for l in (json.loads(l) for l in open(out / "run/log.jsonl")) if "lr" in l]
    parts = [[l for l in both if l["step"] <= first[-1]["step"]], [l for l in both if l["step"] > first[-1]["step"]]]
    print("end of the first part, begin of the second:", parts[0][-1], parts[1][0])
    assert parts[1][0]["seconds"] >= parts[0][-1]["seconds"] and parts[1][0]["tokens"] > parts[0][-1]["tokens"]
    assert parts[1][0]["lr"] >= parts[0][-1]["lr"] > 0, "the warm-up began again"
    call("export.py", out / "run/final.pt", out / "model", "--prepared", prepared, "--revision", "smoke")
    call("evaluate.py", "--weights", out / "model", "--prepared", prepared, "--out", out / "eval.json", "--queries", 1, "--windows", 1, "--families-only",
         *(["--everyday", args.data / "everyday.tsv"] if (args.data / "everyday.tsv").exists() else []))

    import torch
    from tokenizers import Tokenizer
    from transformers import MambaForCausalLM
    sys.path.insert(0, str(HERE))
    from evaluate import load
    ours = load(out / "model", torch.device("cpu"))
    theirs = MambaForCausalLM.from_pretrained(out / "model", dtype=torch.float32).eval()
    ids = Tokenizer.from_file(str(out / "model/tokenizer.json")).encode("France -> Paris\nItaly ->").ids
    with torch.no_grad():
        tokens = torch.tensor([[0] + ids])
        difference = (ours.logits(tokens) - theirs(tokens).logits).abs().max().item()
    print("largest difference of logits from transformers:", difference)
    assert difference < 1e-4
    # A start from exported weights, on a clock that has run.
    call("train.py", "--prepared", prepared, "--out", out / "again", "--steps", 2, "--weights", out / "model/model.safetensors", "--spent", 60, *TOY)
    print("smoke test passed")


if __name__ == "__main__":
    main()
