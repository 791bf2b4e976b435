//! The main job on the bundled model: a real library, real queries, numbers that must hold. Nothing here is faked.

use state_soup::control::quiet;
use state_soup::engine::{AnswerFrom, AskRequest, Decoding, Lab, RankView, Setup};
use state_soup::library::{BuildSettings, Metric, Part};
use state_soup::model::{LoadOptions, ModelSource, WeightType};
use state_soup::task::{Task, bundled};
use std::sync::OnceLock;

/// The bundled library, built once for all tests of this file.
fn lab() -> &'static Lab {
    static LAB: OnceLock<(tempfile::TempDir, Lab)> = OnceLock::new();
    &LAB.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup {
            model: ModelSource::Bundled,
            load: LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored },
            library: Some(dir.path().join("library")),
            build: BuildSettings::default(),
            tasks: bundled().to_vec(),
        };
        let lab = quiet(|control| Lab::open(setup, control)).unwrap();
        let report = quiet(|control| lab.build(control, &|_| {})).unwrap();
        assert!(report.built >= 300, "{} skills, {:?}", report.built, report.skipped);
        (dir, lab)
    })
    .1
}

fn best_task(query: &str, view: &RankView) -> String {
    quiet(|control| lab().rank(query, view, control)).unwrap().by_task[0].task.clone()
}

#[test]
fn familiar_queries_find_their_task() {
    let view = lab().default_view();
    for (query, task) in FAMILIAR {
        assert_eq!(best_task(query, &view), *task, "{query}");
    }
}

/// What a newcomer would type, and the task it calls for.
const FAMILIAR: &[(&str, &str)] = &[
    ("hot -> cold", "antonym"),
    ("France -> Paris", "country_capital"),
    ("walk -> walked", "verb_past"),
    ("one two three -> one", "choose_first_of_3"),
];

/// Query pairs of a task that are in no skill's examples.
fn held_out(task: &Task) -> Vec<usize> {
    let split = lab().split_spec().draw(task).unwrap();
    split.test
}

#[test]
fn held_out_examples_find_their_task() {
    let tasks = bundled();
    let n_layer = lab().shape().n_layer;
    // Targets of k = 1, 2, 4 at the best layer (chosen over all three together, and printed).
    let wanted = [(1, 0.65), (2, 0.85), (4, 0.93)];
    let mut right = vec![[0usize; 3]; n_layer];
    let mut asked = [0usize; 3];
    for task in tasks {
        let pairs = held_out(task);
        for (column, (k, _)) in wanted.iter().enumerate() {
            for chosen in pairs.chunks_exact(*k).take(4) {
                let query: String = chosen.iter().map(|&i| format!("{} -> {}\n", task.pairs[i].input, task.pairs[i].output)).collect();
                asked[column] += 1;
                for (layer, right) in right.iter_mut().enumerate() {
                    let view = RankView { metric: Metric::Cosine, layers: layer..layer + 1, part: Part::Ssm };
                    right[column] += usize::from(best_task(&query, &view) == task.name);
                }
            }
        }
    }
    let share = |layer: usize, column: usize| right[layer][column] as f64 / asked[column] as f64;
    let best = (0..n_layer)
        .max_by(|&a, &b| (0..3).map(|c| share(a, c)).sum::<f64>().total_cmp(&(0..3).map(|c| share(b, c)).sum::<f64>()))
        .unwrap();
    println!("{} tasks, chance {:.3}, best layer {best}", tasks.len(), 1.0 / tasks.len() as f64);
    for (column, (k, target)) in wanted.iter().enumerate() {
        let (p, n) = (share(best, column), asked[column] as f64);
        let half = 1.96 * (p * (1.0 - p) / n).sqrt();
        println!("k={k}: {p:.3} ± {half:.3} (n = {n}), wanted {target}");
        assert!(p >= *target, "k={k}: {p:.3} of {n} queries, wanted {target}");
    }
}

#[test]
fn answers_stand_side_by_side_and_the_soup_helps_where_one_example_is_ambiguous() {
    let request = AskRequest {
        query: "hot -> cold\nbig ->".into(),
        soup: Some("mean(antonym)".parse().unwrap()),
        view: lab().default_view(),
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
    let view = lab().default_view();
    let rank = |query: &str| quiet(|control| lab().rank(query, &view, control)).unwrap();
    let lines: String = (0..6).map(|i| format!("{i} -> {}\n", i + 1)).collect();
    rank(&format!("{lines}x1 -> a"));
    let second = rank(&format!("{lines}x1 -> ab"));
    let fresh_tokens = 12;
    assert!(second.tokens_run < fresh_tokens, "{} tokens were run", second.tokens_run);
    assert_eq!(second.shots, 7);
}
