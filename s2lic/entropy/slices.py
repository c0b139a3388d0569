"""The slices of channels, each coded in two checkerboard halves. Training and coding share one loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.acgc import Acgc
from s2lic.entropy.checkerboard import Checkerboard, FromAnchors, take
from s2lic.entropy.config import EntropyRow
from s2lic.entropy.conv import Conv
from s2lic.entropy.likelihood import SIGMA_MIN, lower_bound
from s2lic.entropy.quality import Modulation, Quality


class OverPlaces(nn.Linear):
    """The same linear layer at each place: (B, C, P) -> (B, dim, P)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias[:, None], self.weight.expand(len(x), -1, -1), x)


class EntropyParameters(nn.Module):
    """g_ep: features (B, K, P) -> mean and log scale (B, c, P) each, before the gain.

    The last layer runs in float32 even under autocast: in bf16 a mean of some tens would be off by a step.
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
    """LRP: 0.5 tanh(net(features)), an estimate of the rounding error (Minnen and Singh 2020, section 3.2)."""

    def __init__(self, source: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(source, hidden, 1)
        self.fc2 = Conv(hidden, channels, 3)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        return 0.5 * torch.tanh(self.fc2(F.gelu(self.fc1(features))))


# Strong channels of y have values of some tens. Networks start better on inputs of order one.
INPUT_SCALE = 0.1

# Called once per half: (mu, sigma, first channel, raster positions) -> y_hat tokens, all (B, P, c).
Quantise = Callable[[Tensor, Tensor, int, Tensor], Tensor]


class Slice(nn.Module):
    """The networks of one slice of `channels`, which read `before` channels that are already decoded."""

    def __init__(self, row: EntropyRow, before: int, channels: int) -> None:
        super().__init__()
        c, local = channels, min(channels, row.local)
        attention = min(before, row.attention)
        self.channels = channels
        self.acgc = Acgc(before, c, min(before, row.context), attention, row.head_width) if before else None
        self.local = FromAnchors(c, local, 5)
        known = 2 * c + (c if before else 0)
        self.parameters_net = EntropyParameters(known + local, min(2 * c, row.hidden), c, row.anchors)
        self.lrp = ResidualPrediction(c + before + c, min(2 * c, row.lrp), c)

    def known(self, hyper: Tensor, before: Tensor) -> Tensor:
        """The input of both halves: hyper features and, after the first slice, the ACGC context."""
        return hyper if self.acgc is None else torch.cat([hyper, self.acgc(before)], dim=1)

    def distribution(self, known: Tensor, local: Tensor, quality: Quality, gain: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma (B, c, P), times the gain (B, c, 1)."""
        mean, log_scale = self.parameters_net(torch.cat([known, local], dim=1), quality)
        return mean * gain, lower_bound(log_scale.exp() * gain, SIGMA_MIN)


class SliceWalk(nn.Module):
    """All slices in coding order (design of Minnen and Singh 2020; He et al. 2021; S2LIC, section III-C)."""

    def __init__(self, row: EntropyRow) -> None:
        super().__init__()
        starts = accumulate(row.slices, initial=0)
        self.slices = nn.ModuleList(Slice(row, before, c) for before, c in zip(starts, row.slices, strict=False))

    def forward(self, hyper: Tensor, quality: Quality, gain: Tensor, quantise: Quantise) -> Tensor:
        """hyper (B, 2M, h, w), gain (B, M, 1, 1) -> y_hat (B, M, h, w) after LRP, times the gain."""
        board = Checkerboard.of(hyper.shape[2], hyper.shape[3], hyper.device)
        decoded: list[Tensor] = []
        for step, first in self._steps():
            part = slice(first, first + step.channels)
            block = hyper[:, 2 * part.start : 2 * part.stop]
            before = torch.cat(decoded, 1) / gain[:, :first] * INPUT_SCALE if decoded else block[:, :0]
            y_hat = self._code(step, block, before, quality, gain[:, part], board, first, quantise)
            decoded.append(y_hat)
        return torch.cat(decoded, 1)

    def _steps(self) -> Iterator[tuple[Slice, int]]:
        first = 0
        for step in self.slices:
            assert isinstance(step, Slice)
            yield step, first
            first += step.channels

    @staticmethod
    def _code(
        step: Slice,
        hyper: Tensor,
        before: Tensor,
        quality: Quality,
        gain: Tensor,
        board: Checkerboard,
        first: int,
        quantise: Quantise,
    ) -> Tensor:
        """One slice: anchors without local context, the other half with it, then LRP over both."""
        known = step.known(hyper, before).flatten(2)

        def decode(at: Tensor, local: Tensor) -> Tensor:
            mu, sigma = step.distribution(take(known, at), local, quality, gain[..., 0])
            return quantise(mu.transpose(1, 2), sigma.transpose(1, 2), first, at).transpose(1, 2)

        blank = known.new_zeros(len(known), step.local.out_channels, len(board.anchors))
        anchors = decode(board.anchors, blank)
        others = decode(board.others, step.local(anchors / gain[..., 0] * INPUT_SCALE, board))
        y_hat = board.to_map(anchors, others)
        seen = torch.cat([hyper[:, : step.channels], before, y_hat / gain * INPUT_SCALE], dim=1)
        return y_hat + step.lrp(seen)  # type: ignore[no-any-return]
