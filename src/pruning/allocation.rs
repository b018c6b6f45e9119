//! How many weights each layer keeps.

use crate::error::{Error, Result};
use crate::networks::{Layout, Slot};
use crate::support::Density;
use std::fmt;
use std::str::FromStr;

/// How a number of weights is divided among the layers.
///
/// ```
/// use ticketsense::networks::Network;
/// use ticketsense::pruning::Allocation;
/// let network = Network::preset("mlp:50-30", 64, 10)?;
/// let counts = |allocation: Allocation| allocation.counts(network.layout(), 0.1);
/// assert_eq!(counts(Allocation::Uniform)?, Some(vec![320, 150, 30]));
/// // In proportion to inputs plus outputs: 114 : 80 : 40.
/// assert_eq!(counts(Allocation::ErdosRenyiKernel)?, Some(vec![244, 171, 85]));
/// assert_eq!(counts(Allocation::Global)?, None);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Allocation {
    /// The same density in every layer.
    Uniform,
    /// Densities in proportion to the sum of a layer's dimensions over their product: `(inputs + outputs)` weights of a dense
    /// layer for every `inputs · outputs`, and the sides of the kernel among the dimensions of a convolution. A layer
    /// whose share exceeds it stays dense, and what it cannot take goes to the others in the same proportion (the
    /// Erdős–Rényi kernel: Mocanu et al. 2018, Evci et al., ICML 2020).
    ErdosRenyiKernel,
    /// A density for every weight layer, from input to output.
    Layerwise(Vec<f64>),
    /// All weights compete; no layer is promised any.
    Global,
}

impl Allocation {
    /// How many weights every layer keeps, from input to output; nothing where scores decide.
    ///
    /// The total is `density · weights`, rounded to nearest, exactly; the layers' shares are rounded by largest remainder,
    /// ties to the earlier layer.
    ///
    /// # Errors
    /// [`Error::Argument`] for a density outside `(0, 1]`, one that would leave a layer without a weight, which is named,
    /// and for densities of layers that do not fit the layers or do not make up the density.
    pub fn counts(&self, layout: &Layout, density: f64) -> Result<Option<Vec<usize>>> {
        require_density("density", density)?;
        let slots: Vec<&Slot> = layout.weight_slots().collect();
        let total = Density::new(density)?.kept_of(layout.prunable());
        let counts = match self {
            Allocation::Global => {
                return match total {
                    0 => Err(Error::argument("density", "enough for at least one weight", density)),
                    _ => Ok(None),
                };
            }
            Allocation::Uniform => {
                let ideal: Vec<f64> = slots.iter().map(|slot| density * slot.len() as f64).collect();
                whole(&ideal, &slots, total)
            }
            Allocation::ErdosRenyiKernel => whole(&kernel_shares(&slots, total), &slots, total),
            Allocation::Layerwise(densities) => {
                let counts = layerwise(&slots, densities)?;
                let found: usize = counts.iter().sum();
                // Every layer was rounded by at most a half.
                if 2 * found.abs_diff(total) > slots.len() + 1 {
                    let together = found as f64 / layout.prunable() as f64;
                    let expected = format!("{together}, which the densities of the layers make up");
                    return Err(Error::argument("density", expected, density));
                }
                counts
            }
        };
        match slots.iter().zip(&counts).find(|(_, count)| **count == 0) {
            None => Ok(Some(counts)),
            Some((slot, _)) => Err(Error::argument(
                "density",
                format!("enough for at least one weight in {}", slot.name),
                density,
            )),
        }
    }

    /// The density that the densities of the layers make up; nothing where the density is a choice of its own.
    ///
    /// # Errors
    /// [`Error::Argument`] when they do not fit the layers.
    pub fn implied_density(&self, layout: &Layout) -> Result<Option<f64>> {
        let Allocation::Layerwise(densities) = self else {
            return Ok(None);
        };
        let slots: Vec<&Slot> = layout.weight_slots().collect();
        let kept: usize = layerwise(&slots, densities)?.iter().sum();
        Ok(Some(kept as f64 / layout.prunable() as f64))
    }
}

fn require_density(what: &str, density: f64) -> Result<()> {
    match density > 0.0 && density <= 1.0 {
        true => Ok(()),
        false => Err(Error::argument(what, "a number in (0, 1]", density)),
    }
}

fn layerwise(slots: &[&Slot], densities: &[f64]) -> Result<Vec<usize>> {
    if densities.len() != slots.len() {
        let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        let expected = format!("{} of them, for {}", slots.len(), names.join(", "));
        return Err(Error::argument("densities of layers", expected, densities.len()));
    }
    let pairs = slots.iter().zip(densities);
    pairs
        .map(|(slot, &density)| {
            require_density(&format!("density of {}", slot.name), density)?;
            Ok(Density::new(density)?.kept_of(slot.len()))
        })
        .collect()
}

/// The layers' shares of `total` weights by the Erdős–Rényi kernel, none above what the layer has.
fn kernel_shares(slots: &[&Slot], total: usize) -> Vec<f64> {
    let dimensions = |slot: &Slot| slot.shape.iter().sum::<usize>() as f64;
    let mut dense = vec![false; slots.len()];
    loop {
        let of = |dense: &[bool], full: bool, count: &dyn Fn(&Slot) -> f64| -> f64 {
            let chosen = slots.iter().zip(dense).filter(|(_, dense)| **dense == full);
            chosen.map(|(slot, _)| count(slot)).sum()
        };
        let left = total as f64 - of(&dense, true, &|slot| slot.len() as f64);
        let scale = left.max(0.0) / of(&dense, false, &dimensions).max(1.0);
        let overfull = |l: usize| scale * dimensions(slots[l]) > slots[l].len() as f64;
        let found: Vec<usize> = (0..slots.len()).filter(|&l| !dense[l] && overfull(l)).collect();
        if found.is_empty() {
            let share = |(slot, dense): (&&Slot, &bool)| match dense {
                true => slot.len() as f64,
                false => scale * dimensions(slot),
            };
            return slots.iter().zip(&dense).map(share).collect();
        }
        found.into_iter().for_each(|l| dense[l] = true);
    }
}

/// Whole numbers of sum `total` next to ideal ones of that sum: rounded down, and one more to those that lost most.
fn whole(ideal: &[f64], slots: &[&Slot], total: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = ideal
        .iter()
        .zip(slots)
        .map(|(v, slot)| (*v as usize).min(slot.len()))
        .collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    let lost = |l: usize| ideal[l] - ideal[l].floor();
    order.sort_by(|&a, &b| lost(b).total_cmp(&lost(a)).then(a.cmp(&b)));
    let mut missing = total.saturating_sub(counts.iter().sum());
    while missing > 0 {
        let before = missing;
        for &l in order.iter().filter(|&&l| ideal[l] > 0.0) {
            if missing > 0 && counts[l] < slots[l].len() {
                counts[l] += 1;
                missing -= 1;
            }
        }
        if missing == before {
            break;
        }
    }
    counts
}

/// `rounds` numbers of weights that fall from `from` to `to` by the same factor each: `from (to / from)^{r / rounds}`, rounded
/// to nearest; the last is `to`.
pub(super) fn exponential(from: usize, to: usize, rounds: usize) -> Vec<usize> {
    let ratio = to as f64 / from.max(1) as f64;
    let after = |round: usize| match round == rounds {
        true => to,
        false => {
            let ideal = from as f64 * ratio.powf(round as f64 / rounds as f64);
            (ideal.round() as usize).clamp(to.min(from), from)
        }
    };
    (1..=rounds).map(after).collect()
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allocation::Uniform => f.write_str("uniform"),
            Allocation::ErdosRenyiKernel => f.write_str("erk"),
            Allocation::Global => f.write_str("global"),
            Allocation::Layerwise(densities) => {
                let densities: Vec<String> = densities.iter().map(f64::to_string).collect();
                f.write_str(&densities.join(","))
            }
        }
    }
}

/// `uniform`, `erk`, `global`, or a density a layer joined by commas.
impl FromStr for Allocation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "uniform" => Ok(Allocation::Uniform),
            "erk" => Ok(Allocation::ErdosRenyiKernel),
            "global" => Ok(Allocation::Global),
            _ => {
                let unknown = || Error::unknown("allocation", text, ["uniform", "erk", "global", "0.1,0.2,0.5"]);
                let densities: std::result::Result<Vec<f64>, _> = text.split(',').map(|w| w.trim().parse()).collect();
                Ok(Allocation::Layerwise(densities.map_err(|_| unknown())?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{ImageShape, Network};
    use proptest::prelude::*;

    #[test]
    fn the_kernel_of_a_perceptron_and_of_a_convolution_by_hand() {
        // Dimensions 6+4, 4+2: shares 10 : 6 of 8 weights are 5 and 3.
        let small = Network::preset("mlp:4:no-bias", 6, 2).unwrap();
        let counts = Allocation::ErdosRenyiKernel.counts(small.layout(), 0.25).unwrap();
        assert_eq!(counts, Some(vec![5, 3]));
        // At 20 of 32 the second share of 7.5 is still below its 8; at 24 it is not, and the first layer gets the rest.
        let at = |density| {
            Allocation::ErdosRenyiKernel
                .counts(small.layout(), density)
                .unwrap()
                .unwrap()
        };
        assert_eq!(at(20.0 / 32.0), [13, 7]);
        assert_eq!(at(24.0 / 32.0), [16, 8]);
        assert_eq!(at(1.0), [24, 8]);
        let image = ImageShape {
            channels: 3,
            height: 32,
            width: 32,
        };
        let conv = Network::preset("conv-2", image, 10).unwrap();
        let at = |density| {
            let counts = Allocation::ErdosRenyiKernel.counts(conv.layout(), density);
            counts.unwrap().unwrap()
        };
        let dimensions: Vec<usize> = conv.layout().weight_slots().map(|s| s.shape.iter().sum()).collect();
        // 64×3×3×3 and 64×3×3×64, and three dense layers.
        assert_eq!(dimensions, [73, 134, 16384 + 256, 256 + 256, 256 + 10]);
        let (total, sum) = (Density::new(0.01).unwrap().kept_of(conv.layout().prunable()), 17625.0);
        for (count, dimension) in at(0.01).iter().zip(&dimensions) {
            assert!((*count as f64 - total as f64 * *dimension as f64 / sum).abs() <= 1.0);
        }
        // At 0.3 the first and the last layer have less than their share of some 73 for every dimension.
        let counts = at(0.3);
        assert_eq!((counts[0], counts[4]), (64 * 27, 2560));
        let share = |l: usize| counts[l] as f64 / dimensions[l] as f64;
        assert!((share(1) - share(2)).abs() <= 2.0 / 134.0 && (share(3) - share(2)).abs() <= 2.0 / 134.0);
    }

    proptest! {
        #[test]
        fn counts_add_up_exactly_and_no_layer_exceeds_what_it_has(
            widths in prop::collection::vec(1usize..12, 1..4), density in 0.05f64..1.0,
        ) {
            let words: Vec<String> = widths.iter().map(usize::to_string).collect();
            let network = Network::preset(&format!("mlp:{}", words.join("-")), 9, 3).unwrap();
            let layout = network.layout();
            let total = Density::new(density).unwrap().kept_of(layout.prunable());
            for allocation in [Allocation::Uniform, Allocation::ErdosRenyiKernel] {
                match allocation.counts(layout, density) {
                    Ok(Some(counts)) => {
                        prop_assert_eq!(counts.iter().sum::<usize>(), total);
                        for (slot, count) in layout.weight_slots().zip(&counts) {
                            prop_assert!(*count >= 1 && *count <= slot.len());
                            let ideal = density * slot.len() as f64;
                            prop_assert!(allocation != Allocation::Uniform || (*count as f64 - ideal).abs() <= 1.0);
                        }
                    }
                    Ok(None) => prop_assert!(false),
                    Err(error) => prop_assert!(error.to_string().contains(".weight"), "{}", error),
                }
            }
        }

        #[test]
        fn an_exponential_schedule_never_rises_and_ends_where_it_should(
            from in 1usize..5000, kept in 0.0f64..1.0, rounds in 1usize..120,
        ) {
            let to = (kept * from as f64) as usize;
            let counts = exponential(from, to, rounds);
            prop_assert_eq!(counts.len(), rounds);
            prop_assert_eq!(counts[rounds - 1], to);
            prop_assert!(counts[0] <= from && counts.windows(2).all(|pair| pair[1] <= pair[0]));
        }
    }

    #[test]
    fn densities_of_layers_are_checked_against_layers_and_density() {
        let network = Network::preset("mlp:50-30", 64, 10).unwrap();
        let layout = network.layout();
        let list: Allocation = "0.1,0.2,0.5".parse().unwrap();
        let implied = list.implied_density(layout).unwrap().unwrap();
        assert_eq!(implied, (320 + 300 + 150) as f64 / 5000.0);
        assert_eq!(list.counts(layout, implied).unwrap(), Some(vec![320, 300, 150]));
        assert!(list.counts(layout, 0.2).unwrap_err().to_string().contains("0.154"));
        for (text, words) in [
            ("0.1,0.2", "dense2.weight"),
            ("0.1,1.2,0.5", "dense1.weight"),
            ("0.1,0.0001,0.5", "dense1"),
        ] {
            let wrong: Allocation = text.parse().unwrap();
            let error = wrong
                .counts(layout, 0.1)
                .or_else(|_| wrong.counts(layout, 470.0 / 5000.0))
                .unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        assert!("erdos".parse::<Allocation>().is_err());
        assert_eq!(list.to_string().parse::<Allocation>().unwrap(), list);
        for density in [0.0, -0.1, 1.5, f64::NAN] {
            assert!(Allocation::Uniform.counts(layout, density).is_err());
        }
        let error = Allocation::Uniform.counts(layout, 0.001).unwrap_err().to_string();
        assert!(error.contains("dense2.weight"), "{error}");
        assert!(Allocation::Global.counts(layout, 1e-5).is_err());
    }
}
