"""Parameters and multiply-accumulates by part."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from s2lic.errors import UnknownConfigError
from s2lic.eval.complexity import cost, macs
from s2lic.model import build, config
from s2lic.transform.blocks import block_names, block_row, create_block
from s2lic.transform.context import Context, apply
from s2lic.transform.window import Grid, mask


def test_h_a_costs_what_its_five_convolutions_cost() -> None:
    """Per pixel: kernel x in x out, at the latent's 1/256, its quarter and its sixteenth of the pixels."""
    row = config("tiny").entropy
    m, n, z = row.latent, row.hyper, row.side
    mac = 9 * (m * n + n * n / 4 + n * n / 4 + n * n / 16 + n * z / 16) / 256
    assert 1000 * cost("tiny").kmac["h_a"] == pytest.approx(mac)


def test_encoding_and_decoding_are_sums_of_their_parts() -> None:
    row = cost("tiny")
    kmac = row.kmac
    assert row.decode == pytest.approx(kmac["g_s"] + kmac["h_s"] + kmac["slices"])
    assert row.encode == pytest.approx(kmac["g_a"] + kmac["h_a"] + kmac["h_s"] + kmac["slices"])


def test_the_parts_hold_all_parameters_but_gains_and_prior() -> None:
    model, row = build("tiny"), cost("tiny")
    rest = sum(p.numel() for part in (model.entropy.gains, model.entropy.prior) for p in part.parameters())
    assert row.parameters == sum(p.numel() for p in model.parameters())
    assert row.parameters == sum(row.part_parameters.values()) + rest


def test_counting_leaves_no_mask_without_data_behind() -> None:
    cost.cache_clear()
    cost("tiny")
    grid = Grid(64, 96, 8, 4)
    assert mask(grid, build("tiny").g_s.linear.conv.weight.device).min() < 0


HARD_MIXERS = [key for key in block_names() if (block_row(key).selection, block_row(key).kind) == ("hard", "mixer")]


@pytest.mark.parametrize("key", HARD_MIXERS)
def test_hard_blocks_are_counted_without_data_too(key: str) -> None:
    """In g_a and g_s of tiny, two at stride 8 each, of which a group's second may reuse what the first found."""
    dim, heads, window = 8, 2, 8
    found = cost(f"tiny+block=swinv2,swinv2,{key}").kmac["g_a"] - cost("tiny").kmac["g_a"]
    places = ({"step": step} if block_row(key).numbered else {} for step in range(2))
    x, context = torch.rand(1, dim, 64, 96), Context()
    blocks = [create_block(key, dim, heads, window, **place).eval() for place in places]
    ours = sum(macs(partial(apply, block, x, context)) for block in blocks)
    plain = 2 * macs(lambda: create_block("swinv2", dim, heads, window)(x))
    assert found == pytest.approx((ours - plain) / 1000 / (512 * 768))


def test_an_unknown_configuration_is_a_named_error() -> None:
    with pytest.raises(UnknownConfigError, match="huge"):
        cost("huge")
