//! Similarities against plain f64 arithmetic, and the order made of them.

use super::*;
use proptest::prelude::*;

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::ZCosine];

fn layer(s: &State, part: Part, l: usize) -> Vec<f64> {
    let x = if part == Part::Ssm { s.ssm_layer(l) } else { s.conv_layer(l) };
    x.iter().map(|&v| f64::from(v)).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let size = (dot(a, a) * dot(b, b)).sqrt();
    if size > 0.0 { dot(a, b) / size } else { 0.0 }
}

/// By the book, one layer.
fn naive_layer(states: &[State], query: &State, metric: Metric, part: Part, l: usize) -> Vec<f64> {
    let q = layer(query, part, l);
    let all: Vec<Vec<f64>> = states.iter().map(|s| layer(s, part, l)).collect();
    let n = all.len() as f64;
    let mean: Vec<f64> = (0..q.len()).map(|j| all.iter().map(|x| x[j]).sum::<f64>() / n).collect();
    let sd: Vec<f64> = (0..q.len()).map(|j| (all.iter().map(|x| (x[j] - mean[j]).powi(2)).sum::<f64>() / n).sqrt()).collect();
    let z = |x: &[f64]| -> Vec<f64> {
        (0..x.len()).map(|j| if sd[j] <= 1e-6 * mean[j].abs() + 1e-30 { 0.0 } else { (x[j] - mean[j]) / sd[j] }).collect()
    };
    all.iter()
        .map(|x| match metric {
            Metric::Cosine => cosine(&q, x),
            Metric::L2 => -q.iter().zip(x).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Metric::ZCosine => cosine(&z(&q), &z(x)),
        })
        .collect()
}

fn library_of(states: &[State], dtype: StoredType) -> (tempfile::TempDir, Library) {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), dtype);
    let skills: Vec<_> = states.iter().enumerate().map(|(i, s)| with_state(&format!("t{}/{i:02}", i % 5), s.clone())).collect();
    // Batches of uneven size, so that blocks of the scan cross shards.
    for part in skills.chunks(7) {
        w.append(part).unwrap();
    }
    drop(w);
    let library = sound(dir.path());
    (dir, library)
}

#[test]
fn every_metric_part_and_range_agrees_with_plain_arithmetic() {
    let states: Vec<State> = (0..33).map(state).collect();
    // A constant offset in some entries: what the centred form is for.
    let shifted = |s: &State| {
        let ssm = s.ssm().iter().enumerate().map(|(i, v)| if i % 3 == 0 { v / 64.0 + 900.0 } else { *v }).collect();
        State::new(SHAPE, ssm, s.conv().to_vec(), s.dt_sum().to_vec(), s.tokens()).unwrap()
    };
    let query = shifted(&state(99));
    for dtype in [StoredType::F16, StoredType::F32] {
        let (_dir, library) = library_of(&states.iter().map(shifted).collect::<Vec<_>>(), dtype);
        let stored: Vec<State> = (0..library.len()).map(|i| library.state(i).unwrap()).collect();
        for metric in METRICS {
            for part in [Part::Ssm, Part::Conv] {
                for layers in [0..1, 2..3, 0..3, 1..3] {
                    let got = library.scores(&query, &RankView { metric, layers: layers.clone(), part }).unwrap();
                    let each: Vec<Vec<f64>> = layers.clone().map(|l| naive_layer(&stored, &query, metric, part, l)).collect();
                    for (i, got) in got.iter().enumerate() {
                        let want = each.iter().map(|l| l[i]).sum::<f64>() / layers.len() as f64;
                        assert!(
                            (f64::from(*got) - want).abs() <= 2e-6 * want.abs().max(1.0),
                            "{metric:?} {part:?} {layers:?} {dtype:?} {i}: {got} for {want}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_ranking_is_ordered_grouped_and_compared_with_the_one_before() {
    let states: Vec<State> = (0..20).map(state).collect();
    let (_dir, library) = library_of(&states, StoredType::F16);
    let view = RankView { metric: Metric::Cosine, layers: 0..3, part: Part::Ssm };
    let first = library.rank(&states[13], &view, None).unwrap();
    assert_eq!((first.ranking[0].skill.as_str(), first.ranking.len(), first.by_task.len()), ("t3/13", 20, 5));
    assert!((first.ranking[0].score - 1.0).abs() < 1e-6);
    assert!(first.ranking.windows(2).all(|w| w[0].score >= w[1].score));
    assert!(first.by_task.windows(2).all(|w| w[0].score >= w[1].score));
    assert_eq!(first.margin, first.by_task[0].score - first.by_task[1].score);
    assert!(first.ranking.iter().all(|s| s.change.is_none()) && first.millis[1] > 0.0);
    for t in &first.by_task {
        let own: Vec<_> = first.ranking.iter().filter(|s| s.task == t.task).collect();
        assert_eq!((&own[0].skill, own[0].score, own.len()), (&t.skill, t.score, 4));
        assert!((own.iter().map(|s| s.score).sum::<f32>() / 4.0 - t.mean).abs() < 1e-6);
    }
    let second = library.rank(&states[4], &view, Some(&first)).unwrap();
    for (i, s) in second.ranking.iter().enumerate() {
        let was = first.ranking.iter().position(|f| f.skill == s.skill).unwrap();
        assert_eq!(s.change, Some(was as i32 - i as i32));
    }
    assert_eq!(second.ranking.iter().map(|s| s.change.unwrap()).sum::<i32>(), 0);
    for (i, t) in second.by_task.iter().enumerate() {
        let was = first.by_task.iter().position(|f| f.task == t.task).unwrap();
        assert_eq!(t.change, Some(was as i32 - i as i32));
    }
}

/// What a ranking is of a library that never had some skills.
fn ranked_without(states: &[State], query: &State, view: &RankView, gone: impl Fn(&str) -> bool) -> Ranking {
    let dir = tempfile::tempdir().unwrap();
    let all = states.iter().enumerate().map(|(i, s)| with_state(&format!("t{}/{i:02}", i % 5), s.clone()));
    let skills: Vec<_> = all.filter(|(meta, _)| !gone(&meta.id)).collect();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&skills).unwrap();
    w.library().rank(query, view, None).unwrap()
}

#[test]
fn tasks_left_out_are_as_if_they_had_not_been_there() {
    let states: Vec<State> = (0..20).map(state).collect();
    let (_dir, library) = library_of(&states, StoredType::F16);
    let view = RankView { metric: Metric::Cosine, layers: 0..3, part: Part::Ssm };
    let whole = library.rank(&state(99), &view, None).unwrap();
    let order: Vec<&str> = whole.by_task.iter().map(|t| t.task.as_str()).collect();
    assert_eq!(order.len(), 5);
    let cases = [
        vec![],
        vec![order[0]],
        vec![order[1]],
        vec![order[4]],
        vec![order[0], order[2]],
        order[1..].to_vec(),
        order.clone(),
        vec!["none"],
    ];
    for gone in cases {
        let mut left = whole.clone();
        left.leave_out(&gone);
        let want = ranked_without(&states, &state(99), &view, |id| gone.contains(&id.split('/').next().unwrap()));
        assert_eq!(left.ranking, want.ranking, "{gone:?}");
        assert_eq!(left.by_task, want.by_task, "{gone:?}");
        assert_eq!(left.margin, want.margin, "{gone:?}");
        assert_eq!((&left.view, left.millis), (&whole.view, whole.millis), "the rest is as it was");
    }
}

#[test]
fn a_skill_left_out_gives_its_place_to_the_next_of_its_task() {
    let states: Vec<State> = (0..20).map(state).collect();
    let (_dir, library) = library_of(&states, StoredType::F16);
    let view = RankView { metric: Metric::L2, layers: 0..2, part: Part::Ssm };
    let whole = library.rank(&state(99), &view, None).unwrap();
    let (mut moved, mut kept) = (0, 0);
    for skill in whole.ranking.iter().map(|s| s.skill.as_str()).chain(["none/0"]) {
        let mut left = whole.clone();
        left.leave_out_skill(skill);
        let want = ranked_without(&states, &state(99), &view, |id| id == skill);
        assert_eq!(left.ranking, want.ranking, "{skill}");
        let best = |r: &Ranking| r.by_task.iter().map(|t| (t.task.clone(), t.skill.clone(), t.score)).collect::<Vec<_>>();
        assert_eq!(best(&left), best(&want), "{skill}");
        let mean = |t: &ScoredTask| whole.by_task.iter().find(|w| w.task == t.task).unwrap().mean;
        assert!(left.by_task.iter().all(|t| t.mean == mean(t)), "means are of all skills");
        let order = |r: &Ranking| r.by_task.iter().map(|t| t.task.clone()).collect::<Vec<_>>();
        if order(&left) == order(&whole) { kept += 1 } else { moved += 1 }
    }
    assert!(moved > 0 && kept > 0, "some tasks change places, some do not: {moved} {kept}");

    // One after the other until none of the task is left.
    let (task, mut left) = (whole.by_task[0].task.clone(), whole.clone());
    let own: Vec<String> = whole.ranking.iter().filter(|s| s.task == task).map(|s| s.skill.clone()).collect();
    assert_eq!(own.len(), 4);
    own.iter().for_each(|skill| left.leave_out_skill(skill));
    let want = ranked_without(&states, &state(99), &view, |id| own.iter().any(|o| o == id));
    assert_eq!((&left.ranking, &left.by_task), (&want.ranking, &want.by_task));
}

#[test]
fn the_margin_is_of_the_skills_that_are_left() {
    let states: Vec<State> = (0..20).map(state).collect();
    let (_dir, library) = library_of(&states, StoredType::F16);
    let view = RankView { metric: Metric::Cosine, layers: 0..3, part: Part::Ssm };
    let whole = library.rank(&state(99), &view, None).unwrap();
    for skill in [&whole.by_task[0].skill, &whole.by_task[1].skill] {
        let mut left = whole.clone();
        left.leave_out_skill(skill);
        let want = ranked_without(&states, &state(99), &view, |id| id == *skill);
        assert_ne!(want.margin, whole.margin);
        assert_eq!(left.margin, want.margin, "{skill}");
    }
}

#[test]
fn zero_states_equal_scores_and_small_libraries() {
    let zero = State::zeros(SHAPE);
    // 00 and 02 are equal, 01 and 03 empty.
    let (_dir, library) = library_of(&[state(5), zero.clone(), state(5), zero.clone()], StoredType::F16);
    for part in [Part::Ssm, Part::Conv] {
        let view = |metric| RankView { metric, layers: 0..3, part };
        let order = |query: &State, metric| -> Vec<(String, f32)> {
            library.rank(query, &view(metric), None).unwrap().ranking.into_iter().map(|s| (s.skill, s.score)).collect()
        };
        let found = order(&state(5), Metric::Cosine);
        assert_eq!(found.iter().map(|s| s.0.as_str()).collect::<Vec<_>>(), ["t0/00", "t2/02", "t1/01", "t3/03"]);
        assert_eq!((found[0].1, found[2].1), (found[1].1, 0.0));
        // Nothing is known of an empty query: all are alike, in the order of their ids.
        let found = order(&zero, Metric::Cosine);
        assert!(found.iter().all(|s| s.1.to_bits() == 0) && found.is_sorted_by(|a, b| a.0 < b.0), "{found:?}");
        assert_eq!(order(&zero, Metric::L2)[0], ("t1/01".to_owned(), 0.0));
        assert!(order(&zero, Metric::ZCosine).iter().all(|s| s.1.is_finite()));
    }
    let view = RankView { metric: Metric::ZCosine, layers: 0..3, part: Part::Ssm };
    let (_dir, one) = library_of(&[state(1)], StoredType::F16);
    let ranking = one.rank(&state(1), &view, None).unwrap();
    assert_eq!((ranking.ranking[0].score, ranking.margin), (0.0, 0.0), "one skill does not vary");
    let (_dir, none) = library_of(&[], StoredType::F16);
    assert_eq!(none.rank(&state(1), &view, None).unwrap().ranking, []);
}

#[test]
fn huge_entries_overflow_nothing() {
    let scaled =
        |s: &State, f: f32| State::new(SHAPE, s.ssm().iter().map(|v| v * f).collect(), s.conv().to_vec(), s.dt_sum().to_vec(), 1).unwrap();
    let states: Vec<State> = (0..6).map(|i| scaled(&state(i), 1e36)).collect();
    let (_dir, library) = library_of(&states, StoredType::F16);
    for metric in METRICS {
        let ranking = library.rank(&states[3], &RankView { metric, layers: 0..3, part: Part::Ssm }, None).unwrap();
        assert_eq!(ranking.ranking[0].skill, "t3/03", "{metric:?}");
        assert!(ranking.ranking.len() == 6 && ranking.ranking.iter().all(|s| s.score.is_finite()));
        let naive = naive_layer(&states, &states[3], metric, Part::Ssm, 0);
        let got = library.scores(&states[3], &RankView { metric, layers: 0..1, part: Part::Ssm }).unwrap();
        for (got, want) in got.iter().zip(naive) {
            assert!((f64::from(*got) - want).abs() <= 1e-5 * want.abs().max(1.0), "{metric:?}: {got} for {want}");
        }
    }
}

#[test]
fn statistics_follow_a_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&(0..4).map(|i| skill(&format!("a/{i}"), i)).collect::<Vec<_>>()).unwrap();
    let (mut library, _) = Library::open(dir.path(), &model()).unwrap();
    let view = RankView { metric: Metric::ZCosine, layers: 0..3, part: Part::Ssm };
    let before = library.scores(&state(9), &view).unwrap();
    w.append(&(4..9).map(|i| skill(&format!("a/{i}"), i)).collect::<Vec<_>>()).unwrap();
    w.delete("a/0").unwrap();
    assert_eq!(library.scores(&state(9), &view).unwrap(), before);
    assert!(library.refresh().unwrap());
    assert_eq!(library.scores(&state(9), &view).unwrap(), sound(dir.path()).scores(&state(9), &view).unwrap());
    assert_ne!(library.scores(&state(9), &view).unwrap()[0], before[1], "other means");
}

#[test]
fn layers_and_shapes_that_do_not_exist_are_refused() {
    let (_dir, library) = library_of(&[state(1)], StoredType::F16);
    #[allow(clippy::reversed_empty_ranges)]
    for layers in [0..0, 2..1, 0..4, 3..4] {
        let error = library.scores(&state(1), &RankView { metric: Metric::L2, layers, part: Part::Ssm }).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("0..3"), "{error}");
    }
    let other = State::zeros(Layout { n_layer: 4, ..SHAPE });
    let view = RankView { metric: Metric::L2, layers: 0..3, part: Part::Ssm };
    assert_eq!(library.scores(&other, &view).unwrap_err().exit_code(), 5);
}

/// More than one thread's worth: 300 skills. The order must not depend on how the work was shared
/// out or the skills stored.
#[test]
fn a_large_library_ranks_the_same_however_it_is_stored() {
    let skills: Vec<_> = (0..300).map(|i| skill(&format!("t{}/{i:03}", i % 60), i)).collect();
    let views = METRICS.map(|metric| RankView { metric, layers: 0..3, part: Part::Ssm });
    let mut seen: Vec<Vec<Vec<f32>>> = Vec::new();
    for batch in [300, 64, 13] {
        let dir = tempfile::tempdir().unwrap();
        let mut w = writer(dir.path(), StoredType::F16);
        skills.chunks(batch).for_each(|b| w.append(b).unwrap());
        seen.push(views.iter().map(|v| w.library().scores(&state(1000), v).unwrap()).collect());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn cosines_ignore_the_querys_length_and_stay_within_one(seeds in prop::collection::vec(0u64..1000, 1..20), q in 0u64..1000, factor in 0.01f32..100.0) {
        let states: Vec<State> = seeds.iter().map(|&s| state(s)).collect();
        let (_dir, library) = library_of(&states, StoredType::F16);
        let query = state(q);
        let scaled = State::new(SHAPE, query.ssm().iter().map(|v| v * factor).collect(), query.conv().to_vec(), query.dt_sum().to_vec(), 1).unwrap();
        let view = RankView { metric: Metric::Cosine, layers: 0..3, part: Part::Ssm };
        let (a, b) = (library.scores(&query, &view).unwrap(), library.scores(&scaled, &view).unwrap());
        for (x, y) in a.iter().zip(&b) {
            prop_assert!((x - y).abs() < 2e-6 && x.abs() <= 1.0);
        }
        for metric in METRICS {
            for (i, s) in library.scores(&states[0], &RankView { metric, ..view.clone() }).unwrap().iter().enumerate() {
                prop_assert!(metric == Metric::L2 && *s <= 0.0 || s.abs() <= 1.0, "{i}: {s}");
            }
        }
    }
}
