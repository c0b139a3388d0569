"""A model whose blocks are conditioned on the quality: in training, in coding, in rate control and in tiles."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.networks import to_tensor
from s2lic.container.boxes import unpack
from s2lic.defaults import SIDE_MIN
from s2lic.entropy.quality import embedding
from s2lic.errors import BlockChoiceError, ConditionError, UnknownConfigError
from s2lic.model import CONFIGS, build, config, variant
from s2lic.transform.blocks.sentence_gate import SentenceGate
from tests.exporting import exported
from tests.frozen import codec, picture
from tests.references.weights import shaken

ROW = variant(CONFIGS["tiny"], gate="sentence_gate")


@cache
def weights_file() -> bytes:
    """The frozen model with gates that the quality moves."""
    model = shaken(build(ROW), 0.01)
    model.load_state_dict(codec().weights.model.state_dict(), strict=False)
    return exported(model)


@pytest.fixture
def own(tmp_path: Path) -> Codec:
    path = tmp_path / "own.safetensors"
    path.write_bytes(weights_file())
    return Codec(path, tile=SIDE_MIN)


def fidelity(image: Image.Image, decoded: Image.Image) -> float:
    """PSNR in dB."""
    return -10 * math.log10(float((to_tensor(image) - to_tensor(decoded)).square().mean()))


@pytest.fixture
def gated(tmp_path: Path) -> Codec:
    """A model with three condition values per image."""
    model = shaken(build(variant(ROW, cond=3)), 0.05)
    path = tmp_path / "gated.safetensors"
    path.write_bytes(exported(model))
    return Codec(path, tile=SIDE_MIN)


def test_the_condition_changes_the_file_and_not_the_decoder(gated: Codec) -> None:
    assert gated.weights.model.row.name == "tiny+gate=sentence_gate+cond=3"
    image = picture("portrait", size=(64, 48))
    first, again, other = (gated.encode(image, 60, cond=c) for c in ([1.0, 0, 0], np.float32([1, 0, 0]), [0, 9, 0]))
    assert first == again
    assert unpack(first).payload != unpack(other).payload
    assert {gated.decode(data).size for data in (first, other)} == {image.size}
    tiled = picture("portrait", size=(SIDE_MIN + 8, 32))
    assert gated.decode(gated.encode(tiled, 60, effort=0, cond=[1, 2, 3])).size == tiled.size
    assert gated.encode(image, target_size=len(first), cond=[1, 0, 0], effort=0)


def test_g_s_takes_no_condition(gated: Codec) -> None:
    gates = {part: [g.condition for n, g in gated.weights.model.named_modules() if n.startswith(part) and "gates." in n
                    and isinstance(g, SentenceGate)] for part in ("g_a", "g_s")}  # fmt: skip
    assert set(gates["g_a"]) == {3}
    assert set(gates["g_s"]) == {0}


def test_a_missing_or_wrong_condition_is_refused(gated: Codec) -> None:
    image = picture("portrait", size=(32, 32))
    for code in (gated.encode, lambda image: gated.encode_many([image, image], effort=0)):
        with pytest.raises(ConditionError, match="needs 3 condition values per image"):
            code(image)
    with pytest.raises(ConditionError, match="4 condition values were given"):
        gated.encode(image, cond=[1, 2, 3, 4])
    with pytest.raises(ConditionError, match="takes no condition values"):
        codec().encode(image, cond=[1.0])


def test_numbers_without_a_gate_that_takes_them_are_refused() -> None:
    for choice in ({}, {"gate": "eca"}):
        with pytest.raises(BlockChoiceError, match="choose sentence_gate"):
            variant(CONFIGS["tiny"], cond=3, **choice)
    with pytest.raises(UnknownConfigError, match="'cond=x'"):
        config("tiny+gate=sentence_gate+cond=x")


def test_the_embedding_tells_levels_apart_and_lies_between_minus_1_and_1() -> None:
    rows = embedding(torch.arange(0, 10_001, 100), 128).double()
    assert rows.shape == (101, 128)
    assert rows.abs().max() <= 1
    apart = torch.cdist(rows, rows) + 100 * torch.eye(101, dtype=torch.float64)
    assert apart.min() > 0.1
    torch.testing.assert_close(rows.square().sum(1), torch.full((101,), 64.0).double(), rtol=0, atol=1e-5)


def test_g_a_and_g_s_see_the_quality_and_other_models_do_not(own: Codec) -> None:
    x = to_tensor(picture("portrait", size=(32, 32)))
    low, high = (own.networks.analyse(x, level) for level in (0, 10_000))
    assert (low - high).abs().max() > 1e-3
    assert not torch.equal(own.networks.synthesise(low, 0), own.networks.synthesise(low, 10_000))
    plain = codec()
    assert torch.equal(plain.networks.analyse(x, 0), plain.networks.analyse(x, 10_000))
    assert plain.weights.model.context(torch.zeros(1)).quality is None


def test_a_model_without_the_quality_is_an_error(own: Codec) -> None:
    with pytest.raises(ConditionError, match="needs the quality"):
        own.weights.model.g_a(torch.zeros(1, 3, 16, 16))


def test_a_file_is_decoded_at_the_quality_in_its_header(own: Codec) -> None:
    image = picture("portrait", size=(32, 32))
    y = own.networks.analyse(to_tensor(image), 7000)
    data = own.encode(image, 70, effort=0)
    assert unpack(data).header.quality == 7000
    decoded = to_tensor(own.decode(data))
    _, y_hat = own.weights.coder.encode(y, torch.tensor([7000]))
    pixels = own.networks.synthesise(y_hat, 7000)
    assert (decoded * 255 - pixels).abs().max() <= 1


def test_a_target_gives_the_file_that_its_quality_gives(own: Codec) -> None:
    """g_a must run anew at every level that rate control tries: no latent of another level may be kept."""
    image = picture("portrait", size=(96, 64))
    finer = own.encode(image, 75, effort=0)
    for wanted in ({"target_size": len(finer)}, {"target_psnr": fidelity(image, own.decode(finer))}):
        data = own.encode(image, **wanted, effort=0)
        level = unpack(data).header.quality
        assert level != 5000
        assert data == own.encode(image, level / 100, effort=0)


def test_tiles_are_coded_at_the_quality_too(own: Codec) -> None:
    image = picture("portrait", size=(2 * SIDE_MIN + 40, SIDE_MIN + 8))
    data = own.encode(image, 30)
    assert unpack(data).tiles
    decoded = own.decode(data)
    assert decoded.size == image.size
    assert own.decode(data, crop=(200, 100, 120, 60)).tobytes() == decoded.crop((200, 100, 320, 160)).tobytes()
