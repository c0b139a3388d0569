"""The entropy model at coding time: a latent to coded symbols, and coded symbols back to the same latent.

Everything here runs in float64 on weights rounded to fp16; symbols go in the order z, then slice by slice
anchors and others, each channel by channel in raster order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.hyperprior import Z_STRIDE
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.quality import Quality
from s2lic.entropy.rounding import Aim
from s2lic.entropy.symbol_coder import MARGIN, Coded, SymbolReader, SymbolWriter, check_capacity
from s2lic.entropy.tables import Tables
from s2lic.errors import ArithmeticFaultError
from s2lic.kernels.quantise_index import index_scales, quantise_index
from s2lic.kernels.quantise_index.naive import BEYOND


@dataclass(frozen=True)
class LatentSize:
    """Height and width of y, and what follows from them."""

    height: int
    width: int

    @property
    def side(self) -> tuple[int, int]:
        return -(-self.height // Z_STRIDE), -(-self.width // Z_STRIDE)

    def symbols(self, row: EntropyRow) -> int:
        """How many symbols a picture has: those of z and those of y."""
        z_height, z_width = self.side
        return row.side * z_height * z_width + row.latent * self.height * self.width


def z_rows(row: EntropyRow, quality: Quality, size: LatentSize) -> Iterator[NDArray[np.int64]]:
    """Table rows of z for each picture of the batch, (channels, h, w): anchor * channels + channel."""
    for anchor in quality.nearest.tolist():
        rows = anchor * row.side + np.arange(row.side)[:, None, None]
        yield np.broadcast_to(rows, (row.side, *size.side))


def least_bits(row: EntropyRow, tables: Tables, quality: Quality, size: LatentSize) -> Iterator[float]:
    """What each picture of the batch costs at least, were all symbols the likeliest of their rows.

    z has its rows from the header alone; y is taken at the cheapest of all Gaussian rows.
    """
    z_height, z_width = size.side
    y = row.latent * size.height * size.width * float(tables.least_bits[tables.gaussian_first :].min())
    for anchor in quality.nearest.tolist():
        z = tables.least_bits[anchor * row.side : (anchor + 1) * row.side].sum()
        yield y + z_height * z_width * float(z)


@torch.inference_mode()
def encode_and_decode(
    model: EntropyModel,
    tables: Tables,
    y: Tensor,
    levels: Tensor,
    margin: float = MARGIN,
    fineness: Tensor | None = None,
    aim: Aim | None = None,
    writer: Callable[[Tables], SymbolWriter] = SymbolWriter,
) -> tuple[list[Coded], Tensor]:
    """Code y (B, M, h, w) at quality levels (B,); `model` is in float64. The y_hat of a decoder comes with it.

    fineness: (B, h, w) float64, how much finer the steps of each place are; none where they are all 1. aim: what to
    send symbols for, instead of y itself rounded to the nearest. writer: what makes the writer of each picture.
    Raises ArithmeticFaultError if a mean or scale is not finite or a symbol does not fit 16 bits.
    """
    quality, size = model.quality(levels), LatentSize(y.shape[2], y.shape[3])
    writers = [writer(tables) for _ in range(len(y))]
    y = y.double()
    resting = model.resting(quality)
    z_symbols = torch.round(model.hyper_analysis(y, quality) - resting)
    for own, rows, z in zip(writers, z_rows(model.row, quality, size), z_symbols, strict=True):
        own.write_rows(whole(z), rows)
    aim = aim or Aim(y)
    gained = (aim.y.double() * model.gains(quality)[0]).flatten(2).transpose(1, 2)
    finer, thresholds = _by_place(fineness, y.shape[0], size, y.device), _thresholds(tables, y.device)

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        steps = sigma * finer[:, at]
        q = aim.rounding((gained[:, at, first : first + mu.shape[2]] - mu) * finer[:, at], steps, first)
        symbols, rows, near = quantise_index(q, steps, thresholds, margin)
        where = _by_picture(near, rows)
        for own, *parts in zip(writers, symbols.cpu().numpy(), rows.cpu().numpy(), where, strict=True):
            own.write_gaussian(*parts)
        return q / finer[:, at] + mu

    y_hat = _finite(model.reconstruct(z_symbols + resting, quality, (size.height, size.width), quantise))
    return [own.finish() for own in writers], y_hat


@torch.inference_mode()
def decode_latent(
    model: EntropyModel,
    tables: Tables,
    coded: list[Coded],
    levels: Tensor,
    size: LatentSize,
    fineness: Tensor | None = None,
) -> Tensor:
    """y_hat (B, M, h, w) float64, as the encoder's g_s would have seen it; `model` is in float64.

    fineness: what the encoder had, (B, h, w).
    Raises PayloadSizeError, TruncatedError, ExceptionListError, SymbolChecksumError or ArithmeticFaultError.
    """
    quality, count = model.quality(levels), size.symbols(model.row)
    device = levels.device
    for picture, least in zip(coded, least_bits(model.row, tables, quality, size), strict=True):
        check_capacity(len(picture.payload), least)
    readers = [SymbolReader(tables, c.payload, c.exceptions, count) for c in coded]
    z = [numbers(r.read_rows(rows)) for r, rows in zip(readers, z_rows(model.row, quality, size), strict=True)]

    z_hat = torch.stack(z).to(device) + model.resting(quality)
    finer, thresholds = _by_place(fineness, len(coded), size, device), _thresholds(tables, device)

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        rows = index_scales(sigma * finer[:, at], thresholds).cpu().numpy()
        q = [numbers(reader.read_gaussian(own)) for reader, own in zip(readers, rows, strict=True)]
        return torch.stack(q).to(device).transpose(1, 2) / finer[:, at] + mu

    y_hat = _finite(model.reconstruct(z_hat, quality, (size.height, size.width), quantise))
    for reader, picture in zip(readers, coded, strict=True):
        reader.finish(picture.symbol_crc)
    return y_hat


def _finite(y_hat: Tensor) -> Tensor:
    """y_hat itself. Raises ArithmeticFaultError if an element of it is not a finite number."""
    least, most = y_hat.aminmax()  # NaN if any element is
    if not (least > -math.inf and most < math.inf):
        raise ArithmeticFaultError("the network gave a mean that is not a finite number")
    return y_hat


def _by_place(fineness: Tensor | None, pictures: int, size: LatentSize, device: torch.device) -> Tensor:
    """(B, h * w, 1) of y's places; ones change no bit of what they multiply or divide."""
    if fineness is None:
        return torch.ones(pictures, size.height * size.width, 1, dtype=torch.float64, device=device)
    return fineness.to(device).flatten(1).unsqueeze(2)


def _thresholds(tables: Tables, device: torch.device) -> Tensor:
    return torch.from_numpy(tables.thresholds).to(device)


def _by_picture(near: Tensor, rows: Tensor) -> list[NDArray[np.int64]]:
    """Ascending flat positions in rows (B, C, P), as those in each picture."""
    at, firsts = near.cpu().numpy(), rows[0].numel() * np.arange(len(rows))
    own = np.split(at, np.searchsorted(at, firsts[1:]))
    return [positions - first for positions, first in zip(own, firsts, strict=True)]


def whole(x: Tensor) -> NDArray[np.int64]:
    """Rounded float64 values as integers; what is beyond int64 or no number stays far out of range."""
    return torch.nan_to_num(x, nan=BEYOND).clamp(-BEYOND, BEYOND).long().cpu().numpy()


def numbers(symbols: NDArray[np.int16]) -> Tensor:
    """Symbols as float64, which holds them exactly, in their shape."""
    return torch.from_numpy(symbols.astype(np.float64))
