"""Published rate-distortion points on Kodak, with their sources (`published.csv`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from s2lic.errors import UsageError

TABLE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True)
class PublishedPoint:
    """Means over the 24 pictures of per-picture values: bits a pixel, dB on RGB, MS-SSIM 0..1."""

    bpp: float
    psnr: float
    msssim: float
    source: str


def curves() -> dict[str, list[PublishedPoint]]:
    """Every codec's points, from the lowest rate up."""
    found: dict[str, list[PublishedPoint]] = {}
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            point = PublishedPoint(float(row["bpp"]), float(row["psnr_rgb"]), float(row["msssim_rgb"]), row["source"])
            found.setdefault(row["codec"], []).append(point)
    return {codec: sorted(points, key=lambda point: point.bpp) for codec, points in found.items()}


def curve(codec: str) -> list[PublishedPoint]:
    """The points of one codec. Raises UsageError."""
    known = curves()
    if codec not in known:
        raise UsageError(f"no published points of '{codec}'; there are {', '.join(known)}")
    return known[codec]
