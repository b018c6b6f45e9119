//! `certify`: what can be proven about a matrix, and what every guarantee makes of it.

use super::Answer;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use nalgebra::DMatrix;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;
use ticketsense::estimators::{
    Babel, BabelFunction, ConditionSurvey, Conditions, Estimator, Evidence, Guarantee, RestrictedIsometry,
    RestrictedIsometryConstant, guarantees,
};
use ticketsense::linalg::dense::orthonormal_rows;
use ticketsense::operators::{DenseOperator, MeasurementOperator, Shape};
use ticketsense::theory::coherence_bounds::welch;
use ticketsense::{Result, Seed};

/// The command line of `certify`.
pub fn command() -> clap::Command {
    clap::Command::new("certify")
        .about("Prove what a matrix can recover: coherence, restricted isometry, guarantees")
        .arg(
            Arg::new("matrix")
                .long("matrix")
                .value_name("A.npy")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The matrix, two-dimensional, f32 or f64"),
        )
        .arg(
            Arg::new("order")
                .long("order")
                .value_name("K")
                .required(true)
                .value_parser(value_parser!(usize))
                .help("Largest order of the Babel function and of the restricted isometry constants"),
        )
        .arg(
            Arg::new("node-limit")
                .long("node-limit")
                .value_name("N")
                .default_value("100000")
                .value_parser(value_parser!(u64))
                .help("Most nodes of the branch and bound over supports, for each order and end of the spectrum"),
        )
        .arg(
            Arg::new("max-problems")
                .long("max-problems")
                .value_name("N")
                .default_value("200000")
                .value_parser(value_parser!(u64))
                .help("Go through the supports or signed supports of an order when there are at most N"),
        )
        .arg(
            Arg::new("max-programs")
                .long("max-programs")
                .value_name("N")
                .default_value("128")
                .value_parser(value_parser!(usize))
                .help("Bound the concentration of the kernel, one linear program a column, and search for restricted eigenvalues, for at \
                     most N columns"),
        )
        .arg(
            Arg::new("orthonormal-rows")
                .long("orthonormal-rows")
                .action(ArgAction::SetTrue)
                .help(
                    "Look at an orthonormal basis of the rows instead: basis pursuit without noise has the same answers, \
                     and isometry constants are often smaller",
                ),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .default_value("0")
                .value_parser(value_parser!(u64))
                .help("Seed of the starts of the search for bad supports, where there are too many columns to try all"),
        )
}

/// Runs `certify`.
///
/// # Errors
/// When the file cannot be read as a matrix, or the order is 0 or above its number of columns.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(0);
    let order = matches.get_one::<usize>("order").copied().unwrap_or(0);
    let path = matches.get_one::<PathBuf>("matrix").cloned().unwrap_or_default();
    let matrix = ticketsense::data::npy::read_matrix(&path)?;
    let limits = Limits {
        node_limit: number("node-limit"),
        max_problems: number("max-problems"),
        max_programs: matches.get_one::<usize>("max-programs").copied().unwrap_or(0),
    };
    let orthonormal = matches.get_flag("orthonormal-rows");
    certify(matrix, order, orthonormal, &limits, &Seed::root(number("seed")))
}

/// How much work may go into a proof.
struct Limits {
    node_limit: u64,
    max_problems: u64,
    max_programs: usize,
}

/// What was found about one matrix.
struct Findings {
    shape: Shape,
    /// Whether it is an orthonormal basis of the rows of the matrix given.
    orthonormal_rows: bool,
    babel: BabelFunction,
    welch: f64,
    isometry: Vec<RestrictedIsometry>,
    /// Time of the constants of all orders, their Gram matrix included.
    isometry_seconds: f64,
    conditions: Conditions,
    table: Vec<Guarantee>,
}

fn certify(matrix: DMatrix<f64>, order: usize, orthonormal: bool, limits: &Limits, seed: &Seed) -> Result<Answer> {
    let given = DenseOperator::new(matrix)?;
    let operator = if orthonormal {
        DenseOperator::new(orthonormal_rows(given.matrix())?)?
    } else {
        given
    };
    let shape = operator.shape();
    let settings = RestrictedIsometryConstant {
        node_limit: limits.node_limit,
        ..RestrictedIsometryConstant::of_order(order)
    };
    // First, because it refuses an order that has no meaning for this matrix.
    let clock = Instant::now();
    let isometry = settings.profile(&operator, seed)?.value;
    let isometry_seconds = clock.elapsed().as_secs_f64();
    let babel = Babel { max_order: order }.estimate(&operator, seed)?.value;
    let conditions = ConditionSurvey {
        max_nonzeros: order,
        max_problems: limits.max_problems,
        max_programs: limits.max_programs,
    };
    let conditions = conditions.estimate(&operator, seed)?.value;
    let mut table = guarantees(&Evidence {
        shape,
        babel: &babel,
        isometry: &isometry,
    });
    table.extend(conditions.guarantees());
    let findings = Findings {
        shape,
        orthonormal_rows: orthonormal,
        welch: welch(shape.rows as u64, shape.columns as u64)?,
        babel,
        isometry,
        isometry_seconds,
        conditions,
        table,
    };
    Ok(Answer {
        text: page(&findings),
        json: object(&findings),
        code: 0,
    })
}

fn object(findings: &Findings) -> Value {
    let Findings {
        shape,
        babel,
        isometry,
        table,
        conditions,
        ..
    } = findings;
    let rip = isometry.last().map(|r| {
        let rescaled = r.rescaled();
        json!({
            "order": r.order, "lower": r.lower, "upper": r.upper, "exact": r.exact,
            "lambda_min": [r.lambda_min.lower, r.lambda_min.upper],
            "lambda_max": [r.lambda_max.lower, r.lambda_max.upper],
            "witness": r.witness.indices(),
            "rescaled": { "scale": rescaled.scale, "lower": rescaled.lower, "upper": rescaled.upper },
        })
    });
    let profile: Vec<Value> = isometry
        .iter()
        .map(|r| json!({ "order": r.order, "lower": r.lower, "upper": r.upper, "exact": r.exact, "nodes": r.nodes }))
        .collect();
    let guarantees: Vec<Value> = table
        .iter()
        .map(|g| {
            json!({
                "name": g.name, "method": g.method, "condition": g.condition, "source": g.source,
                "matrix": g.subject.as_str(), "largest_nonzeros": g.largest_nonzeros,
                "largest_nonzeros_rescaled": g.largest_nonzeros_rescaled,
                "examined_up_to": g.examined_up_to, "vacuous": g.is_vacuous(),
            })
        })
        .collect();
    json!({
        "rows": shape.rows, "columns": shape.columns, "zero_columns": babel.coherence.zero_columns,
        "coherence": babel.coherence.value,
        "coherence_pair": babel.coherence.pair.map(|(i, j)| [i, j]),
        "babel": babel.values, "welch": findings.welch, "orthonormal_rows": findings.orthonormal_rows,
        "rip": rip, "rip_profile": profile, "isometry_seconds": findings.isometry_seconds, "guarantees": guarantees,
        "conditions": conditions_object(conditions),
    })
}

fn conditions_object(conditions: &Conditions) -> Value {
    let signed: Vec<Value> = conditions
        .signed_supports
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let lost = c.first_not_recovered.as_ref();
            json!({
                "nonzeros": i + 1, "total": c.total, "recovered": c.recovered, "not_recovered": c.not_recovered,
                "undecided": c.undecided, "irrepresentable": c.irrepresentable,
                "first_not_recovered": lost.map(|s| json!({ "support": s.support, "signs": s.signs })),
            })
        })
        .collect();
    let exact: Vec<Value> = conditions
        .exact_recovery
        .iter()
        .map(|c| json!({ "value": c.value, "lower": c.lower, "upper": c.upper }))
        .collect();
    json!({
        "exact_recovery": exact,
        "signed_supports": signed,
        "kernel_concentration": conditions.concentration.as_ref().map(|c| {
            json!({ "first_lower": c.first_lower, "upper": c.upper })
        }),
        "spark": conditions.spark.as_ref().map(|s| json!({ "at_least": s.at_least, "dependent": s.dependent })),
        "restricted_eigenvalue_at_most": conditions.restricted_eigenvalue_at_most,
    })
}

fn page(findings: &Findings) -> String {
    let Findings {
        shape,
        babel,
        welch,
        isometry,
        table,
        conditions,
        ..
    } = findings;
    let mut out = String::new();
    let mu = &babel.coherence;
    let _ = writeln!(out, "Matrix {shape}");
    if findings.orthonormal_rows {
        out.push_str(
            "An orthonormal basis of the rows of the matrix given. Basis pursuit without noise answers the same for both;\n\
             what is said of other methods holds when they are run on this one.\n",
        );
    }
    if mu.zero_columns > 0 {
        let _ = writeln!(
            out,
            "{} zero columns: left out of the coherence and the Babel function; no guarantee can hold with them",
            mu.zero_columns
        );
    }
    let pair = mu.pair.map_or(String::new(), |(i, j)| format!(", columns {i} and {j}"));
    let _ = writeln!(out, "Coherence {:.6}{pair}; Welch bound {welch:.6}", mu.value);
    let _ = writeln!(
        out,
        "\nOrder  Babel      Restricted isometry constant of A as given   rescaled ≤"
    );
    for r in isometry {
        let value = match r.exact {
            Some(exact) => format!("{exact:.9} (exact)"),
            None => format!("in [{:.6}, {:.6}]", r.lower, r.upper),
        };
        let babel = babel.at(r.order).unwrap_or(f64::NAN);
        let _ = writeln!(
            out,
            "{:>5}  {babel:<9.6}  {value:<43}  {:.6}",
            r.order,
            r.rescaled().upper
        );
    }
    write_conditions(&mut out, conditions, isometry.len());
    let (name, condition) = (widest(table, |g| g.method), widest(table, |g| g.condition));
    let _ = writeln!(
        out,
        "\n{:name$}  {:condition$}  Nonzeros certified   Source",
        "Method", "Condition"
    );
    for g in table {
        let rescaled = match g.largest_nonzeros_rescaled {
            Some(k) if k > g.largest_nonzeros => format!(", {k} rescaled"),
            _ => String::new(),
        };
        let certified = match (g.is_vacuous(), g.examined_up_to) {
            (_, 0) => "needs a larger order".to_string(),
            (true, _) => "none".to_string(),
            (false, examined) if g.largest_nonzeros == examined => format!("{examined}, all examined"),
            (false, _) => format!("{}{rescaled}", g.largest_nonzeros),
        };
        let pad = condition - g.condition.chars().count();
        let _ = writeln!(
            out,
            "{:name$}  {}{}  {certified:<20} {}",
            g.method,
            g.condition,
            " ".repeat(pad),
            g.source
        );
    }
    out.push_str(
        "\nConditions on coherence, the Babel function and exact recovery speak of the matrix with unit columns, the others of A\n\
         as given. All but the dual certificates of each signed support and the spark are sufficient for every vector with so\n\
         many nonzeros and far from necessary: typical vectors are recovered well beyond.\n",
    );
    out
}

/// What was found order by order, as far as the limits reached.
fn write_conditions(out: &mut String, conditions: &Conditions, order: usize) {
    let upper = conditions.concentration.as_ref().map_or(&[][..], |c| &c.upper[..]);
    let _ = writeln!(
        out,
        "\n    k  Exact recovery  Kernel α_k ≤  Signed supports recovered    Restricted eigenvalue ≤"
    );
    for i in 0..order {
        let number = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.6}"));
        let signed = conditions.signed_supports.get(i).map_or("-".to_string(), |c| {
            let open = match c.undecided {
                0 => String::new(),
                undecided => format!(", {undecided} undecided"),
            };
            format!("{} of {}{open}", c.recovered, c.total)
        });
        let _ = writeln!(
            out,
            "{:>5}  {:<14}  {:<12}  {signed:<27}  {}",
            i + 1,
            number(conditions.exact_recovery.get(i).map(|c| c.value)),
            number(upper.get(i).copied()),
            number(conditions.restricted_eigenvalue_at_most.get(i).copied()),
        );
    }
    if let Some(spark) = &conditions.spark {
        let _ = match spark.dependent {
            Some(size) => writeln!(out, "Spark {size}: columns {:?} depend on each other", spark.columns),
            None => writeln!(out, "Spark at least {}", spark.at_least),
        };
    }
}

fn widest(table: &[Guarantee], text: impl Fn(&Guarantee) -> &'static str) -> usize {
    table.iter().map(|g| text(g).chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(node_limit: u64) -> Limits {
        Limits {
            node_limit,
            max_problems: 10_000,
            max_programs: 20,
        }
    }

    fn answer(matrix: DMatrix<f64>, order: usize) -> Answer {
        certify(matrix, order, false, &limits(100_000), &Seed::root(0)).unwrap()
    }

    #[test]
    fn an_orthonormal_matrix_is_certified_by_everything_that_was_examined() {
        let found = answer(DMatrix::identity(6, 6), 4);
        assert_eq!(found.json["coherence"], 0.0);
        assert_eq!(found.json["babel"].as_array().unwrap().len(), 4);
        assert_eq!(found.json["welch"], 0.0);
        assert!(found.json["rip"]["exact"].as_f64().unwrap() < 1e-13);
        for g in found.json["guarantees"].as_array().unwrap() {
            assert_eq!(g["largest_nonzeros"], g["examined_up_to"], "{g}");
            assert_eq!(g["vacuous"], false);
        }
    }

    #[test]
    fn equal_columns_leave_every_guarantee_empty_and_the_page_says_so() {
        let found = answer(DMatrix::from_element(3, 4, 3f64.sqrt().recip()), 2);
        assert!(
            found.json["guarantees"]
                .as_array()
                .unwrap()
                .iter()
                .all(|g| g["vacuous"] == true)
        );
        assert_eq!(found.json["rip"]["witness"].as_array().unwrap().len(), 2);
        assert!(found.text.contains("none"), "{}", found.text);
    }

    #[test]
    fn without_enumeration_the_exact_value_is_null_and_the_interval_stands() {
        let a = DMatrix::from_fn(5, 9, |i, j| ((i * 7 + j * j * 3 + 1) % 11) as f64 / 11.0 - 0.4);
        let found = certify(a.clone(), 3, false, &limits(0), &Seed::root(0)).unwrap();
        assert!(found.json["rip"]["exact"].is_null());
        let exact = answer(a, 3).json["rip"]["exact"].as_f64().unwrap();
        let end = |name: &str| found.json["rip"][name].as_f64().unwrap();
        assert!(end("lower") <= exact && exact <= end("upper"));
    }

    #[test]
    fn an_order_without_meaning_is_an_argument_error() {
        for order in [0, 3] {
            let refused = certify(DMatrix::identity(2, 2), order, false, &limits(100), &Seed::root(0));
            assert!(matches!(refused, Err(ticketsense::Error::Argument { .. })));
        }
    }
}
