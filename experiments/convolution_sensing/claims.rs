//! What is claimed about convolution layers, and the checks, pure functions of the table.

use super::removal::RULES;
use super::{LAYOUTS, REGIMES};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::{Record, Table};

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "I9",
        name: "circulant-rip",
        statement: "A one-dimensional circular convolution layer is a block matrix of circulants: its singular values are those of \
             the transfer matrices at all frequencies, δ_1 = |r[0] − 1| from the kernels' energy, δ_2 = max |r[τ]| and δ_k at \
             most the sum of the k − 1 largest |r[τ]| from their correlations.",
        source: "Davis, Circulant Matrices, 1979; Sedghi, Gupta & Long, ICLR 2019; Gershgorin's discs",
        expected: Expected::HoldsUnder,
        tolerance_rule: "1e-12 of the largest singular value, and 1e-12 (1 + δ) for constants: closed form against closed form. \
             Constants are enumerated over all supports. Outside of the theorem's conditions the same comparison counts as \
             exception, not as refutation",
        check: circulant,
    },
    Claim {
        id: "I10",
        name: "filter-removal",
        statement: "Removing the kernels that are weakly correlated with the others and well structured themselves improves the \
             restricted isometry of the layer.",
        source: "elementary: r is the mean of the kernels' autocorrelations where they are stacked, and δ_2 the largest \
             correlation of any two columns where they are blocks",
        expected: Expected::Fails,
        tolerance_rule: "zero for the named banks, by enumeration: the removal with the smallest δ_2. Random banks: \
             Clopper-Pearson intervals at 0.001 shared by all families and layouts, for how often no removal is better than \
             the rule's, against a kernel chosen blindly, one over their number",
        check: removal,
    },
];

/// Level of a whole claim.
const LEVEL: f64 = 1e-3;
/// Relative tolerance of closed form against closed form.
const ROUNDING: f64 = 1e-12;

pub(super) fn part<'a>(table: &'a Table, name: &'static str) -> impl Iterator<Item = Record<'a>> {
    table.filter(move |record| record.text("part").is_ok_and(|part| part == name))
}

/// How far a constant is from what a formula says: both ways for orders 1 and 2, above a bound beyond. Over the
/// tolerance's scale.
fn miss(exact: f64, formula: f64, order: i64) -> f64 {
    let excess = exact - formula;
    let miss = if order <= 2 { excess.abs() } else { excess.max(0.0) };
    // Not a number is no agreement.
    if miss.is_nan() {
        f64::INFINITY
    } else {
        miss / (1.0 + exact.abs())
    }
}

/// How far, at worst, the stated constants are off in a regime, with unit energies or with others; nothing without rows.
pub(super) fn worst_stated(table: &Table, regime: &str, unit: bool) -> Result<Option<(f64, String)>> {
    let mut worst: Option<(f64, String)> = None;
    for row in part(table, "isometry") {
        if row.text("regime")? != regime || (row.integer("unit")? == 1) != unit {
            continue;
        }
        let (exact, stated, order) = (row.real("exact")?, row.real("stated")?, row.integer("order")?);
        let found = miss(exact, stated, order);
        if worst.as_ref().is_none_or(|(w, _)| found > *w) {
            let words = format!(
                "{}, {} taps on {} positions ({regime}): δ_{order} = {exact:.3}, stated {}{stated:.3}",
                row.text("layout")?,
                row.integer("taps")?,
                row.integer("positions")?,
                if order > 2 { "at most " } else { "" }
            );
            worst = Some((found, words));
        }
    }
    Ok(worst)
}

fn circulant(table: &Table) -> Result<Verdict> {
    let statistic = "largest relative deviation within the conditions";
    let (mut worst, mut refuted) = (0.0f64, None);
    let (mut spectra, mut constants, mut bounds) = (0, 0, 0);
    let mut meet = |deviation: f64, told: &dyn Fn() -> Result<String>| -> Result<()> {
        // Not a number is no agreement.
        let deviation = if deviation.is_nan() { f64::INFINITY } else { deviation };
        worst = worst.max(deviation);
        if deviation > ROUNDING && refuted.is_none() {
            refuted = Some(told()?);
        }
        Ok(())
    };
    for row in part(table, "spectrum") {
        spectra += 1;
        let deviation = row.real("deviation")?;
        meet(deviation, &|| {
            Ok(format!("{}: singular values off by {deviation:e}", row.text("case")?))
        })?;
    }
    let (mut padded, mut brackets) = (0.0f64, 0);
    for row in part(table, "padding") {
        brackets += 1;
        padded = padded.max(row.real("deviation")?);
        let outside = row.real("outside")?;
        meet(outside, &|| {
            Ok(format!("{}: outside of the bracket by {outside:e}", row.text("case")?))
        })?;
    }
    for row in part(table, "isometry") {
        let (exact, order) = (row.real("exact")?, row.integer("order")?);
        if order <= 2 {
            constants += 1;
        } else {
            bounds += 1;
        }
        let describe = |formula: f64| -> Result<String> {
            let (layout, regime) = (row.text("layout")?, row.text("regime")?);
            Ok(format!("{layout}, {regime}: δ_{order} = {exact}, {formula} by formula"))
        };
        if let Some(folded) = row.optional_real("folded")? {
            meet(miss(exact, folded, order), &|| describe(folded))?;
        }
        if row.text("regime")? == "clear" && row.integer("unit")? == 1 {
            let stated = row.real("stated")?;
            meet(miss(exact, stated, order), &|| describe(stated))?;
        }
    }
    let hypotheses = vec![
        "real kernels; one input or several, one output or several; lines and planes for the spectrum".to_string(),
        "constants of the matrix as given, orders 1 to 4, over all supports".to_string(),
        format!("zero padding: {brackets} layers with every singular value between the bounds by interlacing"),
    ];
    if spectra == 0 || constants == 0 {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "spectra and constants are both needed",
        ));
    }
    let mut exceptions = Vec::new();
    let mut farthest: Option<(f64, String)> = None;
    for regime in REGIMES {
        for unit in [true, false] {
            let Some((found, words)) = worst_stated(table, regime, unit)? else {
                continue;
            };
            if (regime, unit) == ("clear", true) || found <= ROUNDING {
                continue;
            }
            let energies = if unit { "unit energy" } else { "other energies" };
            exceptions.push(format!("{regime}, {energies}: {found:.2}"));
            if farthest.as_ref().is_none_or(|(f, _)| found > *f) {
                farthest = Some((found, words));
            }
        }
    }
    let decision = if refuted.is_some() {
        Decision::Fails
    } else if exceptions.is_empty() {
        Decision::Holds
    } else {
        Decision::HoldsUnder {
            condition: "circular boundary, columns of energy 1 and a signal of at least 2K − 1 positions; shorter signals need \
                        the lags of the folded kernel, other energies the eigenvalues of pairs, and zero padding is not \
                        circulant"
                .into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), worst),
        tolerance: ROUNDING,
        evidence: format!(
            "{spectra} circular layers have the singular values of their transfer matrices; {constants} constants of order 1 \
             and 2 and {bounds} bounds of order 3 and 4 follow from the lags of the folded kernels. As stated, from the kernels \
             as given, they are off, at worst and over 1 + δ, by [{}]. Padded with zeros, singular values are up to {:.0} % of the \
             largest away from the circular ones",
            exceptions.join("; "),
            100.0 * padded
        ),
        counterexample: refuted.or(farthest.map(|(_, words)| words)),
    })
}

/// How often no removal was better than a rule's, in all cells of a family and layout together.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    pub family: String,
    pub energies: String,
    pub layout: &'static str,
    pub agree: BinomialCount,
    pub improved: u64,
    pub worsened: u64,
    pub chance: f64,
}

/// The agreement of one rule by layout, family and energies.
pub(super) fn agreements(table: &Table, rule: &str) -> Result<Vec<Agreement>> {
    let mut groups: Vec<(&'static str, String, String, [u64; 5])> = Vec::new();
    for layout in LAYOUTS {
        for row in part(table, "sweep") {
            if row.text("layout")? != layout || row.text("rule")? != rule {
                continue;
            }
            let key = (row.text("case")?, row.text("energies")?);
            let counts = ["agree", "trials", "improved", "worsened"].map(|name| row.integer(name).map(|c| c as u64));
            let [agree, trials, improved, worsened] = counts;
            let counts = [agree?, trials?, improved?, worsened?, row.integer("kernels")? as u64];
            match groups
                .iter_mut()
                .find(|g| g.0 == layout && (g.1.as_str(), g.2.as_str()) == key)
            {
                Some(group) => (0..4).for_each(|i| group.3[i] += counts[i]),
                None => groups.push((layout, key.0.to_string(), key.1.to_string(), counts)),
            }
        }
    }
    groups
        .into_iter()
        .map(
            |(layout, family, energies, [agree, trials, improved, worsened, kernels])| {
                Ok(Agreement {
                    family,
                    energies,
                    layout,
                    agree: BinomialCount::new(agree, trials)?,
                    improved,
                    worsened,
                    chance: 1.0 / kernels.max(1) as f64,
                })
            },
        )
        .collect()
}

/// Of a named bank in one layout: δ_2 of all kernels, of what is left without the flat one, and the smallest otherwise.
fn named_removal(table: &Table, bank: &str, layout: &str) -> Result<Option<[f64; 3]>> {
    let (mut before, mut without, mut others) = (None, None, f64::INFINITY);
    for row in part(table, "removal") {
        if row.text("case")? == bank && row.text("layout")? == layout {
            let delta = row.real("delta")?;
            match row.text("removed")? {
                "none" => before = Some(delta),
                name if name == bank => without = Some(delta),
                _ => others = others.min(delta),
            }
        }
    }
    Ok(before.zip(without).map(|(before, without)| [before, without, others]))
}

/// Shares as a range of percentages.
fn range(shares: impl Iterator<Item = f64>) -> String {
    let (low, high) = shares.fold((f64::INFINITY, 0.0f64), |(l, h), s| {
        (l.min(100.0 * s), h.max(100.0 * s))
    });
    match high - low {
        ..=0.05 => format!("{high:.1} %"),
        _ => format!("{low:.1} to {high:.1} %"),
    }
}

fn removal(table: &Table) -> Result<Verdict> {
    let statistic = "largest share of random banks in which no removal beats the rule's, upper end of its interval";
    let hypotheses = vec![
        "circular layers, one dimension; the trained ones in two".to_string(),
        "δ_2 after the scaling of the layer that makes it smallest; columns of unit length in the named banks".to_string(),
        "weakly correlated and well structured: the smallest of the largest cosines of a kernel's shifts with those of the \
         others and with its own"
            .to_string(),
    ];
    let (mut named, mut best, mut deltas) = (0, Vec::new(), Vec::new());
    let mut worst_removal: Option<(f64, String)> = None;
    for bank in super::removal::BANKS {
        for layout in LAYOUTS {
            if let Some([before, without, others]) = named_removal(table, bank, layout)? {
                named += 1;
                if without < others {
                    best.push(format!("{bank}, {layout}"));
                }
                let told = format!(
                    "{bank} in {layout}: {before:.3} with all, {without:.3} without it, {others:.3} without a low-pass one"
                );
                if worst_removal.as_ref().is_none_or(|(w, _)| without - before > *w) {
                    worst_removal = Some((without - before, told.clone()));
                }
                deltas.push(told);
            }
        }
    }
    let groups = agreements(table, RULES[0])?;
    let random: Vec<&Agreement> = groups.iter().filter(|g| g.energies != "own").collect();
    if named == 0 || random.is_empty() {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "named and random banks are both needed",
        ));
    }
    let level = LEVEL / groups.len() as f64;
    let (mut below, mut above, mut highest) = (0, Vec::new(), 0.0f64);
    for group in &random {
        let interval = group.agree.interval(level)?;
        highest = highest.max(interval.upper);
        below += usize::from(interval.upper < group.chance);
        if interval.lower > group.chance {
            above.push(format!(
                "{} kernels of {} energy in {}",
                group.family, group.energies, group.layout
            ));
        }
    }
    let decision = if best.len() == named && above.len() == random.len() {
        Decision::Holds
    } else if best.is_empty() && below == random.len() {
        Decision::Fails
    } else if best.is_empty() && above.is_empty() {
        Decision::Undecided {
            why: format!(
                "the rule is surely worse than chance in {below} of {} groups only",
                random.len()
            ),
        }
    } else {
        Decision::HoldsUnder {
            condition: [best.clone(), above].concat().join("; "),
        }
    };
    let other = |own: bool, layout: &str, count: fn(&Agreement) -> f64| -> String {
        let chosen = groups
            .iter()
            .filter(|g| (g.energies == "own") == own && g.layout == layout);
        range(chosen.map(count))
    };
    let best_share: fn(&Agreement) -> f64 = |g| g.agree.proportion();
    let worse_share: fn(&Agreement) -> f64 = |g| g.worsened as f64 / g.agree.trials().max(1) as f64;
    let better_share: fn(&Agreement) -> f64 = |g| g.improved as f64 / g.agree.trials().max(1) as f64;
    let told = |own: bool| {
        let counts = [best_share, better_share, worse_share];
        let [blocks, stack] = LAYOUTS.map(|layout| counts.map(|count| other(own, layout, count)));
        format!(
            "it is best in {} of the blocks and {} of the stacks, improves {} and {}, worsens {} and {}",
            blocks[0], stack[0], blocks[1], stack[1], blocks[2], stack[2]
        )
    };
    let plain = agreements(table, RULES[1])?;
    let worst = agreements(table, RULES[3])?;
    Ok(Verdict {
        counterexample: matches!(decision, Decision::Fails)
            .then_some(worst_removal.map(|(_, told)| told))
            .flatten(),
        decision,
        hypotheses,
        statistic: (statistic.into(), highest),
        tolerance: random.iter().map(|g| g.chance).fold(f64::INFINITY, f64::min),
        evidence: format!(
            "δ_2 of the named banks: {}. On random banks of 4 {}; on first layers of a network, before and after training, {}. \
             Weak correlation alone picks the best of random banks in {}, the largest autocorrelation in {}",
            deltas.join("; "),
            told(false),
            told(true),
            range(plain.iter().filter(|g| g.energies != "own").map(best_share)),
            range(worst.iter().filter(|g| g.energies != "own").map(best_share)),
        ),
    })
}
