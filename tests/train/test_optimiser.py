"""The optimisers by name, and the shapes in which SOAP sees the weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from s2lic.errors import UnknownConfigError
from s2lic.model import build
from s2lic.train import optimiser as module
from s2lic.train.optimiser import folded_shape, learning_rate, optimiser


def bowl(weights: list[nn.Parameter], step: int) -> Tensor:
    """Mean squared distance from goals that jump about 0.3 from step to step, as batches do."""
    noise = torch.Generator().manual_seed(step)
    goals = [0.3 + 0.1 * torch.randn(p.shape, generator=noise) for p in weights]
    parts = [(p - g).pow(2).sum() for p, g in zip(weights, goals, strict=True)]
    return torch.stack(parts).sum() / sum(p.numel() for p in weights)


@pytest.mark.parametrize("name", ["adamw", "soap"])
def test_steps_lower_a_bowl_and_move_every_weight_of_the_model(name: str) -> None:
    model = build("tiny").entropy.walk
    start = [p.detach().clone() for p in model.parameters()]
    steps, heights = optimiser(name, model, 3e-2), []
    for step in range(12):
        model.zero_grad()
        height = bowl(list(model.parameters()), step)
        height.backward()
        heights.append(height.item())
        steps.step()
    assert heights[-1] < 0.9 * heights[0]
    assert not any(map(torch.equal, start, model.parameters()))


@pytest.mark.parametrize("name", ["adamw", "soap"])
def test_weights_do_not_decay(name: str) -> None:
    model = build("tiny").entropy.gains
    before = [p.detach().clone() for p in model.parameters()]
    steps = optimiser(name, model, 1e-2)
    for _ in range(3):
        model.zero_grad()
        torch.stack([(0 * p).sum() for p in model.parameters()]).sum().backward()
        steps.step()
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("name", ["adamw", "soap"])
def test_a_weight_without_a_gradient_stays(name: str) -> None:
    model = build("tiny").entropy.gains
    before = model.log_inverse.detach().clone()
    steps = optimiser(name, model, 1e-2)
    for step in range(3):
        model.zero_grad()
        bowl([model.log_gain], step).backward()
        steps.step()
    assert torch.equal(model.log_inverse, before)


@pytest.mark.parametrize(
    ("shape", "folded"),
    [
        ((16, 8, 3, 3), (16, 72)),
        ((96, 256, 3, 3), (96, 256, 9)),  # 2304 would be too large an axis
        ((32, 768, 1, 1), (32, 768)),
        ((64, 1, 5, 5), (64, 5, 5)),
        ((4, 2, 7), (4, 2, 7)),
        ((12,), (12,)),
        ((1, 1, 1), (1,)),
    ],
)
def test_soap_sees_the_axes_of_a_kernel_as_one(shape: tuple[int, ...], folded: tuple[int, ...]) -> None:
    assert folded_shape(torch.Size(shape)) == folded


def test_soap_on_folded_weights_is_soap_on_weights_of_those_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_optimizer import SOAP

    monkeypatch.setattr(module, "PRECONDITION_EVERY", 2)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 12, 3, bias=False), nn.Conv2d(12, 64, 5, bias=False))
    flat = [nn.Parameter(p.detach().clone().view(folded_shape(p.shape))) for p in net.parameters()]
    assert [tuple(p.shape) for p in flat] == [(12, 72), (64, 300)]
    options = {"betas": module.BETAS, "weight_decay": 0.0, "precondition_frequency": 2}
    plain = SOAP(flat, lr=1e-2, max_precondition_dim=module.PRECONDITION_MAX, **options)
    folded = optimiser("soap", net, 1e-2)
    for step in range(5):
        for weights, steps in ((list(net.parameters()), folded), (flat, plain)):
            for weight in weights:
                weight.grad = None
            bowl(weights, step).backward()
            steps.step()
    for weight, expected in zip(net.parameters(), flat, strict=True):
        assert torch.equal(weight.flatten(), expected.flatten())


def test_soap_rotates_the_kernels_of_layers_and_adamw_moves_all_other_parameters() -> None:
    model = build("tiny")
    parts = optimiser("soap", model, 1e-3).parts
    sizes = {
        name: sum(p.numel() for group in part.param_groups for p in group["params"]) for name, part in parts.items()
    }
    kernels = [p for p in model.parameters() if p.dim() in (2, 4) and min(p.shape[:2]) >= 8]
    assert sizes["soap"] == sum(p.numel() for p in kernels) > 0
    assert sizes["adamw"] == sum(p.numel() for p in model.parameters()) - sizes["soap"] > 0


def test_one_rate_reaches_both_optimisers() -> None:
    both = optimiser("soap", build("tiny"), 1e-3)
    both.set_rate(5e-4)
    assert [g["lr"] for part in both.parts.values() for g in part.param_groups] == [5e-4, 5e-4]


def test_an_unknown_optimiser_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownConfigError, match=r"'sgd'.*soap, adamw"):
        optimiser("sgd", build("tiny"), 1e-3)


@pytest.mark.parametrize(
    ("step", "progress", "expected"),
    [
        (0, 0.0, 0.02),  # the first of 100 steps of warm-up
        (49, 0.0, 1.0),
        (99, 0.1, 2.0),
        (5000, 0.59, 2.0),
        (5000, 0.6, 2.0),  # the fall begins without a jump
        (5000, 0.8, 1.0),
        (5000, 0.9, 0.5),
        (5000, 1.0, 0.0),
        (5000, 1.5, 0.0),  # never below zero
        (49, 0.8, 0.5),  # a short run warms up while it falls
    ],
)
def test_the_rate_rises_stays_and_falls_in_a_line(step: int, progress: float, expected: float) -> None:
    assert learning_rate(2.0, step, progress, 100, 0.6, "linear") == pytest.approx(expected, abs=1e-12)


def test_without_a_warm_up_the_first_step_has_the_full_rate() -> None:
    assert learning_rate(2.0, 0, 0.0, 0, 0.6, "linear") == 2.0


@pytest.mark.parametrize(("progress", "expected"), [(0.5, 2.0), (0.75, 1.0), (1.0, 0.0)])
def test_a_cosine_falls_from_the_rate_to_nothing_by_half_a_wave(progress: float, expected: float) -> None:
    assert learning_rate(2.0, 5000, progress, 100, 0.5, "cosine") == pytest.approx(expected, abs=1e-12)


def test_a_constant_rate_stays_to_the_end() -> None:
    assert learning_rate(2.0, 5000, 0.99, 100, 0.5, "constant") == 2.0
