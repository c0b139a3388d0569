"""`--skip-existing`: is the output that lies there already a whole one?"""

from __future__ import annotations

from pathlib import Path

from s2lic.container.boxes import Header, read_header
from s2lic.errors import BitstreamError, InputMissingError
from s2lic.files import read_bytes


def is_whole_file(path: str) -> bool:
    """Whether it is an s2lic file whose checksum holds."""
    try:
        read_header(read_bytes(path))
    except (InputMissingError, BitstreamError):
        return False
    return True


def is_whole_picture(path: str, header: Header) -> bool:
    """Whether Pillow finds a picture of the header's size and no damage in it."""
    from PIL import Image

    if not Path(path).is_file():
        return False
    try:
        with Image.open(path) as image:
            size = image.size
            image.verify()
    except Exception:  # noqa: BLE001 on broken files Pillow lets any kind through
        return False
    return size == (header.width, header.height)
