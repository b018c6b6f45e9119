//! A page of vector graphics: the few shapes that figures consist of, with coordinates to a hundredth of a pixel.
//!
//! The text is the same for the same calls: coordinates are rounded and printed by one function, and nothing else varies.

use super::palette::Colour;
use super::text::FAMILY;
use std::fmt::Write;

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

    fn attributes(&self) -> String {
        let dash = match self.dash {
            Dash::Solid => String::new(),
            Dash::Dashed => format!(
                " stroke-dasharray=\"{} {}\"",
                number(3.5 * self.width),
                number(2.2 * self.width)
            ),
            Dash::Dotted => format!(
                " stroke-dasharray=\"0 {}\" stroke-linecap=\"round\"",
                number(2.2 * self.width)
            ),
        };
        format!(
            "stroke=\"{}\" stroke-width=\"{}\"{dash}",
            self.colour,
            number(self.width)
        )
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
    /// Degrees, clockwise.
    pub rotation: f64,
    /// Whether a white rim keeps it readable on any ground.
    pub rim: bool,
}

impl TextLook {
    pub fn new(size: f64, anchor: Anchor) -> Self {
        TextLook {
            size,
            bold: false,
            colour: Colour(0x22, 0x22, 0x22),
            anchor,
            rotation: 0.0,
            rim: false,
        }
    }
}

/// Half the height of digits and capitals over the font size: what centres a line of text on a point.
pub(crate) const HALF_HEIGHT: f64 = 0.36;

/// The page under way.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    body: String,
    clips: usize,
}

impl Svg {
    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.push(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1),
            stroke.attributes()
        ));
    }

    pub fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" {}/>",
            list(points),
            stroke.attributes()
        ));
    }

    pub fn polygon(&mut self, points: &[(f64, f64)], fill: Colour, opacity: f64, rim: Option<Stroke>) {
        let rim = rim
            .map(|stroke| format!(" {}", stroke.attributes()))
            .unwrap_or_default();
        self.push(format_args!(
            "<polygon points=\"{}\" fill=\"{fill}\"{}{rim}/>",
            list(points),
            opaque(opacity)
        ));
    }

    pub fn circle(&mut self, centre: (f64, f64), radius: f64, fill: Colour, rim: Stroke) {
        self.push(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{fill}\" {}/>",
            number(centre.0),
            number(centre.1),
            number(radius),
            rim.attributes()
        ));
    }

    /// A filled rectangle between two opposite corners.
    pub fn rectangle(&mut self, a: (f64, f64), b: (f64, f64), fill: Colour, opacity: f64) {
        self.push(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"{}/>",
            number(a.0.min(b.0)),
            number(a.1.min(b.1)),
            number((a.0 - b.0).abs()),
            number((a.1 - b.1).abs()),
            opaque(opacity)
        ));
    }

    pub fn text(&mut self, at: (f64, f64), text: &str, look: TextLook) {
        let (x, y) = (number(at.0), number(at.1));
        let anchor = match look.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        let rotation = if look.rotation == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {x} {y})\"", number(look.rotation))
        };
        let rim = if look.rim {
            " stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\""
        } else {
            ""
        };
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" fill=\"{}\"{anchor}{weight}{rotation}{rim}>{}</text>",
            number(look.size),
            look.colour,
            escape(text)
        ));
    }

    /// What is drawn from here to [`Svg::end`] shows only inside the rectangle.
    pub fn begin_clip(&mut self, a: (f64, f64), b: (f64, f64)) {
        let id = self.clips;
        self.clips += 1;
        self.push(format_args!(
            "<clipPath id=\"clip{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n<g clip-path=\"url(#clip{id})\">",
            number(a.0.min(b.0)),
            number(a.1.min(b.1)),
            number((a.0 - b.0).abs()),
            number((a.1 - b.1).abs()),
        ));
    }

    /// What is drawn from here to [`Svg::end`] has hard edges, so that neighbouring rectangles show no seam.
    pub fn begin_crisp(&mut self) {
        self.push(format_args!("<g shape-rendering=\"crispEdges\">"));
    }

    pub fn end(&mut self) {
        self.push(format_args!("</g>"));
    }

    /// The whole page, on white.
    pub fn finish(self, width: f64, height: f64) -> String {
        let (width, height) = (number(width), number(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"{FAMILY}, Verdana, sans-serif\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

fn opaque(opacity: f64) -> String {
    if opacity >= 1.0 {
        String::new()
    } else {
        format!(" fill-opacity=\"{}\"", number(opacity))
    }
}

fn list(points: &[(f64, f64)]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{},{}", number(*x), number(*y)))
        .collect();
    pairs.join(" ")
}

/// A coordinate to two decimals, without trailing zeros. What lies far outside every page is brought near, since
/// renderers compute in single precision.
fn number(value: f64) -> String {
    let text = format!("{:.2}", value.clamp(-1e5, 1e5));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_string()
    } else {
        text.to_string()
    }
}

/// Text for XML; control characters, which XML does not allow, are left out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_minus_zero() {
        for (value, text) in [
            (1.0, "1"),
            (-0.001, "0"),
            (1.256, "1.26"),
            (-2.5, "-2.5"),
            (1e12, "100000"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn text_cannot_break_the_page() {
        assert_eq!(escape("a<b & \"c\"\u{1}\n"), "a&lt;b &amp; &quot;c&quot;");
    }
}
