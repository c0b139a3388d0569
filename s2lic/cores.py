"""Torch's threads, split among workers that compute at the same time."""

from __future__ import annotations

from threading import Lock, Thread

_LOCK = Lock()


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
