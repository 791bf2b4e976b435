//! Figures of a report, as SVG: curves over one axis, and heat maps.

use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};

/// A named figure with its axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// File name without extension.
    pub name: String,
    /// Labels of the axes: horizontal, then vertical (up for curves, down for heat maps).
    pub axes: [String; 2],
    /// What the figure shows.
    #[serde(flatten)]
    pub picture: Picture,
}

/// The content of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Picture {
    /// Label and (x, y) points of each curve.
    #[serde(deserialize_with = "points")]
    Curves(Vec<(String, Vec<(f64, f64)>)>),
    /// A heat map.
    Heat(Heat),
}

/// A matrix of numbers with row and column labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    /// Row labels, top to bottom.
    pub rows: Vec<String>,
    /// Column labels, left to right.
    pub columns: Vec<String>,
    /// What the numbers measure.
    pub value: String,
    /// Numbers, `[rows][columns]`; NaN where nothing was measured.
    #[serde(deserialize_with = "numbers")]
    pub values: Vec<Vec<f64>>,
}

/// Reads null as NaN: JSON has no NaN, so it is written as null.
fn points<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, Vec<(f64, f64)>)>, D::Error> {
    type Raw = Vec<(String, Vec<(Option<f64>, Option<f64>)>)>;
    let number = |v: Option<f64>| v.unwrap_or(f64::NAN);
    let raw = Raw::deserialize(from)?;
    Ok(raw.into_iter().map(|(label, p)| (label, p.into_iter().map(|(x, y)| (number(x), number(y))).collect())).collect())
}

fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<f64>>, D::Error> {
    let raw = Vec::<Vec<Option<f64>>>::deserialize(from)?;
    Ok(raw.into_iter().map(|row| row.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect()).collect())
}

/// Colours that colour-blind readers can tell apart (Okabe and Ito). The legend has the order of
/// the curves, so nothing depends on colour alone.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(150, 150, 150),
];
/// Pixels: a heat map's cell, its labels on the left and below, and its scale on the right.
const CELL: i32 = 38;
const LEFT: i32 = 170;
const BELOW: i32 = 150;
const SCALE: i32 = 110;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

impl Figure {
    /// Makes a figure of curves.
    pub fn curves(name: &str, axes: [&str; 2], curves: Vec<(String, Vec<(f64, f64)>)>) -> Self {
        Self { name: name.into(), axes: axes.map(Into::into), picture: Picture::Curves(curves) }
    }

    /// Makes a heat map.
    pub fn heat(name: &str, axes: [&str; 2], heat: Heat) -> Self {
        Self { name: name.into(), axes: axes.map(Into::into), picture: Picture::Heat(heat) }
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        match &self.picture {
            Picture::Curves(curves) => !curves.iter().flat_map(|(_, p)| p).any(|(x, y)| x.is_finite() && y.is_finite()),
            Picture::Heat(heat) => heat.range().is_none(),
        }
    }

    /// Draws the figure as SVG.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no point to draw or the backend fails.
    pub fn svg(&self) -> Result<String> {
        if self.is_empty() {
            return Err(Error::Input(format!("the figure {} has no point", self.name)));
        }
        let size = match &self.picture {
            Picture::Curves(_) => (760, 460),
            Picture::Heat(h) => ((LEFT + SCALE + CELL * h.columns.len() as i32) as u32, (30 + BELOW + CELL * h.rows.len() as i32) as u32),
        };
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            let drawn = match &self.picture {
                Picture::Curves(curves) => self.draw_curves(&root, curves),
                Picture::Heat(heat) => self.draw_heat(&root, heat),
            };
            drawn.map_err(|e| Error::Input(format!("the figure {} cannot be drawn: {e}", self.name)))?;
        }
        Ok(svg)
    }

    fn draw_curves(&self, root: &Area<'_>, curves: &[(String, Vec<(f64, f64)>)]) -> Drawn {
        let points = || curves.iter().flat_map(|(_, p)| p).filter(|(x, y)| x.is_finite() && y.is_finite());
        let range = |of: fn(&(f64, f64)) -> f64| {
            let (low, high) = points().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            let margin = ((high - low) * 0.05).max(1e-9);
            low - margin..high + margin
        };
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(root)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(range(|p| p.0), range(|p| p.1))?;
        chart.configure_mesh().x_desc(&self.axes[0]).y_desc(&self.axes[1]).light_line_style(WHITE).draw()?;
        for (i, (label, points)) in curves.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            let finite = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
            let line = LineSeries::new(finite.clone(), colour.stroke_width(2));
            chart.draw_series(line)?.label(label).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            chart.draw_series(finite.map(|p| Circle::new(p, 3, colour.filled())))?;
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        root.present()?;
        Ok(())
    }

    /// Draws a heat map. Every cell shows its number, so the colour is only an aid.
    fn draw_heat(&self, root: &Area<'_>, heat: &Heat) -> Drawn {
        root.fill(&WHITE)?;
        let small = ("sans-serif", 12).into_font();
        for (r, row) in heat.rows.iter().enumerate() {
            let y = 30 + r as i32 * CELL;
            root.draw(&Text::new(shortened(row), (6, y + CELL / 2 - 6), small.clone()))?;
            for (c, value) in heat.values.get(r).into_iter().flatten().enumerate().filter(|(_, v)| v.is_finite()) {
                let x = LEFT + c as i32 * CELL;
                let colour = heat.colour(*value);
                root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + CELL - 1)], colour.filled()))?;
                let dark = u32::from(colour.0) * 3 + u32::from(colour.1) * 6 + u32::from(colour.2) < 1300;
                let ink = ("sans-serif", 11).into_font().color(if dark { &WHITE } else { &BLACK });
                root.draw(&Text::new(format!("{value:.2}"), (x + 4, y + CELL / 2 - 6), ink))?;
            }
        }
        let bottom = 30 + heat.rows.len() as i32 * CELL;
        for (c, column) in heat.columns.iter().enumerate() {
            let turned = small.clone().transform(FontTransform::Rotate90);
            root.draw(&Text::new(shortened(column), (LEFT + c as i32 * CELL + CELL / 2 + 6, bottom + 6), turned))?;
        }
        root.draw(&Text::new(format!("down: {}; across: {}; {}", self.axes[1], self.axes[0], heat.value), (6, 6), small.clone()))?;
        if let Some((low, high)) = heat.range() {
            let x = LEFT + heat.columns.len() as i32 * CELL + 12;
            for step in 0..=4 {
                let value = high + (low - high) * f64::from(step) / 4.0;
                let y = 30 + step * 22;
                root.draw(&Rectangle::new([(x, y), (x + 18, y + 20)], heat.colour(value).filled()))?;
                root.draw(&Text::new(format!("{value:.2}"), (x + 24, y + 4), small.clone()))?;
            }
        }
        root.present()?;
        Ok(())
    }
}

/// The first 22 characters of a label, which fit beside a heat map.
fn shortened(label: &str) -> String {
    label.chars().take(22).collect()
}

impl Heat {
    /// The smallest and the largest finite number.
    pub fn range(&self) -> Option<(f64, f64)> {
        let all = self.values.iter().flatten().copied().filter(|v| v.is_finite());
        all.fold(None, |range: Option<(f64, f64)>, v| Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))))
    }

    /// If any number is below 0: blue below 0 and orange above it, paler nearer to 0. Otherwise:
    /// white (smallest) to blue (largest).
    fn colour(&self, value: f64) -> RGBColor {
        let (low, high) = self.range().unwrap_or((0.0, 1.0));
        let (share, full) = if low < 0.0 {
            (value / low.abs().max(high.abs()).max(1e-12), if value < 0.0 { COLOURS[0] } else { COLOURS[1] })
        } else {
            ((value - low) / (high - low).max(1e-12), COLOURS[0])
        };
        let mix = |c: u8| (255.0 + (f64::from(c) - 255.0) * share.abs().clamp(0.0, 1.0)).round() as u8;
        RGBColor(mix(full.0), mix(full.1), mix(full.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat() -> Figure {
        let heat = Heat {
            rows: vec!["antonym".into(), "a <b>".into()],
            columns: vec!["x".into(), "y".into()],
            value: "gain".into(),
            values: vec![vec![0.5, f64::NAN], vec![-0.25, 0.0]],
        };
        Figure::heat("h", ["skill", "asked"], heat)
    }

    #[test]
    fn an_empty_figure_is_refused() {
        for figure in [Figure::curves("f", ["", ""], vec![("a".into(), vec![])]), Figure::heat("f", ["", ""], Heat::default())] {
            assert!(figure.svg().unwrap_err().to_string().contains("no point"));
        }
    }

    #[test]
    fn a_heat_map_names_its_rows_and_writes_its_numbers() {
        let svg = heat().svg().unwrap();
        for text in ["antonym", "a &lt;b&gt;", "0.50", "-0.25", "gain"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(!svg.contains("NaN"));
        let Picture::Heat(heat) = heat().picture else { panic!() };
        assert_eq!((heat.colour(0.0), heat.colour(0.5)), (RGBColor(255, 255, 255), COLOURS[1]));
        assert_eq!(heat.range(), Some((-0.25, 0.5)));
    }

    #[test]
    fn figures_come_back_from_their_files() {
        let back = |f: &Figure| serde_json::from_str::<Figure>(&serde_json::to_string(f).unwrap()).unwrap();
        let Picture::Heat(read) = back(&heat()).picture else { panic!() };
        assert!(read.values[0][1].is_nan() && read.values[1] == [-0.25, 0.0]);
        let curves = Figure::curves("f", ["x", "y"], vec![("a".into(), vec![(1.0, 0.5)])]);
        assert_eq!(back(&curves), curves);
        assert!(serde_json::to_string(&curves).unwrap().contains(r#""curves":[["a",[[1.0,0.5]]]]"#));
    }
}
