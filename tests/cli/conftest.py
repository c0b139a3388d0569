"""A codec that needs no weights, and a way to run the command line within the test."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.cli import main
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.container.boxes import Container, Header, pack, unpack
from s2lic.container.header import EXACT_ARITHMETIC
from s2lic.runtime import ProgressCallback, no_progress


class FakeCodec:
    """JPEG in our container: the interface of `s2lic.codec.Codec` without its cost."""

    def __init__(
        self,
        model: str = "fake",
        device: str = "cpu",
        precision: str = "auto",
        max_pixels: int | None = None,
        jobs: int = 1,
        done: ProgressCallback = no_progress,
        tune: str | None = None,
    ) -> None:
        self.model, self.device, self.max_pixels, self.jobs, self.done = model, device, max_pixels, jobs, done

    def encode(
        self, image: Image.Image, quality: float = 50.0, effort: int | None = 3, target_size: int | None = None
    ) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=int(quality), comment=f"effort {effort}")
        header = Header(*image.size, bytes(8), round(100 * quality), EXACT_ARITHMETIC, 0, int(image.mode == "L"), 0)
        return pack(Container(header, buffer.getvalue()))

    def encode_with(self, image: Image.Image, options: EncodeOptions) -> bytes:
        return self.encode(image, options.quality_level / 100, effort=options.effort)

    def encode_many_with(self, images: list[Image.Image], options: EncodeOptions) -> list[bytes]:
        return [self.encode_with(image, options) for image in images]

    def decode_many_with(self, files: list[bytes], options: DecodeOptions) -> list[Image.Image]:
        return [self.decode(data, options.crop) for data in files]

    def decode(self, data: bytes, crop: tuple[int, int, int, int] | None = None) -> Image.Image:
        image = Image.open(io.BytesIO(unpack(data).payload))
        image.load()
        return image if crop is None else image.crop((*crop[:2], crop[0] + crop[2], crop[1] + crop[3]))


@pytest.fixture
def fake_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("s2lic.codec")
    module.Codec = FakeCodec  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "s2lic.codec", module)


@dataclass(frozen=True)
class Result:
    code: int
    out: bytes
    err: str


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., Result]:
    """Run `s2lic WORDS` in an empty folder and return its exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit_info:
            main([str(word) for word in words])
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        return Result(int(exit_info.value.code or 0), captured.out, captured.err.decode())

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A smooth colour picture of 40 x 24 with some noise on it."""
    y, x = np.mgrid[0:24, 0:40]
    noise = np.random.default_rng(7).integers(0, 20, (24, 40, 3))
    array = np.stack([4 * x, 6 * y, 2 * (x + y)], axis=-1) + noise
    path = tmp_path / "photo.png"
    Image.fromarray(array.astype(np.uint8)).save(path)
    return path
