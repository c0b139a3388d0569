"""`s2lic bulk` and `s2lic eval --engine ray`: what is refused before any process starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2lic.bulk.job import Tally
from s2lic.bulk.plan import BulkPlan
from s2lic.bulk.run import BulkSummary

from .conftest import Result

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("bulk", "encode", "gone", "dest"), "there are no files in gone"),
        (("bulk", "encode", "photos", "photos"), "the source itself"),
        (("bulk", "encode", "photos", "dest", "-q", "50", "--target-bpp", "1"), "exclude one another"),
        (("bulk", "encode", "photos", "dest", "--model", "nonsense"), "nonsense"),
        (("bulk", "decode", "photos", "dest"), "there are no s2lic files in photos"),
        (("bulk", "decode", "photos", "dest", "--format", "xyz"), "there is no --format xyz"),
        (("eval", "photos", "--address", "auto"), "--engine ray"),
        (("eval", "photos", "--engine", "ray", "--device", "auto"), "measures on CPUs"),
    ],
)
def test_a_wrong_request_is_refused(run: Run, photo: Path, words: tuple[str, ...], cause: str) -> None:
    Path("photos").mkdir()
    photo.rename("photos/img.png")
    result = run(*words)
    assert (result.code, cause in result.err) == (2, True), result.err
    assert not Path("dest").exists()


def test_errors_set_the_exit_code_and_the_summary_counts(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(plan: BulkPlan, address: str | None, workers: int | None, done: object, heard: Callable[..., None]) -> Any:
        heard({"source": plan.tasks[0].sources[0], "message": "it is broken"})
        return BulkSummary(Tally(done=3, failed=1, pixels=10**6, size=1000), 2, workers or 0, 2.0, 1.0, {1, 2})

    Path("photos").mkdir()
    photo.rename("photos/img.png")
    monkeypatch.setattr("s2lic.bulk.run.run", fake)
    result = run("bulk", "encode", "photos", "dest", "-j", "4")
    assert result.code == 1
    assert "img.png: it is broken" in result.err
    assert "3 done, 2 skipped, 1 failed; 1000 bytes, 0.0080 bpp; 2.0 s" in result.err
    result = run("bulk", "encode", "photos", "dest", "-j", "4", "--json")
    assert '"pictures_per_second": 1.5' in result.out.decode()
