//! The library through its public API: format, atomicity, refusals, ranking, building.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod build;
mod crash;
mod rank;
mod refuse;
mod store;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::library::*;
use state_soup::state::{Layout, State};
use std::path::{Path, PathBuf};

pub(crate) const SHAPE: Layout = Layout::mamba1(3, 32, 16, 4);

pub(crate) fn model() -> ModelIdentity {
    ModelIdentity {
        name: "tiny".into(),
        fingerprint: "f".repeat(64),
        tokenizer_hash: "7".repeat(64),
        bos: Some(vec![0]),
        weights: None,
        layout: SHAPE,
    }
}

pub(crate) fn settings() -> BuildSettings {
    BuildSettings { sets: 5, ..BuildSettings::default() }
}

/// A state that f16 holds exactly (multiples of 1/64 below 16), so that both types read back the
/// same numbers.
pub(crate) fn state(seed: u64) -> State {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1000i32..1000) as f32 / 64.0).collect::<Vec<_>>();
    let (ssm, conv) = (draw(SHAPE.n_layer * SHAPE.memory.len()), draw(SHAPE.n_layer * SHAPE.window.len()));
    // ΣΔ is kept in f32: values f16 would round.
    let dt = (0..SHAPE.n_layer * SHAPE.sidecar.len()).map(|i| 0.1 + seed as f32 * 1e5 + i as f32 / 3.0).collect();
    State::new(SHAPE, ssm, conv, dt, seed + 10).unwrap()
}

pub(crate) fn skill(id: &str, seed: u64) -> (SkillMeta, State) {
    with_state(id, state(seed))
}

pub(crate) fn with_state(id: &str, state: State) -> (SkillMeta, State) {
    let task = id.split('/').next().unwrap().to_owned();
    let origin = SkillOrigin::Text { text: format!("text of {id}") };
    let tokens = state.tokens();
    (SkillMeta { id: id.into(), task, family: "user".into(), origin, tokens, created: now(), tags: vec!["new".into()] }, state)
}

pub(crate) fn writer(dir: &Path, dtype: StoredType) -> LibraryWriter {
    LibraryWriter::open(dir, &NewLibrary { model: &model(), settings: &settings(), dtype }, Wait::No).unwrap()
}

/// Opens, and insists that nothing is wrong, not even on a second look.
pub(crate) fn sound(dir: &Path) -> Library {
    let (library, warnings) = Library::open(dir, &model()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(quiet(|c| library.check(c)).unwrap().sentences().next(), None);
    library
}

pub(crate) fn ids(library: &Library) -> Vec<&str> {
    library.skills().iter().map(|s| s.id.as_str()).collect()
}

pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file's name and content.
pub(crate) fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    files(dir).into_iter().map(|f| (f.clone(), std::fs::read(dir.join(f)).unwrap())).collect()
}

pub(crate) fn shard(dir: &Path, n: usize) -> PathBuf {
    dir.join(format!("shard-{n:05}.safetensors"))
}

pub(crate) fn control<T>(work: impl FnOnce(Control<'_>, &Cancel) -> T) -> T {
    let cancel = Cancel::new();
    work(Control::new(&cancel, &|_| {}), &cancel)
}

/// Runs one of this binary's ignored tests in a process of its own.
pub(crate) fn child(test: &str, dir: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).env("STATE_SOUP_TEST_DIR", dir);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    command
}

/// The folder a child works in; `None` if it was not started by its parent but by someone running
/// all ignored tests.
pub(crate) fn child_dir() -> Option<PathBuf> {
    std::env::var_os("STATE_SOUP_TEST_DIR").map(PathBuf::from)
}
