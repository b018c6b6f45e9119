use super::*;
use crate::networks::Activation;
use crate::seed::Seed;

fn check<T: Real>(preset: &str, epsilon: f64) {
    let network = Network::preset(preset, 5, 3).unwrap();
    let initialisation = "lecun:bias=0.4".parse().unwrap();
    let theta: Vec<T> = network.initial(&Seed::root(2), &initialisation).unwrap();
    let inputs = Array::from_fn(11, 5, |i, j| T::of(((7 * i + 3 * j) % 9) as f64 / 4.0 - 1.0));
    let labels: Vec<usize> = (0..11).map(|i| i % 3).collect();
    let rows = [9usize, 2, 4, 4];
    let mut workspace = Workspace::new(&network, &network.layout().full_mask(), 4);
    for loss in Loss::ALL {
        let targets = loss.targets((&labels).into(), 11, 3).unwrap();
        let picked = inputs.select_rows(&rows).unwrap();
        let picked_labels: Vec<usize> = rows.iter().map(|&r| labels[r]).collect();
        let (value, expected) = network.gradient(&theta, &picked, &picked_labels, loss).unwrap();
        let mut gradient = vec![T::of(f64::NAN); theta.len()];
        let fast = workspace.loss_and_gradient(&theta, &inputs, &targets, &rows, loss, &mut gradient);
        // The same few hundred products, added in another order.
        let tolerance = 1e3 * epsilon;
        assert!((fast - value).abs() <= tolerance * (1.0 + value), "{preset} {loss}");
        for (a, b) in gradient.iter().zip(&expected) {
            let (a, b) = (a.to_f64(), b.to_f64());
            assert!(
                (a - b).abs() <= tolerance * (1.0 + b.abs()),
                "{preset} {loss}: {a} against {b}"
            );
        }
        let score = workspace.score(&theta, &inputs, &targets, loss);
        let whole = network.loss(&theta, &inputs, &labels, loss).unwrap();
        assert!(
            (score.loss - whole).abs() <= tolerance * (1.0 + whole),
            "{preset} {loss}"
        );
        assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
    }
}

#[test]
fn the_path_in_place_gives_the_gradient_of_the_generic_one() {
    for activation in Activation::ALL {
        for rest in ["", ":no-bias"] {
            check::<f64>(&format!("mlp:7-4:{activation}{rest}"), f64::EPSILON);
            check::<f32>(&format!("mlp:7-4:{activation}{rest}"), f64::from(f32::EPSILON));
        }
    }
    check::<f64>("linear", f64::EPSILON);
}

#[test]
fn a_short_batch_after_a_long_one_leaves_nothing_behind() {
    let network = Network::preset("mlp:4", 3, 2).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(2), &Default::default()).unwrap();
    let inputs = Array::from_fn(6, 3, |i, j| (i + j) as f64 / 3.0 - 1.0);
    let targets = Loss::Squared
        .targets((&[0usize, 1, 0, 1, 1, 0][..]).into(), 6, 2)
        .unwrap();
    let run = |workspace: &mut Workspace<f64>, rows: &[usize]| {
        let mut gradient = vec![0.0; theta.len()];
        workspace.loss_and_gradient(&theta, &inputs, &targets, rows, Loss::Squared, &mut gradient);
        gradient
    };
    let fresh = run(&mut Workspace::new(&network, &network.layout().full_mask(), 6), &[5]);
    let mut used = Workspace::new(&network, &network.layout().full_mask(), 6);
    run(&mut used, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(run(&mut used, &[5]), fresh);
}
