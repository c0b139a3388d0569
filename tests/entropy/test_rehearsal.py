"""Coding without a coder."""

from __future__ import annotations

import pytest
import torch

from s2lic.entropy.coding import encode_and_decode
from s2lic.entropy.rehearsal import rehearse
from s2lic.entropy.rounding import Aim, Deadzone
from s2lic.weights.store import load
from tests.frozen import MODEL

LEVELS = torch.tensor([6000])


@pytest.mark.parametrize("finer", [False, True])
def test_it_gives_what_coding_gives_and_about_its_bits(finer: bool) -> None:
    weights, generator = load(MODEL), torch.Generator().manual_seed(1)
    entropy, channels = weights.model.entropy, weights.model.row.entropy.latent
    y = torch.randn(1, channels, 12, 20, generator=generator, dtype=torch.float64)
    aim = Aim(y + 0.3, Deadzone(torch.full((channels,), 4.0)))
    fineness = 1 + torch.rand(1, 12, 20, generator=generator, dtype=torch.float64) if finer else None
    (coded,), y_hat = encode_and_decode(entropy, weights.tables, y, LEVELS, fineness=fineness, aim=aim)
    found = rehearse(entropy, y, LEVELS, aim, fineness)
    assert torch.equal(found.y_hat, y_hat)
    assert abs(found.bits - 8 * len(coded.payload)) <= 0.1 * 8 * len(coded.payload)


def test_what_is_sent_lies_within_a_step_of_what_is_wanted() -> None:
    weights = load(MODEL)
    entropy, channels = weights.model.entropy, weights.model.row.entropy.latent
    y = torch.randn(1, channels, 6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gain, _ = entropy.gains(entropy.quality(LEVELS))
    plain = rehearse(entropy, y, LEVELS, Aim(y)).sent - y * gain
    assert plain.abs().max() <= 0.5
    zeroed = rehearse(entropy, y, LEVELS, Aim(y, Deadzone(torch.zeros(channels)))).sent - y * gain
    assert 0.5 < zeroed.abs().max() <= 1.5
