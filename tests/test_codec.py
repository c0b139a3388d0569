"""Pictures to files and back with the frozen model, and each refusal by its name."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import s2lic
from s2lic import api
from s2lic import codec as module
from s2lic.codec import Codec
from s2lic.coding.networks import pad, to_tensor
from s2lic.coding.options import EncodeOptions
from s2lic.container.boxes import unpack
from s2lic.entropy.latent_coder import row_sigma
from s2lic.entropy.likelihood import gaussian_likelihood
from s2lic.entropy.symbol_coder import Symbols, SymbolWriter
from s2lic.entropy.tables import Tables
from s2lic.errors import CropRangeError, DeviceMissingError, QualityRangeError, UsageError
from s2lic.weights import manifest
from s2lic.weights.store import Weights
from tests.frozen import MODEL, PICTURES, codec, picture

Ints = NDArray[np.int64]
SIZES = [(1, 1), (1, 17), (17, 1), (15, 33), (64, 64), (100, 70)]


class Recording(SymbolWriter):
    """A writer that keeps what it is given: symbols and their rows of the tables, one after the other."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.symbols, self.rows = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _write(self, symbols: Symbols, rows: Ints) -> None:
        super()._write(symbols, rows)
        self.symbols, self.rows = np.append(self.symbols, symbols.ravel()), np.append(self.rows, rows)


def inside(image: Image.Image, level: int) -> tuple[Tensor, Recording]:
    """y_hat and what is written of the encoder itself."""
    written: list[Recording] = []

    def writer(tables: Tables) -> SymbolWriter:
        written.append(Recording(tables))
        return written[-1]

    y = codec().networks.analyse(pad(to_tensor(image)), level)
    _, y_hat = codec().weights.coder.encode(y, torch.tensor([level]), writer=writer)
    return y_hat, written[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_decoded_picture_is_what_the_encoder_expects(mode: str, size: tuple[int, int]) -> None:
    image, coder = picture("portrait", mode, size), codec()
    decoded = coder.decode(coder.encode(image, 70, effort=0))
    assert (decoded.mode, decoded.size) == (mode, size)
    y_hat, _ = inside(image, 7000)
    pixels = coder.networks.synthesise(y_hat, 7000)[0, :, : size[1], : size[0]].permute(1, 2, 0).numpy()
    expected = Image.fromarray(pixels).convert(mode)
    assert abs(np.asarray(decoded, int) - np.asarray(expected, int)).max() <= 1


@pytest.mark.parametrize("name", PICTURES)
def test_the_decoded_picture_resembles_the_original(name: str) -> None:
    image = picture(name)
    decoded = np.asarray(codec().decode(codec().encode(image, 100)), float)
    original = np.asarray(image, float)
    assert np.mean((decoded - original) ** 2) < 0.6 * np.mean((original - original.mean((0, 1))) ** 2)


def test_a_picture_comes_from_a_path_an_array_or_its_bytes() -> None:
    image = picture("shapes")
    path = MODEL.parents[1] / "pictures" / "shapes.png"
    files = {codec().encode(source, 30) for source in (image, path, str(path), path.read_bytes(), np.asarray(image))}
    assert len(files) == 1


@pytest.mark.parametrize("name", PICTURES)
def test_more_quality_takes_more_bytes(name: str) -> None:
    sizes = [len(codec().encode(picture(name), quality)) for quality in (0, 20, 40, 60, 80, 100)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_a_file_is_its_payload_and_exceptions_and_at_most_40_bytes(name: str, quality: float) -> None:
    data = codec().encode(picture(name), quality)
    container = unpack(data)
    assert len(data) - len(container.payload) - len(container.exceptions) <= 40
    assert container.header.quality == 100 * quality


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_the_payload_is_as_long_as_the_likelihoods_say(name: str, quality: float) -> None:
    image, tables, level = picture(name, size=(640, 480)), codec().weights.tables, EncodeOptions(quality).quality_level
    payload = unpack(codec().encode(image, quality, effort=0)).payload
    _, written = inside(image, level)
    stored, of_y = table_bits(tables, written.symbols, written.rows), written.rows >= tables.gaussian_first
    sigma = row_sigma(torch.from_numpy(written.rows[of_y] - tables.gaussian_first))
    ideal = -gaussian_likelihood(torch.from_numpy(written.symbols[of_y]).double(), sigma).log2().numpy()
    # A small model errs often. Where it does, tables differ from a Gaussian: no slot costs more than 16 bits.
    covered = ideal < 14
    assert covered.mean() > 0.75
    bits = stored[~of_y].sum() + np.where(covered, ideal, stored[of_y]).sum()
    assert abs(len(payload) - bits / 8) <= 0.005 * bits / 8 + 16


def table_bits(tables: Tables, symbols: Ints, rows: Ints) -> NDArray[np.float64]:
    """What symbols cost by the widths of their slots; beyond its row a symbol takes the last slot."""
    slots = np.clip(symbols, tables.offsets[rows], tables.last[rows]) - tables.offsets[rows]
    at = (np.cumsum(tables.sizes) - tables.sizes)[rows] + slots
    bits: NDArray[np.float64] = 16 - np.log2(tables.cdf[at + 1] - tables.cdf[at])
    return bits


def test_bytes_may_come_in_any_buffer() -> None:
    data = codec().encode(picture("shapes"), 20)
    for held in (bytearray(data), memoryview(data)):
        assert codec().decode(held).tobytes() == codec().decode(data).tobytes()  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"tile": 0}, {"jobs": 0}])
def test_no_tile_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="from 1 up"):
        Codec(MODEL, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(DeviceMissingError, match=device):
        Codec(MODEL, device=device)


def test_a_crop_has_four_numbers() -> None:
    with pytest.raises(CropRangeError, match="not 3 numbers"):
        codec().decode(codec().encode(picture("shapes"), 20), crop=(0, 0, 5))  # type: ignore[arg-type]


@pytest.mark.parametrize("quality", [-0.01, 100.01, math.nan, math.inf])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(QualityRangeError):
        codec().encode(picture("shapes"), quality)


@pytest.mark.parametrize(("quality", "level"), [(0, 0), (0.004, 0), (33.337, 3334), (100, 10_000)])
def test_a_quality_becomes_the_nearest_hundredth(quality: float, level: int) -> None:
    assert EncodeOptions(quality).quality_level == level


def test_the_functions_of_the_package_are_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "by_config", lambda name, tune: dataclasses.replace(SHIPPED, config=name))
    monkeypatch.setattr(api, "_codec", cache(api._codec.__wrapped__))  # one that other tests do not see
    data = s2lic.encode(picture("shapes"), 40)
    assert data == codec("auto").encode(picture("shapes"), 40)
    assert s2lic.decode(data).tobytes() == codec("auto").decode(data).tobytes()


SHIPPED = manifest.WeightsRow("tiny", str(MODEL), hashlib.sha256(MODEL.read_bytes()).hexdigest())


@pytest.mark.parametrize("given", [Path("a.s2lic"), "a.s2lic", 300, None])
def test_what_is_no_bytes_is_refused_with_the_mend(given: object) -> None:
    with pytest.raises(UsageError, match=r"pass Path\(name\)\.read_bytes\(\)"):
        codec().decode(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_of_bytes_is_decoded(kind: type) -> None:
    data = codec().encode(picture("shapes"), 40)
    assert codec().decode(kind(data)).size == picture("shapes").size


def test_a_file_of_another_shipped_model_is_decoded_with_that(monkeypatch: pytest.MonkeyPatch) -> None:
    coder, data = Codec(MODEL), codec().encode(picture("shapes"), 40)
    coder._by_id.clear()
    loaded: list[Path] = []

    def load(model_id: bytes, device: str) -> Weights:
        loaded.append(manifest.by_id(model_id).path)
        return codec().weights

    monkeypatch.setattr(manifest, "rows", lambda: (SHIPPED,))
    monkeypatch.setattr(module, "load_by_id", load)
    assert coder.decode(data).size == coder.decode(data).size == picture("shapes").size
    assert loaded == [MODEL]


def test_padding_repeats_the_last_row_and_column() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    padded = pad(x)
    assert padded.shape == (1, 1, 16, 16)
    assert (padded[0, 0, 1:, 2:] == 5).all()
    assert padded[0, 0, 9, :3].tolist() == [3, 4, 5]


def test_its_repr_names_model_tune_id_and_device() -> None:
    model_id = codec().weights.model_id.hex()
    assert repr(codec()) == f"<s2lic.Codec tiny, tune psnr, model id {model_id}, cpu>"
