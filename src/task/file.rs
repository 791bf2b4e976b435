//! The user's own tasks. A file is one task with the file's name; a folder holds many.

use super::{Pair, Task, TaskOrigin};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The size of the largest task file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Deepest level of nested folders; deeper ones are an error.
const MAX_DEPTH: usize = 8;

/// Reads the task in a file, or the tasks in all task files of a folder and its subfolders, in the
/// order of their paths. Hidden files and folders are skipped.
///
/// # Errors
/// As [`read_file`]; [`Error::Input`] for a folder without task files, or nested too deep.
pub fn read_path(path: &Path) -> Result<Vec<Task>> {
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    collect(path, &mut files, 0)?;
    if files.is_empty() {
        return Err(Error::Input(format!("{} holds no task: no .tsv, .csv, .json or .jsonl file", path.display())));
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

/// Adds the task files in a folder and its subfolders to `files`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::Input(format!("{}: folders are nested deeper than {MAX_DEPTH}", folder.display())));
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            collect(&path, files, depth + 1)?;
        } else if !hidden && matches!(extension(&path).as_str(), "tsv" | "csv" | "json" | "jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

/// A pair with its place in the file: a line, or an entry of a JSON file.
struct Row {
    pair: Pair,
    at: usize,
    /// Number of further outputs in a list of outputs.
    others: usize,
}

/// Reads a task from a TSV or CSV file (input, output; a first line `input, output` is a heading),
/// from JSON (`[{"input": …, "output": …}]` as in the function-vectors data sets, or `{"input":
/// "output"}`), or from JSONL (one `{"input": …, "output": …}` per line). If an input occurs twice,
/// its first output is used; [`Task::notes`] reports outputs that differ.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; otherwise [`Error::Input`] with the file and, for a bad row,
/// its line or entry.
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
        "jsonl" => json_lines(text, path)?,
        other => return Err(Error::Input(format!("{}: a task is a .tsv, .csv, .json or .jsonl file, not `.{other}`", path.display()))),
    };
    let mut seen: HashMap<String, String> = HashMap::new();
    let (mut again, mut others): (Vec<usize>, Vec<usize>) = Default::default();
    let (mut pairs, mut places) = (Vec::new(), Vec::new());
    for Row { pair, at, others: more } in rows {
        if more > 0 {
            others.push(at);
        }
        match seen.get(&pair.input) {
            Some(output) if *output != pair.output => again.push(at),
            Some(_) => {}
            None => {
                seen.insert(pair.input.clone(), pair.output.clone());
                pairs.push(pair);
                places.push(at);
            }
        }
    }
    if pairs.is_empty() {
        return Err(Error::Input(format!("{} holds no pair", path.display())));
    }
    let mut notes = Vec::new();
    for (of, what) in [(&again, "another output for an earlier input"), (&others, "several outputs")] {
        if let Some(first) = of.first() {
            let n = of.len();
            let rows = if n == 1 { "1 row".into() } else { format!("{n} rows") };
            notes.push(format!("{}: {what} in {rows} ({} {first} first); the first output is kept.", path.display(), place_word(path)));
        }
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
        places,
        notes,
    })
}

/// The word for a place in a file: line or entry.
pub(super) fn place_word(path: &Path) -> &'static str {
    if extension(path) == "json" { "entry" } else { "line" }
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

fn table(text: &str, delimiter: u8, path: &Path) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let between = if delimiter == b',' { "comma" } else { "tab" };
    let mut rows = Vec::new();
    // The reader's own line count is wrong for `\r\n`, so lines are counted here.
    let (mut line, mut counted) = (1, 0);
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| Error::Input(format!("{}: {e}", path.display())))?;
        let start = record.position().map_or(counted, |p| p.byte() as usize);
        let start = start + text.as_bytes()[start..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        line += text[counted..start].matches('\n').count();
        counted = start;
        let wrong = |why: String| Err(Error::Input(format!("{}, line {line}: {why}", path.display())));
        let cell = |c: usize| record.get(c).unwrap_or_default().trim();
        // Empty cells at the end are stray separators.
        let cells = (0..record.len()).rev().find(|c| !cell(*c).is_empty()).map_or(0, |last| last + 1);
        if cells > 2 {
            let quotes = if delimiter == b',' { "; put a text that contains a comma in double quotes" } else { "" };
            return wrong(format!("there are {cells} cells; a task has an input and an output{quotes}"));
        }
        if i == 0 && cell(0).eq_ignore_ascii_case("input") && cell(1).eq_ignore_ascii_case("output") {
            continue;
        }
        if cell(0).is_empty() || cell(1).is_empty() {
            return wrong(format!("an input and an output are needed, with a {between} between them"));
        }
        rows.push(Row { pair: Pair { input: cell(0).into(), output: cell(1).into() }, at: line, others: 0 });
    }
    Ok(rows)
}

fn json(text: &str, path: &Path) -> Result<Vec<Row>> {
    let wrong = |why: String| Error::Input(format!("{}: {why}", path.display()));
    let Listed(entries) = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let row = |(i, entry): (usize, Entry)| {
        let found = match &entry {
            Entry::Item(Item { input, output }) => row_of(input, output, i + 1),
            Entry::Field(input, output) => row_of(&serde_json::Value::String(input.clone()), output, i + 1),
        };
        found.ok_or_else(|| wrong(format!("entry {} lacks an `input` or `output` text", i + 1)))
    };
    entries.into_iter().enumerate().map(row).collect()
}

fn json_lines(text: &str, path: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why: String| Error::Input(format!("{}, line {}: {why}", path.display(), i + 1));
        let item: Item = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        rows.push(row_of(&item.input, &item.output, i + 1).ok_or_else(|| wrong("it lacks an `input` or `output` text".into()))?);
    }
    Ok(rows)
}

fn row_of(input: &serde_json::Value, output: &serde_json::Value, at: usize) -> Option<Row> {
    let text_of = |value: &serde_json::Value| match value {
        serde_json::Value::String(s) => Some(s.trim().to_string()),
        serde_json::Value::Number(n) => Some(n.to_string()),
        _ => None,
    };
    // Some data sets list several valid outputs; the first is the usual one.
    let (output, others) = match output {
        serde_json::Value::Array(all) => (text_of(all.first()?)?, all.len() - 1),
        one => (text_of(one)?, 0),
    };
    let pair = Pair { input: text_of(input)?, output };
    (!pair.input.is_empty() && !pair.output.is_empty()).then_some(Row { pair, at, others })
}

/// The entries of a JSON file, in file order: the items of a list, or the fields of an object.
/// Fields with the same key are all listed.
struct Listed(Vec<Entry>);

/// An example as a JSON object; a duplicate key is an error.
#[derive(serde::Deserialize)]
struct Item {
    #[serde(default)]
    input: serde_json::Value,
    #[serde(default)]
    output: serde_json::Value,
}

enum Entry {
    Item(Item),
    Field(String, serde_json::Value),
}

impl<'de> serde::Deserialize<'de> for Listed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Listed;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of {\"input\": …, \"output\": …}, or {\"input\": \"output\", …}")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Listed, A::Error> {
                let mut listed = Vec::new();
                while let Some(item) = items.next_element()? {
                    listed.push(Entry::Item(item));
                }
                Ok(Listed(listed))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Listed, A::Error> {
                let mut listed = Vec::new();
                while let Some((input, output)) = fields.next_entry()? {
                    listed.push(Entry::Field(input, output));
                }
                Ok(Listed(listed))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
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
        let object = read("t.json", br#"{"a": "b", "c": "d", "a": "x"}"#).unwrap();
        let lines = read("t.jsonl", b"{\"input\":\"a\",\"output\":\"b\"}\n\n{\"input\":\"c\",\"output\":\"d\"}\n").unwrap();
        assert_eq!((&object.pairs, &lines.pairs), (&tsv.pairs, &tsv.pairs));
        assert_eq!((&csv.places, &json.places, &lines.places), (&vec![2, 3], &vec![1, 2], &vec![1, 3]));
    }

    #[test]
    fn outputs_that_are_left_out_are_told() {
        let notes = |name: &str, content: &[u8]| read(name, content).unwrap().notes.join(" ");
        let told = notes("t.tsv", b"a\tb\nc\td\na\tx\nc\te\na\tb\n");
        assert!(told.contains("another output for an earlier input in 2 rows (line 3 first)"), "{told}");
        assert_eq!(notes("t.tsv", b"a\tb\na\tb\n"), "");
        let told = notes("t.json", br#"[{"input":"a","output":"b"},{"input":"c","output":["d","e"]}]"#);
        assert!(told.contains("several outputs in 1 row (entry 2 first)"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (name, content, part) in [
            ("t.tsv", &b"a\tb\nc\xff\td\n"[..], "line 2: not UTF-8"),
            ("t.tsv", b"a\tb\nlonely\n", "line 2: an input and an output"),
            ("t.csv", b"a;b\n", "line 1: an input and an output are needed, with a comma"),
            ("t.json", b"3", "expected a list"),
            ("t.json", b"{}", "holds no pair"),
            ("t.json", b"{\"a\": {}}", "entry 1 lacks"),
            ("t.json", b"[{\"input\":\"a\"}]", "entry 1 lacks"),
            ("t.jsonl", b"{\"input\":\"a\",\"output\":\"b\"}\n\n{\"input\":\"a\"}\n", "line 3: it lacks"),
            ("t.jsonl", b"{\"input\":\"a\",\"output\":\"b\",\"output\":\"c\"}\n", "line 1: duplicate field `output`"),
            ("t.json", b"[{\"input\":\"a\",\"input\":\"b\",\"output\":\"c\"}]", "duplicate field `input`"),
            ("t.csv", b"input,output\nw0,v0, with more\n", "line 2: there are 3 cells"),
            ("t.csv", b"index,input,output\n0,a,b\n", "line 1: there are 3 cells"),
            ("t.tsv", b"a\tb\nc\td\te\n", "line 2: there are 3 cells"),
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
        std::fs::create_dir_all(dir.path().join("abstractive/.git")).unwrap();
        std::fs::write(dir.path().join("abstractive/c.json"), r#"{"x": "y"}"#).unwrap();
        std::fs::write(dir.path().join("abstractive/.git/d.json"), "no").unwrap();
        let names: Vec<_> = read_path(dir.path()).unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["a", "c", "b"]);
    }
}
