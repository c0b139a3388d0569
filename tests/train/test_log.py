"""The log of a run: rows, their plot, the progress line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from s2lic.train.log import COLUMNS, SMOOTHED_OVER, Bar, append, plot, smoothed


def values(step: int) -> dict[str, float]:
    return {c: float(step) for c in COLUMNS}


def test_rows_are_appended_under_one_header(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.csv"
    for step in (20, 40):
        append(log, values(step))
    with log.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [list(COLUMNS), ["20"] * len(COLUMNS), ["40"] * len(COLUMNS)]


def test_smoothing_is_the_mean_over_a_window_that_ends_at_each_value() -> None:
    x = np.random.default_rng(0).normal(size=3 * SMOOTHED_OVER)
    expected = [x[max(0, i + 1 - SMOOTHED_OVER) : i + 1].mean() for i in range(len(x))]
    assert smoothed(x) == pytest.approx(expected)


def test_a_log_becomes_a_picture(tmp_path: Path) -> None:
    log, picture = tmp_path / "log.csv", tmp_path / "log.png"
    for step in range(1, 40):
        append(log, values(step))
    plot(log, picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_bar_tells_step_loss_rate_and_quality() -> None:
    with Bar("nano") as bar:
        bar(0.25, values(7))
        bar(0.5, values(7))
        text = bar._text(0.5, values(7))
    assert text.startswith("step 7 loss 7.000 7.000 bpp 7.00 dB 7.00 steps/s")
    assert text.endswith("min left")
