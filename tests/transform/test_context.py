"""What blocks of one call share, and what never outlives it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s2lic.model import build
from s2lic.transform.context import Context, apply
from s2lic.transform.group import Layer, ResidualGroup


class Counter(nn.Module):
    """Adds 1 for every block of its group before it, and asks for a loss of 0.5."""

    in_context = True

    def forward(self, x: Tensor, context: Context) -> Tensor:
        before = context.kept.get("count", torch.zeros(()))
        context.kept["count"] = before + 1
        context.losses.append(torch.tensor(0.5))
        return x + before


def test_blocks_of_a_group_share_what_is_kept_and_the_next_call_begins_with_nothing() -> None:
    group, x = ResidualGroup([Counter(), Counter(), Counter()]), torch.zeros(1, 2, 3, 3)
    for _ in range(2):
        assert torch.equal(group(x), torch.full_like(x, 0 + 1 + 2))


def test_a_context_reaches_a_mixer_through_its_layer_and_a_plain_module_gets_none() -> None:
    context, x = Context(), torch.zeros(1, 2, 3, 3)
    Layer(2, Counter(), nn.Identity())(x, context)
    assert context.kept["count"] == 1
    assert torch.equal(apply(nn.Identity(), x, context), x)


def test_losses_of_all_groups_of_g_a_and_g_s_add_up_in_the_model() -> None:
    model, x, levels = build("tiny"), torch.zeros(1, 3, 32, 32), torch.zeros(1)
    assert model(x, levels)["block_loss"] == 0
    model.g_a.groups[1].blocks[0] = Counter()
    model.g_s.groups[0].blocks[0] = Counter()
    model.g_s.groups[0].blocks[1] = Counter()
    assert model(x, levels)["block_loss"] == 1.5
