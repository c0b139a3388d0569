"""JPEG XL through pillow-jxl-plugin (extra `jxl`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from s2lic.eval.codecs.row import CodecRow, Coder, Scale, need
from s2lic.eval.codecs.through_pillow import PillowCoder

EFFORT = 7


def _open(options: Mapping[str, str]) -> Coder:
    need("pillow_jxl", "JPEG XL", "pillow-jxl-plugin")  # its import registers the format
    known, told = f"pillow-jxl-plugin {version('pillow-jxl-plugin')}", f"quality Q, effort {EFFORT}"
    return PillowCoder("JXL", lambda q: {"quality": int(q), "effort": EFFORT, "lossless_jpeg": False}, known, told)


ROW = CodecRow("jxl", "JPEG XL", ".jxl", Scale(0, 99), (5, 10, 20, 30, 45, 60, 75, 85, 92), _open)
