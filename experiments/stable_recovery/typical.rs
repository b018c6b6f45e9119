//! Gaussian matrices too large to certify: what errors are like.

use super::problems::{Norms, Problem, direction, placed, power, solve, stream};
use super::row_of;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::operators::GaussianEnsemble;
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Exponents of the entries by rank.
pub(super) const DECAYS: [f64; 5] = [0.75, 1.0, 1.5, 2.0, 3.0];
/// Unit steps diverge on these matrices, whose norm is about 1 + √2: iterative hard thresholding takes the normalised one,
/// the pursuit its adaptive one.
pub(super) const METHODS: [&str; 3] = ["basis pursuit denoising", "normalised iht", "htp"];
/// Norms of the noise, signals having norm 1.
pub(super) const NOISES: [f64; 4] = [0.0, 0.03, 0.1, 0.3];

/// The errors of one method on signals of one decay, at every level of noise.
pub(super) fn rows(cell: &Cell, scale: Scale, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (size, nonzeros, trials) = scale.pick((24, 3, 2), (96, 8, 12), (256, 16, 60));
    let (decay, method) = (cell.real("decay")?, cell.text("method")?);
    let columns = 2 * size;
    let mut rows = Vec::new();
    for (level, noise) in NOISES.into_iter().enumerate() {
        let (mut errors, mut tail) = (Vec::new(), 0.0);
        for trial in 0..trials {
            context.check()?;
            let mut rng = stream(seed, &format!("typical {level}"), trial);
            let matrix = GaussianEnsemble { rows: size, columns }.draw(&seed.stream("matrix").replicate(trial))?;
            let sizes = (0..columns).map(|j| power(j, decay)).collect();
            let problem = Problem {
                signal: placed(sizes, &mut rng),
                noise: direction(size, noise, &mut rng),
            };
            tail = Norms::of(&problem.signal, nonzeros).tail_l1 / (nonzeros as f64).sqrt();
            errors.push(solve(&matrix, &problem, method, nonzeros, false)?.error);
        }
        let count = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / count;
        let variance = errors.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / (count - 1.0);
        rows.push(row_of(&[
            ("part", "typical".into()),
            ("matrix", "gaussian".into()),
            ("rows", size.into()),
            ("columns", columns.into()),
            ("nonzeros", nonzeros.into()),
            ("method", method.into()),
            ("signal", "power".into()),
            ("decay", decay.into()),
            ("noise", noise.into()),
            ("trials", errors.len().into()),
            ("error", mean.into()),
            ("standard_error", (variance / count).sqrt().into()),
            ("tail", tail.into()),
        ])?);
    }
    Ok(rows)
}
