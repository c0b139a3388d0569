"""Models of chosen blocks: trained, exported, loaded, and used to code a photograph."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import Tensor

import s2lic.entropy
from s2lic.codec import Codec
from s2lic.entropy.config import EntropyRow
from s2lic.errors import MapTooLargeError, UnknownConfigError, WeightsError
from s2lic.model import CONFIGS, S2LIC, build, config, variant
from s2lic.train.loss import rd_loss
from s2lic.transform.blocks import block_names, block_row
from s2lic.transform.blocks.seer_gate import SeerGate
from s2lic.weights.store import load
from tests.exporting import exported
from tests.frozen import MODEL, codec, picture
from tests.references.weights import shaken

TINY = CONFIGS["tiny"]
STEPS, SIDE = 10, 32
MIXERS = [key for key in block_names() if block_row(key).kind in {"mixer", "mixer_mlp"}]
ADDED = [key for key in block_names() if block_row(key).kind in {"mlp", "gate", "wrapper"}]
FORMS = ["dhsa:boundary=learned", "base_conv:long=true", "sentence_gate:gate=sigmoid2:use_image=true"]


def chosen(key: str) -> str:
    """The name of the smallest model that has this block."""
    kind = block_row(key).kind
    if kind in {"mlp", "gate", "wrapper"}:
        return variant(TINY, **{kind.removesuffix("per"): key}).name
    return variant(TINY, ("swinv2", "swinv2", key)).name


def photographs(count: int) -> Tensor:
    """(count, 3, SIDE, SIDE) cut from a photograph."""
    pixels = torch.frombuffer(bytearray(picture("portrait", size=(SIDE, count * SIDE)).tobytes()), dtype=torch.uint8)
    return pixels.view(count, SIDE, SIDE, 3).permute(0, 3, 1, 2).float() / 255


def trained(name: str) -> S2LIC:
    """The model after ten steps."""
    model, x = shaken(build(name), 0.02).train(), photographs(2)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(STEPS):
        levels = 10_000 * torch.rand(2)
        loss = rd_loss(model(x, levels), x, levels)["loss"]
        optimiser.zero_grad()
        loss.backward()
        assert loss.isfinite()
        optimiser.step()
    return model


@pytest.mark.parametrize("key", MIXERS + ADDED + FORMS)
def test_a_model_of_the_block_trains_ten_steps_and_codes_a_photograph(key: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    name = chosen(key)
    before = shaken(build(name), 0.02).state_dict()
    model = trained(name)
    moved = [k for k, v in model.state_dict().items() if not torch.equal(v, before[k])]
    assert any("groups" in k and k.startswith("g_a") for k in moved)

    path = tmp_path / "own.safetensors"
    path.write_bytes(exported(model))
    own = Codec(path)
    assert own.weights.model.row.name == name
    image = picture("portrait", size=(49, 33))
    data = own.encode(image, 60)
    assert own.decode(data).size == image.size  # the symbols' checksum has been tested
    assert own.encode(image, 60) == data


def test_a_map_beyond_a_blocks_limit_is_refused_by_name_and_smaller_tiles_are_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SeerGate, "n_max", 1600)  # at stride 8: the whole picture has 2304, a tile with its edges fewer
    model, image = shaken(build(chosen("seer_gate")), 0.02), picture("portrait", size=(576, 256))
    path = tmp_path / "own.safetensors"
    path.write_bytes(exported(model))
    with pytest.raises(MapTooLargeError, match=r"'seer_gate' takes maps of up to 1,600 places.*smaller tiles"):
        Codec(path).encode(image, 50)
    tiled = Codec(path, tile=256)
    assert tiled.decode(tiled.encode(image, 50)).size == image.size


def test_the_model_id_covers_the_choice(tmp_path: Path) -> None:
    """Same tensors, another choice: another id. And the frozen model still goes by its own name."""
    model = shaken(build("tiny"), 0.02)
    plain = exported(model)
    (tmp_path / "a.safetensors").write_bytes(plain)
    model.row = variant(TINY, ("halo", "swinv2", "swinv2"))  # the first stage of tiny has no block
    (tmp_path / "b.safetensors").write_bytes(exported(model))
    a, b = load(tmp_path / "a.safetensors"), load(tmp_path / "b.safetensors")
    assert a.model_id != b.model_id
    assert b.model.row.name == "tiny+block=halo,swinv2,swinv2"
    assert load(MODEL).model.row == TINY


@pytest.mark.parametrize("name", ["tiny+block=lstm", "tiny+gate=halo", "tiny+wings=2"])
def test_weights_that_name_an_impossible_choice_are_refused(name: str, tmp_path: Path) -> None:
    data = MODEL.read_bytes().replace(b'"tiny"', b'"' + name.encode() + b'"')
    grown = int.from_bytes(data[:8], "little") + len(name) - len("tiny")
    (tmp_path / "odd.safetensors").write_bytes(grown.to_bytes(8, "little") + data[8:])
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        load(tmp_path / "odd.safetensors")


def test_weights_of_other_blocks_do_not_fit() -> None:
    with pytest.raises(RuntimeError, match="attn"):
        build("tiny+block=halo").load_state_dict(codec().weights.model.state_dict())


@pytest.mark.parametrize("key", [key for key in block_names() if block_row(key).selection == "hard"])
def test_a_hard_block_has_no_way_into_the_entropy_model(key: str) -> None:
    """Neither by `variant`, which leaves its row as it is, nor by a name; and the row has no field for one."""
    for row in CONFIGS.values():
        wrapper = block_row(key).kind == "wrapper"
        made = variant(row, ("swinv2",), wrap=key) if wrapper else variant(row, (key,))
        assert made.entropy == row.entropy
    assert not any("block" in f.name for f in fields(EntropyRow))
    with pytest.raises(UnknownConfigError, match="unknown option 'entropy' in the name of a configuration"):
        config(f"tiny+entropy={key}")


def test_the_entropy_model_cannot_reach_the_blocks() -> None:
    """No block stands in the decoder's way to the symbols: the package does not import one."""
    for file in Path(s2lic.entropy.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("s2lic.transform"), file
