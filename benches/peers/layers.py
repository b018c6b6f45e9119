"""Writes tests/golden/layers.json: outputs and gradients of small networks by PyTorch, in double precision.

    python benches/peers/layers.py > tests/golden/layers.json

Every case is a network of a few layers with its parameters, inputs and a cotangent of its outputs, all in the order of
ticketsense: images stored plane after plane, weights of a convolution as outputs x kernel x kernel x inputs, and what
follows a convolution seeing its channels together, pixel by pixel.
"""
import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
GENERATOR = torch.Generator().manual_seed(20190301)


def draw(*shape):
    """Numbers of three decimals: exact in both programs after parsing."""
    return torch.round(torch.randn(*shape, generator=GENERATOR), decimals=3)


def kernel(weight):
    """PyTorch's outputs x inputs x height x width in our order, flat."""
    return weight.permute(0, 2, 3, 1).reshape(-1)


def pixels(image):
    """Batch x channels x height x width as rows of pixels with their channels together."""
    return image.permute(0, 2, 3, 1).reshape(image.shape[0], -1)


def case(name, input_shape, inputs, parameters, forward, training=False, statistics=None):
    """parameters: pairs of a leaf tensor and the function that puts it (or its gradient) into our order."""
    leaves = [leaf.requires_grad_() for leaf, _ in parameters]
    outputs = forward(inputs, *leaves)
    cotangent = draw(*outputs.shape)
    gradients = torch.autograd.grad((outputs * cotangent).sum(), leaves)
    flat = lambda tensors: torch.cat([order(t.detach()).reshape(-1) for t, (_, order) in zip(tensors, parameters)])
    return {
        "name": name,
        "input": input_shape,
        "training": training,
        "inputs": inputs.reshape(inputs.shape[0], -1).tolist(),
        "parameters": flat(leaves).tolist(),
        "statistics": [] if statistics is None else statistics.tolist(),
        "cotangent": cotangent.tolist(),
        "outputs": outputs.tolist(),
        "gradient": flat(gradients).tolist(),
    }


def same(tensor):
    return tensor


def cases():
    image = [2, 5, 4]
    x = draw(3, *image)

    yield case(
        "convolution-largest",
        image,
        x,
        [(draw(3, 2, 3, 3), kernel), (draw(3), same), (draw(4, 3 * 2 * 2), same), (draw(4), same)],
        lambda x, w, b, v, c: F.linear(pixels(F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1)), 2)), v, c),
    )
    yield case(
        "circular-strided-mean",
        image,
        x,
        [(draw(3, 2, 3, 3), kernel), (draw(3), same), (draw(4, 3 * 1 * 2), same), (draw(4), same)],
        lambda x, w, b, v, c: F.linear(
            pixels(F.avg_pool2d(torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), w, b, stride=2)), (2, 1))),
            v,
            c,
        ),
    )
    for training in (True, False):
        mean, variance = draw(4), draw(4).abs() + 0.5
        yield case(
            "batch-norm",
            image,
            x,
            [(draw(4, 2, 2, 2), kernel), (draw(4), same), (draw(4), same), (draw(4), same), (draw(4, 4 * 12), same), (draw(4), same)],
            lambda x, w, b, s, t, v, c: F.linear(
                pixels(torch.tanh(F.batch_norm(F.conv2d(x, w, b), mean.clone(), variance.clone(), s, t, training=training))),
                v,
                c,
            ),
            training=training,
            statistics=torch.cat([mean, variance]),
        )
    yield case(
        "group-norm",
        image,
        x,
        [(draw(4, 2, 2, 2), kernel), (draw(4), same), (draw(4), same), (draw(4), same), (draw(4, 4 * 12), same), (draw(4), same)],
        lambda x, w, b, s, t, v, c: F.linear(pixels(F.gelu(F.group_norm(F.conv2d(x, w, b), 2, s, t))), v, c),
    )

    length, width, heads = 4, 6, 3
    series = draw(3, length, width)

    def attention(x, s, t, q, qb, k, kb, v, vb, o, ob, w, b):
        normal = F.layer_norm(x, (width,), s, t)
        out, _ = F.multi_head_attention_forward(
            *(normal.transpose(0, 1),) * 3,
            width,
            heads,
            torch.cat([q, k, v]),
            torch.cat([qb, kb, vb]),
            None,
            None,
            False,
            0.0,
            o,
            ob,
            need_weights=False,
        )
        return F.linear((x + out.transpose(0, 1)).mean(1), w, b)

    square = lambda: [(draw(width, width), same), (draw(width), same)]
    yield case(
        "attention",
        [length, width],
        series,
        [(draw(width), same), (draw(width), same)] + square() + square() + square() + square() + [(draw(4, width), same), (draw(4), same)],
        attention,
    )

    def recurrent(x, w, u, b, v, c):
        cell = torch.nn.RNN(width, 5, batch_first=True)
        replaced = {"weight_ih_l0": w, "weight_hh_l0": u, "bias_ih_l0": b, "bias_hh_l0": torch.zeros(5)}
        out, _ = torch.func.functional_call(cell, replaced, (x,))
        return F.linear(out[:, -1], v, c)

    yield case(
        "recurrent",
        [length, width],
        series,
        [(draw(5, width), same), (draw(5, 5), same), (draw(5), same), (draw(4, 5), same), (draw(4), same)],
        recurrent,
    )


json.dump({"origin": f"PyTorch {torch.__version__}, benches/peers/layers.py", "cases": list(cases())}, sys.stdout, indent=None)
print()
