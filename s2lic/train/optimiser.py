"""The optimisers by name: SOAP and AdamW."""

from __future__ import annotations

import torch
from torch import nn

from s2lic.errors import UnknownConfigError

PRECONDITION_MAX = 800
PRECONDITION_EVERY = 10


def optimiser(name: str, model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """SOAP (Vyas et al. 2024) from pytorch_optimizer, or torch's AdamW. Raises UnknownConfigError."""
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    if name == "soap":
        from pytorch_optimizer import SOAP

        return SOAP(
            model.parameters(),
            lr=lr,
            weight_decay=0.0,
            precondition_frequency=PRECONDITION_EVERY,
            max_precondition_dim=PRECONDITION_MAX,
        )
    raise UnknownConfigError(f"no optimiser '{name}'; there are soap, adamw")
