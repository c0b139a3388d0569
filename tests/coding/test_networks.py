"""Precisions of g_a and g_s, on the frozen model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s2lic.codec import Codec
from s2lic.errors import UsageError
from tests.frozen import MODEL, codec, picture


def test_reduced_precision_decodes_the_same_symbols_to_nearly_the_same_picture() -> None:
    data = codec().encode(picture("portrait"), 60)
    exact, reduced = (np.asarray(codec(p).decode(data), int) for p in ("float32", "bf16"))
    assert abs(exact - reduced).max() <= 2
    assert codec().decode(codec("bf16").encode(picture("portrait"), 60)).size == (160, 120)


@pytest.mark.parametrize("able", [True, False])
def test_auto_reduces_g_s_alone_where_the_cpu_multiplies_bfloat16(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.coding.networks.multiplies_bf16", lambda: able)
    data, plain = codec().encode(picture("portrait"), 60, effort=0), Codec(MODEL, precision="auto")
    assert plain.encode(picture("portrait"), 60, effort=0) == data
    pixels = np.asarray(plain.decode(data))
    assert np.array_equal(pixels, np.asarray(codec("bf16" if able else "float32").decode(data)))
    assert not np.array_equal(pixels, np.asarray(codec("float32" if able else "bf16").decode(data)))


@pytest.mark.parametrize(("precision", "reduced"), [("float32", False), ("bf16", True), ("auto", True)])
def test_what_a_search_restores_is_in_the_precision_that_was_asked_for(
    precision: str, reduced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.coding.networks.multiplies_bf16", lambda: True)
    y_hat, nets = 3 * torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0)), codec(precision).networks
    model = nets.weights.model
    with torch.no_grad():
        exact = model.g_s(y_hat, model.context(torch.tensor([5000]))) + 0.5
        apart = (nets.synthesise_float(y_hat, 5000) - exact).abs().max()
    assert (apart > 1e-4) == reduced


def test_an_unknown_precision_lists_the_known() -> None:
    with pytest.raises(UsageError, match="auto, float32, bf16"):
        Codec(MODEL, precision="int8")
