"""ACGC as ONNX operators, see `s2lic.entropy.exact.acgc`."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.exact.limits import (
    ACTIVATION,
    BIAS_REACH,
    BRANCH,
    GRID_MAX,
    MEAN_BITS,
    OFFSET_ONE,
    OFFSET_REACH,
    POINT,
    VALUE,
    key_limit,
)
from s2lic.onnx.graph import Arrays, Graph, scope
from s2lic.onnx.layers import activated, branch, convolution, gate, matrix, table


def acgc(graph: Graph, layers: Arrays, x: str) -> str:
    """Decoded slices (1, S, h, w) -> context (1, dim, h, w)."""
    local, far_layers = scope(layers, "local"), scope(layers, "globally")
    near = activated(graph, scope(local, "conv2"), activated(graph, scope(local, "conv1"), x))
    near = graph.op("Add", near, branch(graph, scope(local, "depthwise"), x))
    far = activated(graph, scope(far_layers, "conv"), attention(graph, scope(far_layers, "attention"), x))
    far = convolution(graph, scope(far_layers, "mix"), far, BRANCH)
    far = graph.op("Add", far, branch(graph, scope(far_layers, "depthwise"), x))
    by_channel = graph.op("Mul", near, gate(graph, scope(layers, "channel_map"), _mean(graph, far)))
    by_place = graph.op("Mul", far, gate(graph, scope(layers, "spatial_map"), near))
    scale = graph.real(np.exp2(layers["shift"].astype(np.float32)).reshape(1, -1, 1, 1))
    return graph.round(graph.op("Mul", graph.op("Add", by_channel, by_place), scale), *ACTIVATION)


def _mean(graph: Graph, x: str) -> str:
    """Four times the mean over the map, (1, C, 1, 1). The sum may exceed 2^24, so it is computed in float64."""
    total = graph.op("ReduceSum", graph.cast(x, "float64"), graph.whole([2, 3]), keepdims=1)
    places = graph.cast(graph.op("Mul", graph.size(x, 2), graph.size(x, 3)), "float64")
    quotient = graph.op("Div", graph.op("Mul", total, graph.double(4)), places)
    return graph.cast(graph.op("Round", quotient), "float32")


def attention(graph: Graph, layers: Arrays, x: str) -> str:
    """Deformable attention: (1, S, h, w) -> (1, dim, h, w)."""
    dim, heads = len(layers["to_q.bias"]), len(layers["row_bias"])
    key = key_limit(dim // heads)
    q = convolution(graph, scope(layers, "to_q"), x, ACTIVATION)
    points = _points(graph, layers, q)
    seen = _sample(graph, x, points)
    k = matrix(graph, scope(layers, "to_k"), seen, (-key, key))
    v = matrix(graph, scope(layers, "to_v"), seen, VALUE)
    # Logits are negated and in units of the exponential table, which are powers of two.
    scale = -np.exp2(layers["logit_shift"].astype(np.float32))
    k = graph.op("Mul", k, graph.real(scale))
    biases = [
        _bias(graph, layers[name] * scale, graph.size(x, 2 + axis), points[axis], axis)
        for axis, name in enumerate(("row_bias", "col_bias"))
    ]
    queries = graph.op("Transpose", graph.reshape(q, heads, dim // heads, -1), perm=[0, 2, 1])
    logits = graph.op("MatMul", queries, graph.reshape(k, heads, dim // heads, -1))
    position = graph.op("Add", *biases)  # (heads, h, w, points)
    behind = graph.op("Add", logits, graph.op("Reshape", position, graph.op("Shape", logits)))
    means = _means(graph, layers["exponential"], behind, graph.reshape(v, heads, dim // heads, -1))
    means = graph.op("Transpose", means, perm=[0, 2, 1])
    shape = graph.op("Concat", graph.whole([1, dim]), graph.size(x, 2), graph.size(x, 3), axis=0)
    return graph.op("Reshape", means, shape)


def _means(graph: Graph, exponential: NDArray[np.generic], behind: str, v: str) -> str:
    """Means of values (heads, d, points), weighted by the softmax of negated logits (heads, places, points)."""
    behind = graph.op("Sub", behind, graph.op("ReduceMin", behind, graph.whole([2]), keepdims=1))
    index = graph.op("Min", behind, graph.real(len(exponential) - 1))
    weights = table(graph, exponential, index, 0)
    values = graph.op("MatMul", weights, graph.op("Transpose", v, perm=[0, 2, 1]))
    total = graph.op("ReduceSum", weights, graph.whole([2]), keepdims=1)
    values = graph.op("Mul", graph.cast(values, "float64"), graph.double(2**MEAN_BITS))
    quotient = graph.op("Div", values, graph.cast(total, "float64"))
    return graph.cast(graph.op("Round", quotient), "float32")


def _points(graph: Graph, layers: Arrays, q: str) -> tuple[str, str]:
    """Rows and columns of the points in sixteenths of a latent, int64, (points,) each."""
    spread = scope(layers, "spread")
    grid = [graph.op("Min", graph.size(q, axis), graph.whole([GRID_MAX])) for axis in (2, 3)]
    pooled = _pool(graph, convolution(graph, spread, q, groups=len(spread["bias"])), grid)
    offset = activated(graph, scope(layers, "to_offset"), table(graph, spread["table"], pooled))
    offset = graph.cast(offset, "float64")  # (1, 2, grid rows, grid columns)
    rows, columns = (_axis_points(graph, offset, graph.size(q, 2 + axis), grid[axis], axis) for axis in (0, 1))
    return rows, columns


def _axis_points(graph: Graph, offset: str, size: str, count: str, axis: int) -> str:
    cell = graph.op("Add", graph.op("Mul", _range(graph, count), graph.whole(2)), graph.whole(1))
    middle = graph.op("Unsqueeze", graph.cast(cell, "float64"), graph.whole([1 - axis]))
    middle = graph.op("Mul", middle, graph.double(OFFSET_ONE / 2 / OFFSET_REACH))
    own = graph.op("Gather", offset, graph.whole(axis), axis=1)  # (1, grid rows, grid columns)
    moved = graph.op("Mul", graph.op("Add", middle, own), graph.cast(size, "float64"))
    unit = graph.op("Mul", graph.cast(count, "float64"), graph.double(OFFSET_ONE / (POINT * OFFSET_REACH)))
    at = graph.cast(graph.op("Round", graph.op("Div", moved, unit)), "int64")
    at = graph.op("Sub", graph.reshape(at, -1), graph.whole(POINT // 2))
    last = graph.op("Mul", graph.op("Sub", size, graph.whole(1)), graph.whole(POINT))
    return graph.op("Min", graph.op("Max", at, graph.whole(0)), last)


def _range(graph: Graph, count: str) -> str:
    """0 to count - 1, int64."""
    return graph.op("Range", graph.whole(0), graph.op("Squeeze", count), graph.whole(1))


def _pool(graph: Graph, x: str, grid: list[str]) -> str:
    """An adaptive average pool, rounded half to even."""
    rows, columns = (_bins(graph, graph.size(x, 2 + axis), grid[axis]) for axis in (0, 1))
    sums = graph.op("MatMul", graph.cast(x, "float64"), graph.op("Transpose", columns, perm=[1, 0]))
    sums = graph.op("MatMul", rows, sums)
    tall = graph.op("ReduceSum", rows, graph.whole([1]), keepdims=1)  # (grid rows, 1)
    wide = graph.op("ReduceSum", columns, graph.whole([1]), keepdims=0)  # (grid columns,)
    quotient = graph.op("Div", sums, graph.op("Mul", tall, wide))
    return graph.cast(graph.op("Round", quotient), "float32")


def _bins(graph: Graph, size: str, count: str) -> str:
    """(count, size) float64: 1 where a line belongs to a bin; bins overlap where they do not divide the map."""
    line, cell = _range(graph, size), graph.op("Unsqueeze", _range(graph, count), graph.whole([1]))
    first = graph.op("Div", graph.op("Mul", cell, size), count)
    beyond = graph.op("Mul", graph.op("Add", cell, graph.whole(1)), size)
    beyond = graph.op("Div", graph.op("Add", beyond, graph.op("Sub", count, graph.whole(1))), count)  # rounded up
    inside = graph.op("And", graph.op("GreaterOrEqual", line, first), graph.op("Less", line, beyond))
    return graph.cast(inside, "float64")


def _bias(graph: Graph, entries: NDArray[np.generic], size: str, at: str, axis: int) -> str:
    """The position bias of an axis for its lines and the points, (heads, h, 1, points) or (heads, 1, w, points)."""
    lines = graph.op("Mul", graph.op("Unsqueeze", _range(graph, size), graph.whole([1])), graph.whole(POINT))
    distance = graph.op("Sub", at, lines)
    distance = graph.op("Max", graph.op("Min", distance, graph.whole(BIAS_REACH - 1)), graph.whole(-BIAS_REACH))
    found = graph.op("Gather", graph.real(np.roll(entries, -BIAS_REACH, axis=1)), distance, axis=1)
    return graph.op("Unsqueeze", found, graph.whole([2 - axis]))


def _sample(graph: Graph, x: str, points: tuple[str, str]) -> str:
    """Bilinear samples of x at points, (1, C, points): weights of 256ths, rounded to even."""
    sizes, flat = [graph.size(x, axis) for axis in (2, 3)], graph.reshape(x, 1, 0, -1)
    first = [graph.op("Div", at, graph.whole(POINT)) for at in points]
    part = [
        graph.op("Sub", at, graph.op("Mul", whole, graph.whole(POINT))) for at, whole in zip(points, first, strict=True)
    ]
    last, sums = [graph.op("Sub", size, graph.whole(1)) for size in sizes], ""
    for corner in itertools.product((0, 1), repeat=2):
        row, column = (
            graph.op("Min", graph.op("Add", first[axis], graph.whole(step)), last[axis])
            for axis, step in enumerate(corner)
        )
        down, right = (
            part[axis] if step else graph.op("Sub", graph.whole(POINT), part[axis]) for axis, step in enumerate(corner)
        )
        at = graph.op("Add", graph.op("Mul", row, sizes[1]), column)
        weight = graph.cast(graph.op("Mul", down, right), "float32")
        found = graph.op("Mul", graph.op("Gather", flat, at, axis=2), weight)
        sums = graph.op("Add", sums, found) if sums else found
    return graph.round(graph.op("Mul", sums, graph.real(1 / POINT**2)), *ACTIVATION)
