"""Parts of blocks that attend to a list of keys: a limit on the map, and reproducible selections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from s2lic.errors import MapTooLargeError
from s2lic.kernels.gather import parts
from s2lic.transform.attention.heads import scaled_logits


def check_places(key: str, height: int, width: int, limit: int) -> None:
    """Raises MapTooLargeError if the map has more positions than the block accepts."""
    if height * width > limit:
        raise MapTooLargeError(
            f"'{key}' takes maps of up to {limit:,} places and this one has {height * width:,}: "
            "use smaller tiles (encode --tile, or Codec(tile=...)), or use the block at stride 8 only"
        )


@contextmanager
def exactly(x: Tensor) -> Iterator[None]:
    """Disables autocast and TF32, so that products have the precision of their operands."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with torch.autocast(x.device.type, enabled=False):
            yield
    finally:
        matmul.allow_tf32 = before


def best(scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` largest of (..., n), in descending order. Ties go to the lowest index."""
    return scores.sort(dim=-1, descending=True, stable=True).indices[..., :count]


def dense_weights(q: Tensor, k: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yields softmax(q k / sqrt(d)) over all keys, a few cells at a time.

    Args:
        q: (B, h, cells, n, d).
        k: (B, h, N, d).

    Yields:
        A slice of cells and their weights, (B, h, cells in the slice, n, N).
    """
    each = q.shape[0] * q.shape[1] * q.shape[3] * k.shape[2]
    for part in parts(q.shape[2], each):
        some = q[:, :, part]
        yield part, torch.softmax(scaled_logits(some.flatten(2, 3), k), dim=-1).unflatten(2, some.shape[2:4])
