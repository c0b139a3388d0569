"""The table of blocks: every key makes a module that keeps the shape of any map."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import UnknownConfigError
from s2lic.transform.blocks import block_names, create_block
from s2lic.transform.blocks.table import Place
from tests.references.weights import shaken

SIZES = [(8, 8), (16, 24), (13, 9), (1, 1), (5, 64)]


@pytest.mark.parametrize("key", block_names())
@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_every_block_keeps_the_shape_of_any_map_and_repeats_itself(key: str, height: int, width: int) -> None:
    net = shaken(create_block(key, Place(8, heads=2)).eval(), 0.3)
    x = torch.randn(2, 8, height, width)
    out = net(x)
    assert out.shape == x.shape
    assert torch.equal(net(x), out)
    assert not torch.equal(out, x)


def test_an_unknown_block_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownConfigError, match=r"'lstm'.*swinv2"):
        create_block("lstm", Place(8))
