"""What the blocks of a transform share while one call lasts: nothing stays in a module from one call to the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor, nn

CONDITION_WIDTH = 128


@dataclass(frozen=True)
class Context:
    """One call of g_a or g_s.

    kept: what a block of a group left for the later ones. losses: what blocks want added to the loss in training,
    each a mean over the batch. condition: the quality, (B, CONDITION_WIDTH), if a block asks for it. beside: numbers
    that only g_a is told of each picture, (B, numbers).
    """

    kept: dict[str, Tensor] = field(default_factory=dict)
    losses: list[Tensor] = field(default_factory=list)
    condition: Tensor | None = None
    beside: Tensor | None = None

    def of_group(self) -> Context:
        """The same for one group: its blocks begin with nothing kept."""
        return replace(self, kept={})


def apply(module: nn.Module, x: Tensor, context: Context) -> Tensor:
    """module(x), with the context for one that says `in_context = True`."""
    out: Tensor = module(x, context) if getattr(module, "in_context", False) else module(x)
    return out
