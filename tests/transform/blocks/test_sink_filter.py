"""Global sinks: found as a loop finds them, and taken out of the map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.model import CONFIGS, variant
from s2lic.transform.blocks.sink_filter import SinkFilter, global_sinks, redirected, suppressed
from s2lic.transform.group import residual_group
from tests.references.blocks import draw

SINK = 5


def planted(count: int = 24) -> Tensor:
    """A map whose key 5 gets about 0.6 from every query, and key 7 as much on average, but from half of them."""
    logits = draw(count, count)
    logits[:, SINK] = logits.logsumexp(1) + 0.4
    a = torch.softmax(logits, dim=1)
    a[::2, 7] += 2
    return a / a.sum(1, keepdim=True)


def slow_sinks(a: Tensor) -> list[int]:
    found = []
    for key in range(a.shape[1]):
        column = [float(x) for x in a[:, key]]
        mean = sum(column) / len(column)
        deviation = (sum((x - mean) ** 2 for x in column) / len(column)) ** 0.5
        if mean > 5 / a.shape[1] and deviation < 0.5 * mean:
            found.append(key)
    return found


def every(a: Tensor) -> Tensor:
    return torch.ones_like(a, dtype=torch.bool)


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0, 4.0])
def test_what_is_flagged_is_what_a_loop_flags(strength: float) -> None:
    logits = draw(24, 24)
    logits[:, [2, 3]] += strength
    logits[::2, 9] += 2 * strength
    a = torch.softmax(logits, dim=1)
    assert global_sinks(a, every(a)).flatten().nonzero().flatten().tolist() == slow_sinks(a)


def test_a_key_that_half_of_the_queries_look_at_is_no_global_sink() -> None:
    a = planted()
    assert a[:, 7].mean() > 5 / 24
    assert slow_sinks(a) in ([SINK], [])
    assert not global_sinks(a, every(a))[0, 7]


def test_without_a_sink_nothing_changes() -> None:
    a = torch.softmax(draw(24, 24), dim=1)
    sinks = global_sinks(a, every(a))
    assert not sinks.any()
    assert torch.equal(suppressed(a, sinks), a)
    assert torch.equal(redirected(a, sinks), a)


def test_rows_keep_their_sums_but_for_what_a_magnet_takes() -> None:
    logits = draw(24, 24)
    logits[:, SINK] += 4
    a = torch.softmax(logits, dim=1)
    sinks = global_sinks(a, every(a))
    assert sinks.flatten().nonzero().flatten().tolist() == [SINK]
    for out, taken in ((suppressed(a, sinks), 0), (redirected(a, sinks), a[:, SINK])):
        torch.testing.assert_close(out.sum(1) + taken, torch.ones(24).double(), rtol=0, atol=1e-10)
        assert not out[:, SINK].any()
    others = torch.arange(24) != SINK
    assert torch.equal(redirected(a, sinks)[:, others], a[:, others])


def test_the_brightest_place_of_a_heat_map_moves_off_a_planted_sink() -> None:
    """Queries look at key 11 most, apart from a sink at key 5 that draws all of them alike."""
    logits = draw(24, 24)
    logits[:, 11] += 1.5
    logits[:, SINK] = 4
    a = torch.softmax(logits, dim=1)
    assert a.mean(0).argmax() == SINK
    sinks = global_sinks(a, every(a))
    assert suppressed(a, sinks).mean(0).argmax() == 11
    assert redirected(a, sinks).mean(0).argmax() == 11


def test_only_redirecting_lets_the_output_lose_weight() -> None:
    logits, v = draw(1, 1, 24, 24), torch.ones(1, 1, 24, 2).double()
    logits[..., SINK] += 4
    eye = torch.eye(24).double()[None, None]
    kept, less = (SinkFilter(2, 1, mode)(logits, eye, v, torch.zeros(()).double()) for mode in ("suppress", "redirect"))
    torch.testing.assert_close(kept, torch.ones_like(kept), rtol=0, atol=1e-10)
    assert less.max() < 0.8


def test_it_stands_in_the_last_third_of_a_group_alone() -> None:
    row = variant(CONFIGS["base"], wrap="sink_filter").transform
    found = [[isinstance(b.attn.rule, SinkFilter) for b in residual_group(row, stage).blocks] for stage in range(3)]
    assert found == [[True], [False, True], [False, False, True]]
