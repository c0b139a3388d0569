"""Deformable attention: the kernel against plain torch, gradients too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from s2lic.kernels import deformable_attention as public
from s2lic.kernels.deformable_attention import naive, triton
from tests.kernels.closeness import assert_near, with_gradients

S = 3
# Pictures, heads, width of a head, rows, columns, points.
CASES = [
    ((2, 2, 5, 3, 7, 6), torch.float64),
    ((1, 1, 16, 5, 4, 20), torch.float64),
    ((1, 2, 3, 1, 18, 3), torch.float32),
    ((0, 2, 4, 3, 3, 5), torch.float32),
    ((1, 2, 8, 4, 4, 16), torch.bfloat16),
    ((1, 2, 8, 4, 4, 16), torch.float16),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small maps take several blocks, the last of them not full."""
    monkeypatch.setattr(triton, "QUERIES", 16)
    monkeypatch.setattr(triton, "KEYS", 16)


def drawn(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """q, x, points (some beyond the edges), weight and bias of `to_kv`, rows, cols."""
    torch.manual_seed(0)
    B, heads, d, H, W, G = shape
    C = heads * d
    at = torch.rand(B, G, 2) * torch.tensor([H + 3.0, W + 3.0]) - 1.5
    sizes = [(B, C, H, W), (B, S, H, W), (2 * C, S), (2 * C,), (B, heads, H, G), (B, heads, W, G)]
    q, x, *rest = (torch.randn(size, dtype=torch.float64) for size in sizes)
    return [t.to(device, dtype) for t in (q, x, at.double(), *rest)]


def called(op: object) -> object:
    """The operation of tensors alone."""

    def run(q: Tensor, x: Tensor, at: Tensor, weight: Tensor, bias: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        return op(q, x, at, lambda t: nn.functional.linear(t, weight, bias), rows, cols)

    return run


@pytest.mark.parametrize(("shape", "dtype"), CASES, ids=str)
def test_the_kernel_and_its_gradients_are_those_of_plain_torch(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> None:
    inputs = drawn(shape, dtype, device)
    slope = torch.randn(inputs[0].shape, device=device).to(dtype)
    exact = torch.promote_types(dtype, torch.float32)
    found = with_gradients(called(triton.deformable_attention), inputs, slope)
    expected = with_gradients(called(naive.deformable_attention), [x.to(exact) for x in inputs], slope.to(exact))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other, dtype)


def test_plain_torch_has_the_gradients_of_its_values() -> None:
    inputs = [x.requires_grad_() for x in drawn((1, 1, 2, 2, 3, 2), torch.float64, torch.device("cpu"))]
    assert torch.autograd.gradcheck(called(naive.deformable_attention), inputs)


@pytest.mark.parametrize(("on_triton", "d", "kernel"), [(True, 64, True), (True, 65, False), (False, 64, False)])
def test_the_public_function_runs_what_was_picked_and_fits(
    on_triton: bool, d: int, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, one = "deformable_attention", torch.ones(1)
    monkeypatch.setattr(public, "runs_on_triton", lambda asked, _: on_triton and asked == name)
    monkeypatch.setattr(naive, name, lambda *x: (False, x))
    monkeypatch.setattr(triton, name, lambda *x: (True, x))
    inputs = (torch.ones(1, 2 * d, 1, 1), one, one, one, torch.ones(1, 2, 1, 1), one)
    assert public.deformable_attention(*inputs) == (kernel, inputs)
