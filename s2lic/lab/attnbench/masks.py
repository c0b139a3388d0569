"""The mask patterns of a codec on a map of H x W tokens: which keys a query sees, and the number of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WINDOW, SHIFT, HALO = 8, 4, 3
SLICES, CELL, CLUSTERS = 10, 64, 16
UNEVEN = (32, 96, 64)
POOLED, MAGNETS = 64, 4

Sees = Callable[[Tensor, Tensor, int, int], Tensor]


@dataclass(frozen=True)
class Pattern:
    """A mask pattern.

    Args:
        key: Its name.
        sees: Whether queries see keys: takes indices of both that broadcast, H and W.
        pairs: The number of visible pairs, from H and W.
        extra: Keys after those of the map that all queries see.
    """

    key: str
    sees: Sees
    pairs: Callable[[int, int], int]
    extra: int = 0

    def matrix(self, height: int, width: int) -> Tensor:
        """The mask as a matrix, (N, N + extra) bool."""
        tokens = height * width
        queries, keys = torch.arange(tokens)[:, None], torch.arange(tokens + self.extra)[None]
        return self.sees(queries, keys, height, width).expand(tokens, tokens + self.extra)


def _axis(size: int, shift: int) -> Tensor:
    """The window index of each coordinate. Axes longer than one window are shifted."""
    return (torch.arange(size) + (WINDOW - shift if shift and size > WINDOW else 0)) // WINDOW


def _windows(shift: int) -> Sees:
    def sees(q: Tensor, k: Tensor, height: int, width: int) -> Tensor:
        rows, cols = _axis(height, shift), _axis(width, shift)
        inside = k < height * width
        k = torch.where(inside, k, 0)
        same = (rows[q // width] == rows[k // width]) & (cols[q % width] == cols[k % width])
        return same | ~inside

    return sees


def _halo(q: Tensor, k: Tensor, height: int, width: int) -> Tensor:
    def near(a: Tensor, b: Tensor) -> Tensor:
        first = a // WINDOW * WINDOW
        return (b >= first - HALO) & (b < first + WINDOW + HALO)

    return near(q // width, k // width) & near(q % width, k % width)


def _checkerboard(q: Tensor, k: Tensor, height: int, width: int) -> Tensor:
    def odd(at: Tensor) -> Tensor:
        return (at // width + at % width) % 2 == 1

    return odd(q) & ~odd(k)


def _slices(q: Tensor, k: Tensor, height: int, width: int) -> Tensor:
    return k * SLICES // (height * width) < q * SLICES // (height * width)


def _even(at: Tensor) -> Tensor:
    return at // CELL


def _uneven(at: Tensor) -> Tensor:
    """Cells of 32, 96 and 64 tokens in turn."""
    first, second, _ = UNEVEN
    within = at % sum(UNEVEN)
    return 3 * (at // sum(UNEVEN)) + (within >= first).long() + (within >= first + second).long()


def _cells(number: Callable[[Tensor], Tensor]) -> Sees:
    return lambda q, k, height, width: (number(q) - number(k)).abs() <= 1


def _cluster(at: Tensor) -> Tensor:
    return at * 40503 // 16 % CLUSTERS


def _squares(numbers: Tensor) -> int:
    return int(torch.bincount(numbers).square().sum())


def _window_pairs(shift: int, extra: int = 0) -> Callable[[int, int], int]:
    return lambda h, w: _squares(_axis(h, shift)) * _squares(_axis(w, shift)) + h * w * extra


def _halo_pairs(height: int, width: int) -> int:
    return _near_pairs(height) * _near_pairs(width)


def _near_pairs(size: int) -> int:
    first = torch.arange(0, size, WINDOW)
    queries = (first + WINDOW).clamp(max=size) - first
    keys = (first + WINDOW + HALO).clamp(max=size) - (first - HALO).clamp(min=0)
    return int((queries * keys).sum())


def _slice_pairs(height: int, width: int) -> int:
    sizes = torch.bincount(torch.arange(height * width) * SLICES // (height * width), minlength=SLICES)
    return int((sizes * (sizes.cumsum(0) - sizes)).sum())


def _cell_pairs(number: Callable[[Tensor], Tensor]) -> Callable[[int, int], int]:
    def pairs(height: int, width: int) -> int:
        sizes = torch.bincount(number(torch.arange(height * width)))
        return int(sizes.square().sum() + 2 * (sizes[1:] * sizes[:-1]).sum())

    return pairs


PATTERNS = {
    row.key: row
    for row in (
        Pattern("full", lambda q, k, h, w: (q >= 0) & (k >= 0), lambda h, w: (h * w) ** 2),
        Pattern("window", _windows(0), _window_pairs(0)),
        Pattern("shifted window", _windows(SHIFT), _window_pairs(SHIFT)),
        Pattern("halo", _halo, _halo_pairs),
        Pattern("checkerboard", _checkerboard, lambda h, w: (h * w // 2) * (h * w - h * w // 2)),
        Pattern("slices", _slices, _slice_pairs),
        Pattern("raster", lambda q, k, h, w: k <= q, lambda h, w: h * w * (h * w + 1) // 2),
        Pattern("window and pooled", _windows(0), _window_pairs(0, POOLED), POOLED),
        Pattern("window and magnets", _windows(0), _window_pairs(0, MAGNETS), MAGNETS),
        Pattern("even cells", _cells(_even), _cell_pairs(_even)),
        Pattern("uneven cells", _cells(_uneven), _cell_pairs(_uneven)),
        Pattern(
            "clusters",
            lambda q, k, h, w: _cluster(q) == _cluster(k),
            lambda h, w: _squares(_cluster(torch.arange(h * w))),
        ),
    )
}
