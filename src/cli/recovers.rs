//! `recovers`: whether basis pursuit finds a given vector again, proven either way.

use super::{Answer, file, repeat};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::Result;
use ticketsense::data::npy;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{PlantedTest, PlantedVerdict};

/// The command line of `recovers`.
pub fn command() -> Command {
    Command::new("recovers")
        .about("Prove whether basis pursuit recovers a vector x from A x, without solving it")
        .arg(file("matrix", "A.npy", "The measurement matrix: two-dimensional, f32 or f64").required(true))
        .arg(file("planted", "x.npy", "The vector: one-dimensional").required(true))
        .arg(
            Arg::new("max-iterations")
                .long("max-iterations")
                .value_name("INTEGER")
                .default_value("200")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(usize))
                .help("The most full gradients"),
        )
        .arg(repeat::argument())
}

/// Runs `recovers`.
///
/// # Errors
/// When a number is out of its range, a file is not what it should be, or the shapes do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let a = DenseOperator::new(npy::read_matrix(super::option::<PathBuf>(matches, "matrix")?)?)?;
    let x = npy::read_vector(super::option::<PathBuf>(matches, "planted")?)?;
    let test = PlantedTest {
        max_iterations: *super::option::<usize>(matches, "max-iterations")?,
    };
    let (answer, seconds) = repeat::timed(matches, || test.run(&a, &x))?;
    let (verdict, number, proof, words) = match answer.verdict {
        PlantedVerdict::Recovered { dual, margin } => (
            "recovered",
            margin,
            dual,
            "it is the only solution: a dual vector stays inside its bounds by",
        ),
        PlantedVerdict::Beaten { better, by } => (
            "beaten",
            by,
            better,
            "it is no solution: a vector with the same measurements is shorter by a share of",
        ),
        PlantedVerdict::Undecided => ("undecided", f64::NAN, Vec::new(), "neither could be shown"),
    };
    let shape = a.shape();
    let nonzeros = x.iter().filter(|v| **v != 0.0).count();
    let mut text = format!("{shape}, {nonzeros} nonzeros: {verdict}\n{words}");
    if !proof.is_empty() {
        let _ = write!(text, " {number:.6e}");
    }
    let _ = writeln!(
        text,
        "\n{} gradients, {:.1} operator applications",
        answer.iterations, answer.applications
    );
    let json = json!({
        "rows": shape.rows,
        "columns": shape.columns,
        "nonzeros": nonzeros,
        "verdict": verdict,
        "margin": (verdict == "recovered").then_some(number),
        "shorter_by": (verdict == "beaten").then_some(number),
        "dual": (verdict == "recovered").then_some(&proof),
        "better": (verdict == "beaten").then_some(&proof),
        "iterations": answer.iterations,
        "applications": answer.applications,
        "seconds": seconds,
    });
    Ok(Answer { text, json, code: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use nalgebra::dmatrix;

    #[test]
    fn each_verdict_comes_with_its_proof() {
        let folder = Folder::new("recovers");
        let (matrix, planted) = (folder.path("A.npy"), folder.path("x.npy"));
        // y = x₁ + 2x₂ + 2x₃: cheapest through the second or the third.
        npy::write_matrix(&matrix, &dmatrix![1.0, 2.0, 2.0]).unwrap();
        let decide = |x: &[f64]| {
            npy::write_vector(&planted, x).unwrap();
            let line = ["recovers", "--matrix", &matrix, "--planted", &planted, "--repeat", "2"];
            run(&command().try_get_matches_from(line).unwrap())
        };
        let beaten = decide(&[3.0, 0.0, 0.0]).unwrap();
        assert_eq!(beaten.json["verdict"], "beaten");
        assert!((beaten.json["shorter_by"].as_f64().unwrap() - 0.5).abs() <= 1e-9);
        assert!(beaten.text.contains("beaten") && beaten.json["dual"].is_null());
        assert_eq!(decide(&[0.0, 1.0, 0.0]).unwrap().json["verdict"], "undecided");
        assert_eq!(decide(&[0.0, 0.0, 0.0]).unwrap().json["margin"], 1.0);
        assert!(decide(&[0.0, 1.0]).is_err());
    }
}
