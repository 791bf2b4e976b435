use super::*;

fn bench() -> Bench {
    let mut bench = Bench::new(Soup::default(), false);
    for skill in ["a/0", "b/0", "c/0"] {
        bench.edit(&SoupEdit::Add(skill.into()), 12, 0).unwrap();
    }
    bench
}

fn weights(bench: &Bench) -> Vec<f64> {
    bench.soup.ingredients.iter().map(|i| i.weight).collect()
}

#[test]
fn adding_twice_selects_instead() {
    let mut bench = bench();
    assert!(!bench.edit(&SoupEdit::Add("a/0".into()), 12, 0).unwrap());
    assert_eq!((bench.selected, bench.soup.ingredients.len()), (0, 3));
}

#[test]
fn normalise_leaves_locked_weights_alone() {
    let mut bench = bench();
    bench.selected = 0;
    bench.edit(&SoupEdit::Type(SoupRow::Ingredient(0), "0.4".into()), 12, 0).unwrap();
    bench.edit(&SoupEdit::Lock, 12, 0).unwrap();
    assert!(bench.edit(&SoupEdit::Nudge(1), 12, 0).unwrap_err().contains("locked"));
    bench.edit(&SoupEdit::Normalise, 12, 0).unwrap();
    let w = weights(&bench);
    assert!((w[0] - 0.4).abs() < 1e-12 && (w[1] - 0.3).abs() < 1e-12 && (w[2] - 0.3).abs() < 1e-12, "{w:?}");
    // A muted ingredient takes no part: the others make up the whole.
    bench.selected = 2;
    bench.edit(&SoupEdit::Mute, 12, 0).unwrap();
    bench.edit(&SoupEdit::Normalise, 12, 0).unwrap();
    let muted = weights(&bench);
    assert!((muted[0] - 0.4).abs() < 1e-12 && (muted[1] - 0.6).abs() < 1e-12 && muted[2] == w[2], "{muted:?}");
    bench.selected = 1;
    bench.edit(&SoupEdit::Lock, 12, 0).unwrap();
    let why = bench.edit(&SoupEdit::Normalise, 12, 0).unwrap_err();
    assert!(why.contains("no ingredient that takes part is unlocked"), "{why}");
}

#[test]
fn levelling_leaves_what_is_muted_alone() {
    let mut bench = bench();
    bench.selected = 0;
    bench.edit(&SoupEdit::Type(SoupRow::Ingredient(0), "0.7".into()), 12, 0).unwrap();
    bench.edit(&SoupEdit::Mute, 12, 0).unwrap();
    bench.edit(&SoupEdit::Level, 12, 0).unwrap();
    assert_eq!(weights(&bench), [0.7, 0.5, 0.5]);
    assert_eq!(bench.text().as_deref(), Some("mean(0.5*b/0, 0.5*c/0)"));
}

#[test]
fn the_values_of_each_rule_are_rows_within_their_ranges() {
    let mut bench = bench();
    for (rule, fields) in
        [("weighted", &[][..]), ("softmax", &["tau"]), ("A-decay", &["gamma"]), ("TIES", &["density"]), ("DARE", &["drop"])]
    {
        bench.edit(&SoupEdit::Type(SoupRow::Rule, rule.into()), 12, 0).unwrap();
        let values = |row: &SoupRow| if let SoupRow::Value(field) = row { Some(*field) } else { None };
        assert_eq!(rows(&bench.soup).iter().filter_map(values).collect::<Vec<_>>(), fields, "{rule}");
    }
    let value = |bench: &Bench, field: &str| bench.soup.values.number(field).unwrap();
    bench.selected = rows(&bench.soup).iter().position(|r| *r == SoupRow::Value("drop")).unwrap();
    bench.edit(&SoupEdit::Nudge(10), 12, 0).unwrap();
    assert_eq!((value(&bench, "drop"), bench.text().as_deref()), (0.6, Some("dare(a/0, b/0, c/0; p=0.6, seed=0)")));
    bench.edit(&SoupEdit::Nudge(-100), 12, 9000).unwrap();
    assert_eq!(value(&bench, "drop"), 0.0);
    for (field, text, why) in [
        ("drop", "1.5", "The value must lie between 0 and 1."),
        ("gamma", "-1", "The value must be 0 or more."),
        ("tau", "inf", "The value must be finite."),
        ("density", "x", "`x` is not a number."),
    ] {
        let before = bench.soup.clone();
        assert_eq!(bench.edit(&SoupEdit::Type(SoupRow::Value(field), text.into()), 12, 0).unwrap_err(), why);
        assert_eq!(bench.soup, before);
    }
    bench.edit(&SoupEdit::Type(SoupRow::Value("gamma"), "0.25".into()), 12, 0).unwrap();
    assert_eq!(value(&bench, "gamma"), 0.25);
    assert!(bench.edit(&SoupEdit::Type(SoupRow::Rule, "TEIS".into()), 12, 0).unwrap_err().contains("weighted, mean, sum"));
}

#[test]
fn a_run_of_nudges_is_one_step_of_history() {
    let mut bench = bench();
    for t in 0..5 {
        bench.edit(&SoupEdit::Nudge(1), 12, t * 100).unwrap();
    }
    assert_eq!(weights(&bench)[2], 1.05);
    bench.edit(&SoupEdit::Nudge(1), 12, 5000).unwrap();
    assert_eq!(weights(&bench)[2], 1.06);
    assert!(bench.step(false));
    assert_eq!(weights(&bench)[2], 1.05);
    assert!(bench.step(false));
    assert_eq!(weights(&bench)[2], 1.0);
    assert!(bench.step(true) && bench.step(true) && !bench.step(true));
    assert_eq!(weights(&bench)[2], 1.06);
}

#[test]
fn undo_takes_back_every_edit_to_the_empty_soup() {
    let mut bench = bench();
    for edit in [SoupEdit::Mute, SoupEdit::Solo, SoupEdit::Shift(-1), SoupEdit::CycleRule(1), SoupEdit::Remove, SoupEdit::Clear] {
        bench.edit(&edit, 12, 0).unwrap();
    }
    while bench.step(false) {}
    assert_eq!(bench.soup, Soup::default());
}

#[test]
fn layer_ranges_are_read_and_checked() {
    assert_eq!(parse_layers("all", 12), Ok(None));
    assert_eq!(parse_layers("4..8", 12), Ok(Some(4..8)));
    assert_eq!(parse_layers("5", 12), Ok(Some(5..6)));
    assert_eq!(parse_layers("8..", 12), Ok(Some(8..12)));
    assert!(parse_layers("8..8", 12).is_err());
    assert!(parse_layers("8..13", 12).unwrap_err().contains("0 to 11"));
    assert!(parse_layers("x", 12).is_err());
}

#[test]
fn layers_get_weights_of_their_own_and_the_range_comes_back() {
    let mut bench = bench();
    bench.edit(&SoupEdit::Type(SoupRow::Layers, "4..8".into()), 12, 0).unwrap();
    let ranked = 3..8;
    let shapes: Vec<CurveShape> = (0..5)
        .map(|_| {
            let next = CurveShape::after(bench.soup.layer_weights.as_deref(), 12, &ranked);
            bench.edit(&SoupEdit::Curve(next, ranked.clone()), 12, 0).unwrap();
            next
        })
        .collect();
    assert_eq!(shapes[..4], CurveShape::ALL);
    assert_eq!(shapes[4], CurveShape::Flat);
    bench.edit(&SoupEdit::Curve(CurveShape::Bump, ranked), 12, 0).unwrap();
    let curve = bench.soup.layer_weights.clone().unwrap();
    assert!(curve[3..8].iter().all(|w| *w == 1.0) && curve[2] < 1.0 && curve[8] < 1.0 && curve[0] < curve[2] && curve[11] < curve[8]);

    bench.selected = rows(&bench.soup).iter().position(|r| *r == SoupRow::Curve).unwrap();
    bench.edit(&SoupEdit::Layer(5), 12, 0).unwrap();
    bench.edit(&SoupEdit::Nudge(-10), 12, 0).unwrap();
    assert_eq!(bench.soup.layer_weights.as_ref().unwrap()[5], 0.9);
    bench.edit(&SoupEdit::Type(SoupRow::Curve, "0.25".into()), 12, 0).unwrap();
    assert_eq!(bench.soup.layer_weights.as_ref().unwrap()[5], 0.25);
    assert!(bench.edit(&SoupEdit::Type(SoupRow::Curve, "1 2 3".into()), 12, 0).unwrap_err().contains("all 12"));
    bench.edit(&SoupEdit::Layer(99), 12, 0).unwrap();
    assert_eq!(bench.layer, 11);
    bench.edit(&SoupEdit::ClearCurve, 12, 0).unwrap();
    assert_eq!((bench.row(), &bench.soup.layers), (SoupRow::Layers, &Some(4..8)));
}

#[test]
fn weights_set_together_respect_locks() {
    let mut bench = bench();
    assert!(bench.edit(&SoupEdit::Weights(vec![(0, 0.5), (2, 0.5)]), 12, 0).unwrap());
    assert_eq!(weights(&bench), [0.5, 1.0, 0.5]);
    bench.edit(&SoupEdit::Lock, 12, 0).unwrap();
    assert!(bench.edit(&SoupEdit::Weights(vec![(2, 0.1)]), 12, 0).unwrap_err().contains("locked"));
}

/// The soup of one task, as the evidence calls for it.
fn called_for(task: &str) -> Soup {
    Soup { ingredients: vec![crate::soup::Ingredient { mean: true, ..crate::soup::Ingredient::new(task) }], lambda: 0.8, ..Soup::default() }
}

#[test]
fn the_evidence_chooses_until_a_person_does() {
    let mut bench = Bench::new(Soup::default(), true);
    bench.follow(&called_for("a"));
    assert_eq!((bench.soup.clone(), bench.text().as_deref()), (called_for("a"), Some("auto")));
    assert!(!bench.can_undo(), "a person did nothing yet");
    // The first change starts from the current soup and makes it the person's own.
    bench.selected = 0;
    bench.edit(&SoupEdit::Nudge(-10), 12, 0).unwrap();
    assert_eq!((bench.auto, weights(&bench)), (false, vec![0.9]));
    bench.follow(&called_for("b"));
    assert_eq!(bench.soup.ingredients[0].skill, "a");
    // After undo the evidence chooses again; after redo it does not.
    assert!(bench.step(false) && bench.auto);
    bench.follow(&called_for("b"));
    assert_eq!(bench.soup, called_for("b"));
    assert!(bench.step(true) && !bench.auto);
    assert!(bench.edit(&SoupEdit::Auto, 12, 9000).unwrap() && bench.auto);
    assert!(!bench.edit(&SoupEdit::Auto, 12, 9000).unwrap(), "it chooses already");
}
