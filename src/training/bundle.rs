//! Named arrays and a JSON description in one safetensors file: what checkpoints and stored runs are made of.

use crate::error::{Error, Result};
use crate::files;
use crate::networks::Real;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

/// The one metadata key; its value is the JSON text `{"checksum": ..., "content": ...}`. One key, because the order of
/// several would change from run to run, and the same bundle must always be the same bytes.
const DESCRIPTION: &str = "ticketsense";
/// What every file begins with, behind the eight bytes of the header's length; the checksum follows.
const HEAD: &[u8] = br#"{"__metadata__":{"ticketsense":"{\"checksum\":\""#;
/// Where the checksum stands: hexadecimal SHA-256 over the whole file with zeros in its own place.
const CHECKSUM: Range<usize> = 8 + HEAD.len()..8 + HEAD.len() + 64;

/// Arrays by name, with a description; readable by every safetensors library.
///
/// The file carries a SHA-256 over all of its bytes, so that a damaged one is refused and never taken for another state. A
/// file without a checksum is refused as well: to accept it would be to accept one whose checksum was damaged away.
///
/// ```
/// use ticketsense::training::Bundle;
/// let mut bundle = Bundle::new(serde_json::json!({"step": 3}));
/// bundle.put("theta", &[1.0f32, -2.5]);
/// let back = Bundle::from_bytes("memory", &bundle.to_bytes()?)?;
/// assert_eq!(back.get::<f32>("theta")?, [1.0, -2.5]);
/// assert_eq!(back.description()["step"], 3);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    description: Value,
    arrays: BTreeMap<String, Stored>,
    source: std::path::PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Bundle {
    /// A bundle without arrays.
    pub fn new(description: Value) -> Self {
        Bundle {
            description,
            arrays: BTreeMap::new(),
            source: "memory".into(),
        }
    }

    /// The description.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// Adds a field to a description that is an object, or replaces it.
    pub fn describe(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(fields) = &mut self.description {
            fields.insert(name.to_string(), value.into());
        }
    }

    /// Adds a vector of numbers.
    pub fn put<T: Real>(&mut self, name: impl Into<String>, values: &[T]) {
        let mut bytes = Vec::with_capacity(values.len() * T::BYTES);
        for value in values {
            value.push_bytes(&mut bytes);
        }
        self.arrays.insert(
            name.into(),
            Stored {
                dtype: dtype::<T>(),
                shape: vec![values.len()],
                bytes,
            },
        );
    }

    /// Adds a vector of bits, one byte each.
    pub fn put_bits(&mut self, name: impl Into<String>, bits: &[bool]) {
        let bytes = bits.iter().map(|&b| u8::from(b)).collect();
        self.arrays.insert(
            name.into(),
            Stored {
                dtype: Dtype::U8,
                shape: vec![bits.len()],
                bytes,
            },
        );
    }

    /// Adds every array of another bundle under a prefix; its description is left behind.
    pub fn include(&mut self, prefix: &str, other: &Bundle) {
        for (name, stored) in &other.arrays {
            self.arrays.insert(format!("{prefix}{name}"), stored.clone());
        }
    }

    /// The arrays under a prefix, with the prefix taken off and no description.
    pub fn part(&self, prefix: &str) -> Bundle {
        let arrays = self.arrays.iter().filter_map(|(name, stored)| {
            name.strip_prefix(prefix)
                .map(|short| (short.to_string(), stored.clone()))
        });
        Bundle {
            description: Value::Null,
            arrays: arrays.collect(),
            source: self.source.clone(),
        }
    }

    /// Whether there is an array of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    fn stored(&self, name: &str, dtype: Dtype) -> Result<&Stored> {
        let wrong = |expected: &str, got: String| Error::format(&self.source, format!("array {name}"), expected, got);
        let stored = self
            .arrays
            .get(name)
            .ok_or_else(|| wrong("an array of that name", "none".into()))?;
        if stored.dtype != dtype {
            return Err(wrong(&format!("{dtype:?}"), format!("{:?}", stored.dtype)));
        }
        Ok(stored)
    }

    /// A vector of numbers.
    ///
    /// # Errors
    /// [`Error::Format`] when it is absent or of another type.
    pub fn get<T: Real>(&self, name: &str) -> Result<Vec<T>> {
        Ok(self
            .stored(name, dtype::<T>())?
            .bytes
            .chunks_exact(T::BYTES)
            .map(T::from_bytes)
            .collect())
    }

    /// A vector of bits.
    ///
    /// # Errors
    /// [`Error::Format`] when it is absent, of another type, or holds a byte other than 0 and 1.
    pub fn bits(&self, name: &str) -> Result<Vec<bool>> {
        let bytes = &self.stored(name, Dtype::U8)?.bytes;
        match bytes.iter().find(|&&b| b > 1) {
            None => Ok(bytes.iter().map(|&b| b == 1).collect()),
            Some(bad) => Err(Error::format(
                &self.source,
                format!("array {name}"),
                "bytes 0 and 1",
                bad,
            )),
        }
    }

    /// The bundle as the bytes of a safetensors file; the same bundle always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Numerical`] when the container refuses the arrays.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refuse = |e: safetensors::SafeTensorError| Error::numerical("safetensors bundle", e.to_string());
        let mut views = Vec::with_capacity(self.arrays.len());
        for (name, stored) in &self.arrays {
            views.push((
                name,
                TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).map_err(refuse)?,
            ));
        }
        let text = format!(r#"{{"checksum":"{}","content":{}}}"#, "0".repeat(64), self.description);
        let metadata = HashMap::from([(DESCRIPTION.to_string(), text)]);
        let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(refuse)?;
        if bytes.get(8..CHECKSUM.start) != Some(HEAD) || bytes.len() < CHECKSUM.end {
            return Err(Error::numerical(
                "safetensors bundle",
                "the header does not begin with its description",
            ));
        }
        let checksum = checksum(&bytes);
        bytes[CHECKSUM].copy_from_slice(checksum.as_bytes());
        Ok(bytes)
    }

    /// Reads a bundle from bytes; `path` names them in errors.
    ///
    /// # Errors
    /// [`Error::Format`] on anything but a whole, undamaged safetensors file with a description and a checksum.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self> {
        let path = path.as_ref();
        let broken = |e: safetensors::SafeTensorError| Error::format(path, "safetensors", "a whole file", e);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(DESCRIPTION))
            .ok_or_else(|| Error::format(path, format!("metadata {DESCRIPTION}"), "a description", "none"))?;
        if bytes.get(8..CHECKSUM.start) != Some(HEAD) || bytes.len() < CHECKSUM.end {
            let got = "none: the file is damaged or older than checksums and has to be made again";
            return Err(Error::format(
                path,
                "checksum",
                "64 hexadecimal digits before the description",
                got,
            ));
        }
        let (stored, computed) = (String::from_utf8_lossy(&bytes[CHECKSUM]), checksum(bytes));
        if stored != computed {
            let expected = format!("{computed}, that of the file's bytes");
            return Err(Error::format(path, "checksum", expected, stored));
        }
        let mut text: Value = serde_json::from_str(text)
            .map_err(|e| Error::format(path, format!("metadata {DESCRIPTION}"), "JSON", e))?;
        let description = text["content"].take();
        let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
        let arrays = tensors
            .iter()
            .map(|(name, view)| {
                let stored = Stored {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    bytes: view.data().to_vec(),
                };
                (name.to_string(), stored)
            })
            .collect();
        Ok(Bundle {
            description,
            arrays,
            source: path.to_path_buf(),
        })
    }

    /// Writes the bundle so that the file is never half-written.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        files::write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a bundle from a file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Bundle::from_bytes(path.as_ref(), &files::read(path.as_ref())?)
    }

    /// A field of the description.
    ///
    /// # Errors
    /// [`Error::Format`] when it is absent or of another kind than `expected` says.
    pub fn field<'a, V>(&'a self, name: &str, expected: &str, read: impl FnOnce(&'a Value) -> Option<V>) -> Result<V> {
        let value = &self.description[name];
        read(value).ok_or_else(|| Error::format(&self.source, name, expected, value))
    }
}

/// SHA-256 over a file with zeros in the place of its checksum.
fn checksum(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..CHECKSUM.start]);
    hash.update([b'0'; CHECKSUM.end - CHECKSUM.start]);
    hash.update(&bytes[CHECKSUM.end..]);
    files::hex(&hash.finalize())
}

fn dtype<T: Real>() -> Dtype {
    if T::BYTES == 4 { Dtype::F32 } else { Dtype::F64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Bundle {
        let mut bundle = Bundle::new(serde_json::json!({"name": "x", "step": 7}));
        bundle.put("a", &[1.0f64, f64::MIN_POSITIVE, -0.0]);
        bundle.put("b", &[0.1f32; 5]);
        bundle.put_bits("mask", &[true, false, true]);
        bundle
    }

    #[test]
    fn arrays_come_back_bit_for_bit_and_the_bytes_repeat() {
        let bytes = example().to_bytes().unwrap();
        assert_eq!(bytes, example().to_bytes().unwrap());
        let back = Bundle::from_bytes("memory", &bytes).unwrap();
        assert_eq!(back, example());
        assert_eq!(back.get::<f64>("a").unwrap()[2].to_bits(), (-0.0f64).to_bits());
        assert_eq!(back.bits("mask").unwrap(), [true, false, true]);
    }

    #[test]
    fn a_missing_array_a_wrong_type_and_a_missing_field_are_named() {
        let bundle = example();
        assert!(bundle.get::<f32>("c").unwrap_err().to_string().contains("array c"));
        assert!(bundle.get::<f32>("a").unwrap_err().to_string().contains("F64"));
        assert!(
            bundle
                .field("seed", "a number", Value::as_u64)
                .unwrap_err()
                .to_string()
                .contains("seed")
        );
        assert_eq!(bundle.field("step", "a number", Value::as_u64).unwrap(), 7);
    }

    #[test]
    fn no_truncated_file_and_none_with_a_flipped_byte_is_read() {
        let bytes = example().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(Bundle::from_bytes("memory", &bytes[..end]).is_err(), "cut at {end}");
        }
        for position in 0..bytes.len() {
            // One bit of a digit, a case, a blank into another blank, and more.
            for flip in [0x01, 0x20, 0x29, 0x55] {
                let mut damaged = bytes.clone();
                damaged[position] ^= flip;
                let refused = Bundle::from_bytes("memory", &damaged);
                assert!(matches!(refused, Err(Error::Format { .. })), "{flip} at {position}");
            }
        }
        let mut damaged = bytes.clone();
        damaged[bytes.len() - 1] ^= 1;
        let refused = Bundle::from_bytes("run.safetensors", &damaged).unwrap_err().to_string();
        assert!(refused.contains("run.safetensors: checksum"), "{refused}");
    }

    #[test]
    fn a_file_without_a_checksum_is_refused_in_words() {
        let metadata = HashMap::from([(DESCRIPTION.to_string(), r#"{"step":3}"#.to_string())]);
        let views: [(&str, TensorView<'_>); 0] = [];
        let bytes = safetensors::serialize(views, Some(metadata)).unwrap();
        let refused = Bundle::from_bytes("old.safetensors", &bytes).unwrap_err().to_string();
        assert!(refused.contains("older than checksums"), "{refused}");
    }
}
