"""The light gate: what it computes, and that it hardly costs time."""

from __future__ import annotations

import torch

from s2lic.lab.gate_placement import LIGHT, share
from s2lic.transform.blocks import create_block
from s2lic.transform.group import Layer
from tests.references.blocks import draw, made


@torch.no_grad()
def test_it_scales_each_channel_by_twice_a_sigmoid_of_two_layers_of_the_means() -> None:
    net, x = made("little_attention", 32), 3 * draw(2, 32, 5, 7)
    hidden = (x.flatten(2).mean(2) @ net.fc1.weight.T).clamp(min=0)
    gate = 2 / (1 + torch.exp(-hidden @ net.fc2.weight.T))
    torch.testing.assert_close(net(x), x * gate[:, :, None, None], rtol=0, atol=1e-10)
    assert gate.std() > 0.05


@torch.no_grad()
def test_it_starts_as_the_identity() -> None:
    x = draw(2, 32, 5, 7).float()
    assert torch.equal(create_block("little_attention", 32)(x), x)


def test_it_takes_at_most_3_percent_of_the_time_of_the_block_before_it() -> None:
    """Medians of 10 in turns, of the processor on one thread, at stride 8 of 768 x 512."""
    layer = Layer(192, create_block("swinv2", 192, 8), create_block("mlp", 192)).eval()
    assert share(create_block("little_attention", 192).eval(), layer, torch.randn(1, 192, 64, 96), 10) <= LIGHT == 0.03
