use super::*;
use crate::data::folder::unpack;
use crate::data::{DataChoice, Split, load_normalised};
use crate::seed::Seed;
use rand::RngExt;
use std::fs;
use std::io::Write;

fn images(count: usize, height: usize, width: usize) -> Vec<u8> {
    let mut out = 0x0803u32.to_be_bytes().to_vec();
    for n in [count, height, width] {
        out.extend((n as u32).to_be_bytes());
    }
    out.extend((0..count * height * width).map(|i| (i * 37 % 256) as u8));
    out
}

fn labels(count: usize) -> Vec<u8> {
    let mut out = 0x0801u32.to_be_bytes().to_vec();
    out.extend((count as u32).to_be_bytes());
    out.extend((0..count).map(|i| (i % 10) as u8));
    out
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn folder(name: &str, files: &[(&str, Vec<u8>)]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ticketsense-idx-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    for (file, content) in files {
        fs::write(path.join(file), content).unwrap();
    }
    path
}

fn four(spelling: char, packed: bool) -> Vec<(String, Vec<u8>)> {
    let ending = if packed { ".gz" } else { "" };
    let pack = |content: Vec<u8>| if packed { gzip(&content) } else { content };
    vec![
        (
            format!("train-images{spelling}idx3-ubyte{ending}"),
            pack(images(24, 2, 3)),
        ),
        (format!("train-labels{spelling}idx1-ubyte{ending}"), pack(labels(24))),
        (
            format!("t10k-images{spelling}idx3-ubyte{ending}"),
            pack(images(5, 2, 3)),
        ),
        (format!("t10k-labels{spelling}idx1-ubyte{ending}"), pack(labels(5))),
    ]
}

fn as_refs(files: &[(String, Vec<u8>)]) -> Vec<(&str, Vec<u8>)> {
    files.iter().map(|(n, c)| (n.as_str(), c.clone())).collect()
}

#[test]
fn both_spellings_plain_and_gzipped_give_the_same_data_set() {
    let mut sums = Vec::new();
    for (spelling, packed) in [('-', false), ('.', false), ('-', true), ('.', true)] {
        let path = folder(
            &format!("spelling{spelling}{packed}"),
            &as_refs(&four(spelling, packed)),
        );
        let set = load_folder(&path, Normalisation::Raw).unwrap();
        assert_eq!(set.image().to_string(), "1×2×3");
        let lengths = Split::ALL.map(|s| set.split(s).len());
        assert_eq!(lengths, [22, 2, 5]);
        // Training pixel i is 37 i mod 256; the test file starts over.
        assert_eq!(set.rows::<f32>(&[23]).unwrap()[5], (143 * 37 % 256) as f32);
        assert_eq!(set.rows::<f32>(&[24]).unwrap()[1], 37.0);
        assert_eq!(set.labels()[24..], [0, 1, 2, 3, 4]);
        sums.push(set.checksum().to_string());
        fs::remove_dir_all(path).unwrap();
    }
    assert!(sums.iter().all(|s| *s == sums[0]));
}

#[test]
fn what_is_wrong_with_a_folder_is_named_by_file_and_field() {
    let cases: [(&str, usize, Vec<u8>, &str); 9] = [
        ("magic", 0, labels(24), "train-images-idx3-ubyte: magic number"),
        (
            "trailing",
            0,
            [images(24, 2, 3), vec![0]].concat(),
            "train-images-idx3-ubyte: data",
        ),
        (
            "short",
            2,
            images(5, 2, 3)[..30].to_vec(),
            "t10k-images-idx3-ubyte: data",
        ),
        (
            "header",
            3,
            labels(5)[..6].to_vec(),
            "t10k-labels-idx1-ubyte: number of items",
        ),
        ("count", 1, labels(23), "train-labels-idx1-ubyte: number of items"),
        ("shape", 2, images(5, 3, 2), "t10k-images-idx3-ubyte: rows × columns"),
        (
            "label",
            3,
            [&labels(5)[..10], &[10, 0, 0]].concat(),
            "t10k-labels-idx1-ubyte: label 2",
        ),
        ("empty", 1, Vec::new(), "train-labels-idx1-ubyte: magic number"),
        ("none", 0, images(0, 2, 3), "train-images-idx3-ubyte: number of items"),
    ];
    for (name, which, content, expected) in cases {
        let mut files = four('-', false);
        files[which].1 = content;
        let path = folder(name, &as_refs(&files));
        let error = load_folder(&path, Normalisation::Unit).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{name}: {error}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
        fs::remove_dir_all(path).unwrap();
    }
    let path = folder("missing", &as_refs(&four('-', false)[..3]));
    let error = load_folder(&path, Normalisation::Unit).unwrap_err().to_string();
    assert!(
        error.contains("test labels") && error.contains("t10k-labels.idx1-ubyte"),
        "{error}"
    );
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn dimensions_that_overflow_or_exceed_the_file_are_refused_without_allocation() {
    // 2³² − 1 cubed overflows 64 bits; 2¹⁶ cubed does not, and would ask for 256 TiB.
    for size in [u32::MAX, 1 << 16] {
        let mut content = 0x0803u32.to_be_bytes().to_vec();
        content.extend([size; 3].iter().flat_map(|s| s.to_be_bytes()));
        content.extend([0; 100]);
        let error = parse_images(Path::new("huge"), content).unwrap_err().to_string();
        assert!(error.contains("huge: data"), "{error}");
    }
}

#[test]
fn every_truncation_of_a_file_is_refused() {
    let path = Path::new("x");
    let (pictures, classes) = (images(3, 2, 2), labels(7));
    for end in 0..pictures.len() {
        assert!(parse_images(path, pictures[..end].to_vec()).is_err(), "{end}");
    }
    for end in 0..classes.len() {
        assert!(parse_labels(path, &classes[..end]).is_err(), "{end}");
    }
    let packed = gzip(&pictures);
    for end in 0..packed.len() {
        let result = unpack(path, packed[..end].to_vec()).and_then(|content| parse_images(path, content));
        assert!(result.is_err(), "{end}");
    }
}

#[test]
fn a_flipped_bit_is_refused_in_a_header_and_never_passes_unseen_through_gzip() {
    let path = Path::new("x");
    let pictures = images(3, 2, 2);
    let packed = gzip(&pictures);
    let original = parse_images(path, pictures.clone()).unwrap();
    for bit in 0..8 * pictures.len() {
        let mut damaged = pictures.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Every dimension is 2 or 3, so a flip in one cannot be balanced by another: the length no longer fits.
        assert_eq!(parse_images(path, damaged).is_err(), bit < 8 * 16, "bit {bit}");
    }
    for bit in 0..8 * packed.len() {
        let mut damaged = packed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // The time stamp and the like may change harmlessly; the content is guarded by its check sum.
        if let Ok(read) = unpack(path, damaged).and_then(|content| parse_images(path, content)) {
            assert_eq!(read, original, "bit {bit}");
        }
    }
    let classes = labels(7);
    for bit in 0..8 * classes.len() {
        let mut damaged = classes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let refused = bit < 64 || damaged[bit / 8] > 9;
        assert_eq!(parse_labels(path, &damaged).is_err(), refused, "bit {bit}");
    }
}

#[test]
fn random_bytes_are_an_answer_or_an_error_and_never_a_panic() {
    let mut rng = Seed::root(0).stream("idx-fuzz").rng();
    for _ in 0..20_000 {
        let length = rng.random_range(0..40);
        let mut content: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        // Half of them start like a real file, so that the later checks are reached.
        if rng.random() {
            let start = if rng.random() {
                &images(1, 1, 1)[..8]
            } else {
                &labels(1)[..6]
            };
            content.splice(..start.len().min(content.len()), start.iter().copied());
        }
        if let Ok(read) = parse_images(Path::new("x"), content.clone()) {
            assert_eq!(read.count * read.height * read.width, read.pixels.len());
        }
        if let Ok(read) = parse_labels(Path::new("x"), &content) {
            assert!(read.len() + 8 == content.len() && read.iter().all(|&l| l < CLASSES));
        }
    }
}

#[test]
#[ignore = "needs TICKETSENSE_DATA"]
fn the_whole_of_mnist_is_read_in_its_original_order() {
    let root = PathBuf::from(std::env::var_os("TICKETSENSE_DATA").expect("TICKETSENSE_DATA is set"));
    let path = root.join("mnist");
    let set = load_normalised(&DataChoice::Folder(path), Normalisation::Raw).unwrap();
    assert_eq!(set.describe()[..5], *"mnist");
    assert_eq!((set.samples(), set.features()), (70_000, 784));
    assert_eq!(Split::ALL.map(|s| set.split(s).len()), [55_000, 5_000, 10_000]);
    // The label counts that are published with the data set.
    let train: Vec<usize> = (0..60_000).collect();
    assert_eq!(
        set.class_counts(&train).unwrap(),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    assert_eq!(
        set.class_counts(set.split(Split::Test)).unwrap(),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    );
    assert_eq!(set.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    // Mean 0.1307 and standard deviation 0.3081 of the training pixels are the constants that everybody subtracts.
    let n = (60_000 * 784) as f64;
    let pixels = || set.inputs()[..60_000 * 784].iter().map(|&v| f64::from(v) / 255.0);
    let mean = pixels().sum::<f64>() / n;
    let deviation = (pixels().map(|v| v * v).sum::<f64>() / n - mean * mean).sqrt();
    assert_eq!(
        (format!("{mean:.4}"), format!("{deviation:.4}")),
        ("0.1307".into(), "0.3081".into())
    );
    // The first training image, a five: 27,525 is its pixel sum in every copy with the published MD5.
    let first: Vec<f64> = set.rows(&[0]).unwrap();
    assert_eq!(first.iter().sum::<f64>(), 27_525.0);
}
