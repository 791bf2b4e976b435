//! What the screen shows of the model and the library, and the changes it can request.

use super::Autopsy;
use crate::library::SkillMeta;
use crate::state::Layout;

/// What the screen shows of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelView {
    /// Name: `bundled`, a folder's name, or a hub id.
    pub name: String,
    /// Fingerprint, hexadecimal.
    pub fingerprint: String,
    /// Number of parameters.
    pub parameters: u64,
    /// Sizes of a state.
    pub layout: Layout,
    /// The device: `cpu`, `cuda:0`.
    pub device: String,
}

/// What the screen shows of the library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LibraryView {
    /// The library's folder.
    pub path: String,
    /// Skills, in the library's order.
    pub skills: Vec<SkillMeta>,
    /// The file that holds each skill.
    pub files: Vec<String>,
    /// The names of the open tasks, from which skills can be made.
    pub tasks: Vec<String>,
    /// The tasks among them that the model never saw in training, where that is known.
    pub unseen: Vec<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Skills still missing from the complete library.
    pub missing: usize,
    /// Sentences about files that were damaged and left out.
    pub warnings: Vec<String>,
    /// Whether the constants of the evidence were fitted to this library.
    pub calibrated: bool,
}

/// A change of the library.
#[derive(Clone, Debug, PartialEq)]
pub enum LibraryEdit {
    /// Delete a skill. It can be restored until the program ends.
    Delete(String),
    /// Bring a deleted skill back.
    Restore(String),
    /// Swap these skills' states back to those that were replaced last.
    SwapBack(Vec<String>),
    /// Replace a skill's tags.
    Tag(String, Vec<String>),
    /// Read a text and store the final state under this name.
    AddText {
        /// The skill's task name.
        name: String,
        /// The text.
        text: String,
    },
    /// Draw examples of a task in addition to the build's sets, and store the final state.
    AddTask {
        /// The task.
        task: String,
        /// Number of examples.
        shots: usize,
        /// Seed of the draw.
        seed: u64,
    },
}

/// What a build makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// Whether to make the skills that the library lacks.
    pub missing: bool,
    /// Ids of skills to read again although the library has them.
    pub anew: Vec<String>,
}

/// Provenance and figures of one skill.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillReport {
    /// Its manifest entry.
    pub meta: SkillMeta,
    /// First lines of the text that the skill was read from, where that text is known.
    pub preview: Vec<String>,
    /// Its state, layer by layer.
    pub figures: Autopsy,
}
