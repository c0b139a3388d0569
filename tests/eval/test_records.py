"""An evaluation's folder: what was saved is what is loaded, and CompressAI's tools read it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from s2lic.errors import EvaluationError, InputMissingError, OutputPlaceError
from s2lic.eval.records import Comparison, EvalPicture, Evaluation, Failure, Point, RDCurve, Sample, load, save

SAMPLE = Sample(
    "jpeg", 50.0, "one", 1000, 0.5, 30.25, 0.9, 55.5, 0.125, 0.25, 1.5, None, "files/jpeg/one-q50.jpg", "a machine"
)
CURVE = RDCurve(
    "jpeg", "JPEG", "a test", (Point(0.5, 30.25, 0.9, 55.5, 50.0, 0.125, 0.25), Point(2.0, 40.0, 0.99)), ("one",)
)
VTM = RDCurve("published:vtm", "VTM", "somewhere", (Point(0.1, 28.0, 0.9), Point(0.2, 30.0, 0.95)))
EVALUATION = Evaluation(
    date="2026-01-31",
    command="s2lic eval DIR",
    machine="a machine",
    kodak=False,
    pictures=(EvalPicture("one", "pictures/one.png", "00ff", 200, 100),),
    curves=(CURVE,),
    published=(VTM,),
    comparisons=(Comparison("jpeg", "published:vtm", "psnr", 28.5, 37.5, 12.5, -0.5),),
    failures=(Failure("two", "NotAnImageError", "two.png is not a picture"),),
    samples=(SAMPLE, replace(SAMPLE, quality=60.0, msssim=None, psnr=math.inf)),
    options={"jpeg": {}},
)


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    save(EVALUATION, tmp_path / "out")
    assert load(tmp_path / "out") == EVALUATION


def test_a_record_where_no_folder_can_be_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(b"mine")
    with pytest.raises(OutputPlaceError, match="a file is in its way"):
        save(EVALUATION, tmp_path)


def test_infinite_psnr_survives_in_json_that_any_reader_takes(tmp_path: Path) -> None:
    lossless = replace(EVALUATION, curves=(replace(CURVE, points=(Point(9.0, math.inf, 1.0),)),))
    save(lossless, tmp_path)
    json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert load(tmp_path) == lossless


def test_a_curve_finds_itself_by_name_measured_or_published() -> None:
    assert EVALUATION.curve("jpeg") is CURVE
    assert EVALUATION.curve("published:vtm").published
    with pytest.raises(KeyError):
        EVALUATION.curve("webp")


def test_the_result_file_is_read_by_compressai_plot(tmp_path: Path) -> None:
    save(EVALUATION, tmp_path)
    # In a process of its own: what CompressAI imports warns, and a warning is an error here.
    reader = "import json, sys; from compressai.utils.plot.__main__ import parse_json_file as read; "
    script = reader + "print(json.dumps([list(read(sys.argv[1], m)['ys']) for m in ('psnr', 'ms-ssim')]))"
    words = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "results/jpeg.json")]
    psnr, ms_ssim = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert psnr == [30.25, 40.0]
    assert ms_ssim == pytest.approx([10.0, 20.0])


def test_a_missing_and_a_damaged_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        load(tmp_path)
    save(EVALUATION, tmp_path)
    (tmp_path / "evaluation.json").write_text('{"date": 1}')
    with pytest.raises(EvaluationError, match="again"):
        load(tmp_path)
