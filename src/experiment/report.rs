//! What an experiment found, and its files: `report.json`, `report.md`, one CSV per table and one
//! SVG per figure.

use super::Figure;
use crate::error::{Error, Result};
use crate::files;
use crate::stats::{Interval, Verdict};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::path::Path;

/// A claim, its measured effect and the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim, as a sentence.
    pub claim: String,
    /// What was measured, with its unit.
    pub effect: String,
    /// The claim says that the effect is above this.
    pub threshold: f64,
    /// The measured effect.
    pub interval: Interval,
    /// The verdict.
    pub verdict: Verdict,
}

impl Finding {
    /// A finding with its computed verdict.
    pub fn new(claim: impl Into<String>, effect: impl Into<String>, threshold: f64, interval: Interval) -> Self {
        Self { claim: claim.into(), effect: effect.into(), threshold, interval, verdict: Verdict::above(threshold, &interval) }
    }
}

/// A table of text cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// File name without extension.
    pub name: String,
    /// Column headings.
    pub columns: Vec<String>,
    /// Rows, each with one cell per heading.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, columns: &[&str]) -> Self {
        Self { name: name.into(), columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// The table as CSV.
    ///
    /// # Errors
    /// [`Error::Input`] if the number of cells in a row differs from the number of headings.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let wrong = |e: &dyn std::fmt::Display| Error::Input(format!("the table {} cannot be written: {e}", self.name));
        let mut csv = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            csv.write_record(row).map_err(|e| wrong(&e))?;
        }
        csv.into_inner().map_err(|e| wrong(&e))
    }
}

/// What an experiment found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The experiment's name.
    pub name: String,
    /// The experiment's question.
    pub question: String,
    /// How it was done, including choices that are ours and not the paper's.
    pub setup: Vec<String>,
    /// Claims and verdicts.
    pub findings: Vec<Finding>,
    /// Tables of the measured numbers.
    pub tables: Vec<Table>,
    /// Figures of the measured numbers.
    pub figures: Vec<Figure>,
    /// Settings and circumstances: model, fingerprint, seeds, seconds.
    pub run: Vec<(String, String)>,
}

impl Report {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n\n", self.name, self.question);
        for finding in &self.findings {
            let Finding { claim, effect, interval, verdict, threshold } = finding;
            text += &format!("- {claim}: **{verdict}**. {effect} {interval}, n = {}, claimed above {threshold}.\n", interval.n);
        }
        for table in &self.tables {
            text += &format!("\n## {}\n\n| {} |\n|{}\n", table.name, table.columns.join(" | "), "---|".repeat(table.columns.len()));
            for row in &table.rows {
                // A model's answer may contain the bar that separates cells.
                let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
                text += &format!("| {} |\n", cells.join(" | "));
            }
        }
        for figure in self.figures.iter().filter(|f| !f.is_empty()) {
            text += &format!("\n![{}]({}.svg)\n", figure.name, figure.name);
        }
        text += "\n## How\n\nIntervals are 95 % bootstrap intervals, tasks or documents resampled whole.\n\n";
        for line in &self.setup {
            text += &format!("- {line}\n");
        }
        for (key, value) in &self.run {
            text += &format!("- {key}: {value}\n");
        }
        text
    }

    /// Writes all files into a folder. Each file is written whole or not at all. `report.json` is
    /// written last, so where it exists the report is complete.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if a table cannot be written or a figure cannot be drawn.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let last = dir.join(FILE);
        match std::fs::remove_file(&last) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&last)(e)),
            _ => {}
        }
        let whole = |name: &str, bytes: &[u8]| files::replace(&dir.join(name), bytes, &OpenOptions::new());
        for table in &self.tables {
            whole(&format!("{}.csv", table.name), &table.csv()?)?;
        }
        // An experiment with nothing to draw still has tables.
        for figure in self.figures.iter().filter(|f| !f.is_empty()) {
            whole(&format!("{}.svg", figure.name), figure.svg()?.as_bytes())?;
        }
        whole("report.md", self.markdown().as_bytes())?;
        let json = serde_json::to_string_pretty(self).map_err(|e| Error::Input(e.to_string()))?;
        whole(FILE, json.as_bytes())
    }

    /// Reads the finished report in a folder; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if the file is not a report.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        match files::text(&path, files::LARGE) {
            Err(e) if files::is_missing(&e) => Ok(None),
            Err(e) => Err(e),
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| Error::Input(format!("{} is not a report: {e}", path.display()))),
        }
    }

    /// The value of an entry of [`Report::run`]: `model`, `settings`, `seconds`, ….
    pub fn run_value(&self, key: &str) -> Option<&str> {
        self.run.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// The file whose presence shows that a report is complete.
const FILE: &str = "report.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap;

    #[test]
    fn a_report_is_written_whole() {
        let mut table = Table::new("by-k", &["k", "accuracy"]);
        table.rows.push(vec!["1".into(), "0.5, or so".into()]);
        table.rows.push(vec!["2".into(), "a|b".into()]);
        let figure = Figure::curves("f", ["k", "accuracy"], vec![("a <b>".into(), vec![(1.0, 0.5), (2.0, f64::NAN)])]);
        let finding = Finding::new("more is better", "difference", 0.0, bootstrap(&[(0, 1.0), (1, 2.0), (2, 1.5)], 100, 0));
        let report = Report {
            name: "n".into(),
            question: "q?".into(),
            findings: vec![finding],
            tables: vec![table],
            figures: vec![figure],
            ..Report::default()
        };
        let dir = tempfile::tempdir().unwrap();
        report.write(dir.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("by-k.csv"), "k,accuracy\n1,\"0.5, or so\"\n2,a|b\n");
        assert!(read("f.svg").contains("<svg") && read("f.svg").contains("a &lt;b&gt;"));
        assert!(read("report.md").contains("more is better: **supported**") && read("report.md").contains(r"| 2 | a\|b |"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read("report.json")).unwrap()["findings"][0]["verdict"], "supported");
        let back = Report::read(dir.path()).unwrap().unwrap();
        assert_eq!((&back.findings, &back.tables), (&report.findings, &report.tables));
        assert_eq!(Report::read(&dir.path().join("none")).unwrap(), None);
        std::fs::write(dir.path().join("report.json"), "{").unwrap();
        assert!(Report::read(dir.path()).unwrap_err().to_string().contains("is not a report"));
        let names = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|n| !n.contains(".new")));
    }
}
