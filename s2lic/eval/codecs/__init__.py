"""The table of codecs for `s2lic eval`: those of this package, and those that other packages add.

A package adds a `CodecRow` by an entry point of the group `s2lic.codecs`, under the name that `--codec` takes.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from s2lic.errors import UsageError
from s2lic.eval.codecs import compressai_zoo, s2lic_codec, template, vtm
from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.codecs.pillow_codecs import AVIF, HEIF, JPEG, JPEG2000, JXL, WEBP

ROWS = (s2lic_codec.ROW, JPEG, WEBP, AVIF, JPEG2000, JXL, HEIF, vtm.ROW, compressai_zoo.ROW)

GROUP = "s2lic.codecs"


def row(name: str) -> CodecRow:
    """The codec of that name. Raises UsageError."""
    for found in (*ROWS, template.ROW):
        if found.name == name:
            return found
    for point in entry_points(group=GROUP, name=name):
        return _loaded(point)
    raise UsageError(f"no codec '{name}'; there are {', '.join(names())}, and --codec {template.SYNTAX}")


def names() -> list[str]:
    """The names of all codecs."""
    return [*(found.name for found in ROWS), *sorted(entry_points(group=GROUP).names)]


def _loaded(point: EntryPoint) -> CodecRow:
    """Raises UsageError for an entry point that is not a codec."""
    try:
        found = point.load()
    except Exception as error:  # a package may raise any type
        raise UsageError(f"the codec '{point.name}' cannot be loaded from {point.value}: {error}") from error
    if not isinstance(found, CodecRow):
        raise UsageError(f"{point.value} is a {type(found).__name__}, not a CodecRow of s2lic.eval.codecs.base")
    return replace(found, name=point.name)
