//! CIFAR-10's binary batches: records of one label byte and 3,072 pixel bytes (red, green, blue planes of 32×32).

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::folder::{find, name_of, read_unpacked};
use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::networks::ImageShape;
use std::path::{Path, PathBuf};

const IMAGE: ImageShape = ImageShape {
    channels: 3,
    height: 32,
    width: 32,
};
const PIXELS: usize = 3 * 32 * 32;
const RECORD: usize = PIXELS + 1;
const CLASSES: usize = 10;
/// The training batches that are looked for; the original has five.
const BATCHES: std::ops::RangeInclusive<usize> = 1..=9;
const TEST: &str = "test_batch.bin";

/// The names that are looked for, for messages.
pub fn file_names() -> Vec<String> {
    vec!["data_batch_1.bin … data_batch_9.bin".into(), TEST.into()]
}

fn batches(folder: &Path) -> Vec<PathBuf> {
    BATCHES
        .filter_map(|number| find(folder, &[format!("data_batch_{number}.bin")]))
        .collect()
}

/// Whether any of the files is in the folder.
pub fn is_present(folder: &Path) -> bool {
    find(folder, &[TEST]).is_some() || !batches(folder).is_empty()
}

/// Loads the batches of a folder, each plain or gzipped, of any number of records.
///
/// Samples are the training batches in the order of their numbers, then the test batch; the last twelfth of the
/// training part is the validation split ([`Splits::last_twelfth_validates`]).
///
/// # Errors
/// [`Error::Io`], and [`Error::Format`] naming file and field: no training or no test batch, a length that is not a
/// positive number of records, a label above 9, damaged gzip.
pub fn load_folder(folder: &Path, normalisation: Normalisation) -> Result<Dataset> {
    let train = batches(folder);
    if train.is_empty() {
        let expected = "data_batch_1.bin …, plain or with .gz";
        return Err(Error::format(folder, "training batches", expected, "no such file"));
    }
    let test = find(folder, &[TEST]).ok_or_else(|| {
        Error::format(
            folder,
            "test batch",
            "test_batch.bin, plain or with .gz",
            "no such file",
        )
    })?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in &train {
        append(path, &read_unpacked(path)?, &mut pixels, &mut labels)?;
    }
    let fitted = labels.len();
    append(&test, &read_unpacked(&test)?, &mut pixels, &mut labels)?;
    let splits = Splits::last_twelfth_validates(fitted, labels.len() - fitted);
    let content = Content {
        name: name_of(folder),
        image: IMAGE,
        classes: CLASSES,
        values: RawValues::Bytes {
            values: &pixels,
            maximum: u8::MAX,
        },
        labels,
        splits,
    };
    Dataset::new(content, normalisation)
}

/// Adds the records of one unpacked batch.
fn append(path: &Path, content: &[u8], pixels: &mut Vec<u8>, labels: &mut Vec<usize>) -> Result<()> {
    if content.is_empty() || !content.len().is_multiple_of(RECORD) {
        return Err(Error::format(
            path,
            "file size",
            format!("a positive multiple of {RECORD} bytes"),
            content.len(),
        ));
    }
    pixels.reserve(content.len() / RECORD * PIXELS);
    for (number, record) in content.chunks_exact(RECORD).enumerate() {
        let label = usize::from(record[0]);
        if label >= CLASSES {
            return Err(Error::format(
                path,
                format!("label of record {number}"),
                "below 10",
                label,
            ));
        }
        labels.push(label);
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use std::fs;

    fn batch(labels: &[u8]) -> Vec<u8> {
        let record = |&label: &u8| {
            let mut record = vec![label; RECORD];
            record[RECORD - 1] = 255;
            record
        };
        labels.iter().flat_map(record).collect()
    }

    fn folder(name: &str, files: &[(&str, Vec<u8>)]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ticketsense-cifar-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for (file, content) in files {
            fs::write(path.join(file), content).unwrap();
        }
        path
    }

    #[test]
    fn batches_are_joined_in_order_and_the_last_pixel_stays_with_its_record() {
        let path = folder(
            "join",
            &[
                ("data_batch_2.bin", batch(&[8, 9])),
                ("data_batch_1.bin", batch(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 1])),
                ("test_batch.bin", batch(&[3])),
            ],
        );
        let set = load_folder(&path, Normalisation::Raw).unwrap();
        assert_eq!(set.labels(), [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 8, 9, 3]);
        assert_eq!(Split::ALL.map(|s| set.split(s).len()), [11, 1, 1]);
        let row: Vec<f32> = set.rows(&[10]).unwrap();
        assert_eq!((row[0], row[PIXELS - 2], row[PIXELS - 1]), (8.0, 8.0, 255.0));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn wrong_lengths_labels_and_missing_files_are_named() {
        let good = || batch(&[1, 2]);
        let refused = |name: &str, files: &[(&str, Vec<u8>)], expected: &str| {
            let path = folder(name, files);
            let error = load_folder(&path, Normalisation::Unit).unwrap_err();
            assert!(matches!(error, Error::Format { .. }));
            assert!(error.to_string().contains(expected), "{error}");
            fs::remove_dir_all(path).unwrap();
        };
        refused("train", &[("test_batch.bin", good())], "training batches");
        refused("test", &[("data_batch_1.bin", good())], "test batch");
        let long = [good(), vec![0]].concat();
        let files = [("data_batch_1.bin", long), ("test_batch.bin", good())];
        refused("long", &files, "data_batch_1.bin: file size");
        let files = [("data_batch_1.bin", good()), ("test_batch.bin", Vec::new())];
        refused("none", &files, "test_batch.bin: file size");
        let files = [("data_batch_1.bin", good()), ("test_batch.bin", batch(&[3, 10]))];
        refused("label", &files, "test_batch.bin: label of record 1");
    }

    #[test]
    #[ignore = "needs TICKETSENSE_DATA"]
    fn real_batches_hold_balanced_classes() {
        let root = PathBuf::from(std::env::var_os("TICKETSENSE_DATA").expect("TICKETSENSE_DATA is set"));
        let set = load_folder(&root.join("cifar10"), Normalisation::Standardised).unwrap();
        assert_eq!(set.image(), IMAGE);
        let train = set.split(Split::Train).len() + set.split(Split::Validation).len();
        let test = set.split(Split::Test);
        let all: Vec<usize> = (0..train).collect();
        assert_eq!(set.class_counts(&all).unwrap(), vec![train / 10; 10]);
        assert_eq!(set.class_counts(test).unwrap(), vec![test.len() / 10; 10]);
    }
}
