"""Every kernel gives what the whole matrix gives, and ranks that share the work give the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.lab.attnbench.kernels import KERNELS, dense
from s2lic.lab.attnbench.masks import PATTERNS, Pattern
from s2lic.lab.attnbench.ranks import SCHEMES, Wire

SUPPORTED = [(k, m) for k in KERNELS for m in PATTERNS if KERNELS[k].supports(PATTERNS[m])]


def draw(pattern: Pattern, size: tuple[int, int], heads: int = 4, width: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    random, tokens = torch.Generator().manual_seed(0), size[0] * size[1]
    counts = (tokens, tokens + pattern.extra, tokens + pattern.extra)
    q, k, v = (torch.randn(heads, n, width, generator=random, dtype=torch.float64) for n in counts)
    return q, k, v


@pytest.mark.parametrize("size", [(13, 9), (16, 24)], ids=str)
@pytest.mark.parametrize(("kernel", "mask"), SUPPORTED)
def test_a_kernel_equals_a_softmax_over_the_matrix(kernel: str, mask: str, size: tuple[int, int]) -> None:
    pattern = PATTERNS[mask]
    q, k, v = draw(pattern, size)
    seen = pattern.matrix(*size)
    logits = torch.einsum("hnd,hkd->hnk", q, k) / 6**0.5
    weights = torch.softmax(logits.masked_fill(~seen, -1e30), -1) * seen.any(1)[:, None]
    expected = torch.einsum("hnk,hkd->hnd", weights, v)
    torch.testing.assert_close(KERNELS[kernel].run(q, k, v, pattern, size), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
@pytest.mark.parametrize("mask", list(PATTERNS))
@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_ranks_give_what_one_gives(scheme: str, mask: str, ranks: int) -> None:
    """Also where a rank holds no key that a query sees, as in the first slice and under windows."""
    pattern, size = PATTERNS[mask], (13, 9)
    drawn = draw(pattern, size)
    found = SCHEMES[scheme](*drawn, pattern, size, ranks, Wire())
    torch.testing.assert_close(found, dense(*drawn, pattern, size), rtol=0, atol=1e-10)


def expected_bytes(scheme: str, heads: int, queries: int, keys: int, width: int, ranks: int, element: int) -> float:
    """Bytes that all ranks send together, by the published formulas; exact if they divide tokens and heads."""
    if scheme == "ulysses":
        return (ranks - 1) / ranks * heads * (2 * queries + 2 * keys) * width * element
    return (ranks - 1) * 2 * keys * heads * width * element


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("mask", ["full", "window and magnets"])
@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_the_bytes_that_move_are_those_of_the_formula(scheme: str, mask: str, ranks: int) -> None:
    pattern, size, wire = PATTERNS[mask], (8, 16), Wire()
    q, k, v = draw(pattern, size)
    SCHEMES[scheme](q, k, v, pattern, size, ranks, wire)
    assert wire.sent == expected_bytes(scheme, 4, q.shape[1], k.shape[1], 6, ranks, 8)
