"""Codecs that `s2lic eval` runs. A codec is one file with one `ROW`, and its place in this table."""

from __future__ import annotations

from s2lic.errors import UsageError
from s2lic.eval.codecs import avif, heif, jpeg, jpeg2000, jxl, ours, vtm, webp, zoo
from s2lic.eval.codecs.row import CodecRow

ROWS = (ours.ROW, jpeg.ROW, webp.ROW, avif.ROW, jpeg2000.ROW, jxl.ROW, heif.ROW, vtm.ROW, zoo.ROW)


def row(name: str) -> CodecRow:
    """The codec of that name. Raises UsageError."""
    for found in ROWS:
        if found.name == name:
            return found
    raise UsageError(f"no codec '{name}'; there are {', '.join(found.name for found in ROWS)}")
