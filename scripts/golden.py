"""Golden streams: files of the frozen model whose bytes, symbols and images must never change.

    python scripts/golden.py            encode again and print what would change
    python scripts/golden.py --write    regenerate tests/golden, only after a change to the format

`manifest.json` has the SHA-256 of each file, the checksum of its symbols and the size of its image. The decoded image
is stored beside it as PNG.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from s2lic.codec import Codec
from s2lic.container.boxes import read_header

TESTS = Path(__file__).resolve().parents[1] / "tests"
FOLDER = TESTS / "golden"
MODEL = TESTS / "models" / "tiny.safetensors"


@dataclass(frozen=True)
class Case:
    """One file: the part of a tracked image, and its encode options."""

    name: str
    picture: str
    box: tuple[int, int, int, int]
    quality: float
    mode: str = "RGB"
    region: tuple[int, int, int, int] | None = None

    @property
    def roi(self) -> Image.Image | None:
        """White in the region, black elsewhere."""
        if self.region is None:
            return None
        mask = Image.new("L", self.source().size)
        mask.paste(255, self.region)
        return mask

    def source(self) -> Image.Image:
        with Image.open(TESTS / "pictures" / f"{self.picture}.png") as image:
            return image.convert(self.mode).crop(self.box)


CASES = (
    Case("portrait-50", "portrait", (0, 0, 160, 120), 50),
    Case("portrait-corner-95", "portrait", (31, 7, 98, 64), 95),
    Case("shapes-12.5", "shapes", (0, 0, 144, 112), 12.5),
    Case("shapes-75", "shapes", (64, 48, 144, 112), 75),
    Case("grey-40", "portrait", (40, 20, 105, 85), 40, "L"),
    Case("one-pixel-50", "shapes", (30, 30, 31, 31), 50),
    Case("portrait-region-60", "portrait", (0, 0, 160, 120), 60, region=(64, 0, 128, 64)),
)


def facts(data: bytes) -> dict[str, Any]:
    """The manifest's entry for a file."""
    header = read_header(data)
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "symbol_crc32": header.symbol_crc32,
        "width": header.width,
        "height": header.height,
    }


def manifest() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())
    return found


def make() -> dict[str, bytes]:
    codec = Codec(MODEL)
    return {case.name: codec.encode(case.source(), case.quality, roi=case.roi, effort=0) for case in CASES}


def write(files: dict[str, bytes]) -> None:
    codec = Codec(MODEL)
    FOLDER.mkdir(exist_ok=True)
    for name, data in files.items():
        (FOLDER / f"{name}.s2lic").write_bytes(data)
        codec.decode(data).save(FOLDER / f"{name}.png", optimize=True)
    rows = {name: facts(data) for name, data in files.items()}
    (FOLDER / "manifest.json").write_text(json.dumps(rows, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    files = make()
    if parser.parse_args().write:
        write(files)
        return 0
    changed = [name for name, data in files.items() if facts(data) != manifest().get(name)]
    print(*(f"{name} would change" for name in changed), f"{len(files) - len(changed)} stay", sep="\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
