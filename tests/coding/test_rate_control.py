"""Targets are met, cheaply, or refused by name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from s2lic.codec import Codec
from s2lic.coding.options import EncodeOptions
from s2lic.coding.rate_control import RateTrial, solve
from s2lic.coding.search import LatentSearch
from s2lic.coding.targets import MS_SSIM, PSNR, RATE, SSIMULACRA2, TARGETS, Target
from s2lic.coding.trial_encoder import TrialEncoder
from s2lic.container.boxes import unpack
from s2lic.entropy.rounding import QuantTarget
from s2lic.errors import TargetRangeError, TargetWarning, UsageError
from s2lic.eval import metrics
from s2lic.runtime import ProgressCallback
from tests.coding.trials import trials
from tests.frozen import MODEL, picture

SIZE = (400, 320)


@cache
def codec() -> Codec:
    return Codec(MODEL)


@pytest.mark.parametrize("quality", [15, 45, 80])
def test_a_size_is_met_within_one_percent(quality: float) -> None:
    image = picture("portrait", size=SIZE)
    wanted = len(codec().encode(image, quality))
    assert abs(len(codec().encode(image, target_size=wanted)) / wanted - 1) <= 0.01
    bpp = 8 * wanted / math.prod(SIZE)
    assert abs(len(codec().encode(image, target_bpp=bpp)) / wanted - 1) <= 0.01


def test_a_psnr_is_met_within_a_twentieth_of_a_decibel() -> None:
    image = picture("portrait", size=SIZE)
    wanted = trials(codec(), image, PSNR).measure(5500).value
    back = codec().decode(codec().encode(image, target_psnr=wanted, effort=0))
    error = np.mean((np.asarray(back, float) - np.asarray(image, float)) ** 2)
    assert abs(10 * math.log10(255**2 / error) - wanted) <= 0.05


@pytest.mark.parametrize("effort", [0, 1])
@pytest.mark.parametrize(("name", "within"), [("target_msssim", 0.05), ("target_ssimulacra2", 0.5)])
def test_a_perceptual_target_is_met_in_the_file(name: str, within: float, effort: int) -> None:
    image = picture("portrait", size=SIZE)
    wanted = trials(codec(), image, TARGETS[name].kind).measure(5500).value
    back = codec().decode(codec().encode(image, effort=effort, **{name: wanted}))  # type: ignore[arg-type]
    similarity, score = metrics.ms_ssim(image, back), metrics.ssimulacra2(image, back)
    assert similarity is not None
    found = {"target_msssim": metrics.decibels(similarity), "target_ssimulacra2": score}
    assert found[name] == pytest.approx(wanted, abs=within)


@pytest.mark.parametrize(
    ("name", "side"), [("target_msssim", MS_SSIM.side_min), ("target_ssimulacra2", SSIMULACRA2.side_min)]
)
def test_an_image_too_small_for_its_target_is_refused(name: str, side: int) -> None:
    with pytest.raises(TargetRangeError, match=f"at least {side} pixels a side"):
        codec().encode(picture("portrait", size=(side + 40, side - 1)), **{name: 20.0})  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [{"target_bpp": 0.3}, {"target_psnr": 27.2}])
def test_a_target_takes_two_searches_at_most(target: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    image, runs, search = picture("portrait", size=SIZE), list[int](), LatentSearch.run

    def counted(self: LatentSearch, rounds: int, done: ProgressCallback) -> QuantTarget:
        runs.append(rounds)
        return search(self, rounds, done)

    monkeypatch.setattr(LatentSearch, "run", counted)
    data = codec().encode(image, effort=2, **target)  # type: ignore[arg-type]
    error = np.mean((np.asarray(codec().decode(data), float) - np.asarray(image, float)) ** 2)
    measured = {"target_bpp": 8 * len(data) / math.prod(SIZE), "target_psnr": 10 * math.log10(255**2 / error)}
    ((name, goal),) = target.items()
    assert abs(measured[name] - goal) <= (0.05 if name == "target_psnr" else 0.01 * goal)
    assert 1 <= len(runs) <= 2


@pytest.mark.parametrize("target", [{"target_bpp": 0.26}, {"target_psnr": 29.7}])
def test_a_target_is_met_in_searched_tiles_too(target: dict[str, float]) -> None:
    image, coder = picture("portrait", size=(520, 300)), Codec(MODEL, tile=256, jobs=2)
    data = coder.encode(image, effort=1, **target)  # type: ignore[arg-type]
    assert unpack(data).tiles
    error = np.mean((np.asarray(coder.decode(data), float) - np.asarray(image, float)) ** 2)
    measured = {"target_bpp": 8 * len(data) / math.prod(image.size), "target_psnr": 10 * math.log10(255**2 / error)}
    ((name, goal),) = target.items()
    assert abs(measured[name] - goal) <= (0.05 if name == "target_psnr" else 0.01 * goal)


@pytest.mark.parametrize("effort", [0, 1])
def test_what_is_kept_beside_the_pixels_counts_for_the_first_guess(effort: int) -> None:
    prepared = codec().encoder.prepare(picture("portrait", size=SIZE), EncodeOptions(effort=effort))
    alone, laden = (
        TrialEncoder(codec().encoder, dataclasses.replace(prepared, extras=extras), RATE)
        for extras in ({}, {"icc_profile": bytes(6000)})
    )
    bits = [math.exp(trial.estimate(5000)) * math.prod(SIZE) for trial in (alone, laden)]
    assert bits[1] - bits[0] == pytest.approx(8 * 6000)


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ({"target_bpp": 1e-4}, r"quality 0 gives 0\.\d+ bits per pixel, the least; aim at that or more"),
        ({"target_size": 9}, r"quality 0 gives \d+ bytes, the least; aim at that or more"),
        ({"target_psnr": 90.0}, r"quality 100 gives \d+\.\d+ dB, the most; aim at that or less"),
    ],
    ids=["bpp", "size", "psnr"],
)
def test_what_no_quality_gives_is_refused_with_what_can_be_had(targets: dict[str, float], told: str) -> None:
    with pytest.raises(TargetRangeError, match=told):
        codec().encode(picture("shapes"), **targets)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("targets", "quality"),
    [({"target_size": 10**7}, 100), ({"target_bpp": 500}, 100), ({"target_psnr": 3.0}, 0)],
    ids=["size", "bpp", "psnr"],
)
@pytest.mark.parametrize("effort", [0, 1])
def test_a_bound_beyond_the_scale_is_met_by_its_end(targets: dict[str, float], quality: int, effort: int) -> None:
    image = picture("shapes", size=(40, 30))
    with pytest.warns(TargetWarning, match=f"quality {quality} gives"):
        data = codec().encode(image, effort=effort, **targets)  # type: ignore[arg-type]
    assert data == codec().encode(image, quality, effort=effort)


@pytest.mark.parametrize(
    "arguments",
    [
        {"quality": 5, "target_bpp": 1},
        {"target_bpp": 1, "target_size": 9},
        {"target_bpp": 0},
        {"target_psnr": math.nan},
    ],
)
def test_targets_that_contradict_are_the_callers_fault(arguments: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        codec().encode(picture("shapes"), **arguments)  # type: ignore[arg-type]


def test_the_size_that_is_told_can_be_had() -> None:
    image = picture("shapes")
    with pytest.raises(TargetRangeError) as caught:
        codec().encode(image, target_size=10)
    least = int(str(caught.value).split("gives ")[1].split(" bytes")[0])
    assert len(codec().encode(image, target_size=least)) == least


def test_a_size_in_bytes_is_a_rate() -> None:
    target = EncodeOptions(target_size=1000).target(4000)
    assert target == Target(TARGETS["target_size"], math.log(2), 4000)
    assert target.kind is RATE


@dataclasses.dataclass(frozen=True)
class FormulaTrials:
    """Values by a formula instead of files; a file is its level in digits."""

    estimate: Callable[[int], float]
    measure: Callable[[int], RateTrial]
    searches: bool = False
    keeps: bool = True


def goal_of(name: str, goal: float, tolerance: float | None = None) -> Target:
    option = TARGETS[name]
    if tolerance is not None:
        option = dataclasses.replace(option, kind=dataclasses.replace(option.kind, tolerance=tolerance))
    return Target(option, goal, 1)


@pytest.mark.parametrize("offset", [-0.3, 0.0, 0.2])
def test_few_trials_of_the_whole_are_enough_where_the_sample_is_off(offset: float) -> None:
    tried: list[int] = []

    def sample(level: int) -> float:
        return -2 + 2.4e-4 * level - 3e-9 * level**2

    def whole(level: int) -> RateTrial:
        tried.append(level)
        return RateTrial(str(level).encode(), sample(level) + offset)

    data = solve(goal_of("target_bpp", -1.1), FormulaTrials(sample, whole)).data
    assert abs(sample(int(data)) + offset + 1.1) <= 0.007
    assert len(tried) <= 3


def test_a_goal_is_refused_only_by_what_the_end_of_the_scale_was_measured_to_give() -> None:
    made: list[int] = []

    def sample(level: int) -> float:
        return 30.6 + 1.2e-3 * level  # rises more slowly than the whole, which by that would end at 41.73

    def whole(level: int) -> RateTrial:
        made.append(level)
        return RateTrial(b"%d" % level, 24.99 + 1.7e-3 * level)

    assert solve(goal_of("target_psnr", 41.97), FormulaTrials(sample, whole)).data == b"10000"
    assert made == [9475, 10_000]
    with pytest.raises(TargetRangeError, match=r"quality 100 gives 41\.99 dB"):
        solve(goal_of("target_psnr", 42.1), FormulaTrials(sample, whole))


def test_files_of_another_line_nearby_say_nothing_of_the_slope() -> None:
    tried: list[int] = []

    def sample(level: int) -> float:
        return 2e-4 * level - 2

    def whole(level: int) -> RateTrial:
        tried.append(level)
        line = min(len(tried), 2)
        offset = -0.1 if line == 1 else 0.2
        return RateTrial(b"%d" % level, sample(level) + offset, line)

    solve(goal_of("target_bpp", -1.0, tolerance=0.001), FormulaTrials(sample, whole))
    assert tried == [5000, 5500, 4000]  # by the slope of the sample, from the last file each time


@pytest.mark.parametrize("goal", [29.5, 33.2, 36.6, 39.0])
@pytest.mark.parametrize("offset", [-0.5, 0.0, 0.6])
def test_a_psnr_takes_two_samples_and_three_files_at_most(goal: float, offset: float) -> None:
    tried: list[str] = []

    def sample(level: int) -> float:
        tried.append("sample")
        return 28.5 + 1.25e-3 * level - 1.5e-8 * level**2

    def whole(level: int) -> RateTrial:
        tried.append("whole")
        return RateTrial(str(level).encode(), 28.5 + 1.25e-3 * level - 1.5e-8 * level**2 + offset)

    trial = solve(goal_of("target_psnr", goal), FormulaTrials(sample, whole))
    assert tried[:3] == ["sample", "sample", "whole"]
    assert tried.count("sample") == 2
    assert tried.count("whole") <= 3
    assert trial.value == pytest.approx(sample(int(trial.data)) + offset)
    assert abs(trial.value - goal) <= 0.05
