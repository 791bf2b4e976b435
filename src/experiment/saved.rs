//! Reads reports back from the folders that [`Report::write`] made.

use super::Report;
use crate::error::{Error, Result};
use std::path::Path;

/// Reads the reports under `dir`, one folder per experiment, in the order of the folders' names.
/// Returns those of the model with this fingerprint, and a sentence for each report that is left
/// out. A missing folder gives none.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be listed.
pub fn load(dir: &Path, fingerprint: &str) -> Result<(Vec<Report>, Vec<String>)> {
    let (mut reports, mut left_out) = (Vec::new(), Vec::new());
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((reports, left_out)),
        entries => entries.map_err(Error::io(dir))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        folders.push(entry.map_err(Error::io(dir))?.path());
    }
    folders.sort();
    for folder in folders.iter().filter(|f| f.is_dir()) {
        match Report::read(folder) {
            Ok(Some(report)) if is_of(&report, fingerprint) => reports.push(report),
            Ok(Some(_)) => left_out.push(format!("The report in {} is of another model.", folder.display())),
            Ok(None) => {}
            Err(error) => left_out.push(format!("{error}.")),
        }
    }
    Ok((reports, left_out))
}

/// Whether the folder holds a readable report whose settings or model differ from those of
/// `report`.
pub fn holds_other_settings(folder: &Path, report: &Report) -> bool {
    let same = |there: &Report, key: &str| there.run_value(key) == report.run_value(key);
    Report::read(folder).is_ok_and(|there| there.is_some_and(|there| !same(&there, "settings") || !same(&there, "model")))
}

/// Whether a report is of the model with this fingerprint.
fn is_of(report: &Report, fingerprint: &str) -> bool {
    report.run_value("model").is_some_and(|m| m.ends_with(fingerprint))
}

#[cfg(test)]
mod tests {
    use super::super::{Figure, Finding, Table};
    use super::*;
    use crate::stats::bootstrap;

    #[test]
    fn what_was_written_is_read_again_if_it_is_of_the_model() {
        let mut table = Table::new("t", &["k"]);
        table.rows.push(vec!["1".into()]);
        let report = |name: &str, model: &str| Report {
            name: name.into(),
            // No value at all: NaN, which JSON lacks.
            findings: vec![Finding::new("c", "e", 0.0, bootstrap(&[], 10, 0))],
            tables: vec![table.clone()],
            figures: vec![Figure::curves("f", ["x", "y"], vec![("a".into(), vec![(1.0, 2.0), (2.0, f64::NAN)])])],
            run: vec![("model".into(), format!("m, fingerprint {model}"))],
            ..Report::default()
        };
        let dir = tempfile::tempdir().unwrap();
        report("ours", "aaaa").write(&dir.path().join("ours")).unwrap();
        report("theirs", "bbbb").write(&dir.path().join("theirs")).unwrap();
        std::fs::create_dir(dir.path().join("broken")).unwrap();
        std::fs::write(dir.path().join("broken/report.json"), "{").unwrap();
        let (reports, left_out) = load(dir.path(), "aaaa").unwrap();
        assert_eq!(reports.len(), 1);
        let read = &reports[0];
        assert_eq!((read.name.as_str(), &read.tables[0].rows), ("ours", &table.rows));
        assert!(read.findings[0].interval.mean.is_nan());
        assert_eq!(left_out.len(), 2);
        assert!(left_out[0].contains("is not a report") && left_out[1].contains("another model"), "{left_out:?}");
        assert!(holds_other_settings(&dir.path().join("theirs"), read) && !holds_other_settings(&dir.path().join("ours"), read));
        assert!(!holds_other_settings(&dir.path().join("missing"), read));
        assert!(load(&dir.path().join("missing"), "aaaa").unwrap().0.is_empty());
    }
}
