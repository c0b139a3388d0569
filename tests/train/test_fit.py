"""Tables fitted to what an encoder sends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.networks import Networks
from s2lic.entropy.tables import TOTAL
from s2lic.errors import UsageError
from s2lic.train.data import Photos
from s2lic.train.fit import count_symbols, fitted
from s2lic.weights.store import load
from tests.frozen import MODEL, codec, picture


def test_every_symbol_of_every_crop_is_counted(photos: Photos) -> None:
    row = codec().weights.model.row.entropy
    census = count_symbols(Networks(load(MODEL), torch.device("cpu")), photos, 64, 3)
    assert census.counts.sum() == 3 * (row.latent * 4 * 4 + row.side)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file fitted to the tracked portrait."""
    folder = tmp_path_factory.mktemp("fit")
    picture("portrait", size=(320, 240)).save(folder / "portrait.png")
    path = folder / "own.safetensors"
    path.write_bytes(fitted(MODEL, [folder], 192, 8))
    return path


def test_fitted_tables_make_files_smaller_that_decode_to_the_same_picture(own: Path) -> None:
    coder, image = Codec(own), picture("portrait", size=(320, 240))
    for quality in (20, 50, 80):
        before, after = (c.encode(image, quality) for c in (codec("auto"), coder))
        assert len(after) < len(before)
        assert np.array_equal(np.asarray(coder.decode(after)), np.asarray(codec("auto").decode(before)))


def test_only_the_widths_of_slots_change(own: Path) -> None:
    before, after = load(MODEL), load(own)
    assert before.model_id != after.model_id
    for (name, a), (_, b) in zip(before.model.state_dict().items(), after.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    old, new = before.tables.to_arrays(), after.tables.to_arrays()
    assert [name for name in old if not np.array_equal(old[name], new[name])] == ["widths"]
    assert new["widths"].sum() == TOTAL * old["slots"].size


def test_a_crop_of_no_whole_places_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="multiple of 64"):
        fitted(MODEL, [tmp_path], 100, 1)
