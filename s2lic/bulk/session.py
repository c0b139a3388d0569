"""A Ray session: processes on this machine, started and stopped here, or a cluster."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from s2lic.errors import ClusterError, ExtraMissingError

# Tasks are rows of names, so the smallest store that Ray allows is enough.
STORE = 80 * 2**20
ATTEMPTS = 3  # of a task whose worker died

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def session(address: str | None, workers: int | None) -> Iterator[None]:
    """Run Ray for the duration of the block. If it already runs in this process, it is used and left running.

    Args:
        address: The address of a cluster; None starts processes on this machine.
        workers: The number of processes; None for one per CPU. Ignored for a cluster.

    Raises:
        ExtraMissingError, ClusterError.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    here = {"num_cpus": workers, "object_store_memory": STORE, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # warnings on how later releases treat GPUs
            ray.init(address or "local", logging_level="error", log_to_driver=False, **({} if address else here))
    except Exception as error:
        where = f"the cluster at {address}" if address else "Ray on this machine"
        raise ClusterError(f"cannot start {where}: {error}; check the address and that it runs") from error
    try:
        yield
    finally:
        ray.shutdown()


def check_extra() -> None:
    """Raises ExtraMissingError if Ray Data is not installed."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise ExtraMissingError("datasets need Ray Data; pip install 's2lic[bulk]'")


def capacity(name: str) -> int:
    """The number of CPUs or GPUs of the session."""
    return int(import_ray().cluster_resources().get(name, 0))


def unordered(
    do: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result | Exception]]:
    """The results of a function, in order of completion, with a limit on how many run at a time.

    The result of an item that raises an error, or whose worker dies each time, is an exception.
    """
    ray = import_ray()
    remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(do)
    source, running = iter(items), dict[Any, Item]()
    while True:
        while len(running) < workers and (item := next(source, None)) is not None:
            running[remote.remote(item)] = item
        if not running:
            return
        (done,), _ = ray.wait(list(running))
        item = running.pop(done)
        try:
            yield item, ray.get(done)
        except ray.exceptions.RayError as error:
            yield item, error


def import_ray() -> Any:
    """Import Ray and Ray Data, without logs of what this package reports itself. Raises ExtraMissingError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # deaths of workers are reported by this package
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise ExtraMissingError(f"datasets need Ray Data ({error}); pip install 's2lic[bulk]'") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return ray
