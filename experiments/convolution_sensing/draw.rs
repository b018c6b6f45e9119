//! The figure.

use super::checks::PICTURED;
use super::claims::{agreements, part, worst_stated};
use super::removal::{BANKS, ENERGY_RULE, LOW_PASS, RULES};
use super::{LAYOUTS, REGIMES};
use std::f64::consts::TAU;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;
/// Where agreement to rounding stands on a logarithmic axis.
const FLOOR: f64 = 1e-17;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 340.0)
        .panel(transfers(table)?)
        .panel(lags(table)?)
        .panel(padding(table)?)
        .panel(exceptions(table)?)
        .panel(named(table, BANKS[0])?)
        .panel(named(table, BANKS[1])?)
        .panel(rules(table, "random banks of 4", |rule, energies| {
            energies == if rule == ENERGY_RULE { "varied" } else { "unit" }
        })?)
        .panel(rules(table, "first layers of 6, trained and not", |_, energies| energies == "own")?)
        .caption(
            "Flat: [1, 1, 1, −1]/2, delta: an impulse, binomial: [1, 3, 3, 1]/√20, box: [1, 1, 1, 1]/2. (c) The box kernel \
             padded with zeros, between the bounds by interlacing. (d) Largest distance of δ_1 and δ_2, and excess of δ_3 and δ_4, \
             over 1 + δ; clear: 2K − 1 ≤ N, double: K ≤ N < 2K − 1, wrapped: K > N. (e, f) By enumeration, columns of unit \
             length. (g, h) How often no removal gives a smaller δ_2 than the rule's, with 95 % intervals; dashed: a kernel \
             chosen blindly. Both: least correlated and well structured. (g) Kernels of equal energy, but of energies from \
             1/4 to 4 for the last rule.",
        ))
}

fn curve(table: &Table, name: &'static str, kernel: &str, x: impl Fn(f64) -> f64) -> Result<Vec<(f64, f64)>> {
    let mut points = Vec::new();
    for row in part(table, name) {
        if row.text("case")? == kernel {
            let scale = row.integer("positions")? as f64;
            let index = row.integer("index")? as f64;
            let at = if name == "transfer" { TAU * index / scale } else { index };
            points.push((x(at), row.real("value")?));
        }
    }
    Ok(points)
}

fn transfers(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Singular values by frequency",
        Axis::linear("frequency ω"),
        Axis::linear("singular value |ĥ(ω)|").range(0.0, 2.1),
    );
    for kernel in PICTURED {
        panel = panel.series(Series::line(kernel, curve(table, "transfer", kernel, |x| x)?));
    }
    Ok(panel)
}

fn lags(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Inner products of columns by lag",
        Axis::linear("lag τ"),
        Axis::linear("autocorrelation r[τ]"),
    )
    .horizontal(0.0, "");
    for kernel in PICTURED {
        panel = panel.series(Series::points(kernel, curve(table, "lag", kernel, |x| x)?).connected());
    }
    Ok(panel)
}

fn padding(table: &Table) -> Result<Panel> {
    let (mut band, mut exact, mut circular) = (Vec::new(), Vec::new(), Vec::new());
    for row in part(table, "bracket") {
        let x = row.integer("index")? as f64;
        band.push((x, row.real("lower")?, row.real("upper")?));
        exact.push((x, row.real("value")?));
        circular.push((x, row.real("circular")?));
    }
    Ok(Panel::new(
        "Zero padding is not circulant",
        Axis::linear("place j"),
        Axis::linear("singular value σ_j"),
    )
    .series(Series::band("bounds by interlacing", band).colour(Colour::GREY))
    .series(Series::line("circular", circular).colour(Colour::BLACK).dashed())
    .series(Series::points("padded with zeros", exact).colour(Colour::SKY)))
}

fn exceptions(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Constants as stated, against all supports",
        Axis::categories("where the kernel stands", REGIMES),
        Axis::log("relative miss").range(FLOOR, 10.0),
    )
    .horizontal(1e-12, "tolerance");
    for (unit, label) in [(true, "energy 1"), (false, "other energies")] {
        let mut points = Vec::new();
        for (at, regime) in REGIMES.into_iter().enumerate() {
            if let Some((miss, _)) = worst_stated(table, regime, unit)? {
                points.push((at as f64, miss.max(2.0 * FLOOR)));
            }
        }
        panel = panel.series(Series::points(label, points).colour(if unit { Colour::PURPLE } else { Colour::ORANGE }));
    }
    Ok(panel)
}

fn named(table: &Table, bank: &str) -> Result<Panel> {
    let removed = ["none", bank, LOW_PASS[0], LOW_PASS[1]];
    let mut panel = Panel::new(
        format!("Removal from {bank}, {} and {}", LOW_PASS[0], LOW_PASS[1]),
        Axis::categories("removed", removed),
        Axis::linear("δ_2 of what is left").range(0.0, 1.0),
    );
    for layout in LAYOUTS {
        let mut bars = Vec::new();
        for row in part(table, "removal") {
            if row.text("case")? == bank && row.text("layout")? == layout {
                let name = row.text("removed")?;
                if let Some(at) = removed.iter().position(|r| *r == name) {
                    bars.push((at as f64, row.real("delta")?));
                }
            }
        }
        panel = panel.series(Series::bars(layout_words(layout), bars).colour(layout_colour(layout)));
    }
    Ok(panel)
}

fn rules(table: &Table, title: &str, of: impl Fn(&str, &str) -> bool) -> Result<Panel> {
    const SHORT: [&str; 5] = ["both", "uncorrelated", "correlated", "unstructured", "least energy"];
    let mut chance = 0.0;
    let mut panel = Panel::new(
        format!("Rules on {title}"),
        Axis::categories("the rule removes the kernel", SHORT),
        Axis::linear("share in which it is the best").range(0.0, 1.0),
    );
    for layout in LAYOUTS {
        let mut bars = Vec::new();
        for (at, rule) in RULES.into_iter().enumerate() {
            let groups = agreements(table, rule)?;
            let (mut agree, mut trials) = (0, 0);
            for group in groups.iter().filter(|g| g.layout == layout && of(rule, &g.energies)) {
                agree += group.agree.successes();
                trials += group.agree.trials();
                chance = group.chance;
            }
            if trials > 0 {
                let count = BinomialCount::new(agree, trials)?;
                let interval = count.interval(LEVEL)?;
                bars.push((at as f64, count.proportion(), interval.lower, interval.upper));
            }
        }
        panel = panel.series(Series::measured_bars(layout_words(layout), bars).colour(layout_colour(layout)));
    }
    Ok(panel.horizontal(chance, ""))
}

fn layout_words(layout: &str) -> &'static str {
    match layout {
        "blocks" => "kernels as blocks of columns",
        _ => "kernels stacked as outputs",
    }
}

fn layout_colour(layout: &str) -> Colour {
    match layout {
        "blocks" => Colour::BLUE,
        _ => Colour::VERMILION,
    }
}
