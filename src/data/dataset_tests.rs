use super::*;
use crate::files::hex;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// 12 samples of two pixels in three classes: six, four and two members, the last three samples not for training.
fn content(values: &[u8]) -> Content<'_> {
    Content {
        name: "small".into(),
        image: ImageShape {
            channels: 1,
            height: 1,
            width: 2,
        },
        classes: 3,
        values: RawValues::Bytes { values, maximum: 200 },
        labels: vec![0, 0, 0, 0, 0, 1, 1, 1, 2, 0, 1, 2],
        splits: Splits {
            train: (0..9).collect(),
            validation: vec![9],
            test: vec![10, 11],
        },
    }
}

static VALUES: [u8; 24] = [
    0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160, 168, 176, 184,
];

fn small() -> Dataset {
    Dataset::new(content(&VALUES), Normalisation::Unit).unwrap()
}

#[test]
fn rows_come_in_the_order_asked_for_and_divided_by_the_maximum() {
    let set = small();
    let rows: Vec<f64> = set.rows(&[11, 0, 11]).unwrap();
    let expected: Vec<f64> = [176u8, 184, 0, 8, 176, 184]
        .iter()
        .map(|&v| f64::from((f64::from(v) / 200.0) as f32))
        .collect();
    // 1/200 is rounded once and the product once more: one unit in the last place of an f32 at most.
    for (a, b) in rows.iter().zip(&expected) {
        assert!((a - b).abs() <= f64::from(f32::EPSILON) * b, "{a} {b}");
    }
    let mut buffer = [0f32; 6];
    set.rows_into(&[11, 0, 11], &mut buffer).unwrap();
    assert_eq!(buffer.map(f64::from).to_vec(), rows);
    assert_eq!(set.batch::<f64>(&[11, 0, 11]).unwrap().into_vec(), rows);
    assert_eq!(set.labels_of(&[11, 0]).unwrap(), [2, 0]);
    assert!(set.rows::<f32>(&[12]).is_err());
    assert!(set.rows_into(&[1], &mut buffer).is_err());
}

#[test]
fn standardised_training_pixels_have_mean_zero_and_variance_one() {
    let set = Dataset::new(content(&VALUES), Normalisation::Standardised).unwrap();
    let train: Vec<f64> = set.rows(set.split(Split::Train)).unwrap();
    let n = train.len() as f64;
    let mean = train.iter().sum::<f64>() / n;
    let variance = train.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    // Every entry is an f32 of size at most 2, so each carries at most 2 ε/2 of rounding; the variance doubles it.
    assert!(mean.abs() <= f64::from(f32::EPSILON), "{mean}");
    assert!((variance - 1.0).abs() <= 4.0 * f64::from(f32::EPSILON), "{variance}");
}

#[test]
fn real_features_keep_their_bits_when_raw_and_refuse_a_unit_scale() {
    let reals: Vec<f32> = (0..24).map(|i| (i as f32).sin()).collect();
    let mut c = content(&[]);
    c.values = RawValues::Reals(&reals);
    let set = Dataset::new(c.clone(), Normalisation::Raw).unwrap();
    assert_eq!(set.inputs(), reals);
    assert!(Dataset::new(c.clone(), Normalisation::Unit).is_err());
    let damaged = [&reals[..23], &[f32::NAN]].concat();
    c.values = RawValues::Reals(&damaged);
    let error = Dataset::new(c, Normalisation::Raw).unwrap_err();
    assert!(matches!(error, Error::NotFinite { index: 23, .. }));
}

#[test]
fn content_that_does_not_fit_together_is_refused() {
    let refused = |change: &dyn Fn(&mut Content<'static>)| {
        let mut c = content(&VALUES);
        change(&mut c);
        Dataset::new(c, Normalisation::Unit).is_err()
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|c| c.labels[3] = 3));
    assert!(refused(&|c| c.labels.truncate(11)));
    assert!(refused(&|c| c.image.width = 3));
    assert!(refused(&|c| c.image.width = 0));
    assert!(refused(&|c| c.image.height = usize::MAX));
    assert!(refused(&|c| c.splits.train.clear()));
    assert!(refused(&|c| c.splits.test.push(12)));
    assert!(refused(&|c| c.splits.test.push(0)));
    assert!(refused(&|c| {
        c.values = RawValues::Bytes {
            values: &VALUES,
            maximum: 183,
        }
    }));
}

#[test]
fn the_checksum_is_the_documented_hash() {
    let mut reference = Sha256::new();
    reference.update(b"ticketsense-data-1");
    let number = |n: u64| n.to_le_bytes();
    for n in [1, 1, 2, 3, 12] {
        reference.update(number(n));
    }
    reference.update(b"b\xc8");
    reference.update(VALUES);
    for n in [0, 0, 0, 0, 0, 1, 1, 1, 2, 0, 1, 2] {
        reference.update(number(n));
    }
    for n in [9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 2, 10, 11] {
        reference.update(number(n));
    }
    reference.update(b"unit");
    assert_eq!(small().checksum(), hex(&reference.finalize()));
}

#[test]
fn the_checksum_changes_with_pixels_labels_splits_and_scale_and_not_with_the_name() {
    let sum = |change: &dyn Fn(&mut Content<'static>), normalisation| {
        let mut c = content(&VALUES);
        change(&mut c);
        Dataset::new(c, normalisation).unwrap().checksum().to_string()
    };
    let original = sum(&|_| (), Normalisation::Unit);
    let mut other_bytes = VALUES;
    other_bytes[5] += 1;
    let other = Dataset::new(content(&other_bytes), Normalisation::Unit).unwrap();
    let changed = [
        other.checksum().to_string(),
        sum(&|c| c.labels[0] = 2, Normalisation::Unit),
        sum(&|c| c.splits.train.swap(0, 1), Normalisation::Unit),
        sum(&|_| (), Normalisation::Raw),
    ];
    assert!(changed.iter().all(|s| *s != original));
    assert_eq!(sum(&|c| c.name = "other".into(), Normalisation::Unit), original);
}

#[test]
fn a_class_with_too_few_samples_gives_all_it_has() {
    let set = small();
    for seed in 0..20 {
        let chosen = set.stratified(7, &Seed::root(seed)).unwrap();
        // Training members: 5, 3, 1. The third class is exhausted, the others share six.
        assert_eq!(set.class_counts(&chosen).unwrap(), [3, 3, 1]);
    }
    assert_eq!(set.stratified(9, &Seed::root(0)).unwrap(), (0..9).collect::<Vec<_>>());
    assert!(set.stratified(0, &Seed::root(0)).is_err());
    assert!(set.stratified(10, &Seed::root(0)).is_err());
}

proptest! {
    #[test]
    fn stratified_samples_are_balanced_distinct_nested_and_from_the_training_split(
        count in 1usize..800, more in 0usize..200, root in any::<u64>()
    ) {
        static DIGITS: LazyLock<Dataset> = LazyLock::new(|| crate::data::digits::load(Normalisation::Unit).unwrap());
        let set = &*DIGITS;
        let seed = Seed::root(root);
        let chosen = set.stratified(count, &seed).unwrap();
        prop_assert_eq!(chosen.len(), count);
        prop_assert!(chosen.windows(2).all(|w| w[0] < w[1]));
        prop_assert!(chosen.iter().all(|i| set.split(Split::Train).contains(i)));
        let counts = set.class_counts(&chosen).unwrap();
        // 1,000 samples exhaust no class: the smallest has 100.
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        let larger = set.stratified(count + more, &seed).unwrap();
        prop_assert!(chosen.iter().all(|i| larger.binary_search(i).is_ok()));
        prop_assert_eq!(set.stratified(count, &seed).unwrap(), chosen);
    }
}

#[test]
fn the_last_twelfth_of_the_training_part_validates() {
    let mnist = Splits::last_twelfth_validates(60_000, 10_000);
    assert_eq!(
        (mnist.train.len(), mnist.validation.len(), mnist.test.len()),
        (55_000, 5_000, 10_000)
    );
    assert_eq!((mnist.validation[0], mnist.test[0]), (55_000, 60_000));
    assert!(Splits::last_twelfth_validates(11, 1).validation.is_empty());
}

#[test]
fn taking_a_data_set_apart_gives_the_rows_of_every_split_whether_they_stand_in_order_or_not() {
    let values: Vec<f32> = (0..39).map(|v| v as f32).collect();
    for splits in [Splits::last_twelfth_validates(12, 1), Splits::by_number(13)] {
        let content = Content {
            name: "counted".into(),
            image: ImageShape {
                channels: 1,
                height: 1,
                width: 3,
            },
            classes: 13,
            values: RawValues::Reals(&values),
            labels: (0..13).collect(),
            splits,
        };
        let set = Dataset::new(content, Normalisation::Raw).unwrap();
        let parts = set.clone().into_splits().unwrap();
        for (split, (inputs, labels)) in Split::ALL.into_iter().zip(parts) {
            assert_eq!(labels, set.split(split));
            assert_eq!(inputs.as_slice(), set.rows::<f32>(set.split(split)).unwrap());
        }
    }
}
