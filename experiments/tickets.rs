//! What the experiments on tickets share: the data as arrays, runs of iterative pruning, each computed once, and how
//! trained networks are compared seed by seed.

use ticketsense::harness::{Context, Scale};
use ticketsense::networks::Initialisation;
use ticketsense::pruning::{Criterion, ImpPlan, ImpRun, ImpSamples, Scope};
use ticketsense::statistics::{PairedComparison, holm};
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Result, Seed};

/// The chance that all intervals and rejections of one claim together are given: two-sided, hence half of it for a
/// one-sided statement.
pub const LEVEL: f64 = 0.05;
/// With fewer pairs nothing about trained networks is decided.
pub const LEAST_PAIRS: usize = 20;

/// The data of a run, in the form that iterative pruning takes.
pub fn samples(context: &Context<'_>) -> Result<ImpSamples> {
    ImpSamples::new(context.data()?.clone())
}

/// Iterative magnitude pruning as the experiments do it: layerwise, the output layer at half the rate, rewound to the
/// initial weights (Frankle & Carbin, ICLR 2019).
///
/// On the embedded digits the dense network of the default scale ends at 97 % test accuracy, and its validation loss is
/// smallest after about two thirds of the steps, so that a faster or slower ticket would show.
pub fn plan(scale: Scale) -> ImpPlan {
    ImpPlan {
        network: scale.pick("mlp:50-30", "mlp:50-30", "lenet-300-100").into(),
        initialisation: Initialisation::GLOROT,
        training: TrainingPlan {
            optimiser: Optimiser::adam(scale.pick(3e-3, 3e-3, 1.2e-3)),
            steps: scale.pick(120, 600, 2000),
            evaluate_every: scale.pick(20, 10, 20),
            ..TrainingPlan::default()
        },
        rounds: scale.pick(10, 10, 20),
        prune_fraction: scale.pick(0.35, 0.35, 0.2),
        output_prune_fraction: Some(scale.pick(0.175, 0.175, 0.1)),
        scope: Scope::Layerwise,
        criterion: Criterion::Magnitude,
        rewind_step: 0,
        ..ImpPlan::default()
    }
}

/// The random streams of the `number`-th ticket of a run of the program: the same for every experiment and plan, so that
/// two plans of equal number start from the same initial weights and see the same order of data.
pub fn ticket_seed(context: &Context<'_>, number: usize) -> Seed {
    context.common_seed("tickets").stream(number.to_string())
}

/// The run of a plan from [`ticket_seed`]: computed once for all cells and experiments of a run of the program, and found
/// again by the next one.
///
/// # Errors
/// As [`ImpPlan::run`]; when the experiment does not declare that it uses data.
pub fn imp_run(context: &Context<'_>, plan: &ImpPlan, seed_number: usize) -> Result<ImpRun> {
    let data = samples(context)?;
    let seed = ticket_seed(context, seed_number);
    let identity = plan.identity(&data.view(), &seed);
    let bytes = context.store().produce_or_load("imp", &identity, || {
        plan.run(&data.view(), &seed, &mut |_| !context.interrupted())?
            .to_bytes(&identity)
    })?;
    ImpRun::from_bytes("stored run of iterative pruning", &bytes)
}

/// Which of some differences of means lie above a threshold, by Holm's procedure over all of them.
pub fn above(differences: &[PairedComparison], threshold: f64) -> Result<Vec<bool>> {
    let p_values: Result<Vec<f64>> = differences.iter().map(|d| p_above(d, threshold)).collect();
    Ok(holm(&p_values?, LEVEL / 2.0)?.iter().map(|d| d.rejected).collect())
}

/// The one-sided p-value of "the mean difference is at most the threshold".
fn p_above(comparison: &PairedComparison, threshold: f64) -> Result<f64> {
    let half = comparison.p_value(threshold)? / 2.0;
    Ok(if comparison.mean > threshold { half } else { 1.0 - half })
}

/// A fraction in words.
pub fn percent(value: f64) -> String {
    format!("{:.2} %", 100.0 * value)
}

/// Percentage points with their sign and their 95 % interval.
pub fn points(comparison: &PairedComparison) -> Result<String> {
    let interval = comparison.interval(LEVEL)?;
    Ok(format!(
        "{:+.2} [{:+.2}, {:+.2}] points",
        100.0 * comparison.mean,
        100.0 * interval.lower,
        100.0 * interval.upper
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_sided_p_value_is_that_of_the_interval_whose_lower_end_is_the_threshold() {
        let comparison = PairedComparison::of(&[3.0, 5.0, 4.5, 4.0], &[2.0, 3.0, 1.0, 2.5]).unwrap();
        let interval = comparison.interval(0.1).unwrap();
        // The two-sided interval at 0.1 is recomputed by bisection, good to about 1e-10 of the level.
        assert!((p_above(&comparison, interval.lower).unwrap() - 0.05).abs() < 1e-9);
        assert!((p_above(&comparison, interval.upper).unwrap() - 0.95).abs() < 1e-9);
        let equal = PairedComparison::of(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!(p_above(&equal, -0.1).unwrap(), 0.0);
        assert_eq!(p_above(&equal, 0.1).unwrap(), 1.0);
    }

    #[test]
    fn differences_are_judged_together() {
        let difference = |mean: f64| PairedComparison {
            pairs: 24,
            mean,
            standard_error: 1.0,
        };
        // One-sided p at 23 degrees: 2.2 gives 0.019, which passes 0.025 alone, and not with another that shows nothing.
        assert_eq!(above(&[difference(2.2)], 0.0).unwrap(), [true]);
        assert_eq!(above(&[difference(2.2), difference(0.1)], 0.0).unwrap(), [false, false]);
        assert_eq!(above(&[difference(2.2), difference(5.0)], 0.0).unwrap(), [true, true]);
        assert_eq!(above(&[difference(2.2)], 1.0).unwrap(), [false]);
    }
}
