"""g_a, g_s and h_a in float32 as graphs, see `s2lic.transform.transforms` and `s2lic.entropy.hyperprior`."""

from __future__ import annotations

from s2lic.errors import BlockChoiceError
from s2lic.onnx.attention import swin_layer
from s2lic.onnx.graph import Arrays, Graph, scope
from s2lic.transform.config import STRIDE, TransformRow

# Latents have magnitudes of 10 and more, so networks that read them scale them by 0.1 first.
INPUT_SCALE = 0.1
OUTPUT_SCALE = 1 / 64
PATCH = 3 * STRIDE**2


def synthesis(graph: Graph, row: TransformRow, layers: Arrays) -> None:
    """g_s: y_hat -> integer samples from 0 to 255."""
    unshuffle = row.dense_unshuffle
    y = graph.input("y_hat", 1, row.latent, "h", "w")
    x = graph.op("Mul", y, graph.real(INPUT_SCALE))
    for place, stage in enumerate((2, 1, 0)):
        x = _doubled(graph, scope(layers, f"up.{place}"), x)
        x = _group(graph, row, scope(layers, f"groups.{place}"), x, stage)
    last = scope(layers, "last")
    x = _convolution(graph, last, x) if unshuffle == 2 else _doubled(graph, last, x)
    pixels = graph.op("Add", x, _linear_synthesis(graph, layers, y, unshuffle))
    pixels = _dense(graph, scope(layers, "dense"), pixels)
    if unshuffle > 1:
        pixels = graph.op("DepthToSpace", pixels, blocksize=unshuffle, mode="CRD")
    levels = graph.op("Mul", graph.op("Add", pixels, graph.real(0.5)), graph.real(255))
    graph.output("x_hat", graph.round(levels, 0, 255), 1, 3, "H", "W")


def analysis(graph: Graph, row: TransformRow, layers: Arrays) -> None:
    """g_a: pixels in 0..1, with sides that are multiples of 16 -> y."""
    unshuffle = row.dense_unshuffle
    x = graph.op("Sub", graph.input("x", 1, 3, "H", "W"), graph.real(0.5))
    features = _dense(graph, scope(layers, "dense"), _unshuffle(graph, x, 3, unshuffle))
    for stage in range(3):
        stride = 1 if stage == 0 and unshuffle == 2 else 2
        features = _convolution(graph, scope(layers, f"down.{stage}"), features, stride)
        features = _group(graph, row, scope(layers, f"groups.{stage}"), features, stage)
    last = _convolution(graph, scope(layers, "last"), features, 2)
    linear = _convolution(graph, scope(layers, "linear.conv"), _unshuffle(graph, x, 3, STRIDE))
    graph.output("y", graph.op("Add", last, linear), 1, row.latent, "h", "w")


def hyper_analysis(graph: Graph, layers: Arrays, latent: int, side: int) -> None:
    """h_a: y, with sides that are multiples of 4 -> z."""
    width = len(layers["first.bias"])
    x = graph.op("Mul", graph.input("y", 1, latent, "h", "w"), graph.real(INPUT_SCALE))
    slope, offset = (graph.input(name, 1, width, 1, 1) for name in ("slope", "offset"))
    for name, stride in (("first", 1), ("down1", 2), ("mix", 1), ("down2", 2)):
        x = _gelu(graph, _convolution(graph, scope(layers, name), x, stride))
    x = graph.op("Add", graph.op("Mul", x, slope), offset)
    graph.output("z", _convolution(graph, scope(layers, "last"), x), 1, side, "zh", "zw")


def _gelu(graph: Graph, x: str) -> str:
    return graph.op("Gelu", x)


def _convolution(graph: Graph, layer: Arrays, x: str, stride: int = 1) -> str:
    kernel = layer["weight"].shape[2:]
    ends = [graph.floats(layer[name]) for name in ("weight", "bias") if name in layer]
    sides = {"kernel_shape": kernel, "pads": [kernel[0] // 2] * 4, "strides": [stride] * 2}
    return graph.op("Conv", x, *ends, **sides)


def _doubled(graph: Graph, layer: Arrays, x: str) -> str:
    ends = [graph.floats(layer[name]) for name in ("weight", "bias")]
    return graph.op("ConvTranspose", x, *ends, kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)


def _unshuffle(graph: Graph, x: str, channels: int, factor: int) -> str:
    """The pixel unshuffle of torch: channel, then row, then column within a square. SpaceToDepth uses another order."""
    if factor == 1:
        return x
    height, width = (graph.op("Div", graph.size(x, axis), graph.whole([factor])) for axis in (2, 3))
    side = graph.whole([factor])
    x = graph.op("Reshape", x, graph.op("Concat", graph.whole([channels]), height, side, width, side, axis=0))
    x = graph.op("Transpose", x, perm=[0, 2, 4, 1, 3])
    return graph.op("Reshape", x, graph.op("Concat", graph.whole([1, channels * factor**2]), height, width, axis=0))


def _linear_synthesis(graph: Graph, layers: Arrays, y: str, unshuffle: int) -> str:
    weight, side = layers["linear.conv.weight"], STRIDE // unshuffle
    by_phase = weight.reshape(3, side, unshuffle, side, unshuffle, -1).transpose(0, 2, 4, 1, 3, 5)
    x = _convolution(graph, {"weight": by_phase.reshape(PATCH, -1, 1, 1)}, y)
    return graph.op("DepthToSpace", graph.op("Mul", x, graph.real(OUTPUT_SCALE)), blocksize=side, mode="CRD")


def _dense(graph: Graph, layers: Arrays, x: str) -> str:
    seen = [x]
    for index in range(4):
        joined = graph.op("Concat", *seen, axis=1) if index else x
        found = _convolution(graph, scope(layers, f"convs.{index}"), joined)
        seen.append(graph.op("LeakyRelu", found, alpha=0.2))
    return graph.op("Add", x, _convolution(graph, scope(layers, "out"), graph.op("Concat", *seen, axis=1)))


def _group(graph: Graph, row: TransformRow, layers: Arrays, x: str, stage: int) -> str:
    """x + block_n(... block_1(x))."""
    if row.gate or row.wrap or row.mlp != "mlp":
        raise BlockChoiceError(f"{row.gate or row.wrap or row.mlp} has no ONNX graph; decode with torch")
    features = x
    for index, key in enumerate(row.keys(stage)):
        own = scope(layers, f"blocks.{index}")
        if key == "swinv2":
            features = swin_layer(graph, own, features, row.heads[stage], row.window, row.window // 2 * (index % 2))
        elif key in BLOCKS:
            features = BLOCKS[key](graph, own, features)
        else:
            raise BlockChoiceError(f"the block '{key}' has no ONNX graph; decode with torch")
    return graph.op("Add", x, features)


def _bottleneck(graph: Graph, layers: Arrays, x: str) -> str:
    narrow = _gelu(graph, _convolution(graph, scope(layers, "narrow"), x))
    spread = _gelu(graph, _convolution(graph, scope(layers, "spread"), narrow))
    return graph.op("Add", _convolution(graph, scope(layers, "widen"), spread), x)


def _residual_pair(graph: Graph, layers: Arrays, x: str) -> str:
    first = _gelu(graph, _convolution(graph, scope(layers, "first"), x))
    return graph.op("Add", _convolution(graph, scope(layers, "second"), first), x)


BLOCKS = {"bottleneck": _bottleneck, "residual_pair": _residual_pair}
