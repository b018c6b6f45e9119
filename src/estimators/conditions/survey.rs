//! Every condition that can be decided within stated limits, and what follows from them.

use super::{
    ColumnGram, ConcentrationBounds, ConditionValue, ExactRecovery, KernelConcentration, RestrictedEigenvalue,
    SignedSupportCounts, SignedSupports, Spark, SparkBounds,
};
use crate::error::Result;
use crate::estimators::guarantees::unit_column_methods;
use crate::estimators::subsets::{check_order, choose};
use crate::estimators::{Estimator, Guarantee, Subject};
use crate::operators::MeasurementOperator;
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;

/// The joint linear program of the kernel's concentration has `n² + mn` unknowns: up to this many it takes seconds.
const JOINT_UNKNOWNS: usize = 4_000;

/// Recovery conditions for 1, 2, … nonzeros, each as far as its limit allows and until it fails.
///
/// Cost: at most `max_problems` supports or signed supports of an order, about ten microseconds each; a basis pursuit for
/// each of at most `max_programs` columns, and as many times some thousand products with their Gram matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionSurvey {
    /// The largest number of nonzeros to look at.
    pub max_nonzeros: usize,
    /// The most supports, signed supports or sets of columns of one order.
    pub max_problems: u64,
    /// The most columns for which the concentration of the kernel is bounded, and restricted eigenvalues are searched.
    pub max_programs: usize,
}

impl Default for ConditionSurvey {
    /// Three nonzeros, 200,000 problems, 128 programs.
    fn default() -> Self {
        ConditionSurvey {
            max_nonzeros: 3,
            max_problems: 200_000,
            max_programs: 128,
        }
    }
}

/// What a survey found, each list starting with one nonzero and ending where its limit or its failure stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Whether all columns have one length up to rounding.
    pub equal_lengths: bool,
    /// The exact recovery coefficient of the columns brought to unit norm.
    pub exact_recovery: Vec<ConditionValue>,
    /// What becomes of every signed support under basis pursuit.
    pub signed_supports: Vec<SignedSupportCounts>,
    /// How much of a kernel vector can sit on few coordinates.
    pub concentration: Option<ConcentrationBounds>,
    /// The smallest number of dependent columns.
    pub spark: Option<SparkBounds>,
    /// Upper bounds of the restricted eigenvalues with cone constant 3: they refute and never certify.
    pub restricted_eigenvalue_at_most: Vec<f64>,
}

impl Estimator for ConditionSurvey {
    type Quantity = Conditions;

    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<Conditions>> {
        let shape = a.shape();
        check_order(self.max_nonzeros, shape.columns)?;
        let mut applications = 1.0;
        let gram = ColumnGram::of(a)?;
        let (shortest, longest) = gram
            .lengths()
            .iter()
            .fold((f64::INFINITY, 0.0f64), |(low, high), l| (low.min(*l), high.max(*l)));
        let mut out = Conditions {
            equal_lengths: longest <= shortest * (1.0 + 4.0 * (shape.rows + 8) as f64 * f64::EPSILON),
            ..Conditions::default()
        };
        let gram = gram.normalised();
        let few = |k: usize, signs: u32| {
            choose(shape.columns, k)
                .and_then(|count| count.checked_mul(1u64.checked_shl(signs)?))
                .is_some_and(|count| count <= self.max_problems)
        };
        for nonzeros in (1..=self.max_nonzeros).take_while(|&k| few(k, 0)) {
            let found = ExactRecovery {
                nonzeros,
                max_supports: self.max_problems,
            }
            .of(&gram)?;
            out.exact_recovery.push(found.largest);
            if !found.largest.holds() {
                break;
            }
        }
        for nonzeros in (1..=self.max_nonzeros).take_while(|&k| few(k, k as u32 - 1)) {
            let found = SignedSupports {
                nonzeros,
                max_problems: self.max_problems,
            }
            .estimate(a, seed)?;
            applications += found.applications;
            out.signed_supports.push(found.value);
        }
        if shape.columns <= self.max_programs {
            let unknowns = shape.columns * (shape.columns + shape.rows);
            let found = KernelConcentration {
                max_nonzeros: self.max_nonzeros,
                joint: unknowns <= JOINT_UNKNOWNS,
            }
            .estimate(a, seed)?;
            applications += found.applications;
            out.concentration = Some(found.value);
            for nonzeros in 1..=self.max_nonzeros {
                let search = RestrictedEigenvalue {
                    nonzeros,
                    starts: 8,
                    ..RestrictedEigenvalue::default()
                };
                out.restricted_eigenvalue_at_most
                    .push(search.estimate(a, seed)?.value.value);
            }
        }
        let sets = (1..=(self.max_nonzeros + 1).min(shape.columns))
            .take_while(|&k| few(k, 0))
            .last();
        if let Some(max_columns) = sets {
            let spark = Spark {
                max_columns,
                max_sets: self.max_problems,
                ..Spark::default()
            };
            out.spark = Some(spark.estimate(a, seed)?.value);
        }
        Ok(Estimate::new(out, Certainty::Exact, applications))
    }
}

impl Conditions {
    /// What each condition certifies, in a fixed order.
    pub fn guarantees(&self) -> Vec<Guarantee> {
        let exact = self.exact_recovery.iter().take_while(|c| c.holds()).count();
        let every = self.signed_supports.iter().take_while(|c| c.all_recovered()).count();
        let guarantee = |name, method, condition, source, subject, certified, examined| Guarantee {
            name,
            method,
            condition,
            source,
            subject,
            largest_nonzeros: certified,
            largest_nonzeros_rescaled: None,
            examined_up_to: examined,
        };
        let spark = self.spark.as_ref();
        let sparsest = spark.map_or(0, |s| (s.at_least.max(1) - 1) / 2);
        vec![
            guarantee(
                "exact-recovery",
                unit_column_methods(self.equal_lengths),
                "max ‖A_S⁺ aⱼ‖₁ < 1 over all |S| = k",
                "Tropp 2004",
                Subject::UnitColumns,
                exact,
                self.exact_recovery.len(),
            ),
            guarantee(
                "kernel-concentration",
                "basis pursuit",
                "α_k < 1/2",
                "Juditsky & Nemirovski 2011",
                Subject::AsGiven,
                self.concentration
                    .as_ref()
                    .map_or(0, ConcentrationBounds::certified_nonzeros),
                self.concentration.as_ref().map_or(0, |c| c.upper.len()),
            ),
            guarantee(
                "every-signed-support",
                "basis pursuit",
                "a dual certificate for each",
                "Fuchs 2004; enumeration",
                Subject::AsGiven,
                every,
                self.signed_supports.len(),
            ),
            guarantee(
                "spark",
                "the sparsest solution",
                "k < spark/2",
                "Donoho & Elad 2003",
                Subject::AsGiven,
                sparsest,
                // A dependent set refutes one nonzero more.
                sparsest + usize::from(spark.is_some_and(|s| s.dependent.is_some())),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use nalgebra::DMatrix;

    fn survey(matrix: DMatrix<f64>, max_nonzeros: usize) -> Conditions {
        let a = DenseOperator::new(matrix).unwrap();
        let settings = ConditionSurvey {
            max_nonzeros,
            ..ConditionSurvey::default()
        };
        settings.estimate(&a, &Seed::root(0)).unwrap().value
    }

    #[test]
    fn stronger_conditions_never_reach_further_than_the_enumeration() {
        for number in 0..12 {
            let a = GaussianEnsemble { rows: 9, columns: 14 }
                .draw(&Seed::root(1).replicate(number))
                .unwrap();
            let mut unit = a.matrix().clone();
            for mut column in unit.column_iter_mut() {
                column.normalize_mut();
            }
            let table = survey(unit, 3).guarantees();
            let reach = |name: &str| table.iter().find(|g| g.name == name).unwrap().largest_nonzeros;
            assert!(reach("exact-recovery") <= reach("every-signed-support"), "{table:?}");
            assert!(reach("kernel-concentration") <= reach("every-signed-support"));
            assert!(reach("every-signed-support") <= reach("spark").max(1));
        }
    }

    #[test]
    fn stretched_columns_certify_weighted_basis_pursuit_and_the_enumeration_shows_why() {
        // y = a₀ is explained by half of the second column and something small, for less.
        let mut stretched = DMatrix::identity(3, 3);
        stretched.set_column(1, &nalgebra::dvector![0.4, 0.9, 0.0].scale(10.0));
        stretched = stretched.insert_column(3, 0.0);
        stretched.set_column(3, &nalgebra::dvector![0.3, -0.9, 0.0].scale(10.0));
        let found = survey(stretched, 1);
        assert!(!found.equal_lengths);
        let table = found.guarantees();
        let exact = table.iter().find(|g| g.name == "exact-recovery").unwrap();
        assert_eq!(
            (exact.method, exact.largest_nonzeros),
            ("OMP and norm-weighted basis pursuit", 1)
        );
        let every = table.iter().find(|g| g.name == "every-signed-support").unwrap();
        assert!(every.is_vacuous(), "{table:?}");
        assert!(survey(DMatrix::identity(3, 3) * 2.0, 1).equal_lengths);
    }

    #[test]
    fn equal_columns_are_certified_by_nothing() {
        let table = survey(DMatrix::from_element(3, 5, 1.0), 2).guarantees();
        assert!(table.iter().all(Guarantee::is_vacuous), "{table:?}");
    }

    #[test]
    fn limits_leave_conditions_unexamined_and_not_refuted() {
        let a = DenseOperator::new(DMatrix::identity(30, 30)).unwrap();
        let settings = ConditionSurvey {
            max_nonzeros: 3,
            max_problems: 500,
            max_programs: 10,
        };
        let found = settings.estimate(&a, &Seed::root(0)).unwrap().value;
        // C(30, 2) = 435, and twice as many signed supports.
        assert_eq!((found.exact_recovery.len(), found.signed_supports.len()), (2, 1));
        assert!(found.concentration.is_none() && found.restricted_eigenvalue_at_most.is_empty());
        let table = found.guarantees();
        assert!(
            table.iter().all(|g| g.largest_nonzeros == g.examined_up_to),
            "{table:?}"
        );
    }
}
