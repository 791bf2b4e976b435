//! A user's files with random damage: each is read, or refused by a sentence that names it; nothing
//! panics, stops, hangs or takes more memory than a file of its size may.
//!
//! `STATE_SOUP_MUTATIONS` says how many of each kind. The files of models have theirs in
//! `tests/it/checkpoints/mutations.rs`. A program of its own, because it counts the memory that the
//! whole process takes.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests fail by panicking.

mod kinds;
#[path = "../common/mutate.rs"]
mod mutate;

use mutate::{count, mutated};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use state_soup::error::Result;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Bytes beyond the file's own that reading it may take.
const MEMORY: usize = 64 << 20;

/// The system's memory, counted.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn taken(bytes: usize) {
    MOST.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: everything is the system allocator's; two numbers are kept beside.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static MEMORY_USED: Counted = Counted;

/// Reads a file whole and with random damage. A refusal names `place`.
fn mutate(kind: &str, place: &str, whole: &[u8], read: impl Fn(&[u8]) -> Result<()>) {
    /// One at a time: memory is counted for the whole process.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    read(whole).unwrap_or_else(|e| panic!("{kind} is whole: {e}"));
    let (mut taken_as_whole, mut random) = (0, ChaCha8Rng::seed_from_u64(kind.len() as u64));
    let (mut longest, mut largest) = (0.0f64, 0);
    let count = count(300);
    for i in 0..count {
        let bytes = mutated(whole, &mut random);
        let (before, began) = (NOW.load(Relaxed), Instant::now());
        MOST.store(before, Relaxed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
        let (took, used) = (began.elapsed().as_secs_f64(), MOST.load(Relaxed).saturating_sub(before));
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]).into_owned();
        match result {
            Err(panic) => {
                println!("{kind}, mutation {i}, panics: {}", shown());
                std::panic::resume_unwind(panic)
            }
            Ok(Ok(())) => taken_as_whole += 1,
            Ok(Err(error)) => {
                let text = error.to_string();
                assert!(
                    text.contains(place) && text.len() > place.len() + 10,
                    "{kind}, mutation {i}: `{text}` names no {place}: {}",
                    shown()
                );
            }
        }
        assert!(took < 10.0, "{kind}, mutation {i}: {took} s");
        assert!(used <= MEMORY + bytes.len(), "{kind}, mutation {i}: {} MiB", used >> 20);
        (longest, largest) = (longest.max(took), largest.max(used));
    }
    println!("{kind}: {count} mutations, {taken_as_whole} read; {:.0} ms and {} KiB at most", longest * 1e3, largest >> 10);
}

/// A session with everything that one may hold.
const SESSION: &str = r#"
title = "Retrieval"
evidence = true

[[step]]
chapter = "One example is a query"
note = "The ranking changes while you type."
keys = "hot -> cold<enter><ctrl-p>rank<enter><paste>big -> small</paste><shift-left>"
expect = { task = "antonym", margin = 0.1, skills = 3, likelier = ["soup", "query"], answer = { best-skill = "small" } }

[[step]]
keys = "W<enter>"
snapshots = [{ name = "mine", soup = { ingredients = [{ skill = "antonym/0", weight = 1.0, muted = false, locked = false, solo = false }] } }]
"#;

#[test]
fn damaged_sessions_and_journals_play_or_are_refused_by_name() {
    mutate("session", "talk.toml", SESSION.as_bytes(), kinds::session);
    let soup = "{\"ingredients\":[{\"skill\":\"antonym/0\",\"weight\":0.6,\"muted\":false,\"locked\":false,\"solo\":false}]}";
    let list = format!("[{{\"name\":\"soup 1\",\"soup\":{soup}}},{{\"name\":\"naïve\",\"soup\":{soup}}}]");
    let journal = [
        "{\"journal\":1,\"started\":\"2026-11-24T22:08:13Z\",\"version\":\"0.1.0\",\"model\":\"bundled\",\"settings\":{\"shots\":4},\"evidence\":true}",
        "{\"model\":\"5ba93f1c\"}",
        "{\"t\":5210,\"key\":\"h\"}",
        "{\"t\":5310,\"key\":\"ctrl-p\"}",
        "{\"t\":9433,\"paste\":\"hot -> cold\\nbig -><enter>\"}",
        &format!("{{\"t\":9500,\"snapshots\":{list}}}"),
        "{\"t\":9600,\"key\":\"<\"}",
        "",
    ];
    mutate("journal", "sitting.jsonl", journal.join("\n").as_bytes(), kinds::journal);
    mutate("snapshots", "snapshots.json", format!("{{\"snapshots\":1,\"list\":{list}}}").as_bytes(), kinds::kept_snapshots);
}

#[test]
fn damaged_configurations_are_read_or_refused_by_name() {
    let text = "metric = \"l2\"\ntasks = [\"a.tsv\", \"~/b.tsv\"]\nshots = 4\n\n[keys]\n\"soup.normalise\" = [\"n\", \"alt-n\"]\n\n[theme]\n\
                focus = \"light-magenta\"\nselected = { bg = \"#24384A\", bold = true }\n\n[theme.light]\nfocus = \"blue\"\n";
    mutate("configuration", "config.toml", text.as_bytes(), kinds::config);
}

#[test]
fn damaged_recipes_are_read_or_refused() {
    for (i, text) in [
        "mean(0.6*antonym/0, 0.4*\"2nd letter/0\") | with_query(0.5) | match_norm",
        "decay(antonym@0..2, english-french/0; gamma=0.5, z=n) | conv(query)",
        "0.3*zero - 1.5*(h0 + ties(top(3); density=0.2, lambda=1))@[0.5, 1, 2] + dare(a, b; p=0.5, seed=7)",
        "gated(primed(posterior(a, b, top(5)))) | with_query",
    ]
    .into_iter()
    .enumerate()
    {
        // A recipe's text is the user's own argument: no file is to be named.
        mutate(&format!("recipe {i}"), "", text.as_bytes(), kinds::recipe);
    }
}

#[test]
fn damaged_lists_are_read_or_refused_by_name() {
    let words = ["hot", "cold", "naïve", "日本", "a \"b\"", "c, d", "e -> f", "3.5"];
    let rows: Vec<(String, &str)> = (0..24).map(|i| (format!("{} {i}", words[i % 8]), words[(i * 3 + 1) % 8])).collect();
    let join = |row: &dyn Fn(&(String, &str)) -> String| rows.iter().map(row).collect::<Vec<_>>().join("\n");
    let pair = |(input, output): &(String, &str)| serde_json::json!({ "input": input, "output": output }).to_string();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    mutate("tsv", "task.tsv", join(&|(i, o)| format!("{i}\t{o}")).as_bytes(), kinds::tsv);
    mutate("csv", "task.csv", join(&|(i, o)| format!("{},{}", quoted(i), quoted(o))).as_bytes(), kinds::csv);
    mutate("jsonl", "task.jsonl", join(&pair).as_bytes(), kinds::jsonl);
    mutate("json", "task.json", format!("[{}]", rows.iter().map(pair).collect::<Vec<_>>().join(",\n")).as_bytes(), kinds::json);
    let object: serde_json::Map<String, serde_json::Value> = rows.iter().map(|(i, o)| (i.clone(), (*o).into())).collect();
    mutate("json object", "task.json", serde_json::Value::Object(object).to_string().as_bytes(), kinds::json);
}

#[test]
fn damaged_libraries_are_used_or_refused_by_name() {
    let (manifest, shard) = kinds::whole_library();
    // A library is named by its folder; a writer that cannot open it by the same.
    let place = std::env::temp_dir().display().to_string();
    mutate("manifest", &place, manifest, kinds::manifest);
    mutate("shard", &place, shard, kinds::shard);
    // Its header alone: in a real shard the states are nearly all of it.
    let head = 8 + u64::from_le_bytes(shard[..8].try_into().unwrap()) as usize;
    mutate("shard's header", &place, &shard[..head], |bytes| kinds::shard(&[bytes, &shard[head..]].concat()));
}
