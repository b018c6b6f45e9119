//! Products with the Hessian of LeNet-300-100 a second, as one JSON object: what `benches/peers/curvature.py` sets beside others.
//!
//! ```text
//! cargo run --release --example curvature_speed -- --folder DIR [--way kept|moved|scratch|lanczos] [--products 40]
//! ```
//!
//! The folder holds x.npy, y.npy, theta.npy and v.npy: inputs a row a sample, labels, parameters and direction in the order of
//! the layout. Written there is product.npy. *Kept* is products at one point, *moved* another point in the same room and a
//! product, *scratch* an operator made anew and a product, *lanczos* so many Lanczos steps from one direction at one point, with
//! full reorthogonalisation and the residuals of all Ritz values. Single precision, one thread, time of the processor.

use std::path::PathBuf;
use std::time::Instant;
use ticketsense::data::npy;
use ticketsense::linalg::lanczos::Lanczos;
use ticketsense::linearize::{Curvature, CurvatureKind};
use ticketsense::networks::{Array, Loss, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::{Error, Result, Seed};

fn option(name: &str, default: &str) -> String {
    let words: Vec<String> = std::env::args().collect();
    let place = words.iter().position(|word| *word == format!("--{name}"));
    place
        .and_then(|place| words.get(place + 1))
        .map_or(default, String::as_str)
        .to_string()
}

/// Processor seconds of this thread so far, where the system tells; else seconds.
fn processor_seconds(since: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: Option<f64> = text.split_whitespace().next().and_then(|word| word.parse().ok());
    nanoseconds.map_or(since.elapsed().as_secs_f64(), |n| n * 1e-9)
}

fn main() -> Result<()> {
    let folder = PathBuf::from(option("folder", "."));
    let (way, word) = (option("way", "kept"), option("products", "40"));
    let products: usize = word
        .parse()
        .map_err(|_| Error::argument("products", "a whole number", word))?;
    let x = npy::read_matrix(folder.join("x.npy"))?;
    let inputs = Array::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] as f32);
    let labels: Vec<usize> = npy::read_vector(folder.join("y.npy"))?
        .iter()
        .map(|y| *y as usize)
        .collect();
    let single = |name: &str| -> Result<Vec<f32>> {
        let values = npy::read_vector(folder.join(name))?;
        Ok(values.iter().map(|v| *v as f32).collect())
    };
    let (theta, v) = (single("theta.npy")?, single("v.npy")?);
    let classes = labels.iter().max().map_or(0, |y| y + 1);
    let network = Network::preset("lenet-300-100", x.ncols(), classes)?;
    let (kind, loss, all) = (
        CurvatureKind::Hessian,
        Loss::CrossEntropy,
        network.layout().full_mask().support(),
    );
    let make = || Curvature::new(kind, &network, &theta, &inputs, &labels, loss, &all);
    let (mut at, mut product) = (make()?, vec![0.0f32; theta.len()]);
    if way == "lanczos" {
        let method = Lanczos {
            max_steps: products,
            tolerance: 0.0,
        };
        let clock = Instant::now();
        let found = method.symmetric(theta.len(), |x, y| at.apply_into(x, y), &Seed::root(0))?;
        println!(
            "{}",
            serde_json::json!({
                "way": way, "steps": found.steps, "applications": found.applications, "largest": found.largest().value,
                "residual": found.largest().residual_norm, "seconds": clock.elapsed().as_secs_f64(),
            })
        );
        return Ok(());
    }
    let mut once = || -> Result<()> {
        match way.as_str() {
            "kept" => {}
            "moved" => at.move_to(&theta, &inputs, &labels)?,
            "scratch" => at = make()?,
            other => return Err(Error::unknown("way", other, ["kept", "moved", "scratch"])),
        }
        at.product_into(&v, &mut product);
        Ok(())
    };
    once()?;
    let clock = Instant::now();
    let before = processor_seconds(clock);
    for _ in 0..products {
        once()?;
    }
    let seconds = processor_seconds(clock) - before;
    let found: Vec<f64> = product.iter().map(|v| f64::from(*v)).collect();
    npy::write_vector(folder.join("product.npy"), &found)?;
    println!(
        "{}",
        serde_json::json!({ "way": way, "samples": inputs.rows(), "products_per_processor_second": products as f64 / seconds })
    );
    Ok(())
}
