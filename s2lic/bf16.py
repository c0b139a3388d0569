"""Whether bfloat16 is the faster on a processor."""

from __future__ import annotations

import torch


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for it; a torch that cannot tell has no say."""
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
