//! MNIST's own format, IDX: a big-endian header and one byte a pixel or label. Fashion-MNIST and KMNIST use it too.

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::folder::{find, name_of, read_unpacked};
use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::networks::ImageShape;
use std::path::{Path, PathBuf};

/// The classes of the data sets that come under these file names.
pub const CLASSES: usize = 10;

/// The four files, each with what it is called in messages and without its ending.
const PARTS: [(&str, &str, &str); 4] = [
    ("training images", "train-images", "idx3-ubyte"),
    ("training labels", "train-labels", "idx1-ubyte"),
    ("test images", "t10k-images", "idx3-ubyte"),
    ("test labels", "t10k-labels", "idx1-ubyte"),
];

/// Images of one IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// One byte a pixel, image by image, row by row.
    pub pixels: Vec<u8>,
}

/// The names that are looked for, for messages.
pub fn file_names() -> Vec<String> {
    let names = PARTS.iter().flat_map(|(_, stem, ending)| spellings(stem, ending));
    names.collect()
}

fn spellings(stem: &str, ending: &str) -> [String; 2] {
    [format!("{stem}-{ending}"), format!("{stem}.{ending}")]
}

/// Whether any of the four files is in the folder.
pub fn is_present(folder: &Path) -> bool {
    PARTS
        .iter()
        .any(|(_, stem, ending)| find(folder, &spellings(stem, ending)).is_some())
}

/// Loads the four files of a folder, each plain or gzipped, in either usual spelling.
///
/// Samples are the training file followed by the test file; the last twelfth of the training file is the validation
/// split ([`Splits::last_twelfth_validates`]). There are ten classes.
///
/// # Errors
/// [`Error::Io`], and [`Error::Format`] naming file and field: a file that is missing, a wrong magic number or length,
/// no images, image and label counts or image shapes that differ, a label above 9, damaged gzip.
///
/// Cost: memory for the raw bytes and four times that for the inputs.
pub fn load_folder(folder: &Path, normalisation: Normalisation) -> Result<Dataset> {
    let mut paths: Vec<PathBuf> = Vec::with_capacity(PARTS.len());
    for (what, stem, ending) in PARTS {
        let names = spellings(stem, ending);
        paths.push(find(folder, &names).ok_or_else(|| {
            let expected = format!("{} or {}, plain or with .gz", names[0], names[1]);
            Error::format(folder, what, expected, "no such file")
        })?);
    }
    let (train, mut labels) = read_pair(&paths[0], &paths[1])?;
    let (test, test_labels) = read_pair(&paths[2], &paths[3])?;
    if (train.height, train.width) != (test.height, test.width) {
        return Err(Error::format(
            &paths[2],
            "rows × columns",
            format!("{}×{} as in the training images", train.height, train.width),
            format!("{}×{}", test.height, test.width),
        ));
    }
    labels.extend(test_labels);
    let mut pixels = train.pixels;
    pixels.extend_from_slice(&test.pixels);
    let content = Content {
        name: name_of(folder),
        image: ImageShape {
            channels: 1,
            height: train.height,
            width: train.width,
        },
        classes: CLASSES,
        values: RawValues::Bytes {
            values: &pixels,
            maximum: u8::MAX,
        },
        labels,
        splits: Splits::last_twelfth_validates(train.count, test.count),
    };
    Dataset::new(content, normalisation)
}

fn read_pair(images: &Path, labels: &Path) -> Result<(Images, Vec<usize>)> {
    let pictures = parse_images(images, read_unpacked(images)?)?;
    let classes = parse_labels(labels, &read_unpacked(labels)?)?;
    if classes.len() != pictures.count {
        return Err(Error::format(
            labels,
            "number of items",
            format!("{} as in the images", pictures.count),
            classes.len(),
        ));
    }
    Ok((pictures, classes))
}

/// Images from the unpacked bytes of an IDX file with three dimensions; `path` is for messages.
///
/// # Errors
/// [`Error::Format`] naming the field.
pub fn parse_images(path: &Path, mut content: Vec<u8>) -> Result<Images> {
    let (sizes, start) = parse_header(path, &content, ["number of items", "rows", "columns"])?;
    content.drain(..start);
    Ok(Images {
        count: sizes[0],
        height: sizes[1],
        width: sizes[2],
        pixels: content,
    })
}

/// Labels from the unpacked bytes of an IDX file with one dimension; `path` is for messages.
///
/// # Errors
/// [`Error::Format`] naming the field.
pub fn parse_labels(path: &Path, content: &[u8]) -> Result<Vec<usize>> {
    let (_, start) = parse_header(path, content, ["number of items"])?;
    let labels: Vec<usize> = content[start..].iter().map(|&b| usize::from(b)).collect();
    match labels.iter().position(|&l| l >= CLASSES) {
        None => Ok(labels),
        Some(i) => Err(Error::format(
            path,
            format!("label {i}"),
            format!("below {CLASSES}"),
            labels[i],
        )),
    }
}

/// The sizes in the header and where the data begin, once the whole file has exactly the length that they ask for.
///
/// Nothing is allocated from the sizes, so absurd ones cost nothing.
fn parse_header<const D: usize>(path: &Path, content: &[u8], fields: [&str; D]) -> Result<([usize; D], usize)> {
    let word = |index: usize, field: &str| -> Result<u32> {
        let bytes = content.get(4 * index..4 * index + 4).and_then(|b| b.try_into().ok());
        let bytes: [u8; 4] = bytes.ok_or_else(|| {
            let expected = format!("a header of {} bytes", 4 * (D + 1));
            Error::format(path, field, expected, format!("{} bytes in all", content.len()))
        })?;
        Ok(u32::from_be_bytes(bytes))
    };
    let magic = word(0, "magic number")?;
    // Two zero bytes, 8 for unsigned bytes, and the number of dimensions.
    let expected = 0x0800 + D as u32;
    if magic != expected {
        let (expected, got) = (format!("{expected:#010x}"), format!("{magic:#010x}"));
        return Err(Error::format(path, "magic number", expected, got));
    }
    let mut sizes = [0; D];
    let mut length = Some(1usize);
    for (i, field) in fields.iter().enumerate() {
        let size = word(i + 1, field)? as usize;
        if size == 0 {
            return Err(Error::format(path, *field, "at least 1", 0));
        }
        length = length.and_then(|l| l.checked_mul(size));
        sizes[i] = size;
    }
    let start = 4 * (D + 1);
    let found = content.len() - start;
    if length != Some(found) {
        let product = sizes.map(|s| s.to_string()).join("×");
        return Err(Error::format(
            path,
            "data",
            format!("{product} bytes after the header"),
            found,
        ));
    }
    Ok((sizes, start))
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
