"""The outcomes of the benchmark as tables and as a log-log plot."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2lic.errors import ExtraMissingError
from s2lic.eval.bench.records import (
    STAGES,
    BenchCase,
    BenchOutcome,
    BenchRecord,
    BenchResult,
    Timing,
    exponents,
    series,
)
from s2lic.eval.page import put_into_page, table
from s2lic.eval.styles import style
from s2lic.files import make_folder, read_bytes, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = ("codec", "side px", "threads", "encode s", "MP/s", "decode s", "MP/s", "peak MiB", "at rest MiB", "runs")
STAGE_HEAD = ("codec", "side px", "threads", "", *STAGES)
FIT_HEAD = ("codec", "threads", "encode", "decode")
MIB = 2**20
DASHES = ("-", "--", ":", "-.")


NAME = "performance"
NEW_PAGE = f"# Performance\n\n![Seconds over pixels]({NAME}.png)\n"


def save(found: BenchRecord, folder: Path) -> list[Path]:
    """Writes `performance.json`, `.md` and `.png`. An existing page keeps its text around the tables.

    Raises OutputUnwritableError, ExtraMissingError.
    """
    make_folder(folder)
    page = folder / f"{NAME}.md"
    before = read_bytes(page).decode() if page.exists() else NEW_PAGE
    files = {
        folder / f"{NAME}.json": (json.dumps(found.to_json(), indent=1) + "\n").encode(),
        page: put_into_page(before, describe(found)).encode(),
        folder / f"{NAME}.png": to_png(found.outcomes),
    }
    for path, data in files.items():
        write_atomically(path, data, force=True)
    return list(files)


def describe(found: BenchRecord) -> str:
    """The tables of a record, with its date, machine and command."""
    where = f"{found.machine}, {found.processors} processors, load at the start {found.load:.2f}"
    warning = "\nThe machine was busy with other work: read the times as upper bounds." if found.busy else ""
    return f"{found.date}. {where}.{warning}\n\n    {found.command}\n\n{to_markdown(found.outcomes)}"


def to_markdown(outcomes: Sequence[BenchOutcome]) -> str:
    """Three tables: latency, throughput and memory; time by stage; growth of cost with size."""
    stages = [row for outcome in outcomes if outcome.measured for row in _stage_rows(outcome.case, outcome.measured)]
    parts = (
        table(HEAD, map(row, outcomes)),
        "Milliseconds by stage; `rest` is what no stage saw:",
        table(STAGE_HEAD, stages),
        "Exponent e of seconds = c x pixels^e, fitted over all sizes measured:",
        table(FIT_HEAD, _fit_rows(outcomes)),
    )
    return "\n\n".join(parts)


def row(outcome: BenchOutcome) -> list[str]:
    """The cells under `HEAD`, with the reason if there is no measurement."""
    case, found = outcome.case, outcome.measured
    cells = [case.label, str(case.side), str(case.threads)]
    if found is None:
        return [*cells, outcome.problem, *["-"] * (len(HEAD) - len(cells) - 1)]
    times = (cell for timing in (found.encode, found.decode) for cell in _speed(case, timing))
    memory = (f"{bytes_ / MIB:.0f}" for bytes_ in (found.peak_bytes, found.rest_bytes))
    return [*cells, *times, *memory, str(found.runs)]


def _speed(case: BenchCase, timing: Timing) -> tuple[str, str]:
    return f"{timing.seconds:.3g}", f"{case.batch * case.pixels / 1e6 / timing.seconds:.3g}"


def _stage_rows(case: BenchCase, found: BenchResult) -> Iterable[list[str]]:
    """One row per direction; none for codecs without stages."""
    for way, timing in (("encode", found.encode), ("decode", found.decode)):
        if set(timing.stages) == {"rest"}:
            continue
        cells = (f"{1000 * timing.stages[s]:.1f}" if s in timing.stages else "-" for s in STAGES)
        yield [case.label, str(case.side), str(case.threads), way, *cells]


def _fit_rows(outcomes: Sequence[BenchOutcome]) -> Iterable[list[str]]:
    for (_, threads), group in series(outcomes).items():
        yield [group[0].case.label, str(threads), *("-" if e is None else f"{e:.2f}" for e in exponents(group))]


def to_png(outcomes: Sequence[BenchOutcome]) -> bytes:
    """Seconds over pixels on two logarithmic scales, encode and decode. Raises ExtraMissingError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissingError("plots need matplotlib, which is not installed: pip install 's2lic[eval]'") from error
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, way in zip(panels, ("encode", "decode"), strict=True):
        _draw(axes, way, outcomes)
    panels[0].set_ylabel("seconds, warm, median")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw(axes: Axes, way: str, outcomes: Sequence[BenchOutcome]) -> None:
    counts = sorted({outcome.case.threads for outcome in outcomes})
    for (codec, threads), group in series(outcomes).items():
        found = [(o.case.pixels, getattr(o.measured, way).seconds) for o in group if o.measured is not None]
        if not found:
            continue
        look = style(codec)
        label = _label(group[0].case, exponents(group)[way == "decode"])
        axes.loglog(
            *zip(*found, strict=True),
            DASHES[counts.index(threads) % 4],
            color=look.colour,
            marker=look.marker,
            label=label,
        )
    sides = sorted({outcome.case.side for outcome in outcomes})
    axes.set_xticks([side**2 for side in sides], [f"{side}²" for side in sides])
    axes.minorticks_off()
    axes.set(xlabel="pixels", title=way)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8, frameon=False)


def _label(case: BenchCase, slope: float | None) -> str:
    law = "" if slope is None else f", pixels^{slope:.2f}"
    return f"{case.label}, {case.threads} thread{'s' * (case.threads > 1)}{law}"
