//! Files that are never half-written, checksums, and gzip that cannot be made to swell without bound.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads a whole file.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    fs::read(path).map_err(|e| Error::io(path, "read", e))
}

/// Reads a whole text file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] when it is not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    String::from_utf8(read(path)?)
        .map_err(|e| Error::format(path, "text", "UTF-8", format!("byte {}", e.utf8_error().valid_up_to())))
}

/// Writes a file so that at every moment either the old content or the whole new content stands under its name.
///
/// The content goes to a temporary name in the same folder, is flushed to the disk, and is then renamed.
///
/// # Errors
/// [`Error::Io`] naming the file and the step that failed; the temporary file is removed.
pub fn write_atomic(path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let path = path.as_ref();
    let name = path
        .file_name()
        .ok_or_else(|| Error::argument("path", "a file name", path.display()))?;
    let temporary = path.with_file_name(format!(
        ".{}.{}-{}.part",
        name.to_string_lossy(),
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    let attempt = || -> Result<()> {
        let mut file = File::create(&temporary).map_err(|e| Error::io(&temporary, "create", e))?;
        file.write_all(content).map_err(|e| Error::io(&temporary, "write", e))?;
        file.sync_all().map_err(|e| Error::io(&temporary, "flush", e))?;
        fs::rename(&temporary, path).map_err(|e| Error::io(path, "replace", e))
    };
    attempt().inspect_err(|_| {
        // The temporary file may never have come to be; there is nothing more to do about it either way.
        let _ = fs::remove_file(&temporary);
    })
}

/// Makes a folder and its parents.
///
/// # Errors
/// [`Error::Io`] naming the folder.
pub fn create_folder(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    fs::create_dir_all(path).map_err(|e| Error::io(path, "create the folder", e))
}

/// The SHA-256 of some bytes, as 64 hexadecimal digits.
///
/// ```
/// let empty = ticketsense::files::sha256_hex(b"");
/// assert!(empty.starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
/// ```
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Unpacks gzip, refusing to produce more than `limit` bytes.
///
/// # Errors
/// [`Error::Format`] naming the file when the stream is damaged or truncated, or swells beyond the limit.
pub fn gunzip(path: impl AsRef<Path>, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(packed)
        .take(limit as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|e| Error::format(path, "gzip stream", "an undamaged stream", e))?;
    if content.len() > limit {
        return Err(Error::format(
            path,
            "gzip stream",
            format!("at most {limit} bytes"),
            "more",
        ));
    }
    Ok(content)
}

/// Whether bytes begin with gzip's magic number.
pub fn is_gzip(content: &[u8]) -> bool {
    content.starts_with(&[0x1f, 0x8b])
}

/// The entries of a folder, sorted by name; an absent folder has none.
///
/// # Errors
/// [`Error::Io`] when the folder exists and cannot be read.
pub fn list_folder(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(path, "list", e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| Error::io(path, "list", e))?.path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ticketsense-files-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn writing_replaces_the_whole_content_and_leaves_no_other_file() {
        let folder = folder("replace");
        let path = folder.join("x.txt");
        write_atomic(&path, b"a long first content").unwrap();
        write_atomic(&path, b"short").unwrap();
        assert_eq!(read(&path).unwrap(), b"short");
        assert_eq!(list_folder(&folder).unwrap(), [path]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn writing_into_an_absent_folder_names_the_file() {
        let error = write_atomic("/nonexistent-folder/x.txt", b"x").unwrap_err().to_string();
        assert!(error.contains("/nonexistent-folder/"), "{error}");
    }

    #[test]
    fn gunzip_refuses_damage_and_excess() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&[7u8; 10_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(gunzip("x", &packed, 10_000).unwrap().len(), 10_000);
        assert!(gunzip("x", &packed, 9_999).is_err());
        assert!(gunzip("x", &packed[..packed.len() - 6], 10_000).is_err());
    }
}
