"""Published rate-distortion points on Kodak, with their sources (`published.json`).

Points are means over the 24 pictures of per-picture values. The source says if they are digitised from a figure.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from s2lic.errors import UsageError
from s2lic.eval.records import PUBLISHED, Point, RDCurve

TABLE = Path(__file__).with_name("published.json")


@cache
def curves() -> dict[str, RDCurve]:
    """All published curves by codec name, without the prefix `PUBLISHED`."""
    return {row["codec"]: _curve(row) for row in json.loads(TABLE.read_text())}


def curve(codec: str) -> RDCurve:
    """The published curve of one codec. Raises UsageError."""
    known = curves()
    if codec not in known:
        raise UsageError(f"no published points of '{codec}'; there are {', '.join(known)}")
    return known[codec]


def _curve(row: dict[str, Any]) -> RDCurve:
    results = row["results"]
    rates, levels = results["bpp"], results["psnr-rgb"]
    similarities = results.get("ms-ssim-rgb") or [None] * len(rates)
    points = tuple(map(Point, rates, levels, similarities))
    return RDCurve(PUBLISHED + row["codec"], row["name"], row["description"], points)
