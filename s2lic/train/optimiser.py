"""The optimisers by name: SOAP for the weights of layers with AdamW for the rest, or AdamW alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from s2lic.errors import UnknownConfigError

# SOAP updates the eigenvectors of a square matrix for each axis, at a cubic cost. Longer axes have no such matrix.
PRECONDITION_MAX = 450
PRECONDITION_EVERY = 20
BETAS = (0.95, 0.95)  # as in SOAP's paper; AdamW uses the same
# SOAP needs as many calls for thinner kernels as for others, without a gain.
AXIS_MIN = 8


class Optimiser:
    """Several optimisers, each with its own parameters, stepped together at one learning rate."""

    def __init__(self, parts: dict[str, torch.optim.Optimizer]) -> None:
        self.parts = parts

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate of all parts."""
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = rate

    def step(self) -> None:
        """Takes one step with each part."""
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each part, by its name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads the state of an optimiser with the same parts."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


def optimiser(name: str, model: nn.Module, lr: float) -> Optimiser:
    """Returns SOAP (Vyas et al. 2024, from pytorch_optimizer) with AdamW for the rest, or AdamW alone.

    Raises:
        UnknownConfigError: There is no optimiser of that name.
    """
    if name not in {"adamw", "soap"}:
        raise UnknownConfigError(f"no optimiser '{name}'; there are soap, adamw")
    kernels = [p for p in model.parameters() if name == "soap" and is_kernel(p)]
    others = [p for p in model.parameters() if name == "adamw" or not is_kernel(p)]
    makers = {"soap": (_folded_soap, kernels), "adamw": (_adamw, others)}
    return Optimiser({part: make(parameters, lr) for part, (make, parameters) in makers.items() if parameters})


def is_kernel(parameter: nn.Parameter) -> bool:
    """Whether this is the weight of a convolution or a linear layer that mixes channels.

    SOAP needs as many calls for a table of biases as for a layer, and a table has no axes to rotate.
    """
    shape = parameter.shape
    return len(shape) in {2, 4} and min(shape[0], shape[1]) >= AXIS_MIN


def folded_shape(shape: torch.Size) -> tuple[int, ...]:
    """The shape for SOAP: the kernel axes as one, merged with the input axis if the product is small.

    SOAP works axis by axis, and an axis of 3 needs as many calls as an axis of 300.
    """
    sizes = [s for s in shape if s > 1]
    if len(shape) == 4 and len(sizes) == 4:
        out, inside, kernel = shape[0], shape[1], shape[2] * shape[3]
        joined = inside * kernel <= PRECONDITION_MAX
        return (out, inside * kernel) if joined else (out, inside, kernel)
    return tuple(sizes) or (1,)


class _Folded:
    """Moves the gradients of `parameters` to their folded views before each step of the optimiser."""

    def __init__(self, parameters: list[nn.Parameter], folded: list[nn.Parameter]) -> None:
        self.parameters, self.folded = parameters, folded

    def __call__(self, *_: object) -> None:
        for view, parameter in zip(self.folded, self.parameters, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.reshape(view.shape)
            parameter.grad = None


def _adamw(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=lr, betas=BETAS, weight_decay=0.0, fused=True)


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


DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "cosine": lambda fallen: (1 + math.cos(math.pi * fallen)) / 2,
    "linear": lambda fallen: 1 - fallen,
}


def learning_rate(peak: float, step: int, progress: float, warmup: int, decay_from: float, decay: str) -> float:
    """The learning rate of a step.

    Args:
        peak: The rate between warm-up and decay.
        step: The step since the optimiser started.
        progress: The part of the planned steps or minutes that is spent, 0 to 1.
        warmup: Steps over which the rate rises.
        decay_from: The progress at which the rate starts to fall.
        decay: How it falls, a key of DECAYS.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fallen = (progress - decay_from) / (1 - decay_from) if decay_from < 1 else 0.0
    return peak * rise * DECAYS[decay](min(max(fallen, 0.0), 1.0))
