//! The main job on the bundled model: a real library, real queries, numbers that must hold. Nothing
//! here is faked.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common;
use crate::fixture::whole as lab;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::lab::{AnswerFrom, AskRequest, CANDIDATES, Decoding, Lab, MapMethod, MapRequest, MapView, RankView};
use state_soup::library::{Metric, Part};
use state_soup::task::{Task, bundled};

fn best_task(query: &str, view: &RankView) -> String {
    quiet(|control| lab().rank(query, view, control)).unwrap().by_task[0].task.clone()
}

/// The task that the query's own examples put first.
fn explained_by(query: &str, view: &RankView) -> String {
    quiet(|control| lab().evidence(query, view, CANDIDATES, control, &mut |_| {})).unwrap().tasks[0].task.clone()
}

#[test]
fn familiar_queries_find_their_task() {
    let view = lab().default_view();
    let wrong: Vec<_> =
        FAMILIAR.iter().map(|(query, task)| (query, explained_by(query, &view), task)).filter(|(_, got, want)| got != *want).collect();
    assert!(wrong.is_empty(), "query, ranked first, wanted: {wrong:?}");
}

/// What a newcomer would type, and the task it calls for.
const FAMILIAR: &[(&str, &str)] = &[
    ("hot -> cold", "antonym"),
    ("France -> Paris", "country_capital"),
    // Not `dog -> dogs`: that is as good a third person.
    ("child -> children", "singular_plural"),
    ("house -> houses", "singular_plural"),
    ("big -> bigger", "adjective_comparative"),
    // Not `5 -> five`: 38 of 192 tasks are more similar to it, so its task is not among those whose
    // evidence is read.
    ("14 -> fourteen\n73 -> seventy-three", "number_words"),
    ("cat -> CAT", "uppercase"),
    ("walk -> walked", "present_past"),
    ("sing -> sang", "present_past"),
    // Words of no common kind: among numbers or colours `one, two, three -> one` is as good an odd
    // one out or a repeated word.
    ("window, happy, seven -> window\nriver, quick, paper -> river\ntea, people, slowly -> tea", "choose_first_of_3"),
];

/// t-SNE from a random start lies anyhow: another seed turns it, and being laid over the map before
/// turns it back.
#[test]
fn a_map_of_another_seed_lies_over_the_one_before() {
    let request = |seed| MapRequest { layer: 5, part: Part::Ssm, method: MapMethod::OneShot, perplexity: 15.0, seed };
    let draw = |lab: &Lab, seed| quiet(|control| lab.map(&request(seed), control, &mut |_| {})).unwrap();
    let fresh = || quiet(|control| Lab::open(common::bundled(lab().library().path()), control)).unwrap();
    let (one, other) = (fresh(), fresh());
    let before = draw(&one, 1);
    let (aligned, alone) = (draw(&one, 2), draw(&other, 2));
    assert_eq!((before.aligned, alone.aligned, aligned.aligned), (0, 0, before.points.len()));
    let apart = |a: &[f32; 2], b: &[f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let moved = |map: &MapView| map.points.iter().zip(&before.points).map(|(a, b)| apart(a, b)).sum::<f32>() / map.points.len() as f32;
    println!("mean way of a point: {} alone, {} aligned", moved(&alone), moved(&aligned));
    assert!(moved(&aligned) < 0.8 * moved(&alone), "{} {}", moved(&aligned), moved(&alone));
    let sides = |map: &MapView| (apart(&map.points[0], &map.points[9]), apart(&map.points[3], &map.points[200]));
    let (a, b) = (sides(&aligned), sides(&alone));
    assert!((a.0 - b.0).abs() < 1e-3 && (a.1 - b.1).abs() < 1e-3, "turned, not stretched: {a:?} {b:?}");
    assert_eq!(aligned.trust, alone.trust);
}

#[test]
fn a_map_called_off_goes_on_to_the_same_end_and_takes_the_query() {
    let request = MapRequest { layer: 5, part: Part::Ssm, method: MapMethod::Tsne, perplexity: 15.0, seed: 3 };
    let whole = quiet(|control| lab().map(&request, control, &mut |_| {})).unwrap();
    assert!(whole.finished && whole.trust.unwrap() > 0.9 && whole.trust_of_each.len() == whole.points.len());
    let mean = whole.trust_of_each.iter().map(|t| f64::from(*t)).sum::<f64>() / whole.points.len() as f64;
    assert!((mean - whole.trust.unwrap()).abs() < 1e-5);
    let cancel = Cancel::new();
    let stop = |p: state_soup::control::Progress| {
        if p.done >= 300 {
            cancel.cancel();
        }
    };
    let mut seen = Vec::new();
    let stopped = lab().map(&request, Control::new(&cancel, &stop), &mut |map| seen.push((map.epoch, map.points)));
    assert_eq!(stopped.unwrap_err().to_string(), "cancelled");
    let step = quiet(|control| lab().map_on(&request, 1, control, &mut |_| {})).unwrap();
    let (epoch, points) = seen.last().unwrap();
    assert_eq!((step.epoch, step.finished), (epoch + 1, false), "the last frame is where it stopped; a step is one epoch");
    let moved = |a: &[[f32; 2]], b: &[[f32; 2]]| a.iter().zip(b).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f32::max);
    assert!((1e-6..1.0).contains(&moved(&step.points, points)), "{}", moved(&step.points, points));
    let end = quiet(|control| lab().map_on(&request, usize::MAX, control, &mut |_| {})).unwrap();
    // Laid over the first one it is that one, but for rounding.
    assert!(moved(&end.points, &whole.points) < 1e-3 && end.finished, "where it was stopped leaves no trace");
    assert_eq!(end.aligned, whole.points.len());
    let other = MapRequest { seed: 4, ..request.clone() };
    let refused = quiet(|control| lab().map_on(&other, 10, control, &mut |_| {})).unwrap_err().to_string();
    assert!(refused.contains("from the start"), "{refused}");
    // Three examples, three places; on the map of principal components a skill's own text lies
    // where the skill lies.
    let placed = quiet(|control| lab().place("hot -> cold\nrich -> poor\nearly -> late\nbig ->", control)).unwrap();
    assert_eq!((placed.trail.len(), &placed.request), (3, &request));
    let pca = MapRequest { method: MapMethod::Pca, ..request };
    let map = quiet(|control| lab().map(&pca, control, &mut |_| {})).unwrap();
    let task = bundled().iter().find(|t| t.name == "antonym").unwrap();
    let set = &lab().split_spec().draw(task).unwrap().sets[0];
    let text: String = set.iter().map(|&i| format!("{} -> {}\n", task.pairs[i].input, task.pairs[i].output)).collect();
    let placed = quiet(|control| lab().place(&text, control)).unwrap();
    let skill = map.points[map.skills.iter().position(|s| s == "antonym/0").unwrap()];
    let (last, first) = (placed.trail[placed.trail.len() - 1], placed.trail[0]);
    let far = |p: [f32; 2]| (p[0] - skill[0]).hypot(p[1] - skill[1]);
    assert!(far(last) < 0.01 && far(first) > 10.0 * far(last), "{skill:?} {last:?} {first:?}");
}

/// Query pairs of a task that are in no skill's examples (most were in the model's training).
fn held_out(task: &Task) -> Vec<usize> {
    let split = lab().split_spec().draw(task).unwrap();
    split.test
}

#[test]
fn held_out_examples_find_their_task() {
    let view = lab().default_view();
    let (tasks, mut report) = (bundled().len(), Vec::new());
    for (k, wanted) in [(1, 0.65), (2, 0.85), (4, 0.93)] {
        let (mut right, mut asked) = (0usize, 0usize);
        for task in bundled() {
            for chosen in held_out(task).chunks_exact(k).take(4) {
                let query: String = chosen.iter().map(|&i| format!("{} -> {}\n", task.pairs[i].input, task.pairs[i].output)).collect();
                asked += 1;
                right += usize::from(best_task(&query, &view) == task.name);
            }
        }
        let (p, n) = (right as f64 / asked as f64, asked as f64);
        let half = 1.96 * (p * (1.0 - p) / n).sqrt();
        println!("k={k}: {p:.3} ± {half:.3} (n = {n}), chance {:.3}", 1.0 / tasks as f64);
        report.push((k, p, wanted));
    }
    assert!(report.iter().all(|(_, p, wanted)| p >= wanted), "{report:?}");
}

#[test]
fn answers_stand_side_by_side_and_the_soup_helps_where_one_example_is_ambiguous() {
    let request = AskRequest {
        query: "hot -> cold\nbig ->".into(),
        soup: Some("mean(antonym)".parse().unwrap()),
        view: lab().default_view(),
        by_evidence: false,
        from: AnswerFrom::ALL.to_vec(),
        max_tokens: 8,
        decoding: Decoding::Greedy,
        target: Some("small".into()),
    };
    let answers = quiet(|control| lab().ask(&request, control)).unwrap();
    let from: Vec<_> = answers.iter().map(|a| a.from).collect();
    assert_eq!(from, AnswerFrom::ALL);
    for answer in &answers {
        assert!(answer.top.len() == 10 && answer.top.windows(2).all(|w| w[0].probability >= w[1].probability));
        assert!(answer.top.iter().map(|t| t.probability).sum::<f64>() <= 1.0 + 1e-9);
        assert!(answer.logprob <= 0.0 && answer.target_logprob.is_some_and(|l| l < 0.0));
    }
    let target = |from: AnswerFrom| answers.iter().find(|a| a.from == from).and_then(|a| a.target_logprob).unwrap();
    assert!(target(AnswerFrom::Soup) > target(AnswerFrom::ZeroShot), "the antonym soup must make `small` likelier than nothing does");
}

#[test]
fn the_second_keystroke_runs_only_its_own_line() {
    // A reader of its own: the other tests of this file read queries on the shared one at the same
    // time.
    let setup = common::bundled(lab().library().path());
    let lab = quiet(|control| Lab::open(setup, control)).unwrap();
    let view = lab.default_view();
    let rank = |query: &str| quiet(|control| lab.rank(query, &view, control)).unwrap();
    let lines: String = (0..6).map(|i| format!("{i} -> {}\n", i + 1)).collect();
    rank(&format!("{lines}x1 -> a"));
    let second = rank(&format!("{lines}x1 -> ab"));
    let fresh_tokens = 12;
    assert!(second.tokens_run < fresh_tokens, "{} tokens were run", second.tokens_run);
    assert_eq!(second.shots, 7);
}

/// `cargo test --release --test model bundled -- --ignored --nocapture`: accuracy by similarity and
/// layer, for choosing the defaults.
#[test]
#[ignore = "a survey, not a check"]
fn survey_of_similarities_and_layers() {
    let n_layer = lab().shape().n_layer;
    let mut views: Vec<RankView> = Vec::new();
    for metric in [Metric::Cosine, Metric::ZCosine, Metric::L2] {
        for part in [Part::Ssm, Part::Conv] {
            views.extend((0..n_layer).map(|l| RankView { metric, layers: l..l + 1, part }));
        }
        for (a, b) in [(2, 6), (3, 6), (3, 5), (4, 6), (3, 8), (0, 12), (4, 8)] {
            views.push(RankView { metric, layers: a..b, part: Part::Ssm });
        }
    }
    let mut right = vec![[0usize; 3]; views.len()];
    let mut asked = [0usize; 3];
    for task in bundled() {
        let pairs = held_out(task);
        for (column, k) in [1, 2, 4].into_iter().enumerate() {
            for chosen in pairs.chunks_exact(k).take(6) {
                let query: String = chosen.iter().map(|&i| format!("{} -> {}\n", task.pairs[i].input, task.pairs[i].output)).collect();
                asked[column] += 1;
                for (view, right) in views.iter().zip(&mut right) {
                    right[column] += usize::from(best_task(&query, view) == task.name);
                }
            }
        }
    }
    for (view, right) in views.iter().zip(&right) {
        let share: Vec<String> = right.iter().zip(asked).map(|(r, n)| format!("{:.3}", *r as f64 / n as f64)).collect();
        let familiar = FAMILIAR.iter().filter(|(q, t)| best_task(q, view) == *t).count();
        println!("{:?} {:?} {:?}: {} familiar {familiar}/{}", view.metric, view.part, view.layers, share.join(" "), FAMILIAR.len());
    }
}
