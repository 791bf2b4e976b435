"""What training never sees. Everything here is a pure function of names, words and numbers: no random state, no file.

- one word in ten never occurs in a rule episode (letters, lists, selection, ...): `word_is_held`;
- number ranges never occur in one: `number_is_held`;
- one pair in ten of every knowledge task of 20 pairs or more: `hold_pairs`. A pair is held in every task that has it, whichever
  way round, and number words count as their digits;
- HELD_TASKS never occur at all;
- the instances of families in UNSEEN never occur (`instance_is_held`), nor do the made-up words of their kind (`made_up_is_held`).
"""
import functools
import hashlib

HELD_TASKS = (
    # rules
    "add_question", "prefix_the", "last_letter_upper", "double_last_letter", "contains_a", "ends_with_e", "choose_middle_of_5",
    "alphabetically_last_5", "animal_v_object_5", "vehicle_v_clothing_3", "add_five", "min_of_list", "abs_difference", "next_in_decreasing",
    # deducible from trained tasks: gerund -> present -> past, capital -> country -> continent, comparative -> adjective -> superlative
    "gerund_past", "capital_continent", "comparative_superlative",
)
HELD_RANGES = ((17, 17), (24, 24), (38, 38), (43, 43), (56, 56), (61, 61), (79, 79), (85, 85), (92, 92),
               (140, 159), (370, 399), (610, 629), (840, 869), (2500, 2999), (7100, 7499), (40000, 48999))
HELD_NUMBERS = frozenset(n for low, high in HELD_RANGES for n in range(low, high + 1))
SHARE = 0.1
SMALLEST = 20


def draw(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2 ** 64


def word_is_held(word):
    return draw("word:" + word.lower()) < SHARE


def number_is_held(number):
    return abs(number) in HELD_NUMBERS


def made_up_is_held(word):
    return draw("made:" + word) < SHARE


@functools.cache
def unseen_atoms():
    """family -> the atoms (families.ATOMS) of its held-out instances."""
    from families import atoms
    from unseen_tasks import UNSEEN
    out = {}
    for _, _, family, _, spec in UNSEEN:
        out.setdefault(family, []).append(atoms(family, spec))
    return out


def instance_is_held(family, atoms):
    """Whether an instance is a held-out task of its family: they share two atoms (two labels of the same categories, two words of a code,
    two markers ...), or the only one."""
    return any(len(atoms & held) >= min(2, len(held)) for held in unseen_atoms().get(family, ()))


def text_is_held(text):
    """Whether a rule's input holds a word or a number that training never shows in a rule."""
    for part in text.replace(",", " ").replace(":", " ").split():
        bare = part.strip("()\"'#!?.")
        if bare.lstrip("-").isdigit():
            if number_is_held(int(bare)):
                return True
        elif len(bare) > 1 and bare.isalpha() and word_is_held(bare):
            return True
    return False


def pair_key(x, y, digits):
    """One key for a pair and its inverse; `digits` maps number words to digits."""
    a, b = (digits.get(t.lower(), t.lower()) for t in (x, y))
    return (a, b) if a <= b else (b, a)


def hold_pairs(tasks, digits, earlier=frozenset(), seen=frozenset()):
    """tasks: name -> list of (input, output). Returns the set of keys held out, about SHARE of every task that is large enough.
    earlier: keys that stay held out; seen: keys that were trained on before and cannot be held out any more."""
    held = set(earlier)
    for name in sorted(tasks, key=lambda n: (len(tasks[n]), n)):
        keys = {pair_key(x, y, digits) for x, y in tasks[name]}
        if len(keys) < SMALLEST:
            continue
        missing = round(SHARE * len(keys)) - len(keys & held)
        free = sorted(keys - held - seen, key=lambda k: draw("pair:" + k[0] + "\t" + k[1]))
        held.update(free[: max(missing, 0)])
    # Small tasks keep all their pairs: what they teach may not be held out elsewhere.
    for name, pairs in tasks.items():
        if len(pairs) < SMALLEST:
            held -= {pair_key(x, y, digits) for x, y in pairs} - earlier
    return held
