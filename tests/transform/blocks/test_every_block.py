"""What holds for every block of the table: shapes, repetition, costs, and that padding never leaks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from s2lic.errors import BlockChoiceError
from s2lic.transform import window
from s2lic.transform.blocks import block_names, block_row, create_block
from tests.references.blocks import told
from tests.references.weights import shaken

SIZES = [(8, 8), (16, 24), (13, 9), (1, 1), (5, 64)]
DIM, HEADS, BIAS, WIDTH = 16, 2, 64, 128
HIDDEN, NARROW = 8 * DIM // 3, DIM // 8

WINDOW_ATTENTION = 4 * DIM**2 + 3 * DIM + HEADS + (3 * BIAS + HEADS * BIAS)
PARAMETERS = {
    "swinv2": WINDOW_ATTENTION,
    "bottleneck": DIM**2 + 9 * DIM**2 // 4 + 2 * DIM,
    "residual_pair": 18 * DIM**2 + 2 * DIM,
    "eca": 3,
    "sentence_gate": 2 * WIDTH**2 + 2 * WIDTH * DIM + 6 * WIDTH + DIM,
    "little_attention": DIM**2 // 8,
    "gated_cnn": 3 * DIM * HIDDEN + 2 * HIDDEN + 50 * DIM + 3 * DIM,
    "halo": 4 * DIM**2 + 2 * 27 * DIM // HEADS,
    "sigmoid_window": WINDOW_ATTENTION + DIM,
    "base_conv": DIM**2 + 51 * DIM,
    "davit_channel": 4 * DIM**2 + 4 * DIM + 20 * DIM + HEADS,
    "davit_dual": 8 * DIM**2 + 8 * DIM + 40 * DIM + HEADS,
    "aaren_scan": 3 * DIM**2 + DIM,
    "magnet": WINDOW_ATTENTION + 4 * DIM,
    "routing": 4 * DIM**2,
    "dhsa": 4 * DIM**2,
    "recycled": 4 * DIM**2,
    "pointer_copy": 2 * DIM * 64 + 64 + DIM**2,
    "seer_gate": 4 * DIM**2 + 4 * DIM * 64 + HEADS * 9**2,
    "agg_attention": 5 * DIM**2 + 17 * DIM + 1536 + 532 * HEADS,
    "mlp": 8 * DIM**2 + 5 * DIM,
    "conv_glu": 3 * DIM * HIDDEN + 12 * HIDDEN + DIM,
    "act": WINDOW_ATTENTION,
    "sink_filter": WINDOW_ATTENTION,
    "p_adapter": WINDOW_ATTENTION + 3 * DIM * NARROW + 2 * NARROW + DIM + 2,
}

every_key = pytest.mark.parametrize("key", block_names())
every_size = pytest.mark.parametrize(("height", "width"), SIZES, ids=str)


def made(key: str) -> nn.Module:
    torch.manual_seed(0)
    return told(key, shaken(create_block(key, DIM, HEADS).double().eval(), 0.3))


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@every_key
@every_size
@torch.no_grad()
def test_a_block_keeps_the_shape_of_any_map_and_repeats_itself(key: str, height: int, width: int) -> None:
    net, x = made(key), draw(2, DIM, height, width)
    out = net(x)
    assert out.shape == x.shape
    assert torch.equal(net(x), out)
    assert out.isfinite().all()
    assert not torch.equal(out, x)


@every_key
@torch.no_grad()
def test_in_float32_a_block_is_within_1e_5_of_itself_in_float64(key: str) -> None:
    """So what holds of it to 1e-10 there holds to 1e-5 here."""
    net, x = made(key), draw(1, DIM, 13, 9)
    expected = net(x).float()
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(net.float()(x.float()), expected, rtol=0, atol=1e-5 * scale)


@every_key
@torch.no_grad()
def test_a_picture_does_not_feel_its_neighbours_in_the_batch(key: str) -> None:
    net, x = made(key), draw(3, DIM, 13, 9)
    others = torch.cat([5 * x[:1], x[1:2], -x[2:]])
    torch.testing.assert_close(net(others)[1], net(x)[1], rtol=0, atol=1e-10)


@every_key
@pytest.mark.parametrize(("height", "width"), [(13, 9), (1, 1)])
def test_gradients_are_finite(key: str, height: int, width: int) -> None:
    net, x = made(key).train(), draw(1, DIM, height, width).requires_grad_()
    net(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@every_key
def test_the_parameters_are_those_of_the_formula(key: str) -> None:
    assert sum(p.numel() for p in made(key).parameters()) == PARAMETERS[key]


@every_key
@torch.no_grad()
def test_a_block_loaded_from_its_state_does_the_same(key: str) -> None:
    net, x = made(key), draw(1, DIM, 9, 10)
    other = told(key, create_block(key, DIM, HEADS).double().eval())
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))


@every_key
@pytest.mark.parametrize(("height", "width"), [(13, 9), (5, 17), (1, 1)])
@torch.no_grad()
def test_what_stands_in_the_padding_never_changes_a_bit(
    key: str, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, x = made(key), draw(1, DIM, height, width)
    clean = net(x)
    monkeypatch.setattr(window, "FILL", 1e6)
    assert torch.equal(net(x), clean)


@every_key
def test_a_row_says_what_it_is(key: str) -> None:
    row = block_row(key)
    assert row.kind in {"mixer", "mixer_mlp", "mlp", "gate", "wrapper"}
    assert row.selection in {"smooth", "hard"}
    assert "arXiv" in row.paper
    assert row.field


def test_an_unknown_block_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(BlockChoiceError, match=r"'lstm'.*swinv2"):
        create_block("lstm", 8)
