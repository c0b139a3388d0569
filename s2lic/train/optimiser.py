"""The optimisers by name: SOAP and AdamW."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from s2lic.errors import UnknownConfigError

PRECONDITION_MAX = 600
PRECONDITION_EVERY = 20
BETAS = (0.95, 0.95)


def optimiser(name: str, model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """SOAP (Vyas et al. 2024) from pytorch_optimizer, or torch's AdamW. Raises UnknownConfigError."""
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=lr, betas=BETAS, weight_decay=0.0)
    if name == "soap":
        return _folded_soap(list(model.parameters()), lr)
    raise UnknownConfigError(f"no optimiser '{name}'; there are soap, adamw")


def folded_shape(shape: torch.Size) -> tuple[int, ...]:
    """The shape SOAP should see: kernel axes as one, joined to the input axis where that stays small.

    SOAP works axis by axis, and an axis of 1 or 3 costs as many calls as one of 300.
    """
    sizes = [s for s in shape if s > 1]
    if len(shape) == 4 and len(sizes) == 4:
        out, inside, kernel = shape[0], shape[1], shape[2] * shape[3]
        joined = inside * kernel <= PRECONDITION_MAX
        return (out, inside * kernel) if joined else (out, inside, kernel)
    return tuple(sizes) or (1,)


def _folded_soap(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """SOAP over views of the parameters in their folded shapes; gradients are handed over at each step."""
    from pytorch_optimizer import SOAP

    folded = [nn.Parameter(p.detach().view(folded_shape(p.shape))) for p in parameters]

    class FoldedSOAP(SOAP):
        def step(self, closure: Callable[[], Any] | None = None) -> Tensor | None:
            for view, parameter in zip(folded, parameters, strict=True):
                view.grad = None if parameter.grad is None else parameter.grad.reshape(view.shape)
            return super().step(closure)  # type: ignore[no-any-return]

        def zero_grad(self, set_to_none: bool = True) -> None:
            for parameter in parameters:
                parameter.grad = None

    return FoldedSOAP(
        folded,
        lr=lr,
        betas=BETAS,
        weight_decay=0.0,
        precondition_frequency=PRECONDITION_EVERY,
        max_precondition_dim=PRECONDITION_MAX,
    )
