//! The query's own task is removed from the library. Do soups of other tasks' skills then do no
//! harm, and does the evidence report that no skill fits?

use super::compare::Rows;
use super::few_shot::{self, AUTO, GATED, HALF, Named, POSTERIOR, Posed, QUERY, SHOTS, TOP};
use super::group::Group;
use super::{Figure, Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Score, Trials};
use crate::stats::{Interval, bootstrap};

const SOUPS: [Named; 6] = [QUERY, TOP, POSTERIOR, HALF, GATED, AUTO];
/// `auto` with the task in the library: a reference with skills of the right task.
const ORACLE: Named = Named { name: "auto, the task in the library", recipe: AUTO.recipe };
/// The claimed share of queries of unknown tasks for which "none of these" is reported (our
/// choice).
const FINDS: f64 = 0.8;
/// The claimed largest share of false alarms among queries of known tasks (our choice).
const ALARMS: f64 = 0.1;
/// Approximate number of points of a curve; one per query would make the report too large.
const POINTS: usize = 100;

/// The evidence on one query with its task in the library, and with it removed.
#[derive(Clone, Copy)]
struct Told {
    /// The task's index in the lab.
    t: usize,
    known: Said,
    unknown: Said,
}

/// What the evidence says about a query.
#[derive(Clone, Copy)]
struct Said {
    /// The posterior of "none of these".
    none: f64,
    /// Whether "none of these" is reported: the evidence says that no task fits.
    told: bool,
}

/// Measurements on a group of tasks, for each of [`SHOTS`].
struct Part {
    group: Group,
    rows: [Rows; SHOTS.len()],
    told: [Vec<Told>; SHOTS.len()],
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let skills = trials.lab.library();
    let skills = skills.skills();
    if skills.iter().all(|s| s.task == skills[0].task) {
        return Err(Error::Input("the library has the skills of one task alone; without them there is nothing to mix".into()));
    }
    let mut groups = Group::of(trials.lab);
    if !groups.contains(&Group::All) {
        groups.insert(0, Group::All);
    }
    let part = |group| Part { group, rows: SHOTS.map(|_| Rows::default()), told: SHOTS.map(|_| Vec::new()) };
    let mut parts: Vec<Part> = groups.into_iter().map(part).collect();
    let common = few_shot::draws_of_trained(settings);
    few_shot::pose(trials, settings, &|task| few_shot::draws(trials.lab, settings, task), control, &mut |posed| {
        let (scores, told) = measure(trials, &posed, control)?;
        for part in &mut parts {
            // In the group of all tasks each task counts equally, so the extra draws of unseen
            // tasks are left out.
            let counts = part.group != Group::All || posed.round < common;
            if counts && part.group.holds(trials.lab, posed.t) {
                part.rows[posed.k].add(posed.t, &scores);
                part.told[posed.k].push(told);
            }
        }
        live.show(|| report(&parts, trials, settings));
        Ok(())
    })?;
    Ok(report(&parts, trials, settings))
}

/// Scores with the soups' names.
type Scores = Vec<(&'static str, Score)>;

/// Measures one query with its task in the library, and with it removed.
fn measure(trials: &Trials<'_>, posed: &Posed<'_>, control: Control<'_>) -> Result<(Scores, Told)> {
    let text = posed.text(trials.lab.template());
    let without = [posed.task.name.as_str()];
    let (mut scores, unknown) = ask(trials, &text, &without, &SOUPS, posed, control)?;
    let (oracle, known) = ask(trials, &text, &[], &[ORACLE], posed, control)?;
    scores.extend(oracle);
    Ok((scores, Told { t: posed.t, known, unknown }))
}

/// Asks some soups the question, with the tasks `without` removed from the library.
fn ask(
    trials: &Trials<'_>,
    text: &str,
    without: &[&str],
    soups: &[Named],
    posed: &Posed<'_>,
    control: Control<'_>,
) -> Result<(Scores, Said)> {
    let quiet = control.with_progress(&|_| {});
    trials.lab.at(text, &trials.lab.default_view(), without, quiet, |mixer| {
        let evidence = mixer.evidence()?;
        let candidates = soups.iter().map(|soup| soup.at(mixer)).collect::<Result<_>>()?;
        let scores = trials.put(candidates, &posed.asked, control)?;
        Ok((scores, Said { none: evidence.none_posterior, told: !evidence.fits }))
    })
}

fn report(parts: &[Part], trials: &Trials<'_>, settings: &Settings) -> Report {
    let common = few_shot::draws_of_trained(settings);
    let calibration = trials.lab.library().calibration();
    let gates = SHOTS.map(|k| format!("{:.3} at k = {k}", calibration.gate(k)));
    let mut report = Report {
        setup: vec![
            "the skills of the query's own task are as if they were not in the library, those of all other tasks stay".into(),
            "query examples and questions are from pairs that are in no skill's examples".into(),
            format!(
                "none of these is told where its posterior is above the library's gate: {}; a false alarm: it is told with the task in the library",
                gates.join(", ")
            ),
            "not worse is claimed if the difference is above -0.01 (ours)".into(),
        ],
        ..Report::default()
    };
    if parts.len() > 1 {
        report.setup.push(format!("all tasks together: the first {common} draws of each, so that every task counts alike"));
    }
    report.setup.extend(SOUPS.iter().chain([&ORACLE]).map(Named::told));
    for part in parts {
        part.add_answers(&mut report, settings);
        part.add_told(&mut report, settings);
    }
    report
}

impl Part {
    /// Adds the accuracy of the soups.
    fn add_answers(&self, report: &mut Report, settings: &Settings) {
        let all = Rows::joined(&self.rows);
        let by_k = SHOTS.iter().zip(&self.rows).map(|(k, rows)| (format!("At k = {k}"), format!("k-{k}"), rows));
        for (when, name, rows) in by_k.chain([("Over all k".to_string(), "all-k".to_string(), &all)]) {
            report.tables.push(rows.table(&self.group.name(&name), settings));
            let claim = self.group.claim(&format!("{when}, auto is not worse than the query alone"));
            report.findings.push(rows.finding(&claim, AUTO.name, QUERY.name, -0.01, settings));
        }
    }

    /// Adds how well "none of these" is reported.
    fn add_told(&self, report: &mut Report, settings: &Settings) {
        let columns = ["k", "false alarms", "low", "high", "finds", "low", "high", "queries"];
        let mut table = Table::new(&self.group.name("none-of-these"), &columns);
        let mut curves = Vec::new();
        for (k, told) in SHOTS.iter().zip(&self.told) {
            let share = |of: fn(&Told) -> bool| -> Interval {
                let values: Vec<(usize, f64)> = told.iter().map(|t| (t.t, f64::from(u8::from(of(t))))).collect();
                bootstrap(&values, settings.resamples, settings.seed)
            };
            let (alarms, finds) = (share(|t| t.known.told), share(|t| t.unknown.told));
            let mut row = vec![k.to_string()];
            row.extend([alarms, finds].into_iter().flat_map(|i| [i.mean, i.low, i.high]).map(|v| format!("{v:.4}")));
            row.push(finds.n.to_string());
            table.rows.push(row);
            let claim = |what: String| self.group.claim(&format!("At k = {k}, {what}"));
            let found = claim(format!("none of these is told for at least {FINDS} of unknown tasks"));
            report.findings.push(Finding::new(found, "share of finds:", FINDS, finds));
            let quiet = claim(format!("none of these is a false alarm for at most {ALARMS} of known tasks"));
            report.findings.push(Finding::new(quiet, "1 - share of false alarms:", 1.0 - ALARMS, share(|t| !t.known.told)));
            let none = |of: fn(&Told) -> f64| told.iter().map(of).collect::<Vec<f64>>();
            curves.push((format!("k = {k}"), curve(none(|t| t.known.none), &none(|t| t.unknown.none))));
        }
        report.tables.push(table);
        let axes = ["false alarms: told with the task in the library", "finds: told with the task taken out"];
        report.figures.push(Figure::curves(&self.group.name("none-of-these"), axes, curves));
    }
}

/// Shares of false alarms and of finds, with the posteriors of known tasks as thresholds (thinned
/// out), from the highest threshold to one below all posteriors.
fn curve(mut known: Vec<f64>, unknown: &[f64]) -> Vec<(f64, f64)> {
    if known.is_empty() || unknown.is_empty() {
        return Vec::new();
    }
    known.sort_by(|a, b| b.total_cmp(a));
    let share = |of: &[f64], above: f64| of.iter().filter(|p| **p > above).count() as f64 / of.len() as f64;
    let thinned = known.iter().step_by(known.len().div_ceil(POINTS));
    let mut points: Vec<(f64, f64)> = thinned.map(|&above| (share(&known, above), share(unknown, above))).collect();
    points.push((1.0, 1.0));
    points.dedup();
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_every_threshold() {
        assert_eq!(curve(vec![0.1, 0.4, 0.2], &[0.3, 0.5, 0.9, 0.05]), [(0.0, 0.5), (1.0 / 3.0, 0.75), (2.0 / 3.0, 0.75), (1.0, 1.0)]);
        // Equal posteriors pass a threshold together.
        assert_eq!(curve(vec![0.5, 0.5], &[0.5, 0.7]), [(0.0, 0.5), (1.0, 1.0)]);
        assert!(curve(Vec::new(), &[]).is_empty());
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let points = curve(many.clone(), &many);
        assert!(points.len() <= POINTS + 1 && points.iter().all(|(x, y)| x == y), "{points:?}");
    }
}
