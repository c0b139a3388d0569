"""SSIMULACRA2 against the package of that name, and its gradient."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from s2lic.coding.ssimulacra2 import distance, score

# One JPEG quality each for twelve pictures: scores run from below 0 to above 90.
QUALITIES = (2, 4, 7, 12, 20, 30, 45, 60, 75, 85, 92, 97)


def textured(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Coloured noise of a 1/f spectrum: as smooth and as rough as a photograph."""
    rng = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    amplitude = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width)) ** 1.3
    grey, *colours = (
        np.fft.irfft2(amplitude * np.fft.rfft2(rng.normal(size=(height, width))), (height, width)) for _ in range(4)
    )
    channels = np.stack([grey + 0.3 * colour for colour in colours], axis=-1)
    return np.clip(128 + 50 * channels / channels.std(), 0, 255).astype(np.uint8)


def as_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    return np.array(Image.open(buffer))


def as_tensor(picture: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].double() / 255


def published(reference: NDArray[np.uint8], distorted: NDArray[np.uint8], folder: Path) -> float:
    paths = [str(folder / f"{name}.png") for name in ("reference", "distorted")]
    for path, pixels in zip(paths, (reference, distorted), strict=True):
        Image.fromarray(pixels).save(path)
    return float(compute_ssimulacra2(*paths))


def test_scores_are_those_of_the_package_within_half_a_point(tmp_path: Path) -> None:
    expected = []
    for seed, quality in enumerate(QUALITIES):
        picture = textured(256 + 7 * seed, 289 - 3 * seed, seed)
        distorted = as_jpeg(picture, quality)
        expected.append(published(picture, distorted, tmp_path))
        own = score(as_tensor(picture), as_tensor(distorted)).item()
        assert own == pytest.approx(expected[-1], abs=0.5)
    assert min(expected) < 0
    assert max(expected) > 90


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (65, 17)])
def test_small_and_odd_sizes_keep_the_order_of_quality(size: tuple[int, int]) -> None:
    picture = textured(*size, seed=1)
    scores = [score(as_tensor(picture), as_tensor(as_jpeg(picture, quality))).item() for quality in (5, 50, 95)]
    assert scores == sorted(scores)
    assert scores[0] < scores[2] - 10


def test_equal_pictures_score_100_and_have_a_finite_slope() -> None:
    x = as_tensor(textured(32, 40, 0))
    y = x.clone().requires_grad_()
    assert score(x, y).item() == pytest.approx(100, abs=0.3)
    distance(x, y).sum().backward()
    assert y.grad is not None
    assert y.grad.isfinite().all()


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 16, 17, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    y = (x + 0.05 * torch.randn(x.shape, generator=generator, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda other: distance(x, other), (y,))


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    first, second = (as_tensor(textured(24, 24, seed)) for seed in (1, 2))
    worse = torch.cat([as_tensor(as_jpeg(textured(24, 24, seed), 10)) for seed in (1, 2)])
    together = distance(torch.cat([first, second]), worse)
    assert together[0].item() == pytest.approx(distance(first, worse[:1]).item(), rel=1e-9)
    assert together[1].item() == pytest.approx(distance(second, worse[1:]).item(), rel=1e-9)


def test_a_measurement_leaves_nothing_that_breaks_a_gradient() -> None:
    reference, distorted = (as_tensor(textured(41, 43, seed)).requires_grad_() for seed in (1, 2))
    with torch.inference_mode():
        score(reference, distorted)  # sizes that no other test has, so that the filters are made here
    distance(reference, distorted).sum().backward()
    assert distorted.grad is not None
    assert bool(distorted.grad.isfinite().all())
