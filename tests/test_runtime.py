"""Torch's threads: who gets how many, and that nobody else does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import torch

from s2lic.runtime import KEPT, keep_freed_memory, limit_thread, share, with_progress, worker_pool

Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _eight_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_a_share_is_of_the_threads_that_torch_has_and_at_least_one() -> None:
    assert [share(workers) for workers in (1, 2, 3, 8, 9)] == [8, 4, 2, 1, 1]


def test_a_limited_thread_leaves_those_that_begin_later_alone() -> None:
    def limited() -> int:
        limit_thread(3)
        return torch.get_num_threads()

    assert in_a_new_thread(limited) == 3
    assert in_a_new_thread(torch.get_num_threads) == 8


def test_every_request_in_a_thread_of_its_own_finds_all_threads_for_its_crew() -> None:
    def request() -> list[int]:
        with worker_pool(2, 2) as pool:
            return list(pool.map(lambda _: torch.get_num_threads(), [0, 1]))

    assert [in_a_new_thread(request) for _ in range(3)] == [[4, 4]] * 3


FAULTS = """
import mmap, resource, sys
from s2lic.runtime import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    before = faults()
    block = b"x" * (24 << 20)
    del block
    after = faults()
print((after - before) * mmap.PAGESIZE)
"""


def taken_anew(how: str) -> int:
    """Bytes that a process takes from the system for a block that it has just freed."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_a_block_that_was_freed_is_taken_again_without_the_system() -> None:
    assert taken_anew("keep") < 1 << 20
    assert KEPT > 24 << 20


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_it_says_that_it_cannot(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.runtime.sys.platform", platform)
    assert not keep_freed_memory()


def test_it_is_told_at_the_start_and_behind_each_item() -> None:
    told: list[object] = []
    items = with_progress("ab", 2, lambda count, of: told.append((count, of)))
    assert [(item, told[-1]) for item in items] == [("a", (0, 2)), ("b", (1, 2))]
    assert told[-1] == (2, 2)


def test_of_a_single_item_there_is_nothing_to_tell() -> None:
    told: list[int] = []
    assert list(with_progress("a", 1, lambda count, _: told.append(count))) == ["a"]
    assert told == []
