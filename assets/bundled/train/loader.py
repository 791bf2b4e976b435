"""Batches from worker processes through shared memory: fresh episodes and prose windows, faster than the GPU uses them."""
import json
import multiprocessing as mp
import queue
import random
import time
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

import heldout
import prose
import rules as rules_module
from episodes import Encoder, Sampler
from families import World

SHORT, LONG = 512, 2048
LONG_SHARE = 0.25           # of the tokens, in rows of LONG
PROSE_SHARE = {SHORT: 0.38, LONG: 0.5}
SCALE = 100                 # weights travel as whole hundredths


def read(prepared):
    return json.loads((Path(prepared) / "tasks.json").read_text())


def world(data, side="train", with_held_tasks=False):
    """The tasks as training sees them (or, for evaluation, with the held-out tasks and the held-out side of words and numbers)."""
    categories = data["selection"]
    members = {}
    for key, words in categories.items():
        name, which = key.rsplit("/", 1)
        members.setdefault(name, {})[which] = words
    every_rule, _ = rules_module.build_from_members({n: (m["right"], m["other"]) for n, m in members.items()})
    pools = rules_module.Pools(data["words"], categories, side)
    unseen = set() if with_held_tasks else set(heldout.HELD_TASKS)
    rules = {n: r for n, r in every_rule.items() if n not in unseen}
    knowledge = {n: [tuple(p) for p in pairs] for n, pairs in data["train"].items() if n not in unseen and pairs}
    held = side == "held"
    groups = {k: [w for w in ws if heldout.word_is_held(w) == held] for k, ws in data["groups"].items()}
    forbidden = frozenset((x.lower(), y.lower()) for n in heldout.HELD_TASKS for side in ("train", "held") for x, y in data[side].get(n, ()))
    return World(pools, rules, knowledge, {k: ws for k, ws in groups.items() if len(ws) >= (3 if held else 8)}, forbidden)


def encoder(prepared):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(str(Path(prepared) / "tokenizer.json"))
    return Encoder(lambda text: t.encode(text).ids)


def fill(tokens, weights, length, sampler, windows, rng):
    """One batch in place: rows of `length`; returns nothing."""
    for r in range(tokens.shape[0]):
        if rng.random() < PROSE_SHARE[length]:
            tokens[r] = windows.row(length)
            weights[r] = round(prose.WEIGHT * SCALE)
        else:
            t, w = sampler.row(length)
            tokens[r] = t
            weights[r] = [round(v * SCALE) for v in w]
    # The first token of a row is given, never predicted.
    weights[:, 0] = 0


def work(index, prepared, data, arrays, memory, slot_tokens, free, ready, seed):
    shm = shared_memory.SharedMemory(name=memory)
    rng = random.Random(seed)
    sampler = Sampler(world(data), encoder(prepared), seed + 1)
    windows = prose.Windows(arrays, seed + 2)
    while True:
        slot = free.get()
        if slot is None:
            return
        at = slot * slot_tokens * 3
        length = LONG if rng.random() < LONG_SHARE else SHORT
        tokens = np.ndarray((slot_tokens // length, length), np.uint16, shm.buf, at)
        weights = np.ndarray(tokens.shape, np.uint8, shm.buf, at + slot_tokens * 2)
        fill(tokens, weights, length, sampler, windows, rng)
        ready.put((slot, length))


class Loader:
    """next() -> (tokens uint16, weights f32) as numpy arrays [rows, length] with rows * length = slot_tokens."""

    def __init__(self, prepared, slot_tokens, workers, seed, keep=64):
        data = read(prepared)
        arrays = {n: a for n, a in prose.load(Path(prepared) / "prose.xz").items() if not n.endswith("/held")}
        slots = 2 * workers + 2
        self.slot_tokens = slot_tokens
        self.memory = shared_memory.SharedMemory(create=True, size=slots * slot_tokens * 3)
        context = mp.get_context("fork")
        self.free, self.ready = context.Queue(), context.Queue()
        for s in range(slots):
            self.free.put(s)
        self.workers = [context.Process(target=work, daemon=True, args=(
            i, prepared, data, arrays, self.memory.name, slot_tokens, self.free, self.ready, seed * 1000003 + 7919 * i)) for i in range(workers)]
        for w in self.workers:
            w.start()
        self.recent, self.keep, self.rng = [], keep, random.Random(seed)
        self.fresh = self.again = 0

    def next(self, patience=0.02):
        """A fresh batch; if the workers fall behind for `patience` seconds, a recent one once more, so that the GPU never waits."""
        try:
            slot, length = self.ready.get(timeout=patience if len(self.recent) >= 16 else 600)
        except queue.Empty:
            self.again += 1
            return self.rng.choice(self.recent)
        at = slot * self.slot_tokens * 3
        shape = (self.slot_tokens // length, length)
        tokens = np.ndarray(shape, np.uint16, self.memory.buf, at).astype(np.int32)
        weights = np.ndarray(shape, np.uint8, self.memory.buf, at + self.slot_tokens * 2).astype(np.float32) / SCALE
        self.free.put(slot)
        self.recent.append((tokens, weights))
        if len(self.recent) > self.keep:
            self.recent.pop(0)
        self.fresh += 1
        return tokens, weights

    def close(self):
        for w in self.workers:
            w.terminate()
        for w in self.workers:
            w.join(2)
        self.memory.close()
        self.memory.unlink()


if __name__ == "__main__":
    # How fast is one core, and do the pieces give the tokenizer's tokens of the whole episode, in every template?
    import sys
    from episodes import TEMPLATES
    prepared = sys.argv[1] if len(sys.argv) > 1 else "prepared"
    data, enc = read(prepared), encoder(prepared)
    t = time.process_time()
    w = world(data)
    sampler = Sampler(w, enc, 1)
    print(f"{len(w.task_names)} tasks ({len(data['lists'])} everyday lists), {len(w.categories)} categories, {sum(map(len, w.chains.values()))} chains, "
          f"{sum(map(len, w.common.values())) // 2} pairs of relations on the same inputs, made in {time.process_time() - t:.1f} s")
    wrong = total = 0
    for i in range(5200):
        example, template = sampler.cased(), TEMPLATES[i % len(TEMPLATES)]
        examples = [example(j)[:2] for j in range(sampler.rng.randint(1, 5))]
        total += 1
        if not enc.check(template, examples):
            wrong += 1
            if wrong <= 5:
                print("differs:", sampler.drawn, examples, template)
    print(f"{wrong} of {total} whole episodes, over all {len(TEMPLATES)} templates, are cut otherwise than by the tokenizer")
    for length in (SHORT, LONG):
        t, made = time.process_time(), 0
        while time.process_time() - t < 4:
            sampler.row(length)
            made += length
        print(f"episodes, rows of {length}: {made / (time.process_time() - t):,.0f} tokens/s on one core")
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        example, template = sampler.cased(), sampler.rng.choices(TEMPLATES, [t[0] for t in TEMPLATES])[0]
        print(sampler.drawn, "|", "".join(f"{template[1]}{x}{template[2]}{y}{template[3]}" for x, y, _ in (example(i) for i in range(5))), "---")
    sys.exit(wrong > 0)
