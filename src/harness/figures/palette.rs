//! Colours that readers with a colour deficiency can tell apart.

use std::fmt;

/// An opaque colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Blue.
    pub const BLUE: Colour = Colour(0x00, 0x72, 0xb2);
    /// Vermilion.
    pub const VERMILION: Colour = Colour(0xd5, 0x5e, 0x00);
    /// Bluish green.
    pub const GREEN: Colour = Colour(0x00, 0x9e, 0x73);
    /// Reddish purple.
    pub const PURPLE: Colour = Colour(0xcc, 0x79, 0xa7);
    /// Orange.
    pub const ORANGE: Colour = Colour(0xe6, 0x9f, 0x00);
    /// Sky blue.
    pub const SKY: Colour = Colour(0x56, 0xb4, 0xe9);
    /// Black.
    pub const BLACK: Colour = Colour(0x00, 0x00, 0x00);
    /// A grey in the middle, for what stands back.
    pub const GREY: Colour = Colour(0x80, 0x80, 0x80);
    /// White.
    pub const WHITE: Colour = Colour(0xff, 0xff, 0xff);

    /// The order in which series get their colours: the palette of Okabe and Ito (2008) without its yellow, which
    /// vanishes on white.
    pub const SERIES: [Colour; 8] = [
        Colour::BLUE,
        Colour::VERMILION,
        Colour::GREEN,
        Colour::PURPLE,
        Colour::ORANGE,
        Colour::SKY,
        Colour::BLACK,
        Colour::GREY,
    ];

    /// The colour of the `number`-th series; it starts anew after eight.
    pub fn nth(number: usize) -> Colour {
        Colour::SERIES[number % Colour::SERIES.len()]
    }

    fn mix(self, other: Colour, share: f64) -> Colour {
        let channel = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
        Colour(
            channel(self.0, other.0),
            channel(self.1, other.1),
            channel(self.2, other.2),
        )
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// From a share between 0 and 1 to a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColourMap {
    /// Dark violet over green to yellow, evenly lighter (viridis): for quantities with a natural order.
    Sequential,
    /// Blue over white to vermilion: for signed quantities; give it a range symmetric about zero.
    Diverging,
}

impl ColourMap {
    /// Points of the map at equal distances.
    fn points(self) -> &'static [Colour] {
        match self {
            ColourMap::Sequential => &[
                Colour(68, 1, 84),
                Colour(71, 45, 123),
                Colour(59, 82, 139),
                Colour(44, 114, 142),
                Colour(33, 145, 140),
                Colour(40, 174, 128),
                Colour(94, 201, 98),
                Colour(173, 220, 48),
                Colour(253, 231, 37),
            ],
            ColourMap::Diverging => &[Colour::BLUE, Colour(0xf7, 0xf7, 0xf7), Colour::VERMILION],
        }
    }

    /// The colour at a share; below 0 and above 1 those of the ends.
    pub fn at(self, share: f64) -> Colour {
        let points = self.points();
        let position = share.clamp(0.0, 1.0) * (points.len() - 1) as f64;
        let below = (position as usize).min(points.len() - 2);
        points[below].mix(points[below + 1], position - below as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_passes_through_its_points_and_stays_at_its_ends() {
        assert_eq!(ColourMap::Sequential.at(0.0), Colour(68, 1, 84));
        assert_eq!(ColourMap::Sequential.at(0.5), Colour(33, 145, 140));
        assert_eq!(ColourMap::Sequential.at(7.0), Colour(253, 231, 37));
        assert_eq!(ColourMap::Diverging.at(-1.0), Colour::BLUE);
        assert_eq!(ColourMap::Diverging.at(1.0), Colour::VERMILION);
    }
}
