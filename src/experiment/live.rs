//! Reports while they grow.

use super::Report;
use std::time::{Duration, Instant};

/// Partial reports are not made more often than this.
const EVERY: Duration = Duration::from_millis(400);
/// Nor do they take more than one part in this many of the time.
const SHARE: u32 = 20;

/// Whom partial reports are shown to, if anybody. What is shown never changes what is measured.
pub struct Live<'a> {
    listener: Option<&'a mut dyn FnMut(&Report)>,
    name: &'static str,
    question: &'static str,
    next: Instant,
}

impl<'a> Live<'a> {
    /// For the experiment of a name.
    pub fn new(name: &'static str, question: &'static str, listener: Option<&'a mut dyn FnMut(&Report)>) -> Self {
        Self { listener, name, question, next: Instant::now() }
    }

    /// Shows what is there by now, unless nobody looks or the last one is too recent.
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
