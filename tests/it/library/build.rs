//! From plans to skills: what is missing, batches, cancellation, two processes.

use super::*;
use state_soup::control::Progress;
use state_soup::error::{Error, Result};
use std::sync::Mutex;

fn plans(tasks: usize, sets: usize, settings: &BuildSettings) -> Vec<SkillPlan> {
    let plan = |t: usize, s: usize| {
        let segments = (0..settings.shots).map(|i| format!("word {t} {s} {i} -> answer\n")).collect();
        SkillPlan::examples(&format!("task{t}"), "family", s, segments, settings)
    };
    (0..tasks).flat_map(|t| (0..sets).map(move |s| (t, s))).map(|(t, s)| plan(t, s)).collect()
}

/// A state that depends on the text alone.
fn encode(plans: &[&SkillPlan], control: Control<'_>) -> Result<Vec<State>> {
    control.check()?;
    control.report(1, 2, "tokens");
    Ok(plans.iter().map(|p| state(p.segments.concat().bytes().map(u64::from).sum())).collect())
}

fn run(w: &Mutex<LibraryWriter>, settings: &BuildSettings, plans: &[SkillPlan]) -> BuildReport {
    quiet(|c| build(w, settings, plans, &[], BatchSize { tokens: 1000, skills: 64 }, &mut encode, c)).unwrap()
}

#[test]
fn only_what_is_missing_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let (base, w) = (settings(), Mutex::new(writer(dir.path(), StoredType::F16)));
    let all = plans(4, 3, &base);
    assert_eq!(missing(w.lock().unwrap().library(), &all), (0..12).collect::<Vec<_>>());
    let first = run(&w, &base, &all[..7]);
    assert_eq!((first.built, first.present), (7, 0));
    let second = run(&w, &base, &all);
    assert_eq!((second.built, second.present), (5, 7));
    assert_eq!(run(&w, &base, &all).built, 0);
    let library = sound(dir.path());
    assert_eq!(ids(&library), all.iter().map(|p| p.id.as_str()).collect::<Vec<_>>());
    for (i, p) in all.iter().enumerate() {
        assert_eq!(library.skills()[i].origin, p.origin);
        assert_eq!(library.state(i).unwrap(), quiet(|c| encode(&[p], c)).unwrap()[0]);
        assert_eq!(library.skills()[i].tokens, library.state(i).unwrap().tokens());
    }

    // Another seed: the same ids, other skills. They take the old ones' places, and the settings
    // are noted.
    let reseeded = BuildSettings { seed: 7, ..base };
    let other = plans(4, 3, &reseeded);
    assert_eq!(missing(w.lock().unwrap().library(), &other).len(), 12);
    assert_eq!(run(&w, &reseeded, &other).built, 12);
    let library = sound(dir.path());
    assert_eq!((library.len(), library.settings()), (12, &reseeded));
    assert!(library.skills().iter().zip(&other).all(|(s, p)| s.origin == p.origin));
    // One example of one set changed: that set alone.
    let mut edited = other.clone();
    edited[4] = SkillPlan::examples("task1", "family", 1, vec!["new -> text\n".into(); 32], &reseeded);
    assert_eq!(missing(w.lock().unwrap().library(), &edited), [4]);
}

#[test]
fn a_deleted_skill_is_not_built_again_unless_it_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (base, w) = (settings(), Mutex::new(writer(dir.path(), StoredType::F16)));
    let all = plans(2, 2, &base);
    run(&w, &base, &all);
    w.lock().unwrap().delete("task0/1").unwrap();
    assert_eq!(missing(w.lock().unwrap().library(), &all), Vec::<usize>::new());
    quiet(|c| w.lock().unwrap().compact(c)).unwrap();
    assert_eq!(run(&w, &base, &all).built, 0);
    assert!(!w.lock().unwrap().restore("task0/1").unwrap());
    assert_eq!(run(&w, &base, &all).built, 1);
    assert_eq!(sound(dir.path()).len(), 4);
}

#[test]
fn skills_made_anew_take_their_places_keep_their_tags_and_can_be_swapped_back() {
    let dir = tempfile::tempdir().unwrap();
    let (base, w) = (settings(), Mutex::new(writer(dir.path(), StoredType::F16)));
    let all = plans(2, 2, &base);
    run(&w, &base, &all);
    w.lock().unwrap().tag("task0/1", &["liked".into()]).unwrap();
    let mut other = |plans: &[&SkillPlan], _: Control<'_>| Ok(plans.iter().map(|_| state(9)).collect());
    let anew = ["task0/1".to_owned()];
    let report = quiet(|c| build(&w, &base, &all, &anew, BatchSize::default(), &mut other, c)).unwrap();
    assert_eq!((report.built, report.present), (1, 3));
    let of = |id: &str| {
        let library = sound(dir.path());
        let i = library.find(id).unwrap();
        (library.state(i).unwrap(), library.skills()[i].tags.clone(), library.len())
    };
    assert_eq!(of("task0/1"), (state(9), vec!["liked".to_owned()], 4));
    let first = quiet(|c| encode(&[&all[1]], c)).unwrap().remove(0);
    w.lock().unwrap().swap_back("task0/1").unwrap();
    assert_eq!(of("task0/1").0, first);
    w.lock().unwrap().swap_back("task0/1").unwrap();
    assert_eq!(of("task0/1").0, state(9), "and forth");
    for none in ["task0/0", "z/0"] {
        assert!(w.lock().unwrap().swap_back(none).unwrap_err().to_string().contains("has no earlier state of"));
    }
}

#[test]
fn progress_counts_skills_and_a_cancelled_build_keeps_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let (base, w) = (settings(), Mutex::new(writer(dir.path(), StoredType::F16)));
    let all = plans(5, 4, &base);
    let (cancel, seen) = (Cancel::new(), Mutex::new(Vec::<Progress>::new()));
    let listen = |p: Progress| seen.lock().unwrap().push(p);
    let mut calls = 0;
    let mut stopping = |plans: &[&SkillPlan], control: Control<'_>| {
        calls += 1;
        if calls == 3 {
            cancel.cancel();
        }
        encode(plans, control)
    };
    let size = BatchSize { tokens: usize::MAX, skills: 6 };
    let error = build(&w, &base, &all, &[], size, &mut stopping, Control::new(&cancel, &listen)).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(sound(dir.path()).len(), 12, "two batches of six");
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().all(|p| p.unit == "skills" && p.total == 20) && seen.is_sorted_by_key(|p| p.done));
    assert_eq!(seen.iter().map(|p| p.done).collect::<Vec<_>>(), [0, 3, 6, 9, 12]);
    assert_eq!(run(&w, &base, &all).built, 8);
    assert_eq!(ids(&sound(dir.path())).len(), 20);
}

#[test]
fn batches_learn_the_texts_bytes_per_token() {
    let dir = tempfile::tempdir().unwrap();
    let base = BuildSettings { shots: 10, ..settings() };
    let all = plans(10, 4, &base);
    let mut sizes = Vec::new();
    // One token a byte.
    let mut count = |plans: &[&SkillPlan], _: Control<'_>| -> Result<Vec<State>> {
        sizes.push(plans.iter().map(|p| p.segments.concat().len()).sum::<usize>());
        let tokens = |p: &SkillPlan| p.segments.concat().len() as u64;
        let zero = State::zeros(SHAPE);
        let of = |p: &&SkillPlan| State::new(SHAPE, zero.ssm().to_vec(), zero.conv().to_vec(), zero.dt_sum().to_vec(), tokens(p));
        plans.iter().map(of).collect()
    };
    let w = Mutex::new(writer(dir.path(), StoredType::F16));
    quiet(|c| build(&w, &base, &all, &[], BatchSize { tokens: 1000, skills: 64 }, &mut count, c)).unwrap();
    assert!(sizes[0] > 2000, "three bytes a token are guessed at first: {sizes:?}");
    assert!(sizes[1..].iter().all(|&n| n <= 1000) && sizes[1] > 700, "{sizes:?}");
}

#[test]
fn bad_plans_and_bad_encoders_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (base, w) = (settings(), Mutex::new(writer(dir.path(), StoredType::F16)));
    let mut all = plans(1, 3, &base);
    let mut short = |plans: &[&SkillPlan], c: Control<'_>| encode(&plans[1..], c);
    let error = quiet(|c| build(&w, &base, &all, &[], BatchSize::default(), &mut short, c)).unwrap_err().to_string();
    assert!(error.contains("3 skills from task0/0 on were to be read, 2 states came back"), "{error}");
    all[2].id = "task0/0".into();
    let error = quiet(|c| build(&w, &base, &all, &[], BatchSize::default(), &mut encode, c)).unwrap_err().to_string();
    assert!(error.ends_with("have the id task0/0"), "{error}");
    let mut failing = |_: &[&SkillPlan], _: Control<'_>| Err(Error::Model("the model broke".into()));
    assert!(quiet(|c| build(&w, &base, &plans(1, 1, &base), &[], BatchSize::default(), &mut failing, c)).is_err());
    assert!(sound(dir.path()).is_empty());
}

#[test]
#[ignore = "a child process of `two_processes_build_one_library_together`"]
fn child_builds() {
    let Some(dir) = child_dir() else { return };
    let (model, settings) = (model(), settings());
    let new = NewLibrary { model: &model, settings: &settings, dtype: StoredType::F16 };
    let w = Mutex::new(quiet(|c| LibraryWriter::open(&dir, &new, Wait::Until(c))).unwrap());
    let report =
        quiet(|c| build(&w, &settings, &plans(8, 3, &settings), &[], BatchSize { tokens: 900, skills: 2 }, &mut encode, c)).unwrap();
    println!("\nbuilt {} present {}", report.built, report.present);
}

#[test]
fn two_processes_build_one_library_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("library");
    let both = [(); 2].map(|()| child("library::build::child_builds", &path).spawn().unwrap());
    let mut built = Vec::new();
    for process in both {
        let out = process.wait_with_output().unwrap();
        assert!(out.status.success());
        let text = String::from_utf8(out.stdout).unwrap();
        let line = text.lines().find(|l| l.starts_with("built ")).unwrap();
        let numbers: Vec<usize> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
        assert_eq!(numbers.iter().sum::<usize>(), 24);
        built.push(numbers[0]);
    }
    built.sort_unstable();
    assert_eq!(built, [0, 24], "the second waits and finds nothing left to do");
    assert_eq!(sound(&path).len(), 24);
}

#[test]
fn cache_folders_lie_in_the_users_cache() {
    let dir = cache_dir(&"ab".repeat(32), &settings(), &[]);
    // Without HOME (some build machines) the sentence says what to do.
    match dir {
        Ok(dir) => {
            let name = dir.file_name().unwrap().to_str().unwrap();
            assert!(
                name.starts_with("abababababababab-") && name.len() == 25 && dir.to_str().unwrap().contains("state-soup"),
                "{}",
                dir.display()
            );
            // A choice of tasks has a folder of its own beside it.
            let chosen = |tasks: &[&str]| cache_dir(&"ab".repeat(32), &settings(), tasks).unwrap();
            assert_ne!(chosen(&["a", "b"]), chosen(&["ab"]));
            assert_eq!((chosen(&["a"]).parent(), chosen(&[])), (dir.parent(), dir.clone()));
        }
        Err(e) => assert!(e.to_string().contains("--library DIR")),
    }
}
