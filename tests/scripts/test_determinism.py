"""One stream, one set of symbols: whatever the threads, the batch, the layout, the precision, the noise."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from s2lic.coding.networks import PRECISIONS, pad, to_tensor
from s2lic.entropy.latent_size import LatentSize
from scripts import check_determinism
from scripts.check_determinism import BATCH, Decoded, Report, Setting, compare, covering, differences, encode
from tests.frozen import MODEL, PICTURES, picture

SCRIPT = Path(check_determinism.__file__)
LEVELS = torch.tensor([1000, 5000, 9000, 10_000])


def all_settings() -> list[Setting]:
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    carriers = [torch.float32, torch.float64]
    return [Setting(*row) for row in product((1, 2), (1, BATCH), (False, True), PRECISIONS, devices, carriers)]


def views(name: str) -> Tensor:
    """A batch of four: the picture, mirrored, upside down, and both."""
    x = pad(to_tensor(picture(name)))
    return torch.cat([x, x.flip(3), x.flip(2), x.flip((2, 3))])


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.slow
def test_what_one_setting_encodes_every_other_decodes_alike(name: str) -> None:
    report, settings = Report(), all_settings()
    compare(MODEL, views(name), LEVELS, [(setting, settings) for setting in settings], report)
    assert report.failures == []
    assert report.streams == 4 * len(settings)
    assert report.decodes >= 4 * len(settings)


def test_the_settings_differ_in_every_way() -> None:
    settings = all_settings()
    for field in ("threads", "batch", "channels_last", "precision", "carrier"):
        assert len({getattr(setting, field) for setting in settings}) == 2
    assert len(set(settings)) == len(settings) >= 16


def test_the_plan_for_a_folder_meets_every_value_on_both_sides() -> None:
    for field in ("threads", "batch", "channels_last", "precision", "carrier"):
        met = {(getattr(one, field), getattr(other, field)) for one, others in covering() for other in others}
        assert len({a for a, b in met if a != b}) == 2


def test_a_decoder_that_computes_otherwise_is_a_failure() -> None:
    report, x = Report(), views("portrait")
    coded = tuple(encode(MODEL, x, LEVELS, Setting()))
    found = check_determinism.weights(MODEL, "cpu", False, torch.float32)
    size, octaves = LatentSize(x.shape[2] // 16, x.shape[3] // 16), found.exact.tensors["log_gain"]
    with torch.inference_mode():
        octaves.add_(64)
        assert not list(check_determinism._decodes(MODEL, coded, LEVELS, size, [Setting()], report))
        octaves.sub_(64)
    assert len(report.failures) == 1


@pytest.mark.parametrize(("precision", "allowed"), [("float32", 1), ("bf16", 2)])
def test_pictures_differ_by_a_level_and_by_two_across_precisions(precision: str, allowed: int) -> None:
    y_hat, pixels = torch.zeros(1, 1, 1, 1), torch.zeros(1, 3, 4, 4, dtype=torch.int32)
    one = Decoded(Setting(), y_hat, pixels)
    near, far = (Decoded(Setting(2, precision=precision), y_hat, pixels + by) for by in (allowed, allowed + 1))
    assert list(differences(one, near)) == []
    assert f"pictures differ by {allowed + 1} levels" in next(differences(one, far))


@pytest.mark.slow
def test_a_folder_is_checked_and_one_without_pictures_is_an_error(tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT), str(tmp_path), "--model", str(MODEL), "--qualities", "50"]
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    empty = subprocess.run(words, capture_output=True, text=True, env=env, check=False)
    assert (empty.returncode, empty.stdout) == (2, "")
    assert "no image in" in empty.stderr
    picture("shapes", size=(48, 40)).save(tmp_path / "a.png")
    checked = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
    assert "2 streams" in checked.stdout
    assert "0 failures" in checked.stdout
