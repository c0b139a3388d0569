"""The log of a run: rows, their plot, the progress line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from s2lic.errors import OutputPlaceError, OutputUnwritableError
from s2lic.train.log import COLUMNS, SMOOTHED_OVER, Bar, append, plot, smoothed


def values(step: int) -> dict[str, float]:
    return {c: float(step) for c in COLUMNS}


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_rows_are_appended_under_one_header(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.csv"
    for step in (20, 40):
        append(log, values(step))
    with log.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [list(COLUMNS), ["20"] * len(COLUMNS), ["40"] * len(COLUMNS)]


def test_a_row_that_does_not_fit_on_the_disk_leaves_the_rows_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.csv"
    append(log, values(20))
    before = log.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritableError, match="No space left"):
        append(log, values(40))
    assert log.read_bytes() == before
    assert list(tmp_path.iterdir()) == [log]


def test_a_log_where_no_folder_can_be_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"mine")
    with pytest.raises(OutputPlaceError, match="a file is in its way"):
        append(tmp_path / "run" / "log.csv", values(20))


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


def test_a_picture_that_does_not_fit_on_the_disk_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, picture = tmp_path / "log.csv", tmp_path / "log.png"
    append(log, values(20))
    picture.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritableError, match="No space left"):
        plot(log, picture)
    assert picture.read_bytes() == b"before"


def test_the_bar_tells_step_loss_rate_and_quality_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("nano") as bar:
        bar(0.25, values(7))
        bar(0.5, values(7))
        text = bar._text(0.5, values(7))
    assert text.startswith("step 7 loss 7.000 7.000 bpp 7.00 dB 7.00 steps/s")
    assert text.endswith("min left")
    said = capsys.readouterr()
    assert (said.out, "step 7" in said.err) == ("", True)
