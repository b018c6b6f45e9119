"""Times products with the Hessian of LeNet-300-100 beside PyTorch, JAX and PyHessian, after checking that they agree.

One thread each, one core for all, alternating runs, medians; the machine should be idle. Needs Python with numpy and
whichever of the peers are to be compared:

    pip install numpy torch jax pyhessian
    cargo build --release --example curvature_speed
    python benches/peers/curvature.py --program target/release/examples/curvature_speed
        [--samples 1000] [--products 40] [--rounds 5] [--only ours torch jax pyhessian]

Everyone has the same weights, inputs and direction, in single precision: cross-entropy over the samples, ReLU, biases. A
product of the program's is *from scratch*, a new point and a product, or *kept*, products at one point. PyTorch: reverse
over reverse on a graph that is kept (kept), or made anew (from scratch); forward over reverse by torch.func. JAX: jitted
forward over reverse; kept through jax.linearize. PyHessian is its own dataloader_hv_product over the kept gradient graph.

Printed are products a second of processor time and the largest difference of ‖Hv‖-normalised products from a double one.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402  (threads and the core are set first)

SIZES = [784, 300, 100, 10]


def problem(samples):
    """Inputs, labels, and weights and directions as (outputs × inputs, outputs) of every layer."""
    rng = np.random.default_rng(5)
    x = np.maximum(rng.standard_normal((samples, SIZES[0])), 0).astype(np.float32)
    y = np.arange(samples) % SIZES[-1]

    def layers(scale):
        for inputs, outputs in zip(SIZES, SIZES[1:]):
            deviation = np.sqrt(2 / inputs) if scale else 1 / np.sqrt(300 * 784)
            yield (rng.standard_normal((outputs, inputs)) * deviation).astype(np.float32)
            yield (rng.standard_normal(outputs) * 0.01).astype(np.float32)

    return x, y.astype(np.int64), list(layers(True)), list(layers(False))


def flat(parts):
    return np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])


def torch_ways(x, y, theta, v):
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    theta = [torch.from_numpy(t.copy()).requires_grad_() for t in theta]
    v = [torch.from_numpy(t) for t in v]

    def loss(parameters):
        h = x
        for k in range(0, len(parameters), 2):
            h = torch.nn.functional.linear(h, parameters[k], parameters[k + 1])
            h = torch.relu(h) if k + 2 < len(parameters) else h
        return torch.nn.functional.cross_entropy(h, y)

    graph = torch.autograd.grad(loss(theta), theta, create_graph=True)

    def kept():
        return torch.autograd.grad(graph, theta, v, retain_graph=True)

    def scratch():
        again = torch.autograd.grad(loss(theta), theta, create_graph=True)
        return torch.autograd.grad(again, theta, v)

    plain, tangents = tuple(t.detach() for t in theta), tuple(v)
    gradient = torch.func.grad(loss)

    def forward_over_reverse():
        return torch.func.jvp(gradient, (plain,), (tangents,))[1]

    return {"torch, kept graph": kept, "torch, new graph": scratch, "torch, jvp of grad": forward_over_reverse}


def jax_ways(x, y, theta, v):
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
    theta, v = [jnp.asarray(t) for t in theta], [jnp.asarray(t) for t in v]

    def loss(parameters):
        h = x
        for k in range(0, len(parameters), 2):
            h = h @ parameters[k].T + parameters[k + 1]
            h = jax.nn.relu(h) if k + 2 < len(parameters) else h
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1))

    scratch = jax.jit(lambda p, t: jax.jvp(jax.grad(loss), (p,), (t,))[1])
    linear = jax.jit(jax.linearize(jax.grad(loss), theta)[1])
    return {
        "jax, jvp of grad": lambda: jax.block_until_ready(scratch(theta, v)),
        "jax, linearized": lambda: jax.block_until_ready(linear(v)),
    }


def pyhessian_ways(x, y, theta, v):
    import torch
    from pyhessian import hessian
    from pyhessian.utils import hessian_vector_product

    torch.set_num_threads(1)
    layers = []
    for k in range(0, len(theta), 2):
        layer = torch.nn.Linear(theta[k].shape[1], theta[k].shape[0])
        layer.weight.data, layer.bias.data = torch.from_numpy(theta[k].copy()), torch.from_numpy(theta[k + 1].copy())
        layers += [layer] if k == 0 else [torch.nn.ReLU(), layer]
    model = torch.nn.Sequential(*layers)
    batch = (torch.from_numpy(x), torch.from_numpy(y))
    h = hessian(model, torch.nn.CrossEntropyLoss(), data=batch, cuda=False)
    v = [torch.from_numpy(t) for t in v]
    return {"pyhessian": lambda: hessian_vector_product(h.gradsH, h.params, v)}


def timed(product, products):
    def measure():
        start = time.process_time()
        for _ in range(products):
            product()
        return products / (time.process_time() - start)

    return measure


def ours(program, folder, way, products):
    words = [program, "--folder", str(folder), "--way", way, "--products", str(products)]

    def measure():
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}\n{done.stderr}")
        return json.loads(done.stdout)["products_per_processor_second"]

    return measure


def exact(x, y, theta, v):
    """The product in double precision by central formulas: tangents forwards and backwards."""
    x, (w, b), (dw, db) = x.astype(np.float64), split(theta), split(v)
    a, da, below = x, np.zeros_like(x), []
    for k in range(len(w)):
        below.append((a, da))
        z, dz = a @ w[k].T + b[k], da @ w[k].T + a @ dw[k].T + db[k]
        gate = z > 0 if k + 1 < len(w) else np.ones_like(z)
        a, da = z * gate, dz * gate
    p = np.exp(a - a.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    delta = (p - np.eye(SIZES[-1])[y]) / len(x)
    moved = p * (da - (p * da).sum(1, keepdims=True)) / len(x)
    found = []
    for k in reversed(range(len(w))):
        a, da = below[k]
        found = [moved.T @ a + delta.T @ da, moved.sum(0), *found]
        moved, delta = moved @ w[k] + delta @ dw[k], delta @ w[k]
        moved, delta = moved * (a > 0), delta * (a > 0)
    return flat(found)


def split(parts):
    return [p.astype(np.float64) for p in parts[::2]], [p.astype(np.float64) for p in parts[1::2]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/examples/curvature_speed")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    known = ["ours", "torch", "jax", "pyhessian"]
    parser.add_argument("--only", nargs="+", choices=known, default=known)
    options = parser.parse_args()
    given = problem(options.samples)
    truth = exact(*given)
    rates, errors = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        x, y, theta, v = given
        for name, values in (("x", x), ("theta", flat(theta)), ("v", flat(v)), ("y", y)):
            np.save(folder / f"{name}.npy", np.asarray(values, np.float64))
        if "ours" in options.only:
            for way in ("kept", "moved", "scratch"):
                rates[f"ours, {way}"] = ours(options.program, folder, way, options.products)
                rates[f"ours, {way}"]()
                errors[f"ours, {way}"] = np.load(folder / "product.npy")
        for peer, ways in (("torch", torch_ways), ("jax", jax_ways), ("pyhessian", pyhessian_ways)):
            if peer not in options.only:
                continue
            try:
                found = ways(*given)
            except ImportError as missing:
                print(f"{peer} is left out: {missing}")
                continue
            for name, product in found.items():
                errors[name] = flat([np.asarray(part) for part in product()])
                rates[name] = timed(product, options.products)
        runs = {name: [] for name in rates}
        for _ in range(options.rounds):
            for name, measure in rates.items():
                runs[name].append(measure())
    print(f"{'way':<22} {'products/s':>11} {'error':>9}")
    for name, found in runs.items():
        error = np.linalg.norm(errors[name] - truth) / np.linalg.norm(truth)
        print(f"{name:<22} {statistics.median(found):11.1f} {error:9.1e}")
        if error > 1e-4:
            sys.exit(f"{name} computes something else")


if __name__ == "__main__":
    main()
