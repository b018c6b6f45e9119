//! The words of makers, and what each of them refuses.

use super::tests::{Start, at};
use super::*;
use crate::networks::ImageShape;
use crate::outcome::Status;
use crate::pruning::{DesignPrior, Edge, Pattern, Spread, TrimOrder, UnitNorm};

#[test]
fn every_maker_has_a_word_of_its_own_that_is_read_back_and_unknown_ones_list_all() {
    let all = MaskMaker::all();
    for maker in &all {
        assert_eq!(maker.to_string().parse::<MaskMaker>().unwrap(), *maker);
    }
    let words: std::collections::BTreeSet<&str> = all.iter().map(|maker| maker.as_str()).collect();
    assert_eq!(words.len(), all.len());
    for criterion in Criterion::ALL {
        assert!(all.contains(&MaskMaker::Scores(criterion)), "{criterion}");
    }
    let error = "net-trip".parse::<MaskMaker>().unwrap_err().to_string();
    assert!(error.contains("did you mean 'net-trim'"), "{error}");
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn words_of_settings_are_read_back() {
    macro_rules! both_ways {
        ($($value:expr),+) => { $(
            let mut read = $value;
            read = read.to_string().parse().unwrap();
            assert_eq!(read, $value);
        )+ };
    }
    both_ways!(UnitKind::Neuron, UnitKind::Channel, UnitKind::Head);
    both_ways!(UnitNorm::AbsoluteSum, UnitNorm::Euclidean);
    both_ways!(DesignPrior::Equal, DesignPrior::Magnitude);
    both_ways!(Spread::Units, Spread::Layer, TrimOrder::Parallel, TrimOrder::Cascade);
    both_ways!(Edge::Refused, Edge::Ragged);
    assert!("l3".parse::<UnitNorm>().unwrap_err().to_string().contains("l1"));
}

#[test]
fn counts_beyond_candidates_or_rank_have_no_mask_and_say_why() {
    let start = Start::new("mlp:40");
    let (problem, _) = start.problem();
    let asked = (0.5 * start.network.layout().prunable() as f64).round() as usize;
    assert!(problem.rank_bound() < asked, "{}", problem.rank_bound());
    for word in ["omp", "lasso", "a-design", "d-design"] {
        let request = MaskRequest {
            damping: Some(0.0),
            ..at(word, 0.5)
        };
        let made = start.make(&request).unwrap();
        assert_eq!((made.status, &made.mask), (Status::Unattainable, &None), "{word}");
        let error = made.require().unwrap_err().to_string();
        let bound = format!("rank bound {}", problem.rank_bound());
        assert!(
            error.contains(&bound) && error.contains(&asked.to_string()) && error.contains(word),
            "{error}"
        );
        // Damping makes up for the rank.
        assert!(start.make(&at(word, 0.5)).unwrap().mask.is_some(), "{word}");
    }
    // Units that no sample switches on have no columns.
    let mut dead = Start::new("mlp:40");
    let slot = dead.network.layout().slot("dense0.bias").unwrap().range.clone();
    dead.theta[slot].fill(-1000.0);
    let error = dead.make(&at("niht", 0.5));
    assert!(
        error.is_err()
            || error
                .unwrap()
                .require()
                .unwrap_err()
                .to_string()
                .contains("dense0.weight")
    );
}

#[test]
fn what_is_not_used_is_refused_for_every_maker_and_setting() {
    let network = Network::preset("mlp:8-4", 8, 3).unwrap();
    let (mut used, mut refused) = (0, 0);
    for maker in MaskMaker::all() {
        let base = MaskRequest::new(maker);
        let with = [
            (
                Setting::Rounds,
                MaskRequest {
                    rounds: Some(2),
                    ..base.clone()
                },
            ),
            (
                Setting::Pattern,
                MaskRequest {
                    pattern: Some(Pattern::OfEvery { keep: 2, of: 4 }),
                    ..base.clone()
                },
            ),
            (
                Setting::Edge,
                MaskRequest {
                    edge: Some(Edge::Ragged),
                    ..base.clone()
                },
            ),
            (
                Setting::Norm,
                MaskRequest {
                    norm: Some(UnitNorm::Euclidean),
                    ..base.clone()
                },
            ),
            (
                Setting::Units,
                MaskRequest {
                    units: Some(UnitKind::Neuron),
                    ..base.clone()
                },
            ),
            (
                Setting::Damping,
                MaskRequest {
                    damping: Some(0.3),
                    ..base.clone()
                },
            ),
            (
                Setting::Solver,
                MaskRequest {
                    solver: Some(RecoveredBy::Omp),
                    ..base.clone()
                },
            ),
            (
                Setting::Prior,
                MaskRequest {
                    prior: Some(DesignPrior::Equal),
                    ..base.clone()
                },
            ),
            (
                Setting::Spread,
                MaskRequest {
                    spread: Some(Spread::Units),
                    ..base.clone()
                },
            ),
            (
                Setting::Order,
                MaskRequest {
                    order: Some(TrimOrder::Parallel),
                    ..base.clone()
                },
            ),
        ];
        if maker.check(&network).is_err() {
            assert!(
                matches!(maker, MaskMaker::Units(UnitKind::Channel | UnitKind::Head)),
                "{maker}"
            );
            continue;
        }
        for (setting, request) in with {
            match request.check(&network) {
                Ok(()) => {
                    assert!(base.takes(setting), "{maker} {setting}");
                    used += 1;
                }
                Err(error) => {
                    let told = error.to_string();
                    assert!(!base.takes(setting), "{maker} {setting}: {told}");
                    assert!(
                        told.contains(maker.as_str()) && told.starts_with(setting.as_str()),
                        "{told}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(used >= 20 && refused >= 100, "{used} {refused}");
}

#[test]
fn networks_without_such_units_are_refused_by_name() {
    let image = ImageShape {
        channels: 1,
        height: 8,
        width: 8,
    };
    let flat = Network::preset("mlp:5", 8, 3).unwrap();
    let linear = Network::preset("linear", 8, 3).unwrap();
    let convolutional = Network::preset("conv-2", image, 3).unwrap();
    for (word, network) in [
        ("heads", &flat),
        ("channels", &flat),
        ("heads", &convolutional),
        ("neurons", &linear),
        ("group-lasso", &linear),
        ("net-trim", &convolutional),
    ] {
        let error = word
            .parse::<MaskMaker>()
            .unwrap()
            .check(network)
            .unwrap_err()
            .to_string();
        assert!(error.contains(word) && error.contains(network.name()), "{error}");
    }
    for word in ["channels", "neurons", "group-lasso", "omp"] {
        word.parse::<MaskMaker>().unwrap().check(&convolutional).unwrap();
    }
}
