//! Theory and simulation of neural-network pruning seen as compressed sensing.
//!
//! A network, linearised at its weights, is a measurement matrix; a winning ticket is then a sparse vector seen through
//! it. This crate holds the pieces to ask when it can be recovered, what the answer says about the real network, and
//! which of the claims made about all this are true. The program `ticketsense` runs the experiments on top of it.
//!
//! # The floors
//!
//! Rooms form one order, from the ground up; a room imports only what stands before it, and a test reads the imports.
//!
//! | floor | rooms | what they hold |
//! |---|---|---|
//! | ground | [`error`] [`files`] [`seed`] [`support`] [`table`] [`outcome`] | typed errors, atomic files, named random streams, supports and masks, typed rows, how sure an answer is |
//! | 1 | [`theory`] [`statistics`] [`linalg`] | closed forms, numbers to numbers; intervals and tests; factorisations, small eigenproblems, Krylov methods |
//! | 2 | [`operators`] [`networks`] [`data`] | measurement matrices; networks with exact first and second derivatives; digits, IDX, CIFAR, .npy, teachers |
//! | 3 | [`linearize`] [`training`] | a network as an operator: Jacobian, tangent kernel, curvature; masked training that resumes to the same bits |
//! | 4 | [`recovery`] [`estimators`] [`simulations`] [`pruning`] | sparse recovery with certificates; coherence, isometry, spectra; percolation and propagation; every maker of masks: criteria, recovery, units, design, iterative pruning |
//! | 5 | [`harness`] | experiments: cells, resume, provenance, figures, verdicts |
//!
//! # Notation
//!
//! | symbol | in code | meaning |
//! |---|---|---|
//! | ρ | `density` | fraction of weights *kept* |
//! | m, n | `rows`, `columns` | measurements, unknowns |
//! | k | `nonzeros`, `max_support` | nonzero unknowns |
//! | λ | `lambda` | penalty of ½‖y − Ax‖² + λ‖x‖₁; λ_max = ‖Aᵀy‖∞ |
//! | δ_k | `RestrictedIsometry` | restricted isometry constant of order k |
//! | μ, μ₁(k) | `coherence`, `babel` | largest cosine of two columns; largest sum of k of them |
//! | θ | `theta` | flat parameter vector: a mask bit, a Jacobian column and a Hessian coordinate share its index |
//! | J | `Jacobian` | ∂f/∂θ; rows are (sample, class) pairs |
//! | η, κ | `step`, `condition` | step of gradient descent; ratio of extreme eigenvalues |
//!
//! # Example
//!
//! Recover a planted sparse vector, with proof:
//!
//! ```
//! use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
//! use ticketsense::recovery::{BasisPursuit, Certificate, Solver};
//! use ticketsense::Seed;
//!
//! let a = GaussianEnsemble { rows: 40, columns: 100 }.draw(&Seed::root(0))?;
//! let mut planted = vec![0.0; 100];
//! planted[3] = 1.0;
//! planted[70] = -1.0;
//! let answer = BasisPursuit::default().solve(&a, &a.apply(&planted)?)?;
//! assert_eq!(answer.support, [3, 70]);
//! // A dual vector proves that no vector of smaller l1 norm explains the measurements.
//! let Certificate::DualityGap { gap, .. } = answer.certificate else { panic!("no certificate") };
//! assert!(gap <= 1e-8 * answer.objective);
//! # Ok::<(), ticketsense::Error>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

pub mod data;
pub mod error;
pub mod estimators;
pub mod files;
pub mod harness;
pub mod linalg;
pub mod linearize;
pub mod networks;
pub mod operators;
pub mod outcome;
pub mod pruning;
pub mod recovery;
pub mod seed;
pub mod simulations;
pub mod statistics;
pub mod support;
pub mod table;
pub mod theory;
pub mod training;

pub use error::{Error, Result};
pub use seed::Seed;
pub use support::{Density, Mask, Support};
