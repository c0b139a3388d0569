"""Blocks that look at the whole map: bounded up to their limit, refused beyond it."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import MapTooLargeError
from s2lic.eval.complexity import macs
from s2lic.eval.memory import with_peak
from s2lic.transform.blocks import block_names, block_row, create_block

HARD = {"routing": 2**17, "seer_gate": 2**13, "dhsa": 2**13, "recycled": 2**13}
with torch.device("meta"):
    LIMITS = {key: net.n_max for key in block_names() if hasattr(net := create_block(key, 16, 2), "n_max")}
PEAK_MIB = {"agg_attention": 2560}  # of the others 1024

limited = pytest.mark.parametrize("key", LIMITS)


def test_what_has_a_limit_is_of_the_whole_map_and_every_hard_block_of_it_has_one_but_the_pointer() -> None:
    whole = [key for key in block_names() if block_row(key).whole_map]
    assert set(LIMITS) <= set(whole)
    assert {key: LIMITS.get(key) for key in whole if block_row(key).selection == "hard"} == HARD | {
        "pointer_copy": None
    }


@limited
@torch.no_grad()
def test_one_place_more_than_the_limit_is_refused(key: str) -> None:
    with torch.device("meta"):
        net, x = create_block(key, 16, 2), torch.zeros(1, 16, 1, LIMITS[key] + 1)
    assert net.n_max == LIMITS[key]
    with pytest.raises(MapTooLargeError, match=f"'{key}' takes maps of up to {LIMITS[key]:,} places"):
        net(x)


@limited
@torch.no_grad()
def test_at_the_limit_memory_and_products_stay_bounded(key: str) -> None:
    """At 16 channels; products stay below those of dense attention over the map."""
    net, height = create_block(key, 16, 2).eval(), 2 ** (LIMITS[key].bit_length() // 2)
    x = torch.randn(1, 16, height, LIMITS[key] // height)
    out, peak = with_peak(lambda: net(x))
    products = macs(lambda: net(x))
    assert out.isfinite().all()
    assert peak is None or peak < PEAK_MIB.get(key, 1024)
    assert products <= 4 * 16**2 * LIMITS[key] + 2 * 16 * LIMITS[key] ** 2
