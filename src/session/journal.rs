//! The journal: a record of the lab's inputs, written as they happen, one JSON object per line.
//!
//! ```json
//! {"journal":1,"started":"2026-11-24T22:08:13Z","version":"0.1.0","model":"bundled","settings":{…}}
//! {"model":"5ba93f1c…"}
//! {"t":5210,"key":"h"}
//! {"t":9433,"paste":"hot -> cold\nbig ->"}
//! {"t":5210,"snapshots":[{"name":"soup 1","soup":{…}}]}
//! ```
//! The last line lists the snapshots of soups from then on; it precedes the first key if there were
//! any. `t` is the clock in milliseconds; a key is written as [`crate::app::key::Key`] prints. The
//! file is created with the first key of a sitting, is locked while its lab runs, and loses at most
//! the last batch in a crash. A line torn by the crash is ignored, and cut off before the next line
//! is appended.

use super::writer::LineWriter;
use crate::app::instrument::sides::Snapshot;
use crate::app::key::KeyCode;
use crate::app::session::{Entry, Input, Resume, Session, Sitting, Step, write_script};
use crate::error::{Error, Result};
use crate::files::{self, create_new, make_private, private, private_folder};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Maximum number of journals in the folder.
pub const KEPT: usize = 50;
/// The version of the format.
const VERSION: u32 = 1;

/// The header, the journal's first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub journal: u32,
    /// When the sitting began.
    pub started: String,
    /// The program's version.
    pub version: String,
    /// The model as the user named it.
    pub model: String,
    /// The settings that the lab was opened with.
    pub settings: serde_json::Value,
    /// Whether the ranking and the soup follow the evidence; absent in journals from before there
    /// was evidence.
    #[serde(default)]
    pub evidence: bool,
    /// The folder of experiment reports; absent in journals from before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<PathBuf>,
}

impl Header {
    /// The header of a sitting that begins now.
    pub fn new(model: &str, settings: serde_json::Value) -> Self {
        let version = env!("CARGO_PKG_VERSION").into();
        Self { journal: VERSION, started: crate::library::now(), version, model: model.into(), settings, evidence: true, results: None }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paste: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots: Option<Vec<Snapshot>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl Line {
    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Input(t, Input::Key(key)) => Self { t: Some(*t), key: Some(key.to_string()), ..Self::default() },
            Entry::Input(t, Input::Paste(text)) => Self { t: Some(*t), paste: Some(text.clone()), ..Self::default() },
            Entry::Input(t, Input::Snapshots(list)) => Self { t: Some(*t), snapshots: Some(list.clone()), ..Self::default() },
            Entry::Model(fingerprint) => Self { model: Some(fingerprint.clone()), ..Self::default() },
        }
    }

    fn entry(self) -> std::result::Result<Entry, String> {
        let t = self.t.unwrap_or(0);
        match self {
            Self { key: Some(key), .. } => Ok(Entry::Input(t, Input::Key(key.parse()?))),
            Self { paste: Some(text), .. } => Ok(Entry::Input(t, Input::Paste(text))),
            Self { snapshots: Some(list), .. } => Ok(Entry::Input(t, Input::Snapshots(list))),
            Self { model: Some(fingerprint), .. } => Ok(Entry::Model(fingerprint)),
            _ => Err("it is neither a key nor a paste nor a list of snapshots nor a model".into()),
        }
    }
}

/// A parsed journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The header.
    pub header: Header,
    /// The other lines.
    pub entries: Vec<Entry>,
    /// Bytes up to the end of the last whole line.
    pub whole: u64,
}

impl Read {
    /// Parses a journal. A torn last line is left out.
    ///
    /// # Errors
    /// [`Error::Input`] with the number of the invalid line.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut lines = text[..whole].split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let wrong = |number: usize, why: String| Error::Input(format!("line {} does not belong to a journal: {why}", number + 1));
        let (_, first) = lines.next().ok_or_else(|| Error::Input("it is empty".into()))?;
        let header: Header = serde_json::from_slice(first).map_err(|e| wrong(0, e.to_string()))?;
        if header.journal != VERSION {
            return Err(Error::Input(format!("it is a journal of version {}; this program reads version {VERSION}", header.journal)));
        }
        let entry = |(number, line): (usize, &[u8])| {
            let line: Line = serde_json::from_slice(line).map_err(|e| wrong(number, e.to_string()))?;
            line.entry().map_err(|why| wrong(number, why))
        };
        Ok(Self { header, entries: lines.map(entry).collect::<Result<_>>()?, whole: whole as u64 })
    }

    /// Reads a journal's file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] with the file's name.
    pub fn open(path: &Path) -> Result<Self> {
        let text = files::read(path, files::LARGE)?;
        Self::parse(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))
    }

    /// Keys and pastes with their clock, and the lists of snapshots.
    pub fn inputs(&self) -> Vec<(u64, Input)> {
        let input = |entry: &Entry| match entry {
            Entry::Input(t, input) => Some((*t, input.clone())),
            Entry::Model(_) => None,
        };
        self.entries.iter().filter_map(input).collect()
    }

    /// The data that the lab needs to resume this sitting.
    pub fn resume(&self) -> Resume {
        let model = self.entries.iter().find_map(|e| if let Entry::Model(fingerprint) = e { Some(fingerprint.clone()) } else { None });
        Resume::new(self.inputs(), model)
    }

    /// The whole journal as a session to be played: one step, and another at each change of the
    /// snapshots.
    pub fn session(&self) -> Session {
        let (mut step, mut last) = (Vec::new(), Step::default());
        for (_, input) in self.inputs() {
            if let Input::Snapshots(list) = input {
                let next = Step { snapshots: Some(list), ..Step::default() };
                step.extend(Some(std::mem::replace(&mut last, next)).filter(|s| !s.keys.is_empty()));
            } else {
                last.keys.push_str(&write_script(&input));
            }
        }
        step.push(last);
        Session { title: format!("The sitting of {}", self.header.started), evidence: self.header.evidence, step, sitting: true }
    }

    fn sitting(&self, path: &Path) -> Sitting {
        let inputs = self.inputs();
        let mut words = String::new();
        for (_, input) in &inputs {
            match input {
                Input::Key(key) if key.typed().is_some() => words.extend(key.typed()),
                Input::Key(key) if key.code == KeyCode::Enter => words.push(' '),
                Input::Paste(text) => words.push_str(text),
                Input::Snapshots(_) => {}
                Input::Key(_) if words.is_empty() => {}
                Input::Key(_) => break,
            }
        }
        Sitting {
            path: path.display().to_string(),
            started: self.header.started.get(..16).unwrap_or_default().replace('T', " "),
            model: self.header.model.clone(),
            inputs: inputs.iter().filter(|(_, input)| !matches!(input, Input::Snapshots(_))).count(),
            words: words.chars().take(80).collect(),
        }
    }
}

/// The folder of journals: `$XDG_STATE_HOME/state-soup/journals`.
///
/// # Errors
/// [`Error::Input`] if the system names no home folder.
pub fn folder() -> Result<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "state-soup")
        .ok_or_else(|| Error::Input("there is no place for a journal: the system names no home folder".into()))?;
    Ok(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).join("journals"))
}

/// Journals in a folder, newest first; none if there is no folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    // The file names begin with the time.
    files.sort_unstable_by(|a, b| b.cmp(a));
    files
}

/// The newest journal of a sitting that can be resumed; and a sentence about each newer file
/// without a whole first line (the disk was full, or the machine failed).
pub fn newest(folder: &Path) -> (Option<PathBuf>, Vec<String>) {
    let mut passed = Vec::new();
    for path in self::files(folder) {
        let begun = files::read(&path, files::LARGE).map(|text| text.contains(&b'\n'));
        if matches!(begun, Ok(false)) {
            passed.push(format!("{} is empty (a full disk leaves such a journal): this is the sitting before it", path.display()));
        } else {
            return (Some(path), passed);
        }
    }
    (None, passed)
}

/// The earlier sittings, newest first, without the journal of this one. Files that cannot be read
/// are left out.
pub fn sittings(folder: &Path, own: Option<&Path>) -> Vec<Sitting> {
    let others = files(folder).into_iter().filter(|path| Some(path.as_path()) != own);
    others.filter_map(|path| Some(Read::open(&path).ok()?.sitting(&path))).collect()
}

/// A journal being written.
pub struct Journal {
    path: PathBuf,
    writer: LineWriter,
    /// Lines held back until the first key: a sitting without keys leaves no file.
    prelude: Vec<String>,
    begun: bool,
}

impl Journal {
    /// A new journal in a folder, which is created if necessary. When the journal begins, all but
    /// the newest [`KEPT`] journals are deleted.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot start a thread. A later failure goes to `failed`, once.
    pub fn create(folder: &Path, header: &Header, failed: impl FnOnce(Error) + Send + 'static) -> Result<Self> {
        let digits: String = header.started.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
        let path = folder.join(format!("{digits}-{}.jsonl", std::process::id()));
        let (folder, file) = (folder.to_owned(), path.clone());
        let open = move || {
            private_folder(&folder)?;
            for old in self::files(&folder).into_iter().skip(KEPT - 1) {
                std::fs::remove_file(old)?;
            }
            let file = private().create_new(true).append(true).open(file)?;
            file.lock()?;
            Ok(file)
        };
        let writer = LineWriter::start(path.clone(), true, open, failed)?;
        Ok(Self { path, writer, prelude: vec![json(header)], begun: false })
    }

    /// Reopens a journal to append to it; also returns its content so far.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if it is not a journal, or its lab is still running. A later
    /// failure goes to `failed`, once.
    pub fn append(path: &Path, failed: impl FnOnce(Error) + Send + 'static) -> Result<(Self, Read)> {
        // (Fails at once if it is not a file.)
        drop(files::open(path, files::LARGE)?);
        let file = private().read(true).append(true).open(path).map_err(Error::io(path))?;
        make_private(&file).map_err(Error::io(path))?;
        if file.try_lock().is_err() {
            return Err(Error::Input(format!("{}: the lab of this journal is still running; leave it first", path.display())));
        }
        let read = Read::open(path)?;
        file.set_len(read.whole).map_err(Error::io(path))?;
        let writer = LineWriter::start(path.to_owned(), true, move || Ok(file), failed)?;
        Ok((Self { path: path.to_owned(), writer, prelude: Vec::new(), begun: true }, read))
    }

    /// Appends a line.
    pub fn add(&mut self, entry: &Entry) {
        let line = json(&Line::of(entry));
        if !self.begun && matches!(entry, Entry::Model(_)) {
            self.prelude.push(line);
            return;
        }
        self.begun = true;
        self.prelude.drain(..).for_each(|line| self.writer.write(line));
        self.writer.write(line);
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the disk (at most a second); returns the file, if there is one.
    pub fn finish(self) -> Option<PathBuf> {
        self.writer.finish();
        let about = std::fs::metadata(&self.path).ok().filter(|about| self.begun && about.is_file())?;
        if about.len() == 0 {
            // The disk took the file's name and nothing else: there is nothing to resume.
            let _ = std::fs::remove_file(&self.path);
            return None;
        }
        Some(self.path)
    }
}

fn json(value: &impl Serialize) -> String {
    // Plain structs of texts and numbers: serialization cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes a session to a new file in a folder, named after its title.
///
/// # Errors
/// [`Error::Io`] if the file exists already, or the folder cannot be written to.
pub fn save(folder: &Path, session: &Session) -> Result<PathBuf> {
    let path = folder.join(format!("{}.toml", session.title));
    let text = toml::to_string(session).map_err(|e| Error::Input(format!("the session cannot be written: {e}")))?;
    create_new(&path, text.as_bytes()).map_err(Error::io(&path))?;
    Ok(path)
}
