"""Numbers with commas between, as options take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from s2lic.errors import UsageError

Number = TypeVar("Number", int, float)


def decimals(option: str, text: str) -> list[float]:
    """From the smallest, each once. Raises UsageError."""
    return sorted(set(_split(option, text, float, "numbers")))


def counts(option: str, text: str) -> list[int]:
    """Whole numbers from 1 up, in their order. Raises UsageError."""
    found = _split(option, text, int, "whole numbers")
    if min(found) < 1:
        raise UsageError(f"{option} takes numbers from 1 up, not {text!r}")
    return found


def _split(option: str, text: str, kind: Callable[[str], Number], what: str) -> list[Number]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes {what} with commas between, not {text!r}") from error
