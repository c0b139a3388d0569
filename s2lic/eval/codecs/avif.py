"""AVIF without chroma subsampling: PSNR on RGB would punish it for 4:2:0 at high rates."""

from __future__ import annotations

from collections.abc import Mapping

from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.through_pillow import PillowCoder, library

SPEED = 4


def _open(options: Mapping[str, str]) -> Coder:
    known = library("libavif", "avif")
    told = f"quality Q, speed {SPEED}, 4:4:4"
    return PillowCoder("AVIF", lambda q: {"quality": int(q), "speed": SPEED, "subsampling": "4:4:4"}, known, told)


ROW = CodecRow("avif", "AVIF", ".avif", Scale(0, 100), (5, 15, 25, 35, 45, 55, 65, 75), _open)
