"""g_ep: mean and scale of each latent from everything known about it; and the residual prediction after it (LRP)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.conv import Conv
from s2lic.entropy.quality import Modulation, Quality


class OverPlaces(nn.Linear):
    """A linear layer at each place: (B, C, P) -> (B, dim, P)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias[:, None], self.weight.expand(len(x), -1, -1), x)


class EntropyParameters(nn.Module):
    """Features at places (B, K, P) -> mean and log scale (B, c, P) each, in units of 1 / gain.

    The last layer runs in float32 or better whatever the autocast: a mean of some tens in bf16 is off by a step.
    """

    def __init__(self, source: int, hidden: int, channels: int, anchors: int) -> None:
        super().__init__()
        self.fc1 = OverPlaces(source, hidden)
        self.modulate = Modulation(anchors, hidden)
        self.fc2 = OverPlaces(hidden, 2 * channels)
        nn.init.normal_(self.fc2.weight, std=1e-3)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, features: Tensor, quality: Quality) -> tuple[Tensor, Tensor]:
        x = self.modulate(self.fc1(features).unsqueeze(3), quality).squeeze(3)
        with torch.autocast(x.device.type, enabled=False):
            mean, log_scale = self.fc2(F.gelu(x).to(self.fc2.weight.dtype)).chunk(2, dim=1)
        return mean, log_scale


class ResidualPrediction(nn.Module):
    """LRP: 0.5 tanh(net(features)), what rounding probably took away (Minnen and Singh 2020, section 3.2)."""

    def __init__(self, source: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(source, hidden, 1)
        self.fc2 = Conv(hidden, channels, 3)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        return 0.5 * torch.tanh(self.fc2(F.gelu(self.fc1(features))))
