"""SwinV2 layers as ONNX operators, see `s2lic.transform.group.Layer` and `s2lic.transform.blocks.swinv2`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lic.onnx.graph import Arrays, Graph, scope

BIAS_MAX, MAX_LOGIT_SCALE = 16.0, math.log(100.0)
MASKED = -1e9
EPSILON = 1e-5  # of torch's layer norm


def swin_layer(graph: Graph, layers: Arrays, x: str, heads: int, window: int, shift: int) -> str:
    """x + LN(attention(x)), then x + LN(mlp(x)), on (1, C, H, W)."""
    attended = window_attention(graph, scope(layers, "attn"), x, heads, window, shift)
    x = graph.op("Add", x, _norm(graph, scope(layers, "norm1"), attended))
    hidden = graph.op("Gelu", _linear(graph, scope(layers, "mlp.fc1"), x))
    return graph.op("Add", x, _norm(graph, scope(layers, "norm2"), _linear(graph, scope(layers, "mlp.fc2"), hidden)))


def _linear(graph: Graph, layer: Arrays, x: str) -> str:
    return graph.op("Conv", x, graph.floats(layer["weight"][:, :, None, None]), graph.floats(layer["bias"]))


def _norm(graph: Graph, layer: Arrays, x: str) -> str:
    """Layer norm over the channels."""
    last = graph.op("Transpose", x, perm=[0, 2, 3, 1])
    ends = [graph.floats(layer[name]) for name in ("weight", "bias")]
    normed = graph.op("LayerNormalization", last, *ends, axis=-1, epsilon=EPSILON)
    return graph.op("Transpose", normed, perm=[0, 3, 1, 2])


def window_attention(graph: Graph, layers: Arrays, x: str, heads: int, window: int, shift: int) -> str:
    """Cosine attention inside windows, (1, C, H, W) -> the same shape."""
    dim = len(layers["proj.bias"])
    rows, columns = (_Axis(graph, graph.size(x, axis), window, shift) for axis in (2, 3))
    bias = np.concatenate([layers["q_bias"], np.zeros_like(layers["q_bias"]), layers["v_bias"]])
    tokens = _split(graph, x, rows, columns, dim, window)
    qkv = graph.op("MatMul", tokens, graph.floats(np.ascontiguousarray(layers["qkv.weight"].T)))
    qkv = graph.op("Add", qkv, graph.floats(bias))
    qkv = graph.op("Transpose", graph.reshape(qkv, -1, window**2, 3, heads, dim // heads), perm=[2, 0, 3, 1, 4])
    q, k, v = (graph.op("Gather", qkv, graph.whole(index), axis=0) for index in range(3))  # (windows, heads, n, d)
    scale = np.exp(np.minimum(layers["logit_scale"].astype(np.float32), MAX_LOGIT_SCALE))
    q = graph.op("Mul", _unit(graph, q), graph.real(scale))
    logits = graph.op("MatMul", q, graph.op("Transpose", _unit(graph, k), perm=[0, 1, 3, 2]))
    logits = graph.op("Add", logits, graph.real(_position_bias(layers, window)))
    logits = graph.op("Add", logits, _mask(graph, rows, columns, window))
    out = graph.op("MatMul", graph.op("Softmax", logits, axis=-1), v)
    out = graph.reshape(graph.op("Transpose", out, perm=[0, 2, 1, 3]), -1, window**2, dim)
    out = graph.op("MatMul", out, graph.floats(np.ascontiguousarray(layers["proj.weight"].T)))
    return _merge(graph, graph.op("Add", out, graph.floats(layers["proj.bias"])), rows, columns, dim, window)


class _Axis:
    """One side of the map: its size, its padded size, the number of windows, and the shift, int64 (1,) each."""

    def __init__(self, graph: Graph, size: str, window: int, shift: int) -> None:
        self.size = size
        beyond = graph.op("Add", size, graph.whole([window - 1]))
        self.count = graph.op("Div", beyond, graph.whole([window]))
        self.padded = graph.op("Mul", self.count, graph.whole([window]))
        longer = graph.cast(graph.op("Greater", size, graph.whole([window])), "int64")
        self.shift = graph.op("Mul", longer, graph.whole([shift]))
        self.back = graph.op("Sub", self.padded, self.shift)

    def regions(self, graph: Graph, window: int) -> str:
        """(windows, window) int64: 0, or 1 for lines that wrapped around, or -1 for padding."""
        line = graph.op("Range", graph.whole(0), graph.op("Squeeze", self.padded), graph.whole(1))
        wrapped = graph.cast(graph.op("GreaterOrEqual", line, self.back), "int64")
        source = graph.op("Mod", graph.op("Add", line, self.shift), self.padded)
        region = graph.op("Where", graph.op("Less", source, self.size), wrapped, graph.whole(-1))
        return graph.reshape(region, -1, window)


def _roll(graph: Graph, x: str, axis: int, by: str) -> str:
    """Roll an axis: the lines from `by` on, then those before it."""
    ends = graph.whole([np.iinfo(np.int64).max])
    first = graph.op("Slice", x, by, ends, graph.whole([axis]))
    return graph.op("Concat", first, graph.op("Slice", x, graph.whole([0]), by, graph.whole([axis])), axis=axis)


def _split(graph: Graph, x: str, rows: _Axis, columns: _Axis, dim: int, window: int) -> str:
    """(1, C, H, W) -> (windows, window^2, C): pads at the bottom and right, shifts, and splits."""
    more = [graph.op("Sub", axis.padded, axis.size) for axis in (rows, columns)]
    x = graph.op("Pad", x, graph.op("Concat", graph.whole([0] * 6), *more, axis=0))
    x = _roll(graph, _roll(graph, x, 2, rows.shift), 3, columns.shift)
    side = graph.whole([window])
    x = graph.op("Reshape", x, graph.op("Concat", graph.whole([dim]), rows.count, side, columns.count, side, axis=0))
    return graph.reshape(graph.op("Transpose", x, perm=[1, 3, 2, 4, 0]), -1, window**2, dim)


def _merge(graph: Graph, x: str, rows: _Axis, columns: _Axis, dim: int, window: int) -> str:
    """The inverse of `_split`."""
    side = graph.whole([window])
    x = graph.op("Reshape", x, graph.op("Concat", rows.count, columns.count, side, side, graph.whole([dim]), axis=0))
    x = graph.op("Transpose", x, perm=[4, 0, 2, 1, 3])
    x = graph.op("Reshape", x, graph.op("Concat", graph.whole([1, dim]), rows.padded, columns.padded, axis=0))
    x = _roll(graph, _roll(graph, x, 2, rows.back), 3, columns.back)
    ends = graph.op("Concat", rows.size, columns.size, axis=0)
    return graph.op("Slice", x, graph.whole([0, 0]), ends, graph.whole([2, 3]))


def _mask(graph: Graph, rows: _Axis, columns: _Axis, window: int) -> str:
    """(windows, 1, window^2, window^2): 0 where a query may see a key, `MASKED` elsewhere."""
    down = graph.op("Unsqueeze", rows.regions(graph, window), graph.whole([1, 3]))  # (rows, 1, window, 1)
    right = graph.op("Unsqueeze", columns.regions(graph, window), graph.whole([0, 2]))  # (1, columns, 1, window)
    region = graph.op("Add", graph.op("Mul", down, graph.whole(4)), right)
    padding = graph.op("Or", graph.op("Less", down, graph.whole(0)), graph.op("Less", right, graph.whole(0)))
    cells = graph.reshape(graph.op("Where", padding, graph.whole(-1), region), -1, window**2)
    keys = graph.op("Unsqueeze", cells, graph.whole([1, 2]))
    same = graph.op("Equal", graph.op("Unsqueeze", cells, graph.whole([1, 3])), keys)
    seen = graph.op("And", same, graph.op("GreaterOrEqual", keys, graph.whole(0)))
    return graph.op("Where", seen, graph.real(0), graph.real(MASKED))


def _unit(graph: Graph, x: str) -> str:
    """Normalise vectors along the last axis to length 1."""
    norm = graph.op("ReduceL2", x, graph.whole([-1]), keepdims=1)
    return graph.op("Div", x, graph.op("Max", norm, graph.real(1e-12)))


def _position_bias(layers: Arrays, window: int) -> NDArray[np.float32]:
    """16 sigmoid(MLP(log-spaced offset)) of each query and key, (heads, window^2, window^2)."""
    steps = np.arange(1 - window, window) * (8.0 / max(window - 1, 1))
    spaced = np.sign(steps) * np.log2(1 + np.abs(steps)) / math.log2(8.0)
    offsets = np.stack(np.meshgrid(spaced, spaced, indexing="ij"), axis=-1).reshape(-1, 2)
    fc1, fc2 = layers["bias.fc1.weight"].astype(np.float64), layers["bias.fc2.weight"].astype(np.float64)
    table = np.maximum(offsets @ fc1.T + layers["bias.fc1.bias"], 0) @ fc2.T
    at = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij")).reshape(2, -1)
    delta = at[:, :, None] - at[:, None, :] + window - 1
    index = delta[0] * (2 * window - 1) + delta[1]
    found: NDArray[np.float32] = (BIAS_MAX / (1 + np.exp(-table[index]))).transpose(2, 0, 1).astype(np.float32)
    return found
