"""Lossy WebP at the effort that Pillow has by default."""

from __future__ import annotations

from collections.abc import Mapping

from s2lic.eval.codecs.row import CodecRow, Coder, Scale
from s2lic.eval.codecs.through_pillow import PillowCoder, library


def _open(options: Mapping[str, str]) -> Coder:
    return PillowCoder("WEBP", lambda q: {"quality": int(q)}, library("libwebp", "webp"), "quality Q, method 4, 4:2:0")


ROW = CodecRow("webp", "WebP", ".webp", Scale(0, 100), tuple(range(5, 100, 5)), _open)
