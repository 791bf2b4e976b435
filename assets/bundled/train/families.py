"""Episodes in which more examples carry more information. Each function draws one task that exists for one episode only and returns
`(example, count)`: `example(i)` gives (input, output, counts) for position i; counts is the loss weight of its answer.

The names of the functions are the families that evaluate.py reports.
"""
import random

SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
FEATURES = {
    "starts in a-m": lambda w: w[0] <= "m", "length over 5": lambda w: len(w) > 5, "even length": lambda w: len(w) % 2 == 0,
    "last letter a vowel": lambda w: w[-1] in "aeiou", "first letter a vowel": lambda w: w[0] in "aeiou", "has an o": lambda w: "o" in w,
    "has an i": lambda w: "i" in w, "has an r": lambda w: "r" in w, "has an s": lambda w: "s" in w, "double letter": lambda w: any(a == b for a, b in zip(w, w[1:])),
}
WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
YEAR = "January February March April May June July August September October November December".split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


class World:
    """What the families draw from: pools of words, trained rules, knowledge pairs and categories of words."""

    def __init__(self, pools, rules, knowledge, categories):
        self.pools, self.rules, self.knowledge, self.categories = pools, rules, knowledge, categories
        self.rule_names = sorted(rules)
        self.word_rules = [n for n in self.rule_names if rules[n].kind == "word"]
        self.groups = {}
        for n in self.rule_names:
            if rules[n].apply is not None and rules[n].kind != "selection":
                self.groups.setdefault(rules[n].kind, []).append(n)
        self.groups = {k: v for k, v in self.groups.items() if len(v) > 2}
        self.task_names = sorted(knowledge) + self.rule_names


def nonsense(rng, syllables=2):
    return "".join(rng.choice(SYLLABLES) for _ in range(syllables))


def labels(world, rng, n):
    """n different labels of one kind: words, nonsense words, letters, numbers, or everyday pairs."""
    kind = rng.randrange(5)
    if kind == 0:
        return world.pools.distinct(rng, n)
    if kind == 1:
        return rng.sample([a + b for a in SYLLABLES[:: 2] for b in SYLLABLES[1:: 3]], n)
    if kind == 2:
        return rng.sample([c.upper() for c in LETTERS] if rng.random() < 0.5 else LETTERS, n)
    if kind == 3:
        return [str(v) for v in rng.sample(range(10 if n <= 10 else 100), n)]
    return [nonsense(rng) for _ in range(n)] if n > 2 else rng.choice((["yes", "no"], ["true", "false"], ["good", "bad"], ["red", "blue"], ["left", "right"]))[:: rng.choice((1, -1))]


def source(world, rng):
    """An endless supply of pairs of one trained task."""
    name = rng.choice(world.task_names)
    if name in world.rules:
        rule = world.rules[name]
        return name, lambda: rule.pair(world.pools, rng)
    pairs = world.knowledge[name]
    return name, lambda: pairs[int(rng.random() * len(pairs))]


def frames(rng, world):
    """A way to write an output: a trained form, or one with words drawn for this episode."""
    w = world.pools.word(rng)
    w = "so" if w == "the" else w        # `the x` is a task that is never trained
    return rng.choice((
        str.upper, str.capitalize, lambda y: f"({y})", lambda y: f'"{y}"', lambda y: "#" + y, lambda y: y + "!", lambda y: f"{y} {y}",
        lambda y: y[0], lambda y: f"{w} {y}", lambda y: f"{y} {w}", lambda y: f"{y}, {w}", lambda y: f"{w}-{y}", lambda y: f"<{y}>", lambda y: f"{y}.",
        lambda y: f"[{y}]", lambda y: f"{y} {w} {y}", lambda y: f"*{y}*"))




def composed(world, rng):
    """A trained task whose output (or input) is dressed anew."""
    while True:
        name, pair = source(world, rng)
        frame = frames(rng, world)
        if not (frame is str.upper and name == "last_letter") and not (frame is str.capitalize and name == "last_letter"):
            break
    extra = world.pools.word(rng)
    form = rng.randrange(4)

    def example(i):
        x, y = pair()
        if form == 0:
            return f"{extra} {x}", y, 1.0
        if form == 1:
            return x, f"{x} {frame(y)}" if len(x) < 24 else frame(y), 1.0
        return x, frame(y), 1.0
    return example


def affine(world, rng):
    """y = a x + b with unknown a and b: one example leaves it open, two settle it."""
    while True:
        a, b = rng.choice((1, 1, 1, 2, 3, 5, 10, -1)), rng.randint(-9, 50) if rng.random() < 0.7 else rng.randint(51, 200)
        if (a, b) != (1, 5):
            break
    low, high = (max(0, -b), 99) if a > 0 else (0, max(b, 1))
    high = max(high, low + 10) if a > 0 else high

    def example(i):
        x = world.pools.number(rng, low, high)
        return str(x), str(a * x + b), 1.0
    return example


def pick(world, rng):
    """Lists of words; the output is a fixed choice of places in a fixed order with a fixed joint."""
    while True:
        n = rng.randint(3, 5)
        places = rng.sample(range(n), rng.choice((1, 1, 2, 2, 3)))
        joint, shape = rng.choice((", ", " ", "-", " and ", "+")), rng.choice((", ", " ", " / "))
        if not (n == 5 and places == [2]):
            break

    def example(i):
        w = world.pools.distinct(rng, n)
        return shape.join(w), joint.join(w[p] for p in places), 1.0
    return example


def threshold(world, rng):
    """Numbers on two sides of an unknown border, with arbitrary labels: every example narrows the border."""
    high = rng.choice((20, 50, 100, 1000))
    border, (low_label, high_label) = rng.randint(high // 8, high * 7 // 8), labels(world, rng, 2)

    def example(i):
        x = world.pools.number(rng, 0, high - 1)
        return str(x), low_label if x < border else high_label, 1.0
    return example


def feature(world, rng):
    """Words labelled arbitrarily by a hidden property of their letters."""
    test, (a, b) = FEATURES[rng.choice(sorted(FEATURES))], labels(world, rng, 2)

    def example(i):
        want = rng.random() < 0.5
        for _ in range(8):
            w = world.pools.word(rng)
            if test(w) == want:
                break
        return w, a if test(w) else b, 1.0
    return example


def category(world, rng):
    """Words of 2 to 5 categories with arbitrary labels: a label must be seen before it can be said."""
    n = rng.randint(2, 5)
    groups = rng.sample(sorted(world.categories), n)
    names = labels(world, rng, n)
    seen = set()

    def example(i):
        g = rng.randrange(n)
        known = 1.0 if g in seen or len(seen) == n - 1 else 0.1
        seen.add(g)
        return rng.choice(world.categories[groups[g]]), names[g], known
    return example


def binding(world, rng):
    """Arbitrary pairs to remember; they come back in random order."""
    n = rng.choice((2, 3, 4, 6, 8, 12, 16))
    keys = [nonsense(rng, rng.randint(2, 3)) for _ in range(n)] if rng.random() < 0.3 else world.pools.distinct(rng, n)
    values = labels(world, rng, n) if n > 2 or rng.random() < 0.5 else world.pools.distinct(rng, n)
    seen = set()

    def example(i):
        j = rng.randrange(n)
        known = 1.0 if j in seen else 0.05
        seen.add(j)
        return keys[j], values[j], known
    return example


def marked(world, rng):
    """A mixture of 2 to 4 rules; a marker, drawn for the episode, says which applies."""
    n = rng.randint(2, 4)
    chosen = [world.rules[r] for r in rng.sample(world.word_rules, n)]
    marks = labels(world, rng, n)
    after = rng.random() < 0.5
    seen = set()

    def example(i):
        j = rng.randrange(n)
        w = world.pools.word(rng)
        while "three" in chosen[j].name and len(w) < 4:
            w = world.pools.word(rng)
        known = 1.0 if j in seen else 0.1
        seen.add(j)
        return (f"{w} {marks[j]}" if after else f"{marks[j]} {w}"), chosen[j].apply(w), known
    return example


def noisy(world, rng):
    """A trained task with 10 to 40 % of the outputs exchanged; the exchanged ones are not trained on."""
    _, pair = source(world, rng)
    rate = rng.choice((0.1, 0.2, 0.3, 0.4))
    test = [False]

    def example(i):
        x, y = pair()
        if rng.random() < rate and not test[0]:
            return x, pair()[1], 0.0
        return x, y, 1.0
    example.clean = test  # evaluate.py sets this for the query
    return example


def ambiguous(world, rng):
    """Two rules on the same kind of input agree on the first 1 to 4 examples; which one holds shows only later."""
    kind = rng.choice(sorted(world.groups))
    rule, other = (world.rules[n] for n in rng.sample(world.groups[kind], 2))
    agree = rng.randint(1, 4)

    def example(i):
        for _ in range(12):
            x, y = rule.pair(world.pools, rng)
            try:
                z = other.apply(x)
            except (IndexError, ValueError, TypeError, ZeroDivisionError):
                z = None
            if (z == y) == (i < agree):
                break
        return x, y, 1.0
    return example


def shift(world, rng):
    """The k-th next in a cycle: days, months, letters."""
    cycle = rng.choice((WEEK, YEAR, LETTERS, [c.upper() for c in LETTERS]))
    k = rng.randint(2, len(cycle) - 2)

    def example(i):
        j = rng.randrange(len(cycle))
        return cycle[j], cycle[(j + k) % len(cycle)], 1.0
    return example


FAMILIES = {f.__name__: (f, share) for f, share in (
    (composed, 7), (affine, 3), (pick, 5), (threshold, 2), (feature, 2), (category, 4), (binding, 4), (marked, 4), (noisy, 3), (ambiguous, 4), (shift, 1))}
