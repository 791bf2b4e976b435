//! The library's states at one layer in two dimensions, and the query among them. Each map is
//! aligned to the previous one, so that what did not change does not seem to move.

use super::Lab;
use super::open::lock;
use super::{MapMethod, MapRequest, MapView, Placed};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{Library, Part};
use crate::project::{self, Alignment, Descent, Embedder};
use crate::state::State;
use std::collections::HashMap;
use std::sync::Arc;

/// Nearest skills listed for each point.
const NEAR: usize = 8;
/// Number of neighbours for trustworthiness (fewer where there are few skills).
const TRUST_AT: usize = 15;

/// The measurements of one part of one layer that all its maps use.
pub(super) struct Ground {
    /// The library that was measured. Any change makes a new one.
    library: Arc<Library>,
    part: Part,
    layer: usize,
    space: project::Space,
    pca: project::Pca,
    skills: Vec<String>,
    neighbours: Vec<Vec<(usize, f32)>>,
    purity: f64,
}

/// The map drawn last, finished or in progress.
#[derive(Clone)]
pub(super) struct Drawn {
    ground: Arc<Ground>,
    request: MapRequest,
    perplexity: f64,
    /// Coordinates as shown: aligned to the previous map, if there is one.
    points: Vec<[f32; 2]>,
    /// Skills of the previous map: (index here, coordinates there).
    before: Arc<[(usize, [f32; 2])]>,
    /// The alignment of the points to the previous map.
    turn: Option<Alignment>,
    /// The t-SNE to resume, if the map is one of t-SNE.
    descent: Option<Descent>,
}

impl Drawn {
    /// Sets the points from the method's output, aligned to the previous map.
    fn place(&mut self, points: Vec<[f32; 2]>) {
        self.turn = Alignment::fit(&points, &self.before);
        self.points = points.into_iter().map(|p| self.turned(p)).collect();
    }

    /// Where a point from the method lies on the map.
    fn turned(&self, point: [f32; 2]) -> [f32; 2] {
        self.turn.map_or(point, |turn| turn.apply(point))
    }

    /// The view of a map in progress.
    fn moving(&self, epoch: usize) -> MapView {
        MapView {
            request: self.request.clone(),
            points: self.points.clone(),
            aligned: self.turn.map_or(0, |turn| turn.shared),
            skills: self.ground.skills.clone(),
            perplexity: self.perplexity,
            trust: None,
            purity: Some(self.ground.purity),
            neighbours: self.ground.neighbours.clone(),
            trust_of_each: Vec::new(),
            epoch,
            finished: false,
        }
    }

    /// The view of a final map.
    fn still(&self, control: Control<'_>) -> Result<MapView> {
        let (ground, points) = (Arc::clone(&self.ground), self.points.clone());
        let judged = control.aside(0, "neighbours", move || project::judge(&ground.space, &points, TRUST_AT).ok())?;
        Ok(MapView {
            trust: judged.as_ref().map(|(all, _)| all.trustworthiness),
            trust_of_each: judged.map_or_else(Vec::new, |(_, each)| each),
            finished: self.descent.as_ref().is_none_or(Descent::finished),
            ..self.moving(self.descent.as_ref().map_or(0, Descent::epoch))
        })
    }
}

impl Lab {
    /// Projects the library. `frame` receives the map as it forms (the principal components first);
    /// the last one is returned.
    ///
    /// # Errors
    /// [`Error::Input`] for a layer the model lacks or too few skills; [`Error::Cancelled`], after
    /// which [`Lab::map_on`] can resume a t-SNE map.
    pub fn map(&self, request: &MapRequest, control: Control<'_>, frame: &mut dyn FnMut(MapView)) -> Result<MapView> {
        let ground = self.ground(request, control)?;
        let mut drawn = Drawn {
            before: self.places(&ground.skills),
            ground: Arc::clone(&ground),
            request: request.clone(),
            perplexity: 0.0,
            points: Vec::new(),
            turn: None,
            descent: None,
        };
        drawn.place(ground.pca.plane());
        if request.method == MapMethod::Pca {
            return self.keep(drawn, control, frame);
        }
        frame(drawn.moving(0));
        let settings = project::TsneSettings { perplexity: request.perplexity, seed: request.seed };
        if request.method == MapMethod::Tsne {
            let (descent, perplexity) = control.aside(0, "neighbours", move || Descent::begin(&ground.pca, &settings))??;
            drawn.perplexity = perplexity;
            return self.descend(drawn, descent, usize::MAX, control, frame);
        }
        let embedded = project::OneShot.embed(&ground.pca, &settings, control, &mut |_| {})?;
        drawn.perplexity = embedded.perplexity;
        drawn.place(embedded.points);
        self.keep(drawn, control, frame)
    }

    /// Resumes the t-SNE map of a cancelled request, for `epochs` epochs or to its end.
    ///
    /// # Errors
    /// [`Error::Input`] if that map is not the one drawn last, or the library has changed since;
    /// [`Error::Cancelled`].
    pub fn map_on(&self, request: &MapRequest, epochs: usize, control: Control<'_>, frame: &mut dyn FnMut(MapView)) -> Result<MapView> {
        let kept = lock(&self.drawn).clone();
        let same = |d: &Drawn| d.request == *request && Arc::ptr_eq(&d.ground.library, &self.library());
        let kept = kept.filter(same).and_then(|mut drawn| drawn.descent.take().map(|descent| (drawn, descent)));
        let (drawn, descent) = kept.ok_or_else(|| Error::Input("this map cannot go on: it has to be drawn from the start".into()))?;
        self.descend(drawn, descent, epochs, control, frame)
    }

    fn descend(
        &self,
        mut drawn: Drawn,
        mut descent: Descent,
        epochs: usize,
        control: Control<'_>,
        frame: &mut dyn FnMut(MapView),
    ) -> Result<MapView> {
        let result = project::descend(&mut descent, epochs, control, &mut |d| {
            drawn.place(d.points());
            frame(drawn.moving(d.epoch()));
        });
        drawn.place(descent.points());
        let epoch = descent.epoch();
        drawn.descent = Some(descent);
        if let Err(error) = result {
            // If cancelled, the map is shown as it is now and stored, so that it can be resumed.
            frame(drawn.moving(epoch));
            *lock(&self.drawn) = Some(drawn);
            return Err(error);
        }
        self.keep(drawn, control, frame)
    }

    /// Shows a final map and stores it.
    fn keep(&self, drawn: Drawn, control: Control<'_>, frame: &mut dyn FnMut(MapView)) -> Result<MapView> {
        let map = drawn.still(control)?;
        frame(map.clone());
        *lock(&self.drawn) = Some(drawn);
        Ok(map)
    }

    /// Coordinates of skills on the map drawn last: (index here, coordinates there).
    fn places(&self, skills: &[String]) -> Arc<[(usize, [f32; 2])]> {
        let last = lock(&self.drawn);
        let Some(last) = &*last else { return Arc::default() };
        let old: HashMap<&String, [f32; 2]> = last.ground.skills.iter().zip(last.points.iter().copied()).collect();
        skills.iter().enumerate().filter_map(|(i, skill)| old.get(skill).map(|place| (i, *place))).collect()
    }

    /// The measurements for a layer's maps: those of the last map, if they are of the same library,
    /// part and layer.
    fn ground(&self, request: &MapRequest, control: Control<'_>) -> Result<Arc<Ground>> {
        let n_layer = self.shape().n_layer;
        let MapRequest { layer, part, .. } = *request;
        if layer >= n_layer {
            return Err(Error::Input(format!("the map asks for layer {layer}, but the model's layers are 0 to {}", n_layer - 1)));
        }
        let library = self.library();
        let last = lock(&self.drawn).as_ref().map(|d| Arc::clone(&d.ground));
        if let Some(ground) = last.filter(|g| Arc::ptr_eq(&g.library, &library) && g.part == part && g.layer == layer) {
            return Ok(ground);
        }
        library.check_whole()?;
        let flat = library.matrix(part, layer);
        let dim = flat.len() / library.len().max(1);
        let skills: Vec<String> = library.skills().iter().map(|s| s.id.clone()).collect();
        let space = project::Space::of(&flat, skills.len(), dim, project::Lengths::Unit, control)?;
        let pca = project::Pca::fit(&space, &flat, project::PCA_DIMS, control)?;
        let neighbours = space.nearest(NEAR);
        let purity = project::purity(&neighbours, &labels(&library));
        Ok(Arc::new(Ground { library, part, layer, space, pca, skills, neighbours, purity }))
    }

    /// Places the query on the map drawn last: its state after each example.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no map yet or the query is empty; the model's;
    /// [`Error::Cancelled`].
    pub fn place(&self, query: &str, control: Control<'_>) -> Result<Placed> {
        let drawn = lock(&self.drawn).clone().ok_or_else(|| Error::Input("there is no map yet to place the query on".into()))?;
        let ground = &drawn.ground;
        let frozen = project::FrozenMap::new(&ground.pca, &drawn.points)?;
        let segments = self.ranked_segments(&self.query(query)?);
        let mut state: Option<State> = None;
        let mut trail = Vec::new();
        for (i, tokens) in segments.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
            // One state at a time: those of a large model would not fit in memory together.
            let after = self.model.network.state_after(tokens, state.as_ref(), control)?;
            // The first segment is the beginning-of-text token, not an example.
            if i > 0 {
                let row = match ground.part {
                    Part::Ssm => after.ssm_layer(ground.layer),
                    Part::Conv => after.conv_layer(ground.layer),
                };
                let scores = ground.pca.project(row)?;
                trail.push(match drawn.request.method {
                    // A linear projection applies to new points directly.
                    MapMethod::Pca => drawn.turned([scores[0], scores.get(1).copied().unwrap_or(0.0)]),
                    MapMethod::Tsne | MapMethod::OneShot => frozen.place(&scores)?,
                });
            }
            state = Some(after);
        }
        Ok(Placed { query: query.to_owned(), request: drawn.request, trail })
    }
}

/// Each skill's task as a number.
fn labels(library: &Library) -> Vec<usize> {
    let mut names: Vec<&str> = Vec::new();
    let skills = library.skills().iter();
    skills
        .map(|s| {
            if let Some(i) = names.iter().position(|n| *n == s.task) {
                i
            } else {
                names.push(&s.task);
                names.len() - 1
            }
        })
        .collect()
}

/// `ssm` or `conv`.
impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ssm => "ssm",
            Self::Conv => "conv",
        })
    }
}
