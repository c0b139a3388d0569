"""JPEG 2000 with the irreversible 9/7 wavelet; its quality is the compression ratio against 24 bits a pixel."""

from __future__ import annotations

from collections.abc import Mapping

from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.through_pillow import PillowCoder, library


def _open(options: Mapping[str, str]) -> Coder:
    told = "ratio R, irreversible, one layer"
    return PillowCoder(
        "JPEG2000", lambda r: {"quality_layers": [r], "irreversible": True}, library("openjpeg", "jpg_2000"), told
    )


SCALE = Scale(1, 1000, whole=False, word="ratio")
ROW = CodecRow("jpeg2000", "JPEG 2000", ".jp2", SCALE, (10, 15, 20, 30, 40, 60, 80, 120), _open)
