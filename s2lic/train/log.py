"""The log of a run: a CSV file, a plot of it, and a progress bar."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from s2lic.files import make_folder, read_bytes, write_atomically

if TYPE_CHECKING:
    from rich.progress import Progress

COLUMNS = ("step", "minutes", "lr", "loss", "bpp", "z_bpp", "distortion", "psnr", "steps_per_second", "skipped")
PLOTTED = ("loss", "bpp", "psnr")
SMOOTHED_OVER = 20


class Watcher(Protocol):
    """Called with the progress (0 to 1) and the values of each row of the log."""

    def __call__(self, progress: float, values: dict[str, float]) -> None: ...


def append(path: Path, values: dict[str, float]) -> None:
    """Appends one row of COLUMNS, after a header if the file is new.

    The whole file is rewritten, so that a full disk never leaves half a row.

    Raises:
        OutputPlaceError: The folder cannot be made.
        OutputUnwritableError: The file cannot be written.
        InputMissingError: The file cannot be read.
    """
    make_folder(path.parent)
    before = read_bytes(path) if path.exists() else _line(COLUMNS)
    write_atomically(path, before + _line([f"{values[c]:.6g}" for c in COLUMNS]), force=True)


def plot(log: Path, picture: Path) -> None:
    """Draws loss, bpp and PSNR over steps, raw and smoothed. Needs the extra `eval`.

    Raises:
        OutputPlaceError: The picture's folder does not exist.
        OutputUnwritableError: The picture cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    steps = np.array([float(row["step"]) for row in rows])
    figure, axes = plt.subplots(len(PLOTTED), 1, sharex=True, figsize=(8, 7), layout="constrained")
    for axis, name in zip(axes, PLOTTED, strict=True):
        values = np.array([float(row[name]) for row in rows])
        axis.plot(steps, values, color="0.8", linewidth=0.7)
        axis.plot(steps, smoothed(values), color="#0072b2")
        axis.set_ylabel(name)
    axes[0].set_yscale("log")
    axes[-1].set_xlabel("step")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    plt.close(figure)
    write_atomically(picture, data.getvalue(), force=True)


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + "\r\n").encode()


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and those before it, over at most SMOOTHED_OVER values."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    begin = np.maximum(last - SMOOTHED_OVER, 0)
    means: NDArray[np.float64] = (sums[last] - sums[begin]) / (last - begin)
    return means


class Bar:
    """A progress bar with loss, bpp, PSNR, speed and the time left; a `Watcher` and a context manager."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
        self._bar: Progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
        self._task = self._bar.add_task(title, total=1.0, said="")
        self._begun, self._from = time.monotonic(), 0.0

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, progress: float, values: dict[str, float]) -> None:
        self._bar.update(self._task, completed=min(progress, 1.0), said=self._text(progress, values))

    def _text(self, progress: float, values: dict[str, float]) -> str:
        self._from = self._from or progress
        done, spent = progress - self._from, time.monotonic() - self._begun
        left = f"{(1 - progress) * spent / done / 60:.0f} min left" if done > 0 else "…"
        shown = f"step {values['step']:.0f} loss {values['loss']:.3f} {values['bpp']:.3f} bpp {values['psnr']:.2f} dB"
        return f"{shown} {values['steps_per_second']:.2f} steps/s {left}"
