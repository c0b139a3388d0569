"""HEIC, by x265, through pillow-heif (extra `heif`); without chroma subsampling, as AVIF."""

from __future__ import annotations

from collections.abc import Mapping

from s2lic.eval.codecs.row import CodecRow, Coder, Scale, need
from s2lic.eval.codecs.through_pillow import PillowCoder


def _open(options: Mapping[str, str]) -> Coder:
    plugin = need("pillow_heif", "HEIC", "pillow-heif")
    plugin.register_heif_opener()
    encoder = plugin.libheif_info()["HEIF"] or "no HEVC encoder"
    known = f"pillow-heif {plugin.__version__}, {encoder}"
    return PillowCoder("HEIF", lambda q: {"quality": int(q), "chroma": 444}, known, "quality Q, 4:4:4")


ROW = CodecRow("heif", "HEIC", ".heic", Scale(0, 100), (8, 15, 22, 29, 36, 43, 50, 57), _open)
