"""Growth: a larger configuration computes what the smaller one does, and what is new can learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import UsageError, WeightsError
from s2lic.model import S2LIC, build, config
from s2lic.train.data import Photos
from s2lic.train.grow import GROWS_FROM, embedded, grow
from s2lic.transform.group import ResidualGroup
from tests.references.weights import shaken

PAIRS = [(small, large) for large, smaller in GROWS_FROM.items() for small in smaller]
TUNED = [tuple(f"{name}+tune=visual" for name in pair) for pair in PAIRS]


def saved(model: S2LIC, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module", params=PAIRS + TUNED, ids="-to-".join)
def pair(
    request: pytest.FixtureRequest, photos: Photos, tmp_path_factory: pytest.TempPathFactory
) -> tuple[S2LIC, S2LIC]:
    """A model with random weights everywhere, and what it grew into."""
    small, large = (build(name).eval().requires_grad_(False) for name in request.param)
    shaken(small, 0.02)
    grow(large, saved(small, tmp_path_factory.mktemp("grow") / "small.safetensors"), photos, seed=0)
    return small, large


@torch.no_grad()
def test_the_grown_model_gives_the_same_picture_and_bits(pair: tuple[S2LIC, S2LIC], photos: Photos) -> None:
    x, levels = photos.batch(2, 128, (5, 0)), torch.tensor([0.1, 0.9]) * QUALITY_MAX
    outputs = []
    for model in pair:
        torch.manual_seed(3)
        outputs.append(model(x, levels))
    for name in ("x_hat", "y_bits", "z_bits"):
        torch.testing.assert_close(outputs[1][name], outputs[0][name], rtol=1e-4, atol=1e-4)


def test_the_grown_model_is_larger_everywhere_that_its_row_says(pair: tuple[S2LIC, S2LIC]) -> None:
    small, large = (sum(p.numel() for p in model.parameters()) for model in pair)
    assert large > 1.5 * small


def test_new_features_and_new_layers_receive_gradients(pair: tuple[S2LIC, S2LIC], photos: Photos) -> None:
    small, large = pair
    large.requires_grad_(True).train()
    out = large(photos.batch(2, 128, (5, 1)), torch.tensor([2000.0, 8000.0]))
    (out["x_hat"].square().mean() + out["y_bits"].mean()).backward()
    old = dict(small.named_parameters())
    for name, parameter in large.named_parameters():
        if name not in old and name.endswith(("second.weight", "widen.weight", "norm1.weight")):
            assert parameter.grad is not None
            assert parameter.grad.abs().max() > 0, name
    grown = large.entropy.walk.slices[4].parameters_net.fc2.weight
    before = small.entropy.walk.slices[4].parameters_net.fc2.weight.shape[1]
    assert grown.grad is not None
    assert grown.grad[:, before:].abs().max() > 0


@pytest.mark.parametrize("transposed", [False, True])
def test_old_outputs_do_not_see_new_inputs(transposed: bool) -> None:
    kinds = nn.ConvTranspose2d if transposed else nn.Conv2d
    small, large = kinds(3, 5, 3), kinds(4, 7, 3)
    x = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        large.weight.copy_(embedded(small.weight, large.weight, transposed))
        large.bias.copy_(embedded(small.bias, large.bias))
        torch.testing.assert_close(large(x)[:, :5], small(x[:, :3]))


def test_each_stage_begins_with_the_blocks_of_the_smaller_model() -> None:
    for small, large in PAIRS:
        for stage in range(3):
            keys = config(small).transform.keys(stage)
            assert config(large).transform.keys(stage)[: len(keys)] == keys


def test_the_default_model_has_swinv2_and_dense_blocks() -> None:
    names = {type(m).__name__ for m in build("small").g_s.modules()}
    assert {"WindowAttention", "DenseBlock", ResidualGroup.__name__} <= names


def test_a_file_of_another_shape_is_refused(photos: Photos, tmp_path: Path) -> None:
    path = saved(build("base"), tmp_path / "base.safetensors")
    with pytest.raises(WeightsError, match=r"cannot grow into 'small', which grows from nano: .* has no place"):
        grow(build("small"), path, photos, seed=0)


def test_nothing_grows_into_the_smallest_model(photos: Photos, tmp_path: Path) -> None:
    path = saved(build("tiny"), tmp_path / "tiny.safetensors")
    with pytest.raises(UsageError, match="nothing grows into 'nano'"):
        grow(build("nano"), path, photos, seed=0)
