"""The run over all cases: fresh processes, overruns and failures as results, the exponent."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import UsageError
from s2lic.eval.bench import run as bench_run
from s2lic.eval.bench.records import BenchCase, BenchOutcome, BenchResult, Timing, exponent
from s2lic.eval.bench.run import BenchRequest, cases, run, run_case, square

PICTURE = Image.new("RGB", (30, 20))


def outcome(side: int, seconds: float) -> BenchOutcome:
    timing = Timing(seconds, {"rest": seconds})
    return BenchOutcome(BenchCase("avif", side, 1, 3, 60.0), BenchResult(timing, timing, 3, 1000, 10, 20))


def test_cases_go_from_small_to_large_codec_by_codec() -> None:
    found = cases(["s2lic", "avif"], [128, 64], [1], 3, 60.0)
    assert [(case.codec, case.side) for case in found] == [("s2lic", 64), ("s2lic", 128), ("avif", 64), ("avif", 128)]


def test_an_unknown_codec_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"'jxr'.*cheng2020-attn"):
        cases(["s2lic", "jxr"], [64], [1], 3, 60.0)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.25])
def test_the_exponent_is_that_of_the_law_in_pixels(power: float) -> None:
    outcomes = [outcome(side, 3e-6 * (side**2) ** power) for side in (64, 256, 1024)]
    assert exponent(outcomes, lambda m: m.encode.seconds) == pytest.approx(power)


def test_one_size_has_no_exponent_and_a_failure_does_not_count() -> None:
    failed = BenchOutcome(BenchCase("avif", 128, 1, 3, 60.0), None, "over 60 s")
    assert exponent([outcome(64, 1.0), failed], lambda m: m.encode.seconds) is None


def test_a_square_is_the_middle_of_the_picture_or_the_picture_mirrored() -> None:
    ramp = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = Image.fromarray(np.stack([ramp] * 3, axis=-1))
    assert np.asarray(square(picture, 2))[..., 0].tolist() == [[1, 2], [5, 6]]
    across = np.asarray(square(picture, 9))[..., 0]
    assert across.shape == (9, 9)
    assert across[0].tolist() == [0, 1, 2, 3, 3, 2, 1, 0, 0]
    assert across[:, 0].tolist() == [0, 4, 8, 8, 4, 0, 0, 4, 8]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The cases that were run; elic takes a millisecond a pixel and way and overruns at 96, avif no time at all."""
    found: list[tuple[str, int]] = []

    def answer(case: BenchCase, picture: Path, model: str | None) -> BenchOutcome:
        found.append((case.codec, case.side))
        with Image.open(picture) as image:
            assert image.size == (case.side, case.side)
        if (case.codec, case.side) == ("elic", 96):
            return BenchOutcome(case, None, "over 60 s")
        timed = outcome(case.side, 1e-3 * case.pixels if case.codec == "elic" else 1e-6)
        return BenchOutcome(case, timed.measured)

    monkeypatch.setattr(bench_run, "run_case", answer)
    return found


def problems(sides: list[int], limit_s: float, budget_s: float = math.inf) -> list[str]:
    todo = cases(["elic", "avif"], sides, [1], 3, limit_s)
    found = {outcome.case: outcome.problem for outcome in run(todo, PICTURE, None, budget_s)}
    return [found[case] for case in todo]


def test_after_an_overrun_larger_pictures_are_named_and_not_tried(tried: list[tuple[str, int]]) -> None:
    assert problems([32, 96, 128], 60.0) == ["", "over 60 s", "not tried: 96 px: over 60 s", "", "", ""]
    assert sorted(tried) == [("avif", 32), ("avif", 96), ("avif", 128), ("elic", 32), ("elic", 96)]


def test_ours_comes_first_and_then_what_takes_the_least(tried: list[tuple[str, int]]) -> None:
    list(run(cases(["elic", "avif", "s2lic"], [32, 64], [1], 3, 60.0), PICTURE, None))
    assert tried == [("s2lic", 32), ("s2lic", 64), ("elic", 32), ("avif", 32), ("avif", 64), ("elic", 64)]


def test_what_would_not_fit_into_the_limit_is_not_tried_and_says_so(tried: list[tuple[str, int]]) -> None:
    needed = 2 * 2 * 1e-3 * 64**2  # two runs of two ways
    assert problems([32, 64], needed - 1) == ["", "not tried: about 16 s, and the limit is 15.384 s", "", ""]
    assert ("elic", 64) not in tried
    assert problems([32, 64], needed + 1) == [""] * 4


def test_what_would_not_fit_into_the_time_for_all_is_not_tried_and_says_so(tried: list[tuple[str, int]]) -> None:
    found = problems([32, 64], 90.0, budget_s=10.0)
    assert found == ["", "not tried: about 16 s, and 10 s are left of the time for all", "", ""]
    assert problems([32], 90.0, budget_s=0.0) == ["not tried: the time for all was up"] * 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    PICTURE.save(tmp_path / "picture.bmp")
    return tmp_path / "picture.bmp"


def test_a_case_that_takes_too_long_is_ended_and_says_so(file: Path) -> None:
    assert run_case(BenchCase("avif", 64, 1, 1, 0.01), file, None).problem == "over 0.01 s"


def test_a_case_that_fails_gives_its_reason(file: Path) -> None:
    file.write_bytes(b"no picture")
    found = run_case(BenchCase("avif", 64, 1, 1, 60.0), file, None)
    assert found.measured is None
    assert "not a picture" in found.problem


def test_a_signal_is_named_as_the_reason() -> None:
    assert bench_run._why(-9, "") == "ended by SIGKILL"


BLOCK = """
import numpy as np
from s2lic.eval.memory import in_use, peak
before = in_use()
block = np.ones(2**23)
held = in_use()
del block
print(before, held, peak())
"""


def test_the_peak_sees_what_was_freed_again() -> None:
    # In a process of its own: this one keeps what it freed, and takes the block from there.
    done = subprocess.run([sys.executable, "-c", BLOCK], capture_output=True, text=True, check=True)
    before, held, most = map(int, done.stdout.split())
    assert min(held, most) >= before + 2**25  # the block has 2^26 bytes


def test_device_and_batch_are_for_our_codec_alone() -> None:
    request = BenchRequest((64,), (1,), ("s2lic-e0", "avif"), device="cuda", batch=16)
    assert [(case.codec, case.device, case.batch) for case in request.cases()] == [
        ("s2lic", "cuda", 16), ("s2lic-e0", "cuda", 16), ("avif", "cpu", 1),
    ]  # fmt: skip
    assert request.cases()[0].label == "s2lic, 16 at once on cuda"


def test_the_command_asks_the_same_and_names_no_weights() -> None:
    usual = BenchRequest((256, 512), (1, 2), (), model="/home/me/own.safetensors")
    words = "s2lic bench speed --sizes 256,512 --threads 1,2 --peers none --repeats 3 --limit 90 --minutes 12"
    assert usual.command == words
    assert BenchRequest((256, 512), (1, 2), (), device="cuda", batch=16).command == f"{words} --device cuda --batch 16"
