"""`s2lic.encode`, `s2lic.decode` and `s2lic.info`, over everything they take."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import s2lic
from s2lic.container.boxes import unpack
from s2lic.errors import UnsupportedModeError, UsageError
from tests.frozen import MODEL, codec, picture

PIXELS = np.array(picture("shapes", size=(40, 24)))
FILE = codec().encode(PIXELS, 60, effort=0)


def encode(source: Any) -> bytes:
    return s2lic.encode(source, 60, model=MODEL, effort=0)


def saved(form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options)
    return buffer.getvalue()


SOURCES: dict[str, Callable[[], Any]] = {
    "path": lambda: "img.png",
    "os.PathLike": lambda: Path("img.png"),
    "bytes": saved,
    "memoryview": lambda: memoryview(saved()),
    "file object": lambda: io.BytesIO(saved()),
    "Pillow image": lambda: Image.fromarray(PIXELS),
    "uint8 array": lambda: PIXELS,
    "strided array": lambda: np.repeat(PIXELS, 2, axis=1)[:, ::2],
    "floats": lambda: PIXELS / 255,
    "float32": lambda: (PIXELS / 255).astype(np.float32),
    "tensor": lambda: torch.from_numpy(PIXELS).permute(2, 0, 1),
    "float tensor": lambda: torch.from_numpy(PIXELS).permute(2, 0, 1) / 255,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("img.png").write_bytes(saved())
    Path("img.s2lic").write_bytes(FILE)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_picture_is_the_same_from_any_source(source: Callable[[], Any]) -> None:
    assert encode(source()) == FILE


def test_grey_arrays_may_have_one_channel() -> None:
    grey = PIXELS[:, :, 0]
    assert encode(grey[:, :, None]) == encode(grey) == encode(torch.from_numpy(grey.copy())[None])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_pillow_image_is_turned_as_its_file_is(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved("JPEG", exif=exif)
    assert encode(Image.open(io.BytesIO(data))) == encode(data)


@pytest.mark.parametrize("array", [PIXELS / 100, PIXELS - 1.0, PIXELS * np.nan])
def test_floats_beyond_one_are_refused(array: Any) -> None:
    with pytest.raises(UnsupportedModeError, match=r"0\.\.1"):
        encode(array)


@pytest.mark.parametrize("source", [None, 3, [1, 2], object()])
def test_anything_else_is_refused_with_what_is_taken(source: Any) -> None:
    with pytest.raises(UsageError, match="give a path"):
        encode(source)
    with pytest.raises(UsageError, match="give a path"):
        s2lic.decode(source)
    with pytest.raises(UsageError, match="give a path"):
        s2lic.info(source)


@pytest.fixture(scope="module")
def shipped_file() -> bytes:
    return s2lic.encode(PIXELS, 60)


def test_a_file_is_decoded_from_any_source(shipped_file: bytes) -> None:
    Path("own.s2lic").write_bytes(shipped_file)
    expected = s2lic.Codec().decode(shipped_file)
    for source in ("own.s2lic", Path("own.s2lic"), shipped_file, bytearray(shipped_file), io.BytesIO(shipped_file)):
        assert s2lic.decode(source) == expected


def test_the_outputs_hold_the_same_pixels(shipped_file: bytes) -> None:
    array = np.asarray(s2lic.decode(shipped_file))
    assert np.array_equal(s2lic.decode(shipped_file, out="numpy"), array)
    tensor = s2lic.decode(shipped_file, out="torch")
    assert tensor.shape == (3, 24, 40)
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), array)
    assert np.array_equal(s2lic.decode(shipped_file, (8, 4, 16, 12), "numpy"), array[4:16, 8:24])
    with pytest.raises(UsageError, match="'pil', 'numpy' or 'torch'"):
        s2lic.decode(shipped_file, out="jax")  # type: ignore[call-overload]


def test_info_is_the_header_without_weights() -> None:
    found, header = s2lic.info("img.s2lic"), unpack(FILE).header
    assert (found["width"], found["height"], found["quality"]) == (header.width, header.height, 60)
    assert found["bytes"] == len(FILE)
    assert found["bpp"] == round(8 * len(FILE) / (40 * 24), 4)
    script = "import sys, s2lic; s2lic.info('img.s2lic'); assert not {'torch', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_torch_the_functions_take_onnxruntime(shipped_file: bytes) -> None:
    Path("own.s2lic").write_bytes(shipped_file)
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import s2lic\n"
        "assert s2lic.decode('own.s2lic').size == (40, 24)\n"
        "assert s2lic.decode(s2lic.encode('img.png', 30), out='numpy').shape == (24, 40, 3)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
