//! What a closed form says about itself, so that a calculator can list it, parse its arguments and print its answer.

use crate::error::{Error, Result};
use std::fmt;

/// A closed form as the calculator sees it.
///
/// ```
/// let form = ticketsense::theory::find("imp-density")?;
/// let answer = form.evaluate_text(&[("prune-fraction", "0.2"), ("rounds", "10")])?;
/// assert_eq!(answer[0].name, "value");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct ClosedForm {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it answers, in one sentence.
    pub summary: &'static str,
    /// Its arguments, in the order of their importance.
    pub arguments: &'static [Argument],
    /// The formula of the quantity `value`.
    pub formula: &'static str,
    /// Where the formula is proven.
    pub source: &'static str,
    /// The claims that rest on it, by id.
    pub claims: &'static [&'static str],
    /// The computation; the first quantity is called `value`.
    pub evaluate: fn(&Arguments) -> Result<Vec<Quantity>>,
}

/// One argument of a closed form.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name, as `--name`.
    pub name: &'static str,
    /// What it means, in a few words.
    pub meaning: &'static str,
    /// Its unit; `1` for a pure number.
    pub unit: &'static str,
    /// The values it may take.
    pub domain: Domain,
    /// The value, as text, that stands where none is given.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
}

/// The values that an argument may take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Domain {
    /// A real number in an interval.
    Real {
        /// Lower end.
        lower: f64,
        /// Whether the lower end itself is allowed.
        lower_closed: bool,
        /// Upper end.
        upper: f64,
        /// Whether the upper end itself is allowed.
        upper_closed: bool,
    },
    /// An integer from `lower` to `upper`, both included.
    Integer {
        /// Smallest value.
        lower: u64,
        /// Largest value.
        upper: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Given or not given; takes no value.
    Flag,
}

/// The largest integer up to which every integer is a double: 2⁵³.
pub const LARGEST_EXACT_INTEGER: u64 = 1 << 53;

impl Domain {
    /// `[0, 1]`.
    pub const FRACTION: Domain = Domain::Real {
        lower: 0.0,
        lower_closed: true,
        upper: 1.0,
        upper_closed: true,
    };
    /// `(0, 1]`.
    pub const POSITIVE_FRACTION: Domain = Domain::Real {
        lower: 0.0,
        lower_closed: false,
        upper: 1.0,
        upper_closed: true,
    };
    /// `(0, ∞)`.
    pub const POSITIVE: Domain = Domain::Real {
        lower: 0.0,
        lower_closed: false,
        upper: f64::INFINITY,
        upper_closed: false,
    };
    /// `[0, ∞)`.
    pub const NONNEGATIVE: Domain = Domain::Real {
        lower: 0.0,
        lower_closed: true,
        upper: f64::INFINITY,
        upper_closed: false,
    };
    /// `(0, 1000]` bits: beyond about a thousand bits, `2^−bits` is no longer a normal double.
    pub const BITS: Domain = Domain::Real {
        lower: 0.0,
        lower_closed: false,
        upper: 1000.0,
        upper_closed: true,
    };
    /// `1..=2⁵³`.
    pub const COUNT: Domain = Domain::Integer {
        lower: 1,
        upper: LARGEST_EXACT_INTEGER,
    };
    /// `0..=1,000,000`: a number of steps that is walked one by one.
    pub const STEPS: Domain = Domain::Integer {
        lower: 0,
        upper: 1_000_000,
    };
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Domain::Real {
                lower,
                lower_closed,
                upper,
                upper_closed,
            } => {
                let open = if lower_closed { '[' } else { '(' };
                let close = if upper_closed { ']' } else { ')' };
                match upper.is_infinite() {
                    true => write!(f, "{open}{lower}, ∞{close}"),
                    false => write!(f, "{open}{lower}, {upper}{close}"),
                }
            }
            Domain::Integer { lower, upper } if upper == LARGEST_EXACT_INTEGER => write!(f, "integer {lower} .. 2^53"),
            Domain::Integer { lower, upper } => write!(f, "integer {lower} .. {upper}"),
            Domain::Choice(words) => f.write_str(&words.join(" | ")),
            Domain::Flag => f.write_str("flag"),
        }
    }
}

/// The value of an argument, or one number of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// A real number; NaN where the quantity does not exist for these arguments.
    Real(f64),
    /// A count.
    Integer(u64),
    /// A word.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Real(v) if v.is_nan() => f.write_str("none"),
            // Plain decimals while they can be read, powers of ten beyond.
            Scalar::Real(v) if *v != 0.0 && !(1e-5..1e16).contains(&v.abs()) => write!(f, "{v:e}"),
            Scalar::Real(v) => write!(f, "{v}"),
            Scalar::Integer(v) => write!(f, "{v}"),
            Scalar::Text(v) => f.write_str(v),
            Scalar::Flag(v) => write!(f, "{v}"),
        }
    }
}

/// One named number of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Its name, as in the JSON answer.
    pub name: &'static str,
    /// What it is, in a few words.
    pub meaning: &'static str,
    /// The number.
    pub value: Scalar,
}

impl Quantity {
    /// A real number; pass NaN where it does not exist for these arguments.
    pub fn real(name: &'static str, value: f64, meaning: &'static str) -> Self {
        Quantity {
            name,
            meaning,
            value: Scalar::Real(value),
        }
    }

    /// A count.
    pub fn integer(name: &'static str, value: u64, meaning: &'static str) -> Self {
        Quantity {
            name,
            meaning,
            value: Scalar::Integer(value),
        }
    }

    /// A word.
    pub fn text(name: &'static str, value: impl Into<String>, meaning: &'static str) -> Self {
        Quantity {
            name,
            meaning,
            value: Scalar::Text(value.into()),
        }
    }
}

impl Argument {
    /// An argument that must be given.
    pub const fn required(name: &'static str, meaning: &'static str, unit: &'static str, domain: Domain) -> Self {
        Argument {
            name,
            meaning,
            unit,
            domain,
            default: None,
            required: true,
        }
    }

    /// An argument that may be left out.
    pub const fn optional(
        name: &'static str,
        meaning: &'static str,
        unit: &'static str,
        domain: Domain,
        default: Option<&'static str>,
    ) -> Self {
        Argument {
            name,
            meaning,
            unit,
            domain,
            default,
            required: false,
        }
    }

    /// Reads a value of this argument.
    ///
    /// Integers may be written as `1000000` or `1e6`; a flag as `true` or `false`.
    ///
    /// # Errors
    /// [`Error::Argument`] for text that is no number or lies outside the domain, [`Error::Unknown`] for a word that is
    /// not on the list.
    pub fn parse(&self, text: &str) -> Result<Scalar> {
        let refuse = |expected: String| Err(Error::argument(self.name, expected, text));
        match self.domain {
            Domain::Real {
                lower,
                lower_closed,
                upper,
                upper_closed,
            } => match text.trim().parse::<f64>() {
                Ok(v)
                    if v.is_finite()
                        && (v > lower || (lower_closed && v == lower))
                        && (v < upper || (upper_closed && v == upper)) =>
                {
                    Ok(Scalar::Real(v))
                }
                _ => refuse(format!("a number in {}", self.domain)),
            },
            Domain::Integer { lower, upper } => {
                let exact = text.trim().parse::<u64>().ok();
                let written_as_real = || {
                    let v = text.trim().parse::<f64>().ok()?;
                    (v >= 0.0 && v.fract() == 0.0 && v <= LARGEST_EXACT_INTEGER as f64).then_some(v as u64)
                };
                match exact.or_else(written_as_real) {
                    Some(v) if (lower..=upper).contains(&v) => Ok(Scalar::Integer(v)),
                    _ => refuse(format!("an {}", self.domain)),
                }
            }
            Domain::Choice(words) => match words.contains(&text) {
                true => Ok(Scalar::Text(text.to_string())),
                false => Err(Error::unknown(self.name, text, words)),
            },
            Domain::Flag => match text {
                "true" => Ok(Scalar::Flag(true)),
                "false" => Ok(Scalar::Flag(false)),
                _ => refuse("true or false".into()),
            },
        }
    }
}

/// Parsed arguments: every one lies in its domain, every required one is there, every default is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    values: Vec<(&'static str, Scalar)>,
}

impl Arguments {
    /// The arguments that have a value, in the order of the closed form.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    fn get(&self, name: &str) -> Option<&Scalar> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// A real argument that always has a value.
    ///
    /// # Errors
    /// [`Error::Argument`] when it has none.
    pub fn real(&self, name: &str) -> Result<f64> {
        self.optional_real(name)
            .ok_or_else(|| Error::argument(name, "a number", "nothing"))
    }

    /// A real argument, where given.
    pub fn optional_real(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Scalar::Real(v)) => Some(*v),
            _ => None,
        }
    }

    /// An integer argument that always has a value.
    ///
    /// # Errors
    /// [`Error::Argument`] when it has none.
    pub fn integer(&self, name: &str) -> Result<u64> {
        self.optional_integer(name)
            .ok_or_else(|| Error::argument(name, "an integer", "nothing"))
    }

    /// An integer argument, where given.
    pub fn optional_integer(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Scalar::Integer(v)) => Some(*v),
            _ => None,
        }
    }

    /// A word that always has a value.
    ///
    /// # Errors
    /// [`Error::Argument`] when it has none.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.get(name) {
            Some(Scalar::Text(v)) => Ok(v),
            _ => Err(Error::argument(name, "a word", "nothing")),
        }
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Scalar::Flag(true)))
    }
}

impl ClosedForm {
    /// Reads the arguments, given as pairs of name and text.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is no argument, [`Error::Argument`] for a repeated or missing one and for
    /// whatever [`Argument::parse`] refuses.
    pub fn parse(&self, given: &[(&str, &str)]) -> Result<Arguments> {
        for (position, (name, _)) in given.iter().enumerate() {
            if !self.arguments.iter().any(|argument| argument.name == *name) {
                let known = self.arguments.iter().map(|argument| argument.name);
                return Err(Error::unknown("argument", name, known));
            }
            if given[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::argument(*name, "one value", "several"));
            }
        }
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in self.arguments {
            let text = given
                .iter()
                .find(|(name, _)| *name == argument.name)
                .map(|(_, text)| *text);
            match text.or(argument.default) {
                Some(text) => values.push((argument.name, argument.parse(text)?)),
                None if argument.required => {
                    let expected = format!("a value ({}) of '{}'", argument.domain, self.name);
                    return Err(Error::argument(argument.name, expected, "nothing"));
                }
                None => {}
            }
        }
        Ok(Arguments { values })
    }

    /// Reads the arguments and computes the answer; its first quantity is called `value`.
    ///
    /// # Errors
    /// Those of [`ClosedForm::parse`] and of the closed form itself (an infeasible combination).
    pub fn evaluate_text(&self, given: &[(&str, &str)]) -> Result<Vec<Quantity>> {
        (self.evaluate)(&self.parse(given)?)
    }
}
