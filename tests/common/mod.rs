//! What several tests start from: a deterministic engine made of plain values for those of the
//! screen, and the bundled model for the others.

#![allow(dead_code, clippy::unwrap_used, clippy::approx_constant)]

mod decay;
pub mod home;
#[cfg(target_os = "linux")]
pub mod pty;

use state_soup::app::key::parse_macro;
use state_soup::app::session::{SessionAction, Sitting};
use state_soup::app::{Action, Effect, Options, State, update};
use state_soup::engine::*;
use state_soup::experiment::{ALL, Figure, Finding, Heat, Report, Settings, Table};
use state_soup::lab::*;
use state_soup::library::{
    BuildSettings, Calibration, Explained, Health, Metric, Part, Ranking, ScoredSkill, ScoredTask, ShardHealth, SkillMeta, SkillOrigin,
};
use state_soup::model::{Bos, LoadOptions, ModelSource, WeightType};
use state_soup::soup::{Ingredient, Recipe, Soup, Window};
use state_soup::state::Layout;
use state_soup::stats::Interval;
use state_soup::task::{Template, parse_query};
use std::path::Path;
use std::sync::Arc;

/// The real lab on the bundled model and its tasks, with its library in a folder of the test.
pub fn bundled(library: &Path) -> Setup {
    Setup {
        model: ModelSource::Bundled,
        load: LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored },
        bos: Bos::Auto,
        library: Some(library.to_owned()),
        chosen: false,
        build: BuildSettings::default(),
        tasks: state_soup::task::bundled().to_vec(),
    }
}

pub const TASKS: [(&str, &str); 16] = [
    ("antonym", "lexical"),
    ("synonym", "lexical"),
    ("singular_plural", "morphology"),
    ("present_past", "morphology"),
    ("present_gerund", "morphology"),
    ("adjective_comparative", "morphology"),
    ("country_capital", "geography"),
    ("country_currency", "geography"),
    ("city_country", "geography"),
    ("english_french", "translation"),
    ("english_spanish", "translation"),
    ("first_of_three", "lists"),
    ("last_of_three", "lists"),
    ("uppercase_first_letter", "letters"),
    ("next_letter", "letters"),
    ("number_successor", "numbers"),
];

pub fn model() -> Arc<ModelView> {
    Arc::new(ModelView {
        name: "bundled".into(),
        fingerprint: "5ba93f1c0d7e4f2a8b6c".into(),
        parameters: 7_350_000,
        layout: Layout::mamba1(12, 512, 16, 4),
        device: "cpu".into(),
    })
}

pub fn skill(task: &str, family: &str, set: usize) -> SkillMeta {
    SkillMeta {
        id: format!("{task}/{set}"),
        task: task.into(),
        family: family.into(),
        origin: SkillOrigin::Examples { set, shots: 32, seed: 0, template: "arrow".into(), text_hash: "9f2b7c51aa04d3e8".into() },
        tokens: 210 + (task.len() * 7 + set * 3) as u64,
        created: "2026-11-23T21:05:00Z".into(),
        tags: if task == "antonym" && set == 0 { vec!["talk".into()] } else { Vec::new() },
    }
}

pub fn library() -> LibraryView {
    let skills: Vec<SkillMeta> = TASKS.iter().flat_map(|(task, family)| (0..5).map(move |set| skill(task, family, set))).collect();
    LibraryView {
        path: "/home/user/.cache/state-soup/5ba93f1c".into(),
        bytes: 84_300_000,
        files: (0..skills.len()).map(|i| format!("shard-{:05}.safetensors", i / 16)).collect(),
        tasks: TASKS.iter().map(|(task, _)| (*task).to_owned()).collect(),
        unseen: vec!["last_of_three".into()],
        skills,
        missing: 0,
        warnings: Vec::new(),
        calibrated: true,
    }
}

/// A check that found one file changed, and one skill that is no number.
pub fn health() -> Health {
    let library = library();
    let mut health = Health::default();
    for (file, id) in library.files.iter().zip(library.skills.iter().map(|s| &s.id)) {
        if health.of(file).is_none() {
            health.shards.push(ShardHealth { file: file.clone(), skills: Vec::new(), fault: None, damaged: Vec::new() });
        }
        health.shards.last_mut().unwrap().skills.push(id.clone());
    }
    let changed = format!("the shard {}/{} is not what was written (its BLAKE3 differs)", library.path, health.shards[2].file);
    health.shards[2].fault = Some(changed);
    let nan =
        "the SSM state of antonym/1 holds NaN or infinity in layer 3 (number 1 of shard-00000.safetensors); it is left out of rankings";
    health.shards[0].damaged = vec![("antonym/1".into(), nan.into())];
    health
}

/// A number in 0..1 from a text: FNV, so that equal queries give equal rankings everywhere.
fn hash(text: &str) -> f32 {
    let h = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    ((h ^ (h >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1u64 << 24) as f32
}

pub fn ranking(query: &str, view: &RankView) -> Ranking {
    let library = library();
    let key = format!("{query}{view:?}");
    let best = if query.contains("hot") { "antonym" } else { "country_capital" };
    let mut skills: Vec<ScoredSkill> = library
        .skills
        .iter()
        .map(|s| {
            let bonus = if s.task == best { 0.35 } else { 0.0 };
            let score = 0.55 + bonus + 0.2 * hash(&s.task) + 0.04 * hash(&format!("{key}{}", s.id));
            ScoredSkill { skill: s.id.clone(), task: s.task.clone(), score, change: None }
        })
        .collect();
    skills.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut by_task: Vec<ScoredTask> = Vec::new();
    for s in &skills {
        if by_task.iter().all(|t| t.task != s.task) {
            let of_task = skills.iter().filter(|o| o.task == s.task);
            let mean = of_task.clone().map(|o| o.score).sum::<f32>() / of_task.count() as f32;
            let change = Some((hash(&s.task) * 9.0) as i32 - 4).filter(|c| c % 2 == 0);
            by_task.push(ScoredTask { task: s.task.clone(), skill: s.skill.clone(), score: s.score, mean, change });
        }
    }
    let margin = by_task[0].score - by_task[1].score;
    let shots = query.lines().filter(|l| l.split_once("->").is_some_and(|(_, y)| !y.trim().is_empty())).count();
    let read = parse_query(query, &Template::Arrow).read();
    Ranking { ranking: skills, by_task, margin, read, view: Some(view.clone()), shots, tokens_run: 9, millis: [7.4, 0.6] }
}

/// The best task by similarity explains the examples well, the second and third a little, the
/// others not.
pub fn evidence(query: &str, view: &RankView) -> Evidence {
    let ranking = ranking(query, view);
    let answer_tokens = 2 * ranking.shots;
    let none = Explained { answers: -4.0 * answer_tokens as f64, inputs: -12.0 };
    let fits = !query.contains("nothing");
    let posteriors = if fits { [0.81, 0.09, 0.03] } else { [0.05, 0.03, 0.01] };
    let tasks: Vec<TaskEvidence> = ranking
        .by_task
        .iter()
        .take(12)
        .enumerate()
        .map(|(i, t)| {
            let gain = if fits { 3.25 - 1.5 * i as f64 } else { -0.75 - 0.5 * i as f64 };
            TaskEvidence {
                task: t.task.clone(),
                similarity: t.score,
                explained: Explained { answers: none.answers + gain * answer_tokens as f64, inputs: -11.0 },
                gain,
                posterior: posteriors.get(i).copied().unwrap_or(0.0),
            }
        })
        .collect();
    let none_posterior = 1.0 - posteriors.iter().sum::<f64>();
    let mean = |i: usize, weight| Ingredient { weight, mean: true, ..Ingredient::new(&tasks[i].task) };
    let lambda = if fits { 0.93 } else { 0.0 };
    let auto = Soup { ingredients: vec![mean(0, 0.9), mean(1, 0.1)], lambda, conv: Window::Query, ..Soup::default() };
    Evidence {
        read: parse_query(query, &Template::Arrow).read(),
        view: view.clone(),
        shots: ranking.shots,
        unread: state_soup::lab::Unread::default(),
        answer_tokens,
        none,
        none_posterior,
        foretold: 0.0,
        fits,
        ahead: (ranking.shots > 1).then_some(if fits { 1.5 } else { -0.5 }),
        asked: 12,
        auto,
        calibration: Calibration::default(),
        tasks,
        millis: 31.0,
    }
}

pub fn answer(from: AnswerFrom, request: &AskRequest) -> Answer {
    let texts = [" a new", " small", " little", " small", " small"];
    let at = AnswerFrom::ALL.iter().position(|f| *f == from).unwrap();
    let words = [" small", " little", " large", " tiny", " short", " the", " a", " old", " new", "\n"];
    let sharp = [0.08, 0.42, 0.36, 0.63, 0.71][at];
    let mut left = 1.0;
    let top = words
        .iter()
        .map(|w| {
            let probability = left * sharp;
            left -= probability;
            TokenProbability { token: (*w).into(), probability }
        })
        .collect();
    let origin = match from {
        AnswerFrom::ZeroShot => "the unfinished line alone".into(),
        AnswerFrom::Query => "2 examples".into(),
        AnswerFrom::BestSkill => "antonym/0".into(),
        AnswerFrom::Soup => request.soup.as_ref().map(ToString::to_string).unwrap_or_default(),
        AnswerFrom::Full => "32 examples of antonym".into(),
    };
    let logprob = -[9.12, 1.31, 1.66, 0.58, 0.44][at];
    Answer {
        missing: false,
        from,
        origin,
        text: format!("{}\n", texts[at]),
        logprob,
        top,
        target_logprob: request.target.as_ref().map(|_| logprob - 0.2),
        millis: 11.0,
    }
}

pub fn map(request: &MapRequest) -> MapView {
    let library = library();
    let place = |s: &SkillMeta| {
        let (a, r) = (hash(&s.task) * 6.28, 0.6 + hash(&format!("{}r", s.task)));
        let noise = |k: &str| (hash(&format!("{}{k}", s.id)) - 0.5) * 0.22;
        [a.cos() * r * 1.5 + noise("x"), a.sin() * r + noise("y")]
    };
    let points: Vec<[f32; 2]> = library.skills.iter().map(place).collect();
    let distance = |a: &[f32; 2], b: &[f32; 2]| ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt();
    let neighbours = points
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let mut near: Vec<(usize, f32)> =
                points.iter().enumerate().filter(|(j, _)| *j != i).map(|(j, q)| (j, 1.0 - 0.1 * distance(p, q))).collect();
            near.sort_by(|a, b| b.1.total_cmp(&a.1));
            near.truncate(15);
            near
        })
        .collect();
    MapView {
        request: request.clone(),
        points,
        skills: library.skills.iter().map(|s| s.id.clone()).collect(),
        perplexity: request.perplexity,
        aligned: 0,
        trust: Some(0.93),
        purity: Some(0.91),
        neighbours,
        trust_of_each: (0..library.skills.len()).map(|i| 1.0 - 0.05 * (i % 9) as f32).collect(),
        epoch: if request.method == MapMethod::Tsne { 1000 } else { 0 },
        finished: true,
    }
}

/// What an experiment of this name finds: curves, a table with intervals, every verdict.
pub fn experiment(name: &str, settings: &Settings) -> Report {
    let labels = ["default", "default, shuffled labels", "L2", "z-scored", "chance"];
    let value = |c: usize, k: usize| (0.95 - 0.17 * c as f64) * (1.0 - 0.5f64.powi(k as i32 + 2));
    let curve = |c: usize| (labels[c].to_string(), (0..6).map(|k| (k as f64, value(c, k))).collect());
    let mut table = Table::new("by-k", &["view", "k", "accuracy", "low", "high", "queries"]);
    for (c, label) in labels.iter().enumerate() {
        for k in 0..6 {
            let v = value(c, k);
            let numbers = [v, v - 0.04, v + 0.03].map(|n| format!("{n:.4}"));
            table.rows.push([vec![label.to_string(), (1 << k).to_string()], numbers.to_vec(), vec!["450".into()]].concat());
        }
    }
    let field = Heat {
        rows: (0..12).map(|l| l.to_string()).collect(),
        columns: (0..6).map(|k| (1 << k).to_string()).collect(),
        value: "right task first".into(),
        values: (0..12).map(|l| (0..6).map(|k| value(0, k) - 0.004 * f64::from((l - 5i32).pow(2))).collect()).collect(),
    };
    let finding = |claim: &str, mean: f64, half: f64| {
        Finding::new(claim, "difference in accuracy:", 0.0, Interval { mean, low: mean - half, high: mean + half, n: 450 })
    };
    Report {
        name: name.into(),
        question: ALL.iter().find(|e| e.name == name).map_or("", |e| e.question).into(),
        setup: vec!["query pairs are in no skill's examples".into()],
        findings: vec![
            finding("One example finds its task more often than chance", 0.876, 0.045),
            finding("Four examples find it more often than one", 0.012, 0.008),
            finding("Shuffled labels find it as often", -0.21, 0.03),
            finding("L2 finds it more often than the cosine", 0.004, 0.02),
        ],
        tables: vec![table],
        figures: vec![
            Figure::curves("by-k", ["log2 of the examples", "right task first"], (0..5).map(curve).collect()),
            Figure::heat("layer-by-k", ["examples", "layer"], field),
        ],
        run: vec![("model".into(), "bundled, fingerprint 5ba93f1c0d7e4f2a8b6c".into()), ("settings".into(), settings.to_string())],
    }
}

pub fn report(id: &str) -> SkillReport {
    let library = library();
    let meta = library.skills.iter().find(|s| s.id == id).unwrap_or(&library.skills[0]).clone();
    SkillReport {
        meta,
        preview: ["hot -> cold", "big -> small", "early -> late", "rich -> poor", "open -> closed"].map(String::from).to_vec(),
        figures: figures(0.0),
    }
}

/// Figures of a state; `away` is added to its drift.
pub fn figures(away: f32) -> Autopsy {
    let layers = |value: fn(f32) -> f32| (0..12).map(|l| value(l as f32)).collect::<Vec<f32>>();
    Autopsy {
        norm: layers(|l| 4.0 + (l * 0.9).sin() * 2.0 + l * 0.4),
        half_life: layers(|l| 2.0 + (l - 5.0).abs() * 1.7),
        effective_rank: layers(|l| 9.0 - l * 0.4),
        drift: layers(|l| 0.7 + l * 0.04).into_iter().map(|d| d + away).collect(),
        farthest: layers(|l| 1.5 + (l * 0.7).cos() * 0.2),
    }
}

/// What the instruments read: made from hashes, in the shapes of the real ones.
pub fn readings(instrument: &Instrument) -> Vec<Reading> {
    match instrument {
        Instrument::Ecg(request) => {
            let tokens: Vec<String> = request.query.split_inclusive([' ', '\n']).map(str::to_owned).collect();
            let ranked = request.query.rfind('\n').map_or(tokens.len(), |at| request.query[..=at].split_inclusive([' ', '\n']).count());
            let best = ranking(&request.query, &request.view).by_task;
            let row = |t: &ScoredTask| {
                let score =
                    |i: usize| t.score * (0.55 + 0.45 * (i + 1) as f32 / tokens.len() as f32) + 0.05 * hash(&format!("{}{i}", t.task));
                EcgRow { task: t.task.clone(), scores: (0..tokens.len()).map(score).collect() }
            };
            let rows = best.iter().take(request.tasks).map(row).collect();
            vec![Reading::Ecg(Arc::new(EcgView { request: request.clone(), ranked, rows, tokens }))]
        }
        Instrument::Landscape(request) => {
            let corners: Vec<String> = request.soup.audible().map(|i| i.skill.clone()).collect();
            let fine = if corners.len() == 2 { 32 } else { 16 };
            let grid = state_soup::soup::mixes(corners.len(), fine);
            let hill =
                |mix: &[usize]| mix.iter().zip([0.5, 0.2, 0.3]).map(|(n, at)| -4.0 * (*n as f64 / fine as f64 - at).powi(2)).sum::<f64>();
            let point = |mix: &Vec<usize>| LandscapePoint { logprob: hill(mix) - 0.4, mix: mix.clone() };
            let view = |n: usize| LandscapeView {
                request: request.clone(),
                corners: corners.clone(),
                fine,
                points: grid.iter().take(n).map(point).collect(),
                total: grid.len(),
            };
            [grid.len() / 4, grid.len()].map(|n| Reading::Landscape(Arc::new(view(n)))).to_vec()
        }
        Instrument::Attribution(request) => {
            let part = |part, key: &str| LeftOut { part, without: Some(-1.3 + f64::from(hash(key)) - 0.4) };
            let skills = request.soup.audible().map(|i| part(SoupPart::Ingredient(i.skill.clone()), &i.skill));
            let bands = (0..12).step_by(2).map(|l| part(SoupPart::Layers(l..l + 2), &format!("layers {l}")));
            vec![Reading::Attribution(Arc::new(AttributionView {
                request: request.clone(),
                whole: -1.2,
                parts: skills.chain(bands).collect(),
            }))]
        }
        Instrument::Verdict(request) => {
            let interval = |mean: f64, half: f64| Interval { mean, low: mean - half, high: mean + half, n: 200 };
            let against = |name: &str, accuracy, logprob| Against { name: name.into(), accuracy, logprob };
            let against = vec![
                against("antonym/3", interval(0.04, 0.03), interval(0.21, 0.3)),
                against("query only", interval(-0.02, 0.05), interval(-0.4, 0.2)),
            ];
            vec![Reading::Verdict(Arc::new(VerdictView { request: request.clone(), task: "antonym".into(), accuracy: 0.62, against }))]
        }
        Instrument::Autopsy(request) => vec![Reading::Autopsy(Arc::new(AutopsyView { request: request.clone(), figures: figures(0.4) }))],
        Instrument::Compare(request) => {
            let of = |soup: &Option<state_soup::soup::Recipe>| {
                let ask = AskRequest { soup: soup.clone(), ..request.ask.clone() };
                soup.as_ref().map(|s| {
                    let logprob = -1.0 - f64::from(hash(&s.to_string()));
                    let target_logprob = request.ask.target.as_ref().map(|_| logprob - 0.2);
                    Answer { logprob, target_logprob, ..answer(AnswerFrom::Soup, &ask) }
                })
            };
            let cosine = (0..12).map(|l| 0.99 - 0.01 * l as f32).collect();
            vec![Reading::Compare(Arc::new(CompareView { request: request.clone(), answers: request.soups.each_ref().map(of), cosine }))]
        }
    }
}

/// Earlier sittings.
pub fn sittings() -> Vec<Sitting> {
    let sitting = |day: u8, inputs, words: &str| Sitting {
        path: format!("/home/user/.local/state/state-soup/journals/202611{day}T090500-41.jsonl"),
        started: format!("2026-11-{day} 09:05"),
        model: "bundled".into(),
        inputs,
        words: words.into(),
    };
    vec![sitting(23, 412, "hot -> cold big ->"), sitting(22, 38, "France -> Paris")]
}

/// The state under test with its deterministic engine: effects are answered at once, the clock
/// moves only when told.
pub struct Lab {
    pub state: State,
    pub effects: Vec<Effect>,
    /// Whether jobs are answered.
    pub answering: bool,
}

impl Lab {
    pub fn new(options: Options) -> Self {
        Self { state: State::new(options).unwrap(), effects: Vec::new(), answering: true }
    }

    /// Model and library open.
    pub fn ready(options: Options) -> Self {
        let mut lab = Self::new(options);
        lab.act(Action::Engine(Event::Model(model())));
        lab.act(Action::Engine(Event::Library(Arc::new(library()))));
        lab.idle();
        lab
    }

    pub fn act(&mut self, action: Action) {
        let effects = update(&mut self.state, action);
        for effect in effects {
            let reply = match &effect {
                Effect::Send(job) if self.answering => replies(job),
                _ => Vec::new(),
            };
            let looked_up = matches!(effect, Effect::ListSittings);
            self.effects.push(effect);
            if looked_up {
                self.act(Action::Session(SessionAction::Sittings(sittings())));
            }
            for event in reply {
                self.act(Action::Engine(event));
            }
        }
    }

    /// Types a macro; keys that mean nothing are ignored, as in the terminal.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in parse_macro(keys).unwrap() {
            self.act(Action::Key(key));
        }
        self
    }

    /// Lets the clock run to every deadline until there is none.
    pub fn idle(&mut self) -> &mut Self {
        for _ in 0..20 {
            let Some(at) = self.state.wake_at() else { break };
            // Notices go after seconds; nobody waits for them here.
            if at > self.state.clock + 1000 {
                break;
            }
            self.act(Action::Tick(at));
        }
        self
    }

    /// Requests sent so far, by kind.
    pub fn sent(&self, kind: JobKind) -> Vec<&Job> {
        let job = |e: &'_ Effect| matches!(e, Effect::Send(j) if j.request.kind() == kind);
        self.effects.iter().filter(|e| job(e)).map(|e| if let Effect::Send(j) = e { j } else { unreachable!() }).collect()
    }
}

/// What the engine would say to a job.
pub fn replies(job: &Job) -> Vec<Event> {
    let mut events = Vec::new();
    let mut news = match &job.request {
        Request::Rank { query, view } => vec![News::Ranking(Arc::new(ranking(query, view)))],
        Request::Weigh { query, view } => vec![News::Evidence(Arc::new(evidence(query, view)))],
        Request::Ask(request) => {
            let mut news: Vec<News> = request.from.iter().map(|from| News::Answer(answer(*from, request))).collect();
            if request.soup == Some(Recipe::Auto) {
                let gain = Gain { nats: if request.query.contains("nothing") { -0.7 } else { 0.82 }, examples: 2, left_out: true };
                news.push(News::Gain(gain));
            }
            news
        }
        Request::Map(request) | Request::MapOn { request, .. } => vec![News::Map(Arc::new(map(request)))],
        Request::Decay(request) => vec![News::Decay(Arc::new(decay::decay(request)))],
        Request::Place(query) => {
            let request = MapRequest { layer: 5, part: Part::Ssm, method: MapMethod::Pca, perplexity: 15.0, seed: 0 };
            let trail = vec![[-0.9, 0.7], [0.1, 0.2], [0.5, -0.3]];
            vec![News::Placed(Placed { query: query.clone(), request, trail })]
        }
        Request::Inspect(id) => vec![News::Report(Box::new(report(id)))],
        Request::Edit(LibraryEdit::Delete(id)) => {
            let mut view = library();
            view.skills.retain(|s| s.id != *id);
            events.push(Event::Library(Arc::new(view)));
            Vec::new()
        }
        Request::Edit(_) => {
            events.push(Event::Library(Arc::new(library())));
            Vec::new()
        }
        Request::Build(_) => Vec::new(),
        Request::Check => vec![News::Checked(Arc::new(health()))],
        Request::Experiment { name, settings } => {
            let whole = experiment(name, settings);
            let partial = Report { figures: whole.figures[..1].to_vec(), tables: Vec::new(), run: Vec::new(), ..whole.clone() };
            let found = |report, complete| News::Experiment { report: Arc::new(report), complete };
            vec![found(partial, false), found(whole, true)]
        }
        Request::Results(ResultsRequest::Load(_)) => vec![News::Loaded { reports: Vec::new(), left_out: Vec::new() }],
        Request::Results(ResultsRequest::Save { dir, reports, .. }) => {
            vec![News::Saved { folders: reports.iter().map(|r| dir.join(&r.name)).collect(), kept: Vec::new() }]
        }
        Request::Instrument(instrument) => readings(instrument).into_iter().map(News::Reading).collect(),
    };
    news.push(News::Done);
    events.extend(news.into_iter().map(|news| job.event(news)));
    events
}

pub fn options() -> Options {
    let view = RankView { metric: Metric::Cosine, layers: 5..7, part: Part::Ssm };
    Options { view, ..Options::default() }
}

/// The Lab in use: a query, a soup of three, a target.
pub fn busy(mut options: Options) -> Lab {
    options.query = "hot -> cold\nrich -> poor\nbig ->".into();
    options.target = "small".into();
    let mut lab = Lab::ready(options);
    lab.keys("<esc><enter><down><enter><down><enter>").idle();
    lab.keys("o<home>=<ctrl-u>0.6<enter><down>=<ctrl-u>0.25<enter><down>=<ctrl-u>0.15<enter>l<up>").idle();
    lab
}
