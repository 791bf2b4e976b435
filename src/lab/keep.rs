//! Operations that change or report the library: building, adding, deleting, tagging, inspecting,
//! checking.

use super::Lab;
use super::open::{STORED, find, lock};
use super::{BuildRequest, LibraryEdit, LibraryView, SkillReport};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{
    BatchSize, Borders, Health, Library, LibraryWriter, NewLibrary, SkillMeta, SkillOrigin, SkillPlan, Wait, build, missing,
};
use crate::model::{Prompt, Want};
use crate::state::State;
use crate::task::{Segment, TaskOrigin, Template};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// The result of a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// Number of skills built.
    pub built: usize,
    /// Number of tokens run for them.
    pub tokens: u64,
    /// One sentence for each task that has no skill, or fewer than requested.
    pub skipped: Vec<String>,
}

/// Number of lines of a skill's text shown.
const PREVIEW: usize = 8;

impl Lab {
    /// Every skill that the settings call for, and a sentence for each task that is too small for
    /// all its sets.
    fn plans(&self) -> (Vec<SkillPlan>, Vec<String>) {
        let mut plans = Vec::new();
        let mut skipped = Vec::new();
        // Many bundled lists are short, so one sentence covers them all.
        let mut small = 0;
        for task in &self.tasks {
            match self.split_spec().draw(task) {
                Err(error) => skipped.push(error.to_string()),
                Ok(split) => {
                    if split.sets.len() < self.build.sets && task.origin == TaskOrigin::Bundled {
                        small += 1;
                    } else if split.sets.len() < self.build.sets {
                        skipped.push(format!(
                            "`{}` has {} pairs: room for {} of {} disjoint sets of {} examples besides its test split",
                            task.name,
                            task.pairs.len(),
                            split.sets.len(),
                            self.build.sets,
                            self.build.shots
                        ));
                    }
                    for (set, indices) in split.sets.iter().enumerate() {
                        let segments = indices.iter().map(|&i| self.build.template.example(&task.pairs[i])).collect();
                        plans.push((set, SkillPlan::examples(&task.name, &task.family, set, segments, &self.build)));
                    }
                }
            }
        }
        if small > 0 {
            skipped.push(format!(
                "{small} bundled tasks have room for fewer than {} disjoint sets of {} examples",
                self.build.sets, self.build.shots
            ));
        }
        // Every task's first skill comes before any second one: a partial library is then useful
        // early.
        plans.sort_by_key(|(set, _)| *set);
        (plans.into_iter().map(|(_, plan)| plan).collect(), skipped)
    }

    /// The plan by which a skill of the library was made: its text, or its examples drawn again.
    fn plan_again(&self, meta: &SkillMeta) -> Result<SkillPlan> {
        match &meta.origin {
            SkillOrigin::Text { text } => {
                Ok(SkillPlan { family: meta.family.clone(), ..SkillPlan::text(meta.id.clone(), &meta.task, text) })
            }
            SkillOrigin::Drawn { shots, seed, template: text, .. } => {
                let (task, template) = (self.task_named(&meta.task)?, text.parse::<Template>()?);
                let segments = self.split_spec().extra(task, *shots, *seed)?.iter().map(|&i| template.example(&task.pairs[i])).collect();
                Ok(SkillPlan::drawn(meta.id.clone(), &task.name, &task.family, segments, *seed, text))
            }
            SkillOrigin::Examples { .. } => {
                let plans = self.plans().0;
                plans.into_iter().find(|p| p.id == meta.id).ok_or_else(|| {
                    Error::Input(format!("the examples of {} are not available: its task is not opened, or has fewer sets now", meta.id))
                })
            }
        }
    }

    /// The build's own plans, and the plans of skills in damaged shards that can be made again.
    fn wanted(&self, library: &Library) -> (Vec<SkillPlan>, Vec<String>) {
        let (mut plans, mut skipped) = self.plans();
        let ids: HashSet<String> = plans.iter().map(|p| p.id.clone()).collect();
        for meta in library.lost().filter(|m| !ids.contains(&m.id)) {
            match self.plan_again(meta) {
                Ok(plan) => plans.push(plan),
                Err(error) => skipped.push(format!("{} is lost: {error}", meta.id)),
            }
        }
        (plans, skipped)
    }

    pub(super) fn missing(&self, library: &Library) -> usize {
        missing(library, &self.wanted(library).0).len()
    }

    /// Builds what the library lacks. `changed` is called whenever more skills can be used. Skills
    /// that were built remain, whatever happens later.
    ///
    /// # Errors
    /// The library's (another process builds it, the folder cannot be written, the disk is full);
    /// the model's; [`Error::Cancelled`].
    pub fn build(&self, control: Control<'_>, changed: &dyn Fn(&Self)) -> Result<BuildReport> {
        self.make(&BuildRequest { missing: true, anew: Vec::new() }, control, changed)
    }

    /// Builds what is requested. A skill that is made again replaces the old one once its state is
    /// on disk, never before.
    ///
    /// # Errors
    /// As [`Lab::build`]; [`Error::Input`] for an id that the library lacks, or whose examples are
    /// not available (the other skills are still made).
    pub fn make(&self, request: &BuildRequest, control: Control<'_>, changed: &dyn Fn(&Self)) -> Result<BuildReport> {
        if request.missing && !Library::exists(self.library().path()) {
            // The library's folder has disappeared since it was opened. A build creates a new,
            // empty one.
            let new = NewLibrary { model: &self.model.identity(), settings: &self.build, dtype: STORED };
            self.set_library(Library::create_or_open(self.library().path(), &new, control)?.0);
        }
        let library = self.library();
        let mut impossible = None;
        let (mut plans, skipped) = if request.missing { self.wanted(&library) } else { Default::default() };
        for id in request.anew.iter().filter(|id| !plans.iter().any(|p| p.id == **id)).collect::<Vec<_>>() {
            let meta = library.living().find(|m| m.id == *id);
            let meta = meta.ok_or_else(|| Error::Input(format!("the library has no skill `{id}` to be made again")))?;
            match self.plan_again(meta) {
                Ok(plan) => plans.push(plan),
                Err(error) => impossible = impossible.or(Some(error)),
            }
        }
        let mut report = BuildReport { skipped, ..BuildReport::default() };
        let anew = |plans: &[SkillPlan]| plans.iter().any(|p| request.anew.contains(&p.id));
        let weighed = library.is_calibrated() || !request.missing || library.is_empty();
        if !anew(&plans) && weighed && missing(&library, &plans).is_empty() {
            return impossible.map_or(Ok(report), Err);
        }
        (report.built, report.tokens) = self.carry_out(&plans, &request.anew, control, changed)?;
        impossible.map_or(Ok(report), Err)
    }

    /// Builds these plans where the library lacks them or they are in `anew`, and fits the
    /// constants of the evidence. Returns the numbers of skills and tokens.
    fn carry_out(&self, plans: &[SkillPlan], anew: &[String], control: Control<'_>, changed: &dyn Fn(&Self)) -> Result<(usize, u64)> {
        // Reading skills again is an edit, which never creates a library.
        let writer = self.writer(anew.is_empty(), control)?;
        let mut encode = |plans: &[&SkillPlan], control: Control<'_>| {
            // What was built before this batch is on disk by now and can be used.
            self.set_library(self.library().reopened()?);
            changed(self);
            self.encode(plans, control)
        };
        let result = build(&writer, &self.build, plans, anew, BatchSize::of(self.model.network.chunk()), &mut encode, control);
        self.set_library(self.library().reopened()?);
        changed(self);
        let built = result?;
        let calibration = self.calibrate(control)?;
        lock(&writer).set_calibration(&calibration)?;
        self.set_library(self.library().reopened()?);
        changed(self);
        Ok((built.built, built.tokens))
    }

    /// The build before a headless command. If the library has no skill at all, it builds
    /// everything; otherwise, the missing skills of the user's own tasks. Returns how many skills
    /// of the bundled tasks are missing, and a sentence for each task that could not be built as
    /// requested.
    ///
    /// # Errors
    /// As [`Lab::build`].
    pub fn build_what_is_needed(&self, control: Control<'_>) -> Result<(usize, Vec<String>)> {
        let library = self.library();
        if library.skills().is_empty() {
            return Ok((0, self.build(control, &|_| {})?.skipped));
        }
        let own: HashSet<&str> = self.tasks.iter().filter(|t| matches!(t.origin, TaskOrigin::File(_))).map(|t| t.name.as_str()).collect();
        let (plans, skipped) = self.wanted(&library);
        let lacks = missing(&library, &plans);
        let (ours, others): (Vec<usize>, Vec<usize>) = lacks.into_iter().partition(|&i| own.contains(plans[i].task.as_str()));
        if !ours.is_empty() {
            let ids: Vec<SkillPlan> = ours.iter().map(|&i| plans[i].clone()).collect();
            self.carry_out(&ids, &[], control, &|_| {})?;
        }
        let of_own = |line: &String| own.iter().any(|name| line.contains(&format!("`{name}`")));
        Ok((others.len(), skipped.into_iter().filter(of_own).collect()))
    }

    /// The tokens that a skill reads after the beginning-of-text token. Examples are tokenised as
    /// they stand before another one, a text as it is.
    fn tokens_of_plan(&self, plan: &SkillPlan) -> Result<Vec<u32>> {
        let text = plan.segments.concat();
        match &plan.origin {
            _ if self.build.borders == Borders::Apart => {
                plan.segments.iter().map(|s| self.tokens(s)).collect::<Result<Vec<_>>>().map(|t| t.concat())
            }
            SkillOrigin::Text { .. } => self.tokens(&text),
            _ => Ok(self.examples_of([&Segment { text, pair: None }])?.into_iter().flat_map(|e| e.tokens).collect()),
        }
    }

    /// States of several skills from one packed prefill.
    fn encode(&self, plans: &[&SkillPlan], control: Control<'_>) -> Result<Vec<State>> {
        let mut texts = Vec::with_capacity(plans.len());
        for plan in plans {
            let mut tokens = self.bos();
            tokens.extend(self.tokens_of_plan(plan)?);
            texts.push(tokens);
        }
        let prompts: Vec<_> = texts.iter().map(|tokens| Prompt { tokens, initial: None, snapshots: &[], want: Want::State }).collect();
        Ok(self.model.network.prefill(&prompts, control)?.into_iter().map(|read| read.state).collect())
    }

    /// The writer of the current build, or a new one. Only a build creates a library where there is
    /// none.
    fn writer(&self, builds: bool, control: Control<'_>) -> Result<Arc<Mutex<LibraryWriter>>> {
        let mut writing = lock(&self.writing);
        if let Some(open) = writing.upgrade() {
            return Ok(open);
        }
        let (library, model, wait) = (self.library(), self.model.identity(), Wait::Until(control));
        let opened = if builds {
            LibraryWriter::open(library.path(), &NewLibrary { model: &model, settings: &self.build, dtype: STORED }, wait)
        } else {
            LibraryWriter::open_existing(library.path(), &model, wait)
        };
        let mut opened = opened?;
        opened.share(&library);
        let opened = Arc::new(Mutex::new(opened));
        *writing = Arc::downgrade(&opened);
        Ok(opened)
    }

    /// Changes the library through a writer, then loads the result.
    fn change(&self, control: Control<'_>, change: impl FnOnce(&mut LibraryWriter) -> Result<()>) -> Result<()> {
        let writer = self.writer(false, control)?;
        let mut writer = lock(&writer);
        change(&mut writer)?;
        self.set_library(writer.library().reopened()?);
        Ok(())
    }

    /// Changes the library.
    ///
    /// # Errors
    /// [`Error::Input`] for a skill or task that is not there; the library's; the model's;
    /// [`Error::Cancelled`].
    pub fn edit(&self, edit: &LibraryEdit, control: Control<'_>) -> Result<()> {
        match edit {
            LibraryEdit::Delete(id) => self.delete(id, control),
            LibraryEdit::Restore(id) => self.restore(id, control),
            LibraryEdit::Tag(id, tags) => self.tag(id, tags, control),
            LibraryEdit::SwapBack(ids) => self.swap_back(ids, control),
            LibraryEdit::AddText { name, text } => self.add_text(name, text, control),
            LibraryEdit::AddTask { task, shots, seed } => self.add_task(task, *shots, *seed, control),
        }
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

    /// Reads a text and stores its final state as a skill.
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
        self.add(&SkillPlan::text(self.free_id(name), name, text), control)
    }

    /// Draws examples of a task, from all pairs except its test split, and stores their final state
    /// as a skill. It may share examples with other skills.
    ///
    /// # Errors
    /// [`Error::Input`] if the task is not open or has too few pairs; the library's and the
    /// model's.
    pub fn add_task(&self, task: &str, shots: usize, seed: u64, control: Control<'_>) -> Result<()> {
        let task = self.task_named(task)?;
        let segments = self.split_spec().extra(task, shots, seed)?.iter().map(|&i| self.build.template.example(&task.pairs[i])).collect();
        let id = self.free_id(&task.name);
        self.add(&SkillPlan::drawn(id, &task.name, &task.family, segments, seed, &self.build.template.to_string()), control)
    }

    /// The first id of a task that no skill has or had, and that no build uses.
    fn free_id(&self, task: &str) -> String {
        let library = self.library();
        let known: HashSet<&str> = library.living().chain(library.deleted()).map(|s| s.id.as_str()).collect();
        let first = if self.tasks.iter().any(|t| t.name == task) { self.build.sets } else { 0 };
        // One more candidate than there are skills, so at least one is free.
        let all = first..=first + known.len();
        all.map(|set| format!("{task}/{set}")).find(|id| !known.contains(id.as_str())).unwrap_or_default()
    }

    fn add(&self, plan: &SkillPlan, control: Control<'_>) -> Result<()> {
        if let Some(same) = self.library().living().find(|m| m.origin == plan.origin && m.task == plan.task) {
            return Err(Error::Input(format!("the library has this skill already: {} was made of the same text", same.id)));
        }
        let states = self.encode(&[plan], control)?;
        let skills: Vec<(SkillMeta, State)> = states.into_iter().map(|state| (plan.meta(&state, Vec::new()), state)).collect();
        self.change(control, |writer| writer.append(&skills))
    }

    pub(super) fn swap_back(&self, ids: &[String], control: Control<'_>) -> Result<()> {
        self.change(control, |writer| ids.iter().try_for_each(|id| writer.swap_back(id)))
    }

    /// One skill's provenance and figures.
    ///
    /// # Errors
    /// [`Error::Input`] if the library has no such skill; [`Error::Library`] if it is damaged;
    /// [`Error::Cancelled`].
    pub fn inspect(&self, id: &str, control: Control<'_>) -> Result<SkillReport> {
        let library = self.library();
        let index = find(&library, id)?;
        let (meta, state) = (library.skills()[index].clone(), library.state(index)?);
        let half_life = (0..state.shape().n_layer).map(|l| self.half_life(&state, l)).collect();
        let figures = self.figures(&state, half_life, control)?;
        Ok(SkillReport { preview: self.preview(&meta), figures, meta })
    }

    /// The first lines that a skill was read from: its text, or its examples drawn again (if they
    /// still match its record).
    fn preview(&self, meta: &SkillMeta) -> Vec<String> {
        let text = match self.plan_again(meta) {
            Ok(plan) if plan.origin == meta.origin => plan.segments.concat(),
            _ => String::new(),
        };
        text.lines().take(PREVIEW).map(str::to_string).collect()
    }

    /// Median over a layer's channels and entries of ln 2 / (|A| · ΣΔ / tokens): the number of
    /// tokens after which half of what was read is forgotten.
    pub(super) fn half_life(&self, state: &State, layer: usize) -> f32 {
        let mut lives = self.model.network.decay().half_lives(state, layer);
        let middle = lives.len() / 2;
        *lives.select_nth_unstable_by(middle, f32::total_cmp).1
    }

    /// Reads every file of the library and reports what does not match the manifest.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; the library's if its manifest cannot be read any more.
    pub fn check(&self, control: Control<'_>) -> Result<Health> {
        // Another process may have changed the library meanwhile: a replaced file is not a missing
        // one.
        self.set_library(self.library().read_again()?);
        self.library().check(control)
    }
}

impl LibraryView {
    /// Whether the model never saw any of a task in training, where that is known.
    pub fn is_unseen(&self, task: &str) -> bool {
        self.unseen.iter().any(|t| t == task)
    }

    /// Whether no skill is missing.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }
}
