//! The user's own lists as people have them: the folder of the function-vectors experiments, the
//! objects of icl_task_vectors, inputs of several lines, inputs that hold the marker; what of them
//! is not used is told, and `--strict` refuses it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common::home::Home;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What the programs are run with.
impl Home {
    /// A library of one's own lists, two skills of four shots a task.
    fn run(&self, tasks: &Path, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_state-soup"))
            .args(words)
            .args(["--no-bundled", "--shots", "4", "--sets", "2", "--quiet", "--library"])
            .arg(self.at("library"))
            .arg("--tasks")
            .arg(tasks)
            .stdin(Stdio::null())
            .env("HOME", self.0.path())
            .env("XDG_CONFIG_HOME", self.at("xdg"))
            .env("XDG_STATE_HOME", self.at("xdg"))
            .output()
            .unwrap()
    }

    fn json(&self, tasks: &Path, words: &[&str]) -> Value {
        let output = self.run(tasks, &[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

const WORDS: [(&str, &str); 16] = [
    ("hot", "cold"),
    ("big", "small"),
    ("early", "late"),
    ("up", "down"),
    ("rich", "poor"),
    ("wet", "dry"),
    ("old", "new"),
    ("fast", "slow"),
    ("hard", "soft"),
    ("high", "low"),
    ("day", "night"),
    ("long", "short"),
    ("loud", "quiet"),
    ("true", "false"),
    ("full", "empty"),
    ("open", "closed"),
];

/// `[{"input": …, "output": …}]`, as the function-vectors data sets have it.
fn listed(pair: impl Fn(&str, &str) -> (String, Value)) -> String {
    let items = WORDS.iter().map(|(a, b)| pair(a, b)).map(|(input, output)| serde_json::json!({"input": input, "output": output}));
    serde_json::to_string(&items.collect::<Vec<_>>()).unwrap()
}

fn question(word: &str) -> String {
    format!("Which letter begins {word}?\na: {}\nb: {}", &word[1..2], &word[..1])
}

#[test]
fn the_folders_that_people_have_open_as_they_are() {
    let home = Home::new();
    home.write("lists/abstractive/antonym.json", &listed(|a, b| (a.into(), b.into())));
    home.write("lists/abstractive/english-french.json", &listed(|a, b| (a.into(), serde_json::json!([b, "other"]))));
    home.write("lists/extractive/choose_first_of_3.json", &listed(|a, b| (format!("{a}, {b}, cat"), a.into())));
    let object: serde_json::Map<String, Value> = WORDS.iter().map(|(a, b)| (b.to_string(), Value::from(*a))).collect();
    home.write("lists/icl/back.json", &serde_json::to_string(&object).unwrap());
    home.write("lists/LICENSE", "not a list");
    let lists = home.at("lists");

    let built = home.run(&lists, &["build", "--json"]);
    let told = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success() && told.contains("english-french.json: several outputs in 16 rows (entry 1 first)"), "{told}");
    let built: Value = serde_json::from_slice(&built.stdout).unwrap();
    assert_eq!(built["skills"], 8);
    let ranked = home.json(&lists, &["rank", "hot -> cold\\nbig -> small"]);
    let tasks: Vec<&str> = ranked["by_task"].as_array().unwrap().iter().map(|t| t["task"].as_str().unwrap()).collect();
    let mut names = tasks.clone();
    names.sort_unstable();
    assert_eq!(names, ["antonym", "back", "choose_first_of_3", "english-french"]);

    // What is left out is an error where it is asked to be.
    let strict = home.run(&lists, &["rank", "hot -> cold", "--strict"]);
    assert_eq!(strict.status.code(), Some(2), "{strict:?}");
    assert!(String::from_utf8_lossy(&strict.stderr).contains("several outputs"));
    // Of two files of one name both are named.
    home.write("lists/other/antonym.tsv", "a\tb\n");
    home.write("lists/other/back.tsv", "a\tb\n");
    let clash = String::from_utf8_lossy(&home.run(&lists, &["rank", "hot -> cold"]).stderr).into_owned();
    for part in ["abstractive/antonym.json", "other/antonym.tsv", "icl/back.json", "other/back.tsv"] {
        assert!(clash.contains(part), "{clash}");
    }
}

#[test]
fn inputs_of_several_lines_are_asked_held_out_and_optimised() {
    let home = Home::new();
    let list = home.write("begins.json", &listed(|a, _| (question(a), a[..1].into())));
    home.json(&list, &["build"]);
    let examples: Vec<String> = WORDS.iter().take(3).map(|(a, _)| format!("{} -> {}\n", question(a), &a[..1])).collect();
    let query = home.write("query.txt", &examples.concat());
    let at = format!("@{}", query.display());

    let chosen = home.json(&list, &["optimise", &at]);
    let read: Vec<&str> = chosen["soups"][0]["examples"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    assert_eq!(read, examples);

    for template in ["arrow", "qa"] {
        let home = Home::new();
        let list = home.write("begins.json", &listed(|a, _| (question(a), a[..1].into())));
        let all: Vec<String> = WORDS
            .iter()
            .map(|(a, _)| match template {
                "qa" => format!("Q: {}\nA: {}\n\n", question(a), &a[..1]),
                _ => format!("{} -> {}\n", question(a), &a[..1]),
            })
            .collect();
        let verdict = |query: &str| {
            let query = home.write("all.txt", query);
            let at = format!("@{}", query.display());
            home.run(&list, &["instrument", "verdict", &at, "--soup", "mean(begins)", "--template", template, "--json"])
        };
        // Every pair stands in the query: there is nothing left to ask.
        let none = verdict(&all.concat());
        assert_eq!(none.status.code(), Some(2), "{template}: {none:?}");
        assert!(String::from_utf8_lossy(&none.stderr).contains("no held-out question that is not in the query"), "{none:?}");
        // Of the three test pairs of sixteen those are asked that are not shown.
        let some = verdict(&all[..1].concat());
        assert!(some.status.success(), "{template}: {}", String::from_utf8_lossy(&some.stderr));
    }
}

#[test]
fn an_input_may_hold_the_marker_and_what_cannot_be_read_back_is_refused() {
    let home = Home::new();
    let rows: String = WORDS.windows(2).map(|w| format!("{} -> {}\t{}\n", w[0].0, w[1].0, w[0].1)).collect();
    let list = home.write("next.tsv", &rows);
    let asked = home.json(&list, &["ask", "hot -> big -> cold\\nearly -> up ->"]);
    let from = |name: &str| asked["answers"].as_array().unwrap().iter().find(|a| a["from"] == name).unwrap().clone();
    assert_eq!(from("query")["origin"], "1 example");

    let lost = home.write("lost.tsv", "a\tb\nc\td -> e\nf\tg -> h\n");
    let refused = home.run(&lost, &["build"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("lost.tsv, line 2") && told.contains("as would another pair"), "{told}");
}
