"""Walks over recorded symbols: the decoder's side of the entropy model, with everything it saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Record:
    """What a walk asked for, half after half, and the symbols that it was given."""

    mu: list[Tensor] = field(default_factory=list)
    sigma: list[Tensor] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    at: list[Tensor] = field(default_factory=list)
    symbols: list[Tensor] = field(default_factory=list)

    def note(self, mu: Tensor, sigma: Tensor, first: int, at: Tensor, symbols: Tensor) -> Tensor:
        for entry, value in zip(
            (self.mu, self.sigma, self.first, self.at, self.symbols),
            (mu, sigma, first, at, symbols),
            strict=True,
        ):
            entry.append(value)
        return symbols + mu


Quantise = Callable[[Tensor, Tensor, int, Tensor], Tensor]


def encoder(gained: Tensor) -> tuple[Quantise, Record]:
    """Rounds what is left of a gained latent (B, M, H, W) after each mean."""
    record, tokens = Record(), gained.flatten(2).transpose(1, 2)

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        part = tokens[:, at, first : first + mu.shape[2]]
        return record.note(mu, sigma, first, at, torch.round(part - mu))

    return quantise, record


def decoder(symbols: list[Tensor]) -> tuple[Quantise, Record]:
    """Hands out recorded symbols; it has no latent to look at."""
    record, left = Record(), iter(symbols)

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        return record.note(mu, sigma, first, at, next(left))

    return quantise, record
