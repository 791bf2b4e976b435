"""Writes the held-out tasks of unseen_tasks.py to unseen/NAME.tsv and unseen/INDEX.tsv; the same files every time.

    python unseen.py                          writes
    python unseen.py --check [--prepared P]   also: that training cannot draw one, in 200,000 episodes, and that no list is one
    python unseen.py --measure DIR_OR_CHECKPOINT [--queries 6]    right answers by number of examples, a quick look on a CPU

Words of letter rules come from the tenth of words that no rule episode shows; members of everyday kinds (facts/kinds.tsv) and pairs
of known relations are any.
"""

import argparse
import collections
import json
import random
import re
import sys
import time
from pathlib import Path

import heldout
import rules as rules_module
from families import FAMILIES, MAKE, World, atoms
from unseen_tasks import UNSEEN

HERE = Path(__file__).parent
FOLDER = HERE / "unseen"
FEWEST, MOST = 240, 320
LISTS = HERE / "../../tasks"


def read_pairs(path):
    return [tuple(line.split("\t")[:2]) for line in path.read_text().splitlines() if "\t" in line]


def read_kinds():
    """kind:NAME -> everyday words of that kind."""
    return {
        "kind:" + name: words.split(", ")
        for name, words in (line.split("\t") for line in (HERE / "facts/kinds.tsv").read_text().splitlines())
    }


class Pools(rules_module.Pools):
    """The held tenth of words; any numbers."""

    def __init__(self, words):
        super().__init__(words, {}, "held")

    def number(self, rng, low, high, log=False):
        if log:
            high = min(high, 10 ** rng.randint(len(str(max(low, 1))), len(str(high))) - 1)
        return rng.randint(low, max(low, high))


def common_words():
    """The words of the lab's letter tasks, in a fixed order."""
    out = {}
    for name in sorted(rules_module.WORD_RULES):
        path = LISTS / f"{name}.tsv"
        for x, _ in read_pairs(path) if path.exists() else []:
            if re.fullmatch("[a-z]{3,9}", x):
                out[x] = None
    return list(out)


def world():
    rules, _ = rules_module.build({})
    tables = {f.stem: read_pairs(f) for f in sorted(LISTS.glob("*.tsv")) if f.stem.islower()}
    return World(Pools(common_words()), rules, {n: p for n, p in tables.items() if n not in rules}, read_kinds())


def pairs(task, w):
    """The task's pairs, inputs different, in the order they are drawn. A fresh example() for each, so that sizes of lists vary."""
    name, _, family, _, spec = task
    rng = random.Random("unseen:" + name)
    out = {}
    for _ in range(40000):
        x, y, _ = MAKE[family](spec, w, rng)(0)
        if x and y and x != y or family in ("branch", "marked"):
            out.setdefault(x, y)
        if len(out) == MOST:
            break
    return list(out.items())


def write():
    w = world()
    FOLDER.mkdir(exist_ok=True)
    index, kept, wrong = ["name\tfamily\tdescription"], set(), []
    for task in UNSEEN:
        name, shown, _, description, _ = task
        got = pairs(task, w)
        answers = collections.Counter(y for _, y in got).most_common(1)[0][1] / len(got)
        if len(got) < FEWEST or answers > 0.56:
            wrong.append(f"{name}: {len(got)} inputs, the commonest answer has {answers:.2f}")
        (FOLDER / f"{name}.tsv").write_text("".join(f"{x}\t{y}\n" for x, y in got))
        index.append(f"{name}\t{shown}\t{description}")
        kept.add(name)
    assert not wrong, wrong
    (FOLDER / "INDEX.tsv").write_text("\n".join(index) + "\n")
    for f in FOLDER.glob("*.tsv"):
        if f.stem != "INDEX" and f.stem not in kept:
            f.unlink()
    print(f"{len(UNSEEN)} tasks in {len({t[1] for t in UNSEEN})} families, {len(set(w.pools.words))} held words")


def read():
    """name -> (family, pairs), as written."""
    out = {}
    for line in (FOLDER / "INDEX.tsv").read_text().splitlines()[1:]:
        name, family, _ = line.split("\t")
        out[name] = family, read_pairs(FOLDER / f"{name}.tsv")
    return out


def held_before():
    """The 17 whole tasks that were held out before, as the lab carries them."""
    return {n: ("held before", read_pairs(LISTS / f"{n}.tsv")) for n in heldout.HELD_TASKS if (LISTS / f"{n}.tsv").exists()}


def check_lists(tasks, folders):
    """No list is a held-out task, in either direction: at most a third of the task stands in it
    (a task with branches shares a branch with the rule of that branch). More than a twentieth is printed."""
    worst, count = [], 0
    held = {n: {(x.lower(), y.lower()) for x, y in p} for n, (_, p) in tasks.items()}
    for folder in folders:
        for f in sorted(Path(folder).glob("*.tsv")):
            if f.stem.isupper() or f.stem.startswith("INDEX") or f.stem in tasks:
                continue
            count += 1
            rows = [line.split("\t") for line in f.read_text().splitlines()]
            for skip in {len(r) for r in rows} - {1}:
                cells = {
                    (a.lower(), b.lower()) for r in rows for i, a in enumerate(r) for j, b in enumerate(r) if i != j and len(r) == skip
                }
                for n, p in held.items():
                    share = len(p & cells) / len(p)
                    if share > 0.05:
                        worst.append((share, n, f.name))
    for share, n, name in sorted(worst, reverse=True):
        print(f"{name} holds {share:.2f} of {n}")
    print(f"{count} lists compared with {len(held)} tasks, both directions: {len(worst)} share more than a twentieth")
    return all(share < 1 / 3 for share, _, _ in worst)


def check(prepared, episodes=200_000, shown=10, agree=8):
    """Draws what training draws: no held instance, and no episode that answers `agree` of a task's inputs as the task does."""
    import loader
    from episodes import Sampler

    data = loader.read(prepared)
    sampler = Sampler(loader.world(data), loader.encoder(prepared), 7)
    tasks = read() | held_before()
    answer = collections.defaultdict(dict)
    for n, (_, p) in tasks.items():
        for x, y in p:
            answer[x][n] = y
    bad, near, began, met = 0, collections.Counter(), time.time(), collections.Counter()
    for _ in range(episodes):
        example = sampler.draw()
        name = sampler.drawn
        met[name] += 1
        got, said = collections.Counter(), {}
        for i in range(shown):
            x, y, _ = example(i)
            if x in answer and x not in said:
                said[x] = y
                for n, right in answer[x].items():
                    got[n] += right == y
        for n, c in got.items():
            near[c] += 1
            # Subtraction is trained, and is the distance where the first number is the larger.
            if c >= agree and (name, n) != ("subtraction_plain", "abs_difference"):
                bad += 1
                if bad <= 20:
                    print("too near:", name, n, c, list(said.items())[:4])
    in_families = {n for n in FAMILIES if met[n]}
    for family in FAMILIES:
        for _ in range(episodes // 100):
            spec = sampler.instance(family)
            assert not heldout.instance_is_held(family, atoms(family, spec)), (family, spec)
    assert not set(tasks) & set(sampler.world.task_names)
    assert not set(heldout.HELD_TASKS) & set(sampler.world.task_names)
    print(
        f"{episodes} episodes of {len(met)} sources ({len(in_families)} families) in {time.time() - began:.0f} s: {bad} too near; "
        f"pairs in common by count: {dict(sorted(near.items()))}"
    )
    return not bad


def check_specs():
    from families import MAKE as known

    for name, _, family, _, spec in UNSEEN:
        assert family in known and heldout.instance_is_held(family, atoms(family, spec)), name


def measure(weights, queries, only=None, tokenizer=None):
    """One reading of 33 examples gives an answer at every number of examples before it; 8, 16 and 32 take the places around them too."""
    import torch
    from evaluate import load
    from loader import encoder

    torch.set_num_threads(1)
    model = load(weights, torch.device("cpu"))
    enc = encoder(tokenizer or weights)
    ranges = {0: (0, 1), 1: (1, 2), 2: (2, 3), 4: (4, 5), 8: (7, 10), 16: (14, 19), 32: (27, 33)}
    table, by_family = {}, collections.defaultdict(list)
    for name, (family, p) in read().items():
        if only and name not in only:
            continue
        rng = random.Random(name)
        hits = collections.defaultdict(list)
        rows, marks = [], []
        for _ in range(queries):
            tokens, at = [0], []
            for x, y in rng.sample(p, 33):
                head, rest = enc.text(f"{x} ->"), enc.text(f" {y}\n")
                at.append((len(tokens) + len(head), len(rest)))
                tokens += head + rest
            rows.append(tokens)
            marks.append(at)
        width = max(map(len, rows))
        batch = torch.tensor([r + [0] * (width - len(r)) for r in rows])
        with torch.no_grad():
            best = model.logits(batch).argmax(-1)
        for b, at in enumerate(marks):
            for i, (start, n) in enumerate(at):
                right = bool((best[b, start - 1 : start - 1 + n] == batch[b, start : start + n]).all())
                for k, (low, high) in ranges.items():
                    if low <= i < high:
                        hits[k].append(right)
        table[name] = {k: sum(v) / len(v) for k, v in hits.items()}
        by_family[family].append(name)
        print(f"{name:26s} {family:18s} {width:4d} tokens  " + "  ".join(f"{table[name][k]:.2f}" for k in ranges), flush=True)
    for family, names in list(by_family.items()) + [("ALL", list(table))]:
        print(f"{family:18s} {len(names):3d}  " + "  ".join(f"{sum(table[n][k] for n in names) / len(names):.3f}" for k in ranges))
    return table


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("--check", action="store_true")
    a.add_argument("--prepared", default="prepared")
    a.add_argument("--episodes", type=int, default=200_000)
    a.add_argument("--lists", nargs="*", default=[str(HERE / "lists"), str(HERE / "facts")], help="folders of lists to compare with")
    a.add_argument("--measure")
    a.add_argument("--queries", type=int, default=6)
    a.add_argument("--only", nargs="*")
    a.add_argument("--out")
    args = a.parse_args()
    check_specs()
    write()
    good = True
    if args.check:
        good = check_lists(read() | held_before(), args.lists)
        if (Path(args.prepared) / "tasks.json").exists():
            good &= check(args.prepared, args.episodes)
        else:
            print("no prepared folder: episodes were not drawn")
    if args.measure:
        got = measure(args.measure, args.queries, args.only)
        if args.out:
            Path(args.out).write_text(json.dumps(got, indent=1))
    sys.exit(not good)
