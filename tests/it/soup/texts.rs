//! The text of recipes: round trips, the hash, and what is said of mistakes.

use super::chunks::cases;
use proptest::prelude::*;
use state_soup::soup::{Divisor, Layers, Recipe, Term, Value, rules};

fn weight() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        Just(1.0),
        Just(-1.0),
        Just(0.0),
        Just(0.5),
        -2.0..2.0f64,
        Just(1e-9),
        Just(-1e300),
        any::<i64>().prop_map(|v| v as f64 / 7e5)
    ]
}

fn id() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "[a-z_]{1,8}/[0-9]",
        "[a-z]{1,5}",
        "[a-z]{1,3}-[a-z0-9]{1,3}(/[0-9])?",
        "\\PC{0,6}",
        "(mean|top|query|h0|zero|inf|nan|with_query|auto|gated|é)(/[0-9])?"
    ]
}

fn boxed(recipe: impl Strategy<Value = Recipe>) -> impl Strategy<Value = Box<Recipe>> {
    recipe.prop_map(Box::new)
}

fn mix(rule: &str, items: Vec<Term>, values: &[Value]) -> Recipe {
    let rule = rules::named(rule).unwrap();
    assert_eq!(rule.parameters.len(), values.len());
    Recipe::Mix { rule, items, values: values.to_vec() }
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let leaf = prop_oneof![
        Just(Recipe::Zero),
        Just(Recipe::Neutral),
        Just(Recipe::Query),
        Just(Recipe::Auto),
        (1usize..100_000).prop_map(|n| Recipe::Top { n }),
        id().prop_map(Recipe::skill),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let term = (weight(), inner.clone()).prop_map(|(weight, recipe)| Term { weight, recipe });
        let items = prop::collection::vec(term, 1..4);
        let layers = prop_oneof![
            (0usize..50, 1usize..9).prop_map(|(from, n)| Layers::Range(from, from + n)),
            prop::collection::vec(weight(), 1..5).prop_map(Layers::Weights),
        ];
        let z = prop_oneof![Just(Divisor::One), Just(Divisor::Count), Just(Divisor::Weights)];
        let gamma = prop_oneof![Just(f64::INFINITY), 0.0..3.0f64];
        prop_oneof![
            items.clone().prop_map(|terms| Recipe::Plus { terms }),
            items.clone().prop_map(|items| mix("mean", items, &[])),
            items.clone().prop_map(|items| mix("sum", items, &[])),
            (items.clone(), weight()).prop_map(|(items, tau)| mix("softmax", items, &[tau.into()])),
            (items.clone(), gamma, z).prop_map(|(items, gamma, z)| mix("decay", items, &[gamma.into(), z.into()])),
            items.clone().prop_map(|items| mix("picaso_s", items, &[])),
            items.clone().prop_map(|items| mix("picaso_r", items, &[])),
            items.clone().prop_map(|items| mix("arith", items, &[])),
            items.clone().prop_map(|items| mix("posterior", items, &[])),
            items.clone().prop_map(|items| mix("ensemble", items, &[])),
            boxed(inner.clone()).prop_map(|of| Recipe::Primed { of }),
            boxed(inner.clone()).prop_map(|of| Recipe::Gated { of }),
            (items.clone(), weight()).prop_map(|(items, t)| mix("slerp", items, &[t.into()])),
            (items.clone(), weight(), weight()).prop_map(|(items, density, lambda)| mix("ties", items, &[density.into(), lambda.into()])),
            (items, weight(), any::<u64>()).prop_map(|(items, p, seed)| mix("dare", items, &[p.into(), seed.into()])),
            (boxed(inner.clone()), prop::option::of(weight())).prop_map(|(of, lambda)| Recipe::WithQuery { of, lambda }),
            (boxed(inner.clone()), layers, prop::option::of(boxed(inner.clone()))).prop_map(|(of, layers, over)| Recipe::At {
                of,
                layers,
                over
            }),
            boxed(inner.clone()).prop_map(|of| Recipe::MatchNorm { of }),
            (boxed(inner.clone()), boxed(inner)).prop_map(|(of, from)| Recipe::Conv { of, from }),
        ]
    })
}

proptest! {
    #![proptest_config(cases(1500))]
    #[test]
    fn a_recipe_reads_back_as_itself(recipe in recipe()) {
        let text = recipe.to_string();
        let back: Recipe = text.parse().map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(&back, &recipe, "{}", text);
        prop_assert_eq!(back.hash(), recipe.hash());
        let json = serde_json::to_string(&recipe).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Recipe>(&json).unwrap(), &recipe, "{}", json);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-a-z0-9 .,;=|@*+()\\[\\]\"/\\\\é]{0,40}") {
        let _ = text.parse::<Recipe>();
    }
}

#[test]
fn toml_says_the_same() {
    let recipe: Recipe =
        "(softmax(top(8), a/0; tau=0.1) | with_query(0.5)) @ 4..8 | over(decay(a, 2*b; gamma=inf, z=n) | conv(query))".parse().unwrap();
    let text = toml::to_string(&recipe).unwrap();
    assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), recipe, "{text}");
    let by_hand = "op = 'mean'\nitems = [{ op = 'skill', id = 'a/0' }, { weight = 2, op = 'skill', id = 'b/0' }]\n";
    assert_eq!(toml::from_str::<Recipe>(by_hand).unwrap().to_string(), "mean(a/0, 2*b/0)");
}

#[test]
fn what_people_write_is_printed_in_one_way() {
    for (written, printed) in [
        ("0.6*antonym/0+.40 * antonym/1", "0.6*antonym/0 + 0.4*antonym/1"),
        ("decay( a/0 ,b/1 )", "decay(a/0, b/1; gamma=1)"),
        ("mean(top(5))|with_query(lambda=0.5)", "mean(top(5)) | with_query(0.5)"),
        ("((a/0))", "a/0"),
        ("h0 + 1.0*(a - h0)", "h0 + (a - h0)"),
        ("-a/0", "-1*a/0"),
        ("a/0-b/0", "a/0 - b/0"),
        ("english-french/0 - b/0", "english-french/0 - b/0"),
        ("choose_first_of_3/2 @ 4..8", "choose_first_of_3/2 @ 4..8"),
        ("x @ 3", "x @ 3..4"),
        ("\"2nd letter/0\"", "\"2nd letter/0\""),
        ("\"a/0\"", "a/0"),
        ("picaso_s(a,b) | match_norm", "picaso_s(a, b) | match_norm"),
        ("slerp(a, b; t=3e-1)", "slerp(a, b; t=0.3)"),
        ("dare(a; seed=18446744073709551615, p=.5)", "dare(a; p=0.5, seed=18446744073709551615)"),
    ] {
        let recipe: Recipe = written.parse().unwrap_or_else(|e| panic!("{written}: {e}"));
        assert_eq!(recipe.to_string(), printed);
        assert_eq!(recipe.hash(), printed.parse::<Recipe>().unwrap().hash());
    }
}

/// Hashes are written into files: they may not change between versions.
#[test]
fn hashes_stay() {
    let hash = |text: &str| text.parse::<Recipe>().unwrap().hash();
    assert_eq!(hash("0.6*antonym/0 + 0.4*antonym/1"), HASH_OF_A_SUM);
    assert_eq!(hash("(decay(a/0, b/1; gamma=1) | with_query(0.5)) @ 4..8 | over(query)"), HASH_OF_LAYERS);
    assert_ne!(hash("mean(a, b)"), hash("mean(b, a)"));
}

const HASH_OF_A_SUM: &str = "e87c8c63fbd087079cc90cab76604ecb0ebd82ba2def2ce8e270a4d054ea7632";
const HASH_OF_LAYERS: &str = "22c3e21ec411d383fe0970005787dc5a8e938ece1d3f29daefb987fb27121ac2";

#[test]
fn mistakes_are_pointed_at() {
    for (text, column, what) in [
        ("", 1, "a skill, a task or a function is expected"),
        ("mean(a/0, )", 11, "a skill, a task or a function is expected"),
        ("mena(a, b)", 1, "there is no function `mena`; did you mean `mean`?"),
        ("decy(a, b)", 1, "did you mean `decay`?"),
        ("picaso(a, b)", 1, "did you mean `picaso_s`?"),
        ("slurp(a, b)", 1, "did you mean `slerp`?"),
        ("xyz(a)", 1, "there is no function `xyz`"),
        ("a + topp(3)", 5, "did you mean `top`?"),
        ("decay(a; gama=1)", 10, "`decay` takes `gamma`, `z`"),
        ("decay(a; gamma=1, gamma=2)", 19, "`gamma` is given twice"),
        ("decay(a; gamma=)", 16, "a number is expected"),
        ("decay(a; z=2)", 12, "`1`, `n`"),
        ("mean(a; w=1)", 9, "`mean` takes no values"),
        ("mean(a, b", 10, "`)` is expected"),
        ("a b", 3, "the recipe should end here"),
        ("a/0 @ 8..4", 7, "the range of layers is empty"),
        ("a/0 @ 4..", 10, "a number is expected"),
        ("a/0 @ 1.5", 7, "a whole number is expected"),
        ("a | mix", 5, "is expected after `|`"),
        ("a | over(b)", 5, "must stand before it"),
        ("top(0)", 1, "nothing"),
        ("2nd/0", 2, "a name that begins with a digit goes in quotes"),
        ("1e999*a", 1, "a finite number is expected"),
        ("\"a/0", 2, "the closing quote is missing"),
        ("dare(a; seed=1.5)", 15, "`)` is expected"),
        ("dare(a; seed=-1)", 14, "whole number"),
        ("posterior(a; p=1)", 14, "`posterior` takes no values"),
        ("posteriour(a)", 1, "did you mean `posterior`?"),
        ("ensemble()", 10, "a skill, a task or a function is expected"),
        ("gated()", 7, "a skill, a task or a function is expected"),
        ("primed(a, b)", 9, "`)` is expected"),
        ("gate(a)", 1, "did you mean `gated`?"),
        ("é/0 + ?", 7, "a skill, a task or a function is expected"),
    ] {
        let message = text.parse::<Recipe>().expect_err(text).to_string();
        assert!(message.contains(what), "{text}: {message}");
        assert!(message.starts_with(&format!("recipe, column {column} ")), "{text}: {message} should point at {column}");
    }
    let message = "xyz(a)".parse::<Recipe>().unwrap_err().to_string();
    assert!(!message.contains("did you mean"), "{message}");
}

/// A megabyte of brackets or pipes is refused, not followed until the stack ends.
#[test]
fn endless_nesting_is_refused() {
    for piece in ["(", "mean(", "-(", "0.5*mean(a, ", "a | conv(", "a @ 1 | over(", "mean((a | conv(", "gated(", "primed("] {
        let message = piece.repeat(100_000).parse::<Recipe>().unwrap_err().to_string();
        assert!(message.contains("too many brackets") || message.contains("at most 64 pipes"), "{piece}: {message}");
    }
    let pipes = format!("a{}", " | match_norm".repeat(100_000));
    assert!(pipes.parse::<Recipe>().unwrap_err().to_string().contains("at most 64 pipes"));
    let deep = format!("{}a{}", "mean(".repeat(60), ")".repeat(60));
    assert_eq!(deep.parse::<Recipe>().unwrap().to_string(), deep);
    // In JSON too.
    let json = format!("{}{{\"op\":\"zero\"}}{}", "{\"op\":\"match_norm\",\"of\":".repeat(100_000), "}".repeat(100_000));
    assert!(serde_json::from_str::<Recipe>(&json).is_err());
}
