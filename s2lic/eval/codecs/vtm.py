"""VVC with the user's build of VTM: all-intra, 10-bit YCbCr 4:4:4, BT.709.

Colour conversion rounds in both directions. Truncation, as in CompressAI's benchmark, makes VTM about 7 % worse.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from s2lic.errors import ProgramFailedError, UsageError
from s2lic.eval.codecs.base import CodecRow, Coder, Scale
from s2lic.eval.codecs.programs import find_program, run_program
from s2lic.files import read_bytes

RED, BLUE = 0.2126, 0.0722
GREEN = 1 - RED - BLUE
PEAK = 1023
OFFSETS = np.array([0, 512, 512]).reshape(3, 1, 1)


def from_rgb(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(H, W, 3) RGB -> (3, H, W) planes Y, Cb, Cr as ITU-T H.273 quantises them."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64) / 255, -1, 0)
    luma = RED * red + GREEN * green + BLUE * blue
    planes = np.stack([luma, (blue - luma) / (2 - 2 * BLUE), (red - luma) / (2 - 2 * RED)])
    levels = np.rint(PEAK * planes + OFFSETS).clip(0, PEAK)
    return np.asarray(levels, np.uint16)


def to_rgb(planes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """(3, H, W) planes -> (H, W, 3) RGB."""
    luma, cb, cr = (planes.astype(np.float64) - OFFSETS) / PEAK
    red, blue = luma + (2 - 2 * RED) * cr, luma + (2 - 2 * BLUE) * cb
    green = (luma - RED * red - BLUE * blue) / GREEN
    levels = np.rint(255 * np.stack([red, green, blue], axis=-1)).clip(0, 255)
    return np.asarray(levels, np.uint8)


OPTIONS = {
    "encoder": "the program EncoderAppStatic",
    "decoder": "the program DecoderAppStatic",
    "config": "encoder_intra_vtm.cfg of the same release",
}
FORMAT = (
    *("-fr", "1", "-f", "1", "--InputChromaFormat=444", "--ConformanceWindowMode=1"),
    *("--InputBitDepth=10", "--InternalBitDepth=10", "--OutputBitDepth=10"),
)


class VtmCoder(Coder):
    """VTM's encoder, decoder and configuration. Their hash is the identity, because they determine the files."""

    def __init__(self, options: Mapping[str, str]) -> None:
        if missing := [name for name in OPTIONS if name not in options]:
            wanted = " ".join(f"--set vtm.{name}=PATH" for name in missing)
            raise UsageError(f"VTM is not part of s2lic: name your build of it with {wanted}")
        self.encoder, self.decoder = find_program(options["encoder"]), find_program(options["decoder"])
        self.config = Path(options["config"]).resolve()
        parts = (read_bytes(self.encoder), read_bytes(self.decoder), read_bytes(self.config))
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
        self.identity = f"VTM build {digest[:16]}, {self.config.name}, QP Q, 10-bit YCbCr 4:4:4 BT.709, rounded"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """Encodes at QP `quality`. Raises ProgramFailedError."""
        with tempfile.TemporaryDirectory() as folder:
            raw, file = Path(folder) / "in.yuv", Path(folder) / "out.vvc"
            raw.write_bytes(from_rgb(np.asarray(image.convert("RGB"))).astype("<u2").tobytes())
            size = ("-wdt", str(image.width), "-hgt", str(image.height))
            files = ("-c", self.config, "-i", raw, "-b", file, "-o", "/dev/null")
            self.outside_mib = run_program([self.encoder, *files, "-q", str(int(quality)), *size, *FORMAT], file)
            return file.read_bytes()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """Decodes. Raises ProgramFailedError, also if the number of samples is wrong."""
        with tempfile.TemporaryDirectory() as folder:
            file, raw = Path(folder) / "in.vvc", Path(folder) / "out.yuv"
            file.write_bytes(data)
            self.outside_mib = run_program([self.decoder, "-b", file, "-o", raw, "-d", "10"], raw)
            planes = np.fromfile(raw, "<u2")
        if planes.size != 3 * size[0] * size[1]:
            raise ProgramFailedError(
                f"{Path(self.decoder).name} wrote {planes.size} samples, not 3 x {size[0]} x {size[1]}"
            )
        return Image.fromarray(to_rgb(planes.reshape(3, size[1], size[0])))


SCALE = Scale(0, 63, word="QP")
ROW = CodecRow("vtm", "VTM", ".vvc", SCALE, (47, 42, 37, 32, 27, 22, 17), VtmCoder, OPTIONS, warm=False)
