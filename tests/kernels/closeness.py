"""How near a kernel comes to plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Norm of the difference over that of the value, in the precision that the kernel works in.
NEAR = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 1e-2, torch.float16: 2e-3}


def assert_near(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """The values are finite and, as a whole, as near as `dtype` allows."""
    assert found.shape == expected.shape
    assert found.isfinite().all()
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    assert (found - expected).norm() <= NEAR[dtype] * expected.norm()


def with_gradients(
    op: Callable[..., Tensor], inputs: Sequence[Tensor | None], slope: Tensor, frozen: Sequence[int] = ()
) -> list[Tensor]:
    """What an operation gives of its inputs, and the gradients of those that are not `frozen`."""
    free = [x is not None and x.is_floating_point() and i not in frozen for i, x in enumerate(inputs)]
    leaves = [x.detach().requires_grad_(on) if x is not None else None for x, on in zip(inputs, free, strict=True)]
    out = op(*leaves)
    return [out, *torch.autograd.grad(out, [x for x in leaves if x is not None and x.requires_grad], slope)]
