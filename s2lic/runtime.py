"""The resources of the process (devices, threads, worker pools, freed memory, bfloat16) and reports of its progress."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import islice
from threading import Lock, Thread
from typing import TypeVar

from s2lic.errors import DeviceMissingError, ForkedDeviceError

_LOCK = Lock()

ProgressCallback = Callable[[int, int], None]  # takes the number of finished items and the number of all items

Item = TypeVar("Item")
Result = TypeVar("Result")


def no_progress(count: int, of: int) -> None:
    """The callback for work that nobody watches."""


def with_progress(items: Iterable[Item], of: int, done: ProgressCallback) -> Iterator[Item]:
    """The items, and a report at the start and after each; a single item is not reported.

    Args:
        items: What is worked on.
        of: The number of items.
        done: The callback.
    """
    if of == 1:
        yield from items
        return
    done(0, of)
    for count, item in enumerate(items, 1):
        yield item
        done(count, of)


def share(workers: int) -> int:
    """The number of torch's threads for each of so many workers, at least one."""
    import torch

    return max(1, torch.get_num_threads() // workers)


def share_cores(workers: int) -> None:
    """Limits torch, in this thread and later ones, to its share of threads among so many workers."""
    import torch

    torch.set_num_threads(share(workers))


def limit_thread(threads: int) -> None:
    """Limits torch in this new thread only.

    Torch also stores the limit for threads that start later. Another thread restores that value, because restoring it
    here would undo the limit.
    """
    import torch

    with _LOCK:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        keeper = Thread(target=torch.set_num_threads, args=(before,))
        keeper.start()
        keeper.join()


@dataclass(frozen=True)
class WorkerPool:
    """A pool of threads with so many jobs. Without a pool, each item is processed when it is requested."""

    pool: ThreadPoolExecutor | None
    jobs: int

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in order. Up to `jobs` of them are computed ahead."""
        if self.pool is None:
            yield from map(work, items)
            return
        source = iter(items)
        waiting: deque[Future[Result]] = deque(self.pool.submit(work, item) for item in islice(source, self.jobs))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(self.pool.submit(work, item) for item in islice(source, 1))


@contextmanager
def worker_pool(jobs: int, items: int) -> Iterator[WorkerPool]:
    """A pool for the duration of the block; a single item gets none. Its threads share those of torch, if imported."""
    jobs = min(jobs, items)
    if jobs == 1:
        yield WorkerPool(None, 1)
        return
    limit = partial(limit_thread, share(jobs)) if "torch" in sys.modules else None
    with ThreadPoolExecutor(jobs, initializer=limit) as pool:
        yield WorkerPool(pool, jobs)


def multiplies_bf16() -> bool:
    """Whether this CPU has bfloat16 instructions; False if torch cannot tell."""
    import torch

    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


# Parameters of glibc's mallopt (malloc.h). The largest threshold for mmap is 32 MiB.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, MAPPED = 256 << 20, 32 << 20


def keep_freed_memory() -> bool:
    """Lets this process keep up to 256 MiB of freed memory. Returns whether the C library supports it.

    Decoding frees and reallocates some 40 MiB, and each new page costs a page fault: 5 % of the time of `nano`. The
    setting affects the whole process, so the library does not call this by itself.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and mallopt(MMAP_THRESHOLD, MAPPED) == 1 and mallopt(TRIM_THRESHOLD, KEPT) == 1


class DeviceName(str, Enum):
    """The values of `--device`."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def pick_device(name: DeviceName) -> str:
    """The device in torch's notation. Raises DeviceMissingError."""
    if name is DeviceName.cpu:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name is DeviceName.cuda:
        raise DeviceMissingError("there is no CUDA device here; leave --device out for the CPU")
    return "cpu"


def _after_fork() -> None:
    """Make torch usable in a forked child.

    Only the thread that forks lives on in the child. The pool of OpenMP does not: the next operation that shares its
    work would wait for it for ever. With one thread torch asks no pool.
    """
    global _LOCK  # noqa: PLW0603 another thread may have held it, and will not release it here
    _LOCK = Lock()
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def check_forked(device_type: str) -> None:
    """Refuse a GPU that a parent process began to use. Raises ForkedDeviceError."""
    import torch

    if device_type == "cuda" and torch.cuda._is_in_bad_fork():
        raise ForkedDeviceError(
            "a forked process cannot use the GPU of its parent; start workers by 'spawn' (multiprocessing."
            "get_context('spawn')), or open the codec first in the child"
        )
