"""Training by several processes: their ranks, their shares of a batch, and shared values.

torchrun starts the processes, and DistributedDataParallel averages their gradients. Without torchrun there is one rank.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from s2lic.errors import UsageError


@dataclass(frozen=True)
class Ranks:
    """The number of this process among `world`, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this rank logs and saves."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """The rows of a whole batch that belong to this rank."""
        return slice(self.rank, None, self.world)

    def share(self, x: Tensor) -> Tensor:
        return x[self.rows]

    def uniform_like(self, x: Tensor) -> Tensor:
        """This rank's rows of the uniform numbers that one process would draw for the whole batch."""
        return self.share(torch.rand(len(x) * self.world, *x.shape[1:], dtype=x.dtype, device=x.device))

    def agree(self, value: float) -> float:
        """Returns the value of the first rank. Clocks and disks differ from rank to rank."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return shared.item()

    def mean(self, value: Tensor) -> Tensor:
        """The mean over all ranks."""
        if self.world > 1:
            dist.all_reduce(value)
        return value / self.world


@contextmanager
def process_group(device: str, batch: int) -> Iterator[Ranks]:
    """The process group that torchrun's environment describes.

    Raises:
        UsageError: The ranks cannot share a batch of that size evenly.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world:
        raise UsageError(f"a batch of {batch} cannot be shared evenly by {world} processes; change --batch")
    if world == 1:
        yield Ranks(0, 1, torch.device(device))
        return
    local = torch.device(device, int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if device == "cuda":
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, local)
    finally:
        dist.destroy_process_group()
