//! The instruments on the bundled model against what they must equal by definition.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::error::Error;
use state_soup::lab::*;
use state_soup::library::{Metric, Part};
use state_soup::soup::{Ingredient, Recipe, Soup, rules};
use state_soup::state::State;
use state_soup::task::parse_query;

const QUERY: &str = "hot -> cold\nrich -> poor\nbig ->";
const TARGET: &str = "small";
/// Equal up to the order in which products are summed.
const NEAR: f64 = 2e-4;

struct Bench {
    lab: Lab,
    _dir: tempfile::TempDir,
}

/// A lab with the skills of five tasks.
fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = common::bundled(&dir.path().join("library"));
    let wanted = ["antonym", "negative_prefix", "present_past", "country_capital", "singular_plural"];
    setup.tasks.retain(|t| wanted.contains(&t.name.as_str()));
    let lab = quiet(|c| Lab::open(setup, c)).unwrap();
    quiet(|c| lab.build_what_is_needed(c)).unwrap();
    assert!(lab.library().len() >= 15, "{} skills", lab.library().len());
    Bench { lab, _dir: dir }
}

/// ln p of the target after a recipe, by way of an answer.
fn asked(lab: &Lab, recipe: &Recipe) -> f64 {
    let request = AskRequest {
        query: QUERY.into(),
        soup: Some(recipe.clone()),
        view: lab.default_view(),
        by_evidence: false,
        from: vec![AnswerFrom::Soup],
        max_tokens: 1,
        decoding: Decoding::Greedy,
        target: Some(TARGET.into()),
    };
    quiet(|c| lab.ask(&request, c)).unwrap()[0].target_logprob.unwrap()
}

fn soup(lab: &Lab) -> Soup {
    let library = lab.library();
    let first = |task: &str| library.skills().iter().find(|s| s.task == task).unwrap().id.clone();
    let ingredients = [("antonym", 0.5), ("negative_prefix", 0.3), ("country_capital", 0.2)];
    Soup {
        ingredients: ingredients.map(|(task, weight)| Ingredient { weight, ..Ingredient::new(first(task)) }).to_vec(),
        ..Soup::default()
    }
}

#[test]
fn instruments_equal_what_they_stand_for() {
    let Bench { lab, _dir } = bench();
    ecg_ends_in_the_ranking(&lab);
    landscape_corners_are_single_skills(&lab);
    attribution_is_asking_without(&lab);
    verdict_counts_answers(&lab);
    autopsy_measures_distance(&lab);
    comparing_is_asking_twice(&lab);
}

fn ecg_ends_in_the_ranking(lab: &Lab) {
    let view = lab.default_view();
    for (query, more) in [(QUERY, true), ("hot -> cold\nrich -> po", false), ("big", false)] {
        let ranking = quiet(|c| lab.rank(query, &view, c)).unwrap();
        let ecg = quiet(|c| lab.ecg(&EcgRequest { query: query.into(), view: view.clone(), tasks: 4 }, c)).unwrap();
        assert_eq!(ecg.tokens.len() > ecg.ranked, more, "{query}");
        assert!(ecg.rows.iter().all(|r| r.scores.len() == ecg.tokens.len()));
        let at_end: Vec<(&str, f32)> = ecg.rows.iter().map(|r| (r.task.as_str(), r.scores[ecg.ranked - 1])).collect();
        assert_eq!(at_end.len(), 4);
        for (row, task) in at_end.iter().zip(&ranking.by_task) {
            assert_eq!(row.0, task.task, "{query}");
            assert!((row.1 - task.score).abs() < 1e-5, "{query}: {row:?} {}", task.score);
        }
        assert!(query == "big" || ecg.tokens[1..].concat().contains("cold"), "{:?}", ecg.tokens);
    }
    // A column in the middle is the ranking of a query cut there.
    let short = quiet(|c| lab.rank("hot -> cold\n", &view, c)).unwrap();
    let ecg = quiet(|c| lab.ecg(&EcgRequest { query: QUERY.into(), view: view.clone(), tasks: 5 }, c)).unwrap();
    let cut = 1 + ecg.tokens[1..].iter().position(|t| t.contains('\n')).unwrap();
    for row in &ecg.rows {
        let want = short.by_task.iter().find(|t| t.task == row.task).unwrap().score;
        assert!((row.scores[cut] - want).abs() < 1e-5, "{}: {} {want}", row.task, row.scores[cut]);
    }
    let cancel = Cancel::new();
    cancel.cancel();
    let request = EcgRequest { query: QUERY.into(), view, tasks: 5 };
    assert!(matches!(lab.ecg(&request, Control::new(&cancel, &|_| {})), Err(Error::Cancelled)));
}

fn landscape_corners_are_single_skills(lab: &Lab) {
    let soup = soup(lab);
    let request = LandscapeRequest { query: QUERY.into(), view: lab.default_view(), soup: soup.clone(), target: TARGET.into() };
    let mut frames = Vec::new();
    let whole = quiet(|c| lab.landscape(&request, c, &mut |v| frames.push(v.points.len()))).unwrap();
    assert!(frames.len() > 5 && frames.windows(2).all(|w| w[0] < w[1]), "it fills as it is measured: {frames:?}");
    assert_eq!((whole.points.len(), whole.total), (153, 153));
    for (corner, point) in whole.corners.iter().zip(&whole.points) {
        assert!((point.logprob - asked(lab, &Recipe::skill(corner))).abs() < NEAR, "{corner}");
    }
    let inside = whole.points.iter().find(|p| p.mix == [8, 4, 4]).unwrap();
    assert!((inside.logprob - asked(lab, &soup.with_shares(&[0.5, 0.25, 0.25]).to_recipe().unwrap())).abs() < NEAR);
    let spread = whole.points.iter().map(|p| p.logprob).fold(f64::NEG_INFINITY, f64::max) - whole.points[2].logprob;
    assert!(spread > 0.1, "antonyms make the antonym likelier than capitals do: {spread}");

    let mut two = request.clone();
    two.soup.ingredients[1].muted = true;
    let line = quiet(|c| lab.landscape(&two, c, &mut |_| {})).unwrap();
    assert_eq!((line.points.len(), &line.corners[1]), (33, &soup.ingredients[2].skill));
    two.soup.ingredients[0].muted = true;
    assert!(quiet(|c| lab.landscape(&two, c, &mut |_| {})).unwrap_err().to_string().contains("two or three"));
}

fn attribution_is_asking_without(lab: &Lab) {
    let soup = soup(lab);
    let request = AttributionRequest { query: QUERY.into(), view: lab.default_view(), soup: soup.clone(), target: TARGET.into() };
    let view = quiet(|c| lab.attribution(&request, c)).unwrap();
    assert!((view.whole - asked(lab, &soup.to_recipe().unwrap())).abs() < NEAR);
    let n_layer = lab.shape().n_layer;
    let mut covered = 0;
    for (i, part) in view.parts.iter().enumerate() {
        let without = match &part.part {
            SoupPart::Ingredient(skill) => {
                assert_eq!(*skill, soup.ingredients[i].skill);
                let mut rest = soup.clone();
                rest.ingredients.remove(i);
                rest
            }
            SoupPart::Layers(band) => {
                covered += band.len();
                let weights = (0..n_layer).map(|l| f64::from(u8::from(!band.contains(&l)))).collect();
                Soup { layer_weights: Some(weights), ..soup.clone() }
            }
        };
        let want = asked(lab, &without.to_recipe().unwrap());
        assert!((part.without.unwrap() - want).abs() < NEAR, "{:?}", part.part);
    }
    assert_eq!((covered, view.parts.len() > 3 + 3), (n_layer, true));
    let mut alone = request;
    alone.soup.ingredients.truncate(1);
    alone.soup.layers = Some(0..2);
    let view = quiet(|c| lab.attribution(&alone, c)).unwrap();
    assert_eq!(view.parts[0].without, None, "nothing is left of a soup of one");
    let bands: usize = view.parts.iter().filter(|p| matches!(p.part, SoupPart::Layers(_))).count();
    assert_eq!(bands, 1, "only layers that the soup acts on are left out");
}

fn verdict_counts_answers(lab: &Lab) {
    let library = lab.library();
    let ids: Vec<String> = library.skills().iter().filter(|s| s.task == "present_past").map(|s| s.id.clone()).collect();
    let recipe = rules::MEAN.mix(ids.iter().map(|id| state_soup::soup::Term { weight: 1.0, recipe: Recipe::skill(id) }).collect());
    let query = "walk -> walked\nopen ->";
    let request = VerdictRequest { query: query.into(), view: lab.default_view(), soup: recipe.clone() };
    let view = quiet(|c| lab.verdict(&request, c)).unwrap();
    assert_eq!(view.task, "present_past");
    let task = lab.tasks().iter().find(|t| t.name == "present_past").unwrap();
    let parsed = parse_query(query, lab.template());
    let shown = |input: &str| parsed.read().contains(&format!("{input} ->")) || parsed.tail == format!("{input} ->");
    let test = lab.split_spec().draw(task).unwrap().test;
    let asked: Vec<_> = test.iter().map(|&i| &task.pairs[i]).filter(|p| !shown(&p.input)).collect();
    assert_eq!(view.against[0].accuracy.n, asked.len());
    // In another way, one by one: the greedy answer is the right one, token by token, if it is as
    // likely as the right one.
    let hits = asked.iter().filter(|p| {
        let request = AskRequest {
            query: format!("walk -> walked\n{} ->", p.input),
            soup: Some(recipe.clone()),
            view: lab.default_view(),
            by_evidence: false,
            from: vec![AnswerFrom::Soup],
            max_tokens: 12,
            decoding: Decoding::Greedy,
            target: Some(p.output.clone()),
        };
        let answer = &quiet(|c| lab.ask(&request, c)).unwrap()[0];
        (answer.logprob - answer.target_logprob.unwrap()).abs() < NEAR
    });
    let accuracy = hits.count() as f64 / asked.len() as f64;
    assert!((view.accuracy - accuracy).abs() < 1e-9, "{} {accuracy}", view.accuracy);
    assert_eq!(view.against[1].name, "query only");
    for against in &view.against {
        assert!(against.accuracy.low <= against.accuracy.mean && against.accuracy.mean <= against.accuracy.high);
    }
    // The best skill against itself is not distinguishable from itself.
    let ranking = quiet(|c| lab.rank(query, &lab.default_view(), c)).unwrap();
    let same = VerdictRequest { soup: Recipe::skill(&ranking.ranking[0].skill), ..request };
    let view = quiet(|c| lab.verdict(&same, c)).unwrap();
    assert_eq!((view.against[0].accuracy.low, view.against[0].accuracy.high), (0.0, 0.0));
    assert!(view.against[0].logprob.mean.abs() < NEAR);
}

fn autopsy_measures_distance(lab: &Lab) {
    let library = lab.library();
    let states: Vec<State> = (0..library.len()).map(|i| library.state(i).unwrap()).collect();
    let layer = 4;
    let n = lab.shape().memory.len();
    let mean: Vec<f64> =
        (0..n).map(|j| states.iter().map(|s| f64::from(s.ssm_layer(layer)[j])).sum::<f64>() / states.len() as f64).collect();
    let far = |s: &State| s.ssm_layer(layer).iter().zip(&mean).map(|(x, m)| (f64::from(*x) - m).powi(2)).sum::<f64>().sqrt();
    let distances: Vec<f64> = states.iter().map(far).collect();
    let rms = (distances.iter().map(|d| d * d).sum::<f64>() / distances.len() as f64).sqrt();
    let report = quiet(|c| lab.inspect(&library.skills()[3].id, c)).unwrap().figures;
    assert!((f64::from(report.drift[layer]) - distances[3] / rms).abs() < 1e-4);
    let most = distances.iter().copied().fold(0.0, f64::max) / rms;
    assert!((f64::from(report.farthest[layer]) - most).abs() < 1e-4);
    assert!(report.unvisited().is_empty(), "a skill of the library is in visited space");
    assert!(report.effective_rank.iter().all(|r| *r >= 1.0 && *r <= 16.0), "{:?}", report.effective_rank);

    let view = |soup: Recipe| {
        let request = AutopsyRequest { query: String::new(), view: lab.default_view(), soup };
        quiet(|c| lab.autopsy(&request, c)).unwrap().figures
    };
    let id = library.skills()[3].id.clone();
    assert_eq!(view(Recipe::skill(&id)), report, "a soup of one skill is that skill");
    let doubled = view(rules::SUM.mix(vec![state_soup::soup::Term { weight: 5.0, recipe: Recipe::skill(&id) }]));
    assert_eq!(doubled.unvisited().len(), lab.shape().n_layer, "five times a skill is far from anything");
    assert_eq!(doubled.half_life, report.half_life);
}

fn comparing_is_asking_twice(lab: &Lab) {
    let soup = soup(lab);
    let soups = [soup.to_recipe(), soup.without(0).to_recipe()];
    let ask = AskRequest {
        query: QUERY.into(),
        soup: None,
        view: RankView { metric: Metric::Cosine, layers: 3..8, part: Part::Ssm },
        by_evidence: false,
        from: Vec::new(),
        max_tokens: 4,
        decoding: Decoding::Greedy,
        target: Some(TARGET.into()),
    };
    let view = quiet(|c| lab.compare(&CompareRequest { ask: ask.clone(), soups: soups.clone() }, c)).unwrap();
    for (answer, recipe) in view.answers.iter().zip(&soups) {
        let want = asked(lab, recipe.as_ref().unwrap());
        assert!((answer.as_ref().unwrap().target_logprob.unwrap() - want).abs() < NEAR);
    }
    assert!(view.cosine.iter().all(|c| *c < 0.9999 && *c > 0.0), "{:?}", view.cosine);
    let same = quiet(|c| lab.compare(&CompareRequest { ask, soups: [soups[0].clone(), soups[0].clone()] }, c)).unwrap();
    assert!(same.cosine.iter().all(|c| (*c - 1.0).abs() < 1e-5));
}
