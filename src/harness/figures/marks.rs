//! What a panel shows: series, heat maps, reference lines and words.

use super::axis::Axis;
use super::palette::{Colour, ColourMap};
use super::svg::Dash;
use crate::error::{Error, Result};

/// The shape of a measured point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle that points up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle that points down.
    Wedge,
}

impl Marker {
    pub(crate) const ALL: [Marker; 5] = [
        Marker::Circle,
        Marker::Square,
        Marker::Triangle,
        Marker::Diamond,
        Marker::Wedge,
    ];
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Line,
    Points,
    Band,
    Bars,
    Histogram,
}

/// Where a series gets its colour from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColourChoice {
    /// The next of the palette; series of one label share it, in all panels of a figure.
    Next,
    Fixed(Colour),
    /// That of the series with this label.
    Like(String),
}

/// One place of a series: a value, and the interval around it where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub x: f64,
    pub y: f64,
    pub interval: Option<(f64, f64)>,
}

/// Numbers that belong together under one label and in one colour.
///
/// Places that are not finite, or not positive on a logarithmic axis, are left out; a line is broken there. A label of no
/// characters keeps a series out of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub(crate) label: String,
    pub(crate) shape: Shape,
    pub(crate) places: Vec<Place>,
    pub(crate) edges: Vec<f64>,
    pub(crate) colour: ColourChoice,
    pub(crate) dash: Dash,
    pub(crate) width: f64,
    pub(crate) marker: Option<Marker>,
    pub(crate) connected: bool,
}

impl Series {
    fn new(label: impl Into<String>, shape: Shape, places: Vec<Place>) -> Self {
        Series {
            label: label.into(),
            shape,
            places,
            edges: Vec::new(),
            colour: ColourChoice::Next,
            dash: Dash::Solid,
            width: 2.0,
            marker: None,
            connected: false,
        }
    }

    /// A line through (x, y): a theory, or a path.
    pub fn line(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Series::new(label, Shape::Line, bare(points))
    }

    /// Points at (x, y).
    pub fn points(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Series::new(label, Shape::Points, bare(points))
    }

    /// Measured points with intervals: (x, y, lower end, upper end).
    pub fn measured(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64, f64, f64)>) -> Self {
        Series::new(label, Shape::Points, with_interval(points))
    }

    /// A band between two lines: (x, lower, upper).
    pub fn band(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        let places = points.into_iter().map(|(x, low, high)| Place {
            x,
            y: 0.5 * (low + high),
            interval: Some((low, high)),
        });
        Series::new(label, Shape::Band, places.collect())
    }

    /// Bars at (position, height), for an axis of categories; several such series of a panel stand side by side.
    pub fn bars(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Series::new(label, Shape::Bars, bare(points))
    }

    /// Bars with intervals: (position, height, lower end, upper end).
    pub fn measured_bars(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64, f64, f64)>) -> Self {
        Series::new(label, Shape::Bars, with_interval(points))
    }

    /// Boxes without gaps over consecutive edges; one more edge than heights.
    pub fn histogram(label: impl Into<String>, edges: &[f64], heights: &[f64]) -> Self {
        let places = edges.windows(2).zip(heights).map(|(edge, height)| Place {
            x: 0.5 * (edge[0] + edge[1]),
            y: *height,
            interval: None,
        });
        let mut series = Series::new(label, Shape::Histogram, places.collect());
        series.edges = edges.to_vec();
        // A missing or surplus height is told when the figure is drawn.
        if edges.len() != heights.len() + 1 {
            series.edges.clear();
        }
        series
    }

    /// Breaks the line into dashes.
    pub fn dashed(mut self) -> Self {
        self.dash = Dash::Dashed;
        self
    }

    /// Breaks the line into dots.
    pub fn dotted(mut self) -> Self {
        self.dash = Dash::Dotted;
        self
    }

    /// Gives a colour instead of the next one of the palette.
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = ColourChoice::Fixed(colour);
        self
    }

    /// Takes the colour of the series with this label: a theory line with its measured points.
    pub fn colour_of(mut self, label: impl Into<String>) -> Self {
        self.colour = ColourChoice::Like(label.into());
        self
    }

    /// The width of the line, in pixels; 2 by default.
    pub fn width(mut self, pixels: f64) -> Self {
        self.width = pixels;
        self
    }

    /// Gives the points a shape instead of the one that goes with their colour.
    pub fn marker(mut self, marker: Marker) -> Self {
        self.marker = Some(marker);
        self
    }

    /// Joins the points by a thin line.
    pub fn connected(mut self) -> Self {
        self.connected = true;
        self
    }

    /// Every x and y that an automatic range must contain.
    pub(crate) fn extent(&self) -> (Vec<f64>, Vec<f64>) {
        let mut xs: Vec<f64> = self.places.iter().map(|p| p.x).collect();
        xs.extend(&self.edges);
        let mut ys = Vec::new();
        for place in &self.places {
            if self.shape != Shape::Band {
                ys.push(place.y);
            }
            ys.extend(place.interval.iter().flat_map(|(low, high)| [*low, *high]));
        }
        if matches!(self.shape, Shape::Bars | Shape::Histogram) {
            ys.push(0.0);
        }
        (xs, ys)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.shape == Shape::Histogram && self.edges.is_empty() {
            return Err(Error::shape(
                format!("histogram '{}'", self.label),
                "one more edge than heights",
                format!("{} heights with another number of edges", self.places.len()),
            ));
        }
        Ok(())
    }
}

fn bare(points: impl IntoIterator<Item = (f64, f64)>) -> Vec<Place> {
    let place = |(x, y)| Place { x, y, interval: None };
    points.into_iter().map(place).collect()
}

fn with_interval(points: impl IntoIterator<Item = (f64, f64, f64, f64)>) -> Vec<Place> {
    let place = |(x, y, low, high)| Place {
        x,
        y,
        interval: Some((low, high)),
    };
    points.into_iter().map(place).collect()
}

/// A value over a grid of two axes, with a colour bar beside the panel.
#[derive(Clone, Debug)]
pub struct HeatMap {
    pub(crate) bar: Axis,
    pub(crate) map: ColourMap,
    pub(crate) cells: Vec<(f64, f64, f64)>,
}

impl HeatMap {
    /// Values at the centres of grid cells: (x, y, value). The axes' coordinates are those that occur; the grid's lines
    /// run midway between neighbours (midway in the logarithm on a logarithmic axis). Cells without a finite value
    /// stay light grey. `bar` is the axis of the colour bar: its title, kind and range.
    pub fn new(bar: Axis, cells: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        HeatMap {
            bar,
            map: ColourMap::Sequential,
            cells: cells.into_iter().collect(),
        }
    }

    /// Another colour map than the sequential one.
    pub fn colours(mut self, map: ColourMap) -> Self {
        self.map = map;
        self
    }

    /// The distinct coordinates on one axis, ascending in the axis' even coordinate, and the edges between and around
    /// them.
    pub(crate) fn grid(values: impl Iterator<Item = f64>, axis: &Axis) -> (Vec<f64>, Vec<f64>) {
        let mut centres: Vec<f64> = values.map(|v| axis.even(v)).filter(|v| v.is_finite()).collect();
        centres.sort_by(f64::total_cmp);
        centres.dedup();
        let half = |a: f64, b: f64| 0.5 * (b - a);
        let edges = match centres.as_slice() {
            [] => Vec::new(),
            [only] => vec![only - 0.5, only + 0.5],
            [first, second, ..] => {
                let last = centres[centres.len() - 1];
                let before = centres[centres.len() - 2];
                let mut edges = vec![first - half(*first, *second)];
                edges.extend(centres.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])));
                edges.push(last + half(before, last));
                edges
            }
        };
        (centres, edges)
    }
}

/// A straight line across a panel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub horizontal: bool,
    pub at: f64,
    pub label: String,
}

/// Words at a place of a panel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub x: f64,
    pub y: f64,
    pub text: String,
    pub anchor: super::svg::Anchor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_lines_run_midway_in_the_coordinate_of_the_axis() {
        let (centres, edges) = HeatMap::grid([3.0, 1.0, 2.0, 1.0].into_iter(), &Axis::linear(""));
        assert_eq!(centres, [1.0, 2.0, 3.0]);
        assert_eq!(edges, [0.5, 1.5, 2.5, 3.5]);
        let (_, edges) = HeatMap::grid([1.0, 100.0, -1.0].into_iter(), &Axis::log(""));
        assert_eq!(edges, [-1.0, 1.0, 3.0]);
        assert_eq!(HeatMap::grid([4.0].into_iter(), &Axis::linear("")).1, [3.5, 4.5]);
    }

    #[test]
    fn a_histogram_with_a_missing_height_is_refused() {
        assert!(Series::histogram("h", &[0.0, 1.0, 2.0], &[1.0]).check().is_err());
        assert!(Series::histogram("h", &[0.0, 1.0, 2.0], &[1.0, 2.0]).check().is_ok());
    }
}
