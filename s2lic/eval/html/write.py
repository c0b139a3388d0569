"""Assembles the report from its files and the data."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from s2lic.eval.bd import intervals
from s2lic.eval.html.data import page_data, title
from s2lic.eval.html.views import PictureView
from s2lic.eval.records import Evaluation
from s2lic.files import write_atomically

NAME = "report.html"
HERE = Path(__file__).parent
# In this order: each uses definitions of those before it.
SCRIPTS = ("base.js", "chart.js", "tables.js", "viewer.js")


def write_report(evaluation: Evaluation, folder: Path, views: Sequence[PictureView] = ()) -> Path:
    """Writes `report.html`; without views it has no viewer. Raises OutputUnwritableError."""
    data = json.dumps(page_data(evaluation, views), allow_nan=False, separators=(",", ":"))
    page = Template(_part("page.html")).substitute(
        title=html.escape(title(evaluation)),
        intervals=intervals(),
        style=_part("page.css"),
        script="\n".join(map(_part, SCRIPTS)),
        data=data.replace("<", "\\u003c"),  # so that the data cannot end the script element
    )
    path = folder / NAME
    write_atomically(path, page.encode(), force=True)
    return path


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
