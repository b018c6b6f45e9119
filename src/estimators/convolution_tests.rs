use super::*;
use crate::estimators::{Coherence, Estimator, RestrictedIsometryConstant};
use crate::linalg::dense::singular_values;
use crate::operators::KernelBank;
use crate::seed::Seed;
use rand::RngExt;
use rand_distr::StandardNormal;

fn random_bank(outputs: usize, inputs: usize, size: Grid, seed: u64) -> KernelBank {
    let mut rng = Seed::root(seed).stream("bank").rng();
    let weights = outputs * inputs * size.positions();
    let values = (0..weights).map(|_| rng.sample(StandardNormal)).collect();
    KernelBank::new(outputs, inputs, size, values).unwrap()
}

fn grid(height: usize, width: usize) -> Grid {
    Grid { height, width }
}

#[test]
fn the_spectrum_by_frequency_is_that_of_the_matrix_written_out() {
    for (outputs, inputs, size, signal) in [
        (1, 1, grid(1, 3), grid(1, 16)),
        (3, 1, grid(1, 4), grid(1, 15)),
        (1, 3, grid(1, 20), grid(1, 8)),
        (2, 2, grid(3, 3), grid(5, 6)),
        (4, 3, grid(2, 5), grid(6, 4)),
        (2, 3, grid(7, 1), grid(5, 1)),
    ] {
        let bank = random_bank(outputs, inputs, size, outputs as u64);
        let a = CircularConvolution::new(bank, signal).unwrap();
        let found = convolution_spectrum(&a).unwrap().value;
        let total: usize = found.frequencies.iter().map(|f| f.multiplicity).sum();
        assert_eq!(total, signal.positions());
        let (found, expected) = (found.values(), singular_values(&a.to_dense()).unwrap());
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(&expected) {
            // Closed form against closed form: 1e-12 of the norm.
            assert!((f - e).abs() <= 1e-12 * expected[0], "{f} {e}");
        }
    }
}

#[test]
fn zero_padding_stays_within_its_brackets_and_is_not_circular() {
    let mut proper = 0;
    for (outputs, inputs, size, signal) in [
        (1, 1, grid(1, 3), grid(1, 32)),
        (1, 1, grid(1, 2), grid(1, 9)),
        (2, 2, grid(1, 3), grid(1, 24)),
        (1, 1, grid(3, 3), grid(8, 9)),
        (3, 2, grid(3, 2), grid(4, 5)),
        (1, 2, grid(1, 31), grid(1, 6)),
    ] {
        let bank = random_bank(outputs, inputs, size, size.positions() as u64);
        let a = ZeroPaddedConvolution::new(bank.clone(), signal).unwrap();
        let exact = singular_values(&a.to_dense()).unwrap();
        let brackets = zero_padding_brackets(&a).unwrap();
        assert_eq!(exact.len(), brackets.len());
        let rounding = 1e-12 * exact[0];
        for (value, bracket) in exact.iter().zip(&brackets) {
            assert!(bracket.lower - rounding <= *value && *value <= bracket.upper + rounding);
            proper += usize::from(bracket.lower > 0.1 * exact[0]);
        }
        let same = convolution_spectrum(&CircularConvolution::new(bank, signal).unwrap()).unwrap();
        let apart = exact.iter().zip(same.value.values()).map(|(x, y)| (x - y).abs());
        assert!(apart.fold(0.0, f64::max) > 1e-3 * exact[0]);
    }
    assert!(proper > 20, "the lower ends must say something: {proper}");
}

#[test]
fn constants_from_lags_are_those_of_all_supports() {
    let mut bounds = 0;
    for (outputs, inputs, size, signal, scale) in [
        (1, 1, grid(1, 4), grid(1, 12), 0.4),
        (3, 1, grid(1, 4), grid(1, 12), 0.3),
        (1, 3, grid(1, 3), grid(1, 5), 0.6),
        (2, 2, grid(1, 17), grid(1, 6), 0.2),
        (2, 2, grid(2, 2), grid(3, 3), 0.35),
    ] {
        let bank = random_bank(outputs, inputs, size, 7).scaled(scale).unwrap();
        let a = CircularConvolution::new(bank, signal).unwrap();
        let lags = KernelCorrelations::of(&a);
        let seed = Seed::root(0);
        let exact = |order| RestrictedIsometryConstant::of_order(order).estimate(&a, &seed);
        let exact = |order| exact(order).unwrap().value.exact.unwrap();
        // Inner products of at most 17 · 2 terms, and the enumeration's own rounding of a few thousand ε of the norms.
        let rounding = |order: usize| 1e-12 * (1.0 + exact(order));
        assert!((lags.first_order() - exact(1)).abs() <= rounding(1));
        assert!((lags.second_order() - exact(2)).abs() <= rounding(2));
        let pair = RestrictedIsometryConstant::of_order(2)
            .estimate(&a, &seed)
            .unwrap()
            .value;
        let eigenvalues = lags.pair_eigenvalues();
        assert!((eigenvalues.lower - pair.lambda_min.upper).abs() <= rounding(2));
        assert!((eigenvalues.upper - pair.lambda_max.lower).abs() <= rounding(2));
        for order in 1..=4 {
            assert!(exact(order) <= lags.upper_bound(order) + rounding(order), "{order}");
            bounds += usize::from(lags.upper_bound(order) > exact(order) + 1e-3);
        }
        let coherence = Coherence.estimate(&a, &seed).unwrap().value.value;
        assert!((lags.coherence() - coherence).abs() <= 1e-13);
    }
    assert!(bounds > 0, "the bound of higher orders is not the constant itself");
}

#[test]
fn unit_energies_leave_the_largest_lag_and_stacks_add_autocorrelations() {
    let (flat, low) = (vec![0.5, 0.5, 0.5, -0.5], vec![0.5, 0.5, 0.5, 0.5]);
    let of = |bank: KernelBank| KernelCorrelations::of(&CircularConvolution::new(bank, Grid::line(16)).unwrap());
    let stack = of(KernelBank::stacked(&[flat.clone(), low.clone()]).unwrap());
    assert_eq!(
        [0, 1, 2, 3, 13].map(|t| stack.at(0, 0, (0, t))),
        [2.0, 1.0, 0.5, 0.0, 0.0]
    );
    assert_eq!((stack.first_order(), stack.coherence()), (1.0, 0.5));
    let blocks = of(KernelBank::concatenated(&[flat, low]).unwrap());
    // The three ones of the flat kernel fall on ones of the other at lag 1.
    assert_eq!((blocks.first_order(), blocks.second_order()), (0.0, 0.75));
    assert_eq!(blocks.at(0, 1, (0, 1)), blocks.at(1, 0, (0, 15)));
}

#[test]
fn zero_kernels_and_single_columns_have_their_constants() {
    let zero = KernelBank::new(1, 1, Grid::line(2), vec![0.0, 0.0]).unwrap();
    let lags = KernelCorrelations::of(&CircularConvolution::new(zero, Grid::line(3)).unwrap());
    assert_eq!(
        (lags.first_order(), lags.second_order(), lags.coherence()),
        (1.0, 1.0, 0.0)
    );
    let single = KernelBank::new(1, 1, Grid::line(2), vec![1.0, 1.0]).unwrap();
    let lags = KernelCorrelations::of(&CircularConvolution::new(single, Grid::line(1)).unwrap());
    assert_eq!(
        (lags.first_order(), lags.second_order(), lags.upper_bound(9)),
        (3.0, 3.0, 3.0)
    );
    assert_eq!(lags.upper_bound(0), 0.0);
}
