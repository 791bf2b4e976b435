//! Which examples a skill may read: a test split is reserved first, then disjoint sets are drawn
//! from the rest.

use super::Task;
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Settings for splitting a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitSpec {
    /// Most example sets.
    pub sets: usize,
    /// Examples per set.
    pub shots: usize,
    /// Seed.
    pub seed: u64,
    /// Share of the pairs reserved for testing, 0 to 1.
    pub test_share: f64,
}

/// A task's pairs by use, as indices into its pairs. The uses are disjoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Pairs for testing, never in a skill.
    pub test: Vec<usize>,
    /// Example sets for skills.
    pub sets: Vec<Vec<usize>>,
    /// The remaining pairs, for queries.
    pub spare: Vec<usize>,
}

impl SplitSpec {
    /// Splits a task. The result depends only on these settings and the task, not on other tasks. A
    /// small task gets fewer sets.
    ///
    /// # Errors
    /// [`Error::Input`] with the number of pairs needed, if not even one set fits.
    pub fn draw(&self, task: &Task) -> Result<Split> {
        let n = task.pairs.len();
        let (test, rest) = self.put_aside(task);
        if self.shots == 0 || rest.len() < self.shots {
            let needed = (self.shots..1 << 24).find(|&n| n - self.put_aside_of(n) >= self.shots.max(1)).unwrap_or(usize::MAX);
            return Err(Error::Input(format!(
                "`{}` has {n} pairs, too few for one set of {} examples besides a test split: at least {needed} are needed",
                task.name, self.shots
            )));
        }
        let sets: Vec<Vec<usize>> = rest.chunks_exact(self.shots).take(self.sets).map(<[usize]>::to_vec).collect();
        let spare = rest[sets.len() * self.shots..].to_vec();
        Ok(Split { test, sets, spare })
    }

    /// Draws one more set, of any size and with its own seed. It contains no test pair, but may
    /// share pairs with the split's sets.
    ///
    /// # Errors
    /// [`Error::Input`] if `shots` is 0 or exceeds the number of pairs outside the test split.
    pub fn extra(&self, task: &Task, shots: usize, seed: u64) -> Result<Vec<usize>> {
        let (_, rest) = self.put_aside(task);
        if shots == 0 || rest.len() < shots {
            let (name, room) = (&task.name, rest.len());
            return Err(Error::Input(format!(
                "`{name}` has {room} pairs besides its test split: a skill of it reads 1 to {room}, not {shots}"
            )));
        }
        Ok(draw(&rest, shots, &mut rng(seed, &format!("a set of {}", task.name), shots)))
    }

    /// Number of test pairs in a task of `n` pairs.
    fn put_aside_of(&self, n: usize) -> usize {
        ((n as f64 * self.test_share).round() as usize).clamp(usize::from(n > 1), n)
    }

    /// The test split, and the other pairs in an order that the seed determines.
    fn put_aside(&self, task: &Task) -> (Vec<usize>, Vec<usize>) {
        let n = task.pairs.len();
        let digest = blake3::hash(format!("{}\n{}", task.name, self.seed).as_bytes());
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut ChaCha8Rng::from_seed(*digest.as_bytes()));
        let test = self.put_aside_of(n);
        let rest = order.split_off(test);
        (order, rest)
    }
}

/// A random generator determined by seed, purpose and index.
pub fn rng(seed: u64, purpose: &str, index: usize) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(*blake3::hash(format!("{seed} {purpose} {index}").as_bytes()).as_bytes())
}

/// `n` of the indices, in random order (all of them if there are fewer).
pub fn draw(indices: &[usize], n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order = indices.to_vec();
    order.shuffle(rng);
    order.truncate(n);
    order
}

#[cfg(test)]
mod tests {
    use super::super::{Pair, TaskOrigin, bundled};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn task(n: usize) -> Task {
        let pair = |i: usize| Pair { input: format!("i{i}"), output: format!("o{i}") };
        let text = String::new;
        Task {
            name: "t".into(),
            family: text(),
            licence: text(),
            source: text(),
            description: text(),
            pairs: (0..n).map(pair).collect(),
            origin: TaskOrigin::Bundled,
            unseen: false,
            places: Vec::new(),
            notes: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn uses_are_disjoint_and_complete(n in 2usize..300, sets in 1usize..7, shots in 1usize..40, seed: u64) {
            let spec = SplitSpec { sets, shots, seed, test_share: 0.2 };
            match spec.draw(&task(n)) {
                Ok(split) => {
                    let all: Vec<usize> = split.test.iter().chain(split.sets.iter().flatten()).chain(&split.spare).copied().collect();
                    prop_assert_eq!(all.len(), n);
                    prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), n);
                    prop_assert!(!split.test.is_empty() && !split.sets.is_empty() && split.sets.len() <= sets);
                    prop_assert!(split.sets.iter().all(|s| s.len() == shots));
                    prop_assert_eq!(&split, &spec.draw(&task(n)).unwrap());
                }
                Err(e) => prop_assert!(e.to_string().contains("too few"), "{}", e),
            }
        }
    }

    #[test]
    fn too_small_a_task_is_told_what_it_needs() {
        let spec = SplitSpec { sets: 5, shots: 32, seed: 0, test_share: 0.2 };
        let message = spec.draw(&task(30)).unwrap_err().to_string();
        assert!(message.contains("30 pairs") && message.contains("at least 40"), "{message}");
        assert!(spec.draw(&task(40)).is_ok() && spec.draw(&task(39)).is_err());
    }

    #[test]
    fn the_bundled_tasks_make_300_skills_and_every_one_has_a_test_split() {
        let spec = SplitSpec { sets: 5, shots: 32, seed: 0, test_share: 0.2 };
        let splits: Vec<Split> = bundled().iter().map(|t| spec.draw(t).unwrap()).collect();
        assert!(splits.iter().map(|s| s.sets.len()).sum::<usize>() >= 300);
        assert!(splits.iter().all(|s| s.test.len() >= 10));
        // The lab's own library: every task, fewer sets.
        let spec = SplitSpec { sets: 3, ..spec };
        let skills: usize = bundled().iter().map(|t| spec.draw(t).unwrap().sets.len()).sum();
        assert!(bundled().len() >= 150 && skills >= 450, "{} tasks, {skills} skills", bundled().len());
        assert_eq!(bundled().iter().filter(|t| t.unseen).count(), 17);
    }

    #[test]
    fn draws_repeat_and_differ_by_purpose() {
        let all: Vec<usize> = (0..50).collect();
        assert_eq!(draw(&all, 9, &mut rng(1, "a", 2)), draw(&all, 9, &mut rng(1, "a", 2)));
        assert_ne!(draw(&all, 9, &mut rng(1, "a", 2)), draw(&all, 9, &mut rng(1, "b", 2)));
    }
}
