"""The layers of the exact networks as ONNX operators. Inputs and outputs are integers in float32.

A layer's scale is a power of two. It is multiplied into the weights, which keeps sums exact and saves two operators.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.exact.limits import BRANCH, NORM_ONE, PRE
from s2lic.onnx.graph import Arrays, Graph, scope

Limits = tuple[int, int]


def scaled_weight(graph: Graph, layer: Arrays, shape: tuple[int, ...], transposed: bool = False) -> str:
    """The weight, reshaped and multiplied by the power of two of each output channel. It is stored as in the file."""
    scale = np.exp2(layer["shift"].astype(np.float32))
    view = [1] * len(shape)
    view[1 if transposed else 0] = -1
    return graph.floats(layer["weight"].reshape(shape), scale.reshape(view))


def scaled_bias(layer: Arrays) -> NDArray[np.float32]:
    """The bias, multiplied likewise."""
    found: NDArray[np.float32] = np.ldexp(layer["bias"].astype(np.float32), layer["shift"].astype(np.int32))
    return found


def convolution(graph: Graph, layer: Arrays, x: str, limits: Limits = PRE, groups: int = 1) -> str:
    """Affine: a convolution of stride 1 with an odd kernel and zero padding; depth-wise if groups equal channels."""
    shape = layer["weight"].shape
    shape = shape if len(shape) == 4 else (*shape, 1, 1)
    weight, bias = scaled_weight(graph, layer, shape), graph.real(scaled_bias(layer))
    sums = graph.op("Conv", x, weight, bias, kernel_shape=shape[2:], pads=[shape[2] // 2] * 4, group=groups)
    return graph.round(sums, *limits)


def doubled(graph: Graph, layer: Arrays, x: str) -> str:
    """Affine: a transposed convolution with kernel 4 and stride 2."""
    weight = scaled_weight(graph, layer, layer["weight"].shape, transposed=True)
    bias = graph.real(scaled_bias(layer))
    sums = graph.op("ConvTranspose", x, weight, bias, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
    return graph.round(sums, *PRE)


def columns(graph: Graph, layer: Arrays, x: str, first: int, last: int) -> str:
    """The part of a 1x1 kernel's scaled sums that input channels `first` to `last` add: (1, C, P) -> (1, O, P)."""
    part = {**layer, "weight": layer["weight"].reshape(len(layer["bias"]), -1)[:, first:last]}
    return graph.op("MatMul", scaled_weight(graph, part, part["weight"].shape), x)


def with_bias(graph: Graph, layer: Arrays, sums: str, limits: Limits) -> str:
    """The output of a layer, from its scaled sums (1, O, P)."""
    return graph.round(graph.op("Add", sums, graph.real(scaled_bias(layer)[:, None])), *limits)


def matrix(graph: Graph, layer: Arrays, x: str, limits: Limits) -> str:
    """Affine: a 1x1 kernel on (1, C, P)."""
    return with_bias(graph, layer, columns(graph, layer, x, 0, layer["weight"][0].size), limits)


def table(graph: Graph, entries: NDArray[np.generic], x: str, low: int = PRE[0]) -> str:
    """Entries of a table over the integers from `low` on.

    It is rotated to begin with the entry of 0, because a negative index counts from the end.
    """
    turned = graph.floats(np.roll(entries, low, axis=-1))
    return graph.op("Gather", turned, graph.cast(x, "int32"), axis=entries.ndim - 1)


def activated(graph: Graph, layer: Arrays, x: str) -> str:
    """A convolution followed by a table."""
    return table(graph, layer["table"], convolution(graph, layer, x))


def modulated(graph: Graph, layer: Arrays, x: str, slope: str, offset: str) -> str:
    """x times the slope plus the offset of each channel, and a table."""
    moved = graph.op("Add", graph.op("Mul", x, slope), offset)
    return table(graph, layer["table"], graph.round(moved, *PRE))


def branch(graph: Graph, layers: Arrays, x: str) -> str:
    """A depth-wise 3x3 convolution, a table, and a 1x1 convolution."""
    spread = scope(layers, "spread")
    seen = convolution(graph, spread, x, groups=len(spread["bias"]))
    return convolution(graph, scope(layers, "mix"), table(graph, spread["table"], seen), BRANCH)


def norm(graph: Graph, layer: Arrays, x: str, channels: int) -> str:
    """Layer norm over channels: integer sums, then a square root and a division in float64, then a table."""
    axis, count = graph.whole([1]), graph.real(channels)
    distance = graph.op("Sub", graph.op("Mul", x, count), graph.op("ReduceSum", x, axis, keepdims=1))
    distance = graph.cast(distance, "float64")
    square = graph.op("ReduceSum", graph.op("Mul", distance, distance), axis, keepdims=1)
    root = graph.op("Sqrt", graph.op("Add", square, graph.double(layer["floor"].reshape(1, 1, 1, 1))))
    ratio = graph.op("Mul", graph.op("Div", distance, root), graph.double(NORM_ONE))
    ratio = graph.cast(graph.op("Round", ratio), "float32")
    shift = layer["shift"].astype(np.int32)
    slope, offset = (
        graph.real(np.ldexp(layer[name].astype(np.float32), shift).reshape(1, -1, 1, 1)) for name in ("slope", "offset")
    )
    return modulated(graph, layer, ratio, slope, offset)


def gate(graph: Graph, layers: Arrays, x: str) -> str:
    """1x1, norm, table, 1x1, table."""
    narrow = convolution(graph, scope(layers, "fc1"), x)
    normed = norm(graph, scope(layers, "norm"), narrow, len(layers["fc1.bias"]))
    return activated(graph, scope(layers, "fc2"), normed)
