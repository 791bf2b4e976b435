"""Everything training needs, in one folder that travels: tokenizer.json, tasks.json, prose.xz. Also writes split.tsv.

    python prepare.py --data DATA --out prepared [--lab ../../tasks]

DATA holds tasks/*.tsv, INDEX.tsv and text.tar.xz (or an unpacked `prose` folder given by --prose).
"""

import argparse
import collections
import json
import random
import re
import tarfile
from pathlib import Path

import heldout
import prose
import rules as rules_module
from episodes import TEMPLATES
from tokenizer import train as train_tokenizer
from unseen import read_kinds

HERE = Path(__file__).parent
WORDS = 16000
CLASSIFICATIONS = (
    "noun_category",
    "animal_class",
    "food_kind",
    "object_kind",
    "plant_kind",
    "person_kind",
    "part_of_speech",
    "god_mythology",
    "place_type",
    "person_occupation",
    "country_continent",
    "word_sentiment",
    "verb_category",
    "animal_habitat",
    "object_color",
    "fruit_color",
    "animal_home",
)
# Words that no rule episode should show.
UNWANTED = re.compile(r"nigg|fuck|shit|cunt|bitch|whore|slut|rape|faggot|porn|penis|vagina|bastard|negro|nazi")


def read_pairs(path):
    return [tuple(line.split("\t")[:2]) for line in path.read_text().splitlines() if line.count("\t") >= 1]


def clean(path):
    """The pairs of a hand-written list, its inputs different; what cannot be used is printed."""
    out, seen = [], set()
    if not path.exists():
        return out
    for number, line in enumerate(path.read_text().splitlines(), 1):
        cells = [c.strip() for c in line.split("\t")]
        if len(cells) != 2 or not all(cells):
            print(f"{path.name}:{number}: left out, not a pair: {line!r}")
        elif cells[0] in seen:
            print(f"{path.name}:{number}: left out, input again: {line!r}")
        else:
            seen.add(cells[0])
            out.append(tuple(cells))
    return out


def merge(pairs, fresh, what):
    """Adds the pairs whose input is new, in place; says which others were dropped because the answer differs."""
    known = {x.lower(): y for x, y in pairs}
    added = [(x, y) for x, y in fresh if x.lower() not in known]
    dropped = [(x, y) for x, y in fresh if x.lower() in known and known[x.lower()].lower() != y.lower()]
    if fresh:
        print(
            f"{what}: {len(fresh)} pairs, {len(added)} added, {len(fresh) - len(added) - len(dropped)} known, {len(dropped)} dropped for another answer"
            + (": " + ", ".join(f"{x} -> {y} (kept: {known[x.lower()]})" for x, y in dropped) if dropped else "")
        )
    pairs += added


def read_lists():
    """name -> pairs of the hand-written lists, and name -> family; translations by number of words go with english_LANGUAGE."""
    family = {}
    for index in sorted((HERE / "lists").glob("INDEX.*.tsv")):
        for line in index.read_text().splitlines():
            if line.strip():
                cells = line.split("\t")
                family[cells[0]] = cells[1] if len(cells) > 1 else "other"
    files = [f for f in sorted((HERE / "lists").glob("*.tsv")) if not f.name.startswith("INDEX.")]
    for name in sorted(set(family) - {f.stem for f in files}):
        print(f"list {name}: in an index, but there is no file")
    for name in sorted({f.stem for f in files} - set(family)):
        print(f"list {name}: in no index; taken, family other")
    return {f.stem: clean(f) for f in files if not f.stem.endswith("_500")}, family


def read_tasks(data, lab, with_lists=True):
    """name -> pairs, and name -> family. The project's own lists come on top of the data folder's."""
    tasks = {f.stem: read_pairs(f) for f in sorted((data / "tasks").glob("*.tsv"))}
    family = {}
    for line in (data / "INDEX.tsv").read_text().splitlines()[1:]:
        name, group = line.split("\t")[:2]
        family[name] = group
    header, *rows = (line.split("\t") for line in (HERE / "facts/translations.tsv").read_text().splitlines())
    for column, language in enumerate(header[1:], 1):
        forward = [(r[0], r[column]) for r in rows]
        if with_lists:
            merge(forward, clean(HERE / f"lists/english_{language}_500.tsv"), f"english_{language}_500 into english_{language}")
        many = {y for y, n in collections.Counter(y for _, y in forward).items() if n > 1}
        tasks[f"english_{language}"] = forward
        tasks[f"{language}_english"] = [(y, x) for x, y in forward if y not in many]
        if with_lists:
            print(
                f"english_{language}: {len(forward)} pairs; {language}_english: {len(tasks[f'{language}_english'])}, {len(many)} ambiguous words left out"
            )
        family[f"english_{language}"] = family[f"{language}_english"] = "translation"
    for line in (HERE / "facts/facts.tsv").read_text().splitlines()[1:]:
        name, x, y = line.split("\t")
        tasks.setdefault(name, []).append((x, y))
        family.setdefault(name, "knowledge")
    if lab and lab.is_dir():
        for f in sorted(lab.glob("*.tsv")):
            if f.stem.isupper() or f.stem in ("index", "provenance", "PROVENANCE"):
                continue
            pairs = [p for p in read_pairs(f) if p != ("input", "output")]
            known = set(tasks.get(f.stem, []))
            fresh = [p for p in pairs if p not in known]
            if fresh and with_lists:
                print(f"lab task {f.stem}: {len(fresh)} of {len(pairs)} pairs are not in the data folder; added")
            tasks.setdefault(f.stem, []).extend(fresh)
            family.setdefault(f.stem, "other")
    if not with_lists:
        return tasks, family, []
    lists, families = read_lists()
    for name, pairs in lists.items():
        assert name not in heldout.HELD_TASKS, name
        if name in tasks:
            merge(tasks[name], pairs, f"list {name} into the task of that name")
        elif pairs:
            tasks[name] = pairs
        family.setdefault(name, families.get(name, "other"))
    print(f"{len(lists)} hand-written lists, {sum(map(len, lists.values()))} pairs")
    return tasks, family, sorted(lists)


def everyday_groups(tasks, lists):
    """Categories of words for the families: kinds.tsv, and every list that sorts its inputs into at least 3 classes of at least 8."""
    groups = dict(read_kinds())
    for name in sorted(tasks):
        by_class = collections.defaultdict(list)
        for x, y in tasks[name]:
            by_class[y].append(x)
        large = {y: sorted(set(ws)) for y, ws in by_class.items() if len(ws) >= 8}
        if len(large) >= 3 and (name in CLASSIFICATIONS or name in lists):
            groups |= {f"{name}:{y}": ws for y, ws in large.items()}
    return groups


def common_words(folder, tasks):
    """Lower-case words, commonest first: of the modern prose, and of the word tasks' inputs."""
    count = collections.Counter()
    for name in ("wikinews", "speeches", "factbook", "math_stories", "fairytales", "dictionary"):
        count.update(re.findall(r"(?<![\w'-])[a-z]{3,11}(?![\w'-])", (folder / f"{name}.txt").read_text()))
    given = {
        x
        for name in ("copy_word", "uppercase", "reverse_word", "singular_plural", "present_past", "adjective_adverb")
        for x, _ in tasks.get(name, [])
        if re.fullmatch(r"[a-z]{2,12}", x)
    }
    words = [w for w, n in count.most_common() if n >= 12 or w in given]
    words += sorted(given - set(words))
    return [w for w in words if len(w) > 2 and re.search("[aeiouy]", w) and re.search("[^aeiou]", w) and not UNWANTED.search(w)][:WORDS]


def segments(tasks, rng, per_task=600):
    """Task text for the tokenizer, in the templates' shapes."""
    for name in sorted(tasks):
        for x, y in rng.sample(tasks[name], min(per_task, len(tasks[name]))):
            _, before, between, after = rng.choice(TEMPLATES[:2])
            yield f"{before}{x}{between}{y}{after}"


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--prose", type=Path)
    args.add_argument("--out", type=Path, default=HERE / "prepared")
    args.add_argument("--lab", type=Path, default=HERE / "../../tasks")
    args.add_argument("--tokenizer", type=Path, help="keep this tokenizer.json instead of training one")
    args.add_argument("--small", action="store_true", help="a few documents only (smoke test)")
    args.add_argument("--keep-prose", action="store_true", help="lists changed, the prose did not: keep prose.xz")
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    folder = args.prose
    if folder is None:
        folder = args.out / "text"
        if not folder.is_dir():
            with tarfile.open(args.data / "text.tar.xz") as t:
                t.extractall(folder, filter="data")
    rng = random.Random(0)

    tasks, family, lists = read_tasks(args.data, args.lab)
    every_rule, categories = rules_module.build(tasks)
    digits = {y.lower(): x for x, y in tasks.get("number_words", [])}
    knowledge = {n: p for n, p in tasks.items() if n not in every_rule}
    # Weights of an earlier part know the pairs that it was trained on: what was held out then stays so, and of the lists added since
    # only pairs that were in none of those can be held out. Part nought had no lists, part one had those named in PART_ONE.txt.
    nought = {n: p for n, p in read_tasks(args.data, args.lab, with_lists=False)[0].items() if n not in every_rule}
    later = set(lists) - set((HERE / "lists/PART_ONE.txt").read_text().split())
    one = {n: p for n, p in knowledge.items() if n not in later}
    held, seen, known = set(), set(), {}
    for part in (nought, one, knowledge):
        changed = {n: p for n, p in part.items() if n not in known or len(p) != len(known[n])}
        held = heldout.hold_pairs(changed, digits, held, seen)
        seen = {heldout.pair_key(x, y, digits) for n, p in part.items() if n not in heldout.HELD_TASKS for x, y in p} - held
        known = part
    words = common_words(folder, tasks)

    def split(name):
        sides = ([], [])
        for x, y in knowledge[name]:
            sides[heldout.pair_key(x, y, digits) in held].append((x, y))
        return sides

    sides = {n: split(n) for n in sorted(knowledge)}
    groups = everyday_groups(knowledge, set(lists))
    world = {
        "words": words,
        "selection": categories,
        "groups": groups,
        "family": {n: family.get(n, "other") for n in tasks},
        "train": {n: s[0] for n, s in sides.items()},
        "held": {n: s[1] for n, s in sides.items()},
        "rules": sorted(every_rule),
    }
    (args.out / "tasks.json").write_text(json.dumps(world, ensure_ascii=False))

    # The lab's lists are cut; only the pairs that it carries are listed.
    lab = {f.stem: {tuple(l.split("\t")) for l in f.read_text().splitlines()} for f in args.lab.glob("*.tsv")} if args.lab.is_dir() else {}
    rows = ["task\tinput\toutput\treason"]
    for name in sorted(n for n in tasks if n in lab or not lab):
        for x, y in tasks[name]:
            if lab and (x, y) not in lab[name]:
                continue
            if name in heldout.HELD_TASKS:
                why = "task"
            elif name in every_rule:
                why = "word" if heldout.text_is_held(x) else None
            else:
                why = "pair" if heldout.pair_key(x, y, digits) in held else None
            if why:
                rows.append(f"{name}\t{x}\t{y}\t{why}")
    if not args.small:
        ((HERE if lab else args.out) / "split.tsv").write_text("\n".join(rows) + "\n")
    print(
        f"{len(tasks)} tasks ({len(every_rule)} rules, {len(knowledge)} of pairs), {sum(map(len, knowledge.values()))} pairs, {len(held)} held keys, "
        f"{len(words)} words, {len(groups)} categories, {len(rows) - 1} rows of split",
        flush=True,
    )

    target = args.out / "tokenizer.json"
    if args.tokenizer:
        target.write_bytes(args.tokenizer.read_bytes())
    elif not target.exists():

        def texts():
            for name in prose.SOURCES:
                docs = prose.documents(folder / f"{name}.txt")
                share = 0.02 if args.small else 0.2
                for d in docs:
                    if rng.random() < share:
                        yield d
            # The tasks weigh about as much as a tenth of the prose; inputs without a space in front must be words too.
            for _ in range(1 if args.small else 3):
                yield from segments(tasks, rng)
            yield from words

        train_tokenizer(texts()).save(str(target))
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(target))
    assert tokenizer.token_to_id("<|endoftext|>") == 0
    print(
        "tokenizer:",
        tokenizer.get_vocab_size(),
        {s: tokenizer.encode(s).tokens for s in ("France -> Paris\n", "Q: dog\nA: dogs\n\n", "13 + 42 -> 55\n")},
        flush=True,
    )

    if args.keep_prose and (args.out / "prose.xz").exists():
        return
    arrays = {}
    for name, (_, running) in prose.SOURCES.items():
        path = folder / f"{name}.txt"
        if args.small:
            short = args.out / f"{name}.txt"
            short.write_text(path.read_text()[:400_000])
            path = short
        arrays[name], arrays[name + "/held"] = prose.tokenize(path, running, tokenizer)
        if args.small:
            short.unlink()
        print(name, len(arrays[name]), len(arrays[name + "/held"]), flush=True)
    prose.save(args.out / "prose.xz", arrays)
    print("prose.xz", (args.out / "prose.xz").stat().st_size)


if __name__ == "__main__":
    main()
