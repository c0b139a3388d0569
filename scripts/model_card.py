"""Writes the table of a model card from the manifest."""

from __future__ import annotations

from s2lic.errors import UsageError
from s2lic.weights.manifest import WeightsRow

BEGIN, END = "<!-- facts: begin -->", "<!-- facts: end -->"
NAMES = {"val": "24 validation crops", "kodak": "Kodak"}


def with_facts(card: str, row: WeightsRow) -> str:
    """The card with a new table. Raises UsageError if it has no place for one."""
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"the card of '{row.config}' needs the lines {BEGIN} and {END} where its table goes")
    return f"{before}{BEGIN}\n{table(row)}\n{END}{after}"


def table(row: WeightsRow) -> str:
    """The facts of a set of weights as a Markdown table."""
    facts = {
        "model id": f"`{row.model_id.hex()}`",
        "SHA-256": f"`{row.sha256}`",
        "ships since": f"s2lic {row.version}",
        **{f"training: {name}": value for name, value in row.training.items()},
        **{NAMES[name]: _figures(found) for name, found in row.rd.items()},
        "data": row.data,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])


def _figures(found: dict[str, dict[str, float]] | None) -> str:
    if found is None:
        return "not measured"
    rates = ", ".join(f"{bpp} bpp at {db} dB" for db, bpp in found["bpp_at_db"].items())
    gains = ", ".join(f"{percent:+.1f} % against {codec}" for codec, percent in found["bd_rate_percent"].items())
    return f"{rates}; BD-rate {gains}" if gains else rates
