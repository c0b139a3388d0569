"""JPEG as Pillow writes it by default: 4:2:0, standard Huffman tables, baseline.

The published row was made with libjpeg 9, which older wheels of Pillow brought: Pillow 8.4 gives its points exactly.
libjpeg-turbo writes files of the same size that decode to 0.1 dB more.
"""

from __future__ import annotations

from collections.abc import Mapping

from PIL import features

from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.through_pillow import PillowCoder, library


def _open(options: Mapping[str, str]) -> Coder:
    turbo = features.check("libjpeg_turbo")
    known = library("libjpeg-turbo", "libjpeg_turbo") if turbo else library("libjpeg", "jpg")
    return PillowCoder("JPEG", lambda q: {"quality": int(q)}, known, "quality Q, 4:2:0")


ROW = CodecRow("jpeg", "JPEG", ".jpg", Scale(1, 100), tuple(range(5, 100, 5)), _open)
