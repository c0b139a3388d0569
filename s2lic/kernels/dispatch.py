"""Chooses the implementation of an operation: plain torch, or Triton where it was measured to be faster."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from torch import Tensor

# Operations whose kernel was faster on a GPU, at the shapes of the codec, than eager torch, SDPA, flex_attention and
# torch.compile (table in docs/performance.md). None has been measured yet.
WON: frozenset[str] = frozenset()


def runs_on_triton(operation: str, x: Tensor) -> bool:
    """Whether `operation` runs its Triton kernel on x: x is on a GPU, Triton is installed, the kernel is in `WON`."""
    return operation in WON and x.is_cuda and _installed()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None
