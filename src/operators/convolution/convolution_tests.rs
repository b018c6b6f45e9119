use super::super::{CircularConvolution, Grid, KernelBank, ZeroPaddedConvolution};
use crate::linalg::norm;
use crate::operators::{MeasurementOperator, dot_test};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;

fn random_bank(outputs: usize, inputs: usize, size: Grid, seed: u64) -> KernelBank {
    let mut rng = Seed::root(seed).stream("bank").rng();
    let weights = outputs * inputs * size.positions();
    let values = (0..weights).map(|_| rng.sample(StandardNormal)).collect();
    KernelBank::new(outputs, inputs, size, values).unwrap()
}

/// The matrix by its definition, weight by weight.
fn plain(bank: &KernelBank, grid: Grid, circular: bool) -> DMatrix<f64> {
    let positions = grid.positions();
    let mut matrix = DMatrix::zeros(bank.outputs() * positions, bank.inputs() * positions);
    let size = bank.size();
    let place = |t: usize, u: usize, size: usize, length: usize| -> Option<usize> {
        let at = t as i64 + u as i64 - (size as i64 - 1) / 2;
        match circular {
            true => Some(at.rem_euclid(length as i64) as usize),
            false => (0..length as i64).contains(&at).then_some(at as usize),
        }
    };
    for o in 0..bank.outputs() {
        for i in 0..bank.inputs() {
            for t in 0..positions {
                for (u, weight) in bank.kernel(o, i).iter().enumerate() {
                    let row = place(t / grid.width, u / size.width, size.height, grid.height);
                    let column = place(t % grid.width, u % size.width, size.width, grid.width);
                    if let (Some(r), Some(c)) = (row, column) {
                        matrix[(o * positions + t, i * positions + r * grid.width + c)] += weight;
                    }
                }
            }
        }
    }
    matrix
}

fn grid(height: usize, width: usize) -> Grid {
    Grid { height, width }
}

type Case = (usize, usize, (usize, usize), (usize, usize));

/// Outputs, inputs, kernel and grid: lines and planes; odd, even, prime and single lengths; kernels shorter than the grid,
/// longer on one axis or both, and more than twice as long; odd and even numbers of channels.
const CASES: [Case; 12] = [
    (1, 1, (1, 1), (1, 1)),
    (1, 1, (1, 3), (1, 16)),
    (1, 3, (1, 4), (1, 13)),
    (3, 2, (1, 5), (1, 5)),
    (2, 3, (1, 6), (1, 5)),
    (1, 2, (1, 23), (1, 7)),
    (2, 2, (3, 3), (6, 5)),
    (3, 4, (2, 4), (7, 8)),
    (4, 1, (5, 2), (3, 9)),
    (1, 5, (9, 11), (4, 5)),
    (2, 1, (3, 1), (11, 1)),
    (1, 1, (3, 3), (1, 8)),
];

fn each_operator(mut check: impl FnMut(&dyn MeasurementOperator, DMatrix<f64>)) {
    for (number, &(outputs, inputs, size, signal)) in CASES.iter().enumerate() {
        let bank = random_bank(outputs, inputs, grid(size.0, size.1), number as u64);
        let signal = grid(signal.0, signal.1);
        let circular = CircularConvolution::new(bank.clone(), signal).unwrap();
        check(&circular, plain(&bank, signal, true));
        let padded = ZeroPaddedConvolution::new(bank.clone(), signal).unwrap();
        check(&padded, plain(&bank, signal, false));
    }
}

#[test]
fn products_by_transforms_are_those_of_the_matrix_written_out() {
    each_operator(|a, matrix| {
        let mut rng = Seed::root(3).stream("vectors").rng();
        let shape = a.shape();
        assert_eq!((shape.rows, shape.columns), matrix.shape());
        let mut normal = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.sample(StandardNormal)).collect() };
        for (found, expected) in [
            {
                let x = normal(shape.columns);
                let exact = &matrix * DMatrix::from_column_slice(x.len(), 1, &x);
                (a.apply(&x).unwrap(), exact)
            },
            {
                let y = normal(shape.rows);
                let exact = matrix.transpose() * DMatrix::from_column_slice(y.len(), 1, &y);
                (a.adjoint(&y).unwrap(), exact)
            },
        ] {
            let difference: Vec<f64> = found.iter().zip(expected.as_slice()).map(|(f, e)| f - e).collect();
            // Transforms of at most 13 · 14 places and sums of at most 99 · 5 products: far below 1e-12 of the sizes.
            assert!(norm(&difference) <= 1e-12 * matrix.norm() * (shape.rows + shape.columns) as f64);
        }
    });
}

#[test]
fn transforms_and_taps_give_one_product() {
    let (mut transforms, mut taps) = (0, 0);
    for (number, &(outputs, inputs, size, signal)) in CASES.iter().enumerate() {
        let bank = random_bank(outputs, inputs, grid(size.0, size.1), number as u64);
        let signal = grid(signal.0, signal.1);
        let circular = CircularConvolution::new(bank.clone(), signal).unwrap();
        let padded = ZeroPaddedConvolution::new(bank, signal).unwrap();
        for layer in [&circular.layer, &padded.layer] {
            let by_taps = layer.by_taps() <= layer.engine.operations();
            taps += usize::from(by_taps);
            transforms += usize::from(!by_taps);
            let shape = layer.shape();
            for (adjoint, from, to) in [(false, shape.columns, shape.rows), (true, shape.rows, shape.columns)] {
                let x: Vec<f64> = (0..from).map(|i| (1.0 + i as f64).sin()).collect();
                let (mut first, mut second) = (vec![f64::NAN; to], vec![f64::NAN; to]);
                layer.engine.multiply(signal, &x, &mut first, adjoint);
                layer.multiply_by_taps(&x, &mut second, adjoint);
                let difference: Vec<f64> = first.iter().zip(&second).map(|(f, s)| f - s).collect();
                // Both err by some ε of the sum of sizes of what they add, here below 100 weights of size 3 in 5 channels.
                assert!(norm(&difference) <= 1500.0 * f64::EPSILON * norm(&x), "case {number}");
            }
        }
    }
    assert!(transforms > 3 && taps > 3, "both are chosen: {transforms} {taps}");
}

#[test]
fn columns_are_those_of_the_matrix_written_out() {
    each_operator(|a, matrix| {
        // Folded weights are added in the order of the kernel, as here, row by row of the kernel.
        let difference = a.to_dense() - &matrix;
        assert!(difference.amax() <= 99.0 * f64::EPSILON * matrix.norm());
        for (found, column) in a.column_norms().iter().zip(matrix.column_iter()) {
            assert!((found - column.norm()).abs() <= 600.0 * f64::EPSILON * column.norm());
        }
    });
}

#[test]
fn every_case_passes_the_dot_test() {
    let mut seed = 0;
    each_operator(|a, _| {
        seed += 1;
        dot_test::check(a, &Seed::root(seed)).unwrap();
    });
}

#[test]
fn few_columns_and_many_give_one_product() {
    let bank = random_bank(3, 2, Grid::line(5), 8);
    for a in [
        &CircularConvolution::new(bank.clone(), Grid::line(200)).unwrap() as &dyn MeasurementOperator,
        &ZeroPaddedConvolution::new(bank.clone(), Grid::line(200)).unwrap(),
    ] {
        for count in [2, 399] {
            let support: Vec<usize> = (0..count).map(|i| (i * 7) % 400).collect();
            let values: Vec<f64> = (0..count).map(|i| (i as f64).cos()).collect();
            let mut x = vec![0.0; 400];
            support.iter().zip(&values).for_each(|(&j, &v)| x[j] += v);
            let mut sparse = vec![f64::NAN; 600];
            a.apply_sparse_into(&support, &values, &mut sparse);
            for (found, expected) in sparse.iter().zip(a.apply(&x).unwrap()) {
                // Ten products of weights below 4 and values below 1, through transforms of 200 to 210 places.
                assert!((found - expected).abs() <= 40.0 * 200.0 * f64::EPSILON);
            }
        }
    }
}

#[test]
fn a_long_kernel_acts_as_its_folded_one_and_loses_its_energy() {
    let long = KernelBank::new(1, 1, Grid::line(9), vec![1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, -1.0]).unwrap();
    let a = CircularConvolution::new(long.clone(), Grid::line(8)).unwrap();
    // The two ends meet half a turn away and cancel: twice the identity is left.
    assert!((a.to_dense() - 2.0 * DMatrix::<f64>::identity(8, 8)).amax() == 0.0);
    assert_eq!((a.column_norms()[0], long.energy(0, 0)), (2.0, 6.0));
}

#[test]
fn norms_of_large_weights_do_not_overflow() {
    let bank = KernelBank::new(1, 1, Grid::line(2), vec![3e300, 4e300]).unwrap();
    let a = CircularConvolution::new(bank.clone(), Grid::line(4)).unwrap();
    assert!(a.column_norms().iter().all(|n| (n / 5e300 - 1.0).abs() < 1e-15));
    let a = ZeroPaddedConvolution::new(bank, Grid::line(4)).unwrap();
    assert!((a.column_norms()[3] / 5e300 - 1.0).abs() < 1e-15);
}

#[test]
fn grids_without_positions_and_overflowing_folds_are_refused() {
    let bank = KernelBank::new(1, 1, Grid::line(3), vec![f64::MAX, 0.0, f64::MAX]).unwrap();
    assert!(CircularConvolution::new(bank.clone(), Grid::line(2)).is_err());
    assert!(ZeroPaddedConvolution::new(bank.clone(), Grid::line(2)).is_ok());
    for empty in [Grid::line(0), Grid { height: 0, width: 3 }] {
        assert!(CircularConvolution::new(bank.clone(), empty).is_err());
        assert!(ZeroPaddedConvolution::new(bank.clone(), empty).is_err());
    }
    let huge = Grid::square(usize::MAX / 2);
    assert!(CircularConvolution::new(bank.clone(), huge).is_err() && ZeroPaddedConvolution::new(bank, huge).is_err());
}
