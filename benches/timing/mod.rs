//! Times of works that are done in turn, so that all of them meet the same moods of the machine.

use std::time::Instant;

const REPETITIONS: usize = 15;

/// Median seconds of each work over [`REPETITIONS`] rounds, each round through all of them.
pub fn medians(works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut seconds = vec![Vec::new(); works.len()];
    for _ in 0..REPETITIONS {
        for (work, seconds) in works.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            work();
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    seconds.into_iter().map(median).collect()
}
