"""The files of a set: a manifest with every number of the host, and graphs that it names by their hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from s2lic.errors import OutputExistsError
from s2lic.onnx.export import MANIFEST, exported, write_files
from s2lic.weights.arrays import load_arrays
from tests.frozen import MODEL, codec


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return exported(load_arrays(MODEL))


def test_the_manifest_names_each_file_by_its_hash(files: dict[str, bytes]) -> None:
    listed = json.loads(files[MANIFEST])["graphs"]
    assert {row["file"]: row["sha256"] for row in listed.values()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != MANIFEST
    }
    assert list(listed) == ["h_s", *(f"slices.{i}.{net}" for i in range(3) for net in NETS), "g_s", "g_a", "h_a"]
    assert listed["slices.1.known"]["inputs"] == {"hyper": [1, 8, "h", "w"], "context": [1, 4, "h", "w"]}


NETS = ("known", "parameters", "local", "lrp")


def test_the_manifest_has_the_numbers_of_the_weights(files: dict[str, bytes]) -> None:
    found, weights = json.loads(files[MANIFEST]), codec().weights
    assert found["model_id"] == weights.model_id.hex()
    assert found["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert (found["latent"], found["slices"], found["side"], found["anchors"]) == (16, [4, 4, 8], 8, 4)
    assert found["rows"] == weights.tables.gaussian_count
    assert np.array_equal(np.cumsum(found["tables"]["slots"])[-1], len(found["tables"]["widths"]))
    assert np.array_equal(found["log_gain"], weights.exact.tensors["log_gain"].numpy())
    assert np.array_equal(found["log_inverse"], weights.model.entropy.gains.log_inverse.numpy())
    slope = weights.exact.tensors["slices.1.parameters_net.modulate.slope"]
    assert np.array_equal(found["modulations"]["slices.1.parameters"]["slope"], slope.numpy())


def test_files_that_are_there_stay_unless_forced(files: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "set"
    write_files(folder, files, force=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    (folder / "g_s.onnx").write_bytes(b"old")
    with pytest.raises(OutputExistsError):
        write_files(folder, files, force=False)
    assert (folder / "g_s.onnx").read_bytes() == b"old"
    write_files(folder, files, force=True)
    assert (folder / "g_s.onnx").read_bytes() == files["g_s.onnx"]
