"""Dual attention: windows without frills, then channels."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.blocks.davit_channel import DavitChannel
from s2lic.transform.blocks.davit_dual import DavitDual, DavitWindow
from tests.references.blocks import box, draw, felt, full_attention, made, permuted
from tests.references.weights import shaken


def window(size: int = 7, positions: bool = False) -> DavitWindow:
    torch.manual_seed(0)
    return shaken(DavitWindow(16, 2, size, positions).double().eval(), 0.3)


def blind(window: int) -> DavitDual:
    """Without convolutions."""
    torch.manual_seed(0)
    return shaken(DavitDual(16, 2, window, positions=False).double().eval(), 0.3)


@pytest.mark.parametrize(("height", "width"), [(7, 7), (5, 6), (1, 1)])
@torch.no_grad()
def test_a_window_that_covers_the_map_gives_attention_over_all_of_it(height: int, width: int) -> None:
    net, x = window(), draw(1, 16, height, width)
    out = net.proj(full_attention(*net.qkv(x[0].flatten(1).T).chunk(3, dim=1), 2)).T.view_as(x)
    torch.testing.assert_close(net(x), out, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.float()(x.float()), out.float(), rtol=0, atol=1e-5)


def test_a_place_reaches_its_window_of_7_and_no_further() -> None:
    assert torch.equal(felt(window(), draw(1, 16, 13, 9), 8, 2), box(13, 9, slice(7, 13), slice(0, 7)))


def test_the_convolutions_reach_one_place_beyond_before_and_after() -> None:
    """The window of rows 7 to 13 and columns 0 to 6 is felt by what is one place outside, and one beyond feels it."""
    assert torch.equal(felt(window(positions=True), draw(1, 16, 21, 21), 10, 3), box(21, 21, slice(6, 15), slice(0, 8)))


@torch.no_grad()
def test_places_come_first_and_channels_see_their_result() -> None:
    net, x = made("davit_dual"), draw(2, 16, 9, 10)
    assert isinstance(net.channel, DavitChannel)
    near = net.near(x)
    torch.testing.assert_close(x + net(x), x + near + net.channel(x + near), rtol=0, atol=1e-10)
    assert (net(x) - near - net.channel(x)).abs().max() > 1e-2


@torch.no_grad()
def test_in_one_window_it_commutes_with_every_order_of_the_places() -> None:
    net, x = blind(10), draw(2, 16, 10, 10)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(permuted(x, order)), permuted(net(x), order), rtol=0, atol=1e-10)
    small = blind(5)
    assert (small(permuted(x, order)) - permuted(small(x), order)).abs().max() > 1e-2


@torch.no_grad()
def test_with_cosines_a_map_of_whole_windows_may_be_tiled_and_with_the_papers_scale_it_may_not() -> None:
    x = draw(1, 16, 7, 7)
    tiled = x.repeat(1, 1, 2, 2)
    cosine = made("davit_dual", positions=False)
    torch.testing.assert_close(cosine(tiled), cosine(x).repeat(1, 1, 2, 2), rtol=0, atol=1e-10)
    paper = made("davit_dual", scale="paper", positions=False)
    assert (paper(tiled) - paper(x).repeat(1, 1, 2, 2)).abs().max() > 1e-3
