//! Do trained tasks' skills help tasks that training never saw? The skills of all unseen tasks are
//! left out of the library.

use crate::control::Control;
use crate::error::Result;
use crate::experiment::compare::Rows;
use crate::experiment::few_shot::{self, AUTO, HALF, Named, POSTERIOR, QUERY, SHOTS, TOP};
use crate::experiment::group::Group;
use crate::experiment::{Figure, Report, Settings};
use crate::lab::trials::Trials;

const SOUPS: [Named; 5] = [QUERY, TOP, POSTERIOR, HALF, AUTO];

/// Scores on questions of unseen tasks, for each of [`SHOTS`].
#[derive(Default)]
pub struct Carried {
    by_k: [Rows; SHOTS.len()],
}

impl Carried {
    /// Asks the unseen tasks' questions. Does nothing unless the lab has both trained and unseen
    /// tasks.
    ///
    /// # Errors
    /// The model's; [`Error::Cancelled`](crate::error::Error::Cancelled).
    pub fn measure(&mut self, trials: &Trials<'_>, settings: &Settings, control: Control<'_>, show: &mut dyn FnMut(&Self)) -> Result<()> {
        let lab = trials.lab;
        if Group::of(lab) != [Group::Trained, Group::Unseen] {
            return Ok(());
        }
        let unseen: Vec<&str> = lab.tasks().iter().filter(|task| lab.is_unseen(task)).map(|task| task.name.as_str()).collect();
        let view = lab.default_view();
        let draws = |task: &_| if lab.is_unseen(task) { few_shot::draws(lab, settings, task) } else { 0 };
        few_shot::pose(trials, settings, &draws, control, &mut |posed| {
            let quiet = control.with_progress(&|_| {});
            let scores = lab.at(&posed.text(lab.template()), &view, &unseen, quiet, |mixer| {
                let candidates = SOUPS.iter().map(|soup| soup.at(mixer)).collect::<Result<_>>()?;
                trials.put(candidates, &posed.asked, control)
            })?;
            self.by_k[posed.k].add(posed.t, &scores);
            show(self);
            Ok(())
        })
    }

    /// Adds tables, findings and the figure to a report. Does nothing unless the lab has both
    /// trained and unseen tasks.
    pub fn add_to(&self, report: &mut Report, trials: &Trials<'_>, settings: &Settings) {
        if Group::of(trials.lab) != [Group::Trained, Group::Unseen] {
            return;
        }
        report
            .setup
            .push("carried over: the skills of all unseen tasks are as if they were not in the library; unseen tasks are asked".into());
        report.setup.extend(SOUPS.iter().map(Named::told));
        for (rows, k) in self.by_k.iter().zip(SHOTS) {
            report.tables.push(rows.table(&format!("carried-over-k-{k}"), settings));
            for (what, better) in [("auto", AUTO.name), ("the plain mean of the query and three skills", TOP.name)] {
                let claim = format!("Unseen tasks, trained tasks' skills: At k = {k}, {what} is better than the query alone");
                report.findings.push(rows.finding(&claim, better, QUERY.name, 0.0, settings));
            }
        }
        let curve = |name: &str| {
            let points = SHOTS.iter().zip(&self.by_k).map(|(k, rows)| ((*k as f64).log2(), rows.accuracy(name)));
            (name.to_string(), points.collect())
        };
        let curves = SOUPS.iter().map(|soup| curve(soup.name)).collect();
        report.figures.push(Figure::curves("carried-over", ["log2 of the query's examples", "exact answers"], curves));
    }
}
