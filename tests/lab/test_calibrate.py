"""Heads are kept only where the cost falls, and the file that results is a model of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s2lic.codec import Codec
from s2lic.errors import BlockChoiceError, UsageError
from s2lic.lab.calibrate import calibrate, calibrated, heads_of, rd_cost, wrapped
from s2lic.model import build
from s2lic.transform.blocks.act import Act
from s2lic.weights import manifest
from s2lic.weights.store import export, load, load_shipped, made_of
from tests.frozen import MODEL, codec, picture


@pytest.fixture
def start(tmp_path: Path) -> Codec:
    path = tmp_path / "start.safetensors"
    path.write_bytes(wrapped(codec().weights))
    return Codec(path, precision="float32")  # as the model it is compared with


def test_heads_are_kept_by_a_planted_cost_and_the_others_left_alone() -> None:
    model = build("tiny+wrap=act")
    for module in model.modules():
        if isinstance(module, Act):
            module.chosen.zero_()
    heads = heads_of(model)
    good = {heads[1], heads[-1]}

    def cost() -> float:
        on = {(name, head) for name, head in heads if model.get_submodule(name).chosen[head] > 0}  # type: ignore[index,operator]
        return 1.0 - 0.1 * len(on & good) + 0.05 * len(on - good)

    told: list[tuple[int, int]] = []
    found = calibrate(model, cost, lambda count, of: told.append((count, of)))
    assert told == [(count, len(heads)) for count in range(len(heads) + 1)]
    assert set(found.kept) == good
    assert (found.before, found.after) == (1.0, pytest.approx(0.8))
    assert cost() == found.after


def test_with_no_head_chosen_the_symbols_are_those_of_the_model_before(start: Codec) -> None:
    image = picture("portrait", size=(64, 48))
    assert start.weights.model_id != codec().weights.model_id
    assert rd_cost(start.networks, [image], 5000) == pytest.approx(rd_cost(codec().networks, [image], 5000), rel=1e-4)


def test_a_search_is_never_worse_than_none_and_its_file_codes(start: Codec, tmp_path: Path) -> None:
    image, path = picture("portrait", size=(64, 48)), tmp_path / "act.safetensors"
    found = calibrate(start.weights.model, lambda: rd_cost(start.networks, [image], 5000))
    assert found.after <= found.before
    path.write_bytes(export(start.weights.model, made_of(start.weights)))
    again = load(path).model.state_dict()
    assert all(
        torch.equal(v.half(), again[k].half()) for k, v in start.weights.model.state_dict().items() if "chosen" in k
    )
    own = Codec(path)
    assert own.decode(own.encode(image, 50)).size == image.size


def test_pictures_are_looked_for_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --data another"):
        calibrated(MODEL, tmp_path, 5000)


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(
        BlockChoiceError, match=r"nothing to calibrate in 'nano\+tune=visual', whose blocks lack softmax"
    ):
        wrapped(load_shipped(manifest.by_config("nano")))
