"""JPEG 2000 with the irreversible 9/7 wavelet; its quality is the compression ratio against the bits of the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.through_pillow import PillowCoder, library


def _settings(ratio: float) -> dict[str, Any]:
    """Pillow leaves the colour transform out unless asked, which costs half of the rate; grey pictures ignore it."""
    return {"quality_layers": [ratio], "irreversible": True, "mct": 1}


def _open(options: Mapping[str, str]) -> Coder:
    told = "ratio R, irreversible, one layer, colour transform"
    return PillowCoder("JPEG2000", _settings, library("openjpeg", "jpg_2000"), told)


SCALE = Scale(1, 1000, whole=False, word="ratio")
ROW = CodecRow("jpeg2000", "JPEG 2000", ".jp2", SCALE, (10, 15, 20, 30, 40, 60, 80, 120), _open)
