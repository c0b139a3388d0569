"""The list of broken mechanisms fits today's sources; breaking them is `python -m s2lic.lab.break_blocks`."""

from __future__ import annotations

import pytest

from s2lic.lab.break_blocks import BREAKS, ROOT, Break


@pytest.mark.parametrize("row", BREAKS, ids=lambda row: row.block)
def test_a_break_has_one_place_and_a_test_that_is_there(row: Break) -> None:
    assert (ROOT / row.source).read_text().count(row.old) == 1
    assert row.old != row.new
    assert f"def {row.test}(" in (ROOT / row.tests).read_text()
