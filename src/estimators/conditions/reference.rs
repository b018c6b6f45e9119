//! The same questions asked of an independent interior-point method, as linear programs.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};
use nalgebra::DMatrix;

/// `min qᵀv` subject to `M v ≤ b` and `E v = f`, with rows as lists of (unknown, coefficient).
#[derive(Debug, Default)]
pub(super) struct Program {
    pub cost: Vec<f64>,
    pub below: Vec<(Vec<(usize, f64)>, f64)>,
    pub equal: Vec<(Vec<(usize, f64)>, f64)>,
}

impl Program {
    /// The optimal value, +∞ for an infeasible program; to about 1e-9.
    pub fn value(&self) -> f64 {
        let unknowns = self.cost.len();
        let rows = self.equal.iter().chain(&self.below);
        let (mut i, mut j, mut v, mut bounds) = (vec![], vec![], vec![], vec![]);
        for (row, (terms, bound)) in rows.enumerate() {
            bounds.push(*bound);
            for &(column, value) in terms {
                i.push(row);
                j.push(column);
                v.push(value);
            }
        }
        let constraints = CscMatrix::new_from_triplets(bounds.len(), unknowns, i, j, v);
        let cones = [
            SupportedConeT::ZeroConeT(self.equal.len()),
            SupportedConeT::NonnegativeConeT(self.below.len()),
        ];
        let settings = DefaultSettingsBuilder::default()
            .verbose(false)
            .tol_gap_abs(1e-10)
            .tol_gap_rel(1e-10)
            .tol_feas(1e-10)
            .build()
            .unwrap();
        let none = CscMatrix::zeros((unknowns, unknowns));
        let mut solver = DefaultSolver::new(&none, &self.cost, &constraints, &bounds, &cones, settings).unwrap();
        solver.solve();
        match solver.solution.status {
            SolverStatus::Solved | SolverStatus::AlmostSolved => solver.solution.obj_val,
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => f64::INFINITY,
            status => panic!("{status:?}"),
        }
    }
}

/// The least `max_{j∉S} |aⱼᵀν|` with `A_Sᵀν = z`: below 1 just where basis pursuit recovers, for independent `A_S`.
pub(super) fn least_dual_maximum(a: &DMatrix<f64>, support: &[usize], signs: &[f64]) -> f64 {
    let (m, n) = a.shape();
    let mut program = Program {
        cost: vec![0.0; m + 1],
        ..Default::default()
    };
    program.cost[m] = 1.0;
    let column = |j: usize, sign: f64| (0..m).map(move |i| (i, sign * a[(i, j)]));
    for (&j, z) in support.iter().zip(signs) {
        program.equal.push((column(j, 1.0).collect(), *z));
    }
    for j in (0..n).filter(|j| !support.contains(j)) {
        for sign in [1.0, -1.0] {
            program.below.push((column(j, sign).chain([(m, -1.0)]).collect(), 0.0));
        }
    }
    program.value()
}
