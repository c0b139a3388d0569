"""`s2lic transcode`: the model changes; size, quality, alpha, metadata and regions stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.container.boxes import unpack
from s2lic.weights import manifest
from tests.cli.conftest import Result
from tests.frozen import MODEL, codec, picture

Run = Callable[..., Result]
OWN = manifest.default().model_id


@pytest.fixture(autouse=True)
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`old.s2lic`, which was coded with another model that was added, with all that a file can have."""
    monkeypatch.setenv("S2LIC_WEIGHTS_PATH", str(tmp_path))
    (tmp_path / f"{codec().weights.model_id.hex()}.safetensors").write_bytes(MODEL.read_bytes())
    image = picture("portrait", "RGBA", (170, 130))
    image.putalpha(picture("shapes", "L", (170, 130)))
    image.info["xmp"] = b"<x:xmpmeta/>"
    regions = Image.linear_gradient("L")
    (tmp_path / "old.s2lic").write_bytes(codec().encode(image, 61.5, roi=regions, effort=0))


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_file_has_the_model_of_the_release_and_all_else_as_before(run: Run, runtime: str) -> None:
    assert run("transcode", "old.s2lic", "new.s2lic", "-e", 0, "--runtime", runtime).code == 0
    before, after = (unpack(Path(name).read_bytes()) for name in ("old.s2lic", "new.s2lic"))
    assert (before.header.model_id, after.header.model_id) == (codec().weights.model_id, OWN)
    assert (after.header.width, after.header.height, after.header.quality) == (170, 130, 6150)
    assert (after.extras, after.roi) == (before.extras, before.roi)
    assert run("decode", "old.s2lic", "old.png").code == run("decode", "new.s2lic", "new.png").code == 0
    with Image.open("old.png") as old, Image.open("new.png") as new:
        assert np.array_equal(old.getchannel("A"), new.getchannel("A"))
        seen = np.asarray(old.getchannel("A")) > 0
        error = (np.asarray(old.convert("RGB")).astype(float) - np.asarray(new.convert("RGB")))[seen]
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 25


def test_the_quality_can_be_another_and_metadata_left_out(run: Run) -> None:
    facts = json.loads(run("transcode", "old.s2lic", "new.s2lic", "-q", 20, "--strip", "-e", 0, "--json").out)
    new = unpack(Path("new.s2lic").read_bytes())
    assert (new.header.quality, set(new.extras)) == (2000, {"alpha"})
    assert facts["bytes"] == Path("new.s2lic").stat().st_size
    assert facts["bytes_before"] == Path("old.s2lic").stat().st_size


def test_a_file_of_the_same_model_is_copied_unless_a_quality_is_given(run: Run) -> None:
    words = ("transcode", "old.s2lic", "--model", MODEL, "-e", 0, "-o")
    copied = run(*words, "copy.s2lic")
    assert "already has this model; it is copied" in copied.err
    assert Path("copy.s2lic").read_bytes() == Path("old.s2lic").read_bytes()
    assert run(*words, "finer.s2lic", "-q", 90).code == 0
    assert Path("finer.s2lic").stat().st_size > Path("old.s2lic").stat().st_size


def test_a_folder_goes_on_after_a_file_that_fails(run: Run) -> None:
    Path("coded").mkdir()
    data = Path("old.s2lic").read_bytes()
    Path("coded/a.s2lic").write_bytes(data[:-9])
    Path("coded/b.s2lic").write_bytes(data)
    words = ("transcode", "coded", "--outdir", "renewed", "-e", 0)
    assert run(*words).code == 1
    assert [path.name for path in Path("renewed").iterdir()] == ["b.s2lic"]
    assert "already" in run(*words).err
    Path("coded/a.s2lic").unlink()
    assert run(*words, "--skip-existing").code == 0


def test_an_input_is_not_overwritten_and_an_output_only_by_force(run: Run) -> None:
    assert run("transcode", "old.s2lic", "-o", "old.s2lic", "--force").code == 2
    assert run("transcode", "old.s2lic", "-e", 0).code == 0
    assert Path("old.transcoded.s2lic").exists()
    assert run("transcode", "old.s2lic", "-e", 0).code == 2
