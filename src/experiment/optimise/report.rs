//! What is written about the queries that soups were optimised for.

use super::Chosen;
use super::problem::{KNOTS, MOST, NAMES};
use crate::experiment::compare::Rows;
use crate::experiment::group::Group;
use crate::experiment::{Report, Settings, Table};

/// Results for the queries of one group of tasks.
pub struct Part {
    pub group: Group,
    pub rows: Rows,
    pub chosen: Vec<Chosen>,
}

impl Part {
    pub fn new(group: Group) -> Self {
        Self { group, rows: Rows::new(&NAMES), chosen: Vec::new() }
    }

    fn add_to(&self, report: &mut Report, settings: &Settings) {
        let Self { group, rows, chosen } = self;
        report.tables.push(rows.table(&group.name("held-out"), settings));
        let columns = ["state", "nats an answer on the examples left out, mean over queries", "queries"];
        let mut left_out = Table::new(&group.name("left-out"), &columns);
        for (i, name) in NAMES.iter().enumerate() {
            let mean = chosen.iter().map(|c| c.candidates[i].left_out).sum::<f64>() / chosen.len() as f64;
            left_out.rows.push(vec![(*name).into(), format!("{mean:.4}"), chosen.len().to_string()]);
        }
        report.tables.push(left_out);
        for (told, other) in
            [("query alone", "query"), ("best skill", "best skill"), ("plain mean", "plain mean"), ("greedy soup", "greedy soup")]
        {
            let claim = group.claim(&format!("On held-out questions optimised weights beat the {told}"));
            report.findings.push(rows.saved(&claim, "weights", other, 0.0, settings));
        }
        let claim = group.claim("Optimised weights give more exact answers than the query alone");
        report.findings.push(rows.finding(&claim, "weights", "query", 0.0, settings));
        report.findings.push(rows.saved(&group.claim("Layer weights add to that"), "weights and layers", "weights", 0.0, settings));
    }
}

pub fn report(parts: &[Part], top: usize, settings: &Settings) -> Report {
    let mut report = Report {
        setup: vec![
            format!(
                "ingredients: the query and the {top} best-ranked skills; the ranking saw all examples, the weights are chosen by examples left out"
            ),
            format!(
                "Nelder-Mead, at most {MOST} soups for the weights and as many for the weights of {KNOTS} knots over the layers; weights are not negative and add up to 1"
            ),
            "held-out questions had no part in any choice, and are in no skill and no query of the run".into(),
        ],
        ..Report::default()
    };
    for part in parts {
        part.add_to(&mut report, settings);
    }
    report
}
