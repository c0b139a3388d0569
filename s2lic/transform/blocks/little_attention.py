"""A light channel gate, in place of one whose structure is unpublished (after Eisenbach et al. 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 16


class LittleAttention(nn.Module):
    """x * 2 sigmoid(fc2(ReLU(fc1(mean over the map)))) on (B, C, H, W), with C^2/8 weights. It starts as the identity.

    This is a reconstruction: the paper only says that its block takes little time.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = max(dim // REDUCTION, 1)
        self.fc1 = nn.Linear(dim, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, dim, bias=False)
        nn.init.zeros_(self.fc2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3))))))[:, :, None, None]
