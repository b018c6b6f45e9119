//! `path`: the LASSO for every penalty at once, on matrices from files.

use super::{Answer, file, repeat};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use ticketsense::data::npy;
use ticketsense::operators::{DenseOperator, MeasurementOperator, Shape};
use ticketsense::recovery::{self, LassoPath, PathEnd, Penalty};
use ticketsense::{Result, files};

/// Breakpoints shown to people; all of them go to `--out`.
const SHOWN: usize = 20;

/// The command line of `path`.
pub fn command() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            // "-1" is a wrong number, not an unknown option.
            .allow_negative_numbers(true)
            .value_parser(value_parser!(f64))
            .help(help)
    };
    Command::new("path")
        .about("Follow the LASSO's whole solution path, with the duality gap of every segment")
        .arg(file("matrix", "A.npy", "The measurement matrix: two-dimensional, f32 or f64").required(true))
        .arg(file("rhs", "y.npy", "The measurements: one-dimensional").required(true))
        .arg(number("lambda", "The penalty at which the path ends, at least 0").conflicts_with("lambda-ratio"))
        .arg(number(
            "lambda-ratio",
            "The same as a multiple of λ_max = ‖Aᵀy‖∞, where the path begins [default: 0.01]",
        ))
        .arg(number(
            "tolerance",
            "Factorise anew where a segment's duality gap exceeds this multiple of ½‖y‖² [default: 1e-10]",
        ))
        .arg(
            Arg::new("max-segments")
                .long("max-segments")
                .value_name("INTEGER")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(usize))
                .help("The most segments [default: 100000]"),
        )
        .arg(file("out", "FILE.csv", "Write the breakpoints here"))
        .arg(repeat::argument())
}

/// Runs `path`.
///
/// # Errors
/// When a number is out of its range, a file is not what it should be, or the shapes do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let real = |name: &str| matches.get_one::<f64>(name).copied();
    let smallest = match (real("lambda"), real("lambda-ratio")) {
        (Some(lambda), _) => Penalty::Absolute(lambda),
        (None, ratio) => Penalty::RatioOfMax(ratio.unwrap_or(0.01)),
    };
    let default = LassoPath::new(smallest);
    let method = LassoPath {
        tolerance: real("tolerance").unwrap_or(default.tolerance),
        max_segments: matches.get_one("max-segments").copied().unwrap_or(default.max_segments),
        ..default
    };
    let a = DenseOperator::new(npy::read_matrix(super::option::<PathBuf>(matches, "matrix")?)?)?;
    let y = npy::read_vector(super::option::<PathBuf>(matches, "rhs")?)?;
    let (path, seconds) = repeat::timed(matches, || method.solve(&a, &y))?;
    if let Some(file) = matches.get_one::<PathBuf>("out") {
        write(file, &path)?;
    }
    Ok(answer(a.shape(), &path, seconds))
}

fn column(breakpoint: &recovery::Breakpoint) -> (String, String) {
    breakpoint
        .column
        .map_or_else(Default::default, |(j, sign)| (j.to_string(), format!("{sign}")))
}

/// One line a breakpoint, λ falling.
fn write(file: &Path, path: &recovery::Path) -> Result<()> {
    let mut text = String::from("lambda,event,column,sign,nonzeros,residual_norm,segment_gap\n");
    for b in &path.breakpoints {
        let (column, sign) = column(b);
        let _ = writeln!(
            text,
            "{:?},{},{column},{sign},{},{:?},{:?}",
            b.lambda,
            b.event.as_str(),
            b.nonzeros,
            b.residual_norm,
            b.segment_gap
        );
    }
    files::write_atomic(file, text.as_bytes())
}

fn answer(shape: Shape, path: &recovery::Path, seconds: f64) -> Answer {
    let breakpoints: Vec<Value> = path
        .breakpoints
        .iter()
        .map(|b| {
            json!({
                "lambda": b.lambda,
                "event": b.event.as_str(),
                "column": b.column.map(|(j, _)| j),
                "sign": b.column.map(|(_, sign)| sign as i64),
                "nonzeros": b.nonzeros,
                "residual_norm": b.residual_norm,
                "segment_gap": b.segment_gap,
            })
        })
        .collect();
    let dependent: Vec<Value> = path
        .dependent
        .iter()
        .map(|(j, lambda)| json!({ "column": j, "lambda": lambda }))
        .collect();
    let object = json!({
        "rows": shape.rows,
        "columns": shape.columns,
        "status": path.status().as_str(),
        "tied_column": match path.end { PathEnd::Tied { column } => Some(column), _ => None },
        "segments": path.breakpoints.len().saturating_sub(1),
        "worst_gap": path.worst_gap(),
        "relative_gap": path.relative_gap(),
        "factorisations": path.factorisations,
        "applications": path.applications,
        "dependent": dependent,
        "breakpoints": breakpoints,
        "seconds": seconds,
    });
    Answer {
        text: page(shape, path, seconds),
        json: object,
        code: 0,
    }
}

fn page(shape: Shape, path: &recovery::Path, seconds: f64) -> String {
    let mut out = format!("LASSO path on a {shape} matrix\n");
    let mut line = |what: &str, value: String| {
        let _ = writeln!(out, "{what:<14} {value}");
    };
    line("status", path.status().to_string());
    if let PathEnd::Tied { column } = path.end {
        line("tied at", format!("column {column}, which moved last"));
    }
    line("segments", path.breakpoints.len().saturating_sub(1).to_string());
    line(
        "worst gap",
        format!("{:.3e} ({:.3e} of ½‖y‖²)", path.worst_gap(), path.relative_gap()),
    );
    line("factorisations", path.factorisations.to_string());
    line("applications", format!("{:.2}", path.applications));
    if let Some((j, lambda)) = path.dependent.first() {
        let others = match path.dependent.len() - 1 {
            0 => String::new(),
            others => format!(", and {others} more"),
        };
        line(
            "not unique",
            format!("column {j} depends on active ones from λ = {lambda:.6e}{others}"),
        );
    }
    out.push_str("\n       lambda  event    column  sign  nonzeros  residual norm  segment gap\n");
    for b in path.breakpoints.iter().take(SHOWN) {
        let (column, sign) = column(b);
        let _ = writeln!(
            out,
            "{:>13.6e}  {:<7}  {column:>6}  {sign:>4}  {:>8}  {:>13.6e}  {:>11.3e}",
            b.lambda,
            b.event.as_str(),
            b.nonzeros,
            b.residual_norm,
            b.segment_gap
        );
    }
    if path.breakpoints.len() > SHOWN {
        let _ = writeln!(
            out,
            "          ...  and {} more (--out writes all)",
            path.breakpoints.len() - SHOWN
        );
    }
    let _ = writeln!(out, "{seconds:.3} s");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use nalgebra::DMatrix;

    /// A folder with a matrix and a right-hand side.
    fn folder(name: &str, a: &DMatrix<f64>, y: &[f64]) -> Folder {
        let folder = Folder::new(&format!("path-{name}"));
        npy::write_matrix(folder.path("A.npy"), a).unwrap();
        npy::write_vector(folder.path("y.npy"), y).unwrap();
        folder
    }

    fn follow(folder: &Folder, options: &[&str]) -> Result<Answer> {
        let (a, y) = (folder.path("A.npy"), folder.path("y.npy"));
        let line = ["path", "--matrix", &a, "--rhs", &y];
        let line = line.into_iter().chain(options.iter().copied());
        run(&command().try_get_matches_from(line).unwrap())
    }

    #[test]
    fn the_breakpoints_are_printed_and_written_with_every_promised_key() {
        // Orthogonal columns: column j joins at |aⱼᵀy|, here 12, 4 and ½.
        let a = DMatrix::from_diagonal(&nalgebra::dvector![1.0, 2.0, 1.0]);
        let folder = folder("keys", &a, &[4.0, -6.0, 0.5]);
        let out = folder.path("path.csv");
        let found = follow(&folder, &["--lambda", "1", "--out", &out]).unwrap();
        for key in [
            "rows",
            "columns",
            "status",
            "tied_column",
            "segments",
            "worst_gap",
            "relative_gap",
            "factorisations",
            "applications",
            "dependent",
            "breakpoints",
            "seconds",
        ] {
            assert!(found.json.get(key).is_some(), "{key}");
        }
        assert_eq!(found.json["status"], "converged");
        assert_eq!(found.json["segments"], 2);
        assert_eq!(found.json["breakpoints"][0]["sign"], -1);
        let lines = std::fs::read_to_string(&out).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines[0], "lambda,event,column,sign,nonzeros,residual_norm,segment_gap");
        assert!(lines[1].starts_with("12.0,joined,1,-1,1,"), "{}", lines[1]);
        assert!(lines[2].starts_with("4.0,joined,0,1,2,"), "{}", lines[2]);
        assert!(lines[3].starts_with("1.0,ended,,,2,"), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
        for word in ["converged", "joined", "ended"] {
            assert!(found.text.contains(word), "{}", found.text);
        }
        // The default end, λ_max/100, is below the last correlation.
        assert_eq!(follow(&folder, &[]).unwrap().json["segments"], 3);
    }

    #[test]
    fn a_minimiser_that_is_not_unique_and_a_limit_are_named() {
        let folder = folder("named", &nalgebra::dmatrix![1.0, 1.0, 0.0; 0.0, 0.0, 1.0], &[2.0, 1.0]);
        let found = follow(&folder, &["--lambda-ratio", "0.1"]).unwrap();
        assert_eq!(found.json["dependent"], json!([{ "column": 1, "lambda": 2.0 }]));
        assert!(found.text.contains("not unique"), "{}", found.text);
        let short = follow(&folder, &["--max-segments", "1"]).unwrap();
        assert_eq!(short.json["status"], "iteration-limit");
    }

    #[test]
    fn numbers_out_of_range_and_misfitting_data_are_refused() {
        let folder = folder("refused", &DMatrix::identity(2, 2), &[1.0, 1.0]);
        for options in [
            ["--lambda", "-1"],
            ["--lambda-ratio", "nan"],
            ["--tolerance", "1"],
            ["--max-segments", "0"],
        ] {
            let error = follow(&folder, &options).unwrap_err();
            assert_eq!(super::super::exit_code(&error), 2, "{options:?}: {error}");
        }
        npy::write_vector(folder.path("y.npy"), &[1.0]).unwrap();
        assert!(follow(&folder, &[]).is_err());
        let both = [
            "path",
            "--matrix",
            "A",
            "--rhs",
            "y",
            "--lambda",
            "1",
            "--lambda-ratio",
            "1",
        ];
        assert!(command().try_get_matches_from(both).is_err());
    }
}
