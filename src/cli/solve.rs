//! `solve`: sparse recovery on matrices from files.

use super::{Answer, file, repeat};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use nalgebra::DMatrix;
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::data::npy;
use ticketsense::operators::{DenseOperator, MeasurementOperator, Shape};
use ticketsense::recovery::{self, Certificate, OptionKind, Recovery, SOLVERS, Solver, SolverOption};
use ticketsense::{Error, Result};

/// Nonzeros shown to people; all of them go to `--out`.
const SHOWN: usize = 20;

/// The command line of `solve`, with the options of every solver.
pub fn command() -> Command {
    Command::new("solve")
        .about("Recover a sparse vector from measurements, with its certificate")
        .long_about(details())
        .arg(file("matrix", "A.npy", "The measurement matrix: two-dimensional, f32 or f64").required(true))
        .arg(
            file(
                "rhs",
                "y.npy",
                "The measurements: one-dimensional, or one right-hand side a column",
            )
            .required(true),
        )
        .arg(
            Arg::new("solver")
                .long("solver")
                .value_name("NAME")
                .required(true)
                .help(names()),
        )
        .arg(file(
            "out",
            "x.npy",
            "Write the answer here: one-dimensional, or one answer a column",
        ))
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Right-hand sides solved at once; the answers do not depend on it [default: the cores]"),
        )
        .arg(repeat::argument())
        .args(options().into_iter().map(argument))
}

fn names() -> String {
    SOLVERS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
}

fn details() -> String {
    let mut text =
        String::from("Recover a sparse vector x from y ≈ A x, with its certificate.\n\nSolvers and their options:\n");
    for entry in SOLVERS {
        let _ = writeln!(text, "\n  {}: {}", entry.name, entry.help);
        for option in entry.options {
            let unit = if option.unit.is_empty() {
                String::new()
            } else {
                format!(", in {}", option.unit)
            };
            let _ = writeln!(
                text,
                "    --{}: {} {}{unit}; default: {}",
                option.name,
                option.help,
                option.range(),
                option.default
            );
        }
    }
    text
}

/// Every option of every solver, one of each name.
fn options() -> Vec<&'static SolverOption> {
    let mut seen = BTreeSet::new();
    SOLVERS
        .iter()
        .flat_map(|s| s.options)
        .filter(|o| seen.insert(o.name))
        .collect()
}

fn argument(option: &'static SolverOption) -> Arg {
    let takers: Vec<&str> = SOLVERS
        .iter()
        .filter(|s| s.options.iter().any(|o| o.name == option.name))
        .map(|s| s.name)
        .collect();
    let argument = Arg::new(option.name).long(option.name);
    let argument = match option.kind {
        OptionKind::Flag => argument.action(ArgAction::SetTrue),
        // "-1" is a wrong number, not an unknown option.
        OptionKind::Integer { .. } => argument.value_name("INTEGER").allow_negative_numbers(true),
        OptionKind::Vector { .. } => argument.value_name("FILE.npy"),
        _ => argument.value_name("NUMBER").allow_negative_numbers(true),
    };
    argument.help(format!("For {}: {}", takers.join(", "), option.range()))
}

/// Runs `solve`.
///
/// # Errors
/// When an option does not belong to the solver, a file is not what it should be, or the shapes do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let name = super::option::<String>(matches, "solver")?;
    let solver = solver(name, matches)?;
    let a = DenseOperator::new(npy::read_matrix(super::option::<PathBuf>(matches, "matrix")?)?)?;
    let rhs = npy::read_columns(super::option::<PathBuf>(matches, "rhs")?)?;
    if rhs.nrows() != a.shape().rows {
        return Err(Error::shape(
            "right-hand side",
            format!("{} rows", a.shape().rows),
            rhs.nrows(),
        ));
    }
    let jobs = match matches.get_one::<u32>("jobs") {
        Some(&jobs) => jobs as usize,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (solved, seconds) = repeat::timed(matches, || solve(solver.as_ref(), &a, &rhs, jobs))?;
    if let Some(path) = matches.get_one::<PathBuf>("out") {
        write(path, &solved, a.shape().columns)?;
    }
    Ok(answer(name, a.shape(), &solved, seconds))
}

/// The named solver with the options given, of which it must take every one.
fn solver(name: &str, matches: &ArgMatches) -> Result<Box<dyn Solver>> {
    let entry = recovery::find(name)?;
    let mut given: Vec<(&str, &str)> = Vec::new();
    for option in options() {
        match option.kind {
            OptionKind::Flag if matches.get_flag(option.name) => given.push((option.name, "true")),
            OptionKind::Flag => {}
            _ => given.extend(
                matches
                    .get_one::<String>(option.name)
                    .map(|text| (option.name, text.as_str())),
            ),
        }
    }
    entry.build(given)
}

/// Solves every right-hand side, `jobs` blocks of neighbours at once; a solver may share work within a block.
fn solve(solver: &dyn Solver, a: &DenseOperator, rhs: &DMatrix<f64>, jobs: usize) -> Result<Vec<Recovery>> {
    let count = rhs.ncols();
    let blocks = jobs.clamp(1, count.max(1));
    let of_block = |b: usize| {
        let (first, end) = (b * count / blocks, (b + 1) * count / blocks);
        match end - first {
            1 => Ok(vec![solver.solve(a, rhs.column(first).as_slice())?]),
            size => solver.solve_many(a, &rhs.columns(first, size).into_owned()),
        }
    };
    let solved: Vec<Result<Vec<Recovery>>> = if blocks == 1 {
        vec![of_block(0)]
    } else {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(blocks)
            .build()
            .map_err(|e| Error::numerical("worker threads", e.to_string()))?;
        pool.install(|| (0..blocks).into_par_iter().map(of_block).collect())
    };
    // In order, so that the first refusal does not depend on the threads.
    let mut all = Vec::with_capacity(count);
    for block in solved {
        all.extend(block?);
    }
    Ok(all)
}

fn write(path: &PathBuf, solved: &[Recovery], columns: usize) -> Result<()> {
    if let [only] = solved {
        return npy::write_vector(path, &only.x);
    }
    let entries = solved.iter().flat_map(|recovery| recovery.x.iter().copied()).collect();
    npy::write_matrix(path, &DMatrix::from_vec(columns, solved.len(), entries))
}

fn answer(name: &str, shape: Shape, solved: &[Recovery], seconds: f64) -> Answer {
    let mut object = Map::new();
    object.insert("solver".into(), json!(name));
    object.insert("rows".into(), json!(shape.rows));
    object.insert("columns".into(), json!(shape.columns));
    let mut text = format!("{name} on a {shape} matrix\n");
    match solved {
        [only] => {
            object.extend(solution(only, seconds));
            text.push_str(&page(only));
        }
        _ => {
            object.insert("seconds".into(), json!(seconds));
            // Solved in blocks, each has its share of the whole.
            let share = seconds / solved.len().max(1) as f64;
            let all: Vec<Value> = solved.iter().map(|r| Value::Object(solution(r, share))).collect();
            object.insert("solutions".into(), Value::Array(all));
            text.push_str(&table(solved));
        }
    }
    let _ = writeln!(text, "{seconds:.3} s");
    Answer {
        text,
        json: Value::Object(object),
        code: 0,
    }
}

fn gap(recovery: &Recovery) -> Option<f64> {
    match recovery.certificate {
        Certificate::DualityGap { gap, .. } => Some(gap),
        _ => None,
    }
}

fn solution(recovery: &Recovery, seconds: f64) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.into(), value);
    put("status", json!(recovery.status.as_str()));
    put("iterations", json!(recovery.iterations));
    put("applications", json!(recovery.applications));
    put("objective", json!(recovery.objective));
    put("duality_gap", json!(gap(recovery)));
    put("relative_gap", json!(recovery.relative_gap()));
    put("residual_norm", json!(recovery.residual_norm));
    put("nonzeros", json!(recovery.support.len()));
    put("support", json!(recovery.support));
    if let Certificate::OrderMargins {
        order,
        margins,
        uncertainties,
    } = &recovery.certificate
    {
        put("order", json!(order));
        put("order_margins", json!(margins));
        put("order_uncertainties", json!(uncertainties));
    }
    put("seconds", json!(seconds));
    object
}

fn page(recovery: &Recovery) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: String| {
        let _ = writeln!(out, "{what:<14} {value}");
    };
    line("status", recovery.status.to_string());
    line("iterations", recovery.iterations.to_string());
    line("applications", format!("{:.2}", recovery.applications));
    line("objective", format!("{:e}", recovery.objective));
    if let (Some(gap), Some(relative)) = (gap(recovery), recovery.relative_gap()) {
        line("duality gap", format!("{gap:.3e} ({relative:.3e} relative)"));
    }
    line("residual norm", format!("{:e}", recovery.residual_norm));
    line("nonzeros", recovery.support.len().to_string());
    if !recovery.support.is_empty() {
        out.push_str("\n     column  value\n");
    }
    for &j in recovery.support.iter().take(SHOWN) {
        let _ = writeln!(out, "{j:>11}  {:e}", recovery.x[j]);
    }
    if recovery.support.len() > SHOWN {
        let _ = writeln!(
            out,
            "        ...  and {} more (--out writes all)",
            recovery.support.len() - SHOWN
        );
    }
    out
}

fn table(solved: &[Recovery]) -> String {
    let mut out = String::from("   rhs  status            nonzeros  residual norm  relative gap\n");
    for (j, recovery) in solved.iter().enumerate() {
        let gap = recovery
            .relative_gap()
            .map_or("-".to_string(), |gap| format!("{gap:.3e}"));
        let _ = writeln!(
            out,
            "{j:>6}  {:<16}  {:>8}  {:>13.6e}  {gap:>12}",
            recovery.status,
            recovery.support.len(),
            recovery.residual_norm
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use std::path::Path;
    use ticketsense::recovery::Model;

    fn solve_with(folder: &Folder, options: &[&str]) -> Result<Answer> {
        let (a, y) = (folder.path("A.npy"), folder.path("y.npy"));
        let line = ["solve", "--matrix", &a, "--rhs", &y]
            .into_iter()
            .chain(options.iter().copied());
        run(&command().try_get_matches_from(line).unwrap())
    }

    /// A 4 × 4 diagonal problem, so that every answer is known: `y / d`, or its soft threshold.
    fn diagonal(folder: &Folder, rhs: &DMatrix<f64>) {
        let a = DMatrix::from_diagonal(&nalgebra::dvector![1.0, 2.0, 1.0, 1.0]);
        npy::write_matrix(folder.path("A.npy"), &a).unwrap();
        npy::write_matrix(folder.path("y.npy"), rhs).unwrap();
    }

    #[test]
    fn the_lasso_prints_every_promised_key_and_writes_its_answer() {
        let folder = Folder::new("solve-lasso");
        diagonal(&folder, &nalgebra::dmatrix![4.0; 6.0; -0.5; 0.0]);
        let out = folder.path("x.npy");
        let found = solve_with(&folder, &["--solver", "lasso", "--lambda", "1", "--out", &out]).unwrap();
        for key in [
            "solver",
            "rows",
            "columns",
            "status",
            "iterations",
            "applications",
            "objective",
            "duality_gap",
            "relative_gap",
            "residual_norm",
            "nonzeros",
            "support",
            "seconds",
        ] {
            assert!(found.json.get(key).is_some(), "{key}");
        }
        assert_eq!(found.json["status"], "converged");
        assert_eq!(found.json["support"], json!([0, 1]));
        // x₀ = 4 − 1, x₁ = (12 − 1)/4; the objective is ½(1 + ¼ + ¼) + 3 + 2.75.
        assert_eq!(npy::read_vector(Path::new(&out)).unwrap(), [3.0, 2.75, 0.0, 0.0]);
        assert!((found.json["objective"].as_f64().unwrap() - 6.5).abs() < 1e-14);
        assert!(found.text.contains("converged"), "{}", found.text);
    }

    #[test]
    fn several_right_hand_sides_give_the_same_solutions_on_any_number_of_threads() {
        let folder = Folder::new("solve-many");
        let rhs = DMatrix::from_fn(4, 7, |i, j| ((3 * i + 5 * j) % 7) as f64 - 3.0);
        diagonal(&folder, &rhs);
        let (one, three) = (folder.path("x1.npy"), folder.path("x3.npy"));
        let options = |jobs, out| ["--solver", "omp", "--max-support", "2", "--jobs", jobs, "--out", out];
        let single = solve_with(&folder, &options("1", &one)).unwrap();
        let several = solve_with(&folder, &options("3", &three)).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&three).unwrap());
        let solutions = several.json["solutions"].as_array().unwrap();
        assert_eq!(solutions.len(), 7);
        for (a, b) in solutions.iter().zip(single.json["solutions"].as_array().unwrap()) {
            assert_eq!(
                (&a["support"], &a["residual_norm"]),
                (&b["support"], &b["residual_norm"])
            );
        }
        assert_eq!(npy::read_matrix(Path::new(&one)).unwrap().shape(), (4, 7));
    }

    #[test]
    fn every_solver_of_the_list_runs_from_the_command_line() {
        let folder = Folder::new("solve-all");
        diagonal(&folder, &nalgebra::dmatrix![0.0; 2.0; 0.0; 0.0]);
        for entry in SOLVERS {
            let options = (entry.for_planted)(1);
            let given = options.iter().map(|(name, value)| (*name, value.as_str()));
            let labels = entry.build(given).unwrap().model() == Model::Labels;
            let mut line = vec!["--solver".to_string(), entry.name.to_string()];
            for (name, value) in &options {
                line.extend([format!("--{name}"), value.clone()]);
            }
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            let found = solve_with(&folder, &line);
            if labels {
                // These data are not labels, and the solver says so.
                assert!(found.unwrap_err().to_string().contains("label"), "{}", entry.name);
                continue;
            }
            let found = found.unwrap();
            assert_eq!(found.json["solver"], entry.name);
            if entry.name != "iht" {
                assert_eq!(found.json["support"], json!([1]), "{}", entry.name);
            }
        }
    }

    #[test]
    fn a_vector_option_is_read_from_its_file() {
        let folder = Folder::new("solve-vector");
        diagonal(&folder, &nalgebra::dmatrix![4.0; 6.0; -0.5; 0.0]);
        let (weights, out) = (folder.path("w.npy"), folder.path("x.npy"));
        npy::write_vector(&weights, &[4.0, 1.0, 0.0, 1.0]).unwrap();
        let line = [
            "--solver",
            "weighted-lasso",
            "--lambda",
            "1",
            "--weights",
            &weights,
            "--out",
            &out,
        ];
        assert_eq!(solve_with(&folder, &line).unwrap().json["status"], "converged");
        // x₀ = (4 − 4)₊, x₁ = (12 − 1)/4, and x₂ is not penalised.
        assert_eq!(npy::read_vector(Path::new(&out)).unwrap(), [0.0, 2.75, -0.5, 0.0]);
        npy::write_vector(&weights, &[4.0, -1.0, 0.0, 1.0]).unwrap();
        let error = solve_with(&folder, &line).unwrap_err();
        assert!(error.to_string().contains("-1 at entry 1"), "{error}");
        std::fs::remove_file(&weights).unwrap();
        assert!(matches!(solve_with(&folder, &line), Err(Error::Io { .. })));
    }

    #[test]
    fn budgets_and_a_start_come_from_files() {
        let folder = Folder::new("solve-budgets");
        // y / d = (4, 3, 2, 1): without budgets the two largest would be the first two.
        diagonal(&folder, &nalgebra::dmatrix![4.0; 6.0; 2.0; 1.0]);
        let (groups, budgets, start) = (
            folder.path("groups.npy"),
            folder.path("budgets.npy"),
            folder.path("x0.npy"),
        );
        npy::write_vector(&groups, &[0.0, 0.0, 1.0, 1.0]).unwrap();
        npy::write_vector(&budgets, &[1.0, 1.0]).unwrap();
        npy::write_vector(&start, &[-1.0, 0.0, 5.0, 0.0]).unwrap();
        let methods = ["omp", "ols", "niht", "iht", "htp", "cosamp", "subspace-pursuit"];
        for solver in methods {
            let line = [
                "--solver",
                solver,
                "--max-support",
                "2",
                "--groups",
                &groups,
                "--budgets",
                &budgets,
            ];
            let answer = solve_with(&folder, &line).unwrap();
            let support: Vec<u64> = answer.json["support"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap())
                .collect();
            assert!(
                support.len() == 2 && support[0] < 2 && support[1] == 2,
                "{solver}: {support:?}"
            );
            assert_eq!(exit_of(solve_with(&folder, &line[..6])), 2);
        }
        let from = |extra: &[&str]| {
            let line = [&["--solver", "lasso", "--lambda", "0.5", "--tolerance", "1e-12"], extra].concat();
            solve_with(&folder, &line).unwrap().json["objective"].as_f64().unwrap()
        };
        let (cold, warm) = (from(&[]), from(&["--start", &start]));
        assert!((cold - warm).abs() <= 1e-10 * cold);
        npy::write_vector(&start, &[1.0]).unwrap();
        let short = ["--solver", "lasso", "--lambda", "0.5", "--start", &start];
        assert!(solve_with(&folder, &short).is_err());
    }

    fn exit_of(result: Result<Answer>) -> u8 {
        super::super::exit_code(&result.unwrap_err())
    }

    #[test]
    fn options_of_another_solver_and_values_out_of_range_are_mistakes_of_the_command_line() {
        let folder = Folder::new("solve-refused");
        diagonal(&folder, &nalgebra::dmatrix![0.0; 2.0; 0.0; 0.0]);
        for options in [
            &["--solver", "omp", "--lambda", "1"][..],
            &["--solver", "lasso", "--lambda", "-1"],
            &["--solver", "lasso", "--lambda", "1", "--lambda-ratio", "0.1"],
            &["--solver", "lasso"],
            &["--solver", "lasso", "--lambda", "one"],
            &["--solver", "iht"],
            &["--solver", "omp", "--unit-columns"],
            &["--solver", "laso", "--lambda", "1"],
        ] {
            let error = solve_with(&folder, options).unwrap_err();
            assert_eq!(super::super::exit_code(&error), 2, "{options:?}: {error}");
        }
        let matches = |jobs| {
            command().try_get_matches_from([
                "solve", "--matrix", "A", "--rhs", "y", "--solver", "omp", "--jobs", jobs,
            ])
        };
        assert!(matches("0").is_err() && matches("2").is_ok());
    }

    #[test]
    fn a_right_hand_side_of_another_length_is_refused_as_a_file_that_does_not_fit() {
        let folder = Folder::new("solve-shape");
        diagonal(&folder, &nalgebra::dmatrix![1.0; 2.0]);
        let error = solve_with(&folder, &["--solver", "omp"]).unwrap_err();
        assert_eq!(super::super::exit_code(&error), 1);
        assert!(error.to_string().contains("4 rows"), "{error}");
    }
}
