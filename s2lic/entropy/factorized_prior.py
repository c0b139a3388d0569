"""The factorised prior of z: one learned density per channel and anchor quality (Balle et al. 2018, appendix 6.1)."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.likelihood import LIKELIHOOD_MIN, lower_bound

WIDTHS = (1, 3, 3, 1)
INIT_SCALE = 2.0
# Parameters are stored divided by this. Optimiser steps have a fixed size, and without it the densities would lag
# behind z for thousands of steps.
PACE = 10.0
TAIL = 2.0**-20
SEARCH_REACH = 4096.0
BISECTIONS = {torch.float32: 36, torch.float64: 80}


class FactorizedPrior(nn.Module):
    """Cumulative distributions, each a small monotone network, (anchors, channels)."""

    def __init__(self, anchors: int, channels: int) -> None:
        super().__init__()
        scale = INIT_SCALE ** (1 / (len(WIDTHS) - 1))
        shape = (anchors, channels)
        self.matrices, self.biases, self.factors = (
            nn.ParameterList(),
            nn.ParameterList(),
            nn.ParameterList(),
        )
        for fan_in, fan_out in pairwise(WIDTHS):
            start = torch.tensor(1 / (scale * fan_out)).expm1().log()
            self.matrices.append(nn.Parameter(start.repeat(*shape, fan_out, fan_in) / PACE))
            self.biases.append(nn.Parameter((torch.rand(*shape, fan_out, 1) - 0.5) / PACE))
            if fan_out > 1:  # the last step is affine
                self.factors.append(nn.Parameter(torch.zeros(*shape, fan_out, 1)))

    def logits(self, x: Tensor, anchor: Tensor) -> Tensor:
        """Logit of the cumulative at x: (B, C, N) values, (B,) anchors -> (B, C, N)."""
        h = x.unsqueeze(2)  # (B, C, 1, N)
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            h = F.softplus(PACE * matrix[anchor]) @ h + PACE * bias[anchor]
            if i < len(self.factors):
                h = h + torch.tanh(PACE * self.factors[i][anchor]) * torch.tanh(h)
        return h.squeeze(2)

    def forward(self, z: Tensor, anchor: Tensor) -> Tensor:
        """Mass on [z - 1/2, z + 1/2]: (B, C, H, W) -> the same shape."""
        flat = z.flatten(2)
        low, high = self.logits(flat - 0.5, anchor), self.logits(flat + 0.5, anchor)
        # Right of the median both sigmoids are near 1. Flip the signs, so that small numbers are subtracted.
        sign = -torch.sign(low + high).detach()
        mass = (torch.sigmoid(sign * high) - torch.sigmoid(sign * low)).abs()
        return lower_bound(mass, LIKELIHOOD_MIN).view_as(z)

    @torch.no_grad()
    def quantiles(self, mass: float) -> Tensor:
        """The point where each cumulative reaches `mass`, (anchors, channels). Found by bisection."""
        like: Tensor = self.biases[0]
        anchors, channels = like.shape[:2]
        target = torch.tensor(mass, dtype=torch.float64).logit().to(like)
        anchor = torch.arange(anchors, device=like.device)
        low = like.new_full((anchors, channels, 1), -SEARCH_REACH)
        high = -low
        for _ in range(BISECTIONS[like.dtype]):
            middle = (low + high) / 2
            under = self.logits(middle, anchor) < target
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        return torch.squeeze((low + high) / 2, 2)

    @torch.no_grad()
    def pmfs(self, centre: Tensor) -> list[tuple[int, Tensor]]:
        """(first symbol, masses) of every (anchor, channel) in that order, with at least 16 symbols on each side.

        Symbol k stands for the value centre + k; centre is (anchors, channels).
        """
        prior, centre = deepcopy(self).double(), centre.double()
        first = torch.clamp(prior.quantiles(TAIL) - centre, max=-16).floor().long()
        last = torch.clamp(prior.quantiles(1 - TAIL) - centre, min=16).ceil().long()
        rows = []
        for anchor in range(first.shape[0]):
            span = torch.arange(int(first[anchor].min()), int(last[anchor].max()) + 1)
            values = centre[anchor, :, None] + span
            mass = prior(values[None, :, :, None], torch.tensor([anchor]))[0, :, :, 0]
            for channel, row in enumerate(mass):
                start, stop = int(first[anchor, channel]), int(last[anchor, channel])
                rows.append((start, row[start - int(span[0]) : stop + 1 - int(span[0])]))
        return rows
