"""What blocks tell of a whole picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from s2lic.coding.fidelity import FIDELITIES, psnr
from s2lic.coding.networks import Networks
from s2lic.coding.options import EncodeOptions
from s2lic.coding.rate_estimate import PIXELS_MAX, BlockEstimator, blocks
from s2lic.coding.targets import MS_SSIM, PSNR, RATE, SSIMULACRA2, TargetKind
from s2lic.container.boxes import unpack
from tests.frozen import codec, picture


def estimator(image: Image.Image, kind: TargetKind) -> BlockEstimator:
    prepared = codec().encoder.prepare(image, EncodeOptions(effort=0))
    return BlockEstimator(codec().networks, prepared, kind)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(0.01, 1), st.sampled_from([64, 256]))
def test_blocks_are_few_apart_and_inside_unless_the_picture_is_smaller(
    width: int, height: int, share: float, side: int
) -> None:
    found = blocks(width, height, share, side)
    assert 1 <= len(found) <= 4 * PIXELS_MAX / side**2
    assert len(set(found)) == len(found)
    assert all((box.width, box.height) == (side, side) for box in found)
    assert all(box.left >= 0 and box.right <= max(width, side) for box in found)
    assert all(box.top >= 0 and box.bottom <= max(height, side) for box in found)


@pytest.mark.parametrize("size", [(40, 40), (200, 30)])
def test_blocks_of_a_small_picture_go_on_as_its_edge_does(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(Networks, "analyse", lambda _, x, *__: seen.append(x) or x)
    image = picture("portrait", size=size)
    estimator(image, RATE)._analyse(0)
    pixels = np.asarray(image).transpose(2, 0, 1) / 255
    for block, box in zip(seen[0].numpy(), blocks(*size, RATE.share, RATE.block), strict=True):
        rows, columns = (
            np.arange(a, a + RATE.block).clip(max=b - 1) for a, b in ((box.top, size[1]), (box.left, size[0]))
        )
        np.testing.assert_allclose(block, pixels[:, rows][:, :, columns], atol=1e-6)


@pytest.mark.parametrize("level", [2000, 8000])
def test_blocks_tell_bits_and_error_of_the_whole(level: int) -> None:
    image = picture("portrait", size=(512, 384))
    samples = estimator(image, PSNR)
    data = codec().encode(image, level / 100, effort=0)
    back = np.asarray(codec().decode(data), float)
    expected = 10 * math.log10(255**2 / np.square(back - np.asarray(image, float)).mean())
    assert math.log(samples.bits(level) / (8 * len(unpack(data).payload))) == pytest.approx(0, abs=0.2)
    assert samples.fidelity(level, psnr) == pytest.approx(expected, abs=0.2 * 10 / math.log(10))


@pytest.mark.parametrize(("kind", "within"), [(MS_SSIM, 1.0), (SSIMULACRA2, 5.0)], ids=["ms-ssim", "ssimulacra2"])
def test_blocks_tell_what_an_image_looks_like(kind: TargetKind, within: float) -> None:
    image = picture("portrait", size=(512, 384))
    back = codec().decode(codec().encode(image, 50, effort=0))
    pixels = (torch.from_numpy(np.array(part)).permute(2, 0, 1)[None] for part in (image, back))
    found = estimator(image, kind).fidelity(5000, FIDELITIES[kind])
    assert found == pytest.approx(FIDELITIES[kind](*pixels), abs=within)
