//! What the program is made of, held against deny.toml: every licence is one that it allows, and no
//! crate is there in two versions but those that it names. `cargo deny check` asks the same and
//! more; this needs nothing but cargo.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A crate that is linked or that builds one that is, on this machine's platform.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// Reads `NAME vVERSION (WHERE)|LICENCE`, as the format below has it.
fn package(line: &str) -> Package {
    let (package, licence) = line.split_once('|').unwrap();
    let mut words = package.split(' ');
    let (name, version) = (words.next().unwrap(), words.next().unwrap());
    Package { name: name.into(), version: version.trim_start_matches('v').into(), licence: licence.trim_end_matches(" (*)").into() }
}

/// The crates of Cargo.lock without those of the tests, the program itself left out.
fn packages() -> BTreeSet<Package> {
    let tree = |offline: &[&str]| {
        Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{l}"])
            .args(offline)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    };
    // What this was built from is here already; the network is for what cargo wants to know beyond
    // that.
    let mut output = tree(&["--offline"]);
    if !output.status.success() {
        output = tree(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(package).filter(|p| p.name != "state-soup").collect()
}

fn deny() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The texts of an array in a table of deny.toml.
fn texts(table: &toml::Value, key: &str) -> Vec<String> {
    let list = table.get(key).and_then(toml::Value::as_array);
    list.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The entries of an array in a table of deny.toml: the crate each names, as `NAME` or
/// `NAME@VERSION`, and the entry.
fn entries(table: &toml::Value, key: &str) -> Vec<(String, toml::Value)> {
    let list = table.get(key).and_then(toml::Value::as_array);
    let entry = |entry: &toml::Value| {
        let named = entry.as_str().or_else(|| ["crate", "name"].iter().find_map(|key| entry.get(key)?.as_str()));
        (named.expect("an entry names a crate").to_owned(), entry.clone())
    };
    list.into_iter().flatten().map(entry).collect()
}

/// Whether a licence expression holds where the licences that `allowed` knows may be chosen: OR,
/// AND and parentheses of SPDX, and the `/` that old manifests have for OR. AND binds tighter.
fn allows(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let holds = any(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "a licence that cannot be read: {expression}");
    holds
}

fn any(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= all(words, at, allowed);
    }
    holds
}

fn all(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allowed);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let word = *words.get(*at).expect("a licence");
    *at += 1;
    if word == "(" {
        let holds = any(words, at, allowed);
        assert_eq!(words.get(*at), Some(&")"));
        *at += 1;
        return holds;
    }
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
        return allowed(&format!("{word} WITH {}", words[*at - 1]));
    }
    allowed(word)
}

#[test]
fn licence_expressions_are_read_as_spdx_has_them() {
    let only = |known: &'static [&'static str]| move |licence: &str| known.contains(&licence);
    for (expression, known, holds) in [
        ("MIT", &["MIT"][..], true),
        ("MIT", &["ISC"], false),
        ("MIT OR GPL-3.0", &["MIT"], true),
        ("MIT AND GPL-3.0", &["MIT"], false),
        ("MIT/Apache-2.0", &["Apache-2.0"], true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", &["Apache-2.0"], false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", &["Apache-2.0", "Unicode-3.0"], true),
        ("A OR B AND C", &["A"], true),
        ("A OR B AND C", &["B"], false),
        ("Apache-2.0 WITH LLVM-exception", &["Apache-2.0"], false),
        ("Apache-2.0 WITH LLVM-exception", &["Apache-2.0 WITH LLVM-exception"], true),
    ] {
        assert_eq!(allows(expression, &only(known)), holds, "{expression} of {known:?}");
    }
}

#[test]
fn licences_are_allowed() {
    let deny = deny();
    let licences = &deny["licenses"];
    let allowed = texts(licences, "allow");
    let exceptions = entries(licences, "exceptions");
    let packages = packages();
    assert!(packages.len() > 200, "{} crates are too few to be all", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|p| {
            let own: Vec<String> = exceptions.iter().filter(|(name, _)| *name == p.name).flat_map(|(_, e)| texts(e, "allow")).collect();
            !allows(&p.licence, &|licence| allowed.iter().chain(&own).any(|a| a == licence))
        })
        .map(|p| format!("{} {}: {}", p.name, p.version, p.licence))
        .collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow: {refused:#?}");
}

/// Each name's versions, and without those that deny.toml skips at most one is left.
#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let deny = deny();
    let skipped = entries(&deny["bans"], "skip");
    let is_skipped = |p: &Package| {
        skipped.iter().any(|(named, _)| match named.split_once('@') {
            Some((name, version)) => {
                let version = version.trim_start_matches(['=', '^', '~']);
                name == p.name && (p.version == version || p.version.starts_with(&format!("{version}.")))
            }
            None => *named == p.name,
        })
    };
    let packages = packages();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|p| !is_skipped(p)) {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "crates in several versions that deny.toml does not name: {versions:?}");
}
