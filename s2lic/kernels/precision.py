"""The numeric types of kernels, and matrix products in them."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl


def precision(dtype: torch.dtype) -> dict[str, Any]:
    """The types of a kernel: DOT of factors, HOW float32 is multiplied, and SUM of everything else, at least float32.

    On NVIDIA GPUs, float32 is multiplied as three TF32 products, nearly as exact as float32. Matrix units have no exact
    float32 product; without them, a kernel fills the registers, and its assembly takes minutes.
    """
    return {
        "DOT": getattr(tl, str(dtype).removeprefix("torch.")),
        "HOW": "tf32x3" if dtype == torch.float32 and torch.version.hip is None else "ieee",
        "SUM": tl.float64 if dtype == torch.float64 else tl.float32,
    }


@triton.jit
def dot(a, b, DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr):
    """The product a b with the constants of `precision`."""
    return tl.dot(a.to(DOT), b.to(DOT), input_precision=HOW, out_dtype=SUM)
