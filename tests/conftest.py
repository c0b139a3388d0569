"""Settings of the test process that must stand before torch is loaded, and markers by folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Waiting threads spin by default; on a busy machine two of them are then 60 times slower than one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

LAB = {Path(__file__).parent / "lab", Path(__file__).parent / "cli" / "lab"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the research on blocks carry the marker `lab`, so that a run can leave them out."""
    for item in items:
        if LAB & {*item.path.parents}:
            item.add_marker("lab")
