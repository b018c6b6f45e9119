//! The marks of a panel, put on the page.

use super::axis::{Axis, Resolved};
use super::marks::{HeatMap, Marker, Note, Place, Series, Shape};
use super::palette::Colour;
use super::panel::{LAYERS, Panel, TICK_SIZE};
use super::svg::{Anchor, Dash, HALF_HEIGHT, Stroke, Svg, TextLook};
use super::text;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// The axes of a panel on the page, and the rectangle between them.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub x: &'a Resolved,
    pub y: &'a Resolved,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame<'_> {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.pixel(x), self.y.pixel(y))
    }

    /// The pixel of a height, where what is below a logarithmic axis stands at its foot.
    fn height(&self, y: f64) -> f64 {
        let at = self.y.pixel(y);
        if at.is_nan() && !y.is_nan() {
            self.y.pixel_of_even(self.y.low)
        } else {
            at
        }
    }
}

const BAND_OPACITY: f64 = 0.22;
const MARKER_RADIUS: f64 = 3.6;
const ERROR_WIDTH: f64 = 1.4;

/// Draws the series layer by layer; `colours` has one entry a series.
pub(crate) fn series(svg: &mut Svg, frame: &Frame<'_>, panel: &Panel, colours: &[Colour]) {
    let bars: Vec<usize> = (0..panel.series.len())
        .filter(|&i| panel.series[i].shape == Shape::Bars)
        .collect();
    let on_map = panel.heat_map.is_some();
    for layer in LAYERS {
        for (index, (series, &colour)) in panel.series.iter().zip(colours).enumerate() {
            if !layer.contains(&series.shape) {
                continue;
            }
            // Markers and their intervals are left whole at the edge, everything else is cut there.
            let clipped = series.shape != Shape::Points;
            if clipped {
                svg.begin_clip((frame.left, frame.top), (frame.right, frame.bottom));
            }
            match series.shape {
                Shape::Band => band(svg, frame, series, colour),
                Shape::Histogram => histogram(svg, frame, series, colour),
                Shape::Bars => {
                    let among = bars.iter().position(|&i| i == index).unwrap_or(0);
                    grouped_bars(svg, frame, series, colour, (among, bars.len()));
                }
                Shape::Line => line(svg, frame, series, colour, on_map),
                Shape::Points => points(svg, frame, series, colour),
            }
            if clipped {
                svg.end_clip();
            }
        }
    }
}

/// The longest runs of places that both axes can show.
fn runs<'a>(frame: &Frame<'_>, places: &'a [Place]) -> Vec<Vec<&'a Place>> {
    let shown = |p: &Place| frame.x.pixel(p.x).is_finite() && frame.height(p.y).is_finite() && p.y.is_finite();
    places
        .split(|p| !shown(p))
        .filter(|run| !run.is_empty())
        .map(|run| run.iter().collect())
        .collect()
}

fn line(svg: &mut Svg, frame: &Frame<'_>, series: &Series, colour: Colour, on_map: bool) {
    for run in places_on_page(frame, &series.places) {
        if on_map {
            let rim = if colour == Colour::WHITE {
                Colour::BLACK
            } else {
                Colour::WHITE
            };
            svg.polyline(&run, Stroke::solid(rim, series.width + 2.0));
        }
        svg.polyline(
            &run,
            Stroke {
                colour,
                width: series.width,
                dash: series.dash,
            },
        );
    }
}

fn places_on_page(frame: &Frame<'_>, places: &[Place]) -> Vec<Vec<(f64, f64)>> {
    let shown = |p: &Place| {
        let (x, y) = frame.place(p.x, p.y);
        x.is_finite() && y.is_finite()
    };
    places
        .split(|p| !shown(p))
        .filter(|run| !run.is_empty())
        .map(|run| run.iter().map(|p| frame.place(p.x, p.y)).collect())
        .collect()
}

fn band(svg: &mut Svg, frame: &Frame<'_>, series: &Series, colour: Colour) {
    for run in runs(frame, &series.places) {
        let edge = |pick: fn(&(f64, f64)) -> f64| {
            run.iter()
                .filter_map(|p| p.interval.as_ref().map(|i| (frame.x.pixel(p.x), frame.height(pick(i)))))
                .collect::<Vec<_>>()
        };
        let mut outline = edge(|i| i.0);
        outline.extend(edge(|i| i.1).into_iter().rev());
        if outline.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
            svg.polygon(&outline, colour, BAND_OPACITY, None);
        }
    }
}

fn histogram(svg: &mut Svg, frame: &Frame<'_>, series: &Series, colour: Colour) {
    for (edge, place) in series.edges.windows(2).zip(&series.places) {
        let (a, b) = (frame.x.pixel(edge[0]), frame.x.pixel(edge[1]));
        let top = frame.height(place.y);
        if a.is_finite() && b.is_finite() && top.is_finite() {
            let outline = [(a, frame.height(0.0)), (a, top), (b, top), (b, frame.height(0.0))];
            svg.polygon(&outline, colour, 0.35, Some(Stroke::solid(colour, 0.8)));
        }
    }
}

fn grouped_bars(svg: &mut Svg, frame: &Frame<'_>, series: &Series, colour: Colour, (among, of): (usize, usize)) {
    const GROUP: f64 = 0.8;
    let width = GROUP / of as f64;
    for place in &series.places {
        let from = place.x - 0.5 * GROUP + width * among as f64;
        let (a, b) = (frame.x.pixel(from), frame.x.pixel(from + width));
        let top = frame.height(place.y);
        if !(a.is_finite() && b.is_finite() && top.is_finite()) {
            continue;
        }
        let gap = (0.06 * (b - a)).clamp(-2.0, 2.0);
        svg.rectangle((a + gap, frame.height(0.0)), (b - gap, top), colour, 0.85);
        if let Some((low, high)) = place.interval {
            interval(
                svg,
                0.5 * (a + b),
                (frame.height(low), frame.height(high)),
                Colour::BLACK,
            );
        }
    }
}

fn interval(svg: &mut Svg, x: f64, (low, high): (f64, f64), colour: Colour) {
    const CAP: f64 = 3.0;
    if !(low.is_finite() && high.is_finite()) {
        return;
    }
    let stroke = Stroke::solid(colour, ERROR_WIDTH);
    svg.line((x, low), (x, high), stroke);
    svg.line((x - CAP, low), (x + CAP, low), stroke);
    svg.line((x - CAP, high), (x + CAP, high), stroke);
}

fn points(svg: &mut Svg, frame: &Frame<'_>, series: &Series, colour: Colour) {
    if series.connected {
        svg.begin_clip((frame.left, frame.top), (frame.right, frame.bottom));
        for run in places_on_page(frame, &series.places) {
            svg.polyline(
                &run,
                Stroke {
                    colour,
                    width: 0.6 * series.width,
                    dash: series.dash,
                },
            );
        }
        svg.end_clip();
    }
    let shape = series.marker.unwrap_or_else(|| usual_marker(colour));
    let visible = || {
        series
            .places
            .iter()
            .filter(|p| frame.x.contains(p.x) && frame.y.contains(p.y))
    };
    for place in visible() {
        if let Some((low, high)) = place.interval {
            let clamp = |v: f64| frame.height(v).clamp(frame.top, frame.bottom);
            interval(svg, frame.x.pixel(place.x), (clamp(low), clamp(high)), colour);
        }
    }
    for place in visible() {
        marker(svg, frame.place(place.x, place.y), shape, colour);
    }
}

/// The marker that goes with a colour, so that shape tells apart what colour may not.
pub(crate) fn usual_marker(colour: Colour) -> Marker {
    let number = Colour::SERIES.iter().position(|c| *c == colour).unwrap_or(0);
    Marker::ALL[number % Marker::ALL.len()]
}

/// Draws a marker with a white rim, so that crowded ones stay apart.
pub(crate) fn marker(svg: &mut Svg, (x, y): (f64, f64), marker: Marker, colour: Colour) {
    let rim = Stroke::solid(Colour::WHITE, 0.8);
    let r = MARKER_RADIUS;
    let mut corners = |offsets: &[(f64, f64)]| {
        let outline: Vec<(f64, f64)> = offsets.iter().map(|(dx, dy)| (x + r * dx, y + r * dy)).collect();
        svg.polygon(&outline, colour, 1.0, Some(rim));
    };
    // Sizes of about equal area.
    match marker {
        Marker::Circle => svg.circle((x, y), r, colour, rim),
        Marker::Square => corners(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Marker::Triangle => corners(&[(0.0, -1.3), (1.13, 0.75), (-1.13, 0.75)]),
        Marker::Diamond => corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
        Marker::Wedge => corners(&[(0.0, 1.3), (1.13, -0.75), (-1.13, -0.75)]),
    }
}

/// Refuses two values for one cell.
pub(crate) fn check_distinct(map: &HeatMap) -> Result<()> {
    let mut seen = HashMap::new();
    for (x, y, value) in &map.cells {
        if let Some(other) = seen.insert((x.to_bits(), y.to_bits()), value) {
            return Err(Error::argument(
                "heat map",
                "one value for each cell",
                format!("{other} and {value} at ({x}, {y})"),
            ));
        }
    }
    Ok(())
}

/// The outer edges of a heat map on one axis, as values of that axis.
pub(crate) fn edge_values(values: impl Iterator<Item = f64>, axis: &Axis) -> Vec<f64> {
    let (_, edges) = HeatMap::grid(values, axis);
    edges
        .first()
        .into_iter()
        .chain(edges.last())
        .map(|e| axis.value(*e))
        .collect()
}

const NO_VALUE: Colour = Colour(0xdd, 0xdd, 0xdd);

/// Draws the cells row by row, one rectangle for each run of equal colours.
pub(crate) fn heat_map(svg: &mut Svg, frame: &Frame<'_>, map: &HeatMap, bar: &Resolved, axes: (&Axis, &Axis)) {
    let (xs, x_edges) = HeatMap::grid(map.cells.iter().map(|c| c.0), axes.0);
    let (ys, y_edges) = HeatMap::grid(map.cells.iter().map(|c| c.1), axes.1);
    let mut colours = vec![NO_VALUE; xs.len() * ys.len()];
    for (x, y, value) in &map.cells {
        let find = |centres: &[f64], even: f64| centres.binary_search_by(|c| c.total_cmp(&even)).ok();
        if let (Some(i), Some(j)) = (find(&xs, axes.0.even(*x)), find(&ys, axes.1.even(*y))) {
            let even = bar.even(*value);
            if even.is_finite() {
                colours[j * xs.len() + i] = map.map.at((even - bar.low) / (bar.high - bar.low));
            }
        }
    }
    svg.begin_clip((frame.left, frame.top), (frame.right, frame.bottom));
    // Each rectangle reaches under the one that is drawn next to it later, so that no seam shows at any size.
    let reaching = |from: f64, to: f64, last: bool| if last { to } else { to + (to - from).signum() };
    for (j, row) in colours.chunks(xs.len().max(1)).enumerate() {
        let (low, high) = (frame.y.pixel_of_even(y_edges[j]), frame.y.pixel_of_even(y_edges[j + 1]));
        let mut start = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            let (from, to) = (
                frame.x.pixel_of_even(x_edges[start]),
                frame.x.pixel_of_even(x_edges[end]),
            );
            svg.rectangle(
                (from, low),
                (
                    reaching(from, to, end == xs.len()),
                    reaching(low, high, j + 1 == ys.len()),
                ),
                run[0],
                1.0,
            );
            start = end;
        }
    }
    svg.end_clip();
}

/// Draws the scale of a heat map between two x and two y.
pub(crate) fn colour_bar(svg: &mut Svg, map: &HeatMap, bar: &Resolved, x: (f64, f64), y: (f64, f64)) {
    const STEPS: usize = 128;
    let ink = Stroke::solid(Colour(0x22, 0x22, 0x22), 1.0);
    for step in 0..STEPS {
        let pixel = |s: usize| bar.pixel_of_even(bar.low + s as f64 / STEPS as f64 * (bar.high - bar.low));
        // Each step reaches under the next.
        svg.rectangle(
            (x.0, pixel(step)),
            (x.1, pixel((step + 2).min(STEPS))),
            map.map.at((step as f64 + 0.5) / STEPS as f64),
            1.0,
        );
    }
    svg.polyline(
        &[(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1), (x.0, y.0), (x.1, y.0)],
        ink,
    );
    let mut widest: f64 = 0.0;
    for (even, label) in &bar.ticks {
        let at = bar.pixel_of_even(*even);
        svg.line((x.1, at), (x.1 + 4.0, at), ink);
        let look = TextLook::new(TICK_SIZE, Anchor::Start);
        svg.text((x.1 + 8.0, at + HALF_HEIGHT * TICK_SIZE), label, look);
        widest = widest.max(text::width(label, TICK_SIZE, false));
    }
    let mut upright = TextLook::new(TICK_SIZE + 1.0, Anchor::Middle);
    upright.upright = true;
    svg.text((x.1 + 8.0 + widest + 18.0, 0.5 * (y.0 + y.1)), &map.bar.title, upright);
}

const REFERENCE_SIZE: f64 = 11.5;
const REFERENCE: Colour = Colour(0x55, 0x55, 0x55);

/// Draws straight lines across the panel, each label at that end and side of its line where it covers least data.
pub(crate) fn references(svg: &mut Svg, frame: &Frame<'_>, panel: &Panel) {
    let stroke = Stroke {
        colour: REFERENCE,
        width: 1.3,
        dash: Dash::Dashed,
    };
    let mut drawn = drawn_places(frame, panel);
    let (low, high) = ((frame.left, frame.top), (frame.right, frame.bottom));
    for reference in &panel.references {
        let length = text::width(&reference.label, REFERENCE_SIZE, false);
        // In the order of preference.
        let candidates: Vec<Area> = if reference.horizontal {
            if !frame.y.contains(reference.at) {
                continue;
            }
            let y = frame.y.pixel(reference.at);
            svg.line((low.0, y), (high.0, y), stroke);
            let ends = [high.0 - 4.0 - length, low.0 + 4.0];
            let boxes =
                ends.map(|x| [y - 4.0 - REFERENCE_SIZE, y + 4.0].map(|y| ((x, y), (x + length, y + REFERENCE_SIZE))));
            boxes.concat()
        } else {
            if !frame.x.contains(reference.at) {
                continue;
            }
            let x = frame.x.pixel(reference.at);
            svg.line((x, low.1), (x, high.1), stroke);
            let ends = [low.1 + 4.0, high.1 - 4.0 - length];
            let boxes =
                ends.map(|y| [x - 4.0 - REFERENCE_SIZE, x + 4.0].map(|x| ((x, y), (x + REFERENCE_SIZE, y + length))));
            boxes.concat()
        };
        let crowd = |(a, b): &Area| {
            let inside =
                |p: &&(f64, f64)| (a.0 - 2.0..b.0 + 2.0).contains(&p.0) && (a.1 - 2.0..b.1 + 2.0).contains(&p.1);
            let outside = a.0 < low.0 || a.1 < low.1 || b.0 > high.0 || b.1 > high.1;
            (outside, drawn.iter().filter(inside).count())
        };
        let Some((a, b)) = candidates.into_iter().min_by_key(crowd) else {
            continue;
        };
        // Later labels keep clear of this one.
        if !reference.label.is_empty() {
            along(&mut drawn, (a, b));
            along(&mut drawn, ((a.0, b.1), (b.0, a.1)));
        }
        let mut look = TextLook::new(REFERENCE_SIZE, Anchor::Start);
        look.ground = true;
        look.colour = Colour(0x44, 0x44, 0x44);
        if reference.horizontal {
            svg.text((a.0, b.1 - 2.0), &reference.label, look);
        } else {
            look.upright = true;
            svg.text((b.0 - 2.0, b.1), &reference.label, look);
        }
    }
}

/// Two opposite corners.
type Area = ((f64, f64), (f64, f64));

/// Adds pixels of the straight line between two, a few apart; none where it has no place.
fn along(places: &mut Vec<(f64, f64)>, (a, b): Area) {
    const APART: f64 = 4.0;
    let length = (b.0 - a.0).hypot(b.1 - a.1);
    if !length.is_finite() {
        return;
    }
    // Lines may leave the panel by far; what is drawn of them there does not matter.
    let steps = (length / APART).ceil().clamp(1.0, 500.0);
    places.extend((0..=steps as usize).map(|i| {
        let share = i as f64 / steps;
        (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1))
    }));
}

/// Pixels along everything that the series and the reference lines draw.
fn drawn_places(frame: &Frame<'_>, panel: &Panel) -> Vec<(f64, f64)> {
    let mut places = Vec::new();
    for reference in &panel.references {
        let (x, y) = (frame.x.pixel(reference.at), frame.y.pixel(reference.at));
        let line = match reference.horizontal {
            true => ((frame.left, y), (frame.right, y)),
            false => ((x, frame.top), (x, frame.bottom)),
        };
        along(&mut places, line);
    }
    for series in &panel.series {
        if series.shape == Shape::Line || series.connected {
            for run in places_on_page(frame, &series.places) {
                run.windows(2).for_each(|pair| along(&mut places, (pair[0], pair[1])));
            }
        }
        for place in &series.places {
            let (x, y) = frame.place(place.x, place.y);
            let (low, high) = match (place.interval, series.shape) {
                (_, Shape::Bars | Shape::Histogram) => (frame.height(0.0), y),
                (Some((low, high)), _) => (frame.height(low), frame.height(high)),
                (None, _) => (y, y),
            };
            if x.is_finite() && low.is_finite() && high.is_finite() {
                along(&mut places, ((x, low), (x, high)));
            }
        }
    }
    places
}

/// Writes words at their places.
pub(crate) fn notes(svg: &mut Svg, frame: &Frame<'_>, notes: &[Note]) {
    for note in notes {
        let (x, y) = frame.place(note.x, note.y);
        if x.is_finite() && y.is_finite() {
            let mut look = TextLook::new(TICK_SIZE, note.anchor);
            look.ground = true;
            svg.text((x, y + HALF_HEIGHT * TICK_SIZE), &note.text, look);
        }
    }
}
