"""The held-out tasks of unseen.py: (name, family as shown, family of families.py, description, spec). Chosen before training and fixed.
The weights that training starts from were trained on earlier families (numbers a x + b with a of 1, 2, 3, 5, 10, -1 and b of -9 to 200; picks from
3 to 5 words; first letters of known answers ...): no task here is an instance of those either.
Every made-up word here is one that training never draws (heldout.made_up_is_held)."""


def kinds(*names):
    return tuple("kind:" + n for n in names)


def labelled(**by):
    return tuple(sorted(("kind:" + k, v) for k, v in by.items()))


def pairs(text):
    """`a=b c=d` -> (("a", "b"), ("c", "d"))"""
    return tuple(sorted(tuple(p.split("=")) for p in text.split()))


COMMA = ", "

UNSEEN = [
    # words of everyday kinds -> arbitrary labels
    ("kind_label_zup", "labels", "category", "animal, food or tool -> its made-up label", labelled(animal="zak", food="lof", tool="mir")),
    (
        "kind_label_work",
        "labels",
        "category",
        "job, vehicle or clothing -> its made-up label",
        labelled(job="tek", vehicle="nid", clothing="gur"),
    ),
    ("kind_label_digit", "labels", "category", "country, animal or plant -> its digit", labelled(country="3", animal="7", plant="1")),
    (
        "kind_label_letter",
        "labels",
        "category",
        "body part, furniture, food or city -> its letter",
        labelled(body="K", furniture="Q", food="Z", city="X"),
    ),
    (
        "kind_label_five",
        "labels",
        "category",
        "animal, food, tool, clothing or job -> its made-up label",
        labelled(animal="duv", food="mepu", tool="rag", clothing="bop", job="lono"),
    ),
    (
        "kind_label_box",
        "labels",
        "category",
        "food, tool, job or vehicle -> the box it goes in",
        labelled(food="box 3", tool="box 8", job="box 5", vehicle="box 1"),
    ),
    (
        "kind_label_color",
        "labels",
        "category",
        "city, job, animal or tool -> its color",
        labelled(city="green", job="red", animal="blue", tool="yellow"),
    ),
    # a label and a list -> the word that has the label
    (
        "label_word_zup",
        "picks by label",
        "which",
        "made-up label and three words -> the animal, food or tool",
        (labelled(animal="guz", food="bad", tool="lap"), "{label}: {words}"),
    ),
    (
        "label_word_digit",
        "picks by label",
        "which",
        "digit and words -> the job, city or plant",
        (labelled(job="4", city="9", plant="2"), "{label}: {words}"),
    ),
    (
        "label_word_letter",
        "picks by label",
        "which",
        "words and a letter -> the country, body part, food or vehicle",
        (labelled(country="F", body="W", food="J", vehicle="R"), "{words} ({label})"),
    ),
    (
        "label_word_clothes",
        "picks by label",
        "which",
        "made-up label and words -> the clothing, furniture or animal",
        (labelled(clothing="veki", furniture="sop", animal="mok"), "{label} | {words}"),
    ),
    # lists put in an arbitrary order of kinds
    (
        "tool_animal_food_order",
        "orders",
        "kind_order",
        "three words -> tool, then animal, then food",
        (kinds("tool", "animal", "food"), "sort", COMMA),
    ),
    (
        "plant_job_city_order",
        "orders",
        "kind_order",
        "three words -> plant, then job, then city",
        (kinds("plant", "job", "city"), "sort", " "),
    ),
    (
        "kind_wins_animal",
        "orders",
        "kind_order",
        "words -> the one whose kind ranks first: furniture, animal, country, food",
        (kinds("furniture", "animal", "country", "food"), "first", COMMA),
    ),
    (
        "kind_wins_job",
        "orders",
        "kind_order",
        "words -> the one whose kind ranks first: clothing, city, job, plant, tool",
        (kinds("clothing", "city", "job", "plant", "tool"), "first", " / "),
    ),
    # an arbitrary order among a few things
    (
        "pecking_order",
        "orders",
        "rank",
        "two or three animals -> the strongest in a hidden order",
        (("goose", "cat", "horse", "mouse", "wolf", "cow", "frog"), "first", 0, COMMA),
    ),
    (
        "letter_contest",
        "orders",
        "rank",
        "two or three letters -> the first in a hidden order",
        (("q", "d", "m", "x", "b", "t", "k"), "first", 0, " "),
    ),
    # how many
    (
        "count_animals",
        "counts",
        "count_kind",
        "list of animals, foods and tools -> how many animals",
        ("kind:animal", kinds("food", "tool"), tuple(map(str, range(8))), COMMA),
    ),
    (
        "count_cities",
        "counts",
        "count_kind",
        "list of cities, jobs and plants -> how many cities",
        ("kind:city", kinds("job", "plant"), tuple(map(str, range(8))), COMMA),
    ),
    (
        "count_clothes",
        "counts",
        "count_kind",
        "words -> how many name clothing",
        ("kind:clothing", kinds("animal", "body"), tuple(map(str, range(8))), " "),
    ),
    (
        "count_countries",
        "counts",
        "count_kind",
        "list of countries, foods and furniture -> how many countries",
        ("kind:country", kinds("food", "furniture"), tuple(map(str, range(8))), COMMA),
    ),
    # which stay
    (
        "keep_animals",
        "filters",
        "keep",
        "list of animals, tools and foods -> the animals",
        ("kind:animal", kinds("food", "tool"), "keep", COMMA, COMMA),
    ),
    (
        "keep_jobs",
        "filters",
        "keep",
        "list of jobs, cities and plants -> the jobs",
        ("kind:job", kinds("city", "plant"), "keep", COMMA, COMMA),
    ),
    (
        "keep_foods_plus",
        "filters",
        "keep",
        "list of foods and vehicles -> the foods, joined by +",
        ("kind:food", kinds("vehicle"), "keep", COMMA, "+"),
    ),
    (
        "drop_countries",
        "filters",
        "keep",
        "list of countries, animals and clothing -> all but the countries",
        ("kind:country", kinds("animal", "clothing"), "drop", COMMA, COMMA),
    ),
    ("keep_body", "filters", "keep", "words -> the parts of the body", ("kind:body", kinds("furniture", "job"), "keep", " ", " ")),
    # words labelled by a hidden property of their letters
    (
        "initial_thirds",
        "properties",
        "feature",
        "word -> made-up label by its first letter (a-f, g-p, q-z)",
        ("first letter in thirds", ("pag", "tof", "mumo")),
    ),
    (
        "length_thirds",
        "properties",
        "feature",
        "word -> label by its length (to 4, 5 or 6, more)",
        ("length in thirds", ("kuf", "dom", "vepu")),
    ),
    (
        "initial_quarters",
        "properties",
        "feature",
        "word -> number by its first letter (a-c, d-l, m-r, s-z)",
        ("first letter in quarters", ("8", "5", "2", "6")),
    ),
    (
        "length_quarters",
        "properties",
        "feature",
        "word -> letter by its length (to 4, 5, 6 or 7, more)",
        ("length in quarters", ("G", "V", "B", "Y")),
    ),
    # numbers labelled by a hidden property, or on the sides of unknown borders
    (
        "first_digit_label",
        "properties",
        "number_feature",
        "number -> color by its first digit (1-3, 4-6, 7-9)",
        ("first digit in thirds", ("white", "orange", "brown")),
    ),
    (
        "grade_four",
        "thresholds",
        "threshold",
        "number below 1000 -> one of four grades with unknown borders",
        ((210, 450, 760), ("gold", "silver", "bronze", "tin"), 1000),
    ),
    (
        "size_three",
        "thresholds",
        "threshold",
        "number below 1000 -> one of three made-up sizes",
        ((300, 640), ("mik", "dumo", "rim"), 1000),
    ),
    (
        "price_class",
        "thresholds",
        "threshold",
        "number below 1000 -> one of four letters with unknown borders",
        ((180, 380, 700), ("T", "E", "U", "H"), 1000),
    ),
    (
        "crowd_name",
        "thresholds",
        "threshold",
        "number below 1000 -> one of four made-up words",
        ((150, 420, 800), ("gumo", "zipi", "reta", "kom"), 1000),
    ),
    # number rules
    ("four_x_plus_seven", "number rules", "affine", "number -> four times it plus 7", (4, 7)),
    ("x_plus_217", "number rules", "affine", "number -> plus 217", (1, 217)),
    ("two_x_minus_fifteen", "number rules", "affine", "number -> twice it minus 15", (2, -15)),
    (
        "twice_first_plus_second",
        "number rules",
        "two_numbers",
        "two numbers -> twice the first plus the second",
        ("linear", 2, 1, 0, "{} {}"),
    ),
    ("sum_plus_ten", "number rules", "two_numbers", "two numbers -> their sum plus 10", ("linear", 1, 1, 10, "{} {}")),
    ("larger_plus_three", "number rules", "two_numbers", "two numbers -> the larger plus 3", ("max", 1, 1, 3, "{}, {}")),
    # signs whose meaning shows only in the examples
    (
        "signs_three",
        "operators",
        "operators",
        "two numbers and one of three signs -> what the sign does",
        (("#", "max"), ("%", "+"), ("@", "join")),
    ),
    (
        "signs_words",
        "operators",
        "operators",
        "two numbers and one of three made-up words -> what the word does",
        (("bun", "second"), ("dat", "sum plus one"), ("fip", "double first")),
    ),
    (
        "signs_letters",
        "operators",
        "operators",
        "two numbers and one of three letters -> what the letter does",
        (("f", "min"), ("k", "+"), ("t", "back join")),
    ),
    (
        "signs_more_words",
        "operators",
        "operators",
        "two numbers and one of three made-up words -> what the word does",
        (("muv", "+"), ("nil", "max"), ("sol", "back join")),
    ),
    # strings over unseen alphabets, symbol by symbol
    ("code_abcd_digits", "codes", "code", "letters -> digits, one by one", (pairs("a=7 b=2 c=9 d=4"), " ", " ", False)),
    ("code_digits", "codes", "code", "digits 1 to 5 -> other digits, one by one", (pairs("1=8 2=5 3=0 4=3 5=6"), "", "", False)),
    ("code_symbols", "codes", "code", "letters -> symbols, one by one", (pairs("a=* b=+ c=# d=@"), " ", " ", False)),
    ("code_weather", "codes", "code", "weather words -> letters, one by one", (pairs("sun=L rain=D wind=S snow=N fog=C"), " ", " ", False)),
    ("code_digit_letters", "codes", "code", "digits -> letters, one by one", (pairs("1=w 2=e 3=k 4=o 5=t"), "", " ", False)),
    # phrases of a made-up language
    (
        "language_animals",
        "made-up languages",
        "phrase",
        "size, color and animal -> in a made-up language",
        (
            (
                pairs("small=fivo big=tari old=viti young=keno new=zovo"),
                pairs("red=fadu blue=soto green=desi white=sesi black=bano yellow=modo brown=mema"),
                pairs("dog=kumo cat=vada horse=gonu cow=vinu bird=bulu fish=dero pig=tozo"),
            ),
            (0, 1, 2),
            " ",
        ),
    ),
    (
        "language_orders",
        "made-up languages",
        "phrase",
        "number, color and thing -> in a made-up language, the thing first",
        (
            (
                pairs("one=kega two=depe three=pudu four=fidu five=faki"),
                pairs("red=lemi blue=nimu green=ruzi white=veki black=midi gray=mozo pink=zipi"),
                pairs("cup=dumo hat=gifa pen=laro box=zino book=mini bag=zase key=vabe"),
            ),
            (2, 1, 0),
            " ",
        ),
    ),
    (
        "language_meals",
        "made-up languages",
        "phrase",
        "who, does and what -> in a made-up language",
        (
            (
                pairs("I=tek you=bel he=gur she=mir we=mul"),
                pairs("eat=nov buy=rak cook=bad like=gim want=laf sell=zog have=duv"),
                pairs("bread=tas fish=lap rice=rig soup=kiz eggs=get cake=mik meat=kuf"),
            ),
            (0, 2, 1),
            " ",
        ),
    ),
    # hidden prices
    # what is done depends on a hidden property
    ("even_less_odd_more", "branches", "branch", "even number -> minus 7; odd number -> plus 13", ("even", (("-", 7), ("+", 13)))),
    (
        "first_digit_branch",
        "branches",
        "branch",
        "number -> backwards, plus 1 or its last digit, by its first digit",
        ("first digit in thirds", (("reverse", 0), ("+", 1), ("last digit", 0))),
    ),
    (
        "vowel_branch",
        "branches",
        "branch",
        "word -> capitals if it starts with a vowel, else backwards",
        ("first letter a vowel", ("uppercase", "reverse_word")),
    ),
    (
        "initial_branch",
        "branches",
        "branch",
        "word -> twice, with a hash or in brackets, by its first letter",
        ("first letter in thirds", ("double_word", "hashtag_word", "bracket_word")),
    ),
    # a marker chooses between known rules or relations
    (
        "marked_letters",
        "markers",
        "marked",
        "word and a made-up marker -> its first letter, capitals or length",
        ((("kag", "first_letter"), ("fit", "uppercase"), ("gid", "word_length")), False),
    ),
    (
        "marked_forms",
        "markers",
        "marked",
        "word and a sign -> with a hash, in brackets or twice",
        ((("%", "bracket_word"), ("&", "double_word"), ("^", "hashtag_word")), True),
    ),
    (
        "marked_ends",
        "markers",
        "marked",
        "digit and a word -> its last letter, first two letters or itself",
        ((("2", "last_letter"), ("6", "first_two_letters"), ("9", "copy_word")), False),
    ),
    (
        "marked_verbs",
        "markers",
        "marked_relation",
        "verb and a sign -> its past or its -ing form",
        ((("*", "present_gerund"), ("<", "present_past")), True),
    ),
    (
        "marked_countries",
        "markers",
        "marked_relation",
        "country and a letter -> its capital or its continent",
        ((("B", "country_continent"), ("W", "country_capital")), False),
    ),
    (
        "marked_numbers",
        "markers",
        "marked_relation",
        "number and a made-up marker -> in Spanish or in German",
        ((("rum", "number_german"), ("tus", "number_spanish")), True),
    ),
    # two known relations one after the other
    (
        "city_country_ends",
        "compositions",
        "composition",
        "city -> first and last letter of its country",
        ("city_country", "first and last letter"),
    ),
    ("city_country_end", "compositions", "composition", "city -> last two letters of its country", ("city_country", "last two letters")),
    (
        "us_city_state_short",
        "compositions",
        "composition",
        "US city -> first three letters of its state",
        ("us_city_state", "first three letters"),
    ),
    (
        "gerund_first_two",
        "compositions",
        "composition",
        "-ing form -> first two letters of the verb",
        ("gerund_present", "first two letters"),
    ),
    ("number_word_end", "compositions", "composition", "number -> last letter of its name", ("number_words", "last letter")),
    # known answers, dressed
    ("past_dressed", "dressings", "composed", "verb -> its past between tildes, then a word", ("present_past", "~{y}~ {w}", "no")),
    ("plural_dressed", "dressings", "composed", "noun -> noun/plural turned round", ("singular_plural", "{y}/{x}", "")),
    # picks with unusual places and joints
    ("pick_six", "picks", "pick", "six letters -> the fifth, the second and the sixth, joined by +", (6, (4, 1, 5), "+", " ", "letters")),
    ("pick_seven", "picks", "pick", "seven numbers -> the third and the sixth, joined by /", (7, (2, 5), "/", " ", "numbers")),
    ("pick_five", "picks", "pick", "five words -> the fourth, the first and the third, joined by >", (5, (3, 0, 2), " > ", COMMA, "words")),
    # cycles and numbers
]
