"""What the blocks of a transform share during one call. Modules keep no state between calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from s2lic.errors import ConditionError

QUALITY_WIDTH = 128


@dataclass(frozen=True)
class Context:
    """The context of one call of g_a or g_s.

    Args:
        kept: Tensors that a block leaves for later blocks of its group.
        losses: Terms that blocks add to the training loss, each a mean over the batch.
        quality: The embedded quality, (B, QUALITY_WIDTH), for models with a conditioned block.
        condition: The numbers that the user gives with each picture, (B, numbers). Only g_a reads them.
    """

    kept: dict[str, Tensor] = field(default_factory=dict)
    losses: list[Tensor] = field(default_factory=list)
    quality: Tensor | None = None
    condition: Tensor | None = None

    def of_group(self) -> Context:
        """The context for one residual group: the same, with nothing kept."""
        return replace(self, kept={})

    def known(self, numbers: int) -> Tensor:
        """The quality and so many numbers of the condition, (B, QUALITY_WIDTH + numbers).

        Raises:
            ConditionError: One of them is missing.
        """
        if self.quality is None:
            raise ConditionError("a conditioned block needs the quality: pass a context with it to g_a and g_s")
        if not numbers:
            return self.quality
        if self.condition is None:
            raise ConditionError(f"this model needs {numbers} numbers with each picture: give them with --cond")
        return torch.cat([self.quality, self.condition.to(self.quality.dtype)], dim=1)


def apply(module: nn.Module, x: Tensor, context: Context) -> Tensor:
    """module(x, context) for modules with `in_context = True`, module(x) for all others."""
    out: Tensor = module(x, context) if getattr(module, "in_context", False) else module(x)
    return out
