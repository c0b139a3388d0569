"""Papers that became a command rather than a block of the transform."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ToolRow:
    """A paper that `create_block` has no block for, and the command that applies it."""

    key: str
    paper: str
    command: str
    does: str
    kind: str = "tool"


TOOLS = {
    row.key: row
    for row in (
        ToolRow(
            "attnbench",
            "Bu et al. 2026, Long-Context Attention Benchmark, arXiv 2510.17896",
            "s2lic lab bench",
            "checks and times attention under a codec's masks",
        ),
        ToolRow(
            "diag_mqar",
            "Arora et al. 2024, Zoology, arXiv 2312.04927",
            "s2lic lab mqar",
            "asks which blocks can look things up",
        ),
        ToolRow(
            "explain",
            "Li et al. 2017, Salient Relevance, arXiv 1712.08268",
            "s2lic explain",
            "traces a picture's bits to its pixels",
        ),
        ToolRow(
            "place_attention",
            "Eisenbach et al. 2023, A Little Bit Attention, arXiv 2302.14574",
            "s2lic lab place",
            "searches where a gate pays for its time",
        ),
    )
}
