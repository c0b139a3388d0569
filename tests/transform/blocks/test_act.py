"""ACT: sinks lose a part of their weight to the others of the row, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.transform.attention.sinks import received
from s2lic.transform.blocks.act import Act
from tests.references.blocks import draw

BY_HAND = torch.tensor(
    [[0.7, 0.1, 0.1, 0.1], [0.6, 0.2, 0.1, 0.1], [0.5, 0.1, 0.2, 0.2], [0.2, 0.2, 0.3, 0.3]], dtype=torch.float64
)


def weights(*shape: int, peak: float = 0.0) -> Tensor:
    """Rows that sum to 1; `peak` is added to the logits of keys 3 and 5."""
    logits = draw(*shape)
    logits[..., [3, 5]] += peak
    return torch.softmax(logits, dim=-1)


def seen(of: Tensor) -> Tensor:
    return torch.ones_like(of, dtype=torch.bool)


@pytest.mark.parametrize("options", [{"beta": 1.0}, {"alpha": 16.0}])
def test_a_beta_of_1_or_a_threshold_of_all_weight_changes_no_bit(options: dict[str, float]) -> None:
    a = weights(2, 3, 16, 16, peak=4.0)
    assert torch.equal(Act(6, 3, **options).weights(a, seen(a)), a)
    assert not torch.equal(Act(6, 3).weights(a, seen(a)), a)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_keep_their_sums_and_no_weight_is_negative(dtype: torch.dtype) -> None:
    a = weights(2, 3, 16, 16, peak=4.0).to(dtype)
    out = Act(6, 3).weights(a, seen(a))
    torch.testing.assert_close(out.sum(-1), a.sum(-1), rtol=0, atol=1e-10 if dtype == torch.float64 else 1e-6)
    assert out.min() >= 0


def test_it_equals_numbers_worked_out_by_hand() -> None:
    """Columns get 0.5, 0.15, 0.175, 0.175 on average; beyond 1.5 / 4 there is the first, which keeps 0.4 of its weight.

    The first row: 0.7 * 0.6 = 0.42 is given to three others that have 0.1 each, a third of it to each.
    """
    expected = torch.tensor(
        [[0.28, 0.24, 0.24, 0.24], [0.24, 0.38, 0.19, 0.19], [0.2, 0.16, 0.32, 0.32], [0.08, 0.23, 0.345, 0.345]]
    ).double()
    a = BY_HAND[None, None]
    torch.testing.assert_close(Act(4, 1, alpha=1.5).weights(a, seen(a))[0, 0], expected, rtol=0, atol=1e-7)


def test_the_others_of_a_row_keep_their_proportions() -> None:
    a = weights(1, 1, 16, 16, peak=4.0)
    ratio = Act(4, 1).weights(a, seen(a)) / a
    assert (ratio[..., [3, 5]] - 0.4).abs().max() <= 1e-10
    others = ratio[..., [i for i in range(16) if i not in {3, 5}]]
    assert (others.amax(-1) - others.amin(-1)).max() <= 1e-10
    assert others.min() > 1


def test_a_head_that_is_not_chosen_is_untouched_to_the_bit() -> None:
    a, net = weights(2, 3, 16, 16, peak=4.0), Act(6, 3)
    net.chosen[1] = 0
    out = net.weights(a, seen(a))
    assert torch.equal(out[:, 1], a[:, 1])
    assert not torch.equal(out[:, 0], a[:, 0])
    assert "chosen" in net.state_dict()


def test_every_picture_of_the_batch_and_every_window_has_its_own_sinks() -> None:
    a = weights(3, 2, 16, 16)
    a[1, 0] = weights(16, 16, peak=6.0)
    changed = (Act(4, 2).weights(a, seen(a)) != a).flatten(2).any(2)
    assert changed.tolist() == [[False, False], [True, False], [False, False]]


def test_the_share_of_a_key_counts_only_those_that_see_it() -> None:
    """Two regions in one window, as after a shift: queries of one do not dilute the sinks of the other."""
    region = torch.arange(12) < 4
    visible = region[:, None] == region[None, :]
    a = torch.softmax(draw(12, 12).masked_fill(~visible, -1e9), dim=-1)
    mean, equal = received(a, visible)
    torch.testing.assert_close(mean[0, 0], a[:4, 0].mean(), rtol=0, atol=1e-12)
    torch.testing.assert_close(equal[0], torch.where(region, 1 / 4, 1 / 8).double(), rtol=0, atol=1e-7)


def test_a_row_of_nothing_but_sinks_stays_and_has_gradients() -> None:
    a = torch.zeros(1, 1, 16, 16).double()
    a[..., 3] = 1
    a.requires_grad_()
    out = Act(4, 1).weights(a, seen(a))
    assert torch.equal(out, a)
    out.square().sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
