"""Progress of long work, reported to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

ProgressCallback = Callable[[int, int], None]  # takes the number of finished items and the number of all items

Item = TypeVar("Item")


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
