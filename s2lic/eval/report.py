"""The report of a measurement: one record, written as JSON and as Markdown."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from s2lic.eval.metrics import decibels
from s2lic.eval.published import curve
from s2lic.eval.rd import BdRate, CurveError, Point, RatePoint, bd_rate, bpp_at, first_fall

DBS = (28.5, 30.0, 32.0, 34.0)
BESIDE = ("webp", "jpeg")
ANCHORS = ("vtm", "webp")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NEW_PAGE = f"# Results\n\n{BEGIN}\n{END}\n"


@dataclass(frozen=True)
class Report:
    """What was measured, of what, by which command, where and when."""

    date: str
    command: str
    machine: str
    model: str
    model_id: str
    pictures: int
    points: list[Point]

    @property
    def rates(self) -> dict[str, list[float | None]]:
        """Bits a pixel at `DBS`, ours first; None beyond a curve's ends or where it is no curve."""
        return {"s2lic": _rates(self.points), **{codec: bpp_at(curve(codec), DBS) for codec in BESIDE}}

    @property
    def bd_rates(self) -> dict[str, BdRate]:
        return {anchor: bd_rate(self.points, curve(anchor)) for anchor in ANCHORS}

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "monotone": not first_fall(self.points),
            "psnr_of_bpp": list(DBS),
            "bpp_at_psnr": self.rates,
            "bd_rate": {anchor: asdict(found) for anchor, found in self.bd_rates.items()},
        }


def _rates(points: Sequence[RatePoint]) -> list[float | None]:
    try:
        return bpp_at(points, DBS)
    except CurveError:
        return [None] * len(DBS)


def machine() -> str:
    """The kind of machine and what computes on it, in words."""
    threads = torch.get_num_threads()
    return (
        f"{_processor()}, {threads} thread{'s' * (threads > 1)}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def today() -> str:
    return dt.date.today().isoformat()


def to_markdown(report: Report) -> str:
    """Head, points, rates beside the published ones, BD-rates, monotony."""
    what = f"{report.date}, {report.pictures} pictures, model `{report.model}` (id {report.model_id})."
    head = f"{what}\n{report.machine}."
    tables = _points_table(report.points), _rates_table(report)
    return "\n\n".join((head, f"    {report.command}", *tables, _verdicts(report)))


def _points_table(points: Iterable[Point]) -> str:
    head = ("quality", "bpp", "PSNR dB", "MS-SSIM", "MS-SSIM dB", "encode s", "decode s")
    return _table(head, (_point_cells(point) for point in points))


def _point_cells(point: Point) -> list[str]:
    similarity = ["-", "-"]
    if point.msssim is not None:
        similarity = [f"{point.msssim:.4f}", f"{decibels(point.msssim):.2f}"]
    measured = [f"{point.quality:g}", f"{point.bpp:.4f}", f"{point.psnr:.2f}"]
    return [*measured, *similarity, f"{point.encode_s:.2f}", f"{point.decode_s:.2f}"]


def _rates_table(report: Report) -> str:
    head = ("bpp at", *(f"{db:g} dB" for db in DBS))
    rows = ([codec, *map(_number, rates)] for codec, rates in report.rates.items())
    return _table(head, rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _verdicts(report: Report) -> str:
    fall = first_fall(report.points)
    lines = [f"BD-rate against {anchor}: {found}." for anchor, found in report.bd_rates.items()]
    lines.append(f"Rate and PSNR rise strictly with quality: {f'no, not {fall}' if fall else 'yes'}.")
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def put_into_page(page: str, text: str) -> str:
    """The page with the text between its two markers, or behind them at the end if it has none."""
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
