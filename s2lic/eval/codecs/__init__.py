"""The table of codecs for `s2lic eval`."""

from __future__ import annotations

from s2lic.errors import UsageError
from s2lic.eval.codecs import compressai_zoo, s2lic_codec, vtm
from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.codecs.pillow_codecs import AVIF, HEIF, JPEG, JPEG2000, JXL, WEBP

ROWS = (s2lic_codec.ROW, JPEG, WEBP, AVIF, JPEG2000, JXL, HEIF, vtm.ROW, compressai_zoo.ROW)


def row(name: str) -> CodecRow:
    """The codec of that name. Raises UsageError."""
    for found in ROWS:
        if found.name == name:
            return found
    raise UsageError(f"no codec '{name}'; there are {', '.join(found.name for found in ROWS)}")
