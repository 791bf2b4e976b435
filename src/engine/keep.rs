//! What changes or reports the library: building, adding, deleting, tagging, inspecting, checking.

use super::lab::{Lab, STORED, find};
use super::{LibraryView, SkillReport};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{BatchSize, Library, LibraryWriter, NewLibrary, SkillMeta, SkillOrigin, SkillPlan, Wait, build, missing, now};
use crate::model::{Prompt, Want};
use crate::soup::decay;
use crate::state::State;

/// What a build did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// Skills built.
    pub built: usize,
    /// Tokens run for them.
    pub tokens: u64,
    /// Tasks that have no skill, or fewer than asked for, and why: one sentence each.
    pub skipped: Vec<String>,
}

/// Lines of a skill's text shown.
const PREVIEW: usize = 8;

impl Lab {
    /// Every skill the settings ask for, and a sentence for each task that is too small for all of its sets.
    fn plans(&self) -> (Vec<SkillPlan>, Vec<String>) {
        let mut plans = Vec::new();
        let mut skipped = Vec::new();
        for task in &self.tasks {
            match self.split_spec().draw(task) {
                Err(error) => skipped.push(error.to_string()),
                Ok(split) => {
                    if split.sets.len() < self.build.sets {
                        skipped.push(format!(
                            "`{}` has {} pairs: room for {} of {} disjoint sets of {} examples beside its test split",
                            task.name,
                            task.pairs.len(),
                            split.sets.len(),
                            self.build.sets,
                            self.build.shots
                        ));
                    }
                    for (set, indices) in split.sets.iter().enumerate() {
                        let segments = indices.iter().map(|&i| self.template.example(&task.pairs[i])).collect();
                        plans.push(SkillPlan::examples(&task.name, &task.family, set, segments, &self.build));
                    }
                }
            }
        }
        (plans, skipped)
    }

    pub(super) fn missing(&self, library: &Library) -> usize {
        missing(library, &self.plans().0).len()
    }

    /// Builds what the library lacks; `changed` is called whenever more skills can be used. What is built stays, whatever happens later.
    ///
    /// # Errors
    /// The library's (another process builds it, the folder cannot be written, the disk is full); the model's; [`Error::Cancelled`].
    pub fn build(&self, control: Control<'_>, changed: &dyn Fn(&Self)) -> Result<BuildReport> {
        let (plans, skipped) = self.plans();
        let mut report = BuildReport { skipped, ..BuildReport::default() };
        if missing(&self.library(), &plans).is_empty() {
            return Ok(report);
        }
        let mut writer = self.writer(control)?;
        let mut encode = |plans: &[&SkillPlan], control: Control<'_>| {
            // What was built before this batch is on the disk by now, and can be used.
            self.set_library(self.library().reopened()?);
            changed(self);
            self.encode(plans, control)
        };
        let result = build(&mut writer, &self.build, &plans, BatchSize::of(self.model.mamba.chunk()), &mut encode, control);
        self.set_library(self.library().reopened()?);
        changed(self);
        let built = result?;
        (report.built, report.tokens) = (built.built, built.tokens);
        Ok(report)
    }

    /// Builds the library if it has no skill at all: what a headless command does before its first use.
    ///
    /// # Errors
    /// As [`Lab::build`].
    pub fn build_if_empty(&self, control: Control<'_>) -> Result<()> {
        if self.library().skills().is_empty() { self.build(control, &|_| {}).map(drop) } else { Ok(()) }
    }

    /// States of several skills from one packed prefill.
    fn encode(&self, plans: &[&SkillPlan], control: Control<'_>) -> Result<Vec<State>> {
        let mut texts = Vec::with_capacity(plans.len());
        for plan in plans {
            let mut tokens = self.bos();
            for segment in &plan.segments {
                tokens.extend(self.model.tokenizer.encode(segment)?);
            }
            texts.push(tokens);
        }
        let prompts: Vec<_> = texts.iter().map(|tokens| Prompt { tokens, initial: None, snapshots: &[], want: Want::State }).collect();
        Ok(self.model.mamba.prefill(&prompts, control)?.into_iter().map(|read| read.state).collect())
    }

    fn writer(&self, control: Control<'_>) -> Result<LibraryWriter> {
        let new = NewLibrary { model: &self.model.identity(), settings: &self.build, dtype: STORED };
        LibraryWriter::open(self.library().path(), &new, Wait::Until(control))
    }

    /// Changes the library through a writer and puts the result in place.
    fn change(&self, control: Control<'_>, change: impl FnOnce(&mut LibraryWriter) -> Result<()>) -> Result<()> {
        let mut writer = self.writer(control)?;
        change(&mut writer)?;
        self.set_library(writer.library().reopened()?);
        Ok(())
    }

    pub(super) fn delete(&self, id: &str, control: Control<'_>) -> Result<()> {
        self.change(control, |writer| writer.delete(id))
    }

    pub(super) fn restore(&self, id: &str, control: Control<'_>) -> Result<()> {
        self.change(control, |writer| writer.restore(id).map(drop))
    }

    pub(super) fn tag(&self, id: &str, tags: &[String], control: Control<'_>) -> Result<()> {
        self.change(control, |writer| writer.tag(id, tags))
    }

    /// Reads a text and keeps the state it ends in as a skill.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name or text; the library's and the model's.
    pub fn add_text(&self, name: &str, text: &str, control: Control<'_>) -> Result<()> {
        let name = name.trim();
        if name.is_empty() || name.contains(['/', '\n', '\t']) {
            return Err(Error::Input(format!("`{name}` cannot be a task's name: it must not be empty or hold a slash, tab or line break")));
        }
        if text.trim().is_empty() {
            return Err(Error::Input("there is no text to read".into()));
        }
        let taken = self.library();
        let mut set = 0;
        while taken.find(&format!("{name}/{set}")).is_some() {
            set += 1;
        }
        let plan = SkillPlan {
            id: format!("{name}/{set}"),
            task: name.into(),
            family: "user".into(),
            set,
            segments: text.split_inclusive('\n').map(str::to_string).collect(),
            origin: SkillOrigin::Text { text: text.into() },
        };
        let skill = |state: State| {
            let SkillPlan { id, task, family, origin, .. } = plan.clone();
            (SkillMeta { id, task, family, origin, tokens: state.tokens(), created: now(), tags: Vec::new() }, state)
        };
        let skills: Vec<(SkillMeta, State)> = self.encode(&[&plan], control)?.into_iter().map(skill).collect();
        self.change(control, |writer| writer.append(&skills))
    }

    /// One skill's provenance and figures.
    ///
    /// # Errors
    /// [`Error::Input`] if the library has no such skill; [`Error::Library`] if it is damaged; [`Error::Cancelled`].
    pub fn inspect(&self, id: &str, control: Control<'_>) -> Result<SkillReport> {
        let library = self.library();
        let index = find(&library, id)?;
        let (meta, state) = (library.skills()[index].clone(), library.state(index)?);
        let half_life = (0..state.shape().n_layer).map(|l| self.half_life(&state, l)).collect();
        let figures = self.figures(&state, half_life, control)?;
        Ok(SkillReport { preview: self.preview(&meta), figures, meta })
    }

    /// The first lines a skill was read from: its text, or its examples drawn again (if they still are what was read).
    fn preview(&self, meta: &SkillMeta) -> Vec<String> {
        let text = match &meta.origin {
            SkillOrigin::Text { text } => text.clone(),
            SkillOrigin::Examples { .. } => {
                let plans = self.plans().0;
                let plan = plans.iter().find(|p| p.id == meta.id && p.origin == meta.origin);
                plan.map_or_else(String::new, |p| p.segments.concat())
            }
        };
        text.lines().take(PREVIEW).map(str::to_string).collect()
    }

    /// Median over a layer's channels and entries of ln 2 / (|A| · ΣΔ / tokens): tokens after which half of what was read is forgotten.
    pub(super) fn half_life(&self, state: &State, layer: usize) -> f32 {
        let mut lives = decay::half_lives(self.model.mamba.rates(), state, layer);
        let middle = lives.len() / 2;
        *lives.select_nth_unstable_by(middle, f32::total_cmp).1
    }

    /// Reads every file of the library and says what does not match the manifest.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn verify(&self, control: Control<'_>) -> Result<Vec<String>> {
        self.library().verify(control)
    }
}

impl LibraryView {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }
}
