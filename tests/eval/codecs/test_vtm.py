"""VTM through programs that the user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import InputMissingError, ProgramFailedError, ProgramMissingError, UsageError
from s2lic.eval import codecs
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
    with pytest.raises(ProgramMissingError, match="nowhere"):
        VTM.open({**make_vtm(), "encoder": str(tmp_path / "nowhere")})
    with pytest.raises(InputMissingError, match="missing"):
        VTM.open({**make_vtm(), "config": str(tmp_path / "missing.cfg")})
