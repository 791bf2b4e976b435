"""Writes a checkpoint as a Hugging Face folder: config.json, tokenizer.json and model.safetensors in f16 (A_log, D, norms and the bias of dt in f32).

    python export.py runs/a/final.pt OUT --prepared prepared [--revision REV] [--date YYYY-MM-DD]
"""
import argparse
import datetime
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Config

KEPT_F32 = ("A_log", ".D", "norm.weight", "norm_f.weight", "dt_proj.bias")


def export(checkpoint, out, prepared, revision="", date=""):
    data = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tensors = {n: (t.float() if n.endswith(KEPT_F32) else t.half()).contiguous() for n, t in data["model"].items()}
    meta = {"format": "pt", "name": "state-soup bundled model", "trained": date or datetime.date.today().isoformat(),
            "tokens": str(data["tokens"]), "steps": str(data["step"]), "revision": revision}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "model.safetensors", metadata=meta)
    (out / "config.json").write_text(json.dumps(Config(**data["config"]).hugging_face(), indent=2) + "\n")
    if prepared:
        shutil.copy(Path(prepared) / "tokenizer.json", out / "tokenizer.json")
    return meta, (out / "model.safetensors").stat().st_size


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("checkpoint")
    a.add_argument("out")
    a.add_argument("--prepared", default="prepared")
    a.add_argument("--revision", default="")
    a.add_argument("--date", default="")
    args = a.parse_args()
    print(*export(args.checkpoint, args.out, args.prepared, args.revision, args.date))
