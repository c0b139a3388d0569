"""Weights files: what was exported is what is loaded, and anything else is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from s2lic.errors import InputMissingError, WeightsError, WeightsHashError
from s2lic.model import S2LIC, build, config
from s2lic.weights import manifest
from s2lic.weights.manifest import WeightsRow
from s2lic.weights.store import PRIOR_PREFIX, TABLE_PREFIX, from_text, load, load_shipped, to_text
from tests.exporting import exported
from tests.frozen import MODEL
from tests.references.weights import shaken


@pytest.fixture(scope="module")
def model() -> S2LIC:
    return shaken(build("tiny"), 0.02)


@pytest.fixture(scope="module")
def data(model: S2LIC) -> bytes:
    return exported(model)


def changed(data: bytes, path: Path, config: str = "tiny", **tensors: Tensor | None) -> Path:
    """The file with tensors replaced, added or (None) dropped; names with __ for dots."""
    found = parse(data)
    for name, value in tensors.items():
        key = name.replace("__", ".")
        found.pop(key, None)
        if value is not None:
            found[key] = value
    path.write_bytes(serialise(found, metadata={"config": config}))
    return path


def test_what_is_loaded_is_what_was_exported_rounded_to_fp16(model: S2LIC, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(data)
    loaded = load(tmp_path / "a.safetensors").model.state_dict()
    for name, value in model.state_dict().items():
        if not name.startswith(PRIOR_PREFIX):
            assert torch.equal(loaded[name].float(), value.half().float()), name


def test_all_networks_are_in_float32_and_the_exact_ones_hold_integers() -> None:
    weights = load(MODEL)
    assert {p.dtype for p in weights.model.parameters()} == {torch.float32}
    assert {tensor.dtype for tensor in weights.exact.tensors.values()} == {torch.float32}
    assert all(torch.equal(tensor, tensor.round()) for tensor in weights.exact.tensors.values())
    assert not weights.model.training


def test_exporting_twice_gives_the_same_bytes(model: S2LIC, data: bytes) -> None:
    assert exported(model) == data


def test_the_model_id_is_the_hash_of_the_file() -> None:
    assert load(MODEL).model_id == hashlib.sha256(MODEL.read_bytes()).digest()[:8]


def test_the_frozen_model_is_small_and_has_not_changed() -> None:
    assert MODEL.stat().st_size <= 700_000
    golden = json.loads((MODEL.parents[1] / "golden" / "manifest.json").read_text())
    header = (MODEL.parents[1] / "golden" / f"{next(iter(golden))}.s2lic").read_bytes()
    assert load(MODEL).model_id in header


def test_the_prior_stays_out_of_the_file_and_its_tables_are_in(data: bytes) -> None:
    names = list(parse(data))
    assert not [name for name in names if name.startswith(PRIOR_PREFIX)]
    assert {name for name in names if name.startswith(TABLE_PREFIX)} == {
        "tables.widths",
        "tables.slots",
        "tables.offsets",
        "tables.first",
    }


def test_the_tables_of_z_are_those_of_its_centre_as_the_decoder_has_it(model: S2LIC, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(exported(model))
    weights = load(tmp_path / "a.safetensors")
    row, centre = model.row.entropy, weights.model.entropy.z_centre
    assert centre.abs().max() > 0
    for anchor in range(row.anchors):
        for channel in range(row.side):
            index = anchor * row.side + channel
            masses = np.diff(weights.tables.rows_as_lists[index])[:-1] / 65536
            symbols = weights.tables.offsets[index] + np.arange(masses.size)
            values = (centre[anchor, channel] + torch.from_numpy(symbols)).float()
            with torch.no_grad():
                x = values.expand(1, row.side, -1)[..., None]
                expected = model.entropy.prior.float()(x, torch.tensor([anchor]))[0, channel, :, 0].numpy()
            assert abs(masses - expected / expected.sum()).max() < 1e-3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e5])
def test_a_weight_that_fp16_cannot_hold_is_refused(value: float) -> None:
    model = build("tiny")
    with torch.no_grad():
        model.entropy.gains.log_gain[0, 0] = value
    with pytest.raises(WeightsError, match=r"log_gain holds a value"):
        exported(model)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputMissingError, match="nowhere"):
        load(Path("nowhere.safetensors"))


@pytest.mark.parametrize("length", [0, 4, 100, 5000, -1])
def test_a_cut_file_is_refused(data: bytes, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[:length])
    with pytest.raises(WeightsError):
        load(path)


def test_a_file_without_a_configuration_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    path.write_bytes(serialise(parse(data)))
    with pytest.raises(WeightsError):
        load(path)


@pytest.mark.parametrize("config", ["huge", "nano"])
def test_another_configuration_is_refused(data: bytes, tmp_path: Path, config: str) -> None:
    with pytest.raises(WeightsError):
        load(changed(data, tmp_path / "other.safetensors", config))


@pytest.mark.parametrize(
    "tensors",
    [
        {"entropy__gains__log_gain": None},
        {"entropy__gains__log_gain": torch.zeros(2, 2)},
        {"g_a__extra": torch.zeros(3)},
        {"tables__widths": None},
        {"tables__slots": torch.zeros(3, dtype=torch.int32)},
        {"tables__first": torch.zeros(3)},
    ],
    ids=lambda tensors: next(iter(tensors)),
)
def test_tensors_that_do_not_fit_are_refused(data: bytes, tmp_path: Path, tensors: dict[str, Tensor | None]) -> None:
    with pytest.raises(WeightsError):
        load(changed(data, tmp_path / "odd.safetensors", **tensors))


@pytest.mark.parametrize("name", ["tiny", "nano", "base"])
def test_a_configuration_comes_back_from_its_text(name: str) -> None:
    assert from_text(to_text(config(name))) == config(name)


def test_a_file_says_what_it_is_whatever_goes_by_its_name_today(tmp_path: Path) -> None:
    row = replace(config("tiny"), transform=replace(config("tiny").transform, widths=(8, 8, 12)))
    model = build(row)
    (tmp_path / "a.safetensors").write_bytes(exported(model))
    assert load(tmp_path / "a.safetensors").model.row == row != config("tiny")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"name": "tiny"}',
        to_text(config("nano")),
        to_text(config("tiny")).replace('"window": 8', '"window": 0'),
        to_text(config("tiny")).replace('"heads": [1, 1, 2]', '"heads": [1]'),
        to_text(config("tiny")).replace('"latent": 16', '"latent": "many"'),
        to_text(config("tiny")).replace('"window"', '"door"'),
        to_text(config("tiny")).replace('"swinv2"', '"nonsense"'),
        to_text(config("tiny")).replace('"hyper": 12', '"hyper": -12'),
    ],
)
def test_a_damaged_configuration_is_refused(data: bytes, tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.safetensors"
    path.write_bytes(serialise(parse(data), metadata={"row": text}))
    assert text != to_text(config("tiny"))
    with pytest.raises(WeightsError, match="odd"):
        load(path)


def test_tables_of_another_number_of_rows_are_refused(data: bytes, tmp_path: Path) -> None:
    row = replace(config("nano"), name="tiny")
    other = build(row)
    tables = {k: v for k, v in parse(exported(other)).items() if "tables." in k}
    path = tmp_path / "odd.safetensors"
    path.write_bytes(serialise({**parse(data), **tables}, metadata={"config": "tiny"}))
    with pytest.raises(WeightsError, match="512 rows of z, not 4 x 8"):
        load(path)


def test_a_weight_that_is_no_number_is_refused(data: bytes, tmp_path: Path) -> None:
    gains = parse(data)["entropy.gains.log_gain"]
    gains[0, 0] = float("nan")
    with pytest.raises(WeightsError, match="log_gain"):
        load(changed(data, tmp_path / "odd.safetensors", entropy__gains__log_gain=gains))


def test_older_weights_that_fit_no_more_are_told_with_the_release_that_reads_them(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = changed(data, tmp_path / "odd.safetensors", "nano")
    model_id = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    old = {"config": "nano", "model_id": model_id, "version": "0.0.9", "commit": "12" * 20}
    (tmp_path / "retired.json").write_text(json.dumps([old]))
    with pytest.raises(WeightsError, match=f"{model_id}, an older set of 'nano', which s2lic 0.0.9"):
        load(path)


def test_shipped_weights_are_those_of_their_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FOLDER", MODEL.parent)
    row = WeightsRow("tiny", MODEL.name, hashlib.sha256(MODEL.read_bytes()).hexdigest())
    assert load_shipped(row).model_id == row.model_id
    with pytest.raises(WeightsHashError, match="reinstall"):
        load_shipped(replace(row, sha256="00" * 32))
