"""The entropy model at coding time: a latent to coded symbols, and coded symbols back to the same latent.

Symbols go in the order z, then slice by slice anchors and others, each channel by channel in raster order.
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
from s2lic.entropy.tables import INT16, ROWS_AN_OCTAVE, SCALE_MIN, Tables
from s2lic.errors import ArithmeticFaultError

# Levels of regions of interest are quarters of an octave.
FINER_AN_OCTAVE = 4


@dataclass(frozen=True)
class LatentHalf:
    """What one half of a slice sends: symbols and what belongs to each, (B, c, P), from channel `first`, at places."""

    symbols: Tensor
    mu: Tensor
    rows: Tensor
    first: int
    at: Tensor


@dataclass(frozen=True)
class Rehearsal:
    """A trial of one latent: y_hat as g_s takes it, y_hat before LRP in the gained domain, and the bits of each symbol.

    All are (1, M, h, w); the bits are those of the symbol's Gaussian.
    """

    y_hat: Tensor
    sent: Tensor
    bits: Tensor


@dataclass(frozen=True)
class LatentCoder:
    """What codes latents: h_a and gains in float32, the exact networks behind them, and tables.

    finer, wherever it is asked for: how much finer the steps of each place are, (B, h, w) integers n of 2^(n / 4);
    None where they are all 0.
    """

    model: EntropyModel
    exact: ExactEntropy
    tables: Tables

    def gains(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """What y is multiplied by before it is coded, and after; (B, M, 1, 1) float32."""
        gain = self.exact.gain(levels)[:, :, None, None].float()
        return gain, self.model.gains(self.model.quality(levels))[1]

    @torch.inference_mode()
    def encode(
        self,
        y: Tensor,
        levels: Tensor,
        finer: Tensor | None = None,
        aim: QuantTarget | None = None,
        writer: Callable[[Tables], SymbolWriter] = SymbolWriter,
    ) -> tuple[list[SymbolStream], Tensor]:
        """Code y (B, M, h, w) at quality levels (B,); the y_hat of a decoder comes with it.

        aim: what to send symbols for, instead of y itself rounded to the nearest. writer: makes that of each picture.
        Raises ArithmeticFaultError if y is not finite or a symbol does not fit 16 bits.
        """
        size = LatentSize(y.shape[2], y.shape[3])
        writers, z = [writer(self.tables) for _ in range(len(y))], _int16(self.z_symbols(y, levels))
        for own, rows, symbols in zip(writers, z_rows(self.model.row, levels.tolist(), size), z, strict=True):
            own.write_rows(symbols.cpu().numpy(), rows)

        def write(half: LatentHalf) -> None:
            parts = (x.cpu().numpy() for x in (_int16(half.symbols), half.rows.int()))
            for own, symbols, rows in zip(writers, *parts, strict=True):
                own.write_gaussian(symbols, rows)

        y_hat = self._choose(z, aim or QuantTarget(y), levels, finer, write)
        return [own.finish() for own in writers], y_hat

    @torch.no_grad()
    def rehearse(self, y: Tensor, levels: Tensor, aim: QuantTarget, finer: Tensor | None = None) -> Rehearsal:
        """What `encode` would give for y (1, M, h, w), without a coder: a search asks for it many times."""
        sent, scale = torch.empty_like(y.flatten(2)), _step_scale(finer, y)
        bits = torch.empty_like(sent)

        def note(half: LatentHalf) -> None:
            part = slice(half.first, half.first + half.mu.shape[1])
            bits[:, part, half.at] = -gaussian_likelihood(half.symbols, row_sigma(half.rows).to(bits)).log2()
            sent[:, part, half.at] = half.symbols / scale[:, :, half.at] + half.mu / Y_ONE

        y_hat = self._choose(self.z_symbols(y, levels), aim, levels, finer, note)
        return Rehearsal(y_hat, sent.view(y.shape), bits.view(y.shape))

    def z_symbols(self, y: Tensor, levels: Tensor) -> Tensor:
        """What is sent of z, (B, Z, h', w'), whole numbers."""
        z = self.model.hyper_analysis(y.float(), self.model.quality(levels))
        return torch.round(z - self.exact.z_centre(levels) / Z_ONE)

    def _choose(
        self, z: Tensor, aim: QuantTarget, levels: Tensor, finer: Tensor | None, heard: Callable[[LatentHalf], None]
    ) -> Tensor:
        """One walk in which the aim picks the symbols, half by half; y_hat."""
        gained = (aim.y * self.gains(levels)[0]).flatten(2)
        scale, size = _step_scale(finer, gained), LatentSize(aim.y.shape[2], aim.y.shape[3])

        def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
            residual = (gained[:, first : first + mu.shape[1], at] - mu / Y_ONE) * scale[:, :, at]
            sigma = row_sigma(rows).to(residual)
            symbols = aim.rounding(residual.transpose(1, 2), sigma.transpose(1, 2), first).transpose(1, 2)
            heard(LatentHalf(symbols, mu, rows, first, at))
            return symbols

        return self._reconstruct(z, levels, size, quantise, finer)

    @torch.inference_mode()
    def decode(
        self, streams: list[SymbolStream], levels: Tensor, size: LatentSize, finer: Tensor | None = None
    ) -> Tensor:
        """y_hat (B, M, h, w) float32, the one that the encoder's g_s would have seen.

        Raises PayloadSizeError, TruncatedError, ExceptionListError or SymbolChecksumError.
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

        y_hat = self._reconstruct(torch.from_numpy(np.stack(z)), levels, size, quantise, finer)
        for reader, picture in zip(readers, streams, strict=True):
            reader.finish(picture.symbol_crc)
        return y_hat

    def _reconstruct(
        self, z: Tensor, levels: Tensor, size: LatentSize, quantise: ExactQuantise, finer: Tensor | None
    ) -> Tensor:
        """y_hat as g_s takes it."""
        flat = None if finer is None else finer.to(levels.device, self.exact.dtype).flatten(1)[:, None]
        whole = self.exact(z.to(levels.device, self.exact.dtype), levels, (size.height, size.width), quantise, flat)
        inverse: Tensor = self.model.gains(self.model.quality(levels))[1]
        y_hat: Tensor = whole.float() / Y_ONE * inverse
        return y_hat


def row_sigma(rows: Tensor) -> Tensor:
    """The scale that rows of y stand for, float64."""
    return SCALE_MIN * torch.exp2(rows.double() / ROWS_AN_OCTAVE)


def _step_scale(finer: Tensor | None, like: Tensor) -> Tensor:
    """How many times as fine the steps of places are, (B, 1, h * w), of the places of (B, M, h, w) or (B, M, h * w)."""
    if finer is None:
        return like.new_ones(1, 1, 1).expand(1, 1, like[0, 0].numel())
    return torch.exp2(finer.to(like).flatten(1)[:, None] / FINER_AN_OCTAVE)


def _int16(symbols: Tensor) -> Tensor:
    """Whole numbers as int16. Raises ArithmeticFaultError for one beyond it, or for no number."""
    least, most = symbols.aminmax() if symbols.numel() else (symbols.new_zeros(()), symbols.new_zeros(()))
    if not (least >= INT16.min and most <= INT16.max):  # NaN if any symbol is
        raise ArithmeticFaultError("a symbol does not fit 16 bits: the network gave far too much")
    return symbols.to(torch.int16)
