"""Graphs are valid ONNX, and compute what the networks of torch compute, for maps of any size."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2lic.entropy.exact.acgc import ExactAcgc
from s2lic.entropy.exact.layers import scope as part_of
from s2lic.errors import BlockChoiceError
from s2lic.lite.sessions import Sessions
from s2lic.onnx.acgc import acgc
from s2lic.onnx.export import builders
from s2lic.onnx.graph import Graph, scope
from s2lic.onnx.protobuf import attribute, number
from s2lic.onnx.transform import synthesis
from s2lic.weights.arrays import WeightArrays, load_arrays
from s2lic.weights.manifest import rows
from tests.frozen import MODEL, codec

sides = st.integers(1, 20)


@cache
def weights() -> WeightArrays:
    return load_arrays(MODEL)


@cache
def sessions() -> Sessions:
    return Sessions(builders(weights()), threads=1)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def built(name: str, compact: bool) -> Graph:
    graph = Graph(name, compact)
    builders(weights())[name](graph)
    return graph


@pytest.mark.parametrize("compact", [True, False])
def test_every_graph_is_sound_and_has_the_ends_that_it_lists(compact: bool) -> None:
    for name in builders(weights()):
        graph = built(name, compact)
        model = onnx.load_from_string(graph.to_bytes())
        onnx.checker.check_model(model, full_check=True)
        assert [end.name for end in model.graph.input] == list(graph.inputs)
        assert [end.name for end in model.graph.output] == list(graph.outputs)


def test_a_compact_graph_is_half_as_large_and_means_the_same() -> None:
    compact, wide = (built("h_a", kind).to_bytes() for kind in (True, False))
    ends = {"y": noise(1, 16, 4, 8).numpy(), **{name: noise(1, 12, 1, 1).numpy() for name in ("slope", "offset")}}
    found = [onnxruntime.InferenceSession(model).run(None, ends)[0] for model in (compact, wide)]
    assert len(compact) < 0.6 * len(wide)
    assert np.array_equal(found[0], found[1])


@given(sides, sides)
@settings(max_examples=15, deadline=None)
def test_synthesis_gives_the_pixels_of_torch_within_half_a_level(height: int, width: int) -> None:
    y = noise(1, 16, height, width, seed=height)
    expected = codec().networks.synthesise_float(y, 5000).mul(255).clamp(0, 255).numpy()
    (found,) = sessions().run("g_s", y_hat=y.numpy())
    assert np.abs(found - expected).max() < 0.501
    assert np.array_equal(found, np.rint(found))


@given(sides, sides)
@settings(max_examples=10, deadline=None)
def test_analysis_gives_the_latents_of_torch(height: int, width: int) -> None:
    x = noise(1, 3, 16 * height, 16 * width, seed=height).sigmoid()
    expected = codec().networks.analyse(x, 5000).numpy()
    (found,) = sessions().run("g_a", x=x.numpy())
    assert np.allclose(found, expected, rtol=0, atol=1e-4)


def context(height: int, width: int, channels: int) -> NDArray[np.float32]:
    return np.random.default_rng(height * width).integers(-512, 512, (1, channels, height, width)).astype(np.float32)


@given(sides, sides)
@settings(max_examples=15, deadline=None)
def test_acgc_gives_the_integers_of_torch(height: int, width: int) -> None:
    x, graph = context(height, width, 8), Graph("acgc")
    value = acgc(graph, scope(weights().exact, "slices.2.acgc"), graph.input("x", 1, 8, "h", "w"))
    graph.output("found", value, 1, "c", "h", "w")
    (found,) = onnxruntime.InferenceSession(graph.to_bytes()).run(None, {"x": x})
    layers = ExactAcgc(part_of(codec().weights.exact.tensors, "slices.2.acgc"))
    assert np.array_equal(found, layers(torch.from_numpy(x)).numpy())


def test_a_block_without_a_graph_is_refused_by_its_name() -> None:
    row = replace(weights().transform, blocks=("dhsa", "dhsa", "dhsa"))
    with pytest.raises(BlockChoiceError, match="'dhsa' has no ONNX graph"):
        synthesis(Graph("g_s"), row, scope(weights().parameters, "g_s"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.config)
def test_every_set_that_ships_has_graphs(row: object) -> None:
    found = load_arrays(row.path)  # type: ignore[attr-defined]
    for name, builder in builders(found).items():
        graph = Graph(name)
        builder(graph)
        assert len(graph.to_bytes()) > 1000


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_are_stored_as_protobuf_does(value: int) -> None:
    found = onnx.AttributeProto.FromString(attribute("n", value))
    assert (found.name, found.i, found.type) == ("n", value, onnx.AttributeProto.INT)
    assert number(3, value) == onnx.AttributeProto(i=value).SerializeToString()


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.floats(width=32, allow_nan=False), st.text(max_size=9)
)
def test_attributes_are_stored_as_protobuf_reads_them(ints: list[int], real: float, text: str) -> None:
    assert list(onnx.AttributeProto.FromString(attribute("n", ints)).ints) == ints
    assert onnx.AttributeProto.FromString(attribute("n", real)).f == real
    assert onnx.AttributeProto.FromString(attribute("n", text)).s.decode() == text
