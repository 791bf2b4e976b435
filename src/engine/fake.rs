//! A deterministic engine without a model: every request but an instrument's is answered with values computed from its text, so that the screen and the
//! engine's plumbing can be tested to the last digit. It reads nothing, learns nothing and is never shipped behind a command.

use super::{
    Answer, AnswerFrom, AskRequest, Autopsy, DecayRequest, DecaySource, DecayView, Event, Job, LibraryView, MapMethod, MapRequest, MapView,
    ModelView, Outbox, Placed, Request, ResultsRequest, RuleResult, SkillReport, TokenProbability, Work,
};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::experiment::Report;
use crate::library::{Part, Ranking, ScoredSkill, ScoredTask, SkillMeta, SkillOrigin};
use crate::soup::chunks::ChunkRule;
use crate::state::StateShape;
use std::sync::Arc;

/// The fake work, over so many tasks of so many skills each.
pub struct Fake {
    skills: Vec<SkillMeta>,
}

/// Task names of the fake library.
const TASKS: [&str; 6] = ["antonym", "country_capital", "past_tense", "plural", "uppercase", "number_word"];

impl Fake {
    /// A library of six tasks with `sets` skills each.
    pub fn new(sets: usize) -> Self {
        let skill = |task: &str, set: usize| SkillMeta {
            id: format!("{task}/{set}"),
            task: task.into(),
            family: if task.contains("country") { "geography" } else { "lexical" }.into(),
            origin: SkillOrigin::Examples { set, shots: 32, seed: 0, template: "arrow".into(), text_hash: hash(task, set).to_string() },
            tokens: 160 + set as u64,
            created: "2026-01-01T00:00:00Z".into(),
            tags: Vec::new(),
        };
        Self { skills: TASKS.iter().flat_map(|task| (0..sets).map(move |set| skill(task, set))).collect() }
    }

    /// What the fake says of its model.
    pub fn model() -> ModelView {
        ModelView {
            name: "fake".into(),
            fingerprint: "0".repeat(64),
            parameters: 7_350_000,
            shape: StateShape { n_layer: 12, d_inner: 512, d_state: 16, d_conv: 4 },
            device: "cpu".into(),
        }
    }

    /// What the fake says of its library.
    pub fn library(&self) -> LibraryView {
        LibraryView { path: "/fake/library".into(), skills: self.skills.clone(), bytes: 12_345_678, missing: 0, warnings: Vec::new() }
    }

    /// The fake ranking of a query: scores are hashes of the query and the skill.
    pub fn ranking(&self, query: &str) -> Ranking {
        let mut ranking: Vec<ScoredSkill> = self
            .skills
            .iter()
            .map(|s| ScoredSkill { skill: s.id.clone(), task: s.task.clone(), score: unit(&format!("{query}|{}", s.id)), change: None })
            .collect();
        ranking.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.skill.cmp(&b.skill)));
        let mut by_task: Vec<ScoredTask> = Vec::new();
        for s in &ranking {
            if by_task.iter().all(|t| t.task != s.task) {
                let of_task: Vec<f32> = ranking.iter().filter(|r| r.task == s.task).map(|r| r.score).collect();
                let mean = of_task.iter().sum::<f32>() / of_task.len() as f32;
                by_task.push(ScoredTask { task: s.task.clone(), skill: s.skill.clone(), score: s.score, mean, change: None });
            }
        }
        let margin = if let [first, second, ..] = &by_task[..] { first.score - second.score } else { 0.0 };
        let shots = query.lines().filter(|l| l.contains("->") && !l.trim_end().ends_with("->")).count();
        Ranking { ranking, by_task, margin, shots, tokens_run: query.len(), millis: [1.0, 0.5] }
    }

    /// The fake answer of a query.
    pub fn answer(request: &AskRequest, from: AnswerFrom) -> Answer {
        let seed = format!("{}|{}", request.query, from.name());
        let top = (0..10).map(|i| TokenProbability { token: format!(" w{i}"), probability: 0.5_f64.powi(i + 1) }).collect();
        Answer {
            from,
            origin: from.name().into(),
            text: format!("w{}", hash(&seed, 0) % 10),
            logprob: -f64::from(unit(&seed)) * 3.0,
            top,
            target_logprob: request.target.as_ref().map(|t| -f64::from(unit(&format!("{seed}|{t}"))) * 5.0),
            millis: 2.0,
        }
    }

    fn map(&self, request: &MapRequest) -> MapView {
        let at = |id: &str, axis: usize| unit(&format!("{id}|{}|{axis}", request.layer)) * 2.0 - 1.0;
        MapView {
            request: request.clone(),
            points: self.skills.iter().map(|s| [at(&s.id, 0), at(&s.id, 1)]).collect(),
            skills: self.skills.iter().map(|s| s.id.clone()).collect(),
            perplexity: request.perplexity,
            aligned: 0,
            trust: Some(0.95),
            purity: Some(0.9),
            trust_of_each: vec![0.95; self.skills.len()],
            epoch: 0,
            finished: true,
            neighbours: (0..self.skills.len()).map(|i| vec![((i + 1) % self.skills.len(), 0.9)]).collect(),
        }
    }
}

impl Work for Fake {
    fn run(&self, job: &Job, tell: &Outbox, control: Control<'_>) -> Result<()> {
        let generation = job.generation;
        match &job.request {
            Request::Build => {
                for done in 0..=self.skills.len() as u64 {
                    control.check()?;
                    control.report(done, self.skills.len() as u64, "skills");
                }
                tell(Event::Library(Arc::new(self.library())));
            }
            Request::Rank { query, .. } => tell(Event::Ranking { generation, ranking: Arc::new(self.ranking(query)) }),
            Request::Ask(request) => {
                for &from in &request.from {
                    tell(Event::Answer { generation, answer: Self::answer(request, from) });
                }
            }
            Request::Map(request) | Request::MapOn { request, .. } => tell(Event::Map { generation, map: Arc::new(self.map(request)) }),
            Request::Decay(request) => tell(Event::Decay { generation, view: Arc::new(decay(request)) }),
            Request::Place(query) => {
                let request = MapRequest { layer: 0, part: Part::Ssm, method: MapMethod::Pca, perplexity: 15.0, seed: 0 };
                tell(Event::Placed { generation, placed: Placed { query: query.clone(), request, trail: vec![[0.0, 0.0]] } });
            }
            Request::Inspect(id) => {
                let meta = self.skills.iter().find(|s| s.id == *id).cloned();
                let meta = meta.ok_or_else(|| Error::Input(format!("the library has no skill `{id}`")))?;
                let layers = |value: fn(f32) -> f32| (0..12).map(|l| value(l as f32)).collect();
                let figures = Autopsy {
                    norm: layers(|l| 10.0 + l),
                    half_life: layers(|l| 2.0 * l),
                    effective_rank: layers(|l| 8.0 - l / 2.0),
                    drift: layers(|l| 0.8 + l / 30.0),
                    farthest: layers(|_| 1.5),
                };
                tell(Event::Report { generation, report: Box::new(SkillReport { meta, preview: vec!["hot -> cold".into()], figures }) });
            }
            Request::Edit(_) => tell(Event::Library(Arc::new(self.library()))),
            Request::Experiment { name, settings } => {
                let run = vec![("settings".into(), settings.to_string())];
                let report = Report { name: name.clone(), run, ..Report::default() };
                tell(Event::Experiment { generation, report: Arc::new(report), complete: true });
            }
            Request::Results(ResultsRequest::Load(_)) => tell(Event::Loaded { generation, reports: Vec::new(), left_out: Vec::new() }),
            Request::Results(ResultsRequest::Save { dir, reports, .. }) => {
                let folders = reports.iter().map(|r| dir.join(&r.name)).collect();
                tell(Event::Saved { generation, folders, kept: Vec::new() });
            }
            Request::Instrument(_) => return Err(Error::Input("the stand-in has no instruments".into())),
        }
        Ok(())
    }
}

/// The fake comparison: every rule has its own losses and errors, the full pass the least; γ = 1 is best.
pub fn decay(request: &DecayRequest) -> DecayView {
    let text: Arc<str> = match &request.source {
        DecaySource::Text(text) => Arc::clone(text),
        DecaySource::Sample(seed) => {
            (0..80).map(|i| format!("w{} -> v{i}\n", hash("sample", *seed as usize + i) % 100)).collect::<String>().into()
        }
    };
    let cut = request.cut;
    let per_token = text.len() as f64 / cut.tokens() as f64;
    let bound = |token: usize| {
        let wanted = (per_token * token as f64) as usize;
        (wanted..=text.len()).find(|b| text.is_char_boundary(*b)).unwrap_or(text.len())
    };
    let result = |rule: ChunkRule, at: usize| {
        let far = match rule {
            ChunkRule::FullPass => 0.0,
            ChunkRule::Decay { gamma, halo } => 0.1 + (gamma.min(9.0) - 1.0).abs() + if halo { 0.0 } else { 0.05 },
            _ => 0.3 * at as f64,
        };
        let loss = |p: usize| 2.0 + unit(&format!("{text}|{p}")) + (far as f32) * (-(p as f32) / 20.0).exp();
        RuleResult { rule, loss: (0..cut.after).map(loss).collect(), error: (0..12).map(|l| far * f64::from(l + 1) / 12.0).collect() }
    };
    DecayView {
        request: request.clone(),
        bounds: (0..=cut.chunks).map(|c| bound(c * cut.length)).chain([bound(cut.tokens())]).collect(),
        tokens: cut.tokens(),
        continuation: (0..cut.after).map(|i| format!(" w{i}")).collect(),
        results: request.rules().into_iter().enumerate().map(|(at, rule)| result(rule, at)).collect(),
        half_life: (0..12).map(|l| (0..32).map(|b| 0.5 * 1.25_f32.powi(b + l)).collect()).collect(),
        text,
    }
}

fn hash(text: &str, salt: usize) -> u32 {
    let digest = blake3::hash(format!("{text}|{salt}").as_bytes());
    u32::from_le_bytes([digest.as_bytes()[0], digest.as_bytes()[1], digest.as_bytes()[2], digest.as_bytes()[3]])
}

/// A number in 0..1 from a text.
fn unit(text: &str) -> f32 {
    (f64::from(hash(text, 0)) / f64::from(u32::MAX)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fake_is_deterministic_and_ordered() {
        let fake = Fake::new(3);
        let ranking = fake.ranking("hot -> cold");
        assert_eq!(ranking, Fake::new(3).ranking("hot -> cold"));
        assert_ne!(ranking, fake.ranking("hot -> col"));
        assert_eq!((ranking.ranking.len(), ranking.by_task.len()), (18, 6));
        assert!(ranking.ranking.windows(2).all(|w| w[0].score >= w[1].score));
    }
}
