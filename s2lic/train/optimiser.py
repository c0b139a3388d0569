"""The optimisers by name: SOAP and AdamW."""

from __future__ import annotations

import torch
from torch import nn

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


class _Folded:
    """Hands the gradients of `parameters` to their folded views before each step of the optimiser under it."""

    def __init__(self, parameters: list[nn.Parameter], folded: list[nn.Parameter]) -> None:
        self.parameters, self.folded = parameters, folded

    def __call__(self, *_: object) -> None:
        for view, parameter in zip(self.folded, self.parameters, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.reshape(view.shape)
            parameter.grad = None


def _folded_soap(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """SOAP over views of the parameters in their folded shapes."""
    from pytorch_optimizer import SOAP

    folded = [nn.Parameter(p.detach().view(folded_shape(p.shape))) for p in parameters]
    soap = SOAP(
        folded,
        lr=lr,
        betas=BETAS,
        weight_decay=0.0,
        precondition_frequency=PRECONDITION_EVERY,
        max_precondition_dim=PRECONDITION_MAX,
    )
    soap.register_step_pre_hook(_Folded(parameters, folded))
    return soap  # type: ignore[no-any-return]
