//! Figures: panels of axes with series, heat maps and words, drawn as SVG text and turned into PNG with one embedded font.
//!
//! A figure is plain data and is drawn by pure functions: the same figure gives the same bytes. Shapes are drawn by
//! plotters on an enlarged canvas, so that lines are smooth at every size; the legend stands outside the axes, colours come from a palette that
//! readers with a colour deficiency can tell apart, and captions are wrapped to the width, so that nothing covers data
//! and nothing is cut off.
//!
//! ```
//! use ticketsense::harness::figures::{Axis, Figure, Panel, Series};
//! let theory = (1..=64).map(|depth| (f64::from(depth), 0.9f64.powi(depth)));
//! let measured = (1..=64).step_by(9).map(|depth| {
//!     let survival = 0.9f64.powi(depth);
//!     (f64::from(depth), survival, 0.8 * survival, 1.2 * survival)
//! });
//! let panel = Panel::new("", Axis::linear("depth L"), Axis::log("survival probability"))
//!     .series(Series::line("theory", theory).colour_of("measured").dashed())
//!     .series(Series::measured("measured", measured));
//! let svg = Figure::new().title("Paths die with depth").panel(panel).to_svg()?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), ticketsense::Error>(())
//! ```

mod axis;
mod clip;
mod legend;
mod marks;
mod paint;
mod palette;
mod panel;
mod svg;
mod text;

pub use axis::Axis;
pub use marks::{HeatMap, Marker, Series};
pub use palette::{Colour, ColourMap};
pub use panel::Panel;
pub use svg::Anchor;

use crate::error::{Error, Result};
use panel::{Laid, Margins};
use resvg::{tiny_skia, usvg};
use svg::{Svg, TextLook};

/// Where the legend stands; always outside the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legend {
    /// Below the panels, in rows. Among many labels, those of one or two panels stand directly below these panels.
    Below,
    /// Right of the panels, in one column.
    Right,
    /// Nowhere.
    Hidden,
}

/// Panels in a grid, with title, legend and caption.
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    captions: Vec<String>,
    panels: Vec<Panel>,
    columns: usize,
    panel_size: (f64, f64),
    legend: Legend,
}

impl Default for Figure {
    fn default() -> Self {
        Figure::new()
    }
}

const MARGIN: f64 = 14.0;
const GAP: f64 = 12.0;
const TITLE_SIZE: f64 = 16.0;
const TITLE_HEIGHT: f64 = 21.0;
const CAPTION_SIZE: f64 = 12.0;
const CAPTION_HEIGHT: f64 = 16.5;
/// No axis is shorter.
const LEAST_AXIS: f64 = 80.0;
/// Pixels of the picture for one pixel of the drawing.
const PNG_SCALE: f32 = 2.0;

impl Figure {
    /// A figure without panels: one column, panels of 560 by 380 pixels, legend below.
    pub fn new() -> Self {
        Figure {
            title: String::new(),
            captions: Vec::new(),
            panels: Vec::new(),
            columns: 1,
            panel_size: (560.0, 380.0),
            legend: Legend::Below,
        }
    }

    /// The line above the panels. Where an experiment gives none, its question stands there.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds a paragraph below the panels. The verdicts of an experiment's claims are added after these by the harness.
    pub fn caption(mut self, paragraph: impl Into<String>) -> Self {
        self.captions.push(paragraph.into());
        self
    }

    /// Adds a panel; panels fill the grid row by row.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// The number of columns of the grid.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// The size of a panel with its ticks and titles, in pixels. Title, legend and caption take their room besides.
    pub fn panel_size(mut self, width: f64, height: f64) -> Self {
        self.panel_size = (width, height);
        self
    }

    /// Where the legend stands.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    pub(crate) fn default_title(self, title: &str) -> Self {
        if self.title.is_empty() { self.title(title) } else { self }
    }

    /// Adds the caption paragraph of a claim: its sentence or name, what was decided, and why.
    pub(crate) fn verdict(self, claim: &str, decision: &str, evidence: &str) -> Self {
        let claim = claim.trim_end_matches('.');
        let decision = decision.trim_end_matches('.');
        self.caption(format!("{claim}: {decision}. {evidence}").trim_end().to_string())
    }

    /// The figure as SVG text.
    ///
    /// # Errors
    /// [`Error::Argument`] for a grid without columns or panels, panels below 160 by 140 pixels, an impossible axis
    /// range, or marks that contradict themselves.
    pub fn to_svg(&self) -> Result<String> {
        let (width, height) = self.panel_size;
        let possible = |size: f64, least: f64| (least..=1e4).contains(&size);
        if !(possible(width, 160.0) && possible(height, 140.0)) {
            return Err(Error::argument(
                "panel_size",
                "160 x 140 to 10000 x 10000 pixels",
                format!("{width} x {height}"),
            ));
        }
        if self.columns == 0 || self.panels.is_empty() {
            return Err(Error::argument(
                "figure",
                "at least one column and one panel",
                format!("{} columns, {} panels", self.columns, self.panels.len()),
            ));
        }
        let columns = self.columns.min(self.panels.len());
        let several = self.panels.len() > 1;
        let mut laid = Vec::with_capacity(self.panels.len());
        for (number, panel) in self.panels.iter().enumerate() {
            laid.push(Laid::new(panel, several.then_some(number), width, height)?);
        }
        let margins = shared_margins(&laid, columns);
        // Labels may need more room than a small panel has; it grows rather than squeeze its axes.
        let width = margins.iter().fold(width, |w, m| w.max(m.left + m.right + LEAST_AXIS));
        let height = margins.iter().fold(height, |h, m| h.max(m.top + m.bottom + LEAST_AXIS));
        let colours = legend::colours(&self.panels);
        let (entries, below) = match self.legend {
            Legend::Hidden => (Vec::new(), Vec::new()),
            Legend::Right => (legend::entries(&self.panels, &colours), Vec::new()),
            Legend::Below => legend::divided(&self.panels, &colours),
        };
        let row_heights: Vec<f64> = (0..self.panels.len().div_ceil(columns))
            .map(|row| {
                let of_row = below.iter().skip(row * columns).take(columns);
                height + of_row.map(|e| legend::rows_height(e, width)).fold(0.0, f64::max)
            })
            .collect();
        let grid_width = columns as f64 * width + (columns - 1) as f64 * GAP;
        let beside = if self.legend == Legend::Right {
            legend::column_width(&entries)
        } else {
            0.0
        };
        let full_width = grid_width + beside;

        let mut svg = Svg::default();
        let mut y = MARGIN;
        let mut look = TextLook::new(TITLE_SIZE, Anchor::Start);
        look.bold = true;
        for line in text::wrap(&self.title, TITLE_SIZE, true, full_width) {
            svg.text((MARGIN, y + TITLE_SIZE - 2.0), &line, look);
            y += TITLE_HEIGHT;
        }
        let top = y;
        for ((number, laid), margins) in laid.into_iter().enumerate().zip(margins) {
            let (row, column) = (number / columns, number % columns);
            let corner = (
                MARGIN + column as f64 * (width + GAP),
                top + row_heights[..row].iter().map(|h| h + GAP).sum::<f64>(),
            );
            laid.draw(&mut svg, corner, (width, height), margins, &colours[number]);
            if let Some(own) = below.get(number) {
                legend::draw_rows(&mut svg, own, (corner.0, corner.1 + height), width);
            }
        }
        y = top + row_heights.iter().map(|h| h + GAP).sum::<f64>() - GAP;
        match self.legend {
            Legend::Right => legend::draw_column(&mut svg, &entries, (MARGIN + grid_width, top + 30.0)),
            Legend::Below => y = legend::draw_rows(&mut svg, &entries, (MARGIN, y + 6.0), full_width),
            Legend::Hidden => {}
        }
        if !self.captions.is_empty() {
            y += 8.0;
        }
        let mut look = TextLook::new(CAPTION_SIZE, Anchor::Start);
        look.colour = Colour(0x33, 0x33, 0x33);
        for paragraph in &self.captions {
            for line in text::wrap(paragraph, CAPTION_SIZE, false, full_width) {
                svg.text((MARGIN, y + CAPTION_SIZE), &line, look);
                y += CAPTION_HEIGHT;
            }
            y += 3.0;
        }
        svg.finish((full_width + 2.0 * MARGIN).ceil(), (y + MARGIN).ceil())
    }
}

/// Margins under which the axes of a column and of a row stand in line.
fn shared_margins(laid: &[Laid<'_>], columns: usize) -> Vec<Margins> {
    let largest = |keep: &dyn Fn(usize) -> bool| {
        laid.iter()
            .enumerate()
            .filter(|(i, _)| keep(*i))
            .fold(Margins::default(), |margins, (_, l)| margins.max(l.margins))
    };
    (0..laid.len())
        .map(|number| {
            let column = largest(&|i| i % columns == number % columns);
            let row = largest(&|i| i / columns == number / columns);
            Margins {
                left: column.left,
                right: column.right,
                top: row.top,
                bottom: row.bottom,
            }
        })
        .collect()
}

/// Turns SVG text into a PNG picture of twice the size, with the embedded font alone.
///
/// # Errors
/// [`Error::Numerical`] when the text is no SVG or the picture would be too large.
pub fn svg_to_png(svg: &str) -> Result<Vec<u8>> {
    let wrong = |why: String| Error::numerical("turning a figure into PNG", why);
    let tree = usvg::Tree::from_str(svg, &text::renderer_options()).map_err(|e| wrong(e.to_string()))?;
    let size = tree.size();
    let pixels = |length: f32| (length * PNG_SCALE).ceil() as u32;
    let mut picture = tiny_skia::Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| wrong(format!("{} x {} pixels", pixels(size.width()), pixels(size.height()))))?;
    resvg::render(
        &tree,
        tiny_skia::Transform::from_scale(PNG_SCALE, PNG_SCALE),
        &mut picture.as_mut(),
    );
    picture.encode_png().map_err(|e| wrong(e.to_string()))
}

#[cfg(test)]
mod tests;
