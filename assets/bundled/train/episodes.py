"""Few-shot episodes as tokens: `<|endoftext|>` then one segment per example, tokenized one by one, with the weight of every token.

Speed: a segment is a few pieces whose borders are borders of the tokenizer as well, and pieces are cached, so a core makes some hundred
thousand tokens a second. `Encoder.check` proves that the pieces give what the tokenizer gives for the whole segment.
"""
import math
import random

from families import FAMILIES

# (share, before the input, between, after): an example is before + x + between + " " + y + after.
TEMPLATES = (
    (60, "", " ->", "\n"),
    (22, "Q: ", "\nA:", "\n\n"),
    (5, "", ":", "\n"), (5, "", " =", "\n"), (2, "", " =>", "\n"), (2, "", " |", "\n"),
    (2, "Input: ", "\nOutput:", "\n\n"), (2, "", " is to", "\n"),
)
BOS_WEIGHT, INPUT_WEIGHT, END_WEIGHT = 0.05, 0.12, 1.0


class Encoder:
    """Tokens of text by cached pieces. encode: text -> list of ids (the real tokenizer)."""

    LIMIT = 400_000

    def __init__(self, encode):
        self.encode, self.cache = encode, {}

    def piece(self, text):
        got = self.cache.get(text)
        if got is None:
            if len(self.cache) > self.LIMIT:
                self.cache.clear()
            got = self.cache[text] = tuple(self.encode(text))
        return got

    def text(self, text):
        """Splits at spaces: a space always opens a token of its own or goes with what follows."""
        first, *rest = text.split(" ")
        out = list(self.piece(first)) if first else []
        for part in rest:
            out += self.piece(" " + part)
        return out

    def example(self, template, x, y):
        """Tokens of one example and the number of tokens before the answer."""
        _, before, between, after = template
        if before:
            head = list(self.piece(before[:-1])) + self.text(" " + x)
        else:
            head = self.text(x)
        if between[0] == "\n":
            head += self.piece("\n") + self.piece(between[1:])
        elif between[0] == " ":
            head += self.text(between)
        else:
            head += self.piece(between)
        return head + self.text(" " + y) + list(self.piece(after)), len(head)

    def tail(self, template, x):
        tokens, n = self.example(template, x, "x")
        return tokens[:n]

    def check(self, template, x, y):
        _, before, between, after = template
        return self.example(template, x, y)[0] == list(self.encode(f"{before}{x}{between} {y}{after}"))


def choose_template(rng):
    r = rng.random() * 100
    for t in TEMPLATES:
        r -= t[0]
        if r < 0:
            return t
    return TEMPLATES[0]


class Sampler:
    """Draws episodes. tasks: 'uniform over tasks' within the plain share; the families take the rest."""

    FAMILY_SHARE = 0.38

    def __init__(self, world, encoder, seed):
        self.world, self.encoder, self.rng = world, encoder, random.Random(seed)
        self.families = [f for f, share in FAMILIES.values() for _ in range(share)]
        # Spelling is the hardest to carry over to unseen words: the letter rules are drawn twice as often.
        self.plain = world.task_names + [n for n in world.rule_names if world.rules[n].family == "letters"]

    def draw(self):
        """example(i) -> (input, output, weight of its answer) of one episode."""
        rng, world = self.rng, self.world
        if rng.random() < self.FAMILY_SHARE:
            return rng.choice(self.families)(world, rng)
        name = rng.choice(self.plain)
        if name in world.rules:
            rule = world.rules[name]
            return lambda i: (*rule.pair(world.pools, rng), 1.0)
        pairs = world.knowledge[name]
        order = rng.sample(pairs, min(len(pairs), 64))

        def example(i):
            if i and i % len(order) == 0:
                rng.shuffle(order)
            return (*order[i % len(order)], 1.0)
        return example

    def episode(self, most_tokens, most_examples=64):
        """Returns (tokens, weights), at most most_tokens long (cut at the end when full)."""
        rng = self.rng
        count = int(math.exp(rng.uniform(math.log(3), math.log(most_examples + 1))))
        template = choose_template(rng)
        example = self.draw()
        tokens, weights = [0], [BOS_WEIGHT]
        for i in range(count):
            x, y, counts = example(i)
            ids, n = self.encoder.example(template, x, y)
            tokens += ids
            weights += [INPUT_WEIGHT if counts else 0.0] * n + [counts] * (len(ids) - n)
            if len(tokens) >= most_tokens:
                break
        return tokens[:most_tokens], weights[:most_tokens]

    def row(self, length):
        """Episodes one after another, exactly `length` tokens; the last one is cut."""
        tokens, weights = [], []
        while len(tokens) < length:
            t, w = self.episode(length - len(tokens), 64 if length <= 512 else 160)
            tokens += t
            weights += w
        return tokens, weights
