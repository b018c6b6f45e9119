//! Weights of a linearised network chosen by optimal design, beside magnitude: no training, the linear model's criterion only.
//!
//! ```text
//! cargo run --release --example weights_by_design
//! ```
//!
//! The candidates are the columns of the Jacobian of a small network on handwritten digits, `J ∈ ℝ^{N×p}`. A choice S leaves
//! the mean ridge objective `tr (I + σ⁻² J_S J_Sᵀ)⁻¹/N` over random targets: 1 where nothing is learned, 0 where everything
//! is. Printed are that mean and `ln det (I + σ⁻² J_S J_Sᵀ)/N` of every choice, and how many of its weights magnitude chooses too.

use ticketsense::data::{self, Split};
use ticketsense::estimators::design::{
    Criterion, DesignProblem, ForwardGreedy, GivenRows, LargestNorms, Prior, RandomRows, Relaxation,
    RelaxationSettings, RowSelector, Selection,
};
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::theory::mask_overlap::LayerCounts;
use ticketsense::{Result, Seed};

fn main() -> Result<()> {
    let seed = Seed::root(0);
    let data = data::load(&"digits".parse()?)?;
    let network = Network::preset("mlp:8", data.features(), data.classes())?;
    let theta: Vec<f64> = network.initial(&seed, &Initialisation::HE)?;
    let inputs = data.batch::<f64>(&data.split(Split::Train)[..12])?;
    let weights = network.layout().weights();
    let jacobian =
        Linearisation::new(&network, &theta, &inputs)?.jacobian(&weights, RowTransform::Identity, Biases::Fixed)?;
    let (j, prior) = (jacobian.to_dense(), Prior::Isotropic { precision: 1.0 });
    // The mean squared norm of a column as the variance of the noise: neither nothing nor everything is seen.
    let sigma = (j.norm_squared() / j.ncols() as f64).sqrt();
    let problems =
        [Criterion::A, Criterion::D].map(|criterion| DesignProblem::of_columns(&j, &prior, sigma, criterion));
    let [by_trace, by_volume] = problems;
    let (by_trace, by_volume) = (by_trace?, by_volume?);
    let outputs = j.nrows() as f64;
    println!("{} outputs, {} weights, noise {sigma:.3}", j.nrows(), j.ncols());

    let sizes: Vec<f64> = weights.indices().iter().map(|&i| theta[i].abs()).collect();
    let largest = |scores: &dyn Fn(usize) -> f64, count: usize| {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by(|&a, &b| scores(b).total_cmp(&scores(a)).then(a.cmp(&b)));
        order.truncate(count);
        GivenRows(order)
    };
    for count in [30, 60, 120] {
        let magnitude = largest(&|i| sizes[i], count).select(&by_trace, count, &seed)?;
        let salience = largest(&|i| sizes[i] * by_trace.norms()[i], count).select(&by_trace, count, &seed)?;
        let choices: [(&str, Selection); 6] = [
            ("random", RandomRows.select(&by_trace, count, &seed)?),
            ("magnitude", magnitude.clone()),
            ("magnitude times column norm", salience),
            ("column norm", LargestNorms.select(&by_trace, count, &seed)?),
            ("D-design, greedy", ForwardGreedy.select(&by_volume, count, &seed)?),
            ("A-design, greedy", ForwardGreedy.select(&by_trace, count, &seed)?),
        ];
        let chance = LayerCounts {
            weights: j.ncols(),
            first: count,
            second: count,
        };
        println!(
            "\n{count} weights (chance overlap {:.1})",
            chance.chance_overlap()?.mean
        );
        for (name, choice) in choices {
            let common = choice.rows.iter().filter(|i| magnitude.rows.contains(i)).count();
            println!(
                "{name:28} trace/N {:.4}  log-volume/N {:.4}  overlap with magnitude {common}",
                by_trace.loss(&choice.rows)? / outputs,
                -by_volume.loss(&choice.rows)? / outputs,
            );
        }
        let settings = RelaxationSettings {
            tolerance: 1e-4,
            ..RelaxationSettings::default()
        };
        let relaxation = Relaxation::solve(&by_trace, count, settings)?;
        println!(
            "{:28} trace/N {:.4}",
            "no choice below",
            relaxation.lower_bound / outputs
        );
    }
    Ok(())
}
