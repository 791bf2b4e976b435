//! What a person at the keyboard feels, on the bundled model and its library of 300 skills and
//! more: `cargo bench --bench lab`.
//!
//! - The library's build: tokens a second, and the share of the matrix products in it.
//! - Key to visible ranking, p50 and p99: one key after the other through the key map, `update`,
//!   the engine's thread, `update` and `draw`. First with an idle engine, then while a library of
//!   twice the size is built and t-SNE runs.
//! - Last key to evidence shown, p50 and p99: at the end of every example, the pause included;
//!   whole, and as far as it is shown first.
//! - Drawing at 200×60.
//! - The program on a pseudo-terminal of 120×40: first frame, bytes and processor time while
//!   nothing happens, the end after `q` and after the line drops.
//!
//! Times are of this machine; the targets beside them are what the lab promises on two cores.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_os = "linux")]
#[path = "../tests/common/pty.rs"]
mod pty;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state_soup::app::key::{Key, parse_macro};
use state_soup::app::{Action, Effect, Look, Options, State, update};
use state_soup::control::quiet;
use state_soup::engine::{Engine, Event, JobKind, Request, opener};
use state_soup::lab::{Lab, MapMethod, Setup};
use state_soup::library::BuildSettings;
use state_soup::model::{Bos, LoadOptions, ModelSource, WeightType};
use state_soup::task::Task;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// What is typed: several tasks, several examples, corrections.
const TYPED: &str = "hot -> cold<enter>big -> small<enter>early ->";
const QUERIES: [&str; 4] =
    ["France -> Paris<enter>Japan ->", TYPED, "walk -> walked<enter>jump ->", "cat -> cats<enter>box -> boxes<enter>city ->"];

fn setup(library: &Path, tasks: Vec<Task>) -> Setup {
    Setup {
        model: ModelSource::Bundled,
        load: LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored },
        bos: Bos::Auto,
        library: Some(library.to_owned()),
        chosen: false,
        build: BuildSettings::default(),
        tasks,
    }
}

/// The bundled tasks, then each once more under another name: twice the library.
fn twice() -> Vec<Task> {
    let mut tasks = state_soup::task::bundled().to_vec();
    let again = tasks.iter().map(|t| Task { name: format!("{}_again", t.name), ..t.clone() }).collect::<Vec<_>>();
    tasks.extend(again);
    tasks
}

fn line(what: &str, value: f64, unit: &str, target: &str) {
    println!("{what:<62} {value:>9.2} {unit:<9} {target}");
}

fn main() {
    // `cargo test --benches` runs benchmarks without this flag; there is nothing to check here.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    println!("bundled model, {} threads", rayon::current_num_threads());
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    build(&library);
    let mut lab = Typist::new(setup(&library, state_soup::task::bundled().to_vec()));
    line("skills", lab.state.skill_count() as f64, "", "target ≥ 300");
    report("key to visible ranking, engine idle", &lab.type_all(Load::None), "target p99 < 50");
    let (first, whole) = lab.weigh_all();
    report("last key to evidence shown", &first, "target p99 < 250");
    report("last key to the evidence of all candidates", &whole, "");
    drawing(&lab.state);
    let skills = format!("{} skills", lab.state.skill_count());
    drop(lab);
    let mut lab = Typist::new(setup(&dir.path().join("twice"), twice()));
    lab.build_until(300);
    report("key to visible ranking, while building and mapping", &lab.type_all(Load::Heavy), "target p99 < 50");
    println!("  (skills built before: 300, after: {})", lab.state.skill_count());
    drop(lab);
    #[cfg(target_os = "linux")]
    on_a_terminal(&library, dir.path(), &skills);
}

/// The program itself, as a person starts it.
#[cfg(target_os = "linux")]
fn on_a_terminal(library: &Path, home: &Path, skills: &str) {
    let words = [env!("CARGO_BIN_EXE_state-soup"), "--library", &library.to_string_lossy()].map(str::to_owned);
    let mut first = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let Some(mut terminal) = pty::Terminal::start(&words, home) else { return };
        terminal.wait_for("Query");
        first.push(began.elapsed().as_secs_f64());
        terminal.wait_for(skills);
        // The rest of that frame.
        std::thread::sleep(Duration::from_secs(1));
        let (bytes, ticks) = (terminal.bytes(), processor_time(terminal.child.id()));
        if first.len() == 1 {
            std::thread::sleep(Duration::from_secs(10));
            line("idle for ten seconds", (terminal.bytes() - bytes) as f64, "bytes", "target 0");
            line("  of the processor", (processor_time(terminal.child.id()) - ticks) * 10.0, "%", "target < 0.5");
        }
        let began = Instant::now();
        terminal.send("\x11");
        terminal.wait_for(pty::LEFT);
        let (_, _) = terminal.end();
        line("the end after ctrl-q", began.elapsed().as_secs_f64() * 1e3, "ms", "target < 200");
    }
    report("first frame after the start", &first, "target < 300");
    let mut gone = Vec::new();
    for _ in 0..5 {
        let Some(mut terminal) = pty::Terminal::start(&words, home) else { return };
        terminal.wait_for(skills);
        let began = Instant::now();
        terminal.hang_up();
        let (_, _) = terminal.end();
        gone.push(began.elapsed().as_secs_f64());
    }
    report("the end after the line drops", &gone, "target < 1000");
}

/// Seconds of processor time of a process and its threads.
#[cfg(target_os = "linux")]
fn processor_time(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // utime and stime, in hundredths of a second (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn build(library: &Path) {
    let lab = quiet(|control| Lab::open(setup(library, state_soup::task::bundled().to_vec()), control)).unwrap();
    let products = lab.model().network.time_in_products();
    let began = Instant::now();
    let built = quiet(|control| lab.build(control, &|_| {})).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let share = lab.model().network.time_in_products().saturating_sub(products).as_secs_f64() / seconds;
    line("library build", built.tokens as f64 / seconds, "tokens/s", "");
    line("  in all, its calibration included", seconds, "s", "target < 25");
    line("  share of the time in matrix products", 100.0 * share, "%", "");
}

fn report(what: &str, times: &[f64], target: &str) {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize] * 1e3;
    line(&format!("{what}, p50 of {}", times.len()), at(0.5), "ms", "");
    line("  p99", at(0.99), "ms", target);
    line("  worst", at(1.0), "ms", "");
}

fn drawing(state: &State) {
    let area = Rect::new(0, 0, 200, 60);
    let mut buf = Buffer::empty(area);
    let began = Instant::now();
    let frames = 200;
    for _ in 0..frames {
        buf.reset();
        state_soup::ui::draw(state, area, &mut buf);
    }
    line("drawing 200×60", began.elapsed().as_secs_f64() * 1e3 / f64::from(frames), "ms", "target < 4");
}

/// What the engine does besides.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    None,
    /// A library build that is under way, and t-SNE started anew whenever it ends.
    Heavy,
}

/// The screen's state with the real engine, and nobody's terminal.
struct Typist {
    state: State,
    engine: Engine,
    events: Receiver<Event>,
    began: Instant,
    shown: Buffer,
}

impl Typist {
    fn new(setup: Setup) -> Self {
        let (send, events) = channel();
        let tell = Arc::new(move |event| {
            let _ = send.send(event);
        });
        let options = Options { look: Look::default(), evidence: true, ..Options::default() };
        let engine = Engine::start(opener(setup), tell).unwrap();
        let shown = Buffer::empty(Rect::new(0, 0, 120, 40));
        let mut typist = Self { state: State::new(options).unwrap(), engine, events, began: Instant::now(), shown };
        while typist.state.model.is_none() || typist.state.library.is_none() {
            typist.next();
        }
        typist
    }

    fn apply(&mut self, action: Action) {
        for effect in update(&mut self.state, action) {
            match effect {
                Effect::Send(job) => self.engine.send(job),
                Effect::Cancel(kind) => self.engine.cancel(kind),
                _ => {}
            }
        }
    }

    /// Waits for an event, at most a tenth of a second.
    fn next(&mut self) {
        if let Ok(event) = self.events.recv_timeout(Duration::from_millis(100)) {
            self.apply(Action::Engine(event));
        }
    }

    fn draw(&mut self) {
        let area = self.shown.area;
        self.shown.reset();
        state_soup::ui::draw(&self.state, area, &mut self.shown);
    }

    fn build_until(&mut self, skills: usize) {
        while self.state.skill_count() < skills {
            self.next();
        }
    }

    /// One key: seconds until the ranking that it asked for is drawn, or `None` if it asked for
    /// none.
    fn key(&mut self, key: Key) -> Option<f64> {
        let began = Instant::now();
        self.apply(Action::Tick(self.began.elapsed().as_millis() as u64));
        let before = self.state.jobs.generation(JobKind::Rank);
        let action = self.state.action_for(key)?;
        self.apply(action);
        if self.state.jobs.generation(JobKind::Rank) == before {
            return None;
        }
        while self.state.jobs.is_running(JobKind::Rank) {
            self.next();
        }
        self.draw();
        Some(began.elapsed().as_secs_f64())
    }

    /// Every query typed five times; after each line, seconds from its last key until evidence is
    /// drawn, and until all of it is.
    fn weigh_all(&mut self) -> (Vec<f64>, Vec<f64>) {
        let (mut first, mut whole) = (Vec::new(), Vec::new());
        for query in QUERIES.into_iter().cycle().take(5 * QUERIES.len()) {
            let keys = parse_macro(query).unwrap();
            for (i, key) in keys.iter().enumerate() {
                let began = Instant::now();
                self.key(*key);
                let ends = keys.get(i + 1).is_none_or(|next| *next == parse_macro("<enter>").unwrap()[0]);
                // An unfinished line adds nothing to what the examples say.
                if ends && self.state.lab.present_evidence().is_none() {
                    let (some, all) = self.wait_for_evidence(began);
                    first.push(some);
                    whole.push(all);
                }
            }
            while !self.state.lab.query_text().is_empty() {
                self.key(parse_macro("<backspace>").unwrap()[0]);
            }
        }
        (first, whole)
    }

    fn wait_for_evidence(&mut self, began: Instant) -> (f64, f64) {
        let mut first = None;
        loop {
            self.apply(Action::Tick(self.began.elapsed().as_millis() as u64));
            if let Ok(event) = self.events.recv_timeout(Duration::from_millis(1)) {
                self.apply(Action::Engine(event));
            }
            let Some(whole) = self.state.lab.present_evidence().map(state_soup::lab::Evidence::is_whole) else { continue };
            self.draw();
            let seconds = began.elapsed().as_secs_f64();
            let first = *first.get_or_insert(seconds);
            if whole && !self.state.jobs.is_running(JobKind::Weigh) {
                return (first, seconds);
            }
        }
    }

    fn type_all(&mut self, load: Load) -> Vec<f64> {
        let mut times = Vec::new();
        for query in QUERIES {
            for key in parse_macro(query).unwrap() {
                if load == Load::Heavy && !self.state.jobs.is_running(JobKind::Map) {
                    let request = Request::Map(state_soup::lab::MapRequest { method: MapMethod::Tsne, ..self.state.map.request.clone() });
                    let effect = self.state.jobs.send(request, 0);
                    if let Effect::Send(job) = effect {
                        self.engine.send(job);
                    }
                }
                times.extend(self.key(key));
                // A fast typist: the answers are asked for in between, as on the screen.
                let until = Instant::now() + Duration::from_millis(60);
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    if let Ok(event) = self.events.recv_timeout(left) {
                        self.apply(Action::Engine(event));
                    }
                }
                if load == Load::Heavy {
                    assert!(self.state.jobs.is_running(JobKind::Build), "the build ended before the typing did");
                }
            }
            for key in parse_macro(&"<backspace>".repeat(60)).unwrap() {
                if self.state.lab.query_text().is_empty() {
                    break;
                }
                times.extend(self.key(key));
            }
        }
        times
    }
}
