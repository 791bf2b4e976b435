//! Evidence as a sentence.

use crate::lab::{Evidence, TaskEvidence};

impl Evidence {
    /// The evidence as a sentence.
    pub fn words(&self) -> String {
        let Some(best) = self.tasks.first().filter(|_| self.shots > 0) else {
            return "There is no complete example yet, so there is nothing to explain.".into();
        };
        let Evidence { none_posterior: none, .. } = self;
        let TaskEvidence { task, gain, posterior, .. } = best;
        if self.fits && none > posterior {
            let or = self.tasks.get(1).map_or(String::new(), |t| format!(" or {} ({:.2})", t.task, t.posterior));
            return format!("The query may be of {task} ({posterior:.2}){or}; none of these {none:.2}.");
        }
        if !self.fits {
            return format!("No task here explains the query (none of these: {none:.2}). The query alone answers.");
        }
        let explains = format!("{task} explains the query: {gain:+.2} nats an answer token over nothing read, posterior {posterior:.2}");
        if self.follows_answers() {
            let most = self.by_answers().first().map_or("", |(task, _)| task.task.as_str());
            let foretold = self.foretold;
            if *none > self.calibration.gate(self.shots) {
                return format!(
                    "The query's own task may not be here (none of these: {none:.2}), but its answers are foretold by other tasks, most of all {most}: {foretold:+.1} \
                     nats over the query alone."
                );
            }
            let other = if most == task { String::new() } else { format!(", most of all {most}") };
            return format!("{explains}. Its answers are foretold{other}: {foretold:+.1} nats over the query alone.");
        }
        match self.ahead {
            Some(nats) if nats <= 0.0 => format!("{explains}. The query alone foretells its later examples as well, so it answers alone."),
            _ => format!("{explains}, none of these {none:.2}."),
        }
    }
}
