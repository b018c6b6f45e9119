//! The form that plans are written in on the command line and in identities: `name:number=value,number=value`.

use crate::error::{Error, Result};
use std::str::FromStr;

/// A name with its numbers, each of which is taken once.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    kind: &'static str,
    text: &'a str,
    /// What stands before the colon.
    pub name: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    /// Splits a text; `kind` names it in errors.
    ///
    /// # Errors
    /// [`Error::Argument`] on a number without a value or given twice.
    pub fn split(kind: &'static str, text: &'a str) -> Result<Self> {
        let (name, numbers) = text
            .split_once(':')
            .map_or((text, None), |(name, rest)| (name, Some(rest)));
        let mut words = Words {
            kind,
            text,
            name,
            pairs: Vec::new(),
        };
        for assignment in numbers.into_iter().flat_map(|numbers| numbers.split(',')) {
            let pair = assignment
                .split_once('=')
                .ok_or_else(|| words.refuse("NAME:NUMBER=VALUE,NUMBER=VALUE"))?;
            if words.pairs.iter().any(|(key, _)| *key == pair.0) {
                return Err(words.refuse(format!("{} once", pair.0)));
            }
            words.pairs.push(pair);
        }
        Ok(words)
    }

    /// The text is not what was expected.
    pub fn refuse(&self, expected: impl Into<String>) -> Error {
        Error::argument(self.kind, expected, self.text)
    }

    /// Takes the value of a number, where it is given.
    ///
    /// # Errors
    /// [`Error::Argument`] when it cannot be read as `expected` says.
    pub fn take<V: FromStr>(&mut self, key: &str, expected: &str) -> Result<Option<V>> {
        let Some(place) = self.pairs.iter().position(|(known, _)| *known == key) else {
            return Ok(None);
        };
        let (_, value) = self.pairs.remove(place);
        let read = value.parse().map_err(|_| self.refuse(format!("{expected} as {key}")))?;
        Ok(Some(read))
    }

    /// Takes a real number, or its default.
    ///
    /// # Errors
    /// As [`Words::take`].
    pub fn number(&mut self, key: &str, default: f64) -> Result<f64> {
        Ok(self.take(key, "a number")?.unwrap_or(default))
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the numbers that `known` lists.
    pub fn finish(self, known: &[&str]) -> Result<()> {
        match self.pairs.first() {
            None => Ok(()),
            Some((key, _)) => Err(Error::unknown(self.kind, key, known)),
        }
    }
}
