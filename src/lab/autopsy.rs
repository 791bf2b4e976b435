//! A state layer by layer: norms, effective ranks, half-lives, and distances from the library's
//! states.

use super::Lab;
use super::mixer::Mixer;
use super::open::find;
use super::{Autopsy, AutopsyRequest, AutopsyView};
use crate::control::Control;
use crate::error::Result;
use crate::project::effective_rank;
use crate::soup::Resolver;
use crate::state::State;

impl Lab {
    /// The figures of a state whose half-lives are known.
    ///
    /// # Errors
    /// [`Error::Input`](crate::error::Error::Input) if a decomposition does not converge;
    /// [`Error::Cancelled`](crate::error::Error::Cancelled).
    pub(super) fn figures(&self, state: &State, half_life: Vec<f32>, control: Control<'_>) -> Result<Autopsy> {
        let (library, shape) = (self.library(), state.shape());
        let mut figures = Autopsy { half_life, ..Autopsy::default() };
        for layer in 0..shape.n_layer {
            control.check()?;
            figures.norm.push(state.ssm_norm(layer));
            figures.effective_rank.push(effective_rank(state.ssm_layer(layer), shape.memory.row(), control)? as f32);
            figures.drift.push(library.drift(state, layer) as f32);
            let spread = library.spread(layer);
            figures.farthest.push((spread.farthest / spread.rms) as f32);
            control.report(layer as u64 + 1, shape.n_layer as u64, "layers");
        }
        Ok(figures)
    }

    /// The figures of a soup.
    ///
    /// # Errors
    /// As [`Lab::mix`].
    pub fn autopsy(&self, request: &AutopsyRequest, control: Control<'_>) -> Result<AutopsyView> {
        let query = if request.query.trim().is_empty() { None } else { Some(self.whole_query(&request.query)?) };
        let quiet = control.with_progress(&|_| {});
        let mixer = Mixer::new(self, query.as_ref(), &request.view, quiet);
        let state = request.soup.evaluate(&mixer)?;
        let library = self.library();
        let mut lives = vec![0.0f32; state.shape().n_layer];
        let mut skills = 0usize;
        for name in request.soup.ingredients() {
            let ids = if name.contains('/') { vec![name] } else { mixer.task(&name)? };
            for id in ids {
                control.check()?;
                let skill = library.state(find(&library, &id)?)?;
                lives.iter_mut().enumerate().for_each(|(l, sum)| *sum += self.half_life(&skill, l));
                skills += 1;
            }
        }
        lives.iter_mut().for_each(|sum| *sum /= skills as f32);
        Ok(AutopsyView { request: request.clone(), figures: self.figures(&state, lives, control)? })
    }
}
