"""Tasks that are rules: the input's kind, and the function from input to output. Episodes draw fresh inputs, so nothing can be
memorised. `python rules.py DATA` checks every rule against the fixed pairs of the data folder.
"""

import bisect
import re

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
    "add_exclamation": lambda w: w + "!",
    "add_question": lambda w: w + "?",
    "bracket_word": lambda w: f"({w})",
    "caesar_shift_one": lambda w: "".join(map(after, w)),
    "capitalize": str.capitalize,
    "consonant_count": lambda w: str(sum(c not in VOWELS for c in w)),
    "constant_yes": lambda w: "yes",
    "contains_a": lambda w: yes("a" in w),
    "copy_word": lambda w: w,
    "double_last_letter": lambda w: w + w[-1],
    "double_word": lambda w: f"{w} {w}",
    "ends_with_e": lambda w: yes(w[-1] == "e"),
    "even_or_odd_length": lambda w: "odd" if len(w) % 2 else "even",
    "first_and_last_letter": lambda w: w[0] + w[-1],
    "first_letter": lambda w: w[0],
    "first_letter_next": lambda w: after(w[0]),
    "first_letter_next_upper": lambda w: after(w[0]).upper(),
    "first_letter_position": lambda w: str(ALPHABET.index(w[0]) + 1),
    "first_letter_upper": lambda w: w[0].upper(),
    "first_three_letters": lambda w: w[:3],
    "first_two_letters": lambda w: w[:2],
    "first_vowel": first_vowel,
    "has_double_letter": lambda w: yes(any(a == b for a, b in zip(w, w[1:]))),
    "hashtag_word": lambda w: "#" + w,
    "last_letter": lambda w: w[-1],
    "last_letter_upper": lambda w: w[-1].upper(),
    "last_three_letters": lambda w: w[-3:],
    "last_two_letters": lambda w: w[-2:],
    "only_vowels": lambda w: "".join(c for c in w if c in VOWELS) or "none",
    "pig_latin": pig_latin,
    "prefix_the": lambda w: "the " + w,
    "quote_word": lambda w: f'"{w}"',
    "remove_first_letter": lambda w: w[1:],
    "remove_last_letter": lambda w: w[:-1],
    "remove_vowels": lambda w: "".join(c for c in w if c not in VOWELS),
    "reverse_word": lambda w: w[::-1],
    "rotate_left": lambda w: w[1:] + w[0],
    "second_last_letter": lambda w: w[-2],
    "second_letter": lambda w: w[1],
    "sort_letters": lambda w: "".join(sorted(w)),
    "spell_dashes": "-".join,
    "spell_out": " ".join,
    "starts_with_vowel": lambda w: yes(w[0] in VOWELS),
    "swap_first_last": lambda w: w[-1] + w[1:-1] + w[0],
    "third_letter": lambda w: w[2],
    "uppercase": str.upper,
    "vowel_count": lambda w: str(sum(c in VOWELS for c in w)),
    "word_length": lambda w: str(len(w)),
}


def items(text):
    return text.split(", ")


def rejoin(words):
    return ", ".join(words)


LIST_RULES = {
    "alphabetically_first": lambda t: min(items(t)),
    "alphabetically_last": lambda t: max(items(t)),
    "choose_first_of": lambda t: items(t)[0],
    "choose_last_of": lambda t: items(t)[-1],
    "choose_middle_of": lambda t: items(t)[len(items(t)) // 2],
}
LIST3_RULES = {
    "choose_second_of_3": lambda t: items(t)[1],
    "drop_first_of_3": lambda t: rejoin(items(t)[1:]),
    "initials_of_3": lambda t: "".join(w[0] for w in items(t)),
    "longest_word_3": lambda t: max(items(t), key=len),
    "reverse_list_3": lambda t: rejoin(items(t)[::-1]),
    "shortest_word_3": lambda t: min(items(t), key=len),
    "sort_words_3": lambda t: rejoin(sorted(items(t))),
}


def numbers_in(text):
    return [int(n) for n in re.findall("[0-9]+", text)]


def sign(a, b, words):
    return words[0] if a < b else words[2] if a > b else words[1]


def decade(n):
    return str((n + 5) // 10 * 10)


# name: (lowest, highest, function) on one number
NUMBER_RULES = {
    "add_five": (0, 999, lambda n: n + 5),
    "add_one": (0, 999, lambda n: n + 1),
    "add_ten": (0, 999, lambda n: n + 10),
    "bigger_than_fifty": (0, 100, lambda n: yes(n > 50)),
    "digit_count": (1, 99999, lambda n: len(str(n))),
    "digit_sum": (10, 999, lambda n: sum(map(int, str(n)))),
    "double_number": (0, 499, lambda n: 2 * n),
    "first_digit": (10, 9999, lambda n: str(n)[0]),
    "last_digit": (10, 9999, lambda n: str(n)[-1]),
    "multiple_of_three": (0, 299, lambda n: yes(n % 3 == 0)),
    "parity": (0, 999, lambda n: "odd" if n % 2 else "even"),
    "reverse_digits": (10, 9999, lambda n: str(n)[::-1]),
    "round_ten": (0, 999, decade),
    "subtract_from_hundred": (0, 100, lambda n: 100 - n),
    "subtract_one": (1, 999, lambda n: n - 1),
    "times_ten": (0, 999, lambda n: 10 * n),
}
# name: (format, highest of a, highest of b, function) on two numbers; inputs whose function gives None are drawn again
PAIR_RULES = {
    "abs_difference": ("{} {}", 30, 30, lambda a, b: abs(a - b)),
    "addition": ("{} + {}", 50, 50, lambda a, b: a + b),
    "addition_plain": ("{} {}", 30, 30, lambda a, b: a + b),
    "compare_numbers": ("{} {}", 99, 99, lambda a, b: sign(a, b, "<=>")),
    "concat_numbers": ("{} {}", 30, 30, lambda a, b: f"{a}{b}"),
    "division": ("{} / {}", 99, 12, lambda a, b: a // b if b and a % b == 0 else None),
    "max_of_two": ("{} {}", 99, 99, max),
    "min_of_two": ("{} {}", 99, 99, min),
    "modulo": ("{} % {}", 40, 9, lambda a, b: a % b if b > 1 else None),
    "multiplication": ("{} * {}", 12, 12, lambda a, b: a * b),
    "multiplication_plain": ("{} {}", 12, 12, lambda a, b: a * b),
    "subtraction": ("{} - {}", 50, 50, lambda a, b: a - b if a >= b else None),
    "subtraction_plain": ("{} {}", 30, 30, lambda a, b: a - b if a >= b else None),
}
# name: (fewest, most, highest, function) on a list of numbers
NUMBERS_RULES = {
    "max_of_list": (4, 4, 99, max),
    "min_of_list": (4, 4, 99, min),
    "sum_of_list": (3, 3, 20, sum),
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
        self.held_numbers, self.chosen = sorted(HELD_NUMBERS), {}

    def some(self, words, rng):
        """One of a few words, of this side of the split."""
        own = self.chosen.get(words[0])
        if own is None:
            own = self.chosen[words[0]] = [w for w in words if word_is_held(w) == (self.side == "held")] or words
        return rng.choice(own)

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
            # A narrow range may hold held numbers only.
            low, high = max(0, low - 1), high + 1


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


# ---- lists as people type them: blanks, commas or both; two to seven numbers, words or letters


def list_of(what, few, most, high=99):
    def draw(p, r):
        n = r.randint(few, most)
        if what == "numbers":
            v = [p.number(r, 0, 9 if r.random() < 0.5 else high)] + [p.number(r, 0, 9 if r.random() < 0.5 else high) for _ in range(n - 1)]
            v = list(map(str, v))
        else:
            v = r.sample(ALPHABET, n) if what == "letters" else p.distinct(r, n)
        return r.choice((" ", " ", ", ", ",")).join(v)

    return draw


def split_list(text):
    """The items of a list and how they were parted."""
    joint = ", " if ", " in text else "," if "," in text else " "
    return text.split(joint), joint


def on_list(f):
    """A rule on the items of a list; lists come out parted as they came in."""

    def apply(text):
        v, joint = split_list(text)
        out = f(v)
        return joint.join(out) if isinstance(out, list) else str(out)

    return apply


def as_numbers(v):
    return sorted(map(int, v))


# name: (what, fewest, most, function on items). Never here: the smallest of a list, the middle or the alphabetically last of five, the
# next of a falling sequence: those are held-out tasks.
LIST_OPS = {
    "numbers_largest": ("numbers", 2, 6, lambda v: max(map(int, v))),
    "numbers_first": ("numbers", 2, 7, lambda v: v[0]),
    "numbers_last": ("numbers", 2, 7, lambda v: v[-1]),
    "numbers_sorted": ("numbers", 2, 6, lambda v: [str(n) for n in as_numbers(v)]),
    "numbers_falling": ("numbers", 2, 5, lambda v: [str(n) for n in as_numbers(v)[::-1]]),
    "numbers_reversed": ("numbers", 2, 6, lambda v: v[::-1]),
    "numbers_sum": ("numbers", 2, 4, lambda v: sum(map(int, v))),
    "numbers_count": ("numbers", 2, 7, len),
    "numbers_second": ("numbers", 2, 6, lambda v: v[1]),
    "numbers_without_first": ("numbers", 2, 6, lambda v: v[1:]),
    "numbers_without_last": ("numbers", 2, 6, lambda v: v[:-1]),
    "numbers_plus_one": ("numbers", 2, 5, lambda v: [str(int(n) + 1) for n in v]),
    "numbers_doubled": ("numbers", 2, 5, lambda v: [str(2 * int(n)) for n in v]),
    "numbers_even": ("numbers", 3, 6, lambda v: [n for n in v if int(n) % 2 == 0] or ["none"]),
    "numbers_odd": ("numbers", 3, 6, lambda v: [n for n in v if int(n) % 2] or ["none"]),
    "numbers_ends": ("numbers", 3, 6, lambda v: [v[0], v[-1]]),
    "numbers_twice": ("numbers", 1, 4, lambda v: v + v),
    "letters_first": ("letters", 2, 7, lambda v: v[0]),
    "letters_last": ("letters", 2, 7, lambda v: v[-1]),
    "letters_sorted": ("letters", 2, 6, sorted),
    "letters_reversed": ("letters", 2, 6, lambda v: v[::-1]),
    "letters_count": ("letters", 2, 7, len),
    "letters_second": ("letters", 2, 6, lambda v: v[1]),
    "letters_joined": ("letters", 2, 6, "".join),
    "letters_capitals": ("letters", 2, 5, lambda v: [c.upper() for c in v]),
    "letters_earliest": ("letters", 2, 5, min),
    "letters_next": ("letters", 2, 5, lambda v: [after(c) for c in v]),
    "letters_without_first": ("letters", 2, 6, lambda v: v[1:]),
    "letters_ends": ("letters", 3, 6, lambda v: [v[0], v[-1]]),
    "words_first": ("words", 2, 7, lambda v: v[0]),
    "words_last": ("words", 2, 7, lambda v: v[-1]),
    "words_sorted": ("words", 2, 4, sorted),
    "words_reversed": ("words", 2, 5, lambda v: v[::-1]),
    "words_count": ("words", 2, 7, len),
    "words_second": ("words", 2, 6, lambda v: v[1]),
    "words_initials": ("words", 2, 5, lambda v: "".join(w[0] for w in v)),
    "words_initials_apart": ("words", 2, 5, lambda v: [w[0] for w in v]),
    "words_capitals": ("words", 2, 4, lambda v: [w.upper() for w in v]),
    "words_capitalised": ("words", 2, 4, lambda v: [w.capitalize() for w in v]),
    "words_without_first": ("words", 2, 5, lambda v: v[1:]),
    "words_without_last": ("words", 2, 5, lambda v: v[:-1]),
    "words_lengths": ("words", 2, 4, lambda v: [str(len(w)) for w in v]),
    "words_ends": ("words", 3, 6, lambda v: [v[0], v[-1]]),
    "words_rotated": ("words", 2, 5, lambda v: v[1:] + v[:1]),
}

# ---- phrases, names, addresses, dates, units: what else an ordinary visitor tries
NAMES = (
    "Anna Ben Carl David Emma Frank Grace Henry Ida Jack Kate Leo Lucy Mark Nina Oscar Paul Rosa Sam Tina Victor Alice Bob Clara "
    "Eric Fiona George Helen Jane Kevin Laura Martin Nora Olivia"
    "Peter Robert Simon Thomas Julia Max Sophie Adam Eva Felix Hugo Ivan Karen Linda Monica Nick Philip Rachel Steve Tony Walter"
).split()
SURNAMES = (
    "Adams Baker Carter Davis Evans Fisher Green Harris Irving Jackson King Lewis Miller Nelson Owens Parker Quinn Roberts Stone "
    "Taylor Turner Walker Young Allen Bell Clark Dixon Ellis Ford Gray Hill"
    "Hunt Kelly Lane Mason Moore Price Reed Scott Wood White Black Cook Cox Murphy Perry Ross Russell Shaw Wells"
).split()
NOUNS = (
    "cat dog cow pig horse bird duck car bus boat book pen cup hat bag box chair table lamp door house tree flower apple pear egg "
    "cake ball key ring coin star road river shop school phone clock shirt shoe spoon"
    "plate bottle garden letter picture window train plane girl boy friend teacher doctor king queen farmer singer driver baker painter"
).split()
ADJECTIVES = (
    "big small old new red green blue black white good bad long short tall fast slow hot cold happy sad young rich poor clean "
    "dirty dark bright heavy light soft strong weak quiet loud sweet fresh warm cheap nice tired angry hungry late ready sick busy "
    "free"
).split()
VERBS = (
    "walk talk jump play work look cook help wait call smile laugh dance listen open start clean paint climb shout rest count "
    "learn paddle answer follow watch enjoy visit wash"
).split()
DOMAINS = "mail.com post.net example.org home.net web.com work.org city.com".split()
EXTENSIONS = "txt pdf jpg png doc mp3 csv zip html py".split()
NUMBER_NAMES = "zero one two three four five six seven eight nine ten eleven twelve".split()
SUBJECTS = (("He", "is"), ("She", "is"), ("It", "is"), ("They", "are"), ("We", "are"), ("You", "are"))
MONTHS = "January February March April May June July August September October November December".split()
UNITS = {
    "km": "kilometers",
    "kg": "kilograms",
    "m": "meters",
    "g": "grams",
    "cm": "centimeters",
    "l": "liters",
    "mm": "millimeters",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
}


def thing(p, r):
    return p.some(NOUNS, r)


def third(verb):
    return verb + ("es" if verb[-1] in "shx" else "s")


def past(verb):
    return verb + ("d" if verb[-1] == "e" else "ed")


def name(p, r):
    return f"{p.some(NAMES, r)} {p.some(SURNAMES, r)}"


def address(p, r):
    return f"{p.some(NAMES, r).lower()}@{r.choice(DOMAINS)}"


def date(p, r):
    return f"{r.randint(1900, 2030)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def said(p, r):
    (who, verb), word = r.choice(SUBJECTS), p.some(ADJECTIVES, r)
    return f"{who} {verb} {word}"


def described(p, r):
    return f"{r.choice(('the', 'a'))} {p.some(ADJECTIVES, r)} {thing(p, r)}"


def sentence(p, r):
    return f"the {p.some(ADJECTIVES, r)} {thing(p, r)} {third(p.some(VERBS, r))}"


def amount(p, r):
    n = r.randint(2, 12)
    return f"{n} {thing(p, r)}s"


def of_number(low, high, shape):
    return lambda p, r: shape.format(p.number(r, low, high))


def percent(p, r):
    share = r.choice((10, 20, 25, 50, 50, 100))
    return f"{share}% of {r.randint(1, 30) * (100 // (share if 100 % share == 0 else 20))}"


def number_of(text):
    return int("".join(c for c in text if c.isdigit()))


# name: (draw, function)
PHRASE_RULES = {
    "name_first": (name, lambda t: t.split()[0]),
    "name_last": (name, lambda t: t.split()[1]),
    "name_turned": (name, lambda t: ", ".join(t.split()[::-1])),
    "name_initials": (name, lambda t: "".join(w[0] for w in t.split())),
    "name_initial_dots": (name, lambda t: " ".join(w[0] + "." for w in t.split())),
    "name_short": (name, lambda t: f"{t[0]}. {t.split()[1]}"),
    "name_address": (name, lambda t: t.lower().replace(" ", ".") + "@mail.com"),
    "name_greeting": (name, lambda t: f"Hello {t.split()[0]}!"),
    "address_name": (address, lambda t: t.split("@")[0]),
    "address_domain": (address, lambda t: t.split("@")[1]),
    "file_extension": (lambda p, r: f"{thing(p, r)}.{r.choice(EXTENSIONS)}", lambda t: t.split(".")[1]),
    "file_name": (lambda p, r: f"{thing(p, r)}.{r.choice(EXTENSIONS)}", lambda t: t.split(".")[0]),
    "date_year": (date, lambda t: t[:4]),
    "date_month": (date, lambda t: t[5:7]),
    "date_day": (date, lambda t: t[8:]),
    "date_month_name": (date, lambda t: MONTHS[int(t[5:7]) - 1]),
    "date_turned": (date, lambda t: ".".join(t.split("-")[::-1])),
    "day_month": (lambda p, r: f"{r.randint(1, 28)} {r.choice(MONTHS)}", lambda t: " ".join(t.split()[::-1])),
    "time_hour": (lambda p, r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}", lambda t: str(int(t[:2]))),
    "time_minutes": (lambda p, r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}", lambda t: str(int(t[3:]))),
    "sentence_question": (
        lambda p, r: said(p, r) + ".",
        lambda t: f"{t.split()[1].capitalize()} {t.split()[0].lower()} {t.split()[2][:-1]}?",
    ),
    "sentence_negation": (said, lambda t: " ".join(t.split()[:2] + ["not"] + t.split()[2:])),
    "sentence_past": (said, lambda t: t.replace(" is ", " was ").replace(" are ", " were ")),
    "sentence_capital": (lambda p, r: said(p, r).lower(), lambda t: t[0].upper() + t[1:]),
    "sentence_small": (said, str.lower),
    "sentence_stop": (said, lambda t: t + "."),
    "sentence_shout": (said, lambda t: t.upper() + "!"),
    "sentence_adjective": (said, lambda t: t.split()[2]),
    "sentence_subject": (said, lambda t: t.split()[0]),
    "sentence_so": (said, lambda t: " ".join(t.split()[:2] + ["very"] + t.split()[2:])),
    "phrase_adjective": (described, lambda t: t.split()[1]),
    "phrase_noun": (described, lambda t: t.split()[2]),
    "phrase_without_article": (described, lambda t: t.split(" ", 1)[1]),
    "phrase_plural": (lambda p, r: f"one {thing(p, r)}", lambda t: f"two {t.split()[1]}s"),
    "phrase_turned": (described, lambda t: "{0} {2} is {1}".format(*t.split())),
    "sentence_noun": (sentence, lambda t: t.split()[2]),
    "sentence_verb": (sentence, lambda t: t.split()[3]),
    "sentence_first": (sentence, lambda t: t.split()[0]),
    "sentence_last": (sentence, lambda t: t.split()[-1]),
    "sentence_words": (lambda p, r: r.choice((said, described, sentence))(p, r), lambda t: str(len(t.split()))),
    "sentence_reversed": (described, lambda t: " ".join(t.split()[::-1])),
    "he_they": (
        lambda p, r: f"{r.choice(('he', 'she', 'it'))} {third(p.some(VERBS, r))}",
        lambda t: "they " + (t.split()[1][:-2] if t.endswith(("hes", "xes", "ses")) else t.split()[1][:-1]),
    ),
    "they_he": (lambda p, r: f"they {p.some(VERBS, r)}", lambda t: "he " + third(t.split()[1])),
    "i_past": (
        lambda p, r: f"{r.choice(('I', 'we', 'they', 'you'))} {p.some(VERBS, r)}",
        lambda t: t.split()[0] + " " + past(t.split()[1]),
    ),
    "will_future": (
        lambda p, r: f"{r.choice(('I', 'we', 'they', 'you'))} {p.some(VERBS, r)}",
        lambda t: t.split()[0] + " will " + t.split()[1],
    ),
    "like_what": (
        lambda p, r: f"I {r.choice(('like', 'love', 'want', 'see', 'have', 'need'))} {r.choice(('the', 'my', 'a'))} {thing(p, r)}",
        lambda t: t.split()[-1],
    ),
    "amount_thing": (amount, lambda t: t.split()[1]),
    "amount_number": (amount, lambda t: t.split()[0]),
    "amount_word": (amount, lambda t: NUMBER_NAMES[int(t.split()[0])] + " " + t.split()[1]),
    "amount_single": (amount, lambda t: t.split()[1][:-1]),
    "amount_one_more": (amount, lambda t: f"{int(t.split()[0]) + 1} {t.split()[1]}"),
    "word_amount": (
        lambda p, r: f"{r.choice(NUMBER_NAMES[2:])} {thing(p, r)}s",
        lambda t: f"{NUMBER_NAMES.index(t.split()[0])} {t.split()[1]}",
    ),
    "unit_full": (lambda p, r: f"{r.randint(2, 20)} {r.choice(sorted(UNITS))}", lambda t: f"{t.split()[0]} {UNITS[t.split()[1]]}"),
    "hours_in_minutes": (lambda p, r: (lambda n: f"{n} hour" + "s" * (n > 1))(r.randint(1, 12)), lambda t: f"{60 * number_of(t)} minutes"),
    "km_in_m": (of_number(1, 60, "{} km"), lambda t: f"{1000 * number_of(t)} m"),
    "kg_in_g": (of_number(1, 60, "{} kg"), lambda t: f"{1000 * number_of(t)} g"),
    "m_in_cm": (of_number(1, 60, "{} m"), lambda t: f"{100 * number_of(t)} cm"),
    "weeks_in_days": (of_number(2, 20, "{} weeks"), lambda t: f"{7 * number_of(t)} days"),
    "years_in_months": (of_number(2, 12, "{} years"), lambda t: f"{12 * number_of(t)} months"),
    "dollars_in_cents": (of_number(1, 60, "${}"), lambda t: f"{100 * number_of(t)} cents"),
    "number_dollars": (of_number(1, 300, "{}"), lambda t: "$" + t),
    "number_percent": (of_number(1, 100, "{}"), lambda t: t + "%"),
    "percent_number": (of_number(1, 100, "{}%"), lambda t: t[:-1]),
    "percent_of": (percent, lambda t: str(int(t.split("%")[0]) * int(t.split()[-1]) // 100)),
    "snake_words": (lambda p, r: "_".join(p.distinct(r, 2)), lambda t: t.replace("_", " ")),
    "words_snake": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.replace(" ", "_")),
    "words_hyphen": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.replace(" ", "-")),
    "hyphen_words": (lambda p, r: "-".join(p.distinct(r, 2)), lambda t: t.replace("-", " ")),
    "words_joined": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.replace(" ", "")),
    "words_turned": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: " ".join(t.split()[::-1])),
    "words_title": (lambda p, r: " ".join(p.distinct(r, 2)), str.title),
    "two_words_first": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.split()[0]),
    "two_words_last": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.split()[1]),
    "words_plus": (lambda p, r: " + ".join(p.distinct(r, 2)), lambda t: t.replace(" + ", "")),
    "words_and": (lambda p, r: " ".join(p.distinct(r, 2)), lambda t: t.replace(" ", " and ")),
    "letters_twice": (lambda p, r: "".join(r.sample(ALPHABET, r.randint(1, 3))), lambda t: t + t),
    "word_twice_joined": (lambda p, r: p.word(r), lambda t: t + t),
    "word_thrice": (lambda p, r: p.word(r), lambda t: f"{t} {t} {t}"),
    "letter_thrice": (lambda p, r: r.choice(ALPHABET), lambda t: t * 3),
    "letter_capital": (lambda p, r: r.choice(ALPHABET), str.upper),
    "letter_small": (lambda p, r: r.choice(ALPHABET).upper(), str.lower),
    "letter_both": (lambda p, r: r.choice(ALPHABET), lambda t: t.upper() + t),
    "hello_word": (lambda p, r: p.word(r), lambda t: "hello " + t),
    "my_word": (lambda p, r: thing(p, r), lambda t: "my " + t),
    "article_word": (lambda p, r: thing(p, r), lambda t: ("an " if t[0] in VOWELS else "a ") + t),
    "very_word": (lambda p, r: p.some(ADJECTIVES, r), lambda t: "very " + t),
    "not_word": (lambda p, r: p.some(ADJECTIVES, r), lambda t: "not " + t),
    "word_stop": (lambda p, r: p.word(r), lambda t: t + "."),
    "word_dots": (lambda p, r: p.word(r), lambda t: t + "..."),
    "shout_word": (lambda p, r: p.word(r), lambda t: t.upper() + "!"),
    "calm_word": (lambda p, r: p.word(r).upper() + "!", lambda t: t[:-1].lower()),
    "unmarked_word": (lambda p, r: p.word(r) + r.choice("!?."), lambda t: t[:-1]),
    "unhash_word": (lambda p, r: "#" + p.word(r), lambda t: t[1:]),
    "unbracket_word": (lambda p, r: f"({p.word(r)})", lambda t: t[1:-1]),
    "unquote_word": (lambda p, r: f'"{p.word(r)}"', lambda t: t[1:-1]),
    "at_word": (lambda p, r: p.word(r), lambda t: "@" + t),
    "star_word": (lambda p, r: p.word(r), lambda t: f"*{t}*"),
    "square_word": (lambda p, r: p.word(r), lambda t: f"[{t}]"),
    "count_marks": (lambda p, r: r.choice("*x#!o") * r.randint(1, 9), lambda t: str(len(t))),
    "marks_of_number": (lambda p, r: str(r.randint(1, 9)), lambda t: "*" * int(t)),
    "word_and_length": (lambda p, r: p.word(r), lambda t: f"{t} {len(t)}"),
    "count_down": (lambda p, r: str(r.randint(2, 9)), lambda t: " ".join(str(n) for n in range(int(t), 0, -1))),
    "count_up": (lambda p, r: str(r.randint(2, 9)), lambda t: " ".join(str(n) for n in range(1, int(t) + 1))),
    "next_three": (lambda p, r: str(p.number(r, 1, 99, True)), lambda t: " ".join(str(int(t) + i) for i in (1, 2, 3))),
    "next_of_three": (
        lambda p, r: (lambda n, s: " ".join(str(n + i * s) for i in range(3)))(p.number(r, 0, 60, True), r.choice((1, 1, 2, 2, 3, 5, 10))),
        lambda t: str(2 * int(t.split()[2]) - int(t.split()[1])),
    ),
    "next_doubling": (lambda p, r: (lambda n: f"{n} {2 * n} {4 * n}")(r.randint(1, 12)), lambda t: str(2 * int(t.split()[2]))),
    "between_numbers": (lambda p, r: (lambda n: f"{n} {n + 2}")(p.number(r, 0, 97, True)), lambda t: str(int(t.split()[0]) + 1)),
    "next_letters": (lambda p, r: (lambda i: " ".join(ALPHABET[i : i + 3]))(r.randrange(23)), lambda t: after(t[-1])),
    "before_letters": (lambda p, r: ALPHABET[r.randrange(1, 26)], lambda t: ALPHABET[ALPHABET.index(t) - 1]),
    "letter_step": (lambda p, r: ALPHABET[r.randrange(25)], after),
    "capital_step": (lambda p, r: ALPHABET[r.randrange(25)].upper(), lambda t: chr(ord(t) + 1)),
    "capital_back": (lambda p, r: ALPHABET[r.randrange(1, 26)].upper(), lambda t: chr(ord(t) - 1)),
}
MORE_NUMBER_RULES = {
    "add_two": (0, 99, lambda n: n + 2),
    "add_three": (0, 99, lambda n: n + 3),
    "add_hundred": (0, 999, lambda n: n + 100),
    "subtract_two": (2, 99, lambda n: n - 2),
    "subtract_ten": (10, 199, lambda n: n - 10),
    "triple": (0, 99, lambda n: 3 * n),
    "square": (0, 20, lambda n: n * n),
    "half": (0, 250, lambda n: n // 2 if n % 2 == 0 else None),
    "times_five": (0, 60, lambda n: 5 * n),
    "times_hundred": (0, 99, lambda n: 100 * n),
    "over_ten": (10, 990, lambda n: n // 10 if n % 10 == 0 else None),
    "twice_number": (0, 999, lambda n: f"{n} {n}"),
    "number_point": (0, 999, lambda n: f"{n}."),
    "number_bracket": (0, 999, lambda n: f"({n})"),
    "number_hash": (0, 999, lambda n: f"#{n}"),
    "add_zero": (1, 999, lambda n: f"{n}0"),
    "digits_apart": (10, 9999, lambda n: " ".join(str(n))),
    "is_even": (0, 99, lambda n: yes(n % 2 == 0)),
    "bigger_than_ten": (0, 30, lambda n: yes(n > 10)),
    "to_ten": (0, 10, lambda n: 10 - n),
    "negative_number": (1, 99, lambda n: -n),
    "first_two_digits": (100, 9999, lambda n: str(n)[:2]),
    "last_two_digits": (100, 9999, lambda n: str(n)[-2:]),
    "century": (1001, 2020, lambda n: f"{(n + 99) // 100}th century" if (n + 99) // 100 not in (21,) else "21st century"),
}
SUMS = {
    "times_x": ("{} x {}", 12, 12, lambda a, b: a * b),
    "plus_tight": ("{}+{}", 50, 50, lambda a, b: a + b),
    "minus_tight": ("{}-{}", 50, 50, lambda a, b: a - b if a >= b else None),
    "times_tight": ("{}*{}", 12, 12, lambda a, b: a * b),
    "plus_word": ("{} plus {}", 50, 50, lambda a, b: a + b),
    "minus_word": ("{} minus {}", 50, 50, lambda a, b: a - b if a >= b else None),
    "times_word": ("{} times {}", 12, 12, lambda a, b: a * b),
    "small_plus": ("{} + {}", 9, 9, lambda a, b: a + b),
    "plus_equals": ("{} + {} =", 20, 20, lambda a, b: a + b),
    "larger_of": ("{} or {}", 99, 99, max),
    "sum_comma": ("{}, {}", 20, 20, lambda a, b: a + b),
    "small_minus": ("{} - {}", 12, 9, lambda a, b: a - b if a >= b else None),
}


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
        log = high >= 99  # small numbers are what people try
        add(name, "arithmetic", "number", lambda p, r, a=low, b=high, g=log: str(p.number(r, a, b, g)), lambda t, f=f: str(f(int(t))))
    for name, (shape, a_high, b_high, f) in (PAIR_RULES | SUMS).items():

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

        add(
            name,
            "arithmetic" if name in PAIR_RULES else "everyday numbers",
            "two numbers" if shape == "{} {}" else "sum",
            draw,
            lambda t, f=f: str(f(*numbers_in(t))),
        )
    for name, (what, few, most, f) in LIST_OPS.items():
        add(name, "everyday lists", f"{what} {few} {most}", list_of(what, few, most, 20 if name == "numbers_sum" else 99), on_list(f))
    for name, (draw, f) in PHRASE_RULES.items():
        add(name, "phrases", "phrase " + name, draw, f)
    for name, (low, high, f) in MORE_NUMBER_RULES.items():

        def draw(p, r, low=low, high=high, f=f):
            while True:
                n = p.number(r, low, high, low <= 10)
                if f(n) is not None:
                    return str(n)

        add(name, "everyday numbers", "number", draw, lambda t, f=f: str(f(int(t))))
    train_side = Pools([], {}, "train")
    add(
        "equal_numbers",
        "arithmetic",
        "two numbers",
        lambda p, r: (lambda a: f"{a} {a}" if r.random() < 0.5 else f"{a} {p.number(r, 0, 99)}")(p.number(r, 0, 99)),
        lambda t: "same" if len(set(t.split())) == 1 else "different",
    )
    add(
        "number_sign",
        "arithmetic",
        "signed number",
        lambda p, r: str(r.choice((-1, 1)) * p.number(r, 1, 200)),
        lambda t: "negative" if t[0] == "-" else "positive",
    )
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
BASE = (
    "body_v_object_3",
    "clothing_v_vehicle_3",
    "vehicle_v_clothing_3",
    "color_v_animal_3",
    "food_v_person_3",
    "instrument_v_food_3",
    "animal_v_object_3",
)


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
