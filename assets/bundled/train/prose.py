"""English prose as tokens: reading the sources, holding documents out, and drawing training windows."""
import lzma
import re

import numpy as np

# name: (share of the prose windows, whether consecutive documents are one running text)
SOURCES = {
    "wikinews": (26, False), "folktales": (20, True), "classics": (13, True), "novels": (13, True), "speeches": (10, True),
    "fairytales": (6, True), "dictionary": (5, False), "math_stories": (5, False), "factbook": (2, False),
}
WEIGHT = 0.5           # of a prose token against an answer token
HELD_BLOCK = 24        # documents of a running text that are held out together


def documents(path):
    return [d for d in re.split(r"\n\s*\n", path.read_text()) if d.strip()]


def held(index, count, running):
    """Whether document `index` of `count` is held out: single ones (1 in 80), or three blocks of a running text."""
    if not running:
        return index % 80 == 40
    return any(0 <= index - int(count * at) < min(HELD_BLOCK, count // 30) for at in (0.2, 0.5, 0.8))


def tokenize(path, running, tokenizer):
    """Token arrays (train, held). Documents open with id 0; a running text has one 0 per gap, its documents parted by a blank line."""
    docs = documents(path)
    out = {False: [], True: []}
    previous = {False: -2, True: -2}
    blank = tokenizer.encode("\n\n").ids
    for start in range(0, len(docs), 2000):
        for i, e in enumerate(tokenizer.encode_batch(docs[start: start + 2000]), start):
            side = held(i, len(docs), running)
            joined = running and previous[side] == i - 1
            out[side] += [np.array(blank if joined else [0], dtype=np.uint16), np.array(e.ids, dtype=np.uint16)]
            previous[side] = i
    return [np.concatenate(out[s] + [np.zeros(1, np.uint16)]) for s in (False, True)]


def save(path, arrays):
    """arrays: name -> uint16. One xz stream: names and lengths in its first line; low bytes and high bytes apart, which packs better."""
    head = ";".join(f"{n}={len(a)}" for n, a in arrays.items()).encode() + b"\n"
    flat = np.concatenate(list(arrays.values()))
    with lzma.open(path, "wb", preset=6) as f:
        f.write(head + flat.astype("<u2").tobytes())


def load(path):
    with lzma.open(path) as f:
        head, flat = f.readline().decode().strip(), np.frombuffer(f.read(), "<u2")
    out, at = {}, 0
    for part in head.split(";"):
        name, n = part.split("=")
        out[name] = flat[at: at + int(n)]
        at += int(n)
    return out


class Windows:
    """Draws windows from the training arrays: half from the start of a document, half from anywhere (with or without the end token
    in front), because the lab's chunks start in the middle of things from the zero state."""

    def __init__(self, arrays, seed):
        self.rng = np.random.default_rng(seed)
        self.arrays = [arrays[n] for n in SOURCES]
        self.starts = [np.flatnonzero(a[:-1] == 0) for a in self.arrays]
        share = np.array([s for s, _ in SOURCES.values()], float)
        self.share = share / share.sum()
        self.running = [r for _, r in SOURCES.values()]

    def row(self, length):
        while True:
            i = self.rng.choice(len(self.arrays), p=self.share)
            # Long windows are for long texts.
            if len(self.arrays[i]) > length + 1 and (length <= 512 or self.running[i] or self.rng.random() < 0.3):
                break
        a = self.arrays[i]
        if self.rng.random() < 0.5 and not self.running[i]:
            at = min(int(self.rng.choice(self.starts[i])), len(a) - length)
            return a[at: at + length]
        at = int(self.rng.integers(0, len(a) - length))
        row = a[at: at + length].copy()
        if self.rng.random() < 0.5:
            row[0] = 0
        return row
