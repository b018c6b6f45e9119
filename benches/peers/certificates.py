"""Restricted isometry constants beside a plain enumeration with numpy, and the constants themselves compared.

    python benches/peers/certificates.py --program target/release/ticketsense

Needs numpy. Every support of the order is put through numpy's batched symmetric eigenvalues, which is what other
programs do; the program proves the same constants, those of all smaller orders included. Both are kept to one core.
"""

import argparse
import itertools
import json
import math
import os
import subprocess
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402

CHUNK = 50_000


def enumerate_supports(a, order):
    """The extreme eigenvalues of all Gram matrices of `order` columns."""
    gram = a.T @ a
    low, high = np.inf, -np.inf
    supports = itertools.combinations(range(a.shape[1]), order)
    while chunk := list(itertools.islice(supports, CHUNK)):
        index = np.array(chunk)
        values = np.linalg.eigvalsh(gram[index[:, :, None], index[:, None, :]])
        low, high = min(low, values[:, 0].min()), max(high, values[:, -1].max())
    return low, high


def program_constants(program, a, order, node_limit):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "A.npy")
        np.save(path, a)
        command = [program, "certify", "--matrix", path, "--order", str(order), "--node-limit", str(node_limit)]
        command += ["--max-problems", "0", "--max-programs", "0", "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/ticketsense")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    sizes = [(20, 40, 5, True), (30, 60, 5, True), (50, 100, 6, False), (100, 200, 6, False), (100, 200, 8, False)]
    print(f"{'matrix':>9} {'order':>5} {'supports':>10} {'numpy':>9} {'program':>9} {'ratio':>8}  constant")
    for rows, columns, order, enumerable in sizes:
        a = np.random.default_rng(0).standard_normal((rows, columns)) / math.sqrt(rows)
        found = [program_constants(arguments.program, a, order, 200_000) for _ in range(arguments.repeat)]
        seconds = sorted(f["isometry_seconds"] for f in found)[arguments.repeat // 2]
        rip = found[0]["rip"]
        supports = math.comb(columns, order)
        peer, ratio = "-", "-"
        if enumerable:
            start = time.perf_counter()
            low, high = enumerate_supports(a, order)
            elapsed = time.perf_counter() - start
            constant = max(high - 1, 1 - low)
            # The widths of both ends: numpy's eigenvalues are off by some k ε of the matrix.
            assert abs(rip["exact"] - constant) < 1e-12, (rip, constant)
            assert abs(rip["lambda_min"][0] - low) < 1e-12 and abs(rip["lambda_max"][1] - high) < 1e-12
            peer, ratio = f"{elapsed:.3f}", f"{elapsed / seconds:.0f}"
        exact = "exact" if rip["exact"] is not None else "interval"
        print(
            f"{rows:>4}x{columns:<4} {order:>5} {supports:>10.3g} {peer:>9} {seconds:>9.4f} {ratio:>8}  "
            f"{exact} [{rip['lower']:.6f}, {rip['upper']:.6f}], "
            f"least eigenvalue in [{rip['lambda_min'][0]:.6f}, {rip['lambda_min'][1]:.6f}]"
        )


if __name__ == "__main__":
    main()
