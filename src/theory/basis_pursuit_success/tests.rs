use super::*;

fn volumes(n: u64, k: u64, s: Signs) -> Vec<f64> {
    ln_intrinsic_volumes(n, k, s).unwrap().iter().map(|v| v.value.exp()).collect()
}

#[test]
fn scratch() {
    for (n, k, s) in [(1, 1, Signs::Signed), (2, 1, Signs::Signed), (2, 1, Signs::Nonnegative), (3,1,Signs::Signed), (6, 2, Signs::Signed), (6, 2, Signs::Nonnegative), (200,30,Signs::Signed),(200,30,Signs::Nonnegative), (2000,300,Signs::Signed), (2000,300,Signs::Nonnegative), (2000,1,Signs::Signed),(2000,1,Signs::Nonnegative)] {
        let v = volumes(n, k, s);
        if n < 10 { println!("{n} {k} {s:?} {v:?}"); }
        let a: f64 = v.iter().step_by(2).sum();
        let b: f64 = v.iter().skip(1).step_by(2).sum();
        let e = ln_intrinsic_volumes(n, k, s).unwrap().iter().fold(0.0, |a: f64, v| a.max(v.error));
        println!("{n} {k} {:e} {:e} bound {e:e}", 2.0*a - 1.0, 2.0*b - 1.0);
    }
    for s in [Signs::Signed, Signs::Nonnegative] {
    for (m, k) in [(1000, 100), (1000, 188), (5000, 1928), (5000, 100), (5000,3000), (9000, 6000), (9900,8700), (100,5), (9990,9900)] {
        let t = std::time::Instant::now();
        let r = success(10_000, m, k, s).unwrap();
        println!("{m} {k} {:?} {:e} {:?}", t.elapsed(), r.success + r.failure - 1.0, r);
    } }
}
