"""ConvGLU: the gate looks around, the value does not."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.references.blocks import box, draw, felt, made


def test_a_place_reaches_3x3() -> None:
    assert torch.equal(felt(made("conv_glu"), draw(1, 16, 9, 9), 4, 4), box(9, 9, slice(3, 6), slice(3, 6)))


@torch.no_grad()
def test_a_neighbour_moves_the_gate_and_not_the_value() -> None:
    net, x = made("conv_glu"), draw(1, 16, 9, 9)
    moved = x.clone()
    moved[..., 4, 4] += draw(16)
    gates, values = [], []
    for picture in (x, moved):
        gate, value = net.fc1(picture.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).chunk(2, dim=1)
        gates.append(F.gelu(net.conv(gate))[0, :, 4, 5])
        values.append(value[0, :, 4, 5])
    assert torch.equal(values[0], values[1])
    expected = net.fc2.weight @ ((gates[1] - gates[0]) * values[0])
    torch.testing.assert_close((net(moved) - net(x))[0, :, 4, 5], expected, rtol=0, atol=1e-10)
    assert expected.abs().max() > 1e-2


@torch.no_grad()
def test_a_convolution_that_does_nothing_leaves_a_gated_linear_unit() -> None:
    net, x = made("conv_glu"), draw(1, 16, 6, 5)
    net.conv.weight.zero_()
    net.conv.weight[:, :, 1, 1] = 1
    net.conv.bias.zero_()
    gate, value = net.fc1(x[0].flatten(1).T).chunk(2, dim=1)
    expected = net.fc2(F.gelu(gate) * value).T.view_as(x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
