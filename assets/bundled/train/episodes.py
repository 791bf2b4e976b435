"""Few-shot episodes as tokens with weights: `<|endoftext|>`, then the text of all examples as the tokenizer cuts the whole of it.

Speed: the text is cut by the tokenizer's own rule into pieces that its merges never cross, and pieces are cached. `Encoder.check` proves
that this gives what the tokenizer gives for the whole text.
"""

import math
import random
import re

from families import CASE_FREE, FAMILIES

# (share, before the input, between input and answer, after): what people type between question and answer. A blank before the answer
# belongs to the answer, as in the product, whose questions end before it.
TEMPLATES = (
    (56, "", " -> ", "\n"),
    (12, "Q: ", "\nA: ", "\n\n"),
    (5, "", " => ", "\n"),
    (4, "", "->", "\n"),
    (5, "", ": ", "\n"),
    (5, "", " = ", "\n"),
    (3, "", " → ", "\n"),
    (3, "", "\t", "\n"),
    (2, "", "  ->  ", "\n"),
    (2, "", " - ", "\n"),
    (1, "", ", ", "\n"),
    (1, "", " is ", "\n"),
    (1, "", " : ", "\n"),
    (1, "", "=", "\n"),
    (1, "", "=>", "\n"),
    (1, "", " ->", "\n"),
    (1, "", "-> ", "\n"),
    (1, "", "→", "\n"),
    (1, "", " > ", "\n"),
    (1, "", " | ", "\n"),
    (1, "", ":", "\n"),
    (1, "", " --> ", "\n"),
    (1, "Input: ", "\nOutput: ", "\n\n"),
    (1, "", " is to ", "\n"),
    (1, "", " ->  ", "\n"),
    (1, "- ", " -> ", "\n"),
)
SHARES = [t[0] for t in TEMPLATES]
BOS_WEIGHT, INPUT_WEIGHT = 0.05, 0.12
# The first answer of an episode can only be guessed: it teaches what is commonest, no more.
FIRST_WEIGHT = 0.3
FEW_SHARE, FEW = 0.5, (2, 5)
CASES = ((0.15, "small"), (0.03, "capitals"), (0.04, "capitalised"))

# The tokenizer cuts out digits one by one, then GPT-2's pieces (a run of blanks ends at a digit as it ends at the end of the text).
PIECE = re.compile(r"[0-9]|'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?![^\s0-9])|\s+")


class Encoder:
    """Tokens of text by cached pieces. encode: text -> list of ids (the real tokenizer)."""

    LIMIT = 400_000

    def __init__(self, encode):
        self.encode, self.cache = encode, {}

    def cut(self, text):
        """Pieces of a text; the whole text as one where it holds numerals beyond 0 to 9, which the rule above does not know."""
        if not text.isascii() and any(c.isnumeric() and c > "9" for c in text):
            return [text]
        return PIECE.findall(text)

    def piece(self, text):
        got = self.cache.get(text)
        if got is None:
            if len(self.cache) > self.LIMIT:
                self.cache.clear()
            got = self.cache[text] = tuple(self.encode(text))
        return got

    def text(self, text):
        out = []
        for part in self.cut(text):
            out += self.piece(part)
        return out

    def parts(self, parts):
        """Tokens and weights of a text given in parts: [(text, weight)]. A piece over a border belongs to the part it ends in."""
        text = "".join(t for t, _ in parts)
        cut, cache, tokens, weights = self.cut(text), self.cache, [], []
        ends, at = [], 0
        for t, _ in parts:
            at += len(t)
            ends.append(at)
        place, at = 0, 0
        for piece in cut:
            at += len(piece)
            while at > ends[place]:
                place += 1
            ids = cache.get(piece) or self.piece(piece)
            tokens += ids
            weights += [parts[place][1]] * len(ids)
        return tokens, weights

    def prompt(self, template, examples, query):
        """Tokens of the examples and the whole query, and how many at the end belong to its answer."""
        parts = []
        for x, y in examples:
            parts += [(p, 0) for p in pieces(template, x, y)]
        head, answer = pieces(template, *query)
        tokens, weights = self.parts(parts + [(head, 0), (answer, 1)])
        return [0] + tokens, sum(weights)

    def check(self, template, examples):
        """Whether an episode in this template is cut as the tokenizer cuts its whole text."""
        parts = [(p, 0) for x, y in examples for p in pieces(template, x, y)]
        return self.parts(parts)[0] == list(self.encode("".join(p for p, _ in parts)))


def pieces(template, x, y):
    """An example as the text up to the answer and the answer with its end. The blank before the answer, if there is one, is the answer's."""
    _, before, between, after = template
    bare = between.rstrip(" ")
    return before + x + bare, between[len(bare) :] + y + after


def recased(example, case, rng):
    """The same task in small letters, in capitals, or with capitalised inputs (and outputs, half of the time)."""
    if case == "small":
        return lambda i: (lambda x, y, w: (x.lower(), y.lower(), w))(*example(i))
    if case == "capitals":
        return lambda i: (lambda x, y, w: (x.upper(), y.upper(), w))(*example(i))
    both = rng.random() < 0.5
    return lambda i: (lambda x, y, w: (x[:1].upper() + x[1:], y[:1].upper() + y[1:] if both else y, w))(*example(i))


def about_case(pairs):
    """Whether a list is about capitals: some outputs differ from their inputs in nothing else."""
    return sum(x.lower() == y.lower() for x, y in pairs) > 0.1 * len(pairs)


class Sampler:
    """Draws episodes: tasks by their share; the families take the rest."""

    FAMILY_SHARE = 0.42

    def __init__(self, world, encoder, seed):
        self.world, self.encoder, self.rng = world, encoder, random.Random(seed)
        self.families = [n for n, (_, share) in FAMILIES.items() for _ in range(share)]
        self.plain = [n for n in world.task_names for _ in range(self.share(n))]
        self.recasable = {n for n, pairs in world.knowledge.items() if not about_case(pairs)} | CASE_FREE
        self.drawn = None

    def share(self, name):
        """How often a task is drawn, beside a list of 50 pairs. A long list needs more episodes until each of its pairs is known (of
        part one's tasks, those of over a thousand pairs were forgotten most); spelling is the hardest to carry over to unseen words."""
        if name in self.world.rules:
            return 3 if self.world.rules[name].family == "letters" else 1
        return min(max(round(math.sqrt(len(self.world.knowledge[name]) / 50)), 1), 6)

    def instance(self, family):
        from families import instance

        return instance(family, self.world, self.rng)

    def draw(self):
        """example(i) -> (input, output, weight of its answer) of one episode; `drawn` names where it comes from."""
        rng, world = self.rng, self.world
        if rng.random() < self.FAMILY_SHARE:
            self.drawn = rng.choice(self.families)
            return FAMILIES[self.drawn][0](world, rng)
        name = self.drawn = rng.choice(self.plain)
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

    def cased(self):
        """draw(), in 22 % of the tasks that are not about case as people type: all small, all capitals, or capitalised."""
        example, r = self.draw(), self.rng.random()
        for share, case in CASES:
            if r < share and self.drawn in self.recasable:
                return recased(example, case, self.rng)
            r -= share
            if r < 0:
                break
        return example

    def count(self, most_examples):
        """Pairs in an episode: half of them 2 to 5 (the query among them), the rest uniform in the logarithm."""
        rng = self.rng
        return rng.randint(*FEW) if rng.random() < FEW_SHARE else int(math.exp(rng.uniform(math.log(3), math.log(most_examples + 1))))

    def episode(self, most_tokens, most_examples=64):
        """Returns (tokens, weights), at most most_tokens long (cut at the end when full)."""
        rng = self.rng
        count, template, example = self.count(most_examples), rng.choices(TEMPLATES, SHARES)[0], self.cased()
        parts, room = [], 3 * most_tokens + 40
        for i in range(count):
            x, y, counts = example(i)
            head, answer = pieces(template, x, y)
            parts += [(head, INPUT_WEIGHT if counts else 0.0), (answer, counts if i else min(counts, FIRST_WEIGHT))]
            room -= len(head) + len(answer)
            if room < 0:
                break
        if rng.random() < 0.3:  # no line break after the last answer
            text, weight = parts[-1]
            parts[-1] = text[: -len(template[3])], weight
        tokens, weights = self.encoder.parts(parts)
        return [0] + tokens[: most_tokens - 1], [BOS_WEIGHT] + weights[: most_tokens - 1]

    def row(self, length):
        """Episodes one after another, exactly `length` tokens; the last one is cut."""
        tokens, weights = [], []
        while len(tokens) < length:
            t, w = self.episode(length - len(tokens), 64 if length <= 512 else 160)
            tokens += t
            weights += w
        return tokens, weights
