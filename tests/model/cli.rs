//! The program as a user calls it: JSON that others can rely on, sentences and exit codes for bad
//! input, two processes on one library.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::fixture::copy;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// A small library: one set of four shots a task.
const SMALL: [&str; 4] = ["--sets", "1", "--shots", "4"];

fn soup(library: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_state-soup"));
    command.args(args).args(SMALL).arg("--library").arg(library).stdin(Stdio::null());
    // Nothing of the user's: no configuration, no log.
    command.env("XDG_CONFIG_HOME", library).env("XDG_STATE_HOME", library.join("state"));
    command
}

fn run(library: &Path, args: &[&str]) -> Output {
    soup(library, args).output().unwrap()
}

/// A small library of the test's own. The program has built it once; each test has a copy.
fn built() -> tempfile::TempDir {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        assert!(run(dir.path(), &["build"]).status.success());
        dir
    });
    copy(dir.path())
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sentence on stderr and the exit code.
fn refusal(output: &Output) -> (String, i32) {
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code().unwrap())
}

#[test]
fn json_has_what_its_readers_rely_on() {
    let dir = tempfile::tempdir().unwrap();
    let built = json(&run(dir.path(), &["build", "--json"]));
    assert!(built["skills"].as_u64().unwrap() >= 60 && built["tokens"].as_u64().unwrap() > 1000);

    a_ranking_is_told_by_evidence_and_by_similarity(dir.path(), built["skills"].as_u64().unwrap() as usize);
    answers_are_told_with_the_soup_that_gave_them(dir.path());

    let doctor = json(&run(dir.path(), &["doctor", "--json"]));
    assert_eq!(doctor["model"]["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(doctor["library"]["skills"], built["skills"]);
    assert!(doctor["log"]["path"].as_str().unwrap().ends_with("state-soup.log") && doctor["terminal"]["glyphs"].is_string());
    assert!(doctor["model"]["parameters"].as_u64().unwrap() > 1_000_000 && doctor["device"].is_string());

    let measured = json(&run(dir.path(), &["bench", "--runs", "1", "--tokens", "8,20", "--json"]));
    assert_eq!(measured["library"]["skills"], built["skills"]);
    assert!(measured["prefill"].as_array().unwrap().iter().all(|p| p["ms"].as_f64() > Some(0.0) && p["products"].as_f64() <= Some(1.0)));
    assert!(measured["keystroke"]["p99_ms"].as_f64() >= measured["keystroke"]["p50_ms"].as_f64());

    let compared = json(&run(dir.path(), &["decay", "--chunks", "3", "--tokens", "24", "--continuation", "16", "--gamma", "0", "--json"]));
    let rules = compared["rules"].as_array().unwrap();
    assert_eq!((rules.len(), &compared["source"], &compared["gamma"]), (10, &"sample 0".into(), &0.0.into()));
    for rule in rules {
        assert!(rule["rule"].is_string() && rule["nats"].as_f64().unwrap() > 0.0 && rule["perplexity"].as_f64().unwrap() > 1.0);
        assert_eq!((rule["loss"].as_array().unwrap().len(), rule["error"].as_array().unwrap().len()), (16, 12));
    }
    assert_eq!(rules[0]["minus_full_pass"], 0.0);
    assert_eq!((&rules[2]["rule"], &rules[4]["rule"]), (&"A-decay".into(), &"sum".into()));
    assert!((rules[2]["nats"].as_f64().unwrap() - rules[4]["nats"].as_f64().unwrap()).abs() < 1e-4);

    let state = dir.path().join("soup.safetensors");
    let mixed = json(&run(dir.path(), &["mix", "0.6*antonym/0 + 0.4*country_capital/0", "--out", state.to_str().unwrap(), "--json"]));
    assert_eq!(mixed["ingredients"], serde_json::json!(["antonym/0", "country_capital/0"]));
    let seen = json(&run(dir.path(), &["inspect", state.to_str().unwrap(), "--json"]));
    assert_eq!(seen["provenance"]["recipe_hash"], mixed["hash"]);
    assert_eq!(json(&run(dir.path(), &["inspect", "antonym/0", "--json"]))["preview"].as_array().unwrap().len(), 4);
    shares_of_a_recipe_add_up_to_one(dir.path());
    a_session_becomes_a_film(dir.path());
}

/// Every key has a frame, a frame holds what it changed, and the last one stands longest.
fn a_session_becomes_a_film(library: &Path) {
    let [session, film] = ["typed.toml", "typed.svg"].map(|name| library.join(name));
    std::fs::write(&session, "title = 'x'\n[[step]]\nkeys = 'hot'\n[[step]]\nkeys = ' -> co'\n").unwrap();
    let film_of = |more: &[&str]| {
        let args = ["replay", session.to_str().unwrap(), "--film", film.to_str().unwrap(), "--size", "80x24", "--speed", "10"];
        let output = run(library, &[&args, more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(&film).unwrap()
    };
    let whole = film_of(&[]);
    let groups: Vec<&str> = whole.split("<g").skip(1).collect();
    assert!((9..=11).contains(&groups.len()), "nine keys, and what two rests change: {}", groups.len());
    assert!(groups[0].contains("state-soup") && !groups[1].contains("state-soup"), "the header does not change");
    assert!(whole.contains(".f{animation:7.90s"), "nine keys of 100 ms, two rests of 3.5 s");
    let second = film_of(&["--steps", "2"]);
    assert!(second.contains(".f{animation:4.10s") && second.contains("hot"), "the first step is played, not shown");
}

#[test]
fn the_guide_is_printed_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let list = String::from_utf8(run(dir.path(), &["guide"]).stdout).unwrap();
    assert!(list.contains("recipes        Recipes: how to write a soup\n"), "{list}");
    let page = String::from_utf8(run(dir.path(), &["guide", "recipes"]).stdout).unwrap();
    assert_eq!(page, include_str!("../../assets/guide/recipes.md"), "into a pipe goes the Markdown as it is");
    let read = json(&run(dir.path(), &["guide", "recipes", "--json"]));
    assert_eq!((&read["topic"], read["text"].as_str()), (&"recipes".into(), Some(page.as_str())));
    assert_eq!(json(&run(dir.path(), &["guide", "--json"])).as_array().unwrap().len(), list.lines().count() - 3);
    let (message, code) = refusal(&run(dir.path(), &["guide", "recipe"]));
    assert!(message.contains("`recipe`") && message.contains("did you mean `recipes`?") && code == 2, "{code} {message}");
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn texts<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|v| v[key].as_str().unwrap()).collect()
}

const RANK: [&str; 12] =
    ["by", "by_task", "chance", "evidence", "layers", "margin", "metric", "part", "query", "ranking", "shots", "tokens_run"];
const EVIDENCE: [&str; 11] =
    ["ahead", "answer_tokens", "auto", "calibrated", "fits", "foretold", "gate", "none", "read", "unread", "words"];

fn a_ranking_is_told_by_evidence_and_by_similarity(library: &Path, skills: usize) {
    let query = "hot -> cold\\nrich -> poor";
    let similar = json(&run(library, &["rank", query, "--by", "similarity", "--json"]));
    assert_eq!(keys(&similar), RANK);
    assert_eq!((&similar["by"], &similar["evidence"], &similar["shots"]), (&"similarity".into(), &Value::Null, &2.into()));
    let ranking = similar["ranking"].as_array().unwrap();
    assert_eq!(ranking.len(), skills);
    for skill in ranking {
        assert_eq!(keys(skill), ["score", "skill", "task", "unseen"]);
        assert!(skill["task"].is_string() && skill["skill"].is_string() && skill["score"].is_f64() && skill["unseen"].is_boolean());
    }
    assert!(ranking.windows(2).all(|w| w[0]["score"].as_f64() >= w[1]["score"].as_f64()));
    let tasks = similar["by_task"].as_array().unwrap();
    assert!(tasks.windows(2).all(|w| w[0]["score"].as_f64() >= w[1]["score"].as_f64()));
    assert_eq!(tasks[0]["task"], ranking[0]["task"]);
    assert!(tasks.iter().all(|t| ["explains", "posterior", "answers", "inputs"].iter().all(|key| t[key].is_null())));
    assert_eq!(similar["chance"].as_f64(), Some(1.0 / tasks.len() as f64));

    let ranked = json(&run(library, &["rank", query, "--json"]));
    assert_eq!((keys(&ranked), &ranked["by"]), (RANK.to_vec(), &"evidence".into()));
    for key in ["query", "shots", "metric", "part", "layers", "chance", "margin"] {
        assert_eq!(ranked[key], similar[key], "{key}");
    }
    let evidence = &ranked["evidence"];
    assert_eq!(keys(evidence), EVIDENCE);
    assert!(evidence["words"].as_str().is_some_and(|w| w.ends_with('.')) && evidence["fits"].is_boolean());
    assert!(evidence["ahead"].is_f64() && evidence["gate"].as_f64().is_some_and(|g| g > 0.0 && g < 1.0));
    assert_eq!((&evidence["calibrated"], &evidence["read"]), (&true.into(), &24.into()));
    assert!(evidence["answer_tokens"].as_u64().is_some_and(|n| n >= 4), "two words and two line breaks");
    let auto = evidence["auto"].as_str().unwrap();
    assert!(auto.starts_with('(') && auto.ends_with("| conv(query)") && auto.contains("mean("), "{auto}");

    // The 24 that were read, the most probable first; the others follow by similarity.
    let by_task = ranked["by_task"].as_array().unwrap();
    assert_eq!(keys(&by_task[0]), ["answers", "explains", "inputs", "mean", "posterior", "score", "skill", "task", "unseen"]);
    let posterior: Vec<f64> = by_task[..24].iter().map(|t| t["posterior"].as_f64().unwrap()).collect();
    assert!(posterior.is_sorted_by(|a, b| a >= b));
    assert!((posterior.iter().sum::<f64>() + evidence["none"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    for task in &by_task[..24] {
        assert!(task["answers"].as_f64().is_some_and(|n| n < 0.0) && task["inputs"].as_f64().is_some_and(|n| n < 0.0));
        assert!(task["explains"].is_f64());
    }
    let names = |list: &Value| texts(list, "task").into_iter().map(String::from).collect::<Vec<_>>();
    let (read, proposed) = (&names(&ranked["by_task"])[..24], &names(&similar["by_task"])[..24]);
    let sorted = |of: &[String]| {
        let mut of = of.to_vec();
        of.sort();
        of
    };
    assert_eq!(sorted(read), sorted(proposed), "similarity proposes");
    assert_eq!(names(&ranked["by_task"])[24..], names(&similar["by_task"])[24..]);
    assert!(by_task[24..].iter().all(|t| t["explains"].is_null() && t["posterior"].is_null()));
    // Of the same task are the scores of both, and its skills stand together.
    let score = |list: &Value, task: &str| list.as_array().unwrap().iter().find(|t| t["task"] == task).unwrap()["score"].clone();
    assert!(read.iter().all(|task| score(&ranked["by_task"], task) == score(&similar["by_task"], task)));
    let mut skills = names(&ranked["ranking"]);
    assert_eq!(skills.len(), ranking.len());
    skills.dedup();
    assert_eq!(skills[..24], *read);
    // Without an example there is no evidence.
    let bare = json(&run(library, &["rank", "hot", "--json"]));
    assert_eq!((&bare["by"], &bare["evidence"], &bare["shots"]), (&"similarity".into(), &Value::Null, &0.into()));
    // The table says the same.
    let table = String::from_utf8(run(library, &["rank", query, "-n", "3"]).stdout).unwrap();
    assert!(table.contains("posterior") && table.contains(evidence["words"].as_str().unwrap()) && table.contains(&read[0]), "{table}");
    let table = String::from_utf8(run(library, &["rank", query, "--by", "similarity"]).stdout).unwrap();
    assert!(!table.contains("posterior") && table.contains("mean"), "{table}");
}

fn answers_are_told_with_the_soup_that_gave_them(library: &Path) {
    let ask = |more: &[&str]| {
        json(&run(library, &[&["ask", "hot -> cold\\nrich -> poor\\nbig ->", "--target", "small", "--json"], more].concat()))
    };
    let asked = ask(&[]);
    assert_eq!(keys(&asked), ["answers", "evidence", "gain", "query", "soup", "target"]);
    assert_eq!((&asked["soup"], &asked["target"]), (&"auto".into(), &"small".into()));
    assert_eq!(texts(&asked["answers"], "from"), ["zero-shot", "query", "best-skill", "soup", "full"]);
    for answer in asked["answers"].as_array().unwrap() {
        assert_eq!(keys(answer), ["from", "logprob", "missing", "origin", "target_logprob", "text", "top", "weights"]);
        assert!(answer["text"].is_string() && answer["logprob"].as_f64().unwrap() <= 0.0 && answer["target_logprob"].is_f64());
        assert!(answer["top"].as_array().unwrap().iter().all(|t| t["token"].is_string() && t["probability"].is_f64()));
        assert_eq!(answer["weights"].is_array(), answer["from"] == "soup");
    }
    // The soup is written out: asked for as a recipe it gives the same answer.
    let soup = &asked["answers"][3];
    let recipe = soup["origin"].as_str().unwrap();
    assert!(recipe != "auto" && recipe.parse::<state_soup::soup::Recipe>().is_ok_and(|r| !r.reads_evidence()), "{recipe}");
    assert_eq!(asked["evidence"]["auto"].as_str().filter(|_| recipe != "query").unwrap_or("query"), recipe);
    let weights = |answer: &Value| -> Vec<(String, f64)> {
        let of = |w: &Value| (w["name"].as_str().unwrap().to_owned(), w["weight"].as_f64().unwrap());
        answer["weights"].as_array().unwrap().iter().map(of).collect()
    };
    let shares = weights(soup);
    // They are shown, and mixed, with four digits each.
    assert!((shares.iter().map(|w| w.1).sum::<f64>() - 1.0).abs() < 1e-3 && shares.iter().all(|w| w.1 > 0.0), "{shares:?}");
    // A soup that is followed whole has no share for the query.
    let of_query = shares.iter().filter(|w| w.0 == "query").count();
    assert_eq!(of_query, usize::from(recipe == "query" || recipe.contains("with_query")), "{recipe}: {shares:?}");
    let again = ask(&["--soup", recipe, "--from", "soup"]);
    assert_eq!((&again["answers"][0]["text"], &again["answers"][0]["origin"]), (&soup["text"], &recipe.into()));
    let apart = again["answers"][0]["target_logprob"].as_f64().unwrap() - soup["target_logprob"].as_f64().unwrap();
    assert!(apart.abs() < 1e-3, "{apart}");
    assert_eq!(weights(&again["answers"][0]), shares);
    assert!(again["evidence"].is_null(), "a recipe written out reads none");

    assert_eq!((keys(&asked["evidence"]), keys(&asked["gain"])), (EVIDENCE.to_vec(), vec!["examples", "left_out", "nats"]));
    assert_eq!((&asked["gain"]["examples"], &asked["gain"]["left_out"]), (&2.into(), &true.into()));
    assert!(asked["gain"]["nats"].is_f64() && again["gain"]["nats"].is_f64());

    let alone = ask(&["--soup", "query", "--from", "soup"]);
    assert_eq!(weights(&alone["answers"][0]), [("query".to_owned(), 1.0)]);
    assert_eq!(alone["gain"]["nats"].as_f64().map(|n| n.abs() < 1e-3), Some(true));
    let pair = ask(&["--soup", "ensemble(query, antonym/0)", "--from", "soup"]);
    assert!(pair["answers"][0]["weights"].is_null(), "no plain list");
    // One example: against nothing read. None: not told.
    let one = json(&run(library, &["ask", "hot -> cold\\nbig ->", "--json"]));
    assert_eq!((&one["gain"]["examples"], &one["gain"]["left_out"]), (&1.into(), &false.into()));
    assert_eq!((&one["target"], &one["evidence"]["ahead"]), (&Value::Null, &Value::Null));
    let none = json(&run(library, &["ask", "big ->", "--json"]));
    assert_eq!((&none["gain"], &none["answers"][3]["origin"]), (&Value::Null, &"query".into()));
    let text = String::from_utf8(run(library, &["ask", "hot -> cold\\nrich -> poor\\nbig ->"]).stdout).unwrap();
    assert!(
        text.contains(asked["evidence"]["words"].as_str().unwrap()) && text.contains(recipe) && text.contains("left out in turn"),
        "{text}"
    );
}

/// A mean brings its weights to 1: what is told of it are the shares that were mixed.
fn shares_of_a_recipe_add_up_to_one(library: &Path) {
    let soup = |recipe: &str| {
        let asked = json(&run(library, &["ask", "hot -> cold\\nbig ->", "--soup", recipe, "--from", "soup", "--json"]));
        let of = |w: &Value| (w["name"].as_str().unwrap().to_owned(), w["weight"].as_f64().unwrap());
        asked["answers"][0]["weights"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    for (recipe, want) in [
        (
            "mean(0.75*antonym/0, 0.25*country_capital/0) | with_query(0.5)",
            &[("antonym/0", 0.375), ("country_capital/0", 0.125), ("query", 0.5)][..],
        ),
        ("mean(3*antonym/0, country_capital/0) | with_query(0.5)", &[("antonym/0", 0.375), ("country_capital/0", 0.125), ("query", 0.5)]),
        ("mean(antonym/0, country_capital/0)", &[("antonym/0", 0.5), ("country_capital/0", 0.5)]),
    ] {
        let got = soup(recipe);
        assert_eq!(got.len(), want.len(), "{recipe}: {got:?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.0 == want.0 && (got.1 - want.1).abs() < 1e-9, "{recipe}: {got:?} for {want:?}");
        }
    }
}

#[test]
fn instruments_are_read_without_the_screen() {
    let dir = built();
    let read = |args: &[&str]| json(&run(dir.path(), &[&["instrument"], args, &["--json"]].concat()));
    let numbers = |v: &Value| v.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let query = "hot -> cold\\nbig ->";

    let ecg = read(&["ecg", query, "--top", "3"]);
    let (tokens, ranked) = (ecg["tokens"].as_array().unwrap().len(), ecg["ranked"].as_u64().unwrap() as usize);
    let rows = ecg["rows"].as_array().unwrap();
    assert!(rows.len() == 3 && ranked < tokens && rows.iter().all(|r| numbers(&r["scores"]).len() == tokens));
    // Where the ranking has read to, the scores are the ranking's own.
    let ranking = json(&run(dir.path(), &["rank", query, "--by", "similarity", "--json"]));
    for (row, task) in rows.iter().zip(ranking["by_task"].as_array().unwrap()) {
        assert_eq!(row["task"], task["task"]);
        assert!((numbers(&row["scores"])[ranked - 1] - task["score"].as_f64().unwrap()).abs() < 1e-5, "{row} {task}");
    }

    let soup = "mean(0.75*antonym/0, 0.25*country_capital/0)";
    let asked = json(&run(dir.path(), &["ask", query, "--soup", soup, "--from", "soup", "--target", "small", "--json"]));
    let told = asked["answers"][0]["target_logprob"].as_f64().unwrap();
    let map = read(&["landscape", query, "--soup", soup, "--target", "small"]);
    assert_eq!((&map["corners"], &map["fine"]), (&serde_json::json!(["antonym/0", "country_capital/0"]), &32.into()));
    let points = map["points"].as_array().unwrap();
    assert!(points.len() == 33 && points.iter().all(|p| (numbers(&p["mix"]).iter().sum::<f64>() - 1.0).abs() < 1e-9));
    let here = points.iter().find(|p| numbers(&p["mix"]) == [0.75, 0.25]).unwrap();
    assert!((here["logprob"].as_f64().unwrap() - told).abs() < 1e-3, "{here}: `ask` says {told}");
    assert!(points.iter().all(|p| p["logprob"].as_f64() <= map["best"]["logprob"].as_f64()));

    let parts = read(&["attribution", query, "--soup", soup, "--target", "small"]);
    assert!((parts["whole"].as_f64().unwrap() - told).abs() < 1e-3);
    let list = parts["parts"].as_array().unwrap();
    assert_eq!((&list[0]["ingredient"], &list[1]["ingredient"]), (&"antonym/0".into(), &"country_capital/0".into()));
    let alone = points.iter().find(|p| numbers(&p["mix"]) == [1.0, 0.0]).unwrap()["logprob"].as_f64().unwrap();
    assert!((list[1]["without"].as_f64().unwrap() - alone).abs() < 1e-3, "without the second the first is alone");
    assert!(list[2..].iter().all(|p| p["layers"].is_array() && p["adds"].is_f64()) && list.len() > 3);

    let verdict = read(&["verdict", query, "--soup", "antonym/0"]);
    let names: Vec<&str> = verdict["against"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!((&verdict["task"], names[1]), (&"antonym".into(), "query only"));
    for against in verdict["against"].as_array().unwrap() {
        let i = &against["logprob"];
        assert!(i["low"].as_f64() <= i["mean"].as_f64() && i["mean"].as_f64() <= i["high"].as_f64() && i["n"].as_u64() > Some(10));
    }

    let autopsy = read(&["autopsy", "--soup", soup]);
    let mixed = json(&run(dir.path(), &["mix", soup, "--json"]));
    let norms: Vec<f64> = autopsy["layers_read"].as_array().unwrap().iter().map(|l| l["norm"].as_f64().unwrap()).collect();
    assert!(norms.iter().zip(numbers(&mixed["ssm_norm"])).all(|(a, b)| (a - b).abs() < 1e-3) && norms.len() == 12);
    assert!(autopsy["query"].is_null() && autopsy["layers_read"][3]["half_life"].as_f64() > Some(0.0));
    let table = String::from_utf8(run(dir.path(), &["instrument", "autopsy", "--soup", soup]).stdout).unwrap();
    assert!(table.lines().count() == 14 && table.contains("mean over the soup's skills"), "{table}");

    // A soup kept in the lab is one by its name.
    let kept = dir.path().join("state").join("state-soup").join("snapshots.json");
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    let ingredients = r#"[{"skill":"antonym/0","weight":0.75,"muted":false,"locked":false,"solo":false},
        {"skill":"country_capital/0","weight":0.25,"muted":false,"locked":false,"solo":false}]"#;
    std::fs::write(&kept, format!(r#"{{"snapshots":1,"list":[{{"name":"evening","soup":{{"ingredients":{ingredients}}}}}]}}"#)).unwrap();
    assert_eq!(read(&["autopsy", "--snapshot", "evening"])["layers_read"], autopsy["layers_read"]);
    let check = |args: &[&str], part: &str| {
        let (message, code) = refusal(&run(dir.path(), &[&["instrument"], args].concat()));
        assert!(message.contains(part) && code == 2, "{args:?}: {code} {message}");
    };
    check(&["autopsy", "--snapshot", "morning"], "there is no snapshot `morning`; there is evening");
    check(&["landscape", query, "--soup", "mean(top(2))", "--target", "x"], "needs a soup as the lab makes them");
    check(&["landscape", query, "--soup", "antonym/0", "--target", "x"], "two or three ingredients");
    check(&["autopsy", "--soup", "softmax(antonym/0, antonym/0)"], "query");
    check(&["verdict", query], "--soup");
}

#[test]
fn a_query_may_come_from_a_file_or_standard_input() {
    let dir = built();
    let file = dir.path().join("query.txt");
    std::fs::write(&file, "hot -> cold\n").unwrap();
    let from_file = json(&run(dir.path(), &["rank", &format!("@{}", file.display()), "--json"]));
    let mut child = soup(dir.path(), &["rank", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hot -> cold\n").unwrap();
    assert_eq!(json(&child.wait_with_output().unwrap()), from_file);
}

#[test]
fn bad_input_gets_a_sentence_and_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let check = |args: &[&str], part: &str, code: i32| {
        let (message, got) = refusal(&run(&library, args));
        assert!(message.contains(part) && got == code, "{args:?}: {got} {message}");
    };
    check(&["rank", ""], "the query is empty", 2);
    check(&["rank", "@/nowhere"], "/nowhere", 74);
    let long = dir.path().join("long.txt");
    std::fs::write(&long, "a -> b\n".repeat(150_000)).unwrap();
    check(&["rank", &format!("@{}", long.display())], "longer than 256 KiB", 2);
    check(&["ask", "hot -> cold\\n"], "nothing to answer", 2);
    check(&["ask", "hot ->", "--soup", "mena(antonym)"], "did you mean `mean`", 2);
    check(&["ask", "hot ->", "--soup", "mean(antonim/0)"], "no skill `antonim/0`", 2);
    check(&["bench", "--tokens", "0"], "at least 1", 2);
    check(&["rank", "a -> b", "--layer", "99"], "0 to 11", 2);
    check(&["rank", "a -> b", "--model", "./nowhere"], "no config.json", 3);
    check(&["rank", "a -> b", "--template", "{input}"], "no {output}", 2);
    let tasks = dir.path().join("mine.tsv");
    std::fs::write(&tasks, b"a\tb\nc\xff\td\n").unwrap();
    check(&["build", "--tasks", tasks.to_str().unwrap()], "mine.tsv, line 2: not UTF-8", 2);
    std::fs::write(&tasks, "a\tb\nc\td\n").unwrap();
    let small = run(&library, &["build", "--tasks", tasks.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&small.stderr).contains("`mine` has 2 pairs, too few"), "{small:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (message, code) = refusal(&run(&file.join("library"), &["build"]));
    assert!(message.contains("file/library") && code != 0, "{code} {message}");
}

#[test]
fn a_library_built_otherwise_is_not_built_over() {
    let dir = built();
    let other =
        Command::new(env!("CARGO_BIN_EXE_state-soup")).args(["build", "--shots", "3", "--library"]).arg(dir.path()).output().unwrap();
    let (message, code) = refusal(&other);
    assert!(message.contains("1 sets of 4 shots") && code == 5, "{code} {message}");
}

#[test]
fn two_processes_build_one_library_together() {
    let dir = tempfile::tempdir().unwrap();
    let spawn = || soup(dir.path(), &["build", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [spawn(), spawn()].map(|child| json(&child.wait_with_output().unwrap()));
    let built: u64 = both.iter().map(|b| b["built"].as_u64().unwrap()).sum();
    assert_eq!(built, both[0]["skills"].as_u64().unwrap());
    assert_eq!(both[0]["skills"], both[1]["skills"]);
}

#[test]
fn a_configuration_is_printed_read_and_refused() {
    let dir = tempfile::tempdir().unwrap();
    let template = run(dir.path(), &["config", "--print-template"]);
    assert!(template.status.success());
    let file = dir.path().join("state-soup").join("config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &template.stdout).unwrap();
    let shown = json(&run(dir.path(), &["config", "--json"]));
    assert_eq!((&shown["path"], &shown["found"]), (&file.to_str().unwrap().into(), &true.into()));
    assert_eq!(shown["settings"].as_object().unwrap().len(), 0);

    std::fs::write(&file, "template = '{input}'\n[keys]\n'soup.mute' = 'M'\n").unwrap();
    let keys = String::from_utf8(run(dir.path(), &["config", "--keys"]).stdout).unwrap();
    assert!(keys.contains("| `M` | Soup | Mute |"), "{keys}");
    let (message, code) = refusal(&run(dir.path(), &["rank", "a -> b"]));
    assert!(message.contains("no {output}") && code == 2, "the file's template is the one in force: {code} {message}");

    let other = dir.path().join("other.toml");
    std::fs::write(&other, "\nmetrik = 'l2'\n").unwrap();
    let (message, code) = refusal(&run(dir.path(), &["rank", "a -> b", "--config", other.to_str().unwrap()]));
    assert!(message.contains("other.toml, line 2") && message.contains("did you mean `metric`?") && code == 2, "{code} {message}");
    let (message, code) = refusal(&run(dir.path(), &["rank", "a -> b", "--config", "/nowhere.toml"]));
    assert!(message.contains("/nowhere.toml") && code == 74, "{code} {message}");
}
