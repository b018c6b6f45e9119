//! One pair of axes with what it shows, and how it is put on the page.

use super::axis::{Axis, Resolved};
use super::marks::{HeatMap, Note, Reference, Series, Shape};
use super::paint;
use super::palette::Colour;
use super::svg::{Anchor, HALF_HEIGHT, Stroke, Svg, TextLook};
use super::text;
use crate::error::Result;

/// One pair of axes with series, a heat map, reference lines and words.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    pub(crate) heat_map: Option<HeatMap>,
    pub(crate) references: Vec<Reference>,
    pub(crate) notes: Vec<Note>,
}

impl Panel {
    /// A panel; the title may be empty.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Panel {
            title: title.into(),
            x,
            y,
            series: Vec::new(),
            heat_map: None,
            references: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a series. Bands lie under bars, bars under lines, lines under points; among equals the later lies above.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Shows a heat map under everything else.
    pub fn heat_map(mut self, heat_map: HeatMap) -> Self {
        self.heat_map = Some(heat_map);
        self
    }

    /// A dashed grey line at a height, with a label at its right end.
    pub fn horizontal(mut self, y: f64, label: impl Into<String>) -> Self {
        self.references.push(Reference {
            horizontal: true,
            at: y,
            label: label.into(),
        });
        self
    }

    /// A dashed grey line at an x, with a label along its upper end.
    pub fn vertical(mut self, x: f64, label: impl Into<String>) -> Self {
        self.references.push(Reference {
            horizontal: false,
            at: x,
            label: label.into(),
        });
        self
    }

    /// Words at a place; they may cover data, so choose an empty one.
    pub fn note(mut self, x: f64, y: f64, text: impl Into<String>, anchor: Anchor) -> Self {
        self.notes.push(Note {
            x,
            y,
            text: text.into(),
            anchor,
        });
        self
    }
}

pub(crate) const TICK_SIZE: f64 = 12.0;
const AXIS_TITLE_SIZE: f64 = 13.5;
const TITLE_SIZE: f64 = 13.5;
const TICK_LENGTH: f64 = 5.0;
const MINOR_LENGTH: f64 = 3.0;
const LINE_HEIGHT: f64 = 17.0;
const LABEL_HEIGHT: f64 = 14.5;
const BAR_WIDTH: f64 = 14.0;
const BAR_GAP: f64 = 12.0;
const INK: Colour = Colour(0x22, 0x22, 0x22);
const GRID: Colour = Colour(0xe6, 0xe6, 0xe6);

/// Room around the axes for ticks, titles and the colour bar.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Margins {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Margins {
    pub fn max(self, other: Margins) -> Margins {
        Margins {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            top: self.top.max(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// A panel whose ranges, ticks and margins are known.
#[derive(Debug)]
pub(crate) struct Laid<'a> {
    panel: &'a Panel,
    x: Resolved,
    y: Resolved,
    bar: Option<Resolved>,
    title: Vec<String>,
    x_title: Vec<String>,
    y_title: Vec<String>,
    categories: Categories,
    pub margins: Margins,
}

impl<'a> Laid<'a> {
    /// Lays a panel out for an outer size in pixels.
    ///
    /// # Errors
    /// Those of [`Axis::resolve`] and of the marks.
    pub fn new(panel: &'a Panel, number: Option<usize>, width: f64, height: f64) -> Result<Self> {
        for series in &panel.series {
            series.check()?;
        }
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for series in &panel.series {
            let (x, y) = series.extent();
            xs.extend(x);
            ys.extend(y);
        }
        for reference in &panel.references {
            if reference.horizontal { &mut ys } else { &mut xs }.push(reference.at);
        }
        for note in &panel.notes {
            xs.push(note.x);
            ys.push(note.y);
        }
        let padded = panel.heat_map.is_none();
        let mut bar = None;
        if let Some(map) = &panel.heat_map {
            paint::check_distinct(map)?;
            // The map alone decides the range, so that no white rim is left around it.
            xs.clear();
            ys.clear();
            xs.extend(paint::edge_values(map.cells.iter().map(|c| c.0), &panel.x));
            ys.extend(paint::edge_values(map.cells.iter().map(|c| c.1), &panel.y));
            bar = Some(
                map.bar
                    .resolve(map.cells.iter().map(|c| c.2), height - 110.0, 40.0, false)?,
            );
        }
        let x = panel.x.resolve(xs.into_iter(), width - 90.0, 58.0, padded)?;
        let y = panel.y.resolve(ys.into_iter(), height - 90.0, 40.0, padded)?;
        let mut laid = Laid {
            panel,
            x,
            y,
            bar,
            title: Vec::new(),
            x_title: Vec::new(),
            y_title: Vec::new(),
            categories: Categories::default(),
            margins: Margins::default(),
        };
        laid.measure(number, width, height);
        Ok(laid)
    }

    fn measure(&mut self, number: Option<usize>, width: f64, height: f64) {
        let widest = |ticks: &[(f64, String)]| {
            ticks
                .iter()
                .map(|(_, label)| text::width(label, TICK_SIZE, false))
                .fold(0.0, f64::max)
        };
        let tick_room = TICK_LENGTH + 4.0;
        self.y_title = text::wrap(&self.panel.y.title, AXIS_TITLE_SIZE, false, height - 70.0);
        let left = tick_room + widest(&self.y.ticks) + 6.0 + LINE_HEIGHT * self.y_title.len() as f64;
        let mut right = 12.0;
        if let (Some(bar), Some(map)) = (&self.bar, &self.panel.heat_map) {
            right = BAR_GAP + BAR_WIDTH + tick_room + widest(&bar.ticks) + 4.0;
            right += if map.bar.title.is_empty() {
                4.0
            } else {
                LINE_HEIGHT + 6.0
            };
        }
        let inner = (width - left - right).max(40.0);
        self.x_title = text::wrap(
            &self.panel.x.title,
            AXIS_TITLE_SIZE,
            false,
            (inner + 30.0).max(width - 40.0),
        );
        let slot = inner / self.x.ticks.len().max(1) as f64;
        let labels = if self.panel.x.is_categories() {
            let labels = self.x.ticks.iter().map(|(_, label)| label.as_str());
            self.categories = Categories::fit(labels, slot - 8.0);
            self.categories.height()
        } else {
            TICK_SIZE
        };
        if !self.panel.x.is_categories()
            && let Some((at, last)) = self.x.ticks.last()
        {
            // A label centred on a tick near the right end reaches beyond it.
            let share = (at - self.x.low) / (self.x.high - self.x.low);
            let overhang = 0.5 * text::width(last, TICK_SIZE, false) - (1.0 - share) * inner;
            right = right.max(overhang + 4.0);
        }
        let letter = number
            .map(|n| format!("({}) ", char::from(b'a' + (n % 26) as u8)))
            .unwrap_or_default();
        let title = format!("{letter}{}", self.panel.title);
        self.title = text::wrap(&title, TITLE_SIZE, true, width - 16.0);
        self.margins = Margins {
            left,
            right,
            top: 8.0 + LINE_HEIGHT * self.title.len() as f64 + 4.0,
            bottom: tick_room + labels + 4.0 + LINE_HEIGHT * self.x_title.len() as f64 + 6.0,
        };
    }

    /// Draws the panel into an outer rectangle, with margins at least its own.
    pub fn draw(mut self, svg: &mut Svg, corner: (f64, f64), size: (f64, f64), margins: Margins, colours: &[Colour]) {
        let (left, top) = (corner.0 + margins.left, corner.1 + margins.top);
        let right = corner.0 + size.0 - margins.right;
        let bottom = corner.1 + size.1 - margins.bottom;
        self.x.place(left, right);
        self.y.place(bottom, top);
        let frame = paint::Frame {
            x: &self.x,
            y: &self.y,
            left,
            right,
            top,
            bottom,
        };
        if let (Some(map), Some(bar)) = (&self.panel.heat_map, &mut self.bar) {
            bar.place(bottom, top);
            paint::heat_map(svg, &frame, map, bar, (&self.panel.x, &self.panel.y));
            let from = right + BAR_GAP;
            paint::colour_bar(svg, map, bar, (from, from + BAR_WIDTH), (top, bottom));
        } else {
            for (even, _) in &frame.x.ticks {
                let at = frame.x.pixel_of_even(*even);
                if !self.panel.x.is_categories() {
                    svg.line((at, top), (at, bottom), Stroke::solid(GRID, 1.0));
                }
            }
            for (even, _) in &frame.y.ticks {
                let at = frame.y.pixel_of_even(*even);
                svg.line((left, at), (right, at), Stroke::solid(GRID, 1.0));
            }
        }
        paint::series(svg, &frame, self.panel, colours);
        self.draw_frame(svg, &frame, corner, size);
        paint::references(svg, &frame, self.panel);
        paint::notes(svg, &frame, &self.panel.notes);
        if self.panel.series.iter().all(|s| s.places.is_empty()) && self.panel.heat_map.is_none() {
            let look = TextLook::new(AXIS_TITLE_SIZE, Anchor::Middle);
            svg.text((0.5 * (left + right), 0.5 * (top + bottom)), "no data", look);
        }
        let mut heading = TextLook::new(TITLE_SIZE, Anchor::Start);
        heading.bold = true;
        for (line, words) in self.title.iter().enumerate() {
            let y = top - 9.0 - LINE_HEIGHT * (self.title.len() - 1 - line) as f64;
            svg.text((corner.0 + 8.0, y), words, heading);
        }
    }

    fn draw_frame(&self, svg: &mut Svg, frame: &paint::Frame<'_>, corner: (f64, f64), size: (f64, f64)) {
        let ink = Stroke::solid(INK, 1.2);
        let (left, right, top, bottom) = (frame.left, frame.right, frame.top, frame.bottom);
        if self.panel.heat_map.is_some() {
            svg.polyline(
                &[
                    (left, top),
                    (right, top),
                    (right, bottom),
                    (left, bottom),
                    (left, top),
                    (right, top),
                ],
                ink,
            );
        } else {
            svg.polyline(&[(left, top), (left, bottom), (right, bottom)], ink);
        }
        for even in &frame.x.minor {
            let at = frame.x.pixel_of_even(*even);
            svg.line((at, bottom), (at, bottom + MINOR_LENGTH), Stroke::solid(INK, 0.9));
        }
        for even in &frame.y.minor {
            let at = frame.y.pixel_of_even(*even);
            svg.line((left - MINOR_LENGTH, at), (left, at), Stroke::solid(INK, 0.9));
        }
        let below = bottom + TICK_LENGTH + 4.0;
        for (number, (even, label)) in frame.x.ticks.iter().enumerate() {
            let at = frame.x.pixel_of_even(*even);
            svg.line((at, bottom), (at, bottom + TICK_LENGTH), ink);
            match self.categories.lines.get(number) {
                Some(lines) => self.categories.draw(svg, lines, (at, below)),
                None => svg.text(
                    (at, below + 2.0 * HALF_HEIGHT * TICK_SIZE),
                    label,
                    TextLook::new(TICK_SIZE, Anchor::Middle),
                ),
            }
        }
        for (even, label) in &frame.y.ticks {
            let at = frame.y.pixel_of_even(*even);
            svg.line((left - TICK_LENGTH, at), (left, at), ink);
            svg.text(
                (left - TICK_LENGTH - 4.0, at + HALF_HEIGHT * TICK_SIZE),
                label,
                TextLook::new(TICK_SIZE, Anchor::End),
            );
        }
        let labels = self.margins.bottom - LINE_HEIGHT * self.x_title.len() as f64 - 6.0;
        for (line, words) in self.x_title.iter().enumerate() {
            let y = bottom + labels + LINE_HEIGHT * line as f64 + 11.0;
            let x = centred(words, (left, right), (corner.0, size.0));
            svg.text((x, y), words, TextLook::new(AXIS_TITLE_SIZE, Anchor::Middle));
        }
        let mut upright = TextLook::new(AXIS_TITLE_SIZE, Anchor::Middle);
        upright.upright = true;
        for (line, words) in self.y_title.iter().enumerate() {
            let x = left - self.margins.left + LINE_HEIGHT * line as f64 + 14.0;
            svg.text((x, centred(words, (top, bottom), (corner.1, size.1))), words, upright);
        }
    }
}

/// The labels of an axis of words, broken into lines; upright where even single words are too wide.
#[derive(Debug, Default)]
struct Categories {
    lines: Vec<Vec<String>>,
    upright: bool,
}

impl Categories {
    fn fit<'a>(labels: impl Iterator<Item = &'a str> + Clone, room: f64) -> Self {
        let lines: Vec<Vec<String>> = labels.clone().map(|l| text::wrap(l, TICK_SIZE, false, room)).collect();
        if lines
            .iter()
            .flatten()
            .all(|line| text::width(line, TICK_SIZE, false) <= room)
        {
            return Categories { lines, upright: false };
        }
        Categories {
            lines: labels.map(|label| vec![label.to_string()]).collect(),
            upright: true,
        }
    }

    fn height(&self) -> f64 {
        let lengths = self
            .lines
            .iter()
            .flatten()
            .map(|line| text::width(line, TICK_SIZE, false));
        match self.upright {
            true => lengths.fold(0.0, f64::max),
            false => LABEL_HEIGHT * self.lines.iter().map(Vec::len).max().unwrap_or(0) as f64,
        }
    }

    fn draw(&self, svg: &mut Svg, lines: &[String], (x, y): (f64, f64)) {
        let anchor = if self.upright { Anchor::End } else { Anchor::Middle };
        let mut look = TextLook::new(TICK_SIZE, anchor);
        look.upright = self.upright;
        for (number, line) in lines.iter().enumerate() {
            let at = match self.upright {
                true => (x + HALF_HEIGHT * TICK_SIZE, y),
                false => (x, y + 2.0 * HALF_HEIGHT * TICK_SIZE + LABEL_HEIGHT * number as f64),
            };
            svg.text(at, line, look);
        }
    }
}

/// The middle of a text between two pixels, moved as far as needed to keep it within its panel.
fn centred(words: &str, (from, to): (f64, f64), (start, length): (f64, f64)) -> f64 {
    let half = 0.5 * text::width(words, AXIS_TITLE_SIZE, false);
    (0.5 * (from + to)).min(start + length - half).max(start + half)
}

/// Which shapes lie in which layer, the lowest first.
pub(crate) const LAYERS: [&[Shape]; 4] = [
    &[Shape::Band],
    &[Shape::Bars, Shape::Histogram],
    &[Shape::Line],
    &[Shape::Points],
];
