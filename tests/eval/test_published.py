"""The published points that ship with the package."""

from __future__ import annotations

from itertools import pairwise

import pytest

from s2lic.errors import UsageError
from s2lic.eval.published import curve, curves

CODECS = (
    *("vtm", "vtm-9.1-strict", "hm", "bpg", "av1", "webp", "jpeg", "jpeg2000"),
    *("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018", "mbt2018-mean", "mbt2018-mean-vbr"),
    *("cheng2020-attn", "cheng2020-attn-msssim", "elic2022", "s2lic-paper", "lalic", "hpcm-base", "hpcm-large"),
)


def test_the_codecs_that_the_documents_name_are_there() -> None:
    assert set(curves()) == set(CODECS)


@pytest.mark.parametrize("codec", CODECS)
def test_every_curve_rises_and_names_its_source(codec: str) -> None:
    found = curve(codec)
    assert found.published
    assert found.source
    assert len(found.points) >= 6
    for before, after in pairwise(found.points):
        assert before.bpp < after.bpp
        assert before.psnr < after.psnr
        assert (before.msssim or 0) < (after.msssim or 1)


def test_ms_ssim_is_given_for_a_whole_curve_or_not_at_all() -> None:
    for found in curves().values():
        assert len({point.msssim is None for point in found.points}) == 1


def test_an_unknown_codec_is_a_named_error() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        curve("nonsense")
