"""The exact networks as graphs, see `s2lic.entropy.exact.networks`; maps have h x w places, a half has P."""

from __future__ import annotations

from functools import partial

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.exact.limits import ACTIVATION, MEAN, PRE
from s2lic.onnx.acgc import acgc
from s2lic.onnx.graph import Arrays, Builder, Graph, scope
from s2lic.onnx.layers import activated, columns, convolution, doubled, matrix, modulated, table, with_bias


def exact_builders(row: EntropyRow, arrays: Arrays) -> dict[str, Builder]:
    """Build h_s and four graphs per slice from the arrays of the weights file under `exact.`."""
    found, before = dict[str, Builder](h_s=partial(hyper_synthesis, row=row, layers=scope(arrays, "h_s"))), 0
    for index, channels in enumerate(row.slices):
        name, layers = f"slices.{index}", scope(arrays, f"slices.{index}")
        found[f"{name}.known"] = partial(known, layers=layers, channels=channels, before=before)
        found[f"{name}.parameters"] = partial(parameters, layers=scope(layers, "parameters_net"), channels=channels)
        found[f"{name}.local"] = partial(local, layers=layers, channels=channels)
        found[f"{name}.lrp"] = partial(lrp, layers=scope(layers, "lrp"), channels=channels, before=before)
        before += channels
    return found


def hyper_synthesis(graph: Graph, row: EntropyRow, layers: Arrays) -> None:
    """z_hat -> hyper features, not yet cropped to the size of y."""
    x, width = graph.input("z_hat", 1, row.side, "zh", "zw"), row.hyper
    slope, offset = (graph.input(name, 1, width, 1, 1) for name in ("slope", "offset"))
    x = activated(graph, scope(layers, "first"), x)
    x = table(graph, layers["up1.table"], doubled(graph, scope(layers, "up1"), x))
    x = activated(graph, scope(layers, "mix"), x)
    x = modulated(graph, scope(layers, "modulate"), doubled(graph, scope(layers, "up2"), x), slope, offset)
    features = convolution(graph, scope(layers, "last"), x, ACTIVATION)
    graph.output("hyper", features, 1, 2 * row.latent, "h", "w")


def known(graph: Graph, layers: Arrays, channels: int, before: int) -> None:
    """The input that both halves of a slice share: sums of g_ep over hyper features and ACGC."""
    layer = scope(layers, "parameters_net.fc1")
    seen = [graph.input("hyper", 1, 2 * channels, "h", "w")]
    if before:
        x = graph.input("context", 1, before, "h", "w")
        seen.append(acgc(graph, scope(layers, "acgc"), x))
    features = graph.op("Concat", *seen, axis=1) if before else seen[0]
    count = 2 * channels + (len(layers["acgc.shift"]) if before else 0)
    sums = columns(graph, layer, graph.reshape(features, 1, count, -1), 0, count)
    graph.output("sums", sums, 1, len(layer["bias"]), "places")


def parameters(graph: Graph, layers: Arrays, channels: int) -> None:
    """g_ep of one half, from its sums to means and scales."""
    width = len(layers["fc1.bias"])
    sums = graph.input("sums", 1, width, "P")
    slope, offset = (graph.input(end, 1, width, 1) for end in ("slope", "offset"))
    x = with_bias(graph, scope(layers, "fc1"), sums, PRE)
    x = matrix(graph, scope(layers, "fc2"), modulated(graph, scope(layers, "modulate"), x, slope, offset), MEAN)
    for end, first in (("mean", 0), ("scale", channels)):
        part = graph.op("Slice", x, graph.whole([first]), graph.whole([first + channels]), graph.whole([1]))
        graph.output(end, part, 1, channels, "P")


def local(graph: Graph, layers: Arrays, channels: int) -> None:
    """The contribution of the anchors to the sums of the other half. Values at anchors are unused."""
    layer = scope(layers, "parameters_net.fc1")
    x = graph.input("anchors", 1, channels, "h", "w")
    width, last = len(layers["local.bias"]), layer["weight"].shape[1]
    seen = graph.reshape(convolution(graph, scope(layers, "local"), x, ACTIVATION), 1, width, -1)
    sums = columns(graph, layer, seen, last - width, last)
    graph.output("sums", sums, 1, len(layer["bias"]), "places")


def lrp(graph: Graph, layers: Arrays, channels: int, before: int) -> None:
    """The correction of a slice, in 64ths of a step."""
    seen = [graph.input("hyper", 1, channels, "h", "w")]
    if before:
        seen.append(graph.input("context", 1, before, "h", "w"))
    seen.append(graph.input("own", 1, channels, "h", "w"))
    x = activated(graph, scope(layers, "fc1"), graph.op("Concat", *seen, axis=1))
    graph.output("correction", activated(graph, scope(layers, "fc2"), x), 1, channels, "h", "w")
