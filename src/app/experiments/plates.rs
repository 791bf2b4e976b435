//! The pictures of a report, and its texts for the clipboard.

use super::View;
use crate::app::state::State;
use crate::app::tab::Focus;
use crate::experiment::{Figure, Heat, Picture, Report, Table};

/// A curve: its label and points.
pub type Curve = (String, Vec<(f64, f64)>);

/// A picture as the tab shows it.
#[derive(Clone, Copy, Debug)]
pub enum Plate<'a> {
    /// Curves.
    Curves(&'a Figure, &'a [Curve]),
    /// A heat map.
    Heat(&'a Figure, &'a Heat),
    /// A table's rows as values with intervals. The index is the value's column; low and high
    /// follow it.
    Intervals(&'a Table, usize),
}

/// The pictures of a report: its figures, then the tables with intervals.
pub fn plates(report: &Report) -> Vec<Plate<'_>> {
    let interval = |t: &Table| t.columns.windows(3).position(|w| w[1].ends_with("low") && w[2].ends_with("high"));
    let tables = report.tables.iter().filter(|t| !t.rows.is_empty());
    let figures = report.figures.iter().filter(|f| !f.is_empty()).map(|figure| match &figure.picture {
        Picture::Curves(curves) => Plate::Curves(figure, curves),
        Picture::Heat(heat) => Plate::Heat(figure, heat),
    });
    figures.chain(tables.filter_map(|t| interval(t).map(|c| Plate::Intervals(t, c)))).collect()
}

/// The distinct positions along the axis of some curves, ascending.
pub fn places(curves: &[Curve]) -> Vec<f64> {
    let mut all: Vec<f64> = curves.iter().flat_map(|(_, p)| p.iter().map(|p| p.0)).filter(|x| x.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// The text to copy: the table on screen, the figure's points as a table, or the report as
/// Markdown.
pub fn copy_text(state: &State) -> Option<String> {
    let tab = &state.experiments;
    let report = tab.shown()?;
    let table = |t: &Table| std::iter::once(&t.columns).chain(&t.rows).map(|r| r.join("\t") + "\n").collect::<String>();
    match (state.focus(), tab.view) {
        (Focus::Result, View::Table) => report.tables.get(tab.table).map(table),
        (Focus::Result, View::Picture) => Some(match plates(report).get(tab.picture)? {
            Plate::Intervals(of, _) => table(of),
            Plate::Curves(figure, curves) => {
                let row = |(label, points): &Curve| points.iter().map(|(x, y)| format!("{label}\t{x}\t{y}\n")).collect::<String>();
                format!("curve\t{}\t{}\n", figure.axes[0], figure.axes[1]) + &curves.iter().map(row).collect::<String>()
            }
            Plate::Heat(figure, heat) => {
                let row = |(label, values): (&String, &Vec<f64>)| {
                    format!("{label}\t{}\n", values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\t"))
                };
                format!("{}\t{}\n", figure.axes[1], heat.columns.join("\t"))
                    + &heat.rows.iter().zip(&heat.values).map(row).collect::<String>()
            }
        }),
        _ => Some(report.markdown()),
    }
}
