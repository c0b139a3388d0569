"""The whole model: its rows, their budgets, and one pass through everything."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from s2lic.errors import UnknownConfigError, UsageError
from s2lic.model import CONFIGS, S2LIC, Config, build, config, variant
from s2lic.transform.config import STRIDE
from tests.exporting import exported
from tests.references.weights import shaken

SIDE = 256
# kMAC a pixel to decode, of which the entropy model may take so much.
BUDGETS = {"tiny": (20, 6), "nano": (20, 6), "small": (40, 8)}


def draw(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def decoding_cost(model: S2LIC, side: int) -> tuple[float, float]:
    """kMAC a pixel of h_s and the walk, and of g_s."""
    row, size = model.row.entropy, side // STRIDE
    z, quality = torch.zeros(1, row.side, size // 4, size // 4), torch.tensor([5000.0])
    with FlopCounterMode(display=False) as entropy:
        y_hat = model.entropy.reconstruct(z, model.entropy.quality(quality), (size, size), lambda mu, *_: mu)
    with FlopCounterMode(display=False) as synthesis:
        model.g_s(y_hat)
    pixels = 1000 * side * side
    flops = entropy.get_total_flops(), synthesis.get_total_flops()
    return flops[0] / 2 / pixels, flops[1] / 2 / pixels


@pytest.mark.parametrize("name", BUDGETS)
def test_decoding_stays_within_the_budget_of_the_row(name: str) -> None:
    whole, part = BUDGETS[name]
    entropy, synthesis = decoding_cost(build(name).eval(), SIDE)
    assert entropy <= part
    assert entropy + synthesis <= whole


def test_the_cost_of_the_linear_path_is_counted_right() -> None:
    """768 x M MAC for 256 pixels: the counter is trusted only as far as this."""
    linear = build("nano").g_s.linear
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        linear(torch.zeros(1, 256, 2, 3))
    assert counter.get_total_flops() == 2 * 768 * 256 * 6


def test_the_tune_is_part_of_the_name_and_of_nothing_else() -> None:
    row = variant(CONFIGS["nano"], gate="eca", tune="visual")
    assert row.name == "nano+gate=eca+tune=visual"
    assert (row.tune, row.model) == ("visual", "nano+gate=eca")
    assert config(row.name) == row
    assert variant(row, tune="psnr") == variant(CONFIGS["nano"], gate="eca")
    assert variant(row, gate="").tune == "visual"
    with pytest.raises(UnknownConfigError, match="no tune 'loud'; there are visual, psnr"):
        config("nano+tune=loud")


def test_small_has_at_most_12_million_parameters() -> None:
    with torch.device("meta"):
        model = S2LIC(config("small"))
    assert sum(p.numel() for p in model.parameters()) <= 12_000_000


@pytest.mark.parametrize(("name", "megabytes"), [("nano", 12), ("small", 22)])
def test_a_weights_file_holds_floats_and_integers(name: str, megabytes: int) -> None:
    """fp16 for all parameters and 16-bit integers for the entropy networks; the tables take little."""
    assert len(exported(build(name))) < megabytes * 1_000_000


@pytest.mark.parametrize("row", CONFIGS.values(), ids=list(CONFIGS))
def test_a_row_agrees_with_itself(row: Config) -> None:
    transform, entropy = row.transform, row.entropy
    assert CONFIGS[row.name] is config(row.name) is row
    assert sum(entropy.slices) == entropy.latent == transform.latent
    assert all(w % h == 0 for w, h in zip(transform.widths, transform.heads, strict=True))
    assert transform.dense_unshuffle in (1, 2)
    assert transform.window == 8
    assert entropy.anchors >= 2


@pytest.mark.parametrize("name", ["small", "base"])
def test_the_large_rows_can_be_built(name: str) -> None:
    with torch.device("meta"):
        model = S2LIC(config(name))
    assert [s.channels for s in model.entropy.walk.slices] == list(config(name).entropy.slices)
    assert [len(g.blocks) for g in model.g_a.groups] == list(config(name).transform.depths)
    assert [len(g.blocks) for g in model.g_s.groups] == list(config(name).transform.depths)[::-1]


def test_rows_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        CONFIGS["nano"].name = "other"  # type: ignore[misc]


def test_an_unknown_configuration_is_an_error_that_names_the_known_ones() -> None:
    for function in (config, build):
        with pytest.raises(UnknownConfigError, match=r"'nope'.*tiny, nano, small, base") as error:
            function("nope")
    assert isinstance(error.value, UsageError)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second, third = build("tiny", 1), build("tiny", 1), build("tiny", 2)
    assert torch.equal(torch.get_rng_state(), before)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    other = [torch.equal(a, b) for a, b in zip(first.parameters(), third.parameters(), strict=True)]
    assert all(same)
    assert not all(other)


@torch.no_grad()
def test_a_picture_passes_through_its_transforms_and_the_entropy_model() -> None:
    model, x = shaken(build("tiny"), 0.02).eval(), draw(2, 3, 32, 48)
    levels = torch.tensor([100.0, 9900.0])
    torch.manual_seed(0)
    out = model(x, levels)
    torch.manual_seed(0)
    rated = model.entropy(model.g_a(x - 0.5), levels)
    assert torch.equal(out["x_hat"], model.g_s(rated.y_hat) + 0.5)
    assert torch.equal(out["y_bits"], rated.y_bits)
    assert torch.equal(out["z_bits"], rated.z_bits)
    assert out["x_hat"].shape == x.shape
    assert all(v.isfinite().all() for v in out.values())


@torch.no_grad()
def test_a_fresh_model_is_linear_about_mid_grey() -> None:
    model = build("tiny").eval()
    grey = torch.full((1, 3, 16, 16), 0.5)
    assert not model.g_a(grey - 0.5).any()
    assert torch.equal(model.g_s(torch.zeros(1, model.row.transform.latent, 1, 1)), torch.zeros(1, 3, 16, 16))
