"""From the words of the command line to a codec, and to the threads that it may use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from s2lic.cli.open_codec import shared_codec
from s2lic.runtime import DeviceName, no_progress


@pytest.fixture
def _eight_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("fake_codec", "_eight_threads")
@pytest.mark.parametrize(("files", "left"), [(5, 4), (1, 8)])
def test_files_at_once_share_the_threads_that_torch_has_not_the_cores(
    files: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    shared_codec(DeviceName.cpu, None, 1000, threads=2, files=files)(no_progress)
    assert torch.get_num_threads() == left
