"""The published points that ship with the package."""

from __future__ import annotations

from itertools import pairwise

import pytest

from s2lic.errors import UsageError
from s2lic.eval.published import curve, curves

CODECS = ("vtm", "webp", "jpeg", "av1", "bpg", "jpeg2000", "bmshj2018-hyperprior", "cheng2020-attn")


def test_the_codecs_that_the_documents_name_are_there() -> None:
    assert set(curves()) == set(CODECS)


@pytest.mark.parametrize("codec", CODECS)
def test_every_curve_rises_and_names_its_source(codec: str) -> None:
    points = curve(codec)
    assert len(points) >= 6
    assert all(a.bpp < b.bpp and a.psnr < b.psnr and a.msssim < b.msssim for a, b in pairwise(points))
    assert all(point.source for point in points)


def test_an_unknown_codec_is_a_named_error() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        curve("nonsense")
