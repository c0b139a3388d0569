"""A convolution gated by a linear map of its own input (Arora et al. 2024, Zoology, BaseConv)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.blocks.conv_glu import depthwise

KERNEL = 7
FILTER_HIDDEN = 16


def fft_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolves each channel of x (B, C, H, W) with its kernel (C, 2H-1, 2W-1), zero-padded."""
    height, width = x.shape[2:]
    size = (2 * height, 2 * width)  # the part that wraps around lies outside the centre
    whole: Tensor = torch.fft.irfft2(torch.fft.rfft2(x, size) * torch.fft.rfft2(kernel, size), size)
    return whole[..., height - 1 : 2 * height - 1, width - 1 : 2 * width - 1]


class LongFilter(nn.Module):
    """A depth-wise convolution as large as the map. The kernel is an MLP of the offset times a decay."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, FILTER_HIDDEN)
        self.fc2 = nn.Linear(FILTER_HIDDEN, dim)
        self.decay = nn.Parameter(torch.linspace(-3.0, 0.0, dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def kernel(self, height: int, width: int) -> Tensor:
        """The kernel of a map, (C, 2H-1, 2W-1)."""
        like = self.decay
        rows = torch.arange(1 - height, height, dtype=like.dtype, device=like.device)
        cols = torch.arange(1 - width, width, dtype=like.dtype, device=like.device)
        at = torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1)
        free = self.fc2(torch.sin(self.fc1(at.sign() * at.abs().log1p())))
        decayed: Tensor = free * torch.exp(-F.softplus(self.decay) * at.norm(dim=-1, keepdim=True))
        return decayed.permute(2, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # FFT does not support bfloat16
            out = fft_convolution(x.to(self.decay.dtype), self.kernel(x.shape[2], x.shape[3]))
        return out + self.bias[:, None, None]


class BaseConv(nn.Module):
    """(W x + b1) * (h conv x + b2) on (B, C, H, W): the product of two linear maps, without other nonlinearity.

    The enclosing layer adds the residual of the paper. `long` makes the filter as large as the map.
    """

    def __init__(self, dim: int, long: bool = False, kernel: int = KERNEL) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.conv = LongFilter(dim) if long else depthwise(dim, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * self.conv(x)  # type: ignore[no-any-return]
