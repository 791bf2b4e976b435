//! Resolves the names in a recipe for one query: skills, tasks, `query`, `top(n)`, the posterior.

use super::evidence::{Heard, Told};
use super::open::{find, lock};
use super::query::Query;
use super::{CANDIDATES, Evidence, Lab, RankView};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{Candidate, Explained, Posterior, Ranking, ScoredSkill};
use crate::soup::{Recipe, Resolver};
use crate::state::{Decay, Layout, State};
use std::sync::{Arc, Mutex};

/// Resolves a recipe's names for one query.
pub(crate) struct Mixer<'a> {
    lab: &'a Lab,
    query: Option<&'a Query>,
    view: &'a RankView,
    pub(super) control: Control<'a>,
    /// Tasks to treat as absent from the library.
    without: &'a [&'a str],
    /// Whether the best skill comes from the task that is most probable by the evidence.
    by_evidence: bool,
    /// Tasks whose evidence is read; if empty, the most similar ones.
    among: &'a [String],
    /// The ranking for this query, computed once.
    ranked: Mutex<Option<Arc<Ranking>>>,
    /// The evidence for this query, computed once.
    evidence: Mutex<Option<Arc<Evidence>>>,
}

impl<'a> Mixer<'a> {
    /// A mixer for a query. It reads and ranks nothing until needed.
    pub fn new(lab: &'a Lab, query: Option<&'a Query>, view: &'a RankView, control: Control<'a>) -> Self {
        Self {
            lab,
            query,
            view,
            control,
            without: &[],
            by_evidence: false,
            among: &[],
            ranked: Mutex::default(),
            evidence: Mutex::default(),
        }
    }

    /// The same mixer with these tasks treated as absent from the library.
    pub fn without(self, without: &'a [&'a str]) -> Self {
        Self { without, ..self }
    }

    /// The same mixer with evidence only of these tasks.
    pub fn among(self, among: &'a [String]) -> Self {
        Self { among, ..self }
    }

    /// The same mixer with the best skill from the task that is most probable by the evidence.
    pub fn by_evidence(self) -> Self {
        Self { by_evidence: true, ..self }
    }
}

impl Mixer<'_> {
    /// The skills by similarity to the query.
    pub fn ranking(&self) -> Result<Arc<Ranking>> {
        if let Some(ranking) = &*lock(&self.ranked) {
            return Ok(Arc::clone(ranking));
        }
        let mut ranking = self.lab.ranking_of(self.needed_query()?, self.view, self.control)?;
        if !self.without.is_empty() {
            Arc::make_mut(&mut ranking).leave_out(self.without);
        }
        *lock(&self.ranked) = Some(Arc::clone(&ranking));
        Ok(ranking)
    }

    /// What the query's examples say about the best tasks.
    pub fn evidence(&self) -> Result<Arc<Evidence>> {
        if let Some(evidence) = &*lock(&self.evidence) {
            return Ok(Arc::clone(evidence));
        }
        let mut ranking = self.ranking()?;
        if !self.among.is_empty() {
            Arc::make_mut(&mut ranking).by_task.retain(|t| self.among.contains(&t.task));
        }
        let evidence = Arc::new(self.lab.weigh(self.needed_query()?, self.view, &ranking, CANDIDATES, self.control, &mut |_| {})?);
        *lock(&self.evidence) = Some(Arc::clone(&evidence));
        Ok(evidence)
    }

    /// The best skill and its task.
    pub fn best(&self) -> Result<(String, String)> {
        let ranking = self.ranking()?;
        if self.by_evidence
            && let Some(best) = self.evidence()?.tasks.first().filter(|t| t.posterior > 0.0)
        {
            let skill = ranking.ranking.iter().find(|s| s.task == best.task && self.is_sound(s)).map(|s| s.skill.clone());
            return Ok((skill.unwrap_or_default(), best.task.clone()));
        }
        let best =
            ranking.ranking.iter().find(|s| self.is_sound(s)).ok_or_else(|| Error::Library("the library has no skill yet".into()))?;
        Ok((best.skill.clone(), best.task.clone()))
    }

    /// Whether a ranked skill's state can be read.
    fn is_sound(&self, skill: &ScoredSkill) -> bool {
        let library = self.lab.library();
        library.find(&skill.skill).is_some_and(|i| library.is_sound(i))
    }

    /// The posterior of these skills and tasks.
    fn weighed(&self, candidates: &[String]) -> Result<Posterior> {
        let query = self.needed_query()?;
        let (read, none) = self.lab.explain(candidates, None, &Heard::of(&query.examples).examples, self.control)?;
        let similarity = self.lab.weighed_similarity(query, self.view, &*self.ranking()?, self.control)?;
        let candidate = |(name, read): (&String, Vec<Explained>)| Candidate {
            explained: Told::of(&read).all,
            similarity: similarity.get(name).copied().map_or(f64::NAN, f64::from),
        };
        let known: Vec<Candidate> = candidates.iter().zip(read).map(candidate).collect();
        Ok(self.lab.library().calibration().posterior(&known, &Told::of(&none).all))
    }

    /// The query, which the recipe must have.
    pub(crate) fn needed_query(&self) -> Result<&Query> {
        self.query.ok_or_else(|| Error::Input("the recipe uses the query (`query`, `top(n)` or a similarity), but there is none".into()))
    }
}

impl Resolver for Mixer<'_> {
    fn shape(&self) -> Layout {
        self.lab.shape()
    }

    fn decay(&self) -> &Decay {
        self.lab.model.network.decay()
    }

    fn skill(&self, id: &str) -> Result<State> {
        let library = self.lab.library();
        library.state(find(&library, id)?)
    }

    fn weighted(&self, parts: &[(&str, f64)]) -> Result<Option<State>> {
        let library = self.lab.library();
        if parts.iter().any(|(_, weight)| !weight.is_finite()) {
            // The general path reports what is wrong with the weight.
            return Ok(None);
        }
        let picks = parts.iter().map(|(id, weight)| Ok((find(&library, id)?, *weight))).collect::<Result<Vec<_>>>()?;
        library.weighted(&picks)
    }

    fn task(&self, name: &str) -> Result<Vec<String>> {
        let library = self.lab.library();
        let ids: Vec<String> = library.of_task(name).into_iter().map(|i| library.skills()[i].id.clone()).collect();
        if ids.is_empty() {
            return Err(Error::Input(format!("the library has no task `{name}`")));
        }
        Ok(ids)
    }

    fn query(&self) -> Result<State> {
        let query = self.needed_query()?;
        Ok(self.lab.read(&query.segments, self.control)?.state)
    }

    fn top(&self, n: usize) -> Result<Vec<(String, f32)>> {
        let ranking = self.ranking()?;
        Ok(ranking.ranking.iter().filter(|s| self.is_sound(s)).take(n).map(|s| (s.skill.clone(), s.score)).collect())
    }

    fn similarity(&self, id: &str) -> Result<f32> {
        let ranking = self.ranking()?;
        let found = ranking.ranking.iter().find(|s| s.skill == id);
        found.map(|s| s.score).ok_or_else(|| Error::Input(format!("the library has no skill `{id}`")))
    }

    fn neutral(&self) -> Result<State> {
        self.lab.neutral(self.control)
    }

    fn top_tasks(&self, n: usize) -> Result<Vec<String>> {
        Ok(self.ranking()?.by_task.iter().take(n).map(|t| t.task.clone()).collect())
    }

    fn posterior(&self, candidates: &[String]) -> Result<Vec<f64>> {
        Ok(self.weighed(candidates)?.of)
    }

    fn explains(&self, candidates: &[String]) -> Result<bool> {
        let shots = self.needed_query()?.shots();
        Ok(shots > 0 && self.weighed(candidates)?.none <= self.lab.library().calibration().gate(shots))
    }

    fn mean_of(&self, task: &str) -> Result<Option<State>> {
        self.lab.task_mean(task).map(Some)
    }

    fn primed(&self, state: State) -> Result<State> {
        let tokens = self.needed_query()?.segments[1..].concat();
        if tokens.is_empty() {
            return Ok(state);
        }
        self.lab.model.network.state_after(&tokens, Some(&state), self.control)
    }

    fn auto(&self) -> Result<Recipe> {
        let auto = &self.evidence()?.auto;
        // If the soup's share is zero, nothing of it needs to be mixed.
        Ok(auto.to_recipe().filter(|_| auto.lambda > 0.0).unwrap_or(Recipe::Query))
    }
}
