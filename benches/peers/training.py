"""Times training steps of the program beside PyTorch and JAX on the same network, data, batch and masks.

One thread each, one core for all, alternating runs, medians; the machine should be idle. Needs Python with numpy and
whichever of the peers are to be compared:

    pip install numpy torch jax
    cargo build --release --example training_speed
    python benches/peers/training.py --program target/release/examples/training_speed --data MNIST_DIR
        [--network lenet-300-100 | conv-2] [--density 1 0.1 0.05 0.02] [--steps 500] [--rounds 5] [--only ours torch jax]

A step is everything: gathering the batch, loss, gradient, Adam. A density keeps that fraction of every weight layer at
random, twice it of the last. PyTorch: eager, fused Adam, denormals flushed, gradients masked, convolutions channels last.
JAX: one jitted scan over all steps, batches gathered inside, gradients masked. A peer that is not installed is left out.
Convolutions train on CIFAR-10 where --data holds it, else the peers take random images of its size.

Printed are steps a second of wall time and of processor time, and the ratio to the fastest peer.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402  (threads and the core are set first)

RATE, BATCH, CLASSES = 1.2e-3, 60, 10
NETWORKS = {"lenet-300-100": [300, 100], "conv-2": [256, 256]}


def mnist(folder):
    def numbers(name, header):
        path = pathlib.Path(folder) / name
        data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(name + ".gz").read_bytes())
        return np.frombuffer(data, np.uint8, offset=header)

    images = numbers("train-images-idx3-ubyte", 16).reshape(-1, 784)[:55000]
    labels = numbers("train-labels-idx1-ubyte", 8)[:55000]
    return (images / 255).astype(np.float32), labels.astype(np.int64)


def images_like_cifar(folder):
    batches = sorted(pathlib.Path(folder).glob("data_batch_*.bin*"))
    if batches:
        contents = [gzip.decompress(b.read_bytes()) if b.suffix == ".gz" else b.read_bytes() for b in batches]
        raw = np.concatenate([np.frombuffer(content, np.uint8).reshape(-1, 3073) for content in contents])
        return (raw[:, 1:] / 255).astype(np.float32), raw[:, 0].astype(np.int64)
    rng = np.random.default_rng(0)
    return rng.random((5000, 3072), dtype=np.float32), rng.integers(0, CLASSES, 5000)


def start(network, density):
    """Weights (outputs first) and masks, drawn alike for both peers."""
    rng = np.random.default_rng(1)
    shapes = []
    features = 784
    if network == "conv-2":
        shapes += [(64, 3, 3, 3), (64, 64, 3, 3)]
        features = 64 * 16 * 16
    for width in [*NETWORKS[network], CLASSES]:
        shapes.append((width, features))
        features = width
    weights, masks = [], []
    for index, shape in enumerate(shapes):
        kept = min(1.0, density * (2 if index == len(shapes) - 1 else 1))
        inputs = int(np.prod(shape[1:]))
        weights.append((rng.standard_normal(shape) * np.sqrt(2 / (inputs + shape[0]))).astype(np.float32))
        masks.append((rng.random(shape) < kept).astype(np.float32))
    return weights, masks


def torch_runner(network, density, x, y, steps):
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    weights, masks = start(network, density)
    w = [torch.tensor(a * m).requires_grad_() for a, m in zip(weights, masks)]
    masks = [torch.tensor(m) for m in masks] if density < 1 else None
    if network == "conv-2":
        for i in range(2):
            w[i] = w[i].detach().to(memory_format=torch.channels_last).requires_grad_()
            if masks:
                masks[i] = masks[i].to(memory_format=torch.channels_last)
    b = [torch.zeros(a.shape[0], requires_grad=True) for a in w]
    adam = torch.optim.Adam([*w, *b], lr=RATE, fused=True)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def forward(h):
        first = 0
        if network == "conv-2":
            h = h.reshape(-1, 3, 32, 32).to(memory_format=torch.channels_last)
            for i in range(2):
                h = torch.relu(torch.nn.functional.conv2d(h, w[i], b[i], padding=1))
            h = torch.nn.functional.max_pool2d(h, 2).reshape(h.shape[0], -1)
            first = 2
        for i in range(first, len(w)):
            h = torch.nn.functional.linear(h, w[i], b[i])
            if i + 1 < len(w):
                h = torch.relu(h)
        return h

    def run():
        order = torch.randperm(len(x))
        at = 0
        for _ in range(steps):
            if at + BATCH > len(x):
                order, at = torch.randperm(len(x)), 0
            rows = order[at : at + BATCH]
            at += BATCH
            loss = torch.nn.functional.cross_entropy(forward(x[rows]), y[rows])
            adam.zero_grad(set_to_none=True)
            loss.backward()
            if masks:
                for a, m in zip(w, masks):
                    a.grad *= m
            adam.step()

    return run


def jax_runner(network, density, x, y, steps):
    import jax
    import jax.numpy as jnp

    weights, masks = start(network, density)
    masks = [jnp.asarray(m) for m in masks] if density < 1 else None
    w = [jnp.asarray(a) * (masks[i] if masks else 1) for i, a in enumerate(weights)]
    if network == "conv-2":
        for i in range(2):
            w[i] = w[i].transpose(2, 3, 1, 0)
            if masks:
                masks[i] = masks[i].transpose(2, 3, 1, 0)
        x = np.ascontiguousarray(x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    biases = [jnp.zeros(a.shape[0], jnp.float32) for a in weights]
    x, y = jnp.asarray(x), jnp.asarray(y.astype(np.int32))

    def loss(parameters, h, labels):
        w, b = parameters
        first = 0
        if network == "conv-2":
            for i in range(2):
                form = ("NHWC", "HWIO", "NHWC")
                h = jax.lax.conv_general_dilated(h, w[i], (1, 1), "SAME", dimension_numbers=form) + b[i]
                h = jax.nn.relu(h)
            h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            h = h.reshape(h.shape[0], -1)
            first = 2
        for i in range(first, len(w)):
            h = h @ w[i].T + b[i]
            if i + 1 < len(w):
                h = jax.nn.relu(h)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h), labels[:, None], 1))

    def step(state, rows):
        parameters, first, second, t = state
        gradient = jax.grad(loss)(parameters, x[rows], y[rows])
        if masks:
            gradient = ([g * m for g, m in zip(gradient[0], masks)], gradient[1])
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)

        def moved(p, m, v):
            return p - RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)

        return (jax.tree.map(moved, parameters, first, second), first, second, t), None

    @jax.jit
    def scan(state, key):
        rows = jax.random.permutation(key, len(x))[: steps * BATCH]
        rows = jnp.resize(rows, steps * BATCH).reshape(steps, BATCH)
        return jax.lax.scan(step, state, rows)[0]

    zeros = jax.tree.map(jnp.zeros_like, (w, biases))
    state = [((w, biases), zeros, zeros, jnp.float32(0)), jax.random.key(0)]

    def run():
        state[1], key = jax.random.split(state[1])
        state[0] = jax.block_until_ready(scan(state[0], key))

    return run


def peer(runner, *arguments):
    try:
        run = runner(*arguments)
    except ImportError:
        return None
    run()  # Compiles and warms up.

    def measure():
        wall, processor = time.perf_counter(), time.process_time()
        run()
        return arguments[-1] / (time.perf_counter() - wall), arguments[-1] / (time.process_time() - processor)

    return measure


def ours(program, folder, network, density, steps):
    words = [program, "--data", folder, "--network", network, "--density", str(density), "--batch", str(BATCH)]
    words += ["--steps", str(steps), "--repeats", "1", "--normalisation", "unit"]

    def measure():
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}\n{done.stderr}")
        found = json.loads(done.stdout)
        return found["steps_per_second"], found["steps_per_processor_second"] or found["steps_per_second"]

    return measure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/examples/training_speed")
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", choices=NETWORKS, default="lenet-300-100")
    parser.add_argument("--density", type=float, nargs="+", default=[1.0, 0.1, 0.05, 0.02])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=["ours", "torch", "jax"], default=["ours", "torch", "jax"])
    options = parser.parse_args()
    data = mnist(options.data) if options.network == "lenet-300-100" else images_like_cifar(options.data)
    print(f"{'density':>8} {'program':>8} {'steps/s':>9} {'per cpu s':>10} {'to best peer':>13}")
    for density in options.density:
        given = (options.network, density, *data, options.steps)
        programs = {}
        if "ours" in options.only:
            programs["ours"] = ours(options.program, options.data, options.network, density, options.steps)
        for name, runner in (("torch", torch_runner), ("jax", jax_runner)):
            measure = peer(runner, *given) if name in options.only else None
            if measure:
                programs[name] = measure
        runs = {name: [] for name in programs}
        for _ in range(options.rounds):
            for name, measure in programs.items():
                runs[name].append(measure())
        middle = {name: [statistics.median(column) for column in zip(*found)] for name, found in runs.items()}
        best = max((rates[1] for name, rates in middle.items() if name != "ours"), default=None)
        for name, (wall, processor) in middle.items():
            ratio = f"{processor / best:13.2f}" if best else ""
            print(f"{density:8.3f} {name:>8} {wall:9.1f} {processor:10.1f} {ratio}", flush=True)


if __name__ == "__main__":
    main()
