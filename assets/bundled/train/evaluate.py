"""Exact match by number of examples and kind of novelty, and prose loss by position.

    python evaluate.py --weights DIR_OR_CHECKPOINT --prepared prepared --out eval.json [--queries 32]

A greedy continuation equals the answer exactly when every answer token, the line end included, is the best guess after the true
tokens before it; so one forward pass over prompt + answer decides it. Groups:

    trained      every trained task; examples and query from training pairs (rules: fresh inputs of the training side)
    held pairs   knowledge tasks; query from the 10 % of pairs that training never showed
    held words   rules; query holds words or numbers that no rule episode ever showed
    held tasks   whole tasks never trained, beside the best constant guess
    families     tasks that exist for one episode (families.py)
    unseen       the whole tasks of unseen/, never trained in any form, together and by family
    everyday     queries as people type them (assets/everyday.tsv and --everyday FILE), the query alone, greedy, among the accepted answers

Each number is a mean over tasks; `se` is the standard error over tasks (over queries for families).
"""
import argparse
import collections
import json
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch

import heldout
import prose
import unseen
from episodes import TEMPLATES
from families import FAMILIES
from loader import encoder, read, world
from model import Config, Mamba

HERE = Path(__file__).parent
SHOTS = (0, 1, 2, 4, 8, 16, 32)
BUCKETS = (0, 64, 128, 256, 512, 1024, 2048)


def load(path, device):
    """A folder with config.json and model.safetensors, its model.safetensors, or a checkpoint of train.py."""
    path = Path(path)
    path = path.parent if path.suffix == ".safetensors" else path
    compute = torch.bfloat16 if device.type == "cuda" else torch.float32
    if path.is_dir():
        from safetensors.torch import load_file
        c = json.loads((path / "config.json").read_text())
        config = Config(c["vocab_size"], c["hidden_size"], c["num_hidden_layers"], c["state_size"], c["conv_kernel"], c["time_step_rank"], c["layer_norm_epsilon"])
        weights = {k: v.float() for k, v in load_file(path / "model.safetensors").items()}
    else:
        data = torch.load(path, map_location="cpu", weights_only=True)
        config, weights = Config(**data["config"]), data["model"]
    model = Mamba(config, compute)
    model.load_state_dict(weights)
    return model.to(device).eval()


class Prompts:
    """Collects prompts; each is (key, tokens, number of answer tokens at its end)."""

    def __init__(self, enc, template):
        self.enc, self.template, self.rows = enc, template, []

    def add(self, key, examples, query):
        tokens, n = self.enc.prompt(self.template, examples, query)
        if self.template[3] == "\n\n":      # the answer ends with its first line break, as in the product
            tokens, n = tokens[:-1] + self.enc.text("\n"), n
        self.rows.append((key, tokens, n))

    @torch.no_grad()
    def run(self, model, device, budget):
        """Returns key -> [hits, count]. Rows are padded at the end, which a causal model does not notice."""
        out = collections.defaultdict(lambda: [0, 0])
        self.rows.sort(key=lambda r: len(r[1]))
        at = 0
        table = model.backbone.embeddings.weight.to(model.compute)
        while at < len(self.rows):
            size = 1
            def width(n):
                return -(-len(self.rows[min(at + n, len(self.rows)) - 1][1]) // 32) * 32
            while at + size < len(self.rows) and width(size + 1) * (size + 1) <= budget:
                size += 1
            part = self.rows[at: at + size]
            tokens = np.zeros((size, width(size)), np.int64)
            for i, (_, t, _) in enumerate(part):
                tokens[i, : len(t)] = t
            h = model.hidden(torch.from_numpy(tokens).to(device))
            row = [i for i, (_, _, n) in enumerate(part) for _ in range(n)]
            col = [len(t) - n - 1 + j for _, t, n in part for j in range(n)]
            want = torch.tensor([t[len(t) - n + j] for _, t, n in part for j in range(n)])
            hits = []
            for s in range(0, len(row), 16384):
                hits.append((h[row[s: s + 16384], col[s: s + 16384]] @ table.t()).float().argmax(-1).cpu() == want[s: s + 16384])
            hits = torch.cat(hits).tolist()
            i = 0
            for key, _, n in part:
                out[key][0] += all(hits[i: i + n])
                out[key][1] += 1
                i += n
            at += size
        return out


def knowledge_draw(pairs, queries, rng):
    """Yields (query, examples(k)) with the query's input never among the examples."""
    for q in (rng.sample(queries, len(queries)) * 64)[:64]:
        yield q, lambda k, q=q: [p for p in rng.sample(pairs, min(len(pairs), k + 2)) if p[0] != q[0]][:k]


def collect_unseen(prompts, queries):
    """The held-out tasks of unseen/: other pairs than in any of the examples."""
    tasks = unseen.read()
    for name, (_, pairs) in tasks.items():
        rng = random.Random(name)
        for _ in range(queries):
            chosen = rng.sample(pairs, max(SHOTS) + 1)
            for k in SHOTS:
                prompts.add(("unseen", name, k), chosen[:k], chosen[-1])
    return {n: f for n, (f, _) in tasks.items()}


def read_everyday(path):
    """[(examples, query's input, accepted answers)]; queries are parsed as the product parses them: whatever blanks are around `->`."""
    out = []
    for line in Path(path).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        text, accepted = line.split("\t")[:2]
        pairs = [[c.strip() for c in row.split("->", 1)] for row in text.split("\\n")]
        out.append(([tuple(p) for p in pairs[:-1]], pairs[-1][0], accepted.split("|")))
    return out


def everyday(path, model, device, enc, budget):
    """Share of right answers: any accepted answer is the greedy one. Each accepted answer is a row of its own."""
    prompts = Prompts(enc, TEMPLATES[0])
    queries = read_everyday(path)
    for i, (examples, x, accepted) in enumerate(queries):
        for answer in accepted:
            prompts.add((i, len(examples)), examples, (x, answer))
    right = {key: hits > 0 for key, (hits, _) in prompts.run(model, device, budget).items()}
    by_count = collections.defaultdict(list)
    for (_, n), r in right.items():
        by_count[n].append(r)
    p = sum(right.values()) / len(right)
    return {"right": sum(right.values()), "of": len(right), "share": round(p, 4), "se": round((p * (1 - p) / len(right)) ** 0.5, 4),
            "by_examples": {n: [sum(v), len(v)] for n, v in sorted(by_count.items())}, "wrong": [i + 1 for (i, _), r in sorted(right.items()) if not r]}


def collect(data, prompts, queries, rng, families_only=False):
    """Adds every prompt; returns the answers asked for in each held task, for the best constant guess."""
    train, held = world(data, "train", True), world(data, "held", True)
    asked = collections.defaultdict(list)

    def add(group, name, query, examples):
        pool = examples(max(SHOTS))
        for k in SHOTS:
            if k <= len(pool):
                prompts.add((group, name, k), pool[:k], query)
        if group == "held tasks":
            asked[name].append(query[1])

    if not families_only:
        for name in train.task_names:
            group = "held tasks" if name in heldout.HELD_TASKS else "trained"
            if name in train.rules:
                rule = train.rules[name]
                fresh = lambda k: [rule.pair(train.pools, rng) for _ in range(k)]
                for _ in range(queries):
                    add(group, name, rule.pair(train.pools, rng), fresh)
                    if group == "trained" and name not in ("number_sign",):
                        add("held words", name, rule.pair(held.pools, rng), fresh)
                continue
            pairs = train.knowledge[name]
            both = pairs + ([tuple(p) for p in data["held"][name]] if group == "held tasks" else [])
            for i, (q, examples) in enumerate(knowledge_draw(both, both, rng)):
                if i < queries:
                    add(group, name, q, examples)
            if group == "trained" and data["held"][name]:
                for i, (q, examples) in enumerate(knowledge_draw(pairs, [tuple(p) for p in data["held"][name]], rng)):
                    if i < queries:
                        add("held pairs", name, q, examples)
    trained = world(data, "train")
    for name, (family, _) in FAMILIES.items():
        for i in range(queries * 16):
            for k in SHOTS:
                example = family(trained, rng)
                shown = [example(j)[:2] for j in range(k)]
                if hasattr(example, "clean"):
                    example.clean[0] = True
                prompts.add(("families", name, k), shown, example(k)[:2])
    return asked


def summary(results, family):
    """key -> hits and counts, as means over tasks by group (and by family of task)."""
    tasks = collections.defaultdict(dict)
    for (group, name, k), (hits, count) in results.items():
        tasks[group, name][k] = (hits / count, count)
    out = {"groups": {}, "by_family": {}, "families": {}, "tasks": {}}
    for group in ("trained", "held pairs", "held words", "held tasks", "unseen"):
        names = sorted(n for g, n in tasks if g == group)
        out["tasks"][group] = {n: {k: round(tasks[group, n][k][0], 4) for k in SHOTS if k in tasks[group, n]} for n in names}
        sets = {None: names}
        for n in names:
            sets.setdefault(family.get(n, "other"), []).append(n)
        for f, members in sets.items():
            line = {}
            for k in SHOTS:
                v = [tasks[group, n][k][0] for n in members if k in tasks[group, n]]
                if v:
                    line[k] = {"mean": round(statistics.mean(v), 4), "se": round(statistics.stdev(v) / len(v) ** 0.5, 4) if len(v) > 1 else None, "tasks": len(v)}
            if f is None:
                out["groups"][group] = line
            else:
                out["by_family"].setdefault(group, {})[f] = line
    for (group, name), v in sorted(tasks.items()):
        if group == "families":
            out["families"][name] = {k: {"mean": round(m, 4), "se": round((m * (1 - m) / n) ** 0.5, 4), "queries": n} for k, (m, n) in sorted(v.items())}
    return out


@torch.no_grad()
def prose_loss(model, device, prepared, most=96):
    """Cross-entropy in nats a token by position in the window, on held-out documents read from the zero state."""
    arrays = {n[:-5]: a for n, a in prose.load(Path(prepared) / "prose.xz").items() if n.endswith("/held")}
    out = {"by_position": {}, "by_source": {}}
    longest, rows = max(BUCKETS), []
    for name, (_, running) in prose.SOURCES.items():
        a = arrays[name]
        if running:
            edges = np.append(np.flatnonzero(a == 0), len(a))
            for s, e in zip(edges, edges[1:]):
                rows += [a[p: p + longest] for p in range(s, e - longest, longest)]
        window = [a[p: p + 512] for p in range(0, len(a) - 512, 512)][:most]
        if window:
            nll = token_loss(model, device, np.stack(window))
            keep = np.stack(window)[:, 1:] != 0
            out["by_source"][name] = {"loss": round(float(nll[keep].mean()), 4), "tokens": int(keep.sum())}
    random.Random(0).shuffle(rows)
    rows = rows[:most]
    if rows:
        nll = token_loss(model, device, np.stack(rows))
        for low, high in zip(BUCKETS, BUCKETS[1:]):
            part = nll[:, max(low - 1, 0): high - 1]
            per_row = part.mean(1)
            out["by_position"][f"{low}-{high}"] = {"loss": round(float(part.mean()), 4), "se": round(float(per_row.std(ddof=1) / len(per_row) ** 0.5), 4) if len(per_row) > 1 else None}
        out["windows"] = len(rows)
    return out


@torch.no_grad()
def token_loss(model, device, rows):
    """rows [n, length] -> loss of tokens 1.. [n, length - 1]"""
    out = []
    size = max(1, (65536 if device.type == "cuda" else 4096) // rows.shape[1])
    for at in range(0, len(rows), size):
        t = torch.from_numpy(rows[at: at + size].astype(np.int64)).to(device)
        logits = model.logits(t)[:, :-1]
        out.append(torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), t[:, 1:].reshape(-1), reduction="none").view(t.shape[0], -1).cpu())
    return torch.cat(out).numpy()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--weights", required=True)
    a.add_argument("--prepared", default="prepared")
    a.add_argument("--out", default="eval.json")
    a.add_argument("--queries", type=int, default=32)
    a.add_argument("--template", type=int, default=0, help="0: arrow, 1: Q/A")
    a.add_argument("--windows", type=int, default=96)
    a.add_argument("--tokenizer", help="folder of a tokenizer.json other than the prepared one; then the prose, whose tokens are the prepared ones, is left out")
    a.add_argument("--families-only", action="store_true", help="families, unseen tasks and everyday queries alone")
    a.add_argument("--everyday", type=Path, action="append", default=[], help="a further file of everyday queries; its name is reported")
    args = a.parse_args()
    began = time.time()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)      # small steps: more threads wait for each other
    model = load(args.weights, device)
    data, rng = read(args.prepared), random.Random(12345)
    prompts = Prompts(encoder(args.tokenizer or args.prepared), TEMPLATES[args.template])
    # With 800 tasks half the queries settle their mean; the seconds go into making the prompts.
    asked = collect(data, prompts, max(1, args.queries // 2), rng, args.families_only)
    family = data["family"] | collect_unseen(prompts, args.queries)
    total, budget = sum(len(r[1]) for r in prompts.rows), 262144 if device.type == "cuda" else 4096
    print(f"{len(prompts.rows)} prompts, {total} tokens, made in {time.time() - began:.0f} s", flush=True)
    out = summary(prompts.run(model, device, budget), family)
    out["best_constant"] = {n: round(collections.Counter(v).most_common(1)[0][1] / len(v), 4) for n, v in asked.items()}
    if asked:
        out["groups"]["held tasks: best constant guess"] = round(statistics.mean(out["best_constant"].values()), 4)
    files = {"assets/everyday.tsv": HERE / "../../everyday.tsv"} | {str(f): f for f in args.everyday}
    out["everyday"] = {n: everyday(f, model, device, prompts.enc, budget) for n, f in files.items() if f.exists()}
    out["prose"] = {"by_position": {}, "by_source": {}} if args.tokenizer else prose_loss(model, device, args.prepared, args.windows)
    out["settings"] = {"queries": args.queries, "template": args.template, "seconds": round(time.time() - began, 1), "seed": 12345}
    Path(args.out).write_text(json.dumps(out, indent=1))
    for group, line in out["groups"].items():
        print(group, {k: v["mean"] for k, v in line.items()} if isinstance(line, dict) else line)
    for name, line in out["by_family"].get("unseen", {}).items():
        print("unseen", name, {k: v["mean"] for k, v in line.items()})
    for name, line in out["everyday"].items():
        print("everyday", name, line["right"], "of", line["of"])
    for name, line in out["families"].items():
        print("family", name, {k: v["mean"] for k, v in line.items()})
    print("prose", {k: v["loss"] for k, v in out["prose"]["by_position"].items()}, {k: v["loss"] for k, v in out["prose"]["by_source"].items()})
    print(f"{time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
