"""The types that kernels compute in, and products in them."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl


def precision(dtype: torch.dtype) -> dict[str, Any]:
    """Constants of a kernel: DOT, of what is multiplied; HOW float32 is; and SUM, of all else, at least float32.

    NVIDIA's matrix units take float32 as three products of 19 bits each, nearly as exact as one of 32, which no such
    unit takes: spelt out, those fill the registers, and the assembler needs minutes.
    """
    return {
        "DOT": getattr(tl, str(dtype).removeprefix("torch.")),
        "HOW": "tf32x3" if dtype == torch.float32 and torch.version.hip is None else "ieee",
        "SUM": tl.float64 if dtype == torch.float64 else tl.float32,
    }


@triton.jit
def dot(a, b, DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr):
    """a b under the constants of `precision`."""
    return tl.dot(a.to(DOT), b.to(DOT), input_precision=HOW, out_dtype=SUM)
