"""Whoever watches long work hears how far it is, and no more than that."""

from __future__ import annotations

from s2lic.progress import with_progress


def test_it_is_told_at_the_start_and_behind_each_item() -> None:
    told: list[object] = []
    items = with_progress("ab", 2, lambda count, of: told.append((count, of)))
    assert [(item, told[-1]) for item in items] == [("a", (0, 2)), ("b", (1, 2))]
    assert told[-1] == (2, 2)


def test_of_a_single_item_there_is_nothing_to_tell() -> None:
    told: list[int] = []
    assert list(with_progress("a", 1, lambda count, _: told.append(count))) == ["a"]
    assert told == []
