"""A gate set by what is known beside the picture (Khoshsirat and Kambhamettu 2023, Sentence Attention Blocks)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.errors import ConditionMissingError
from s2lic.transform.context import CONDITION_WIDTH, Context


class SentenceGate(nn.Module):
    """x times one number a channel, C softmax(fc2(ReLU(LN(fc1(e))))) of the context's condition e; (B, C, H, W).

    It starts as the identity. gate "sigmoid2" takes 2 sigmoid instead, so that channels do not share a budget.
    `use_image` joins the map's mean to e. Raises ConditionMissingError without a condition.
    """

    in_context = True

    def __init__(self, dim: int, width: int = CONDITION_WIDTH, use_image: bool = False, gate: str = "softmax") -> None:
        super().__init__()
        self.use_image, self.softmax = use_image, gate == "softmax"
        inputs = width + dim if use_image else width
        self.fc1 = nn.Linear(inputs, 2 * inputs)
        self.norm = nn.LayerNorm(2 * inputs)
        self.fc2 = nn.Linear(2 * inputs, dim)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        if context is None or context.condition is None:
            raise ConditionMissingError("sentence_gate needs a condition: give the quality to g_a and g_s")
        known = context.condition.to(self.fc1.weight.dtype)
        if self.use_image:
            known = torch.cat([known, x.mean((2, 3)).to(known.dtype)], dim=1)
        return x * self.gate(known)[:, :, None, None]

    def gate(self, known: Tensor) -> Tensor:
        """(B, E) -> (B, C), 1 on average."""
        logits = self.fc2(F.relu(self.norm(self.fc1(known))))
        return torch.softmax(logits, dim=1) * logits.shape[1] if self.softmax else 2 * torch.sigmoid(logits)

    def macs(self, height: int, width: int) -> int:
        """Those of a picture, whatever its size."""
        return self.fc1.weight.numel() + self.fc2.weight.numel()
