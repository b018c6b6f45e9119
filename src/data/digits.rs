//! The embedded data set: the 1,797 8×8 test images of *Optical Recognition of Handwritten Digits* (Alpaydin & Kaynak,
//! UCI, CC BY 4.0; see the README beside the file), as scikit-learn ships them.

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::files::gunzip;
use crate::networks::ImageShape;

const PACKED: &[u8] = include_bytes!("digits/digits.csv.gz");
/// How messages name the embedded file.
const NAME: &str = "embedded digits.csv.gz";
const SIDE: usize = 8;
const CLASSES: usize = 10;
/// Each pixel counts the dark ones of a 4×4 block.
const MAXIMUM: u8 = 16;
/// Somewhat more than the unpacked size of 264,712 bytes.
const UNPACKED_LIMIT: usize = 1 << 19;

/// The embedded digits: row i is a test sample for i mod 5 = 4, a validation sample for i mod 10 = 3, else a training
/// sample (359, 180 and 1,258).
///
/// # Errors
/// None for the embedded file, as the tests show; [`Error::Format`] if it were damaged.
pub fn load(normalisation: Normalisation) -> Result<Dataset> {
    let (values, labels) = parse(&gunzip(NAME, PACKED, UNPACKED_LIMIT)?)?;
    let splits = Splits::by_number(labels.len());
    let content = Content {
        name: "digits".into(),
        image: ImageShape {
            channels: 1,
            height: SIDE,
            width: SIDE,
        },
        classes: CLASSES,
        values: RawValues::Bytes {
            values: &values,
            maximum: MAXIMUM,
        },
        labels,
        splits,
    };
    Dataset::new(content, normalisation)
}

/// Pixels and labels from lines of 64 pixels and one digit.
fn parse(text: &[u8]) -> Result<(Vec<u8>, Vec<usize>)> {
    let text = std::str::from_utf8(text).map_err(|e| Error::format(NAME, "text", "UTF-8", e))?;
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |got: &dyn ToString| {
            let expected = "64 pixels of 0 to 16 and a digit of 0 to 9";
            Error::format(NAME, format!("line {}", number + 1), expected, got.to_string())
        };
        let fields: Vec<u8> = line
            .split(',')
            .map(|field| field.parse().map_err(|_| wrong(&field)))
            .collect::<Result<_>>()?;
        match fields.split_last() {
            Some((&digit, pixels))
                if pixels.len() == SIDE * SIDE
                    && usize::from(digit) < CLASSES
                    && pixels.iter().all(|&v| v <= MAXIMUM) =>
            {
                values.extend_from_slice(pixels);
                labels.push(usize::from(digit));
            }
            _ => return Err(wrong(&format!("{} fields", fields.len()))),
        }
    }
    Ok((values, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use crate::files::sha256_hex;

    #[test]
    fn the_embedded_file_is_the_one_that_its_readme_describes() {
        assert_eq!(PACKED.len(), 57_523);
        let sum = sha256_hex(PACKED);
        assert_eq!(sum, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
        assert!(include_str!("digits/README.md").contains(&sum));
    }

    #[test]
    fn sizes_ranges_and_sums_are_those_of_scikit_learn() {
        // From sklearn.datasets.load_digits(): data.shape, data.max(), data.sum(), numpy.bincount(target), target[:20].
        let set = load(Normalisation::Raw).unwrap();
        assert_eq!((set.samples(), set.features(), set.classes()), (1797, 64, 10));
        assert_eq!(set.inputs().iter().copied().fold(0.0, f32::max), 16.0);
        assert_eq!(set.inputs().iter().map(|&v| f64::from(v)).sum::<f64>(), 561_718.0);
        let all: Vec<usize> = (0..1797).collect();
        assert_eq!(
            set.class_counts(&all).unwrap(),
            [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        );
        assert_eq!(
            set.labels()[..20],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        );
    }

    #[test]
    fn the_first_image_is_the_zero_of_the_scikit_learn_documentation() {
        // load_digits().images[0], printed in its documentation.
        let zero = [
            [0, 0, 5, 13, 9, 1, 0, 0],
            [0, 0, 13, 15, 10, 15, 5, 0],
            [0, 3, 15, 2, 0, 11, 8, 0],
            [0, 4, 12, 0, 0, 8, 8, 0],
            [0, 5, 8, 0, 0, 9, 8, 0],
            [0, 4, 11, 0, 1, 12, 7, 0],
            [0, 2, 14, 5, 10, 12, 0, 0],
            [0, 0, 6, 13, 10, 0, 0, 0],
        ];
        let row: Vec<f32> = load(Normalisation::Raw).unwrap().rows(&[0]).unwrap();
        assert_eq!(row, zero.concat().iter().map(|&v| v as f32).collect::<Vec<_>>());
    }

    #[test]
    fn splits_follow_the_row_number_and_hold_every_class() {
        let set = load(Normalisation::Unit).unwrap();
        let counts = |split| set.class_counts(set.split(split)).unwrap();
        // Counted from the CSV file with a few lines of Python.
        assert_eq!(counts(Split::Test), [27, 21, 34, 52, 34, 28, 31, 43, 47, 42]);
        assert_eq!(counts(Split::Validation), [12, 16, 18, 13, 15, 13, 27, 28, 27, 11]);
        assert_eq!(counts(Split::Train), [139, 145, 125, 118, 132, 141, 123, 108, 100, 127]);
        assert!(set.split(Split::Test).iter().all(|i| i % 5 == 4));
        assert!(set.split(Split::Validation).iter().all(|i| i % 10 == 3));
        assert!(set.split(Split::Train).iter().all(|i| i % 5 != 4 && i % 10 != 3));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let good = format!("{}7\n", "1,".repeat(64));
        assert_eq!(parse(good.as_bytes()).unwrap().1, [7]);
        for bad in [
            format!("{}10\n", "1,".repeat(64)),
            format!("{}7\n", "17,".repeat(64)),
            format!("{}7\n", "1,".repeat(63)),
            format!("{}x\n", "1,".repeat(64)),
            "\n".to_string(),
        ] {
            let error = parse(format!("{good}{bad}").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{error}");
        }
        assert!(parse(&[0xff]).is_err());
    }
}
