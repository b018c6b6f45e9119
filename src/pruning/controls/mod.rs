//! Controls: what else could explain that a ticket trains? Each changes one thing and leaves the rest.

mod degrees;
mod masks;
mod values;
mod widths;

pub use degrees::shuffle_keeping_degrees;
pub use masks::{random_mask, shuffle_across_layers, shuffle_within_layers};
pub(super) use values::check_tau;
pub use values::{
    constant_magnitudes, keep_signs, layer_deviations, permute_kept_within_layers, permute_within_layers, with_noise,
    with_noise_keeping_signs,
};
pub use widths::small_dense_widths;

use crate::error::{Error, Result};
use std::ops::Range;

/// The entries of one layer of a vector of parameters or bits.
fn layer_range<'a, T>(entries: &'a mut [T], range: &Range<usize>) -> Result<&'a mut [T]> {
    let length = entries.len();
    entries
        .get_mut(range.clone())
        .ok_or_else(|| Error::shape("layer", format!("a range below {length}"), format!("{range:?}")))
}
