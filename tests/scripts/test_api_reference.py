"""The API reference is that of the code."""

from __future__ import annotations

import inspect

import s2lic
from s2lic import errors
from scripts.api_reference import PAGE, call, error_tree, page, roots


def test_the_page_is_that_of_the_code() -> None:
    """If this fails, run `python -m scripts.api_reference --write` and read what changed."""
    assert PAGE.read_text() == page()


def test_the_page_has_every_public_name() -> None:
    names = [name for name in s2lic.__all__ if name != "__version__"]
    assert [name for name in names if f"## `s2lic.{name}`" not in page()] == []


def test_every_error_is_listed_once() -> None:
    listed = [line.split("`")[1] for root in roots() for line in error_tree(root)]
    kinds = [name for name, kind in vars(errors).items() if inspect.isclass(kind)]
    assert sorted(listed) == sorted(kinds)


def test_a_call_shows_names_defaults_and_keywords() -> None:
    def crop(self: object, x: int, *, done: int = 3, on: object = len) -> bytes: ...

    assert call("crop", crop) == "crop(x: int, *, done: int = 3, on: object = len) -> bytes"
