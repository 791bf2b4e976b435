//! What reads each kind of file that a user has, as a function of its bytes: for random damage
//! (`main.rs`) and for a fuzzer. Each reads the bytes as the program does and uses what it got; the
//! error is the sentence that refuses them.

#![allow(dead_code)]

use state_soup::config::{Config, Setting};
use state_soup::control::quiet;
use state_soup::error::{Error, Result};
use state_soup::files;
use state_soup::library::*;
use state_soup::session::journal::Read;
use state_soup::session::{Session, snapshots};
use state_soup::soup::{Recipe, Resolver};
use state_soup::state::{Decay, Layout, State};
use state_soup::task::{SplitSpec, Template, read_file};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const SHAPE: Layout = Layout::mamba1(2, 32, 4, 4);
const MANIFEST: &str = "manifest.json";
const SHARD: &str = "shard-00000.safetensors";

/// A file of this process's own with these bytes.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let path = FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A session, as `replay` reads it.
pub fn session(bytes: &[u8]) -> Result<()> {
    let path = file("talk.toml", bytes);
    let text = files::text(&path, files::SMALL)?;
    let session = Session::parse(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))?;
    for step in &session.step {
        step.inputs().expect("a session's keys are checked when it is read");
    }
    Ok(())
}

/// A journal, as `--resume` and `replay` read it.
pub fn journal(bytes: &[u8]) -> Result<()> {
    let read = Read::open(&file("sitting.jsonl", bytes))?;
    for step in &read.session().step {
        step.inputs().expect("what was typed can be typed again");
    }
    read.resume();
    Ok(())
}

/// Snapshots of soups, as the lab reads them.
pub fn kept_snapshots(bytes: &[u8]) -> Result<()> {
    for snapshot in snapshots::read(&file("snapshots.json", bytes))? {
        if let Some(recipe) = snapshot.soup.to_recipe() {
            let _ = recipe.hash();
        }
    }
    Ok(())
}

/// A configuration.
pub fn config(bytes: &[u8]) -> Result<()> {
    let setting = |name: &str, words: &[&str], list| Setting {
        name: name.into(),
        doc: "what it does".into(),
        default: Vec::new(),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
        placeholder: "X".into(),
        list,
    };
    let known = [setting("metric", &["cosine", "l2"], false), setting("tasks", &[], true), setting("shots", &[], false)];
    Config::load(Some(&file("config.toml", bytes)), &known).map(drop)
}

/// A recipe's text: what it is read as is written and read again.
pub fn recipe(bytes: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(bytes);
    let recipe: Recipe = text.parse()?;
    // Whether it can be evaluated is another matter.
    let _ = recipe.evaluate(&Anything(rates()));
    let again: Recipe = recipe.to_string().parse().expect("a recipe that was written can be read");
    assert_eq!(again.hash(), recipe.hash(), "{text:?} is {recipe} is {again}");
    Ok(())
}

/// Every name stands for something.
struct Anything(Decay);

fn rates() -> Decay {
    let rate = |i: usize| -0.1 - (i % 4) as f32;
    Decay::channel(SHAPE, (0..SHAPE.n_layer * SHAPE.memory.len()).map(rate).collect()).unwrap()
}

impl Resolver for Anything {
    fn shape(&self) -> Layout {
        SHAPE
    }

    fn decay(&self) -> &Decay {
        &self.0
    }

    fn skill(&self, id: &str) -> Result<State> {
        Ok(state(id.len()))
    }

    fn task(&self, name: &str) -> Result<Vec<String>> {
        Ok((0..3).map(|set| format!("{name}/{set}")).collect())
    }

    fn query(&self) -> Result<State> {
        Ok(state(1))
    }

    fn top(&self, n: usize) -> Result<Vec<(String, f32)>> {
        Ok((0..n.min(8)).map(|i| (format!("top/{i}"), 0.5)).collect())
    }

    fn similarity(&self, id: &str) -> Result<f32> {
        Ok(1.0 / (1 + id.len()) as f32)
    }

    fn neutral(&self) -> Result<State> {
        Ok(State::zeros(SHAPE))
    }
}

/// A list of pairs, in the format of the extension.
fn task(extension: &str, bytes: &[u8]) -> Result<()> {
    let task = read_file(&file(&format!("task.{extension}"), bytes))?;
    for template in [Template::Arrow, Template::Qa] {
        let _ = task.check(&template);
    }
    let _ = SplitSpec { sets: 2, shots: 4, seed: 0, test_share: 0.2 }.draw(&task);
    Ok(())
}

/// A `.tsv` list.
pub fn tsv(bytes: &[u8]) -> Result<()> {
    task("tsv", bytes)
}

/// A `.csv` list.
pub fn csv(bytes: &[u8]) -> Result<()> {
    task("csv", bytes)
}

/// A `.json` list.
pub fn json(bytes: &[u8]) -> Result<()> {
    task("json", bytes)
}

/// A `.jsonl` list.
pub fn jsonl(bytes: &[u8]) -> Result<()> {
    task("jsonl", bytes)
}

fn model() -> ModelIdentity {
    let hash = |c: &str| c.repeat(64);
    ModelIdentity {
        name: "tiny".into(),
        fingerprint: hash("f"),
        tokenizer_hash: hash("7"),
        bos: Some(vec![0]),
        weights: None,
        layout: SHAPE,
    }
}

fn state(seed: usize) -> State {
    let draw = |n: usize, by: usize| (0..n).map(|i| ((i * by + 7 * seed) % 23) as f32 / 8.0 - 1.0).collect::<Vec<_>>();
    let (ssm, conv) = (draw(SHAPE.n_layer * SHAPE.memory.len(), 5), draw(SHAPE.n_layer * SHAPE.window.len(), 3));
    State::new(SHAPE, ssm, conv, vec![0.5; SHAPE.n_layer * SHAPE.sidecar.len()], 10).unwrap()
}

/// A library of four skills in one shard: its folder, its manifest and its shard.
fn library() -> &'static (tempfile::TempDir, Vec<u8>, Vec<u8>) {
    static LIBRARY: OnceLock<(tempfile::TempDir, Vec<u8>, Vec<u8>)> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let skill = |i: usize| {
            let origin = SkillOrigin::Text { text: format!("text {i}") };
            let (id, task) = (format!("t{}/{}", i / 2, i % 2), format!("t{}", i / 2));
            (SkillMeta { id, task, family: "user".into(), origin, tokens: 10, created: now(), tags: vec!["mine".into()] }, state(i))
        };
        let new = NewLibrary { model: &model(), settings: &BuildSettings::default(), dtype: StoredType::F16 };
        let mut writer = LibraryWriter::open(dir.path(), &new, Wait::No).unwrap();
        writer.append(&(0..4).map(skill).collect::<Vec<_>>()).unwrap();
        writer.delete("t1/1").unwrap();
        drop(writer);
        let read = |file: &str| std::fs::read(dir.path().join(file)).unwrap();
        let (manifest, shard) = (read(MANIFEST), read(SHARD));
        (dir, manifest, shard)
    })
}

/// Everything that is read of a library, and a writer that opens it. What is left out is named.
fn use_library(dir: &Path) -> Result<()> {
    let (library, _) = Library::open(dir, &model())?;
    quiet(|c| library.look(c))?;
    let library = library.without_damaged();
    let said = library.warnings().join(" ");
    for lost in library.lost() {
        assert!(said.contains(&lost.id) || said.contains("more"), "{} is left out in silence: {said}", lost.id);
    }
    for metric in [Metric::Cosine, Metric::L2, Metric::ZCosine] {
        for part in [Part::Ssm, Part::Conv] {
            let view = RankView { metric, layers: 0..SHAPE.n_layer, part };
            let ranking = library.rank(&state(1), &view, None)?;
            assert_eq!(ranking.ranking.len(), library.len());
            assert!(ranking.ranking.iter().all(|s| s.score.is_finite()), "{ranking:?}");
        }
    }
    (0..library.len()).try_for_each(|i| library.state(i).map(drop))?;
    (0..SHAPE.n_layer).for_each(|layer| _ = library.spread(layer));
    let _ = library.calibration();
    let _ = quiet(|c| library.check(c))?;
    let new = NewLibrary { model: &model(), settings: &BuildSettings::default(), dtype: StoredType::F16 };
    LibraryWriter::open(dir, &new, Wait::No).map(drop)
}

/// A library's manifest, beside a shard that is whole.
pub fn manifest(bytes: &[u8]) -> Result<()> {
    let (dir, _, shard) = library();
    std::fs::write(dir.path().join(SHARD), shard).unwrap();
    std::fs::write(dir.path().join(MANIFEST), bytes).unwrap();
    use_library(dir.path())
}

/// A library's shard, with a manifest that says what it was.
pub fn shard(bytes: &[u8]) -> Result<()> {
    let (dir, manifest, _) = library();
    // A manifest that says how long the file is now: else that would be all there is to say.
    let mut said: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    said["shards"][0]["bytes"] = bytes.len().into();
    std::fs::write(dir.path().join(MANIFEST), said.to_string()).unwrap();
    std::fs::write(dir.path().join(SHARD), bytes).unwrap();
    use_library(dir.path())
}

/// The whole files that [`manifest`] and [`shard`] take.
pub fn whole_library() -> (&'static [u8], &'static [u8]) {
    let (_, manifest, shard) = library();
    (manifest, shard)
}
