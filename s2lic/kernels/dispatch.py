"""Which implementation an operation runs: plain torch, or Triton where Triton has won a measurement."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from torch import Tensor

# Operations whose kernel was faster on a GPU, at the codec's shapes, than the best of eager torch,
# SDPA, flex_attention and torch.compile (table in docs/performance.md). None has been measured yet.
WON: frozenset[str] = frozenset()


def runs_on_triton(operation: str, x: Tensor) -> bool:
    """Whether `operation` runs its Triton kernel on x: a CUDA tensor, Triton installed, a measurement won."""
    return operation in WON and x.is_cuda and _installed()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None
