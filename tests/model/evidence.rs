//! Evidence on the bundled model against what it must equal by definition: one prefill a candidate,
//! sums by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::error::Error;
use state_soup::lab::*;
use state_soup::library::{BuildSettings, Calibration, Candidate, Explained, Library, Metric, Part, Posterior};
use state_soup::model::{Prompt, Want};
use state_soup::soup::{Recipe, Soup, Window, mix};
use state_soup::state::State;
use state_soup::task::{Pair, Task, parse_query};
use std::path::Path;
use std::sync::LazyLock;

/// Two of them the model's training has never seen: `add_question` and `ends_with_e`.
const TASKS: [&str; 6] = ["add_question", "antonym", "ends_with_e", "country_capital", "reverse_word", "uppercase"];
const QUERY: &str = "hot -> cold\nrich -> poor\nbig ->";
/// What no task here does.
const STRANGE: &str = "seven -> blue\nriver -> blue\npaper ->";
/// Equal up to the order in which products are summed, over some twenty tokens.
const NEAR: f64 = 1e-3;

fn setup(library: &Path, tasks: &[&str]) -> Setup {
    let mut setup = common::bundled(library);
    setup.tasks.retain(|t| tasks.contains(&t.name.as_str()));
    assert_eq!(setup.tasks.len(), tasks.len());
    setup.build = BuildSettings { sets: 2, ..BuildSettings::default() };
    setup
}

fn open(library: &Path) -> Lab {
    quiet(|c| Lab::open(setup(library, &TASKS), c)).unwrap()
}

/// Built once for all tests of this file.
fn lab() -> &'static Lab {
    static LAB: LazyLock<(tempfile::TempDir, Lab)> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let lab = open(&dir.path().join("library"));
        let report = quiet(|c| lab.build(c, &|_| {})).unwrap();
        assert_eq!((report.built, report.skipped), (12, Vec::<String>::new()));
        (dir, lab)
    });
    &LAB.1
}

fn weigh(lab: &Lab, query: &str) -> Evidence {
    quiet(|c| lab.evidence(query, &lab.default_view(), CANDIDATES, c, &mut |_| {})).unwrap()
}

/// The constants weigh the similarity that they were measured with, whatever the ranking compares:
/// distances would outweigh all that the examples say.
#[test]
fn another_similarity_proposes_but_does_not_weigh() {
    let lab = lab();
    let usual = weigh(lab, QUERY);
    let whole = 0..lab.shape().n_layer;
    for (metric, part, layers) in [(Metric::L2, Part::Ssm, whole.clone()), (Metric::ZCosine, Part::Conv, whole)] {
        let view = RankView { metric, part, layers };
        let other = quiet(|c| lab.evidence(QUERY, &view, CANDIDATES, c, &mut |_| {})).unwrap();
        assert!((other.none_posterior - usual.none_posterior).abs() < 1e-6);
        for task in &usual.tasks {
            let same = other.of(&task.task).unwrap();
            assert!((same.posterior - task.posterior).abs() < 1e-6 && same.similarity != task.similarity, "{}", task.task);
        }
        let by_hand = |view: &RankView| quiet(|c| lab.mix(&"posterior(top(6))".parse().unwrap(), Some(QUERY), view, c)).unwrap();
        let (a, b) = (by_hand(&view), by_hand(&lab.default_view()));
        assert!(a.ssm().iter().zip(b.ssm()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

fn ask(lab: &Lab, query: &str, soup: &str, from: &[AnswerFrom], target: Option<&str>) -> Vec<Answer> {
    let request = request(lab, query, soup, from, target);
    quiet(|c| lab.ask(&request, c)).unwrap_or_else(|e| panic!("{soup}: {e}"))
}

fn request(lab: &Lab, query: &str, soup: &str, from: &[AnswerFrom], target: Option<&str>) -> AskRequest {
    AskRequest {
        query: query.into(),
        soup: Some(soup.parse().unwrap()),
        view: lab.default_view(),
        by_evidence: true,
        from: from.to_vec(),
        max_tokens: 12,
        decoding: Decoding::Greedy,
        target: target.map(String::from),
    }
}

/// ln of the softmax of every entry, in f64.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let wide: Vec<f64> = logits.iter().map(|l| f64::from(*l)).collect();
    let most = wide.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let norm = most + wide.iter().map(|l| (l - most).exp()).sum::<f64>().ln();
    wide.iter().map(|l| l - norm).collect()
}

/// The logits after each of the tokens, read from a state.
fn logits(lab: &Lab, from: &State, tokens: &[u32]) -> Vec<Vec<f32>> {
    let all: Vec<usize> = (0..tokens.len()).collect();
    let prompt = Prompt { tokens, initial: Some(from), snapshots: &[], want: Want::LogitsAt(&all) };
    quiet(|c| lab.model().network.prefill(&[prompt], c)).unwrap().remove(0).logits
}

/// The state that a text ends in, read from another or from the empty one.
fn read(lab: &Lab, from: Option<&State>, tokens: &[u32]) -> State {
    let prompt = Prompt { tokens, initial: from, snapshots: &[], want: Want::State };
    quiet(|c| lab.model().network.prefill(&[prompt], c)).unwrap().remove(0).state
}

fn nothing(lab: &Lab) -> State {
    read(lab, None, lab.model().tokenizer.bos())
}

fn states_of(library: &Library, task: &str) -> Vec<State> {
    (0..library.len()).filter(|&i| library.skills()[i].task == task).map(|i| library.state(i).unwrap()).collect()
}

fn mean_of(lab: &Lab, task: &str) -> State {
    let states = states_of(&lab.library(), task);
    assert_eq!(states.len(), 2, "{task}");
    mix::mean(&states, &[1.0, 1.0]).unwrap()
}

/// The complete examples of a query, an answer that is being typed closed.
fn examples(lab: &Lab, query: &str) -> Vec<String> {
    parse_query(query, lab.template()).pieces().map(|s| s.text.clone()).collect()
}

/// The input of an example.
fn input(lab: &Lab, example: &str) -> String {
    parse_query(example, lab.template()).pairs().next().unwrap().input.clone()
}

/// ln p of every example from a state: of its answer, of the rest.
fn explained(lab: &Lab, from: &State, examples: &[String]) -> Vec<Explained> {
    let tokenizer = &lab.model().tokenizer;
    let (mut tokens, mut kinds) = (Vec::new(), Vec::new());
    for (n, example) in examples.iter().enumerate() {
        let (ids, starts) = tokenizer.encode_with_starts(example).unwrap();
        let tail = lab.template().tail(&input(lab, example)).len();
        assert!(starts.contains(&tail), "no token reaches from the question into the answer of {example:?}");
        kinds.extend(starts.iter().map(|at| (n, *at >= tail)));
        tokens.extend(ids);
    }
    let logits = logits(lab, from, &tokens);
    let mut told = vec![Explained::default(); examples.len()];
    for i in 1..tokens.len() {
        let (n, answer) = kinds[i];
        let nats = log_softmax(&logits[i - 1])[tokens[i] as usize];
        if answer { told[n].answers += nats } else { told[n].inputs += nats }
    }
    told
}

fn sum(of: &[Explained]) -> Explained {
    of.iter().fold(Explained::default(), |sum, e| sum.plus(*e))
}

fn answer_tokens(lab: &Lab, examples: &[String]) -> usize {
    let tokens = |text: &str| lab.model().tokenizer.encode(text).unwrap().len();
    examples.iter().map(|e| tokens(e) - tokens(&lab.template().tail(&input(lab, e)))).sum()
}

fn near(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() < NEAR, "{what}: {got} for {want}");
}

#[test]
fn evidence_is_the_log_probability_of_the_examples() {
    let lab = lab();
    let mut unseen: Vec<&str> = lab.tasks().iter().filter(|t| lab.is_unseen(t)).map(|t| t.name.as_str()).collect();
    unseen.sort_unstable();
    assert_eq!(unseen, ["add_question", "ends_with_e"]);
    let queries = [
        QUERY,
        "Japan -> Tokyo\nChile -> Santiago",
        "time -> emit\nbook ->",
        "seven -> blue\nriver ->",
        STRANGE,
        "tree -> yes\nbook -> no\nidea -> n",
        "word -> word?",
    ];
    for query in queries {
        let evidence = weigh(lab, query);
        let examples = examples(lab, query);
        assert_eq!((evidence.shots, evidence.read.as_str()), (examples.len(), examples.concat().as_str()));
        assert_eq!((evidence.asked, evidence.tasks.len(), evidence.is_whole()), (6, 6, true));
        assert_eq!(evidence.answer_tokens, answer_tokens(lab, &examples), "{query}");
        let none = explained(lab, &nothing(lab), &examples);
        near(evidence.none.answers, sum(&none).answers, "answers from nothing");
        near(evidence.none.inputs, sum(&none).inputs, "inputs from nothing");

        let ranking = quiet(|c| lab.rank(query, &lab.default_view(), c)).unwrap();
        let mut ahead = 0.0;
        for found in &evidence.tasks {
            let told = explained(lab, &mean_of(lab, &found.task), &examples);
            near(found.explained.answers, sum(&told).answers, &format!("{query:?} from {}: answers", found.task));
            near(found.explained.inputs, sum(&told).inputs, &format!("{query:?} from {}: inputs", found.task));
            let gain = (found.explained.answers - evidence.none.answers) / evidence.answer_tokens as f64;
            assert!((found.gain - gain).abs() < 1e-9, "{found:?}");
            assert_eq!(found.similarity, ranking.by_task.iter().find(|t| t.task == found.task).unwrap().score);
            let later = |of: &[Explained]| sum(&of[1..]).answers;
            ahead += found.posterior / (1.0 - evidence.none_posterior) * (later(&told) - later(&none));
        }
        match evidence.ahead {
            None => assert_eq!(evidence.shots, 1, "{query}"),
            Some(nats) => near(nats, ahead / answer_tokens(lab, &examples[1..]) as f64, "ahead"),
        }
        the_posterior_follows(lab, &evidence);
        the_soup_follows(&evidence);
    }
    let best = |query: &str| weigh(lab, query).tasks[0].task.clone();
    assert_eq!(queries[..3].iter().map(|q| best(q)).collect::<Vec<_>>(), ["antonym", "country_capital", "reverse_word"]);
}

/// The softmax of the scores, by hand and by the calibration, in order.
fn the_posterior_follows(lab: &Lab, evidence: &Evidence) {
    let c = lab.library().calibration();
    assert_eq!(evidence.calibration, c);
    let candidates: Vec<Candidate> =
        evidence.tasks.iter().map(|t| Candidate { explained: t.explained, similarity: f64::from(t.similarity) }).collect();
    let Posterior { of, none } = c.posterior(&candidates, &evidence.none);
    let score = |e: &Explained| c.answers * e.answers + c.inputs * e.inputs;
    let weights: Vec<f64> = candidates.iter().map(|t| (score(&t.explained) + c.similarity * t.similarity).exp()).collect();
    let of_none = (score(&evidence.none) + c.none).exp();
    let all = weights.iter().sum::<f64>() + of_none;
    for ((found, by_calibration), by_hand) in evidence.tasks.iter().zip(of).zip(weights) {
        assert!((found.posterior - by_calibration).abs() < 1e-9 && (found.posterior - by_hand / all).abs() < 1e-9, "{found:?}");
    }
    assert!((evidence.none_posterior - none).abs() < 1e-9 && (none - of_none / all).abs() < 1e-9);
    assert!((evidence.tasks.iter().map(|t| t.posterior).sum::<f64>() + evidence.none_posterior - 1.0).abs() < 1e-12);
    assert!(evidence.tasks.is_sorted_by(|a, b| a.posterior >= b.posterior));
    let fits = evidence.none_posterior <= c.gates[[0, 0, 1, 1, 2][evidence.shots.min(4)]];
    assert_eq!(evidence.fits, fits || evidence.follows_answers());
    let likely: f64 = evidence.tasks.iter().map(|t| t.explained.answers.exp()).sum::<f64>() / evidence.tasks.len() as f64;
    near(evidence.foretold, likely.ln() - evidence.none.answers, "foretold");
    let least: f64 = if evidence.shots == 1 { 3.0 } else { 5.0 };
    assert_eq!(evidence.follows_answers(), evidence.foretold > least.max(0.1 * evidence.answer_tokens as f64));
}

/// Shares of the tasks among themselves, and what none has for the query: nothing for a task that
/// is not heard, all where none explains or foretells.
fn the_soup_follows(evidence: &Evidence) {
    let (soup, p) = (&evidence.auto, 1.0 - evidence.none_posterior);
    let foretold = evidence.follows_answers();
    let share = |t: &TaskEvidence| if foretold { t.explained.answers.exp() } else { t.posterior };
    let all: f64 = evidence.tasks.iter().map(share).sum();
    let mut heard: Vec<&TaskEvidence> = evidence.tasks.iter().filter(|t| share(t) >= 0.02 * all).collect();
    heard.sort_by(|a, b| share(b).total_cmp(&share(a)));
    assert_eq!(soup.ingredients.iter().map(|i| &i.skill).collect::<Vec<_>>(), heard.iter().map(|t| &t.task).collect::<Vec<_>>());
    let sum: f64 = heard.iter().map(|t| share(t)).sum();
    for (i, t) in soup.ingredients.iter().zip(heard) {
        assert!(i.mean && (i.weight - share(t) / sum).abs() <= 0.5001e-4, "{i:?}");
    }
    let helps = evidence.fits && evidence.ahead.is_none_or(|nats| nats > 0.0);
    let lambda = match evidence.shots {
        1 | 2 if foretold => 1.0,
        _ if foretold => 0.75,
        _ if !helps => 0.0,
        1 if p > 0.9 => p,
        1 => p.min(0.25),
        _ => p.min(0.5),
    };
    assert!((soup.lambda - lambda).abs() <= 0.5001e-4, "{soup:?}");
    assert_eq!((soup.conv, soup.rule, soup.layers.as_ref()), (Window::Query, Soup::default().rule, None));
}

#[test]
fn without_an_example_nothing_is_explained() {
    let lab = lab();
    let evidence = weigh(lab, "big ->");
    assert_eq!((evidence.shots, evidence.answer_tokens, evidence.none_posterior, evidence.fits), (0, 0, 1.0, false));
    assert!(
        evidence.tasks.len() == 6
            && evidence.tasks.iter().all(|t| t.posterior == 0.0 && t.gain == 0.0 && t.explained == Explained::default())
    );
    assert!(evidence.tasks.is_sorted_by(|a, b| a.similarity >= b.similarity), "in the order of similarity");
    assert_eq!((evidence.ahead, evidence.auto.lambda, evidence.auto.ingredients.len()), (None, 0.0, 0));
    assert!(evidence.words().contains("no complete example"), "{}", evidence.words());
    assert!(quiet(|c| lab.evidence("", &lab.default_view(), CANDIDATES, c, &mut |_| {})).unwrap_err().to_string().contains("is empty"));
    let cancel = Cancel::new();
    cancel.cancel();
    let cancelled = lab.evidence(QUERY, &lab.default_view(), CANDIDATES, Control::new(&cancel, &|_| {}), &mut |_| {});
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    // Fewer than all: the most similar ones.
    let few = quiet(|c| lab.evidence(QUERY, &lab.default_view(), 2, c, &mut |_| {})).unwrap();
    let ranking = quiet(|c| lab.rank(QUERY, &lab.default_view(), c)).unwrap();
    let mut read: Vec<&str> = few.tasks.iter().map(|t| t.task.as_str()).collect();
    let mut best: Vec<&str> = ranking.by_task[..2].iter().map(|t| t.task.as_str()).collect();
    read.sort_unstable();
    best.sort_unstable();
    assert_eq!((few.asked, read), (2, best));
    // Posteriors are among those that were read.
    the_posterior_follows(lab, &few);
    let all = weigh(lab, QUERY);
    for task in &few.tasks {
        let same = all.of(&task.task).unwrap();
        near(task.explained.answers, same.explained.answers, "of two");
        assert!(task.posterior > same.posterior);
    }
}

/// States are kept at the ends of examples: what was asked before must not be told by what is asked
/// now.
#[test]
fn an_edit_of_the_query_changes_nothing_of_what_is_told() {
    let library = lab().library();
    let sitting = open(library.path());
    let long = |n: usize| {
        let pairs =
            [("hot", "cold"), ("rich", "poor"), ("early", "late"), ("open", "closed"), ("up", "down"), ("wet", "dry"), ("old", "new")];
        let more = [("day", "night"), ("thick", "thin"), ("loud", "quiet"), ("true", "false"), ("full", "empty")];
        pairs.iter().chain(&more).take(n).map(|(a, b)| format!("{a} -> {b}\n")).collect::<String>()
    };
    let queries = [
        long(2),
        // One more, one fewer, the same again, the unfinished line alone.
        long(3),
        long(2),
        long(2),
        long(2) + "big ->",
        long(1),
        // The first, the last and the middle one edited; an answer being typed.
        long(3).replace("cold", "freezing"),
        long(3),
        long(3).replace("late", "night"),
        long(3).replace("poor", "broke") + "big -> sm",
        long(3).replace("poor", "broke") + "big -> small",
        // More than states are kept for: the last eight.
        long(12),
        long(12).replace("full", "all"),
        long(12).replace("wet", "damp"),
        long(12).replace("rich", "wealthy"),
        long(4),
        // Another task's, and back.
        "Japan -> Tokyo\nChile -> Santiago\n".into(),
        long(2),
    ];
    for (n, query) in queries.iter().enumerate() {
        if n % 3 == 1 {
            // Other readers of the same states in between: skills weighed by name, and the soup's
            // gain.
            ask(&sitting, &format!("{query}big ->"), "posterior(antonym/0, uppercase, antonym)", &[AnswerFrom::Soup], None);
            quiet(|c| sitting.gain(&request(&sitting, query, "auto", &[AnswerFrom::Soup], None), c)).unwrap();
        }
        let (got, fresh) = (weigh(&sitting, query), weigh(&open(library.path()), query));
        let same = |a: f64, b: f64, what: &str| assert!((a - b).abs() < 1e-4, "query {n}, {what}: {a} for {b}");
        same(got.none.answers, fresh.none.answers, "none");
        same(got.none.inputs, fresh.none.inputs, "none");
        same(got.none_posterior, fresh.none_posterior, "none");
        assert_eq!((got.shots, got.answer_tokens, &got.read), (fresh.shots, fresh.answer_tokens, &fresh.read));
        for task in &fresh.tasks {
            let found = got.of(&task.task).unwrap();
            same(found.explained.answers, task.explained.answers, &task.task);
            same(found.explained.inputs, task.explained.inputs, &task.task);
            same(found.posterior, task.posterior, &task.task);
        }
        same(got.ahead.unwrap_or(0.0), fresh.ahead.unwrap_or(0.0), "ahead");
    }
}

#[test]
fn what_the_evidence_calls_for_is_a_recipe_of_its_own() {
    let lab = lab();
    // Whether the query alone answers, where that is not for a hair to tell.
    for (query, target, alone) in [
        ("hot -> cold\nbig ->", "small", Some(false)),
        ("tree -> yes\nbook ->", "no", Some(false)),
        ("time -> emit\nbook ->", "koob", Some(false)),
        ("cat -> CAT\ndog -> DOG\nbook ->", "BOOK", Some(false)),
        (QUERY, "small", None),
        (STRANGE, "blue", Some(true)),
    ] {
        let evidence = weigh(lab, query);
        let auto = &ask(lab, query, "auto", &[AnswerFrom::Soup], Some(target))[0];
        let called_for = if evidence.auto.lambda > 0.0 { evidence.auto.to_recipe().unwrap() } else { Recipe::Query };
        assert_eq!(auto.origin, called_for.to_string(), "{query}");
        assert!(alone.is_none_or(|alone| alone == (called_for == Recipe::Query)), "{query}: {called_for}");
        let itself = &ask(lab, query, &auto.origin, &[AnswerFrom::Soup], Some(target))[0];
        assert_eq!((&itself.origin, &itself.text), (&auto.origin, &auto.text));
        assert!((itself.logprob - auto.logprob).abs() < 1e-5, "{} {}", itself.logprob, auto.logprob);
        assert!((itself.target_logprob.unwrap() - auto.target_logprob.unwrap()).abs() < 1e-5);
        // Its state, by hand.
        let state = quiet(|c| lab.mix(&Recipe::Auto, Some(query), &lab.default_view(), c)).unwrap();
        let examples = examples(lab, query);
        let tokens: Vec<u32> = examples.iter().flat_map(|e| lab.model().tokenizer.encode(e).unwrap()).collect();
        let own = read(lab, Some(&nothing(lab)), &tokens);
        let lambda = evidence.auto.lambda;
        let parts: Vec<State> = evidence.auto.ingredients.iter().map(|i| mean_of(lab, &i.skill)).chain([own.clone()]).collect();
        let total: f64 = evidence.auto.ingredients.iter().map(|i| i.weight).sum();
        let weights: Vec<f64> = evidence.auto.ingredients.iter().map(|i| lambda * i.weight / total).chain([1.0 - lambda]).collect();
        let want = mix::weighted_sum(&parts, &weights).unwrap();
        let farthest = state.ssm().iter().zip(want.ssm()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(farthest < 2e-3 * want.ssm().iter().map(|v| v.abs()).fold(0.0, f32::max), "{query}: {farthest}");
        let farthest = state.conv().iter().zip(own.conv()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(farthest < 1e-3, "the query's window: {farthest}");
    }
    // The best skill is that of the best task by evidence; by similarity it is the most similar
    // one.
    for query in ["time -> emit\nbook ->", "word -> word?\nbook ->", "tree -> yes\nbook ->", STRANGE] {
        let ranking = quiet(|c| lab.rank(query, &lab.default_view(), c)).unwrap();
        let best = weigh(lab, query).tasks[0].task.clone();
        let skill = &ranking.by_task.iter().find(|t| t.task == best).unwrap().skill;
        assert_eq!(ask(lab, query, "auto", &[AnswerFrom::BestSkill], None)[0].origin, *skill, "{query}");
        let by_similarity = AskRequest { by_evidence: false, ..request(lab, query, "auto", &[AnswerFrom::BestSkill], None) };
        assert_eq!(quiet(|c| lab.ask(&by_similarity, c)).unwrap()[0].origin, ranking.ranking[0].skill, "{query}");
    }
    // Other recipes are as they were.
    let library = lab.library();
    let mean = mix::mean(&["antonym/0", "uppercase/1"].map(|id| library.state(library.find(id).unwrap()).unwrap()), &[3.0, 1.0]).unwrap();
    let answer = &ask(lab, QUERY, "mean(3*antonym/0, uppercase/1)", &[AnswerFrom::Soup], Some("small"))[0];
    assert_eq!(answer.origin, "mean(3*antonym/0, uppercase/1)");
    answers_from(lab, answer, &[mean], "small");
}

/// An answer's probabilities are those of the mean of some states' logits.
fn answers_from(lab: &Lab, answer: &Answer, states: &[State], target: &str) {
    let tokenizer = &lab.model().tokenizer;
    let tail = tokenizer.encode("big ->").unwrap();
    let target = tokenizer.encode(&lab.template().answer(target)).unwrap();
    let of_each: Vec<Vec<Vec<f32>>> = states.iter().map(|s| logits(lab, s, &[&tail[..], &target].concat())).collect();
    let mean = |at: usize| -> Vec<f64> {
        let vocab = of_each[0][at].len();
        let mean: Vec<f32> = (0..vocab).map(|v| of_each.iter().map(|of| of[at][v]).sum::<f32>() / of_each.len() as f32).collect();
        log_softmax(&mean)
    };
    let next = mean(tail.len() - 1);
    let best = (0..next.len()).max_by(|a, b| next[*a].total_cmp(&next[*b])).unwrap();
    assert_eq!(answer.top[0].token, tokenizer.token_text(best as u32));
    let mut order: Vec<f64> = next.iter().map(|l| l.exp()).collect();
    order.sort_by(|a, b| b.total_cmp(a));
    for (shown, want) in answer.top.iter().zip(order) {
        assert!((shown.probability - want).abs() < 1e-4, "{shown:?} {want}");
    }
    let want: f64 = target.iter().enumerate().map(|(i, &token)| mean(tail.len() - 1 + i)[token as usize]).sum();
    near(answer.target_logprob.unwrap(), want, "the target");
}

#[test]
fn an_ensemble_answers_by_the_mean_of_its_logits() {
    let lab = lab();
    let library = lab.library();
    let state = |id: &str| library.state(library.find(id).unwrap()).unwrap();
    let answers =
        ask(lab, QUERY, "ensemble(antonym/0, uppercase/1)", &[AnswerFrom::Query, AnswerFrom::Soup, AnswerFrom::BestSkill], Some("small"));
    assert_eq!(answers[1].origin, "ensemble(antonym/0, uppercase/1)");
    answers_from(lab, &answers[1], &[state("antonym/0"), state("uppercase/1")], "small");
    // Those beside it are as they are alone.
    for from in [AnswerFrom::Query, AnswerFrom::BestSkill] {
        let alone = &ask(lab, QUERY, "auto", &[from], Some("small"))[0];
        let beside = answers.iter().find(|a| a.from == from).unwrap();
        assert_eq!((&alone.text, &alone.origin), (&beside.text, &beside.origin));
        near(beside.logprob, alone.logprob, "beside");
        near(beside.target_logprob.unwrap(), alone.target_logprob.unwrap(), "beside");
    }
    // A greedy answer is as probable as it is told when it is asked for.
    let said = &answers[1].text;
    let again = &ask(lab, QUERY, "ensemble(antonym/0, uppercase/1)", &[AnswerFrom::Soup], Some(said))[0];
    near(again.target_logprob.unwrap(), again.logprob, "the answer that was given");
    // Twice the same is that one; a task is all of its skills; three, one of them the query's.
    let twice = &ask(lab, QUERY, "ensemble(antonym/0, antonym/0)", &[AnswerFrom::Soup], Some("small"))[0];
    answers_from(lab, twice, &[state("antonym/0")], "small");
    let all = &ask(lab, QUERY, "ensemble(antonym, query)", &[AnswerFrom::Soup], Some("small"))[0];
    let tokens: Vec<u32> = examples(lab, QUERY).iter().flat_map(|e| lab.model().tokenizer.encode(e).unwrap()).collect();
    let own = read(lab, Some(&nothing(lab)), &tokens);
    answers_from(lab, all, &[state("antonym/0"), state("antonym/1"), own.clone()], "small");
    // Primed: the query's examples read from a skill.
    let primed = &ask(lab, QUERY, "primed(antonym/1)", &[AnswerFrom::Soup], Some("small"))[0];
    answers_from(lab, primed, &[read(lab, Some(&state("antonym/1")), &tokens)], "small");
    // Gated: the query alone where no skill in it explains the query.
    let strange = ask(lab, STRANGE, "gated(ensemble(antonym, uppercase))", &[AnswerFrom::Soup, AnswerFrom::Query], Some("blue"));
    assert_eq!(strange[0].text, strange[1].text);
    near(strange[0].target_logprob.unwrap(), strange[1].target_logprob.unwrap(), "gated");
    let let_through = &ask(lab, QUERY, "gated(ensemble(antonym/0, uppercase/1))", &[AnswerFrom::Soup], Some("small"))[0];
    near(let_through.target_logprob.unwrap(), answers[1].target_logprob.unwrap(), "let through");
}

/// A posterior over skills and tasks named is that of their own evidence.
#[test]
fn a_recipe_is_weighed_by_its_own_candidates() {
    let lab = lab();
    let library = lab.library();
    let examples = examples(lab, QUERY);
    let ranking = quiet(|c| lab.rank(QUERY, &lab.default_view(), c)).unwrap();
    let state = library.state(library.find("antonym/1").unwrap()).unwrap();
    let parts = [state, mean_of(lab, "uppercase"), mean_of(lab, "antonym")];
    let similar = [
        ranking.ranking.iter().find(|s| s.skill == "antonym/1").unwrap().score,
        ranking.by_task.iter().find(|t| t.task == "uppercase").unwrap().score,
        ranking.by_task.iter().find(|t| t.task == "antonym").unwrap().score,
    ];
    let candidates: Vec<Candidate> = parts
        .iter()
        .zip(similar)
        .map(|(from, s)| Candidate { explained: sum(&explained(lab, from, &examples)), similarity: f64::from(s) })
        .collect();
    let posterior = library.calibration().posterior(&candidates, &sum(&explained(lab, &nothing(lab), &examples)));
    let known: f64 = posterior.of.iter().sum();
    let heard: Vec<f64> = posterior.of.iter().map(|p| p / known).map(|p| if p < 1e-3 { 0.0 } else { p }).collect();
    let want = mix::mean(&parts, &heard).unwrap();
    let recipe: Recipe = "posterior(antonym/1, uppercase, antonym)".parse().unwrap();
    let got = quiet(|c| lab.mix(&recipe, Some(QUERY), &lab.default_view(), c)).unwrap();
    let size = want.ssm().iter().map(|v| v.abs()).fold(0.0, f32::max);
    let farthest = got.ssm().iter().zip(want.ssm()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(farthest < 1e-3 * size, "{farthest} of {size}");
    assert!(heard[0] > 0.1 && heard[2] > 0.1, "both are heard: {heard:?}");
    let unknown = quiet(|c| lab.mix(&"posterior(antonym, nope)".parse().unwrap(), Some(QUERY), &lab.default_view(), c)).unwrap_err();
    assert!(unknown.to_string().contains("no skill or task `nope`"), "{unknown}");
    let no_query = quiet(|c| lab.mix(&"posterior(antonym)".parse().unwrap(), None, &lab.default_view(), c)).unwrap_err();
    assert_eq!(no_query.exit_code(), 2, "{no_query}");
}

#[test]
fn the_gain_is_asking_each_example_of_the_others() {
    let lab = lab();
    let gain = |query: &str, soup: &str| quiet(|c| lab.gain(&request(lab, query, soup, &[AnswerFrom::Soup], None), c)).unwrap();
    let both = [AnswerFrom::Soup, AnswerFrom::Query];
    for (query, pairs) in [
        (QUERY, &[("hot", "cold"), ("rich", "poor")][..]),
        ("tree -> yes\nbook -> no\n", &[("tree", "yes"), ("book", "no")]),
        (STRANGE, &[("seven", "blue"), ("river", "blue")]),
        ("hot -> cold\nrich -> poor\nup -> down\n", &[("hot", "cold"), ("rich", "poor"), ("up", "down")]),
    ] {
        for soup in
            ["auto", "mean(antonym)", "mean(uppercase) | with_query(0.5)", "ensemble(query, antonym/0)", "gated(primed(antonym))", "query"]
        {
            let mut nats = Vec::new();
            for (i, (input, output)) in pairs.iter().enumerate() {
                let rest: String = pairs.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, (a, b))| format!("{a} -> {b}\n")).collect();
                let answers = ask(lab, &format!("{rest}{input} ->"), soup, &both, Some(output));
                nats.push(answers[0].target_logprob.unwrap() - answers[1].target_logprob.unwrap());
            }
            let found = gain(query, soup).unwrap();
            near(found.nats, nats.iter().sum::<f64>() / nats.len() as f64, &format!("{soup} at {query:?}"));
            assert_eq!((found.examples, found.left_out), (pairs.len(), true));
        }
    }
    // Of many examples the last four are left out.
    let pairs = [("hot", "cold"), ("rich", "poor"), ("up", "down"), ("wet", "dry"), ("old", "new")];
    let text =
        |but: usize| pairs.iter().enumerate().filter(|(j, _)| *j != but).map(|(_, (a, b))| format!("{a} -> {b}\n")).collect::<String>();
    let asked = (1..5).map(|i| {
        let answers = ask(lab, &format!("{}{} ->", text(i), pairs[i].0), "mean(antonym)", &both, Some(pairs[i].1));
        answers[0].target_logprob.unwrap() - answers[1].target_logprob.unwrap()
    });
    let want = asked.sum::<f64>() / 4.0;
    let found = gain(&text(9), "mean(antonym)").unwrap();
    near(found.nats, want, "five examples");
    assert_eq!(found.examples, 4);
}

#[test]
fn the_gain_of_one_example_is_against_nothing_and_of_none_is_not_told() {
    let lab = lab();
    let gain = |query: &str, soup: &str| quiet(|c| lab.gain(&request(lab, query, soup, &[AnswerFrom::Soup], None), c)).unwrap();
    let one = "hot -> cold\nbig ->";
    let auto = weigh(lab, one).auto;
    assert!(auto.lambda > 0.0, "{auto:?}");
    let shares = Recipe::to_string(&Soup { lambda: 1.0, conv: Window::Rule, ..auto }.to_recipe().unwrap());
    for (soup, alone) in [
        ("mean(antonym)", "mean(antonym)"),
        ("mean(antonym) | with_query(0.3)", "mean(antonym)"),
        ("(mean(antonym, uppercase/0) | with_query(0.3)) | conv(query)", "mean(antonym, uppercase/0)"),
        ("gated(antonym/0)", "antonym/0"),
        ("primed(antonym/0)", "antonym/0"),
        ("ensemble(antonym/0, uppercase/0)", "ensemble(antonym/0, uppercase/0)"),
        ("auto", &shares),
    ] {
        let answers = ask(lab, "hot ->", alone, &[AnswerFrom::Soup, AnswerFrom::ZeroShot], Some("cold"));
        let found = gain(one, soup).unwrap_or_else(|| panic!("{soup}"));
        near(found.nats, answers[0].target_logprob.unwrap() - answers[1].target_logprob.unwrap(), soup);
        assert_eq!((found.examples, found.left_out), (1, false));
    }
    // Nothing of these is not the query; nothing can be left out.
    assert_eq!(gain(one, "query"), None);
    assert_eq!(gain(one, "ensemble(query, antonym/0)"), None);
    assert_eq!(gain("big ->", "mean(antonym)"), None, "no example");
    assert_eq!(gain("some ->\nhot -> cold\nbig ->", "mean(antonym)"), None, "a line that is no example");
    let no_soup = AskRequest { soup: None, ..request(lab, QUERY, "auto", &[AnswerFrom::Soup], None) };
    assert_eq!(quiet(|c| lab.gain(&no_soup, c)).unwrap(), None);
    let not_asked = request(lab, QUERY, "auto", &[AnswerFrom::Query, AnswerFrom::ZeroShot], None);
    assert_eq!(quiet(|c| lab.gain(&not_asked, c)).unwrap(), None);
}

/// A task of a file of so many pairs, with words for numbers.
fn own(dir: &Path, name: &str, pairs: usize) -> Task {
    let file = dir.join(format!("{name}.tsv"));
    let digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let line = |n: usize| format!("{} {}\t{n}\n", digits[n / 10 % 10], digits[n % 10]);
    std::fs::write(&file, (0..pairs).map(line).collect::<String>()).unwrap();
    let task = state_soup::task::read_file(&file).unwrap();
    assert_eq!(task.pairs[1], Pair { input: "zero one".into(), output: "1".into() });
    task
}

/// The skills of a lab of two sets, first sets first.
fn skills(lab: &Lab) -> Vec<String> {
    (0..2).flat_map(|set| lab.tasks().iter().map(move |t| format!("{}/{set}", t.name))).collect()
}

#[test]
fn own_tasks_are_built_and_missing_bundled_ones_counted() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let first = quiet(|c| Lab::open(setup(&library, &["antonym", "uppercase"]), c)).unwrap();
    assert!(!first.library().is_calibrated());
    assert_eq!(quiet(|c| first.build_what_is_needed(c)).unwrap(), (0, Vec::new()), "an empty library is built whole");
    assert!(first.library().is_calibrated());
    let ids = |lab: &Lab| lab.library().skills().iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), skills(&first));
    assert_eq!(quiet(|c| first.build_what_is_needed(c)).unwrap(), (0, Vec::new()));

    let mut more = setup(&library, &["antonym", "country_capital", "reverse_word", "uppercase"]);
    // 60 pairs: 12 for tests, 48 for one set of 32. 100: 20 for tests, two sets. 20: none.
    more.tasks.extend([own(dir.path(), "numerals", 100), own(dir.path(), "short", 60), own(dir.path(), "tiny", 20)]);
    let lab = quiet(|c| Lab::open(more, c)).unwrap();
    let (missing, skipped) = quiet(|c| lab.build_what_is_needed(c)).unwrap();
    assert_eq!(missing, 4, "two sets of country_capital and of reverse_word");
    assert_eq!(ids(&lab)[..4], ids(&first));
    assert_eq!(ids(&lab)[4..], ["numerals/0", "short/0", "numerals/1"]);
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped.iter().any(|s| s.contains("`short` has 60 pairs: room for 1 of 2 disjoint sets")), "{skipped:?}");
    assert!(skipped.iter().any(|s| s.contains("`tiny` has 20 pairs, too few")), "{skipped:?}");
    assert!(lab.library().is_calibrated());
    let best = weigh(&lab, "four two -> 42\nnine one ->").tasks[0].task.clone();
    assert!(["numerals", "short"].contains(&best.as_str()), "{best}");

    // What is there is not built again.
    let generation = lab.library().generation();
    assert_eq!(quiet(|c| lab.build_what_is_needed(c)).unwrap(), (4, skipped));
    assert_eq!(lab.library().generation(), generation);
    // All of it, when that is asked for.
    let report = quiet(|c| lab.build(c, &|_| {})).unwrap();
    assert_eq!((report.built, lab.library().len()), (4, 11));
    assert_eq!(quiet(|c| lab.build_what_is_needed(c)).unwrap().0, 0);
}

#[test]
fn first_skills_come_before_second_ones() {
    let library = lab().library();
    assert_eq!(library.skills().iter().map(|s| s.id.clone()).collect::<Vec<_>>(), skills(lab()));
}

#[test]
fn a_calibration_is_measured_by_every_build_and_always_the_same() {
    let calibration = lab().library().calibration();
    assert!(lab().library().is_calibrated());
    // One, two and four examples of six tasks, each with its task there and without.
    assert_eq!(calibration.queries, 36);
    assert_ne!(Calibration { queries: 0, ..calibration }, Calibration::default());
    assert!(calibration.answers > 0.0 && calibration.inputs > 0.0 && calibration.similarity > 0.0);
    assert!(calibration.gates.iter().all(|g| (0.0..1.0).contains(g)));

    let dir = tempfile::tempdir().unwrap();
    let other = open(&dir.path().join("library"));
    assert!(!other.library().is_calibrated());
    assert_eq!(other.library().calibration(), Calibration::default());
    quiet(|c| other.build(c, &|_| {})).unwrap();
    assert_eq!(other.library().calibration(), calibration);
    assert_eq!(
        quiet(|c| Lab::open(setup(other.library().path(), &TASKS), c)).unwrap().library().calibration(),
        calibration,
        "it is on the disk"
    );

    // A library of before there were calibrations gets one by a build that has nothing else to do.
    let path = other.library().path().join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(manifest.as_object_mut().unwrap().remove("calibration").is_some());
    std::fs::write(&path, manifest.to_string()).unwrap();
    let old = open(other.library().path());
    assert_eq!((old.library().calibration(), old.library().is_calibrated()), (Calibration::default(), false));
    let report = quiet(|c| old.build(c, &|_| {})).unwrap();
    assert_eq!((report.built, old.library().calibration(), old.library().is_calibrated()), (0, calibration, true));
    let generation = old.library().generation();
    quiet(|c| old.build(c, &|_| {})).unwrap();
    assert_eq!(old.library().generation(), generation, "nothing to do");
}
