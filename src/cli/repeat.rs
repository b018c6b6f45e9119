//! The option `--repeat`: the same work several times, for measurements of speed.

use clap::{Arg, ArgMatches, value_parser};
use std::time::Instant;
use ticketsense::Result;

/// The option.
pub fn argument() -> Arg {
    Arg::new("repeat")
        .long("repeat")
        .value_name("N")
        .value_parser(value_parser!(u32).range(1..))
        .default_value("1")
        .help("Do the work so many times and report the median of the seconds, for measurements of speed")
}

/// The result of the work, done as often as the option says, and the median of the seconds, the later of two in the middle.
///
/// # Errors
/// The first of the work.
pub fn timed<T>(matches: &ArgMatches, mut work: impl FnMut() -> Result<T>) -> Result<(T, f64)> {
    let repeats = *super::option::<u32>(matches, "repeat")?;
    let mut once = || -> Result<(T, f64)> {
        let begin = Instant::now();
        let done = work()?;
        Ok((done, begin.elapsed().as_secs_f64()))
    };
    let (mut done, first) = once()?;
    let mut times = vec![first];
    for _ in 1..repeats {
        let (again, seconds) = once()?;
        done = again;
        times.push(seconds);
    }
    times.sort_by(f64::total_cmp);
    Ok((done, times[times.len() / 2]))
}
