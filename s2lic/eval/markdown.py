"""Tables in Markdown, and pages of which a part is written anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MEASURED = "measured"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, numbers to the right."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def marks(name: str = MEASURED) -> tuple[str, str]:
    """The comments that a part of a page lies between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def put_into_page(page: str, text: str, name: str = MEASURED) -> str:
    """The page with the text between the marks of that name, or behind them at the end if it has none."""
    begin, end = marks(name)
    if begin not in page or end not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n".lstrip()
    before, rest = page.split(begin, 1)
    after = rest.split(end, 1)[1]
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
