"""How far long work is, told to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Done = Callable[[int, int], None]  # hears how much of how much is done

Item = TypeVar("Item")


def unheard(count: int, of: int) -> None:
    """For work that nobody watches."""


def counted(items: Iterable[Item], of: int, done: Done) -> Iterator[Item]:
    """The items, `of` in number; `done` hears at the start and behind each, but nothing of a single one."""
    if of == 1:
        yield from items
        return
    done(0, of)
    for count, item in enumerate(items, 1):
        yield item
        done(count, of)
