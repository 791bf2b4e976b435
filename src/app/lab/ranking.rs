//! The list of skills: its order, by similarity or by evidence, and its selection.

use super::Lab;
use crate::lab::Evidence;
use crate::library::Ranking;
use std::sync::Arc;

impl Lab {
    /// Rows of the list.
    pub fn rank_rows(&self) -> usize {
        self.ranking.as_ref().map_or(0, |r| if self.by_task { r.by_task.len() } else { r.ranking.len() })
    }

    /// The skill of the selected row; for a task, its best skill.
    pub fn selected_skill(&self) -> Option<&str> {
        let ranking = self.ranking.as_ref()?;
        if self.by_task {
            ranking.by_task.get(self.selected).map(|t| t.skill.as_str())
        } else {
            ranking.ranking.get(self.selected).map(|s| s.skill.as_str())
        }
    }

    /// Takes a new ranking.
    pub fn take_ranking(&mut self, ranking: Arc<Ranking>) {
        self.by_similarity = Some(ranking);
        self.arrange();
    }

    /// Shows another ranking. The top row stays the top row; any other selection follows its skill
    /// or task.
    fn show(&mut self, ranking: Arc<Ranking>) {
        let key = |r: &Ranking, i: usize| {
            if self.by_task { r.by_task.get(i).map(|t| t.task.clone()) } else { r.ranking.get(i).map(|s| s.skill.clone()) }
        };
        if self.selected > 0
            && let Some(chosen) = self.ranking.as_deref().and_then(|old| key(old, self.selected))
        {
            let found = if self.by_task {
                ranking.by_task.iter().position(|t| t.task == chosen)
            } else {
                ranking.ranking.iter().position(|s| s.skill == chosen)
            };
            self.selected = found.unwrap_or(0);
        }
        self.ranking = Some(ranking);
        self.selected = self.selected.min(self.rank_rows().saturating_sub(1));
    }

    /// Takes the evidence; the soup follows it unless a person has changed the soup.
    pub fn take_evidence(&mut self, evidence: Arc<Evidence>) {
        self.bench.follow(&evidence.auto);
        self.evidence = Some(evidence);
        self.arrange();
    }

    /// Shows the tasks in the order of the evidence if it is switched on and there; tasks without
    /// evidence follow by similarity.
    pub fn arrange(&mut self) {
        let Some(similarity) = self.by_similarity.clone() else { return };
        let Some(evidence) = self.present_evidence().filter(|_| self.by_evidence) else { return self.show(similarity) };
        let mut shown = (*similarity).clone();
        // A stable sort: tasks that were not read keep their order, at the end.
        shown.by_task.sort_by_key(|t| evidence.place(&t.task));
        if let Some(before) = &self.ranking {
            shown.count_changes(before);
        }
        self.show(Arc::new(shown));
    }

    /// The evidence, if it belongs to the query that was ranked last.
    pub fn present_evidence(&self) -> Option<&Evidence> {
        let ranking = self.by_similarity.as_deref()?;
        self.evidence.as_deref().filter(|e| e.read == ranking.read && Some(&e.view) == ranking.view.as_ref())
    }
}

/// The row of the ranking that holds a skill or its task.
pub fn row_of(lab: &Lab, skill: &str) -> Option<usize> {
    let ranking = lab.ranking.as_ref()?;
    if lab.by_task {
        let task = ranking.ranking.iter().find(|s| s.skill == skill).map(|s| s.task.as_str());
        ranking.by_task.iter().position(|t| Some(t.task.as_str()) == task)
    } else {
        ranking.ranking.iter().position(|s| s.skill == skill)
    }
}
