"""How many thresholds lie below each scale, found through the leading bits of its float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The bits below sign, exponent and six of the fraction: cells 1 to 2 % wide, finer than the usual rows.
SHIFT = 46


def count_below(values: Tensor, thresholds: Tensor) -> Tensor:
    """What `searchsorted(thresholds, values)` gives, of positive finite values and ascending positive thresholds.

    A table tells how many thresholds lie in the cells before a value's; as many comparisons follow as the fullest
    cell has thresholds, one for rows of the usual distance. A bisection takes three times as long.
    """
    if not thresholds.numel():
        return torch.zeros(values.shape, dtype=torch.int64, device=values.device)
    cells = _cells(thresholds)
    first, beyond = int(cells[0]) - 1, int(cells[-1]) + 1
    before = torch.searchsorted(cells, torch.arange(first, beyond + 1, device=cells.device))
    edges = torch.cat([thresholds, thresholds.new_tensor([math.inf])])
    count = before.index_select(0, _cells(values).clamp_(first, beyond).sub_(first).flatten())
    for _ in range(int(cells.unique_consecutive(return_counts=True)[1].max())):
        count += values.flatten() > edges.index_select(0, count)
    return count.view(values.shape)


def _cells(values: Tensor) -> Tensor:
    """Ascending with the values, for positive floats sort as their bits do."""
    return values.contiguous().view(torch.int64) >> SHIFT
