//! Generations and progress of the engine's jobs.

use super::effect::Effect;
use crate::engine::{Generation, Job, JobKind, Request};
use std::collections::BTreeMap;

/// A running job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// Units done.
    pub done: u64,
    /// Total units; 0 if not known.
    pub total: u64,
    /// What is counted.
    pub unit: &'static str,
    /// The clock when it was sent, in milliseconds.
    pub since: u64,
    /// The clock when it last reported, in milliseconds.
    pub seen: u64,
}

impl Running {
    /// Units per second so far; `None` until a unit is done and 0.3 s have passed.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.seen.saturating_sub(self.since) as f64 / 1000.0;
        (self.done > 0 && seconds >= 0.3).then(|| self.done as f64 / seconds)
    }

    /// Estimated seconds left at that rate.
    pub fn seconds_left(&self) -> Option<f64> {
        let rate = self.rate()?;
        (self.total > self.done).then(|| (self.total - self.done) as f64 / rate)
    }
}

/// The newest generation of each kind of job, and the running jobs.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    issued: BTreeMap<JobKind, Generation>,
    running: BTreeMap<JobKind, Running>,
}

impl Jobs {
    /// Makes a request the newest of its kind.
    pub fn send(&mut self, request: Request, clock: u64) -> Effect {
        let kind = request.kind();
        let generation = self.issued.entry(kind).or_default();
        *generation += 1;
        let generation = *generation;
        self.running.insert(kind, Running { done: 0, total: 0, unit: "", since: clock, seen: clock });
        Effect::Send(Job { generation, request })
    }

    /// Cancels the running job of this kind; its results are stale from now on.
    pub fn cancel(&mut self, kind: JobKind) -> Option<Effect> {
        self.running.remove(&kind)?;
        *self.issued.entry(kind).or_default() += 1;
        Some(Effect::Cancel(kind))
    }

    /// Whether a result belongs to the newest job of its kind. True for opening always, because the
    /// engine starts that itself.
    pub fn is_current(&self, kind: JobKind, generation: Generation) -> bool {
        kind == JobKind::Open || self.issued.get(&kind) == Some(&generation)
    }

    /// The newest generation of a kind.
    pub fn generation(&self, kind: JobKind) -> Generation {
        self.issued.get(&kind).copied().unwrap_or(0)
    }

    /// Whether a job of this kind is running.
    pub fn is_running(&self, kind: JobKind) -> bool {
        self.running.contains_key(&kind)
    }

    /// Whether any job is running.
    pub fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// The kinds of running jobs.
    pub fn kinds(&self) -> impl Iterator<Item = JobKind> {
        self.running.keys().copied()
    }

    /// A job's progress.
    pub fn running(&self, kind: JobKind) -> Option<&Running> {
        self.running.get(&kind)
    }

    /// Stores a report of progress.
    pub fn progress(&mut self, kind: JobKind, done: u64, total: u64, unit: &'static str, clock: u64) {
        let running = self.running.entry(kind).or_insert(Running { done, total, unit, since: clock, seen: clock });
        if running.unit != unit {
            // Another phase: measure its rate from here.
            running.since = clock;
        }
        *running = Running { done, total, unit, since: running.since, seen: clock };
    }

    /// Removes a job that has ended.
    pub fn finish(&mut self, kind: JobKind) {
        self.running.remove(&kind);
    }

    /// The long job shown in the header, with its word there.
    pub fn shown(&self) -> Option<(&'static str, &Running)> {
        let shown = self.running.iter().filter_map(|(kind, running)| Some((kind.about().header?, running)));
        shown.min_by_key(|((place, _), _)| *place).map(|((_, word), running)| (word, running))
    }

    /// The kind of running job that Esc stops first.
    pub fn stopped_by_esc(&self) -> Option<JobKind> {
        self.kinds().filter_map(|kind| Some((kind.about().esc?, kind))).min().map(|(_, kind)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::BuildRequest;

    #[test]
    fn a_newer_job_makes_the_older_ones_results_stale() {
        let mut jobs = Jobs::default();
        jobs.send(Request::Build(BuildRequest::default()), 0);
        assert!(jobs.is_current(JobKind::Build, 1));
        jobs.send(Request::Build(BuildRequest::default()), 0);
        assert!(!jobs.is_current(JobKind::Build, 1));
        assert!(jobs.cancel(JobKind::Build).is_some());
        assert!(!jobs.is_current(JobKind::Build, 2));
        assert!(jobs.cancel(JobKind::Build).is_none());
    }

    #[test]
    fn rate_and_time_left_come_from_the_clock() {
        let mut jobs = Jobs::default();
        jobs.send(Request::Build(BuildRequest::default()), 1000);
        jobs.progress(JobKind::Build, 0, 300, "skills", 1000);
        jobs.progress(JobKind::Build, 100, 300, "skills", 11_000);
        let running = jobs.running(JobKind::Build).unwrap();
        assert_eq!(running.rate(), Some(10.0));
        assert_eq!(running.seconds_left(), Some(20.0));
    }
}
