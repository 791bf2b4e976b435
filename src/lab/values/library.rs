//! What is shown of the model and the library, and what is asked to change there.

use super::Autopsy;
use crate::library::SkillMeta;
use crate::state::Layout;

/// What the screen knows of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelView {
    /// Name: `bundled`, a folder's name, a hub id.
    pub name: String,
    /// Fingerprint, hexadecimal.
    pub fingerprint: String,
    /// Parameters.
    pub parameters: u64,
    /// Sizes of a state.
    pub layout: Layout,
    /// `cpu`, `cuda:0`.
    pub device: String,
}

/// What the screen knows of the library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LibraryView {
    /// Where it lies.
    pub path: String,
    /// Skills, in the library's order.
    pub skills: Vec<SkillMeta>,
    /// The file that each skill lies in.
    pub files: Vec<String>,
    /// The tasks at hand, by name: what skills can be made of.
    pub tasks: Vec<String>,
    /// Those of them that the model's training never saw, where that is known.
    pub unseen: Vec<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Skills still to be built for the library to be complete.
    pub missing: usize,
    /// Sentences about files that were damaged and left out.
    pub warnings: Vec<String>,
    /// Whether it was measured how evidence is weighed here.
    pub calibrated: bool,
}

/// A change of the library.
#[derive(Clone, Debug, PartialEq)]
pub enum LibraryEdit {
    /// Leave a skill out (it can be restored until the program ends).
    Delete(String),
    /// Bring a deleted skill back.
    Restore(String),
    /// Put the states that were replaced last in the place of these skills'.
    SwapBack(Vec<String>),
    /// Replace a skill's tags.
    Tag(String, Vec<String>),
    /// Read a text and keep the state it ends in, under this name.
    AddText {
        /// The skill's task name.
        name: String,
        /// The text.
        text: String,
    },
    /// Draw examples of a task beside those of the build, and keep the state they end in.
    AddTask {
        /// The task.
        task: String,
        /// Examples.
        shots: usize,
        /// Seed of the draw.
        seed: u64,
    },
}

/// What a build makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// Whether what the library lacks.
    pub missing: bool,
    /// Ids of skills that are read anew although the library has them.
    pub anew: Vec<String>,
}

/// Provenance and figures of one skill.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillReport {
    /// Its manifest entry.
    pub meta: SkillMeta,
    /// First lines of the text it was read from, where it is known.
    pub preview: Vec<String>,
    /// Its state, layer by layer.
    pub figures: Autopsy,
}
