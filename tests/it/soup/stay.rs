//! What was written stays readable, and is written the same: the files of recipes and soups, and
//! the hashes of recipes. All of it was written by version 0.1.0, before the rules were rows of a
//! table.

use state_soup::soup::{Choice, Ingredient, Recipe, Soup, Value, Values};

/// A recipe's text, its JSON and its hash.
#[rustfmt::skip]
const RECIPES: [(&str, &str, &str); 17] = [
    (
        "mean(a/0, 2*b)",
        r#"{"op":"mean","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":2.0,"op":"skill","id":"b"}]}"#,
        "1922ac4ff4ffe1643d11d0399cc49e744b7775c9fa1bdb59f783ad75ad19a529",
    ),
    (
        "sum(a/0, -1*b)",
        r#"{"op":"sum","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":-1.0,"op":"skill","id":"b"}]}"#,
        "664504c67772bd0af3ba6e5ac17dd3ab58147e2362f6cc07e7c0969ca550973e",
    ),
    (
        "softmax(top(8), a/0; tau=0.1)",
        r#"{"op":"softmax","items":[{"weight":1.0,"op":"top","n":8},{"weight":1.0,"op":"skill","id":"a/0"}],"tau":0.1}"#,
        "b5c6944e71478f8c8ddb09026b17f8f4966c70370392d8afbb4b6a9d4f0a534a",
    ),
    (
        "decay(a/0, b/1; gamma=inf)",
        r#"{"op":"decay","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":1.0,"op":"skill","id":"b/1"}],"gamma":"inf","z":"one"}"#,
        "dc5c4d1e55b1108a0c253e54ce8b9d8767f0ad0f98e6054c46e405b7e24d20d9",
    ),
    (
        "decay(a/0, 2*b/1; gamma=0.5, z=n)",
        r#"{"op":"decay","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":2.0,"op":"skill","id":"b/1"}],"gamma":0.5,"z":"count"}"#,
        "d5c810c0eb20b12607df01b6f2e5bba5ab8faa74f1a60149b9ddac1b0cf03e85",
    ),
    (
        "decay(a/0, 2*b/1; gamma=2, z=w)",
        r#"{"op":"decay","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":2.0,"op":"skill","id":"b/1"}],"gamma":2.0,"z":"weights"}"#,
        "a80e5e5ff789967af2390e498da5672944c0dcf51cde250daf91cb6bfd2c0f74",
    ),
    (
        "picaso_s(a, b)",
        r#"{"op":"picaso_s","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":1.0,"op":"skill","id":"b"}]}"#,
        "ce8ac2e9952060b2918af9e845b9ef8fc2ca7bace616a998cfb3eeb3263a77d9",
    ),
    (
        "picaso_r(a, b)",
        r#"{"op":"picaso_r","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":1.0,"op":"skill","id":"b"}]}"#,
        "a8c76337e4a390301c27a8409a96539558263cec1b97a9a94f516a78778b911f",
    ),
    (
        "arith(a, -0.5*b)",
        r#"{"op":"arith","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":-0.5,"op":"skill","id":"b"}]}"#,
        "4a16762b8855b5fef8d2c9286c92e6c622c3c8c0a867ba8905b8086ca90bee51",
    ),
    (
        "slerp(a/0, b/0; t=0.3)",
        r#"{"op":"slerp","items":[{"weight":1.0,"op":"skill","id":"a/0"},{"weight":1.0,"op":"skill","id":"b/0"}],"t":0.3}"#,
        "9bb615bd44fb0f93a79cf845aa14139519b81d57d36bd0645ff9b4de5f481c7e",
    ),
    (
        "ties(a, b; density=0.4, lambda=0.7)",
        r#"{"op":"ties","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":1.0,"op":"skill","id":"b"}],"density":0.4,"lambda":0.7}"#,
        "bb05d6aa70de4338579004412dfe3bb26adf128f3ade335b45840355301bb9fb",
    ),
    (
        "dare(a, b; p=0.25, seed=18446744073709551615)",
        r#"{"op":"dare","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":1.0,"op":"skill","id":"b"}],"p":0.25,"seed":18446744073709551615}"#,
        "0b55f753e3d556a4cbde377fcfc37300fb224c778a243389ff47cba2a257e8df",
    ),
    (
        "posterior(a, b/0, top(3))",
        r#"{"op":"posterior","items":[{"weight":1.0,"op":"skill","id":"a"},{"weight":1.0,"op":"skill","id":"b/0"},{"weight":1.0,"op":"top","n":3}]}"#,
        "82dd72c10d38ae989ef5d8a38826adf28b76128c2cb0d6ae9d34aa6df1f058f8",
    ),
    (
        "gated(ensemble(query, primed(posterior(top(24)))))",
        r#"{"op":"gated","of":{"op":"ensemble","items":[{"weight":1.0,"op":"query"},{"weight":1.0,"op":"primed","of":{"op":"posterior","items":[{"weight":1.0,"op":"top","n":24}]}}]}}"#,
        "5cf877aca461c0bfeaf07fa9edb51bfbd85a3ffc680ad129075fb6b438d67d51",
    ),
    (
        "(mean(a) | with_query(0.5)) | match_norm",
        r#"{"op":"match_norm","of":{"op":"with_query","of":{"op":"mean","items":[{"weight":1.0,"op":"skill","id":"a"}]},"lambda":0.5}}"#,
        "ee683147d48d83cb161d6c5ba56daf15fb9bc55a9687e1edd5aa33ba341afcac",
    ),
    (
        "((a | with_query) | conv(zero)) @ 4..8 | over(0.5*h0 + auto)",
        r#"{"op":"at","of":{"op":"conv","of":{"op":"with_query","of":{"op":"skill","id":"a"}},"from":{"op":"zero"}},"layers":{"range":[4,8]},"over":{"op":"plus","terms":[{"weight":0.5,"op":"neutral"},{"weight":1.0,"op":"auto"}]}}"#,
        "2bea6a31623a1fa47de13e0cbc8ed35dd244992866ac4b616c689624db2222d7",
    ),
    (
        "mean(a) @ [0.5, 1]",
        r#"{"op":"at","of":{"op":"mean","items":[{"weight":1.0,"op":"skill","id":"a"}]},"layers":{"weights":[0.5,1.0]}}"#,
        "6efd37578da61ab13d34c8abeb5d3208511cce6daa4b9b2a59b72d89086d714d",
    ),
];

#[test]
fn recipes_are_written_as_they_were() {
    for (text, json, hash) in RECIPES {
        let recipe: Recipe = text.parse().unwrap();
        assert_eq!((recipe.to_string().as_str(), recipe.hash().as_str()), (text, hash));
        assert_eq!(serde_json::to_string(&recipe).unwrap(), json);
        assert_eq!(serde_json::from_str::<Recipe>(json).unwrap(), recipe);
    }
    // What could be left out still can; whole numbers are numbers; what counts nowhere is left
    // aside.
    let read = |json: &str| serde_json::from_str::<Recipe>(json).unwrap().to_string();
    assert_eq!(read(r#"{"gamma":1,"items":[{"id":"a","op":"skill"}],"op":"decay","note":["x"]}"#), "decay(a; gamma=1)");
    assert_eq!(read(r#"{"op":"with_query","of":{"op":"zero"},"lambda":null}"#), "zero | with_query");
}

#[test]
fn what_is_wrong_in_a_recipes_file_is_said() {
    for (json, why) in [
        (r#"{"op":"tiez","items":[]}"#, "there is no operation `tiez` of recipes; did you mean `ties`?"),
        (r#"{"op":"ties","items":[{"op":"zero"}],"density":0.2}"#, "a recipe of the operation `ties` needs the field `lambda`"),
        (r#"{"op":"ties","density":0.2,"lambda":1}"#, "needs the field `items`"),
        (r#"{"op":"decay","items":[{"op":"zero"}],"gamma":"x"}"#, "`gamma` of `decay`: `x` is given where a number is expected"),
        (r#"{"op":"slerp","items":[{"op":"zero"}],"t":"inf"}"#, "`t` of `slerp`: `inf` is given where a number is expected"),
        (
            r#"{"op":"decay","items":[{"op":"zero"}],"gamma":1,"z":"two"}"#,
            "unknown variant `two`, expected one of `one`, `count`, `weights`",
        ),
        (
            r#"{"op":"dare","items":[{"op":"zero"}],"p":0.5,"seed":-1}"#,
            "`seed` of `dare`: -1 is given where a whole number of 0 or more is expected",
        ),
        (r#"{"op":"gated"}"#, "a recipe of the operation `gated` needs the field `of`"),
        (r#"{"op":"mean","items":[{"op":"skill"}]}"#, "a recipe of the operation `skill` needs the field `id`"),
        (r#"{"items":[]}"#, "missing field `op`"),
    ] {
        let said = serde_json::from_str::<Recipe>(json).unwrap_err().to_string();
        assert!(said.contains(why), "{json}: {said}");
    }
}

const SOUP: &str = r#"{"ingredients":[{"skill":"a/0","weight":1.0,"muted":false,"locked":false,"solo":false}],"rule":"weighted","gamma":"inf","z":"count","lambda":1.0,"tau":0.3,"layers":{"start":2,"end":4},"layer_weights":null,"conv":"rule","match_norm":false,"density":0.2,"drop":0.25,"seed":7}"#;

#[test]
fn soups_are_written_as_they_were() {
    let soup: Soup = serde_json::from_str(SOUP).unwrap();
    let values = [("gamma", f64::INFINITY.into()), ("z", Value::Divisor(state_soup::soup::Divisor::Count)), ("tau", 0.3.into())];
    let values = values.into_iter().chain([("density", 0.2.into()), ("drop", 0.25.into()), ("seed", 7u64.into())]);
    let values = values.fold(Values::default(), |all, (field, value): (&str, Value)| all.with(field, value));
    assert_eq!(soup, Soup { ingredients: vec![Ingredient::new("a/0")], values, layers: Some(2..4), ..Soup::default() });
    // The same fields with the same values.
    let written = serde_json::to_value(&soup).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(SOUP).unwrap());
    let ids = ["weighted", "mean", "sum", "softmax", "decay", "picaso-s", "picaso-r", "arithmetic", "slerp", "ties", "dare"];
    for id in ids {
        let read: Soup = toml::from_str(&format!("rule = '{id}'\ngamma = 2\nseed = 7\ntomorrow = [1]\n")).unwrap();
        assert_eq!(
            (read.rule, read.values.number("gamma"), read.values.get("seed")),
            (Choice::of(id).unwrap(), Some(2.0), Some(Value::Whole(7)))
        );
        let text = toml::to_string(&read).unwrap();
        assert!(text.contains(&format!("rule = \"{id}\"")) && text.contains("gamma = 2.0") && !text.contains("layers"), "{text}");
        assert_eq!(toml::from_str::<Soup>(&text).unwrap(), read);
    }
    for (text, why) in [
        ("rule = 'tiez'", "`tiez` is not a rule; there are `weighted`, `mean`"),
        ("gamma = 'x'", "`gamma`: `x` is given where a number is expected"),
        ("tau = 'inf'", "`tau`: `inf` is given where a number is expected"),
        ("z = 'two'", "unknown variant `two`"),
        ("seed = 0.5", "`seed`: 0.5 is given where a whole number of 0 or more is expected"),
    ] {
        let said = toml::from_str::<Soup>(text).unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
}
