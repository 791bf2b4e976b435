//! Where requests wait: one slot per kind, so that a newer request replaces and cancels the older
//! one of its kind.
//!
//! Edits and results are the exception. Each of them counts, so they queue in order and a later one
//! never cancels them.

use super::{Job, JobKind};
use crate::control::Cancel;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A waiting request with the handle that cancels it.
#[derive(Debug)]
pub(super) struct Pending {
    pub job: Job,
    pub cancel: Cancel,
}

#[derive(Default)]
struct Inner {
    /// Waiting requests in order of arrival; at most one per kind, except for edits and results.
    waiting: VecDeque<Pending>,
    /// Running jobs, innermost last. A request may overtake another, so several can be in progress
    /// on the one thread.
    running: Vec<(JobKind, Cancel)>,
    closed: bool,
}

/// The mailbox between the senders and the one working thread.
#[derive(Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held cannot leave the queue inconsistent: every change is a
        // single push or remove.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request. A waiting one of the same kind is replaced, a running one is cancelled,
    /// unless the kind queues. Returns the request that was replaced before it ran.
    pub fn put(&self, job: Job) -> Option<Job> {
        let kind = job.request.kind();
        let mut inner = self.lock();
        let mut replaced = None;
        if !kind.about().queues {
            if let Some(i) = inner.waiting.iter().position(|p| p.job.request.kind() == kind) {
                replaced = inner.waiting.remove(i).map(|p| p.job);
            }
            cancel_running(&inner, kind);
        }
        inner.waiting.push_back(Pending { job, cancel: Cancel::new() });
        self.arrived.notify_all();
        replaced
    }

    /// Cancels the waiting and running jobs of a kind. Returns the jobs that had not begun.
    pub fn cancel(&self, kind: JobKind) -> Vec<Job> {
        let mut inner = self.lock();
        cancel_running(&inner, kind);
        let (gone, kept): (VecDeque<_>, _) = inner.waiting.drain(..).partition(|p| p.job.request.kind() == kind);
        inner.waiting = kept;
        gone.into_iter().map(|p| p.job).collect()
    }

    /// Takes the most urgent request above the given urgency, if there is one.
    pub fn take_above(&self, floor: Option<u8>) -> Option<Pending> {
        take(&mut self.lock(), floor)
    }

    /// Waits for a request; `None` once the mailbox is closed.
    pub fn wait(&self) -> Option<Pending> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(pending) = take(&mut inner, None) {
                return Some(pending);
            }
            inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Records that a job has begun, so that it can be cancelled.
    pub fn begin(&self, kind: JobKind, cancel: Cancel) {
        self.lock().running.push((kind, cancel));
    }

    /// Records that the innermost job has ended.
    pub fn end(&self) {
        self.lock().running.pop();
    }

    /// Closes the mailbox: cancels everything and makes [`Mailbox::wait`] return `None`.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
        inner.running.iter().for_each(|(_, cancel)| cancel.cancel());
        self.arrived.notify_all();
    }
}

fn cancel_running(inner: &Inner, kind: JobKind) {
    inner.running.iter().filter(|(k, _)| *k == kind).for_each(|(_, cancel)| cancel.cancel());
}

fn take(inner: &mut Inner, floor: Option<u8>) -> Option<Pending> {
    let best = inner
        .waiting
        .iter()
        .enumerate()
        .map(|(i, p)| (p.job.request.kind().about().urgency, i))
        .filter(|(u, _)| floor.is_none_or(|floor| *u > floor))
        // The most urgent; in a tie, the one that has waited longest.
        .max_by_key(|(u, i)| (*u, std::cmp::Reverse(*i)))?;
    inner.waiting.remove(best.1)
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;
    use crate::lab::{BuildRequest, LibraryEdit, RankView};
    use crate::library::{Metric, Part};

    fn rank(generation: u64) -> Job {
        let view = RankView { metric: Metric::Cosine, layers: 0..1, part: Part::Ssm };
        Job { generation, request: Request::Rank { query: String::new(), view } }
    }

    fn build(generation: u64) -> Job {
        Job { generation, request: Request::Build(BuildRequest::default()) }
    }

    fn edit(generation: u64) -> Job {
        Job { generation, request: Request::Edit(LibraryEdit::Delete(String::new())) }
    }

    #[test]
    fn a_newer_request_replaces_the_waiting_one_of_its_kind() {
        let mailbox = Mailbox::default();
        assert!(mailbox.put(rank(1)).is_none());
        assert!(mailbox.put(build(2)).is_none());
        assert_eq!(mailbox.put(rank(3)).map(|j| j.generation), Some(1));
        assert_eq!(mailbox.take_above(None).map(|p| p.job.generation), Some(3));
        assert_eq!(mailbox.take_above(None).map(|p| p.job.generation), Some(2));
        assert!(mailbox.take_above(None).is_none());
    }

    #[test]
    fn edits_are_all_kept_in_order() {
        let mailbox = Mailbox::default();
        for generation in 1..=3 {
            assert!(mailbox.put(edit(generation)).is_none());
        }
        let order: Vec<_> = std::iter::from_fn(|| mailbox.take_above(None)).map(|p| p.job.generation).collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn only_more_urgent_work_overtakes() {
        let mailbox = Mailbox::default();
        mailbox.put(build(1));
        assert!(mailbox.take_above(Some(JobKind::Build.about().urgency)).is_none());
        mailbox.put(rank(2));
        assert_eq!(mailbox.take_above(Some(JobKind::Build.about().urgency)).map(|p| p.job.generation), Some(2));
    }

    #[test]
    fn a_newer_request_calls_off_the_running_one() {
        let mailbox = Mailbox::default();
        let (ranking, building) = (Cancel::new(), Cancel::new());
        mailbox.begin(JobKind::Build, building.clone());
        mailbox.begin(JobKind::Rank, ranking.clone());
        mailbox.put(rank(1));
        assert!(ranking.is_cancelled());
        assert!(!building.is_cancelled());
        mailbox.close();
        assert!(building.is_cancelled());
        assert!(mailbox.wait().is_none());
    }
}
