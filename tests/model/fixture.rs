//! The library of all bundled tasks, built once for this whole program.

#![allow(clippy::unwrap_used)] // Tests fail by panicking.

use crate::common;
use state_soup::control::quiet;
use state_soup::lab::Lab;
use std::path::Path;
use std::sync::OnceLock;

/// The bundled model with its whole library: every task, every set. To be read, never edited.
pub fn whole() -> &'static Lab {
    static LAB: OnceLock<(tempfile::TempDir, Lab)> = OnceLock::new();
    &LAB.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let setup = common::bundled(&dir.path().join("library"));
        let lab = quiet(|control| Lab::open(setup, control)).unwrap();
        let report = quiet(|control| lab.build(control, &|_| {})).unwrap();
        assert!(report.built >= 300, "{} skills, {:?}", report.built, report.skipped);
        (dir, lab)
    })
    .1
}

/// A library of the test's own that holds what the one at `from` holds. A shard is never written
/// again under its name, so that a link to it does; the other files are copied.
pub fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = std::fs::read_dir(from).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
    for file in files {
        let copy = dir.path().join(file.file_name().unwrap());
        let is_shard = file.extension().is_some_and(|e| e == "safetensors");
        if !is_shard || std::fs::hard_link(&file, &copy).is_err() {
            std::fs::copy(&file, &copy).unwrap();
        }
    }
    dir
}
