"""Two processes that share a batch train as one does with all of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from s2lic.errors import UsageError
from s2lic.train.distributed import Ranks, process_group

STEPS, BATCH = 6, 4
WORKER = """
import sys, json
from pathlib import Path
import torch
from s2lic.train.loop import Run
from s2lic.train.plan import Plan
from s2lic.train.distributed import process_group
from s2lic.train import init
from tests.train.conftest import pictures

init.PATCHES_FROM = 4
out, steps, batch = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
with process_group("cpu", batch) as ranks:
    plan = Plan("tiny", out, steps=steps, batch=batch, crop=64, optimiser="soap", bf16=False, log_every=1, lr=3e-3)
    run = Run(plan, pictures(), ranks)
    losses = []
    run.go(lambda progress, values: losses.append(values["loss"]))
    if ranks.first:
        (out / "losses.json").write_text(json.dumps(losses))
"""


def course(out: Path, world: int) -> list[float]:
    """The losses of a run in that many processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", WORKER, str(out), str(STEPS), str(BATCH)]
    processes = [
        subprocess.Popen(words, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(world)
    ]
    assert [process.wait(120) for process in processes] == [0] * world
    losses: list[float] = json.loads((out / "losses.json").read_text())
    return losses


@pytest.mark.slow
def test_two_processes_follow_the_loss_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    alone, shared = course(tmp_path / "one", 1), course(tmp_path / "two", 2)
    assert len(alone) == STEPS
    # Sums of gradients round in another order, and a latent near a half then rounds the other way.
    assert shared == pytest.approx(alone, rel=1e-3)
    assert min(abs(a / b - 1) for a, b in pairwise(alone)) > 2e-3  # steps differ by more than that


def test_shares_of_noise_are_rows_of_the_noise_of_the_whole_batch() -> None:
    torch.manual_seed(3)
    whole = torch.rand(6, 5)
    for rank in range(3):
        torch.manual_seed(3)
        share = Ranks(rank, 3, torch.device("cpu")).uniform_like(torch.zeros(2, 5))
        assert torch.equal(share, whole[rank::3])


def test_a_batch_that_ranks_cannot_share_evenly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match=r"16 cannot be shared evenly by 3"), process_group("cpu", 16):
        pass
