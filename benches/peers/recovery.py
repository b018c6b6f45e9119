"""Times the program's recovery solvers beside scikit-learn, celer, skglm and SPAMS on the same problems.

One thread each, warm, medians; the machine should be idle. Needs Python with numpy and whichever of the peers are to be
compared:

    pip install numpy scikit-learn celer skglm spams-bin
    cargo build --release
    python benches/peers/recovery.py --program target/release/ticketsense [--wide] [--task lasso omp bp path]

A peer that is not installed is left out. LASSO answers are compared by their duality gap, computed here from the answer
alone: a peer is run at a falling tolerance until its gap is at most 1e-6 of the value at zero, and that run is timed. Paths
are followed exactly by the program, SPAMS and scikit-learn's lars_path; skglm solves at a hundred penalties, to that gap at each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  (threads are set first)

warnings.filterwarnings("ignore")

TARGET = 1e-6
TASKS = ["lasso", "omp", "bp", "path"]


def problem(rows, columns, nonzeros, correlation, snr, seed):
    """Gaussian columns, neighbours correlated as asked, of expected length 1; signs; noise at a power ratio."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, columns))
    if correlation:
        for j in range(1, columns):
            a[:, j] = correlation * a[:, j - 1] + np.sqrt(1 - correlation**2) * a[:, j]
    a = np.asfortranarray(a / np.sqrt(rows))
    x = np.zeros(columns)
    x[rng.choice(columns, nonzeros, replace=False)] = rng.choice([-1.0, 1.0], nonzeros)
    y = a @ x
    if snr:
        noise = rng.standard_normal(rows)
        y = y + noise * np.linalg.norm(y) / (np.linalg.norm(noise) * np.sqrt(snr))
    return a, x, y


def relative_gap(a, y, lam, x):
    r = y - a @ x
    scale = min(1.0, lam / max(np.abs(a.T @ r).max(), 1e-300))
    dual = 0.5 * y @ y - 0.5 * np.sum((y - scale * r) ** 2)
    return (0.5 * r @ r + lam * np.abs(x).sum() - dual) / (0.5 * y @ y)


def median_time(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def until_precise(fit, a, y, lam, repeats):
    """The time at the first tolerance whose answer meets the target."""
    for exponent in range(4, 13):
        tolerance = 10.0**-exponent
        x = fit(tolerance)
        if relative_gap(a, y, lam, x) <= TARGET:
            return median_time(lambda: fit(tolerance), repeats)
    return None


def lasso_peers(a, y, lam, repeats):
    m = len(y)
    found = {}
    try:
        from sklearn.linear_model import Lasso

        def fit(tolerance):
            model = Lasso(alpha=lam / m, fit_intercept=False, tol=tolerance, max_iter=100000)
            return model.fit(a, y).coef_

        found["scikit-learn"] = until_precise(fit, a, y, lam, repeats)
    except ImportError:
        pass
    try:
        from skglm import Lasso as Skglm
        from skglm.solvers import AndersonCD
        from skglm.estimators import GeneralizedLinearEstimator
        from skglm.datafits import Quadratic
        from skglm.penalties import L1

        del Skglm

        def fit_skglm(tolerance):
            solver = AndersonCD(tol=tolerance, fit_intercept=False, max_iter=500, max_epochs=100000)
            model = GeneralizedLinearEstimator(Quadratic(), L1(alpha=lam / m), solver)
            return np.ravel(model.fit(a, y).coef_)

        found["skglm"] = until_precise(fit_skglm, a, y, lam, repeats)
    except ImportError:
        pass
    try:
        from celer import Lasso as Celer

        def fit_celer(tolerance):
            return Celer(alpha=lam / m, fit_intercept=False, tol=tolerance, max_iter=500).fit(a, y).coef_

        found["celer"] = until_precise(fit_celer, a, y, lam, repeats)
    except ImportError:
        pass
    try:
        import spams

        def fit_spams(_):
            w = spams.lasso(np.asfortranarray(y[:, None]), D=a, lambda1=lam, mode=2, numThreads=1)
            return np.ravel(w.toarray())

        if relative_gap(a, y, lam, fit_spams(0)) <= TARGET:
            found["SPAMS"] = median_time(lambda: fit_spams(0), max(1, repeats // 2))
    except ImportError:
        pass
    return found


def omp_peers(a, rhs, nonzeros, repeats):
    found = {}
    try:
        import spams

        def run():
            return spams.omp(np.asfortranarray(rhs), a, L=nonzeros, numThreads=1)

        found["SPAMS"] = median_time(run, repeats)
    except ImportError:
        pass
    if rhs.shape[1] == 1:
        try:
            from sklearn.linear_model import orthogonal_mp

            found["scikit-learn"] = median_time(lambda: orthogonal_mp(a, rhs[:, 0], n_nonzero_coefs=nonzeros), repeats)
        except ImportError:
            pass
    return found


def path_peers(a, y, ratio, repeats):
    m = len(y)
    largest = np.abs(a.T @ y).max()
    found = {}
    try:
        import spams

        def run():
            return spams.lasso(np.asfortranarray(y[:, None]), D=a, lambda1=ratio * largest, mode=2, numThreads=1)

        if relative_gap(a, y, ratio * largest, np.ravel(run().toarray())) <= TARGET:
            found["SPAMS"] = median_time(run, repeats)
    except ImportError:
        pass
    try:
        from sklearn.linear_model import lars_path

        def lars():
            return lars_path(a, y, method="lasso", alpha_min=ratio * largest / m, max_iter=100000, copy_X=True)

        if relative_gap(a, y, ratio * largest, lars()[2][:, -1]) <= TARGET:
            found["scikit-learn LARS"] = median_time(lars, 1)
    except ImportError:
        pass
    try:
        from skglm.datafits import Quadratic
        from skglm.penalties import L1
        from skglm.solvers import AndersonCD

        penalties = np.geomspace(1.0, ratio, 100) * largest / m

        def grid(tolerance):
            solver = AndersonCD(tol=tolerance, fit_intercept=False, warm_start=True, max_iter=500, max_epochs=100000)
            return solver.path(a, y, Quadratic(), L1(alpha=penalties[0]), penalties)[1]

        for exponent in range(4, 13):
            tolerance = 10.0**-exponent
            answers = grid(tolerance)
            if all(relative_gap(a, y, m * lam, x) <= TARGET for lam, x in zip(penalties[1:], answers.T[1:])):
                found["skglm, 100 points"] = median_time(lambda: grid(tolerance), 1)
                break
    except ImportError:
        pass
    return found


def ours(program, folder, a, rhs, options, repeats, command="solve"):
    np.save(f"{folder}/A.npy", a)
    np.save(f"{folder}/y.npy", rhs)
    line = [program, command, "--matrix", f"{folder}/A.npy", "--rhs", f"{folder}/y.npy", "--json"]
    if command == "solve":
        line += ["--jobs", "1"]
    out = subprocess.run(line + ["--repeat", str(repeats)] + options, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def decided(program, folder, x, repeats):
    """Seconds until the program has proven whether basis pursuit finds x again, for the matrix of the last problem."""
    np.save(f"{folder}/x.npy", x)
    line = [program, "recovers", "--matrix", f"{folder}/A.npy", "--planted", f"{folder}/x.npy", "--json"]
    out = subprocess.run(line + ["--repeat", str(repeats)], capture_output=True, text=True, check=True)
    answer = json.loads(out.stdout)
    assert answer["verdict"] != "undecided"
    return answer["seconds"]


def report(task, seconds, peers, note=""):
    known = {name: t for name, t in peers.items() if t}
    best = min(known, key=known.get) if known else None
    ratio = f"{known[best] / seconds:6.2f}x {best}" if best else "no peer"
    listed = ", ".join(f"{name} {t:.4f}" for name, t in known.items())
    print(f"{task:<44} ours {seconds:8.4f} s   {ratio:<24} ({listed}) {note}", flush=True)


def run_lasso(program, folder, wide):
    shapes = [(1000, 5000, 0.0), (1000, 5000, 0.9)] + ([(2000, 20000, 0.0)] if wide else [])
    for rows, columns, correlation in shapes:
        a, _, y = problem(rows, columns, 50, correlation, 10.0, 1)
        largest = np.abs(a.T @ y).max()
        for ratio in (0.1, 0.01):
            repeats = 3 if columns > 5000 or ratio < 0.05 else 7
            lam = ratio * largest
            options = ["--solver", "lasso", "--lambda", repr(float(lam)), "--tolerance", str(TARGET)]
            answer = ours(program, folder, a, y, options, repeats + 1)
            peers = lasso_peers(a, y, lam, repeats)
            name = f"LASSO {rows}x{columns} corr {correlation} lambda/max {ratio}"
            report(name, answer["seconds"], peers, f"gap {answer['relative_gap']:.1e}, {answer['nonzeros']} nonzeros")


def run_omp(program, folder):
    a, _, _ = problem(1000, 5000, 1, 0.0, None, 2)
    a = np.asfortranarray(a / np.linalg.norm(a, axis=0))
    rng = np.random.default_rng(3)
    for count, repeats in ((1, 7), (100, 3)):
        x = np.zeros((5000, count))
        for t in range(count):
            x[rng.choice(5000, 100, replace=False), t] = rng.choice([-1.0, 1.0], 100)
        rhs = a @ x
        answer = ours(program, folder, a, rhs if count > 1 else rhs[:, 0], ["--solver", "omp", "--max-support", "100"], repeats + 1)
        report(f"OMP 1000x5000, k = 100, {count} right-hand sides", answer["seconds"], omp_peers(a, rhs, 100, repeats))


def run_basis_pursuit(program, folder):
    """Trials at the transition, each with a matrix of its own; the program's time is summed over the files."""
    try:
        import spams
    except ImportError:
        spams = None
    for columns, nonzeros, trials in ((256, 49, 40), (512, 98, 15), (1000, 192, 5)):
        mine, proofs, theirs = 0.0, 0.0, 0.0
        for trial in range(trials):
            a, x, y = problem(columns // 2, columns, nonzeros, 0.0, None, 1000 + trial)
            mine += ours(program, folder, a, y, ["--solver", "basis-pursuit"], 4)["seconds"]
            proofs += decided(program, folder, x, 4)
            if spams:
                def call():
                    return spams.lasso(np.asfortranarray(y[:, None]), D=a, lambda1=1e-9, mode=2, numThreads=1)

                theirs += median_time(call, 3)
        peers = {"SPAMS": theirs / trials} if spams else {}
        report(f"basis pursuit {columns // 2}x{columns}, k = {nonzeros}", mine / trials, peers)
        report("the same, recovery decided by proof", proofs / trials, peers)


def run_path(program, folder):
    shapes = [(200, 800, 20, 0.0), (1000, 5000, 50, 0.0), (1000, 5000, 50, 0.9)]
    for rows, columns, nonzeros, correlation in shapes:
        a, _, y = problem(rows, columns, nonzeros, correlation, 10.0, 1)
        for ratio in (0.1, 0.01):
            answer = ours(program, folder, a, y, ["--lambda-ratio", str(ratio)], 6, "path")
            name = f"path {rows}x{columns} corr {correlation} to lambda/max {ratio}"
            note = f"worst gap {answer['relative_gap']:.1e}, {answer['segments']} segments"
            report(name, answer["seconds"], path_peers(a, y, ratio, 3), note)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/ticketsense")
    parser.add_argument("--wide", action="store_true", help="the LASSO at 2000x20000 as well")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS)
    chosen = parser.parse_args()
    if not os.path.exists(chosen.program):
        sys.exit(f"no program at {chosen.program}: cargo build --release")
    with tempfile.TemporaryDirectory() as folder:
        if "lasso" in chosen.task:
            run_lasso(chosen.program, folder, chosen.wide)
        if "omp" in chosen.task:
            run_omp(chosen.program, folder)
        if "bp" in chosen.task:
            run_basis_pursuit(chosen.program, folder)
        if "path" in chosen.task:
            run_path(chosen.program, folder)


main()
