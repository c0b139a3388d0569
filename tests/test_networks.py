"""Precisions of g_a and g_s, on the frozen model."""

from __future__ import annotations

import numpy as np
import pytest

from s2lic.codec import Codec
from s2lic.errors import UsageError
from tests.frozen import MODEL, codec, picture


def test_reduced_precision_decodes_the_same_symbols_to_nearly_the_same_picture() -> None:
    data = codec().encode(picture("portrait"), 60)
    exact, reduced = (np.asarray(codec(p).decode(data), int) for p in ("float32", "bf16"))
    assert abs(exact - reduced).max() <= 4
    assert codec().decode(codec("bf16").encode(picture("portrait"), 60)).size == (160, 120)


@pytest.mark.parametrize("able", [True, False])
def test_auto_reduces_g_s_alone_where_the_cpu_multiplies_bfloat16(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.networks.multiplies_bf16", lambda: able)
    data, plain = codec().encode(picture("portrait"), 60), Codec(MODEL, precision="auto")
    assert plain.encode(picture("portrait"), 60) == data
    pixels = np.asarray(plain.decode(data))
    assert np.array_equal(pixels, np.asarray(codec("bf16" if able else "float32").decode(data)))
    assert not np.array_equal(pixels, np.asarray(codec("float32" if able else "bf16").decode(data)))


def test_an_unknown_precision_lists_the_known() -> None:
    with pytest.raises(UsageError, match="auto, float32, bf16"):
        Codec(MODEL, precision="int8")
