use super::*;
use crate::cli::test_folder::Folder;
use ticketsense::data::npy;

fn ask(words: &[&str]) -> Result<Answer> {
    let line = ["curvature"].iter().chain(words);
    run(&command().try_get_matches_from(line).unwrap())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn four_networks_stand_side_by_side_and_a_mask_raises_no_largest_eigenvalue_of_a_linear_one() {
    let folder = Folder::new("curvature");
    let path = folder.path("m.npy");
    let network = Network::preset("linear", 64, 10).unwrap();
    let bits: Vec<f64> = (0..network.layout().prunable())
        .map(|i| f64::from(u8::from(i % 3 > 0)))
        .collect();
    npy::write_vector(&path, &bits).unwrap();
    let words = [
        "--network",
        "linear",
        "--samples",
        "40",
        "--loss",
        "squared",
        "--kind",
        "gauss-newton",
    ];
    let found = ask(&[&words[..], &["--mask", &path, "--steps", "20"]].concat()).unwrap();
    let columns = found.json["columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dense", "mask", "random", "re-initialised"]);
    // A linear network has the same curvature at all weights, and a principal submatrix has no larger eigenvalue.
    assert_eq!(columns[1]["lambda_max"], columns[3]["lambda_max"]);
    assert!(number(&columns[1]["lambda_max"]) <= number(&columns[0]["lambda_max_bound"]));
    assert_eq!(columns[1]["order"], columns[2]["order"]);
    for column in columns {
        let exact = number(&column["nonzero_spectrum"]["lambda_min_nonzero"])
            * number(&column["nonzero_spectrum"]["condition"]);
        assert!(number(&column["lambda_max"]) <= exact * (1.0 + 1e-9));
        assert!(number(&column["lambda_max_bound"]) >= exact * (1.0 - 1e-9));
        assert_eq!(number(&column["negative_fraction"]["value"]), 0.0);
    }
    assert!(found.text.contains("condition, nonzero") && found.text.contains("re-initialised"));
}

#[test]
fn without_a_mask_two_stand_and_steps_beyond_the_parameters_are_cut_with_a_word() {
    let words = [
        "--network",
        "mlp:1:tanh",
        "--samples",
        "20",
        "--steps",
        "500",
        "--probes",
        "2",
    ];
    let found = ask(&words).unwrap();
    assert_eq!(found.json["columns"].as_array().unwrap().len(), 2);
    assert!(number(&found.json["columns"][0]["steps"]) <= 85.0);
    assert!(found.text.contains("so many steps"), "{}", found.text);
    assert!(number(&found.json["columns"][0]["lambda_min"]) < 0.0);
}

#[test]
fn several_checkpoints_stand_side_by_side_and_single_precision_agrees_with_double() {
    let folder = Folder::new("curvature-along");
    let network = Network::preset("mlp:6:tanh", 64, 10).unwrap();
    let full = network.layout().full_mask();
    let paths: Vec<String> = (0..3)
        .map(|k| {
            let path = folder.path(&format!("step{k}.ckpt"));
            let theta = network.initial::<f32>(&Seed::root(k), &Initialisation::HE).unwrap();
            network_files::weights(&network, &theta, &full).save(&path).unwrap();
            path
        })
        .collect();
    let words = [
        "--network",
        "mlp:6:tanh",
        "--samples",
        "40",
        "--steps",
        "40",
        "--checkpoint",
    ];
    let along: Vec<&str> = words.into_iter().chain(paths.iter().map(String::as_str)).collect();
    let found = ask(&along).unwrap();
    let columns = found.json["columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["step0", "step1", "step2"]);
    // Each is what stands under "dense" when it is asked for alone.
    for (path, column) in paths.iter().zip(columns) {
        let alone = ask(&[&words[..], &[path.as_str()]].concat()).unwrap();
        let dense = &alone.json["columns"][0];
        for field in ["lambda_max", "lambda_min", "loss", "order"] {
            assert_eq!(dense[field], column[field]);
        }
    }
    let single = ask(&[&along[..], &["--precision", "single"]].concat()).unwrap();
    for (one, other) in columns.iter().zip(single.json["columns"].as_array().unwrap()) {
        let (a, b) = (number(&one["lambda_max"]), number(&other["lambda_max"]));
        // Sums over 40 samples and at most 64 terms a layer, a few layers deep.
        assert!((a - b).abs() <= 1e3 * f64::from(f32::EPSILON) * a, "{a} {b}");
        assert_ne!(a, b);
    }
}

#[test]
fn two_hundred_samples_of_ten_classes_have_a_condition_number_and_a_certain_bound() {
    let words = [
        "--network",
        "mlp:3",
        "--kind",
        "gauss-newton",
        "--steps",
        "30",
        "--probes",
        "3",
    ];
    let found = ask(&words).unwrap();
    for column in found.json["columns"].as_array().unwrap() {
        let spectrum = &column["nonzero_spectrum"];
        let exact = number(&spectrum["lambda_min_nonzero"]) * number(&spectrum["condition"]);
        assert!(number(&column["lambda_max"]) <= exact * (1.0 + 1e-9));
        let proven = number(&column["lambda_max_proven"]);
        assert!(proven >= exact * (1.0 - 1e-9), "{proven} {exact}");
    }
    assert!(found.text.contains("at most (certain)"));
    let more = ask(&[&words[..], &["--samples", "260"]].concat()).unwrap();
    assert!(more.text.contains("too many outputs") && more.json["columns"][0]["nonzero_spectrum"].is_null());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new("curvature-refusals");
    let path = folder.path("m.npy");
    let with = |words: &[&str]| ask(&[&["--network", "mlp:3", "--samples", "10"], words].concat());
    npy::write_vector(&path, &vec![0.0; 64 * 3 + 30]).unwrap();
    assert!(matches!(with(&["--mask", &path]), Err(Error::Argument { .. })));
    npy::write_vector(&path, &[1.0; 7]).unwrap();
    assert!(matches!(with(&["--mask", &path]), Err(Error::Format { .. })));
    for words in [["--steps", "0"], ["--probes", "1"], ["--samples", "0"]] {
        let line = [&["--network", "mlp:3"][..], &words[..]].concat();
        assert!(matches!(ask(&line), Err(Error::Argument { .. })), "{words:?}");
    }
    assert!(matches!(with(&["--kind", "fisher"]), Err(Error::Unknown { .. })));
    assert!(matches!(with(&["--loss", "hinge"]), Err(Error::Unknown { .. })));
}
