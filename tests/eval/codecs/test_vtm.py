"""VTM through programs that the user names."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.cli.signals import unwinding
from s2lic.errors import InputMissingError, ProgramFailedError, UsageError
from s2lic.eval import codecs
from s2lic.eval.codecs.programs import run_program
from s2lic.eval.codecs.vtm import from_rgb, to_rgb
from s2lic.eval.metrics import psnr

FAILING = "import sys; print('Segment 7 is broken'); sys.exit(3)"
SILENT = "pass"
SHORT = "import sys; w = sys.argv; open(w[w.index('-o') + 1], 'wb').write(bytes(10))"

VTM = codecs.row("vtm")
MakeVtm = Callable[..., dict[str, str]]


@pytest.fixture
def image() -> Image.Image:
    rows, cols = np.mgrid[:19, :33]
    return Image.fromarray(np.stack([7 * cols, 13 * rows, 4 * (rows + cols)], axis=-1).astype(np.uint8))


def test_at_the_finest_step_the_picture_comes_back_as_it_was(make_vtm: MakeVtm, image: Image.Image) -> None:
    coder = VTM.open(make_vtm())
    assert np.array_equal(np.asarray(coder.decode(coder.encode(image, 6), image.size)), np.asarray(image))


def test_the_quality_is_the_qp(make_vtm: MakeVtm, image: Image.Image) -> None:
    coder = VTM.open(make_vtm())
    fine, coarse = (coder.encode(image, qp) for qp in (22, 37))
    assert len(fine) > len(coarse)
    assert psnr(image, coder.decode(fine, image.size)) > psnr(image, coder.decode(coarse, image.size)) > 15


def test_the_memory_is_that_of_the_program(make_vtm: MakeVtm, image: Image.Image) -> None:
    coder = VTM.open(make_vtm())
    coder.encode(image, 22)
    assert coder.outside_mib > 1


def test_other_programs_or_another_configuration_are_another_codec(make_vtm: MakeVtm) -> None:
    options = make_vtm()
    first = VTM.open(options).identity
    assert VTM.open(options).identity == first
    Path(options["config"]).write_text("other")
    assert VTM.open(options).identity != first


@pytest.mark.parametrize(
    ("encoder", "said"),
    [(FAILING, "exit code 3; it said: Segment 7 is broken"), (SILENT, "without writing its output")],
)
def test_an_encoder_that_fails_is_named_with_its_last_words(
    encoder: str, said: str, make_vtm: MakeVtm, image: Image.Image
) -> None:
    with pytest.raises(ProgramFailedError, match=f"encoder ended .*{said}"):
        VTM.open(make_vtm(encoder=encoder)).encode(image, 22)


def test_a_decoder_that_writes_another_picture_is_named(make_vtm: MakeVtm, image: Image.Image) -> None:
    coder = VTM.open(make_vtm(decoder=SHORT))
    with pytest.raises(ProgramFailedError, match="decoder wrote 5 samples, not 3 x 33 x 19"):
        coder.decode(coder.encode(image, 22), image.size)


def test_what_was_not_named_is_asked_for(make_vtm: MakeVtm) -> None:
    with pytest.raises(UsageError, match=r"--set vtm\.encoder=PATH --set vtm\.decoder=PATH --set vtm\.config=PATH"):
        VTM.open({})


def test_a_program_or_configuration_that_is_not_there_is_named(make_vtm: MakeVtm, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        VTM.open({**make_vtm(), "encoder": str(tmp_path / "nowhere")})
    with pytest.raises(InputMissingError, match="missing"):
        VTM.open({**make_vtm(), "config": str(tmp_path / "missing.cfg")})


# An encoder with a minute to go, whose caller is stopped.
BUSY = f"""
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(0.3)
os.kill(os.getppid(), {int(signal.SIGTERM)})
time.sleep(60)
"""


@pytest.mark.usefixtures("default_signals")
def test_a_program_does_not_outlive_the_stop_of_its_caller(tmp_path: Path) -> None:
    with unwinding(), pytest.raises(SystemExit):
        run_program([sys.executable, "-S", "-c", BUSY, tmp_path / "pid"], tmp_path / "product")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def nearest(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


@pytest.mark.parametrize(
    ("rgb", "planes"),
    [
        ((0, 0, 0), (0, 512, 512)),
        ((255, 255, 255), (1023, 512, 512)),
        ((255, 0, 0), (217, 395, 1023)),
        ((0, 255, 0), (732, 118, 47)),
        ((0, 0, 255), (74, 1023, 465)),
    ],
    ids=["black", "white", "red", "green", "blue"],
)
def test_pure_colours_have_the_levels_of_the_standard(rgb: tuple[int, ...], planes: tuple[int, ...]) -> None:
    assert tuple(from_rgb(np.array([[rgb]], np.uint8)).ravel()) == planes


def test_every_value_is_rounded_to_the_nearest_in_exact_arithmetic() -> None:
    colours = np.random.default_rng(5).integers(0, 256, (1, 500, 3)).astype(np.uint8)
    planes = from_rgb(colours)[:, 0].T.tolist()
    for (r, g, b), found in zip(colours[0].tolist(), planes, strict=True):
        luma = Fraction(2126 * r + 7152 * g + 722 * b, 10000 * 255)
        cb = (Fraction(b, 255) - luma) / Fraction(18556, 10000)
        cr = (Fraction(r, 255) - luma) / Fraction(15748, 10000)
        assert found == [min(1023, nearest(1023 * v + offset)) for v, offset in ((luma, 0), (cb, 512), (cr, 512))]


def test_ten_bits_lose_no_colour_of_eight() -> None:
    """Half a step of 1/1023 in Y and Cb moves blue by at most (1 + 1.8556) / 2 / 1023 of 255, which is under a half."""
    levels = np.unique(np.r_[0:256:5, 255, 1, 2, 254])
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    assert np.array_equal(to_rgb(from_rgb(colours)), colours)


def test_levels_that_no_colour_has_are_clipped() -> None:
    assert to_rgb(np.array([1023, 1023, 1023], np.uint16).reshape(3, 1, 1)).tolist() == [[[255, 172, 255]]]
