//! Data sets as tables: a `.csv` file with the class in its last column, or `inputs.npy` beside `labels.npy` in a folder.
//!
//! Of ten rows two test and one validates, by their number ([`Splits::by_number`]): shuffle a sorted table before.

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::folder::{name_of, read_unpacked};
use super::normalisation::Normalisation;
use super::npy;
use crate::error::{Error, Result};
use crate::networks::ImageShape;
use std::path::Path;

/// The files of a folder of arrays: samples × features, and one whole number a sample.
pub const ARRAYS: [&str; 2] = ["inputs.npy", "labels.npy"];

/// The most classes that labels may name; more are taken for a mistake in the column.
const MAXIMUM_CLASSES: usize = 10_000;

/// Whether a folder holds both arrays.
pub fn is_present(folder: &Path) -> bool {
    ARRAYS.iter().all(|name| folder.join(name).is_file())
}

/// Reads `inputs.npy` and `labels.npy`.
///
/// # Errors
/// As [`npy::read_matrix`] and [`npy::read_vector`]; [`Error::Shape`] when they disagree in length, [`Error::Format`] on
/// labels that are no whole numbers from 0; those of [`Dataset::new`].
pub fn load_folder(folder: &Path, normalisation: Normalisation) -> Result<Dataset> {
    let [inputs, labels] = ARRAYS.map(|name| folder.join(name));
    let matrix = npy::read_matrix(&inputs)?;
    let classes = npy::read_vector(&labels)?;
    if classes.len() != matrix.nrows() {
        return Err(Error::shape(
            labels.display().to_string(),
            format!("{} labels", matrix.nrows()),
            classes.len(),
        ));
    }
    let mut values = Vec::with_capacity(matrix.len());
    for row in 0..matrix.nrows() {
        values.extend((0..matrix.ncols()).map(|column| matrix[(row, column)] as f32));
    }
    let labels = classes
        .iter()
        .enumerate()
        .map(|(row, &v)| class(&labels, &format!("label {row}"), v))
        .collect::<Result<Vec<usize>>>()?;
    build(name_of(folder), matrix.ncols(), &values, labels, normalisation)
}

/// Reads a table of numbers separated by commas, plain or packed: features, then the class. A first line that holds no
/// number at all is a heading.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] naming line and column of what is no finite number, no class, or missing; those of
/// [`Dataset::new`].
pub fn load_csv(path: &Path, normalisation: Normalisation) -> Result<Dataset> {
    let bytes = read_unpacked(path)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(&bytes[..]);
    let (mut values, mut labels, mut width) = (Vec::new(), Vec::new(), None);
    for (number, record) in reader.records().enumerate() {
        let line = number + 1;
        let record =
            record.map_err(|e| Error::format(path, format!("line {line}"), "values separated by commas", e))?;
        if number == 0 && record.iter().all(|word| word.parse::<f64>().is_err()) {
            continue;
        }
        let expected = *width.get_or_insert(record.len());
        if record.len() != expected || expected < 2 {
            let wanted = format!("{} columns", expected.max(2));
            return Err(Error::format(path, format!("line {line}"), wanted, record.len()));
        }
        for (column, word) in record.iter().enumerate() {
            let place = format!("line {line}, column {}", column + 1);
            let number = word.parse::<f64>().ok().filter(|v| v.is_finite());
            let number = number.ok_or_else(|| Error::format(path, &place, "a finite number", format!("'{word}'")))?;
            if column + 1 == expected {
                labels.push(class(path, &place, number)?);
            } else {
                values.push(number as f32);
            }
        }
    }
    let Some(width) = width else {
        return Err(Error::format(path, "rows", "at least one", "none"));
    };
    let name = path
        .file_stem()
        .map_or_else(|| "table".into(), |stem| stem.to_string_lossy().into_owned());
    build(name, width - 1, &values, labels, normalisation)
}

fn class(path: &Path, place: &str, value: f64) -> Result<usize> {
    if value >= 0.0 && value.fract() == 0.0 && value < MAXIMUM_CLASSES as f64 {
        Ok(value as usize)
    } else {
        let expected = format!("a class: a whole number from 0 below {MAXIMUM_CLASSES}");
        Err(Error::format(path, place, expected, value))
    }
}

fn build(
    name: String,
    features: usize,
    values: &[f32],
    labels: Vec<usize>,
    normalisation: Normalisation,
) -> Result<Dataset> {
    let content = Content {
        name,
        image: ImageShape {
            channels: 1,
            height: 1,
            width: features,
        },
        classes: labels.iter().max().map_or(0, |&top| top + 1),
        values: RawValues::Reals(values),
        splits: Splits::by_number(labels.len()),
        labels,
    };
    Dataset::new(content, normalisation)
}

/// Whether a path is a table by its name.
pub fn is_csv(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    path.is_file() && (name.ends_with(".csv") || name.ends_with(".csv.gz"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use nalgebra::DMatrix;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("ticketsense-tabular-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_table_and_its_arrays_are_the_same_samples() {
        let folder = folder("same");
        let mut text = String::from("width,height,class\n");
        let matrix = DMatrix::from_fn(20, 2, |r, c| (r * 3 + c) as f64 / 4.0);
        for r in 0..20 {
            text.push_str(&format!("{}, {},{}\n", matrix[(r, 0)], matrix[(r, 1)], r % 3));
        }
        let path = folder.join("flowers.csv");
        std::fs::write(&path, text).unwrap();
        npy::write_matrix(folder.join("inputs.npy"), &matrix).unwrap();
        let labels: Vec<f64> = (0..20).map(|r| f64::from(r % 3)).collect();
        npy::write_vector(folder.join("labels.npy"), &labels).unwrap();
        assert!(is_csv(&path) && is_present(&folder));
        for normalisation in [Normalisation::Raw, Normalisation::Standardised] {
            let table = load_csv(&path, normalisation).unwrap();
            let arrays = load_folder(&folder, normalisation).unwrap();
            assert_eq!(table.checksum(), arrays.checksum());
            assert_eq!((table.features(), table.classes(), table.name()), (2, 3, "flowers"));
            assert_eq!(table.split(Split::Test), [4, 9, 14, 19]);
            assert_eq!(table.split(Split::Validation), [3, 13]);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_fault_is_named_by_line_and_column() {
        let folder = folder("fault");
        for (text, place) in [
            ("1,2,0\n3,x,1\n", "line 2, column 2"),
            ("1,2,0\n3,4\n", "line 2"),
            ("1,2,0.5\n", "line 1, column 3"),
            ("1,2,-1\n", "line 1, column 3"),
            ("1,NaN,1\n", "line 1, column 2"),
            ("a,b,c\n", "rows"),
            ("", "rows"),
            ("1\n", "line 1"),
        ] {
            let path = folder.join("t.csv");
            std::fs::write(&path, text).unwrap();
            let error = load_csv(&path, Normalisation::Raw).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{text}: {error}");
            assert!(error.to_string().contains(place), "{text}: {error}");
        }
        npy::write_matrix(folder.join("inputs.npy"), &DMatrix::zeros(3, 2)).unwrap();
        npy::write_vector(folder.join("labels.npy"), &[0.0, 1.0]).unwrap();
        assert!(matches!(
            load_folder(&folder, Normalisation::Raw),
            Err(Error::Shape { .. })
        ));
        npy::write_vector(folder.join("labels.npy"), &[0.0, 1.0, 0.5]).unwrap();
        let error = load_folder(&folder, Normalisation::Raw).unwrap_err().to_string();
        assert!(error.contains("label 2"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
