//! How wide text is in the embedded font, and how it breaks.

use resvg::usvg;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The family that figures are drawn in.
const FAMILY: &str = "DejaVu Sans";

/// The families that an SVG names: a viewer without the first falls back to one of nearly the same widths.
pub(crate) const FAMILIES: &str = "DejaVu Sans, Verdana, sans-serif";

/// Options of the renderer with the embedded font, and no other.
pub(crate) fn renderer_options() -> usvg::Options<'static> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::bold().to_vec());
        fonts.set_sans_serif_family(FAMILY);
        Arc::new(fonts)
    });
    usvg::Options {
        fontdb: fonts.clone(),
        font_family: FAMILY.to_string(),
        ..usvg::Options::default()
    }
}

/// The width of a line of text, in pixels. Kerning is left out: it can only make the text narrower.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    size * text.chars().map(|c| advance(c, bold)).sum::<f64>()
}

/// The advance of a character at font size 1, as the renderer sets it.
fn advance(character: char, bold: bool) -> f64 {
    static KNOWN: OnceLock<Mutex<HashMap<(char, bool), f64>>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    *known
        .entry((character, bold))
        .or_insert_with(|| measure(character, bold))
}

/// Renders runs of two lengths; their difference has no side bearings in it.
fn measure(character: char, bold: bool) -> f64 {
    const SIZE: f64 = 100.0;
    let run = |count: usize| -> Option<f64> {
        // Between two letters, since the renderer drops a text of spaces.
        let text = format!("M{}M", format!("&#{};", character as u32).repeat(count));
        let weight = if bold { "bold" } else { "normal" };
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"><text x=\"0\" y=\"0\" \
             xml:space=\"preserve\" font-family=\"{FAMILY}\" font-weight=\"{weight}\" font-size=\"{SIZE}\">{text}</text></svg>"
        );
        let tree = usvg::Tree::from_str(&svg, &renderer_options()).ok()?;
        Some(f64::from(tree.root().children().first()?.bounding_box().width()))
    };
    match (run(10), run(20)) {
        (Some(short), Some(long)) => (long - short) / (10.0 * SIZE),
        // What the renderer does not draw takes no room; a cautious width keeps its neighbours apart.
        _ => 0.6,
    }
}

/// Breaks text into lines no wider than `limit`, at spaces; a longer word stands alone on its line. Line breaks in the
/// text are kept.
pub(crate) fn wrap(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let longer = if line.is_empty() {
                word.to_string()
            } else {
                format!("{line} {word}")
            };
            if !line.is_empty() && width(&longer, size, bold) > limit {
                lines.push(std::mem::replace(&mut line, word.to_string()));
            } else {
                line = longer;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

/// A whole number in superscript digits.
pub(crate) fn superscript(number: i32) -> String {
    number
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font_tables() {
        // Advances in the hmtx table of DejaVu Sans 2.37, in units of 1/2048 em: M 1767, i 569, space 651.
        for (character, units) in [('M', 1767.0), ('i', 569.0), (' ', 651.0)] {
            let expected = units / 2048.0;
            // The renderer measures in f32 at size 100 over 20 characters: relative rounding below 1e-5.
            assert!(
                (advance(character, false) - expected).abs() < 1e-4,
                "{character}: {}",
                advance(character, false)
            );
        }
        assert!(advance('M', true) > advance('M', false));
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_word() {
        let text = "every line of a caption is no wider than the figure that it explains";
        let lines = wrap(text, 12.0, false, 120.0);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| width(line, 12.0, false) <= 120.0));
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrap("incomprehensibilities", 12.0, false, 10.0).len(), 1);
    }

    #[test]
    fn superscripts_cover_all_digits() {
        assert_eq!(superscript(-1_234_567_890), "⁻¹²³⁴⁵⁶⁷⁸⁹⁰");
    }
}
