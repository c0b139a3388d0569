"""Files decode on onnxruntime as on torch: the same symbols, samples within a level, the same errors."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from s2lic import errors
from s2lic.codec import Codec
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.lite.codec import LiteCodec
from s2lic.weights import manifest
from tests.frozen import MODEL, codec, picture

TESTS = Path(__file__).parents[1]
MANIFEST: dict[str, dict[str, Any]] = json.loads((TESTS / "corrupt" / "manifest.json").read_text())
GOLDEN = sorted((TESTS / "golden").glob("*.s2lic"))
EFFORT_0 = EncodeOptions(quality=60, effort=0)


@cache
def lite(jobs: int = 1, tile: int = 256) -> LiteCodec:
    return LiteCodec(MODEL, tile=tile, jobs=jobs, threads=1)


def distance(a: Image.Image, b: Image.Image) -> int:
    assert (a.mode, a.size) == (b.mode, b.size)
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b)).max())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_streams_give_the_picture_of_torch_within_a_level(path: Path) -> None:
    data = path.read_bytes()
    assert distance(lite().decode(data), codec().decode(data)) <= 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_tiles_crops_alpha_regions_and_metadata_are_those_of_torch(jobs: int) -> None:
    image = picture("portrait", "RGBA", (620, 500))
    image.putalpha(picture("shapes", "L", (620, 500)))
    image.info["xmp"] = b"<x:xmpmeta/>"
    regions = Image.linear_gradient("L")
    data = Codec(MODEL, tile=256).encode(image, 70, roi=regions, effort=0)
    found, expected = lite(jobs).decode(data), codec().decode(data)
    assert distance(found, expected) <= 1
    assert np.array_equal(found.getchannel("A"), image.getchannel("A"))
    assert found.info["xmp"] == b"<x:xmpmeta/>"
    crop = (300, 200, 130, 90)
    assert distance(lite(jobs).decode(data, DecodeOptions(crop)), codec().decode(data, crop)) <= 1
    assert "xmp" not in lite().decode(data, DecodeOptions(strip=True)).info


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (17, 64), (160, 120)])
def test_files_encoded_at_effort_0_are_those_of_torch(mode: str, size: tuple[int, int]) -> None:
    image = picture("portrait", mode, size)
    found = lite().encode(image, EFFORT_0)
    assert found == codec().encode(image, 60, effort=0)
    assert distance(lite().decode(found), codec().decode(found)) <= 1


def test_files_in_tiles_with_regions_are_those_of_torch() -> None:
    image, regions = picture("portrait", "RGB", (620, 500)), Image.linear_gradient("L")
    found = lite(jobs=2).encode(image, EncodeOptions(quality=40, effort=0, roi=regions))
    assert codec().decode(found).size == image.size
    assert abs(len(found) - len(Codec(MODEL, tile=256).encode(image, 40, effort=0, roi=regions))) <= 8


@pytest.mark.parametrize("options", [{"effort": 3}, {"target_bpp": 1.0}, {"cond": [1.0]}])
def test_what_needs_torch_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.UsageError, match="needs torch"):
        lite().encode(picture("portrait"), EncodeOptions(**options))


@pytest.mark.parametrize("name", MANIFEST)
def test_the_corpus_ends_in_the_errors_of_torch(name: str) -> None:
    data = (TESTS / "corrupt" / f"{name}.s2lic").read_bytes()
    with pytest.raises(errors.BitstreamError) as error_info:
        lite().decode(data)
    assert type(error_info.value).__name__ == MANIFEST[name]["decode"]


def test_many_files_and_pictures_come_in_their_order() -> None:
    images = [picture(name, size=(40, 32)) for name in ("portrait", "shapes")]
    files = lite().encode_many_with(images, EFFORT_0)
    assert files == [lite().encode(image, EFFORT_0) for image in images]
    found = lite().decode_many_with(files, DecodeOptions())
    assert [distance(a, lite().decode(data)) for a, data in zip(found, files, strict=True)] == [0, 0]


def test_a_damaged_or_missing_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    with pytest.raises(errors.InputMissingError):
        LiteCodec(path)
    path.write_bytes(MODEL.read_bytes()[:-100])
    with pytest.raises(errors.WeightsError, match=r"own\.safetensors cannot be read as weights"):
        LiteCodec(path)


WITHOUT_TORCH = """
import sys
for name in ("torch", "compressai"):
    sys.modules[name] = None
from s2lic.cli import main
main(sys.argv[1:])
"""


def test_the_command_decodes_and_encodes_where_torch_is_not_installed(tmp_path: Path) -> None:
    target, again = tmp_path / "out.png", tmp_path / "again.s2lic"
    source = TESTS / "golden" / "portrait-50.s2lic"
    for words in (("decode", source, "-o", target), ("encode", target, "-o", again)):
        command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words), "--model", str(MODEL), "-v"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "the runtime is onnx" in done.stderr
    with Image.open(target) as image:
        assert distance(image, codec().decode(source.read_bytes())) <= 1
    assert again.read_bytes() == lite().encode(target, EncodeOptions())


@pytest.mark.parametrize(
    "words",
    [("explain", "a.png"), ("demo",), ("train", "--data", "."), ("encode", "a.png", "-e", "2")],
)
def test_a_command_that_needs_torch_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    picture("portrait", size=(32, 32)).save(tmp_path / "a.png")
    command = [sys.executable, "-c", WITHOUT_TORCH, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "torch" in done.stderr
    assert done.stderr.startswith("s2lic: ")
    assert done.stderr.count("\n") == 1


def test_the_library_names_the_extra_that_has_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import s2lic; s2lic.Codec"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ExtraMissingError: this needs torch, which is not installed: pip install 's2lic[torch]'" in done.stderr


def test_its_repr_names_model_tune_and_id_without_loading_weights() -> None:
    codec, row = LiteCodec(tune="psnr"), manifest.by_config("small", "psnr")
    assert repr(codec) == f"<s2lic.lite.LiteCodec small, tune psnr, model id {row.model_id.hex()}, onnxruntime>"
    assert codec._own is None
    assert repr(lite()).startswith("<s2lic.lite.LiteCodec tiny, tune psnr, model id ")
