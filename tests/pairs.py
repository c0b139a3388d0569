"""Few rows in which every two values of different factors meet, where the full product would be too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

Row = dict[str, str]
Pair = tuple[tuple[str, str], tuple[str, str]]


def pairwise(factors: Mapping[str, Sequence[str]]) -> list[Row]:
    """Rows with one value a factor, the same each time: each begins with a pair that no row had, and gathers others."""
    missing = {
        ((a, x), (b, y)): None for a, b in combinations(factors, 2) for x in factors[a] for y in factors[b]
    }  # a dict keeps its order
    rows = []
    while missing:
        row = dict(next(iter(missing)))
        for name in factors:
            if name not in row:
                row[name] = max(factors[name], key=lambda value: _gain(missing, factors, {**row, name: value}))
        rows.append({name: row[name] for name in factors})
        for pair in pairs(factors, row):
            missing.pop(pair, None)
    return rows


def pairs(factors: Mapping[str, Sequence[str]], row: Row) -> list[Pair]:
    """Those in a row, which may lack some factors yet."""
    return list(combinations([(name, row[name]) for name in factors if name in row], 2))


def _gain(missing: Mapping[Pair, None], factors: Mapping[str, Sequence[str]], row: Row) -> int:
    return sum(pair in missing for pair in pairs(factors, row))
