"""Tasks that are rules: the input's kind, and the function from input to output. Episodes draw fresh inputs, so nothing can be
memorised. `python rules.py DATA` checks every rule against the fixed pairs of the data folder.
"""
import bisect
import random

from heldout import HELD_NUMBERS, number_is_held, word_is_held

VOWELS = set("aeiou")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def yes(test):
    return "yes" if test else "no"


def pig_latin(w):
    if w[0] in VOWELS:
        return w + "way"
    i = next((i for i, c in enumerate(w) if c in VOWELS or (i and c == "y")), 0)
    return w[i:] + w[:i] + "ay"


def after(c):
    return ALPHABET[(ALPHABET.index(c) + 1) % 26]


def first_vowel(w):
    return next((c for c in w if c in VOWELS), "none")


WORD_RULES = {
    "add_exclamation": lambda w: w + "!", "add_question": lambda w: w + "?", "bracket_word": lambda w: f"({w})",
    "caesar_shift_one": lambda w: "".join(map(after, w)), "capitalize": str.capitalize,
    "consonant_count": lambda w: str(sum(c not in VOWELS for c in w)), "constant_yes": lambda w: "yes",
    "contains_a": lambda w: yes("a" in w), "copy_word": lambda w: w, "double_last_letter": lambda w: w + w[-1],
    "double_word": lambda w: f"{w} {w}", "ends_with_e": lambda w: yes(w[-1] == "e"),
    "even_or_odd_length": lambda w: "odd" if len(w) % 2 else "even", "first_and_last_letter": lambda w: w[0] + w[-1],
    "first_letter": lambda w: w[0], "first_letter_next": lambda w: after(w[0]), "first_letter_next_upper": lambda w: after(w[0]).upper(),
    "first_letter_position": lambda w: str(ALPHABET.index(w[0]) + 1), "first_letter_upper": lambda w: w[0].upper(),
    "first_three_letters": lambda w: w[:3], "first_two_letters": lambda w: w[:2], "first_vowel": first_vowel,
    "has_double_letter": lambda w: yes(any(a == b for a, b in zip(w, w[1:]))), "hashtag_word": lambda w: "#" + w,
    "last_letter": lambda w: w[-1], "last_letter_upper": lambda w: w[-1].upper(), "last_three_letters": lambda w: w[-3:],
    "last_two_letters": lambda w: w[-2:], "only_vowels": lambda w: "".join(c for c in w if c in VOWELS) or "none",
    "pig_latin": pig_latin, "prefix_the": lambda w: "the " + w, "quote_word": lambda w: f'"{w}"',
    "remove_first_letter": lambda w: w[1:], "remove_last_letter": lambda w: w[:-1],
    "remove_vowels": lambda w: "".join(c for c in w if c not in VOWELS), "reverse_word": lambda w: w[::-1],
    "rotate_left": lambda w: w[1:] + w[0], "second_last_letter": lambda w: w[-2], "second_letter": lambda w: w[1],
    "sort_letters": lambda w: "".join(sorted(w)), "spell_dashes": "-".join, "spell_out": " ".join,
    "starts_with_vowel": lambda w: yes(w[0] in VOWELS), "swap_first_last": lambda w: w[-1] + w[1:-1] + w[0],
    "third_letter": lambda w: w[2], "uppercase": str.upper, "vowel_count": lambda w: str(sum(c in VOWELS for c in w)),
    "word_length": lambda w: str(len(w)),
}


def items(text):
    return text.split(", ")


def rejoin(words):
    return ", ".join(words)


LIST_RULES = {
    "alphabetically_first": lambda t: min(items(t)), "alphabetically_last": lambda t: max(items(t)),
    "choose_first_of": lambda t: items(t)[0], "choose_last_of": lambda t: items(t)[-1],
    "choose_middle_of": lambda t: items(t)[len(items(t)) // 2],
}
LIST3_RULES = {
    "choose_second_of_3": lambda t: items(t)[1], "drop_first_of_3": lambda t: rejoin(items(t)[1:]),
    "initials_of_3": lambda t: "".join(w[0] for w in items(t)), "longest_word_3": lambda t: max(items(t), key=len),
    "reverse_list_3": lambda t: rejoin(items(t)[::-1]), "shortest_word_3": lambda t: min(items(t), key=len),
    "sort_words_3": lambda t: rejoin(sorted(items(t))),
}


def ints(text):
    return [int(p) for p in text.replace("+", " ").replace("*", " ").replace("/", " ").replace("%", " ").replace(" - ", " ").split()]


def sign(a, b, words):
    return words[0] if a < b else words[2] if a > b else words[1]


def decade(n):
    return str((n + 5) // 10 * 10)


# name: (lowest, highest, function) on one number
NUMBER_RULES = {
    "add_five": (0, 999, lambda n: n + 5), "add_one": (0, 999, lambda n: n + 1), "add_ten": (0, 999, lambda n: n + 10),
    "bigger_than_fifty": (0, 100, lambda n: yes(n > 50)), "digit_count": (1, 99999, lambda n: len(str(n))),
    "digit_sum": (10, 999, lambda n: sum(map(int, str(n)))), "double_number": (0, 499, lambda n: 2 * n),
    "first_digit": (10, 9999, lambda n: str(n)[0]), "last_digit": (10, 9999, lambda n: str(n)[-1]),
    "multiple_of_three": (0, 299, lambda n: yes(n % 3 == 0)), "parity": (0, 999, lambda n: "odd" if n % 2 else "even"),
    "reverse_digits": (10, 9999, lambda n: str(n)[::-1]), "round_ten": (0, 999, decade),
    "subtract_from_hundred": (0, 100, lambda n: 100 - n), "subtract_one": (1, 999, lambda n: n - 1), "times_ten": (0, 999, lambda n: 10 * n),
}
# name: (format, highest of a, highest of b, function) on two numbers; inputs whose function gives None are drawn again
PAIR_RULES = {
    "abs_difference": ("{} {}", 30, 30, lambda a, b: abs(a - b)), "addition": ("{} + {}", 50, 50, lambda a, b: a + b),
    "addition_plain": ("{} {}", 30, 30, lambda a, b: a + b), "compare_numbers": ("{} {}", 99, 99, lambda a, b: sign(a, b, "<=>")),
    "concat_numbers": ("{} {}", 30, 30, lambda a, b: f"{a}{b}"), "division": ("{} / {}", 99, 12, lambda a, b: a // b if b and a % b == 0 else None),
    "max_of_two": ("{} {}", 99, 99, max), "min_of_two": ("{} {}", 99, 99, min),
    "modulo": ("{} % {}", 40, 9, lambda a, b: a % b if b > 1 else None), "multiplication": ("{} * {}", 12, 12, lambda a, b: a * b),
    "multiplication_plain": ("{} {}", 12, 12, lambda a, b: a * b), "subtraction": ("{} - {}", 50, 50, lambda a, b: a - b if a >= b else None),
    "subtraction_plain": ("{} {}", 30, 30, lambda a, b: a - b if a >= b else None),
}
# name: (fewest, most, highest, function) on a list of numbers
NUMBERS_RULES = {
    "max_of_list": (4, 4, 99, max), "min_of_list": (4, 4, 99, min), "sum_of_list": (3, 3, 20, sum),
    "sort_numbers": (3, 3, 99, lambda v: " ".join(map(str, sorted(v)))),
}


class Pools:
    """Where inputs come from: words and numbers of one side of the split ("train" or "held")."""

    def __init__(self, words, categories, side):
        self.side, held = side, side == "held"
        self.words = [w for w in words if word_is_held(w) == held]
        self.set = set(self.words)
        self.common = self.words[: len(self.words) // 4]
        self.categories = {c: [w for w in ws if word_is_held(w) == held] for c, ws in categories.items()}
        self.members = {c: frozenset(ws) for c, ws in categories.items()}
        self.held_numbers = sorted(HELD_NUMBERS)

    def word(self, rng):
        pool = self.common if rng.random() < 0.5 else self.words
        return pool[int(rng.random() * len(pool))]

    def distinct(self, rng, n):
        out = []
        while len(out) < n:
            w = self.word(rng)
            if w not in out:
                out.append(w)
        return out

    def number(self, rng, low, high, log=False):
        """Uniform; or with a uniform number of digits, so that small numbers are not rare."""
        if self.side == "held":
            a, b = bisect.bisect_left(self.held_numbers, low), bisect.bisect_right(self.held_numbers, high)
            if a < b:
                return self.held_numbers[a + int(rng.random() * (b - a))]
        while True:
            top = high
            if log:
                top = min(high, 10 ** rng.randint(len(str(max(low, 1))), len(str(high))) - 1)
            n = low + int(rng.random() * (top - low + 1))
            if self.side == "held" or not number_is_held(n):
                return n


class Rule:
    """name, family, `draw(pools, rng) -> input`, `apply(input) -> output`."""

    def __init__(self, name, family, kind, draw, apply):
        self.name, self.family, self.kind, self.draw, self.apply = name, family, kind, draw, apply

    def pair(self, pools, rng):
        x = self.draw(pools, rng)
        return x, self.apply(x)


def word_list(n):
    return lambda p, r: rejoin(p.distinct(r, n))


def balanced(kind, test):
    """Draws until a fair coin agrees with the test, so that yes and no are equally common."""
    def draw(p, r):
        want = r.random() < 0.5
        for _ in range(20):
            x = kind(p, r)
            if test(x) == want:
                break
        return x
    return draw


def unique(kind, key):
    def draw(p, r):
        while True:
            x = kind(p, r)
            v = [key(w) for w in items(x)]
            if v.count(max(v)) == 1 and v.count(min(v)) == 1:
                return x
    return draw


def one_word(p, r):
    return p.word(r)


def long_word(p, r):
    while True:
        w = p.word(r)
        if len(w) > 3:
            return w


def repeated(p, r):
    a, b = p.distinct(r, 2)
    return rejoin(r.choice(([a, a, b], [a, b, a], [b, a, a])))


def membership(p, r):
    w = p.distinct(r, 4)
    return rejoin(w[:3]) + ": " + (r.choice(w[:3]) if r.random() < 0.5 else w[3])


def same(p, r):
    a, b = p.distinct(r, 2)
    return f"{a} {a}" if r.random() < 0.5 else f"{a} {b}"


def rules(category_tasks):
    """All rules by name. category_tasks: selection task -> (members of the right category, other words)."""
    out = {}

    def add(name, family, kind, draw, apply):
        out[name] = Rule(name, family, kind, draw, apply)

    for name, f in WORD_RULES.items():
        draw = one_word
        if name in ("contains_a", "ends_with_e", "has_double_letter", "starts_with_vowel"):
            draw = balanced(one_word, lambda w, f=f: f(w) == "yes")
        if "three" in name:
            draw = long_word
        add(name, "letters", "word", draw, f)
    add("lowercase", "letters", "upper word", lambda p, r: p.word(r).upper(), str.lower)
    add("swap_case", "letters", "capital word", lambda p, r: p.word(r).capitalize(), str.swapcase)
    add("join_letters", "letters", "spelled word", lambda p, r: " ".join(p.word(r)), lambda t: t.replace(" ", ""))
    for n in (3, 5):
        for name, f in LIST_RULES.items():
            add(f"{name}_{n}", "lists", f"list {n}", word_list(n), f)
    for name, f in LIST3_RULES.items():
        draw = word_list(3)
        if "est_word" in name:
            draw = unique(draw, len)
        add(name, "lists", "list 3", draw, f)
    add("join_hyphen", "lists", "list 2", word_list(2), lambda t: "-".join(items(t)))
    add("join_with_and", "lists", "list 2", word_list(2), lambda t: " and ".join(items(t)))
    add("swap_pair", "lists", "list 2", word_list(2), lambda t: rejoin(items(t)[::-1]))
    add("repeated_word", "lists", "list 3 repeated", repeated, lambda t: next(w for w in items(t) if items(t).count(w) > 1))
    add("list_membership", "logic", "membership", membership, lambda t: yes(t.split(": ")[1] in items(t.split(": ")[0])))
    add("same_or_different", "logic", "two words", same, lambda t: "same" if len(set(t.split())) == 1 else "different")
    add("count_items", "sequences", "words", lambda p, r: " ".join(p.distinct(r, r.randint(1, 6))), lambda t: str(len(t.split())))
    for name, (low, high, f) in NUMBER_RULES.items():
        log = high >= 999 and name in ("digit_count", "first_digit", "last_digit", "reverse_digits")
        add(name, "arithmetic", "number", lambda p, r, a=low, b=high, g=log: str(p.number(r, a, b, g)), lambda t, f=f: str(f(int(t))))
    for name, (shape, a_high, b_high, f) in PAIR_RULES.items():
        def draw(p, r, shape=shape, a_high=a_high, b_high=b_high, f=f, name=name):
            while True:
                # On the held side one operand is a held number (where the range has one), the other any.
                free = train_side if p.side == "held" else p
                a, b = (p, free) if r.random() < 0.5 else (free, p)
                a, b = a.number(r, 0, a_high), b.number(r, 0, b_high)
                if name == "compare_numbers" and r.random() < 0.05:
                    b = a
                if f(a, b) is not None:
                    return shape.format(a, b)
        add(name, "arithmetic", "two numbers" if shape == "{} {}" else "sum", draw, lambda t, f=f: str(f(*ints(t))))
    train_side = Pools([], {}, "train")
    add("equal_numbers", "arithmetic", "two numbers", lambda p, r: (lambda a: f"{a} {a}" if r.random() < 0.5 else f"{a} {p.number(r, 0, 99)}")(p.number(r, 0, 99)),
        lambda t: "same" if len(set(t.split())) == 1 else "different")
    add("number_sign", "arithmetic", "signed number", lambda p, r: str(r.choice((-1, 1)) * p.number(r, 1, 200)), lambda t: "negative" if t[0] == "-" else "positive")
    for name, (few, most, high, f) in NUMBERS_RULES.items():
        def draw(p, r, few=few, most=most, high=high):
            n = r.randint(few, most)
            v = [p.number(r, 0, high)] + [train_side.number(r, 0, high) for _ in range(n - 1)]
            r.shuffle(v)
            return " ".join(map(str, v))
        add(name, "sequences", "numbers", draw, lambda t, f=f: str(f([int(p) for p in t.split()])))
    for name, direction in (("next_in_arithmetic", 1), ("next_in_decreasing", -1)):
        def draw(p, r, direction=direction):
            for _ in range(50):
                step = direction * r.randint(1, 9)
                start = p.number(r, 1, 60) if direction > 0 else p.number(r, 30, 99)
                v = [start + i * step for i in range(5)]
                if min(v) >= 0 and (p.side == "held" or not any(map(number_is_held, v[:4]))):
                    break
            return " ".join(map(str, v[:4]))
        add(name, "sequences", "numbers", draw, lambda t: str(2 * int(t.split()[-1]) - int(t.split()[-2])))
    for name, (right, _) in category_tasks.items():
        n = int(name[-1])
        if name == "capitalized_v_lower_3":
            draw = lambda p, r: (lambda w: rejoin(r.sample([w[0].capitalize()] + w[1:], 3)))(p.distinct(r, 3))
            add(name, "selection", "selection", draw, lambda t: next(w for w in items(t) if w[0].isupper()))
        elif name == "number_v_word_3":
            draw = lambda p, r: rejoin(r.sample([str(p.number(r, 1, 99))] + p.distinct(r, 2), 3))
            add(name, "selection", "selection", draw, lambda t: next(w for w in items(t) if w.isdigit()))
        elif name == "odd_one_out_4":
            add(name, "selection", "selection", odd_one_out, None)
        else:
            def draw(p, r, name=name, n=n):
                own, other = p.categories[name + "/right"], p.categories[name + "/other"]
                return rejoin(r.sample([r.choice(own)] + r.sample(other, n - 1), n))
            members = frozenset(right)
            add(name, "selection", "selection", draw, lambda t, m=members: next((w for w in items(t) if w in m), None))
    return out


# Categories that do not overlap, for the odd one out.
BASE = ("body_v_object_3", "clothing_v_vehicle_3", "vehicle_v_clothing_3", "color_v_animal_3", "food_v_person_3", "instrument_v_food_3", "animal_v_object_3")


def odd_one_out(p, r):
    while True:
        a, b = r.sample(BASE, 2)
        own, odd = p.categories[a + "/right"], p.categories[b + "/right"]
        ws = r.sample(own, min(3, len(own))) + [r.choice(odd)]
        if len(ws) == 4 and ws[3] not in p.members[a + "/right"] and not any(w in p.members[b + "/right"] for w in ws[:3]):
            p.odd = ws[3]
            r.shuffle(ws)
            return rejoin(ws)


class OddOneOut(Rule):
    def pair(self, pools, rng):
        x = self.draw(pools, rng)
        return x, pools.odd


def build(tsv):
    """tsv: name -> pairs of the data folder, which give the members of the selection tasks' categories. Returns rules and categories."""
    members = {}
    for name, pairs in tsv.items():
        if "_v_" in name or name == "odd_one_out_4":
            right = sorted({y for _, y in pairs})
            members[name] = right, sorted({w for x, _ in pairs for w in items(x)} - set(right))
    return build_from_members(members)


def build_from_members(category_tasks):
    """category_tasks: selection task -> (right words, other words). Returns rules by name and categories by `task/right`, `task/other`."""
    categories = {}
    for name, (right, other) in category_tasks.items():
        categories[name + "/right"], categories[name + "/other"] = right, other
    out = rules(category_tasks)
    if "odd_one_out_4" in out:
        r = out["odd_one_out_4"]
        out["odd_one_out_4"] = OddOneOut(r.name, r.family, r.kind, r.draw, None)
    return out, categories


if __name__ == "__main__":
    import sys
    from pathlib import Path
    folder = Path(sys.argv[1]) / "tasks"
    tsv = {f.stem: [tuple(l.split("\t")) for l in f.read_text().splitlines()] for f in sorted(folder.glob("*.tsv"))}
    every, categories = build(tsv)
    bad = 0
    for name, rule in every.items():
        pairs = tsv.get(name)
        if not pairs or rule.apply is None:
            print("no fixed pairs to check:", name)
            continue
        wrong = [(x, y, rule.apply(x)) for x, y in pairs if rule.apply(x) != y]
        if wrong:
            bad += len(wrong) > 0.02 * len(pairs)
            print(f"{name}: {len(wrong)} of {len(pairs)} differ, e.g. {wrong[:3]}")
    print(f"{len(every)} rules, {bad} of them disagree with the data")
    sys.exit(bad > 0)
