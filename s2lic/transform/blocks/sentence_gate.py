"""A gate set by what is known beside the picture (Khoshsirat and Kambhamettu 2023, Sentence Attention Blocks)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.errors import ConditionError
from s2lic.transform.context import CONDITION_WIDTH, Context

DROPOUT = 0.1


class SentenceGate(nn.Module):
    """x times one number a channel, C softmax(fc2(ReLU(LN(fc1(e))))) of the context's condition e; (B, C, H, W).

    It starts as the identity. gate "sigmoid2" takes 2 sigmoid instead, so that channels do not share a budget.
    `use_image` joins the map's mean to e, `beside` is how many numbers of the context's own are joined too. In training
    `dropout` of the pictures have an e of zeros, so that x is not taught to make up for e. Raises ConditionError
    without what it is set by.
    """

    in_context = True

    def __init__(
        self, dim: int, use_image: bool = False, gate: str = "softmax", dropout: float = DROPOUT, beside: int = 0
    ) -> None:
        super().__init__()
        self.use_image, self.softmax, self.dropout, self.beside = use_image, gate == "softmax", dropout, beside
        inputs = CONDITION_WIDTH + beside + (dim if use_image else 0)
        self.fc1 = nn.Linear(inputs, 2 * inputs)
        self.norm = nn.LayerNorm(2 * inputs)
        self.fc2 = nn.Linear(2 * inputs, dim)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        known = torch.cat([part.to(self.fc1.weight.dtype) for part in self._known(x, context or Context())], dim=1)
        if self.training:
            known = known * (torch.rand(len(x), 1, device=x.device) >= self.dropout)
        return x * self.gate(known)[:, :, None, None]

    def _known(self, x: Tensor, context: Context) -> list[Tensor]:
        """The parts of e, (B, ...) each."""
        if context.condition is None:
            raise ConditionError("sentence_gate needs a condition: give the quality to g_a and g_s")
        if self.beside and context.beside is None:
            raise ConditionError(f"this model is told {self.beside} numbers of a picture: give them, as --cond")
        known = [context.condition]
        if self.beside and context.beside is not None:
            known.append(context.beside)
        return [*known, x.mean((2, 3))] if self.use_image else known

    def gate(self, known: Tensor) -> Tensor:
        """(B, E) -> (B, C), 1 on average."""
        logits = self.fc2(F.relu(self.norm(self.fc1(known))))
        return torch.softmax(logits, dim=1) * logits.shape[1] if self.softmax else 2 * torch.sigmoid(logits)
