//! Results that several cells share, computed once.

use crate::error::Result;
use crate::files;
use crate::harness::context::Stop;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A folder of results under the hash of everything that made them: the code, a kind and an identity in words.
///
/// Within a process each key is computed once: whoever asks while it is being computed waits. Several processes may
/// share the folder: files appear whole or not at all, and a key names its content, so that the last writer changes
/// nothing. Content is checked when it is read; what is damaged is computed again.
///
/// ```
/// use ticketsense::harness::Store;
/// let store = Store::in_memory();
/// let first = store.produce_or_load("square", "7", || Ok(vec![49]))?;
/// let again = store.produce_or_load("square", "7", || unreachable!())?;
/// assert_eq!(first, again);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct Store {
    place: Place,
    code: String,
    stop: Stop,
    /// Whether to ignore what earlier processes left.
    fresh: bool,
    keys: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

#[derive(Debug)]
enum Place {
    Folder {
        root: PathBuf,
        produced: Mutex<HashSet<String>>,
    },
    Memory(Mutex<HashMap<String, Vec<u8>>>),
}

/// A computation that panicked leaves nothing half-done behind these locks, so that a poisoned one is as good as new.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAGIC: &[u8] = b"ticketsense-store ";

impl Store {
    /// A store in a folder, which is made when the first result is written. With `fresh`, results of earlier processes
    /// are ignored and replaced.
    pub fn in_folder(root: impl Into<PathBuf>, code: impl Into<String>, stop: Stop, fresh: bool) -> Self {
        Store {
            place: Place::Folder {
                root: root.into(),
                produced: Mutex::default(),
            },
            code: code.into(),
            stop,
            fresh,
            keys: Mutex::default(),
        }
    }

    /// A store that lives as long as this value.
    pub fn in_memory() -> Self {
        Store {
            place: Place::Memory(Mutex::default()),
            code: String::new(),
            stop: Stop::new(),
            fresh: false,
            keys: Mutex::default(),
        }
    }

    /// The bytes of `kind` and `identity`: read where they exist, otherwise made by `make` and kept.
    ///
    /// `identity` must name everything that the bytes depend on besides the code: parameters, seed, data.
    /// `make` may ask the store for other keys, never for its own.
    ///
    /// # Errors
    /// Those of `make`, which leave nothing behind; [`crate::Error::Io`] when the result cannot be written;
    /// [`crate::Error::Interrupted`] when a stop was requested before the computation began.
    pub fn produce_or_load(
        &self,
        kind: &str,
        identity: &str,
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let key = files::sha256_hex(
            [self.code.as_str(), kind, identity]
                .map(|part| format!("{}:{part}", part.len()))
                .concat()
                .as_bytes(),
        );
        let flight = lock(&self.keys).entry(key.clone()).or_default().clone();
        let _alone = lock(&flight);
        if let Some(content) = self.load(kind, &key) {
            return Ok(content);
        }
        self.stop.check()?;
        let content = make()?;
        self.keep(kind, &key, &content)?;
        Ok(content)
    }

    fn path(root: &std::path::Path, kind: &str, key: &str) -> PathBuf {
        // A kind is a word of the code; anything else in it must not lead out of the folder.
        let kind: String = kind
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        root.join(format!("{kind}-{key}"))
    }

    /// The content of a key where it exists undamaged. Whatever is wrong with the file, the answer is to compute again.
    fn load(&self, kind: &str, key: &str) -> Option<Vec<u8>> {
        match &self.place {
            Place::Memory(entries) => lock(entries).get(key).cloned(),
            Place::Folder { root, produced } => {
                if self.fresh && !lock(produced).contains(key) {
                    return None;
                }
                let file = std::fs::read(Self::path(root, kind, key)).ok()?;
                let rest = file.strip_prefix(MAGIC)?;
                let (checksum, rest) = rest.split_at_checked(64)?;
                let content = rest.strip_prefix(b"\n")?;
                (files::sha256_hex(content).as_bytes() == checksum).then(|| content.to_vec())
            }
        }
    }

    fn keep(&self, kind: &str, key: &str, content: &[u8]) -> Result<()> {
        match &self.place {
            Place::Memory(entries) => {
                lock(entries).insert(key.to_string(), content.to_vec());
            }
            Place::Folder { root, produced } => {
                files::create_folder(root)?;
                let checksum = files::sha256_hex(content);
                let file = [MAGIC, checksum.as_bytes(), b"\n", content].concat();
                files::write_atomic(Self::path(root, kind, key), &file)?;
                lock(produced).insert(key.to_string());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ticketsense-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn open(root: &PathBuf, code: &str, fresh: bool) -> Store {
        Store::in_folder(root, code, Stop::new(), fresh)
    }

    #[test]
    fn a_result_is_found_by_the_next_process_of_the_same_code_only() {
        let root = folder("code");
        let made = AtomicUsize::new(0);
        let make = |value: u8| {
            made.fetch_add(1, Ordering::Relaxed);
            Ok(vec![value])
        };
        assert_eq!(
            open(&root, "a", false).produce_or_load("k", "x", || make(1)).unwrap(),
            [1]
        );
        assert_eq!(
            open(&root, "a", false).produce_or_load("k", "x", || make(2)).unwrap(),
            [1]
        );
        assert_eq!(
            open(&root, "b", false).produce_or_load("k", "x", || make(3)).unwrap(),
            [3]
        );
        assert_eq!(
            open(&root, "a", false).produce_or_load("k2", "x", || make(4)).unwrap(),
            [4]
        );
        let fresh = open(&root, "a", true);
        assert_eq!(fresh.produce_or_load("k", "x", || make(5)).unwrap(), [5]);
        assert_eq!(fresh.produce_or_load("k", "x", || make(6)).unwrap(), [5]);
        assert_eq!(made.load(Ordering::Relaxed), 4);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn any_damage_to_a_file_leads_to_computing_again() {
        let root = folder("damage");
        let content: Vec<u8> = (0..=255).collect();
        let store = open(&root, "a", false);
        store.produce_or_load("k", "x", || Ok(content.clone())).unwrap();
        let path = files::list_folder(&root).unwrap().remove(0);
        let whole = files::read(&path).unwrap();
        for cut in [0, 1, MAGIC.len(), MAGIC.len() + 64, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(
                store.produce_or_load("k", "x", || Ok(content.clone())).unwrap(),
                content
            );
            assert_eq!(files::read(&path).unwrap(), whole);
        }
        for position in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[position] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            assert!(
                store
                    .load("k", path.to_str().unwrap().rsplit('-').next().unwrap())
                    .is_none()
            );
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn many_threads_that_need_one_key_compute_it_once() {
        let store = Store::in_memory();
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let content = store.produce_or_load("k", "x", || {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        Ok(vec![7])
                    });
                    assert_eq!(content.unwrap(), [7]);
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failed_or_panicking_computation_leaves_the_key_free() {
        let store = Store::in_memory();
        assert!(store.produce_or_load("k", "x", || Err(Error::Interrupted)).is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.produce_or_load("k", "x", || panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(store.produce_or_load("k", "x", || Ok(vec![1])).unwrap(), [1]);
    }

    #[test]
    fn nothing_new_is_begun_after_a_stop() {
        let stop = Stop::new();
        let store = Store::in_folder(folder("stop"), "a", stop.clone(), false);
        stop.request();
        assert!(matches!(
            store.produce_or_load("k", "x", || Ok(vec![])),
            Err(Error::Interrupted)
        ));
    }
}
