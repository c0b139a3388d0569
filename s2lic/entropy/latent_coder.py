"""Coding of latents: y to a stream of symbols, and the stream back to the same y_hat.

The order of symbols is z, then for each slice the anchors and the other half, each channel by channel in raster order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2lic.entropy.exact.limits import Y_ONE, Z_ONE
from s2lic.entropy.exact.networks import ExactEntropy, ExactQuantise
from s2lic.entropy.latent_size import LatentSize, least_bits, z_rows
from s2lic.entropy.likelihood import gaussian_likelihood
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.symbol_coder import SymbolReader, SymbolStream, SymbolWriter, check_capacity
from s2lic.entropy.tables import INT16, ROWS_PER_OCTAVE, SCALE_MIN, Tables
from s2lic.errors import ArithmeticFaultError

# The step size of a region of interest is set in quarters of an octave.
STEPS_PER_OCTAVE = 4


@dataclass(frozen=True)
class LatentHalf:
    """One checkerboard half of a slice, as coded.

    Attributes:
        symbols: The symbols, (B, c, P).
        mu: Their means in 64ths of a step, (B, c, P).
        rows: Their table rows, (B, c, P).
        first: The first channel of the slice.
        positions: The raster positions of the half, (P,).
    """

    symbols: Tensor
    mu: Tensor
    rows: Tensor
    first: int
    positions: Tensor


@dataclass(frozen=True)
class RateEstimate:
    """The result of coding one latent without writing it. All tensors are (1, M, h, w).

    Attributes:
        y_hat: The input of g_s.
        sent: y_hat before LRP, times the gain.
        bits: The bits of each symbol under its Gaussian.
    """

    y_hat: Tensor
    sent: Tensor
    bits: Tensor


@dataclass(frozen=True)
class LatentCoder:
    """Codes latents with h_a and the gains in float32, the exact networks, and the tables.

    The argument `step_exponent` of its methods is (B, h, w) integers n, which divide the step at each position by
    2^(n / 4). None means 0 everywhere.
    """

    model: EntropyModel
    exact: ExactEntropy
    tables: Tables

    def gains(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The gain of y before coding and the inverse gain after it, (B, M, 1, 1) float32 each."""
        gain = self.exact.gain(levels)[:, :, None, None].float()
        return gain, self.model.gains(self.model.quality(levels))[1]

    @torch.inference_mode()
    def encode(
        self,
        y: Tensor,
        levels: Tensor,
        step_exponent: Tensor | None = None,
        target: QuantTarget | None = None,
        writer: Callable[[Tables], SymbolWriter] = SymbolWriter,
    ) -> tuple[list[SymbolStream], Tensor]:
        """Code a batch of latents.

        Args:
            y: The latents, (B, M, h, w).
            levels: Their quality levels, (B,).
            step_exponent: The exponents n of the regions, (B, h, w), or None.
            target: What y_hat should be near, and how to round. The default is y, rounded to the nearest.
            writer: Makes the writer of each picture.

        Returns:
            The stream of each picture, and the y_hat that a decoder will have.

        Raises:
            ArithmeticFaultError: y is not finite, or a symbol does not fit 16 bits.
        """
        size = LatentSize(y.shape[2], y.shape[3])
        writers, z = [writer(self.tables) for _ in range(len(y))], _int16(self.z_symbols(y, levels))
        for own, rows, symbols in zip(writers, z_rows(self.model.row, levels.tolist(), size), z, strict=True):
            own.write_rows(symbols.cpu().numpy(), rows)

        def write(half: LatentHalf) -> None:
            parts = (x.cpu().numpy() for x in (_int16(half.symbols), half.rows.int()))
            for own, symbols, rows in zip(writers, *parts, strict=True):
                own.write_gaussian(symbols, rows)

        y_hat = self._quantise(z, target or QuantTarget(y), levels, step_exponent, write)
        return [own.finish() for own in writers], y_hat

    @torch.no_grad()
    def estimate(
        self, y: Tensor, levels: Tensor, target: QuantTarget, step_exponent: Tensor | None = None
    ) -> RateEstimate:
        """Estimate the result of `encode` for y (1, M, h, w), without running the range coder."""
        sent, scale = torch.empty_like(y.flatten(2)), _step_divisor(step_exponent, y)
        bits = torch.empty_like(sent)

        def note(half: LatentHalf) -> None:
            part = slice(half.first, half.first + half.mu.shape[1])
            bits[:, part, half.positions] = -gaussian_likelihood(half.symbols, row_sigma(half.rows).to(bits)).log2()
            sent[:, part, half.positions] = half.symbols / scale[:, :, half.positions] + half.mu / Y_ONE

        y_hat = self._quantise(self.z_symbols(y, levels), target, levels, step_exponent, note)
        return RateEstimate(y_hat, sent.view(y.shape), bits.view(y.shape))

    def z_symbols(self, y: Tensor, levels: Tensor) -> Tensor:
        """The symbols of z, (B, Z, h', w'), as integers in a float tensor."""
        z = self.model.hyper_analysis(y.float(), self.model.quality(levels))
        return torch.round(z - self.exact.z_centre(levels) / Z_ONE)

    def _quantise(
        self,
        z: Tensor,
        target: QuantTarget,
        levels: Tensor,
        step_exponent: Tensor | None,
        emit: Callable[[LatentHalf], None],
    ) -> Tensor:
        """Choose all symbols of y, pass each half to `emit`, and return y_hat."""
        gained = (target.y * self.gains(levels)[0]).flatten(2)
        scale, size = _step_divisor(step_exponent, gained), LatentSize(target.y.shape[2], target.y.shape[3])

        def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
            residual = (gained[:, first : first + mu.shape[1], at] - mu / Y_ONE) * scale[:, :, at]
            sigma = row_sigma(rows).to(residual)
            symbols = target.rounding(residual.transpose(1, 2), sigma.transpose(1, 2), first).transpose(1, 2)
            emit(LatentHalf(symbols, mu, rows, first, at))
            return symbols

        return self._reconstruct(z, levels, size, quantise, step_exponent)

    @torch.inference_mode()
    def decode(
        self, streams: list[SymbolStream], levels: Tensor, size: LatentSize, step_exponent: Tensor | None = None
    ) -> Tensor:
        """y_hat (B, M, h, w) float32, equal to the one that `encode` returned.

        Raises:
            PayloadSizeError: A stream is too short or too long for its symbols.
            TruncatedError: A stream ends before its last symbol.
            ExceptionListError: An exception lies beyond the last symbol.
            SymbolChecksumError: The decoded symbols are not those that were encoded.
        """
        row, count = self.model.row, size.symbols(self.model.row)
        for picture, level in zip(streams, levels.tolist(), strict=True):
            check_capacity(len(picture.payload), least_bits(row, self.tables, level, size))
        readers = [SymbolReader(self.tables, s.payload, s.exceptions, count) for s in streams]
        z = [r.read_rows(rows) for r, rows in zip(readers, z_rows(row, levels.tolist(), size), strict=True)]

        def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
            asked = rows.int().cpu().numpy()
            q = [reader.read_gaussian(own) for reader, own in zip(readers, asked, strict=True)]
            return torch.from_numpy(np.stack(q)).to(mu)

        y_hat = self._reconstruct(torch.from_numpy(np.stack(z)), levels, size, quantise, step_exponent)
        for reader, picture in zip(readers, streams, strict=True):
            reader.finish(picture.symbol_crc)
        return y_hat

    def _reconstruct(
        self, z: Tensor, levels: Tensor, size: LatentSize, quantise: ExactQuantise, step_exponent: Tensor | None
    ) -> Tensor:
        """Run the exact networks with `quantise`, and return y_hat for g_s."""
        flat = None if step_exponent is None else step_exponent.to(levels.device, self.exact.dtype).flatten(1)[:, None]
        whole = self.exact(z.to(levels.device, self.exact.dtype), levels, (size.height, size.width), quantise, flat)
        inverse: Tensor = self.model.gains(self.model.quality(levels))[1]
        y_hat: Tensor = whole.float() / Y_ONE * inverse
        return y_hat


def row_sigma(rows: Tensor) -> Tensor:
    """The standard deviation of each table row of y, float64."""
    return SCALE_MIN * torch.exp2(rows.double() / ROWS_PER_OCTAVE)


def _step_divisor(step_exponent: Tensor | None, like: Tensor) -> Tensor:
    """The divisor 2^(n / 4) at each position of `like`, (B, M, h, w) or (B, M, h * w) -> (B, 1, h * w)."""
    if step_exponent is None:
        return like.new_ones(1, 1, 1).expand(1, 1, like[0, 0].numel())
    return torch.exp2(step_exponent.to(like).flatten(1)[:, None] / STEPS_PER_OCTAVE)


def _int16(symbols: Tensor) -> Tensor:
    """Integers in a float tensor as int16. Raises ArithmeticFaultError for NaN or a value that does not fit."""
    least, most = symbols.aminmax() if symbols.numel() else (symbols.new_zeros(()), symbols.new_zeros(()))
    if not (least >= INT16.min and most <= INT16.max):  # NaN if any symbol is
        raise ArithmeticFaultError(
            "a symbol does not fit 16 bits: the output of the network is far too large, check the weights"
        )
    return symbols.to(torch.int16)
