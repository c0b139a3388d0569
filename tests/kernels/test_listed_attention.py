"""Attention to listed cells: the kernel against plain torch, gradients too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.kernels import listed_attention as public
from s2lic.kernels.listed_attention import naive, triton
from tests.kernels.closeness import assert_near, with_gradients

INDEX, SEEN = 3, 4
# Pictures, heads, cells of queries, queries, cells of keys, keys, width of a head, listed cells, lists.
CASES = [
    ((2, 2, 2, 5, 4, 7, 5, 3, 2), torch.float64),
    ((1, 2, 3, 18, 5, 1, 3, 20, 1), torch.float64),
    ((1, 1, 2, 1, 3, 16, 16, 2, 1), torch.float32),
    ((0, 1, 2, 3, 3, 2, 4, 2, 1), torch.float32),
    ((1, 1, 2, 4, 3, 9, 12, 2, 1), torch.bfloat16),
    ((1, 1, 2, 4, 3, 9, 12, 2, 1), torch.float16),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that short lists take several blocks, the last of them not full."""
    monkeypatch.setattr(triton, "QUERIES", 16)
    monkeypatch.setattr(triton, "KEYS", 16)


def drawn(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """q, k, v, index, seen: some places of lists are empty, some cells stand in one twice, some keys are hidden."""
    torch.manual_seed(0)
    B, heads, cells, n, N, m, d, K, lists = shape
    q = torch.randn(B, heads, cells, n, d, dtype=torch.float64)
    k, v = torch.randn(2, B, heads, N, m, d, dtype=torch.float64).unbind()
    index = torch.randint(N, (B, lists, cells, K))
    index[..., 1:][torch.rand(B, lists, cells, K - 1) < 0.3] = -1
    seen = torch.rand(N, m) < 0.7
    seen[:, 0] = True
    return [*(x.to(device, dtype) for x in (q, k, v)), index.to(device), seen.to(device)]


@pytest.mark.parametrize(("shape", "dtype"), CASES, ids=str)
def test_the_kernel_and_its_gradients_are_those_of_plain_torch(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> None:
    inputs, exact = drawn(shape, dtype, device), torch.promote_types(dtype, torch.float32)
    slope = torch.randn(inputs[0].shape, device=device).to(dtype)
    found = with_gradients(triton.listed_attention, inputs, slope)
    plain = [x.to(exact) if x.is_floating_point() else x for x in inputs]
    expected = with_gradients(naive.listed_attention, plain, slope.to(exact))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other, dtype)


def test_the_output_has_the_type_of_the_values(device: torch.device) -> None:
    """As where autocast leaves a norm of queries and keys in float32."""
    q, k, v, index, seen = drawn((1, 1, 2, 4, 3, 9, 12, 2, 1), torch.float32, device)
    inputs = [q, k, v.bfloat16(), index, seen]
    slope = torch.randn(q.shape, device=device).bfloat16()
    found = with_gradients(triton.listed_attention, inputs, slope)
    for one, other in zip(found, with_gradients(naive.listed_attention, inputs, slope), strict=True):
        assert one.dtype == other.dtype
        assert_near(one, other, torch.bfloat16)


def test_what_is_not_listed_is_never_read(device: torch.device) -> None:
    q, k, v, _, _ = drawn((1, 1, 2, 3, 4, 2, 4, 2, 1), torch.float32, device)
    index = torch.tensor([2, -1], device=device).expand(1, 1, 2, 2)
    clean = triton.listed_attention(q, k, v, index)
    k[:, :, [0, 1, 3]] = v[:, :, [0, 1, 3]] = torch.nan
    assert torch.equal(triton.listed_attention(q, k, v, index), clean)
    assert_near(clean, naive.listed_attention(q, k, v, index), torch.float32)


def test_a_query_that_sees_nothing_gives_the_mean_of_plain_torch(device: torch.device) -> None:
    q, k, v, index, seen = drawn((1, 1, 2, 3, 4, 2, 4, 3, 1), torch.float64, device)
    out = triton.listed_attention(q, k, v, index, torch.zeros_like(seen))
    assert_near(out, naive.listed_attention(q, k, v, index, torch.zeros_like(seen)), torch.float64)


def test_plain_torch_has_the_gradients_of_its_values() -> None:
    q, k, v, index, seen = drawn((1, 1, 2, 2, 3, 2, 2, 2, 1), torch.float64, torch.device("cpu"))
    leaves = [x.requires_grad_() for x in (q, k, v)]
    assert torch.autograd.gradcheck(lambda *x: naive.listed_attention(*x, index, seen), leaves)


@pytest.mark.parametrize(("on_triton", "d", "kernel"), [(True, 64, True), (True, 65, False), (False, 64, False)])
def test_the_public_function_runs_what_was_picked_and_fits(
    on_triton: bool, d: int, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, one = "listed_attention", torch.ones(1)
    monkeypatch.setattr(public, "runs_on_triton", lambda asked, _: on_triton and asked == name)
    monkeypatch.setattr(naive, name, lambda *x: (False, x))
    monkeypatch.setattr(triton, name, lambda *x: (True, x))
    inputs = (torch.ones(1, 1, 1, 1, d), one, one, one, None)
    assert public.listed_attention(*inputs) == (kernel, inputs)
