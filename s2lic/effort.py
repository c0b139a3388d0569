"""How hard an encoder tries; no torch here."""

from __future__ import annotations

from s2lic.errors import UsageError

EFFORT, EFFORT_MAX = 5, 9


def check_effort(effort: int) -> int:
    """The number of rounds that an encoder searches, 0 to 9. Raises UsageError."""
    if not 0 <= effort <= EFFORT_MAX:
        raise UsageError(f"effort {effort} is outside 0..{EFFORT_MAX}")
    return effort
