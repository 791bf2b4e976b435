//! What a lab is given that means no good: names that hold escape sequences, files without an end,
//! disks without room, a library that is cut short or vanishes while it is open, sessions that
//! delete.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::home::Home;
use crate::common::{self, Lab as Screen, options};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state_soup::app::key::parse_macro;
use state_soup::app::{Action, update};
use state_soup::control::quiet;
use state_soup::lab::{Lab, Setup};
use state_soup::library::{BuildSettings, Metric, Part, RankView};
use state_soup::text::is_obeyed;
use state_soup::ui;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// ESC, BEL, CSI and OSC in both forms, DEL, an override and an isolate.
const HOSTILE: &str = "h\u{1b}[31m\u{7}\u{9b}2J\u{9d}0;x\u{9c}\u{1b}]52;c;eA==\u{7}\u{7f}\u{202e}\u{2066}\r";

/// What the programs are run with.
impl Home {
    /// A task file of so many pairs.
    fn task(&self, name: &str, cell: &str) -> PathBuf {
        let rows: String = (0..60).map(|i| format!("in{i}\t{cell}{i}\n")).collect();
        self.write(&format!("{name}.tsv"), &rows)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_state-soup"));
        command.args(words).stdin(Stdio::null()).env("HOME", self.0.path()).env("RUST_BACKTRACE", "0").current_dir(self.0.path());
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env(name, self.at("xdg"));
        }
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Builds a library of these tasks, of four shots; what is returned runs a command on it.
    fn built<'a>(&'a self, library: &'a Path, only: &'a str, sets: &'a str) -> impl Fn(&[&str]) -> Output + 'a {
        let lab = ["--only", only, "--sets", sets, "--shots", "4", "--library", library.to_str().unwrap()];
        let run = move |words: &[&str]| self.run(&[words, &lab].concat());
        assert!(run(&["build"]).status.success());
        run
    }
}

/// Both outputs as one text; fails if a terminal would obey anything in it.
fn shown(output: &Output, of: &[&str]) -> String {
    let mut all = String::new();
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes).unwrap();
        if let Some(at) = text.find(is_obeyed) {
            panic!("{name} of {of:?} holds {:?}", &text[at..].chars().take(20).collect::<String>());
        }
        all.push_str(text);
    }
    all
}

#[test]
fn nothing_in_a_name_is_obeyed_by_the_terminal() {
    let home = Home::new();
    let task = home.task(HOSTILE, HOSTILE.trim_end());
    let task = task.to_str().unwrap();
    let library = home.at(&format!("lib{HOSTILE}"));
    let lab = ["--no-bundled", "--tasks", task, "--sets", "1", "--shots", "2", "--library", library.to_str().unwrap()];
    let id = format!("{HOSTILE}/0");
    let session = home.write(
        "talk.toml",
        &toml::to_string(
            &serde_json::json!({ "title": HOSTILE, "step": [{ "chapter": HOSTILE, "keys": "a -> b", "expect": { "task": HOSTILE } }] }),
        )
        .unwrap(),
    );
    let bad = home.write("bad.toml", &format!("title = 3 # {HOSTILE}"));
    let config = home.write("config.toml", "'sh\\u001bots' = 3\n");
    let json = home.write("recipe.json", &serde_json::json!({ "op": HOSTILE }).to_string());
    let at_json = format!("@{}", json.display());
    let nowhere = home.at(HOSTILE);
    let nowhere = nowhere.to_str().unwrap();
    let at_nowhere = format!("@{nowhere}");
    let commands: Vec<Vec<&str>> = vec![
        vec!["build"],
        vec!["build", "--json"],
        vec!["inspect"],
        vec!["inspect", "--json"],
        vec!["inspect", &id],
        vec!["inspect", &id, "--json"],
        vec!["inspect", "--verify"],
        vec!["rank", "in1 -> h1"],
        vec!["rank", HOSTILE],
        vec!["rank", "in1 -> h1", "--json"],
        vec!["rank", &at_nowhere],
        vec!["mix", &id],
        vec!["mix", HOSTILE],
        vec!["mix", &at_json],
        vec!["ask", "in1 -> h1\nin2 ->", "--max-tokens", "2"],
        vec!["ask", "in1 -> h1\nin2 ->", "--max-tokens", "2", "--json"],
        vec!["ask", "in1 ->", "--soup", HOSTILE],
        vec!["recipes", HOSTILE],
        vec!["map"],
        vec!["map", "--json"],
        vec!["decay", nowhere],
        vec!["instrument", HOSTILE],
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["replay", session.to_str().unwrap()],
        vec!["replay", session.to_str().unwrap(), "--json"],
        vec!["replay", bad.to_str().unwrap()],
        vec!["replay", nowhere],
        vec!["reproduce", HOSTILE],
        vec!["config"],
        vec![HOSTILE],
        vec!["rank", "--metric", HOSTILE, "x"],
        vec!["--config", nowhere, "config"],
        vec!["--config", config.to_str().unwrap(), "config"],
        vec!["--only", HOSTILE, "inspect"],
        vec!["--model", HOSTILE, "doctor"],
        vec!["--template", HOSTILE, "doctor"],
        vec!["--device", HOSTILE, "doctor"],
        vec!["--log", HOSTILE, "config"],
        vec!["--resume", nowhere],
        vec!["--layer", HOSTILE, "rank", "x -> y"],
    ];
    let mut seen = String::new();
    for words in commands {
        let all: Vec<&str> = words.iter().copied().chain(lab).collect();
        // Where a flag of the lab stands twice, the command line is refused, which is as good a
        // test.
        seen += &shown(&home.run(&all), &words);
    }
    for form in ["\\u{1b}[31m\\u{7}\\u{9b}2J", "\\u{202e}\\u{2066}", "\\u009b2J", "\\u202e\\u2066"] {
        assert!(seen.contains(form), "{form} is shown nowhere");
    }
}

#[test]
fn endless_files_pipes_and_folders_are_refused_at_once() {
    let home = Home::new();
    let pipe = home.at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let folder = home.at("folder");
    std::fs::create_dir(&folder).unwrap();
    let huge = home.at("huge");
    std::fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let link = |to: &Path, name: &str| {
        let path = home.at(name);
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let library = home.at("library");
    std::fs::create_dir(&library).unwrap();
    for (target, what) in
        [(Path::new("/dev/zero"), "is a device"), (&pipe, "is a pipe"), (&folder, "is a folder"), (&huge, "such a file may have")]
    {
        let path = target.to_str().unwrap();
        let task = link(target, "task.tsv");
        let journal = link(target, "sitting.jsonl");
        let recipe = format!("@{path}");
        link(target, "library/manifest.json");
        let library = library.to_str().unwrap();
        for words in [
            vec!["--config", path, "config"],
            vec!["replay", path, "--headless"],
            vec!["replay", &journal, "--headless"],
            vec!["--resume", &journal],
            vec!["mix", &recipe],
            vec!["inspect", path],
            vec!["--tasks", &task, "inspect"],
            vec!["--library", library, "inspect"],
        ] {
            let began = Instant::now();
            let output = home.run(&words);
            let (took, said) = (began.elapsed(), shown(&output, &words));
            // A folder of tasks is one: this one has none.
            let wanted = if target == folder && words[0] == "--tasks" { "holds no task" } else { what };
            // `inspect` opens a library first where its argument is no file; the model takes its
            // time.
            assert!(output.status.code().is_some_and(|c| c != 0) && !said.contains("panicked"), "{words:?}: {said}");
            assert!(said.contains(wanted) || words[0] == "inspect" || words[0] == "--resume", "{words:?}: {said}");
            assert!(took < Duration::from_secs(5), "{words:?} took {took:?}");
            println!("{took:.0?} {words:?}: {}", said.trim());
        }
    }
}

/// Two tasks of two skills.
fn small(library: &Path) -> Setup {
    let tasks = state_soup::task::bundled().iter().filter(|t| ["antonym", "country_capital"].contains(&t.name.as_str())).cloned().collect();
    Setup { tasks, build: BuildSettings { sets: 2, shots: 4, ..BuildSettings::default() }, ..common::bundled(library) }
}

#[test]
fn an_edit_makes_no_library_where_one_has_vanished_and_a_build_does() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let lab = quiet(|c| Lab::open(small(&library), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    let view = lab.library_view();
    std::fs::remove_dir_all(&library).unwrap();
    for leftover in [false, true] {
        if leftover {
            std::fs::create_dir(&library).unwrap();
        }
        let say = |result: state_soup::error::Result<()>| result.unwrap_err().to_string();
        for message in [say(quiet(|c| lab.add_text("mine", "a text", c))), say(quiet(|c| lab.add_task("antonym", 3, 7, c)))] {
            assert!(message.contains("not there any more") && message.contains("library"), "{message}");
        }
        if leftover {
            assert_eq!(std::fs::read_dir(&library).unwrap().count(), 0);
        } else {
            assert!(!library.exists(), "made anew");
        }
    }
    assert_eq!(lab.library_view().skills.len(), view.skills.len(), "what is in memory stays");
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    assert_eq!(lab.library_view().skills.len(), view.skills.len());
    assert!(library.join("manifest.json").exists());
    quiet(|c| lab.add_text("mine", "a text", c)).unwrap();
}

#[test]
fn a_shard_cut_short_under_an_open_library_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let lab = quiet(|c| Lab::open(small(&library), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    let open = lab.library();
    let view = RankView { metric: Metric::ZCosine, layers: 0..open.shape().n_layer, part: Part::Ssm };
    let state = open.state(0).unwrap();
    open.rank(&state, &view, None).unwrap();
    let began = Instant::now();
    for _ in 0..1000 {
        open.check_whole().unwrap();
    }
    println!("asking costs {:.2?}", began.elapsed() / 1000);
    let shard = std::fs::read_dir(&library).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "safetensors"));
    let shard = shard.unwrap();
    std::fs::OpenOptions::new().write(true).open(&shard).unwrap().set_len(5000).unwrap();
    for message in [
        open.rank(&state, &view, None).unwrap_err().to_string(),
        open.state(0).unwrap_err().to_string(),
        quiet(|c| lab.rank("hot -> cold\nbig ->", &view, c)).unwrap_err().to_string(),
    ] {
        assert!(message.contains("cut short") && message.contains(shard.file_name().unwrap().to_str().unwrap()), "{message}");
    }
    let reopened = open.reopened().unwrap();
    assert!(reopened.warnings()[0].contains("5000 bytes"), "{:?}", reopened.warnings());
}

/// The last resort: a file that is cut short between the question and the reading. The reading is
/// done by a child, which it ends.
#[test]
fn a_shard_cut_short_while_it_is_read_ends_with_a_sentence() {
    const CHILD: &str = "STATE_SOUP_TEST_CUT_SHORT";
    if let Some(library) = std::env::var_os(CHILD) {
        state_soup::library::fault::install(|| {}).unwrap();
        let lab = quiet(|c| Lab::open(small(Path::new(&library)), c)).unwrap();
        let open = lab.library();
        let shard = std::fs::read_dir(&library).unwrap().map(|e| e.unwrap().path());
        for path in shard.filter(|p| p.extension().is_some_and(|e| e == "safetensors")) {
            std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
        }
        // Whoever reads without asking.
        let sum: f32 = open.row(0, Part::Ssm, 3).to_vec().iter().sum();
        panic!("read {sum}");
    }
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let lab = quiet(|c| Lab::open(small(&library), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    let name = "hostile::a_shard_cut_short_while_it_is_read_ends_with_a_sentence";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, &library).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("cut short while it was read"), "{said}");
}

/// Where a number of one skill lies in a shard: a tensor and which of its numbers.
fn put_number(shard: &Path, tensor: &str, skill: usize, number: usize, value: f32) {
    let mut bytes = std::fs::read(shard).unwrap();
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: serde_json::Value = serde_json::from_slice(&bytes[8..head]).unwrap();
    let (of, about) = (|v: &serde_json::Value| v.as_u64().unwrap() as usize, &names[tensor]);
    let row: usize = about["shape"].as_array().unwrap()[1..].iter().map(of).product();
    let half = about["dtype"] == "F16";
    let at = head + of(&about["data_offsets"][0]) + (skill * row + number) * if half { 2 } else { 4 };
    if half {
        let bits: u16 = if value.is_nan() { 0x7e00 } else { 0xfc00 };
        bytes[at..at + 2].copy_from_slice(&bits.to_le_bytes());
    } else {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    std::fs::write(shard, bytes).unwrap();
}

/// Wherever a state holds NaN or infinity: the skill is left out, every command says so, and the
/// others go on.
#[test]
fn a_damaged_skill_costs_itself_alone() {
    let home = Home::new();
    let library = home.at("library");
    let run = home.built(&library, "antonym,country_capital", "2");
    let before = contents(&library);
    let manifest: serde_json::Value = serde_json::from_slice(&before[&library.join("manifest.json")]).unwrap();
    let entry = |id: &str| manifest["skills"].as_array().unwrap().iter().find(|s| s["id"] == id).unwrap().clone();
    let query = "hot -> cold\\nbig -> small\\ntall ->";
    for (tensor, number, value, what) in [
        ("ssm.0", 0, f32::NAN, "SSM state"),
        ("ssm.4", 77, f32::NEG_INFINITY, "SSM state"),
        ("conv.3", 5, f32::NAN, "convolution window"),
        ("dt_sum", 3, f32::INFINITY, "ΣΔ"),
    ] {
        let skill = entry("antonym/0");
        let shard = library.join(skill["shard"].as_str().unwrap());
        put_number(&shard, tensor, skill["index"].as_u64().unwrap() as usize, number, value);
        for words in [
            vec!["rank", query],
            vec!["rank", query, "--by", "similarity", "--layer", "all"],
            vec!["rank", query, "--metric", "z-cosine", "--skills", "--json"],
            vec!["ask", query, "--max-tokens", "2"],
            vec!["ask", query, "--max-tokens", "2", "--soup", "mean(antonym)"],
            vec!["mix", "antonym"],
            vec!["mix", "mean(top(3))", "--query", query],
            vec!["map", "--layer", "4", "--method", "pca"],
            vec!["inspect"],
            vec!["instrument", "autopsy", "--soup", "mean(antonym)"],
        ] {
            let output = run(&words);
            let said = String::from_utf8(output.stderr.clone()).unwrap();
            // (A map of three skills may be refused for that.)
            let few = words[0] == "map" && !said.contains("antonym/0 can not");
            assert!(output.status.success() || few, "{tensor}, {words:?}: {said}");
            assert!(said.contains(&format!("the {what} of antonym/0 holds NaN or infinity")), "{tensor}, {words:?}: {said}");
            assert!(said.contains("left out"), "{said}");
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(!shown.contains("antonym/0") && !shown.contains("NaN"), "{words:?}: {shown}");
            let strict = run(&[&words[..], &["--strict"]].concat());
            let said = String::from_utf8(strict.stderr).unwrap();
            assert!(strict.status.code() == Some(2) && said.contains("--strict") && said.contains("antonym/0"), "{words:?}: {said}");
        }
        for words in [vec!["inspect", "--verify"], vec!["doctor"]] {
            let output = run(&words);
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(4), "{words:?}: {said}");
            assert!(said.contains(&format!("the {what} of antonym/0 holds NaN")), "{words:?}: {said}");
        }
        let output = run(&["mix", "antonym/0"]);
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("antonym/0"));
        // It counts as missing, and a build makes it again.
        let missing: serde_json::Value = serde_json::from_slice(&run(&["inspect", "--json"]).stdout).unwrap();
        assert_eq!((&missing["missing"], missing["skills"].as_array().unwrap().len()), (&1.into(), 3));
        assert!(run(&["build"]).status.success());
        let whole = run(&["rank", query, "--skills"]);
        assert!(String::from_utf8_lossy(&whole.stdout).contains("antonym/0") && !String::from_utf8_lossy(&whole.stderr).contains("NaN"));
        for (path, bytes) in &before {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Evidence reads a bounded part of a query, and says so.
#[test]
fn of_a_long_query_evidence_reads_the_end_and_says_so() {
    let home = Home::new();
    let library = home.at("library");
    let run = home.built(&library, "antonym", "1");
    let at = |name: &str, text: String| format!("@{}", home.write(name, &text).display());
    let many = at("many.txt", "hot -> cold\nbig -> small\n".repeat(150) + "tall ->");
    let long = at("long.txt", format!("{} -> cold\ntall ->", "hot ".repeat(1_200)));
    for (command, words) in [
        (vec!["rank", &many], "of the query's 300 examples, which are 1024 tokens at most"),
        (vec!["rank", &long], "the last 1024 tokens of the query's example"),
        (vec!["mix", "auto", "--query", &many], "of the query's 300 examples"),
        (vec!["ask", &long, "--strict"], "the last 1024 tokens of the query's example"),
    ] {
        let output = run(&command);
        let said = String::from_utf8(output.stderr).unwrap();
        let code = if command.contains(&"--strict") { 2 } else { 0 };
        assert!(output.status.code() == Some(code) && said.contains("Evidence reads ") && said.contains(words), "{command:?}: {said}");
    }
    let unread = |command: &[&str]| {
        let output = run(&[command, &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["evidence"]["unread"].clone()
    };
    for command in ["rank", "ask"] {
        let (many, long) = (unread(&[command, &many]), unread(&[command, &long]));
        assert!(many["of"] == 300 && many["examples"].as_u64() > Some(50) && many["is_cut"] == false, "{many}");
        assert!(long["of"] == 1 && long["examples"] == 0 && long["is_cut"] == true, "{long}");
        assert!(unread(&[command, "hot -> cold\\nbig -> small"]).is_null());
    }
    let output = run(&["rank", "hot -> cold\\nbig -> small"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("Evidence reads"));
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
    files.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn a_session_changes_a_copy_unless_it_is_applied() {
    let home = Home::new();
    let library = home.at("library");
    let run = home.built(&library, "antonym,country_capital", "2");
    let before = contents(&library);
    // The first skill is deleted; one is tagged; an experiment's reports are written nowhere.
    let session = home.write("s.toml", "title = 'x'\nevidence = false\n[[step]]\nkeys = '<alt-5>x<down>t<ctrl-u>mine<enter>'\n");
    let session = session.to_str().unwrap();
    let output = run(&["replay", session, "--headless"]);
    let said = shown(&output, &["replay"]);
    assert!(output.status.success() && said.contains("Not kept") && said.contains("deleted ") && said.contains("--apply"), "{said}");
    assert_eq!(contents(&library), before, "nothing of the user's is changed");
    let told: serde_json::Value = serde_json::from_slice(&run(&["replay", session, "--json"]).stdout).unwrap();
    assert!(told["not_kept"][0].as_str().unwrap().starts_with("deleted "), "{told}");
    assert_eq!(contents(&library), before);
    // One that changes nothing says nothing.
    let harmless = home.write("h.toml", "title = 'x'\n[[step]]\nkeys = 'hot -> cold'\n");
    assert!(!shown(&run(&["replay", harmless.to_str().unwrap(), "--headless"]), &[]).contains("Not kept"));

    let output = run(&["replay", session, "--headless", "--apply"]);
    assert!(output.status.success() && !shown(&output, &[]).contains("Not kept"));
    assert_ne!(contents(&library), before);
    let view: serde_json::Value = serde_json::from_slice(&run(&["inspect", "--json"]).stdout).unwrap();
    assert_eq!(view["skills"].as_array().unwrap().len(), 3);
}

/// Processor time that this thread has had. Other tests run beside this one, and time on the clock
/// would be theirs too.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_paste_of_two_megabytes_costs_little_a_frame() {
    let mut lab = Screen::ready(options());
    let area = Rect::new(0, 0, 200, 60);
    let frame = |lab: &Screen| {
        let began = busy();
        ui::draw(&lab.state, area, &mut Buffer::empty(area));
        busy().saturating_sub(began)
    };
    for text in ["x".repeat(2 << 20), "日本 -> 語 ".repeat(150_000), "a -> b\n".repeat(300_000), "👨\u{200d}👩\u{200d}👧".repeat(100_000)]
    {
        let began = busy();
        lab.act(Action::Pasted(text));
        let pasted = busy().saturating_sub(began);
        assert!(lab.state.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("left out")), "{:?}", lab.state.notice);
        assert!(lab.state.lab.query_text().len() <= state_soup::text::MAX);
        let (mut key, mut drawn) = (Duration::ZERO, Duration::ZERO);
        for keys in ["x", "<left>", "<home>", "<end>", "<backspace>"] {
            let began = busy();
            let action = lab.state.action_for(parse_macro(keys).unwrap()[0]).unwrap();
            // (Without the tests' own engine, which reads the whole text for each of its tasks.)
            update(&mut lab.state, action);
            key = key.max(busy().saturating_sub(began));
            drawn = drawn.max(frame(&lab));
        }
        println!("pasted in {pasted:.1?}; a key {key:.1?}, its frame {drawn:.1?} at worst");
        // (A release build is several times faster than what tests are, and machines that run tests
        // are busy.)
        assert!(key + drawn < Duration::from_millis(200), "{key:?} {drawn:?}");
        lab = Screen::ready(options());
    }
}

#[test]
fn logs_and_reports_are_for_their_owner_alone() {
    let home = Home::new();
    assert!(home.run(&["--log", "debug", "config"]).status.success());
    let folder = home.at("xdg/state-soup");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("state-soup.log"))), (0o700, 0o600));
}

/// A disk of 64 KiB, where that can be had: neither a report nor a journal is left half, and the
/// log's trouble is not told on the screen.
#[test]
fn a_full_disk_is_told_where_it_belongs() {
    let home = Home::new();
    let disk = home.at("disk");
    std::fs::create_dir(&disk).unwrap();
    let program = env!("CARGO_BIN_EXE_state-soup");
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk} || exit 99\n\
         head -c 70000 /dev/zero > {disk}/filler 2>/dev/null\n\
         XDG_STATE_HOME={disk} XDG_CONFIG_HOME={disk} {program} --log trace config > {disk}.out 2> {disk}.err; echo $? >> {disk}.out\n\
         {program} mix antonym/0 --only antonym --sets 1 --shots 2 --library {disk}.lib --out {disk}/x.safetensors 2> {disk}.mix; echo $?\n\
         ls -a {disk}",
        disk = disk.display()
    );
    let output = Command::new("unshare").args(["-Urm", "sh", "-c", &script]).env("HOME", home.0.path()).output();
    let Ok(output) = output.as_ref().map_err(|e| println!("skipped: {e}")) else { return };
    if output.status.code() == Some(99) || String::from_utf8_lossy(&output.stderr).contains("unshare failed") {
        return println!("skipped: no disk can be mounted here");
    }
    let read = |end: &str| std::fs::read_to_string(format!("{}{end}", disk.display())).unwrap();
    assert!(!read(".err").contains("tracing") && !read(".err").contains("Unable to write"), "{}", read(".err"));
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(listed.starts_with("74\n"), "{listed}");
    assert!(read(".mix").contains("No space left"), "{}", read(".mix"));
    assert!(!listed.contains(".new") && !listed.contains("x.safetensors") && !listed.contains(".tmp"), "{listed}");
}
