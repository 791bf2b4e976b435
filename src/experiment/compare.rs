//! Asks several states the same questions: accuracy and answer NLL per state, and paired
//! differences.

use super::group::Group;
use super::{Finding, Report, Settings, Table};
use crate::lab::Lab;
use crate::lab::trials::Score;
use crate::stats::{Interval, bootstrap};

/// Scores: one row per question, one column per candidate.
#[derive(Default)]
pub struct Rows {
    names: Vec<String>,
    /// For each question: the group it is resampled with (its task), and its scores.
    rows: Vec<(usize, Vec<Score>)>,
}

impl Rows {
    /// A table without questions, with these candidates.
    pub fn new(names: &[&str]) -> Self {
        Self { names: names.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a question's scores, in the order of the names.
    pub fn push(&mut self, task: usize, scores: &[Score]) {
        self.rows.push((task, scores.to_vec()));
    }

    /// Adds a question's scores with the candidates' names. If there are no names yet, these become
    /// the names.
    pub fn add(&mut self, task: usize, scores: &[(&str, Score)]) {
        if self.names.is_empty() {
            self.names = scores.iter().map(|(name, _)| (*name).to_string()).collect();
        }
        assert!(self.names.iter().eq(scores.iter().map(|(name, _)| name)), "every question is put to the same candidates");
        self.rows.push((task, scores.iter().map(|(_, score)| *score).collect()));
    }

    /// Only the questions of one group of the lab's tasks.
    pub fn only(&self, group: Group, lab: &Lab) -> Self {
        let rows = self.rows.iter().filter(|(task, _)| group.holds(lab, *task));
        Self { names: self.names.clone(), rows: rows.cloned().collect() }
    }

    /// The questions of several tables that have the same candidates.
    pub fn joined(parts: &[Self]) -> Self {
        let names = parts.iter().map(|part| &part.names).find(|names| !names.is_empty());
        Self { names: names.cloned().unwrap_or_default(), rows: parts.iter().flat_map(|part| part.rows.clone()).collect() }
    }

    /// A candidate's column; `None` while there are no candidates. Panics on an unknown name: that
    /// is a bug in the program, and must not look like an effect that could not be distinguished.
    fn column(&self, name: &str) -> Option<usize> {
        let found = self.names.iter().position(|n| n == name);
        assert!(found.is_some() || self.names.is_empty(), "no candidate is called `{name}`; there are {}", self.names.join(", "));
        found
    }

    fn interval(&self, of: impl Fn(&[Score]) -> f64, settings: &Settings) -> Interval {
        let values: Vec<(usize, f64)> = self.rows.iter().map(|(g, s)| (*g, of(s))).collect();
        bootstrap(&values, settings.resamples, settings.seed)
    }

    /// Accuracy and NLL of every candidate.
    pub fn table(&self, name: &str, settings: &Settings) -> Table {
        let columns = ["state", "accuracy", "low", "high", "answer NLL", "NLL low", "NLL high", "questions"];
        let mut table = Table::new(name, &columns);
        for (c, candidate) in self.names.iter().enumerate() {
            let hit = self.interval(|s| f64::from(u8::from(s[c].hit)), settings);
            let nll = self.interval(|s| s[c].nll, settings);
            let mut row = vec![candidate.clone()];
            row.extend([hit.mean, hit.low, hit.high, nll.mean, nll.low, nll.high].map(|v| format!("{v:.4}")));
            row.push(hit.n.to_string());
            table.rows.push(row);
        }
        table
    }

    /// A report with only the table.
    pub fn report(&self, name: &str, settings: &Settings) -> Report {
        Report { tables: vec![self.table(name, settings)], ..Report::default() }
    }

    /// Mean accuracy of a candidate.
    pub fn accuracy(&self, name: &str) -> f64 {
        let Some(c) = self.column(name) else { return f64::NAN };
        self.rows.iter().map(|(_, s)| f64::from(u8::from(s[c].hit))).sum::<f64>() / self.rows.len() as f64
    }

    /// The claim "`better` has a higher accuracy than `worse` by more than `threshold`", paired by
    /// question.
    pub fn finding(&self, claim: &str, better: &str, worse: &str, threshold: f64, settings: &Settings) -> Finding {
        let interval = match (self.column(better), self.column(worse)) {
            (Some(a), Some(b)) => self.interval(|s| f64::from(u8::from(s[a].hit)) - f64::from(u8::from(s[b].hit)), settings),
            _ => bootstrap(&[], 0, 0),
        };
        Finding::new(claim, format!("accuracy of `{better}` minus `{worse}`:"), threshold, interval)
    }

    /// The claim "`better` saves more than `threshold` nats per right answer over `worse`", paired
    /// by question.
    pub fn saved(&self, claim: &str, better: &str, worse: &str, threshold: f64, settings: &Settings) -> Finding {
        let interval = match (self.column(better), self.column(worse)) {
            (Some(a), Some(b)) => self.interval(|s| s[b].nll - s[a].nll, settings),
            _ => bootstrap(&[], 0, 0),
        };
        Finding::new(claim, format!("nats an answer saved by `{better}` over `{worse}`:"), threshold, interval)
    }

    /// Accuracy of every candidate for each kind of task (its family).
    pub fn table_by(&self, name: &str, kind: &dyn Fn(usize) -> String) -> Table {
        let columns: Vec<&str> = ["family", "questions"].into_iter().chain(self.names.iter().map(String::as_str)).collect();
        let mut table = Table::new(name, &columns);
        for (label, part) in self.parts(kind) {
            let mut row = vec![label, part.rows.len().to_string()];
            row.extend(self.names.iter().map(|n| format!("{:.4}", part.accuracy(n))));
            table.rows.push(row);
        }
        table
    }

    /// The difference between `better` and `worse` for each kind of task, with intervals.
    pub fn difference_by(&self, name: &str, better: &str, worse: &str, kind: &dyn Fn(usize) -> String, settings: &Settings) -> Table {
        let columns = ["family", "difference in accuracy", "low", "high", "nats an answer saved", "low", "high", "questions"];
        let mut table = Table::new(name, &columns);
        for (label, part) in self.parts(kind) {
            let (hit, nll) =
                (part.finding("", better, worse, 0.0, settings).interval, part.saved("", better, worse, 0.0, settings).interval);
            let mut row = vec![label];
            row.extend([hit.mean, hit.low, hit.high, nll.mean, nll.low, nll.high].map(|v| format!("{v:.4}")));
            row.push(hit.n.to_string());
            table.rows.push(row);
        }
        table
    }

    fn parts(&self, kind: &dyn Fn(usize) -> String) -> std::collections::BTreeMap<String, Self> {
        let mut parts = std::collections::BTreeMap::new();
        for (task, scores) in &self.rows {
            let part = parts.entry(kind(*task)).or_insert_with(|| Self { names: self.names.clone(), rows: Vec::new() });
            part.rows.push((*task, scores.clone()));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Verdict;

    #[test]
    fn differences_are_paired() {
        let settings = Settings::quick();
        let mut rows = Rows::new(&["a", "b"]);
        for i in 0..40 {
            // Half of the tasks are hard for both. `a` is right whenever `b` is, and on half of the
            // hard ones.
            let hard = i % 2 == 0;
            rows.push(i, &[Score { nll: 1.0, hit: !hard || i % 4 == 0 }, Score { nll: 2.0, hit: !hard }]);
        }
        let finding = rows.finding("a is better", "a", "b", 0.0, &settings);
        assert_eq!(finding.verdict, Verdict::Supported);
        assert!((finding.interval.mean - 0.25).abs() < 1e-12);
        assert_eq!(rows.finding("b is better", "b", "a", 0.0, &settings).verdict, Verdict::Contradicted);
        assert_eq!(rows.table("t", &settings).rows[0][1], "0.7500");
        assert_eq!(rows.saved("a is surer", "a", "b", 0.5, &settings).verdict, Verdict::Supported);
    }

    #[test]
    #[should_panic(expected = "no candidate is called `c`; there are a, b")]
    fn a_name_that_no_candidate_has_is_no_finding() {
        let mut rows = Rows::default();
        // Before the first question no names are known.
        assert_eq!(rows.finding("nothing yet", "a", "c", 0.0, &Settings::quick()).verdict, Verdict::NotDistinguishable);
        let score = Score { nll: 1.0, hit: true };
        rows.add(0, &[("a", score), ("b", score)]);
        rows.finding("a is better than nothing known", "a", "c", 0.0, &Settings::quick());
    }

    #[test]
    fn questions_are_joined() {
        let score = |hit| Score { nll: 1.0, hit };
        let mut parts = [Rows::default(), Rows::default(), Rows::default()];
        parts[1].add(0, &[("a", score(true)), ("b", score(false))]);
        parts[2].add(0, &[("a", score(false)), ("b", score(false))]);
        let all = Rows::joined(&parts);
        assert_eq!((all.accuracy("a"), all.accuracy("b")), (0.5, 0.0));
    }

    #[test]
    fn parts_are_counted_apart() {
        let settings = Settings::quick();
        let mut rows = Rows::new(&["a", "b"]);
        for i in 0..8 {
            rows.push(i, &[Score { nll: 1.0, hit: i < 4 }, Score { nll: 1.5, hit: false }]);
        }
        let kind = |group: usize| if group < 4 { "low" } else { "up" }.to_string();
        let table = rows.table_by("t", &kind);
        assert_eq!(table.rows, [["low", "4", "1.0000", "0.0000"], ["up", "4", "0.0000", "0.0000"]]);
        let table = rows.difference_by("d", "a", "b", &kind, &settings);
        assert_eq!(table.rows[0][1..5], ["1.0000", "1.0000", "1.0000", "0.5000"]);
        assert_eq!(table.rows[1][1], "0.0000");
    }
}
