//! NumPy's `.npy` files: real vectors and matrices, read strictly and written atomically.
//!
//! Read are formats 1.0, 2.0 and 3.0 with `f4` or `f8` entries of either byte order, in C or Fortran order. The length
//! of the file is compared with the shape before anything of that size is allocated. Source: the NumPy enhancement
//! proposal 1 and `numpy.lib.format`.

use crate::error::{Error, Result};
use crate::files;
use nalgebra::DMatrix;
use std::path::Path;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The data begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Reads a two-dimensional array as a matrix.
///
/// ```no_run
/// let a = ticketsense::data::npy::read_matrix("A.npy")?;
/// println!("{} × {}", a.nrows(), a.ncols());
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] naming the field when the file is no such array, has another dimension, is empty or
/// truncated; [`Error::NotFinite`] for a NaN or an infinity, by its position in the file.
pub fn read_matrix(path: impl AsRef<Path>) -> Result<DMatrix<f64>> {
    let path = path.as_ref();
    parse(path, &files::read(path)?)?.into_matrix(path, &[2])
}

/// Reads a one-dimensional array as a single column, and a two-dimensional one as a matrix: right-hand sides.
///
/// # Errors
/// As [`read_matrix`].
pub fn read_columns(path: impl AsRef<Path>) -> Result<DMatrix<f64>> {
    let path = path.as_ref();
    parse(path, &files::read(path)?)?.into_matrix(path, &[1, 2])
}

/// Reads a one-dimensional array.
///
/// # Errors
/// As [`read_matrix`].
pub fn read_vector(path: impl AsRef<Path>) -> Result<Vec<f64>> {
    let path = path.as_ref();
    let column = parse(path, &files::read(path)?)?.into_matrix(path, &[1])?;
    Ok(column.data.into())
}

/// Writes a matrix as `f8` in Fortran order, the order in which it is held.
///
/// # Errors
/// [`Error::Io`]; the file is replaced as a whole or not at all.
pub fn write_matrix(path: impl AsRef<Path>, matrix: &DMatrix<f64>) -> Result<()> {
    let shape = format!("({}, {})", matrix.nrows(), matrix.ncols());
    files::write_atomic(path, &encode(&shape, true, matrix.as_slice()))
}

/// Writes a vector as a one-dimensional array of `f8`.
///
/// # Errors
/// As [`write_matrix`].
pub fn write_vector(path: impl AsRef<Path>, vector: &[f64]) -> Result<()> {
    files::write_atomic(path, &encode(&format!("({},)", vector.len()), false, vector))
}

fn encode(shape: &str, fortran_order: bool, values: &[f64]) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': {shape}, }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(
        ' ',
        unpadded.next_multiple_of(ALIGNMENT) - unpadded,
    ));
    header.push('\n');
    let mut content = Vec::with_capacity(MAGIC.len() + 4 + header.len() + 8 * values.len());
    content.extend_from_slice(MAGIC);
    content.extend_from_slice(&[1, 0]);
    // A header of two whole numbers is far below 2¹⁶ bytes.
    content.extend_from_slice(&(header.len() as u16).to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    content
}

/// An array as it stands in a file, values in its own order.
#[derive(Debug)]
struct Array {
    shape: Vec<usize>,
    fortran_order: bool,
    values: Vec<f64>,
}

impl Array {
    fn into_matrix(self, path: &Path, dimensions: &[usize]) -> Result<DMatrix<f64>> {
        if !dimensions.contains(&self.shape.len()) {
            let words: Vec<String> = dimensions.iter().map(usize::to_string).collect();
            let expected = format!("{}-dimensional array", words.join("- or "));
            return Err(Error::format(path, "shape", expected, format!("{:?}", self.shape)));
        }
        if self.values.is_empty() {
            return Err(Error::format(
                path,
                "shape",
                "at least one entry",
                format!("{:?}", self.shape),
            ));
        }
        if let Some(index) = self.values.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: path.display().to_string(),
                index,
                value: self.values[index],
            });
        }
        let (rows, columns) = (self.shape[0], self.shape.get(1).copied().unwrap_or(1));
        Ok(if self.fortran_order {
            DMatrix::from_vec(rows, columns, self.values)
        } else {
            DMatrix::from_row_slice(rows, columns, &self.values)
        })
    }
}

/// Takes the whole content of a file apart.
fn parse(path: &Path, content: &[u8]) -> Result<Array> {
    let fail = |field: &str, expected: &str, got: String| Err(Error::format(path, field, expected, got));
    let Some(rest) = content.strip_prefix(MAGIC) else {
        let begin = &content[..content.len().min(MAGIC.len())];
        return fail("magic number", "\\x93NUMPY", format!("bytes {}", files::hex(begin)));
    };
    let (header_length, rest) = match rest {
        [1, 0, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [1..=3, 0, ..] | [] | [_] => return fail("header length", "its bytes", "the end of the file".into()),
        [major, minor, ..] => return fail("format version", "1.0, 2.0 or 3.0", format!("{major}.{minor}")),
    };
    if rest.len() < header_length {
        return fail(
            "header",
            &format!("{header_length} bytes"),
            format!("{} bytes", rest.len()),
        );
    }
    let (header, data) = rest.split_at(header_length);
    let header = match std::str::from_utf8(header) {
        Ok(text) => Header::parse(text).map_err(|(field, expected, got)| Error::format(path, field, expected, got))?,
        Err(e) => return fail("header", "text", format!("byte {} is none", e.valid_up_to())),
    };
    let (big_endian, size) = match header.descr.as_str() {
        "<f8" => (false, 8),
        ">f8" => (true, 8),
        "<f4" => (false, 4),
        ">f4" => (true, 4),
        other => return fail("descr", "real numbers: <f8, >f8, <f4 or >f4", format!("'{other}'")),
    };
    let bytes = header
        .shape
        .iter()
        .try_fold(size, |product: usize, &n| product.checked_mul(n));
    if bytes != Some(data.len()) {
        let expected = format!("{:?} entries of {size} bytes", header.shape);
        return fail("data", &expected, format!("{} bytes", data.len()));
    }
    let values = match (size, big_endian) {
        (8, false) => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        (8, true) => data.as_chunks().0.iter().map(|b| f64::from_be_bytes(*b)).collect(),
        (_, false) => data
            .as_chunks()
            .0
            .iter()
            .map(|b| f64::from(f32::from_le_bytes(*b)))
            .collect(),
        (_, true) => data
            .as_chunks()
            .0
            .iter()
            .map(|b| f64::from(f32::from_be_bytes(*b)))
            .collect(),
    };
    Ok(Array {
        shape: header.shape,
        fortran_order: header.fortran_order,
        values,
    })
}

/// The dictionary in a file's header.
#[derive(Debug)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// A field that is not as it should be: its name, what was expected, and what stands there.
type Refusal = (&'static str, &'static str, String);

/// What is left to read of a header.
struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    fn skip(&mut self, token: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The longest run of such characters.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// A string in quotes of either kind, without escapes.
    fn quoted(&mut self) -> Option<&'t str> {
        let quote = ['\'', '"'].into_iter().find(|&q| self.skip(q))?;
        let end = self.rest.find(quote)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        (!text.contains('\\')).then_some(text)
    }

    /// A tuple of whole numbers.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        if !self.skip('(') {
            return None;
        }
        let mut numbers = Vec::new();
        loop {
            if self.skip(')') {
                return Some(numbers);
            }
            numbers.push(self.run(|c| c.is_ascii_digit()).parse().ok()?);
            // (5) is a number, (5,) a tuple; nobody writes the former.
            if !self.skip(',') && !self.rest.trim_start().starts_with(')') {
                return None;
            }
        }
    }

    /// What stands here, for a message.
    fn here(&self) -> String {
        let text: String = self.rest.trim_start().chars().take(24).collect();
        if text.is_empty() {
            "the end of the header".into()
        } else {
            format!("'{text}'")
        }
    }
}

impl Header {
    fn parse(text: &str) -> std::result::Result<Header, Refusal> {
        let mut cursor = Cursor { rest: text };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        if !cursor.skip('{') {
            return Err(("header", "a dictionary", cursor.here()));
        }
        while !cursor.skip('}') {
            let at = cursor.here();
            let key = cursor.quoted().ok_or(("header", "a quoted key", at))?;
            if !cursor.skip(':') {
                return Err(("header", "a colon after a key", cursor.here()));
            }
            let at = cursor.here();
            let fresh = match key {
                "descr" => {
                    let value = cursor.quoted().ok_or(("descr", "a type in quotes, not a record", at))?;
                    descr.replace(value.to_string()).is_none()
                }
                "fortran_order" => {
                    let value = match cursor.run(|c| c.is_ascii_alphabetic()) {
                        "True" => true,
                        "False" => false,
                        _ => return Err(("fortran_order", "True or False", at)),
                    };
                    fortran_order.replace(value).is_none()
                }
                "shape" => {
                    let value = cursor.tuple().ok_or(("shape", "a tuple of whole numbers", at))?;
                    shape.replace(value).is_none()
                }
                other => return Err(("header", "descr, fortran_order and shape", format!("'{other}'"))),
            };
            if !fresh {
                return Err(("header", "every key once", format!("'{key}' twice")));
            }
            if !cursor.skip(',') && !cursor.rest.trim_start().starts_with('}') {
                return Err(("header", "a comma or the end of the dictionary", cursor.here()));
            }
        }
        if !cursor.rest.trim().is_empty() {
            return Err(("header", "nothing after the dictionary", cursor.here()));
        }
        let absent = |field| (field, "a value", "nothing".to_string());
        Ok(Header {
            descr: descr.ok_or(absent("descr"))?,
            fortran_order: fortran_order.ok_or(absent("fortran_order"))?,
            shape: shape.ok_or(absent("shape"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;
    use npyz::WriterBuilder;
    use proptest::prelude::*;

    /// An array written by an independent implementation.
    fn foreign<T: npyz::AutoSerialize + Copy>(shape: &[u64], order: npyz::Order, values: &[T]) -> Vec<u8> {
        let mut content = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .order(order)
            .writer(&mut content)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        content
    }

    fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend((header.len() as u16).to_le_bytes());
        content.extend(header.as_bytes());
        content.extend(data);
        content
    }

    fn matrix(content: &[u8]) -> Result<DMatrix<f64>> {
        parse(Path::new("A.npy"), content)?.into_matrix(Path::new("A.npy"), &[2])
    }

    /// The field that a refused content is blamed on.
    fn blamed(content: &[u8]) -> String {
        match matrix(content).unwrap_err() {
            Error::Format { path, field, .. } => {
                assert_eq!(path, Path::new("A.npy"));
                field
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn both_orders_and_both_precisions_of_a_foreign_writer_are_read() {
        let expected = dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.5];
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
        let columns = [1.0, 4.0, 2.0, 5.0, 3.0, 6.5];
        let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        for content in [
            foreign(&[2, 3], npyz::Order::C, &rows),
            foreign(&[2, 3], npyz::Order::Fortran, &columns),
            foreign(&[2, 3], npyz::Order::C, &single(&rows)),
            foreign(&[2, 3], npyz::Order::Fortran, &single(&columns)),
        ] {
            assert_eq!(matrix(&content).unwrap(), expected);
        }
    }

    #[test]
    fn big_endian_entries_are_read() {
        let header = "{'descr': '>f8', 'fortran_order': False, 'shape': (1, 2), }\n";
        let data: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        assert_eq!(matrix(&with_header(header, &data)).unwrap(), dmatrix![1.5, -2.0]);
        let header = header.replace("f8", "f4");
        let data: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        assert_eq!(matrix(&with_header(&header, &data)).unwrap(), dmatrix![1.5, -2.0]);
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit_here_and_by_a_foreign_reader() {
        let folder = std::env::temp_dir().join(format!("ticketsense-npy-{}", std::process::id()));
        files::create_folder(&folder).unwrap();
        let a = dmatrix![1.0, f64::MIN_POSITIVE, -0.1; 1e300, 0.0, 1.0 / 3.0];
        write_matrix(folder.join("A.npy"), &a).unwrap();
        assert_eq!(read_matrix(folder.join("A.npy")).unwrap(), a);
        write_vector(folder.join("y.npy"), &[0.5, 7.0]).unwrap();
        assert_eq!(read_vector(folder.join("y.npy")).unwrap(), [0.5, 7.0]);
        assert_eq!(read_columns(folder.join("y.npy")).unwrap(), dmatrix![0.5; 7.0]);
        assert!(read_matrix(folder.join("y.npy")).is_err());
        assert!(matches!(read_matrix(folder.join("absent.npy")), Err(Error::Io { .. })));

        let content = files::read(folder.join("A.npy")).unwrap();
        let reader = npyz::NpyFile::new(content.as_slice()).unwrap();
        assert_eq!(
            (reader.shape(), reader.order()),
            ([2, 3].as_slice(), npyz::Order::Fortran)
        );
        assert_eq!(reader.into_vec::<f64>().unwrap(), a.as_slice());
        // NumPy maps files whose data start at a multiple of 64.
        assert_eq!((content.len() - 48) % ALIGNMENT, 0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_defect_is_blamed_on_its_field() {
        let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n";
        let data = [0u8; 16];
        assert!(matrix(&with_header(good, &data)).is_ok());
        assert_eq!(blamed(b""), "magic number");
        assert_eq!(blamed(b"PK\x03\x04 an archive"), "magic number");
        assert_eq!(blamed(b"\x93NUMPY\x04\x00\x00\x00"), "format version");
        assert_eq!(blamed(b"\x93NUMPY\x01\x00\x10"), "header length");
        assert_eq!(blamed(&with_header(good, &data)[..30]), "header");
        for (from, to, field) in [
            ("'<f8'", "'<i8'", "descr"),
            ("'<f8'", "'|O'", "descr"),
            ("'<f8'", "[('a', '<f8')]", "descr"),
            ("'descr': '<f8', ", "", "descr"),
            ("False", "Maybe", "fortran_order"),
            ("(1, 2)", "(1, -2)", "shape"),
            ("(1, 2)", "(2)", "shape"),
            ("(1, 2)", "(2, 1, 1)", "shape"),
            ("(1, 2)", "(1, 3)", "data"),
            ("(1, 2)", "(1, 1)", "data"),
            // The products overflow, or ask for more memory than there is.
            ("(1, 2)", "(9223372036854775807, 9223372036854775807)", "data"),
            ("(1, 2)", "(4611686018427387904, 4)", "data"),
            ("(1, 2)", "(1000000000, 1000000000)", "data"),
            ("(1, 2)", "(99999999999999999999999, 1)", "shape"),
            ("'shape'", "'size'", "header"),
            ("'shape': (1, 2), ", "'shape': (1, 2), 'shape': (1, 2)", "header"),
            ("}\n", "} and more", "header"),
            ("{", "", "header"),
        ] {
            assert_eq!(blamed(&with_header(&good.replace(from, to), &data)), field, "{to}");
        }
        let empty = good.replace("(1, 2)", "(0, 2)");
        assert_eq!(blamed(&with_header(&empty, &[])), "shape");
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_with_its_file() {
        let content = foreign(&[1, 3], npyz::Order::C, &[0.0, 1.0, f64::NEG_INFINITY]);
        let error = matrix(&content).unwrap_err();
        assert!(matches!(error, Error::NotFinite { index: 2, .. }));
        assert!(error.to_string().contains("A.npy"));
    }

    #[test]
    fn every_truncation_and_every_excess_is_refused() {
        let mut content = encode("(2, 3)", true, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(matrix(&content).is_ok());
        for length in 0..content.len() {
            assert!(
                matches!(matrix(&content[..length]), Err(Error::Format { .. })),
                "{length}"
            );
        }
        content.push(0);
        assert_eq!(blamed(&content), "data");
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic_or_invent_entries(
            flips in proptest::collection::vec((0usize..176, any::<u8>()), 1..6),
            cut in 0usize..177,
        ) {
            let mut content = encode("(2, 3)", false, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            prop_assert_eq!(content.len(), 176);
            for (place, value) in flips {
                content[place] ^= value;
            }
            content.truncate(cut);
            if let Ok(found) = matrix(&content) {
                prop_assert!(found.len() * 4 <= content.len());
            }
        }

        #[test]
        fn any_bytes_are_answered(content in proptest::collection::vec(any::<u8>(), 0..200), version in 1u8..4) {
            let _ = matrix(&content);
            let mut prefixed = MAGIC.to_vec();
            prefixed.extend([version, 0]);
            prefixed.extend(&content);
            prop_assert!(matrix(&prefixed).is_err());
        }
    }
}
