//! A page of vector graphics: the few shapes that figures consist of, laid down in real coordinates and drawn by plotters.
//!
//! Plotters knows whole pixels only. The page is therefore drawn on a canvas ten times as large, with every stroke and
//! font scaled, and only the stated width and height of the result are those of the page. What plotters' backend for SVG
//! cannot do is done in geometry: cutting at a rectangle, and dashes.

use super::clip;
use super::palette::Colour;
use super::text;
use crate::error::{Error, Result};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle};

/// How a stroke is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

/// A line's look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub colour: Colour,
    pub width: f64,
    pub dash: Dash,
}

impl Stroke {
    pub fn solid(colour: Colour, width: f64) -> Self {
        Stroke {
            colour,
            width,
            dash: Dash::Solid,
        }
    }
}

/// Which point of a text stands at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A text's look. The position is on the baseline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextLook {
    pub size: f64,
    pub bold: bool,
    pub colour: Colour,
    pub anchor: Anchor,
    /// Whether it runs upwards.
    pub upright: bool,
    /// Whether a white ground keeps it readable on anything.
    pub ground: bool,
}

impl TextLook {
    pub fn new(size: f64, anchor: Anchor) -> Self {
        TextLook {
            size,
            bold: false,
            colour: Colour(0x22, 0x22, 0x22),
            anchor,
            upright: false,
            ground: false,
        }
    }
}

/// Half the height of digits and capitals over the font size: what centres a line of text on a point.
pub(crate) const HALF_HEIGHT: f64 = 0.36;

pub(crate) type Point = (f64, f64);

/// One thing on the page.
#[derive(Clone, Debug)]
enum Shape {
    Path(Vec<Point>, Colour, f64),
    Polygon(Vec<Point>, Colour, f64),
    Rectangle(Point, Point, Colour, f64),
    Circle(Point, f64, Colour),
    Words(Point, String, TextLook),
}

/// The page under way.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    shapes: Vec<Shape>,
    clip: Option<(Point, Point)>,
}

impl Svg {
    /// Cuts what is drawn from here to [`Svg::end_clip`] at a rectangle: lines, polygons and rectangles, not words and
    /// circles.
    pub fn begin_clip(&mut self, a: Point, b: Point) {
        self.clip = Some(((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1))));
    }

    pub fn end_clip(&mut self) {
        self.clip = None;
    }

    pub fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        self.polyline(&[from, to], stroke);
    }

    pub fn polyline(&mut self, points: &[Point], stroke: Stroke) {
        let runs = match self.clip {
            Some((low, high)) => clip::polyline(points, low, high),
            None => vec![points.to_vec()],
        };
        for run in runs {
            let pieces = match stroke.dash {
                Dash::Solid => vec![run],
                Dash::Dashed => clip::dashes(&run, 3.5 * stroke.width, 2.2 * stroke.width),
                Dash::Dotted => clip::dashes(&run, stroke.width, 1.6 * stroke.width),
            };
            for piece in pieces {
                self.shapes.push(Shape::Path(piece, stroke.colour, stroke.width));
            }
        }
    }

    pub fn polygon(&mut self, points: &[Point], fill: Colour, opacity: f64, rim: Option<Stroke>) {
        let outline = match self.clip {
            Some((low, high)) => clip::polygon(points, low, high),
            None => points.to_vec(),
        };
        if outline.len() > 2 {
            self.shapes.push(Shape::Polygon(outline, fill, opacity));
        }
        if let (Some(stroke), Some(first), Some(second)) = (rim, points.first(), points.get(1)) {
            // Beyond the closing point once more, so that the last corner is a corner too.
            self.polyline(&[points, &[*first, *second]].concat(), stroke);
        }
    }

    /// A disc, with a rim around it.
    pub fn circle(&mut self, centre: Point, radius: f64, fill: Colour, rim: Stroke) {
        self.shapes.push(Shape::Circle(centre, radius + rim.width, rim.colour));
        self.shapes.push(Shape::Circle(centre, radius, fill));
    }

    /// A filled rectangle between two opposite corners.
    pub fn rectangle(&mut self, a: Point, b: Point, fill: Colour, opacity: f64) {
        let (mut low, mut high) = ((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)));
        if let Some((from, to)) = self.clip {
            low = (low.0.max(from.0), low.1.max(from.1));
            high = (high.0.min(to.0), high.1.min(to.1));
        }
        if low.0 < high.0 && low.1 < high.1 {
            self.shapes.push(Shape::Rectangle(low, high, fill, opacity));
        }
    }

    pub fn text(&mut self, at: Point, words: &str, look: TextLook) {
        // XML allows no control characters.
        let words: String = words.chars().filter(|c| !c.is_control()).collect();
        if words.is_empty() {
            return;
        }
        if look.ground {
            let length = text::width(&words, look.size, look.bold);
            let start = match look.anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => -0.5 * length,
                Anchor::End => -length,
            };
            let (above, below) = (-0.82 * look.size, 0.22 * look.size);
            let corner = |along: f64, across: f64| match look.upright {
                false => (at.0 + along, at.1 + across),
                true => (at.0 + across, at.1 - along),
            };
            self.rectangle(
                corner(start - 1.0, above),
                corner(start + length + 1.0, below),
                Colour::WHITE,
                0.8,
            );
        }
        self.shapes.push(Shape::Words(at, words, look));
    }

    /// The whole page, on white, as SVG text.
    ///
    /// # Errors
    /// [`Error::Numerical`] when the backend refuses, or the page is too large for its whole pixels.
    pub fn finish(self, width: f64, height: f64) -> Result<String> {
        let failed = |why: String| Error::numerical("drawing a figure", why);
        let canvas = (width * CANVAS, height * CANVAS);
        if !(canvas.0 >= 1.0 && canvas.1 >= 1.0 && canvas.0 < 1e6 && canvas.1 < 1e6) {
            return Err(failed(format!("a page of {width} x {height} pixels")));
        }
        let canvas = (canvas.0 as u32, canvas.1 as u32);
        let mut page = String::new();
        {
            let root = SVGBackend::with_string(&mut page, canvas).into_drawing_area();
            root.fill(&RGBColor(255, 255, 255)).map_err(|e| failed(e.to_string()))?;
            for shape in self.shapes {
                put(&root, shape).map_err(|e| failed(e.to_string()))?;
            }
            root.present().map_err(|e| failed(e.to_string()))?;
        }
        let drawn = format!("width=\"{}\" height=\"{}\"", canvas.0, canvas.1);
        Ok(page.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1))
    }
}

/// Pixels of the canvas for one of the page.
const CANVAS: f64 = 10.0;

/// What plotters divides a font size by before it writes it down.
const FONT_FACTOR: f64 = 1.24;

/// How far below the position of a text whose top stands there plotters puts the baseline, over the font size.
const TOP_TO_BASELINE: f64 = 0.76;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = std::result::Result<(), plotters::drawing::DrawingAreaErrorKind<std::io::Error>>;

fn put(root: &Area<'_>, shape: Shape) -> Drawn {
    let style = |colour: Colour, opacity: f64, width: f64| ShapeStyle {
        color: RGBColor(colour.0, colour.1, colour.2).mix(opacity),
        filled: true,
        stroke_width: (width * CANVAS).round().max(1.0) as u32,
    };
    match shape {
        Shape::Path(points, colour, width) => root.draw(&PathElement::new(pixels(&points), style(colour, 1.0, width))),
        Shape::Polygon(points, colour, opacity) => {
            root.draw(&Polygon::new(pixels(&points), style(colour, opacity, 0.0)))
        }
        Shape::Rectangle(a, b, colour, opacity) => {
            root.draw(&Rectangle::new([pixel(a), pixel(b)], style(colour, opacity, 0.0)))
        }
        Shape::Circle(centre, radius, colour) => {
            let radius = (radius * CANVAS).round().max(1.0) as u32;
            root.draw(&Circle::new(pixel(centre), radius, style(colour, 1.0, 0.0)))
        }
        Shape::Words(at, words, look) => {
            let weight = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
            let size = look.size * CANVAS;
            let font = FontDesc::new(FontFamily::Name(text::FAMILIES), size * FONT_FACTOR, weight);
            let (font, top) = if look.upright {
                let top = (at.0 - TOP_TO_BASELINE * look.size, at.1);
                (font.transform(FontTransform::Rotate270), top)
            } else {
                (font, (at.0, at.1 - TOP_TO_BASELINE * look.size))
            };
            let side = match look.anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let colour = RGBColor(look.colour.0, look.colour.1, look.colour.2);
            let style = TextStyle::from(font).color(&colour).pos(Pos::new(side, VPos::Top));
            root.draw(&Text::new(words, pixel(top), style))
        }
    }
}

fn pixel(point: Point) -> (i32, i32) {
    ((point.0 * CANVAS).round() as i32, (point.1 * CANVAS).round() as i32)
}

fn pixels(points: &[Point]) -> Vec<(i32, i32)> {
    points.iter().map(|p| pixel(*p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_break_the_page() {
        let mut svg = Svg::default();
        svg.text((5.0, 20.0), "a<b & \"c\"\u{1}\n", TextLook::new(10.0, Anchor::Start));
        let page = svg.finish(60.0, 30.0).unwrap();
        assert!(page.contains("a&lt;b &amp; &quot;c&quot;\n"), "{page}");
        assert!(
            page.starts_with("<svg width=\"60\" height=\"30\" viewBox=\"0 0 600 300\""),
            "{page}"
        );
    }

    #[test]
    fn a_page_that_no_canvas_can_hold_is_refused() {
        for size in [0.0, f64::NAN, 1e9] {
            assert!(Svg::default().finish(size, 10.0).is_err());
        }
    }
}
