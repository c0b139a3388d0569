"""VVC by the user's own build of VTM: all-intra, 10-bit YCbCr 4:4:4, BT.709.

The colours are converted with rounding both ways. Truncating instead, as CompressAI's benchmark does, makes VTM about
7 % worse than it is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from s2lic.errors import ProgramFailedError, UsageError
from s2lic.eval.codecs import program
from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.ycbcr import from_rgb, to_rgb
from s2lic.files import read_bytes

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
    """Two programs and a configuration; the same programs give the same files, so their hash is the identity."""

    def __init__(self, options: Mapping[str, str]) -> None:
        if missing := [name for name in OPTIONS if name not in options]:
            wanted = " ".join(f"--set vtm.{name}=PATH" for name in missing)
            raise UsageError(f"VTM is not part of s2lic: name your build of it with {wanted}")
        self.encoder, self.decoder = program.find(options["encoder"]), program.find(options["decoder"])
        self.config = Path(options["config"]).resolve()
        parts = (read_bytes(self.encoder), read_bytes(self.decoder), read_bytes(self.config))
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
        self.identity = f"VTM build {digest[:16]}, {self.config.name}, QP Q, 10-bit YCbCr 4:4:4 BT.709, rounded"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """The bytes that the encoder wrote, at QP `quality`. Raises ProgramFailedError."""
        with tempfile.TemporaryDirectory() as folder:
            raw, file = Path(folder) / "in.yuv", Path(folder) / "out.vvc"
            raw.write_bytes(from_rgb(np.asarray(image.convert("RGB"))).astype("<u2").tobytes())
            size = ("-wdt", str(image.width), "-hgt", str(image.height))
            files = ("-c", self.config, "-i", raw, "-b", file, "-o", "/dev/null")
            self.outside_mib = program.run([self.encoder, *files, "-q", str(int(quality)), *size, *FORMAT], file)
            return file.read_bytes()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """The picture of (width, height). Raises ProgramFailedError, also for too few or too many samples."""
        with tempfile.TemporaryDirectory() as folder:
            file, raw = Path(folder) / "in.vvc", Path(folder) / "out.yuv"
            file.write_bytes(data)
            self.outside_mib = program.run([self.decoder, "-b", file, "-o", raw, "-d", "10"], raw)
            planes = np.fromfile(raw, "<u2")
        if planes.size != 3 * size[0] * size[1]:
            raise ProgramFailedError(
                f"{Path(self.decoder).name} wrote {planes.size} samples, not 3 x {size[0]} x {size[1]}"
            )
        return Image.fromarray(to_rgb(planes.reshape(3, size[1], size[0])))


SCALE = Scale(0, 63, word="QP")
ROW = CodecRow("vtm", "VTM", ".vvc", SCALE, (47, 42, 37, 32, 27, 22, 17), VtmCoder, OPTIONS, warm=False)
