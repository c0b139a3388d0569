"""The 24 Kodak pictures: finds them and checks that they are the originals."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from s2lic.errors import InputMissingError, KodakChecksumError
from s2lic.eval.records import EvalPicture
from s2lic.files import read_bytes

PLACES = ("kodak", "data/kodak", "datasets/kodak", "~/kodak", "~/Kodak", "~/data/kodak", "~/datasets/kodak")
CHECKSUMS = Path(__file__).with_name("kodak.sha256")
SITE = "https://r0k.us/graphics/kodak/"


def is_kodak(pictures: Iterable[EvalPicture]) -> bool:
    """Whether these are exactly the 24 Kodak pictures."""
    return sorted(picture.sha256 for picture in pictures) == sorted(checksums().values())


def checksums() -> dict[str, str]:
    """SHA-256 by file name."""
    rows = (line.split() for line in CHECKSUMS.read_text().splitlines())
    return {name: digest for digest, name in rows}


def find_kodak() -> list[Path]:
    """The 24 files, with checked hashes. Raises InputMissingError, KodakChecksumError."""
    places = [Path(place).expanduser() for place in (os.environ.get("S2LIC_KODAK", ""), *PLACES) if place]
    folder = next((place for place in places if any(place.glob("kodim*.png"))), None)
    if folder is None:
        raise InputMissingError(
            f"no kodim*.png in {', '.join(map(str, places))}; download kodim01.png to kodim24.png from "
            f"{SITE} into ./kodak, or name their folder in S2LIC_KODAK"
        )
    files = [folder / name for name in checksums()]
    for file in files:
        _check(file)
    return files


def _check(file: Path) -> None:
    if not file.exists():
        raise InputMissingError(f"{file} is missing; download it from {SITE}")
    if hashlib.sha256(read_bytes(file)).hexdigest() != checksums()[file.name]:
        raise KodakChecksumError(
            f"{file} is not the picture of that name (see kodak.sha256); download it again, or name the folder itself "
            "to measure it as it is, without the published figures"
        )
