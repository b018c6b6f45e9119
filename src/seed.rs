//! Named random streams: every random number of the program has a name, so that it does not depend on threads, order
//! or interruption.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A place in the tree of random streams.
///
/// The key of the generator is SHA-256 over the root (`u64`, little-endian) followed by every stream name, each
/// prefixed with its length in bytes (`u64`, little-endian); [`Seed::replicate`] picks the ChaCha stream number. Two
/// different paths therefore never share a generator, and `"ab" + "c"` differs from `"a" + "bc"`.
///
/// ```
/// use rand::RngExt;
/// use ticketsense::Seed;
/// let cell = Seed::root(0).stream("phase-transition").stream("delta=0.5");
/// let first: f64 = cell.replicate(7).rng().random();
/// let again: f64 = cell.replicate(7).rng().random();
/// let other: f64 = cell.replicate(8).rng().random();
/// assert_eq!(first, again);
/// assert_ne!(first, other);
/// ```
#[derive(Clone, Debug)]
pub struct Seed {
    path: Sha256,
    replicate: u64,
}

impl Seed {
    /// The root of the tree, from the number that a user passes as `--seed`.
    pub fn root(number: u64) -> Self {
        let mut path = Sha256::new();
        path.update(number.to_le_bytes());
        Seed { path, replicate: 0 }
    }

    /// A child stream of this one, by name.
    pub fn stream(&self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref().as_bytes();
        let mut path = self.path.clone();
        path.update((name.len() as u64).to_le_bytes());
        path.update(name);
        Seed {
            path,
            replicate: self.replicate,
        }
    }

    /// The `number`-th replicate of this stream: the same key, another ChaCha stream number.
    pub fn replicate(&self, number: u64) -> Self {
        Seed {
            path: self.path.clone(),
            replicate: number,
        }
    }

    /// A fresh generator at the start of this stream.
    pub fn rng(&self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key());
        rng.set_stream(self.replicate);
        rng
    }

    /// The 256-bit key of this stream.
    pub fn key(&self) -> [u8; 32] {
        self.path.clone().finalize().into()
    }

    /// The replicate number of this stream.
    pub fn replicate_number(&self) -> u64 {
        self.replicate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn the_key_is_the_documented_hash() {
        // Computed with Python: hashlib.sha256(struct.pack('<Q', 5) + struct.pack('<Q', 2) + b'ab').hexdigest()
        let mut reference = Sha256::new();
        reference.update([5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
        let expected: [u8; 32] = reference.finalize().into();
        assert_eq!(Seed::root(5).stream("ab").key(), expected);
    }

    #[test]
    fn names_are_not_concatenated() {
        let root = Seed::root(1);
        assert_ne!(root.stream("ab").stream("c").key(), root.stream("a").stream("bc").key());
        assert_ne!(root.stream("abc").key(), root.stream("ab").stream("c").key());
    }

    #[test]
    fn replicates_share_the_key_and_not_the_numbers() {
        let seed = Seed::root(3).stream("x");
        assert_eq!(seed.replicate(1).key(), seed.replicate(2).key());
        let a: u64 = seed.replicate(1).rng().random();
        let b: u64 = seed.replicate(2).rng().random();
        assert_ne!(a, b);
    }
}
