//! Axes: from values to pixels, ticks and their labels.

use super::text::superscript;
use crate::error::{Error, Result};

/// An axis of a panel: its title in words and symbol, its kind, and optionally its range and ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub(crate) title: String,
    kind: Kind,
    range: Option<(f64, f64)>,
    ticks: Option<Vec<f64>>,
    include: Vec<f64>,
    reversed: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Linear,
    Log,
    Categories(Vec<String>),
}

impl Axis {
    fn new(title: impl Into<String>, kind: Kind) -> Self {
        Axis {
            title: title.into(),
            kind,
            range: None,
            ticks: None,
            include: Vec::new(),
            reversed: false,
        }
    }

    /// A linear axis: `Axis::linear("undersampling δ = m / n")`.
    pub fn linear(title: impl Into<String>) -> Self {
        Axis::new(title, Kind::Linear)
    }

    /// A logarithmic axis, base 10. Values that are not positive are not drawn.
    pub fn log(title: impl Into<String>) -> Self {
        Axis::new(title, Kind::Log)
    }

    /// An axis of words; the `i`-th stands at the value `i`, counted from zero.
    pub fn categories<S: Into<String>>(title: impl Into<String>, names: impl IntoIterator<Item = S>) -> Self {
        Axis::new(title, Kind::Categories(names.into_iter().map(Into::into).collect()))
    }

    /// Fixes the range; what lies outside is cut off. Without it, the range is that of everything drawn.
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// Makes an automatic range contain a value.
    pub fn include(mut self, value: f64) -> Self {
        self.include.push(value);
        self
    }

    /// Fixes the ticks.
    pub fn ticks(mut self, ticks: impl IntoIterator<Item = f64>) -> Self {
        self.ticks = Some(ticks.into_iter().collect());
        self
    }

    /// Lets the axis run from high to low.
    pub fn reversed(mut self) -> Self {
        self.reversed = true;
        self
    }

    pub(crate) fn is_categories(&self) -> bool {
        matches!(self.kind, Kind::Categories(_))
    }

    /// The value in the coordinate in which the axis is even; NaN where it has none.
    pub(crate) fn even(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Log if value > 0.0 => value.log10(),
            Kind::Log => f64::NAN,
            _ => value,
        }
    }

    /// The value at an even coordinate.
    pub(crate) fn value(&self, even: f64) -> f64 {
        match self.kind {
            Kind::Log => 10f64.powf(even),
            _ => even,
        }
    }

    /// Fixes range and ticks for the values that are to be drawn, on about `pixels` pixels with at least `room` for a
    /// label. `padded` leaves some room beyond the values.
    ///
    /// # Errors
    /// [`Error::Argument`] for a range that is empty, reversed, not finite, or not positive on a logarithmic axis.
    pub(crate) fn resolve(
        &self,
        values: impl Iterator<Item = f64>,
        pixels: f64,
        room: f64,
        padded: bool,
    ) -> Result<Resolved> {
        let (low, high) = match (&self.kind, self.range) {
            (_, Some((low, high))) => {
                let (a, b) = (self.even(low), self.even(high));
                if !(a.is_finite() && b.is_finite() && a < b) {
                    return Err(Error::argument(
                        format!("range of the axis '{}'", self.title),
                        "finite ends, the lower first, positive on a logarithmic axis",
                        format!("{low} to {high}"),
                    ));
                }
                (a, b)
            }
            (Kind::Categories(names), None) => (-0.5, names.len().max(1) as f64 - 0.5),
            (Kind::Linear | Kind::Log, None) => self.automatic(values, padded),
        };
        let (ticks, minor) = self.place_ticks(low, high, pixels, room);
        Ok(Resolved {
            axis: self.clone(),
            low,
            high,
            ticks,
            minor,
            pixel_low: 0.0,
            pixel_high: 1.0,
        })
    }

    fn automatic(&self, values: impl Iterator<Item = f64>, padded: bool) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.chain(self.include.iter().copied()) {
            let even = self.even(value);
            if even.abs() < 1e300 {
                low = low.min(even);
                high = high.max(even);
            }
        }
        if low > high {
            return (0.0, 1.0);
        }
        if padded {
            let margin = 0.04 * (high - low);
            (low, high) = (low - margin, high + margin);
        }
        // A single value, up to rounding, still needs an interval around it.
        let least = if matches!(self.kind, Kind::Log) {
            0.2
        } else {
            1e-9 * low.abs().max(high.abs())
        };
        if high - low <= least {
            let half = match self.kind {
                Kind::Log => 0.3,
                _ if low == 0.0 => 1.0,
                _ => 0.1 * low.abs(),
            };
            (low - half, high + half)
        } else {
            (low, high)
        }
    }

    /// Labelled ticks and unlabelled ones, in even coordinates.
    fn place_ticks(&self, low: f64, high: f64, pixels: f64, room: f64) -> (Vec<(f64, String)>, Vec<f64>) {
        let slack = 1e-9 * (high - low);
        let inside = |even: f64| even >= low - slack && even <= high + slack;
        let most = (pixels / room).floor().max(2.0) as usize;
        if let Kind::Categories(names) = &self.kind {
            let ticks = names.iter().enumerate().map(|(i, name)| (i as f64, name.clone()));
            return (ticks.filter(|(even, _)| inside(*even)).collect(), Vec::new());
        }
        if let Some(ticks) = &self.ticks {
            let kept: Vec<f64> = ticks.iter().copied().filter(|v| inside(self.even(*v))).collect();
            let labels = labels(&kept);
            return (kept.iter().map(|v| self.even(*v)).zip(labels).collect(), Vec::new());
        }
        match self.kind {
            Kind::Log => log_ticks(low, high, most),
            _ => {
                let ticks = linear_ticks(low, high, most);
                let labels = labels(&ticks);
                (ticks.into_iter().zip(labels).collect(), Vec::new())
            }
        }
    }
}

/// Multiples of 1, 2, 2.5 or 5 times a power of ten, at most `most` of them.
fn linear_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn log_ticks(low: f64, high: f64, most: usize) -> (Vec<(f64, String)>, Vec<f64>) {
    let first = (low - 1e-9).ceil() as i32;
    let last = (high + 1e-9).floor() as i32;
    let decades = (last - first + 1).max(0) as usize;
    let fine = |factors: &[f64]| -> Vec<f64> {
        let all = (first - 1..=last).flat_map(|d| factors.iter().map(move |f| f64::from(d) + f.log10()));
        all.filter(|even| (low - 1e-9..=high + 1e-9).contains(even)).collect()
    };
    if decades >= 3 || (decades == 2 && high - low > 1.3) {
        let stride = decades.div_ceil(most).max(1) as i32;
        let powers: Vec<i32> = (first..=last).filter(|d| d.rem_euclid(stride) == 0).collect();
        let plain = first >= -2 && last <= 3;
        let label = |d: i32| {
            if plain {
                plain_number(10f64.powi(d))
            } else {
                format!("10{}", superscript(d))
            }
        };
        let minor = if stride == 1 {
            fine(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
        } else {
            (first..=last).map(f64::from).collect()
        };
        return (powers.into_iter().map(|d| (f64::from(d), label(d))).collect(), minor);
    }
    let mut chosen = Vec::new();
    for factors in [&[1.0, 2.0, 3.0, 5.0][..], &[1.0, 2.0, 5.0], &[1.0, 3.0]] {
        chosen = fine(factors);
        if chosen.len() <= most.max(3) {
            break;
        }
    }
    if chosen.len() < 2 {
        chosen = linear_ticks(10f64.powf(low), 10f64.powf(high), most.min(5))
            .into_iter()
            .map(f64::log10)
            .filter(|v| v.is_finite())
            .collect();
    }
    let values: Vec<f64> = chosen.iter().map(|even| 10f64.powf(*even)).map(clean).collect();
    let labels = values.iter().map(|v| scientific_when_long(*v)).collect::<Vec<_>>();
    (chosen.into_iter().zip(labels).collect(), Vec::new())
}

/// Rounds to twelve significant digits, which takes back what a logarithm and a power did.
fn clean(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// Labels with one number of decimals for all, or in powers of ten where they would be long.
fn labels(values: &[f64]) -> Vec<String> {
    let largest = values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    let fits = |decimals: usize| {
        values.iter().all(|v| {
            let rounded: f64 = format!("{v:.decimals$}").parse().unwrap_or(f64::NAN);
            (rounded - v).abs() <= 1e-9 * largest
        })
    };
    match (0..=4).find(|d| fits(*d)) {
        Some(decimals) if largest < 99_999.5 => values
            .iter()
            .map(|v| format!("{:.decimals$}", if *v == 0.0 { 0.0 } else { *v }).replace('-', "−"))
            .collect(),
        _ => values.iter().map(|v| scientific_when_long(clean(*v))).collect(),
    }
}

fn scientific_when_long(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        return plain_number(value);
    }
    let text = format!("{value:e}");
    match text.split_once('e').map(|(m, e)| (m, e.parse::<i32>())) {
        Some(("1", Ok(exponent))) => format!("10{}", superscript(exponent)),
        Some((mantissa, Ok(exponent))) => format!("{}×10{}", mantissa.replace('-', "−"), superscript(exponent)),
        _ => text,
    }
}

fn plain_number(value: f64) -> String {
    format!("{value}").replace('-', "−")
}

/// An axis with its range, ticks and place on the page.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    axis: Axis,
    /// Range in even coordinates.
    pub low: f64,
    pub high: f64,
    /// Labelled ticks, in even coordinates.
    pub ticks: Vec<(f64, String)>,
    pub minor: Vec<f64>,
    pixel_low: f64,
    pixel_high: f64,
}

impl Resolved {
    /// Puts the ends of the range at two pixel positions.
    pub fn place(&mut self, low: f64, high: f64) {
        (self.pixel_low, self.pixel_high) = if self.axis.reversed { (high, low) } else { (low, high) };
    }

    /// The pixel of an even coordinate.
    pub fn pixel_of_even(&self, even: f64) -> f64 {
        self.pixel_low + (even - self.low) / (self.high - self.low) * (self.pixel_high - self.pixel_low)
    }

    /// The pixel of a value; NaN where the axis has no place for it.
    pub fn pixel(&self, value: f64) -> f64 {
        self.pixel_of_even(self.even(value))
    }

    /// As [`Axis::even`].
    pub fn even(&self, value: f64) -> f64 {
        self.axis.even(value)
    }

    /// Whether a value lies in the range, up to rounding.
    pub fn contains(&self, value: f64) -> bool {
        let slack = 1e-9 * (self.high - self.low);
        let even = self.even(value);
        even >= self.low - slack && even <= self.high + slack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick_labels(axis: Axis, values: &[f64]) -> Vec<String> {
        let resolved = axis.resolve(values.iter().copied(), 300.0, 50.0, true).unwrap();
        resolved.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_share_their_decimals() {
        assert_eq!(
            tick_labels(Axis::linear(""), &[0.0, 1.0]),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            tick_labels(Axis::linear(""), &[-10.0, 10.0]),
            ["−10", "−5", "0", "5", "10"]
        );
        assert_eq!(tick_labels(Axis::linear(""), &[0.0, 3e6])[1], "10⁶");
    }

    #[test]
    fn log_ticks_are_powers_of_ten_and_finer_within_a_decade() {
        assert_eq!(tick_labels(Axis::log(""), &[1e-6, 1e-1])[0], "10⁻⁶");
        assert_eq!(tick_labels(Axis::log(""), &[0.1, 100.0]), ["0.1", "1", "10", "100"]);
        assert_eq!(tick_labels(Axis::log(""), &[2.0, 9.0]), ["2", "3", "5"]);
        // Sixteen decades on six labels: every third.
        assert_eq!(tick_labels(Axis::log(""), &[1e-16, 1.0]).len(), 6);
        assert!(tick_labels(Axis::log(""), &[4.0, 4.1]).len() >= 2);
    }

    #[test]
    fn every_value_has_a_finite_place_however_degenerate_the_range() {
        for values in [
            &[][..],
            &[3.0],
            &[0.0],
            &[f64::NAN],
            &[1e300, -1e300],
            &[5.0, 5.0 + 1e-15],
        ] {
            let resolved = Axis::linear("")
                .resolve(values.iter().copied(), 300.0, 50.0, true)
                .unwrap();
            assert!(resolved.low < resolved.high && resolved.low.is_finite() && resolved.high.is_finite());
            for value in values.iter().filter(|v| v.is_finite()) {
                assert!(resolved.pixel(*value).is_finite(), "{value}");
            }
        }
    }

    #[test]
    fn an_impossible_range_is_refused() {
        for axis in [
            Axis::linear("x").range(1.0, 1.0),
            Axis::linear("x").range(0.0, f64::NAN),
            Axis::log("x").range(0.0, 1.0),
        ] {
            assert!(axis.resolve(std::iter::empty(), 300.0, 50.0, true).is_err());
        }
    }

    #[test]
    fn a_reversed_axis_swaps_its_ends() {
        let mut resolved = Axis::linear("")
            .range(0.0, 1.0)
            .reversed()
            .resolve(std::iter::empty(), 300.0, 50.0, true)
            .unwrap();
        resolved.place(10.0, 20.0);
        assert_eq!((resolved.pixel(0.0), resolved.pixel(1.0)), (20.0, 10.0));
    }
}
