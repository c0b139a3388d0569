"""The options of encoding and decoding: defaults, and what is refused."""

from __future__ import annotations

import dataclasses
import inspect
import math
import subprocess
import sys

import pytest

from s2lic.codec import Codec
from s2lic.coding.distortion import MIXES
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.coding.targets import TARGETS
from s2lic.container.tiles import Layout
from s2lic.defaults import SEARCHED_FROM, TUNES
from s2lic.errors import CropRangeError, QualityRangeError, UsageError

SMALL, WHOLE, TILED = Layout(160, 300, 160, 300), Layout(161, 300, 161, 300), Layout(161, 300, 161, 150)


def test_the_defaults_are_quality_50_and_a_search_in_one_stream() -> None:
    options = EncodeOptions()
    assert options.quality_level == 5000
    assert [options.rounds(layout, "psnr") for layout in (SMALL, WHOLE, TILED)] == [5, 5, 0]
    assert [options.rounds(layout, "visual") for layout in (SMALL, WHOLE, TILED)] == [0, 2, 0]
    assert options.targets == {}
    assert not options.is_individual


def test_an_effort_holds_for_tiles_too() -> None:
    options = EncodeOptions(effort=3)
    assert {options.rounds(layout, tune) for layout in (SMALL, WHOLE, TILED) for tune in TUNES} == {3}


@pytest.mark.parametrize("tune", TUNES)
def test_pictures_are_searched_where_their_distortion_is_defined(tune: str) -> None:
    side = SEARCHED_FROM[tune]
    assert MIXES[tune].fits(side)
    assert not MIXES[tune].fits(side - 1)


@pytest.mark.parametrize("quality", [-0.01, 100.01, math.nan, math.inf])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(QualityRangeError, match=r"outside 0\.\.100"):
        EncodeOptions(quality=quality)


@pytest.mark.parametrize("effort", [-1, 10])
def test_an_effort_out_of_range_is_refused(effort: int) -> None:
    with pytest.raises(UsageError, match=r"outside 0\.\.9"):
        EncodeOptions(effort=effort)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_a_positive_number(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{name} is a positive number"):
        EncodeOptions(**{name: value})


@pytest.mark.parametrize("given", [{"quality": 50, "target_bpp": 1}, {"target_size": 9, "target_psnr": 30}])
def test_quality_and_targets_exclude_one_another(given: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"^{' and '.join(given)} exclude one another"):
        EncodeOptions(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value", "goal"), [
    ("target_bpp", 0.5, math.log(0.5)), ("target_size", 1000, math.log(2)), ("target_psnr", 33.0, 33.0),
])  # fmt: skip
def test_a_target_becomes_a_goal_and_is_shown_in_its_own_unit(name: str, value: float, goal: float) -> None:
    target = EncodeOptions(**{name: value}).target(pixels=4000)
    assert target.goal == pytest.approx(goal)
    assert float(target.show(target.goal).split()[0]) == pytest.approx(value)


def test_every_target_is_an_option() -> None:
    assert set(TARGETS) <= {field.name for field in dataclasses.fields(EncodeOptions)}


def test_the_codec_takes_every_option_with_the_same_default() -> None:
    parameters = list(inspect.signature(Codec.encode).parameters.values())[2:]
    fields = {field.name: field.default for field in dataclasses.fields(EncodeOptions)}
    assert {parameter.name: parameter.default for parameter in parameters} == fields


def test_a_crop_has_four_numbers() -> None:
    with pytest.raises(CropRangeError, match="not 3 numbers"):
        DecodeOptions(crop=(0, 0, 5))  # type: ignore[arg-type]


def test_options_are_there_without_torch() -> None:
    program = "import sys, s2lic.coding.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
