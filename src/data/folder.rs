//! Finding the files of a format in a folder, and reading them, packed or not, within bounds.

use crate::error::{Error, Result};
use crate::files::{gunzip, is_gzip, read};
use std::path::{Path, PathBuf};

/// The largest file, unpacked, that is read: five times the training images of MNIST's largest relatives.
pub(super) const MAXIMUM_BYTES: usize = 1 << 30;
/// Deflate packs at most 258 bytes into two bits, so no honest stream swells by more.
const MAXIMUM_RATIO: usize = 1032;
/// Room for the gzip header and trailer of tiny files in the bound above.
const SLACK: usize = 1 << 10;

/// The first of `names`, plain or with `.gz`, that is a file in `folder`; plain comes first.
pub(super) fn find<S: AsRef<str>>(folder: &Path, names: &[S]) -> Option<PathBuf> {
    names
        .iter()
        .flat_map(|name| [name.as_ref().to_string(), format!("{}.gz", name.as_ref())])
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The content of a file, unpacked when it is gzip by its magic number.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] above [`MAXIMUM_BYTES`] or for a damaged stream.
pub(super) fn read_unpacked(path: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path).map_err(|e| Error::io(path, "read", e))?.len();
    if size > MAXIMUM_BYTES as u64 {
        let expected = format!("at most {MAXIMUM_BYTES} bytes");
        return Err(Error::format(path, "file size", expected, size));
    }
    unpack(path, read(path)?)
}

/// Unpacks gzip and passes anything else through; `path` is for messages.
pub(super) fn unpack(path: &Path, content: Vec<u8>) -> Result<Vec<u8>> {
    if !is_gzip(&content) {
        return Ok(content);
    }
    let limit = content.len().saturating_mul(MAXIMUM_RATIO).saturating_add(SLACK);
    gunzip(path, &content, limit.min(MAXIMUM_BYTES))
}

/// What a data set in a folder is called: the folder's own name.
pub(super) fn name_of(folder: &Path) -> String {
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    resolved
        .file_name()
        .map_or_else(|| "images".to_string(), |name| name.to_string_lossy().into_owned())
}
