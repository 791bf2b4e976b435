//! What an experiment found, and its files: `report.json`, `report.md`, a CSV a table, an SVG a figure.

use super::stats::{Interval, Verdict};
use crate::error::{Error, Result};
use plotters::prelude::*;
use serde::Serialize;
use std::path::Path;

/// A claim and what was measured of it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The claim, as a sentence.
    pub claim: String,
    /// What the effect is, with its unit.
    pub effect: String,
    /// The claim is that the effect is above this.
    pub threshold: f64,
    /// The effect.
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

/// Rows of text under headings.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// File name without ending.
    pub name: String,
    /// Headings.
    pub columns: Vec<String>,
    /// Rows, each as long as the headings.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, columns: &[&str]) -> Self {
        Self { name: name.into(), columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }
}

/// Curves over one axis.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// File name without ending.
    pub name: String,
    /// What the axes are.
    pub axes: [String; 2],
    /// Label and points of each curve.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// What an experiment found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// How it was done, where that is not the paper's but ours.
    pub setup: Vec<String>,
    /// Claims and verdicts.
    pub findings: Vec<Finding>,
    /// Numbers.
    pub tables: Vec<Table>,
    /// Pictures.
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
                text += &format!("| {} |\n", row.join(" | "));
            }
        }
        for figure in &self.figures {
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

    /// Writes everything into a folder, `report.json` last: where it stands, the run was finished.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if a figure cannot be drawn.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        for table in &self.tables {
            let path = dir.join(format!("{}.csv", table.name));
            let mut csv = csv::Writer::from_path(&path).map_err(|e| Error::io(&path)(e.into()))?;
            for row in std::iter::once(&table.columns).chain(&table.rows) {
                csv.write_record(row).map_err(|e| Error::io(&path)(e.into()))?;
            }
            csv.flush().map_err(Error::io(&path))?;
        }
        for figure in &self.figures {
            let path = dir.join(format!("{}.svg", figure.name));
            std::fs::write(&path, figure.svg()?).map_err(Error::io(&path))?;
        }
        let path = dir.join("report.md");
        std::fs::write(&path, self.markdown()).map_err(Error::io(&path))?;
        let path = dir.join("report.json");
        let json = serde_json::to_string_pretty(self).map_err(|e| Error::Input(e.to_string()))?;
        std::fs::write(&path, json).map_err(Error::io(&path))
    }
}

/// Colours that colour-blind readers tell apart (Okabe and Ito); the legend's order is the curves', so nothing hangs on colour alone.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(150, 150, 150),
];

impl Figure {
    /// The picture.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no point to draw or the backend fails.
    pub fn svg(&self) -> Result<String> {
        let points = || self.curves.iter().flat_map(|(_, p)| p).filter(|(x, y)| x.is_finite() && y.is_finite());
        let range = |of: fn(&(f64, f64)) -> f64| {
            let (low, high) = points().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            let margin = ((high - low) * 0.05).max(1e-9);
            low - margin..high + margin
        };
        if points().next().is_none() {
            return Err(Error::Input(format!("the figure {} has no point", self.name)));
        }
        let failed = |e: &dyn std::fmt::Display| Error::Input(format!("the figure {} cannot be drawn: {e}", self.name));
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (760, 460)).into_drawing_area();
            root.fill(&WHITE).map_err(|e| failed(&e))?;
            let mut chart = ChartBuilder::on(&root)
                .margin(12)
                .x_label_area_size(40)
                .y_label_area_size(60)
                .build_cartesian_2d(range(|p| p.0), range(|p| p.1))
                .map_err(|e| failed(&e))?;
            chart.configure_mesh().x_desc(&self.axes[0]).y_desc(&self.axes[1]).light_line_style(WHITE).draw().map_err(|e| failed(&e))?;
            for (i, (label, points)) in self.curves.iter().enumerate() {
                let colour = COLOURS[i % COLOURS.len()];
                let finite = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
                let line = LineSeries::new(finite.clone(), colour.stroke_width(2));
                chart
                    .draw_series(line)
                    .map_err(|e| failed(&e))?
                    .label(label)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
                chart.draw_series(finite.map(|p| Circle::new(p, 3, colour.filled()))).map_err(|e| failed(&e))?;
            }
            chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw().map_err(|e| failed(&e))?;
            root.present().map_err(|e| failed(&e))?;
        }
        Ok(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::bootstrap;
    use super::*;

    #[test]
    fn a_report_is_written_whole() {
        let mut table = Table::new("by-k", &["k", "accuracy"]);
        table.rows.push(vec!["1".into(), "0.5, or so".into()]);
        let figure = Figure {
            name: "f".into(),
            axes: ["k".into(), "accuracy".into()],
            curves: vec![("a <b>".into(), vec![(1.0, 0.5), (2.0, f64::NAN)])],
        };
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
        assert_eq!(read("by-k.csv"), "k,accuracy\n1,\"0.5, or so\"\n");
        assert!(read("f.svg").contains("<svg") && read("f.svg").contains("a &lt;b&gt;"));
        assert!(read("report.md").contains("more is better: **supported**"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read("report.json")).unwrap()["findings"][0]["verdict"], "supported");
    }

    #[test]
    fn an_empty_figure_is_refused() {
        let figure = Figure { name: "f".into(), axes: [String::new(), String::new()], curves: vec![("a".into(), vec![])] };
        assert!(figure.svg().unwrap_err().to_string().contains("no point"));
    }
}
