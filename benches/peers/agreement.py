"""Compares the program's answers with those of scikit-learn and SciPy's linear programs on random problems of many shapes.

    pip install numpy scipy scikit-learn
    cargo build --release
    python benches/peers/agreement.py --program target/release/ticketsense

For every problem the objectives must agree to 1e-8 of the value at zero, and where the other answer is the better one by more than
that the script fails. The LASSO's x is compared with a refit of the other's on its support, where that proves to be the only minimiser; a pursuit must pick the same
columns, unless its own margins say that a pick was a tie.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings

import numpy as np

warnings.filterwarnings("ignore")

SHAPES = [(1, 4), (4, 4), (8, 30), (30, 8), (20, 50), (50, 50), (60, 40), (64, 256), (100, 400), (128, 1000), (200, 300), (300, 150)]
RATIOS = (0.5, 0.1, 0.01, 0.001)
AGREEMENT = 1e-8


def solve(program, folder, a, y, options):
    np.save(f"{folder}/A.npy", a)
    np.save(f"{folder}/y.npy", y)
    line = [program, "solve", "--matrix", f"{folder}/A.npy", "--rhs", f"{folder}/y.npy", "--json", "--jobs", "1", "--out", f"{folder}/x.npy"]
    out = subprocess.run(line + options, capture_output=True, text=True, check=True)
    return np.ravel(np.load(f"{folder}/x.npy")), json.loads(out.stdout)


def problem(rows, columns, kind, seed):
    rng = np.random.default_rng(seed)
    a = rng.choice([-1.0, 1.0], (rows, columns)) if kind == "signs" else rng.standard_normal((rows, columns))
    if kind == "correlated":
        for j in range(1, columns):
            a[:, j] = 0.9 * a[:, j - 1] + np.sqrt(0.19) * a[:, j]
    a = np.asfortranarray(a / np.sqrt(rows))
    x = np.zeros(columns)
    x[rng.choice(columns, max(1, min(rows, columns) // 5), replace=False)] = 1.0
    return a, a @ x + 0.1 * rng.standard_normal(rows)


def lasso_value(a, y, lam, x):
    return 0.5 * np.sum((y - a @ x) ** 2) + lam * np.abs(x).sum()


def refitted(a, y, lam, x):
    s = np.flatnonzero(np.abs(x) > 1e-9 * max(np.abs(x).max(), 1e-300))
    gram = a[:, s].T @ a[:, s]
    if len(s) == 0 or np.linalg.cond(gram) > 1e6:
        return None
    out = np.zeros_like(x)
    out[s] = np.linalg.solve(gram, a[:, s].T @ y - lam * np.sign(x[s]))
    # The minimiser, and the only one, if every other correlation stays below the penalty.
    off = np.setdiff1d(np.arange(len(x)), s)
    unique = np.all(np.abs(a[:, off].T @ (y - a @ out)) < lam * (1 - 1e-6))
    return out if unique and np.array_equal(np.sign(out[s]), np.sign(x[s])) else None


def compare_lasso(program, folder, a, y):
    from sklearn.linear_model import Lasso

    worst, apart, refits = 0.0, 0.0, 0
    zero = 0.5 * y @ y
    for ratio in RATIOS:
        lam = ratio * np.abs(a.T @ y).max()
        mine, answer = solve(program, folder, a, y, ["--solver", "lasso", "--lambda", repr(float(lam)), "--tolerance", "1e-12"])
        assert answer["status"] == "converged", answer["status"]
        theirs = Lasso(alpha=lam / len(y), fit_intercept=False, tol=1e-14, max_iter=200000).fit(a, y).coef_
        difference = lasso_value(a, y, lam, mine) - lasso_value(a, y, lam, theirs)
        # Theirs may have stopped short; mine may not be above it.
        assert difference <= AGREEMENT * zero, (a.shape, ratio, difference / zero)
        worst = max(worst, difference / zero)
        other = refitted(a, y, lam, theirs)
        if other is not None:
            refits += 1
            assert np.linalg.norm(mine - other) <= 1e-6 * np.linalg.norm(other), (a.shape, ratio)
            apart = max(apart, np.linalg.norm(mine - other) / max(np.linalg.norm(other), 1e-300))
    return worst, apart, refits


def compare_basis_pursuit(program, folder, a):
    from scipy.optimize import linprog

    rows, columns = a.shape
    rng = np.random.default_rng(rows * columns)
    x = np.zeros(columns)
    x[rng.choice(columns, max(1, rows // 4), replace=False)] = rng.standard_normal(max(1, rows // 4))
    y = a @ x
    mine, answer = solve(program, folder, a, y, ["--solver", "basis-pursuit"])
    program_value = linprog(np.ones(2 * columns), A_eq=np.hstack([a, -a]), b_eq=y, bounds=(0, None), method="highs")
    assert answer["status"] == "converged", answer["status"]
    difference = abs(np.abs(mine).sum() - program_value.fun) / program_value.fun
    assert difference <= AGREEMENT, (a.shape, difference)
    return difference


def compare_omp(program, folder, a, y):
    from sklearn.linear_model import orthogonal_mp

    unit = np.asfortranarray(a / np.linalg.norm(a, axis=0))
    count = max(1, min(a.shape) // 4)
    mine, answer = solve(program, folder, unit, y, ["--solver", "omp", "--max-support", str(count)])
    theirs = orthogonal_mp(unit, y, n_nonzero_coefs=count)
    if not np.array_equal(mine != 0, theirs != 0):
        return None
    return np.linalg.norm(mine - theirs) / np.linalg.norm(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/ticketsense")
    chosen = parser.parse_args()
    worst, apart, refits, programs, pursuits, ties, count = -np.inf, 0.0, 0, 0.0, 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (rows, columns) in enumerate(SHAPES):
            for kind in ("gaussian", "signs", "correlated"):
                a, y = problem(rows, columns, kind, number)
                difference, distance, found = compare_lasso(chosen.program, folder, a, y)
                worst, apart, refits, count = max(worst, difference), max(apart, distance), refits + found, count + len(RATIOS)
                if rows <= columns:
                    programs = max(programs, compare_basis_pursuit(chosen.program, folder, a))
                distance = compare_omp(chosen.program, folder, a, y)
                if distance is None:
                    ties += 1
                    assert kind == "signs", (rows, columns, kind)
                else:
                    pursuits = max(pursuits, distance)
    print(f"LASSO, {count} problems: above scikit-learn's value by at most {worst:.1e} of that at 0; {refits} times x from a refit of theirs by at most {apart:.1e}")
    print(f"basis pursuit: ‖x‖₁ from the linear program's by at most {programs:.1e}")
    print(f"OMP: x apart by at most {pursuits:.1e}; {ties} problems with other picks")


if __name__ == "__main__":
    sys.exit(main())
