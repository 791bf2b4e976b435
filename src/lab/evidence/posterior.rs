//! From log-probabilities and similarities to posteriors: one [`Evidence`] out of what was read.

use super::heard::Told;
use crate::lab::{Evidence, RankView, TaskEvidence, Unread};
use crate::library::{Calibration, Candidate, Posterior};
use crate::soup::Soup;
use std::time::Duration;

/// The inputs of evidence.
pub struct Known<'a> {
    pub read: String,
    pub view: &'a RankView,
    pub shots: usize,
    pub unread: Unread,
    /// Number of answer tokens: of all examples, of those after the first.
    pub answers: [usize; 2],
    pub proposed: &'a [(String, f32)],
    /// The similarity of each proposed task in the default view.
    pub similarity: &'a [f64],
    pub calibration: Calibration,
}

impl Known<'_> {
    pub fn evidence(&self, read: &[Told], none: &Told, took: Duration) -> Evidence {
        let candidates: Vec<Candidate> =
            self.similarity.iter().zip(read).map(|(s, told)| Candidate { explained: told.all, similarity: *s }).collect();
        let Posterior { of, none: p_none } = if self.shots > 0 && !candidates.is_empty() {
            self.calibration.posterior(&candidates, &none.all)
        } else {
            // Without an example, there is nothing to explain.
            Posterior { of: vec![0.0; candidates.len()], none: 1.0 }
        };
        let [all, later] = self.answers;
        let ahead = (later > 0 && p_none < 1.0).then(|| {
            let nats: f64 = of.iter().zip(read).map(|(p, told)| p * (told.later.answers - none.later.answers)).sum();
            nats / (1.0 - p_none) / later as f64
        });
        let answers: Vec<f64> = read.iter().map(|told| told.all.answers).collect();
        let foretold = if self.shots > 0 && !read.is_empty() { log_mean_exp(&answers) - none.all.answers } else { 0.0 };
        let fits = self.shots > 0 && p_none <= self.calibration.gate(self.shots);
        let mut tasks: Vec<TaskEvidence> = self
            .proposed
            .iter()
            .zip(read)
            .zip(of)
            .map(|(((task, similarity), told), posterior)| TaskEvidence {
                task: task.clone(),
                similarity: *similarity,
                explained: told.all,
                gain: (told.all.answers - none.all.answers) / all.max(1) as f64,
                posterior,
            })
            .collect();
        // The sort is stable: ties, such as several zeros, stay in order of similarity.
        tasks.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        let mut evidence = Evidence {
            read: self.read.clone(),
            view: self.view.clone(),
            shots: self.shots,
            unread: self.unread,
            answer_tokens: all,
            none: none.all,
            none_posterior: p_none,
            foretold,
            fits,
            ahead,
            asked: self.proposed.len(),
            auto: Soup::default(),
            calibration: self.calibration,
            tasks,
            millis: took.as_secs_f64() * 1e3,
        };
        evidence.fits |= evidence.follows_answers();
        evidence.auto = evidence.auto_soup();
        evidence
    }
}

/// ln of the mean of exp.
fn log_mean_exp(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (values.iter().map(|v| (v - most).exp()).sum::<f64>() / values.len() as f64).ln()
}
