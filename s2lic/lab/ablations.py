"""The variants of the ablation study. Each differs from the base in one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from s2lic.entropy.quality import QUALITY_MAX
from s2lic.entropy.slices import Slice
from s2lic.model import S2LIC, Config, config

Levels = Callable[[int], Tensor]

BASE = config("nano")
BASE_NAME = "base"
# This costs 0.1 dB of the initialisation; three times as much costs 0.8 dB.
SMALL = 1e-3


@dataclass(frozen=True)
class Ablation:
    """One variant.

    Args:
        name: Its name in the record.
        says: Its description in the table.
        config: The configuration of the model.
        plan: Changes to the training plan.
        change: A change to the untrained model.
        head_start: Whether the linear path starts at the principal components.
        levels: Draws the quality levels of a batch; None for those of the trainer.
    """

    name: str
    says: str
    config: Config = BASE
    plan: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[S2LIC], None] | None = None
    head_start: bool = True
    levels: Levels | None = None


class Nothing(nn.Module):
    """Replaces the context of a slice by zeros."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[0], self.channels, *x.shape[2:])


class ParallelSum(nn.Module):
    """main(x) + side(x)."""

    def __init__(self, main: nn.Module, side: nn.Module) -> None:
        super().__init__()
        self.main, self.side = main, side

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.side(x)  # type: ignore[no-any-return]


def _contexts(model: S2LIC, instead: Callable[[nn.Module, Slice], nn.Module]) -> None:
    for part in model.entropy.walk.slices:
        assert isinstance(part, Slice)
        if part.acgc is not None:
            part.acgc = instead(part.acgc, part)  # type: ignore[assignment]


def no_attention(model: S2LIC) -> None:
    """AG without attention; it keeps its depth-wise branch and the gates."""
    for part in model.entropy.walk.slices:
        assert isinstance(part, Slice)
        if part.acgc is not None:
            part.acgc.globally = part.acgc.globally.depthwise  # type: ignore[assignment]


def no_global(model: S2LIC) -> None:
    """AC without AG."""
    _contexts(model, lambda acgc, _: acgc.local)  # type: ignore[arg-type,return-value]


def no_local(model: S2LIC) -> None:
    """AG without AC."""
    _contexts(model, lambda acgc, _: acgc.globally)  # type: ignore[arg-type,return-value]


def no_context(model: S2LIC) -> None:
    """Neither AC nor AG."""
    _contexts(model, lambda _, part: Nothing(part.channels))


def no_dense(model: S2LIC) -> None:
    """No dense blocks."""
    model.g_a.dense = model.g_s.dense = nn.Identity()  # type: ignore[assignment]


def nonlinear_small(model: S2LIC) -> None:
    """Ends the nonlinear branches in small weights, so that all layers have a gradient from the first step."""
    for last in (model.g_a.last, model.g_s.last):
        nn.init.normal_(last.weight, std=SMALL)


def linear_shortcuts(model: S2LIC) -> None:
    """Adds trainable orthonormal 2x2 transforms parallel to the resampling layers (as in AuxT, Li et al. 2025)."""
    for i in (1, 2):
        model.g_a.down[i] = _beside(model.g_a.down[i], _folding)
    for i in range(3):
        model.g_s.up[i] = _beside(model.g_s.up[i], _unfolding)


def _beside(main: nn.Module, side: Callable[[int, int], nn.Module]) -> ParallelSum:
    assert isinstance(main, (nn.Conv2d, nn.ConvTranspose2d))
    return ParallelSum(main, side(main.in_channels, main.out_channels))


def _folding(wide: int, out: int) -> nn.Module:
    mix = nn.Conv2d(4 * wide, out, 1, bias=False)
    nn.init.orthogonal_(mix.weight)
    return nn.Sequential(nn.PixelUnshuffle(2), mix)


def _unfolding(wide: int, out: int) -> nn.Module:
    mix = nn.Conv2d(wide, 4 * out, 1, bias=False)
    nn.init.orthogonal_(mix.weight)
    return nn.Sequential(mix, nn.PixelShuffle(2))


def four_levels(count: int) -> Tensor:
    """Four fixed quality levels, equally often as far as the batch allows."""
    return torch.linspace(0, QUALITY_MAX, 4).repeat(-(-count // 4))[:count][torch.randperm(count)]


def any_levels(count: int) -> Tensor:
    """Quality levels drawn independently."""
    return torch.rand(count) * QUALITY_MAX


def _transform(**changes: Any) -> Config:
    return replace(BASE, transform=replace(BASE.transform, **changes))


def _widths(*widths: int) -> Config:
    return _transform(widths=widths)


# The training of `nano`, for runs long enough to compare optimisers.
FULL: Mapping[str, Any] = {"batch": 16, "crop": 192, "lr": 2e-3}
SWIN = _transform(blocks=("swinv2",) * 3, depths=(0, 1, 2))
SWIN_MLP_4 = replace(SWIN, transform=replace(SWIN.transform, mlp_ratio=4))

ABLATIONS = (
    Ablation(BASE_NAME, "`nano` as it is"),
    Ablation("seed-1", "base, another seed", plan={"seed": 1}),
    Ablation("adamw", "AdamW at 1e-3 for SOAP at 2e-3", plan={"optimiser": "adamw", "lr": 1e-3}),
    Ablation("swinv2", "0, 1, 2 SwinV2 layers for 0, 3, 6 bottlenecks", SWIN),
    Ablation("no-head-start", "the linear path starts at random", head_start=False),
    Ablation("nonlinear-small", "the nonlinear branches end in small numbers for zeros", change=nonlinear_small),
    Ablation("no-attention", "AG without deformable attention", change=no_attention),
    Ablation("seed-2", "base, a third seed", plan={"seed": 2}),
    Ablation("no-context", "neither AC nor AG: hyperprior and checkerboard alone", change=no_context),
    Ablation("no-global", "AC without AG", change=no_global),
    Ablation("no-local", "AG without AC", change=no_local),
    Ablation("batch-2", "batches of 2 for 4", plan={"batch": 2}),
    Ablation("batch-8", "batches of 8 for 4", plan={"batch": 8}),
    Ablation("four-qualities", "four fixed qualities for a spread over all", levels=four_levels),
    Ablation("free-qualities", "qualities drawn independently for a spread", levels=any_levels),
    Ablation("dense-none", "no dense blocks", change=no_dense),
    Ablation("dense-half", "dense blocks of growth 4 for 8", _transform(dense_growth=4)),
    Ablation("narrow", "stages of 24, 48, 72 for 32, 64, 96", _widths(24, 48, 72)),
    Ablation("wide", "stages of 40, 80, 120 for 32, 64, 96", _widths(40, 80, 120)),
    Ablation("adamw-2e-3", "AdamW at 2e-3", plan={"optimiser": "adamw", "lr": 2e-3}),
    Ablation("soap-16x192", "SOAP at 2e-3 in batches of 16 x 192 px", plan=FULL),
    Ablation("adamw-16x192", "AdamW at 2e-3 in batches of 16 x 192 px", plan={**FULL, "optimiser": "adamw"}),
    Ablation("soap-1e-3", "SOAP at 1e-3", plan={"lr": 1e-3}),
    Ablation("soap-4e-3", "SOAP at 4e-3", plan={"lr": 4e-3}),
    Ablation("swinv2-mlp-4", "SwinV2 with MLPs of ratio 4 for 2", SWIN_MLP_4),
    Ablation("linear-shortcuts", "2x2 linear paths beside the samplers (AuxT)", change=linear_shortcuts),
)
