"""A channel gate controlled by the quality and the condition (Khoshsirat and Kambhamettu 2023, Sentence Attention)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.context import QUALITY_WIDTH, Context

DROPOUT = 0.1


class SentenceGate(nn.Module):
    """x times one factor per channel, C softmax(fc2(ReLU(LN(fc1(e))))), on (B, C, H, W). It starts as the identity.

    Args:
        dim: Channels C.
        use_image: Whether e also holds the mean of the map.
        gate: "softmax", or "sigmoid2" for 2 sigmoid, where channels do not compete for a fixed sum.
        dropout: The share of pictures whose e is set to zero in training, so that x does not learn to undo the gate.
        condition: How many numbers of the user's condition e holds after the quality.

    Raises:
        ConditionError: The context lacks the quality or the condition.
    """

    in_context = True

    def __init__(
        self, dim: int, use_image: bool = False, gate: str = "softmax", dropout: float = DROPOUT, condition: int = 0
    ) -> None:
        super().__init__()
        self.use_image, self.softmax, self.dropout, self.condition = use_image, gate == "softmax", dropout, condition
        inputs = QUALITY_WIDTH + condition + (dim if use_image else 0)
        self.fc1 = nn.Linear(inputs, 2 * inputs)
        self.norm = nn.LayerNorm(2 * inputs)
        self.fc2 = nn.Linear(2 * inputs, dim)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        known = (context or Context()).known(self.condition).to(self.fc1.weight.dtype)
        if self.use_image:
            known = torch.cat([known, x.mean((2, 3)).to(known.dtype)], dim=1)
        if self.training:
            known = known * (torch.rand(len(x), 1, device=x.device) >= self.dropout)
        return x * self.gate(known)[:, :, None, None]

    def gate(self, known: Tensor) -> Tensor:
        """(B, E) -> (B, C), 1 on average."""
        logits = self.fc2(F.relu(self.norm(self.fc1(known))))
        return torch.softmax(logits, dim=1) * logits.shape[1] if self.softmax else 2 * torch.sigmoid(logits)
