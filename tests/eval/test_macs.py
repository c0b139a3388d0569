"""Parameters and multiply-accumulates by part."""

from __future__ import annotations

import pytest

from s2lic.errors import UnknownConfigError
from s2lic.eval.macs import cost
from s2lic.model import build, config
from s2lic.transform.window import Grid, mask


def test_h_a_costs_what_its_five_convolutions_cost() -> None:
    """Per pixel: kernel x in x out, at the latent's 1/256, its quarter and its sixteenth of the pixels."""
    row = config("tiny").entropy
    m, n, z = row.latent, row.hyper, row.side
    mac = 9 * (m * n + n * n / 4 + n * n / 4 + n * n / 16 + n * z / 16) / 256
    assert 1000 * cost("tiny").kmac["h_a"] == pytest.approx(mac)


def test_encoding_and_decoding_are_sums_of_their_parts() -> None:
    row = cost("tiny")
    kmac = row.kmac
    assert row.decode == pytest.approx(kmac["g_s"] + kmac["h_s"] + kmac["slices"])
    assert row.encode == pytest.approx(kmac["g_a"] + kmac["h_a"] + kmac["h_s"] + kmac["slices"])


def test_the_parts_hold_all_parameters_but_gains_and_prior() -> None:
    model, row = build("tiny"), cost("tiny")
    rest = sum(p.numel() for part in (model.entropy.gains, model.entropy.prior) for p in part.parameters())
    assert row.parameters == sum(p.numel() for p in model.parameters())
    assert row.parameters == sum(row.part_parameters.values()) + rest


def test_counting_leaves_no_mask_without_data_behind() -> None:
    cost.cache_clear()
    cost("tiny")
    grid = Grid(64, 96, 8, 4)
    assert mask(grid, build("tiny").g_s.linear.conv.weight.device).min() < 0


def test_an_unknown_configuration_is_a_named_error() -> None:
    with pytest.raises(UnknownConfigError, match="huge"):
        cost("huge")
