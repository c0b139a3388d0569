"""Adapters of one picture: a better file of it, which the codec without them decodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from s2lic.codec import Codec
from s2lic.container.boxes import unpack
from s2lic.entropy.quality import quality_lambda
from s2lic.errors import BlockChoiceError
from s2lic.lab.calibrate import wrapped
from s2lic.train.per_image import adapted
from tests.cli.conftest import Result, run
from tests.frozen import MODEL, codec, picture

__all__ = ["run"]
LEVEL = 5000
IMAGE = picture("portrait", size=(96, 64))


def cost(coder: Codec) -> float:
    """R + lambda D of the file that the coder writes and the codec as it was decodes, in bits."""
    data = coder.encode(IMAGE, LEVEL / 100, effort=0)
    apart = np.asarray(codec().decode(data), float) - np.asarray(IMAGE, float)
    return 8 * len(data) + float(quality_lambda(torch.tensor(LEVEL))) * float(np.square(apart).sum()) / 3


@pytest.fixture(scope="module")
def tuned() -> Codec:
    return adapted(codec(), IMAGE, LEVEL, 25)


def test_a_picture_that_g_a_has_learned_costs_less_and_decodes_without_the_adapters(tuned: Codec) -> None:
    assert tuned is not codec()
    data, plain = (unpack(coder.encode(IMAGE, 50, effort=0)) for coder in (tuned, codec()))
    assert data.payload != plain.payload
    assert data.header.model_id == plain.header.model_id
    assert cost(tuned) < cost(codec())


def test_nothing_else_changes_and_the_codec_that_it_came_from_not_at_all(tuned: Codec) -> None:
    base, own = codec().weights.model.state_dict(), tuned.weights.model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in base.items())
    assert {name.split(".")[0] for name in own if name not in base} == {"g_a"}
    assert all(".adapter." in name for name in own if name not in base)
    assert torch.equal(codec().weights.model.g_a.last.weight, Codec(MODEL).weights.model.g_a.last.weight)


def test_what_gains_nothing_is_left_alone_and_the_same_steps_give_the_same_file(tuned: Codec) -> None:
    assert adapted(codec(), IMAGE, LEVEL, 0) is codec()
    again = adapted(codec(), IMAGE, LEVEL, 25)
    assert again.encode(IMAGE, 50, effort=0) == tuned.encode(IMAGE, 50, effort=0)


def test_a_model_that_no_adapter_can_stand_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockChoiceError, match=r"nano.*: its blocks have no softmax attention"):
        adapted(Codec("nano"), IMAGE, LEVEL, 1)
    (tmp_path / "act.safetensors").write_bytes(wrapped(codec().weights))
    with pytest.raises(BlockChoiceError, match="already wrapped by 'act'"):
        adapted(Codec(tmp_path / "act.safetensors"), IMAGE, LEVEL, 1)


def test_the_command_learns_each_picture_at_its_quality(run: Callable[..., Result]) -> None:
    IMAGE.save("a.png")
    words = ("encode", "a.png", "-e", "0", "-q", "50", "--model", MODEL)
    assert run(*words, "-o", "a.bin", "--adapt", "3").code == 0
    assert run(*words, "-o", "b.bin").code == 0
    assert Path("a.bin").read_bytes() != Path("b.bin").read_bytes()
    assert run("decode", "a.bin", "-o", "b.png", "--model", MODEL).code == 0
    assert run("encode", "a.png", "--adapt", "3", "--target-bpp", "1", "--model", MODEL, "-o", "c.bin").code == 2
