"""The table of failures in a run, `errors.jsonl`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from s2lic.bulk.places import Place

ERRORS = "errors.jsonl"
SAVE_EVERY = 60  # seconds between two writes

ErrorRow = dict[str, Any]


class ErrorTable:
    """`errors.jsonl` in a folder: failures of this run, and of earlier runs in finished parts."""

    def __init__(self, dest: Place, targets: set[str]) -> None:
        self._dest, self._saved = dest, time.monotonic()
        self._changed = ERRORS in dest.names()
        earlier = [json.loads(line) for line in dest.read(ERRORS).splitlines()] if self._changed else []
        self.rows = [row for row in earlier if row["target"] not in targets]

    def add(self, rows: Sequence[ErrorRow]) -> None:
        self.rows += rows
        self._changed = self._changed or bool(rows)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the table if it has changed. Raises OutputUnwritableError."""
        if self._changed:
            self._dest.put(ERRORS, "".join(f"{json.dumps(row)}\n" for row in self.rows).encode())
        self._changed, self._saved = False, time.monotonic()
