"""One stream, one set of symbols: whatever the threads, the batch, the layout, the precision, the noise."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from s2lic.coding.networks import PRECISIONS, pad, to_tensor
from s2lic.container.exceptions import ROW
from s2lic.entropy import latent_coder
from s2lic.entropy.latent_coder import LatentSize, decode_latent, encode_and_decode
from s2lic.entropy.symbol_coder import Coded
from s2lic.errors import SymbolChecksumError
from s2lic.kernels.quantise_index import index_scales
from s2lic.weights.store import Weights, load
from scripts import check_determinism
from scripts.check_determinism import BATCH, Decoded, Report, Setting, compare, covering, differences, encode, noise
from tests.frozen import MODEL, PICTURES, picture

SCRIPT = Path(check_determinism.__file__)
LEVELS = torch.tensor([1000, 5000, 9000, 10_000])


def all_settings() -> list[Setting]:
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return [Setting(*row) for row in product((1, 2), (1, BATCH), (False, True), PRECISIONS, devices)]


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
    for field in ("threads", "batch", "channels_last", "precision"):
        assert len({getattr(setting, field) for setting in settings}) == 2
    assert len(set(settings)) == len(settings) >= 16


def test_the_plan_for_a_folder_meets_every_value_on_both_sides() -> None:
    for field in ("threads", "batch", "channels_last", "precision"):
        met = {(getattr(one, field), getattr(other, field)) for one, others in covering() for other in others}
        assert len({a for a, b in met if a != b}) == 2


def test_a_decoder_that_computes_otherwise_is_a_failure() -> None:
    report, x = Report(), views("portrait")
    coded = tuple(encode(MODEL, x, LEVELS, Setting()))
    with noise(check_determinism.weights(MODEL, "cpu", False).model.entropy, 1e-2):
        size = LatentSize(x.shape[2] // 16, x.shape[3] // 16)
        assert not list(check_determinism._decodes(MODEL, coded, LEVELS, size, [Setting()], report))
    assert len(report.failures) == 1


@pytest.mark.parametrize(("precision", "allowed"), [("float32", 1), ("bf16", 2)])
def test_pictures_differ_by_a_level_and_by_two_across_precisions(precision: str, allowed: int) -> None:
    y_hat, pixels = torch.zeros(1, 1, 1, 1), torch.zeros(1, 3, 4, 4, dtype=torch.int32)
    one = Decoded(Setting(), y_hat, pixels)
    near, far = (Decoded(Setting(2, precision=precision), y_hat, pixels + by) for by in (allowed, allowed + 1))
    assert list(differences(one, near)) == []
    assert f"pictures differ by {allowed + 1} levels" in next(differences(one, far))


class Stage:
    """Large latents of both pictures, and a decoder whose scales are a little off."""

    def __init__(self) -> None:
        self.weights: Weights = load(MODEL)
        x = torch.cat([pad(to_tensor(picture(name, size=(640, 480)))) for name in PICTURES])
        with torch.inference_mode():
            self.y = self.weights.model.g_a(x - 0.5)
        self.levels, self.size = LEVELS[1:3], LatentSize(30, 40)

    def encode(self, margin: float) -> list[Coded]:
        entropy, tables = self.weights.model.entropy, self.weights.tables
        return encode_and_decode(entropy, tables, self.y, self.levels, margin)[0]

    def decode(self, coded: list[Coded]) -> Tensor:
        return decode_latent(self.weights.model.entropy, self.weights.tables, coded, self.levels, self.size)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative noise of 1e-5 on every scale before it chooses a row."""
    generator = torch.Generator().manual_seed(0)

    def index(sigma: Tensor, thresholds: Tensor) -> Tensor:
        noise = torch.empty_like(sigma).uniform_(-1e-5, 1e-5, generator=generator)
        return index_scales(sigma * (1 + noise), thresholds)

    monkeypatch.setattr(latent_coder, "index_scales", index)


def row_exceptions(coded: list[Coded]) -> int:
    return sum(entry.kind == ROW for c in coded for entry in c.exceptions)


def test_a_wide_margin_absorbs_scales_that_are_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    coded = stage.encode(margin=1e-3)
    expected = stage.decode(coded)
    off(monkeypatch)
    assert torch.equal(stage.decode(coded), expected)
    assert row_exceptions(coded) > 100


def test_without_the_list_such_scales_end_in_the_symbol_checksum(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    coded = stage.encode(margin=1e-3)
    bare = [replace(c, exceptions=tuple(e for e in c.exceptions if e.kind != ROW)) for c in coded]
    stage.decode(bare)
    off(monkeypatch)
    with pytest.raises(SymbolChecksumError):
        stage.decode(bare)


def test_at_the_real_margin_no_element_lies_near_a_threshold(stage: Stage) -> None:
    coded = stage.encode(margin=1e-9)
    assert row_exceptions(coded) == 0


@pytest.mark.parametrize("seed", range(3))
def test_noise_on_every_layer_moves_no_symbol(stage: Stage, seed: int) -> None:
    coded = stage.encode(margin=1e-9)
    expected = stage.decode(coded)
    with noise(stage.weights.model.entropy, seed=seed):
        y_hat = stage.decode(coded)
    assert 0 < (y_hat - expected).abs().max() < 1e-9


@pytest.mark.slow
def test_a_folder_is_checked_and_one_without_pictures_is_an_error(tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT), str(tmp_path), "--model", str(MODEL), "--qualities", "50"]
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    empty = subprocess.run(words, capture_output=True, text=True, env=env, check=False)
    assert (empty.returncode, empty.stdout) == (2, "")
    assert "no picture" in empty.stderr
    picture("shapes", size=(48, 40)).save(tmp_path / "a.png")
    checked = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
    assert "2 streams" in checked.stdout
    assert "0 failures" in checked.stdout
