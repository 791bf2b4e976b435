//! `state-soup replay`: plays a session on the terminal, or without one, and checks what it
//! expects.
//!
//! It is played on the terminal if standard output is one, unless `--headless`, `--json`,
//! `--frames` or `--film` asks for something else.
//!
//! It is played on a copy of the library, unless `--apply` is given: a session may delete skills.
//!
//! `--json`: `{ "title", "held", "broken", "steps": [{ "step", "chapter", "held": [text], "broken":
//! [text] }], "not_kept": [text] }`; `not_kept`: what the session did to the copy, such as `deleted
//! antonym/0`. Exit code 1 if an expectation does not hold.

use super::args::Common;
use super::{lab, output};
use crate::app::show::{self, Show};
use crate::app::{Background, ColourDepth, FrameFormat, Look, Options, State};
use crate::config::Config;
use crate::engine::opener_on;
use crate::error::{Error, Result};
use crate::files;
use crate::library::Copies;
use crate::session::journal::Read;
use crate::session::{Audience, Session, StepReport, play_to};
use crate::term::{Files, Left};
use crate::ui::export;
use crate::ui::film::Film;
use clap::ValueEnum;
use ratatui::{buffer::Buffer, layout::Rect};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Flags of `replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The session file, or a journal
    file: PathBuf,
    /// Play without a terminal and check what is expected
    #[arg(long)]
    headless: bool,
    /// Let the session change the library itself (otherwise it changes a copy)
    #[arg(long)]
    apply: bool,
    /// Keys typed a second, on a terminal and in a film
    #[arg(long, default_value_t = show::SPEED, value_parser = speed)]
    speed: f64,
    /// Draw for an audience: fewer panes, larger figures, keys shown
    #[arg(long)]
    present: bool,
    /// Record what the terminal shows to a new file (asciicast)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["headless", "json", "frames", "film"])]
    record: Option<PathBuf>,
    /// Save the screen after each step to this folder, named after the session and the step
    #[arg(long, value_name = "DIR", group = "pictures")]
    frames: Option<PathBuf>,
    /// Save the session as one moving picture, an SVG that browsers play
    #[arg(long, value_name = "FILE", group = "pictures")]
    film: Option<PathBuf>,
    /// Save only the screens after these steps, such as `4,6`; film only these steps
    #[arg(long, value_name = "STEPS", value_delimiter = ',', requires = "pictures")]
    steps: Vec<usize>,
    /// What the screens are saved as
    #[arg(long, value_enum, default_value_t = Picture::Svg)]
    format: Picture,
    /// Size of the screens, columns × rows
    #[arg(long, default_value = "120x40", value_parser = size)]
    size: (u16, u16),
}

/// `--format`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Picture {
    /// A picture
    Svg,
    /// Plain text
    Text,
}

impl From<Picture> for FrameFormat {
    fn from(arg: Picture) -> Self {
        match arg {
            Picture::Svg => Self::Svg,
            Picture::Text => Self::Text,
        }
    }
}

fn size(text: &str) -> std::result::Result<(u16, u16), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed.filter(|(w, h)| (1..=500).contains(w) && (1..=200).contains(h)).ok_or_else(|| "a size looks like 120x40".into())
}

fn speed(text: &str) -> std::result::Result<f64, String> {
    let parsed = text.parse().ok().filter(|s| (1.0..=200.0).contains(s));
    parsed.ok_or_else(|| "the speed is 1 to 200 keys a second".into())
}

/// Reads a session file, or a journal as one; also gives what the lab is to be opened with.
fn read(common: &Common, path: &Path) -> Result<(Common, Session)> {
    if path.extension().is_some_and(|e| e == "jsonl") {
        let read = Read::open(path)?;
        return Ok((lab::settings(common, path, &read)?, read.session()));
    }
    let text = files::text(path, files::SMALL)?;
    let session = Session::parse(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))?;
    Ok((common.clone(), session))
}

/// Plays a sitting on the terminal.
///
/// # Errors
/// A file that is not a journal, a terminal that cannot be used.
pub fn play_journal(common: &Common, config: &Config, path: &Path, present: bool) -> Result<Left> {
    let (common, session) = read(common, path)?;
    let copies = Some(Copies::default());
    on_terminal(&common, config, session, show::SPEED, present, Files::default(), copies)
}

fn on_terminal(
    common: &Common,
    config: &Config,
    session: Session,
    speed: f64,
    present: bool,
    files: Files,
    copies: Option<Copies>,
) -> Result<Left> {
    let evidence = session.evidence;
    let mut show = Show::new(session, speed).map_err(Error::Input)?;
    show.on_copy = copies.is_some();
    let adapt = |options: &mut Options| (options.show, options.evidence, options.present) = (Some(show), evidence, present);
    let left = lab::open(common, config, files, copies.clone(), adapt)?;
    tell(&not_kept(copies.as_ref())?);
    Ok(left)
}

/// What was done to the copy and is not kept.
fn not_kept(copies: Option<&Copies>) -> Result<Vec<String>> {
    copies.map_or(Ok(Vec::new()), Copies::changes)
}

/// Reports it on standard error.
fn tell(not_kept: &[String]) {
    if !not_kept.is_empty() {
        let what = not_kept.join("; ");
        crate::log::say(format_args!(
            "Not kept, because it was played on a copy of the library: {what}. `replay --apply` changes the library itself."
        ));
    }
}

/// Plays and prints.
///
/// # Errors
/// A file that is not a session, a lab that cannot be opened, a folder that cannot be written to,
/// an expectation that does not hold.
pub fn run(common: &Common, config: &Config, args: &Args) -> Result<()> {
    let (common, session) = &read(common, &args.file)?;
    let copies = (!args.apply).then(Copies::default);
    let pictures = args.frames.is_some() || args.film.is_some();
    if args.record.is_some() || !(args.headless || common.json || pictures) && std::io::stdout().is_terminal() {
        let beside = Files { record: args.record.clone(), ..Files::default() };
        return lab::go_on(
            common,
            config,
            on_terminal(common, config, session.clone(), args.speed, args.present, beside, copies)?,
            args.present,
        );
    }
    let setup = common.setup()?;
    let look = Look { depth: ColourDepth::True, ..Look::default() };
    let options = Options { look, present: args.present, ..lab::options(common, &setup)? };
    if let Some(dir) = &args.frames {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
    }
    let mut pictures = Pictures { args, film: args.film.as_ref().map(|_| Film::new(args.size, look.background == Background::Light)) };
    let reports = output::with_progress(common.quiet, "playing", |control| {
        play_to(session, options, opener_on(setup, copies.clone()), control, &mut pictures)
    })?;
    if let Some((path, film)) = args.film.as_ref().zip(pictures.film) {
        files::replace(path, film.svg().as_bytes(), &files::private())?;
    }
    let not_kept = not_kept(copies.as_ref())?;
    let broken: usize = reports.iter().map(|r| r.broken.len()).sum();
    if common.json {
        output::json(&as_json(session, &reports, &not_kept))?;
    } else {
        output::print(&as_text(session, &reports))?;
        tell(&not_kept);
    }
    if broken > 0 { Err(Error::Unmet(format!("{broken} expectations of {} do not hold", args.file.display()))) } else { Ok(()) }
}

/// How long a film shows the screen after a step, in milliseconds.
const STAND_MS: u64 = 3500;

/// What is saved of the screens.
struct Pictures<'a> {
    args: &'a Args,
    film: Option<Film>,
}

impl Pictures<'_> {
    fn wants(&self, step: usize) -> bool {
        self.args.steps.is_empty() || self.args.steps.contains(&step)
    }

    fn drawn(&self, state: &State) -> Buffer {
        let area = Rect::new(0, 0, self.args.size.0, self.args.size.1);
        let mut frame = Buffer::empty(area);
        crate::ui::draw(state, area, &mut frame);
        frame
    }

    /// Adds the screen to the film.
    fn shoot(&mut self, state: &State, ms: u64) {
        let frame = self.drawn(state);
        if let Some(film) = &mut self.film {
            film.show(&frame, ms);
        }
    }
}

impl Audience for Pictures<'_> {
    fn watches_keys(&self) -> bool {
        self.film.is_some()
    }

    fn key(&mut self, step: usize, state: &State) -> Result<()> {
        if self.wants(step) {
            self.shoot(state, (1000.0 / self.args.speed) as u64);
        }
        Ok(())
    }

    fn step(&mut self, report: &StepReport, state: &State) -> Result<()> {
        if !self.wants(report.step) {
            return Ok(());
        }
        if self.film.is_some() {
            self.shoot(state, STAND_MS);
        }
        let Some(dir) = &self.args.frames else { return Ok(()) };
        let text = export::frame(&self.drawn(state), self.args.format.into(), state.look.background == Background::Light);
        let name = self.args.file.file_stem().unwrap_or_default().to_string_lossy();
        let path = dir.join(format!("{name}-{:02}.{}", report.step, FrameFormat::from(self.args.format).extension()));
        files::replace(&path, text.as_bytes(), &files::private())
    }
}

fn as_json(session: &Session, reports: &[StepReport], not_kept: &[String]) -> serde_json::Value {
    let steps = reports.iter().map(|r| json!({ "step": r.step, "chapter": r.chapter, "held": r.held, "broken": r.broken }));
    json!({
        "title": session.title,
        "held": reports.iter().map(|r| r.held.len()).sum::<usize>(),
        "broken": reports.iter().map(|r| r.broken.len()).sum::<usize>(),
        "steps": steps.collect::<Vec<_>>(),
        "not_kept": not_kept,
    })
}

fn as_text(session: &Session, reports: &[StepReport]) -> String {
    let mut text = format!("{}\n", session.title);
    for report in reports {
        if !report.chapter.is_empty() {
            text.push_str(&format!("\n{}. {}\n", report.step, report.chapter));
        }
        for (mark, lines) in [("  ok  ", &report.held), ("  NO  ", &report.broken)] {
            for line in lines {
                text.push_str(mark);
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}
