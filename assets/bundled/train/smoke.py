"""The whole pipeline at a toy size on the CPU, in a few minutes: prepare, a few steps, resume, evaluate, export, load in transformers.

    python smoke.py --data DATA [--prose UNPACKED]
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TOY = ["--tokens-per-step", "2048", "--d-model", "64", "--layers", "2", "--workers", "1", "--log-steps", "2", "--minutes", "30"]


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
    call("loader.py", prepared)
    call("train.py", "--prepared", prepared, "--out", out / "run", "--steps", 4, *TOY)
    call("train.py", "--prepared", prepared, "--out", out / "run", "--steps", 8, "--resume", out / "run/final.pt", *TOY)
    call("export.py", out / "run/final.pt", out / "model", "--prepared", prepared, "--revision", "smoke")
    call("evaluate.py", "--weights", out / "model", "--prepared", prepared, "--out", out / "eval.json", "--queries", 1, "--windows", 1, "--families-only")

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
    lines = [json.loads(l) for l in open(out / "run/log.jsonl")]
    assert any(l.get("step") == 8 for l in lines)
    print("smoke test passed")


if __name__ == "__main__":
    main()
