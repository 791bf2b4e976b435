//! The rooms of `src/` and who may know whom.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms from the ground up. Each knows only rooms that stand before it here; `lib.rs` says
/// what each is for.
const ROOMS: [&str; 22] = [
    "error",
    "control",
    "text",
    "files",
    "log",
    "guide",
    "stats",
    "simd",
    "state",
    "task",
    "soup",
    "library",
    "model",
    "project",
    "lab",
    "experiment",
    "engine",
    "app",
    "ui",
    "session",
    "config",
    "term",
];

/// The rooms that tie the others together and are known by nobody.
const TOP: [&str; 1] = ["cli"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The room that a file of `src/` belongs to.
fn room_of(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The rooms that a source text names after `crate::`, with the line of each; comments are not
/// read.
fn named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap();
        for rest in code.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '{')).collect();
            found.push((i + 1, name));
        }
    }
    found
}

/// What stands against the order of the rooms, one sentence each.
fn against_the_order(files: &[(PathBuf, String)]) -> Vec<String> {
    let places: BTreeMap<&str, usize> = ROOMS.iter().chain(&TOP).enumerate().map(|(i, room)| (*room, i)).collect();
    let mut wrong = Vec::new();
    for (path, text) in files {
        let room = room_of(path);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(&place) = places.get(room.as_str()) else {
            wrong.push(format!("{} is in no room: add `{room}` to ROOMS and to lib.rs", path.display()));
            continue;
        };
        for (line, other) in named(text) {
            if other.starts_with('{') {
                wrong.push(format!("{}:{line}: one `use` for each room, please: this test reads a line at a time", path.display()));
            }
            // Macros and functions of the crate's root are nobody's room.
            if let Some(&at) = places.get(other.as_str())
                && at > place
            {
                wrong.push(format!("{}:{line}: `{room}` knows `{other}`, which stands above it", path.display()));
            }
        }
    }
    wrong
}

#[test]
fn every_room_knows_only_rooms_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 200, "only {} files were found under src/", paths.len());
    let files: Vec<(PathBuf, String)> =
        paths.iter().map(|p| (p.strip_prefix(&root).unwrap().to_owned(), std::fs::read_to_string(p).unwrap())).collect();
    let wrong = against_the_order(&files);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A room that nobody lives in would keep its name here for ever.
    for room in ROOMS.iter().chain(&TOP) {
        assert!(files.iter().any(|(path, _)| room_of(path) == *room), "there is no room `{room}` under src/");
    }
}

#[test]
fn a_wrong_direction_is_named_with_both_rooms() {
    let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let wrong = against_the_order(&[
        file("soup/mix.rs", "use crate::state::State;\nuse crate::lab::Lab; // crate::cli\n"),
        file("model/cpu/a.rs", "    let x = crate::library::Library::open(crate::error::f());\n"),
        file("task/b.rs", "use crate::{error::Error, app::State};\n"),
        file("attic/c.rs", ""),
    ]);
    assert_eq!(
        wrong,
        [
            "soup/mix.rs:2: `soup` knows `lab`, which stands above it",
            "task/b.rs:1: one `use` for each room, please: this test reads a line at a time",
            "attic/c.rs is in no room: add `attic` to ROOMS and to lib.rs",
        ]
    );
}
