"""What the process takes of the machine: its devices, torch's threads, worker pools, freed memory, bfloat16."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from threading import Lock, Thread
from typing import TypeVar

from s2lic.errors import DeviceMissingError

_LOCK = Lock()

Item = TypeVar("Item")
Result = TypeVar("Result")


def share(workers: int) -> int:
    """What each of so many workers gets of the threads that torch has here: at least one."""
    import torch

    return max(1, torch.get_num_threads() // workers)


def share_cores(workers: int) -> None:
    """Give this thread of the process, and all that begin later, its share among so many workers."""
    import torch

    torch.set_num_threads(share(workers))


def limit_thread(threads: int) -> None:
    """Give this thread alone, which has just begun, so many of torch's threads.

    Torch also stores the number for all that begin later. A thread of its own stores the former one again, as it would
    be lost on this one.
    """
    import torch

    with _LOCK:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        keeper = Thread(target=torch.set_num_threads, args=(before,))
        keeper.start()
        keeper.join()


@dataclass(frozen=True)
class Crew:
    """A pool of threads with so many jobs, or none: then each item is worked on when it is asked for."""

    pool: ThreadPoolExecutor | None
    jobs: int

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in order, up to `jobs` of them ahead of the one that is asked for."""
        if self.pool is None:
            yield from map(work, items)
            return
        source = iter(items)
        waiting: deque[Future[Result]] = deque(self.pool.submit(work, item) for item in islice(source, self.jobs))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(self.pool.submit(work, item) for item in islice(source, 1))


@contextmanager
def crew(jobs: int, items: int) -> Iterator[Crew]:
    """Threads as long as the block lasts, which share torch's own among them; none for a single item."""
    jobs = min(jobs, items)
    if jobs == 1:
        yield Crew(None, 1)
        return
    with ThreadPoolExecutor(jobs, initializer=limit_thread, initargs=(share(jobs),)) as pool:
        yield Crew(pool, jobs)


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for it; a torch that cannot tell has no say."""
    import torch

    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


# Parameters of glibc's mallopt (malloc.h). The largest threshold that it takes is 32 MiB.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, MAPPED = 256 << 20, 32 << 20


def keep_freed_memory() -> bool:
    """Lets this process keep up to 256 MiB that it has freed; whether its C library can.

    A decode frees and takes again some 40 MiB, and each page that comes anew from the system costs a fault: a
    twentieth of the time of `nano`. It holds for all that the process does, so a library does not call it by itself.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and mallopt(MMAP_THRESHOLD, MAPPED) == 1 and mallopt(TRIM_THRESHOLD, KEPT) == 1


class DeviceName(str, Enum):
    """What `--device` takes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def pick_device(name: DeviceName) -> str:
    """What torch calls the device to compute on. Raises DeviceMissingError."""
    if name is DeviceName.cpu:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name is DeviceName.cuda:
        raise DeviceMissingError("there is no CUDA device here; leave --device out for the CPU")
    return "cpu"
