//! The claims about cost, read off the table.

use super::structured::{BIASES, END, INTERIOR, NORMALISATION};
use super::{OPERATIONS, STRUCTURED};
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::networks::SPARSE_DENSITY_SINGLE;
use ticketsense::table::{Record, Table};
use ticketsense::theory::mask_breakeven::index_list_break_even;
use ticketsense::{Error, Result};

/// Bits of a stored weight, and of an index.
const BITS: u32 = 32;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "B4",
        name: "sparse-flops",
        statement: "A pass over an unstructured sparse network takes two operations for every use of a kept weight, so that 90 % \
             zeros skip 90 % of the operations.",
        source: "elementary; Williams, Waterman & Patterson, CACM 2009 (roofline) for the time",
        expected: Expected::HoldsUnder,
        tolerance_rule: "Zero: whole numbers. That the counted pass computes the network is held against the sum of rounding \
             errors of both computations, carried along with every entry.",
        check: sparse_operations,
    },
    Claim {
        id: "B6",
        name: "structured-flops",
        statement: "Keeping the fraction r of every hidden width leaves r^2 of the weights and multiply-adds between hidden \
             layers and r of those of the first and the last layer, of biases and of normalisations; a shortcut forces equal \
             widths.",
        source: "Li, Kadav, Durdanovic, Samet & Graf, ICLR 2017, arXiv:1608.08710; elementary",
        expected: Expected::Holds,
        tolerance_rule: "Zero: whole numbers against the closed form in whole channels, and against r^2 and r themselves where \
             the fraction leaves whole channels.",
        check: structured_counts,
    },
];

/// A count of a row, as a number without sign.
fn count(record: &Record<'_>, column: &str) -> Result<u128> {
    let value = record.integer(column)?;
    u128::try_from(value).map_err(|_| Error::argument(column, "a count", value))
}

/// What was compared, how often it was wrong, and where first.
#[derive(Default)]
struct Tally {
    compared: usize,
    wrong: usize,
    first: Option<String>,
}

impl Tally {
    fn compare(&mut self, what: &str, place: &str, found: u128, expected: u128) {
        self.check(found == expected, || {
            format!("{place}: {what} {found}, {expected} expected")
        });
    }

    fn check(&mut self, right: bool, told: impl FnOnce() -> String) {
        self.compared += 1;
        if !right {
            self.wrong += 1;
            self.first.get_or_insert_with(told);
        }
    }
}

fn sparse_operations(table: &Table) -> Result<Verdict> {
    let mut tally = Tally::default();
    let (mut deviation, mut passes, mut in_kernels) = (0.0_f64, 0, 0);
    // The case whose share of operations is farthest from its share of weights.
    let mut farthest: Option<(f64, f64, String)> = None;
    let (mut even, mut crossed) = (0, 0);
    for record in table.filter(|r| r.text("part").is_ok_and(|part| part == OPERATIONS)) {
        passes += 1;
        let place = format!(
            "{}, {} mask, density {:.3}, seed {}",
            record.text("network")?,
            record.text("mask")?,
            record.real("density")?,
            record.integer("seed")?
        );
        let [weights, kept, full, stated] = ["weights", "kept", "full_multiply_adds", "multiply_adds"];
        let (weights, kept) = (count(&record, weights)?, count(&record, kept)?);
        let (full, stated) = (count(&record, full)?, count(&record, stated)?);
        tally.compare("multiplications", &place, count(&record, "products")?, stated);
        tally.compare("additions", &place, count(&record, "sums")?, stated);
        let kernel = count(&record, "kernel_multiply_adds")?;
        if record.real("largest_layer_density")? < SPARSE_DENSITY_SINGLE {
            in_kernels += 1;
            tally.compare("multiply-adds in the training kernels", &place, kernel, stated);
        }
        tally.check(stated <= kernel && kernel <= full, || {
            format!("{place}: {kernel} multiply-adds in the training kernels, outside {stated} to {full}")
        });
        let apart = record.real("deviation")?;
        // Not a number is no agreement.
        tally.check(apart <= 1.0, || format!("{place}: outputs {apart} bounds apart"));
        deviation = deviation.max(apart);
        // Stored bits: two words a kept weight and one a row start.
        let (compressed, dense) = (count(&record, "compressed_bits")?, count(&record, "full_bits")?);
        let words = 2 * kept + count(&record, "rows")?;
        tally.compare("stored bits", &place, compressed, u128::from(BITS) * words);
        crossed += usize::from(compressed < dense);
        // Shares as whole numbers: stated / full against kept / weights.
        if stated * weights == kept * full {
            even += 1;
        } else {
            let (share, density) = (stated as f64 / full as f64, kept as f64 / weights as f64);
            if farthest
                .as_ref()
                .is_none_or(|(s, d, _)| (share / density).ln().abs() > (s / d).ln().abs())
            {
                farthest = Some((share, density, place));
            }
        }
    }
    let break_even = index_list_break_even(f64::from(BITS), f64::from(BITS))?.density;
    let decision = if passes == 0 {
        Decision::Undecided {
            why: "no pass was counted".into(),
        }
    } else if tally.wrong > 0 {
        Decision::Fails
    } else {
        match &farthest {
            Some((share, density, place)) => Decision::HoldsUnder {
                condition: format!(
                    "two operations a use everywhere, but the skipped share is that of the zeros only where all weights are used \
                     equally often, as in dense layers: a mask of density {density:.3} leaves {:.1} % of the operations ({place}); \
                     and for operations, not for time",
                    100.0 * share
                ),
            },
            None => Decision::Holds,
        }
    };
    Ok(Verdict {
        decision,
        hypotheses: vec![
            "every sum begins at a bias, so that a kept weight is one multiplication and one addition a use".into(),
            format!(
                "the counted pass computes the network: outputs at most {deviation:.2} of the bound on rounding apart"
            ),
            format!(
                "training itself goes over the survivors alone where every layer is below density {SPARSE_DENSITY_SINGLE}: \
                 {in_kernels} of {passes} cases"
            ),
        ],
        statistic: ("comparisons of whole numbers that differ".into(), tally.wrong as f64),
        tolerance: 0.0,
        evidence: format!(
            "{} comparisons over {passes} masked networks, {} differ. The share of operations is exactly the density in {even} of \
             them. Compressed rows of 32-bit values and indices are smaller than full ones in {crossed}: the model puts the \
             break-even at density {break_even}, row starts apart.",
            tally.compared, tally.wrong
        ),
        counterexample: tally.first,
    })
}

fn structured_counts(table: &Table) -> Result<Verdict> {
    let mut tally = Tally::default();
    let (mut networks, mut lawful, mut refused, mut torn) = (Vec::new(), 0, 0, 0);
    for record in table.filter(|r| r.text("part").is_ok_and(|part| part == STRUCTURED)) {
        let (network, fraction) = (record.text("network")?, record.real("kept_fraction")?);
        if !networks.contains(&network) {
            networks.push(network);
        }
        let splits = network.contains("one end");
        if record.integer("refused")? != 0 {
            refused += 1;
            tally.check(splits && fraction < 1.0, || format!("{network} at {fraction}: refused"));
            continue;
        }
        torn += usize::from(splits && fraction < 1.0);
        let place = format!("{network} at {fraction}, {}", record.text("slot")?);
        let (parameters, full) = (count(&record, "parameters")?, count(&record, "full_parameters")?);
        tally.compare(
            "parameters",
            &place,
            parameters,
            count(&record, "predicted_parameters")?,
        );
        let uses = count(&record, "uses")?;
        if record.optional_real("predicted_multiply_adds")?.is_some() {
            let predicted = count(&record, "predicted_multiply_adds")?;
            tally.compare("multiply-adds", &place, parameters * uses, predicted);
        }
        if record.integer("exact")? == 1 {
            // Fractions here are eighths: r = p/8 as whole numbers.
            let eighths = (8.0 * fraction).round() as u128;
            let (found, law) = match record.text("place")? {
                INTERIOR => (64 * parameters, eighths * eighths * full),
                END | BIASES | NORMALISATION => (8 * parameters, eighths * full),
                _ => (parameters, full),
            };
            lawful += 1;
            tally.compare("parameters, scaled to whole numbers,", &place, found, law);
        }
    }
    tally.check(torn == 0, || {
        format!("{torn} slots of a network whose shortcut has another width")
    });
    let decision = if networks.is_empty() {
        Decision::Undecided {
            why: "no network was built".into(),
        }
    } else if tally.wrong > 0 {
        Decision::Fails
    } else if refused == 0 {
        Decision::Undecided {
            why: "no shortcut of another width was tried".into(),
        }
    } else {
        Decision::Holds
    };
    Ok(Verdict {
        decision,
        hypotheses: vec![
            "one group: every output sees every input; a depthwise layer is linear in its width, by the closed form"
                .into(),
            "padding and strides as before, so that positions stay".into(),
            format!("{refused} networks with a branch narrower than its shortcut were refused"),
        ],
        statistic: ("comparisons of whole numbers that differ".into(), tally.wrong as f64),
        tolerance: 0.0,
        evidence: format!(
            "{} comparisons over {} networks, {} differ; {lawful} of them are of r^2 and r themselves.",
            tally.compared,
            networks.len(),
            tally.wrong
        ),
        counterexample: tally.first,
    })
}
