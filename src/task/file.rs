//! The user's own tasks: a file is a task named after it, a folder is many.

use super::{Pair, Task, TaskOrigin};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The largest task file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The tasks of a file, or of every task file in a folder (in the order of their names).
///
/// # Errors
/// As [`read_file`]; [`Error::Input`] for a folder without any.
pub fn read_path(path: &Path) -> Result<Vec<Task>> {
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io(path))? {
        let file = entry.map_err(Error::io(path))?.path();
        if matches!(extension(&file).as_str(), "tsv" | "csv" | "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(Error::Input(format!("{} holds no task: no .tsv, .csv or .json file", path.display())));
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

/// A task from a TSV or CSV file (input, output; a first line `input, output` is a heading) or from JSON as the function-vectors
/// data sets have it: `[{"input": …, "output": …}]`. An input that stands twice counts once.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Input`] naming file and line for anything else.
pub fn read_file(path: &Path) -> Result<Task> {
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_string();
    if name.is_empty() {
        return Err(Error::Input(format!("{} cannot name a task: its name is not text", path.display())));
    }
    let bytes = crate::files::read(path, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        Error::Input(format!("{}, line {line}: not UTF-8 text", path.display()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let rows = match extension(path).as_str() {
        "tsv" => table(text, b'\t', path)?,
        "csv" => table(text, b',', path)?,
        "json" => json(text, path)?,
        other => return Err(Error::Input(format!("{}: a task is a .tsv, .csv or .json file, not `.{other}`", path.display()))),
    };
    let mut seen = HashSet::new();
    let pairs: Vec<Pair> = rows.into_iter().filter(|p| seen.insert(p.input.clone())).collect();
    if pairs.is_empty() {
        return Err(Error::Input(format!("{} holds no pair", path.display())));
    }
    Ok(Task {
        name,
        family: "user".into(),
        licence: "the user's".into(),
        source: path.display().to_string(),
        description: String::new(),
        pairs,
        origin: TaskOrigin::File(path.to_path_buf()),
        unseen: false,
    })
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

fn table(text: &str, delimiter: u8, path: &Path) -> Result<Vec<Pair>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let mut pairs = Vec::new();
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| Error::Input(format!("{}: {e}", path.display())))?;
        let line = record.position().map_or(i as u64 + 1, csv::Position::line);
        let cell = |c: usize| record.get(c).unwrap_or_default().trim();
        if i == 0 && cell(0).eq_ignore_ascii_case("input") && cell(1).eq_ignore_ascii_case("output") {
            continue;
        }
        if cell(0).is_empty() || cell(1).is_empty() {
            return Err(Error::Input(format!(
                "{}, line {line}: an input and an output are needed, with a {} between",
                path.display(),
                if delimiter == b',' { "comma" } else { "tab" }
            )));
        }
        pairs.push(Pair { input: cell(0).into(), output: cell(1).into() });
    }
    Ok(pairs)
}

fn json(text: &str, path: &Path) -> Result<Vec<Pair>> {
    let wrong = |why: String| Error::Input(format!("{}: {why}", path.display()));
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let items = value.as_array().ok_or_else(|| wrong("expected a list of {\"input\": …, \"output\": …}".into()))?;
    let text_of = |item: &serde_json::Value, key: &str| match &item[key] {
        serde_json::Value::String(s) => Some(s.trim().to_string()),
        serde_json::Value::Number(n) => Some(n.to_string()),
        // Some of the data sets list several valid outputs, the first one being the usual one.
        serde_json::Value::Array(a) => a.first().and_then(|v| v.as_str()).map(|s| s.trim().to_string()),
        _ => None,
    };
    let pair = |(i, item): (usize, &serde_json::Value)| match (text_of(item, "input"), text_of(item, "output")) {
        (Some(input), Some(output)) if !input.is_empty() && !output.is_empty() => Ok(Pair { input, output }),
        _ => Err(wrong(format!("entry {i} lacks an `input` or `output` text"))),
    };
    items.iter().enumerate().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Task> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        read_file(&path)
    }

    #[test]
    fn the_three_formats_read_alike() {
        let tsv = read("t.tsv", b"a\tb\nc\td\na\tx\n").unwrap();
        let csv = read("t.csv", b"input,output\r\na,b\r\n\"c\",d\r\n").unwrap();
        let json = read("t.json", br#"[{"input":"a","output":"b"},{"input":"c","output":["d","e"]}]"#).unwrap();
        assert_eq!(tsv.pairs, csv.pairs);
        assert_eq!(tsv.pairs, json.pairs);
        assert_eq!((tsv.name.as_str(), tsv.pairs.len()), ("t", 2));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (name, content, part) in [
            ("t.tsv", &b"a\tb\nc\xff\td\n"[..], "line 2: not UTF-8"),
            ("t.tsv", b"a\tb\nlonely\n", "line 2: an input and an output"),
            ("t.csv", b"a;b\n", "line 1: an input and an output are needed, with a comma"),
            ("t.json", b"{}", "expected a list"),
            ("t.json", b"[{\"input\":\"a\"}]", "entry 0 lacks"),
            ("t.json", b"[", "EOF"),
            ("t.tsv", b"", "holds no pair"),
            ("t.xlsx", b"x", "not `.xlsx`"),
        ] {
            let message = read(name, content).unwrap_err().to_string();
            assert!(message.contains(part), "{name}: {message}");
        }
    }

    #[test]
    fn a_folder_is_many_tasks() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_path(dir.path()).unwrap_err().to_string().contains("holds no task"));
        std::fs::write(dir.path().join("b.tsv"), "x\ty\n").unwrap();
        std::fs::write(dir.path().join("a.csv"), "x,y\n").unwrap();
        std::fs::write(dir.path().join("notes.txt"), "no").unwrap();
        let names: Vec<_> = read_path(dir.path()).unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
