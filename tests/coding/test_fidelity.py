"""Fidelities of decoded pixels agree with the metrics of the evaluation, and large images are measured in windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from s2lic.coding import fidelity
from s2lic.coding.fidelity import FIDELITIES, ms_ssim_db, psnr, ssimulacra2
from s2lic.eval import metrics
from tests.frozen import picture


def pair(mode: str = "RGB", size: tuple[int, int] = (320, 240)) -> tuple[Image.Image, Image.Image]:
    image = picture("portrait", size=size).convert(mode)
    noise = np.random.default_rng(0).normal(0, 8, np.asarray(image).shape)
    return image, Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def samples(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image))
    return pixels[None, None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)[None]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_fidelities_are_the_metrics_of_the_evaluation(mode: str) -> None:
    first, second = pair(mode)
    pixels = samples(first), samples(second)
    similarity, score = metrics.ms_ssim(first, second), metrics.ssimulacra2(first, second)
    assert similarity is not None
    assert score is not None
    assert psnr(*pixels) == pytest.approx(metrics.psnr(first, second), abs=1e-4)
    assert ms_ssim_db(*pixels) == pytest.approx(metrics.decibels(similarity), abs=1e-3)
    assert ssimulacra2(*pixels) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("kind", FIDELITIES, ids=lambda kind: kind.key)
def test_equal_pixels_have_the_highest_finite_value(kind: fidelity.TargetKind) -> None:
    first, second = (samples(image) for image in pair())
    best = FIDELITIES[kind](first, first)
    assert math.isfinite(best)
    assert best > FIDELITIES[kind](first, second)


@pytest.mark.parametrize("measure", [ms_ssim_db, ssimulacra2], ids=["ms-ssim", "ssimulacra2"])
def test_a_large_image_is_the_mean_of_its_windows(measure: fidelity.Fidelity, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (samples(image) for image in pair(size=(640, 300)))
    left, right = (measure(first[..., part], second[..., part]) for part in (slice(320), slice(320, 640)))
    monkeypatch.setattr(fidelity, "WINDOW", 320)
    if measure is ms_ssim_db:
        mean = -10 * math.log10((10 ** (-left / 10) + 10 ** (-right / 10)) / 2)
    else:
        mean = (left + right) / 2
    assert measure(first, second) == pytest.approx(mean, abs=1e-5)
