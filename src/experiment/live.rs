//! Partial reports during a run.

use super::Report;
use std::time::{Duration, Instant};

/// Shortest time between partial reports.
const EVERY: Duration = Duration::from_millis(400);
/// Partial reports take at most 1/`SHARE` of the time.
const SHARE: u32 = 20;

/// The listener that gets partial reports, if there is one. Showing a report never changes what is
/// measured.
pub struct Live<'a> {
    listener: Option<&'a mut dyn FnMut(&Report)>,
    name: &'static str,
    question: &'static str,
    next: Instant,
}

impl<'a> Live<'a> {
    /// Starts the partial reports of an experiment.
    pub fn new(name: &'static str, question: &'static str, listener: Option<&'a mut dyn FnMut(&Report)>) -> Self {
        Self { listener, name, question, next: Instant::now() }
    }

    /// Makes and shows a partial report, unless there is no listener or the last one is too recent.
    pub fn show(&mut self, report: impl FnOnce() -> Report) {
        let began = Instant::now();
        let Some(listener) = &mut self.listener else { return };
        if began < self.next {
            return;
        }
        listener(&Report { name: self.name.into(), question: self.question.into(), ..report() });
        self.next = Instant::now() + EVERY.max(began.elapsed() * SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_shown_and_hasty_ones_are_not_even_made() {
        let mut seen = Vec::new();
        let mut listener = |r: &Report| seen.push(r.name.clone());
        let mut live = Live::new("n", "q", Some(&mut listener));
        let mut made = 0;
        for _ in 0..50 {
            live.show(|| {
                made += 1;
                Report::default()
            });
        }
        assert_eq!((made, seen.as_slice()), (1, &["n".to_string()][..]));
        Live::new("n", "q", None).show(|| unreachable!("nobody looks"));
    }
}
