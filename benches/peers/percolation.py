"""Percolation through a layered graph beside numpy and networkx: the same graph, the same keep probability, all inputs active.

    python benches/peers/percolation.py --program target/release/examples/percolation_speed

Needs numpy; networkx where it is installed. numpy follows all replicates at once, a byte each, and gathers edges by their target;
networkx builds the graph of the kept edges of one replicate and searches it from the inputs. Everything is kept to one core, and the
shares of the last layer that are reached are compared.
"""

import argparse
import json
import os
import subprocess
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402

try:
    import networkx
except ImportError:
    networkx = None


def wires(rng, wiring, width, fan_out):
    """The targets of every unit of a layer, distinct for each."""
    if wiring == "neighbouring":
        return (np.arange(width)[:, None] + np.arange(fan_out)) % width
    return np.array([rng.choice(width, fan_out, replace=False, shuffle=False) for _ in range(width)])


def by_numpy(rng, layers, keep, replicates):
    width = len(layers[0])
    reached = np.ones((width, replicates), dtype=bool)
    for targets in layers:
        flat = targets.ravel()
        order = np.argsort(flat, kind="stable")
        sources = np.repeat(np.arange(width), targets.shape[1])[order]
        sorted_targets = flat[order]
        kept = rng.random((len(flat), replicates), dtype=np.float32) < keep
        kept &= reached[sources]
        starts = np.flatnonzero(np.r_[True, sorted_targets[1:] != sorted_targets[:-1]])
        following = np.zeros((width, replicates), dtype=bool)
        following[sorted_targets[starts]] = np.logical_or.reduceat(kept, starts, axis=0)
        reached = following
    return reached.mean()


def by_networkx(rng, layers, keep):
    width, depth = len(layers[0]), len(layers)
    graph = networkx.DiGraph()
    graph.add_nodes_from((0, unit) for unit in range(width))
    graph.add_edges_from(("source", (0, unit)) for unit in range(width))
    for layer, targets in enumerate(layers):
        for unit, target in zip(*np.nonzero(rng.random(targets.shape) < keep)):
            graph.add_edge((layer, unit), (layer + 1, int(targets[unit, target])))
    found = networkx.descendants(graph, "source")
    return sum(layer == depth for layer, _ in found) / width


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/examples/percolation_speed")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'graph':42} {'program':>9} {'numpy':>9} {'ratio':>7} {'networkx':>9} {'ratio':>8}  million edges x replicates a second")
    for name, wiring, width, depth, fan_out, keep in [
        ("neighbours, 1024 x 100, 2 at 0.70", "neighbouring", 1024, 100, 2, 0.70),
        ("random, 1024 x 100, 8 at 0.15", "random", 1024, 100, 8, 0.15),
        ("random, 256 x 400, 3 at 0.40", "random", 256, 400, 3, 0.40),
    ]:
        options = dict(width=width, depth=depth, keep=keep, wiring=wiring, batches=20, live="no")
        command = [arguments.program, "--fan-out", str(fan_out)]
        command += [word for key, value in options.items() for word in (f"--{key}", str(value))]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(arguments.repeat)]
        seconds = sorted(run["percolate_seconds"] for run in runs)[arguments.repeat // 2]
        edges = width * depth * fan_out
        ours = edges * runs[0]["replicates"] / seconds / 1e6
        rng = np.random.default_rng(0)
        layers = [wires(rng, wiring, width, fan_out) for _ in range(depth)]
        rates, shares = [], []
        for _ in range(arguments.repeat):
            start = time.perf_counter()
            shares.append(by_numpy(rng, layers, keep, 64))
            rates.append(edges * 64 / (time.perf_counter() - start) / 1e6)
        numpy_rate = sorted(rates)[arguments.repeat // 2]
        peer, ratio = "-", "-"
        if networkx is not None:
            start = time.perf_counter()
            by_networkx(rng, layers, keep)
            rate = edges / (time.perf_counter() - start) / 1e6
            peer, ratio = f"{rate:.3f}", f"{ours / rate:.0f}"
        print(f"{name:42} {ours:9.0f} {numpy_rate:9.1f} {ours / numpy_rate:7.0f} {peer:>9} {ratio:>8}")
        spread = np.std(shares) / len(shares) ** 0.5
        print(f"    share of the last layer: {runs[0]['fraction']:.4f}, numpy {np.mean(shares):.4f} (other wiring, batches differ by {spread:.4f})")


if __name__ == "__main__":
    main()
