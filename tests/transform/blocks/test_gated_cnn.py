"""The gated convolution: 7x7 in the value, one place in the gate."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.references.blocks import box, draw, felt, made, permuted


def test_it_sees_7x7_and_nothing_beyond() -> None:
    assert torch.equal(felt(made("gated_cnn"), draw(1, 16, 13, 15), 6, 7), box(13, 15, slice(3, 10), slice(4, 11)))


@torch.no_grad()
def test_without_a_convolution_it_commutes_with_every_order_of_the_places() -> None:
    net, x = made("gated_cnn", conv_ratio=0), draw(1, 16, 8, 8)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(permuted(x, order)), permuted(net(x), order))
    mixing = made("gated_cnn")
    assert (mixing(permuted(x, order)) - permuted(mixing(x), order)).abs().max() > 1e-2


@torch.no_grad()
def test_a_closed_gate_leaves_the_input_as_it_is() -> None:
    net, x = made("gated_cnn"), draw(1, 16, 9, 7)
    hidden = net.sizes[0]
    net.fc1.weight[:hidden] = 0
    net.fc1.bias[:hidden] = 0
    net.fc2.bias.zero_()
    assert torch.equal(net(x), x)


@torch.no_grad()
def test_only_the_convolved_values_of_a_neighbour_reach_a_place() -> None:
    """The gate has no spatial reach: the change is the gate times the change of the convolution."""
    net, x = made("gated_cnn"), draw(1, 16, 9, 9)
    moved = x.clone()
    moved[..., 4, 4] += draw(16)
    gates, values = [], []
    for picture in (x, moved):
        gate, _, mixed = net.fc1(net.norm(picture.permute(0, 2, 3, 1))).split(net.sizes, dim=-1)
        gates.append(F.gelu(gate[0, 4, 5]))
        values.append(net.conv(mixed.permute(0, 3, 1, 2))[0, :, 4, 5])
    assert torch.equal(gates[0], gates[1])
    change = torch.cat([torch.zeros(net.sizes[1], dtype=torch.float64), values[1] - values[0]])
    expected = net.fc2.weight @ (gates[0] * change)
    torch.testing.assert_close((net(moved) - net(x))[0, :, 4, 5], expected, rtol=0, atol=1e-10)
    assert expected.abs().max() > 1e-2
