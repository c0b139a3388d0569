"""Finds the main page of a TIFF, which may also have previews (TIFF 6.0, tag 254; DNG 1.7)."""

from __future__ import annotations

from PIL import Image

from s2lic.errors import PreviewOnlyError

_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_REDUCED, _MASK = 1, 4


def to_main_page(image: Image.Image, data: bytes) -> None:
    """Go to the first page that is neither a preview nor a mask. Raises PreviewOnlyError if there is none."""
    page = 0
    while data[8:10] != b"CR" and _DNG_VERSION not in image.tag_v2:  # type: ignore[attr-defined]
        if not int(image.tag_v2.get(_SUBFILE_TYPE, 0)) & (_REDUCED | _MASK):  # type: ignore[attr-defined]
            return
        page += 1
        try:
            image.seek(page)
        except EOFError:
            break
    raise PreviewOnlyError(
        "Pillow can read only the preview in this file, which is probably a raw camera file; "
        "develop it first, for instance to a TIFF or PNG"
    )
