"""`s2lic encode --tile`: the mend of a map beyond a block's limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from s2lic.container.boxes import unpack
from s2lic.model import CONFIGS, build, variant
from s2lic.transform.blocks.seer_gate import SeerGate
from tests.exporting import exported
from tests.frozen import picture
from tests.references.weights import shaken

from .conftest import Result

Run = Callable[..., Result]


def test_a_picture_too_large_for_a_block_is_coded_in_the_tiles_that_the_message_names(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SeerGate, "n_max", 1600)  # the picture has 2304 places at stride 8, a tile with its edges fewer
    model = shaken(build(variant(CONFIGS["tiny"], ("swinv2", "swinv2", "seer_gate"))), 0.02)
    Path("own.safetensors").write_bytes(exported(model))
    picture("portrait", size=(576, 256)).save("img.png")
    words = ("encode", "img.png", "-o", "a.bin", "-e", "0", "--model", "own.safetensors")
    refused = run(*words)
    assert (refused.code, Path("a.bin").exists()) == (2, False)
    assert "encode --tile" in refused.err
    assert run(*words, "--tile", "256").code == 0
    assert unpack(Path("a.bin").read_bytes()).tiles
    assert run("decode", "a.bin", "-o", "a.png", "--model", "own.safetensors").code == 0


@pytest.mark.parametrize("side", ["255", "2049"])
def test_tiles_that_no_reader_takes_are_refused(run: Run, photo: Path, side: str) -> None:
    assert run("encode", photo.name, "--tile", side).code == 2
