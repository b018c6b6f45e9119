//! The settings of makers in words.

use crate::error::{Error, Result};
use crate::pruning::design::DesignPrior;
use crate::pruning::net_trim::{Spread, TrimOrder};
use crate::pruning::patterns::Edge;
use crate::pruning::structured::{UnitKind, UnitNorm};
use std::fmt;
use std::str::FromStr;

/// A value in the words of the command line, both ways.
macro_rules! words {
    ($type:ty, $kind:literal, $($word:literal => $value:path),+ $(,)?) => {
        impl FromStr for $type {
            type Err = Error;

            fn from_str(word: &str) -> Result<Self> {
                match word {
                    $($word => Ok($value),)+
                    _ => Err(Error::unknown($kind, word, [$($word),+])),
                }
            }
        }
    };
}

words!(UnitKind, "kind of units", "neurons" => UnitKind::Neuron, "channels" => UnitKind::Channel, "heads" => UnitKind::Head);
words!(UnitNorm, "norm", "l1" => UnitNorm::AbsoluteSum, "l2" => UnitNorm::Euclidean);
words!(DesignPrior, "prior", "equal" => DesignPrior::Equal, "magnitude" => DesignPrior::Magnitude);
words!(Spread, "spread", "units" => Spread::Units, "layer" => Spread::Layer);
words!(TrimOrder, "order of layers", "parallel" => TrimOrder::Parallel, "cascade" => TrimOrder::Cascade);
words!(Edge, "edge", "refused" => Edge::Refused, "ragged" => Edge::Ragged);

/// The word that is read back.
macro_rules! display {
    ($type:ty, $($value:path => $word:literal),+ $(,)?) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $($value => $word,)+
                })
            }
        }
    };
}

display!(UnitNorm, UnitNorm::AbsoluteSum => "l1", UnitNorm::Euclidean => "l2");
display!(DesignPrior, DesignPrior::Equal => "equal", DesignPrior::Magnitude => "magnitude");
display!(Spread, Spread::Units => "units", Spread::Layer => "layer");
display!(TrimOrder, TrimOrder::Parallel => "parallel", TrimOrder::Cascade => "cascade");
display!(Edge, Edge::Refused => "refused", Edge::Ragged => "ragged");
