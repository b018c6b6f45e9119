use super::problem::{Size, jacobian, live_columns, numbers_of_nonzeros, outcome};
use super::{COLUMNS, DepthWidthDiagram, OPERATORS, SOLVERS};
use crate::experiments::random_networks::planted_signs;
use nalgebra::DMatrix;
use ticketsense::Seed;
use ticketsense::harness::{Decision, Experiment, Verdict};
use ticketsense::linalg::dense::orthonormal_rows;
use ticketsense::operators::DenseOperator;
use ticketsense::table::{Row, Table};

fn verdict(rows: Vec<Row>) -> Verdict {
    let claim = &DepthWidthDiagram.claims()[0];
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

/// Counts of logistic curves in ln(k/m), with 50 % points where `centre` puts them.
fn curves(centre: impl Fn(&str, usize, f64) -> f64, trials: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for operator in OPERATORS {
        for solver in SOLVERS {
            for layers in [2usize, 3] {
                for ratio in [0.25, 0.5] {
                    let measurements = (400.0 * ratio) as usize;
                    for nonzeros in numbers_of_nonzeros(measurements) {
                        let x = (nonzeros as f64 / measurements as f64 / centre(operator, layers, ratio)).ln();
                        let share = 1.0 / (1.0 + (6.0 * x).exp());
                        let values = [
                            ("operator", operator.into()),
                            ("solver", solver.into()),
                            ("layers", layers.into()),
                            ("width", 8usize.into()),
                            ("ratio", ratio.into()),
                            ("rows", measurements.into()),
                            ("columns", 400usize.into()),
                            ("nonzeros", nonzeros.into()),
                            ("trials", trials.into()),
                            ("successes", ((share * trials as f64).round() as usize).into()),
                        ];
                        rows.push(super::row_of(&values).unwrap());
                    }
                }
            }
        }
    }
    rows
}

#[test]
fn equal_contours_uphold_the_claim_and_too_few_trials_decide_nothing() {
    let rows = curves(|_, _, _| 0.15, 1000);
    assert_eq!(verdict(rows).decision, Decision::Holds);
    assert_eq!(verdict(curves(|_, _, _| 0.15, 10)).decision.as_str(), "undecided");
    assert_eq!(verdict(Vec::new()).decision.as_str(), "undecided");
}

#[test]
fn one_contour_elsewhere_refutes_the_claim_and_is_named() {
    let shifted = |operator: &str, layers: usize, ratio: f64| match operator {
        "network" if layers == 3 && ratio == 0.5 => 0.07,
        _ => 0.15,
    };
    let found = verdict(curves(shifted, 400));
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("L = 3, w = 8, m/N = 0.5"));
    assert!((found.statistic.1 - 0.15 / 0.07).abs() < 0.3);
    // Two curves of four at L = 3, for either solver.
    assert!(found.evidence.starts_with("2 of 8"), "{}", found.evidence);
}

#[test]
fn the_order_of_the_contours_is_that_of_their_numbers_of_nonzeros() {
    // k/m falls by a third while m doubles: k rises. By two thirds: k falls.
    let at = |later: f64| curves(move |_, _, ratio| if ratio == 0.5 { later } else { 0.15 }, 400);
    assert!(verdict(at(0.1)).evidence.contains("in 4 of 4 steps"));
    assert!(verdict(at(0.05)).evidence.contains("in 0 of 4 steps"));
}

#[test]
fn planted_vectors_avoid_zero_columns_and_the_rank_counts_orthonormal_rows() {
    let size = Size {
        layers: 3,
        width: 4,
        ratio: 0.5,
    };
    let network = size.network().unwrap();
    assert_eq!(network.layout().len(), 8 * 4 + 16 + 16);
    let samples = size.samples(network.layout().len());
    assert_eq!(samples, 8);
    let mut with_zeros = 0;
    for number in 0..20 {
        let seed = Seed::root(1).replicate(number);
        let a = jacobian(&network, samples, &seed).unwrap();
        let live = live_columns(&a);
        with_zeros += usize::from(live.len() < a.ncols());
        let x = planted_signs(a.ncols(), &live, 5, &mut seed.stream("planted").rng());
        assert_eq!(x.iter().filter(|v| v.abs() == 1.0).count(), 5.min(live.len()));
        assert!((0..a.ncols()).all(|j| x[j] == 0.0 || live.contains(&j)));
        let rows = orthonormal_rows(&a).unwrap();
        assert!(rows.nrows() <= 32.min(live.len()));
        // The same row space: what one does not see, the other does not either.
        let rest = &a - &a * rows.transpose() * &rows;
        assert!(rest.norm() <= 1e3 * f64::EPSILON * a.norm());
    }
    assert!(with_zeros > 0);
    let twice = DMatrix::from_fn(4, 6, |i, j| ((i % 2 * 6 + j) as f64).sin());
    assert_eq!(orthonormal_rows(&twice).unwrap().nrows(), 2);
}

#[test]
fn outcomes_are_those_of_the_solvers() {
    // Two parallel columns of different length: the longer one is cheaper, whichever was planted.
    let a = DenseOperator::new(DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 0.0, 0.0, 0.0, 1.0])).unwrap();
    let ask = |solver: &str, x: [f64; 3]| outcome(&a, solver, &x).unwrap().recovered;
    assert!(ask("basis-pursuit", [0.0, 1.0, 0.0]));
    assert!(!ask("basis-pursuit", [1.0, 0.0, 0.0]));
    assert!(ask("omp", [0.0, 0.0, -1.0]));
    // Ties go to the first column.
    assert!(!ask("omp", [0.0, 1.0, 0.0]));
    // Equal columns: every mixture is as short, and nothing can be proven.
    let equal = DenseOperator::new(DMatrix::from_row_slice(2, 3, &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0])).unwrap();
    assert!(outcome(&equal, "basis-pursuit", &[1.0, 0.0, 0.0]).unwrap().unproven);
}
