"""Tasks that exist for one episode, so that more examples carry more information. A family is three pure functions of its name:

    DRAW[name](world, rng) -> spec              an instance as plain tuples
    MAKE[name](spec, world, rng) -> example     example(i) -> (input, output, weight of the answer in the loss) for position i
    ATOMS[name](spec) -> frozenset              what makes two instances the same task (left out: the spec itself)

Training draws instances until one is not held out (heldout.UNSEEN holds instances of the same families; unseen.py writes them out).
The names of the families are what evaluate.py reports.
"""

import heldout

VOWELS = "aeiou"
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in VOWELS]
WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
YEAR = "January February March April May June July August September October November December".split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
CAPITALS = [c.upper() for c in LETTERS]
CYCLES = {
    "week": WEEK,
    "year": YEAR,
    "letters": LETTERS,
    "capitals": CAPITALS,
    "digits": [str(d) for d in range(10)],
    "week short": [d[:3] for d in WEEK],
    "year short": [m[:3] for m in YEAR],
}
SYMBOLS = list("@#$%&*+=!?~^") + ["<", ">", "/", "o", "x"]


def count_vowels(w):
    return sum(c in VOWELS for c in w)


# A hidden property of a word: (number of classes, word -> class).
FEATURES = {
    "starts in a-m": (2, lambda w: w[0] > "m"),
    "length over 5": (2, lambda w: len(w) <= 5),
    "even length": (2, lambda w: len(w) % 2),
    "last letter a vowel": (2, lambda w: w[-1] not in VOWELS),
    "first letter a vowel": (2, lambda w: w[0] not in VOWELS),
    "has an o": (2, lambda w: "o" not in w),
    "has an i": (2, lambda w: "i" not in w),
    "has an r": (2, lambda w: "r" not in w),
    "has an s": (2, lambda w: "s" not in w),
    "double letter": (2, lambda w: all(a != b for a, b in zip(w, w[1:]))),
    "first letter in thirds": (3, lambda w: (w[0] > "f") + (w[0] > "p")),
    "length in thirds": (3, lambda w: (len(w) > 4) + (len(w) > 6)),
    "vowels": (3, lambda w: min(max(count_vowels(w), 1), 3) - 1),
    "last letter e, s or other": (3, lambda w: 0 if w[-1] == "e" else 1 if w[-1] == "s" else 2),
    "first letter in quarters": (4, lambda w: (w[0] > "c") + (w[0] > "l") + (w[0] > "r")),
    "length in quarters": (4, lambda w: (len(w) > 4) + (len(w) > 5) + (len(w) > 7)),
    "last letter in thirds": (3, lambda w: (w[-1] > "g") + (w[-1] > "r")),
}
NUMBER_FEATURES = {
    "even": (2, lambda n: n % 2),
    "rest by 3": (3, lambda n: n % 3),
    "last digit in thirds": (3, lambda n: (n % 10 > 2) + (n % 10 > 6)),
    "digits": (3, lambda n: min(len(str(n)), 3) - 1),
    "first digit in thirds": (3, lambda n: (str(n)[0] > "3") + (str(n)[0] > "6")),
    "last digit over 4": (2, lambda n: n % 10 <= 4),
    "ends in 0 or 5, even, odd": (3, lambda n: 0 if n % 5 == 0 else 1 + n % 2),
    "parity and size": (4, lambda n: n % 2 + 2 * (n >= 50)),
}
NUMBER_STEPS = ("+", "-", "*", "times ten", "same", "zero", "reverse", "last digit", "from 100")


def number_step(op, n):
    kind, v = op
    return {
        "+": n + v,
        "-": n - v,
        "*": n * v,
        "times ten": 10 * n,
        "same": n,
        "zero": 0,
        "reverse": int(str(n)[::-1]),
        "last digit": n % 10,
        "from 100": 100 - n,
    }[kind]


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "max": max,
    "min": min,
    "first": lambda a, b: a,
    "second": lambda a, b: b,
    "join": lambda a, b: f"{a}{b}",
    "back join": lambda a, b: f"{b}{a}",
    "sum plus one": lambda a, b: a + b + 1,
    "double first": lambda a, b: 2 * a,
}
FRAMES = (
    "{y} {w}",
    "{w} {y}",
    "{y}, {w}",
    "{w}-{y}",
    "{y}-{w}",
    "({y})",
    '"{y}"',
    "#{y}",
    "{y}!",
    "<{y}>",
    "[{y}]",
    "*{y}*",
    "{y}.",
    "{y} {y}",
    "{y} {w} {y}",
    "~{y}~ {w}",
    "{w}: {y}",
    "{w} {y}!",
    "[{y}] {w}",
    "{y} = {w}",
    "{x} {y}",
    "{y} {x}",
    "{x} {w} {y}",
    "{y} {w} {x}",
    "{x}, {y}",
    "{x}-{y}",
    "{y}/{x}",
    "{x} > {y}",
    "{y}..",
    "+{y}+",
    "{w} ({y})",
    "{y} / {w}",
)
WORD_OPS = {
    "first letter": lambda y: y[0],
    "last letter": lambda y: y[-1],
    "first letter, capital": lambda y: y[0].upper(),
    "first two letters": lambda y: y[:2],
    "last two letters": lambda y: y[-2:],
    "first three letters": lambda y: y[:3],
    "length": lambda y: str(len(y)),
    "capitals": str.upper,
    "backwards": lambda y: y[::-1],
    "without the first letter": lambda y: y[1:],
    "first and last letter": lambda y: y[0] + y[-1],
    "spelled": lambda y: " ".join(y),
    "letters with dashes": lambda y: "-".join(y),
    "without vowels": lambda y: "".join(c for c in y if c.lower() not in VOWELS),
}
# Outputs for the counts 0, 1, 2, ...
COUNT_NAMES = (
    tuple(map(str, range(8))),
    ("none", "one", "two", "three", "four", "five", "six", "seven"),
    tuple("x" * max(n, 1) if n else "-" for n in range(8)),
)


class World:
    """What the families draw from: pools of words, trained rules, knowledge pairs and categories of words."""

    def __init__(self, pools, rules, knowledge, categories, forbidden=frozenset()):
        self.pools, self.rules, self.knowledge, self.categories = pools, rules, knowledge, categories
        self.rule_names = sorted(rules)
        self.word_rules = [n for n in self.rule_names if rules[n].kind == "word"]
        self.groups = {}
        for n in self.rule_names:
            if rules[n].apply is not None and rules[n].kind != "selection":
                self.groups.setdefault(rules[n].kind, []).append(n)
        self.groups = {k: v for k, v in self.groups.items() if len(v) > 2}
        self.task_names = sorted(knowledge) + self.rule_names
        self.names = sorted(categories)
        self.kinds = [n for n in self.names if n.startswith("kind:")]
        self.lists = {}
        for n in self.names:
            self.lists.setdefault(n.split(":")[0], []).append(n)
        self.lists = [v for _, v in sorted(self.lists.items()) if len(v) > 2]
        self.members = {n: frozenset(ws) for n, ws in categories.items()}
        self.table = {n: dict(pairs) for n, pairs in knowledge.items()}
        self.common = shared_inputs(self.table)
        self.common_names = sorted(self.common)
        self.plain_outputs = [
            n
            for n in sorted(knowledge)
            if len(knowledge[n]) >= 20
            and sum(len(y) > 2 and y.replace(" ", "").isalpha() for _, y in knowledge[n]) > 0.9 * len(knowledge[n])
        ]
        self.chains = chains(self.table, forbidden)
        self.chain_names = sorted(self.chains)
        self.varied = {}


def shared_inputs(table):
    """Relations on the same inputs: a -> [b] with at least 20 inputs in common that mostly give different outputs."""
    users, same, differ = {}, {}, {}
    for n in sorted(table):
        for x, y in table[n].items():
            users.setdefault(x, []).append((n, y))
    for known in users.values():
        for a, ya in known:
            for b, yb in known:
                if a != b:
                    key = a, b
                    same[key] = same.get(key, 0) + 1
                    differ[key] = differ.get(key, 0) + (ya != yb)
    out = {}
    for (a, b), n in sorted(same.items()):
        if n >= 20 and differ[a, b] > 0.7 * n:
            out.setdefault(a, []).append(b)
    return out


def chains(table, forbidden):
    """Relations that follow each other: a -> [b] where b knows at least 20 outputs of a, does not lead back, and gives no held-out task."""
    owners, out = {}, {}
    for b in sorted(table):
        for x, y in table[b].items():
            owners.setdefault(x, []).append((b, y))
    for a in sorted(table):
        found = {}
        for x, y in table[a].items():
            for b, z in owners.get(y, ()):
                if b != a and z != x:
                    found.setdefault(b, []).append((x, z))
        good = [
            b
            for b, ps in sorted(found.items())
            if len(ps) >= 20 and len({z for _, z in ps}) > 2 and sum((x.lower(), z.lower()) in forbidden for x, z in ps) < 0.05 * len(ps)
        ]
        if good:
            out[a] = good
    return out


def made_up(rng, held=False):
    """A made-up word; one in ten is never drawn in training: those are the labels of held-out tasks."""
    while True:
        form = rng.randrange(4)
        w = "".join(rng.choice(SYLLABLES) for _ in range((1, 2, 2, 3)[form]))
        if form < 2:
            w += rng.choice("bdfgklmnprstvz")
        if heldout.made_up_is_held(w) == held:
            return w


def distinct(rng, n, draw):
    out = []
    while len(out) < n:
        v = draw(rng)
        if v not in out:
            out.append(v)
    return out


def labels(world, rng, n):
    """n different labels of one kind: words, made-up words, letters, numbers, symbols, answers, or everyday pairs."""
    kind = rng.randrange(9)
    if kind == 0:
        return world.pools.distinct(rng, n)
    if kind == 1:
        return rng.sample(CAPITALS if rng.random() < 0.5 else LETTERS, n)
    if kind == 2:
        return [str(v) for v in rng.sample(range(10 if n <= 10 else 100), n)]
    if kind == 3 and n <= len(SYMBOLS):
        return rng.sample(SYMBOLS, n)
    if kind == 4:
        words = world.categories[rng.choice(world.kinds or world.names)]
        if len(words) >= n:
            return rng.sample(words, n)
    if kind == 5 and n <= 12:
        stem = rng.choice(("class ", "group ", "box ", "team ", "type ", "room ", "x", "no. ", "level "))
        return [stem + v for v in rng.sample(list("ABCDEFGHIJKL") if rng.random() < 0.5 else [str(v) for v in range(1, 13)], n)]
    if kind == 6 and n == 2:
        return list(
            rng.choice(
                (
                    ("yes", "no"),
                    ("true", "false"),
                    ("good", "bad"),
                    ("red", "blue"),
                    ("left", "right"),
                    ("up", "down"),
                    ("in", "out"),
                    ("on", "off"),
                    ("0", "1"),
                    ("+", "-"),
                )
            )
        )[:: rng.choice((1, -1))]
    return distinct(rng, n, made_up)


class Known:
    """Whether an answer can be known: seen before, or all others have been seen. First sights count little in the loss."""

    def __init__(self, n, first=0.1):
        self.n, self.first, self.seen = n, first, set()

    def weight(self, key):
        known = key in self.seen or len(self.seen) == self.n - 1
        self.seen.add(key)
        return 1.0 if known else self.first


def apart(world, rng, n, most=8):
    """n categories without a word in common: of one list, or of all."""
    for _ in range(50):
        r = rng.random()
        pool = rng.choice(world.lists) if r < 0.35 and world.lists else world.kinds if r < 0.75 and world.kinds else world.names
        if len(pool) < n:
            continue
        groups = rng.sample(pool, n)
        if all(world.members[a].isdisjoint(world.members[b]) for i, a in enumerate(groups) for b in groups[:i]):
            return groups
    return rng.sample(world.kinds or world.names, min(n, len(world.kinds or world.names)))


def from_groups(world, rng, groups):
    """A word of each of these groups (which may repeat), all different."""
    out = []
    for g in groups:
        for _ in range(20):
            w = rng.choice(world.categories[g])
            if w not in out:
                break
        out.append(w)
    return out


def source(world, rng):
    """An endless supply of pairs of one trained task."""
    name = rng.choice(world.task_names)
    return name, pairs_of(name, world, rng)


def pairs_of(name, world, rng):
    if name in world.rules:
        rule = world.rules[name]
        return lambda: rule.pair(world.pools, rng)
    pairs = world.knowledge[name]
    return lambda: pairs[int(rng.random() * len(pairs))]


SHAPES = (", ", " ", " / ", "; ", " - ", ",")

# ---- a dressed answer of a trained task: (task, frame, word)


def draw_composed(world, rng):
    while True:
        name, frame = rng.choice(world.task_names), rng.choice(FRAMES)
        w = world.pools.word(rng)
        if not ("{w}" in frame and w == "the") and not (name == "copy_word" and frame == "{w} {y}"):
            return name, frame, w if "{w}" in frame else ""


def make_composed(spec, world, rng):
    name, frame, w = spec
    pair = pairs_of(name, world, rng)

    def example(i):
        x, y = pair()
        for _ in range(8):
            if "{x}" not in frame or len(x) < 24:
                break
            x, y = pair()
        return x, frame.format(x=x, y=y, w=w), 1.0

    return example


# ---- a known relation, then a letter rule or another relation: (relation, operation) or (relation, "then " + relation)


def draw_composition(world, rng):
    if world.chains and rng.random() < 0.4:
        a = rng.choice(world.chain_names)
        return a, "then " + rng.choice(world.chains[a])
    while True:
        name, op = rng.choice(world.plain_outputs), rng.choice(sorted(WORD_OPS))
        if varied(world, name, op):
            return name, op


def varied(world, name, op):
    """Whether the answers differ: currency codes all have three letters, so their length is no task."""
    if (name, op) not in world.varied:
        answers = [WORD_OPS[op](y) for y in world.table[name].values() if len(y) > 2]
        world.varied[name, op] = max(map(answers.count, set(answers))) <= 0.7 * len(answers)
    return world.varied[name, op]


def make_composition(spec, world, rng):
    name, op = spec
    table = world.table[name]
    if op.startswith("then "):
        after = world.table[op[5:]]
        pairs = [(x, after[y]) for x, y in table.items() if y in after and after[y] != x]
    else:
        f = WORD_OPS[op]
        pairs = [(x, f(y)) for x, y in table.items() if len(y) > 2 and f(y)]
    return lambda i: (*pairs[int(rng.random() * len(pairs))], 1.0)


# ---- y = a x + b: (a, b)


def draw_affine(world, rng):
    if rng.random() < 0.25:  # what people try first
        return rng.choice(((1, 1), (1, -1), (2, 0), (1, 2), (1, 10), (3, 0), (10, 0), (1, 3), (1, -2), (2, 1), (1, 100)))
    while True:
        a, b = rng.choice((1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 10, -1)), rng.randint(-20, 50) if rng.random() < 0.75 else rng.randint(51, 300)
        if (a, b) != (1, 5):
            return a, b


def make_affine(spec, world, rng):
    a, b = spec
    low, high = (max(0, -(b // a)), 99) if a > 0 else (0, max(b, 1))
    high = max(high, low + 10) if a > 0 else high
    r = rng.random()
    high = high if a < 0 else low + 20 if r < 0.4 else high if r < 0.8 else 299

    def example(i):
        x = world.pools.number(rng, low, high)
        return str(x), str(a * x + b), 1.0

    return example


# ---- two numbers: (form, a, b, c, shape)
FORMS = {
    "linear": lambda x, y, a, b, c: a * x + b * y + c,
    "max": lambda x, y, a, b, c: a * max(x, y) + c,
    "min": lambda x, y, a, b, c: a * min(x, y) + c,
    "product": lambda x, y, a, b, c: x * y + c,
    "difference": lambda x, y, a, b, c: a * abs(x - y) + c,
}
NUMBER_SHAPES = ("{} {}", "{}, {}", "{} and {}", "{} & {}", "{}|{}", "{},{}", "({}, {})", "{}; {}")


def draw_two_numbers(world, rng):
    while True:
        form = rng.choice(("linear", "linear", "linear", "max", "min", "product", "difference"))
        a, b, c = (
            rng.choice((1, 1, 2, 3, 10)),
            rng.choice((1, 1, 2, 3, -1)),
            rng.choice((0, 0, 1, 2, 3, 5, 10, 20, -1)) if rng.random() < 0.7 else rng.randint(-5, 30),
        )
        # The distance of two numbers is a task that is never trained.
        if not (form == "difference" and c == 0):
            return form, a, b if form == "linear" else 1, c, rng.choice(NUMBER_SHAPES)


def make_two_numbers(spec, world, rng):
    form, a, b, c, shape = spec
    f, high = FORMS[form], 12 if form == "product" else rng.choice((9, 12, 20, 20))

    def example(i):
        for _ in range(30):
            x, y = world.pools.number(rng, 0, high), world.pools.number(rng, 0, high)
            z = f(x, y, a, b, c)
            if z >= 0:
                break
        return shape.format(x, y), str(z), 1.0

    return example


# ---- unknown operators between numbers: (((sign, operation), ...), spaced)


def draw_operators(world, rng):
    n = rng.randint(2, 4)
    signs = rng.choice((SYMBOLS[:12], LETTERS, None))
    signs = rng.sample(signs, n) if signs else distinct(rng, n, made_up)
    return tuple(sorted(zip(signs, rng.sample(sorted(OPERATORS), n))))


def make_operators(spec, world, rng):
    known, high = Known(len(spec)), rng.choice((9, 9, 12, 20))

    def example(i):
        sign, op = rng.choice(spec)
        a, b = world.pools.number(rng, 1, high), world.pools.number(rng, 1, high)
        if op == "-" and a < b:
            a, b = b, a
        return f"{a} {sign} {b}", str(OPERATORS[op](a, b)), known.weight(sign)

    return example


# ---- lists; the output is a fixed choice of places in a fixed order: (length, places, joint, shape, what)


def draw_pick(world, rng):
    while True:
        n = rng.randint(2, 7)
        places = tuple(rng.sample(range(n), min(n, rng.choice((1, 1, 2, 2, 3, 4)))))
        joint, shape = rng.choice((", ", " ", "-", " and ", "+", "", "/", " > ")), rng.choice(SHAPES)
        if n != 5 or places != (2,):
            return n, places, joint, shape, rng.choice(("words", "words", "letters", "numbers"))


def list_items(what, n, world, rng):
    if what == "words":
        return world.pools.distinct(rng, n)
    if what == "letters":
        return rng.sample(LETTERS, n)
    return [str(v) for v in distinct(rng, n, lambda r: world.pools.number(r, 0, 99))]


def make_pick(spec, world, rng):
    n, places, joint, shape, what = spec

    def example(i):
        w = list_items(what, n, world, rng)
        return shape.join(w), joint.join(w[p] for p in places), 1.0

    return example


# ---- numbers on two to four sides of unknown borders, arbitrary labels: (borders, labels, highest)


def draw_threshold(world, rng):
    high, n = rng.choice((20, 50, 100, 100, 1000)), rng.choice((1, 1, 2, 2, 3))
    borders = tuple(sorted(rng.sample(range(high // 8, high * 7 // 8), n)))
    return borders, tuple(labels(world, rng, n + 1)), high


def make_threshold(spec, world, rng):
    borders, names, high = spec
    edges, known = (0, *borders, high), Known(len(names))

    def example(i):
        j = rng.randrange(len(names))
        x = world.pools.number(rng, edges[j], edges[j + 1] - 1)
        j = sum(x >= b for b in borders)
        return str(x), names[j], known.weight(j)

    return example


# ---- words or numbers labelled by a hidden property: (property, labels)


def draw_feature(world, rng):
    name = rng.choice(sorted(FEATURES))
    return name, tuple(labels(world, rng, FEATURES[name][0]))


def of_any_class(rng, n, test, draw):
    """What `draw` gives and its class: each of the n classes about as often, as far as a dozen draws find one."""
    want = rng.randrange(n)
    for _ in range(12):
        x = draw()
        if int(test(x)) == want:
            break
    return x, int(test(x))


def make_feature(spec, world, rng):
    (n, test), names = FEATURES[spec[0]], spec[1]
    known = Known(n)

    def example(i):
        w, j = of_any_class(rng, n, test, lambda: world.pools.word(rng))
        return w, names[j], known.weight(j)

    return example


def draw_number_feature(world, rng):
    name = rng.choice(sorted(NUMBER_FEATURES))
    return name, tuple(labels(world, rng, NUMBER_FEATURES[name][0]))


def make_number_feature(spec, world, rng):
    (n, test), names = NUMBER_FEATURES[spec[0]], spec[1]
    known, high, log = Known(n), 999 if spec[0] == "digits" else rng.choice((99, 99, 999)), spec[0] == "digits"

    def example(i):
        x, j = of_any_class(rng, n, test, lambda: world.pools.number(rng, 0, high, log))
        return str(x), names[j], known.weight(j)

    return example


# ---- words of two to eight categories with arbitrary labels: ((category, label), ...)


def draw_category(world, rng):
    n = rng.choice((2, 2, 3, 3, 3, 4, 4, 5, 6, 8))
    groups = apart(world, rng, n)
    return tuple(sorted(zip(groups, labels(world, rng, len(groups)))))


def make_category(spec, world, rng):
    known = Known(len(spec))

    def example(i):
        group, name = rng.choice(spec)
        return rng.choice(world.categories[group]), name, known.weight(name)

    return example


# ---- a label and a list: which word has it? (((category, label), ...), shape)
WHICH = ("{label}: {words}", "{words}: {label}", "{label} | {words}", "{words} ({label})", "{label}? {words}")


def draw_which(world, rng):
    return draw_category_of(world, rng, rng.randint(2, 4)), rng.choice(WHICH)


def draw_category_of(world, rng, n):
    groups = apart(world, rng, n)
    return tuple(sorted(zip(groups, labels(world, rng, len(groups)))))


def make_which(spec, world, rng):
    pairs, shape = spec
    known, n = Known(len(pairs)), rng.choice((2, 3, len(pairs)))

    def example(i):
        group, label = rng.choice(pairs)
        others = [g for g, _ in pairs if g != group]
        chosen = from_groups(world, rng, [group] + rng.sample(others, min(len(others), max(n, 2) - 1)))
        answer = chosen[0]
        rng.shuffle(chosen)
        return shape.format(label=label, words=", ".join(chosen)), answer, known.weight(label)

    return example


# ---- an arbitrary order among kinds: (categories in order, "first" | "last" | "sort", shape)


def draw_kind_order(world, rng):
    return tuple(apart(world, rng, rng.randint(2, 5))), rng.choice(("first", "last", "sort", "sort")), rng.choice(SHAPES)


def make_kind_order(spec, world, rng):
    groups, op, shape = spec
    n = len(groups) if op == "sort" or len(groups) < 3 else rng.randint(2, 3)

    def example(i):
        places = rng.sample(range(len(groups)), n)
        chosen = from_groups(world, rng, [groups[p] for p in places])
        ranked = [w for _, w in sorted(zip(places, chosen))]
        return shape.join(chosen), ranked[0] if op == "first" else ranked[-1] if op == "last" else shape.join(ranked), 1.0

    return example


# ---- an arbitrary order among a few things: (things in order, "first" | "sort", how many are shown, shape)


def draw_rank(world, rng):
    n = rng.randint(4, 8)
    kind = rng.randrange(4)
    things = (
        (
            rng.sample(world.categories[g], n)
            if len(world.categories[g := rng.choice(world.kinds or world.names)]) >= n
            else rng.sample(LETTERS, n)
        )
        if kind == 0
        else rng.sample(LETTERS, n) if kind == 1 else distinct(rng, n, made_up) if kind == 2 else rng.sample([str(d) for d in range(10)], n)
    )
    return tuple(things), rng.choice(("first", "first", "sort")), rng.choice((0, 2, 3)), rng.choice((", ", " ", " / "))


def make_rank(spec, world, rng):
    things, op, n, shape = spec
    known = Known(len(things), 0.4)
    n = n or rng.randint(2, 3)

    def example(i):
        places = rng.sample(range(len(things)), n)
        ranked = [things[p] for p in sorted(places)]
        return shape.join(things[p] for p in places), ranked[0] if op == "first" else shape.join(ranked), known.weight(ranked[0])

    return example


# ---- how many of a list are of a kind: (category, other categories, names of 0, 1, 2 ..., shape)


def draw_count_kind(world, rng):
    groups = apart(world, rng, rng.randint(2, 4))
    return groups[0], tuple(sorted(groups[1:])), rng.choice(COUNT_NAMES[:1] + COUNT_NAMES), rng.choice(SHAPES[:4])


def make_count_kind(spec, world, rng):
    group, others, names, shape = spec
    most = rng.randint(3, 6)

    def example(i):
        n = rng.randint(2, most)
        own = rng.randint(0, n)
        chosen = from_groups(world, rng, [group] * own + [rng.choice(others) for _ in range(n - own)])
        rng.shuffle(chosen)
        return shape.join(chosen), names[own], 1.0

    return example


# ---- which of a list stay: (category, other categories, "keep" | "drop", shape, joint)


def draw_keep(world, rng):
    groups = apart(world, rng, rng.randint(2, 4))
    shape = rng.choice(SHAPES[:4])
    return (
        groups[0],
        tuple(sorted(groups[1:])),
        rng.choice(("keep", "keep", "drop")),
        shape,
        shape if rng.random() < 0.7 else rng.choice((" ", " and ", "+", "-")),
    )


def make_keep(spec, world, rng):
    group, others, op, shape, joint = spec
    most = rng.randint(3, 6)

    def example(i):
        n = rng.randint(3, most)
        own = rng.randint(1, n - 1)
        marks = [True] * own + [False] * (n - own)
        rng.shuffle(marks)
        chosen = from_groups(world, rng, [group if m else rng.choice(others) for m in marks])
        return shape.join(chosen), joint.join(w for w, m in zip(chosen, marks) if m == (op == "keep")), 1.0

    return example


# ---- symbols exchanged one by one: (((from, to), ...), joint before, joint after, backwards)


def alphabet(world, rng, n):
    kind = rng.randrange(6)
    return (
        rng.sample([str(d) for d in range(10)], n)
        if kind == 0
        else (
            rng.sample(LETTERS, n)
            if kind == 1
            else (
                rng.sample(CAPITALS, n)
                if kind == 2
                else rng.sample(SYMBOLS, n) if kind == 3 else distinct(rng, n, made_up) if kind == 4 else world.pools.distinct(rng, n)
            )
        )
    )


def draw_code(world, rng):
    n = rng.randint(2, 8)
    froms = alphabet(world, rng, n)
    tos = alphabet(world, rng, n) if rng.random() < 0.8 else rng.sample(froms, n)
    single = all(len(s) == 1 and s.isalnum() for s in froms)
    out_single = all(s.isdigit() for s in tos)
    return (
        tuple(sorted(zip(froms, tos))),
        "" if single and all(s.isdigit() for s in froms) and rng.random() < 0.6 else " ",
        "" if out_single and rng.random() < 0.6 else " ",
        rng.random() < 0.15,
    )


def make_code(spec, world, rng):
    pairs, joint, joint_out, backwards = spec
    known, most = Known(len(pairs), 0.3), rng.randint(2, 5)
    seen = set()

    def example(i):
        chosen = [rng.choice(pairs) for _ in range(rng.randint(min(2, most), most))]
        new = any(c not in seen for c in chosen)
        seen.update(chosen)
        out = [b for _, b in chosen]
        return joint.join(a for a, _ in chosen), joint_out.join(out[::-1] if backwards else out), 0.3 if new else 1.0

    return example


# ---- phrases in a made-up language: (((word, made-up word), ...) of each place, order of the places, joint)


def draw_phrase(world, rng):
    n = rng.choice((2, 2, 3))
    groups = apart(world, rng, n)
    sizes = [rng.randint(2, 8) for _ in groups]
    chosen = [rng.sample(world.categories[g], min(s, len(world.categories[g]))) for g, s in zip(groups, sizes)]
    words = (
        labels(world, rng, sum(map(len, chosen)))
        if sum(map(len, chosen)) <= 10 and rng.random() < 0.3
        else distinct(rng, sum(map(len, chosen)), made_up)
    )
    slots, at = [], 0
    for ws in chosen:
        slots.append(tuple(zip(ws, words[at:])))
        at += len(ws)
    return tuple(slots), tuple(rng.sample(range(len(slots)), len(slots))), rng.choice((" ", " ", "-", ", "))


def make_phrase(spec, world, rng):
    slots, order, joint = spec
    seen = set()

    def example(i):
        chosen = [rng.choice(s) for s in slots]
        new = any(c not in seen for c in chosen)
        seen.update(chosen)
        return " ".join(a for a, _ in chosen), joint.join(chosen[p][1] for p in order), 0.3 if new else 1.0

    return example


# ---- hidden prices: (((thing, price), ...), shape)
PRICES = ("{n} {thing}s", "{thing} {n}", "{n} x {thing}", "{thing}: {n}")


def draw_price(world, rng):
    n = rng.randint(2, 8)
    group = rng.choice(world.kinds or world.names)
    words = [w for w in world.categories[group] if w.isalpha() and w[-1] not in "shxyzf"]
    things = rng.sample(words, n) if len(words) >= n else world.pools.distinct(rng, n)
    return tuple(sorted(zip(things, [rng.choice((2, 2, 3, 3, 4, 5, 5, 10, 6, 8)) for _ in things]))), rng.choice(PRICES)


def make_price(spec, world, rng):
    pairs, shape = spec
    known, most = Known(len(pairs) + 1), rng.choice((9, 9, 12, 12, 40))

    def example(i):
        thing, price = rng.choice(pairs)
        n = world.pools.number(rng, 2, most)
        return shape.format(n=n, thing=thing), str(n * price), known.weight(thing)

    return example


# ---- what is done depends on a hidden property: (property, (what for each class))


def draw_branch(world, rng):
    if rng.random() < 0.5:
        name = rng.choice([n for n in sorted(NUMBER_FEATURES) if NUMBER_FEATURES[n][0] < 4])
        return name, tuple(
            (kind, rng.choice((1, 2, 3, 5, 10, 20)) if kind in "+-" else rng.choice((2, 3)) if kind == "*" else 0)
            for kind in rng.sample(NUMBER_STEPS, NUMBER_FEATURES[name][0])
        )
    name = rng.choice([n for n in sorted(FEATURES) if FEATURES[n][0] < 4])
    return name, tuple(rng.sample([n for n in world.word_rules if "three" not in n and "constant" not in n], FEATURES[name][0]))


def make_branch(spec, world, rng):
    name, ops = spec
    known = Known(len(ops))
    if name in NUMBER_FEATURES:
        (n, test), low, high = NUMBER_FEATURES[name], 20 if any(k == "-" for k, _ in ops) else 1, rng.choice((50, 99, 99, 499))

        def example(i):
            x, j = of_any_class(rng, n, test, lambda: world.pools.number(rng, low, high))
            return str(x), str(number_step(ops[j], x)), known.weight(j)

        return example
    n, test = FEATURES[name]
    rules = [world.rules[r] for r in ops]

    def example(i):
        w, j = of_any_class(rng, n, test, lambda: world.pools.word(rng))
        return w, rules[j].apply(w), known.weight(j)

    return example


# ---- arbitrary pairs to remember; they come back in random order: ((key, value), ...)


def draw_binding(world, rng):
    n = rng.choice((2, 3, 4, 6, 8, 12, 16))
    keys = distinct(rng, n, made_up) if rng.random() < 0.3 else world.pools.distinct(rng, n)
    return tuple(zip(keys, labels(world, rng, n) if n > 2 or rng.random() < 0.5 else world.pools.distinct(rng, n)))


def make_binding(spec, world, rng):
    known = Known(0, 0.05)

    def example(i):
        key, value = rng.choice(spec)
        return key, value, known.weight(key)

    return example


# ---- a marker, drawn for the episode, says which of two to four rules (or known relations) applies: (((marker, rule), ...), after)


def draw_marked(world, rng):
    n = rng.randint(2, 4)
    return tuple(sorted(zip(labels(world, rng, n), rng.sample(world.word_rules, n)))), rng.random() < 0.5


def make_marked(spec, world, rng):
    pairs, after = spec
    known, longer = Known(len(pairs)), any("three" in r for _, r in pairs)

    def example(i):
        mark, rule = rng.choice(pairs)
        w = world.pools.word(rng)
        while longer and len(w) < 4:
            w = world.pools.word(rng)
        return (f"{w} {mark}" if after else f"{mark} {w}"), world.rules[rule].apply(w), known.weight(mark)

    return example


def draw_marked_relation(world, rng):
    a = rng.choice(world.common_names)
    chosen = [a] + rng.sample(world.common[a], min(len(world.common[a]), rng.choice((1, 1, 2, 3))))
    return tuple(sorted(zip(labels(world, rng, len(chosen)), chosen))), rng.random() < 0.5


def make_marked_relation(spec, world, rng):
    pairs, after = spec
    tables = [world.table[r] for _, r in pairs]
    inputs = sorted(set(tables[0]).intersection(*tables[1:])) or sorted(tables[0])
    known = Known(len(pairs))

    def example(i):
        mark, relation = rng.choice(pairs)
        x = rng.choice(inputs)
        y = world.table[relation].get(x)
        if y is None:
            x, y = rng.choice(world.knowledge[relation])
        return (f"{x} {mark}" if after else f"{mark} {x}"), y, known.weight(mark)

    return example


# ---- a trained task with 10 to 40 % of the outputs exchanged; the exchanged ones are not trained on: (task, rate)


def draw_noisy(world, rng):
    return rng.choice(world.task_names), rng.choice((0.1, 0.2, 0.3, 0.4))


def make_noisy(spec, world, rng):
    pair, rate, test = pairs_of(spec[0], world, rng), spec[1], [False]

    def example(i):
        x, y = pair()
        if rng.random() < rate and not test[0]:
            return x, pair()[1], 0.0
        return x, y, 1.0

    example.clean = test  # evaluate.py sets this for the query
    return example


# ---- two rules on the same kind of input agree on the first 1 to 4 examples: (rule, other, how long)


def draw_ambiguous(world, rng):
    kind = rng.choice(sorted(world.groups))
    return (*rng.sample(world.groups[kind], 2), rng.randint(1, 4))


def make_ambiguous(spec, world, rng):
    rule, other, agree = world.rules[spec[0]], world.rules[spec[1]], spec[2]

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


# ---- the k-th next in a cycle, days, months, letters, or an order of this episode alone: (cycle, k)


def draw_shift(world, rng):
    if rng.random() < 0.3:
        n = rng.randint(4, 10)
        cycle = tuple(alphabet(world, rng, n))
        return cycle, rng.choice((1, 1, -1, 2))
    name = rng.choice(sorted(CYCLES))
    return name, rng.choice((1, 1, -1, -1, 2, -2, 3, rng.randint(1, len(CYCLES[name]) - 1)))


def make_shift(spec, world, rng):
    cycle, k = CYCLES[spec[0]] if isinstance(spec[0], str) else spec[0], spec[1]
    known = Known(len(cycle) + 1, 0.05) if not isinstance(spec[0], str) else None
    # Letters do not go round where people count on: z has no next.
    ends = rng.random() < 0.7 and len(cycle) == 26

    def example(i):
        j = rng.randrange(max(0, -k), len(cycle) - max(0, k)) if ends and abs(k) < 20 else rng.randrange(len(cycle))
        return cycle[j], cycle[(j + k) % len(cycle)], known.weight(j) if known else 1.0

    return example


# ---- a cycle and a number: `Monday 3`: (cycle, sign, offset, shape)
STEPS = ("{} {}", "{} + {}", "{}, {}", "{1} {0}", "{} ({})")


def draw_steps(world, rng):
    return rng.choice(sorted(CYCLES)), rng.choice((1, 1, -1)), rng.choice((0, 0, 1, 2, -1, 3)), rng.choice(STEPS)


def make_steps(spec, world, rng):
    cycle, sign, offset, shape = CYCLES[spec[0]], *spec[1:]
    most = rng.choice((3, 6, 9, 12, 25))

    def example(i):
        j, n = rng.randrange(len(cycle)), rng.randint(1, most)
        return shape.format(cycle[j], n), cycle[(j + sign * n + offset) % len(cycle)], 1.0

    return example


SHARES = {
    "composed": 5,
    "composition": 4,
    "affine": 4,
    "two_numbers": 4,
    "operators": 3,
    "pick": 4,
    "threshold": 3,
    "feature": 4,
    "number_feature": 3,
    "category": 6,
    "which": 4,
    "kind_order": 3,
    "rank": 3,
    "count_kind": 3,
    "keep": 4,
    "code": 4,
    "phrase": 3,
    "price": 2,
    "branch": 3,
    "binding": 4,
    "marked": 3,
    "marked_relation": 3,
    "noisy": 2,
    "ambiguous": 3,
    "shift": 2,
    "steps": 2,
}
DRAW = {n: globals()["draw_" + n] for n in SHARES}
MAKE = {n: globals()["make_" + n] for n in SHARES}


def answer_kind(relation):
    """What a relation's answers are: `city_country`, `capital_country` and `capital_nation` all say countries."""
    last = relation.rsplit("_", 1)[-1]
    return {"nation": "country"}.get(last, last)


ATOMS = {
    "category": frozenset,
    "which": lambda s: frozenset(s[0]),
    "threshold": lambda s: frozenset([s[:2]]),
    "two_numbers": lambda s: frozenset([s[:4]]),
    "operators": frozenset,
    "marked": lambda s: frozenset(s[0]),
    "marked_relation": lambda s: frozenset(s[0]),
    "price": lambda s: frozenset(s[0]),
    "code": lambda s: frozenset(s[0]),
    "phrase": lambda s: frozenset(p for slot in s[0] for p in slot),
    "kind_order": lambda s: frozenset([s[:2]]),
    "keep": lambda s: frozenset([(s[0], s[1], s[2])]),
    "count_kind": lambda s: frozenset([(s[0], s[1], s[2])]),
    "rank": lambda s: frozenset([s[:2]]),
    "steps": lambda s: frozenset([s[:3]]),
    "pick": lambda s: frozenset([s[:3]]),
    "composition": lambda s: frozenset([(answer_kind(s[0]), s[1])]),
    "binding": frozenset,
    "branch": lambda s: frozenset((s[0], j, op) for j, op in enumerate(s[1])),
}
# Families whose inputs and outputs may be written in small letters or capitals without becoming another task.
CASE_FREE = frozenset(("category", "which", "count_kind", "keep", "kind_order"))


def atoms(name, spec):
    return ATOMS[name](spec) if name in ATOMS else frozenset([spec])


def instance(name, world, rng):
    """A spec of the family that is not held out."""
    while True:
        spec = DRAW[name](world, rng)
        if not heldout.instance_is_held(name, atoms(name, spec)):
            return spec


def episode(name):
    def draw(world, rng):
        return MAKE[name](instance(name, world, rng), world, rng)

    draw.__name__ = name
    return draw


FAMILIES = {n: (episode(n), share) for n, share in SHARES.items()}
