//! The legend: one entry a label, with everything that is drawn under it.
//!
//! Where a figure has many labels, those of one or two panels stand below these panels, and the legend of the figure keeps the others.

use super::marks::{ColourChoice, Marker, Series, Shape};
use super::paint;
use super::palette::Colour;
use super::panel::Panel;
use super::svg::{Anchor, Dash, HALF_HEIGHT, Stroke, Svg, TextLook};
use super::text;
use std::collections::{HashMap, HashSet};

/// A label with the ways in which it is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    label: String,
    glyphs: Vec<Glyph>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Glyph {
    shape: Shape,
    colour: Colour,
    dash: Dash,
    width: f64,
    marker: Option<Marker>,
    connected: bool,
}

/// A figure of several panels with more labels than this is crowded.
const MANY: usize = 10;
const SIZE: f64 = 12.5;
const SAMPLE: f64 = 28.0;
const ROW: f64 = 20.0;
const GAP: f64 = 22.0;

/// The colour of every series of every panel.
///
/// Labels get the palette's colours in the order in which they first appear; a series without a label gets its own.
/// Fixed colours use up none. In a crowded figure a label that stands below its panels gets the first colour that they have left.
pub(crate) fn colours(panels: &[Panel]) -> Vec<Vec<Colour>> {
    let mut by_label: HashMap<&str, Colour> = HashMap::new();
    let mut next = 0;
    let mut take = || {
        next += 1;
        Colour::nth(next - 1)
    };
    let all = || panels.iter().flat_map(|p| &p.series);
    let own = own_labels(panels);
    for series in all().filter(|s| !s.label.is_empty() && !own.contains(s.label.as_str())) {
        match series.colour {
            ColourChoice::Fixed(colour) => {
                by_label.entry(&series.label).or_insert(colour);
            }
            ColourChoice::Next => {
                by_label.entry(&series.label).or_insert_with(&mut take);
            }
            ColourChoice::Like(_) => {}
        }
    }
    for panel in panels {
        let labelled = || panel.series.iter().filter(|s| own.contains(s.label.as_str()));
        for series in labelled() {
            if let ColourChoice::Fixed(colour) = series.colour {
                by_label.entry(&series.label).or_insert(colour);
            }
        }
        for series in labelled().filter(|s| s.colour == ColourChoice::Next) {
            if !by_label.contains_key(series.label.as_str()) {
                let here = |p: &&Panel| p.series.iter().any(|s| s.label == series.label);
                let used: Vec<Colour> = panels
                    .iter()
                    .filter(here)
                    .flat_map(|p| &p.series)
                    .filter_map(|s| match &s.colour {
                        ColourChoice::Fixed(colour) => Some(*colour),
                        ColourChoice::Like(label) => by_label.get(label.as_str()).copied(),
                        ColourChoice::Next => by_label.get(s.label.as_str()).copied(),
                    })
                    .collect();
                // With more labels than colours the palette begins again.
                let free = (0..used.len() + 1).map(Colour::nth).find(|c| !used.contains(c));
                by_label.insert(&series.label, free.unwrap_or(Colour::nth(used.len())));
            }
        }
    }
    let mut colour_of = |series: &Series| match &series.colour {
        ColourChoice::Fixed(colour) => *colour,
        ColourChoice::Like(label) => by_label.get(label.as_str()).copied().unwrap_or(Colour::BLACK),
        ColourChoice::Next => match by_label.get(series.label.as_str()) {
            Some(colour) => *colour,
            None => take(),
        },
    };
    panels
        .iter()
        .map(|panel| panel.series.iter().map(&mut colour_of).collect())
        .collect()
}

/// The labels that stand below their panels: those of one or two panels, where the figure is crowded.
fn own_labels(panels: &[Panel]) -> HashSet<&str> {
    let mut panels_of: HashMap<&str, HashSet<usize>> = HashMap::new();
    for (number, panel) in panels.iter().enumerate() {
        for series in panel.series.iter().filter(|s| !s.label.is_empty()) {
            panels_of.entry(&series.label).or_default().insert(number);
        }
    }
    if panels.len() <= 2 || panels_of.len() <= MANY {
        return HashSet::new();
    }
    let few = panels_of.into_iter().filter(|(_, panels)| panels.len() <= 2);
    few.map(|(label, _)| label).collect()
}

/// The entries of the figure's legend, and those that stand below each panel.
pub(crate) fn divided(panels: &[Panel], colours: &[Vec<Colour>]) -> (Vec<Entry>, Vec<Vec<Entry>>) {
    let own = own_labels(panels);
    let is_own = |entry: &Entry| own.contains(entry.label.as_str());
    let below = panels.iter().zip(colours).map(|(panel, colours)| {
        let all = entries(std::slice::from_ref(panel), std::slice::from_ref(colours));
        all.into_iter().filter(is_own).collect()
    });
    let shared = entries(panels, colours).into_iter().filter(|e| !is_own(e));
    (shared.collect(), below.collect())
}

/// The entries in the order in which their labels first appear.
pub(crate) fn entries(panels: &[Panel], colours: &[Vec<Colour>]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (panel, colours) in panels.iter().zip(colours) {
        for (series, &colour) in panel.series.iter().zip(colours).filter(|(s, _)| !s.label.is_empty()) {
            let glyph = Glyph {
                shape: series.shape,
                colour,
                dash: series.dash,
                width: series.width,
                marker: series.marker,
                connected: series.connected,
            };
            match entries.iter_mut().find(|e| e.label == series.label) {
                Some(entry) if entry.glyphs.contains(&glyph) => {}
                Some(entry) => entry.glyphs.push(glyph),
                None => entries.push(Entry {
                    label: series.label.clone(),
                    glyphs: vec![glyph],
                }),
            }
        }
    }
    entries
}

fn width(entry: &Entry) -> f64 {
    SAMPLE + 7.0 + text::width(&entry.label, SIZE, false)
}

/// The room that a column of entries takes, with the gap before it.
pub(crate) fn column_width(entries: &[Entry]) -> f64 {
    match entries.iter().map(width).fold(0.0, f64::max) {
        0.0 => 0.0,
        widest => widest + 12.0,
    }
}

pub(crate) fn draw_column(svg: &mut Svg, entries: &[Entry], corner: (f64, f64)) {
    for (row, entry) in entries.iter().enumerate() {
        draw(svg, entry, (corner.0 + 8.0, corner.1 + (row as f64 + 0.5) * ROW));
    }
}

/// Entries in rows no wider than `limit`, each with its width.
fn rows(entries: &[Entry], limit: f64) -> Vec<(f64, Vec<&Entry>)> {
    let mut rows: Vec<(f64, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        match rows.last_mut() {
            Some((used, row)) if *used + GAP + width(entry) <= limit => {
                *used += GAP + width(entry);
                row.push(entry);
            }
            _ => rows.push((width(entry), vec![entry])),
        }
    }
    rows
}

/// The room that entries take in rows no wider than `limit`.
pub(crate) fn rows_height(entries: &[Entry], limit: f64) -> f64 {
    ROW * rows(entries, limit).len() as f64
}

/// Draws entries in centred rows no wider than `limit`, and returns the y below the last.
pub(crate) fn draw_rows(svg: &mut Svg, entries: &[Entry], corner: (f64, f64), limit: f64) -> f64 {
    let mut y = corner.1;
    for (used, row) in rows(entries, limit) {
        let mut x = corner.0 + (0.5 * (limit - used)).max(0.0);
        for entry in row {
            draw(svg, entry, (x, y + 0.5 * ROW));
            x += width(entry) + GAP;
        }
        y += ROW;
    }
    y
}

/// Draws an entry whose sample begins at a point and is centred on its height.
fn draw(svg: &mut Svg, entry: &Entry, (x, y): (f64, f64)) {
    for glyph in &entry.glyphs {
        let end = x + SAMPLE;
        match glyph.shape {
            Shape::Band => svg.rectangle((x, y - 6.0), (end, y + 6.0), glyph.colour, 0.22),
            Shape::Bars => svg.rectangle((x + 6.0, y - 6.0), (end - 6.0, y + 6.0), glyph.colour, 0.85),
            Shape::Histogram => {
                let outline = [
                    (x + 4.0, y - 6.0),
                    (end - 4.0, y - 6.0),
                    (end - 4.0, y + 6.0),
                    (x + 4.0, y + 6.0),
                ];
                svg.polygon(&outline, glyph.colour, 0.35, Some(Stroke::solid(glyph.colour, 0.8)));
            }
            Shape::Line => {
                if glyph.colour == Colour::WHITE {
                    svg.line((x, y), (end, y), Stroke::solid(Colour::BLACK, glyph.width + 2.0));
                }
                svg.line((x, y), (end, y), stroke(glyph, glyph.width));
            }
            Shape::Points => {
                if glyph.connected {
                    svg.line((x, y), (end, y), stroke(glyph, 0.6 * glyph.width));
                }
                let shape = glyph.marker.unwrap_or_else(|| paint::usual_marker(glyph.colour));
                paint::marker(svg, (x + 0.5 * SAMPLE, y), shape, glyph.colour);
            }
        }
    }
    svg.text(
        (x + SAMPLE + 7.0, y + HALF_HEIGHT * SIZE),
        &entry.label,
        TextLook::new(SIZE, Anchor::Start),
    );
}

fn stroke(glyph: &Glyph, width: f64) -> Stroke {
    Stroke {
        colour: glyph.colour,
        width,
        dash: glyph.dash,
    }
}
